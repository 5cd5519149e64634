"""Tagged SHA-256 and HKDF: every hash and derived key says what it is for (protocol 2.1).

Parts are joined without separators, so callers pass fields of fixed width, or one variable field at the end.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import UsageError
from e2e_support.ids import Hash
from e2e_support.tags import Tag

Buffer = bytes | bytearray | memoryview

U64_MAX = 2**64 - 1


def u64(number: int) -> bytes:
    """Return a number as 8 bytes, big-endian, as it stands in hash contexts.

    Args:
        number: an integer in [0, 2**64).

    Raises:
        UsageError: ``malformed`` outside that range.
    """
    if not 0 <= number <= U64_MAX:
        raise UsageError("malformed", "integer does not fit into 8 bytes")
    return number.to_bytes(8, "big")


def digest(tag: Tag, *parts: Buffer) -> Hash:
    """Return SHA-256 (FIPS 180-4) over ``tag.prefix()`` and the parts.

    Args:
        tag: what the hash is for.
        parts: data; at most one of variable width, at the end.
    """
    state = hashlib.sha256(tag.prefix())
    for part in parts:
        state.update(part)
    return Hash(state.digest())


def derive(secret: Secret, tag: Tag, *context: bytes, size: int = KEY_SIZE) -> Secret:
    """Return a key derived from a secret by HKDF-SHA256 (RFC 5869) without salt.

    Args:
        secret: the input key material, uniformly random.
        tag: what the new key is for.
        context: what the new key is bound to; at most one part of variable width, at the end.
        size: bytes to derive, at most 8160.
    """
    return _hkdf(secret, None, tag, context, size)


def derive_salted(secret: Secret, salt: bytes, tag: Tag, *context: bytes, size: int = KEY_SIZE) -> Secret:
    """Return a key derived from a secret and a public random salt by HKDF-SHA256 (RFC 5869).

    Args:
        secret: the input key material.
        salt: 32 public random bytes; a salt of fixed size keeps the extraction collision-resistant.
        tag: what the new key is for.
        context: what the new key is bound to; at most one part of variable width, at the end.
        size: bytes to derive, at most 8160.
    """
    return _hkdf(secret, salt, tag, context, size)


def _hkdf(secret: Secret, salt: bytes | None, tag: Tag, context: tuple[bytes, ...], size: int) -> Secret:
    info = tag.prefix() + b"".join(context)
    kdf = HKDF(algorithm=SHA256(), length=size, salt=salt, info=info)
    return Secret(kdf.derive(secret.reveal(SECRET_ACCESS)))


def same(one: bytes, other: bytes) -> bool:
    """Compare in a time that does not depend on the content (it does depend on the lengths)."""
    return hmac.compare_digest(one, other)


def leading_zero_bits(data: bytes) -> int:
    """Return how many zero bits stand in front, as counted by the proof of work."""
    return 8 * len(data) - int.from_bytes(data, "big").bit_length()
