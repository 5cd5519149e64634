"""What the handlers share: identifiers and numbers of a request, answers, and the relay behind them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from aiohttp import web

from e2e_support.errors import PeerError
from e2e_support.ids import HASH_SIZE, ID_SIZE, BlobId, MailboxId, TeamId
from e2e_support.request import unb64
from e2e_support_server.admission import Admission
from e2e_support_server.bell import Bell
from e2e_support_server.clock import Clock
from e2e_support_server.config import Config
from e2e_support_server.guard import Guard
from e2e_support_server.service.blobs import Blobs
from e2e_support_server.service.erasure import Erasure
from e2e_support_server.service.mailboxes import Mailboxes
from e2e_support_server.service.rosters import Rosters
from e2e_support_server.service.teams import Teams

MEDIA_TYPE = "application/vnd.e2es"
OCTETS = "application/octet-stream"
_QUERY = re.compile(r"(?:[a-z]+=(?:0|[1-9][0-9]{0,15})(?:&(?!$)|$))*")


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler may reach."""

    config: Config
    clock: Clock
    relay_key: bytes
    guard: Guard
    bell: Bell
    admission: Admission
    teams: Teams
    rosters: Rosters
    mailboxes: Mailboxes
    erasure: Erasure
    blobs: Blobs


CONTEXT = web.AppKey("context", Context)


def mailbox_of(request: web.Request) -> MailboxId:
    """Return the mailbox that a path names; ``malformed``."""
    return MailboxId(unb64(request.match_info["mailbox_id"], ID_SIZE))


def blob_of(request: web.Request) -> BlobId:
    """Return the blob that a path names; ``malformed``."""
    return BlobId(unb64(request.match_info["blob_id"], ID_SIZE))


def team_of(request: web.Request) -> TeamId:
    """Return the team that a path names; ``malformed``."""
    return TeamId(unb64(request.match_info["team_id"], HASH_SIZE))


def numbers(request: web.Request, *names: str) -> list[int]:
    """Return the numbers of a query, 0 for those not given.

    Raises:
        PeerError: ``malformed`` for another name, a second value, or a number in another spelling.
    """
    _, _, query = request.raw_path.partition("?")
    pairs = [pair.split("=") for pair in query.split("&")] if query else []
    given = {name: int(value) for name, value in pairs} if _QUERY.fullmatch(query) else {"": 0}
    if len(given) != len(pairs) or not given.keys() <= set(names):
        raise PeerError("malformed", "the query is not as it must be")
    return [given.get(name, 0) for name in names]


def answer(body: bytes = b"", *, status: int = 200, media_type: str = MEDIA_TYPE) -> web.Response:
    """Return a successful answer."""
    return web.Response(status=status, body=body, headers={"Content-Type": media_type} if body else None)


async def write(response: web.StreamResponse, data: bytes, seconds: float) -> None:
    """Send one part of an answer.

    Raises:
        ConnectionError: when the reader has gone, or takes nothing for that many seconds.
    """
    try:
        async with asyncio.timeout(seconds):
            await response.write(data)
    except TimeoutError:
        raise ConnectionError("the reader has stopped reading") from None


def made(new: bool) -> web.Response:  # noqa: FBT001 - the one thing it says
    """Return the answer to a PUT: 201 for something new, 200 for a repetition."""
    return answer(status=201 if new else 200)
