"""Erasing as administrators see it: who may, what goes with it, what colleagues and users learn, nothing half done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from admin_shell import Shell
from console_room import Killed, Room, User, dying
from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.errors import TrustError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.policy_parts import StaffDelete
from e2e_support.presets import DEFAULT
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_client.tombstones import Erased, sign_erasure
from e2e_support_console.drafts import Mode
from e2e_support_console.erased import unfinished
from e2e_support_console.erasing import due_for_erasure
from e2e_support_console.staff_log import StaffLogs
from e2e_support_console.team import TeamClient
from team_room import TeamRoom

KEEPING = replace(
    DEFAULT,
    delete=replace(DEFAULT.delete, staff=StaffDelete.NEVER),
    retention=replace(DEFAULT.retention, closed_days=0, idle_days=0),
)


async def told(room: Room, team: TeamClient) -> User:
    """Return a user whose ticket has an answer, a note, a draft and a mark."""
    user = await room.ticket("No invoice")
    await team.catch_up()
    await team.inbox.note(user.number, "A known bug.")
    await team.inbox.reply(user.number, "We look into it.")
    await team.drafts.keep(user.number, "Almost done.", Mode.REPLY)
    return user


async def user_erases(room: Room, user: User) -> None:
    """Let a user erase their ticket."""
    key = user.keys.capability
    roster = await room.roster()
    statement = sign_erasure(roster.team_id, user.mailbox, key.public, key, clock.now())
    await room.relay.destroy(user.mailbox, statement, key)


async def left(team: TeamClient, user: User) -> Erased:
    """Return what is said of an erased ticket."""
    with pytest.raises(Erased) as error:
        await team.inbox.get(user.number)
    return error.value


async def rows(team: TeamClient, table: str) -> int:
    """Return how many rows a table has."""
    row = await team.desk.store.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name from this file
    assert row is not None
    return int(row[0])


# --- the team erases ---------------------------------------------------------------------------------------


async def test_both_logs_go_and_the_number_stays_known(tmp_path: Path) -> None:
    """Entries, lines, words of the search and drafts are gone; who asks is told who erased it, and when."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user, other = await told(room, team), await room.ticket("Another")
        await team.catch_up()
        stakes = await team.inbox.stakes(user.number)
        assert (stakes.messages, stakes.files, stakes.notes) == (2, 0, 1)
        staff_log = team.desk.staff_log(user.mailbox)
        await team.inbox.erase(user.number)
        assert not {user.mailbox, staff_log} & set(room.relay.mailboxes)
        assert [ticket.number for ticket in await team.inbox.list()] == [other.number]
        assert [await rows(team, table) for table in ("drafts", "passages")] == [0, 2]
        assert not (await team.inbox.search("invoice")).tickets
        said = await left(team, user)
        assert said.data["erased_by"] == "Anna"
        assert await unfinished(team.desk.store) == []
        for call in (team.inbox.reply(user.number, "More."), team.inbox.erase(user.number)):
            with pytest.raises(Erased):
                await call
        report = await team.catch_up()
        assert (report.trouble, await team.alarms()) == (None, ())
        assert [gone.number for gone in await team.inbox.erased()] == [user.number]


@pytest.mark.parametrize("after", [False, True])
async def test_killed_in_between_the_next_sync_finishes_it(tmp_path: Path, after: bool) -> None:
    """Killed once the relay has erased the first log, the next sync purges here and erases the second log there."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await told(room, team)
        staff_log = team.desk.staff_log(user.mailbox)
    with pytest.raises(Killed):
        async with await room.unlock(dying(room.relay, "destroy", after=after)) as team:
            await team.inbox.erase(user.number)
    async with await room.unlock() as team:
        await team.catch_up()
        if not after:
            assert len((await team.inbox.get(user.number)).messages) == 3
            return
        assert (await left(team, user)).data["erased_by"] == "Anna"
        assert (await rows(team, "entries"), await team.alarms()) == (0, ())
        assert staff_log not in room.relay.mailboxes


async def test_only_who_may_erases(tmp_path: Path) -> None:
    """Where the policy keeps tickets nobody erases any, and an auditor erases none anywhere."""
    room = Room(tmp_path / "a", policy=KEEPING)
    async with await room.found() as team:
        user = await told(room, team)
        with pytest.raises(UsageError) as refused:
            await team.inbox.erase(user.number)
        assert refused.value.code == "erase_off"
    async with TeamRoom(tmp_path / "b") as crew:
        anna = await crew.start()
        dora = await crew.add(anna, "Dora", Role.AUDITOR)
        user = await told(crew, anna)
        await dora.catch_up()
        with pytest.raises(TrustError) as error:
            await dora.inbox.erase(user.number)
        assert error.value.code == "not_allowed"


async def test_colleagues_purge_it_too(tmp_path: Path) -> None:
    """A colleague's console purges it with the next sync and names who erased it; a new console meets it quietly."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.AGENT)
        user = await told(room, anna)
        await ben.catch_up()
        await ben.inbox.erase(user.number)
        await anna.catch_up()
        assert (await left(anna, user)).data["erased_by"] == "Ben"
        assert (await rows(anna, "entries"), await anna.alarms()) == (0, ())
        eve = await room.add(anna, "Eve", Role.AGENT)
        report = await eve.catch_up()
        assert (report.trouble, await eve.alarms()) == (None, ())
        assert [gone.number for gone in await eve.inbox.erased()] == [user.number]


async def test_tickets_whose_time_is_over_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed ticket is due once the policy's days are over, not a second before; an open one never is."""
    room = Room(tmp_path)
    async with await room.found() as team:
        closed, _ = await told(room, team), await room.ticket("Open")
        await closed.pull()
        await closed.close()
        await team.catch_up()
        (line,) = [one for one in await team.inbox.list() if one.number == closed.number]
        assert line.erase_due is not None
        due = int(line.erase_due.timestamp())
        assert await due_for_erasure(team.desk.store, due - 1) == []
        (over,) = await due_for_erasure(team.desk.store, due)
        assert over.number == closed.number


# --- the user erases ---------------------------------------------------------------------------------------


async def test_what_a_user_erases_takes_the_notes_along(tmp_path: Path) -> None:
    """The console purges it, says that its user did it, and has the relay erase the staff log, which is the team's."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await told(room, team)
        staff_log = team.desk.staff_log(user.mailbox)
        await user_erases(room, user)
        await team.catch_up()
        assert (await left(team, user)).data["erased_by"] == "user"
        assert staff_log not in room.relay.mailboxes
        assert (await rows(team, "entries"), await team.alarms()) == (0, ())


async def test_a_note_that_came_too_late_goes_as_well(tmp_path: Path) -> None:
    """A colleague who had not heard of it writes a first note afterwards; who hears of that erases it."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.AGENT)
        user = await room.ticket()
        for team in (anna, ben):
            await team.catch_up()
        staff_log = anna.desk.staff_log(user.mailbox)
        await anna.inbox.erase(user.number)
        await late_note(ben, user)
        assert staff_log in room.relay.mailboxes
        await anna.catch_up()
        assert staff_log not in room.relay.mailboxes


async def late_note(team: TeamClient, user: User) -> None:
    """Begin the staff log of a ticket, as a console does that has not heard that it is gone."""
    log = await team.desk.load(user.mailbox)
    await StaffLogs(team.desk).ready(user.mailbox, log.conversation.chain.head)


async def test_88_a_restored_relay_is_told_again(tmp_path: Path) -> None:
    """A relay that comes back from an old backup with an erased ticket erases it again, and nobody gets it back."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await told(room, team)
        staff_log = team.desk.staff_log(user.mailbox)
        boxes = room.relay._mailboxes  # pyright: ignore[reportPrivateUsage]
        backup = {mailbox: list(boxes[mailbox].log) for mailbox in (user.mailbox, staff_log)}
        await team.inbox.erase(user.number)
        await team.catch_up()
        for mailbox, log in backup.items():
            boxes[mailbox].tombstone, boxes[mailbox].log = None, log
        await user.pull()
        await user.say("Are you there?")
        await team.catch_up()
        assert not set(backup) & set(room.relay.mailboxes)
        assert (await left(team, user)).data["erased_by"] == "Anna"
        assert await rows(team, "entries") == 0


# --- whom a console believes (attacks 80, 81) --------------------------------------------------------------


async def test_81_a_bare_claim_purges_nothing(tmp_path: Path) -> None:
    """A 410 without a statement, or with one that does not count, is an alarm and a mark; everything stays."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await told(room, team)
        desk = team.desk
        device, key = desk.bundle.signer()
        freeze = DestructionBody(desk.team_id, user.mailbox, Deed.FREEZE, clock.now(), device)
        stranger = DestructionBody(desk.team_id, user.mailbox, Deed.ERASE, clock.now(), bytes(16))
        for statement in (b"junk", sign_destruction(freeze, key), sign_destruction(stranger, key)):
            await user.pull()
            await user.say("Once more.")
            lie(room, user.mailbox, statement)
            await team.catch_up()
            view = await team.inbox.get(user.number, fetch=False)
            assert view.summary.problem == "erased"
            assert {alarm.code for alarm in await team.alarms()} == {"erased"}
            lie(room, user.mailbox, None)
            await team.catch_up()
        assert len((await team.inbox.get(user.number)).messages) == 6


async def test_80_where_the_policy_keeps_tickets_no_statement_counts(tmp_path: Path) -> None:
    """An agent's own program erases at the relay against the rules: colleagues keep what they have, and are alarmed."""
    room = Room(tmp_path, policy=KEEPING)
    async with await room.found() as team:
        user = await told(room, team)
        desk = team.desk
        device, key = desk.bundle.signer()
        statement = sign_erasure(desk.team_id, user.mailbox, device, key, clock.now())
        await room.relay.destroy(user.mailbox, statement, desk.capability())
        await team.catch_up()
        assert len((await team.inbox.get(user.number, fetch=False)).messages) == 3
        assert {alarm.code for alarm in await team.alarms()} == {"erased"}


def lie(room: Room, mailbox: MailboxId, statement: bytes | None) -> None:
    """Let the relay answer 410, and hand out a statement that it never checked."""
    room.relay._mailboxes[mailbox].tombstone = statement  # pyright: ignore[reportPrivateUsage]


# --- the commands ------------------------------------------------------------------------------------------


def test_erase_asks_for_the_number(team: Shell) -> None:
    """Nothing goes before the number is typed once more; ``show`` and ``erased`` tell of it afterwards."""
    number = team.ticket()
    team("note", number, "A known bug.")
    team("erase", number, code=1)
    assert f"{number} goes for good: 1 message, 0 files, 1 internal note." in team.err
    assert "nobody can recall" in team.err
    assert team.error("erase", number, "--yes", "T-00000-00000")["code"] == "not_confirmed"
    assert team.error("erase", number)["code"] == "not_confirmed"
    done = team.data("erase", number, "--yes", number)
    assert done == {"number": number, "state": "erased", "messages": 1, "files": 0, "notes": 1}
    said = team.data("show", number)
    assert (said["number"], said["status"], said["erased_by"]) == (number, "erased", "Anna")
    assert f"{number} was erased by Anna on" in team("show", number)
    assert team.data("erased") == [said]
    assert f"{number} was erased by Anna" in team("erased")
    assert team.data("inbox") == []
    assert team.error("reply", number, "More.")["code"] == "erased"
