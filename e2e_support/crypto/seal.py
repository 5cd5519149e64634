"""Sealed boxes for one recipient: HPKE base mode (RFC 9180) with X-Wing, post-quantum and classical at once.

The sender is not authenticated and the box does not commit to its content: what is in it is checked by the
signature or the commitment of the thing that it opens.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hpke

from e2e_support.crypto.kem import KemPrivate, KemPublic
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import OPEN_ERRORS, SEAL_OVERHEAD, Phase, cannot_open
from e2e_support.tags import Tag

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def seal(public: KemPublic, tag: Tag, context: bytes, plaintext: bytes) -> bytes:
    """Return ``enc (1120) || ciphertext``, 1136 bytes longer than the plaintext.

    The ephemeral randomness comes from the library, which takes it from the operating system.

    Args:
        public: the recipient's key.
        tag: what the box is for.
        context: what the box is bound to; it is not sent.
        plaintext: the secret.
    """
    recipient = hpke.MLKEM768X25519PublicKey(*public.halves)
    return _SUITE.encrypt(plaintext, recipient, info=tag.prefix() + context)


def unseal(private: KemPrivate, tag: Tag, context: bytes, box: bytes) -> Secret:
    """Return what a box holds.

    Args:
        private: the recipient's key pair.
        tag: what the box must be for.
        context: what the box must be bound to.
        box: as made by ``seal``.

    Raises:
        PeerError: ``cannot_open``, whatever the reason.
    """
    opened = try_unseal(private, tag, context, box)
    if isinstance(opened, Phase):
        raise cannot_open()
    return opened


def try_unseal(private: KemPrivate, tag: Tag, context: bytes, box: bytes) -> Secret | Phase:
    """Return what a box holds, or the phase that failed; the phase is for test vectors."""
    if len(box) < SEAL_OVERHEAD:
        return Phase.LENGTH
    key = hpke.MLKEM768X25519PrivateKey(*private.halves(SECRET_ACCESS))
    try:
        return Secret(_SUITE.decrypt(box, key, info=tag.prefix() + context))
    except OPEN_ERRORS:
        return Phase.TAG
