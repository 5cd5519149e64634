"""Lists, counts and views of the inbox: what stands in them, as of now, over a relay in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Room, User
from e2e_support.content import Pair
from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support.policy_parts import Expectation
from e2e_support.presets import DEFAULT
from e2e_support.ticket_state import DAY
from e2e_support_client import clock
from e2e_support_client.model import utc
from e2e_support_console.filters import VIEWS, Filters
from e2e_support_console.index import open_index
from e2e_support_console.model import InboxTicket
from e2e_support_console.schema import MIGRATIONS
from e2e_support_console.team import TeamClient
from e2e_support_keys.store import open_store
from team_room import TeamRoom

ABOUT = "About "


async def subjects(team: TeamClient, **asked: str) -> list[str]:
    """Return what the tickets of a filtered list are about, in alphabetical order."""
    return sorted(ticket.subject.removeprefix(ABOUT) for ticket in await team.inbox.list(**asked))  # type: ignore[arg-type]


def later(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let time pass for this computer."""
    moment = clock.now() + seconds
    monkeypatch.setattr(clock, "now", lambda: moment)


async def tickets(room: Room, team: TeamClient, *named: str) -> dict[str, User]:
    """Let users write, and return them by the subjects of their tickets."""
    users = {name: await room.ticket(ABOUT + name) for name in named}
    await team.catch_up()
    return users


async def test_a_line_says_what_both_logs_know(tmp_path: Path) -> None:
    """Assignee, tags, marks, notes, files, debug data, the user's claims and the last words stand in the line."""
    room = Room(tmp_path)
    async with await room.found() as team:
        profile = (Pair("name", "Ada\x1b[31m"), Pair("account_type", "premium"))
        user = await room.ticket("No invoice", profile=profile, debug=b'{"app":"1.1"}')
        await team.catch_up()
        inbox, number = team.inbox, user.number
        await inbox.assign(number, "Anna")
        await inbox.tag(number, ["vip", "Müller GmbH"], ["none"])
        await inbox.hold(number, reason="waits for the bank")
        await inbox.note(number, "Ask the bank.")
        (line,) = await inbox.list()
        assert (line.assignee, line.tags, line.flags) == ("Anna", ("Müller GmbH", "vip"), ("hold",))
        assert (line.requester, line.account, line.debug) == ("Ada", "premium", True)
        assert (line.notes, line.preview, line.preview_note) == (1, "Ask the bank.", True)
        assert (line.status, line.files) == ("hold", 0)


async def test_filters_are_combined(tmp_path: Path) -> None:
    """Every filter alone leaves what fits it, and several leave what fits them all."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben")
        users = await tickets(room, anna, "one", "two", "three")
        one, two, three = (users[name].number for name in ("one", "two", "three"))
        await anna.inbox.set_priority(one, "urgent")
        await anna.inbox.set_category(two, "billing")
        await anna.inbox.assign(two, "Ben")
        await anna.inbox.assign(one, "me")
        await anna.inbox.tag(two, ["vip"])
        await anna.inbox.tag(three, ["vip", "later"])
        await anna.inbox.close(three)
        assert await subjects(anna, priority="urgent") == ["one"]
        assert await subjects(anna, category="billing") == ["two"]
        assert await subjects(anna, assignee="ben") == ["two"]
        assert await subjects(anna, assignee="me") == ["one"]
        assert await subjects(anna, assignee="nobody") == ["three"]
        assert await subjects(anna, tag="vip") == ["three", "two"]
        assert await subjects(anna, tag="vi") == []
        assert await subjects(anna, tag="vip", status="closed") == ["three"]
        assert await subjects(anna, text="two") == ["two"]
        assert len(await anna.inbox.list(limit=2)) == 2


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"status": "lost"}, "unknown_status"),
        ({"priority": "lost"}, "unknown_priority"),
        ({"category": "lost"}, "unknown_category"),
        ({"assignee": "Nobody Else"}, "no_member"),
        ({"view": "lost"}, "no_view"),
        ({"text": "in:lost"}, "bad_query"),
    ],
)
async def test_a_filter_that_names_nothing_is_refused(
    tmp_path: Path, asked: dict[str, str], code: str
) -> None:
    """A status, level, category, member or view that does not exist is told instead of showing an empty list."""
    async with await Room(tmp_path).found() as team:
        with pytest.raises(UsageError) as error:
            await subjects(team, **asked)
        assert error.value.code == code
        assert error.value.hint


async def test_each_view_shows_what_it_names(tmp_path: Path) -> None:
    """The views that everybody has show what needs an answer, what is whose, and what was put where."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        names = ("new", "answered", "mine", "snoozed", "archived", "spam", "closed", "wrong")
        users = await tickets(room, anna, *names)
        number = {name: user.number for name, user in users.items()}
        inbox = anna.inbox
        await inbox.reply(number["answered"], "Done.")
        await inbox.assign(number["mine"], "me")
        await inbox.snooze(number["snoozed"], utc(clock.now() + DAY))
        await inbox.archive(number["archived"])
        await inbox.spam(number["spam"])
        await inbox.close(number["closed"])
        await users["wrong"].say("")
        await anna.catch_up()
        await inbox.note(number["closed"], "Look at this.", mentions=["Ben"])
        await ben.catch_up()
        in_sight = sorted(set(names) - {"archived", "spam"})
        assert await subjects(anna) == in_sight
        assert await subjects(anna, view="needs_answer") == ["mine", "new", "wrong"]
        assert await subjects(anna, view="Needs answer") == ["mine", "new", "wrong"]
        assert await subjects(anna, view="mine") == ["mine"]
        assert await subjects(ben, view="mine") == []
        assert await subjects(anna, view="unassigned") == ["answered", "new", "snoozed", "wrong"]
        assert await subjects(anna, view="mentions") == []
        assert await subjects(ben, view="mentions") == ["closed"]
        assert await subjects(anna, view="nonconforming") == ["wrong"]
        assert await subjects(anna, view="all") == sorted(names)
        for view in ("snoozed", "archived", "spam", "closed"):
            assert await subjects(anna, view=view) == [view]
        assert set(VIEWS) == {
            "needs_answer", "mine", "unassigned", "mentions", "snoozed", "overdue", "nonconforming",
            "archived", "spam", "closed", "all",
        }  # fmt: skip


async def test_overdue_is_what_the_team_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket is overdue once its user has waited longer than users are told to expect, and not without a promise."""
    room = Room(
        tmp_path, policy=replace(DEFAULT, expectation=Expectation(first_reply_hours=24, nudge_hours=48))
    )
    async with await room.found() as team:
        users = await tickets(room, team, "waits", "answered")
        await team.inbox.reply(users["answered"].number, "Done.")
        later(monkeypatch, DAY - 60)
        assert await subjects(team, view="overdue") == []
        later(monkeypatch, 120)
        assert await subjects(team, view="overdue") == ["waits"]
    async with await Room(tmp_path / "other").found() as team:
        assert await subjects(team, view="overdue") == []


async def test_counts_follow_the_other_filters(tmp_path: Path) -> None:
    """Every label of the team's table is counted, zeros too; each number is that of the list with this status."""
    room = Room(tmp_path)
    async with await room.found() as team:
        users = await tickets(room, team, "one", "two", "three")
        await team.inbox.close(users["one"].number)
        await team.inbox.spam(users["two"].number)
        await team.inbox.tag(users["three"].number, ["vip"])
        counts = await team.inbox.counts()
        assert list(counts) == list(dict.fromkeys(rule.id for rule in DEFAULT.labels_staff))
        assert {label: number for label, number in counts.items() if number} == {
            "closed": 1,
            "spam": 1,
            "open": 1,
        }
        for label, number in counts.items():
            assert len(await team.inbox.list(status=label)) == number
        tagged = await team.inbox.counts(Filters(tag="vip", status="closed"))
        assert {label: number for label, number in tagged.items() if number} == {"open": 1}


async def test_time_alone_changes_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolved ticket is listed as closed once it is due, and a snoozed one wakes, though nobody wrote anything."""
    room = Room(tmp_path)
    async with await room.found() as team:
        users = await tickets(room, team, "resolved", "snoozed")
        await team.inbox.resolve(users["resolved"].number, "Fixed.")
        await team.inbox.snooze(users["snoozed"].number, utc(clock.now() + 2 * DAY))
        assert (await team.inbox.counts())["snoozed"] == 1
        later(monkeypatch, 3 * DAY)
        assert (await team.inbox.counts())["snoozed"] == 0
        assert (await team.inbox.list(status="open"))[0].flags == ()
        (line,) = await team.inbox.list(status="resolved")
        assert line.close_due is not None
        later(monkeypatch, 5 * DAY)
        (line,) = await team.inbox.list(status="closed")
        assert (line.subject, line.closed, line.close_due) == ("About resolved", True, None)
        assert line.erase_due is not None


async def test_a_word_of_the_user_brings_a_ticket_back(tmp_path: Path) -> None:
    """What was archived, held or snoozed stands in the list again when its user writes; spam does not."""
    room = Room(tmp_path)
    async with await room.found() as team:
        users = await tickets(room, team, "archived", "held", "snoozed", "spam")
        number = {name: user.number for name, user in users.items()}
        await team.inbox.archive(number["archived"])
        await team.inbox.hold(number["held"])
        await team.inbox.snooze(number["snoozed"], utc(clock.now() + DAY))
        await team.inbox.spam(number["spam"])
        assert await subjects(team, view="needs_answer") == []
        for user in users.values():
            await user.say("Any news?")
        await team.catch_up()
        assert await subjects(team, view="needs_answer") == ["archived", "held", "snoozed"]


async def test_a_colleagues_mark_moves_the_line(tmp_path: Path) -> None:
    """What a colleague writes to the team's own log alone stands in the list after the next sync."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        users = await tickets(room, anna, "one")
        await ben.catch_up()
        await ben.inbox.tag(users["one"].number, ["vip"])
        assert await subjects(anna, tag="vip") == []
        await anna.catch_up()
        assert await subjects(anna, tag="vip") == ["one"]


async def test_a_store_of_before_is_filled_anew(tmp_path: Path) -> None:
    """A store that an older program made shows everything after the first list, without the relay."""
    room = Room(tmp_path)
    async with await room.found() as team:
        users = await tickets(room, team, "one")
        await team.inbox.tag(users["one"].number, ["vip"])
        key = team.desk.bundle.store_key
        async with team.desk.store.transaction() as change:
            await change.execute("UPDATE tickets SET tags = ''")
            await change.execute("DELETE FROM passages")
            await change.execute("DELETE FROM facts WHERE name = 'policy'")
        assert await subjects(team, tag="vip") == ["one"]
        assert await subjects(team, text="invoice") == []
        assert await subjects(team, text="one") == ["one"]
    old = tmp_path / "old.db"
    async with await open_store(old, key, MIGRATIONS[:3]) as store, store.transaction() as change:
        await change.execute("INSERT INTO facts (name, value) VALUES ('policy', x'00')")
    async with await open_index(old, key) as store:
        assert await store.fetch_all("SELECT * FROM facts WHERE name = 'policy'") == []


async def test_an_index_of_before_is_made_anew(tmp_path: Path) -> None:
    """What an older version indexed in its own way is dropped with its table, and comes back with the rows."""
    path, key = tmp_path / "old.db", Secret(bytes(32))
    async with await open_store(path, key, MIGRATIONS[:7]) as store, store.transaction() as change:
        await change.execute("INSERT INTO facts (name, value) VALUES ('policy', x'00')")
        await change.execute("INSERT INTO found (rowid, subject) VALUES (1, 'old')")
    async with await open_index(path, key) as store:
        assert await store.fetch_all("SELECT rowid FROM found UNION SELECT id FROM passages") == []
        assert await store.fetch_all("SELECT * FROM facts") == []


async def test_lines_depend_on_the_logs_alone(tmp_path: Path) -> None:
    """However a line came to be, step by step or all at once, it is the same, and so is what can be searched."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        users = await tickets(room, anna, "one", "two")
        number = {name: user.number for name, user in users.items()}
        await ben.catch_up()
        await anna.inbox.assign(number["one"], "Ben")
        await ben.inbox.note(number["one"], "A known bug.", mentions=["Anna"])
        await users["one"].pull()
        await users["one"].say("Any news?")
        await anna.inbox.reply(number["one"], "Soon.", anyway=True)
        await ben.inbox.hold(number["two"], reason="waits for the bank")
        await users["two"].close()
        for team in (anna, ben):
            await team.catch_up()
        before = [await contents(team) for team in (anna, ben)]
        for team in (anna, ben):
            await team.inbox.rebuild()
        assert [await contents(team) for team in (anna, ben)] == before
        assert before[0] == before[1]


async def contents(team: TeamClient) -> tuple[set[InboxTicket], set[tuple[object, ...]]]:
    """Return what a console's lists and its search are made of, without what is each administrator's own."""
    rows = await team.inbox.list(view="all")
    sql = "SELECT subject, message, note, file, person FROM found"
    texts = {tuple(row) for row in await team.desk.store.fetch_all(sql)}
    return {replace(row, unread=0) for row in rows}, texts
