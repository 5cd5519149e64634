"""A relay in memory that keeps the protocol's rules: what ``testing`` makes fail, and what simulators build on.

It checks no request signatures (there are no requests: a capability is handed over as a key), and it has neither
rate limits nor turns between writers; those are the real relay's.
"""

from __future__ import annotations

from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import BlobId, MailboxId
from e2e_support.limits import PIECE_SIZE
from e2e_support.wire import BlobSize, BlobState
from e2e_support_client import clock
from e2e_support_client.memory.held import HeldBlob
from e2e_support_client.memory.mailboxes import HeldMailboxes
from e2e_support_client.refusals import refusal

CODE = "FAKE-RELAY-CODE"
WORK_BITS = 4  # what a mailbox costs here: a few tries


class MemoryRelay(HeldMailboxes):
    """A ``RelayPort`` in memory. What readers are shown goes through the ``*_shown`` methods, for others to change.

    Args:
        relay_key: signs receipts; must be listed in the genesis of the team. A random one by default.
        now: the clock, which ``advance`` moves forward.
        work_bits: what a mailbox costs, in leading zero bits.
        code: the one-time code that founds a team.

    Attributes:
        calls: the name of every call so far, in order.
    """

    def __init__(
        self,
        relay_key: SigningKey | None = None,
        *,
        now: clock.Clock = clock.now,
        work_bits: int = WORK_BITS,
        code: str = CODE,
    ) -> None:
        super().__init__(relay_key, now, work_bits, code)

    # --- blobs -------------------------------------------------------------------------------------------

    async def declare_blob(self, mailbox: MailboxId, blob: BlobId, size: int, capability: SigningKey) -> None:
        """Announce a blob of ``size`` bytes."""
        await self._enter("declare_blob", mailbox)
        _, by_team = self._access(mailbox, capability)
        declared = HeldBlob(BlobSize.from_bytes(BlobSize(size).to_bytes()).size, by_team)
        known = self._blobs.setdefault((mailbox, blob), declared)
        if (known.size, known.by_team) != (size, by_team):
            raise refusal("piece_conflict")
        self._leave()

    async def blob_state(self, mailbox: MailboxId, blob: BlobId, capability: SigningKey) -> BlobState:
        """Return which pieces of a blob are missing."""
        await self._enter("blob_state", mailbox)
        found = self._blob(mailbox, blob, capability)
        return BlobState(found.size, int(not found.missing), found.missing)

    async def put_piece(
        self, mailbox: MailboxId, blob: BlobId, index: int, piece: bytes, capability: SigningKey
    ) -> None:
        """Store one piece of a blob."""
        await self._enter("put_piece", mailbox)
        found = self._blob(mailbox, blob, capability)
        if len(piece) != max(0, min(PIECE_SIZE, found.size - index * PIECE_SIZE)) or not piece:
            raise refusal("malformed")
        if found.pieces.setdefault(index, bytes(piece)) != piece:
            raise refusal("piece_conflict")
        self._leave()

    async def read_blob(
        self, mailbox: MailboxId, blob: BlobId, start: int, end: int, capability: SigningKey
    ) -> bytes:
        """Return the bytes [start, end) of a complete blob."""
        await self._enter("read_blob", mailbox)
        found = self._blob(mailbox, blob, capability)
        if found.missing:
            raise refusal("blob_incomplete")
        return self._blob_shown(mailbox, found)[start:end]

    def _blob(self, mailbox: MailboxId, blob: BlobId, capability: SigningKey) -> HeldBlob:
        self._access(mailbox, capability)
        found = self._blobs.get((mailbox, blob))
        if found is None:
            raise refusal("not_found")
        return found

    async def close(self) -> None:
        """Do nothing; it may be used again."""
