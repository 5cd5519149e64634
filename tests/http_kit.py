"""Small HTTP servers on loopback that answer whatever a test wants, and a meddler in front of a real relay."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

MEDIA = "application/vnd.e2es"
_HOP = ("Content-Length", "Transfer-Encoding", "Server", "Connection")
_AUTO = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """A running server.

    Attributes:
        url: its origin.
        asked: method and path of every request so far.
        requests: the requests themselves.
    """

    url: str
    asked: list[str] = field(default_factory=list[str])
    requests: list[web.Request] = field(default_factory=list[web.Request])


@asynccontextmanager
async def answering(
    handler: Handler, tls: ssl.SSLContext | None = None, *, port: int = 0
) -> AsyncGenerator[Site]:
    """Run a server that answers every request by a handler."""
    site = Site("")

    async def handle(request: web.Request) -> web.StreamResponse:
        site.asked.append(f"{request.method} {request.path}")
        site.requests.append(request)
        return await handler(request)

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    site.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        await runner.cleanup()


@asynccontextmanager
async def saying(*parts: bytes, pause: float = 0.0, endless: bytes = b"") -> AsyncGenerator[str]:
    """Run a server that says some bytes to whoever connects, whatever they ask, and yield its origin.

    Args:
        parts: said one after the other.
        pause: seconds between them.
        endless: said over and over afterwards.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(4096)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            while endless:
                writer.write(endless)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()


@dataclass
class Passing:
    """A request on its way to the relay, for a meddler to change."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes


@dataclass
class Meddler:
    """A proxy in front of a relay, between it and a client that takes it for the relay.

    Attributes:
        site: where clients reach it.
        relay: the relay's origin; to be set once it runs.
        meddle: changes a request on its way; ``None`` lets all pass.
        seen: every request as it was passed on.
    """

    site: Site
    relay: str = ""
    meddle: Callable[[Passing], None] | None = None
    seen: list[Passing] = field(default_factory=list[Passing])

    @property
    def authority(self) -> str:
        """The name that clients know the relay by."""
        return self.site.url.removeprefix("http://")

    async def send(self, http: aiohttp.ClientSession, passing: Passing) -> web.Response:
        """Send a request to the relay as it is, and return its answer."""
        url = URL(self.relay + passing.target, encoded=True)
        body = passing.body or None
        async with http.request(passing.method, url, headers=passing.headers, data=body) as answer:
            kept = CIMultiDict(answer.headers)
            for name in _HOP:
                kept.popall(name, None)
            return web.Response(status=answer.status, headers=kept, body=await answer.read())


@asynccontextmanager
async def meddling() -> AsyncGenerator[Meddler]:
    """Run a meddler."""
    async with aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=_AUTO) as http:

        async def handle(request: web.Request) -> web.StreamResponse:
            headers = CIMultiDict(request.headers)
            headers.popall("Content-Length", None)
            passing = Passing(request.method, request.raw_path, headers, await request.read())
            if man.meddle is not None:
                man.meddle(passing)
            man.seen.append(passing)
            return await man.send(http, passing)

        async with answering(handle) as site:
            man = Meddler(site)
            yield man


def message(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a relay's answer."""
    return web.Response(status=status, body=body, headers={"Content-Type": MEDIA, **(headers or {})})


def problem(code: str, status: int, *, text: str = "", headers: dict[str, str] | None = None) -> web.Response:
    """Return a problem document."""
    document = text or f'{{"type":"about:blank","status":{status},"code":"{code}","title":"t","hint":"h"}}'
    given = {"Content-Type": "application/problem+json", **(headers or {})}
    return web.Response(status=status, body=document.encode(), headers=given)
