"""Fetches attachments over any relay, in parallel: nothing that was not verified reaches the disk (section 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from e2e_support.attachment import Opener, bad_attachment
from e2e_support.content import Attachment
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.limits import CHUNK_SEALED, CHUNK_SIZE, MIB, PIECE_CHUNKS
from e2e_support_client.at_once import together
from e2e_support_client.part_file import PartFile
from e2e_support_client.port import RelayPort
from e2e_support_client.transfer import PARALLEL, Blob, OnProgress, Phase, Progress

READ_MAX: Final = 16 * MIB


async def download(
    relay: RelayPort,
    mailbox: MailboxId,
    capability: SigningKey,
    manifest: Attachment,
    target: Path,
    *,
    on_progress: OnProgress | None = None,
    force: bool = False,
    parallel: int = PARALLEL,
) -> Path:
    """Fetch an attachment, verify every byte and save it.

    Args:
        relay: where from.
        mailbox: where the entry with the manifest stands.
        capability: reads the mailbox.
        manifest: from a signed entry.
        target: the file to make; ``part_file.target_in`` turns a folder into one.
        on_progress: told after every piece.
        force: whether an existing file is replaced.
        parallel: pieces on their way at once.

    Returns:
        The target.

    Raises:
        PeerError: ``bad_attachment`` or ``cannot_open``; nothing of it was kept (attacks 17-21).
        UsageError: ``file_exists``, ``disk_full``, ``cannot_write``; ``Refused``.
        TransportError: the relay cannot be reached; nothing was kept.
    """
    opener = Opener(manifest, mailbox)
    part = await asyncio.to_thread(lambda: PartFile(target, force=force))
    try:
        blob = Blob(relay, mailbox, manifest.blob_id, capability)
        await _Download(blob, opener, on_progress).run(part.write, parallel)
        await asyncio.to_thread(part.commit)
    finally:
        await asyncio.shield(asyncio.to_thread(part.discard))
    return target


async def read_bytes(
    relay: RelayPort,
    mailbox: MailboxId,
    capability: SigningKey,
    manifest: Attachment,
    *,
    limit: int = READ_MAX,
    on_progress: OnProgress | None = None,
) -> bytes:
    """Fetch a small attachment into memory.

    Args:
        relay: where from.
        mailbox: where the entry with the manifest stands.
        capability: reads the mailbox.
        manifest: from a signed entry.
        limit: most bytes.
        on_progress: told after every piece.

    Raises:
        UsageError: ``file_too_large``.
        SupportError: otherwise as ``download``.
    """
    if manifest.size > limit:
        raise UsageError(
            "file_too_large", "the attachment is too large to be held in memory", hint="Save it."
        )
    held = bytearray(manifest.size)

    def write(start: int, data: bytes) -> None:
        held[start : start + len(data)] = data

    blob = Blob(relay, mailbox, manifest.blob_id, capability)
    await _Download(blob, Opener(manifest, mailbox), on_progress).run(write, PARALLEL)
    return bytes(held)


class _Download:
    """One download: the leaf list first, then pieces in any order, each chunk verified before it is written."""

    def __init__(self, blob: Blob, opener: Opener, on_progress: OnProgress | None) -> None:
        self._blob = blob
        self._opener = opener
        self._plan = opener.plan
        self._on_progress = on_progress
        self._done = 0

    async def run(self, write: Callable[[int, bytes], None], parallel: int) -> None:
        """Fetch, verify and write everything."""
        self._opener.load_leaves(await self._fetch(*self._opener.leaves_range))
        places = asyncio.Semaphore(parallel)

        async def one(first: int) -> None:
            end = min(first + PIECE_CHUNKS, self._plan.chunks)
            async with places:
                data = await self._fetch(first * CHUNK_SEALED, self._plan.chunk_sealed(end - 1)[1])
                await asyncio.to_thread(self._open, first, end, data, write)

        await together([one(first) for first in range(0, self._plan.chunks, PIECE_CHUNKS)])

    async def _fetch(self, start: int, end: int) -> bytes:
        data = await self._blob.read(start, end)
        if len(data) != end - start:
            raise bad_attachment()
        self._done += len(data)
        if self._on_progress:
            self._on_progress(Progress(Phase.DOWNLOAD, self._done, self._plan.blob))
        return data

    def _open(self, first: int, end: int, data: bytes, write: Callable[[int, bytes], None]) -> None:
        view = memoryview(data)
        for index in range(first, end):
            at = (index - first) * CHUNK_SEALED
            plain = self._opener.open_chunk(index, view[at : at + CHUNK_SEALED])
            if plain:
                write(index * CHUNK_SIZE, plain)
