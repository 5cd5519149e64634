"""Where a passphrase comes from: a person, a file that the environment names, or the system's keyring.

Never from a program argument or an environment variable's value: other processes can read both.
"""

from __future__ import annotations

import base64
import getpass
import os
import stat
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import keyring
from keyring.errors import KeyringError

from e2e_support.crypto.secret import Random, draw
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import UsageError

VARIABLE = "E2ES_PASSPHRASE_FILE"
PASSPHRASE_MAX = 4096


def passphrase_from_environment(
    prompt: str,
    *,
    confirm: bool = False,
    environment: Mapping[str, str] = os.environ,
    ask: Callable[[str], str] = getpass.getpass,
) -> str:
    """Return the passphrase in the file that ``E2ES_PASSPHRASE_FILE`` names, else ask on the terminal.

    Args:
        prompt: what the person reads.
        confirm: ask twice; for a passphrase that locks something new.
        environment: where the variable stands.
        ask: how to ask without an echo.

    Raises:
        UsageError: ``no_passphrase`` when there is neither a usable file nor a terminal; ``unsafe_file``;
            ``passphrases_differ``.
    """
    named = environment.get(VARIABLE)
    if named:
        return _from_file(Path(named))
    passphrase = _from_person(prompt, ask)
    if confirm and _from_person(f"{prompt} (again) ", ask) != passphrase:
        raise UsageError("passphrases_differ", "the two passphrases differ", hint="Type it again.")
    return passphrase


def new_passphrase(prompt: str, file: Path | None, *, ask: Callable[[str], str] = getpass.getpass) -> str:
    """Return the passphrase that is to replace another, which alone may stand in the environment's file.

    Args:
        prompt: what the person reads.
        file: holds the new passphrase; without it the person types it twice.
        ask: how to ask without an echo.

    Raises:
        UsageError: as ``passphrase_from_environment``.
    """
    named = {} if file is None else {VARIABLE: str(file)}
    return passphrase_from_environment(prompt, confirm=True, environment=named, ask=ask)


class KeyringPassphrase:
    """A passphrase that the system's keyring keeps, a random one at first; the person's login unlocks it.

    Args:
        service: the name of the program in the keyring.
        user: which keys these are; a path or an instance's name.
    """

    def __init__(self, service: str, user: str) -> None:
        self._service = service
        self._user = user
        self._announced = f"{user} (new)"

    def __call__(self) -> str:
        """Return the passphrase.

        Raises:
            UsageError: ``no_keyring`` when the system has none that protects what it keeps;
                ``no_passphrase`` when it has no entry of this name.
        """
        return self._entry(self._user)

    def create(self, random: Random = os.urandom) -> str:
        """Put 32 random bytes as text into the keyring and return the text.

        Args:
            random: the source of randomness.

        Raises:
            UsageError: ``passphrase_exists``, since an older one may lock keys; ``no_keyring``;
                ``bad_random``.
        """
        passphrase = base64.urlsafe_b64encode(draw(random, KEY_SIZE)).decode("ascii")
        with _keyring():
            if keyring.get_password(self._service, self._user) is not None:
                raise UsageError(
                    "passphrase_exists",
                    f"the keyring has an entry {self._service}, {self._user} already",
                    hint="Use it, or remove it if no key file needs it any more.",
                )
            keyring.set_password(self._service, self._user, passphrase)
        return passphrase

    def announce(self, passphrase: str) -> None:
        """Keep the passphrase that keys are about to be locked with, beside the present one.

        Raises:
            UsageError: ``no_keyring``.
        """
        with _keyring():
            keyring.set_password(self._service, self._announced, passphrase)

    def announced(self) -> str:
        """Return what was announced and has not settled; errors as when the passphrase is asked for."""
        return self._entry(self._announced)

    def settle(self) -> None:
        """Let the announced passphrase take the present one's place, once it locks the keys.

        Raises:
            UsageError: ``no_keyring``; ``no_passphrase`` when none was announced.
        """
        passphrase = self.announced()
        with _keyring():
            keyring.set_password(self._service, self._user, passphrase)
            keyring.delete_password(self._service, self._announced)

    def _entry(self, user: str) -> str:
        with _keyring():
            passphrase = keyring.get_password(self._service, user)
        if passphrase is None:
            raise _no_passphrase(f"the keyring has no entry {self._service}, {user}")
        return passphrase


@contextmanager
def _keyring() -> Generator[None]:
    """Refuse the failing, the empty and the plain-text backends: keyring ranks all of them below 1."""
    backend = keyring.get_keyring()
    if backend.priority < 1:
        raise _no_keyring(type(backend).__module__)
    try:
        yield
    except KeyringError as error:
        raise _no_keyring(type(error).__name__) from None


def _from_file(path: Path) -> str:
    """Read the first line. Group-readable is allowed: a service manager's access list looks like that."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(PASSPHRASE_MAX + 1)
    except OSError as error:
        raise _no_passphrase(f"{path}: {error.strerror}") from None
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise UsageError(
            "unsafe_file",
            f"the passphrase file {path} is open to other users",
            hint="Make it yours alone: chmod 600.",
        )
    passphrase = data.split(b"\n", 1)[0].rstrip(b"\r")
    if not passphrase or len(data) > PASSPHRASE_MAX:
        raise _no_passphrase(f"{path} does not hold one line with a passphrase")
    return passphrase.decode("utf-8", "surrogateescape")


def _from_person(prompt: str, ask: Callable[[str], str]) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would echo what is typed
            return ask(prompt)
    except (EOFError, OSError, getpass.GetPassWarning):
        raise _no_passphrase("there is no terminal to ask on") from None


def _no_passphrase(why: str) -> UsageError:
    return UsageError(
        "no_passphrase",
        f"no passphrase: {why}",
        hint=f"Use a terminal, or name a file of mode 600: in {VARIABLE}, or with the option for a new one.",
    )


def _no_keyring(what: str) -> UsageError:
    return UsageError(
        "no_keyring",
        f"this system offers no usable keyring ({what})",
        hint=f"Use a passphrase instead; services can name a file in {VARIABLE}.",
    )
