"""A client between entering and leaving: keys, store and connections, locked when nobody uses them for long."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar

from e2e_support.errors import UsageError
from e2e_support_client.assembly import OpenClient, Settings, assemble
from e2e_support_client.auto_lock import AutoLock, is_locked
from e2e_support_client.context import Context
from e2e_support_client.notify import EventStream
from e2e_support_keys.keystore import FileKeystore

T = TypeVar("T")


class Session:
    """What is open; ``SupportClient`` adds what can be done with it.

    Args:
        settings: what the client was made with.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resources = AsyncExitStack()
        self._opened: OpenClient | None = None
        self._streams: set[EventStream] = set()
        self._auto_lock: AutoLock | None = None
        self._unlocking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Open keys and store; makes keys if there are none.

        Raises:
            UsageError: ``wrong_passphrase``, ``store_locked``, ``team_mismatch``, ``wrong_keys``, ``no_link``,
                ``disk_full`` and what else keystore and store have to say.
        """
        async with AsyncExitStack() as stack:
            self._opened = await assemble(self._settings, stack)
            self._resources = stack.pop_all()
        if self._settings.auto_lock is not None:
            self._auto_lock = AutoLock(self._settings.auto_lock, self._lock)
            self._auto_lock.count(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back connections and the store; what is kept in the outbox stays there."""
        if self._auto_lock is not None:
            await self._auto_lock.end()
            self._auto_lock = None
        await self._resources.aclose()
        self._opened = None

    async def unlock(self) -> None:
        """Open keys and store again after ``auto_lock``, and do nothing before.

        Raises:
            UsageError: ``not_open``, ``wrong_passphrase`` and the others of ``__aenter__``; it is still locked then.
        """
        async with self._unlocking:
            if self._auto_lock is not None and self._auto_lock.locked:
                await self._auto_lock.end()
                await self.__aenter__()
            self._require_open()

    def _require_open(self) -> OpenClient:
        if self._opened is not None:
            return self._opened
        if self._auto_lock is not None and self._auto_lock.locked:
            raise is_locked()
        raise UsageError("not_open", "the client is not open", hint="Use it inside `async with`.")

    @property
    def _context(self) -> Context:
        return self._require_open().context

    async def _lock(self) -> None:
        """Drop the keys and whatever would give them out again; what was made of them closes or is forgotten."""
        opened, self._opened = self._opened, None
        for stream in self._streams:
            await stream.end()
        if opened is not None:
            opened.context.rooms.forget()
        if isinstance(self._settings.keystore, FileKeystore):
            self._settings.keystore.forget()
        await self._resources.aclose()

    def _counted(self, part: T) -> T:
        return part if self._auto_lock is None else self._auto_lock.count(part)
