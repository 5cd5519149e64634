"""Locks a client that stays open once nobody has called it for a while: who comes back must open the keys again."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar

from e2e_support.errors import UsageError

TICK: Final = 5.0  # seconds; so soon after it wakes up a computer that slept too long is locked
_UNCOUNTED: Final = frozenset({"close", "unlock"})
T = TypeVar("T")


def seconds() -> float:
    """Return seconds that only go forward; the sleep of the computer counts where the system tells it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class AutoLock:
    """One unlocked time of a client: it ends when no call has run for a while. Needs a running event loop.

    Args:
        after: how long.
        lock: drops keys and closes what they opened; called once.

    Attributes:
        locked: whether the time is over; every counted call is refused from then on.
    """

    def __init__(self, after: timedelta, lock: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.locked = False
        self._after = after.total_seconds()
        self._lock = lock
        self._running = 0
        self._used = seconds()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    @contextmanager
    def call(self) -> Generator[None]:
        """Stay unlocked while the block runs.

        Raises:
            UsageError: ``locked``.
        """
        if self.locked:
            raise is_locked()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._used = seconds()

    def count(self, part: T) -> T:
        """Let every public coroutine method of an object be such a call, ``close`` and ``unlock`` excepted.

        Args:
            part: changed and returned.
        """
        for name, method in inspect.getmembers_static(type(part), inspect.iscoroutinefunction):
            if not name.startswith("_") and name not in _UNCOUNTED:
                setattr(part, name, self._counted(method.__get__(part)))
        return part

    async def end(self) -> None:
        """Watch no longer; if it is being locked in this moment, return once it is."""
        if not self.locked:
            self._watching.cancel()
        await asyncio.wait([self._watching])
        if not self._watching.cancelled():
            self._watching.result()

    def _counted(
        self, method: Callable[..., Coroutine[Any, Any, T]]
    ) -> Callable[..., Coroutine[Any, Any, T]]:
        @functools.wraps(method)
        async def counted(*args: Any, **named: Any) -> T:
            with self.call():
                return await method(*args, **named)

        return counted

    async def _watch(self) -> None:
        while (left := self._used + self._after - seconds()) > 0 or self._running:  # noqa: ASYNC110 - no timer sleeps
            await asyncio.sleep(min(TICK, left if left > 0 else self._after))
        self.locked = True
        await self._lock()


def is_locked() -> UsageError:
    """Return what a call is told that comes too late."""
    return UsageError(
        "locked",
        "the keys were locked because nobody used them for a while",
        hint="Unlock it; it asks for the passphrase again. Then take what you use from it anew.",
    )
