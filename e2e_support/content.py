"""What stands inside the ciphertext: the signed inner part of an entry and one body per entry kind.

Field order is wire order. A relay never loads this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from e2e_support.codec import Bin, Choice, Items, Message, Text, Uint
from e2e_support.ids import BlobId, Hash, MailboxId, MemberId, MessageId
from e2e_support.limits import (
    ATTACHMENTS_MAX,
    BODY_MAX,
    DEBUG_MAX,
    FILE_MAX,
    FILE_NAME_MAX,
    ID_TEXT_MAX,
    INNER_MAX,
    KIB,
    NAME_MAX,
    RECEIPT_MAX,
    SUBJECT_MAX,
    TAGS_MAX,
    TEXT_MAX,
)
from e2e_support.vocab import AuthorRole, Kind, SettingKind
from e2e_support.wire import B16, B32, KEM_PK, SIG, Head


@dataclass(frozen=True, slots=True)
class Author(Message):
    """Who signed: the ticket's own author key (32 B) or a roster device (16 B id)."""

    LIMIT: ClassVar[int] = 64
    role: Annotated[AuthorRole, Choice(AuthorRole, later=True)]
    key: Annotated[bytes, Bin((16, 32))]


@dataclass(frozen=True, slots=True)
class Attachment(Message):
    """An attachment's manifest: all that is needed to fetch, check and open one blob (protocol 6)."""

    LIMIT: ClassVar[int] = 2 * KIB
    name: Annotated[str, Text(FILE_NAME_MAX)]
    media_type: Annotated[str, Text(NAME_MAX)]
    size: Annotated[int, Uint(FILE_MAX)]
    blob_id: Annotated[BlobId, B16]
    key: Annotated[bytes, B32]
    salt: Annotated[bytes, B32]
    commitment: Annotated[bytes, B32]
    root: Annotated[Hash, B32]


@dataclass(frozen=True, slots=True)
class Inner(Message):
    """The part of an entry that its author signs (protocol 5.3).

    Version and kind may be unknown here: only a participant's signature makes them a reason to ask for an update.
    """

    LIMIT: ClassVar[int] = INNER_MAX
    version: Annotated[int, Uint()]
    kind: Annotated[Kind, Choice(Kind, later=True)]
    message_id: Annotated[MessageId, B16]
    author: Annotated[Author, Author]
    roster_head: Annotated[Head, Head]
    receipt: Annotated[bytes, Bin(most=RECEIPT_MAX)]
    time: Annotated[int, Uint()]
    previous_key: Annotated[bytes, Bin((0, 32))]
    body: Annotated[bytes, Bin(most=BODY_MAX)]
    attachments: Annotated[tuple[Attachment, ...], Items(Attachment, ATTACHMENTS_MAX)]


@dataclass(frozen=True, slots=True)
class SignedInner(Message):
    """What is padded and encrypted: the inner part's bytes as they were signed, and the signature."""

    LIMIT: ClassVar[int] = INNER_MAX + 128
    inner: Annotated[bytes, Bin(most=INNER_MAX)]
    signature: Annotated[bytes, SIG]


@dataclass(frozen=True, slots=True)
class Pair(Message):
    """A named value: an extra field, or an item of a user's profile."""

    LIMIT: ClassVar[int] = 8 * KIB
    name: Annotated[str, Text(ID_TEXT_MAX)]
    value: Annotated[str, Text(1000)]


# --- shared log ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenBody(Message):
    """The first entry of a ticket. Empty text means "none" for priority, related and attestation.

    ``user_key`` and ``user_proof`` say that one user opened several tickets, to the team alone; both may be empty.
    """

    LIMIT: ClassVar[int] = BODY_MAX
    subject: Annotated[str, Text(SUBJECT_MAX)]
    text: Annotated[str, Text(TEXT_MAX)]
    category: Annotated[str, Text(ID_TEXT_MAX)]
    priority: Annotated[str, Text(ID_TEXT_MAX)]
    fields: Annotated[tuple[Pair, ...], Items(Pair, 32)]
    profile: Annotated[tuple[Pair, ...], Items(Pair, 16)]
    attestation: Annotated[bytes, Bin(most=2 * KIB)]
    related: Annotated[str, Text(ID_TEXT_MAX)]
    debug: Annotated[bytes, Bin(most=DEBUG_MAX)]
    reply_key: Annotated[bytes, KEM_PK]
    user_key: Annotated[bytes, Bin((0, 32))] = b""
    user_proof: Annotated[bytes, Bin((0, 64))] = b""


@dataclass(frozen=True, slots=True)
class OpenForBody(Message):
    """The first entry of a ticket that the team opens for a user, whose ``SignedCard`` it holds."""

    LIMIT: ClassVar[int] = BODY_MAX
    card: Annotated[bytes, Bin(most=2 * KIB)]
    subject: Annotated[str, Text(SUBJECT_MAX)]
    text: Annotated[str, Text(TEXT_MAX)]
    category: Annotated[str, Text(ID_TEXT_MAX)]
    priority: Annotated[str, Text(ID_TEXT_MAX)]
    fields: Annotated[tuple[Pair, ...], Items(Pair, 32)]
    as_team: Annotated[int, Uint(1)]


@dataclass(frozen=True, slots=True)
class MessageBody(Message):
    """A message of either side; ``as_team`` asks clients to show the team instead of the administrator."""

    LIMIT: ClassVar[int] = BODY_MAX
    text: Annotated[str, Text(TEXT_MAX)]
    as_team: Annotated[int, Uint(1)]


@dataclass(frozen=True, slots=True)
class StatusBody(Message):
    """Sets or clears the shared flags: 0 leaves, 1 clears, 2 sets."""

    LIMIT: ClassVar[int] = 64
    progress: Annotated[int, Uint(2)]
    waiting_user: Annotated[int, Uint(2)]


@dataclass(frozen=True, slots=True)
class FieldsBody(Message):
    """Changes shared facts; empty text leaves one as it is, an assignee of 16 zero bytes means nobody."""

    LIMIT: ClassVar[int] = BODY_MAX
    category: Annotated[str, Text(ID_TEXT_MAX)]
    priority: Annotated[str, Text(ID_TEXT_MAX)]
    assignee: Annotated[bytes, Bin((0, 16))]
    fields: Annotated[tuple[Pair, ...], Items(Pair, 32)]


@dataclass(frozen=True, slots=True)
class ResolutionBody(Message):
    """Marks a ticket resolved, with the note that stays pinned."""

    LIMIT: ClassVar[int] = BODY_MAX
    note: Annotated[str, Text(TEXT_MAX)]


@dataclass(frozen=True, slots=True)
class CloseBody(Message):
    """Closes a ticket; the note may be empty unless the policy wants one."""

    LIMIT: ClassVar[int] = BODY_MAX
    note: Annotated[str, Text(TEXT_MAX)]
    reason: Annotated[str, Text(ID_TEXT_MAX)]


@dataclass(frozen=True, slots=True)
class ReopenBody(Message):
    """Reopens a ticket with the message that says why."""

    LIMIT: ClassVar[int] = BODY_MAX
    text: Annotated[str, Text(TEXT_MAX)]


@dataclass(frozen=True, slots=True)
class MergeBody(Message):
    """Ends a ticket that goes on in another one of the same user, with that other one's proof (protocol 5.8)."""

    LIMIT: ClassVar[int] = BODY_MAX
    into: Annotated[MailboxId, B16]
    author_key: Annotated[bytes, B32]
    user_proof: Annotated[bytes, SIG]
    note: Annotated[str, Text(TEXT_MAX)]


@dataclass(frozen=True, slots=True)
class BarrierItem(Message):
    """Up to which sequence number a console had stored entries before it saw a revocation (protocol 4.8)."""

    LIMIT: ClassVar[int] = 64
    revocation: Annotated[Hash, B32]
    accept_upto: Annotated[int, Uint()]


@dataclass(frozen=True, slots=True)
class BarrierBody(Message):
    """Body of barrier and re-key entries."""

    LIMIT: ClassVar[int] = BODY_MAX
    items: Annotated[tuple[BarrierItem, ...], Items(BarrierItem, 256)]


@dataclass(frozen=True, slots=True)
class EmptyBody(Message):
    """Body of kinds that say all by their kind."""

    LIMIT: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class RedactBody(Message):
    """Names an earlier entry whose bytes may be replaced by its hash."""

    LIMIT: ClassVar[int] = 64
    seq: Annotated[int, Uint()]
    hash: Annotated[Hash, B32]


# --- staff log: every body names the shared head it was written against ------------------------------------


@dataclass(frozen=True, slots=True)
class StaffOpenBody(Message):
    """The first entry of a staff log."""

    LIMIT: ClassVar[int] = 128
    shared: Annotated[Head, Head]


@dataclass(frozen=True, slots=True)
class NoteBody(Message):
    """An internal note with the members it mentions."""

    LIMIT: ClassVar[int] = BODY_MAX
    shared: Annotated[Head, Head]
    text: Annotated[str, Text(TEXT_MAX)]
    mentions: Annotated[tuple[MemberId, ...], Items(B16, 32)]


@dataclass(frozen=True, slots=True)
class TagBody(Message):
    """Adds and removes tags."""

    LIMIT: ClassVar[int] = 32 * KIB
    shared: Annotated[Head, Head]
    add: Annotated[tuple[str, ...], Items(Text(ID_TEXT_MAX), TAGS_MAX)]
    remove: Annotated[tuple[str, ...], Items(Text(ID_TEXT_MAX), TAGS_MAX)]


@dataclass(frozen=True, slots=True)
class AssignBody(Message):
    """Assigns a ticket where users do not see to whom; 16 zero bytes mean nobody."""

    LIMIT: ClassVar[int] = 128
    shared: Annotated[Head, Head]
    assignee: Annotated[bytes, B16]


@dataclass(frozen=True, slots=True)
class FlagBody(Message):
    """Sets or clears what the kind says (hold, archive, spam), with the reason for it."""

    LIMIT: ClassVar[int] = BODY_MAX
    shared: Annotated[Head, Head]
    on: Annotated[int, Uint(1)]
    reason: Annotated[str, Text(TEXT_MAX)]


@dataclass(frozen=True, slots=True)
class SnoozeBody(Message):
    """Puts a ticket out of sight until a time in seconds since 1970; 0 wakes it."""

    LIMIT: ClassVar[int] = 128
    shared: Annotated[Head, Head]
    until: Annotated[int, Uint()]


@dataclass(frozen=True, slots=True)
class RelationBody(Message):
    """Joins a ticket to another one, or parts them; users learn nothing of it."""

    LIMIT: ClassVar[int] = 128
    shared: Annotated[Head, Head]
    other: Annotated[MailboxId, B16]
    on: Annotated[int, Uint(1)]


# --- team space: what the team shares besides tickets (protocol 4.13) ---------------------------------------


@dataclass(frozen=True, slots=True)
class ReadMark(Message):
    """Up to which entry, not included, a member has read a ticket."""

    LIMIT: ClassVar[int] = 64
    ticket: Annotated[MailboxId, B16]
    upto: Annotated[int, Uint()]


@dataclass(frozen=True, slots=True)
class ReadMarksBody(Message):
    """What a member has read, told to the member's other devices."""

    LIMIT: ClassVar[int] = 32 * KIB
    marks: Annotated[tuple[ReadMark, ...], Items(ReadMark, 512)]


@dataclass(frozen=True, slots=True)
class ProposalBody(Message):
    """A ``Batch`` that waits for signatures in the team space (protocol 4.6)."""

    LIMIT: ClassVar[int] = BODY_MAX
    batch: Annotated[bytes, Bin(most=BODY_MAX - 8)]


@dataclass(frozen=True, slots=True)
class SettingBody(Message):
    """A snippet (``text``), a macro or a saved view (``items``); the newest of one kind and id counts."""

    LIMIT: ClassVar[int] = BODY_MAX
    setting: Annotated[SettingKind, Choice(SettingKind)]
    id: Annotated[str, Text(ID_TEXT_MAX)]
    removed: Annotated[int, Uint(1)]
    title: Annotated[str, Text(NAME_MAX)]
    text: Annotated[str, Text(TEXT_MAX)]
    items: Annotated[tuple[Pair, ...], Items(Pair, 32)]


@dataclass(frozen=True, slots=True)
class ClaimBody(Message):
    """A device takes it on to do something once that leaves no trace in a ticket, such as a mail."""

    LIMIT: ClassVar[int] = 256
    what: Annotated[str, Text(ID_TEXT_MAX)]
    ticket: Annotated[MailboxId, B16]
    seq: Annotated[int, Uint()]


StaffBody = NoteBody | TagBody | AssignBody | FlagBody | SnoozeBody | RelationBody
"""What people write to a staff log."""

STAFF_BODIES: dict[Kind, type[StaffBody]] = {
    Kind.NOTE: NoteBody,
    Kind.TAG: TagBody,
    Kind.ASSIGN: AssignBody,
    Kind.HOLD: FlagBody,
    Kind.ARCHIVE: FlagBody,
    Kind.SPAM: FlagBody,
    Kind.SNOOZE: SnoozeBody,
    Kind.LINK: RelationBody,
}

BODIES: dict[Kind, type[Message]] = {
    Kind.OPEN: OpenBody,
    Kind.MESSAGE: MessageBody,
    Kind.STATUS: StatusBody,
    Kind.FIELDS: FieldsBody,
    Kind.RESOLUTION: ResolutionBody,
    Kind.CLOSE: CloseBody,
    Kind.REOPEN: ReopenBody,
    Kind.BARRIER: BarrierBody,
    Kind.REKEY: BarrierBody,
    Kind.ACKNOWLEDGEMENT: EmptyBody,
    Kind.REDACT: RedactBody,
    Kind.DUMMY: EmptyBody,
    Kind.MERGE: MergeBody,
    Kind.OPEN_FOR: OpenForBody,
    Kind.AUTO_CLOSE: EmptyBody,
    Kind.STAFF_OPEN: StaffOpenBody,
    **STAFF_BODIES,
    Kind.READ_MARK: ReadMarksBody,
    Kind.PROPOSAL: ProposalBody,
    Kind.SETTING: SettingBody,
    Kind.CLAIM: ClaimBody,
}
