"""One entry as a reader could open and check it, and the record of it that a local store keeps (protocol 5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from e2e_support.codec import Bin, Choice, Message, Text, Uint
from e2e_support.content import BODIES, Inner
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import VERSION
from e2e_support.errors import PeerError
from e2e_support.ids import Hash
from e2e_support.limits import ENTRY_MAX, ID_TEXT_MAX, INNER_MAX, KIB, RECEIPT_MAX
from e2e_support.vocab import Verdict
from e2e_support.wire import B32, DeviceRecord


@dataclass(frozen=True, slots=True)
class Opened:
    """One entry as this reader could open and check it.

    Attributes:
        seq: its place in the log.
        hash: its chained hash.
        verdict: what the checks of this module say; rules of the ticket come on top.
        reason: why the verdict is not OK; empty otherwise.
        receipt: the relay's receipt at hand.
        received: the time in that receipt, seconds since 1970.
        quoted: the time that this entry quotes for its predecessor; 0 where it quotes none that holds or its
            signature does not.
        gen: generation of the ticket key; -1 before any boxes.
        epoch: team epoch of its boxes if they hold, otherwise of the last boxes before it that did.
        key: the ticket key, where this entry begins a generation: only with the verdict OK, since everybody can
            seal a key of their own for the team and the entry's signature alone says whose it is.
        inner: its signed part; ``None`` where it did not open or is forged.
        body: the decoded body of its kind; ``None`` likewise.
        device: the roster device that signed it; ``None`` for the user and for what cannot be attributed.
        known: how many roster links this reader knew when it first followed the entry (§4.8).
        entry: its bytes as stored: a restored relay gets them back, an export shows them.
    """

    seq: int
    hash: Hash
    verdict: Verdict
    reason: str
    receipt: bytes
    received: int
    quoted: int = 0
    gen: int = 0
    epoch: int = 0
    key: Secret | None = None
    inner: Inner | None = None
    body: Message | None = None
    device: DeviceRecord | None = None
    known: int = 0
    entry: bytes = b""

    def record(self) -> Record:
        """Return what an encrypted local store keeps, so that nothing has to be opened twice.

        Keep what a conversation returned: a thread's verdicts and times are found again from it.
        """
        key = self.key.reveal(SECRET_ACCESS) if self.key else b""
        inner = self.inner.to_bytes() if self.inner else b""
        return Record(
            self.hash, self.verdict, self.reason, self.receipt, self.received, self.quoted, self.gen + 1, self.epoch,
            key, inner, self.known, self.entry,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record(Message):
    """An opened entry at rest. It holds keys and plaintext: only for a store that is itself encrypted.

    ``gens`` is how many generations the log has begun: 0 where even its first entry is junk.
    """

    LIMIT: ClassVar[int] = INNER_MAX + ENTRY_MAX + 8 * KIB
    hash: Annotated[Hash, B32]
    verdict: Annotated[Verdict, Choice(Verdict)]
    reason: Annotated[str, Text(ID_TEXT_MAX)]
    receipt: Annotated[bytes, Bin(most=RECEIPT_MAX)]
    received: Annotated[int, Uint()]
    quoted: Annotated[int, Uint()]
    gens: Annotated[int, Uint()]
    epoch: Annotated[int, Uint()]
    key: Annotated[bytes, Bin((0, 32))]
    inner: Annotated[bytes, Bin(most=INNER_MAX)]
    known: Annotated[int, Uint()]
    entry: Annotated[bytes, Bin(most=ENTRY_MAX)]


def body_of(inner: Inner) -> Message:
    """Return the decoded body of an entry's kind.

    Raises:
        PeerError: ``update_needed`` for a kind that this program does not know, ``malformed``.
    """
    if inner.version != VERSION or inner.kind not in BODIES:
        raise PeerError(
            "update_needed",
            f"an entry of kind {int(inner.kind)} needs a newer program",
            hint="Update this program.",
        )
    return BODIES[inner.kind].from_bytes(inner.body)
