"""Files that only their owner can read and that nobody can swap: how keys and stores touch the disk.

Everything happens relative to an opened directory, links are never followed at the last step, and a file
is checked after it is open, so that there is no moment between the check and the use (attack 64).
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from e2e_support.errors import UsageError

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
# Never through a link, never waiting for the other end of a pipe, never left open to a child process.
_ALWAYS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_private(path: Path, *, limit: int) -> bytes | None:
    """Return a file's content, or ``None`` when there is no such file.

    Args:
        path: the file; its directory must belong to this user and be writable by nobody else.
        limit: largest accepted size in bytes.

    Raises:
        UsageError: ``unsafe_file`` for a link, anything but a plain file, a file of another user or one
            that others may read; ``file_too_large``; ``file_unusable`` for what the system refuses.
    """
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with _explained(path), os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UsageError("file_too_large", f"{path} is larger than {limit} bytes", hint="Is it the one?")
    return data


def write_private(path: Path, data: bytes, *, replace: bool) -> None:
    """Write a whole file or nothing, with mode 0600; it is on the disk when this returns.

    Args:
        path: the file; a missing directory is made with mode 0700.
        data: the new content.
        replace: whether a file may stand there already; else creation is exclusive.

    Raises:
        UsageError: ``file_exists``, ``unsafe_file``, ``disk_full`` or ``file_unusable``; the file is then as
            it was before.
    """
    with _explained(path), _directory(path.parent, create=True) as directory:
        draft = f".{path.name}.{secrets.token_hex(8)}"
        descriptor = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _ALWAYS, _FILE_MODE, dir_fd=directory
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            # A link, unlike a rename, fails if the name is taken.
            place = os.replace if replace else os.link
            place(draft, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=directory)
        os.fsync(directory)


def open_private(path: Path, flags: int) -> int:
    """Return the descriptor of a checked file; the caller closes it.

    Args:
        path: the file; with ``O_CREAT`` in the flags a missing directory is made with mode 0700.
        flags: as for ``os.open``; a created file has mode 0600.

    Raises:
        FileNotFoundError: there is no such file or directory.
        UsageError: as in ``read_private``.
    """
    with _explained(path), _directory(path.parent, create=bool(flags & os.O_CREAT)) as directory:
        descriptor = os.open(path.name, flags | _ALWAYS, _FILE_MODE, dir_fd=directory)
    try:
        _check_file(path, os.fstat(descriptor))
    except UsageError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _directory(path: Path, *, create: bool) -> Generator[int]:
    """Open a directory that nobody else can write to: who could would swap the files in it."""
    if create:
        try:
            path.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        except FileNotFoundError:  # some file systems have no place for it
            raise UsageError(
                "file_unusable", f"{path}: no directory can be made there", hint="Choose another place."
            ) from None
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise _unsafe(path, "the directory belongs to, or can be changed by, another user", "chmod 700")
        yield descriptor
    finally:
        os.close(descriptor)


def _check_file(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _unsafe(path, "it is not a plain file", "rm")
    if status.st_uid != os.geteuid():
        raise _unsafe(path, "it belongs to another user", "chown")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unsafe(path, "other users may open it", "chmod 600")


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """Turn what the system refuses into an error with a hint; a missing file stays what it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except FileExistsError:
        raise UsageError(
            "file_exists", f"{path} exists already", hint="Open it, or choose another place for the new one."
        ) from None
    except OSError as error:
        raise _from_system(path, error) from None


def _from_system(path: Path, error: OSError) -> UsageError:
    if error.errno == errno.ELOOP:
        return _unsafe(path, "it is a symbolic link", "rm")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return UsageError("disk_full", f"no room to write {path}", hint="Free some space first.")
    return UsageError("file_unusable", f"{path}: {error.strerror}", hint="Check path and permissions.")


def _unsafe(path: Path, why: str, remedy: str) -> UsageError:
    return UsageError(
        "unsafe_file",
        f"{path} is not safe to use: {why}",
        hint=f"Keep it in a directory of your own; look at it first, then use {remedy}.",
    )
