"""Group commit: whatever waits while one transaction commits goes into the next one, all together.

A lone writer pays nothing for it; under load one flush to the disk serves everybody who waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from e2e_support_server.refusal import Refusal

W = TypeVar("W")
R = TypeVar("R")

Commit = Callable[[Sequence[W]], Awaitable[Sequence[R | Exception]]]
"""Makes a group durable and returns one outcome each; raises when the whole transaction came to nothing."""


class GroupWriter(Generic[W, R]):
    """Collects writes and commits them group by group, one group at a time.

    Args:
        commit: makes one group durable.
        group_most: writes in one group.
        waiting_most: writes that may wait before new ones are refused as ``busy``.
    """

    def __init__(self, commit: Commit[W, R], *, group_most: int, waiting_most: int) -> None:
        self._commit = commit
        self._group_most = group_most
        self._waiting_most = waiting_most
        self._waiting: list[tuple[W, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def write(self, item: W) -> R:
        """Return what came of a write once its group is durable.

        Raises:
            Refusal: ``busy`` when too many wait or the relay is stopping; whatever the write was refused for.
        """
        if self._closed or len(self._waiting) >= self._waiting_most:
            raise Refusal("busy", retry_after=1)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        return await future

    async def close(self) -> None:
        """Refuse new writes and finish those that wait."""
        self._closed = True
        if self._task is not None:
            await self._task

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group = self._waiting[: self._group_most]
                del self._waiting[: self._group_most]
                outcomes = await self._settle([item for item, _ in group])
                for (_, future), outcome in zip(group, outcomes, strict=True):
                    _resolve(future, outcome)
        finally:
            self._task = None

    async def _settle(self, items: Sequence[W]) -> Sequence[R | Exception]:
        """Commit a group; if it fails as a whole, each of its members alone, so that the innocent get through."""
        try:
            return await self._commit(items)
        except Exception as error:  # noqa: BLE001 - whatever it was, each writer is told and the next group runs
            if len(items) == 1:
                return [error]
        return [outcome for item in items for outcome in await self._settle([item])]


def _resolve(future: asyncio.Future[R], outcome: R | Exception) -> None:
    if future.done():  # the caller went away; the write stands
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
