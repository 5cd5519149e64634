"""Attachments: every chunk stands at its place or does not open."""

import pickle

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from e2e_support.crypto.hash import derive_salted, digest, u64
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.stream import StreamKey, chunk_count, leaf_hash, root_hash
from e2e_support.crypto.suite import Phase
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import BlobId, MailboxId
from e2e_support.limits import CHUNK_SIZE
from e2e_support.tags import Tag

FILE_KEY = Secret(bytes(range(32)))
SALT = b"s" * 32
MAILBOX = MailboxId(b"m" * 16)
BLOB = BlobId(b"b" * 16)
KEY = StreamKey.derive(FILE_KEY, SALT, MAILBOX, BLOB)
FULL = bytes(range(256)) * 1024
FIRST = KEY.seal_chunk(0, FULL, last=False)
LAST = KEY.seal_chunk(1, b"the rest", last=True)


def test_key_and_commitment_come_from_one_derivation() -> None:
    """The manifest's 32 bytes bind file key, salt, mailbox and blob."""
    both = derive_salted(FILE_KEY, SALT, Tag.STREAM, MAILBOX, BLOB, size=64).reveal(SECRET_ACCESS)
    assert KEY.commitment == both[32:]
    nonce = bytes(7) + (1).to_bytes(4, "big") + b"\x01"
    assert AESGCM(both[:32]).encrypt(nonce, b"the rest", None) == LAST


@pytest.mark.parametrize(
    ("salt", "mailbox", "blob"),
    [(SALT[1:], MAILBOX, BLOB), (SALT, MAILBOX[1:], BLOB), (SALT, MAILBOX, BLOB + b"b")],
)
def test_ids_and_salts_of_other_sizes_are_refused(salt: bytes, mailbox: bytes, blob: bytes) -> None:
    """Fixed widths keep the derivation's context unambiguous."""
    with pytest.raises(UsageError) as caught:
        StreamKey.derive(FILE_KEY, salt, MailboxId(mailbox), BlobId(blob))
    assert caught.value.code == "malformed"


def test_a_reader_gets_the_key_that_the_manifest_commits_to() -> None:
    """The right commitment gives a key that opens."""
    key = StreamKey.checked(FILE_KEY, SALT, MAILBOX, BLOB, KEY.commitment)
    assert key.open_chunk(1, LAST, last=True) == b"the rest"


@pytest.mark.parametrize("blob", [BLOB, BlobId(b"c" * 16)])
def test_a_reader_refuses_another_commitment(blob: BlobId) -> None:
    """A changed commitment or a blob moved elsewhere does not open."""
    commitment = KEY.commitment if blob != BLOB else bytes(32)
    with pytest.raises(PeerError) as caught:
        StreamKey.checked(FILE_KEY, SALT, MAILBOX, blob, commitment)
    assert caught.value.code == "cannot_open"


def test_chunks_open_at_their_place() -> None:
    """A full chunk, a last one and the single one of an empty file make the round trip."""
    assert KEY.open_chunk(0, FIRST, last=False) == FULL
    assert KEY.open_chunk(1, LAST, last=True) == b"the rest"
    assert KEY.open_chunk(0, KEY.seal_chunk(0, b"", last=True), last=True) == b""


def test_chunks_are_sealed_and_opened_in_place_of_buffers() -> None:
    """The variants without a copy give the same bytes."""
    sealed, opened = bytearray(len(FIRST)), bytearray(len(FULL))
    KEY.seal_chunk_into(0, memoryview(FULL), memoryview(sealed), last=False)
    assert sealed == FIRST
    KEY.open_chunk_into(0, sealed, opened, last=False)
    assert opened == FULL


REFUSED = [
    pytest.param(0, FIRST, True, Phase.TAG, id="made the last one"),
    pytest.param(1, LAST, False, Phase.LENGTH, id="a short one in the middle"),
    pytest.param(1, FIRST, False, Phase.TAG, id="moved"),
    pytest.param(2, LAST, True, Phase.TAG, id="a last one moved"),
    pytest.param(1, LAST[:-1], True, Phase.TAG, id="cut"),
    pytest.param(1, LAST[:16], True, Phase.LENGTH, id="empty where it may not be"),
    pytest.param(0, b"", True, Phase.LENGTH, id="nothing"),
    pytest.param(0, FIRST + b"\0", True, Phase.LENGTH, id="too long"),
    pytest.param(2**32, FIRST, False, Phase.LENGTH, id="counter overflow"),
    pytest.param(-1, FIRST, False, Phase.LENGTH, id="before the start"),
    pytest.param(0, b"\xff" + FIRST[1:], False, Phase.TAG, id="flipped"),
]


@pytest.mark.parametrize(("index", "sealed", "last", "phase"), REFUSED)
def test_any_other_chunk_says_one_thing_outside(index: int, sealed: bytes, last: bool, phase: Phase) -> None:
    """The error is the same whatever failed, and nothing unverified stays in the buffer."""
    assert KEY.try_open_chunk(index, sealed, last=last) is phase
    into = bytearray(b"\xaa" * max(0, len(sealed) - 16))
    for attempt in (
        lambda: KEY.open_chunk(index, sealed, last=last),
        lambda: KEY.open_chunk_into(index, sealed, into, last=last),
    ):
        with pytest.raises(PeerError) as caught:
            attempt()
        assert caught.value.code == "cannot_open"
    assert not any(into.replace(b"\xaa", b"") if phase is Phase.LENGTH else into)


@pytest.mark.parametrize(
    ("index", "last", "size"),
    [(0, False, 0), (0, False, CHUNK_SIZE - 1), (0, True, CHUNK_SIZE + 1), (1, True, 0), (2**32, True, 1)],
)
def test_a_writer_seals_only_chunks_that_can_stand_there(index: int, last: bool, size: int) -> None:
    """Every chunk but the last is full, and the last is empty in an empty file only."""
    with pytest.raises(UsageError) as caught:
        KEY.seal_chunk(index, bytes(size), last=last)
    assert caught.value.code == "malformed"
    with pytest.raises(UsageError):
        KEY.seal_chunk_into(index, bytes(size), bytearray(size + 16), last=last)


def test_buffers_must_have_the_exact_size() -> None:
    """A buffer that is too small or too large is the caller's mistake."""
    with pytest.raises(UsageError):
        KEY.seal_chunk_into(0, b"abc", bytearray(20), last=True)
    with pytest.raises(UsageError):
        KEY.open_chunk_into(1, LAST, bytearray(len(LAST)), last=True)


def test_a_stream_key_does_not_pickle() -> None:
    """The key does not leave by accident."""
    with pytest.raises((TypeError, pickle.PicklingError)):
        pickle.dumps(KEY)


@pytest.mark.parametrize(
    ("size", "count"), [(0, 1), (1, 1), (CHUNK_SIZE, 1), (CHUNK_SIZE + 1, 2), (10 * CHUNK_SIZE, 10)]
)
def test_chunks_are_counted_with_one_for_an_empty_file(size: int, count: int) -> None:
    """The count rounds up and is never zero."""
    assert chunk_count(size) == count


def test_leaf_and_root_bind_position_number_and_size() -> None:
    """The tree's two hashes are the ones of the specification."""
    leaves = (leaf_hash(0, FIRST), leaf_hash(1, memoryview(LAST)))
    assert leaves[1] == digest(Tag.LEAF, u64(1), LAST)
    size = CHUNK_SIZE + 8
    assert root_hash(size, leaves) == digest(Tag.LEAF_ROOT, u64(2), u64(size), leaves[0] + leaves[1])
    assert root_hash(size, leaves) != root_hash(size, leaves[::-1])
