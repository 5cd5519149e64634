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

    __slots__ = ("_closing", "_newest", "_waiter")

    def __init__(self) -> None:
        self._newest = 0
        self._closing = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def closing(self) -> bool:
        """Whether the relay is about to stop."""
        return self._closing

    def tell(self, newest: int) -> None:
        """Take note of a number; smaller ones than before say nothing new."""
        self._newest = max(self._newest, newest)
        self._wake()

    def close(self) -> None:
        """Wake the client because the relay stops."""
        self._closing = True
        self._wake()

    async def wait(self, after: int, seconds: float) -> int:
        """Return the newest number as soon as it is above ``after``, the time is over or the relay stops."""
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
    def listen(self, key: bytes) -> Generator[Listener]:
        """Give a listener that misses nothing from here on.

        Raises:
            Refusal: ``busy`` when there are too many, or the relay is stopping.
        """
        if self._closed or self._count >= self._most or len(self._listeners.get(key, ())) >= self._most_each:
            raise Refusal("busy", retry_after=5)
        listener = Listener()
        self._listeners[key].add(listener)
        self._count += 1
        try:
            yield listener
        finally:
            self._count -= 1
            self._listeners[key].discard(listener)
            if not self._listeners[key]:
                del self._listeners[key]

    def close(self) -> None:
        """Send everybody home."""
        self._closed = True
        for listener in [listener for listeners in self._listeners.values() for listener in listeners]:
            listener.close()
