"""What a blob store does for the relay, whatever keeps the bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from e2e_support.ids import BlobId, MailboxId


class Blobs(Protocol):
    """Keeps blobs piece by piece; which pieces count is the database's knowledge.

    A piece may be written again as long as it was not recorded: a write that was interrupted leaves nothing valid.
    """

    async def begin(self, mailbox: MailboxId, blob: BlobId) -> None:
        """Make ready for the pieces of a blob; harmless when done before."""

    async def write(self, mailbox: MailboxId, blob: BlobId, offset: int, data: bytes) -> None:
        """Make bytes at an offset of an incomplete blob durable."""

    async def finish(self, mailbox: MailboxId, blob: BlobId) -> None:
        """Make a blob whose pieces are all there readable; harmless when done before."""

    def read(self, mailbox: MailboxId, blob: BlobId, start: int, stop: int) -> AsyncGenerator[bytes]:
        """Yield the bytes [start, stop) of a finished blob in parts of moderate size."""
        ...

    async def room(self) -> int:
        """Return how many bytes are free."""
        ...

    async def drop(self, mailbox: MailboxId, blob: BlobId) -> None:
        """Forget a blob, finished or not; harmless when it is not there."""

    async def drop_mailbox(self, mailbox: MailboxId) -> None:
        """Forget all blobs of a mailbox."""

    async def close(self) -> None:
        """Finish what is being written, then let go."""
