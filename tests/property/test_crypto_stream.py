"""Properties of the chunk stream: only the file as it was sealed opens to its end."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.stream import StreamKey, chunk_count, leaf_hash, root_hash
from e2e_support.errors import PeerError
from e2e_support.ids import BlobId, MailboxId
from e2e_support.limits import CHUNK_SIZE, FILE_MAX

KEY = StreamKey.derive(Secret(bytes(range(32))), bytes(32), MailboxId(bytes(16)), BlobId(bytes(16)))
FULL = bytes(CHUNK_SIZE)
SEALED = (
    KEY.seal_chunk(0, FULL, last=False),
    KEY.seal_chunk(1, FULL, last=False),
    KEY.seal_chunk(2, FULL, last=False),
    KEY.seal_chunk(3, b"the end", last=True),
)


def read(chunks: list[bytes]) -> bytes:
    """Return the file that a list of chunks holds, the last one taken for the last."""
    return b"".join(
        KEY.open_chunk(index, chunk, last=index == len(chunks) - 1) for index, chunk in enumerate(chunks)
    )


@given(st.lists(st.sampled_from(SEALED), min_size=1, max_size=6))
def test_no_other_order_or_number_of_chunks_opens(chunks: list[bytes]) -> None:
    """Dropping, repeating, swapping or cutting chunks fails, identical plaintexts or not."""
    assume(chunks != list(SEALED))
    with pytest.raises(PeerError) as caught:
        read(chunks)
    assert caught.value.code == "cannot_open"


def test_the_whole_file_opens() -> None:
    """The chunks in order give the file back."""
    assert read(list(SEALED)) == FULL * 3 + b"the end"


@given(st.integers(0, 3), st.integers(0, 8 * (CHUNK_SIZE + 16)))
def test_any_flipped_bit_ends_a_chunk(index: int, bit: int) -> None:
    """One changed bit anywhere and the chunk does not open; its leaf hash differs too."""
    changed = bytearray(SEALED[index])
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    with pytest.raises(PeerError):
        KEY.open_chunk(index, changed, last=index == 3)
    assert leaf_hash(index, changed) != leaf_hash(index, SEALED[index])


@given(st.binary(max_size=300), st.integers(0, 2**33), st.booleans())
def test_garbage_is_no_chunk(garbage: bytes, index: int, last: bool) -> None:
    """Arbitrary bytes at any position raise one error."""
    with pytest.raises(PeerError):
        KEY.open_chunk(index, garbage, last=last)


@given(st.binary(max_size=3000))
def test_a_small_file_makes_the_round_trip(data: bytes) -> None:
    """One last chunk is enough for it, even when it is empty."""
    assert KEY.open_chunk(0, KEY.seal_chunk(0, data, last=True), last=True) == data


@given(st.integers(0, FILE_MAX))
def test_the_count_leaves_no_chunk_empty(size: int) -> None:
    """All chunks before the last are full and the last holds something, if the file does."""
    rest = size - (chunk_count(size) - 1) * CHUNK_SIZE
    assert 0 < rest <= CHUNK_SIZE or size == 0


@given(st.permutations(range(4)), st.integers(0, 2**40))
def test_the_root_binds_order_and_size(order: list[int], size: int) -> None:
    """Another order of leaves or another size has another root."""
    leaves = tuple(leaf_hash(index, chunk) for index, chunk in enumerate(SEALED))
    root = root_hash(3 * CHUNK_SIZE + 7, leaves)
    shuffled = tuple(leaves[index] for index in order)
    unchanged = shuffled == leaves and size == 3 * CHUNK_SIZE + 7
    assert (root_hash(size, shuffled) == root) == unchanged
