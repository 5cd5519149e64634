# pyright: reportPrivateUsage=false
"""Blobs on the file system: flushed, private, gone when dropped, and what a full disk does to them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from e2e_support.ids import BlobId, MailboxId
from e2e_support_server.blobs.files import BlobFiles
from e2e_support_server.storage.sqlite import SqliteStore
from relay_kit import Client, TeamHandle, make_entry

BOX, BLOB = MailboxId(b"m" * 16), BlobId(b"b" * 16)


@pytest.fixture
async def files(tmp_path: Path) -> AsyncGenerator[BlobFiles]:
    """An empty blob store."""
    store = BlobFiles(tmp_path)
    yield store
    await store.close()


def modes(place: Path) -> list[int]:
    """Return the modes of everything below a place."""
    return [stat.S_IMODE(path.stat().st_mode) for path in sorted(place.rglob("*"))]


async def content(files: BlobFiles, start: int, stop: int) -> bytes:
    """Read a range."""
    return b"".join([part async for part in files.read(BOX, BLOB, start, stop)])


async def test_pieces_in_any_order_make_a_file(files: BlobFiles) -> None:
    """What was written at its offset is read back; beginning and finishing twice does no harm."""
    for _ in range(2):
        await files.begin(BOX, BLOB)
    await files.write(BOX, BLOB, 3, b"def")
    await files.write(BOX, BLOB, 0, b"abc")
    for _ in range(2):
        await files.finish(BOX, BLOB)
    assert await content(files, 0, 6) == b"abcdef"
    assert await content(files, 2, 4) == b"cd"


async def test_large_ranges_come_in_parts(files: BlobFiles) -> None:
    """A reader is served in parts of moderate size."""
    data = os.urandom(600_000)
    await files.begin(BOX, BLOB)
    await files.write(BOX, BLOB, 0, data)
    await files.finish(BOX, BLOB)
    parts = [part async for part in files.read(BOX, BLOB, 0, len(data))]
    assert (b"".join(parts), len(parts)) == (data, 3)


async def test_an_unfinished_blob_cannot_be_read(files: BlobFiles) -> None:
    """Only the finished name exists for readers; a blob without pieces cannot be finished."""
    await files.begin(BOX, BLOB)
    with pytest.raises(FileNotFoundError):
        await content(files, 0, 1)
    with pytest.raises(FileNotFoundError):
        await files.finish(BOX, BlobId(bytes(16)))


async def test_dropping_leaves_nothing(files: BlobFiles, tmp_path: Path) -> None:
    """A dropped blob is gone, begun or finished, and dropping it again does no harm."""
    other = BlobId(b"o" * 16)
    for blob in (BLOB, other):
        await files.begin(BOX, blob)
    await files.finish(BOX, BLOB)
    for blob in (BLOB, other, other):
        await files.drop(BOX, blob)
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == []
    await files.begin(BOX, BLOB)
    await files.drop_mailbox(BOX)
    await files.drop_mailbox(BOX)
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == []


async def test_blob_files_are_private(files: BlobFiles, tmp_path: Path) -> None:
    """Directories and files are the relay's alone."""
    await files.begin(BOX, BLOB)
    assert modes(tmp_path) == [0o700, 0o700, 0o600]


async def test_a_piece_is_flushed_before_it_counts(files: BlobFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write of a piece ends with a flush of the file, every new name with one of its directory."""
    flushed: list[str] = []
    flush = os.fsync

    def noted(descriptor: int) -> None:
        flushed.append("dir" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    await files.begin(BOX, BLOB)
    assert flushed == ["dir", "dir", "dir"]
    flushed.clear()
    await files.write(BOX, BLOB, 0, b"abc")
    assert flushed == ["file"]
    flushed.clear()
    await files.finish(BOX, BLOB)
    assert flushed == ["dir"]


async def test_a_write_that_is_cut_short_goes_on(files: BlobFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may write less than asked; the rest follows."""
    write = os.pwrite

    def short(descriptor: int, data: memoryview, offset: int) -> int:
        return write(descriptor, data[:2], offset)

    await files.begin(BOX, BLOB)
    monkeypatch.setattr(os, "pwrite", short)
    await files.write(BOX, BLOB, 0, b"abcde")
    await files.finish(BOX, BLOB)
    assert await content(files, 0, 5) == b"abcde"


async def test_a_disk_that_fills_up_during_an_upload_is_told(
    relay: Client, team: TeamHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece that does not fit is refused as disk_full and not recorded; with room it is stored (fault in pwrite)."""
    box = await relay.ticket(team)
    blob = await box.declare(100)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert (await box.piece(blob, 0, bytes(100))).expect("disk_full").status == 507
    (await box.piece(blob, 0, bytes(100))).expect(201)
    await box.append(blobs=[blob])


async def test_a_full_database_is_told_over_http(relay: Client, team: TeamHandle) -> None:
    """An append that does not fit answers 507 and is not stored; with room the same append is (page limit)."""
    assert relay.relay
    store = relay.relay.store
    assert isinstance(store, SqliteStore)
    box = await relay.ticket(team)
    append = box.next(make_entry(size=229_376))
    await store._write_thread.run(lambda c: c.execute("PRAGMA max_page_count = 1"))
    assert (await box.post(append)).expect("disk_full").status == 507
    await store._write_thread.run(lambda c: c.execute("PRAGMA max_page_count = 1000000"))
    (await box.post(append)).expect(200)
