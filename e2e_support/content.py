"""What stands inside the ciphertext: the signed inner part of an entry and one body per entry kind.

Field order is wire order. A relay never loads this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from e2e_support.codec import Bin, Choice, Items, Message, Text, Uint
from e2e_support.ids import BlobId, DeviceId, Hash, MessageId
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
    TEXT_MAX,
)
from e2e_support.vocab import AuthorRole, Kind
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
    """The first entry of a ticket. Empty text means "none" for priority, related and attestation."""

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
class ProposalBody(Message):
    """A ``Batch`` that waits for signatures in the team space (protocol 4.6)."""

    LIMIT: ClassVar[int] = BODY_MAX
    batch: Annotated[bytes, Bin(most=BODY_MAX - 8)]


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
    """An internal note with the devices it mentions."""

    LIMIT: ClassVar[int] = BODY_MAX
    shared: Annotated[Head, Head]
    text: Annotated[str, Text(TEXT_MAX)]
    mentions: Annotated[tuple[DeviceId, ...], Items(B16, 32)]


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
    Kind.STAFF_OPEN: StaffOpenBody,
    Kind.NOTE: NoteBody,
    Kind.PROPOSAL: ProposalBody,
}
