"""A hostile relay as two proxies in front of a real one: what the user and what the team are shown of it.

async with hostile_relay(process) as proxies: ...

A request goes through as it is; its answer is decoded, a ``hostile_relay.Face`` says what to say instead, and that
is sent in its place. The relay is a process of its own; clients speak real HTTP to what they take for it.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from e2e_support.codec import Message
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import ID_SIZE, MailboxId
from e2e_support.wire import (
    Append,
    EpochPackage,
    FeedPage,
    Freshness,
    LinksPage,
    Page,
    Receipt,
    RelayInfo,
)
from e2e_support_client.port import Refused
from e2e_support_client.refusals import unb64_upto
from e2e_support_server.app import make_store, prepare
from e2e_support_server.clock import now
from e2e_support_server.config import load
from e2e_support_server.keyfile import load_key
from e2e_support_server.service.teams import Teams
from hostile_relay import NOWHERE, Asked, Face
from http_kit import Meddler, Passing, answering, message, problem
from process_kit import COMMAND, NO_LIMITS
from shifted_relay import Shift

_ID = r"(?P<id>[\w-]+)"
_ROUTES: list[tuple[str, re.Pattern[str], type[Message]]] = [
    ("GET", re.compile(r"/v1/relay"), RelayInfo),
    ("GET", re.compile(r"/v1/team/[\w-]+/links\?from=(?P<start>\d+)"), LinksPage),
    ("GET", re.compile(r"/v1/team/[\w-]+/boxes/(?P<start>\d+)"), EpochPackage),
    ("GET", re.compile(r"/v1/team/[\w-]+/freshness"), Freshness),
    ("GET", re.compile(r"/v1/team/[\w-]+/feed\?after=(?P<start>\d+)"), FeedPage),
    ("GET", re.compile(rf"/v1/mailboxes/{_ID}/entries\?from=(?P<start>\d+)"), Page),
    ("POST", re.compile(rf"/v1/mailboxes/{_ID}/entries"), Receipt),
]
_AUTO = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
Twist = Callable[[Passing, web.Response], web.Response]


@dataclass
class Proxy:
    """One side's way to the relay.

    Attributes:
        face: what this side is shown.
        url: where it is reached.
        twist: changes an answer as bytes and headers, for lies that are no message.
        asked: every request with its answer, in the order of the answers.
    """

    face: Face
    man: Meddler
    http: aiohttp.ClientSession
    twist: Twist | None = None
    asked: list[tuple[Passing, web.Response]] = field(default_factory=list[tuple[Passing, web.Response]])

    @property
    def url(self) -> str:
        """Where this side reaches what it takes for the relay."""
        return self.man.site.url

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request as the face says."""
        headers = CIMultiDict(request.headers)
        headers.popall("Content-Length", None)
        passing = Passing(request.method, request.raw_path, headers, await request.read())
        response = await self._told(passing)
        if self.twist is not None:
            response = self.twist(passing, response)
        self.asked.append((passing, response))
        return response

    async def _told(self, passing: Passing) -> web.Response:
        found = _route(passing)
        if found is None:
            return await self.man.send(self.http, passing)
        kind, asked = found
        try:
            swallowed = self._swallowed(kind, asked, passing)
            if swallowed is not None:
                return message(swallowed)
            response = await self.man.send(self.http, passing)
            honest = kind.from_bytes(_body(response)) if response.status == 200 else None
            if isinstance(honest, Receipt):
                self.face.truth.note(asked.mailbox, Append.from_bytes(passing.body), _body(response))
            told = self.face.answer(kind, asked, honest)
        except Refused as refused:
            return problem(refused.code, refused.status)
        return response if told is None or told is honest else message(told.to_bytes())

    def _swallowed(self, kind: type[Message], asked: Asked, passing: Passing) -> bytes | None:
        if kind is not Receipt:
            return None
        return self.face.swallow(asked.mailbox, Append.from_bytes(passing.body))


def _route(passing: Passing) -> tuple[type[Message], Asked] | None:
    for method, pattern, kind in _ROUTES:
        match = pattern.fullmatch(passing.target) if method == passing.method else None
        if match is not None:
            named = match.groupdict()
            mailbox = MailboxId(unb64_upto(named["id"], ID_SIZE)) if "id" in named else NOWHERE
            return kind, Asked(mailbox, int(named.get("start") or 0))
    return None


def _body(response: web.Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


@asynccontextmanager
async def proxy(face: Face, relay: str, port: int) -> AsyncGenerator[Proxy]:
    """Run a proxy on a port of this machine."""
    async with aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=_AUTO) as http:

        async def handle(request: web.Request) -> web.StreamResponse:
            return await found.handle(request)

        async with answering(handle, port=port) as site:
            found = Proxy(face, Meddler(site, relay), http)
            yield found


# --- the real relay --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RelayProcess:
    """A relay that runs as a process of its own, behind proxies.

    Attributes:
        data: its data folder.
        url: where it listens; only proxies go there.
        ports: where its two proxies listen: the names that it answers to.
    """

    data: Path
    url: str
    ports: tuple[int, int]

    @property
    def log(self) -> str:
        """What it has logged so far, every request included."""
        return self.data.with_suffix(".log").read_text()

    @property
    def key(self) -> SigningKey:
        """The key that it signs receipts with."""
        return load_key(self.data)

    async def code(self) -> str:
        """Return a one-time code, as ``e2e-relay bootstrap`` prints it."""
        config = load(self.data, {})
        store = make_store(config, prepare(config), now)
        try:
            await store.open()
            return await Teams(store, now).issue_code()
        finally:
            await store.close()


@contextmanager
def relay_process(
    data: Path, ports: tuple[int, int] | None = None, *, shift: Shift | None = None
) -> Generator[RelayProcess]:
    """Run ``e2e-relay serve`` for as long as the block lasts.

    Args:
        data: its data folder.
        ports: where its proxies run already; two free ones by default.
        shift: the clock that it lives by, where that is not the true one.
    """
    ports = ports or _free_ports()
    names = [word for port in ports for word in ("--authority", f"127.0.0.1:{port}")]
    command = [
        *(shift.command if shift else COMMAND),
        "--data",
        str(data),
        "serve",
        "--listen",
        "127.0.0.1:0",
        *names,
    ]
    data.parent.mkdir(parents=True, exist_ok=True)
    environ = {**os.environ, **NO_LIMITS, "E2ES_LOG_LEVEL": "debug"}
    with (
        data.with_suffix(".log").open("a") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), line
            yield RelayProcess(data, line.split()[-1], ports)
        finally:
            process.terminate()
            process.wait(30)


def _free_ports() -> tuple[int, int]:
    """Return two ports that nobody uses: the relay must know its names before its proxies run."""
    with socket.socket() as one, socket.socket() as other:
        for found in (one, other):
            found.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
