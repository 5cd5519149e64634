"""The locked box: what a passphrase opens, what it does not, and what a header may ask for."""

import hashlib
import unicodedata
from collections.abc import Callable

import nacl.exceptions
import nacl.pwhash.argon2id
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.errors import UsageError
from e2e_support_keys import vault
from e2e_support_keys.vault import (
    CEILING,
    DEFAULT,
    FLOOR,
    SECRET_MAX,
    Cost,
    Header,
    LockedBox,
    lock,
    passphrase_bytes,
    unlock,
)
from keys_room import LOCKED_BY, PASSPHRASE, Numbered, refused

SECRET = Secret(b"what only the passphrase gives back")
LOCKED = lock(SECRET, LOCKED_BY, random=Numbered(), cost=FLOOR)

FROZEN = bytes.fromhex(
    "92c434950102ce00010000c410cff356b15ee5161bb6606457466a9178c418213d3d9f6cdc5ec70bee47317676842d68"
    "4e61789fabf508c4334476eb56d1a94f5aae7c1b1ea51b30a76f11169f433c78daaf40843d4bae0ef2629f9a0f28151e"
    "2e523c17a9b679b82c51f4ca"
)


def quick_kdf(size: int, password: bytes, salt: bytes, opslimit: int, memlimit: int) -> bytes:
    """Stand for Argon2id where thousands of derivations are needed; the bounds are checked all the same."""
    assert 2 <= opslimit <= 10
    assert 64 << 20 <= memlimit <= 1 << 30
    return hashlib.sha256(password + salt + bytes([opslimit]) + memlimit.to_bytes(8, "big")).digest()[:size]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace Argon2id by something quick."""
    monkeypatch.setattr(nacl.pwhash.argon2id, "kdf", quick_kdf)


def with_header(**changes: int) -> bytes:
    """Return the locked bytes with other numbers in the header."""
    box = LockedBox.from_bytes(LOCKED)
    old = Header.from_bytes(box.header)
    numbers = {"version": old.version, "passes": old.passes, "memory": old.memory} | changes
    return LockedBox(Header(**numbers, salt=old.salt, nonce=old.nonce).to_bytes(), box.sealed).to_bytes()


def test_the_passphrase_opens_what_it_locked() -> None:
    """Unlocking gives back the secret."""
    assert unlock(LOCKED, LOCKED_BY) == SECRET


@settings(max_examples=5)
@given(secret=st.binary(max_size=1000), passphrase=st.text(min_size=1))
def test_any_secret_and_passphrase_go_round(secret: bytes, passphrase: str) -> None:
    """Locking and unlocking is the identity for every secret and every passphrase."""
    key = passphrase_bytes(passphrase)
    assert unlock(lock(Secret(secret), key, random=Numbered(), cost=FLOOR), key) == Secret(secret)


def test_the_format_stays_readable() -> None:
    """Bytes locked by the first release open for ever."""
    assert unlock(FROZEN, LOCKED_BY) == SECRET


def test_two_locks_share_no_salt_and_no_nonce() -> None:
    """The same secret under the same passphrase looks unrelated the second time."""
    random = Numbered()
    one, other = (
        Header.from_bytes(LockedBox.from_bytes(lock(SECRET, LOCKED_BY, random=random, cost=FLOOR)).header)
        for _ in range(2)
    )
    assert one.salt != other.salt
    assert one.nonce != other.nonce


def test_another_passphrase_is_wrong() -> None:
    """Another passphrase is told to be wrong, with a hint."""
    with pytest.raises(UsageError) as caught:
        unlock(LOCKED, passphrase_bytes(PASSPHRASE + "!"))
    assert caught.value.code == "wrong_passphrase"
    assert caught.value.message == "wrong passphrase or damaged file"
    assert caught.value.hint


def test_every_flipped_bit_is_noticed(quick: None) -> None:
    """No single changed bit opens, and none raises anything but a UsageError."""
    locked = lock(SECRET, LOCKED_BY, random=Numbered(), cost=FLOOR)
    assert unlock(locked, LOCKED_BY) == SECRET
    for bit in range(8 * len(locked)):
        changed = bytearray(locked)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UsageError) as caught:
            unlock(bytes(changed), LOCKED_BY)
        assert caught.value.code in {"wrong_passphrase", "update_needed"}


def test_every_cut_is_noticed(quick: None) -> None:
    """A file that lost its end, or got one byte more, is damaged."""
    for data in [*(LOCKED[:size] for size in range(len(LOCKED))), LOCKED + b"\x00"]:
        with refused("wrong_passphrase"):
            unlock(data, LOCKED_BY)


@given(data=st.binary(max_size=200))
def test_garbage_is_never_more_than_a_wrong_passphrase(data: bytes) -> None:
    """Whatever bytes stand in the file, only a UsageError leaves."""
    with pytest.raises(UsageError):
        unlock(data, LOCKED_BY)


@pytest.mark.parametrize(
    "changes",
    [
        {"passes": FLOOR.passes - 1},
        {"passes": CEILING.passes + 1},
        {"memory": FLOOR.memory - 1},
        {"memory": CEILING.memory + 1},
        {"memory": 0, "passes": 0},
        {"memory": 2**53 - 1},
    ],
)
def test_a_header_outside_the_bounds_is_not_obeyed(
    changes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers below the floor or above the ceiling are refused before anything is derived."""
    monkeypatch.setattr(vault, "_key", None)
    with refused("wrong_passphrase"):
        unlock(with_header(**changes), LOCKED_BY)


@pytest.mark.parametrize("cost", [FLOOR, DEFAULT, CEILING])
def test_a_cost_within_the_bounds_is_obeyed(cost: Cost, quick: None) -> None:
    """Floor, default and ceiling themselves are allowed, and stand in the header."""
    locked = lock(SECRET, LOCKED_BY, random=Numbered(), cost=cost)
    header = Header.from_bytes(LockedBox.from_bytes(locked).header)
    assert (header.passes, header.memory) == (cost.passes, cost.memory)
    assert unlock(locked, LOCKED_BY) == SECRET


def test_the_costs_are_the_promised_ones() -> None:
    """The defaults are 256 MiB and 3 passes, the floor 64 MiB and 2, the ceiling 1 GiB and 10."""
    assert Cost(3, 256 * 1024) == DEFAULT
    assert Cost(2, 64 * 1024) == FLOOR
    assert Cost(10, 1024 * 1024) == CEILING


@pytest.mark.parametrize("cost", [Cost(1, 65536), Cost(2, 65535), Cost(11, 65536), Cost(2, 2**20 + 1)])
def test_nothing_is_locked_outside_the_bounds(cost: Cost) -> None:
    """A caller cannot lock what nobody would open, or what is cheap to guess."""
    with refused("bad_cost"):
        lock(SECRET, LOCKED_BY, random=Numbered(), cost=cost)


def test_an_empty_passphrase_locks_nothing() -> None:
    """An empty passphrase is refused, since it would look like protection."""
    with refused("empty_passphrase"):
        lock(SECRET, passphrase_bytes(""), random=Numbered(), cost=FLOOR)


def miscounting(size: int) -> bytes:
    """Return one byte too many."""
    return bytes(size + 1)


@pytest.mark.parametrize("broken", [bytes, miscounting])
def test_a_broken_random_source_is_refused(broken: Callable[[int], bytes]) -> None:
    """A stuck or miscounting source locks nothing."""
    with refused("bad_random"):
        lock(SECRET, LOCKED_BY, random=broken, cost=FLOOR)


def test_the_largest_secret_goes_round_and_no_larger_one(quick: None) -> None:
    """64 KiB are the most that fits."""
    largest = Secret(bytes(SECRET_MAX))
    assert unlock(lock(largest, LOCKED_BY, random=Numbered()), LOCKED_BY) == largest
    with refused("malformed"):
        lock(Secret(bytes(SECRET_MAX + 1)), LOCKED_BY, random=Numbered())


def test_a_newer_version_asks_for_an_update() -> None:
    """A file of a later version is not called damaged."""
    with refused("update_needed"):
        unlock(with_header(version=2), LOCKED_BY)


@pytest.mark.parametrize("error", [MemoryError, nacl.exceptions.RuntimeError])
def test_too_little_memory_is_told(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that cannot give the memory says so, and not that the passphrase is wrong."""

    def fail(*_: object, **__: object) -> bytes:
        raise error

    monkeypatch.setattr(nacl.pwhash.argon2id, "kdf", fail)
    with refused("no_memory"):
        unlock(LOCKED, LOCKED_BY)


def test_every_keyboard_gives_the_same_passphrase() -> None:
    """Composed and decomposed letters are one passphrase; capitals and spaces are not ignored."""
    text = "Grüße aus Malmö"
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert passphrase_bytes(composed) == passphrase_bytes(decomposed)
    assert passphrase_bytes(text) != passphrase_bytes(text.lower())
    assert passphrase_bytes("a ") != passphrase_bytes("a")


def test_bytes_that_are_no_text_make_a_passphrase() -> None:
    """Whatever a terminal returns can be hashed."""
    assert (
        passphrase_bytes(b"\xff".decode("utf-8", "surrogateescape")).reveal(SECRET_ACCESS) == b"\xed\xb3\xbf"
    )
