"""X-Wing key pairs (draft-connolly-cfrg-xwing-kem): raw bytes in, checked library keys out.

The library has no serialisation for the composite key, so its two halves are built here. Sealing is in
``seal``: this module checks keys and can be loaded by a program that must not decrypt.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from e2e_support.crypto.secret import SECRET_ACCESS, Secret, SecretAccess, require_access
from e2e_support.crypto.suite import KEM_PUBLIC, KEM_SEED, MLKEM_PUBLIC, MLKEM_SEED, MLKEM_VECTOR, X25519_SIZE
from e2e_support.errors import PeerError, UsageError

PublicHalves = tuple[MLKEM768PublicKey, X25519PublicKey]
PrivateHalves = tuple[MLKEM768PrivateKey, X25519PrivateKey]

_PROBE = X25519PrivateKey.from_private_bytes(b"\x01" * X25519_SIZE)  # no secret: only tests public points


class KemPrivate:
    """An X-Wing key pair; making one costs 0.1 ms, so keep it.

    Args:
        seed: 32 secret bytes, the private key of the draft (section 5.2).

    Attributes:
        public: the public key, 1216 bytes: ML-KEM-768 (1184) || X25519 (32).

    Raises:
        UsageError: ``bad_key`` when the seed has another size.
    """

    __slots__ = ("_halves", "public")

    def __init__(self, seed: Secret) -> None:
        if len(seed) != KEM_SEED:
            raise UsageError("bad_key", f"a KEM seed has {KEM_SEED} bytes")
        expanded = hashlib.shake_256(seed.reveal(SECRET_ACCESS)).digest(MLKEM_SEED + X25519_SIZE)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:MLKEM_SEED])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[MLKEM_SEED:])
        self._halves: PrivateHalves = (mlkem, x25519)
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    def halves(self, access: SecretAccess) -> PrivateHalves:
        """Return the library's two private keys.

        Args:
            access: ``SECRET_ACCESS``.

        Raises:
            UsageError: ``no_access`` for any other token.
        """
        require_access(access)
        return self._halves


class KemPublic:
    """A checked X-Wing public key.

    Checked are the size, the ML-KEM coefficients (FIPS 203 section 7.2), that the X25519 point is not of low
    order, and that the ML-KEM vector t-hat is not zero. The library parses a half-zero key: it then seals to
    a zero vector so that anybody can read the ML-KEM half, and fails on a low-order point only when sealing.

    Args:
        data: 1216 bytes from anywhere.

    Attributes:
        data: the same bytes.
        halves: the library's two public keys.

    Raises:
        PeerError: ``bad_key`` when a check fails.
    """

    __slots__ = ("data", "halves")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.halves: PublicHalves = _parse(data)


@lru_cache(maxsize=512)
def _parse(data: bytes) -> PublicHalves:
    if len(data) != KEM_PUBLIC or not any(data[:MLKEM_VECTOR]):
        raise _bad_key()
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(data[:MLKEM_PUBLIC])
        x25519 = X25519PublicKey.from_public_bytes(data[MLKEM_PUBLIC:])
        _PROBE.exchange(x25519)  # RFC 7748 section 6.1: refuses the all-zero result of a low-order point
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _bad_key() from None
    return mlkem, x25519


def _bad_key() -> PeerError:
    return PeerError("bad_key", "not a valid X-Wing public key", hint="Its owner needs a new key.")
