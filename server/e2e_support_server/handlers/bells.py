"""The bell as a long poll or an event stream: how far a mailbox or a feed has come, and nothing else (§3.7)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from e2e_support.errors import PeerError
from e2e_support.ids import ID_SIZE, MailboxId
from e2e_support.request import b64
from e2e_support.wire import Ring
from e2e_support_server.bell import Listener
from e2e_support_server.handlers.http import CONTEXT, answer, mailbox_of, numbers, team_of, write

WAIT_MOST = 30
EVENT_STREAM = "text/event-stream"
THE_FEED = MailboxId(bytes(ID_SIZE))  # stands in a ring of the feed


@dataclass(frozen=True, slots=True)
class _Source:
    """What is listened to: the bell's key, by whose right, the id in rings, and how to ask for the number."""

    key: bytes
    capability: bytes
    name: MailboxId
    newest: Callable[[], Awaitable[int]]


async def mailbox_bell(request: web.Request) -> web.StreamResponse:
    """Answer ``GET /v1/mailboxes/{mailbox_id}/bell``."""
    relay = request.app[CONTEXT]
    permit = await relay.guard.read(request, mailbox_of(request))
    mailbox = permit.mailbox
    source = _Source(mailbox.id, permit.public, mailbox.id, lambda: relay.mailboxes.length(mailbox))
    return await _listen(request, source)


async def team_bell(request: web.Request) -> web.StreamResponse:
    """Answer ``GET /v1/team/{team_id}/bell``."""
    relay, team_id = request.app[CONTEXT], team_of(request)
    capability = await relay.guard.team(request, team_id)
    source = _Source(team_id, capability, THE_FEED, lambda: relay.teams.cursor(team_id))
    return await _listen(request, source)


async def _listen(request: web.Request, source: _Source) -> web.StreamResponse:
    after, wait = numbers(request, "after", "wait")
    if wait > WAIT_MOST:
        raise PeerError("malformed", f"waiting is at most {WAIT_MOST} seconds")
    with request.app[CONTEXT].bell.listen(source.key, source.capability) as listener:
        listener.tell(await source.newest())
        if EVENT_STREAM in request.headers.get("Accept", ""):
            return await _stream(request, source, listener, after)
        newest = await listener.wait(after, wait)
    return answer(Ring(source.name, newest).to_bytes())


async def _stream(request: web.Request, source: _Source, listener: Listener, told: int) -> web.StreamResponse:
    limits = request.app[CONTEXT].config.limits
    response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no"})
    await response.prepare(request)
    loop = asyncio.get_running_loop()
    end = loop.time() + limits.stream_seconds
    try:
        while not listener.closing and loop.time() < end:
            newest = await listener.wait(told, limits.ping_seconds)
            event = _event(source, newest) if newest > told else b":\n\n"
            await write(response, event, limits.write_seconds)
            told = max(told, newest)
        await write(response, _bye(), limits.write_seconds)
    except ConnectionError:
        pass  # the listener has gone; there is nobody to tell
    return response


def _event(source: _Source, newest: int) -> bytes:
    return f"event: bell\ndata: {b64(Ring(source.name, newest).to_bytes())}\n\n".encode()


def _bye() -> bytes:
    """Return the farewell; everybody is asked to come back at another moment."""
    return f"event: bye\nretry: {2000 + secrets.randbelow(8000)}\ndata:\n\n".encode()
