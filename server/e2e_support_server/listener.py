"""The listening socket: limits on connections and time, and answers of our own to what is not even HTTP."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from e2e_support.errors import PeerError, UsageError
from e2e_support_server.config import Config
from e2e_support_server.screen import add_headers, raw_problem

_SILENT = logging.getLogger("e2e_support_server.silent")  # aiohttp's own lines hold addresses and headers
_SILENT.setLevel(logging.CRITICAL + 1)

HEAD_MOST = 8190  # bytes of the request line, and of one header
HEADERS_MOST = 64
BACKLOG = 1024
LINGER = 2.0  # seconds for which the rest of a refused body is read and thrown away


@dataclass(frozen=True, slots=True)
class Listening:
    """A relay that accepts connections."""

    host: str
    port: int
    server: asyncio.Server

    @property
    def url(self) -> str:
        """Where it is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def stop_accepting(self) -> None:
        """Refuse new connections; those that are open go on."""
        self.server.close()


class Connection(web.RequestHandler):
    """One connection; differs from aiohttp's in what it says when a request is not HTTP at all."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - holds what the client sent
        message: str | None = None,  # noqa: ARG002 - the same
    ) -> web.StreamResponse:
        """Answer with a problem document, not with aiohttp's page, and log nothing."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        error = PeerError("malformed", "not HTTP") if 400 <= status < 500 else RuntimeError(str(status))
        response = raw_problem(error)
        response.force_close()
        return response


@asynccontextmanager
async def listen(
    config: Config, make_app: Callable[[frozenset[str]], web.Application]
) -> AsyncGenerator[Listening]:
    """Accept connections; leaving the block finishes the requests in flight.

    Args:
        config: address and limits; port 0 lets the system choose.
        make_app: makes the application once the names are known that it answers to.

    Raises:
        UsageError: ``cannot_listen``.
    """
    loop = asyncio.get_running_loop()
    bound = _bind(config)
    port = bound.getsockname()[1]
    app = make_app(config.names(port))
    app.on_response_prepare.append(add_headers)
    runner = web.AppRunner(app, shutdown_timeout=config.limits.stop_seconds)
    await runner.setup()
    server = await loop.create_server(lambda: _connection(runner, loop, config), sock=bound, backlog=BACKLOG)
    try:
        yield Listening(config.host, port, server)
    finally:
        server.close()
        await runner.cleanup()


def _bind(config: Config) -> socket.socket:
    """Take the address before the application is made, which has to know its port."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise UsageError("cannot_listen", f"cannot listen on {config.host}:{config.port}: {error}") from None


def _connection(runner: web.AppRunner, loop: asyncio.AbstractEventLoop, config: Config) -> asyncio.Protocol:
    server = runner.server
    if server is None or len(server.connections) >= config.limits.connections:
        return _Full()
    return Connection(
        server,
        loop=loop,
        keepalive_timeout=config.limits.idle_seconds,  # also the time that the first head may take
        access_log=_SILENT,
        logger=_SILENT,
        max_line_size=HEAD_MOST,
        max_field_size=HEAD_MOST,
        max_headers=HEADERS_MOST,
        lingering_time=LINGER,
        auto_decompress=False,
    )


class _Full(asyncio.Protocol):
    """Hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
