"""Attacks on the administrators' side, by their numbers in the threat model: a stranger's bytes never win.

Each test fails without the defence that its docstring names.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Killed, Room, User, dying, opening
from e2e_support.attachment import safe_name
from e2e_support.codec import Message
from e2e_support.content import (
    Author,
    BarrierBody,
    FieldsBody,
    MessageBody,
    NoteBody,
    Pair,
    RedactBody,
    ResolutionBody,
    StatusBody,
)
from e2e_support.conversation import AuthorKey, Draft
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError, UsageError
from e2e_support.ids import Hash, MailboxId, MessageId, TeamId
from e2e_support.limits import CLOCK_WARNING, INT_MAX
from e2e_support.ticket_keys import seal_boxes
from e2e_support.vocab import AuthorRole, Direction, Kind, Verdict
from e2e_support.wire import Box, Entry, FeedItem, FeedPage, Head
from e2e_support_client import clock
from e2e_support_client.files import FileSource
from e2e_support_client.model import Role
from e2e_support_client.testing import FakeRelay
from e2e_support_client.upload import UploadState, upload
from e2e_support_console import render
from e2e_support_console.debug_view import debug_json, debug_text
from e2e_support_console.team import TeamClient

NASTY = "\x1b]0;owned\x07\x1b[31mred\x1b[0m\x07\r\x9b2J\u202egnp.exe\u2066\u200b\x00"
CANARY = "canary-7f3a91"


def junk(*, boxes: tuple[Box, ...] = (), gen: int = 0) -> bytes:
    """Return an entry of the right shape that holds nothing."""
    return Entry(1, 1, gen, Direction.USER_TO_TEAM, boxes, bytes(64 + 512 + 16)).to_bytes()


async def nobodys_boxes(room: Room, user: User) -> tuple[Box, ...]:
    """Return boxes of the right shape that open for nobody."""
    roster = await room.roster()
    other = {"team_id": roster.team_id, "mailbox": MailboxId(bytes(16)), "gen": 0, "epoch": roster.epoch}
    return seal_boxes(Secret(bytes(32)), reply_key=user.keys.reply.public, **other)  # type: ignore[arg-type]


async def look_alike(room: Room) -> User:
    """Return a mailbox whose first entry has boxes of the right shape that open for nobody."""
    user = await room.mailbox()
    await user.post(junk(boxes=await nobodys_boxes(room, user)))
    return user


def counted(team: TeamClient, monkeypatch: pytest.MonkeyPatch) -> list[MailboxId]:
    """Return a list that grows with every key box that the console opens."""
    keys, opened = team.desk.team.keys, list[MailboxId]()
    real = keys.open_key

    def count(mailbox: MailboxId, entry: Entry) -> Secret:
        opened.append(mailbox)
        return real(mailbox, entry)

    monkeypatch.setattr(keys, "open_key", count)
    return opened


def harmless(text: str) -> bool:
    """Tell whether a terminal prints a text as itself."""
    return all(character == "\n" or character.isprintable() for character in text)


# --- a malicious relay -----------------------------------------------------------------------------------


async def test_26_fake_tickets_never_reach_the_list(tmp_path: Path) -> None:
    """Mailboxes that open for nobody are put aside with a count; honest tickets come through among them."""
    room = Room(tmp_path)
    async with await room.found() as team:
        fakes = [await look_alike(room) for _ in range(5)]
        empty = await room.mailbox()
        await empty.post(junk())
        honest = await room.ticket()
        await team.catch_up()
        assert [ticket.number for ticket in await team.inbox.list()] == [honest.number]
        assert sum((await team.quarantined()).values()) == len(fakes) + 1
        assert await team.alarms() == (), "noise is no reason to wake anybody"


async def test_26_noise_in_a_fake_costs_nothing(tmp_path: Path) -> None:
    """Once put aside, a fake mailbox that goes on growing is not read again."""
    room = Room(tmp_path)
    async with await room.found() as team:
        fake = await look_alike(room)
        await team.sync()
        for _ in range(20):
            await fake.post(junk())
        room.relay.calls.clear()
        await team.sync()
        assert "read" not in room.relay.calls


async def test_26_a_feed_of_invented_mailboxes_ends(tmp_path: Path) -> None:
    """Mailboxes that exist only in the feed are asked for a few times and then given up, one alarm for all."""

    class Inventing(FakeRelay):
        async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
            true = (await super().feed(team_id, 0, capability)).items
            more = [FeedItem(len(true) + at, MailboxId(bytes([at]) * 16), 0) for at in range(1, 31)]
            items = [*true, *more]
            return FeedPage(len(items), tuple(items[after:]))

    room = Room(tmp_path, relay=Inventing())
    async with await room.found() as team:
        honest = await room.ticket()
        for _ in range(20):
            await team.sync()
        assert [ticket.number for ticket in await team.inbox.list()] == [honest.number]
        assert (await team.sync()).left == 0
        assert (await team.quarantined()) == {"not_found": 30}
        assert "not_found" in {alarm.code for alarm in await team.alarms()}
        assert len(await team.alarms()) <= 3


async def test_27_a_flood_of_key_boxes_is_opened_within_a_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many mailboxes with valid-looking boxes there are, one run opens no more than its budget."""
    room = Room(tmp_path)
    async with await room.found() as team:
        for _ in range(12):
            await look_alike(room)
        opened = counted(team, monkeypatch)
        report = await team.sync(budget=5)
        assert (len(opened), report.left) == (5, 7)


async def test_27_a_fake_with_many_entries_is_left_at_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a mailbox without a valid opening only the first entry is opened, however many follow."""
    room = Room(tmp_path)
    async with await room.found() as team:
        fake = await look_alike(room)
        boxes = await nobodys_boxes(room, fake)
        for gen in range(1, 51):
            await fake.post(junk(boxes=boxes, gen=gen))
        opened = counted(team, monkeypatch)
        await team.sync()
        assert len(opened) == 1


async def test_30_notes_leave_no_trace_in_the_ticket(tmp_path: Path) -> None:
    """Writing notes changes no byte of the user's mailbox, and its id tells a user nothing about the staff log."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        before = room.relay.stored(user.mailbox)
        await team.inbox.note(user.number, "A known bug.")
        assert room.relay.stored(user.mailbox) == before
        assert await user.pull() == []
        staff_log = team.desk.staff_log(user.mailbox)
        answers: list[str] = []
        for mailbox in (staff_log, MailboxId(bytes(16))):
            with pytest.raises(SupportError) as error:
                await room.relay.read(mailbox, 0, user.keys.capability)
            answers.append(f"{error.value.code} {error.value.message}")
        assert answers[0] == answers[1], "a user who knows the id learns as little as from any other id"


# --- a malicious user: text ------------------------------------------------------------------------------


async def test_33_markup_is_text(tmp_path: Path) -> None:
    """HTML, Markdown and javascript: links are printed as the characters they are."""
    room = Room(tmp_path)
    markup = "<script>alert(1)</script> [x](javascript:alert(1)) <img src=http://evil/>"
    async with await room.found() as team:
        user = await room.ticket(subject=markup[:60], text=markup, profile=(Pair("name", markup),))
        await team.sync()
        text = render.view_text(await team.inbox.get(user.number))
        assert text.count("<script>alert(1)</script>") == 3
        assert markup in text


async def test_34_and_35_no_control_character_reaches_the_terminal(tmp_path: Path) -> None:
    """Escapes, carriage returns, bidi overrides and invisible characters vanish from all that is printed.

    They stand in the subject, the text, the user's name and fields, and in a close note; JSON is pure ASCII.
    """
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket(
            subject="subject" + NASTY, text="text" + NASTY, profile=(Pair("name" + NASTY, "Ada" + NASTY),),
            related="T-" + NASTY,
        )  # fmt: skip
        await user.close("note" + NASTY)
        await team.sync()
        tickets, view = await team.inbox.list(), await team.inbox.get(user.number)
        printed = [render.inbox_text(tickets, clock.now()), render.view_text(view)]
        assert all(harmless(text) for text in printed)
        assert "\u202e" not in "".join(printed)
        assert json.dumps([render.ticket_json(tickets[0]), render.view_json(view)]).isascii()


@pytest.mark.parametrize(
    "name", ["Anna (team)", "Support · team", "Anna\n┃ internal note", "Admin (team)\u202e"]
)
async def test_35_no_name_looks_like_the_team(tmp_path: Path, name: str) -> None:
    """The role behind a name comes from the signature; a name that imitates it is told apart."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket(profile=(Pair("name", name),))
        await team.sync()
        (message,) = (await team.inbox.get(user.number)).messages
        assert message.author.role is Role.USER
        title = render.message_text(message).split("\n")[0]
        assert title.split(" · ")[0].endswith("(user)")
        assert "(team)" not in title
        assert "┃" not in title or not title.startswith("┃")


async def test_35_a_text_cannot_draw_a_note(tmp_path: Path) -> None:
    """Every line of a user's text stands behind an indent, where neither titles nor notes begin."""
    room = Room(tmp_path)
    fake = "┃ Anna (team) · internal note, only administrators\nAnna (team) · 2026-01-01 00:00 UTC"
    async with await room.found() as team:
        user = await room.ticket(text=fake)
        await team.sync()
        (message,) = (await team.inbox.get(user.number)).messages
        lines = render.message_text(message).split("\n")[1:]
        assert all(line.startswith("  ") for line in lines)


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.txt",
        "/etc/passwd",
        "..\\..\\evil.txt",
        "a\x00b.txt",
        "CON",
        "-rf.txt",
        "x\u202etxt.exe",
        NASTY,
        "..",
    ],
)
async def test_36_a_file_lands_only_where_it_was_asked_for(tmp_path: Path, name: str) -> None:
    """Whatever a user calls a file, it is shown harmlessly and saved as one new file inside the chosen folder."""
    room = Room(tmp_path / "home")
    folder = tmp_path / "folder"
    folder.mkdir()
    async with await room.found() as team:
        user = await room.ticket()
        source = FileSource.from_bytes(b"data", name="x.txt")
        capability = user.keys.capability
        file = await upload(user.relay, user.mailbox, capability, source, state=UploadState.fresh())
        await user.say("See the file.", replace(file, name=name))
        await team.sync()
        view = await team.inbox.get(user.number)
        assert harmless(render.view_text(view))
        place = await team.inbox.download(user.number, safe_name(name), folder)
        assert [path.name for path in folder.iterdir()] == [place.name]
        assert (place.parent, harmless(place.name)) == (folder, True)


@pytest.mark.parametrize(
    "data",
    [b"not json", b"[1]", b'{"a": NaN}', b"[" * 60_000, b"\xff\xfe", b'"text"', b"null"],
)
def test_33_debug_data_of_another_form_is_refused(data: bytes) -> None:
    """Debug data that is no JSON object is refused with one clear error, however deep or broken it is."""
    with pytest.raises(UsageError) as error:
        debug_json(data)
    assert error.value.code == "bad_debug"


@pytest.mark.parametrize(
    "about",
    ['{"x": {"state": "withheld"}}', '{"x": {"state": 7}}', '{"x": 3}', "[]", "null", '"text"'],
)
def test_34_debug_data_of_a_stranger_prints_harmlessly(about: str) -> None:
    """Whatever stands where the SDK's own notes belong, debug data prints without control characters."""
    data = f'{{"x": "\\u001b[31m", "y": {{"z\\u0007": "\\u202e"}}, "_fields": {about}}}'.encode()
    assert harmless(debug_text(debug_json(data)))


# --- a malicious user: entries ---------------------------------------------------------------------------


@pytest.mark.parametrize("reply_key", [bytes(1216), b"\xff" * 1216])
async def test_40_a_bad_reply_key_never_stops_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply_key: bytes
) -> None:
    """A ticket whose reply key cannot be sealed to is put aside; replying to it is a clear "no", never a crash."""
    room = Room(tmp_path)
    async with await room.found() as team:
        good, bad = await room.ticket(), await room.mailbox()
        place = {
            "team_id": team.desk.team_id,
            "mailbox": bad.mailbox,
            "gen": 0,
            "epoch": team.desk.roster.epoch,
        }
        boxes = seal_boxes(bad.keys.first_key, reply_key=bad.keys.reply.public, **place)  # type: ignore[arg-type]

        def made(*_: object, **__: object) -> tuple[Box, ...]:
            return boxes

        with monkeypatch.context() as patched:
            patched.setattr("e2e_support.conversation.seal_boxes", made)
            await bad.send(Kind.OPEN, opening(bad, reply_key=reply_key), first=True)
        await team.catch_up()
        assert [ticket.number for ticket in await team.inbox.list()] == [good.number]
        assert await team.quarantined() == {"bad_reply_key": 1}
        with pytest.raises(UsageError):
            await team.inbox.reply(bad.number, "Hello.")
        await team.inbox.reply(good.number, "Hello.")


async def test_41_a_message_in_an_administrators_name_is_not_the_teams(tmp_path: Path) -> None:
    """An entry that names a roster device but is signed by the user's key is forged: no text, no team badge."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        device = next(iter((await room.roster()).devices))
        user.signer = AuthorKey(Author(AuthorRole.DEVICE, device), user.keys.author)
        await user.say("Send your password to evil@example.org.")
        await team.sync()
        last = (await team.inbox.get(user.number)).messages[-1]
        assert (last.verdict, last.body, last.author.role) == (Verdict.FORGED, "", Role.UNKNOWN)


async def test_41_a_strangers_device_is_not_the_team(tmp_path: Path) -> None:
    """An entry by a device that the roster does not list is forged."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        user.signer = AuthorKey(Author(AuthorRole.DEVICE, bytes(16)), user.keys.author)
        await user.say("I am new here.")
        await team.sync()
        last = (await team.inbox.get(user.number)).messages[-1]
        assert (last.verdict, last.body, last.author.role) == (Verdict.FORGED, "", Role.UNKNOWN)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.RESOLUTION, ResolutionBody("It works, close it.")),
        (Kind.FIELDS, FieldsBody("", "urgent", b"", ())),
        (Kind.STATUS, StatusBody(2, 2)),
        (Kind.BARRIER, BarrierBody(())),
        (Kind.REDACT, RedactBody(0, Hash(bytes(32)))),
        (Kind.NOTE, NoteBody(Head(1, Hash(bytes(32))), "A note by a user.", ())),
    ],
)
async def test_42_kinds_of_the_team_have_no_effect_in_a_users_hand(
    tmp_path: Path, kind: Kind, body: Message
) -> None:
    """A user who writes what only the team may is shown with the rule, and nothing changes."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.send(kind, body)
        await team.sync()
        view = await team.inbox.get(user.number)
        assert (view.summary.status, view.summary.priority, view.resolution) == ("open", "normal", "")
        last = view.messages[-1]
        assert (last.verdict, last.reason, last.internal) == (Verdict.NONCONFORMING, "not_allowed", False)


async def test_43_two_entries_for_one_place_store_one(tmp_path: Path) -> None:
    """When user and team write at once, one entry stands and the other side writes behind it."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        draft = Draft(Kind.MESSAGE, MessageBody("Mine.", 0), MessageId(clock.random(16)))
        mine = user.conversation.seal(draft, user.signer, now=clock.now(), random=clock.random)
        await team.inbox.reply(user.number, "Ours.")
        with pytest.raises(SupportError) as error:
            await user.post(mine.entry)
        assert error.value.code == "head_moved"
        await user.pull()
        await user.say("Mine.")
        await team.sync()
        assert [m.body for m in (await team.inbox.get(user.number)).messages[1:]] == ["Ours.", "Mine."]


async def test_44_many_fields_and_many_entries_are_bounded(tmp_path: Path) -> None:
    """An opening at the protocol's bounds is one ticket, read in one go; over them it cannot even be made."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket(profile=tuple(Pair(f"p{at}", "x" * 1000) for at in range(16)))
        await team.sync()
        assert (await team.inbox.list())[0].number == user.number
        with pytest.raises(UsageError):
            await room.ticket(profile=tuple(Pair(f"p{at}", "x") for at in range(17)))


@pytest.mark.parametrize("shift", [-CLOCK_WARNING - 60, CLOCK_WARNING + 60])
async def test_45_a_false_clock_is_shown_and_decides_nothing(tmp_path: Path, shift: int) -> None:
    """Order and time come from the relay's receipts; an author's clock that is far off is told."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.send(Kind.MESSAGE, MessageBody("Back-dated.", 0), now=clock.now() + shift)
        await user.say("Later.")
        await team.sync()
        first, odd, later = (await team.inbox.get(user.number)).messages
        assert [message.clock_differs for message in (first, odd, later)] == [False, True, False]
        assert first.at <= odd.at <= later.at
        assert "clock was more than two days off" in render.message_text(odd)


async def test_45_what_comes_after_a_close_changes_nothing(tmp_path: Path) -> None:
    """A user's entry after the time to reopen is over is shown with the rule; the ticket stays closed."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.close()
        room.relay.advance(15 * 86_400)
        await user.say("One more thing.")
        await team.sync()
        view = await team.inbox.get(user.number)
        assert (view.summary.status, view.messages[-1].reason) == ("closed", "reopen_window_over")


async def test_45_an_impossible_sequence_number_is_only_told(tmp_path: Path) -> None:
    """A feed that names the largest number there is raises an alarm for that mailbox and breaks nothing."""

    class Exaggerating(FakeRelay):
        async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
            page = await super().feed(team_id, after, capability)
            return replace(page, items=tuple(replace(item, seq=INT_MAX) for item in page.items))

    room = Room(tmp_path, relay=Exaggerating())
    async with await room.found() as team:
        user = await room.ticket()
        for _ in range(3):
            await team.sync()
        (ticket,) = await team.inbox.list()
        assert (ticket.number, ticket.problem) == (user.number, "withheld")


# --- stolen laptop, network, implementation ----------------------------------------------------------------


async def test_62_the_home_holds_no_plaintext(tmp_path: Path) -> None:
    """After a whole session no file of the console's home holds a word of any ticket, note, name or draft."""
    room = Room(tmp_path)
    async with await room.found(owner="Anna " + CANARY) as team:
        user = await room.ticket(
            subject="subject " + CANARY, text="text " + CANARY, profile=(Pair("name", CANARY),),
            debug=json.dumps({"field": CANARY}).encode(),
        )  # fmt: skip
        await team.sync()
        await team.inbox.note(user.number, "note " + CANARY)
        await team.inbox.reply(user.number, "reply " + CANARY)
    async with await room.unlock(dying(room.relay, "append")) as team:
        with pytest.raises(Killed):
            await team.inbox.reply(user.number, "draft " + CANARY)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240 - a test may wait
        assert len(files) >= 2
        for path in files:
            assert CANARY.encode() not in path.read_bytes(), path.name


async def test_65_two_consoles_never_share_a_store(tmp_path: Path) -> None:
    """The second process on one home is turned away before it reads or sends anything."""
    room = Room(tmp_path)
    async with await room.found():
        room.relay.calls.clear()
        with pytest.raises(UsageError) as error:
            await room.unlock()
        assert (error.value.code, room.relay.calls) == ("store_locked", [])


@pytest.mark.parametrize("error", [RuntimeError, ValueError, UnicodeDecodeError, RecursionError, KeyError])
async def test_76_no_exception_ends_the_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Whatever a library raises at one mailbox's bytes, the others are read and the alarm names no content."""
    room = Room(tmp_path)
    async with await room.found() as team:
        bad, good = await room.ticket(), await room.ticket()
        keys = team.desk.team.keys
        real = keys.open_key

        def broken(mailbox: MailboxId, entry: Entry) -> Secret:
            if mailbox == bad.mailbox:
                raise error("utf-8", b"", 0, 1, CANARY) if error is UnicodeDecodeError else error(CANARY)
            return real(mailbox, entry)

        monkeypatch.setattr(keys, "open_key", broken)
        await team.catch_up()
        assert [ticket.number for ticket in await team.inbox.list()] == [good.number]
        (alarm,) = await team.alarms()
        assert (alarm.code, CANARY in alarm.message) == ("internal", False)


async def test_p6_a_third_party_plants_no_ticket_from_support(tmp_path: Path) -> None:
    """A mailbox whose opening names an administrator's device as its author is put aside."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.mailbox()
        device = next(iter((await room.roster()).devices))
        user.signer = AuthorKey(Author(AuthorRole.DEVICE, device), user.keys.author)
        await user.send(Kind.OPEN, opening(user), first=True)
        await team.sync()
        assert await team.inbox.list() == ()
        assert sum((await team.quarantined()).values()) == 1
