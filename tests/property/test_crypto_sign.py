"""Properties of signatures and of the keys they are checked with."""

from hypothesis import assume, given
from hypothesis import strategies as st

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey, check_public, verify
from e2e_support.errors import PeerError
from e2e_support.tags import Tag

seeds = st.binary(min_size=32, max_size=32).map(Secret)
tags = st.sampled_from(Tag)
messages = st.binary(max_size=300)


def flip(data: bytes, bit: int) -> bytes:
    """Return the data with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


@given(seeds, tags, messages)
def test_a_signature_is_good_for_its_key_tag_and_message(seed: Secret, tag: Tag, message: bytes) -> None:
    """What a key signs verifies under its public half, which may enter."""
    key = SigningKey(seed)
    assert verify(check_public(key.public), key.sign(tag, message), tag, message)


@given(seeds, tags, messages, st.integers(0, 511))
def test_any_flipped_bit_ends_a_signature(seed: Secret, tag: Tag, message: bytes, bit: int) -> None:
    """A changed signature, key or message is never good."""
    key = SigningKey(seed)
    signature = key.sign(tag, message)
    assert not verify(key.public, flip(signature, bit), tag, message)
    assert not verify(flip(key.public, bit), signature, tag, message)
    if message:
        assert not verify(key.public, signature, tag, flip(message, bit))


@given(st.binary(max_size=70), st.binary(max_size=70), tags, messages)
def test_garbage_is_no_signature(public: bytes, signature: bytes, tag: Tag, message: bytes) -> None:
    """Whatever bytes come, the answer is no and not an exception."""
    assert verify(public, signature, tag, message) is False


@given(st.binary(min_size=32, max_size=32))
def test_a_key_enters_or_is_a_bad_key(public: bytes) -> None:
    """Arbitrary bytes raise one error or come back as they are."""
    try:
        outcome = check_public(public)
    except PeerError as error:
        outcome = error.code.encode()
    assert outcome in (public, b"bad_key")


@given(seeds, tags, tags, messages)
def test_a_signature_has_one_tag(seed: Secret, tag: Tag, other: Tag, message: bytes) -> None:
    """The same message under another tag needs another signature."""
    assume(tag is not other)
    key = SigningKey(seed)
    assert not verify(key.public, key.sign(tag, message), other, message)
