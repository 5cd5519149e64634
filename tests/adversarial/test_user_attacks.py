"""Attacks that a user's own program meets: hostile text, names, files, bodies and claims (33-36, 39, 79, 81, 87).

Each runs the real SDK and the real command line against a relay in memory whose other side does its worst.
"""

from __future__ import annotations

import asyncio
import filecmp
import io
import os
import re
import unicodedata
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_support.attachment import safe_name
from e2e_support.codec import Message
from e2e_support.content import Attachment, Author, MessageBody
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.ids import BlobId, Hash, MessageId
from e2e_support.policy import Policy
from e2e_support.policy_parts import Category, StaffIdentity
from e2e_support.presets import DEFAULT
from e2e_support.support_link import SupportLink
from e2e_support.thread import Thread
from e2e_support.ticket_keys import TicketKeys, UserKeyPort
from e2e_support.vocab import AuthorRole, Kind, Verdict
from e2e_support.wire import Append, Stored
from e2e_support_client import (
    AttachmentInfo,
    EventKind,
    FileSpec,
    Profile,
    Role,
    cli,
    clock,
    model,
    render,
    render_trust,
)
from e2e_support_client.terminal import Terminal
from e2e_support_client.testing import Fault
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import FileKeystore
from e2e_support_keys.vault import FLOOR
from team_builder import Team, device, founding
from user_kit import BODY, FAKE_URL, SUBJECT, Console, MoodyRelay, World, fake_world

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b5mred\x07\r\x08\u2028"
BIDI = "\u202egnp.exe\u202c\u2066x\u2069\u200bz\ufeff"
SCRIPT = "<script>alert(1)</script> [x](javascript:alert(1)) <img src=http://evil.example/x>"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team at a relay in memory."""
    return fake_world(tmp_path)


def harmless(printed: str) -> bool:
    """Tell whether printed text can do nothing to a terminal."""
    dangerous = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return not any(unicodedata.category(c) in dangerous for c in printed if c not in "\n\t\u200c\u200d")


def hostile_world(folder: Path) -> World:
    """Return a team whose every word is hostile: its name, its administrator, its categories."""
    relay = fake_world(folder).fake
    anna = device("anna").claiming(label=f"Ad{ESCAPE}min{BIDI}", languages=(f"e{ESCAPE}n",))
    staff = replace(DEFAULT.staff, identity=StaffIdentity.NAMED)
    categories = (Category("billing", f"Bill{ESCAPE}ing", f"{SCRIPT}{BIDI}"),)
    policy: Policy = replace(DEFAULT, staff=staff, categories=categories)
    batch, seed = founding(
        anna, policy=policy, relay_key=relay.relay_key, name=f"Te{ESCAPE}am", time=clock.now()
    )
    roster = relay.take_team(batch)
    team = Team(roster, {0: batch.packages[0]}, {0: seed})
    link = SupportLink(FAKE_URL, roster.team_id).format()
    return World(folder, relay, link, Console(team, anna, relay))


# --- 32: time ---------------------------------------------------------------------------------------------------


async def test_32_no_time_of_a_relay_breaks_a_program(world: World, tmp_path: Path) -> None:
    """Receipts that lie beyond all calendars, and what follows from them, are shown as the last of all days."""
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        # An hour is left, so that the relay itself can go on while the test runs.
        world.fake.advance(2**53 - 1 - 3600 - world.fake.time)
        await world.console.resolve(ref.number)
        late = await user.tickets.create("It goes on", BODY, category="billing")
        lines = {line.number: line for line in await user.tickets.list()}
        assert lines[late.number].created_at.year == 9999
        closes = (await user.tickets.get(ref.number)).closes_at
        assert closes is not None
        assert closes.year == 9999
        assert (await user.tickets.timeline(ref.number))[-1].at.year == 9999
        assert {one.at.year for one in await user.notifications(unread=False)} == {9999}
        assert {event.at.year for event in await user.news()} == {9999}
        await user.today()
        await user.export(tmp_path / "tickets.zip")


# --- 33, 34, 35: text --------------------------------------------------------------------------------------------


async def test_34_no_escape_sequence_reaches_a_terminal(tmp_path: Path) -> None:
    """Subject, texts, file names, the team's and the administrator's names and the policy's words are stripped."""
    world = hostile_world(tmp_path)
    async with world.client(profile=Profile(name=f"Ada{ESCAPE}{BIDI}")) as user:
        files = [FileSpec(b"x", name=f"a{ESCAPE}.txt")]
        ref = await user.tickets.create(
            f"No {ESCAPE} invoice", f"{ESCAPE}{BODY}{BIDI}", category="billing", attachments=files
        )
        await world.console.answer(ref.number, f"Look{ESCAPE} again{BIDI}")
        await world.console.resolve(ref.number, f"Done{ESCAPE}")
        ticket = await user.tickets.get(ref.number)
        page = await user.tickets.list()
        printed = [
            render.ticket_text(ticket, clock.now()),
            render.list_text(page, clock.now()),
            render_trust.team_text(await user.verify_team()),
            render.categories_text(user.policy),
            *[render.event_text(event) for event in await user.news()],
        ]
    assert all(harmless(text) for text in printed)
    assert "again" in printed[0]


async def test_34_json_is_ascii(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON for programs keeps every character of a text, but no byte of it can move a terminal."""
    world = hostile_world(tmp_path)
    async with world.client() as user:
        ref = await user.tickets.create(f"No {ESCAPE} invoice", BODY, category="billing")
        ticket = await user.tickets.get(ref.number)
    Terminal(json=True).show(render.ticket_json(ticket), "")
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    assert "\\u001b" in printed


async def test_33_markup_is_text(world: World) -> None:
    """Markup in a message stays what it is: letters, in the data and on the terminal."""
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, SCRIPT, category="billing")
        ticket = await user.tickets.get(ref.number)
    assert ticket.messages[0].body == SCRIPT
    assert SCRIPT in render.ticket_text(ticket, clock.now())


@pytest.mark.parametrize(
    "name",
    [
        "Support team",
        "Support team (team, verified)",
        "anna",
        "\u0410nna",
        "Support\u200b team",
        "x · (team)",
    ],
)
async def test_35_no_name_makes_a_badge(world: World, name: str) -> None:
    """Whatever a user is called, the badge of the team comes from a signature of a roster device alone."""
    async with world.client(profile=Profile(name=name)) as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        await world.console.answer(ref.number)
        own, answer = (await user.tickets.get(ref.number)).messages
    assert (own.author.role, answer.author.role) == (Role.USER, Role.TEAM)
    assert render.name_text(own.author).endswith("(you)")
    assert "verified)" not in render.name_text(own.author)


@given(st.text(max_size=60), st.text(max_size=200), st.text(max_size=40))
def test_34_no_text_breaks_the_output(subject: str, body: str, name: str) -> None:
    """Any subject, body and file name can be printed, on lines of their own, and does nothing."""
    printed = render.ticket_text(_ticket(subject, body, name), clock.now())
    assert harmless(printed)
    assert printed.split("\n")[0].startswith("T-00000-00000")


def _ticket(subject: str, body: str, name: str) -> model.Ticket:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    line = model.TicketSummary("T-00000-00000", subject, "open", subject, name, "", now, now, 1, name)
    files = (AttachmentInfo(name, 5, body),)
    said = model.Message(
        0, EventKind.OPENED, model.Author(Role.TEAM, name), body, now, Verdict.OK, attachments=files
    )
    return model.Ticket(line, (said,), frozenset({"reply"}), body, name, {name: body})


# --- 36: names of files ------------------------------------------------------------------------------------------

NAMES = [
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\windows\\system32",
    "C:\\autoexec.bat",
    "a\x00b.txt",
    "CON",
    "con.txt",
    "nul",
    "trailing. ",
    "-rf",
    ".bashrc",
    "x" * 10_000 + ".txt",
    "x.pdf\u202eexe",
    "",
    "..",
    ".",
    "a/b/c",
    "new\nline",
    "\x1b[31mred",
]


def manifest(name: str) -> Attachment:
    """Return a manifest whose name did not go through any sanitiser, as a hostile program would sign it."""
    return replace(
        Attachment("x", "text/plain", 3, BlobId(bytes(16)), bytes(32), bytes(32), bytes(32), Hash(bytes(32))),
        name=name[:200],
    )


@pytest.mark.parametrize("name", NAMES)
async def test_36_a_file_is_saved_inside_the_chosen_folder(world: World, tmp_path: Path, name: str) -> None:
    """Whatever an attachment is called, it lands in the folder under a harmless name, created there and then."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    async with world.client() as user:
        ref = await user.tickets.create(
            SUBJECT, BODY, category="billing", attachments=[FileSpec(b"abc", name=name or "file")]
        )
        (file,) = (await user.tickets.get(ref.number)).messages[0].attachments
        saved = await user.tickets.download(ref.number, file.name, folder)
    assert saved.parent == folder
    assert [path.name for path in folder.iterdir()] == [saved.name]
    assert saved.read_bytes() == b"abc"
    assert (len(saved.name) <= 200, saved.name[0] in "-.", saved.name[-1] in ". ") == (True, False, False)
    assert harmless(saved.name)
    assert saved.stat().st_mode & 0o111 == 0


async def test_36_a_hostile_manifest_saves_nowhere_else(world: World, tmp_path: Path) -> None:
    """A name that a hostile program signed is made harmless by the reader too."""
    async with world.client() as user:
        ref = await user.tickets.create(
            SUBJECT, BODY, category="billing", attachments=[FileSpec(b"abc", name="x")]
        )
        (opened,) = await world.console.read(ref.number)
        assert opened.inner is not None
        evil = replace(opened.inner.attachments[0], name="../../evil")
        await _share(world, ref.number, evil)
        folder = tmp_path / "a" / "b"
        folder.mkdir(parents=True)
        names = {file.name for m in (await user.tickets.get(ref.number)).messages for file in m.attachments}
        assert "../../evil" in names
        try:
            saved = await user.tickets.download(ref.number, "../../evil", folder)
        except Exception:  # noqa: BLE001 - the blob is another ticket entry's: it may not open, but nothing escapes
            saved = folder / safe_name("../../evil")
    assert saved.parent == folder
    assert not (tmp_path / "evil").exists()


async def _share(world: World, number: str, file: Attachment) -> None:
    """Let the team name a blob that stands in the log already, without committing it anew."""
    console = world.console
    await console.read(number)
    talk = console.followed[await console.mailbox(number)]
    signer = AuthorKey(Author(AuthorRole.DEVICE, console.device.device_id), console.device.sign)
    draft = Draft(Kind.MESSAGE, MessageBody("look", 0), MessageId(os.urandom(16)), (file,))
    sealed = talk.seal(draft, signer, now=clock.now(), random=os.urandom)
    append = Append(sealed.seq, sealed.prev_hash, sealed.entry, ())
    receipt = await console.relay.append(talk.mailbox, append, console.team.keys.capability)
    talk.receive(Stored(sealed.entry, receipt))


async def test_36_links_in_the_way_are_not_followed(world: World, tmp_path: Path) -> None:
    """A symbolic link under the file's name, or under its unfinished name, is never written through."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    async with world.client() as user:
        ref = await user.tickets.create(
            SUBJECT, BODY, category="billing", attachments=[FileSpec(b"abc", name="x")]
        )
        for planted in ("x", "x.part"):
            folder = tmp_path / planted / "downloads"
            folder.mkdir(parents=True)
            (folder / planted).symlink_to(victim)
            with pytest.raises(Exception, match="exist"):
                await user.tickets.download(ref.number, "x", folder)
    assert victim.read_bytes() == b"precious"


# --- 39: bodies of wrong types -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Raw(Message):
    """A body of any bytes."""

    LIMIT: ClassVar[int] = 1000
    data: bytes

    def to_bytes(self) -> bytes:
        """Return the bytes, whatever they are."""
        return self.data


BAD_BODIES = {
    "text where a number belongs": b"\x92\xa1a\xa10",
    "true for one": b"\x92\xa1a\xc3",
    "an integer of 2^53": b"\x92\xa1a\xcf\x00\x20\x00\x00\x00\x00\x00\x00",
    "text that is not NFC": b"\x92\xa3e\xcc\x81\x00",
    "a map": b"\x81\xa1a\x00",
    "nil": b"\xc0",
    "a long form": b"\x92\xd9\x01a\x00",
    "too many fields": b"\x93\xa1a\x00\x00",
    "nothing": b"",
    "a bomb": b"\xdd\xff\xff\xff\xff",
}


@pytest.mark.parametrize("what", BAD_BODIES)
async def test_39_a_malformed_body_harms_nobody(world: World, what: str) -> None:
    """A body that is outside the profile is marked and hidden; the ticket goes on around it."""
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        await world.console.write(ref.number, Kind.MESSAGE, Raw(BAD_BODIES[what]))
        await world.console.answer(ref.number, "Still here.")
        said = (await user.tickets.get(ref.number)).messages
        await user.tickets.reply(ref.number, "So am I.")
    assert [message.body for message in said] == [BODY, "", "Still here."]
    assert said[1].verdict is not Verdict.OK
    assert [message.verified for message in said] == [True, False, True]


@settings(max_examples=25)
@given(st.binary(max_size=60))
def test_39_no_body_crashes_a_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Any bytes as a body leave a ticket that can be read, listed and replied to."""

    async def story() -> None:
        world = fake_world(tmp_path_factory.mktemp("world"))
        async with world.client() as user:
            ref = await user.tickets.create(SUBJECT, BODY, category="billing")
            await world.console.write(ref.number, Kind.MESSAGE, Raw(data))
            assert (await user.tickets.get(ref.number)).messages[0].body == BODY
            assert (await user.tickets.reply(ref.number, "ok")).state == "stored"

    _run(story)


def _run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


# --- 79: files that change ---------------------------------------------------------------------------------------


async def test_79_a_file_that_changed_gets_new_keys(world: World, tmp_path: Path) -> None:
    """An upload that is resumed after the file changed begins anew: other key, other blob; what arrives is whole."""
    path = tmp_path / "log.bin"
    path.write_bytes(bytes(3_000_000))
    async with world.client() as user:
        await user.verify_team()
        world.fake.refuse_at("put_piece", "busy")
        ref = await user.tickets.create(SUBJECT, BODY, category="billing", attachments=[path])
        assert ref.state == "queued"
        before = set(world.fake.blobs)
        path.write_bytes(b"\x01" * 3_000_000)
        (sent,) = await user.outbox.flush()
        assert sent.state == "stored"
        saved = await user.tickets.download(ref.number, "log.bin", tmp_path / "back")
    assert filecmp.cmp(saved, path, shallow=False)
    (opened,) = await world.console.read(ref.number)
    assert opened.inner is not None
    (file,) = opened.inner.attachments
    assert before
    assert all(blob != file.blob_id for _, blob in before)


async def test_79_a_file_that_stayed_goes_on_where_it_stopped(world: World, tmp_path: Path) -> None:
    """An upload of the same bytes is resumed under the same keys and sends only what is missing."""
    path = tmp_path / "log.bin"
    path.write_bytes(os.urandom(5_000_000))
    async with world.client() as user:
        await user.verify_team()
        world.fake.refuse_at("put_piece", "busy")
        ref = await user.tickets.create(SUBJECT, BODY, category="billing", attachments=[path])
        before = set(world.fake.blobs)
        await user.outbox.flush()
        assert set(world.fake.blobs) == before
        saved = await user.tickets.download(ref.number, "log.bin", tmp_path / "back")
    assert saved.read_bytes() == path.read_bytes()


# --- 81: claims of the relay -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moods", "problem"),
    [(["erased"], "relay_says_erased"), (["not_found"] * 2, "relay_says_not_found")],
    ids=["erased", "not found, and once more after it was given back"],
)
async def test_81_a_bare_claim_purges_nothing(world: World, moods: list[str], problem: str) -> None:
    """If the relay says that a ticket is gone, it stays readable here, and the claim is shown as a claim."""
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        await world.console.answer(ref.number)
        await user.tickets.list()
        world.fake.refuse_at("read", *moods)
        ticket = await user.tickets.get(ref.number)
        assert [message.body for message in ticket.messages] == [BODY, "Look again."]
        assert ticket.summary.problem == problem
        assert "the relay" in render.ticket_text(ticket, clock.now())
        assert (await user.tickets.get(ref.number)).summary.problem == ""


async def test_81_other_tickets_go_on(world: World) -> None:
    """One ticket that the relay is wrong about keeps no other from being read."""
    async with world.client() as user:
        first = (await user.tickets.create(SUBJECT, BODY, category="billing")).number
        second = (await user.tickets.create(SUBJECT, BODY, category="billing")).number
        await world.console.answer(second)
        bad = await world.console.mailbox(first)
        world.fake.inject(Fault.ERASED, mailbox=bad)
        page = await user.tickets.list()
    assert {line.number: (line.problem, line.unread) for line in page} == {
        first: ("relay_says_erased", 0),
        second: ("", 1),
    }


# --- 87: the same message twice ----------------------------------------------------------------------------------


def user_side(world: World, bundle: UserBundle) -> tuple[TicketKeys, Conversation, AuthorKey]:
    """Return the user's first ticket as a program sees it that knows nothing but the keys."""
    team = world.console.team
    month = int(datetime.fromtimestamp(clock.now(), UTC).strftime("%Y%m"))
    keys = TicketKeys.derive(bundle.master, team.team_id, month, 0)
    talk = Conversation(keys.mailbox, team.roster, UserKeyPort(team.team_id, keys.reply))
    return keys, talk, AuthorKey(Author(AuthorRole.USER, keys.author.public), keys.author)


@pytest.mark.parametrize(("second", "shown"), [("Once.", 2), ("Something else.", 3)])
async def test_87_a_resealed_retry_is_one_message(
    world: World, monkeypatch: pytest.MonkeyPatch, second: str, shown: int
) -> None:
    """The same message id twice is one message for both sides; other words under it are seen, in quarantine."""
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)  # no month may end between the two
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        bundle = world.keys().load()
        assert isinstance(bundle, UserBundle)
        keys, talk, signer = user_side(world, bundle)
        twice = MessageId(os.urandom(16))
        for text in ("Once.", second):
            page = await world.relay.read(keys.mailbox, talk.chain.length, keys.capability)
            for item in page.items:
                talk.receive(item)
            draft = Draft(Kind.MESSAGE, MessageBody(text, 0), twice)
            sealed = talk.seal(draft, signer, now=clock.now(), random=os.urandom)
            append = Append(sealed.seq, sealed.prev_hash, sealed.entry, ())
            await world.relay.append(keys.mailbox, append, keys.capability)
        said = (await user.tickets.get(ref.number)).messages
        unread = (await user.tickets.list())[0].unread
    assert (len(said), unread) == (shown, 0)
    assert [message.verdict for message in said[2:]] == [Verdict.NONCONFORMING] * (shown - 2)
    thread = Thread(world.console.team.roster)
    verdicts = [thread.take(opened).verdict for opened in await world.console.read(ref.number)]
    assert verdicts == [Verdict.OK, Verdict.OK, Verdict.NONCONFORMING]


# --- the command line under fire ---------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.lists(st.text(max_size=30), max_size=6))
def test_no_arguments_crash_the_command_line(
    tmp_path_factory: pytest.TempPathFactory, arguments: list[str]
) -> None:
    """Whatever stands on the command line, it ends with an exit code and words, never with a trace."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO("text"))
        patch.setattr("sys.stdout", io.StringIO())
        patch.setattr("sys.stderr", io.StringIO())
        try:
            ended = cli.main(["--home", str(home), *arguments])
        except SystemExit as stopped:  # --help
            ended = stopped.code if isinstance(stopped.code, int) else 1
    assert ended in {0, 1, 2}


@settings(max_examples=12)
@given(st.text(max_size=80), st.text(max_size=300), st.text(max_size=30))
def test_no_text_crashes_the_command_line(
    tmp_path_factory: pytest.TempPathFactory, subject: str, body: str, name: str
) -> None:
    """Any subject, text and reply goes through the commands: stored or refused in words, printed harmlessly."""
    folder = tmp_path_factory.mktemp("home")
    world = fake_world(folder)
    keys = FileKeystore(folder / "keys", lambda: "secret words", cost=FLOOR)
    keys.save(UserBundle.fresh(world.link, os.urandom))
    (folder / "passphrase").write_text("secret words")
    (folder / "passphrase").chmod(0o600)
    printed = io.StringIO()

    def reach(*_where: object, **_options: object) -> MoodyRelay:
        return world.fake

    def run(*arguments: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("E2ES_PASSPHRASE_FILE", str(folder / "passphrase"))
            patch.setattr("e2e_support_client.assembly.HttpRelay", reach)
            patch.setattr("sys.stdin", io.StringIO(body))
            patch.setattr("sys.stdout", printed)
            patch.setattr("sys.stderr", printed)
            return cli.main(["--home", str(folder), *arguments])

    assert run("new", "--subject", subject or "-", "--body", "-", "--category", name or "billing") in {
        0,
        1,
        2,
    }
    assert run("new", f"--subject=No {subject}", "--body=-", "--category=billing") in {0, 1}
    assert run("outbox") == 0
    assert run("list") == 0
    for number in re.findall(r"T-\w{5}-\w{5}", printed.getvalue()):
        assert run("show", number) == 0
    assert harmless(printed.getvalue())
