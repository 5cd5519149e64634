"""Properties of everything that is encrypted: it opens as it was sealed, or says one thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_support.crypto import cae, seal
from e2e_support.crypto.kem import KemPrivate, KemPublic
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import CAE_OVERHEAD, KEM_PUBLIC, SEAL_OVERHEAD
from e2e_support.errors import PeerError
from e2e_support.tags import Tag

keys = st.binary(min_size=32, max_size=32)
tags = st.sampled_from(Tag)
data = st.binary(max_size=600)
bits = st.integers(0, 2**20)
PRIVATE = KemPrivate(Secret(bytes(range(32))))
PUBLIC = KemPublic(PRIVATE.public)


def flip(box: bytes, bit: int) -> bytes:
    """Return the box with one bit changed."""
    changed = bytearray(box)
    changed[bit // 8 % len(box)] ^= 1 << bit % 8
    return bytes(changed)


@given(keys, keys, tags, data, data)
def test_cae_gives_back_what_it_took(key: bytes, salt: bytes, tag: Tag, context: bytes, text: bytes) -> None:
    """Any plaintext in any context makes the round trip at a fixed cost."""
    box = cae.encrypt(Secret(key), tag, context, text, lambda _: salt)
    assert len(box) == len(text) + CAE_OVERHEAD
    assert cae.decrypt(Secret(key), tag, context, box) == text


@given(keys, tags, data, data, bits)
def test_any_flipped_bit_ends_a_cae_box(key: bytes, tag: Tag, context: bytes, text: bytes, bit: int) -> None:
    """Box, key and context: one changed bit and nothing opens."""
    box = cae.encrypt(Secret(key), tag, context, text, lambda _: key[::-1])
    attempts = [(key, context, flip(box, bit)), (flip(key, bit), context, box), (key, context + b"\0", box)]
    for other_key, other_context, other_box in attempts:
        with pytest.raises(PeerError) as caught:
            cae.decrypt(Secret(other_key), tag, other_context, other_box)
        assert caught.value.code == "cannot_open"


@given(tags, data, data)
def test_a_sealed_box_gives_back_what_it_took(tag: Tag, context: bytes, text: bytes) -> None:
    """Any secret in any context makes the round trip at a fixed cost."""
    box = seal.seal(PUBLIC, tag, context, text)
    assert len(box) == len(text) + SEAL_OVERHEAD
    assert seal.unseal(PRIVATE, tag, context, box).reveal(SECRET_ACCESS) == text


@given(tags, data, data, bits)
def test_any_flipped_bit_ends_a_sealed_box(tag: Tag, context: bytes, text: bytes, bit: int) -> None:
    """ML-KEM half, X25519 half, ciphertext and tag all count; so does the context.

    The top bit of the X25519 point is the one bit that RFC 7748 ignores; the combiner hashes it.
    """
    box = seal.seal(PUBLIC, tag, context, text)
    for other_context, other_box in [(context, flip(box, bit)), (context + b"\0", box)]:
        with pytest.raises(PeerError) as caught:
            seal.unseal(PRIVATE, tag, other_context, other_box)
        assert caught.value.code == "cannot_open"


@given(data, st.binary(max_size=2500))
def test_garbage_opens_nowhere(context: bytes, garbage: bytes) -> None:
    """Arbitrary bytes raise one error from both doors."""
    with pytest.raises(PeerError):
        cae.decrypt(Secret(bytes(32)), Tag.ENTRY, context, garbage)
    with pytest.raises(PeerError):
        seal.unseal(PRIVATE, Tag.EPOCH_BOX, context, garbage)


@given(st.one_of(st.binary(max_size=100), st.binary(min_size=KEM_PUBLIC, max_size=KEM_PUBLIC)))
def test_garbage_is_a_bad_key(garbage: bytes) -> None:
    """Arbitrary bytes raise one error; random coefficients exceed the modulus somewhere."""
    with pytest.raises(PeerError) as caught:
        KemPublic(garbage)
    assert caught.value.code == "bad_key"


@given(keys)
def test_every_seed_makes_a_key_that_may_enter(seed: bytes) -> None:
    """No honest key is refused by the checks."""
    private = KemPrivate(Secret(seed))
    assert KemPublic(private.public).data == private.public
