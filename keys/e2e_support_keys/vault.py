"""A box that a passphrase locks: secret bytes in, bytes for a file out, and back. No file, no prompt here.

Argon2id (RFC 9106) turns the passphrase into a key for XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03),
both from libsodium. What the derivation costs stands in the header, which the encryption authenticates;
a header is believed only inside fixed bounds, so that a changed file can neither make guessing cheap nor
take the machine's memory (attacks 60 and 61 of the threat model).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import nacl.bindings
import nacl.pwhash.argon2id
from nacl.exceptions import CryptoError

from e2e_support.codec import Bin, Message, Uint
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret, check_random, draw
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import PeerError, UsageError
from e2e_support.limits import KIB, MIB

VERSION = 1
SECRET_MAX = 64 * KIB
SALT = nacl.pwhash.argon2id.SALTBYTES  # 16
NONCE = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES  # 24: wide enough to be random
MEMORY_UNIT = KIB


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess of the passphrase costs.

    Args:
        passes: Argon2id iterations.
        memory: KiB that each pass fills.
    """

    passes: int
    memory: int

    def allowed(self) -> bool:
        """Tell whether this lies between the floor and the ceiling."""
        return FLOOR.passes <= self.passes <= CEILING.passes and FLOOR.memory <= self.memory <= CEILING.memory


FLOOR: Final = Cost(passes=2, memory=64 * MIB // MEMORY_UNIT)  # below it a stolen file is worth guessing at
DEFAULT: Final = Cost(passes=3, memory=256 * MIB // MEMORY_UNIT)  # half a second on a laptop
CEILING: Final = Cost(passes=10, memory=1024 * MIB // MEMORY_UNIT)  # more would be an attack on the reader


@dataclass(frozen=True, slots=True)
class Header(Message):
    """How to derive the key; authenticated as the encryption's associated data."""

    LIMIT: ClassVar[int] = 128
    version: Annotated[int, Uint()]
    passes: Annotated[int, Uint()]
    memory: Annotated[int, Uint()]
    salt: Annotated[bytes, Bin((SALT,))]
    nonce: Annotated[bytes, Bin((NONCE,))]


@dataclass(frozen=True, slots=True)
class LockedBox(Message):
    """The whole file: the header's bytes and what is encrypted under them."""

    LIMIT: ClassVar[int] = SECRET_MAX + 256
    header: Annotated[bytes, Bin(most=128)]
    sealed: Annotated[bytes, Bin(most=SECRET_MAX + 16)]


def lock(secret: Secret, passphrase: Secret, *, random: Random, cost: Cost = DEFAULT) -> bytes:
    """Return bytes that only the passphrase opens.

    Args:
        secret: at most 64 KiB.
        passphrase: what ``passphrase_bytes`` returns.
        random: source of salt and nonce; a stuck one is refused, since it would repeat the key stream.
        cost: what one guess costs; tests take ``FLOOR``.

    Raises:
        UsageError: ``empty_passphrase``, ``bad_cost`` (outside floor and ceiling), ``bad_random``,
            ``no_memory``, or ``malformed`` when the secret is too long.
    """
    if not len(passphrase):
        raise UsageError("empty_passphrase", "the passphrase is empty", hint="Choose five or more words.")
    if not cost.allowed():
        raise UsageError("bad_cost", "the cost of the passphrase lies outside its bounds")
    check_random(random)
    header = Header(VERSION, cost.passes, cost.memory, draw(random, SALT), draw(random, NONCE))
    associated = header.to_bytes()
    sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        secret.reveal(SECRET_ACCESS), associated, header.nonce, _key(passphrase, header)
    )
    return LockedBox(associated, sealed).to_bytes()


def unlock(data: bytes, passphrase: Secret) -> Secret:
    """Return the secret that ``lock`` locked.

    Args:
        data: the locked bytes, from anywhere.
        passphrase: what ``passphrase_bytes`` returns.

    Raises:
        UsageError: ``wrong_passphrase`` for a wrong passphrase and for damaged bytes alike, since they
            cannot be told apart; ``update_needed`` for a newer version; ``no_memory``.
    """
    try:
        box = LockedBox.from_bytes(data)
        header = Header.from_bytes(box.header)
    except PeerError:
        raise _wrong_passphrase() from None
    if header.version != VERSION:
        raise UsageError(
            "update_needed", "these keys were locked by a newer version", hint="Update this program."
        )
    if not Cost(header.passes, header.memory).allowed():  # before a byte is allocated
        raise _wrong_passphrase()
    try:
        opened = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            box.sealed, box.header, header.nonce, _key(passphrase, header)
        )
    except CryptoError:
        raise _wrong_passphrase() from None
    return Secret(opened)


def passphrase_bytes(text: str) -> Secret:
    """Return a passphrase as the bytes that are hashed: NFC, so that every keyboard gives the same.

    Args:
        text: what the person typed; bytes that are not text survive as surrogates.
    """
    return Secret(unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass"))


def _key(passphrase: Secret, header: Header) -> bytes:
    try:
        return nacl.pwhash.argon2id.kdf(
            KEY_SIZE,
            passphrase.reveal(SECRET_ACCESS),
            header.salt,
            opslimit=header.passes,
            memlimit=header.memory * MEMORY_UNIT,
        )
    except (CryptoError, MemoryError):
        raise UsageError(
            "no_memory",
            f"not enough memory to check the passphrase: {header.memory // KIB} MiB are needed",
            hint="Close other programs and try again.",
        ) from None


def _wrong_passphrase() -> UsageError:
    return UsageError(
        "wrong_passphrase",
        "wrong passphrase or damaged file",
        hint="Try again; if you are sure of the passphrase, restore the file from a backup.",
    )
