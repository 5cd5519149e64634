"""One HTTP question and its answer, with every bound that a hostile relay or network must not get past.

No redirect is followed, no content encoding accepted, no cookie kept; an answer has a largest size and a last
moment (attacks 22, 23, 70).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NoReturn

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from e2e_support.errors import PeerError, SupportError, TransportError, UsageError
from e2e_support.ids import HASH_SIZE, TeamId
from e2e_support.limits import KIB
from e2e_support.support_link import SupportLink

MESSAGE: Final = "application/vnd.e2es"
OCTETS: Final = "application/octet-stream"
EVENTS: Final = "text/event-stream"

CONNECT_SECONDS: Final = 10.0
SLOWEST: Final = 8 * KIB  # bytes a second; a line below that is taken for a stalled one
CONNECTIONS: Final = 16
_SLICE: Final = 256 * KIB  # larger bodies are sent in slices, so that others get their turn


@dataclass(frozen=True, slots=True)
class Question:
    """One request, before it is signed.

    Attributes:
        method: upper case.
        path: from the first slash; only characters that need no encoding.
        query: without the question mark.
        body: what is sent.
        media: content type of the body.
        answer: content type of a success with a body.
        limit: most bytes of the answer.
        good: statuses that are a success.
        wait: seconds for which the relay may be silent on purpose.
        extra: further headers, which are not signed.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    media: str = MESSAGE
    answer: str = MESSAGE
    limit: int = 0
    good: tuple[int, ...] = (200,)
    wait: float = 0.0
    extra: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, complete and within its bounds."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Open:
    """Connections, and the process and event loop that they belong to."""

    session: aiohttp.ClientSession
    process: int
    loop: asyncio.AbstractEventLoop


class Exchange:
    """The HTTP connections to one relay, made when first needed and for each event loop anew.

    Args:
        url: the relay's origin, as a support link has it.
        proxy: ``http://host:port`` of a proxy, or ``None``; the environment is not asked.
        timeout: seconds in which a small answer must be complete.
        tls: TLS settings instead of the platform's.

    Attributes:
        authority: host, and port where it is not the scheme's own: what is sent as Host and signed.

    Raises:
        UsageError: ``bad_link`` or ``bad_proxy``.
    """

    def __init__(
        self, url: str, *, proxy: str | None = None, timeout: float, tls: ssl.SSLContext | None = None
    ) -> None:
        SupportLink(
            url, TeamId(bytes(HASH_SIZE))
        ).format()  # refuses all but one spelling, and http in the open
        if proxy is not None and not proxy.startswith(("http://", "https://")):
            raise UsageError("bad_proxy", "the proxy is not an http one", hint="Write http://host:port.")
        self._url = url
        self.authority = url.partition("://")[2]
        self._proxy = proxy
        self._timeout = timeout
        self._tls = tls
        self._open: _Open | None = None
        self._left: list[_Open] = []

    async def ask(self, question: Question, headers: Mapping[str, str], *, refusal_max: int) -> Answer:
        """Return the whole answer to a question.

        Args:
            question: what to ask.
            headers: those that sign it.
            refusal_max: most bytes of an answer that is no success.

        Raises:
            TransportError: ``relay_unreachable``, ``timeout``, ``tls_failed`` or ``proxy_failed``.
            PeerError: ``redirect``, ``bad_encoding``, ``too_large`` or ``malformed``.
        """
        async with self.opened(question, headers) as response:
            limit = question.limit if response.status in question.good else refusal_max
            return Answer(response.status, response.headers, await read_capped(response, limit))

    @asynccontextmanager
    async def opened(
        self, question: Question, headers: Mapping[str, str], *, endless: bool = False
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Give an answer whose headers are there and fit; the body is the caller's to read.

        Args:
            question: what to ask.
            headers: those that sign it.
            endless: whether the answer may go on as long as it is never silent for too long.

        Raises:
            SupportError: as ``ask``, also for what happens while the caller reads.
        """
        try:
            session = await self._here()
            async with session.request(
                question.method,
                URL(f"{self._url}{question.path}{'?' * bool(question.query)}{question.query}", encoded=True),
                data=_payload(question.body),
                headers={**self._headers(question), **question.extra, **headers},
                allow_redirects=False,
                proxy=self._proxy,
                timeout=self._timeouts(question, endless=endless),
            ) as response:
                _check_head(response)
                yield response
        except (aiohttp.ClientError, OSError) as error:  # OSError has TimeoutError among its children
            _raise_network(error)

    async def close(self) -> None:
        """Close the connections."""
        old, self._open = self._open, None
        if old is not None:
            await self._leave(old)

    async def _here(self) -> aiohttp.ClientSession:
        """Return the session of this process and event loop."""
        old = self._open
        if old is not None and old.process == os.getpid() and old.loop is asyncio.get_running_loop():
            return old.session
        self._open = new = self._connect()
        if old is not None:
            await self._leave(old)
        return new.session

    async def _leave(self, old: _Open) -> None:
        """Close a session, unless its loop still runs elsewhere: it is then not ours to touch."""
        if old.process == os.getpid() and (old.loop is asyncio.get_running_loop() or old.loop.is_closed()):
            await old.session.close()
        else:
            self._left.append(old)

    def _connect(self) -> _Open:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=self._tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Content-Type"),
        )
        return _Open(session, os.getpid(), asyncio.get_running_loop())

    def _headers(self, question: Question) -> dict[str, str]:
        headers = {"Host": self.authority, "Accept": question.answer, "Accept-Encoding": "identity"}
        return {**headers, "Content-Type": question.media} if question.body else headers

    def _timeouts(self, question: Question, *, endless: bool) -> aiohttp.ClientTimeout:
        silent = self._timeout + question.wait
        total = None if endless else silent + (len(question.body) + question.limit) / SLOWEST
        return aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_SECONDS, sock_read=silent)


async def read_capped(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return a body of at most ``limit`` bytes.

    Raises:
        PeerError: ``too_large``, before more than that is held.
    """
    parts: list[bytes] = []
    room = limit
    if (response.content_length or 0) > limit:
        raise _too_large(limit)
    async for part in response.content.iter_any():
        room -= len(part)
        if room < 0:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


class _Slices(aiohttp.Payload):
    """A large body, handed to the socket in slices without a copy; it can be sent again on a new connection."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - aiohttp's signature
        """Return nothing; only aiohttp's own logging would ask."""
        return ""

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body; the connection decides how fast."""
        body = memoryview(self._value)
        for start in range(0, len(body), _SLICE):
            await writer.write(body[start : start + _SLICE])

    async def write_with_length(
        self,
        writer: AbstractStreamWriter,
        content_length: int | None,  # noqa: ARG002 - the length that was announced is the body's
    ) -> None:
        """Write the body."""
        await self.write(writer)


def _payload(body: bytes) -> bytes | _Slices | None:
    """Return a body in the form that aiohttp sends best."""
    return _Slices(body) if len(body) > _SLICE else body or None


def _check_head(response: aiohttp.ClientResponse) -> None:
    if 300 <= response.status < 400:
        raise PeerError(
            "redirect",
            "the relay sent us elsewhere, which is never followed",
            hint="Ask the administrators for a fresh support link.",
        )
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise PeerError(
            "bad_encoding",
            "the relay compressed its answer, which was not asked for",
            hint="A proxy in front of the relay may do this; tell its administrators.",
        )


def _too_large(limit: int) -> PeerError:
    return PeerError("too_large", f"the relay's answer has more than {limit} bytes", hint="Nothing was kept.")


def _raise_network(error: Exception) -> NoReturn:
    raise _network_error(error) from error


def _network_error(error: Exception) -> SupportError:
    """Say what a failure of the network means for a person."""
    match error:
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientProxyConnectionError():
            return TransportError(
                "proxy_failed", "the proxy did not let us through", hint="Check the proxy's address."
            )
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return TransportError(
                "tls_failed",
                "the relay could not prove who it is",
                hint="Somebody may be listening on this network, or the clock or the certificate is wrong.",
            )
        case TimeoutError():
            return TransportError("timeout", "the relay answers too slowly", hint="Try again later.")
        case aiohttp.ClientResponseError():
            return PeerError("malformed", "the relay's answer is not HTTP", hint="Look for a wrong address.")
        case _:
            return TransportError(
                "relay_unreachable",
                "the relay cannot be reached",
                hint="Check the network connection; nothing is lost, it can be tried again.",
            )
