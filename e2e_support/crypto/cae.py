"""Committing authenticated encryption for entries: one ciphertext opens under one key and context, ever.

ChaCha20-Poly1305 alone lets an insider make a ciphertext that two readers open differently (Dodis et al.,
CRYPTO 2018; Len et al., USENIX Security 2021). Here key and commitment come out of one HKDF over key, salt,
tag and context, after Albertini et al., "How to Abuse and Fix Authenticated Encryption Without Key
Commitment", USENIX Security 2022, section 5. The random salt makes each encryption key single-use.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from e2e_support.crypto.hash import derive_salted, same
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret, draw
from e2e_support.crypto.suite import (
    CAE_OVERHEAD,
    COMMITMENT,
    KEY_SIZE,
    OPEN_ERRORS,
    SALT,
    ZERO_NONCE,
    Phase,
    cannot_open,
)
from e2e_support.errors import UsageError
from e2e_support.tags import Tag


def encrypt(key: Secret, tag: Tag, context: bytes, plaintext: bytes, random: Random) -> bytes:
    """Return ``salt (32) || commitment (32) || ciphertext``, 80 bytes longer than the plaintext.

    Args:
        key: 32 bytes; may encrypt any number of plaintexts.
        tag: what the plaintext is.
        context: what the ciphertext is bound to; it is not sent.
        plaintext: any bytes.
        random: source of the salt.

    Raises:
        UsageError: ``bad_key`` when the key has another size, ``bad_random`` when the source is broken.
    """
    salt = draw(random, SALT)
    single, commitment = _split(key, salt, tag, context)
    return salt + commitment + ChaCha20Poly1305(single).encrypt(ZERO_NONCE, plaintext, None)


def decrypt(key: Secret, tag: Tag, context: bytes, box: bytes) -> bytes:
    """Return the plaintext.

    Args:
        key: 32 bytes.
        tag: what the plaintext must be.
        context: what the ciphertext must be bound to.
        box: as made by ``encrypt``.

    Raises:
        PeerError: ``cannot_open``, whatever the reason.
        UsageError: ``bad_key`` when the key has another size.
    """
    opened = try_decrypt(key, tag, context, box)
    if isinstance(opened, Phase):
        raise cannot_open()
    return opened


def try_decrypt(key: Secret, tag: Tag, context: bytes, box: bytes) -> bytes | Phase:
    """Return the plaintext, or the phase that failed; the phase is for test vectors."""
    if len(box) < CAE_OVERHEAD:
        return Phase.LENGTH
    salt, sent, ciphertext = box[:SALT], box[SALT : SALT + COMMITMENT], box[SALT + COMMITMENT :]
    single, commitment = _split(key, salt, tag, context)
    if not same(sent, commitment):
        return Phase.COMMITMENT
    try:
        return ChaCha20Poly1305(single).decrypt(ZERO_NONCE, ciphertext, None)
    except OPEN_ERRORS:
        return Phase.TAG


def single_key(key: Secret, tag: Tag, context: bytes, box: bytes) -> Secret:
    """Return the key of one box alone, so that it can be shown to others without the key of all boxes.

    Args:
        key: 32 bytes, under which the box opens.
        tag: what the plaintext is.
        context: what the box is bound to.
        box: as made by ``encrypt``.
    """
    return Secret(_split(key, box[:SALT], tag, context)[0])


def decrypt_single(single: Secret, box: bytes) -> bytes:
    """Return the plaintext of a box under its ``single_key``.

    Without the key of all boxes the commitment cannot be checked: only a signature inside the plaintext over the
    context says whose words these are.

    Raises:
        PeerError: ``cannot_open``, whatever the reason.
    """
    if len(box) < CAE_OVERHEAD or len(single) != KEY_SIZE:
        raise cannot_open()
    try:
        cipher = ChaCha20Poly1305(single.reveal(SECRET_ACCESS))
        return cipher.decrypt(ZERO_NONCE, box[SALT + COMMITMENT :], None)
    except OPEN_ERRORS:
        raise cannot_open() from None


def _split(key: Secret, salt: bytes, tag: Tag, context: bytes) -> tuple[bytes, bytes]:
    """Return the single-use key and the commitment to it."""
    if len(key) != KEY_SIZE:
        raise UsageError("bad_key", f"an encryption key has {KEY_SIZE} bytes")
    both = derive_salted(key, salt, tag, context, size=KEY_SIZE + COMMITMENT).reveal(SECRET_ACCESS)
    return both[:KEY_SIZE], both[KEY_SIZE:]
