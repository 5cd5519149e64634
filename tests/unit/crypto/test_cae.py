"""Committing encryption: the commitment is checked before anything is decrypted."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from e2e_support.crypto.cae import decrypt, encrypt, try_decrypt
from e2e_support.crypto.hash import derive_salted
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import CAE_OVERHEAD, Phase
from e2e_support.errors import PeerError, UsageError
from e2e_support.tags import Tag

KEY = Secret(bytes(range(32)))


def salt(size: int) -> bytes:
    """Return a recognisable salt."""
    return b"S" * size


BOX = encrypt(KEY, Tag.ENTRY, b"context", b"an entry", salt)


def test_what_was_encrypted_comes_back() -> None:
    """The round trip costs 80 bytes."""
    assert decrypt(KEY, Tag.ENTRY, b"context", BOX) == b"an entry"
    assert len(BOX) == len(b"an entry") + CAE_OVERHEAD


def test_the_box_is_salt_commitment_and_plain_chacha() -> None:
    """The layout is the one of the specification, rebuilt here from its parts."""
    both = derive_salted(KEY, b"S" * 32, Tag.ENTRY, b"context", size=64).reveal(SECRET_ACCESS)
    sealed = ChaCha20Poly1305(both[:32]).encrypt(bytes(12), b"an entry", None)
    assert (BOX[:32], BOX[32:64], BOX[64:]) == (b"S" * 32, both[32:], sealed)


def test_empty_plaintext_and_context_are_fine() -> None:
    """The smallest box has exactly the overhead."""
    box = encrypt(KEY, Tag.RING, b"", b"", salt)
    assert len(box) == CAE_OVERHEAD
    assert decrypt(KEY, Tag.RING, b"", box) == b""


@pytest.mark.parametrize(
    ("key", "tag", "context", "box", "phase"),
    [
        pytest.param(KEY, Tag.ENTRY, b"context", b"", Phase.LENGTH, id="empty"),
        pytest.param(KEY, Tag.ENTRY, b"context", BOX[:79], Phase.LENGTH, id="no room for the tag"),
        pytest.param(Secret(bytes(32)), Tag.ENTRY, b"context", BOX, Phase.COMMITMENT, id="another key"),
        pytest.param(KEY, Tag.RING, b"context", BOX, Phase.COMMITMENT, id="another tag"),
        pytest.param(KEY, Tag.ENTRY, b"contexT", BOX, Phase.COMMITMENT, id="another context"),
        pytest.param(KEY, Tag.ENTRY, b"context", b"T" + BOX[1:], Phase.COMMITMENT, id="another salt"),
        pytest.param(
            KEY, Tag.ENTRY, b"context", BOX[:32] + bytes(32) + BOX[64:], Phase.COMMITMENT, id="no commitment"
        ),
        pytest.param(KEY, Tag.ENTRY, b"context", BOX[:-1], Phase.TAG, id="cut"),
        pytest.param(KEY, Tag.ENTRY, b"context", BOX + b"\0", Phase.TAG, id="longer"),
        pytest.param(KEY, Tag.ENTRY, b"context", BOX[:64] + bytes(24), Phase.TAG, id="other ciphertext"),
    ],
)
def test_any_other_box_says_one_thing_outside(
    key: Secret, tag: Tag, context: bytes, box: bytes, phase: Phase
) -> None:
    """The error is the same whatever failed; only the inner function knows the phase."""
    assert try_decrypt(key, tag, context, box) is phase
    with pytest.raises(PeerError) as caught:
        decrypt(key, tag, context, box)
    assert caught.value.code == "cannot_open"
    assert caught.value.__cause__ is None


def test_a_key_of_another_size_is_refused() -> None:
    """Keys have one size, so that no two of them meet in HKDF."""
    with pytest.raises(UsageError) as caught:
        encrypt(Secret(bytes(31)), Tag.ENTRY, b"", b"", salt)
    assert caught.value.code == "bad_key"
    with pytest.raises(UsageError):
        decrypt(Secret(bytes(33)), Tag.ENTRY, b"context", BOX)


def test_a_short_salt_is_refused() -> None:
    """A broken random source stops the encryption."""
    with pytest.raises(UsageError) as caught:
        encrypt(KEY, Tag.ENTRY, b"", b"", lambda size: b"")
    assert caught.value.code == "bad_random"
