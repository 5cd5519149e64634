"""Work in batches: whatever waits while one batch is being done goes into the next one, all together.

So the writer commits groups: a lone write pays nothing for it, and under load one flush to the disk serves
everybody who waits. The verifier hands requests to its helper in the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from e2e_support_server.refusal import Refusal

W = TypeVar("W")
R = TypeVar("R")

Work = Callable[[Sequence[W]], Awaitable[Sequence[R | Exception]]]
"""Does a batch and returns one outcome each; raises when the batch as a whole came to nothing."""


class Batches(Generic[W, R]):
    """Collects items and works on them batch by batch, one batch at a time.

    Args:
        work: does one batch.
        most: items in one batch.
        waiting_most: items that may wait before new ones are refused as ``busy``.
    """

    def __init__(self, work: Work[W, R], *, most: int, waiting_most: int) -> None:
        self._work = work
        self._most = most
        self._waiting_most = waiting_most
        self._waiting: list[tuple[W, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def put(self, item: W) -> R:
        """Return what came of an item once its batch is done.

        Raises:
            Refusal: ``busy`` when too many wait or the relay is stopping; whatever the item was refused for.
        """
        if self._closed or len(self._waiting) >= self._waiting_most:
            raise Refusal("busy", retry_after=1)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        return await future

    async def close(self) -> None:
        """Refuse new items and finish those that wait."""
        self._closed = True
        if self._task is not None:
            await self._task

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._most]
                del self._waiting[: self._most]
                outcomes = await self._settle([item for item, _ in batch])
                for (_, future), outcome in zip(batch, outcomes, strict=True):
                    _resolve(future, outcome)
        finally:
            self._task = None

    async def _settle(self, items: Sequence[W]) -> Sequence[R | Exception]:
        """Do a batch; if it fails as a whole, each of its items alone, so that the innocent get through."""
        try:
            return await self._work(items)
        except Exception as error:  # noqa: BLE001 - whatever it was, everybody is told and the next batch runs
            if len(items) == 1:
                return [error]
        return [outcome for item in items for outcome in await self._settle([item])]


def _resolve(future: asyncio.Future[R], outcome: R | Exception) -> None:
    if future.done():  # the caller went away; what was done stands
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
