"""The search: what is found where, how words are understood, and how much was looked through."""

# ruff: noqa: RUF001 - letters that look alike are the matter here

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Room, User, fresh_key
from e2e_support.content import Pair
from e2e_support.errors import UsageError
from e2e_support_client.files import FileSource
from e2e_support_client.testing import Fault
from e2e_support_client.upload import UploadState, upload
from e2e_support_console.passages import Field
from e2e_support_console.query import LENGTH_MAX, OPERATORS, TERMS_MAX, parse_query
from e2e_support_console.search import Found
from e2e_support_console.team import TeamClient


async def attach(user: User, name: str) -> None:
    """Let a user send a file."""
    source = FileSource.from_bytes(b"x", name=name)
    manifest = await upload(user.relay, user.mailbox, user.keys.capability, source, state=UploadState.fresh())
    await user.say("See the file.", manifest)


def groups(found: Found) -> dict[str, int]:
    """Return in which groups something was found, and how often."""
    return {group: len(hits) for group, hits in found.hits.items() if hits}


async def numbers(team: TeamClient, text: str) -> set[str]:
    """Return the tickets that a search finds."""
    found = await team.inbox.search(text)
    return {hit.number for hits in found.hits.values() for hit in hits}


async def test_everything_of_a_ticket_is_found(tmp_path: Path) -> None:
    """Subject, messages of both sides, notes, file names, the user and the number are found, each in its group."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket(
            "Broken printer",
            "It smells of cinnamon.",
            profile=(Pair("name", "Ada Lovelace"),),
            fields=(Pair("impact", "Only me"),),
        )
        await attach(user, "saffron.log")
        await team.catch_up()
        await team.inbox.reply(user.number, "Try pepper.")
        await team.inbox.note(user.number, "He means nutmeg.")
        for word, group in (
            ("printer", "tickets"), ("cinnamon", "messages"), ("pepper", "messages"), ("nutmeg", "notes"),
            ("saffron", "files"), ("lovelace", "users"), (user.number, "tickets"), ("impact", "tickets"),
            (user.number.lower().removeprefix("t-").replace("-", ""), "tickets"), (user.number[2:7], "tickets"),
        ):  # fmt: skip
            assert groups(await team.inbox.search(word)) == {group: 1}, word
        (hit,) = (await team.inbox.search("nutm")).hits["notes"]
        assert (hit.number, hit.subject, hit.snippet) == (user.number, "Broken printer", "He means «nutmeg».")


async def test_operators_are_understood(tmp_path: Path) -> None:
    """Words may stand in different texts; phrases, exclusions, places, marks and filters narrow the search."""
    room = Room(tmp_path)
    async with await room.found() as team:
        first = await room.ticket("Invoice", "It was not paid.")
        second = await room.ticket("Invoice", "It was paid, not refunded.")
        await team.catch_up()
        await team.inbox.note(first.number, "paid twice")
        await team.inbox.tag(second.number, ["two words"])
        await team.inbox.close(second.number)
        one, two, both = {first.number}, {second.number}, {first.number, second.number}
        for text, expected in (
            ("invoice paid", both), ("invoice twice", one), ('"not paid"', one), ("paid -twice", two),
            ('paid -"not paid"', two), ("in:notes paid", one), ("in:subject paid", set[str]()),
            ("paid has:note", one), ("paid -has:note", two), ("status:closed", two), ('tag:"two words" paid', two),
            ("assignee:nobody paid", both), ("PAÍD", both), ("view:closed", two), ("zzz", set[str]()),
        ):  # fmt: skip
            assert await numbers(team, text) == expected, text


async def test_words_of_every_script_are_found(tmp_path: Path) -> None:
    """Words inside texts without spaces, in any case, with or without accents, wide or narrow, are found."""
    room = Room(tmp_path)
    async with await room.found() as team:
        for subject, asked in (
            ("我们需要您的请求书", ("请求", "“求书”", "我们 您的")),
            ("見積書をご確認ください", ("積書", "確認")),
            ("ﾌﾟﾘﾝﾀｰが壊れた", ("プリンター", "壊れた")),
            ("전자청구서를 보냈습니다", ("청구서", "보냈")),
            ("เครื่องพิมพ์ของฉันเสีย", ("พิมพ์", "ของฉัน", "เครื่อง")),
            ("Große Straße 7", ("strasse", "GROSSE", "straß", "stras", "grosse strasse", '"große strasse"')),
            ("Ёлка у ΕΛΛΆΔΑ", ("елка", "ёлка", "ελλαδα", "ελλάδα")),
            ("مُحَمَّد", ("محمد",)),
            ("हिन्दी में लिखें", ("हिन्दी", "हिन्")),
            ("ＦＵＬＬ wIdth ﬁle", ("full", "file", "ｗｉｄｔｈ")),
            ("Crème brûlée", ("creme", "BRÛLÉE", "brule")),
        ):
            user = await room.ticket(subject)
            await team.catch_up()
            for text in asked:
                assert await numbers(team, text) == {user.number}, text
        for text in ("求请", "書積", "구서청", "พพ", "strase"):
            assert await numbers(team, text) == set(), text


async def test_signs_in_a_text_part_its_words(tmp_path: Path) -> None:
    """Files, mail addresses and versions are found by their parts and as a whole; signs mean nothing by themselves."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket(
            "Wanted AND found: C++ 3.14 (NEAR 20%)", "Write to ada.l@example.org, no * please."
        )
        await room.ticket("Another cat", "A cat knows 13.14 ways.")
        await attach(user, "invoice_2026-11.pdf")
        await team.catch_up()
        for text in (
            "invoice", "2026-11", "invoice_2026-11.pdf", "pdf", "ada.l@example.org", "example.org", "AND found", "3.14",
            '"NEAR 20"', "C++", "20%", "to: ada", "«ada l»", "please *", "-cat", "found -cat", '-"a cat"', "'found'",
        ):  # fmt: skip
            assert await numbers(team, text) == {user.number}, text
        (hit,) = (await team.inbox.search("2026")).hits["files"]
        assert hit.snippet == "invoice_«2026»-11.pdf"


async def test_a_hit_shows_the_text_as_it_was_written(tmp_path: Path) -> None:
    """The words around a hit keep their accents and cases; long texts are cut between words."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket(
            "Report", f"{'So far so good. ' * 30}Die STRAẞE, nämlich. {'And so on. ' * 30}"
        )
        await team.catch_up()
        (hit,) = (await team.inbox.search("strasse namlich")).hits["messages"]
        assert hit.number == user.number
        assert hit.snippet.startswith("…So far so good. So far so good. Die «STRAẞE», «nämlich». And so on.")
        assert hit.snippet.endswith(" so on. …")


@pytest.mark.parametrize(
    "text", ['x"', '""x" OR *', "a AND (b", "note:x", "NEAR(a b)", "{subject}:a", "a^b", "\x00a", "a*"]
)
async def test_nothing_that_is_typed_breaks_the_search(tmp_path: Path, text: str) -> None:
    """What would be an operator of the index is searched for as words."""
    async with await Room(tmp_path).found() as team:
        assert groups(await team.inbox.search(text)) == {}


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "empty_query"), ("in:notes", "empty_query"), ("!!!", "empty_query"), ("has:love", "bad_query"),
     ("in:trash x", "bad_query"), ("x " * (TERMS_MAX + 1), "bad_query"), ("status:lost", "unknown_status"),
     ("x" * (LENGTH_MAX + 1), "bad_query"), ("-", "empty_query"), ('""', "empty_query"), ("🙂", "empty_query")],
)  # fmt: skip
async def test_a_search_that_cannot_be_is_refused(tmp_path: Path, text: str, code: str) -> None:
    """An empty search, an unknown place, mark or filter, and too many words are told."""
    async with await Room(tmp_path).found() as team:
        with pytest.raises(UsageError) as error:
            await team.inbox.search(text)
        assert error.value.code == code


def test_the_operators_that_are_told_are_understood() -> None:
    """Each example of the help is a query that the parser takes."""
    for line in OPERATORS.splitlines():
        parse_query(line.split("  ")[1])
    assert parse_query("in:notes a").fields == (Field.NOTE,)


async def test_a_search_says_what_it_looked_through(tmp_path: Path) -> None:
    """Closed and archived tickets are searched; how many there are, and what is still to be fetched, is told."""
    room = Room(tmp_path)
    async with await room.found() as team:
        users = [await room.ticket("Invoice") for _ in range(3)]
        await team.sync(budget=2)
        known = [user for user in users if await team.inbox.has(user.number)]
        found = await team.inbox.search("invoice")
        assert (found.tickets, found.searched, found.waiting) == (2, 2, 1)
        await team.inbox.close(known[0].number)
        await team.inbox.archive(known[1].number)
        await team.catch_up()
        found = await team.inbox.search("invoice")
        assert (found.tickets, found.searched, found.waiting) == (3, 3, 0)
        assert len((await team.inbox.search("invoice", limit=1)).hits["tickets"]) == 1


async def test_what_is_forged_is_never_found(tmp_path: Path) -> None:
    """Text of an entry whose author is false stands neither in the ticket nor in the search."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user: User = await room.ticket("Invoice")
        user.signer = replace(user.signer, key=fresh_key())
        await user.say("cardamom")
        await team.catch_up()
        assert await numbers(team, "invoice") == {user.number}
        assert await numbers(team, "cardamom") == set()


async def test_the_index_can_be_made_anew(tmp_path: Path) -> None:
    """After it was lost, the index is rebuilt from the entries at hand, without the relay."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket("Invoice", "cinnamon")
        await team.catch_up()
        async with team.desk.store.transaction() as change:
            await change.execute("DELETE FROM passages")
        assert await numbers(team, "cinnamon") == set()
        room.relay.inject(Fault.OFFLINE)
        await team.inbox.rebuild()
        assert await numbers(team, "cinnamon") == {user.number}


async def test_what_leaves_the_store_leaves_the_index(tmp_path: Path) -> None:
    """When a ticket's row is deleted, nothing of its texts stays in the index."""
    room = Room(tmp_path)
    async with await room.found() as team:
        await room.ticket("Invoice", "cinnamon")
        await team.catch_up()
        async with team.desk.store.transaction() as change:
            await change.execute("DELETE FROM tickets")
        store = team.desk.store
        assert await store.fetch_all("SELECT rowid FROM found WHERE found MATCH 'cinnamon'") == []
        assert (await store.fetch_one("SELECT count(*) FROM found"))[0] == 0  # type: ignore[index]
