"""Attachments: the plan of a file's chunks and pieces, its manifest, sealing and verified opening (protocol 6).

Pure: callers read and write the bytes. An upload that resumes compares each chunk with what was sealed
before, since the same key over other bytes would give both away.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from e2e_support.content import Attachment
from e2e_support.crypto.hash import Buffer, same
from e2e_support.crypto.pad import padme
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret, draw
from e2e_support.crypto.stream import StreamKey, chunk_count, leaf_hash, root_hash
from e2e_support.crypto.suite import SALT, TAG
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import HASH_SIZE, ID_SIZE, BlobId, Hash, MailboxId
from e2e_support.limits import CHUNK_SEALED, CHUNK_SIZE, FILE_MAX, FILE_PAD_MIN, PIECE_SIZE

_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?")
_NAME_BYTES = 200  # in UTF-8: file systems take 255, and a download in progress adds to it
_EXTENSION_MAX = 10
_HIDDEN = frozenset({"Cf", "Cc", "Cs", "Co", "Zl", "Zp"})
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file of some size lies in its blob; all sizes in bytes.

    Attributes:
        size: the file's real size.
    """

    size: int

    def __post_init__(self) -> None:
        if not 0 <= self.size <= FILE_MAX:
            raise UsageError(
                "file_too_large", f"a file may have at most {FILE_MAX} bytes", hint="Send a part of it."
            )

    @property
    def padded(self) -> int:
        """Size after padding; tiny files all look alike."""
        return padme(max(self.size, FILE_PAD_MIN))

    @property
    def chunks(self) -> int:
        """Number of STREAM chunks, at least one."""
        return chunk_count(self.padded)

    @property
    def sealed(self) -> int:
        """Size of all sealed chunks together."""
        return self.padded + self.chunks * TAG

    @property
    def blob(self) -> int:
        """Size of the blob: sealed chunks and leaf list."""
        return self.sealed + self.chunks * HASH_SIZE

    @property
    def pieces(self) -> int:
        """Number of upload pieces."""
        return -(-self.blob // PIECE_SIZE)

    def chunk_plain(self, index: int) -> tuple[int, int]:
        """Return the [start, end) of a chunk in the padded file."""
        return index * CHUNK_SIZE, min((index + 1) * CHUNK_SIZE, self.padded)

    def chunk_file(self, index: int) -> tuple[int, int]:
        """Return the [start, end) of a chunk in the file itself; empty where the chunk is all padding."""
        start, end = self.chunk_plain(index)
        return min(start, self.size), min(end, self.size)

    def chunk_sealed(self, index: int) -> tuple[int, int]:
        """Return the [start, end) of a sealed chunk in the blob."""
        return index * CHUNK_SEALED, min((index + 1) * CHUNK_SEALED, self.sealed)

    def is_last(self, index: int) -> bool:
        """Tell whether a chunk is the final one."""
        return index == self.chunks - 1


class Sealer:
    """Seals one file under keys of its own, chunk by chunk, in any order and again.

    Args:
        plan: the file's layout.
        mailbox: whose blob it becomes.
        blob_id: the blob's random id.
        file_key: 32 random bytes, never used for other bytes.
        salt: 32 random bytes.
        seen: leaf hashes of the chunks that an interrupted upload has sealed before, by index. Sealing is
            deterministic under one key, so a chunk with the same leaf has the same content.

    Attributes:
        seen: leaf hashes of all chunks sealed so far. Keep them before a sealed chunk leaves the machine.
    """

    def __init__(
        self,
        plan: Plan,
        mailbox: MailboxId,
        blob_id: BlobId,
        file_key: Secret,
        salt: bytes,
        seen: dict[int, bytes] | None = None,
    ) -> None:
        self.plan = plan
        self.blob_id = blob_id
        self.file_key = file_key
        self.salt = salt
        self._key = StreamKey.derive(file_key, salt, mailbox, blob_id)
        self.seen = dict(seen or {})

    @classmethod
    def fresh(cls, plan: Plan, mailbox: MailboxId, random: Random) -> Sealer:
        """Return a sealer with new keys and a new blob id."""
        blob_id = BlobId(draw(random, ID_SIZE))
        return cls(plan, mailbox, blob_id, Secret.random(random), draw(random, SALT))

    def seal_chunk(self, index: int, plaintext: Buffer) -> bytes:
        """Return one sealed chunk.

        Args:
            index: which chunk.
            plaintext: its bytes from the file, exactly those of ``Plan.chunk_file``; padding is added here.

        Raises:
            UsageError: ``file_changed`` when there are more or fewer bytes than planned, or when the chunk was sealed
                before with other bytes (attack 79).
        """
        (start, end), (padded_start, padded_end) = self.plan.chunk_file(index), self.plan.chunk_plain(index)
        if len(plaintext) != end - start:
            raise _file_changed()
        padded = bytes(plaintext).ljust(padded_end - padded_start, b"\x00")
        sealed = self._key.seal_chunk(index, padded, last=self.plan.is_last(index))
        leaf = leaf_hash(index, sealed)
        if not same(self.seen.setdefault(index, leaf), leaf):
            raise _file_changed()  # what was sealed under the used key goes no further
        return sealed

    def leaves(self) -> bytes:
        """Return the leaf list that stands behind the chunks; every chunk must have been sealed."""
        return b"".join(self.seen[index] for index in range(self.plan.chunks))

    def manifest(self, name: str, media_type: str) -> Attachment:
        """Return the manifest for the signed entry; every chunk must have been sealed."""
        leaves = tuple(Hash(self.seen[index]) for index in range(self.plan.chunks))
        return Attachment(
            safe_name(name),
            media_type,
            self.plan.size,
            self.blob_id,
            self.file_key.reveal(SECRET_ACCESS),
            self.salt,
            self._key.commitment,
            root_hash(self.plan.padded, leaves),
        )


class Opener:
    """Opens an attachment: first the leaf list, then any chunk; releases verified bytes only (attacks 17-21).

    Args:
        manifest: from a signed entry.
        mailbox: where that entry stands.

    Raises:
        PeerError: ``cannot_open`` when the key is not the one the manifest commits to.
    """

    def __init__(self, manifest: Attachment, mailbox: MailboxId) -> None:
        self.plan = Plan(manifest.size)
        self._root = manifest.root
        self._leaves: tuple[Hash, ...] = ()
        self._key = StreamKey.checked(
            Secret(manifest.key), manifest.salt, mailbox, manifest.blob_id, manifest.commitment
        )

    @property
    def leaves_range(self) -> tuple[int, int]:
        """Where the leaf list lies in the blob: [start, end)."""
        return self.plan.sealed, self.plan.blob

    def load_leaves(self, data: bytes) -> None:
        """Take the leaf list, once it fits the signed root.

        Raises:
            PeerError: ``bad_attachment``.
        """
        leaves = tuple(Hash(data[i : i + HASH_SIZE]) for i in range(0, len(data), HASH_SIZE))
        if len(data) != self.plan.chunks * HASH_SIZE or not same(
            root_hash(self.plan.padded, leaves), self._root
        ):
            raise bad_attachment()
        self._leaves = leaves

    def open_chunk(self, index: int, sealed: Buffer) -> bytes:
        """Return one chunk's plaintext without padding.

        Raises:
            PeerError: ``bad_attachment`` when the bytes are not those that were signed.
        """
        if not same(leaf_hash(index, sealed), self._leaves[index]):
            raise bad_attachment()
        plain = self._key.open_chunk(index, sealed, last=self.plan.is_last(index))
        start, _ = self.plan.chunk_plain(index)
        return plain[: max(0, self.plan.size - start)]


def bad_attachment() -> PeerError:
    """Return the one error of an attachment whose bytes are not those that were signed."""
    return PeerError(
        "bad_attachment",
        "the attachment is not the one that was sent",
        hint="Nothing of it was kept. Ask for it again, and tell the administrators.",
    )


def _file_changed() -> UsageError:
    return UsageError(
        "file_changed", "the file changed while it was being sent", hint="It is sent again from the start."
    )


def piece_ranges(plan: Plan, indices: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (index, start, end) of upload pieces in the blob."""
    for index in indices:
        yield index, index * PIECE_SIZE, min((index + 1) * PIECE_SIZE, plan.blob)


def safe_name(name: str) -> str:
    """Return a file name that is harmless on any system (attack 36); the same on both sides.

    Separators, control and bidirectional characters, reserved names, leading dots and dashes, trailing dots and
    spaces go; what is left is at most 200 bytes in UTF-8, and never empty.
    """
    text = name.replace("\\", "/").rsplit("/", 1)[-1]
    text = "".join(c for c in text if unicodedata.category(c) not in _HIDDEN)
    # only now: what was removed may have kept a letter from its accent
    text = unicodedata.normalize("NFC", text)
    text = _UNSAFE.sub("_", text).lstrip(".- ").rstrip(". ")
    return _unreserved(_shortened(_unreserved(text))) or "file"


def _unreserved(text: str) -> str:
    return "_" + text if _RESERVED.fullmatch(text) else text


def _shortened(text: str) -> str:
    """Return a name that fits, with its extension if that is short."""
    if len(text.encode()) <= _NAME_BYTES:
        return text
    stem, dot, extension = text.rpartition(".")
    keep = dot + extension if len(extension) <= _EXTENSION_MAX else ""
    room = _NAME_BYTES - len(keep.encode())
    cut = (stem if keep else text).encode()[:room].decode("utf-8", "ignore")
    return cut.rstrip(". ") + keep
