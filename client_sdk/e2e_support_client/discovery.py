"""Finds a user's tickets that this device does not know: after a restore, or made by another device (5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from e2e_support.errors import SupportError, TransportError
from e2e_support.limits import CLOCK_WARNING, MAILBOX_ENTRIES_MAX
from e2e_support.roster_links import open_link
from e2e_support_client import clock
from e2e_support_client.at_once import together
from e2e_support_client.model import OnProgress, Progress, utc
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.rooms import Rooms
from e2e_support_client.store import LocalStore, TicketRow
from e2e_support_client.team import Team
from e2e_support_client.trust_store import TrustStore

GAP: Final = 5  # places in a row that are free: behind them there is no ticket of that month
PLACES_MAX: Final = 512  # a month: a relay that says yes to everything must not keep a client going for ever
MONTHS_MAX: Final = 240
LOOK_AFTER: Final = 300  # seconds; every look asks for some ten places
_LOOKED: Final = "discovery"


class Discovery:
    """Looks for tickets month by month.

    Args:
        store: keeps what is found.
        trust: keeps when it was looked last.
        rooms: the tickets.
        team: says when there can have been the first.
        relay: is asked.
    """

    def __init__(
        self, store: LocalStore, trust: TrustStore, rooms: Rooms, team: Team, relay: RelayPort
    ) -> None:
        self._store = store
        self._trust = trust
        self._rooms = rooms
        self._team = team
        self._relay = relay

    async def everything(self, on_progress: OnProgress) -> int:
        """Follow every ticket of the user's newest keys since the team was founded; return how many are new.

        Raises:
            TransportError: the relay cannot be reached; what was found is kept, and it goes on when called again.
        """
        found: list[TicketRow] = []
        months = _months(open_link(self._team.roster.links[0]).body.time, clock.now())
        for done, month in enumerate(months, 1):
            for row in await self._unknown(month):
                await self._follow(row)
                await self._store.set_read(row.number, MAILBOX_ENTRIES_MAX, clock.now())  # it is no news
                found.append(row)
            on_progress(Progress("restore", done, len(months), _name(month)))
        await self.looked()
        return len(found)

    async def look_again(self) -> None:
        """Do as ``look`` if it was not looked for lately."""
        if clock.is_over(int(await self._trust.note(_LOOKED) or 0), LOOK_AFTER):
            await self.look()

    async def look(self) -> None:
        """Follow what another device made in this month or the one before.

        Raises:
            SupportError: the relay could not be asked, or its answer does not hold.
        """
        now = _ordinal(clock.now())
        found = await together([self._unknown(month) for month in _span(now - 1, now)])
        for row in (row for month in found for row in month):
            await self._follow(row)
        await self.looked()

    async def looked(self) -> None:
        """Remember that nothing has to be looked for now."""
        await self._trust.set_note(_LOOKED, str(clock.now()).encode())

    async def _unknown(self, month: int) -> list[TicketRow]:
        """Return the tickets of a month that hold something and are not known here."""
        known = {row.number for row in await self._store.tickets()}
        found: list[TicketRow] = []
        free = place = 0
        while free < GAP and place < PLACES_MAX:
            rows = [self._rooms.place(month, at) for at in range(place, place + GAP - free)]
            place += len(rows)
            lengths = await together([self._length(row, known) for row in rows])
            for row, length in zip(rows, lengths, strict=True):
                free = free + 1 if length is None else 0
                found += [row] if length else []
        return found

    async def _length(self, row: TicketRow, known: set[str]) -> int | None:
        """Return how many entries a place has; 0 for one that is known or erased, ``None`` for one that is free."""
        if row.number in known:
            return 0
        try:
            return (await self._relay.read(row.mailbox, 0, self._rooms.keys(row).capability)).head.length
        except Refused as error:
            if error.code == "not_found":
                return None
            if error.code == "erased":
                return 0
            raise

    async def _follow(self, row: TicketRow) -> None:
        """Follow a ticket that was found; what is wrong with it alone stands in its ``problem``."""
        await self._store.add_ticket(row)
        try:
            await self._rooms.pull(row.number)
        except TransportError:
            raise
        except SupportError:
            pass


def _months(first: int, last: int) -> Sequence[int]:
    """Return the months from one time to another as yyyymm; clocks may differ by two days, and founders' be wrong."""
    low, high = (_ordinal(time) for time in (min(first, last) - CLOCK_WARNING, last + CLOCK_WARNING))
    return _span(max(low, high - MONTHS_MAX + 1), high)


def _span(low: int, high: int) -> Sequence[int]:
    return [at // 12 * 100 + at % 12 + 1 for at in range(low, high + 1)]


def _ordinal(time: int) -> int:
    moment = utc(max(0, time))
    return moment.year * 12 + moment.month - 1


def _name(month: int) -> str:
    return f"{month // 100}-{month % 100:02}"
