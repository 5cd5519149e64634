"""What attachments are read from: sources that can be read in any order and again."""

from __future__ import annotations

import io
import mimetypes
import os
import stat
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from e2e_support.attachment import safe_name
from e2e_support.errors import UsageError
from e2e_support.limits import FILE_MAX, MIB, NAME_MAX
from e2e_support_client.images import Metadata, Part, clean_parts

STREAM_MAX: Final = 64 * MIB  # a stream that cannot be read twice is held in memory up to this size
_UNKNOWN_TYPE: Final = "application/octet-stream"


class _Readable(Protocol):
    """What a source needs of a file object."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


class FileSource:
    """A file to attach: a name and bytes that can be read in any order and again.

    Make one with ``from_path``, ``from_bytes`` or ``from_stream``, and close it when it is sent. Threads may read
    from it at once.

    Args:
        name: the file's name; made harmless here.
        reopen: opens the bytes; called again when they have changed.
        strip_metadata: whether hidden data is taken out of JPEG and PNG pictures.

    Attributes:
        name: as it will be shown.
        media_type: guessed from the name; nobody may trust it.
        size: how many bytes will be sent.
        metadata: what became of hidden data in a picture.
    """

    def __init__(self, name: str, reopen: Callable[[], _Readable], *, strip_metadata: bool = True) -> None:
        self.name = safe_name(name)
        guessed = mimetypes.guess_type(self.name, strict=False)[0] or _UNKNOWN_TYPE
        self.media_type = guessed if len(guessed) <= NAME_MAX else _UNKNOWN_TYPE
        self.size = 0
        self.metadata = Metadata.NO_IMAGE
        self._reopen = reopen
        self._strip = strip_metadata
        self._lock = threading.Lock()
        self._file: _Readable | None = None
        self._parts: Sequence[Part] = ()
        self._ends: Sequence[int] = ()
        self._mark: tuple[int, int] = (0, 0)
        self.refresh()

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], *, name: str = "", strip_metadata: bool = True) -> Self:
        """Return a source that reads a file.

        Args:
            path: the file.
            name: another name to send it under.
            strip_metadata: whether hidden data is taken out of pictures.

        Raises:
            UsageError: ``cannot_read`` or ``file_too_large``.
        """
        file = Path(path)
        return cls(name or file.name, lambda: _open(file), strip_metadata=strip_metadata)

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str, strip_metadata: bool = True) -> Self:
        """Return a source of bytes at hand."""
        return cls(name, lambda: io.BytesIO(data), strip_metadata=strip_metadata)

    @classmethod
    def from_stream(cls, stream: BinaryIO, *, name: str, strip_metadata: bool = True) -> Self:
        """Return a source that reads a binary stream from where it stands; the stream stays the caller's to close.

        A stream without ``seek`` is read into memory at once; no plaintext is spilt to a temporary file.

        Raises:
            UsageError: ``file_too_large`` when it has no ``seek`` and more than 64 MiB.
        """
        if stream.seekable():
            base = stream.tell()
            return cls(name, lambda: _Borrowed(stream, base), strip_metadata=strip_metadata)
        data = b""
        while len(data) <= STREAM_MAX and (more := stream.read(STREAM_MAX + 1 - len(data))):
            data += more
        if len(data) > STREAM_MAX:
            raise _too_large(STREAM_MAX, "Save it to a file first, or send a part of it.")
        return cls.from_bytes(data, name=name, strip_metadata=strip_metadata)

    def refresh(self) -> None:
        """Look at the bytes anew, after they have changed.

        Raises:
            UsageError: ``cannot_read`` or ``file_too_large``.
        """
        self.close()
        self._file = file = self._reopen()
        try:
            self._mark = _mark_of(file)
            self._arrange(file.seek(0, os.SEEK_END))
        except BaseException:
            self.close()
            raise

    def _arrange(self, size: int) -> None:
        """Decide which parts of the bytes are sent."""
        if size > FILE_MAX:
            raise _too_large(FILE_MAX, "Send a part of it.")
        parts: Sequence[Part] = [(0, size)]
        if self._strip:
            self.metadata, parts = clean_parts(self._raw, size)
        self._parts = parts
        self._ends = list(accumulate(map(_length, parts)))
        self.size = self._ends[-1]

    @property
    def changed(self) -> bool:
        """Whether a file was rewritten since it was opened, as far as its size and date tell.

        One that only grew, as logs do, was not: what is sent is what stood there at first.
        """
        if self._file is None:
            return False
        (old_size, old_date), (size, date) = self._mark, _mark_of(self._file)
        return size < old_size or (size == old_size and date != old_date)

    def read(self, start: int, size: int) -> bytes:
        """Return ``size`` bytes from ``start``.

        Raises:
            UsageError: ``file_changed`` when they are not there any more, ``cannot_read``.
        """
        taken: list[bytes] = []
        index = bisect_right(self._ends, start)
        while size and index < len(self._parts):
            part, begin = self._parts[index], self._ends[index] - _length(self._parts[index])
            count = min(size, self._ends[index] - start)
            taken.append(self._from_part(part, start - begin, count))
            start, size, index = start + count, size - count, index + 1
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _from_part(self, part: Part, offset: int, size: int) -> bytes:
        if isinstance(part, bytes):
            return part[offset : offset + size]
        data = self._raw(part[0] + offset, size)
        if len(data) != size:
            raise UsageError(
                "file_changed", f"{self.name} became shorter", hint="Attach it again when it is complete."
            )
        return data

    def _raw(self, start: int, size: int) -> bytes:
        parts: list[bytes] = []
        try:
            with self._lock:
                if self._file is None:
                    raise UsageError("cannot_read", f"{self.name} is closed already")
                self._file.seek(start)
                while size and (part := self._file.read(size)):
                    parts.append(part)
                    size -= len(part)
        except OSError as error:
            raise _cannot_read(self.name, error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)


class _Borrowed:
    """Somebody else's seekable stream from some position on; closing this leaves it open."""

    def __init__(self, stream: BinaryIO, base: int) -> None:
        self._stream = stream
        self._base = base

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        moved = self._stream.seek(offset + (self._base if whence == os.SEEK_SET else 0), whence)
        return max(0, moved - self._base)

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(size)

    def close(self) -> None:
        pass


def _open(path: Path) -> _Readable:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device never ends, or never begins
            raise UsageError("cannot_read", f"{path.name} is not a file", hint="Choose another file.")
        return path.open("rb", buffering=0)
    except OSError as error:
        raise _cannot_read(path.name, error) from error


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]


def _mark_of(file: _Readable) -> tuple[int, int]:
    if not isinstance(file, io.FileIO):
        return 0, 0
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _too_large(most: int, hint: str) -> UsageError:
    return UsageError("file_too_large", f"a file may have at most {most // MIB} MiB", hint=hint)


def _cannot_read(name: str, error: OSError) -> UsageError:
    return UsageError("cannot_read", f"{name} cannot be read: {error.strerror}", hint="Choose another file.")
