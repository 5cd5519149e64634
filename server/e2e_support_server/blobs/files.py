# ruff: noqa: D102 - blobs.base says what each method does
"""Blobs as files: pieces are written in place into ``.part`` and flushed; the last one renames it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from e2e_support.ids import BlobId, MailboxId
from e2e_support.limits import CHUNK_SIZE

T = TypeVar("T")

THREADS = 4


class BlobFiles:
    """Implements ``blobs.base.Blobs`` in one directory.

    Args:
        root: an existing directory of the relay's own.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="blobs")

    async def begin(self, mailbox: MailboxId, blob: BlobId) -> None:
        await self._run(lambda: _begin(self._part(mailbox, blob)))

    async def write(self, mailbox: MailboxId, blob: BlobId, offset: int, data: bytes) -> None:
        await self._run(lambda: _write(self._part(mailbox, blob), offset, data))

    async def finish(self, mailbox: MailboxId, blob: BlobId) -> None:
        await self._run(lambda: _finish(self._part(mailbox, blob), self._whole(mailbox, blob)))

    async def read(self, mailbox: MailboxId, blob: BlobId, start: int, stop: int) -> AsyncGenerator[bytes]:
        descriptor = await self._run(lambda: os.open(self._whole(mailbox, blob), os.O_RDONLY | os.O_CLOEXEC))
        try:
            for offset in range(start, stop, CHUNK_SIZE):
                size = min(CHUNK_SIZE, stop - offset)
                yield await self._run(partial(os.pread, descriptor, size, offset))
        finally:
            os.close(descriptor)

    async def room(self) -> int:
        return await self._run(lambda: shutil.disk_usage(self._root).free)

    async def drop(self, mailbox: MailboxId, blob: BlobId) -> None:
        def drop() -> None:
            self._part(mailbox, blob).unlink(missing_ok=True)
            self._whole(mailbox, blob).unlink(missing_ok=True)

        await self._run(drop)

    async def drop_mailbox(self, mailbox: MailboxId) -> None:
        await self._run(lambda: shutil.rmtree(self._directory(mailbox), ignore_errors=True))

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _directory(self, mailbox: MailboxId) -> Path:
        name = mailbox.hex()
        return self._root / name[:2] / name  # no directory gets longer than the number of mailboxes / 256

    def _whole(self, mailbox: MailboxId, blob: BlobId) -> Path:
        return self._directory(mailbox) / blob.hex()

    def _part(self, mailbox: MailboxId, blob: BlobId) -> Path:
        return self._directory(mailbox) / f"{blob.hex()}.part"


def _begin(part: Path) -> None:
    """Make the empty file now, so that no piece has to wait for its name to reach the disk."""
    _make_directory(part.parent)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    _flush_directory(part.parent)


def _write(part: Path, offset: int, data: bytes) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            offset, view = offset + written, view[written:]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _finish(part: Path, whole: Path) -> None:
    try:
        part.rename(whole)
    except FileNotFoundError:
        if not whole.exists():
            raise
    _flush_directory(whole.parent)


def _make_directory(directory: Path) -> None:
    """Make a directory and flush the names on the way to it."""
    if not directory.exists():
        directory.parent.mkdir(mode=0o700, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        _flush_directory(directory.parent)
        _flush_directory(directory.parent.parent)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
