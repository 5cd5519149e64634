"""What happens in the user's tickets, told as it happens, once in a while, or as a list behind a bell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from e2e_support_client.model import Event, Notification
from e2e_support_client.notices import Notices
from e2e_support_client.notify import EventStream, Journal, Listener, Place
from e2e_support_client.session import Session


class News(Session):
    """What is new; a part of ``SupportClient``."""

    @asynccontextmanager
    async def events(
        self, *, since: str | None = None, ticket: str | None = None
    ) -> AsyncGenerator[AsyncIterator[Event]]:
        """Follow what happens in the user's tickets; reconnects by itself until it is left or the client locks.

        Args:
            since: cursor of the last event that was handled; ``None`` begins with the first that is known.
            ticket: number of one ticket; all by default.

        Raises:
            UsageError: ``unknown_ticket``, ``bad_number``; ``bad_cursor`` while iterating.
        """
        context = self._context
        number = (await context.rooms.row(ticket)).number if ticket else None
        listener, wake = Listener(context.relay), asyncio.Event()
        context.rooms.listeners.add(wake)
        stream = EventStream(self._journal, listener, context.reader, wake, since=since or "", number=number)
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            await listener.stop()
            context.rooms.listeners.discard(wake)

    async def news(self, *, since: str | None = None) -> tuple[Event, ...]:
        """Look at the relay once and return what happened after a cursor; for programs that run now and then.

        Args:
            since: as for ``events``.
        """
        context = self._context
        await context.reader.sync()
        return (*await self._journal.after(since or ""), *await self._journal.problems({}))

    async def notifications(self, *, unread: bool = True) -> tuple[Notification, ...]:
        """Look at the relay once and return what the person is told, the newest first (S2-21).

        The policy decides whether answers, changes of status and resolutions are told. ``events`` tells all of it,
        for programs that keep a picture of their own up to date.

        Args:
            unread: leave out what was seen: by ``mark_notifications_read``, or since by ``tickets.mark_read``.
        """
        context = self._context
        await context.reader.sync()
        return await self._notices.list(unread=unread)

    @property
    def offline(self) -> str:
        """Why the last look at the relay failed, so that what was shown is what was known before; else empty."""
        return self._context.reader.offline

    async def mark_notifications_read(self) -> None:
        """Remember on this device that the person has seen every notification that there is now."""
        await self._notices.mark_read()

    async def places(self) -> list[Place]:
        """Return where to listen for bells without keeping the store open; see ``notify.Listener``."""
        return await self._journal.places()

    async def remember(self, name: str, cursor: str) -> None:
        """Keep a cursor in the store."""
        await self._context.store.set_cursor(name, cursor)

    async def remembered(self, name: str) -> str:
        """Return a cursor that was kept, or the empty text."""
        return await self._context.store.cursor(name)

    @property
    def _journal(self) -> Journal:
        context = self._context
        return Journal(context.store, context.rooms, context.reader, context.reminders)

    @property
    def _notices(self) -> Notices:
        context = self._context
        return Notices(context.store, context.rooms, context.team, context.reminders)
