"""Attacks on tickets, by their numbers in the threat model, at the level of conversations and threads.

Whoever attacks can store any bytes: a relay, or somebody whom it helps. The tests named ``without`` take the
defence away and show that the attack succeeds then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast
from unittest.mock import Mock

import msgpack
import pytest
from cryptography.exceptions import InvalidTag

from e2e_support import canonical, log_reader, thread
from e2e_support.attachment import Opener, Plan, Sealer
from e2e_support.canonical import Value, decode, encode
from e2e_support.codec import Message
from e2e_support.content import (
    AssignBody,
    Author,
    BarrierBody,
    BarrierItem,
    ClaimBody,
    CloseBody,
    FieldsBody,
    FlagBody,
    NoteBody,
    ReadMarksBody,
    RedactBody,
    RelationBody,
    ResolutionBody,
    SettingBody,
    SnoozeBody,
    StaffOpenBody,
    StatusBody,
    TagBody,
)
from e2e_support.conversation import Conversation
from e2e_support.crypto import cae
from e2e_support.crypto.pad import BUCKET_MIN, is_padded_size
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError
from e2e_support.ids import DeviceId, MailboxId
from e2e_support.limits import CLOCK_WARNING
from e2e_support.mailbox import CIPHERTEXT_OVERHEAD
from e2e_support.policy import Policy
from e2e_support.policy_parts import ClosedReply, UserReopen
from e2e_support.presets import DEFAULT
from e2e_support.roster_links import NO_HASH
from e2e_support.roster_state import RosterState
from e2e_support.tags import Tag
from e2e_support.ticket_state import Fact, TicketState
from e2e_support.transitions import TRANSITIONS
from e2e_support.vocab import AuthorRole, Direction, Kind, Lifecycle, Recipient, SettingKind, Verdict
from e2e_support.wire import Box, DeviceRecord, Entry, Head
from team_builder import EPOCH
from ticket_builder import (
    ANNA,
    AUDITOR,
    BEN,
    NOW,
    PLAIN_BODIES,
    Log,
    Numbered,
    Ticket,
    head_of,
    make_admin,
    text,
)

pack: Any = msgpack.packb
FORGED, NONCONFORMING, UNVERIFIABLE, OK = (
    Verdict.FORGED,
    Verdict.NONCONFORMING,
    Verdict.UNVERIFIABLE,
    Verdict.OK,
)
STRANGER = SigningKey(Secret(b"\x08" * 32))
STOLEN = Secret(b"\x07" * 32)  # a ticket key that the attacker knows
OTHERS = Secret(b"\x06" * 32)


def nothing(*_: object, **__: object) -> None:
    """Stand where a check was taken away."""


def always(*_: object, **__: object) -> bool:
    """Stand where a question was taken away."""
    return True


def stops(ticket: Ticket, entry: bytes) -> str:
    """Store an entry that nobody may follow; return the code of the error that both readers raise."""
    item = ticket.log.add(entry)
    codes: set[str] = set()
    for side in (ticket.user, ticket.anna):
        before = side.conversation.chain
        with pytest.raises(SupportError) as error:
            side.read(item)
        codes.add(error.value.code)
        assert side.conversation.chain == before
    (code,) = codes
    return code


def knows_the_answer(ticket: Ticket) -> bool:
    """Let anna answer, and tell whether her answer is encrypted under the key that the attacker knows."""
    ticket.say(ticket.anna, Kind.MESSAGE, text("The code is 1234."))
    entry = Entry.from_bytes(ticket.log.items[-1].entry)
    return not entry.boxes and ticket.anna.key == STOLEN


def changed(place: int, value: object) -> Callable[[bytes], bytes]:
    """Return what puts another value into a place of a message's bytes."""

    def change(data: bytes) -> bytes:
        fields: list[object] = list(cast("tuple[object, ...]", decode(data, limit=len(data))))
        fields[place] = value
        return encode(cast("Value", tuple(fields)))

    return change


def spoiled(place: int, value: object) -> Callable[[bytes], bytes]:
    """Return what puts a value into a message that the codec would refuse to write."""

    def change(data: bytes) -> bytes:
        fields: list[object] = list(cast("tuple[object, ...]", decode(data, limit=len(data))))
        fields[place] = value
        return cast("bytes", pack(fields))

    return change


def loose(data: bytes) -> bytes:
    """Return a message whose version is written in two bytes instead of one."""
    return data[:1] + b"\xcc" + data[1:]


# --- entries that somebody made wrong ---------------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    """One entry that must have no effect.

    Attributes:
        story: number and what the attacker does.
        entry: makes the bytes that end up in the log.
        verdict: what both readers say of it.
        reason: why.
        undo: takes the defence away; then the readers say something else.
    """

    story: str
    entry: Callable[[Ticket], bytes]
    verdict: Verdict
    reason: str
    undo: Callable[[pytest.MonkeyPatch], None] | None = None


def without(name: str, answer: Callable[..., object] = nothing) -> Callable[[pytest.MonkeyPatch], None]:
    """Return what replaces a check of conversations."""
    return lambda patch: patch.setattr(Conversation, name, answer)


def unsigned(patch: pytest.MonkeyPatch) -> None:
    """Take signatures away."""
    patch.setattr(log_reader, "require_signature", nothing)


def lawless(patch: pytest.MonkeyPatch) -> None:
    """Take the rules of tickets away."""
    patch.setattr(thread, "judge", obey)


def obey(state: TicketState, fact: Fact, policy: Policy) -> tuple[TicketState, str]:
    """Stand where the rules of tickets were taken away."""
    return state, ""


def everywhere(patch: pytest.MonkeyPatch) -> None:
    """Let every device that the team ever had belong to it at every head."""

    def ever(roster: RosterState, device_id: DeviceId, head: Head) -> DeviceRecord | None:
        found = roster.devices_ever.get(device_id)
        return found.record if found else None

    patch.setattr(RosterState, "device_at", ever)


def replayed(ticket: Ticket) -> bytes:
    """Return the bytes of the newest entry, which both have accepted."""
    ticket.say(ticket.user, Kind.MESSAGE, text("Any news?"))
    return ticket.log.items[-1].entry


def foreign(ticket: Ticket) -> bytes:
    """Return an entry of another ticket of the same user."""
    other = Ticket.empty(index=1)
    other.say(other.user, Kind.OPEN, other.opening())
    return other.user.seal(Kind.MESSAGE, text("Any news?"))


def foreign_opening(ticket: Ticket) -> bytes:
    """Return the first entry of another ticket of the same user, boxes and all."""
    other = Ticket.empty(index=1)
    other.say(other.user, Kind.OPEN, other.opening())
    return other.log.items[0].entry


def reflected(ticket: Ticket) -> bytes:
    """Return the user's message with its direction turned outside."""
    return changed(3, int(Direction.TEAM_TO_USER))(ticket.user.seal(Kind.MESSAGE, text("I am the team.")))


def of_another_generation(ticket: Ticket) -> bytes:
    """Return a message that names another generation outside."""
    return changed(2, 1)(ticket.user.seal(Kind.MESSAGE, text("hello")))


def revoked(ticket: Ticket) -> bytes:
    """Return a message of ben, who was removed, under the newest head."""
    ticket.team.remove(BEN, ANNA)
    ticket.use_roster()
    ticket.say(ticket.anna, Kind.MESSAGE, text("Ben has left."))
    return ticket.craft(ticket.anna, author=Author(AuthorRole.DEVICE, BEN.device_id), signer=BEN.sign)


def rekeyed(
    ticket: Ticket, gen: int, *, boxes: Callable[[tuple[Box, ...]], tuple[Box, ...]] = tuple
) -> bytes:
    """Return an honest key in boxes that do not follow."""
    return ticket.craft(ticket.user, key=STOLEN, gen=gen, boxes=boxes(ticket.boxes(STOLEN, gen)))


def of_one_place(ticket: Ticket) -> bytes:
    """Return the second of two messages that the user sealed for one place; the first is stored."""
    first, second = (ticket.user.seal(Kind.MESSAGE, text(words)) for words in ("one", "two"))
    ticket.post(first)
    return second


def late(ticket: Ticket, **changes: Any) -> bytes:
    """Return a user's message to a ticket that was closed for good."""
    ticket.say(ticket.anna, Kind.CLOSE, CloseBody("done", ""))
    return ticket.craft(ticket.user, **changes)


def said_twice(ticket: Ticket) -> bytes:
    """Return the re-sealed copy of a message that stands in the log."""
    ticket.say(ticket.user, Kind.MESSAGE, text("Any news?"), message_id=b"m" * 16)
    return ticket.user.seal(Kind.MESSAGE, text("Any news?"), message_id=b"m" * 16)


AS_ANNA = Author(AuthorRole.DEVICE, ANNA.device_id)
TO_USER = Direction.TEAM_TO_USER
FILES = (("a", "b", 1, bytes(16), *[bytes(32)] * 4),)
FOR_GOOD = replace(
    DEFAULT, reopen=replace(DEFAULT.reopen, user=UserReopen.NEVER, window_days=0, on_reply=ClosedReply.REFUSE)
)
ATTACKS = [
    Attack("3 replays an entry", replayed, FORGED, "cannot_open"),
    Attack("3 replays the opening", lambda t: t.log.items[0].entry, FORGED, "bad_order", without("_check_order")),
    Attack("4 puts an entry at another place", lambda t: t.craft(t.user, seq=5), FORGED, "cannot_open"),
    Attack("4 puts an entry behind another", lambda t: t.craft(t.user, prev_hash=bytes(32)), FORGED, "cannot_open"),
    Attack("5 moves an entry to another ticket", foreign, FORGED, "cannot_open"),
    Attack("5 moves an opening", foreign_opening, FORGED, "bad_order", without("_check_order")),
    Attack("5 re-uses a key elsewhere", lambda t: t.craft(t.user, mailbox=MailboxId(b"o" * 16)), FORGED, "cannot_open"),
    Attack("6 reflects a message", reflected, FORGED, "cannot_open"),
    Attack(
        "6 writes in the other direction", lambda t: t.craft(t.user, direction=TO_USER), FORGED, "bad_direction",
        without("_check_direction"),
    ),
    Attack("6 moves between generations", of_another_generation, FORGED, "bad_order", without("_check_order")),
    Attack("6 skips a generation", lambda t: rekeyed(t, 2), FORGED, "bad_order", without("_check_order")),
    Attack("6 begins a generation again", lambda t: rekeyed(t, 0), FORGED, "bad_order", without("_check_order")),
    Attack(
        "78 leaves the user's box out", lambda t: rekeyed(t, 1, boxes=lambda b: b[:1]), FORGED, "bad_order",
        without("_check_order"),
    ),
    Attack("39 a body of another kind", lambda t: t.craft(t.user, Kind.CLOSE), FORGED, "malformed"),
    Attack(
        "39 a time that is a truth value", lambda t: t.craft(t.user, as_transported=spoiled(6, True)),
        FORGED, "malformed",
    ),
    Attack(
        "41 signs as anna", lambda t: t.craft(t.user, author=AS_ANNA, direction=TO_USER),
        FORGED, "bad_signature", unsigned,
    ),
    Attack(
        "41 signs as a device that is none",
        lambda t: t.craft(t.user, author=Author(AuthorRole.DEVICE, bytes(16)), direction=TO_USER), FORGED, "bad_author",
    ),
    Attack(
        "41 calls the own key a device",
        lambda t: t.craft(t.user, author=Author(AuthorRole.DEVICE, t.keys.author.public), direction=TO_USER),
        FORGED, "bad_author",
    ),
    Attack("41 was removed", revoked, FORGED, "bad_author", everywhere),
    Attack(
        "41 is another user",
        lambda t: t.craft(t.user, author=Author(AuthorRole.USER, STRANGER.public), signer=STRANGER),
        FORGED, "bad_author",
    ),
    Attack("43 seals twice for one place", of_one_place, FORGED, "cannot_open"),
    Attack(
        "44 a thousand boxes", lambda t: changed(4, ((0, 0, b""),) * 1000)(t.craft(t.user)), FORGED, "malformed",
    ),
    Attack(
        "44 too many files", lambda t: t.craft(t.user, as_transported=changed(9, FILES * 33)), FORGED, "malformed",
    ),
    Attack("44 an entry of a megabyte", lambda t: bytes(2**20), FORGED, "malformed"),
    Attack("45 the last sequence number", lambda t: t.craft(t.user, seq=2**53 - 1), FORGED, "cannot_open"),
    Attack("45 after the close", late, NONCONFORMING, "closed", lawless),
    Attack("45 after the close, dated before", lambda t: late(t, time=NOW), NONCONFORMING, "closed", lawless),
    Attack("45 after the close, dated far ahead", lambda t: late(t, time=2**50), NONCONFORMING, "closed", lawless),
    Attack("74 a number in a longer form", lambda t: t.craft(t.user, as_transported=loose), FORGED, "malformed"),
    Attack("87 re-seals a message", said_twice, NONCONFORMING, "same_message"),
    Attack(
        "P5 asks to be shown as the team", lambda t: t.craft(t.user, body=text("x", as_team=1)),
        NONCONFORMING, "not_allowed", lawless,
    ),
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.story)
def test_an_attack_has_no_effect(attack: Attack) -> None:
    """Both readers say the same of it, the ticket stays as it is, and the next honest message is heard."""
    ticket = Ticket.begin(FOR_GOOD)
    entry = attack.entry(ticket)
    before = ticket.anna.state
    opened = ticket.post(entry)
    assert (opened.verdict, opened.reason) == (attack.verdict, attack.reason)
    assert ticket.anna.state == before
    assert (opened.inner is None) is (attack.verdict is FORGED)
    assert ticket.say(ticket.anna, Kind.FIELDS, FieldsBody("billing", "", b"", ())).verdict is OK
    assert ticket.agree()


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.undo], ids=lambda attack: attack.story)
def test_an_attack_is_seen_by_its_defence_alone(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the defence the readers say something else of the same entry."""
    ticket = Ticket.begin(FOR_GOOD)
    entry = attack.entry(ticket)
    assert attack.undo is not None
    attack.undo(monkeypatch)
    opened = ticket.post(entry)
    assert (opened.verdict, opened.reason) != (attack.verdict, attack.reason)


# --- 42: kinds that are not the user's --------------------------------------------------------------------

HEAD = Head(0, NO_HASH)
NOT_THE_USERS: dict[Kind, Message] = {
    Kind.STATUS: StatusBody(2, 2),
    Kind.FIELDS: FieldsBody("billing", "urgent", bytes(16), ()),
    Kind.RESOLUTION: ResolutionBody("Solved by me."),
    Kind.BARRIER: BarrierBody(()),
    Kind.REDACT: RedactBody(0, NO_HASH),
    Kind.STAFF_OPEN: StaffOpenBody(HEAD),
    Kind.NOTE: NoteBody(HEAD, "I am a note.", ()),
    Kind.TAG: TagBody(HEAD, ("vip",), ()),
    Kind.ASSIGN: AssignBody(HEAD, ANNA.member_id),
    Kind.HOLD: FlagBody(HEAD, 1, ""),
    Kind.ARCHIVE: FlagBody(HEAD, 1, ""),
    Kind.SPAM: FlagBody(HEAD, 0, ""),
    Kind.SNOOZE: SnoozeBody(HEAD, 0),
    Kind.LINK: RelationBody(HEAD, MailboxId(bytes(16)), 1),
    Kind.READ_MARK: ReadMarksBody(()),
    Kind.SETTING: SettingBody(SettingKind.MACRO, "a", 0, "", "", ()),
    Kind.CLAIM: ClaimBody("mail", MailboxId(bytes(16)), 0),
}


@pytest.mark.parametrize("kind", NOT_THE_USERS)
def test_42_a_user_cannot_do_what_is_the_teams(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed and sealed as it must be, it has no effect; the table is what stands against it."""
    ticket = Ticket.begin()
    before = ticket.anna.state
    opened = ticket.post(ticket.craft(ticket.user, kind, NOT_THE_USERS[kind]))
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "not_allowed")
    assert ticket.anna.state == before
    monkeypatch.setitem(TRANSITIONS, (kind, AuthorRole.USER), {Lifecycle.OPEN: Lifecycle.OPEN})
    assert ticket.post(ticket.craft(ticket.user, kind, NOT_THE_USERS[kind])).verdict is OK


def test_42_a_user_cannot_write_in_the_staff_log() -> None:
    """Not even with its key."""
    ticket = Ticket.begin()
    staff = make_admin(ticket.team, ticket.log.mailbox, ANNA, staff=True)
    log = Log(ticket.log.mailbox)
    staff.read(log.add(staff.seal(Kind.STAFF_OPEN, StaffOpenBody(HEAD))))
    note = NoteBody(HEAD, "I am a note.", ())
    author, sign = ticket.user.signer.author, ticket.user.signer.key
    assert staff.key is not None
    entry = Ticket(ticket.team, ticket.keys, log, staff, staff).craft(
        staff, Kind.NOTE, note, author=author, signer=sign, direction=Direction.TEAM_ONLY
    )
    opened = staff.read(log.add(entry))
    assert (opened.verdict, opened.reason) == (FORGED, "bad_author")


# --- 46, 58, 78: one entry, two keys ----------------------------------------------------------------------


def two_keys(ticket: Ticket, boxes: tuple[Box, ...], *, encrypted_under: Secret) -> bytes:
    """Return ben's re-key in boxes that hand the user another key than the team."""
    author = Author(AuthorRole.DEVICE, BEN.device_id)
    return ticket.craft(ticket.anna, key=encrypted_under, gen=1, boxes=boxes, author=author, signer=BEN.sign)


@pytest.mark.parametrize(
    ("key", "by_user", "by_anna"), [(STOLEN, FORGED, OK), (OTHERS, OK, FORGED)], ids=["team's", "user's"]
)
def test_58_different_keys_for_user_and_team_are_noticed_by_one_of_them(
    key: Secret, by_user: Verdict, by_anna: Verdict
) -> None:
    """One ciphertext commits to one key: whoever got the other raises the alarm and begins a new generation."""
    ticket = Ticket.begin()
    boxes = ticket.boxes(STOLEN, 1, user_key=OTHERS)
    item = ticket.log.add(two_keys(ticket, boxes, encrypted_under=key))
    assert ticket.user.read(item).verdict is by_user
    assert ticket.anna.read(item).verdict is by_anna
    cheated, other = (ticket.anna, ticket.user) if by_anna is FORGED else (ticket.user, ticket.anna)
    mended = ticket.say(cheated, Kind.REKEY, BarrierBody(()))
    assert (mended.verdict, mended.gen) == (OK, 2)
    assert ticket.say(other, Kind.MESSAGE, text("Now we both can read.")).verdict is OK
    assert not Entry.from_bytes(ticket.log.items[-1].entry).boxes


@pytest.mark.parametrize("place", [0, 1], ids=["the team's", "the user's"])
def test_78_a_box_that_the_relay_swapped_is_noticed_by_both(place: int) -> None:
    """The boxes are part of the context, so that neither side opens an entry whose boxes were changed."""
    ticket = Ticket.begin()
    ticket.team.do((EPOCH, [ANNA]))
    ticket.use_roster()
    entry = Entry.from_bytes(ticket.anna.seal(Kind.REKEY, BarrierBody(())))
    boxes = list(entry.boxes)
    boxes[place] = ticket.boxes(STOLEN, 1)[place]
    swapped = replace(entry, boxes=tuple(boxes)).to_bytes()
    opened = ticket.post(swapped)
    assert (opened.verdict, opened.reason) == (FORGED, "cannot_open")
    assert ticket.agree()
    assert not knows_the_answer(ticket)


@pytest.mark.parametrize("commitment_of", [0, 1])
def test_46_one_ciphertext_fits_one_commitment(commitment_of: int) -> None:
    """With one salt, the bytes for one key behind the commitment to the other open for neither reader."""
    ticket = Ticket.begin()
    ticket.anna.random = cast("Numbered", bytes)  # the same salt and message id twice
    boxes = ticket.boxes(STOLEN, 1, user_key=OTHERS)
    both = [Entry.from_bytes(two_keys(ticket, boxes, encrypted_under=key)) for key in (STOLEN, OTHERS)]
    parts = [entry.ciphertext for entry in both]
    mixed = parts[commitment_of][:64] + parts[1 - commitment_of][64:]
    opened = ticket.post(replace(both[0], ciphertext=mixed).to_bytes())
    assert (opened.verdict, opened.reason) == (FORGED, "cannot_open")
    assert ticket.agree()


# --- 74: what is signed is what was transported -----------------------------------------------------------


def test_74_a_signature_is_over_the_transported_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that only mean the same are not signed, even for a reader that would decode them."""
    ticket = Ticket.begin()
    honest = ticket.user.signer.key

    class Signer(SigningKey):
        """Signs the canonical form of what is sent in another one."""

        def __init__(self) -> None:
            self.public = honest.public

        def sign(self, tag: Tag, *parts: bytes) -> bytes:
            *before, last = parts
            return honest.sign(tag, *before, last[:1] + last[2:])

    item = ticket.log.add(ticket.craft(ticket.user, as_transported=loose, signer=Signer()))
    monkeypatch.setattr(canonical, "_pack", as_sent)
    opened = ticket.anna.conversation.receive(item)
    assert (opened.verdict, opened.reason) == (FORGED, "bad_signature")


class Alike(bytes):
    """Bytes that call any others equal."""

    def __ne__(self, other: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = bytes.__hash__


def as_sent(value: object) -> bytes:
    """Pack a value so that the check for the canonical form sees no difference."""
    return Alike(pack(value, use_bin_type=True))


# --- 32, 37, 71, 76: times, sizes, errors -----------------------------------------------------------------


@pytest.mark.parametrize("time", [0, NOW - 49 * 3600, NOW + 49 * 3600, 2**53 - 1])
def test_32_an_author_time_moves_nothing(time: int) -> None:
    """Order and rules go by chain and receipt; the author's time is there to be shown beside it."""
    ticket = Ticket.begin()
    opened = ticket.post(ticket.craft(ticket.user, time=time))
    assert opened.verdict is OK
    assert opened.inner is not None
    assert abs(opened.inner.time - opened.received) > CLOCK_WARNING
    assert ticket.anna.state.updated_at == opened.received


def test_37_a_reader_keeps_to_the_signed_size() -> None:
    """A file is what its manifest says: never a byte more, whatever stands behind it in the blob."""
    mailbox = MailboxId(bytes(16))
    sealer = Sealer.fresh(Plan(4000), mailbox, Numbered("file"))
    blob = sealer.seal_chunk(0, b"x" * 4000) + sealer.leaves()
    opener = Opener(replace(sealer.manifest("a.exe", "image/png"), size=3), mailbox)
    opener.load_leaves(blob[slice(*opener.leaves_range)])
    assert opener.open_chunk(0, blob[: opener.plan.sealed]) == b"xxx"


@pytest.mark.parametrize("kind", PLAIN_BODIES)
@pytest.mark.parametrize("size", [0, 300, 9_000])
def test_71_every_kind_has_an_allowed_size(kind: Kind, size: int) -> None:
    """A relay sees one of few sizes, and the smallest is the same for all kinds."""
    ticket = Ticket.begin()
    said = [name for name in ("text", "note") if hasattr(PLAIN_BODIES[kind], name)]
    body: Any = PLAIN_BODIES[kind]
    entry = Entry.from_bytes(ticket.anna.seal(kind, replace(body, **dict.fromkeys(said, "x" * size))))
    inside = len(entry.ciphertext) - CIPHERTEXT_OVERHEAD
    assert is_padded_size(inside)
    assert size or inside == BUCKET_MIN


@pytest.mark.parametrize(
    "error",
    [InvalidTag(), ValueError("x"), OverflowError("x"), UnicodeDecodeError("utf-8", b"x", 0, 1, "x")],
    ids=repr,
)
def test_76_whatever_a_library_throws_the_reader_goes_on(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that breaks a library is a forgery like any other."""

    def fail(*_: object) -> bytes:
        raise error

    ticket = Ticket.begin()
    item = ticket.log.add(ticket.user.seal(Kind.MESSAGE, text("hello")))
    monkeypatch.setattr(cae, "ChaCha20Poly1305", Mock(return_value=Mock(decrypt=fail)))
    opened = ticket.anna.read(item)
    assert (opened.verdict, opened.reason) == (FORGED, "cannot_open")


# --- 24, 25: another version, another kind ----------------------------------------------------------------


NEWER = {
    "version 0": (0, 0),
    "version 2": (0, 2),
    "suite 0": (1, 0),
    "suite 2": (1, 2),
    "direction 3": (3, 3),
}
INSIDE = {
    "version 0": (0, 0),
    "version 2": (0, 2),
    "kind 0": (1, 0),
    "kind 16": (1, 16),
    "kind 45": (1, 45),
}


@pytest.mark.parametrize(("place", "value"), NEWER.values(), ids=NEWER.keys())
def test_24_another_version_outside_is_a_hard_stop(place: int, value: int) -> None:
    """An older or newer entry is not followed and not skipped: nothing after it is believed either."""
    ticket = Ticket.begin()
    entry = changed(place, value)(ticket.craft(ticket.user))
    assert stops(ticket, entry) == "update_needed"


@pytest.mark.parametrize(("place", "value"), INSIDE.values(), ids=INSIDE.keys())
def test_25_an_unknown_kind_of_a_participant_is_a_hard_stop(place: int, value: int) -> None:
    """What a participant signed and this program does not know is never skipped."""
    ticket = Ticket.begin()
    assert stops(ticket, ticket.craft(ticket.user, as_transported=changed(place, value))) == "update_needed"


@pytest.mark.parametrize(("place", "value"), INSIDE.values(), ids=INSIDE.keys())
def test_25_an_unknown_kind_of_nobody_is_a_forgery(place: int, value: int) -> None:
    """Whoever can seal a box cannot stop a ticket by pretending to be newer."""
    ticket = Ticket.begin()
    entry = ticket.craft(
        ticket.user,
        key=STOLEN,
        gen=1,
        boxes=ticket.boxes(STOLEN, 1),
        signer=STRANGER,
        as_transported=changed(place, value),
    )
    opened = ticket.post(entry)
    assert (opened.verdict, opened.reason) == (FORGED, "bad_signature")


@pytest.mark.parametrize("who", ["user", "anna"])
def test_25_an_unknown_role_of_an_author_is_a_forgery(who: str) -> None:
    """Nobody knows whose key would have to sign, even if the name is one that a known role has."""
    ticket = Ticket.begin()
    side = ticket.user if who == "user" else ticket.anna
    unknown = changed(3, (2, side.signer.author.key))
    opened = ticket.post(ticket.craft(side, as_transported=unknown, direction=Direction.TEAM_TO_USER))
    assert (opened.verdict, opened.reason) == (FORGED, "bad_author")


# --- 40: a reply key that breaks whoever seals to it ------------------------------------------------------

GOOD = ANNA.kem.public
BAD_KEYS = {
    "zero": bytes(1216),
    "ML-KEM zero": bytes(1184) + GOOD[1184:],
    "X25519 zero": GOOD[:1184] + bytes(32),
}


@pytest.mark.parametrize("reply_key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_40_an_opening_with_a_bad_reply_key_is_no_ticket(reply_key: bytes) -> None:
    """It is found when it is read, so that nobody meets it while replying or re-keying."""
    ticket = Ticket.empty()
    opening = ticket.opening(reply_key=reply_key)
    boxes = ticket.boxes(STOLEN, 0)
    opened = ticket.post(ticket.craft(ticket.user, Kind.OPEN, opening, key=STOLEN, gen=0, boxes=boxes))
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "bad_reply_key")
    assert ticket.anna.thread.state is None
    with pytest.raises(SupportError) as error:
        ticket.anna.seal(Kind.MESSAGE, text("Hello?"))
    assert error.value.code == "bad_key"


# --- P6: somebody else's ticket "from support" ------------------------------------------------------------


def test_p6_a_third_party_cannot_plant_a_ticket_for_a_user() -> None:
    """In the user's client the first entry of the user's mailbox is the user's own or a forgery."""
    ticket = Ticket.empty()
    opening = ticket.opening(subject="From support: confirm your password")
    author = Author(AuthorRole.USER, STRANGER.public)
    entry = ticket.craft(
        ticket.user,
        Kind.OPEN,
        opening,
        key=STOLEN,
        gen=0,
        boxes=ticket.boxes(STOLEN, 0),
        author=author,
        signer=STRANGER,
    )
    opened = ticket.post(entry, reader=ticket.user)
    assert (opened.verdict, opened.reason, opened.inner) == (FORGED, "bad_author", None)
    assert ticket.user.thread.state is None


def test_p6_an_administrator_cannot_open_a_ticket_in_a_users_name() -> None:
    """An opening by a device is no ticket, and does not tell clients another author or reply key."""
    ticket = Ticket.empty()
    opening = ticket.opening(subject="From support", reply_key=BEN.kem.public)
    boxes = ticket.boxes(STOLEN, 0)
    author = Author(AuthorRole.DEVICE, BEN.device_id)
    entry = ticket.craft(
        ticket.anna, Kind.OPEN, opening, key=STOLEN, gen=0, boxes=boxes, author=author, signer=BEN.sign
    )
    opened = ticket.post(entry, reader=ticket.user)
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "not_allowed")
    assert ticket.user.thread.state is None
    assert ticket.user.conversation.author_key == ticket.keys.author.public
    assert ticket.anna.conversation.reply_key is None


# --- 91: a key that nobody of the ticket has made ---------------------------------------------------------


def planted_key(ticket: Ticket, head: Head, gen: int = 1) -> bytes:
    """Return an entry that needs public keys alone: a box for the team, and a signature by nobody."""
    team_box, _ = ticket.boxes(STOLEN, gen)
    boxes = (team_box, Box(Recipient.USER, 0, b"junk"))
    return ticket.craft(ticket.anna, key=STOLEN, gen=gen, boxes=boxes, signer=STRANGER, roster_head=head)


@pytest.mark.parametrize("known_head", [True, False])
def test_91_a_relay_cannot_plant_a_ticket_key(known_head: bool) -> None:
    """Team boxes can be sealed by anyone, so a key counts only from an entry whose signature holds."""
    ticket = Ticket.begin()
    head = ticket.team.roster.head if known_head else Head(1, ticket.log.chain.hash)
    opened = ticket.post(planted_key(ticket, head))
    assert opened.verdict in {FORGED, UNVERIFIABLE}
    assert not knows_the_answer(ticket)
    assert Entry.from_bytes(ticket.log.items[-1].entry).gen == 2
    assert ticket.agree() or not known_head


def test_91_without_a_signature_the_relay_reads_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defence is the signature: unchecked, the planted key would be used."""
    monkeypatch.setattr(log_reader, "require_signature", nothing)
    ticket = Ticket.begin()
    ticket.post(planted_key(ticket, ticket.team.roster.head))
    assert knows_the_answer(ticket)


# --- 92: a removed administrator begins a key generation --------------------------------------------------


def key_of_the_removed(ticket: Ticket, *, answered: bool) -> bytes:
    """Return a re-key that ben, removed by now, dates back to when he belonged to the team."""
    head = ticket.team.roster.head
    ticket.team.remove(BEN, ANNA)
    ticket.use_roster()
    if answered:
        ticket.say(ticket.anna, Kind.MESSAGE, text("Ben has left."))
    gen = ticket.anna.conversation.gen + 1
    boxes = ticket.boxes(STOLEN, gen)
    author = Author(AuthorRole.DEVICE, BEN.device_id)
    return ticket.craft(
        ticket.anna, key=STOLEN, gen=gen, boxes=boxes, signer=BEN.sign, author=author, roster_head=head
    )


@pytest.mark.parametrize(("answered", "reason"), [(False, "wrong_epoch"), (True, "older_roster")])
def test_92_a_removed_device_cannot_set_the_key_of_what_follows(answered: bool, reason: str) -> None:
    """Boxes name the newest epoch at the cited head, and that is an old one for whoever was removed."""
    ticket = Ticket.begin()
    opened = ticket.post(key_of_the_removed(ticket, answered=answered))
    assert (opened.verdict, opened.reason) == (NONCONFORMING, reason)
    assert not knows_the_answer(ticket)
    assert ticket.agree()


def test_92_without_the_rule_the_removed_device_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """With boxes that name any epoch the next writer would believe the ticket to be under the newest."""
    monkeypatch.setattr(Conversation, "_is_newest", always)
    ticket = Ticket.begin()
    ticket.post(key_of_the_removed(ticket, answered=False))
    assert knows_the_answer(ticket)


def test_92_an_honest_box_under_the_old_epoch_is_replaced_at_once() -> None:
    """A removed device may still bring a key under its own epoch; the next writer sees a newer one."""
    ticket = Ticket.begin()
    head, old = ticket.team.roster.head, ticket.team.roster.epoch
    ticket.team.remove(BEN, ANNA)
    ticket.use_roster()
    boxes = ticket.boxes(STOLEN, 1, epoch=old)
    author = Author(AuthorRole.DEVICE, BEN.device_id)
    ticket.post(
        ticket.craft(
            ticket.anna, key=STOLEN, gen=1, boxes=boxes, signer=BEN.sign, author=author, roster_head=head
        )
    )
    assert not knows_the_answer(ticket)


# --- 93: a box that holds something else than a key -------------------------------------------------------


@pytest.mark.parametrize("size", [0, 31, 33, 96])
def test_93_a_box_with_a_key_of_another_size_stops_no_reader(size: int) -> None:
    """What opens and is no key is like what does not open; the console goes on reading."""
    ticket = Ticket.begin()
    boxes = ticket.boxes(Secret(bytes(size)), 1)
    opened = ticket.post(ticket.craft(ticket.user, key=STOLEN, gen=1, boxes=boxes))
    assert (opened.verdict, opened.reason) == (FORGED, "cannot_open")
    assert ticket.say(ticket.user, Kind.MESSAGE, text("Still here?")).verdict is OK
    assert ticket.agree()


# --- 94: a roster head that does not exist ----------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 2, 2**53 - 1])
def test_94_an_invented_roster_head_does_not_outdate_the_true_one(length: int) -> None:
    """Cited heads never go back, but only a head that the roster went through counts."""
    ticket = Ticket.begin()
    item = ticket.log.add(ticket.craft(ticket.user, roster_head=Head(length, ticket.log.chain.hash)))
    for side in (ticket.user, ticket.anna):
        opened = side.read(item, accept_strange=True)
        assert (opened.verdict, opened.reason) == (UNVERIFIABLE, "unknown_roster_head")
    assert ticket.say(ticket.anna, Kind.CLOSE, CloseBody("Spam.", "")).verdict is OK
    assert ticket.agree()


# --- 95: who says what is believed of a removed device ----------------------------------------------------


def dated_back(ticket: Ticket, kind: Kind, body: Message) -> bytes:
    """Return what ben, who was removed, dates back to before his removal."""
    author = Author(AuthorRole.DEVICE, BEN.device_id)
    head = head_of(ticket, 1)
    return ticket.craft(ticket.anna, kind, body, author=author, signer=BEN.sign, roster_head=head)


@pytest.mark.parametrize("who", ["the user", "the removed device", "an auditor", "who quotes falsely"])
def test_95_only_a_device_that_stands_after_a_removal_says_what_is_believed(who: str) -> None:
    """A barrier of anybody else is no barrier, even for a reader that heard of the removal too late."""
    ticket = Ticket.begin()
    removal = ticket.team.remove(BEN, ANNA).revocation_of(BEN.device_id)
    assert removal is not None
    everything = BarrierBody((BarrierItem(removal[1], 2**53 - 1),))
    if who == "the removed device":
        ticket.post(dated_back(ticket, Kind.BARRIER, everything))
    ticket.use_roster()
    late = ticket.post(dated_back(ticket, Kind.MESSAGE, text("I never left.")))
    if who == "the user":
        ticket.post(ticket.craft(ticket.user, Kind.REKEY, everything))
    if who == "an auditor":
        author = Author(AuthorRole.DEVICE, AUDITOR.device_id)
        ticket.post(ticket.craft(ticket.anna, Kind.BARRIER, everything, author=author, signer=AUDITOR.sign))
    if who == "who quotes falsely":
        ticket.post(ticket.craft(ticket.anna, Kind.BARRIER, everything, receipt=b""))
    assert ticket.anna.verdicts[late.seq] == (UNVERIFIABLE, "removed_device")
    assert ticket.agree()
