"""What uploads and downloads share: a blob at a relay, and how far they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import BlobId, MailboxId
from e2e_support_client.port import RelayPort

PARALLEL: Final = 4


class Phase(StrEnum):
    """What a transfer is doing."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is, in bytes of the encrypted file."""

    phase: Phase
    done: int
    total: int


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob at one relay, and the capability for it."""

    relay: RelayPort
    mailbox: MailboxId
    blob_id: BlobId
    capability: SigningKey

    async def missing(self, size: int) -> frozenset[int]:
        """Declare the blob and return which of its pieces are not there yet."""
        await self.relay.declare_blob(self.mailbox, self.blob_id, size, self.capability)
        state = await self.relay.blob_state(self.mailbox, self.blob_id, self.capability)
        return frozenset(state.missing)

    async def put(self, index: int, piece: bytes) -> None:
        """Store a piece."""
        await self.relay.put_piece(self.mailbox, self.blob_id, index, piece, self.capability)

    async def read(self, start: int, end: int) -> bytes:
        """Return the bytes [start, end)."""
        return await self.relay.read_blob(self.mailbox, self.blob_id, start, end, self.capability)
