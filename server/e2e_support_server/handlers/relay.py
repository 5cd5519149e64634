"""What a relay says of itself, and read sessions."""

from __future__ import annotations

from aiohttp import web

from e2e_support.crypto.suite import VERSION
from e2e_support.wire import RelayInfo
from e2e_support_server.handlers.http import CONTEXT, answer


async def info(request: web.Request) -> web.Response:
    """Answer ``GET /v1/relay``."""
    relay = request.app[CONTEXT]
    return answer(RelayInfo(VERSION, VERSION, relay.relay_key, int(relay.clock())).to_bytes())


async def begin_session(request: web.Request) -> web.Response:
    """Answer ``POST /v1/session``."""
    session = await request.app[CONTEXT].guard.session(request)
    return answer(session.to_bytes())
