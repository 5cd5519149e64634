"""Properties of padding: few sizes, one form."""

from hypothesis import given
from hypothesis import strategies as st

from e2e_support.crypto.pad import (
    BUCKET_MAX,
    BUCKET_MIN,
    DATA_MAX,
    is_padded_size,
    pad,
    padded_size,
    padme,
    unpad,
)
from e2e_support.errors import PeerError

sizes = st.one_of(st.integers(0, 40_000), st.integers(0, DATA_MAX))


def unpad_or_code(padded: bytes) -> bytes | str:
    """Return the data, or the code of the error."""
    try:
        return unpad(padded)
    except PeerError as error:
        return error.code


@given(st.binary(max_size=40_000))
def test_what_was_padded_comes_back(data: bytes) -> None:
    """The round trip gives the same bytes at an allowed size."""
    padded = pad(data)
    assert is_padded_size(len(padded))
    assert unpad(padded) == data


@given(sizes)
def test_only_allowed_sizes_leave(size: int) -> None:
    """Padded sizes are powers of two up to 16 KiB and Padmé above, never less than the content."""
    padded = padded_size(size)
    assert is_padded_size(padded)
    assert padded >= size + 4
    if padded <= BUCKET_MAX:
        assert padded.bit_count() == 1
        assert padded >= BUCKET_MIN
    else:
        assert padme(padded) == padded
        assert padded - (size + 4) <= (size + 4) / 16


@given(sizes, sizes)
def test_more_data_is_never_padded_to_less(one: int, other: int) -> None:
    """Sizes keep their order, so a size gives away a range and nothing finer."""
    small, large = sorted((one, other))
    assert padded_size(small) <= padded_size(large)


@given(st.integers(2, 2**48))
def test_padme_keeps_few_significant_bits(size: int) -> None:
    """A Padmé size of exponent E has at most floor(log2 E) + 2 significant bits; rounding again is void."""
    rounded = padme(size)
    assert size <= rounded <= size * 1.12
    assert padme(rounded) == rounded
    significant = rounded.bit_length() - ((rounded & -rounded).bit_length() - 1)
    assert significant <= (size.bit_length() - 1).bit_length() + 1


@given(st.integers(512, 2**21))
def test_the_allowed_sizes_are_exactly_the_reachable_ones(size: int) -> None:
    """A size is allowed if and only if some data is padded to it."""
    assert is_padded_size(size) == (padded_size(size - 4) == size)


@given(st.binary(max_size=1500), st.integers(0, 8 * 4096))
def test_a_flipped_bit_is_malformed_or_other_data(data: bytes, bit: int) -> None:
    """What unpad accepts is what pad makes of the result: there is no second form."""
    padded = bytearray(pad(data))
    padded[bit // 8 % len(padded)] ^= 1 << bit % 8
    other = unpad_or_code(bytes(padded))
    assert other != data
    assert other == "malformed" if isinstance(other, str) else pad(other) == padded


@given(st.one_of(st.binary(max_size=2100), st.builds(bytes, st.integers(0, 5000))))
def test_unpad_says_malformed_or_nothing(garbage: bytes) -> None:
    """Arbitrary bytes raise one error, or are a padding in its only form."""
    data = unpad_or_code(garbage)
    assert data == "malformed" if isinstance(data, str) else pad(data) == garbage
