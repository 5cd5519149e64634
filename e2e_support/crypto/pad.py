"""Padding: sizes that tell little. Powers of two up to 16 KiB, Padmé above (there at most 6.25 % larger).

Padmé is from Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs",
PoPETs 2019(4), section 4: a size keeps only its highest bits and so gives away O(log log size) of them.
"""

from __future__ import annotations

from e2e_support.errors import PeerError, UsageError

BUCKET_MIN = 512
BUCKET_MAX = 16 * 1024  # Padmé takes over above
LENGTH_FIELD = 4  # u32 big-endian in front of the data
DATA_MAX = 2**32 - 1


def padme(size: int) -> int:
    """Return the smallest Padmé size that holds ``size`` bytes.

    Args:
        size: bytes, not negative.
    """
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    low_bits = exponent - exponent.bit_length()  # these become zero, rounding up
    mask = (1 << low_bits) - 1
    return (size + mask) & ~mask


def padded_size(size: int) -> int:
    """Return how large ``size`` bytes of data are once padded, length field included.

    Args:
        size: bytes of data in [0, 2**32).

    Raises:
        UsageError: ``malformed`` outside that range.
    """
    if not 0 <= size <= DATA_MAX:
        raise UsageError("malformed", "data too long to pad")
    return _allowed_size(LENGTH_FIELD + size)


def is_padded_size(size: int) -> bool:
    """Tell whether padding can give this size."""
    return BUCKET_MIN <= size <= padded_size(DATA_MAX) and _allowed_size(size) == size


def pad(data: bytes) -> bytes:
    """Return ``u32 length || data || zeros`` of the smallest allowed size.

    Args:
        data: at most 2**32 - 1 bytes.

    Raises:
        UsageError: ``malformed`` when it is longer.
    """
    size = padded_size(len(data))
    return (len(data).to_bytes(LENGTH_FIELD, "big") + data).ljust(size, b"\x00")


def unpad(padded: bytes) -> bytes:
    """Return the data, if the padding is exactly the one that ``pad`` makes.

    Args:
        padded: bytes that were authenticated before; the checks here do not take constant time.

    Raises:
        PeerError: ``malformed`` when size, length field or fill is another.
    """
    end = LENGTH_FIELD + int.from_bytes(padded[:LENGTH_FIELD], "big")
    if len(padded) != _allowed_size(end):
        raise _malformed("the size does not fit the length")
    if padded.count(0, end) != len(padded) - end:
        raise _malformed("the fill is not zero")
    return padded[LENGTH_FIELD:end]


def _allowed_size(total: int) -> int:
    """Return the smallest allowed size that holds ``total`` bytes, length field included."""
    if total > BUCKET_MAX:
        return padme(total)
    return max(BUCKET_MIN, 1 << (total - 1).bit_length())


def _malformed(why: str) -> PeerError:
    return PeerError("malformed", f"malformed padding: {why}", hint="The sender is broken or hostile.")
