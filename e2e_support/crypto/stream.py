"""Attachments: STREAM over AES-256-GCM in chunks of 256 KiB, any of which can be read alone.

STREAM is from Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", CRYPTO 2015, section 7: the nonce holds a counter and a last-chunk flag, so that chunks
cannot be dropped, added, swapped or cut. A leaf hash per sealed chunk lets a reader check any range.

A ``StreamKey`` must never seal two different files. The nonce is only the position, so the same key over
other bytes gives both away. A file that changed gets a new file key and a new blob id.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from e2e_support.crypto.hash import Buffer, derive_salted, digest, same, u64
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import COMMITMENT, KEY_SIZE, NONCE, OPEN_ERRORS, SALT, TAG, Phase, cannot_open
from e2e_support.errors import UsageError
from e2e_support.ids import ID_SIZE, BlobId, Hash, MailboxId
from e2e_support.limits import CHUNK_SIZE
from e2e_support.tags import Tag

WritableBuffer = bytearray | memoryview

COUNTER_MAX = 2**32 - 1
_NONCE_ZEROS = NONCE - 4 - 1


class StreamKey:
    """The key of one blob of one mailbox; made by ``derive`` or, when reading, by ``checked``.

    Attributes:
        commitment: 32 bytes for the signed manifest; binds file key, salt, mailbox and blob id.
    """

    __slots__ = ("_aead", "commitment")

    def __init__(self, key: Secret, commitment: bytes) -> None:
        self._aead = AESGCM(key.reveal(SECRET_ACCESS))
        self.commitment = commitment

    @classmethod
    def derive(cls, file_key: Secret, salt: bytes, mailbox_id: MailboxId, blob_id: BlobId) -> StreamKey:
        """Return the key that seals a new file.

        Args:
            file_key: 32 fresh random bytes; never used for another file.
            salt: 32 random bytes that stand in the manifest.
            mailbox_id: 16 bytes.
            blob_id: 16 bytes.

        Raises:
            UsageError: ``malformed`` when one of them has another size.
        """
        sizes = (len(file_key), len(salt), len(mailbox_id), len(blob_id))
        if sizes != (KEY_SIZE, SALT, ID_SIZE, ID_SIZE):
            raise UsageError("malformed", "file key, salt, mailbox id or blob id has a wrong size")
        size = KEY_SIZE + COMMITMENT
        both = derive_salted(file_key, salt, Tag.STREAM, mailbox_id, blob_id, size=size).reveal(SECRET_ACCESS)
        return cls(Secret(both[:KEY_SIZE]), both[KEY_SIZE:])

    @classmethod
    def checked(
        cls, file_key: Secret, salt: bytes, mailbox_id: MailboxId, blob_id: BlobId, commitment: bytes
    ) -> StreamKey:
        """Return the key that opens a file, if it is the one that the manifest commits to.

        Args:
            file_key: 32 bytes.
            salt: 32 bytes from the manifest.
            mailbox_id: 16 bytes.
            blob_id: 16 bytes.
            commitment: 32 bytes from the manifest.

        Raises:
            PeerError: ``cannot_open`` when the commitment is another.
            UsageError: ``malformed`` when an argument has another size.
        """
        key = cls.derive(file_key, salt, mailbox_id, blob_id)
        if not same(key.commitment, commitment):
            raise cannot_open()
        return key

    def seal_chunk(self, index: int, plaintext: Buffer, *, last: bool) -> bytes:
        """Return one sealed chunk, 16 bytes longer than the plaintext.

        Args:
            index: position in the file, from 0.
            plaintext: 256 KiB; the last one 1 byte to 256 KiB, or empty if the file is.
            last: whether it is the last one.

        Raises:
            UsageError: ``malformed`` for another size or an index above 2**32 - 1.
        """
        _require_chunk(index, len(plaintext), last=last)
        return self._aead.encrypt(_nonce(index, last=last), plaintext, None)

    def seal_chunk_into(self, index: int, plaintext: Buffer, into: WritableBuffer, *, last: bool) -> None:
        """Seal one chunk into a buffer of exactly the sealed size, without a copy.

        Args:
            index: as in ``seal_chunk``.
            plaintext: as in ``seal_chunk``.
            into: ``len(plaintext) + 16`` bytes that do not overlap the plaintext.
            last: as in ``seal_chunk``.

        Raises:
            UsageError: ``malformed`` as in ``seal_chunk``, or when the buffer has another size.
        """
        _require_chunk(index, len(plaintext), last=last)
        if len(into) != len(plaintext) + TAG:
            raise UsageError("malformed", "the buffer does not have the sealed size")
        self._aead.encrypt_into(_nonce(index, last=last), plaintext, None, into)

    def open_chunk(self, index: int, sealed: Buffer, *, last: bool) -> bytes:
        """Return the plaintext of one chunk.

        Args:
            index: position at which the chunk must stand.
            sealed: as made by ``seal_chunk``.
            last: whether it must be the last one.

        Raises:
            PeerError: ``cannot_open``, whatever the reason.
        """
        opened = self.try_open_chunk(index, sealed, last=last)
        if isinstance(opened, Phase):
            raise cannot_open()
        return opened

    def try_open_chunk(self, index: int, sealed: Buffer, *, last: bool) -> bytes | Phase:
        """Return the plaintext of one chunk, or the phase that failed; the phase is for test vectors."""
        if not _is_chunk(index, len(sealed) - TAG, last=last):
            return Phase.LENGTH
        try:
            return self._aead.decrypt(_nonce(index, last=last), sealed, None)
        except OPEN_ERRORS:
            return Phase.TAG

    def open_chunk_into(self, index: int, sealed: Buffer, into: WritableBuffer, *, last: bool) -> None:
        """Open one chunk into a buffer of exactly the plaintext's size, without a copy.

        Args:
            index: as in ``open_chunk``.
            sealed: as in ``open_chunk``.
            into: ``len(sealed) - 16`` bytes; all zero after an error, so nothing unverified stays there.
            last: as in ``open_chunk``.

        Raises:
            PeerError: ``cannot_open``, whatever the reason.
            UsageError: ``malformed`` when the buffer has another size.
        """
        if not _is_chunk(index, len(sealed) - TAG, last=last):
            raise cannot_open()
        if len(into) != len(sealed) - TAG:
            raise UsageError("malformed", "the buffer does not have the plaintext's size")
        try:
            self._aead.decrypt_into(_nonce(index, last=last), sealed, None, into)
        except OPEN_ERRORS:
            into[:] = bytes(len(into))
            raise cannot_open() from None


def chunk_count(size: int) -> int:
    """Return how many chunks a (padded) file of ``size`` bytes has; an empty one has one empty chunk."""
    return max(1, -(-size // CHUNK_SIZE))


def leaf_hash(index: int, sealed: Buffer) -> Hash:
    """Return the hash of one sealed chunk at its position.

    Args:
        index: position in the file, from 0.
        sealed: the sealed chunk.
    """
    return digest(Tag.LEAF, u64(index), sealed)


def root_hash(size: int, leaves: tuple[Hash, ...]) -> Hash:
    """Return the hash over all leaves that stands in the signed manifest.

    Args:
        size: bytes of the padded plaintext.
        leaves: one hash per chunk, in order.
    """
    return digest(Tag.LEAF_ROOT, u64(len(leaves)), u64(size), *leaves)


def _is_chunk(index: int, size: int, *, last: bool) -> bool:
    """Tell whether a chunk of ``size`` plaintext bytes may stand at a position."""
    least = CHUNK_SIZE if not last else 0 if index == 0 else 1
    return 0 <= index <= COUNTER_MAX and least <= size <= CHUNK_SIZE


def _require_chunk(index: int, size: int, *, last: bool) -> None:
    if not _is_chunk(index, size, last=last):
        raise UsageError("malformed", f"no chunk of {size} bytes can stand at position {index}")


def _nonce(index: int, *, last: bool) -> bytes:
    return bytes(_NONCE_ZEROS) + index.to_bytes(4, "big") + bytes([last])
