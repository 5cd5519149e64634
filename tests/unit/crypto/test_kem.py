"""X-Wing keys: expanded as the draft says, and checked before anything is sealed to them."""

import hashlib
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2e_support.crypto.kem import KemPrivate, KemPublic
from e2e_support.crypto.secret import SECRET_ACCESS, Secret, SecretAccess
from e2e_support.errors import PeerError, UsageError

SEED = bytes(range(32))
KEY = KemPrivate(Secret(SEED))
PRIME = 2**255 - 19


def test_a_key_pair_is_expanded_as_the_draft_says() -> None:
    """SHAKE256 of the seed gives the ML-KEM seed and the X25519 private key."""
    expanded = hashlib.shake_256(SEED).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key().public_bytes_raw()
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:]).public_key().public_bytes_raw()
    assert KEY.public == mlkem + x25519
    assert len(KEY.public) == 1216


def test_a_seed_of_another_size_is_refused() -> None:
    """A key pair is made of 32 bytes."""
    with pytest.raises(UsageError) as caught:
        KemPrivate(Secret(bytes(64)))
    assert caught.value.code == "bad_key"


def test_the_private_halves_ask_for_the_token() -> None:
    """The library's keys leave for SECRET_ACCESS only."""
    mlkem, x25519 = KEY.halves(SECRET_ACCESS)
    assert mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw() == KEY.public
    with pytest.raises(UsageError) as caught:
        KEY.halves(SecretAccess())
    assert caught.value.code == "no_access"


def test_a_key_pair_does_not_pickle() -> None:
    """The private half does not leave by accident."""
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def test_a_good_public_key_is_parsed_once() -> None:
    """The same bytes give the same library objects."""
    one, two = KemPublic(KEY.public), KemPublic(KEY.public)
    assert one.data == KEY.public
    assert one.halves is two.halves


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(KEY.public[:-1], id="short"),
        pytest.param(KEY.public + b"\0", id="long"),
        pytest.param(b"\xff" * 1184 + KEY.public[1184:], id="ML-KEM coefficients above the modulus"),
        pytest.param(b"\x01\x0d\x00" + KEY.public[3:], id="first ML-KEM coefficient is the modulus"),
        pytest.param(bytes(1184) + KEY.public[1184:], id="ML-KEM half is zero"),
        pytest.param(bytes(1152) + KEY.public[1152:], id="ML-KEM vector is zero, its seed is not"),
        pytest.param(KEY.public[:1184] + bytes(32), id="X25519 half is zero"),
        pytest.param(KEY.public[:1184] + b"\x01" + bytes(31), id="X25519 point of order one"),
        pytest.param(KEY.public[:1184] + PRIME.to_bytes(32, "little"), id="X25519 zero in another encoding"),
        pytest.param(KEY.public[:1184] + (PRIME - 1).to_bytes(32, "little"), id="X25519 minus one"),
    ],
)
def test_anything_else_is_a_bad_key(data: bytes) -> None:
    """A key with one bad half is refused on entry and not when sealing."""
    with pytest.raises(PeerError) as caught:
        KemPublic(data)
    assert caught.value.code == "bad_key"
