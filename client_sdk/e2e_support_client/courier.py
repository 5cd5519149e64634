"""Files between a person and a ticket: what was attached becomes rows of the outbox, rows become blobs, and back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from e2e_support.attachment import Plan
from e2e_support.content import Attachment
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import HASH_SIZE, ID_SIZE, BlobId, Hash, MailboxId, MessageId
from e2e_support.limits import NAME_MAX
from e2e_support_client.download import download
from e2e_support_client.files import FileSource
from e2e_support_client.model import Attachable, FileSpec, OnProgress, Progress
from e2e_support_client.outbox_store import FileRow
from e2e_support_client.part_file import target_in
from e2e_support_client.port import RelayPort
from e2e_support_client.transfer import Progress as Transferred
from e2e_support_client.upload import UploadState, upload


class Uploads(Protocol):
    """Where the state of uploads is kept, encrypted."""

    async def set_upload(self, key: bytes, place: int, *, upload: bytes = b"", manifest: bytes = b"") -> None:
        """Note how far a file's upload has come.

        Args:
            key: message id of the item that the file belongs to.
            place: its order in the message.
            upload: an ``UploadState``.
            manifest: the file's manifest once it is uploaded.
        """
        ...


class Place(Protocol):
    """A mailbox, and the key that writes to it."""

    @property
    def mailbox(self) -> MailboxId:
        """The shared log of a ticket."""
        ...

    @property
    def capability(self) -> SigningKey:
        """Signs requests."""
        ...


async def prepare(attached: Attachable, place: int) -> FileRow:
    """Return what the outbox keeps of a file: its bytes where they were given, else where it lies.

    Args:
        attached: a path or a ``FileSpec``.
        place: its order in the message.

    Raises:
        UsageError: ``cannot_read`` or ``file_too_large``.
    """
    spec = attached if isinstance(attached, FileSpec) else FileSpec(attached)
    return await asyncio.to_thread(_prepare, spec, place)


def prospect(file: FileRow) -> Attachment:
    """Return what a file's manifest will say, as far as the rules look at it."""
    zeros = bytes(HASH_SIZE)
    blob = BlobId(bytes(ID_SIZE))
    return Attachment(file.name, file.media_type, file.size, blob, zeros, zeros, zeros, Hash(zeros))


def _prepare(spec: FileSpec, place: int) -> FileRow:
    given = isinstance(spec.source, bytes)
    path = "" if isinstance(spec.source, bytes) else os.fspath(Path(spec.source).expanduser().absolute())
    data = spec.source if isinstance(spec.source, bytes) else None
    name = spec.name or ("file" if given else "")
    row = FileRow(place, name, spec.media_type[:NAME_MAX], 0, path, data, spec.keep_metadata)
    with _source(row) as source:
        Plan(source.size)  # refuses what is too large for any ticket
        return FileRow(place, source.name, source.media_type, source.size, path, data, spec.keep_metadata)


def _source(row: FileRow) -> FileSource:
    strip = not row.keep_metadata
    if row.data is None:
        source = FileSource.from_path(row.path, name=row.name, strip_metadata=strip)
    else:
        source = FileSource.from_bytes(row.data, name=row.name, strip_metadata=strip)
    source.media_type = row.media_type or source.media_type
    return source


class Courier:
    """Uploads and downloads the files of tickets.

    Args:
        relay: where blobs are.
        store: keeps the state of uploads.
    """

    def __init__(self, relay: RelayPort, store: Uploads) -> None:
        self._relay = relay
        self._store = store

    async def upload(self, keys: Place, key: MessageId, row: FileRow, on_progress: OnProgress) -> Attachment:
        """Return the manifest of a file once all of it is at the relay; goes on where an earlier try stopped.

        Args:
            keys: of the ticket: its mailbox and a capability of it.
            key: the outbox item that the file belongs to.
            row: the file.
            on_progress: told after every piece.

        Raises:
            UsageError: ``cannot_read`` when the file is gone, ``file_changed``.
            TransportError: the relay cannot be reached; what is there already counts.
        """
        if row.manifest:
            return Attachment.from_bytes(row.manifest)
        state = UploadState.from_bytes(row.upload) if row.upload else UploadState.fresh()

        async def keep(now: UploadState) -> None:
            await self._store.set_upload(key, row.place, upload=now.to_bytes())

        source = await asyncio.to_thread(_source, row)
        try:
            manifest = await upload(
                *(self._relay, keys.mailbox, keys.capability, source),
                state=state,
                keep=keep,
                on_progress=_named(row.name, on_progress),
            )
        finally:
            source.close()
        await self._store.set_upload(key, row.place, upload=state.to_bytes(), manifest=manifest.to_bytes())
        return manifest

    async def download(
        self, keys: Place, manifest: Attachment, target: Path, on_progress: OnProgress, *, force: bool
    ) -> Path:
        """Save a file and return where; it gets its name when every byte was verified.

        Args:
            keys: of the ticket: its mailbox and a capability of it.
            manifest: from a signed entry.
            target: a new file, or a directory in which it gets its own sanitised name.
            on_progress: told after every piece.
            force: replace a file that stands there.

        Raises:
            PeerError: ``bad_attachment``: nothing of it is kept (attacks 17-21).
            UsageError: ``file_exists``, ``disk_full``, ``cannot_write``.
            TransportError: the relay cannot be reached.
        """
        path = await asyncio.to_thread(_inside, target, manifest)
        named = _named(manifest.name, on_progress)
        place = (self._relay, keys.mailbox, keys.capability)
        return await download(*place, manifest, path, on_progress=named, force=force)


def _inside(target: Path, manifest: Attachment) -> Path:
    return target_in(target, manifest) if target.is_dir() else target


def _named(name: str, on_progress: OnProgress) -> Callable[[Transferred], None]:
    return lambda at: on_progress(Progress(at.phase, at.done, at.total, name))
