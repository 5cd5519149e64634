"""The relay's own files: the data directory, the receipt key, and the lock that keeps a second relay out."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import SIGN_SEED
from e2e_support.errors import UsageError

KEY_FILE = "relay.key"
LOCK_FILE = "lock"


def make_directory(directory: Path) -> None:
    """Make a directory into which only this user can look, whoever made it before."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)


def load_key(directory: Path) -> SigningKey:
    """Return the relay's receipt key, made at the first call.

    Raises:
        UsageError: ``bad_key_file`` when others may read it, or it is no seed.
    """
    file = directory / KEY_FILE
    with suppress(FileExistsError):
        _create(file)
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        private = not stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077
        seed = stream.read(SIGN_SEED + 1)
    if not private or len(seed) != SIGN_SEED:
        raise UsageError(
            "bad_key_file", "the receipt key is damaged or readable by others", hint=f"Look at {file}."
        )
    return SigningKey(Secret(seed))


def lock(directory: Path) -> int:
    """Take the data directory for this process and return the descriptor that holds it.

    Raises:
        UsageError: ``in_use`` while another relay serves from it.
    """
    descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(
            "in_use", "another relay serves from this data directory", hint="Stop it, or choose another one."
        ) from None
    return descriptor


def _create(file: Path) -> None:
    """Write a fresh seed under a name of its own, then link it: nobody ever sees half a key."""
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(os.urandom(SIGN_SEED))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, file)
    finally:
        draft.unlink()
