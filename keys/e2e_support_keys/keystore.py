"""Where a program keeps its keys between runs: in a locked file, or only in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from e2e_support.crypto.secret import Random, Secret
from e2e_support.errors import UsageError
from e2e_support_keys.bundle import KeyBundle, bundle_from_secret, bundle_to_secret
from e2e_support_keys.private_files import read_private, write_private
from e2e_support_keys.vault import DEFAULT, Cost, LockedBox, lock, passphrase_bytes, unlock

AskPassphrase = Callable[[], str]


class Keystore(Protocol):
    """The port that clients use; calls may block on a person, a disk and half a second of key derivation."""

    def load(self) -> KeyBundle | None:
        """Return the keys, or ``None`` when there are none yet."""
        ...

    def save(self, bundle: KeyBundle) -> None:
        """Keep these keys instead of the ones that ``load`` returned."""
        ...


class MemoryKeystore:
    """Keys that end with the process; for tests and for hosts that keep them elsewhere.

    Args:
        bundle: the keys to begin with.
    """

    def __init__(self, bundle: KeyBundle | None = None) -> None:
        self._bundle = bundle

    def load(self) -> KeyBundle | None:
        """Return the keys, or ``None``."""
        return self._bundle

    def save(self, bundle: KeyBundle) -> None:
        """Keep these keys."""
        self._bundle = bundle


class FileKeystore:
    """Keys in one file of mode 0600, locked by a passphrase.

    The passphrase is asked for once and remembered, so that a slip of the finger at a later ``save`` cannot
    lock the keys away. A file that this object did not open is never overwritten.

    Args:
        path: the file; a missing directory is made with mode 0700.
        passphrase: asked when it is first needed; ``passphrase.py`` has some ready.
        cost: what one guess costs in files written from now on.
        random: source of salts and nonces.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        passphrase: AskPassphrase,
        *,
        cost: Cost = DEFAULT,
        random: Random = os.urandom,
    ) -> None:
        self.path = Path(path).expanduser()
        self._ask = passphrase
        self._cost = cost
        self._random = random
        self._opened_with: Secret | None = None
        self._last = b""  # what the file held when this object last read or wrote it

    def load(self) -> KeyBundle | None:
        """Return the keys, or ``None`` when there is no file; then no passphrase is asked for.

        Raises:
            UsageError: ``wrong_passphrase``, ``unsafe_file``, ``file_too_large``, ``file_unusable``,
                ``update_needed``, ``malformed``, ``no_memory``.
        """
        data = read_private(self.path, limit=LockedBox.LIMIT)
        if data is None:
            return None
        passphrase = self._passphrase()
        bundle = bundle_from_secret(unlock(data, passphrase))
        self._opened_with, self._last = passphrase, data
        return bundle

    def save(self, bundle: KeyBundle) -> None:
        """Write the keys; the file holds either all of the old or all of the new.

        Raises:
            UsageError: ``file_exists`` when there is a file that was not loaded before, ``keys_changed`` when
                another program has written it since, ``unsafe_file``, ``disk_full``, ``file_unusable``,
                ``empty_passphrase``, ``bad_random``, ``no_memory``.
        """
        mine, found = self._opened_with is not None, read_private(self.path, limit=LockedBox.LIMIT)
        if not mine and found is not None:
            raise _would_overwrite(self.path)
        if found not in {None, self._last}:  # its passphrase may be another one, or its keys newer
            raise _changed(self.path)
        self._write(bundle, self._passphrase(), replace=mine)

    def change_passphrase(self, new: AskPassphrase) -> None:
        """Lock the same keys with another passphrase, at the present cost.

        Backups of the old file still open with the old passphrase.

        Args:
            new: asked after the present passphrase was found right.

        Raises:
            UsageError: ``no_keys`` when there is no file; else as in ``load`` and ``save``.
        """
        bundle = self.load()
        if bundle is None:
            raise UsageError("no_keys", f"there are no keys in {self.path}", hint="Check the path.")
        self._write(bundle, passphrase_bytes(new()), replace=True)

    def forget(self) -> None:
        """Drop the passphrase; the next ``load`` asks for it. For programs that lock themselves."""
        self._opened_with = None

    def _passphrase(self) -> Secret:
        return passphrase_bytes(self._ask()) if self._opened_with is None else self._opened_with

    def _write(self, bundle: KeyBundle, passphrase: Secret, *, replace: bool) -> None:
        locked = lock(bundle_to_secret(bundle), passphrase, random=self._random, cost=self._cost)
        write_private(self.path, locked, replace=replace)
        self._opened_with, self._last = passphrase, locked


def _changed(path: Path) -> UsageError:
    return UsageError(
        "keys_changed",
        f"another program has changed {path} meanwhile; nothing was written",
        hint="Start again: it asks for the passphrase that is now the right one.",
    )


def _would_overwrite(path: Path) -> UsageError:
    return UsageError(
        "file_exists",
        f"{path} holds keys that were not opened; they are not overwritten",
        hint="Open them with their passphrase, or choose another place for the new ones.",
    )
