"""Verifies request signatures: here while little is going on, in a helper process beside the loop under load.

A signature costs more than all the rest of an append, and a thread is no help: it takes the interpreter from the
loop at every turn. The helper knows nothing, keeps nothing and says yes or no; when it dies, the relay goes on alone.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO, cast

from e2e_support.errors import PeerError
from e2e_support.request import SIGNED_HEADERS, SignedRequest, verify_request
from e2e_support_server.batches import Batches

BATCH_MOST = 32
HELP_FROM = 3  # in one batch: fewer are verified faster than handed over
PATIENCE = 5.0  # seconds for a batch, which takes milliseconds
_LENGTH = struct.Struct("!I")
_VERDICT = struct.Struct("!32s32sQQ16s")
_NOBODY = bytes(32)  # no signature is good under a key of zeros
_BAD = _VERDICT.pack(_NOBODY, bytes(32), 0, 0, bytes(16))

Unverified = tuple[str, ...]
"""Method, authority, path, query, and the values of ``SIGNED_HEADERS``; ASCII, no control characters."""


class Verifier:
    """Verifies requests in batches.

    Args:
        helper: whether a helper process may be started; it is, once there is enough to do.
        waiting_most: requests that may wait before new ones are refused as ``busy``.
    """

    def __init__(self, *, helper: bool, waiting_most: int) -> None:
        self._batches: Batches[Unverified, SignedRequest | None] = Batches(
            self._verify, most=BATCH_MOST, waiting_most=waiting_most
        )
        self._may_start = helper
        self._starting: asyncio.Task[None] | None = None
        self._helper: _Helper | None = None

    async def verify(self, request: Unverified) -> SignedRequest | None:
        """Return what was signed, or nothing for any other signature than a good one in its only spelling."""
        return await self._batches.put(request)

    async def close(self) -> None:
        """Finish what waits and let the helper go."""
        await self._batches.close()
        if self._starting is not None:
            await self._starting
        if self._helper is not None:
            await self._helper.close()

    async def _verify(self, requests: Sequence[Unverified]) -> Sequence[SignedRequest | None]:
        if len(requests) >= HELP_FROM:
            self._start_if_allowed()
            if self._helper is not None:
                return await self._help(self._helper, requests)
        return [verify_here(request) for request in requests]

    async def _help(self, helper: _Helper, requests: Sequence[Unverified]) -> Sequence[SignedRequest | None]:
        try:
            return await helper.verify(requests)
        except (OSError, asyncio.IncompleteReadError):  # a time-out, too, is an OSError
            self._helper = None
            await helper.close()
            return [verify_here(request) for request in requests]

    def _start_if_allowed(self) -> None:
        if self._may_start:
            self._may_start = False
            self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        with suppress(OSError):  # without a helper the relay is slower, no less safe
            self._helper = await _Helper.start()


class _Helper:
    """The relay's end of the helper process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._requests = cast("asyncio.StreamWriter", process.stdin)
        self._verdicts = cast("asyncio.StreamReader", process.stdout)

    @classmethod
    async def start(cls) -> _Helper:
        """Start the process; it ends when the relay's end of its input is closed, however the relay ends."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # an interrupt at the terminal is for the relay, which then ends the helper
        )
        return cls(process)

    async def verify(self, requests: Sequence[Unverified]) -> list[SignedRequest | None]:
        """Return the verdicts on a batch; raises ``OSError`` or ``IncompleteReadError`` when there are none."""
        async with asyncio.timeout(PATIENCE):
            self._requests.write(pack(requests))
            await self._requests.drain()
            return unpack(await self._verdicts.readexactly(_VERDICT.size * len(requests)))

    async def close(self) -> None:
        """End the process."""
        with suppress(ProcessLookupError):
            self._process.kill()  # it has nothing to lose
        await self._process.communicate()


def verify_here(request: Unverified) -> SignedRequest | None:
    """Verify one request in this process."""
    method, authority, path, query, *values = request
    headers = list(zip(SIGNED_HEADERS, values, strict=True))
    try:
        return verify_request(method=method, authority=authority, path=path, query=query, headers=headers)
    except PeerError:
        return None


def processors() -> int:
    """Return how many processors there are."""
    return os.cpu_count() or 1


# --- what the two processes say to each other ------------------------------------------------------------


def pack(requests: Sequence[Unverified]) -> bytes:
    """Return the message that asks for a batch."""
    body = "\x01".join("\x00".join(request) for request in requests).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def answer(body: bytes) -> bytes:
    """Return the verdicts on a batch: what was signed, or zeros."""
    requests = [tuple(request.split("\x00")) for request in body.decode("ascii").split("\x01")]
    return b"".join(_verdict(verify_here(request)) for request in requests)


def unpack(verdicts: bytes) -> list[SignedRequest | None]:
    """Return the verdicts on a batch as the helper sent them."""
    return [
        None if fields[0] == _NOBODY else SignedRequest(*fields) for fields in _VERDICT.iter_unpack(verdicts)
    ]


def serve(requests: BinaryIO, verdicts: BinaryIO) -> None:
    """Answer batches until there are no more: the helper's whole life."""
    while head := requests.read(_LENGTH.size):
        verdicts.write(answer(requests.read(_LENGTH.unpack(head)[0])))
        verdicts.flush()


def _verdict(signed: SignedRequest | None) -> bytes:
    if signed is None:
        return _BAD
    return _VERDICT.pack(signed.public, signed.digest, signed.created, signed.expires, signed.nonce)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
