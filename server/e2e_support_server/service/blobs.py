"""Blobs: declared, uploaded piece by piece in any order, immutable, readable when complete (protocol 3.8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from e2e_support.crypto.hash import digest
from e2e_support.errors import PeerError
from e2e_support.ids import BlobId
from e2e_support.limits import PIECE_SIZE
from e2e_support.tags import Tag
from e2e_support.wire import BlobSize, BlobState
from e2e_support_server.blobs.base import Blobs as BlobFiles
from e2e_support_server.clock import Clock
from e2e_support_server.config import Limits
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.rules import Mailbox, Writer
from e2e_support_server.service.teams import Teams
from e2e_support_server.storage.base import Blob, BlobBudget, Store


class Blobs:
    """All blobs of the relay.

    Args:
        store: keeps which pieces are there.
        files: keeps their bytes.
        teams: whose policies bound what users upload.
        clock: the relay's clock.
        limits: what the relay grants.
    """

    def __init__(self, store: Store, files: BlobFiles, teams: Teams, clock: Clock, limits: Limits) -> None:
        self._store = store
        self._files = files
        self._teams = teams
        self._clock = clock
        self._limits = limits
        # A lock lives as long as somebody holds or awaits it.
        self._writing: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()

    async def declare(self, mailbox: Mailbox, writer: Writer, blob_id: BlobId, body: bytes) -> bool:
        """Declare a blob; false when it was declared before.

        Raises:
            Refusal: ``piece_conflict`` with another size or class, ``budget``, ``disk_full``.
        """
        size = BlobSize.from_bytes(body).size
        budget = self._budget(mailbox, writer, size)
        if await self._files.room() - size < self._limits.disk_reserve:
            raise Refusal("disk_full")
        made = await self._store.declare(mailbox, writer, blob_id, size, budget, int(self._clock()))
        blob = await self.find(mailbox, blob_id)
        if not blob.complete:
            await self._files.begin(mailbox.id, blob_id)
        return made

    async def find(self, mailbox: Mailbox, blob_id: BlobId) -> Blob:
        """Return a declared blob; ``not_found``."""
        blob = await self._store.blob(mailbox, blob_id)
        if blob is None:
            raise not_found()
        return blob

    async def put(
        self, mailbox: Mailbox, writer: Writer, blob: Blob, index: int, data: bytes, content: bytes
    ) -> bool:
        """Store a piece; false when the same bytes stood there already.

        Args:
            mailbox: whose blob it is.
            writer: the class that sends.
            blob: the declared blob.
            index: which piece.
            data: its bytes.
            content: their SHA-256, known from the request: a piece is long to hash twice.

        Raises:
            PeerError: ``malformed`` when there is no such piece or it has another size.
            Refusal: ``piece_conflict``, ``not_found`` for a blob of the other class.
        """
        if blob.writer is not writer:
            raise not_found()
        if not data or len(data) != piece_size(blob.size, index):
            raise PeerError("malformed", "no piece has this index and size")
        mark = digest(Tag.PIECE, content)
        async with self._alone(blob, index):
            known = await self._store.piece(blob, index)
            if known not in (None, mark):
                raise Refusal("piece_conflict")
            if known is None:
                await self._files.write(mailbox.id, blob.id, index * PIECE_SIZE, data)
            stored = await self._store.keep_piece(blob, index, mark)
        await self._finish_if_full(mailbox, blob, stored)
        return known is None

    async def state(self, mailbox: Mailbox, blob_id: BlobId) -> bytes:
        """Return a ``BlobState``."""
        blob = await self.find(mailbox, blob_id)
        complete = await self._finish_if_full(mailbox, blob, blob.pieces)
        missing = set(range(piece_count(blob.size))) - set(await self._store.pieces(blob))
        return BlobState(blob.size, int(complete), tuple(sorted(missing))).to_bytes()

    def read(self, mailbox: Mailbox, blob: Blob, start: int, stop: int) -> AsyncGenerator[bytes]:
        """Return the bytes [start, stop) in parts; ``blob_incomplete``."""
        if not blob.complete:
            raise Refusal("blob_incomplete")
        return self._files.read(mailbox.id, blob.id, start, stop)

    def _budget(self, mailbox: Mailbox, writer: Writer, size: int) -> BlobBudget:
        """Return what a class may keep: the policy binds users, the operator binds everybody."""
        most = self._limits.blob_bytes
        if writer is Writer.USER:
            rules = self._teams.team(mailbox.team_id).rules
            most = min(most, rules.mailbox_bytes_max)
            if size > rules.blob_bytes_max:
                raise Refusal("budget")
        return BlobBudget(most, self._limits.blobs_open)

    async def _finish_if_full(self, mailbox: Mailbox, blob: Blob, stored: int) -> bool:
        """Make a blob readable whose pieces are all recorded; also after a crash that came before."""
        if not blob.complete and stored == piece_count(blob.size):
            await self._files.finish(mailbox.id, blob.id)
            await self._store.complete(blob)
        return stored == piece_count(blob.size)

    @asynccontextmanager
    async def _alone(self, blob: Blob, index: int) -> AsyncGenerator[None]:
        """Let one request at a time write one piece: two at once would mix their bytes."""
        lock = self._writing.setdefault((blob.number, index), asyncio.Lock())
        async with lock:
            yield


def piece_count(size: int) -> int:
    """Return how many pieces a blob of ``size`` bytes has."""
    return -(-size // PIECE_SIZE)


def piece_size(size: int, index: int) -> int:
    """Return how many bytes piece ``index`` has; 0 where there is no such piece."""
    return max(0, min(PIECE_SIZE, size - index * PIECE_SIZE))
