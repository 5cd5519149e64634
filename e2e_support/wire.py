"""What stands on the wire in the clear: one frozen dataclass per message that a relay can see.

Field order is wire order. What stands inside the ciphertext is in ``content.py``, which a relay never loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from e2e_support.codec import Bin, Choice, Items, Message, Text, Uint
from e2e_support.ids import ID_SIZE, BlobId, DeviceId, Hash, MailboxId, MemberId, RelayKeyId, TeamId
from e2e_support.limits import (
    ARRAY_MAX,
    BLOB_MAX,
    BOX_MAX,
    DEVICES_MAX,
    ENTRY_MAX,
    ID_TEXT_MAX,
    KIB,
    LINK_MAX,
    MIB,
    NAME_MAX,
    PAGE_BYTES_MAX,
    PAGE_ITEMS_MAX,
    POLICY_MAX,
    RECEIPT_MAX,
    RECEIPT_PATH_MAX,
    RING_MAX,
    WORK_BITS_MAX,
)
from e2e_support.vocab import AdmissionMode, Direction, LinkType, Recipient, Role

B16 = Bin((16,))
B32 = Bin((32,))
SIG = Bin((64,))
SIGN_PK = Bin((32,))
KEM_PK = Bin((1216,))


# --- mailboxes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box(Message):
    """One key sealed for one recipient (protocol 5.2). A user box has epoch 0."""

    LIMIT: ClassVar[int] = 2 * KIB
    recipient: Annotated[Recipient, Choice(Recipient)]
    epoch: Annotated[int, Uint()]
    sealed: Annotated[bytes, Bin(most=BOX_MAX)]


@dataclass(frozen=True, slots=True)
class Entry(Message):
    """One link of a mailbox's chain as the relay stores it (protocol 3.1)."""

    LIMIT: ClassVar[int] = ENTRY_MAX
    version: Annotated[int, Uint()]
    suite: Annotated[int, Uint()]
    gen: Annotated[int, Uint()]
    direction: Annotated[Direction, Choice(Direction)]
    boxes: Annotated[tuple[Box, ...], Items(Box, 2)]
    ciphertext: Annotated[bytes, Bin(most=ENTRY_MAX)]


@dataclass(frozen=True, slots=True)
class Head(Message):
    """How far a chain goes: its number of entries or links and the hash of the last one."""

    LIMIT: ClassVar[int] = 64
    length: Annotated[int, Uint()]
    hash: Annotated[Hash, B32]


@dataclass(frozen=True, slots=True)
class Create(Message):
    """Opens a mailbox; signed as a request by the creation key (protocol 3.2).

    ``user_key`` is the capability of the user class, or empty where no user may write or read.
    """

    LIMIT: ClassVar[int] = 1 * KIB
    creation_key: Annotated[bytes, SIGN_PK]
    user_key: Annotated[bytes, Bin((0, 32))]
    team: Annotated[int, Uint(1)]
    team_id: Annotated[TeamId, B32]
    day: Annotated[int, Uint()]
    mode: Annotated[AdmissionMode, Choice(AdmissionMode)]
    proof: Annotated[bytes, Bin(most=512)]


@dataclass(frozen=True, slots=True)
class Append(Message):
    """Compare-and-append: refused unless ``seq`` and ``prev_hash`` are the mailbox's head (protocol 3.3)."""

    LIMIT: ClassVar[int] = ENTRY_MAX + 2 * KIB
    seq: Annotated[int, Uint()]
    prev_hash: Annotated[Hash, B32]
    entry: Annotated[bytes, Bin(most=ENTRY_MAX)]
    blobs: Annotated[tuple[BlobId, ...], Items(B16, 32)]


@dataclass(frozen=True, slots=True)
class PathStep(Message):
    """One sibling on the way from a receipt's leaf to the signed root; ``right`` says on which side it stands."""

    LIMIT: ClassVar[int] = 64
    right: Annotated[int, Uint(1)]
    hash: Annotated[Hash, B32]


@dataclass(frozen=True, slots=True)
class ReceiptLeaf(Message):
    """What a receipt asserts (protocol 3.4). ``time`` is in seconds since 1970 and never decreases in a mailbox."""

    LIMIT: ClassVar[int] = 256
    mailbox_id: Annotated[MailboxId, B16]
    seq: Annotated[int, Uint()]
    entry_hash: Annotated[Hash, B32]
    time: Annotated[int, Uint()]
    relay_key_id: Annotated[RelayKeyId, B16]


@dataclass(frozen=True, slots=True)
class Receipt(Message):
    """The relay's signed word that an entry stands at a place since a time."""

    LIMIT: ClassVar[int] = RECEIPT_MAX
    leaf: Annotated[ReceiptLeaf, ReceiptLeaf]
    path: Annotated[tuple[PathStep, ...], Items(PathStep, RECEIPT_PATH_MAX)]
    signature: Annotated[bytes, SIG]


@dataclass(frozen=True, slots=True)
class Stored(Message):
    """One stored entry with its receipt, both as the bytes that were hashed and signed."""

    LIMIT: ClassVar[int] = ENTRY_MAX + RECEIPT_MAX + 64
    entry: Annotated[bytes, Bin(most=ENTRY_MAX)]
    receipt: Annotated[bytes, Bin(most=RECEIPT_MAX)]


@dataclass(frozen=True, slots=True)
class Page(Message):
    """Answer to a read: the mailbox's head and consecutive entries from the sequence number asked for."""

    LIMIT: ClassVar[int] = PAGE_BYTES_MAX + ENTRY_MAX
    head: Annotated[Head, Head]
    items: Annotated[tuple[Stored, ...], Items(Stored, PAGE_ITEMS_MAX)]


@dataclass(frozen=True, slots=True)
class Ring(Message):
    """A notification envelope: which mailbox has which newest sequence number, and nothing else."""

    LIMIT: ClassVar[int] = 64
    mailbox_id: Annotated[MailboxId, B16]
    seq: Annotated[int, Uint()]


@dataclass(frozen=True, slots=True)
class FeedItem(Message):
    """One step of a team's feed: the cursor grows by one with every entry in any of its mailboxes."""

    LIMIT: ClassVar[int] = 64
    cursor: Annotated[int, Uint()]
    mailbox_id: Annotated[MailboxId, B16]
    seq: Annotated[int, Uint()]


@dataclass(frozen=True, slots=True)
class FeedPage(Message):
    """Answer to a feed read: consecutive steps after the cursor asked for, and the newest cursor there is."""

    LIMIT: ClassVar[int] = 256 * KIB
    newest: Annotated[int, Uint()]
    items: Annotated[tuple[FeedItem, ...], Items(FeedItem, ARRAY_MAX)]


@dataclass(frozen=True, slots=True)
class Session(Message):
    """A bearer token for reads and streams, bound to one capability; ``expires`` in seconds since 1970."""

    LIMIT: ClassVar[int] = 128
    token: Annotated[bytes, B32]
    expires: Annotated[int, Uint()]


# --- blobs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BlobSize(Message):
    """Declares a blob before its pieces: its whole size in bytes."""

    LIMIT: ClassVar[int] = 32
    size: Annotated[int, Uint(BLOB_MAX, 1)]


@dataclass(frozen=True, slots=True)
class BlobState(Message):
    """What of a declared blob the relay holds: size, whether complete, and the indices still missing."""

    LIMIT: ClassVar[int] = 32 * KIB
    size: Annotated[int, Uint(BLOB_MAX, 1)]
    complete: Annotated[int, Uint(1)]
    missing: Annotated[tuple[int, ...], Items(Uint(), ARRAY_MAX)]


# --- relay and admission ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RelayInfo(Message):
    """What a relay says of itself to anyone: protocol versions, its receipt key, its clock in seconds."""

    LIMIT: ClassVar[int] = 256
    version_low: Annotated[int, Uint()]
    version_high: Annotated[int, Uint()]
    relay_key: Annotated[bytes, SIGN_PK]
    time: Annotated[int, Uint()]


@dataclass(frozen=True, slots=True)
class AdmissionTerms(Message):
    """What creating a mailbox costs right now: mode, leading zero bits of work, day number (UTC)."""

    LIMIT: ClassVar[int] = 64
    mode: Annotated[AdmissionMode, Choice(AdmissionMode)]
    bits: Annotated[int, Uint(WORK_BITS_MAX)]
    day: Annotated[int, Uint()]


# --- roster ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeviceRecord(Message):
    """One administrator's device. ``member_id`` is the id of the person's first device."""

    LIMIT: ClassVar[int] = 4 * KIB
    device_id: Annotated[DeviceId, B16]
    member_id: Annotated[MemberId, B16]
    role: Annotated[Role, Choice(Role)]
    sign_key: Annotated[bytes, SIGN_PK]
    kem_key: Annotated[bytes, KEM_PK]
    label: Annotated[str, Text(NAME_MAX)]
    languages: Annotated[tuple[str, ...], Items(Text(ID_TEXT_MAX), 16)]


@dataclass(frozen=True, slots=True)
class BoxHash(Message):
    """Ties an epoch box, stored beside the roster, to the signed link."""

    LIMIT: ClassVar[int] = 64
    device_id: Annotated[DeviceId, B16]
    hash: Annotated[Hash, B32]


@dataclass(frozen=True, slots=True)
class EpochRecord(Message):
    """A team epoch: its public keys, the commitment to its seed, the hashes of its boxes and ring.

    ``ring_hash`` is 32 zero bytes where there is no ring.
    """

    LIMIT: ClassVar[int] = 64 * KIB
    epoch: Annotated[int, Uint()]
    kem_key: Annotated[bytes, KEM_PK]
    capability_key: Annotated[bytes, SIGN_PK]
    commitment: Annotated[Hash, B32]
    boxes: Annotated[tuple[BoxHash, ...], Items(BoxHash, DEVICES_MAX)]
    ring_hash: Annotated[Hash, B32]


@dataclass(frozen=True, slots=True)
class EpochBox(Message):
    """The epoch's secrets sealed for one device."""

    LIMIT: ClassVar[int] = 2 * KIB
    device_id: Annotated[DeviceId, B16]
    sealed: Annotated[bytes, Bin(most=BOX_MAX)]


@dataclass(frozen=True, slots=True)
class EpochPackage(Message):
    """An epoch's boxes and ring: public ciphertext beside the roster; ``ring`` is empty where there is none."""

    LIMIT: ClassVar[int] = 1 * MIB
    epoch: Annotated[int, Uint()]
    boxes: Annotated[tuple[EpochBox, ...], Items(EpochBox, DEVICES_MAX)]
    ring: Annotated[bytes, Bin(most=RING_MAX)]


@dataclass(frozen=True, slots=True)
class Genesis(Message):
    """Payload of a roster's first link; the hash of its body is the team id."""

    LIMIT: ClassVar[int] = LINK_MAX
    name: Annotated[str, Text(NAME_MAX)]
    devices: Annotated[tuple[DeviceRecord, ...], Items(DeviceRecord, DEVICES_MAX)]
    threshold: Annotated[int, Uint(DEVICES_MAX, 1)]
    epoch: Annotated[EpochRecord, EpochRecord]
    relay_keys: Annotated[tuple[bytes, ...], Items(SIGN_PK, 8)]
    policy: Annotated[bytes, Bin(most=POLICY_MAX)]


@dataclass(frozen=True, slots=True)
class LinkBody(Message):
    """What a roster link's signers sign. ``payload`` is the canonical encoding of the type's own message.

    ``team_id`` is 32 zero bytes in the genesis, ``prev_hash`` likewise.
    """

    LIMIT: ClassVar[int] = LINK_MAX
    version: Annotated[int, Uint()]
    suite: Annotated[int, Uint()]
    team_id: Annotated[TeamId, B32]
    seq: Annotated[int, Uint()]
    prev_hash: Annotated[Hash, B32]
    time: Annotated[int, Uint()]
    type: Annotated[LinkType, Choice(LinkType)]
    payload: Annotated[bytes, Bin(most=LINK_MAX)]


@dataclass(frozen=True, slots=True)
class DeviceSignature(Message):
    """A signature with the roster device that made it."""

    LIMIT: ClassVar[int] = 128
    device_id: Annotated[DeviceId, B16]
    signature: Annotated[bytes, SIG]


@dataclass(frozen=True, slots=True)
class Link(Message):
    """A roster link: the body's bytes as they were signed, and the signatures."""

    LIMIT: ClassVar[int] = LINK_MAX + 32 * KIB
    body: Annotated[bytes, Bin(most=LINK_MAX)]
    signatures: Annotated[tuple[DeviceSignature, ...], Items(DeviceSignature, DEVICES_MAX)]


@dataclass(frozen=True, slots=True)
class Offer(Message):
    """What an inviter says of the device that is to join (protocol 4.10).

    ``member_id`` is whose further device it is, or empty for a new member; ``expires`` is when it stops being valid.
    """

    LIMIT: ClassVar[int] = 1 * KIB
    role: Annotated[Role, Choice(Role)]
    label: Annotated[str, Text(NAME_MAX)]
    member_id: Annotated[bytes, Bin((0, ID_SIZE))]
    expires: Annotated[int, Uint()]


@dataclass(frozen=True, slots=True)
class LinksPage(Message):
    """Consecutive roster links and the number of links there are."""

    LIMIT: ClassVar[int] = 4 * MIB
    length: Annotated[int, Uint()]
    links: Annotated[tuple[bytes, ...], Items(Bin(most=LINK_MAX + 32 * KIB), PAGE_ITEMS_MAX)]


@dataclass(frozen=True, slots=True)
class Batch(Message):
    """Roster links that stand or fall together, with the boxes of the epochs they begin (protocol 4.6)."""

    LIMIT: ClassVar[int] = 4 * MIB
    links: Annotated[tuple[bytes, ...], Items(Bin(most=LINK_MAX + 32 * KIB), 64)]
    packages: Annotated[tuple[EpochPackage, ...], Items(EpochPackage, 64)]


@dataclass(frozen=True, slots=True)
class Found(Message):
    """Founds a team on a relay: the one-time code, the genesis link and its epoch's boxes."""

    LIMIT: ClassVar[int] = 2 * MIB
    code: Annotated[str, Text(ID_TEXT_MAX)]
    batch: Annotated[Batch, Batch]


@dataclass(frozen=True, slots=True)
class FreshnessBody(Message):
    """States that a roster head is the newest one until ``expires`` (seconds since 1970)."""

    LIMIT: ClassVar[int] = 256
    team_id: Annotated[TeamId, B32]
    head: Annotated[Head, Head]
    issued: Annotated[int, Uint()]
    expires: Annotated[int, Uint()]


@dataclass(frozen=True, slots=True)
class Freshness(Message):
    """A freshness statement: the body's bytes as they were signed, and the devices' signatures."""

    LIMIT: ClassVar[int] = 32 * KIB
    body: Annotated[bytes, Bin(most=256)]
    signatures: Annotated[tuple[DeviceSignature, ...], Items(DeviceSignature, DEVICES_MAX)]
