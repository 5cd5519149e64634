"""Tells what happened: a journal that survives restarts, and bells that ring when there is something new."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.ids import MailboxId
from e2e_support_client import clock
from e2e_support_client.model import Event, EventKind, Role, utc
from e2e_support_client.port import RelayPort
from e2e_support_client.reader import Reader
from e2e_support_client.reminders import Reminders
from e2e_support_client.retry import RetryPolicy
from e2e_support_client.rooms import Rooms
from e2e_support_client.store import JournalRow, LocalStore

LISTEN_MAX: Final = 16  # tickets with a connection of their own; the others are looked at now and then
SWEEP: Final = 300.0  # seconds between two looks at those others
AGAIN: Final = 15.0  # seconds until a bell is listened to again that rang for nothing
WAIT: Final = 25  # seconds of one long-poll
_JITTER: Final = 2.0  # seconds; polls of one client must not line up
_PATIENT = RetryPolicy(attempts=2**31, base=1.0, cap=60.0)


@dataclass(frozen=True, slots=True)
class Place:
    """A mailbox to listen to, and how much of it is known."""

    number: str
    mailbox: MailboxId
    length: int
    capability: SigningKey = field(compare=False)


class Journal:
    """What happened, in the order in which this device learned it.

    Args:
        store: keeps the journal.
        rooms: the tickets.
        reader: what messages say.
        reminders: what time alone has done.
    """

    def __init__(self, store: LocalStore, rooms: Rooms, reader: Reader, reminders: Reminders) -> None:
        self._store = store
        self._rooms = rooms
        self._reader = reader
        self._reminders = reminders

    async def after(self, cursor: str, number: str | None = None) -> list[Event]:
        """Return what happened after an event; nothing that this device itself wrote.

        Args:
            cursor: from that event; empty for everything.
            number: one ticket; ``None`` for all.

        Raises:
            UsageError: ``bad_cursor``.
        """
        after = _place(cursor)
        await self._reminders.look()
        return [await self._event(row) for row in await self._store.journal(after, number) if not row.own]

    async def problems(self, told: dict[str, str]) -> list[Event]:
        """Return tickets whose problem has changed, and remember in ``told`` that they were told."""
        events: list[Event] = []
        for row in await self._store.tickets():
            if row.problem and told.get(row.number) != row.problem:
                at = utc(clock.now())
                events.append(
                    Event(EventKind.PROBLEM, row.number, at, Role.UNKNOWN, None, "", "", row.problem)
                )
            told[row.number] = row.problem
        return events

    async def places(self, number: str | None = None) -> list[Place]:
        """Return where to listen, the tickets that changed last first."""
        waiting = await self._reader.waiting()
        places: list[tuple[int, Place]] = []
        for row in await self._store.tickets():
            if row.number in waiting or number not in {None, row.number}:
                continue
            async with self._rooms.open(row.number) as room:
                changed = room.thread.entries[-1].received if room.thread.entries else 0
                places.append((changed, Place(row.number, row.mailbox, room.length, room.keys.capability)))
        return [place for _, place in sorted(places, key=lambda item: -item[0])]

    async def _event(self, row: JournalRow) -> Event:
        if row.at:
            at = utc(row.at)
            return Event(row.kind, row.number, at, row.role, None, row.status, str(row.id), what=row.what)
        async with self._rooms.open(row.number) as room:
            entry = room.thread.entries[row.seq]
        message = await self._reader.message(row.number, row.seq)
        problem = entry.reason if row.kind is EventKind.PROBLEM else ""
        at = utc(entry.received)
        return Event(row.kind, row.number, at, row.role, message, row.status, str(row.id), problem)


class Listener:
    """Waits for bells, one long-poll per mailbox; needs no store while it waits.

    Args:
        relay: the relay.
    """

    def __init__(self, relay: RelayPort) -> None:
        self._relay = relay
        self._bells: dict[Place, asyncio.Task[None]] = {}
        self._rung: set[Place] = set()

    async def wait(
        self, places: Sequence[Place], wake: asyncio.Event, limit: float | None = None
    ) -> list[str]:
        """Return the numbers of tickets that may have something new.

        Args:
            places: where to listen, the most interesting first.
            wake: returns early when it is set.
            limit: seconds after which it returns anyway, with the places that have no connection.
        """
        heard, rest = places[:LISTEN_MAX], places[LISTEN_MAX:]
        await self._drop(place for place in self._bells if place not in heard)
        for place in heard:
            if place not in self._bells:
                self._bells[place] = asyncio.create_task(self._bell(place))
        called = asyncio.create_task(wake.wait())
        try:
            done, _ = await asyncio.wait(
                {called, *self._bells.values()},
                timeout=min(limit or SWEEP, SWEEP),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            called.cancel()
        rung = [place for place, bell in self._bells.items() if bell in done]
        for place in rung:
            del self._bells[place]
        self._rung = {place for place in heard if place in self._rung or place in rung}
        return [place.number for place in (rung if done else rest)]

    async def stop(self) -> None:
        """Stop listening, and forget what was listened to."""
        self._rung.clear()
        await self._drop(self._bells)

    async def _drop(self, places: Iterable[Place]) -> None:
        bells = [self._bells.pop(place) for place in list(places)]
        for bell in bells:
            bell.cancel()
        await asyncio.gather(*bells, return_exceptions=True)

    async def _bell(self, place: Place) -> None:
        """Return when a mailbox has more than is known, or when a look at it may tell what is wrong."""
        if place in self._rung:  # it rang before, and a look brought nothing: a relay must not keep us busy
            await asyncio.sleep(AGAIN)
        failed = 0
        while True:
            try:
                ring = await self._relay.wait_mailbox(
                    place.mailbox, place.length, place.capability, wait=WAIT
                )
            except TransportError as error:
                failed += 1
                pause = _PATIENT.pause(min(failed, 8), error.retry_after, clock.random) or _PATIENT.cap
            except SupportError:
                await asyncio.sleep(SWEEP)
                return
            else:
                if ring.seq > place.length:
                    return
                failed, pause = 0, _JITTER * int.from_bytes(clock.random(2), "big") / 2**16
            await asyncio.sleep(pause)


class EventStream:
    """What happened after a cursor and what happens from now on; a step may be cancelled and repeated.

    It goes on for ever, or until the client locks itself.

    Args:
        journal: what happened.
        listener: waits for more.
        reader: looks at the relay.
        wake: set whenever this client learned something by itself.
        since: a cursor; empty for everything.
        number: one ticket; ``None`` for all.
    """

    def __init__(
        self,
        journal: Journal,
        listener: Listener,
        reader: Reader,
        wake: asyncio.Event,
        *,
        since: str,
        number: str | None,
    ) -> None:
        self._journal = journal
        self._listener = listener
        self._reader = reader
        self._wake = wake
        self._since = since
        self._number = number
        self._begun = False
        self._over = False
        self._rung: list[str] = []
        self._told: dict[str, str] = {}
        self._ready: deque[Event] = deque()

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> Event:
        """Return the next event, however long it takes.

        Raises:
            UsageError: ``bad_cursor``.
        """
        while not self._ready:
            try:
                await self._more()
            except SupportError:
                if not self._over:
                    raise
            if self._over:
                raise StopAsyncIteration
        return self._ready.popleft()

    async def end(self) -> None:
        """Let the stream be over, also for who waits for its next event; what it knows is forgotten."""
        self._over = True
        self._ready.clear()
        await self._listener.stop()
        self._wake.set()

    async def _more(self) -> None:
        await self._look()
        self._wake.clear()
        happened = await self._journal.after(self._since, self._number)
        happened += await self._journal.problems(self._told)
        self._since = next((event.cursor for event in reversed(happened) if event.cursor), self._since)
        self._ready.extend(event for event in happened if self._number in {None, event.number})

    async def _look(self) -> None:
        """Ask the relay for what is new: at first for all, then for what has rung."""
        if not self._begun:
            await (self._reader.sync_one(self._number) if self._number else self._reader.sync())
            self._begun = True
            return
        if not self._rung:
            self._rung = await self._listener.wait(await self._journal.places(self._number), self._wake)
        while self._rung:
            await self._reader.pull(self._rung[0])
            del self._rung[0]


def _place(cursor: str) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 16):
        raise UsageError("bad_cursor", "this is not a cursor", hint="Use the cursor of an event, unchanged.")
    return int(cursor)
