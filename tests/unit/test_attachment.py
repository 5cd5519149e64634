"""Attachments: the plan, sealing in any order, verified opening, harmless names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.attachment import Opener, Plan, Sealer, piece_ranges, safe_name
from e2e_support.content import Attachment
from e2e_support.crypto.secret import Secret
from e2e_support.errors import PeerError, SupportError, UsageError
from e2e_support.ids import BlobId, MailboxId
from e2e_support.limits import BLOB_MAX, CHUNK_SIZE, FILE_MAX, FILE_PAD_MIN, PIECE_SIZE
from ticket_builder import Numbered

MAILBOX = MailboxId(b"m" * 16)
SIZE = 2 * CHUNK_SIZE + 100  # three chunks
DATA = bytes(range(256)) * (SIZE // 256 + 1)


def seal(size: int = SIZE, *, order: list[int] | None = None) -> tuple[bytes, Attachment]:
    """Return the blob and the manifest of a file."""
    sealer = Sealer.fresh(Plan(size), MAILBOX, Numbered("file"))
    chunks: dict[int, bytes] = {}
    for index in order or range(sealer.plan.chunks):
        start, end = sealer.plan.chunk_file(index)
        chunks[index] = sealer.seal_chunk(index, memoryview(DATA)[start:end])
    blob = b"".join(chunks[index] for index in range(sealer.plan.chunks)) + sealer.leaves()
    return blob, sealer.manifest("list.txt", "text/plain")


def unseal(blob: bytes, manifest: Attachment) -> bytes:
    """Return the file in a blob."""
    opener = Opener(manifest, MAILBOX)
    start, end = opener.leaves_range
    opener.load_leaves(blob[start:end])
    ranges = [opener.plan.chunk_sealed(index) for index in range(opener.plan.chunks)]
    return b"".join(opener.open_chunk(index, blob[a:b]) for index, (a, b) in enumerate(ranges))


def code_of(error: pytest.ExceptionInfo[SupportError]) -> str:
    """Return an error's code."""
    return error.value.code


@pytest.mark.parametrize("size", [0, 1, FILE_PAD_MIN, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, SIZE])
def test_a_file_comes_back(size: int) -> None:
    """Without its padding, and in a blob of exactly the planned size."""
    blob, manifest = seal(size)
    assert len(blob) == Plan(size).blob
    assert unseal(blob, manifest) == DATA[:size]


def test_chunks_may_be_sealed_in_any_order_and_again() -> None:
    """The order of work does not change the blob."""
    assert seal(order=[2, 0, 1, 0]) == seal()


def test_small_files_look_alike() -> None:
    """Below 4 KiB all blobs have one size."""
    assert len({Plan(size).blob for size in (0, 1, 1000, FILE_PAD_MIN)}) == 1


@pytest.mark.parametrize("size", [-1, FILE_MAX + 1])
def test_a_file_that_no_blob_holds_is_refused(size: int) -> None:
    """Before anything is read or sent."""
    with pytest.raises(UsageError) as error:
        Plan(size)
    assert code_of(error) == "file_too_large"


def test_the_largest_file_fits() -> None:
    """Its blob is within the bound that a relay accepts."""
    assert Plan(FILE_MAX).blob <= BLOB_MAX


def test_pieces_are_whole_chunks() -> None:
    """Each piece but the last has the size of an upload request; only those asked for are named."""
    plan = Plan(10 * CHUNK_SIZE)
    pieces = list(piece_ranges(plan, range(plan.pieces)))
    assert pieces[0] == (0, 0, PIECE_SIZE)
    assert pieces[-1] == (plan.pieces - 1, (plan.pieces - 1) * PIECE_SIZE, plan.blob)
    assert list(piece_ranges(plan, [1])) == pieces[1:2]


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("index", [0, 2])
def test_a_file_that_shrank_or_grew_is_not_sealed(index: int, change: int) -> None:
    """What is missing must not become zeros, and what is too much must not become a larger chunk."""
    sealer = Sealer.fresh(Plan(SIZE), MAILBOX, Numbered("file"))
    start, end = sealer.plan.chunk_file(index)
    with pytest.raises(UsageError) as error:
        sealer.seal_chunk(index, DATA[start : end + change])
    assert code_of(error) == "file_changed"


def test_79_a_chunk_is_sealed_with_one_content_only() -> None:
    """The same key over other bytes would give both away; an upload that resumes remembers what it sealed."""
    first = Sealer.fresh(Plan(SIZE), MAILBOX, Numbered("file"))
    first.seal_chunk(0, DATA[:CHUNK_SIZE])
    again = Sealer(first.plan, MAILBOX, first.blob_id, first.file_key, first.salt, first.seen)
    with pytest.raises(UsageError) as error:
        again.seal_chunk(0, bytes(CHUNK_SIZE))
    assert code_of(error) == "file_changed"
    assert again.seal_chunk(0, DATA[:CHUNK_SIZE])


def flipped(data: bytes, place: int) -> bytes:
    """Return bytes with one bit changed."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


BLOB, MANIFEST = seal()
SWAPPED = (
    BLOB[CHUNK_SIZE + 16 : 2 * (CHUNK_SIZE + 16)] + BLOB[: CHUNK_SIZE + 16] + BLOB[2 * (CHUNK_SIZE + 16) :]
)
BAD_BLOBS = {
    "17 another blob": (seal(SIZE - 1)[0], MANIFEST),
    "18 cut at a chunk": (BLOB[: 2 * (CHUNK_SIZE + 16)] + BLOB[-3 * 32 :], MANIFEST),
    "18 a leaf less": (BLOB[:-32], MANIFEST),
    "19 a chunk more": (BLOB + BLOB[-32:], replace(MANIFEST, size=3 * CHUNK_SIZE + 1)),
    "20 swapped": (SWAPPED, MANIFEST),
    "21 a bit of a chunk": (flipped(BLOB, CHUNK_SIZE + 20), MANIFEST),
    "21 a bit of a leaf": (flipped(BLOB, -1), MANIFEST),
    "37 a smaller size": (BLOB, replace(MANIFEST, size=CHUNK_SIZE)),
    "37 a larger size": (BLOB, replace(MANIFEST, size=SIZE + CHUNK_SIZE)),
}


@pytest.mark.parametrize("name", BAD_BLOBS)
def test_a_blob_that_is_not_the_one_signed_releases_nothing_false(name: str) -> None:
    """Another blob, a cut, a surplus, a swap, a bit, another size: one error (attacks 17-21, 37)."""
    with pytest.raises(PeerError) as error:
        unseal(*BAD_BLOBS[name])
    assert code_of(error) == "bad_attachment"


@pytest.mark.parametrize(
    "manifest",
    [
        replace(MANIFEST, key=bytes(32)),
        replace(MANIFEST, salt=bytes(32)),
        replace(MANIFEST, commitment=bytes(32)),
        replace(MANIFEST, blob_id=BlobId(bytes(16))),
    ],
    ids=["key", "salt", "commitment", "blob"],
)
def test_a_key_that_is_not_the_one_signed_opens_nothing(manifest: Attachment) -> None:
    """The commitment is checked before the first byte is fetched (attack 46)."""
    with pytest.raises(PeerError) as error:
        Opener(manifest, MAILBOX)
    assert code_of(error) == "cannot_open"


def test_a_manifest_holds_in_its_mailbox_only() -> None:
    """An attachment cannot be moved to another ticket."""
    with pytest.raises(PeerError):
        Opener(MANIFEST, MailboxId(bytes(16)))


def test_two_files_share_nothing() -> None:
    """A new file has a key, a salt and a blob id of its own."""
    random = Numbered("file")
    one, other = (Sealer.fresh(Plan(1), MAILBOX, random) for _ in range(2))
    assert len({one.file_key, other.file_key, Secret(one.salt), Secret(other.salt)}) == 4
    assert one.blob_id != other.blob_id


NAMES = {
    "report.pdf": "report.pdf",
    "../../etc/passwd": "passwd",
    "/etc/passwd": "passwd",
    "C:\\Windows\\win.ini": "win.ini",
    "a/": "file",
    "": "file",
    "...": "file",
    "\x00\x1b[31mred\x07.txt": "[31mred.txt",
    "x.pdf\u202eexe.scr": "x.pdfexe.scr",
    "zero\u200bwidth": "zerowidth",
    "-rf": "rf",
    ".bashrc": "bashrc",
    " name. . ": "name",
    'a<b>c:d"e|f?g*h': "a_b_c_d_e_f_g_h",
    "CON": "_CON",
    "con.txt": "_con.txt",
    "nul .txt": "_nul .txt",
    "COM¹": "_COM¹",
    "conout$": "_conout$",
    "console": "console",
    "con" + " " * 300 + "x": "_con",
    "con" + " " * 300 + "x.txt": "_con.txt",
    "con." + "x" * 300: "_con." + "x" * 195,
    "x" * 300 + ".jpeg": "x" * 195 + ".jpeg",
    "x" * 300 + "." + "y" * 10: "x" * 189 + "." + "y" * 10,
    "x" * 300 + "." + "y" * 11: "x" * 200,
    "x." + "y" * 300: "x." + "y" * 198,
    "字" * 100: "字" * 66,
    "e\u200d\u0301.txt": "é.txt",
    "\ud800lone": "lone",
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_become_harmless(name: str) -> None:
    """Whatever a sender calls a file, it is one plain name on any system (attack 36)."""
    assert safe_name(name) == NAMES[name]
