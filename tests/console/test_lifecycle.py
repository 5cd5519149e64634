"""The steps of a ticket's life in the console: what stands in which log, who may be named, what users see of it."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from console_room import Room, User
from e2e_support.content import FieldsBody, Inner, RelationBody
from e2e_support.errors import TrustError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.presets import DESK, PANEL, RECORD
from e2e_support.vocab import Kind, Role
from e2e_support_client import clock
from e2e_support_client.model import utc
from e2e_support_console.index import find, records
from e2e_support_console.team import TeamClient
from e2e_support_console.until import parse_until
from team_room import TeamRoom

NOW = int(datetime(2027, 1, 15, 17, 30, tzinfo=timezone(timedelta(hours=1))).timestamp())


async def kinds(user: User) -> list[Kind]:
    """Return what the team has written where the user reads it, since the last time."""
    return [entry.inner.kind for entry in await user.pull() if entry.inner]


async def internal(team: TeamClient, user: User) -> list[Inner]:
    """Return what stands in the ticket's staff log."""
    row = await find(team.desk.store, user.number)
    assert row is not None
    return [Inner.from_bytes(record.inner) for record in await records(team.desk.store, row.staff_log)]


async def code_of(refused: object) -> str:
    """Return the code with which an action is refused."""
    with pytest.raises(UsageError) as error:
        await refused  # type: ignore[misc]
    return error.value.code


# --- status ----------------------------------------------------------------------------------------------


async def test_a_status_is_set_by_its_name(tmp_path: Path) -> None:
    """Each status of the table is reached by entries of either log, and users see those of theirs."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.catch_up()
        for status in ("progress", "hold", "waiting", "resolved", "archived", "closed", "spam", "progress"):
            line = await team.inbox.set_status(user.number, status, note="Done.")
            assert line.status == status
        assert await kinds(user) == [
            Kind.STATUS, Kind.STATUS, Kind.RESOLUTION, Kind.CLOSE, Kind.REOPEN, Kind.STATUS,
        ]  # fmt: skip
        assert await code_of(team.inbox.set_status(user.number, "answered")) == "status_derived"


async def test_a_status_is_planned_on_what_the_relay_has_now(tmp_path: Path) -> None:
    """A ticket that its user has closed meanwhile is reopened for a status, without a sync before."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.catch_up()
        await user.close()
        assert (await team.inbox.set_status(user.number, "progress")).status == "progress"
        assert await kinds(user) == [Kind.REOPEN, Kind.STATUS]


async def test_an_answer_may_set_the_status(tmp_path: Path) -> None:
    """``set_status`` of an answer gives the ticket that status once the answer is stored."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.catch_up()
        assert (await team.inbox.reply(user.number, "We look.", set_status="progress")).status == "progress"
        assert (await kinds(user))[0] is Kind.MESSAGE


# --- assignment ------------------------------------------------------------------------------------------


async def test_an_assignment_stands_where_the_policy_wants_it(tmp_path: Path) -> None:
    """Users see whom a ticket is assigned to only where the policy shows it; else it stands in the staff log."""
    for policy, seen in ((RECORD, [Kind.FIELDS]), (DESK, [])):
        room = Room(tmp_path / policy.preset, policy=policy)
        async with await room.found() as team:
            user = await room.ticket("The list is empty", "x" * 60, category=policy.categories[0].id)
            await team.catch_up()
            assert (await team.inbox.assign(user.number, "me")).assignee == "Anna"
            assert await kinds(user) == seen
            internally = [inner.kind for inner in await internal(team, user)]
            assert (Kind.ASSIGN in internally) is (policy is DESK)
            assert (await team.inbox.assign(user.number, "nobody")).assignee == ""


async def test_assigning_sets_progress_where_the_policy_says_so(tmp_path: Path) -> None:
    """With a hidden assignee a status entry tells users that work has begun; it stands there once."""
    room = Room(tmp_path, policy=PANEL)
    async with await room.found() as team:
        user = await room.ticket(category="billing")
        await team.catch_up()
        assert (await team.inbox.assign(user.number, "Anna")).status == "progress"
        await team.inbox.assign(user.number, "Anna")
        assert await kinds(user) == [Kind.STATUS]


async def test_only_who_writes_can_be_assigned(tmp_path: Path) -> None:
    """An auditor, somebody who left and a stranger are refused, and nothing is written; nor assigns an auditor."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        otto = await room.add(anna, "Otto", Role.AUDITOR)
        await room.add(anna, "Gus")
        await anna.members.remove("Gus")
        user = await room.ticket()
        await anna.catch_up()
        assign = anna.inbox.assign
        assert await code_of(assign(user.number, "Otto")) == "unknown_assignee"
        assert await code_of(assign(user.number, "Gus")) == "unknown_assignee"
        assert await code_of(assign(user.number, "Zoe")) == "no_member"
        await otto.catch_up()
        with pytest.raises(TrustError, match="read only"):
            await otto.inbox.assign(user.number, "me")
        assert await internal(anna, user) == []


# --- fields, marks, tags, links --------------------------------------------------------------------------


async def test_fields_are_changed_by_id(tmp_path: Path) -> None:
    """Priority and category are set where users see them; what the policy does not know is refused."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.catch_up()
        assert (await team.inbox.set_priority(user.number, "high")).priority == "high"
        assert (await team.inbox.set_category(user.number, "billing")).category == "billing"
        assert [entry.body for entry in await user.pull()] == [
            FieldsBody("", "high", b"", ()),
            FieldsBody("billing", "", b"", ()),
        ]
        assert await code_of(team.inbox.set_priority(user.number, "lost")) == "unknown_priority"
        assert await code_of(team.inbox.set_category(user.number, "lost")) == "unknown_category"
        assert await code_of(team.inbox.set_priority(user.number, "")) == "unknown_priority"
        assert await code_of(team.inbox.set_category(user.number, "")) == "unknown_category"


async def test_marks_can_be_taken_back(tmp_path: Path) -> None:
    """Each mark of the team is set and cleared, and users learn of neither."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.catch_up()
        for mark in (team.inbox.hold, team.inbox.archive, team.inbox.spam):
            assert (await mark(user.number, reason="because")).flags == (
                mark.__name__.replace("ive", "ived"),
            )
            assert (await mark(user.number, on=False)).flags == ()
        assert (await team.inbox.snooze(user.number, utc(clock.now() + 60))).flags == ("snoozed",)
        assert (await team.inbox.snooze(user.number, None)).flags == ()
        assert await kinds(user) == []


async def test_archiving_follows_the_policy(tmp_path: Path) -> None:
    """Where the policy has no archive, archiving is refused with the rule."""
    room = Room(tmp_path, policy=replace(PANEL, delete=replace(PANEL.delete, archive=0)))
    async with await room.found() as team:
        user = await room.ticket(category="billing")
        await team.catch_up()
        assert await code_of(team.inbox.archive(user.number)) == "archive_off"


async def test_joined_tickets_name_each_other(tmp_path: Path) -> None:
    """A link stands in the staff logs of both tickets and can be taken away; a ticket is not joined to itself."""
    room = Room(tmp_path)
    async with await room.found() as team:
        one, two = await room.ticket(), await room.ticket()
        await team.catch_up()
        await team.inbox.link(one.number, two.number)
        for user, other in ((one, two), (two, one)):
            assert await links(team, user) == [(other.mailbox, 1)]
            assert (await team.inbox.get(user.number)).links == (other.number,)
        await team.inbox.link(two.number, one.number, on=False)
        assert (await team.inbox.get(one.number)).links == ()
        assert await code_of(team.inbox.link(one.number, one.number)) == "same_ticket"
        assert await kinds(one) == await kinds(two) == []


async def links(team: TeamClient, user: User) -> list[tuple[MailboxId, int]]:
    """Return what a ticket's staff log says of other tickets."""
    bodies = [RelationBody.from_bytes(i.body) for i in await internal(team, user) if i.kind is Kind.LINK]
    return [(body.other, body.on) for body in bodies]


async def test_a_note_mentions_members_by_name(tmp_path: Path) -> None:
    """Whoever a note mentions finds the ticket among the mentions; an unknown name is refused before it is sent."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        user = await room.ticket()
        await anna.catch_up()
        assert await code_of(anna.inbox.note(user.number, "Look.", mentions=["Zoe"])) == "no_member"
        await anna.inbox.note(user.number, "Look.", mentions=["ben", "Ben"])
        await ben.catch_up()
        assert [line.number for line in await ben.inbox.list(view="mentions")] == [user.number]
        assert await anna.inbox.list(view="mentions") == ()


# --- times -----------------------------------------------------------------------------------------------


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Let this computer stand in Berlin."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")  # needs no table of zones
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", "2027-01-15T18:00:00+01:00"),
        ("2h", "2027-01-15T19:30:00+01:00"),
        ("3d", "2027-01-18T17:30:00+01:00"),
        ("1W", "2027-01-22T17:30:00+01:00"),
        ("tomorrow", "2027-01-16T08:00:00+01:00"),
        ("2027-01-31", "2027-01-31T08:00:00+01:00"),
        ("2027-01-31T14:00", "2027-01-31T14:00:00+01:00"),
        ("2027-01-31T14:00Z", "2027-01-31T14:00:00+00:00"),
        ("2027-07-31", "2027-07-31T08:00:00+02:00"),
        ("2027-07-31T14:00", "2027-07-31T14:00:00+02:00"),
    ],
)
def test_times_are_read_as_people_name_them(text: str, moment: str) -> None:
    """Spans, tomorrow, days and times are understood; a day begins in the morning where this computer stands."""
    assert parse_until(text, NOW) == datetime.fromisoformat(moment)


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("noon", "morning"),
    [
        ("2027-03-27T12:00+01:00", "2027-03-28T08:00+02:00"),
        ("2027-10-30T12:00+02:00", "2027-10-31T08:00+01:00"),
    ],
    ids=["summer begins", "summer ends"],
)
def test_the_morning_after_the_clocks_were_changed_is_at_eight(noon: str, morning: str) -> None:
    """Tomorrow and days further on have their own distance from UTC; a day as a span has 24 hours."""
    now = datetime.fromisoformat(noon)
    assert parse_until("tomorrow", int(now.timestamp())) == datetime.fromisoformat(morning)
    assert parse_until("1d", int(now.timestamp())) == now + timedelta(days=1)


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    "text", ["", "soon", "0h", "-2h", "2027-01-15", "2027-01-15T17:30", "99999d", "2027-13-01", "0001-01-01"]
)
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    """What cannot be read, and what has passed, is told with examples."""
    with pytest.raises(UsageError) as error:
        parse_until(text, NOW)
    assert error.value.code == "bad_time"
    assert "tomorrow" in error.value.hint
