"""The staff log: its rules, its secrecy from users, and that nobody outside the team learns of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Room
from e2e_support.content import MessageBody, NoteBody, StaffOpenBody
from e2e_support.conversation import Conversation, Draft
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import UsageError
from e2e_support.ids import Hash, MailboxId, MessageId
from e2e_support.mailbox import ReceiptFact, ReceiptSigner, first_hash
from e2e_support.opened import Opened
from e2e_support.thread import StaffThread
from e2e_support.vocab import AdmissionMode, Direction, Kind, Recipient, Role, Verdict
from e2e_support.wire import Append, Entry, Head, Stored
from e2e_support_client import clock
from e2e_support_console.creating import team_create
from e2e_support_console.desk import Desk
from relay_kit import make_entry

HEAD = Head(1, Hash(b"\x01" * 32))
KINDS = {
    Kind.STAFF_OPEN: StaffOpenBody(HEAD),
    Kind.NOTE: NoteBody(HEAD, "A known bug.", ()),
    Kind.MESSAGE: MessageBody("Hello.", 0),
}


async def opened(desk: Desk, *kinds: Kind) -> list[Opened]:
    """Return entries of a made-up staff log as the desk's conversation opens them, one after the other."""
    signer = ReceiptSigner(SigningKey(Secret.random(clock.random)))
    team = replace(desk.roster, relay_keys={signer.key_id: signer.public})
    mailbox = MailboxId(bytes(16))
    log = Conversation(mailbox, team, desk.team.keys, staff=True)
    entries: list[Opened] = []
    for kind in kinds:
        draft = Draft(kind, KINDS[kind], MessageId(clock.random(16)))
        sealed = log.seal(draft, desk.author(), now=clock.now(), random=clock.random)
        receipt = signer.sign([ReceiptFact(mailbox, sealed.seq, sealed.hash, clock.now())])[0]
        entries.append(log.receive(Stored(sealed.entry, receipt)))
    return entries


@pytest.mark.parametrize(
    ("kinds", "reasons"),
    [
        ([Kind.STAFF_OPEN, Kind.NOTE, Kind.NOTE], ["", "", ""]),
        ([Kind.NOTE], ["not_allowed"]),
        ([Kind.STAFF_OPEN, Kind.STAFF_OPEN], ["", "not_first"]),
        ([Kind.STAFF_OPEN, Kind.MESSAGE], ["", "not_allowed"]),
    ],
)
async def test_the_rules_of_a_staff_log(tmp_path: Path, kinds: list[Kind], reasons: list[str]) -> None:
    """A staff log begins with its opening, once, and holds staff kinds only; the rest is marked with the rule."""
    async with await Room(tmp_path).found() as team:
        thread = StaffThread(team.desk.team)
        judged = [thread.take(entry) for entry in await opened(team.desk, *kinds)]
        assert [entry.reason for entry in judged] == reasons
        assert thread.entries == judged


async def test_a_repeated_note_counts_once(tmp_path: Path) -> None:
    """A note whose answer was lost and that was sealed again is marked as a repetition."""
    async with await Room(tmp_path).found() as team:
        first, note = await opened(team.desk, Kind.STAFF_OPEN, Kind.NOTE)
        thread = StaffThread(team.desk.team)
        reasons = [thread.take(entry).reason for entry in (first, note, note)]
        assert reasons == ["", "", "same_message"]


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.RECOVERY])
async def test_who_may_not_write_has_no_effect(tmp_path: Path, role: Role) -> None:
    """A note by a device that may only read is marked as against the rules (attack 89)."""
    async with await Room(tmp_path).found() as team:
        (entry,) = await opened(team.desk, Kind.STAFF_OPEN)
        assert entry.device is not None
        entry = replace(entry, device=replace(entry.device, role=role))
        assert StaffThread(team.desk.team).take(entry).reason == "not_allowed"


async def test_what_did_not_open_keeps_its_own_verdict(tmp_path: Path) -> None:
    """An entry that is forged stays forged, whatever the rules of the log say."""
    async with await Room(tmp_path).found() as team:
        (entry,) = await opened(team.desk, Kind.NOTE)
        forged = replace(
            entry, verdict=Verdict.FORGED, reason="cannot_open", inner=None, body=None, device=None
        )
        assert StaffThread(team.desk.team).take(forged) == forged


async def test_a_note_is_sealed_to_the_team_alone(tmp_path: Path) -> None:
    """Every entry of a staff log has no box but the team's, and its direction is the team's own."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.note(user.number, "A known bug.")
        staff_log = team.desk.staff_log(user.mailbox)
    entries = [Entry.from_bytes(item.entry) for item in room.relay.stored(staff_log)]
    assert [[box.recipient for box in entry.boxes] for entry in entries] == [[Recipient.TEAM], []]
    assert {entry.direction for entry in entries} == {Direction.TEAM_ONLY}


async def test_no_path_seals_a_staff_entry_for_a_user(tmp_path: Path) -> None:
    """Even a staff conversation that was told a user's reply key makes no box for it, whatever it seals.

    The reply key is forced into the conversation, and a body with one is sealed: there is still one box.
    """
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        log = team.desk.begin(team.desk.staff_log(user.mailbox), staff=True)
        log.conversation.reply_key = user.keys.reply.public
        log.conversation.author_key = user.keys.author.public
        opening = (await team.desk.load(user.mailbox)).thread.entries[0].body
        assert opening is not None
        for kind, body in ((Kind.STAFF_OPEN, StaffOpenBody(HEAD)), (Kind.OPEN, opening)):
            draft = Draft(kind, body, MessageId(clock.random(16)))
            sealed = log.conversation.seal(draft, team.desk.author(), now=clock.now(), random=clock.random)
            assert [box.recipient for box in Entry.from_bytes(sealed.entry).boxes] == [Recipient.TEAM]


async def test_a_staff_log_is_admitted_by_the_team(tmp_path: Path) -> None:
    """The mailbox of a staff log has no user class and is created by the epoch's capability."""
    async with await Room(tmp_path).found() as team:
        desk = team.desk
        creation = desk.team.keys.staff_log(MailboxId(bytes(16)))
        create = team_create(creation.public, desk.capability(), desk.team_id, clock.now())
        assert (create.user_key, create.team, create.mode) == (b"", 1, AdmissionMode.TEAM)


async def test_an_empty_note_creates_nothing(tmp_path: Path) -> None:
    """A note without text is refused before a staff log is created for it."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        with pytest.raises(UsageError):
            await team.inbox.note(user.number, "  \n")
        assert len(room.relay.mailboxes) == 1


async def test_107_junk_in_front_keeps_no_note_away(tmp_path: Path) -> None:
    """Who holds the team's capability and may not write cannot take a ticket's staff log from the others."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        desk, mailbox = team.desk, team.desk.staff_log(user.mailbox)
        creation = desk.team.keys.staff_log(user.mailbox)
        create = team_create(creation.public, desk.capability(), desk.team_id, clock.now())
        await room.relay.create(mailbox, create, creation)
        junk = make_entry(epoch=0, user_box=False)
        await room.relay.append(mailbox, Append(0, first_hash(mailbox), junk, ()), desk.capability())
        await team.inbox.note(user.number, "A known bug.")
        await team.inbox.note(user.number, "Mended.")
        log = await desk.load(mailbox, staff=True)
        kinds = [entry.inner.kind for entry in log.thread.entries if entry.inner]
        assert kinds == [Kind.STAFF_OPEN, Kind.NOTE, Kind.NOTE]
        assert [entry.verdict for entry in log.thread.entries] == [Verdict.FORGED, *[Verdict.OK] * 3]
