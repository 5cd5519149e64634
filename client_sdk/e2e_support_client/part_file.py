"""Where attachments are written to: files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from e2e_support.attachment import safe_name
from e2e_support.content import Attachment
from e2e_support.errors import UsageError


class PartFile:
    """A file that is written under ``NAME.part`` and gets its name when it is complete; otherwise it vanishes.

    Args:
        target: the name it will get.
        force: whether a file of that name, or of ``NAME.part``, is replaced.

    Raises:
        UsageError: ``file_exists`` or ``cannot_write``.
    """

    def __init__(self, target: Path, *, force: bool = False) -> None:
        self._target = target
        self._part = target.with_name(target.name + ".part")
        self._force = force
        self._lock = threading.Lock()
        if not force and os.path.lexists(target):
            raise _exists(target)
        if force:
            self._part.unlink(missing_ok=True)
        self._descriptor = self._create()

    def write(self, start: int, data: bytes) -> None:
        """Write verified bytes at their place.

        Raises:
            UsageError: ``disk_full`` or ``cannot_write``.
        """
        view = memoryview(data)
        try:
            with self._lock:
                os.lseek(self._descriptor, start, os.SEEK_SET)
                while view:
                    view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise _cannot_write(self._target, error) from error

    def commit(self) -> None:
        """Give the file its name, once all of it is on the disk.

        Raises:
            UsageError: ``file_exists`` when somebody else took the name meanwhile, ``disk_full``, ``cannot_write``.
        """
        try:
            with self._lock:
                os.fsync(self._descriptor)
            self._close()
            self._rename()
        except FileExistsError:
            raise _exists(self._target) from None
        except OSError as error:
            raise _cannot_write(self._target, error) from error

    def discard(self) -> None:
        """Remove what was written, unless it was committed."""
        self._close()
        self._part.unlink(missing_ok=True)

    def _close(self) -> None:
        """Close the file; a worker thread that comes too late finds no descriptor, not a stranger's."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _create(self) -> int:
        """Create the file for this program alone; a symbolic link in its place is refused, never followed."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"):  # not on every system
            flags |= getattr(os, name, 0)
        try:
            return os.open(self._part, flags, 0o600)
        except FileExistsError:
            raise _exists(self._part) from None
        except OSError as error:
            raise _cannot_write(self._target, error) from error

    def _rename(self) -> None:
        """Rename without ever overwriting: a link is made only where nothing stands."""
        if self._force:
            self._part.replace(self._target)
            return
        try:
            os.link(self._part, self._target, follow_symlinks=False)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):  # a file system without links
            if os.path.lexists(self._target):
                raise FileExistsError from None
            self._part.rename(self._target)
        else:
            self._part.unlink()


def target_in(folder: str | os.PathLike[str], manifest: Attachment) -> Path:
    """Return where an attachment is saved in a folder: under a harmless form of the name it came with (attack 36).

    Args:
        folder: chosen by the person.
        manifest: the attachment.
    """
    return Path(folder) / safe_name(manifest.name)


def _exists(path: Path) -> UsageError:
    return UsageError(
        "file_exists",
        f"{path.name} exists already",
        hint="Choose another name, or say that it may be replaced (--force).",
    )


def _cannot_write(path: Path, error: OSError) -> UsageError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return UsageError(
            "disk_full",
            f"there is no space for {path.name}",
            hint="Make room, then fetch it again; nothing was kept.",
        )
    return UsageError(
        "cannot_write", f"{path.name} cannot be written: {error.strerror}", hint="Choose another folder."
    )
