"""The keys in a command's home: one locked file, opened by the system's keyring where a person chose that.

Otherwise the passphrase is typed, or stands in the file that the environment names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e_support.errors import UsageError
from e2e_support_keys.bundle import KeyBundle
from e2e_support_keys.keystore import AskPassphrase, FileKeystore
from e2e_support_keys.passphrase import KeyringPassphrase, new_passphrase, passphrase_from_environment
from e2e_support_keys.store import nobody_in_store

KEYRING_NAME: Final = "keyring"
"""An empty file of this name says that the keyring was chosen."""

AFTER_CHANGE: Final = (
    "The new passphrase opens your keys, the old one does not. Copies of the key file that were made before\n"
    "still open with the old one: destroy those that you do not need."
)


class KeyringKeystore(FileKeystore):
    """A key file whose passphrase the system's keyring keeps.

    A new passphrase is announced in the keyring before the file is written, and takes the old one's place
    afterwards: a kill at any moment leaves a file that one of the two opens.

    Args:
        path: the file.
        ring: the file's entry in the keyring; made with the keys.
    """

    def __init__(self, path: Path, ring: KeyringPassphrase) -> None:
        super().__init__(path, lambda: ring() if path.exists() else _begun(ring))
        self._ring = ring

    def load(self) -> KeyBundle | None:
        """Return the keys, or ``None``; errors as in ``FileKeystore.load``, and ``no_keyring``."""
        try:
            return super().load()
        except UsageError as error:
            if error.code != "wrong_passphrase" or not self._opens_announced():
                raise
        self._ring.settle()
        return super().load()

    def change_passphrase(self, new: AskPassphrase) -> None:
        """Lock the same keys with another passphrase, which the keyring keeps instead.

        Args:
            new: as for ``FileKeystore.change_passphrase``, likewise the errors; and ``no_keyring``.
        """

        def announced() -> str:
            passphrase = new()
            self._ring.announce(passphrase)
            return passphrase

        super().change_passphrase(announced)
        self._ring.settle()

    def _opens_announced(self) -> bool:
        """Tell whether a change of the passphrase stopped after the file was written."""
        try:
            return FileKeystore(self.path, self._ring.announced).load() is not None
        except UsageError as error:
            if error.code not in {"wrong_passphrase", "no_passphrase"}:
                raise
            return False


@dataclass(frozen=True, slots=True)
class KeyHome:
    """Where the commands of one program keep one person's keys.

    Attributes:
        service: the program's name in the keyring.
        keys: the key file.
        store: the database that these keys open.
        prompt: what a person reads who is asked for the passphrase.
    """

    service: str
    keys: Path
    store: Path
    prompt: str

    def use_keyring(self) -> None:
        """Let the system's keyring keep the passphrase of keys that are made from now on.

        Raises:
            UsageError: ``keys_exist`` when keys are there that another passphrase locks; ``no_keyring``.
        """
        if self._has_keyring():
            return
        if self.keys.exists():
            raise UsageError(
                "keys_exist",
                "there are keys here already, with a passphrase of their own",
                hint="Go on without --keyring.",
            )
        _begun(self._ring())  # before the choice is written down: it may be no keyring that protects
        self.keys.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._choice.touch(mode=0o600)

    def keystore(self) -> FileKeystore:
        """Return the keys, opened as the person chose."""
        return KeyringKeystore(self.keys, self._ring()) if self._has_keyring() else self.typed()

    def typed(self) -> FileKeystore:
        """Return the keys, opened by whoever knows the passphrase, even where the keyring keeps it."""
        kept = f" ({self.service}, {self._entry}, in your keyring)" if self._has_keyring() else ""
        return FileKeystore(
            self.keys,
            lambda: passphrase_from_environment(f"{self.prompt}{kept}: ", confirm=not self.keys.exists()),
        )

    def change_passphrase(self, file: Path | None) -> None:
        """Lock the keys with another passphrase, at once or not at all; the old one then opens nothing here.

        Args:
            file: holds the new passphrase; without it the person types it twice.

        Raises:
            UsageError: ``store_locked`` while another process uses these keys, ``no_keys``,
                ``wrong_passphrase``, ``passphrases_differ``, ``empty_passphrase`` and what else keystore,
                keyring and terminal have to say.
        """
        with nobody_in_store(self.store):
            self.keystore().change_passphrase(lambda: new_passphrase(f"New {self._what}: ", file))

    @property
    def _what(self) -> str:
        return self.prompt[:1].lower() + self.prompt[1:]

    @property
    def _choice(self) -> Path:
        return self.keys.parent / KEYRING_NAME

    @property
    def _entry(self) -> str:
        return str(self.keys.absolute())

    def _has_keyring(self) -> bool:
        return self._choice.exists()

    def _ring(self) -> KeyringPassphrase:
        return KeyringPassphrase(self.service, self._entry)


def _begun(ring: KeyringPassphrase) -> str:
    """Return the passphrase for new keys: one that an earlier run left behind locks nothing and is taken."""
    try:
        return ring()
    except UsageError as error:
        if error.code != "no_passphrase":
            raise
    return ring.create()
