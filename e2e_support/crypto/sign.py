"""Ed25519 (RFC 8032) over tagged data, by libsodium alone; there is no untagged signature.

Other libraries accept a signature that anybody can make (R = A = identity, S = 0) under a small-order key.
Here such a key is no key: ``check_public`` refuses it on entry and ``verify`` is false under it.
"""

from __future__ import annotations

from functools import lru_cache

import nacl.bindings
from nacl.exceptions import CryptoError

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import PUBLIC_SIGN, SIGN_SEED, SIGNATURE
from e2e_support.errors import PeerError, UsageError
from e2e_support.tags import Tag

_NACL_ERRORS = (CryptoError, RuntimeError, ValueError, TypeError)


class SigningKey:
    """An Ed25519 key pair.

    Args:
        seed: 32 secret bytes.

    Attributes:
        public: the public key, 32 bytes.

    Raises:
        UsageError: ``bad_key`` when the seed has another size.
    """

    __slots__ = ("_secret", "public")

    def __init__(self, seed: Secret) -> None:
        if len(seed) != SIGN_SEED:
            raise UsageError("bad_key", f"a signing seed has {SIGN_SEED} bytes")
        self.public, secret = nacl.bindings.crypto_sign_seed_keypair(seed.reveal(SECRET_ACCESS))
        self._secret = Secret(secret)

    def sign(self, tag: Tag, *parts: bytes) -> bytes:
        """Return the 64-byte signature over ``tag.prefix()`` and the parts.

        Args:
            tag: what the signature says.
            parts: data; at most one of variable width, at the end.
        """
        signed = nacl.bindings.crypto_sign(_message(tag, parts), self._secret.reveal(SECRET_ACCESS))
        return signed[:SIGNATURE]


def verify(public: bytes, signature: bytes, tag: Tag, *parts: bytes) -> bool:
    """Tell whether a signature is good; never raises for what a peer may have sent.

    Args:
        public: 32 bytes; false for a key that ``check_public`` refuses.
        signature: 64 bytes.
        tag: what the signature must say.
        parts: data, joined as in ``SigningKey.sign``.
    """
    if len(signature) != SIGNATURE or not _is_valid_point(public):
        return False
    try:
        nacl.bindings.crypto_sign_open(signature + _message(tag, parts), public)
    except _NACL_ERRORS:
        return False
    return True


def require_signature(public: bytes, signature: bytes, tag: Tag, *parts: bytes) -> None:
    """Do nothing if a signature is good.

    Args:
        public: 32 bytes.
        signature: 64 bytes.
        tag: what the signature must say.
        parts: data, joined as in ``SigningKey.sign``.

    Raises:
        PeerError: ``bad_signature`` otherwise, bad keys and sizes included.
    """
    if not verify(public, signature, tag, *parts):
        raise PeerError(
            "bad_signature",
            f"the {tag.value} signature is not valid",
            hint="The data was changed, or somebody else signed it.",
        )


def check_public(public: bytes) -> bytes:
    """Return a public key if it is one that may enter.

    Args:
        public: 32 bytes: the canonical encoding of a point of prime order.

    Raises:
        PeerError: ``bad_key`` for anything else, small-order and mixed-order points included.
    """
    if not _is_valid_point(public):
        raise PeerError("bad_key", "not a valid Ed25519 public key", hint="Its owner needs a new key.")
    return public


@lru_cache(maxsize=4096)
def _is_valid_point(public: bytes) -> bool:
    if len(public) != PUBLIC_SIGN:
        return False
    try:
        return nacl.bindings.crypto_core_ed25519_is_valid_point(public)
    except _NACL_ERRORS:
        return False


def _message(tag: Tag, parts: tuple[bytes, ...]) -> bytes:
    return tag.prefix() + b"".join(parts)
