"""Tagged hashes and derivations, checked against the standard library's own SHA-256 and HMAC."""

import hashlib
import hmac

import pytest

from e2e_support.crypto.hash import derive, derive_salted, digest, leading_zero_bits, same, u64
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.errors import UsageError
from e2e_support.tags import Tag

KEY = bytes(range(32))


def hkdf(key: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """Return HKDF-SHA256 as RFC 5869 section 2 writes it, by hand."""
    extracted = hmac.digest(salt, key, "sha256")
    block, out = b"", b""
    for counter in range(1, 1 + -(-size // 32)):
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        out += block
    return out[:size]


def test_u64_is_big_endian_and_eight_bytes() -> None:
    """The bounds and one middle value have the expected bytes."""
    assert u64(0) == bytes(8)
    assert u64(258) == b"\x00\x00\x00\x00\x00\x00\x01\x02"
    assert u64(2**64 - 1) == b"\xff" * 8


@pytest.mark.parametrize("number", [-1, 2**64])
def test_u64_refuses_what_does_not_fit(number: int) -> None:
    """A number outside the range is the caller's mistake."""
    with pytest.raises(UsageError) as caught:
        u64(number)
    assert caught.value.code == "malformed"


def test_digest_is_sha256_over_prefix_and_parts() -> None:
    """A tagged hash equals a plain one over the joined bytes."""
    assert digest(Tag.ENTRY_HASH, b"ab", b"", b"c") == hashlib.sha256(b"e2es/v1/entry-hash\0abc").digest()
    assert digest(Tag.MAILBOX) == hashlib.sha256(b"e2es/v1/mailbox\0").digest()


def test_digest_takes_buffers_without_a_copy() -> None:
    """bytes, bytearray and memoryview hash alike."""
    assert digest(Tag.LEAF, bytearray(b"ab"), memoryview(b"c")) == digest(Tag.LEAF, b"abc")


def test_digest_differs_by_tag() -> None:
    """The same data under two tags has two hashes."""
    assert digest(Tag.LEAF, b"x") != digest(Tag.PIECE, b"x")


@pytest.mark.parametrize("size", [1, 32, 33, 64])
def test_derive_is_hkdf_without_salt(size: int) -> None:
    """A derived key equals RFC 5869 written by hand, with a salt of zeros."""
    derived = derive(Secret(KEY), Tag.TICKET, b"ctx", b"more", size=size)
    assert derived.reveal(SECRET_ACCESS) == hkdf(KEY, bytes(32), b"e2es/v1/ticket\0ctxmore", size)


def test_derive_salted_is_hkdf_with_salt() -> None:
    """A salted key equals RFC 5869 written by hand and has 32 bytes by default."""
    derived = derive_salted(Secret(KEY), b"s" * 32, Tag.STREAM, b"ctx")
    assert derived.reveal(SECRET_ACCESS) == hkdf(KEY, b"s" * 32, b"e2es/v1/stream\0ctx", 32)


def test_derive_differs_by_tag_context_and_secret() -> None:
    """Changing any input changes the key."""
    base = derive(Secret(KEY), Tag.TICKET, b"a")
    assert base != derive(Secret(KEY), Tag.DRAFT, b"a")
    assert base != derive(Secret(KEY), Tag.TICKET, b"b")
    assert base != derive(Secret(KEY[::-1]), Tag.TICKET, b"a")


def test_same_compares_content() -> None:
    """Equal bytes are the same; other bytes and other lengths are not."""
    assert same(b"ab", b"ab")
    assert not same(b"ab", b"ac")
    assert not same(b"ab", b"abc")


@pytest.mark.parametrize(
    ("data", "bits"),
    [(b"\x80", 0), (b"\x01", 7), (b"\x00\x40", 9), (b"\x00\x00", 16), (b"", 0)],
)
def test_leading_zero_bits_are_counted_from_the_front(data: bytes, bits: int) -> None:
    """Bits count from the most significant one of the first byte."""
    assert leading_zero_bits(data) == bits
