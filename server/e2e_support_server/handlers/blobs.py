"""Declaring, uploading, asking after and reading blobs."""

from __future__ import annotations

import re
from contextlib import aclosing

from aiohttp import web

from e2e_support.errors import PeerError
from e2e_support.limits import PIECE_SIZE
from e2e_support.wire import BlobSize
from e2e_support_server.handlers.http import (
    CONTEXT,
    OCTETS,
    answer,
    blob_of,
    made,
    mailbox_of,
    numbers,
    write,
)

_RANGE = re.compile(r"bytes=([0-9]{1,16})-([0-9]{1,16})")


async def declare(request: web.Request) -> web.Response:
    """Answer ``PUT /v1/mailboxes/{mailbox_id}/blobs/{blob_id}``."""
    relay = request.app[CONTEXT]
    permit = await relay.guard.write(request, mailbox_of(request), BlobSize.LIMIT)
    return made(await relay.blobs.declare(permit.mailbox, permit.writer, blob_of(request), permit.body))


async def put_piece(request: web.Request) -> web.Response:
    """Answer ``PUT /v1/mailboxes/{mailbox_id}/blobs/{blob_id}/{index}``."""
    relay = request.app[CONTEXT]
    permit = await relay.guard.write(request, mailbox_of(request), PIECE_SIZE)
    blob = await relay.blobs.find(permit.mailbox, blob_of(request))
    index = int(request.match_info["index"])
    return made(await relay.blobs.put(permit.mailbox, permit.writer, blob, index, permit.body, permit.digest))


async def state(request: web.Request) -> web.Response:
    """Answer ``GET /v1/mailboxes/{mailbox_id}/blobs/{blob_id}/state``."""
    numbers(request)
    relay = request.app[CONTEXT]
    permit = await relay.guard.read(request, mailbox_of(request))
    return answer(await relay.blobs.state(permit.mailbox, blob_of(request)))


async def read(request: web.Request) -> web.StreamResponse:
    """Answer ``GET /v1/mailboxes/{mailbox_id}/blobs/{blob_id}``."""
    numbers(request)
    relay = request.app[CONTEXT]
    permit = await relay.guard.read(request, mailbox_of(request))
    blob = await relay.blobs.find(permit.mailbox, blob_of(request))
    start, stop = byte_range(request.headers.get("Range"), blob.size)
    parts = relay.blobs.read(permit.mailbox, blob, start, stop)
    response = web.StreamResponse(headers={"Content-Type": OCTETS, "Content-Length": str(stop - start)})
    if "Range" in request.headers:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.size}"
    await response.prepare(request)
    async with aclosing(parts):
        async for part in parts:
            await write(response, part, relay.config.limits.write_seconds)
    await response.write_eof()
    return response


def byte_range(header: str | None, size: int) -> tuple[int, int]:
    """Return start and end (exclusive) of the bytes that are asked for: all of them without a header.

    Raises:
        PeerError: ``malformed`` for anything but one range ``bytes=a-b`` inside the blob.
    """
    if header is None:
        return 0, size
    match = _RANGE.fullmatch(header)
    first, last = (int(match[1]), int(match[2])) if match else (1, 0)
    if not first <= last < size:
        raise PeerError("malformed", "the range is not one range inside the blob")
    return first, last + 1
