"""Suite 1: its sizes, and the phases at which opening something under it can fail.

There is no negotiation. Another suite byte means that this program is too old.
"""

from __future__ import annotations

from enum import Enum

from cryptography.exceptions import InvalidTag

from e2e_support.errors import PeerError

VERSION = 1
SUITE = 1

# keys, hashes and randomness
KEY_SIZE = 32  # every symmetric key, seed and derived secret
HASH_SIZE = 32  # SHA-256
SALT = 32  # random, in front of an encrypted entry or in a manifest
COMMITMENT = 32  # full width: two keys with one commitment are a SHA-256 collision
TAG = 16  # of ChaCha20-Poly1305 and AES-256-GCM
NONCE = 12  # of both; never random and never an argument
ZERO_NONCE = bytes(NONCE)  # only ever used with a key that encrypts once

# Ed25519, RFC 8032
SIGN_SEED = 32
PUBLIC_SIGN = 32
SIGNATURE = 64

# X-Wing: ML-KEM-768 (FIPS 203) with X25519 (RFC 7748)
KEM_SEED = 32
MLKEM_SEED = 64  # d || z
MLKEM_VECTOR = 1152  # t-hat: three polynomials of 256 coefficients, 12 bits each
MLKEM_PUBLIC = MLKEM_VECTOR + 32  # t-hat || rho
MLKEM_CIPHERTEXT = 1088
X25519_SIZE = 32
KEM_PUBLIC = MLKEM_PUBLIC + X25519_SIZE  # 1216
KEM_CIPHERTEXT = MLKEM_CIPHERTEXT + X25519_SIZE  # 1120

# what encryption adds
SEAL_OVERHEAD = KEM_CIPHERTEXT + TAG  # 1136
CAE_OVERHEAD = SALT + COMMITMENT + TAG  # 80


OPEN_ERRORS = (InvalidTag, ValueError, OverflowError)  # what the library may say when a box does not open


class Phase(Enum):
    """Where opening a box failed. For test vectors; never told to the other side."""

    LENGTH = "length"
    COMMITMENT = "commitment"
    TAG = "tag"


def cannot_open() -> PeerError:
    """Return the one error for everything that does not decrypt, whatever the reason."""
    return PeerError(
        "cannot_open",
        "this data cannot be decrypted with the key at hand",
        hint="It was changed on the way, belongs elsewhere or is meant for somebody else.",
    )
