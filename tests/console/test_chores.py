"""What consoles do for tickets without being asked: each thing once, whoever is first and however often they look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console_room import User, dying
from e2e_support.content import AssignBody, FieldsBody, ReopenBody
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.policy_parts import CategoryAssignee, NoteMode, Retention
from e2e_support.presets import DEFAULT
from e2e_support.vocab import Kind, Role, Verdict
from e2e_support_client.port import Refused
from e2e_support_client.testing import Fault
from e2e_support_console.chores import NOTHING, Done
from e2e_support_console.team import TeamClient
from e2e_support_console.team_space import TeamSpace
from e2e_support_keys.epochs import CLOSING_DELAY
from mail_kit import DAY, Hours
from team_room import TeamRoom

PLAIN = replace(
    DEFAULT, close=replace(DEFAULT.close, resolved_days=7, reminder_days=5), resolution_note=NoteMode.OPTIONAL
)


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncGenerator[TeamRoom]:
    """Yield a room whose policy closes resolved tickets after a week."""
    async with TeamRoom(tmp_path, policy=PLAIN) as room:
        yield room


@pytest.fixture
def hours(crew: TeamRoom, monkeypatch: pytest.MonkeyPatch) -> Hours:
    """Return the clocks."""
    return Hours(crew.relay, monkeypatch)


async def resolved(crew: TeamRoom, team: TeamClient) -> User:
    """Return a user whose ticket was resolved."""
    user = await crew.ticket()
    await team.catch_up()
    await team.inbox.resolve(user.number, "Fixed.")
    return user


async def decide(team: TeamClient, **changes: Any) -> None:
    """Sign another policy."""
    await team.policy.apply(replace(team.desk.roster.policy, **changes))


async def entries(team: TeamClient, user: User, *, staff: bool = False) -> list[Opened]:
    """Return a log of a ticket as it was followed."""
    mailbox = team.desk.staff_log(user.mailbox) if staff else user.mailbox
    return (await team.desk.load(mailbox, staff=staff)).thread.entries


def kinds(found: list[Opened]) -> list[Kind]:
    """Return what entries are; each of them is ok."""
    assert all(entry.verdict is Verdict.OK for entry in found)
    return [entry.inner.kind for entry in found if entry.inner]


# --- closing by itself -----------------------------------------------------------------------------------


async def test_a_closing_is_written_down_once_and_late(crew: TeamRoom, hours: Hours) -> None:
    """A resolved ticket closes on its day; the entry that says so comes hours later, once, from whoever looks first."""
    anna = await crew.start()
    ben = await crew.add(anna, "Ben")
    users = [await resolved(crew, anna) for _ in range(6)]
    hours.pass_by(days=7, seconds=60)
    delays: dict[MailboxId, int] = {}
    for user in users:
        found = await anna.desk.load(user.mailbox)
        state = found.state
        assert state is not None
        delays[user.mailbox] = anna.desk.team.keys.closing_delay(user.mailbox, state.closed_at)
    soon = {mailbox for mailbox, delay in delays.items() if delay <= CLOSING_DELAY // 2}
    assert (await anna.catch_up()).chores == Done(closed=sum(delay < 50 for delay in delays.values()))
    hours.pass_by(seconds=CLOSING_DELAY // 2)
    done = [(await team.catch_up()).chores.closed for team in (anna, ben)]
    assert done[1] == 0
    written = {u.mailbox for u in users if Kind.AUTO_CLOSE in kinds(await entries(anna, u))}
    assert written == soon
    hours.pass_by(seconds=CLOSING_DELAY // 2)
    for team in (ben, anna, ben):
        await team.catch_up()
    for user in users:
        assert kinds(await entries(ben, user)) == [Kind.OPEN, Kind.RESOLUTION, Kind.AUTO_CLOSE]
        assert (await anna.inbox.get(user.number)).summary.status == "closed"
    assert await anna.alarms() == await ben.alarms() == ()


async def test_a_reopened_ticket_gets_no_closing(crew: TeamRoom, hours: Hours) -> None:
    """Whoever reopens a ticket before its closing was written down has the last word."""
    anna = await crew.start()
    user = await resolved(crew, anna)
    hours.pass_by(days=7, seconds=60)
    await user.pull()
    await user.send(Kind.REOPEN, ReopenBody("It is back."))
    hours.pass_by(seconds=CLOSING_DELAY)
    assert (await anna.catch_up()).chores == NOTHING
    assert kinds(await entries(anna, user)) == [Kind.OPEN, Kind.RESOLUTION, Kind.REOPEN]


async def test_a_console_that_dies_while_it_writes_leaves_nothing_twice(crew: TeamRoom, hours: Hours) -> None:
    """A lost answer and a kill after the append lead to one entry, and nobody is told of anything unsent."""
    anna = await crew.start()
    user = await resolved(crew, anna)
    hours.pass_by(days=7, seconds=CLOSING_DELAY + 60)
    crew.relay.inject(Fault.LOST_ANSWER)
    assert (await anna.sync()).trouble is not None
    await anna.close()
    async with await crew.unlock(dying(crew.relay, "append", after=True)) as again:
        assert (await again.catch_up()).chores == NOTHING
        assert kinds(await entries(again, user)) == [Kind.OPEN, Kind.RESOLUTION, Kind.AUTO_CLOSE]
        assert (await again.alarms(), await again.inbox.unsent()) == ((), ())


# --- default assignee ------------------------------------------------------------------------------------


async def test_new_tickets_are_given_to_whom_the_policy_names(crew: TeamRoom) -> None:
    """A new ticket goes to its category's member, else to the general one; later tickets follow a later default."""
    anna = await crew.start()
    ben = await crew.add(anna, "Ben")
    before = await crew.ticket("Before")
    roster, first = anna.desk.roster, anna.desk.roster.policy.categories[0].id
    ids = {device.label: device.member_id for device in roster.devices.values()}
    staff = replace(
        roster.policy.staff, assignee=ids["Anna"], assignees=(CategoryAssignee(first, ids["Ben"]),)
    )
    await decide(anna, staff=staff)
    for_ben, for_anna = await crew.ticket(category=first), await crew.ticket(category="other")
    assert (await ben.catch_up()).chores == Done(assigned=2)
    assert (await anna.catch_up()).chores == NOTHING
    found = {one.number: one.assignee for one in await anna.inbox.list()}
    assert found == {for_ben.number: "Ben", for_anna.number: "Anna", before.number: ""}


async def test_who_was_ever_assigned_by_a_person_stays(crew: TeamRoom) -> None:
    """Nobody means nobody: a ticket that a person took away from its default assignee is not given back."""
    anna = await crew.start()
    me = next(iter(anna.desk.roster.devices.values())).member_id
    await decide(anna, staff=replace(anna.desk.roster.policy.staff, assignee=me))
    user = await crew.ticket()
    await anna.catch_up()
    await anna.inbox.assign(user.number, "nobody")
    assert (await anna.catch_up()).chores == NOTHING
    assert [one.assignee for one in await anna.inbox.list()] == [""]


@pytest.mark.parametrize("shown", [0, 1])
async def test_assigning_by_default_is_assigning(crew: TeamRoom, shown: int) -> None:
    """Where users see the assignee, the ticket is in progress from then on; elsewhere nothing is said to them."""
    anna = await crew.start()
    me = next(iter(anna.desk.roster.devices.values())).member_id
    policy = anna.desk.roster.policy
    await decide(
        anna,
        staff=replace(policy.staff, assignee=me, show_assignee=shown),
        moves=replace(policy.moves, assign_progress=1),
    )
    user = await crew.ticket()
    assert (await anna.catch_up()).chores == Done(assigned=1)
    state = (await anna.desk.load(user.mailbox)).state
    assert state is not None
    assert state.progress is bool(shown)
    bodies = [entry.body for entry in await user.pull()]
    hidden = [entry.body for entry in await entries(anna, user, staff=True)]
    if shown:
        assert bodies == [FieldsBody("", "", me, ())]
        assert hidden == []
    else:
        assert bodies == []
        assert [type(body) for body in hidden[1:]] == [AssignBody]


async def test_five_consoles_at_once_do_each_thing_once(crew: TeamRoom, hours: Hours) -> None:
    """Whoever loses a race sees the winner's entry first: one closing and one assignment, however many look at once."""
    anna = await crew.start()
    others = [await crew.add(anna, name) for name in ("Ben", "Cleo", "Dora", "Emil")]
    me = anna.desk.roster.devices[anna.desk.bundle.device_id].member_id
    await decide(anna, staff=replace(anna.desk.roster.policy.staff, assignee=me))
    done = [await resolved(crew, anna) for _ in range(4)]
    hours.pass_by(days=7, seconds=CLOSING_DELAY + 60)
    fresh = [await crew.ticket() for _ in range(4)]
    everybody = (anna, *others)
    reports = await asyncio.gather(*(team.catch_up() for team in everybody))
    again = await asyncio.gather(*(team.catch_up() for team in everybody))
    assert sum((report.chores for report in (*reports, *again)), NOTHING) == Done(closed=4, assigned=4)
    for team in everybody:
        await team.catch_up()
        for user in done:
            assert kinds(await entries(team, user)).count(Kind.AUTO_CLOSE) == 1
        for user in (*done, *fresh):
            assert kinds(await entries(team, user, staff=True)) == [Kind.STAFF_OPEN, Kind.ASSIGN]
        assert await team.alarms() == ()


async def test_an_auditor_does_nothing(crew: TeamRoom, hours: Hours) -> None:
    """A device that may read only leaves the chores to others, and its sync goes on."""
    anna = await crew.start()
    audrey = await crew.add(anna, "Audrey", Role.AUDITOR)
    user = await resolved(crew, anna)
    hours.pass_by(days=7, seconds=CLOSING_DELAY + 60)
    report = await audrey.catch_up()
    assert (report.chores, report.trouble) == (NOTHING, None)
    assert kinds(await entries(audrey, user)) == [Kind.OPEN, Kind.RESOLUTION]


# --- retention -------------------------------------------------------------------------------------------


def keeping(closed_days: int, idle_days: int) -> Policy:
    """Return a policy with these days."""
    return replace(PLAIN, retention=Retention(closed_days, idle_days))


async def gone(crew: TeamRoom, team: TeamClient, mailbox: Any) -> bool:
    """Tell whether the relay has erased a mailbox."""
    try:
        await crew.relay.read(mailbox, 0, team.desk.capability())
    except Refused as refused:
        return refused.code == "erased"
    return False


async def test_what_was_closed_long_enough_is_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both logs of a closed ticket are erased when its time is over, by one device; an open one stays."""
    async with TeamRoom(tmp_path, policy=keeping(30, 0)) as crew:
        hours = Hours(crew.relay, monkeypatch)
        anna = await crew.start()
        ben = await crew.add(anna, "Ben")
        closed, still_open = await crew.ticket(), await crew.ticket()
        await anna.catch_up()
        await anna.inbox.note(closed.number, "A known bug.")
        await anna.inbox.close(closed.number, "Done.")
        hours.pass_by(days=29)
        assert (await anna.catch_up()).chores == NOTHING
        hours.pass_by(days=1.1)
        reports = await asyncio.gather(anna.catch_up(), ben.catch_up())
        assert sum(report.chores.erased for report in reports) == 1
        for mailbox in (closed.mailbox, anna.desk.staff_log(closed.mailbox)):
            assert await gone(crew, anna, mailbox)
        assert not await gone(crew, anna, still_open.mailbox)
        assert (await anna.catch_up()).chores.erased == 0


async def test_a_relay_that_dates_back_has_nothing_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receipts of last year do not make consoles erase what the team wrote today by its own clocks."""
    async with TeamRoom(tmp_path, policy=keeping(30, 0)) as crew:
        anna = await crew.start()
        crew.relay.advance(-40 * DAY)
        user = await crew.ticket()
        await anna.catch_up()
        await anna.inbox.close(user.number, "Done.")
        assert (await anna.catch_up()).chores == NOTHING
        assert not await gone(crew, anna, user.mailbox)


async def test_the_quiet_log_is_kept_while_its_twin_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A staff log that the relay would forget gets one entry while people write to the ticket, and none after that."""
    async with TeamRoom(tmp_path, policy=keeping(100, 100)) as crew:
        hours = Hours(crew.relay, monkeypatch)
        anna = await crew.start()
        ben = await crew.add(anna, "Ben")
        await anna.snippets.save("hello", "Hello", "Hello.")
        user = await crew.ticket()
        await anna.catch_up()
        await anna.inbox.note(user.number, "A known bug.")
        hours.pass_by(days=50)
        await user.say("Any news?")
        hours.pass_by(days=26)
        reports = await asyncio.gather(anna.catch_up(), ben.catch_up())
        assert sum(report.chores.kept for report in reports) == 1
        assert kinds(await entries(anna, user, staff=True)) == [Kind.STAFF_OPEN, Kind.NOTE, Kind.DUMMY]
        space = [entry.inner.kind for entry in await _space(anna) if entry.inner]
        assert space == [Kind.SETTING, Kind.DUMMY]
        for _ in range(5):
            hours.pass_by(days=40)
            assert (await anna.catch_up()).chores.kept == 0
        assert len(await entries(anna, user)) == 2


async def _space(team: TeamClient) -> list[Opened]:
    return list(await TeamSpace(team.desk).entries())
