"""What a console does for a relay that shows less than before, and what it keeps of one that shows something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from card_kit import holder
from console_room import Room, User
from e2e_support.proof import ProofKind, check_proof
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_client.handback import AGAIN_AFTER
from e2e_support_client.testing import Fault
from e2e_support_console.alarms import Alarm
from e2e_support_console.team import TeamClient
from e2e_support_console.volume import space_mailboxes
from space_kit import lose
from team_room import TeamRoom


async def alarms(team: TeamClient) -> dict[str, Alarm]:
    """Return the alarms by code."""
    return {alarm.code: alarm for alarm in await team.alarms()}


async def noted(room: Room, team: TeamClient) -> User:
    """Return a user whose ticket has a note, an answer and a staff log."""
    user = await room.ticket()
    await team.catch_up()
    await team.inbox.note(user.number, "A known bug.")
    await team.inbox.reply(user.number, "We look.")
    await team.catch_up()
    return user


async def test_a_staff_log_that_is_gone_is_created_again(tmp_path: Path) -> None:
    """A relay that has a ticket and no staff log of it any more gets the staff log back when somebody looks there."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await noted(room, team)
        mailbox = team.desk.staff_log(user.mailbox)
        before = room.relay.stored(mailbox)
        lose(room.relay, mailbox)
        view = await team.inbox.get(user.number)
        assert (view.offline, room.relay.stored(mailbox)) == ("", before)
        assert "they were handed back" in (await alarms(team))["rollback"].message


async def test_an_answer_that_is_gone_stands_in_front_of_the_next(tmp_path: Path) -> None:
    """Whoever writes to a log that went back first gives back what it lost."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await noted(room, team)
        lose(room.relay, user.mailbox, 1)
        await team.inbox.reply(user.number, "Mended.")
        assert await user.texts() == ["We look.", "Mended."]


async def test_a_ticket_opened_with_a_card_is_created_by_the_team(tmp_path: Path) -> None:
    """The card, which the first entry holds, lets the console create the user's mailbox again (§3.2)."""
    room = Room(tmp_path)
    async with await room.found() as team:
        held = await holder(room)
        line = await team.inbox.open_for(held.card, "Your invoice", "It is late.", category="question")
        await team.catch_up()
        lose(room.relay, held.user.mailbox)
        assert (await team.inbox.get(line.number)).offline == ""
        assert len(room.relay.stored(held.user.mailbox)) == 1
        assert await held.user.pull(), "the user can open it as before"


async def test_a_users_ticket_waits_for_its_user(tmp_path: Path) -> None:
    """A ticket that its user opened cannot be created by the team: the relay's word is shown, what is known stays."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await noted(room, team)
        lose(room.relay, user.mailbox)
        room.relay.calls.clear()
        view = await team.inbox.get(user.number)
        assert (len(view.messages), "create" in room.relay.calls) == (3, False)
        assert view.offline


async def test_a_log_that_was_called_erased_is_never_created_again(tmp_path: Path) -> None:
    """Where the relay has once said that a staff log was erased, a relay from before that does not get it back."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await noted(room, team)
        mailbox = team.desk.staff_log(user.mailbox)
        room.relay.inject(Fault.ERASED, mailbox=mailbox)
        await team.inbox.get(user.number)
        room.relay.heal()
        lose(room.relay, mailbox)
        room.relay.calls.clear()
        await team.inbox.get(user.number)
        assert "create" not in room.relay.calls


async def test_a_relay_that_forgets_again_and_again_costs_one_try_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was created again today is not created once more before tomorrow."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await noted(room, team)
        mailbox = team.desk.staff_log(user.mailbox)
        for now in (clock.now(), clock.now() + AGAIN_AFTER):
            monkeypatch.setattr(clock, "now", lambda now=now: now)
            room.relay.calls.clear()
            for _ in range(3):
                lose(room.relay, mailbox)
                await team.inbox.get(user.number)
            assert room.relay.calls.count("create") == 1


async def test_a_relay_that_only_pretends_is_asked_once_a_day(tmp_path: Path) -> None:
    """A relay that takes entries of a staff log back and still shows less is told as one that went back (14)."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await noted(room, team)
        room.relay.inject(Fault.ROLLBACK, mailbox=team.desk.staff_log(user.mailbox))
        for _ in range(3):
            assert "older history" in (await team.inbox.get(user.number)).offline
        assert room.relay.calls.count("hand_back") == 1


async def test_a_feed_that_went_on_elsewhere_is_noticed(tmp_path: Path) -> None:
    """A restored relay whose feed has grown past the console's place again does not hide what it lost (88)."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await noted(room, team)
        mailbox = team.desk.staff_log(user.mailbox)
        before = room.relay.stored(mailbox)
        steps = room.relay._teams[team.desk.team_id].feed  # pyright: ignore[reportPrivateUsage]
        newest, lost = len(steps), next(at for at, step in enumerate(steps) if step.mailbox_id == mailbox)
        lose(room.relay, mailbox, 1)
        del steps[lost + 1 :]
        others = [await room.ticket("Another") for _ in range(newest)]
        assert len(steps) > newest
        await team.catch_up()
        assert room.relay.stored(mailbox) == before
        assert {"feed_rollback", "rollback"} == set(await alarms(team))
        assert len(await team.inbox.list()) == 1 + len(others)


# --- another history -------------------------------------------------------------------------------------


async def test_15_a_second_history_leaves_a_proof(tmp_path: Path) -> None:
    """A relay that signed two entries for one place leaves a proof with the alarm, of tickets and of the team space."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        user = await room.ticket()
        for team in (anna, ben):
            await team.catch_up()
        await anna.snippets.save("one", "Hello.")
        await ben.catch_up()
        (space,) = await space_mailboxes(anna.desk)
        shared = len(room.relay.stored(space))
        await anna.inbox.reply(user.number, "One.")
        await anna.snippets.save("two", "Hello.")
        await anna.catch_up()
        lose(room.relay, user.mailbox, 1)
        lose(room.relay, space, shared)
        for number in range(2):
            await ben.inbox.reply(user.number, f"Other {number}.")
            await ben.snippets.save(f"other{number}", "Bye.")
        await anna.catch_up()
        forks = {alarm.mailbox: alarm for alarm in await anna.alarms() if alarm.code == "fork"}
        assert set(forks) == {user.mailbox, space}
        for alarm in forks.values():
            shown = check_proof(alarm.proof)
            assert (shown.kind, "two different entries" in shown.words) == (ProofKind.RECEIPTS, True)
