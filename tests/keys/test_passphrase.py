"""Passphrases come from a person, a private file or a keyring that protects them, and from nowhere else."""

import base64
import functools
import getpass
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.compat import properties
from keyring.errors import KeyringLocked

from e2e_support_keys.passphrase import (
    PASSPHRASE_MAX,
    VARIABLE,
    KeyringPassphrase,
    passphrase_from_environment,
)
from keys_room import Numbered, refused
from rings import Ring, use_ring


def answers(*given: str) -> Callable[[str], str]:
    """Return a person who types one answer after the other."""
    left = iter(given)
    return lambda _: next(left)


def nobody(_: str) -> str:
    """Stand for a person who must not be asked."""
    raise AssertionError


def passphrase_file(tmp_path: Path, content: bytes, bits: int = 0o600) -> dict[str, str]:
    """Write a passphrase file and return the environment that names it."""
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    path.chmod(bits)
    return {VARIABLE: str(path)}


def test_a_person_is_asked() -> None:
    """Without a file the prompt is shown and the answer taken as it is."""
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return " as typed "

    assert passphrase_from_environment("Passphrase: ", environment={}, ask=ask) == " as typed "
    assert asked == ["Passphrase: "]


def test_a_new_passphrase_is_typed_twice() -> None:
    """Two equal answers make a passphrase, two different ones do not."""
    ask = answers("one", "one", "one", "two")
    assert passphrase_from_environment("New: ", confirm=True, environment={}, ask=ask) == "one"
    with refused("passphrases_differ"):
        passphrase_from_environment("New: ", confirm=True, environment={}, ask=ask)


@pytest.mark.parametrize(
    "content", [b"from a file", b"from a file\n", b"from a file\r\n", b"from a file\nmore\n"]
)
@pytest.mark.parametrize("bits", [0o600, 0o400, 0o440, 0o640])
def test_a_file_answers_instead(tmp_path: Path, content: bytes, bits: int) -> None:
    """The first line of the named file is the passphrase, and nobody is asked."""
    environment = passphrase_file(tmp_path, content, bits)
    assert passphrase_from_environment("", confirm=True, environment=environment, ask=nobody) == "from a file"


@pytest.mark.parametrize("bits", [0o604, 0o602, 0o620, 0o644, 0o601])
def test_a_file_open_to_others_is_refused(tmp_path: Path, bits: int) -> None:
    """A passphrase that everybody can read, or a group can change, is not used."""
    with refused("unsafe_file"):
        passphrase_from_environment("", environment=passphrase_file(tmp_path, b"secret", bits), ask=nobody)


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this user's own file, or one of the system's, names the passphrase."""
    environment = passphrase_file(tmp_path, b"secret")
    real = os.fstat

    def foreign(descriptor: int) -> os.stat_result:
        status = list(real(descriptor))
        status[4] = os.geteuid() + 1
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", foreign)
    with refused("unsafe_file"):
        passphrase_from_environment("", environment=environment, ask=nobody)


@pytest.mark.parametrize("content", [b"", b"\n", b"\nsecond line", b"x" * (PASSPHRASE_MAX + 1)])
def test_a_file_without_a_passphrase_is_told(tmp_path: Path, content: bytes) -> None:
    """An empty first line or an endless one is not taken for a passphrase."""
    with refused("no_passphrase"):
        passphrase_from_environment("", environment=passphrase_file(tmp_path, content), ask=nobody)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A named file that is not there does not turn into a question that nobody sees."""
    with refused("no_passphrase"):
        passphrase_from_environment("", environment={VARIABLE: str(tmp_path / "nothing")}, ask=nobody)


def test_the_variable_holds_a_name_and_never_the_passphrase(tmp_path: Path) -> None:
    """A passphrase put into the environment itself is not used."""
    for variable in ("E2ES_PASSPHRASE", "PASSPHRASE"):
        ask = answers("typed")
        assert passphrase_from_environment("", environment={variable: "leaked"}, ask=ask) == "typed"


@pytest.mark.parametrize("error", [EOFError, OSError])
def test_without_a_terminal_the_way_out_is_told(error: type[Exception]) -> None:
    """Where nobody can be asked the error names the variable."""

    def ask(_: str) -> str:
        raise error

    with refused("no_passphrase"):
        passphrase_from_environment("", environment={}, ask=ask)


def test_a_terminal_that_would_echo_is_not_used() -> None:
    """If what is typed would be seen, it is not typed."""

    def ask(_: str) -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        raise AssertionError

    with refused("no_passphrase"):
        passphrase_from_environment("", environment={}, ask=ask)


class LockedRing(Ring):
    """A keyring that its owner does not unlock."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked


class PlainRing(Ring):
    """A keyring that keeps plain text, as its priority says."""

    @properties.classproperty
    def priority(self) -> float:
        return 0.5


Use = Callable[[keyring.backend.KeyringBackend], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Make a backend the system's keyring for one test."""
    return functools.partial(use_ring, monkeypatch)


def test_the_keyring_keeps_a_random_passphrase(use: Use) -> None:
    """A created passphrase has 32 random bytes and is found again under its name alone."""
    use(Ring())
    created = KeyringPassphrase("e2e-support", "acme").create(Numbered())
    assert len(base64.urlsafe_b64decode(created)) == 32
    assert KeyringPassphrase("e2e-support", "acme")() == created
    with refused("no_passphrase"):
        KeyringPassphrase("e2e-support", "other")()


def test_the_keyring_entry_is_not_replaced(use: Use) -> None:
    """A second creation would lock out the file of the first."""
    ring = Ring()
    use(ring)
    passphrase = KeyringPassphrase("e2e-support", "acme")
    created = passphrase.create(Numbered())
    with refused("passphrase_exists"):
        passphrase.create(Numbered(1))
    assert passphrase() == created


@pytest.mark.parametrize(
    "ring",
    [keyring.backends.fail.Keyring, keyring.backends.null.Keyring, PlainRing, LockedRing],
    ids=["failing", "forgetting", "plain", "locked"],
)
def test_a_keyring_that_does_not_protect_is_refused(
    ring: type[keyring.backend.KeyringBackend], use: Use
) -> None:
    """The failing, the forgetting, the plain-text and the locked keyring all say no_keyring."""
    use(ring())
    with refused("no_keyring"):
        KeyringPassphrase("e2e-support", "acme")()
    with refused("no_keyring"):
        KeyringPassphrase("e2e-support", "acme").create(Numbered())
