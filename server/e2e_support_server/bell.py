"""Rings in memory: whoever waits for a mailbox or a feed hears how far it has come, and nothing else (§3.7).

Only the newest number counts, so a slow listener costs one integer however much happens meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

from e2e_support_server.refusal import Refusal


class Listener:
    """One waiting client; made by ``Bell.listen``."""

    __slots__ = ("_closing", "_newest", "_waiter", "capability")

    def __init__(self, capability: bytes) -> None:
        self.capability = capability
        self._newest = 0
        self._closing = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def closing(self) -> bool:
        """Whether the client is to go: the relay stops, or what it listened to is none of its business any more."""
        return self._closing

    def tell(self, newest: int) -> None:
        """Take note of a number; smaller ones than before say nothing new."""
        self._newest = max(self._newest, newest)
        self._wake()

    def close(self) -> None:
        """Wake the client because it is to go."""
        self._closing = True
        self._wake()

    async def wait(self, after: int, seconds: float) -> int:
        """Return the newest number as soon as it is above ``after``, the time is over or it is to go."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._newest <= after and not self._closing and (left := end - loop.time()) > 0:
            self._waiter = loop.create_future()
            timer = loop.call_later(left, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        return self._newest

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Bell:
    """All listeners by what they listen to: a mailbox id or a team id.

    Args:
        most: listeners in all.
        most_each: listeners on one mailbox or feed.
    """

    def __init__(self, *, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._count = 0
        self._closed = False
        self._listeners: defaultdict[bytes, set[Listener]] = defaultdict(set)

    def ring(self, key: bytes, newest: int) -> None:
        """Tell everybody who listens to ``key`` how far it has come."""
        for listener in self._listeners.get(key, ()):
            listener.tell(newest)

    @contextmanager
    def listen(self, key: bytes, capability: bytes = b"") -> Generator[Listener]:
        """Give a listener that misses nothing from here on, to whoever showed a capability.

        Raises:
            Refusal: ``busy`` when there are too many, or the relay is stopping.
        """
        if self._closed or self._count >= self._most or len(self._listeners.get(key, ())) >= self._most_each:
            raise Refusal("busy", retry_after=5)
        listener = Listener(capability)
        self._listeners[key].add(listener)
        self._count += 1
        try:
            yield listener
        finally:
            self._count -= 1
            self._listeners[key].discard(listener)
            if not self._listeners[key]:
                del self._listeners[key]

    def end(self, mark: bytes) -> None:
        """Send home whoever listens to something, or with a capability, that is no more."""
        for key, listeners in self._listeners.items():
            for listener in listeners:
                if mark in (key, listener.capability):
                    listener.close()

    def close(self) -> None:
        """Send everybody home."""
        self._closed = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.close()
