"""A second HPKE, written from RFC 9180 and the X-Wing draft, to check the library against.

It uses hashlib, hmac and the raw ML-KEM, X25519 and ChaCha20-Poly1305, and nothing of the code under test.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

ENC = 1120
SUITE_ID = b"HPKE" + bytes.fromhex("647a00010003")  # X-Wing, HKDF-SHA256, ChaCha20-Poly1305
XWING_LABEL = rb"\.//^" + b"\\"  # draft-connolly-cfrg-xwing-kem section 5.3, six bytes


def decapsulate(seed: bytes, enc: bytes) -> bytes:
    """Return the X-Wing shared secret (draft section 5.5)."""
    expanded = hashlib.shake_256(seed).digest(96)
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    from_mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(enc[:1088])
    from_x25519 = x25519.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    own = x25519.public_key().public_bytes_raw()
    return hashlib.sha3_256(from_mlkem + from_x25519 + enc[1088:] + own + XWING_LABEL).digest()


def _extract(salt: bytes, label: bytes, data: bytes) -> bytes:
    """LabeledExtract of RFC 9180 section 4."""
    return hmac.digest(salt, b"HPKE-v1" + SUITE_ID + label + data, "sha256")


def _expand(key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """LabeledExpand of RFC 9180 section 4, for at most 32 bytes."""
    labeled = size.to_bytes(2, "big") + b"HPKE-v1" + SUITE_ID + label + info
    return hmac.digest(key, labeled + b"\x01", "sha256")[:size]


def key_schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Return key and base nonce of base mode (RFC 9180 section 5.1)."""
    context = b"\x00" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared_secret, b"secret", b"")
    return _expand(secret, b"key", context, 32), _expand(secret, b"base_nonce", context, 12)


def open_box(seed: bytes, info: bytes, box: bytes) -> bytes:
    """Return what a box holds; the first message has sequence number 0, so the nonce is the base nonce."""
    key, nonce = key_schedule(decapsulate(seed, box[:ENC]), info)
    return ChaCha20Poly1305(key).decrypt(nonce, box[ENC:], b"")


def make_box(enc: bytes, shared_secret: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Return a box over an encapsulation that was made before, as published test vectors have one."""
    key, nonce = key_schedule(shared_secret, info)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plaintext, b"")
