"""The one file of an export: a ZIP that is written under another name first, and read with bounds."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from e2e_support.errors import UsageError
from e2e_support.limits import CHUNK_SIZE, FILE_MAX, MIB
from e2e_support_client.archive.sheets import MEMBERS_MAX, bad_export

# Of one sheet, page or cover: ten thousand entries of the largest size are no ticket.
TEXT_MAX: Final = 256 * MIB
# What is packed is mostly ciphertext, whose texts stand in pages once more; a bomb grows a thousandfold.
GROWTH_MAX: Final = 64
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError)


class ParcelWriter:
    """Writes an export; nothing stands under its name before ``commit``.

    Args:
        target: the file to make.
        force: whether an existing file is replaced.

    Attributes:
        members: SHA-256 of every member so far, in hex, by its path.

    Raises:
        UsageError: ``file_exists`` or ``cannot_write``.
    """

    def __init__(self, target: Path, *, force: bool = False) -> None:
        if target.exists() and not force:
            raise UsageError("file_exists", f"{target} exists", hint="Choose another name, or --force.")
        self.members: dict[str, str] = {}
        self._target = target
        self._part = target.with_name(target.name + ".part")
        with _written(target):
            self._part.unlink(missing_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file: IO[bytes] = os.fdopen(os.open(self._part, flags, 0o600), "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED)

    def add(self, path: str, data: bytes) -> None:
        """Add a member that was made here."""
        self.add_parts(path, [data], stored=False)

    def add_parts(self, path: str, parts: Iterable[bytes], *, stored: bool = True) -> None:
        """Add a member part by part.

        Args:
            path: where it stands in the export.
            parts: its bytes in order.
            stored: leave it uncompressed, as files mostly are compressed already.
        """
        info = zipfile.ZipInfo(path)  # its date is 1980: when files were made is nobody's business
        info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        sha = hashlib.sha256()
        with _written(self._target), self._zip.open(info, "w", force_zip64=True) as member:
            for part in parts:
                sha.update(part)
                member.write(part)
        self.members[path] = sha.hexdigest()

    def commit(self) -> None:
        """Give the file its name, once all of it is on the disk."""
        with _written(self._target):
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self._zip.close()
            self._file.close()
        self._part.unlink(missing_ok=True)


class ParcelReader:
    """Reads an export that may come from anybody.

    Args:
        path: the file.

    Raises:
        UsageError: ``cannot_read``.
        PeerError: ``bad_export``.
    """

    def __init__(self, path: Path) -> None:
        with _read(path):
            self._zip = zipfile.ZipFile(path)
        names = self._zip.namelist()
        if len(names) > MEMBERS_MAX + 2 or len(set(names)) < len(names):
            raise bad_export("it has too many members, or one twice")
        if sum(info.file_size for info in self._zip.infolist()) > GROWTH_MAX * path.stat().st_size:
            raise bad_export("it unpacks to more than tickets can hold")
        self._path = path
        self.names = frozenset(names)

    def read(self, path: str) -> bytes:
        """Return a small member.

        Raises:
            PeerError: ``bad_export`` when it is missing, damaged or too large.
        """
        return b"".join(self.parts(path, TEXT_MAX))

    def parts(self, path: str, most: int = FILE_MAX) -> Iterator[bytes]:
        """Yield a member in parts of ``CHUNK_SIZE``, but for the last; errors as ``read``.

        Args:
            path: where it stands.
            most: bytes that it may have.
        """
        if path not in self.names:
            raise bad_export(f"{path} is missing")
        size = 0
        with _read(self._path), self._zip.open(path) as member:
            while part := member.read(CHUNK_SIZE):
                size += len(part)
                if size > most:
                    raise bad_export(f"{path} is too large")
                yield part

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()


@contextmanager
def _written(target: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or "it cannot be written"
        raise UsageError(
            "cannot_write", f"{target}: {why}", hint="Nothing was kept; try elsewhere."
        ) from error


@contextmanager
def _read(path: Path) -> Generator[None]:
    try:
        yield
    except _BROKEN:
        raise bad_export("the file is damaged") from None
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise UsageError("cannot_read", f"{path}: {why}", hint="Is it the right file?") from error
