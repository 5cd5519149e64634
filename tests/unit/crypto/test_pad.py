"""Padding has one form for each length, and nothing else passes."""

import pytest

from e2e_support.crypto.pad import (
    BUCKET_MAX,
    DATA_MAX,
    is_padded_size,
    pad,
    padded_size,
    padme,
    unpad,
)
from e2e_support.errors import PeerError, UsageError


@pytest.mark.parametrize(
    ("size", "padded"),
    [
        (0, 512),
        (508, 512),
        (509, 1024),
        (1020, 1024),
        (1021, 2048),
        (16 * 1024 - 4, 16 * 1024),
        (16 * 1024 - 3, 17 * 1024),
        (200_000, 200_704),
        (DATA_MAX, 2**32 + 2**26),
    ],
)
def test_sizes_are_powers_of_two_and_then_padme(size: int, padded: int) -> None:
    """The table of the specification holds, on both sides of each step."""
    assert padded_size(size) == padded


@pytest.mark.parametrize("size", [-1, DATA_MAX + 1])
def test_a_length_that_the_field_cannot_hold_is_refused(size: int) -> None:
    """Four bytes of length are the bound, and the caller is told."""
    with pytest.raises(UsageError) as caught:
        padded_size(size)
    assert caught.value.code == "malformed"


@pytest.mark.parametrize(
    ("size", "rounded"),
    [(0, 0), (1, 1), (2, 2), (3, 3), (8, 8), (9, 10), (17, 18), (1000, 1024), (1025, 1088), (2**31, 2**31)],
)
def test_padme_rounds_up_to_few_significant_bits(size: int, rounded: int) -> None:
    """Small sizes and powers of two stay; others lose their low bits upward."""
    assert padme(size) == rounded


@pytest.mark.parametrize(
    ("size", "allowed"),
    [
        (0, False),
        (256, False),
        (511, False),
        (512, True),
        (513, False),
        (BUCKET_MAX, True),
        (BUCKET_MAX + 512, False),
        (BUCKET_MAX + 1024, True),
        (padded_size(DATA_MAX), True),
        (2 * padded_size(DATA_MAX), False),
    ],
)
def test_is_padded_size_knows_the_sizes_that_pad_makes(size: int, allowed: bool) -> None:
    """A size that no data can have is refused before anything is decrypted."""
    assert is_padded_size(size) is allowed


@pytest.mark.parametrize("size", [0, 1, 508, 509, 16_380, 16_381, 70_000])
def test_unpad_gives_back_what_pad_took(size: int) -> None:
    """Data of every kind of size makes the round trip."""
    data = b"\xff" * size
    padded = pad(data)
    assert len(padded) == padded_size(size)
    assert padded[:4] == size.to_bytes(4, "big")
    assert unpad(padded) == data


@pytest.mark.parametrize(
    "padded",
    [
        pytest.param(b"", id="nothing at all"),
        pytest.param(bytes(3), id="no room for the length"),
        pytest.param(bytes(511), id="one byte short"),
        pytest.param(bytes(513), id="one byte long"),
        pytest.param(bytes(1024), id="a larger bucket than needed"),
        pytest.param((509).to_bytes(4, "big") + bytes(508), id="the length runs over the end"),
        pytest.param(b"\xff" * 512, id="the longest length"),
        pytest.param(bytes(511) + b"\x01", id="fill at the end is not zero"),
        pytest.param(bytes(4) + b"\x01" + bytes(507), id="fill at the start is not zero"),
    ],
)
def test_any_other_padding_is_malformed(padded: bytes) -> None:
    """Size, length and fill must be exactly those that pad makes."""
    with pytest.raises(PeerError) as caught:
        unpad(padded)
    assert caught.value.code == "malformed"
