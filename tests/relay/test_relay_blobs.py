"""Blobs over HTTP: declared, uploaded in pieces, immutable, read by range (protocol 3.8)."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.errors import PeerError
from e2e_support.ids import BlobId
from e2e_support.limits import PIECE_SIZE
from e2e_support.request import b64
from e2e_support.wire import BlobSize, BlobState
from e2e_support_server.handlers.blobs import byte_range
from e2e_support_server.service.blobs import piece_count, piece_size
from relay_kit import LIMITS, Client, Mailbox, TeamHandle, make_entry, running

SIZE = 2 * PIECE_SIZE + 100
DATA = os.urandom(SIZE)
PIECES = [DATA[i : i + PIECE_SIZE] for i in range(0, SIZE, PIECE_SIZE)]


@pytest.fixture
async def box(relay: Client, team: TeamHandle) -> Mailbox:
    """An empty mailbox."""
    return await relay.ticket(team)


async def state(box: Mailbox, blob: BlobId) -> BlobState:
    """Ask for the state of a blob."""
    reply = await box.client.ask(box.key, "GET", f"{box.path}/blobs/{b64(blob)}/state")
    return BlobState.from_bytes(reply.expect(200).body)


async def upload(box: Mailbox) -> BlobId:
    """Declare and upload the whole blob."""
    blob = await box.declare(SIZE)
    for index, piece in enumerate(PIECES):
        (await box.piece(blob, index, piece)).expect(201)
    return blob


async def read(box: Mailbox, blob: BlobId, span: str = "") -> bytes:
    """Read a blob or a range of it."""
    extra = {"Range": span} if span else {}
    reply = await box.client.ask(box.key, "GET", f"{box.path}/blobs/{b64(blob)}", headers=extra)
    return reply.expect(206 if span else 200).body


async def test_a_blob_comes_back_as_it_was_sent(box: Mailbox) -> None:
    """Pieces make up the blob, read as a whole or by range (§3.8)."""
    blob = await upload(box)
    assert await read(box, blob) == DATA
    assert (
        await read(box, blob, f"bytes={PIECE_SIZE - 5}-{PIECE_SIZE + 5}")
        == DATA[PIECE_SIZE - 5 : PIECE_SIZE + 6]
    )
    assert await read(box, blob, f"bytes={SIZE - 1}-{SIZE - 1}") == DATA[-1:]


async def test_pieces_come_in_any_order_and_the_state_tells_what_is_missing(box: Mailbox) -> None:
    """An upload that was interrupted goes on where pieces are missing (§3.8)."""
    blob = await box.declare(SIZE)
    assert await state(box, blob) == BlobState(SIZE, 0, (0, 1, 2))
    (await box.piece(blob, 2, PIECES[2])).expect(201)
    assert await state(box, blob) == BlobState(SIZE, 0, (0, 1))
    for index in (1, 0):
        (await box.piece(blob, index, PIECES[index])).expect(201)
    assert await state(box, blob) == BlobState(SIZE, 1, ())


async def test_all_pieces_at_once_make_a_blob(box: Mailbox) -> None:
    """Parallel uploads of different pieces do not disturb each other."""
    blob = await box.declare(SIZE)
    await asyncio.gather(*(box.piece(blob, index, piece) for index, piece in enumerate(PIECES)))
    assert await read(box, blob) == DATA


async def test_a_stored_piece_is_immutable(box: Mailbox) -> None:
    """The same bytes again answer the same, others conflict, before and after the blob is complete (§3.8)."""
    blob = await box.declare(SIZE)
    other = os.urandom(PIECE_SIZE)
    for _ in range(2):
        (await box.piece(blob, 0, PIECES[0])).expect(201, 200)
        (await box.piece(blob, 0, other)).expect("piece_conflict")
    for index in (1, 2):
        await box.piece(blob, index, PIECES[index])
    (await box.piece(blob, 0, PIECES[0])).expect(200)
    (await box.piece(blob, 0, other)).expect("piece_conflict")
    assert await read(box, blob) == DATA


async def test_of_two_pieces_at_one_index_at_once_one_stands_whole(box: Mailbox) -> None:
    """Racing uploads of different bytes leave exactly what one of them sent."""
    blob = await box.declare(PIECE_SIZE)
    tries = [os.urandom(PIECE_SIZE) for _ in range(6)]
    replies = await asyncio.gather(*(box.piece(blob, 0, data) for data in tries))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 5
    stored = next(data for data, reply in zip(tries, replies, strict=True) if reply.status == 201)
    assert await read(box, blob) == stored


@pytest.mark.parametrize(
    ("index", "size"), [(0, 10), (0, PIECE_SIZE - 1), (2, 99), (2, 101), (3, 100), (3, 0)]
)
async def test_a_piece_has_its_size_and_place(box: Mailbox, index: int, size: int) -> None:
    """A piece of another size, or beyond the end, is malformed (§3.8)."""
    blob = await box.declare(SIZE)
    (await box.piece(blob, index, bytes(size))).expect("malformed")


async def test_a_piece_larger_than_any_is_refused_before_it_is_read(box: Mailbox) -> None:
    """The body of a piece is bounded (§3.8)."""
    blob = await box.declare(SIZE)
    (await box.piece(blob, 0, bytes(PIECE_SIZE + 1))).expect("too_large")


async def test_an_incomplete_blob_is_not_read(box: Mailbox) -> None:
    """Only a complete blob can be read (§3.8)."""
    blob = await box.declare(SIZE)
    await box.piece(blob, 0, PIECES[0])
    reply = await box.client.ask(box.key, "GET", f"{box.path}/blobs/{b64(blob)}")
    reply.expect("blob_incomplete")


async def test_an_entry_commits_complete_blobs_only(box: Mailbox) -> None:
    """An entry that names an incomplete blob is refused; complete it is stored with the entry (§3.3 step 5)."""
    blob = await box.declare(SIZE)
    (await box.post(box.next(make_entry(), [blob]))).expect("blob_incomplete")
    for index, piece in enumerate(PIECES):
        await box.piece(blob, index, piece)
    append = box.next(make_entry(), [blob])
    (await box.post(append)).expect(200)
    (await box.post(append)).expect(200)


async def test_a_blob_is_committed_once(box: Mailbox) -> None:
    """A second entry cannot name a blob that the first one has, nor one entry the same blob twice (§3.3 step 5)."""
    blob = await upload(box)
    (await box.post(box.next(make_entry(), [blob, blob]))).expect("blob_incomplete")
    await box.append(blobs=[blob])
    (await box.post(box.next(make_entry(), [blob]))).expect("blob_incomplete")


async def test_a_refused_entry_commits_none_of_its_blobs(box: Mailbox) -> None:
    """Blob commits stand or fall with their entry (§3.3)."""
    blob = await upload(box)
    (await box.post(box.next(make_entry(), [blob, BlobId(bytes(16))]))).expect("blob_incomplete")
    await box.append(blobs=[blob])


async def test_a_class_keeps_to_its_own_blobs(box: Mailbox, team: TeamHandle) -> None:
    """Neither class writes into, commits or declares over a blob of the other one; both read it."""
    blob = await upload(box)
    (await box.piece(blob, 0, PIECES[0], team.capability)).expect("not_found")
    (await box.post(box.next(make_entry(), [blob]), team.capability)).expect("blob_incomplete")
    target = f"{box.path}/blobs/{b64(blob)}"
    (await box.client.ask(team.capability, "PUT", target, BlobSize(SIZE).to_bytes())).expect("piece_conflict")
    (await box.client.ask(team.capability, "GET", target)).expect(200)


async def test_a_blob_is_declared_once(box: Mailbox) -> None:
    """The same declaration again answers 200, one of another size conflicts (§3.8)."""
    blob = await box.declare(SIZE)
    target = f"{box.path}/blobs/{b64(blob)}"
    (await box.client.ask(box.key, "PUT", target, BlobSize(SIZE).to_bytes())).expect(200)
    (await box.client.ask(box.key, "PUT", target, BlobSize(SIZE + 1).to_bytes())).expect("piece_conflict")


async def test_a_blob_belongs_to_its_mailbox(relay: Client, team: TeamHandle, box: Mailbox) -> None:
    """Under another mailbox the same blob id names nothing (attack 17)."""
    blob = await upload(box)
    other = await relay.ticket(team)
    for route in (f"{other.path}/blobs/{b64(blob)}", f"{other.path}/blobs/{b64(blob)}/state"):
        (await relay.ask(other.key, "GET", route)).expect("not_found")
    (await other.post(other.next(make_entry(), [blob]))).expect("blob_incomplete")


async def test_what_users_upload_is_bounded_by_the_policy(
    relay: Client, box: Mailbox, team: TeamHandle
) -> None:
    """A blob larger than the policy's largest attachment is over the user's budget; the operator binds the team."""
    assert relay.relay
    most = relay.relay.context.teams.team(team.team_id).rules.blob_bytes_max
    target = f"{box.path}/blobs/{b64(BlobId(os.urandom(16)))}"
    (await relay.ask(box.key, "PUT", target, BlobSize(most + 1).to_bytes())).expect("budget")
    (await relay.ask(team.capability, "PUT", target, BlobSize(most + 1).to_bytes())).expect(201)


async def test_open_blobs_are_bounded(tmp_path: Path) -> None:
    """A class cannot declare without end and send nothing."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, blobs_open=2, blob_bytes=1000)) as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        await box.declare(100)
        await box.declare(100)
        target = f"{box.path}/blobs/{b64(BlobId(os.urandom(16)))}"
        (await relay.ask(box.key, "PUT", target, BlobSize(100).to_bytes())).expect("budget")


async def test_a_full_disk_is_noticed_before_the_upload(tmp_path: Path) -> None:
    """A blob that would not leave the reserve free is refused when it is declared."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, disk_reserve=2**60)) as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        target = f"{box.path}/blobs/{b64(BlobId(os.urandom(16)))}"
        (await relay.ask(box.key, "PUT", target, BlobSize(100).to_bytes())).expect("disk_full")
        await box.append()


async def test_a_crash_before_the_last_rename_is_made_good(tmp_path: Path) -> None:
    """A blob whose pieces are all recorded but whose file was not renamed is finished when asked after."""
    async with running(tmp_path / "relay") as relay:
        box = await relay.ticket(await relay.found())
        blob = await upload(box)
    whole = next((tmp_path / "relay" / "blobs").glob(f"*/*/{blob.hex()}"))
    whole.rename(whole.with_name(f"{blob.hex()}.part"))
    with closing(sqlite3.connect(tmp_path / "relay" / "relay.db")) as database, database:
        database.execute("UPDATE blobs SET complete = 0")
    async with running(tmp_path / "relay") as relay:
        box.client = relay
        assert await state(box, blob) == BlobState(SIZE, 1, ())
        assert await read(box, blob) == DATA


@pytest.mark.parametrize(
    "header", ["bytes=0-", "bytes=-5", "bytes=5-4", "bytes=0-10", "bytes=0-1,3-4", "octets=0-1", ""]
)
def test_only_one_plain_range_is_understood(header: str) -> None:
    """Anything but one range inside the blob is malformed (§3.8)."""
    with pytest.raises(PeerError, match="range"):
        byte_range(header, 10)


def test_a_range_is_half_open_inside_and_closed_on_the_wire() -> None:
    """``bytes=a-b`` includes b."""
    assert byte_range("bytes=0-9", 10) == (0, 10)
    assert byte_range(None, 10) == (0, 10)


@pytest.mark.parametrize("size", [1, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 3 * PIECE_SIZE])
def test_pieces_cover_a_blob_exactly(size: int) -> None:
    """The pieces of a blob add up to its size, and there is none after the last (§3.8)."""
    sizes = [piece_size(size, index) for index in range(piece_count(size))]
    assert sum(sizes) == size
    assert min(sizes) > 0
    assert piece_size(size, len(sizes)) == 0
