"""A relay that is killed in the middle of its work has everything that it answered for (G6, attack 88's premise)."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from e2e_support.ids import BlobId
from e2e_support.limits import PIECE_SIZE
from e2e_support.mailbox import Chain
from e2e_support.request import b64
from e2e_support.wire import BlobState, FeedPage, Receipt
from process_kit import client_of, run, start, stop
from relay_kit import Client, Mailbox, TeamHandle

WRITERS, UPLOADERS = 24, 4
BLOB_SIZE = 3 * PIECE_SIZE - 1000


@dataclass
class Upload:
    """A blob on its way, and which of its pieces were answered."""

    box: Mailbox
    data: bytes = field(default_factory=lambda: os.urandom(BLOB_SIZE))
    blob: BlobId = field(default=BlobId(b""))
    answered: set[int] = field(default_factory=set[int])
    committed: bool = False

    def piece(self, index: int) -> bytes:
        """Return the bytes of a piece."""
        return self.data[index * PIECE_SIZE : (index + 1) * PIECE_SIZE]

    async def go_on(self, indices: tuple[int, ...] = (0, 1, 2)) -> None:
        """Send pieces and name the blob in an entry."""
        for index in indices:
            (await self.box.piece(self.blob, index, self.piece(index))).expect(200, 201)
            self.answered.add(index)
        await self.box.append(blobs=[self.blob])
        self.committed = True


async def append_for_ever(box: Mailbox, receipts: list[Receipt]) -> None:
    """Append until the relay is gone; keep every receipt."""
    while True:
        receipts.append(await box.append())


async def upload_for_ever(box: Mailbox, uploads: list[Upload]) -> None:
    """Upload until the relay is gone; keep what was answered."""
    while True:
        upload = Upload(box)
        upload.blob = await box.declare(BLOB_SIZE)
        uploads.append(upload)
        await upload.go_on()


async def check_entries(box: Mailbox, receipts: list[Receipt]) -> None:
    """Read the whole chain; it holds every answered entry under the same receipt."""
    chain, stored = Chain.start(box.id), list[Receipt]()
    while True:
        page = await box.page(chain.length)
        chain.check_page(page)
        for item in page.items:
            chain = chain.advance(item.entry)
            stored.append(Receipt.from_bytes(item.receipt))
        if chain.length == page.head.length:
            break
    assert chain.head == page.head
    assert stored[: len(receipts)] == receipts
    assert len(stored) - len(receipts) <= 1  # one may have been stored whose answer was lost
    box.length, box.hash = chain.length, chain.hash


async def check_upload(upload: Upload) -> None:
    """Answered pieces are there; an unfinished upload goes on where it stopped."""
    target = f"{upload.box.path}/blobs/{b64(upload.blob)}"
    reply = await upload.box.client.ask(upload.box.key, "GET", f"{target}/state")
    state = BlobState.from_bytes(reply.expect(200).body)
    assert upload.answered.isdisjoint(state.missing)
    for index in state.missing:
        (await upload.box.piece(upload.blob, index, upload.piece(index))).expect(201)
    whole = await upload.box.client.ask(upload.box.key, "GET", target)
    assert whole.expect(200).body == upload.data


async def check_feed(client: Client, team: TeamHandle, boxes: list[Mailbox]) -> None:
    """The feed is gapless and tells of every entry once."""
    items = list(FeedPage(0, ()).items)
    while True:
        reply = await client.ask(
            team.capability, "GET", f"/v1/team/{b64(team.team_id)}/feed?after={len(items)}"
        )
        page = FeedPage.from_bytes(reply.expect(200).body)
        items += page.items
        if not page.items:
            break
    assert [item.cursor for item in items] == list(range(1, page.newest + 1))
    for box in boxes:
        assert [item.seq for item in items if item.mailbox_id == box.id] == list(range(box.length))


async def until_busy(receipts: list[list[Receipt]], uploads: list[Upload], wanted: int) -> None:
    """Wait until so many entries and some pieces were answered."""
    for _ in range(60_000):
        if sum(map(len, receipts)) >= wanted and any(upload.answered for upload in uploads):
            return
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("wanted", [100, 400])
async def test_nothing_that_was_answered_is_lost_by_a_kill(tmp_path: Path, wanted: int) -> None:
    """After kill -9 under load every receipted entry and answered piece is there, chains and feed are whole."""
    process, url = await start(tmp_path)
    code = run(tmp_path, "bootstrap").stdout.strip()
    receipts, uploads = [list[Receipt]() for _ in range(WRITERS)], list[Upload]()
    async with client_of(url) as client:
        team = await client.found(code=code)
        boxes = [await client.ticket(team) for _ in range(WRITERS + UPLOADERS)]
        work = [
            *map(append_for_ever, boxes[:WRITERS], receipts),
            *(upload_for_ever(box, uploads) for box in boxes[WRITERS:]),
        ]
        tasks = [asyncio.create_task(one) for one in work]
        await until_busy(receipts, uploads, wanted)
        process.kill()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    await process.communicate()
    assert all(isinstance(error, (aiohttp.ClientError, ConnectionError)) for error in ended), ended
    process, url = await start(tmp_path)
    try:
        async with client_of(url) as client:
            for box in boxes:
                box.client = client
            for box, kept in zip(boxes, receipts, strict=False):
                await check_entries(box, kept)
            for upload in uploads:
                await check_upload(upload)
            for box in boxes[WRITERS:]:
                await check_entries(
                    box, [Receipt.from_bytes(item.receipt) for item in (await box.page()).items]
                )
            await check_feed(client, team, boxes)
            await boxes[0].append()
    finally:
        await stop(process)
