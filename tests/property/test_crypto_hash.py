"""Properties of tagged hashes and derivations."""

from hypothesis import assume, given
from hypothesis import strategies as st

from e2e_support.crypto.hash import derive, digest, leading_zero_bits, u64
from e2e_support.crypto.secret import Secret
from e2e_support.tags import Tag

tags = st.sampled_from(Tag)
data = st.binary(max_size=200)


@given(st.integers(0, 2**64 - 1))
def test_u64_is_one_to_one(number: int) -> None:
    """Every integer has its own eight bytes."""
    assert int.from_bytes(u64(number), "big") == number
    assert len(u64(number)) == 8


@given(tags, data, tags, data)
def test_two_inputs_have_two_digests(tag: Tag, one: bytes, other_tag: Tag, other: bytes) -> None:
    """No tag and data collide with another tag and data."""
    assume((tag, one) != (other_tag, other))
    assert digest(tag, one) != digest(other_tag, other)


@given(tags, st.lists(data, max_size=5))
def test_a_digest_does_not_depend_on_how_the_data_was_cut(tag: Tag, parts: list[bytes]) -> None:
    """Parts are joined and nothing else; callers pass fixed widths."""
    assert digest(tag, *parts) == digest(tag, b"".join(parts))


@given(st.binary(min_size=32, max_size=32), tags, data, tags, data)
def test_two_contexts_derive_two_keys(
    key: bytes, tag: Tag, context: bytes, other_tag: Tag, other: bytes
) -> None:
    """One secret gives unrelated keys for different jobs."""
    assume((tag, context) != (other_tag, other))
    assert derive(Secret(key), tag, context) != derive(Secret(key), other_tag, other)


@given(data)
def test_leading_zero_bits_agree_with_the_written_out_bits(value: bytes) -> None:
    """Counting in the binary text gives the same number."""
    text = "".join(f"{byte:08b}" for byte in value)
    assert leading_zero_bits(value) == len(text) - len(text.lstrip("0"))
