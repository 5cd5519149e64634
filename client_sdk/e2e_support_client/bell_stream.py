"""Reads the bell's event stream (protocol 3.7): rings out, keep-alive comments skipped, everything bounded."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, NoReturn

from e2e_support.errors import PeerError, TransportError
from e2e_support.wire import Ring
from e2e_support_client.refusals import WAIT_MAX, unb64_upto

LINE_MAX: Final = 1024  # bytes; a ring needs 40


async def read_rings(chunks: AsyncIterable[bytes]) -> AsyncIterator[Ring]:
    """Yield the rings of an event stream.

    Args:
        chunks: the body as it comes in.

    Raises:
        TransportError: ``busy`` when the relay says goodbye, ``relay_unreachable`` when the stream just ends.
        PeerError: ``malformed``.
    """
    event, data, pause = "", "", None
    async for line in _lines(chunks):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                if line:
                    continue  # a comment
                if event == "bye":
                    raise TransportError("busy", "the relay is stopping", retry_after=pause)
                if event == "bell":
                    yield Ring.from_bytes(unb64_upto(data, Ring.LIMIT))
                event, data = "", ""
            case "event" if value in {"bell", "bye"}:
                event = value
            case "data":
                data = value
            case "retry":
                pause = _seconds(value)
            case _:
                _refuse()
    raise TransportError(
        "relay_unreachable", "the relay ended the stream", hint="It is opened again by itself."
    )


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in (*lines, rest):
            if len(line) > LINE_MAX or not line.isascii():
                _refuse()
        for line in lines:
            yield line.removesuffix(b"\r").decode("ascii")


def _seconds(text: str) -> float:
    """Return the pause of a ``retry`` field, which is in milliseconds."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        _refuse()
    return min(int(text) / 1000, float(WAIT_MAX))


def _refuse() -> NoReturn:
    raise PeerError("malformed", "the relay's event stream cannot be read")
