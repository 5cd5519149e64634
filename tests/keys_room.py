"""What tests of keys share: repeatable randomness, a passphrase, cheap key files, and a way to expect errors."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.errors import SupportError, UsageError
from e2e_support_keys import vault
from e2e_support_keys.keystore import FileKeystore
from e2e_support_keys.vault import Cost, passphrase_bytes

PASSPHRASE = "correct horse battery staple"
LOCKED_BY = passphrase_bytes(PASSPHRASE)
KEY = Secret(bytes(range(32)))
OTHER_KEY = Secret(bytes(range(32, 64)))


class Numbered:
    """A source of randomness whose every draw differs from the last and is the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._drawn = 0

    def __call__(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._seed}/{self._drawn}".encode()).digest(size)


def unlock_cheaply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let key files cost next to nothing in this process, for tests of commands: each of them unlocks."""
    least = Cost(passes=1, memory=8)
    monkeypatch.setattr(vault, "FLOOR", least)
    monkeypatch.setitem(FileKeystore.__init__.__kwdefaults__ or {}, "cost", least)


@contextmanager
def refused(code: str, kind: type[SupportError] = UsageError) -> Generator[None]:
    """Expect one error: its class says who is at fault, its code what is wrong, and it has a hint."""
    with pytest.raises(kind) as caught:
        yield
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
