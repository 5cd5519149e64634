"""Secrets stay in their holder until somebody asks with the token."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from e2e_support.crypto.secret import (
    SECRET_ACCESS,
    Secret,
    SecretAccess,
    check_random,
    draw,
    require_access,
)
from e2e_support.errors import UsageError

DATA = b"thirty-two bytes, all of secret!"


def counter(size: int) -> bytes:
    """Return the same bytes every time."""
    return bytes(range(size))


def test_reveal_gives_the_bytes_to_the_token() -> None:
    """What goes in comes out for SECRET_ACCESS."""
    assert Secret(DATA).reveal(SECRET_ACCESS) == DATA


def test_reveal_refuses_a_token_made_elsewhere() -> None:
    """Only the module's own token works, so that grep finds every leak point."""
    with pytest.raises(UsageError) as caught:
        Secret(DATA).reveal(SecretAccess())
    assert caught.value.code == "no_access"


def test_require_access_accepts_the_token() -> None:
    """The guard that other holders of secrets use lets the token pass."""
    require_access(SECRET_ACCESS)


@pytest.mark.parametrize("form", ["{}", "{!r}", "{!s}", "{:>90}", "{:x}"])
def test_no_way_of_printing_shows_a_byte(form: str) -> None:
    """Text made of a secret, or of something that holds it, gives its size and nothing else."""
    for holder in (Secret(DATA), [Secret(DATA)]):
        shown = form.format(holder) if isinstance(holder, Secret) else f"{holder}"
        assert "32 bytes" in shown
        assert "secret!" not in shown
        assert DATA.hex() not in shown


@pytest.mark.parametrize("keep", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_neither_pickled_nor_copied(keep: Callable[[Secret], object]) -> None:
    """Serialisation and copies go through reveal or not at all."""
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        keep(Secret(DATA))


def test_a_secret_does_not_turn_into_bytes_by_itself() -> None:
    """bytes() and iteration do not get around the token."""
    secret: Any = Secret(DATA)
    with pytest.raises(TypeError):
        bytes(secret)
    with pytest.raises(TypeError):
        iter(secret)


def test_a_secret_cannot_be_changed() -> None:
    """Attributes can be neither set nor deleted, and the source buffer is copied."""
    source: Any = bytearray(DATA)
    secret: Any = Secret(source)
    source[:] = bytes(32)
    with pytest.raises(AttributeError):
        secret._Secret__data = b""
    with pytest.raises(AttributeError):
        del secret._Secret__data
    assert secret.reveal(SECRET_ACCESS) == DATA


def test_equality_and_hash_follow_the_content() -> None:
    """Equal secrets are equal and hash alike; bytes are never equal to a secret."""
    assert Secret(DATA) == Secret(DATA)
    assert hash(Secret(DATA)) == hash(Secret(DATA))
    assert Secret(DATA) != Secret(DATA[:-1])
    assert Secret(DATA) != DATA
    assert len(Secret(DATA)) == 32


def test_random_takes_its_bytes_from_the_source() -> None:
    """The size has a default of 32 bytes and reaches the source."""
    assert Secret.random(counter) == Secret(bytes(range(32)))
    assert len(Secret.random(counter, 5)) == 5


def test_a_source_that_returns_too_little_is_refused() -> None:
    """A short read is an error and never a short key."""
    with pytest.raises(UsageError) as caught:
        draw(lambda size: bytes(size - 1), 32)
    assert caught.value.code == "bad_random"


def test_check_random_accepts_a_source_that_moves() -> None:
    """Two different draws pass the self-test."""
    draws = iter([bytes(32), bytes([1] * 32)])
    check_random(lambda size: next(draws))


def test_check_random_refuses_a_stuck_source() -> None:
    """The same 32 bytes twice end the program before it makes a key."""
    with pytest.raises(UsageError) as caught:
        check_random(counter)
    assert caught.value.code == "bad_random"
    assert caught.value.hint
