"""Tells what happened: a journal that survives restarts, and bells that ring when there is something new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.ids import MailboxId
from e2e_support_client import clock
from e2e_support_client.model import Event, EventKind, Role, utc
from e2e_support_client.port import RelayPort
from e2e_support_client.reader import Reader
from e2e_support_client.retry import RetryPolicy
from e2e_support_client.rooms import Rooms
from e2e_support_client.store import JournalRow, LocalStore

LISTEN_MAX: Final = 16  # tickets with a connection of their own; the others are looked at now and then
SWEEP: Final = 300.0  # seconds between two looks at those others
WAIT: Final = 25  # seconds of one long-poll
_JITTER: Final = 2.0  # seconds; polls of one client must not line up
_PATIENT = RetryPolicy(attempts=2**31, base=1.0, cap=60.0)


@dataclass(frozen=True, slots=True)
class Place:
    """A mailbox to listen to, and how much of it is known."""

    number: str
    mailbox: MailboxId
    length: int
    capability: SigningKey


class Journal:
    """What happened, in the order in which this device learned it.

    Args:
        store: keeps the journal.
        rooms: the tickets.
        reader: what messages say.
    """

    def __init__(self, store: LocalStore, rooms: Rooms, reader: Reader) -> None:
        self._store = store
        self._rooms = rooms
        self._reader = reader

    async def after(self, cursor: str, number: str | None = None) -> list[Event]:
        """Return what happened after an event; nothing that this device itself wrote.

        Args:
            cursor: from that event; empty for everything.
            number: one ticket; ``None`` for all.

        Raises:
            UsageError: ``bad_cursor``.
        """
        return [
            await self._event(row) for row in await self._store.journal(_place(cursor), number) if not row.own
        ]

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
        return [place.number for place in (rung if done else rest)]

    async def stop(self) -> None:
        """Stop listening."""
        await self._drop(self._bells)

    async def _drop(self, places: Iterable[Place]) -> None:
        bells = [self._bells.pop(place) for place in list(places)]
        for bell in bells:
            bell.cancel()
        await asyncio.gather(*bells, return_exceptions=True)

    async def _bell(self, place: Place) -> None:
        """Return when a mailbox has more than is known, or when a look at it may tell what is wrong."""
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


async def stream(
    journal: Journal,
    listener: Listener,
    reader: Reader,
    wake: asyncio.Event,
    *,
    since: str,
    number: str | None,
) -> AsyncGenerator[Event]:
    """Yield what happened after a cursor and what happens from now on, for ever.

    Args:
        journal: what happened.
        listener: waits for more.
        reader: looks at the relay.
        wake: set whenever this client learned something by itself.
        since: a cursor; empty for everything.
        number: one ticket; ``None`` for all.
    """
    told: dict[str, str] = {}
    await (reader.sync_one(number) if number else reader.sync())
    while True:
        wake.clear()
        for event in [*await journal.after(since, number), *await journal.problems(told)]:
            since = event.cursor or since
            if number in {None, event.number}:
                yield event
        rung = await listener.wait(await journal.places(number), wake)
        await _pull(reader.pull, rung)


async def _pull(pull: Callable[[str], Awaitable[str]], numbers: Iterable[str]) -> None:
    for number in numbers:
        await pull(number)


def _place(cursor: str) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 16):
        raise UsageError("bad_cursor", "this is not a cursor", hint="Use the cursor of an event, unchanged.")
    return int(cursor)
