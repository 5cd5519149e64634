"""The barrier pass: after a removal every active ticket says up to where the removed device is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from console_room import Killed, User, dying
from e2e_support.content import BarrierBody
from e2e_support.vocab import Kind, Role, Verdict
from e2e_support_console.barriers import ACTIVE_DAYS, BarrierPass
from e2e_support_console.team import TeamClient
from team_room import TeamRoom


async def barriers(team: TeamClient, user: User) -> list[tuple[int, ...]]:
    """Return up to which entry the barriers in a ticket's log accept, one tuple per barrier."""
    log = await team.desk.load(user.mailbox)
    bodies = [entry.body for entry in log.thread.entries if entry.verdict is Verdict.OK]
    return [tuple(i.accept_upto for i in body.items) for body in bodies if isinstance(body, BarrierBody)]


async def follow(room: TeamRoom, user: User) -> list[Kind]:
    """Let a user follow their ticket with the newest roster; return what kinds came."""
    user.conversation.team = await room.roster()
    return [entry.inner.kind for entry in await user.pull() if entry.inner]


async def test_a_removal_sets_a_barrier_in_every_active_ticket(tmp_path: Path) -> None:
    """Each ticket gets one barrier with all that was stored before, under keys of the new epoch; users follow."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        users = [await room.ticket(f"Number {index}") for index in range(3)]
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        await ben.inbox.reply(users[0].number, "We look into it.")
        await users[1].close()
        seen: list[tuple[int, int]] = []
        assert await anna.members.remove("Ben", lambda done, total: seen.append((done, total))) is None
        assert seen == [(1, 3), (2, 3), (3, 3)]
        assert [await barriers(anna, user) for user in users] == [[(1,)], [(1,)], [(0,)]]
        assert await follow(room, users[0]) == [Kind.MESSAGE, Kind.BARRIER]
        log = await anna.desk.load(users[0].mailbox)
        assert log.conversation.epoch == anna.desk.roster.epoch.epoch
        assert [entry.verdict for entry in log.thread.entries] == [Verdict.OK] * 3


async def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    """What is done is done: neither the same console nor another one repeats a barrier."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket()
        cleo = await room.add(anna, "Cleo")
        await room.add(anna, "Ben")
        await cleo.catch_up()
        await anna.members.remove("Ben")
        room.relay.calls.clear()
        assert await BarrierPass(anna.desk).run() == 0
        await cleo.catch_up()
        assert "append" not in room.relay.calls
        assert len(await barriers(cleo, user)) == 1


@pytest.mark.parametrize("after", [False, True])
async def test_another_console_finishes_what_one_left(tmp_path: Path, after: bool) -> None:
    """A console killed in the middle of the pass is replaced by the next that syncs: one barrier everywhere."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        users = [await room.ticket(f"Number {index}") for index in range(3)]
        ben = await room.add(anna, "Ben")
        cleo = await room.add(anna, "Cleo")
        for team in (ben, cleo):
            await team.catch_up()
        await anna.close()
        anna = await room.console("Anna", dying(room.relay, "append", skip=1, after=after))
        with pytest.raises(Killed):
            await anna.members.remove("Ben")
        await cleo.catch_up()
        assert [await barriers(cleo, user) for user in users] == [[(0,)]] * 3


async def test_a_killed_console_goes_on_by_itself(tmp_path: Path) -> None:
    """The console that was killed finishes the pass at its next sync."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        users = [await room.ticket(f"Number {index}") for index in range(3)]
        await room.add(anna, "Ben")
        await anna.close()
        anna = await room.console("Anna", dying(room.relay, "append", skip=1))
        with pytest.raises(Killed):
            await anna.members.remove("Ben")
        await anna.close()
        anna = await room.console("Anna")
        await anna.catch_up()
        assert [await barriers(anna, user) for user in users] == [[(0,)]] * 3


async def test_a_console_that_was_away_does_not_condemn(tmp_path: Path) -> None:
    """What a removed device wrote while a console was away is not called forged by that console."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        cleo = await room.add(anna, "Cleo")
        ben = await room.add(anna, "Ben")
        user = await room.ticket()
        await cleo.catch_up()
        await ben.catch_up()
        await ben.inbox.reply(user.number, "Just before.")
        await anna.close()
        anna = await room.console("Anna", dying(room.relay, "append"))
        with pytest.raises(Killed):
            await anna.members.remove("Ben")
        await cleo.catch_up()
        assert await barriers(cleo, user) == []
        await anna.close()
        anna = await room.console("Anna")
        await anna.catch_up()
        await cleo.catch_up()
        assert await barriers(cleo, user) == [(1,)]


async def test_quiet_tickets_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket that has been quiet for long gets no barrier, unless the removed device spoke last in it."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        quiet, answered = await room.ticket("Quiet"), await room.ticket("Answered")
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        await ben.inbox.reply(answered.number, "Here is how.")
        await anna.catch_up()
        monkeypatch.setattr("e2e_support_console.barriers.ACTIVE_DAYS", -ACTIVE_DAYS)
        await anna.members.remove("Ben")
        assert (await barriers(anna, quiet), await barriers(anna, answered)) == ([], [(1,)])


async def test_an_auditor_sets_no_barrier(tmp_path: Path) -> None:
    """A console that may only read leaves the pass to others, and still syncs."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.ticket()
        cleo = await room.add(anna, "Cleo", Role.AUDITOR)
        await room.add(anna, "Ben")
        await cleo.catch_up()
        await anna.close()
        anna = await room.console("Anna", dying(room.relay, "append"))
        with pytest.raises(Killed):
            await anna.members.remove("Ben")
        report = await cleo.catch_up()
        assert (report.left, report.trouble) == (0, None)


async def test_a_flooded_ticket_waits_for_its_next_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ticket with more new entries than are taken at a time gets its barrier in a later run, the others at once."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        calm, flooded = await room.ticket("A calm one"), await room.ticket("Flooded")
        await anna.catch_up()
        await room.remove(anna, ben)
        await anna.desk.team.refresh()
        for number in range(4):
            await flooded.say(f"Number {number}")
        monkeypatch.setattr("e2e_support_console.logs.ENTRIES_MAX", 3)
        assert await BarrierPass(anna.desk).run() == 1
        assert (await barriers(anna, calm), await barriers(anna, flooded)) == ([(0,)], [])
        assert await BarrierPass(anna.desk).run() == 0
        assert len(await barriers(anna, flooded)) == 1
