"""What every request passes and every answer carries, whatever the route: names, headers, errors, the log line."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from e2e_support.errors import PeerError
from e2e_support_server.problems import document, refusal_of, response_of
from e2e_support_server.refusal import Refusal

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from e2e_support_server.log import Logger

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "no-store",
    "Server": "e2e-relay",  # in place of the library's own, which tells versions
}
_PATH = re.compile(r"(?:/[A-Za-z0-9_-]+)+")
_QUERY = re.compile(r"[!-~]*")
_PLAIN = re.compile(rb"[\t -~]*")
"""No control characters: the verifier tells its helper's requests apart by them."""
_ONCE = frozenset(
    {
        b"host", b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"content-digest",
        b"signature", b"signature-input", b"authorization", b"range", b"accept", b"connection",
    }
)  # fmt: skip

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_middleware(authorities: frozenset[str], logger: Logger) -> Middleware:
    """Return the middleware around all handlers.

    Args:
        authorities: names that the relay answers to, lower case.
        logger: gets a line for every fault, and with level ``debug`` for every request.
    """
    tell_all = logger.is_enabled_for(logging.DEBUG)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            check(request, authorities)
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 - the one place where errors become answers
            response = _refused(request, error, logger)
        if tell_all:
            logger.debug("request", method=request.method, route=route_of(request), status=response.status)
        return response

    return middleware


def check(request: web.Request, authorities: frozenset[str]) -> None:
    """Refuse what two readers of one request might understand differently (attack 68).

    Raises:
        PeerError: ``malformed``.
        Refusal: ``wrong_authority``.
    """
    path, _, query = request.raw_path.partition("?")
    fields = [(name.lower(), value) for name, value in request.raw_headers]
    names = [name for name, _ in fields]
    if len(set(names)) < len(names) and any(names.count(name) > 1 for name in _ONCE):
        raise PeerError("malformed", "a header stands twice")
    if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        raise PeerError("malformed", "the path is not in its only spelling")
    if not all(_PLAIN.fullmatch(value) for name, value in fields if name in _ONCE):
        raise PeerError("malformed", "a header that is not plain text")
    if b"content-encoding" in names or b"host" not in names:
        raise PeerError("malformed", "an encoded body, or no host")
    if request.host.lower() not in authorities:
        raise Refusal("wrong_authority")


def route_of(request: web.Request) -> str:
    """Return a route's template; ids never reach the log."""
    resource = request.match_info.route.resource
    return re.sub(r":[^{}]*(?:\{\d+(?:,\d+)?\}[^{}]*)*\}", "}", resource.canonical) if resource else "none"


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on an answer that every answer has."""
    response.headers.update(HEADERS)


def raw_problem(error: Exception) -> web.Response:
    """Return the answer to something that never became a request."""
    status, headers, body = document(refusal_of(error))
    return web.Response(status=status, headers={**headers, **HEADERS}, body=body)


def _refused(request: web.Request, error: Exception, logger: Logger) -> web.Response:
    if isinstance(error, ConnectionError) or request.writer.output_size > 0:
        raise ConnectionResetError("nothing more can be said on this connection")
    refusal = refusal_of(error)
    if refusal.code in ("internal", "disk_full"):
        logger.error("fault", route=route_of(request), code=refusal.code, fault=type(error).__name__)
    return response_of(error)
