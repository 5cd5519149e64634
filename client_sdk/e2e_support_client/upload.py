"""Sends attachments over any relay: streamed, in parallel, resumable (protocol section 6).

No more than a few pieces are in memory, whatever the file's size.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from e2e_support.attachment import Plan, Sealer
from e2e_support.codec import Bin, Message, Uint
from e2e_support.content import Attachment
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import SALT
from e2e_support.errors import UsageError
from e2e_support.ids import HASH_SIZE, ID_SIZE, BlobId, MailboxId
from e2e_support.limits import FILE_MAX, KIB, PIECE_CHUNKS, PIECE_SIZE
from e2e_support.wire import B16, B32
from e2e_support_client import clock
from e2e_support_client.at_once import together
from e2e_support_client.files import FileSource
from e2e_support_client.port import RelayPort
from e2e_support_client.transfer import PARALLEL, Blob, OnProgress, Phase, Progress

WINDOW: Final = 8
"""Pieces sealed at once, before their fingerprints are kept; with those that wait about 16 MiB."""
SEALERS: Final = 2  # threads that seal; more only wait for each other
_CHUNKS_MAX: Final = 10_000


@dataclass(slots=True)
class UploadState:
    """What an upload needs to go on after an interruption. It holds keys: keep it encrypted.

    Attributes:
        size: of the file when the keys were made; -1 before.
        blob_id: the blob's random id.
        file_key: seals this file and no other bytes, ever.
        salt: 32 random bytes.
        seen: leaf hash of each chunk that was sealed, by index: tells whether its content is still the same.
    """

    size: int
    blob_id: BlobId
    file_key: Secret
    salt: bytes
    seen: dict[int, bytes]

    @classmethod
    def fresh(cls, random: Random = clock.random) -> UploadState:
        """Return the state of an upload that has not begun."""
        return cls(-1, BlobId(random(ID_SIZE)), Secret.random(random), random(SALT), {})

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadState:
        """Return a state that was kept.

        Raises:
            PeerError: ``malformed``.
        """
        kept = _KeptState.from_bytes(data)
        chunks = [kept.seen[at : at + HASH_SIZE] for at in range(0, len(kept.seen), HASH_SIZE)]
        seen = {index: chunk for index, chunk in enumerate(chunks) if any(chunk)}
        return cls(kept.size - 1, kept.blob_id, Secret(kept.file_key), kept.salt, seen)

    def to_bytes(self) -> bytes:
        """Return the state to keep; it holds keys in the clear."""
        last = max(self.seen, default=-1)
        seen = b"".join(self.seen.get(index, bytes(HASH_SIZE)) for index in range(last + 1))
        key = self.file_key.reveal(SECRET_ACCESS)
        return _KeptState(self.size + 1, self.blob_id, key, self.salt, seen).to_bytes()

    def renew(self, size: int, random: Random = clock.random) -> None:
        """Begin anew with new keys and a new blob id: the bytes are not those of before (attack 79)."""
        new = self.fresh(random)
        self.size, self.blob_id, self.file_key, self.salt = size, new.blob_id, new.file_key, new.salt
        self.seen = {}


@dataclass(frozen=True, slots=True)
class _KeptState(Message):
    """An ``UploadState`` at rest; a size of 0 means that it has not begun."""

    LIMIT: ClassVar[int] = _CHUNKS_MAX * HASH_SIZE + KIB
    size: Annotated[int, Uint(FILE_MAX + 1)]
    blob_id: Annotated[BlobId, B16]
    file_key: Annotated[bytes, B32]
    salt: Annotated[bytes, B32]
    seen: Annotated[bytes, Bin(most=_CHUNKS_MAX * HASH_SIZE)]


_Ready = asyncio.Queue[tuple[int, bytes] | None]
KeepState = Callable[[UploadState], Awaitable[None]]


async def upload(
    relay: RelayPort,
    mailbox: MailboxId,
    capability: SigningKey,
    source: FileSource,
    *,
    state: UploadState,
    keep: KeepState | None = None,
    on_progress: OnProgress | None = None,
    parallel: int = PARALLEL,
) -> Attachment:
    """Send a file and return its manifest for the signed entry.

    Args:
        relay: where to.
        mailbox: whose blob it becomes; exists already.
        capability: writes to the mailbox.
        source: the file.
        state: of this upload; the same one again goes on where it stopped.
        keep: persists the state, encrypted; awaited before anything sealed under it leaves, so that a resumed
            upload never seals other bytes under the same key (attack 79). Without it an upload can only go on in
            the same process.
        on_progress: told after every piece.
        parallel: pieces on their way at once.

    Raises:
        UsageError: ``file_changed`` when the file changes again and again, ``cannot_read``; ``Refused``.
        TransportError: it stopped; the state holds what is needed to go on.
    """
    for last in (False, True):
        if state.size != source.size:
            state.renew(source.size)
        try:
            blob = Blob(relay, mailbox, state.blob_id, capability)
            return await _Upload(blob, source, state, keep, on_progress).run(parallel)
        except UsageError as error:
            if error.code != "file_changed" or last:
                raise
        await asyncio.to_thread(source.refresh)
        state.renew(source.size)
    raise AssertionError  # pragma: no cover - the last round returns or raises


class _Upload:
    """One round of an upload."""

    def __init__(
        self,
        blob: Blob,
        source: FileSource,
        state: UploadState,
        keep: KeepState | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._blob = blob
        self._source = source
        self._state = state
        self._keep = keep
        self._on_progress = on_progress
        self._plan = Plan(source.size)
        self._sealer = Sealer(self._plan, blob.mailbox, state.blob_id, state.file_key, state.salt, state.seen)
        self._missing: frozenset[int] = frozenset()
        self._done = 0

    async def run(self, parallel: int) -> Attachment:
        """Seal all pieces in order, and send those that the relay lacks while the next ones are sealed."""
        self._missing = await self._blob.missing(self._plan.blob)
        ready: _Ready = asyncio.Queue(parallel)
        await together([self._produce(ready, parallel), *(self._consume(ready) for _ in range(parallel))])
        if self._source.changed:
            raise UsageError("file_changed", f"{self._source.name} changed meanwhile", hint="Try again.")
        return self._sealer.manifest(self._source.name, self._source.media_type)

    async def _produce(self, ready: _Ready, consumers: int) -> None:
        """Put sealed pieces where they wait to be sent, and an end for every consumer."""
        whole = self._plan.sealed // PIECE_SIZE  # pieces without leaves: those are known when all is sealed
        for first in range(0, whole, WINDOW):
            for item in await self._seal(range(first, min(first + WINDOW, whole))):
                await ready.put(item)
        for item in await self._tail(whole):
            await ready.put(item)
        for _ in range(consumers):
            await ready.put(None)

    async def _consume(self, ready: _Ready) -> None:
        while (item := await ready.get()) is not None:
            index, piece = item
            if index in self._missing:
                await self._blob.put(index, piece)
            self._done += len(piece)
            if self._on_progress:
                self._on_progress(Progress(Phase.UPLOAD, self._done, self._plan.blob))

    async def _seal(self, window: range) -> list[tuple[int, bytes]]:
        """Seal pieces in worker threads, and have their fingerprints kept before they may leave."""
        lanes = [window[lane::SEALERS] for lane in range(SEALERS)]
        sealed = await together([asyncio.to_thread(self._seal_pieces, lane) for lane in lanes])
        await self._keep_seen()
        return sorted(piece for lane in sealed for piece in lane)

    def _seal_pieces(self, indices: range) -> list[tuple[int, bytes]]:
        return [(i, self._seal_chunks(i * PIECE_CHUNKS, (i + 1) * PIECE_CHUNKS)) for i in indices]

    def _seal_chunks(self, first: int, end: int) -> bytes:
        plan, seal, read = self._plan, self._sealer.seal_chunk, self._source.read
        places = [(index, *plan.chunk_file(index)) for index in range(first, end)]
        return b"".join(seal(index, read(start, stop - start)) for index, start, stop in places)

    async def _tail(self, whole: int) -> list[tuple[int, bytes]]:
        """Return the last pieces: the chunks that fill no whole piece, and the leaf list."""
        chunks = await asyncio.to_thread(self._seal_chunks, whole * PIECE_CHUNKS, self._plan.chunks)
        await self._keep_seen()
        rest = chunks + self._sealer.leaves()
        pieces = [rest[at : at + PIECE_SIZE] for at in range(0, len(rest), PIECE_SIZE)]
        return list(enumerate(pieces, whole))

    async def _keep_seen(self) -> None:
        if len(self._sealer.seen) == len(self._state.seen):
            return
        self._state.seen = dict(self._sealer.seen)
        if self._keep is not None:
            await self._keep(self._state)
