"""Writes down what happens without an entry: a ticket closes soon or has closed by itself, somebody new can read.

It goes into the journal where everything else that happened stands, so that events and notifications agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from e2e_support.ids import MemberId
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.ticket_state import advance
from e2e_support.vocab import Lifecycle
from e2e_support_client import clock
from e2e_support_client.lifecycle_store import LifecycleStore
from e2e_support_client.model import EventKind, Role
from e2e_support_client.room import Room
from e2e_support_client.rooms import Rooms
from e2e_support_client.store import JournalRow, LocalStore
from e2e_support_client.team import Team

_TOLD: Final = "administrators"  # cursor: how many roster links were looked at


class Reminders:
    """Looks at what is known; nothing here asks the relay.

    Args:
        store: the tickets.
        lifecycle: the journal.
        rooms: the tickets.
        team: the roster.
    """

    def __init__(self, store: LocalStore, lifecycle: LifecycleStore, rooms: Rooms, team: Team) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._rooms = rooms
        self._team = team

    async def look(self) -> None:
        """Write down what has become true since the last look."""
        if not self._team.known:
            return
        rows = list[JournalRow]()
        for ticket in await self._store.tickets():
            async with self._rooms.open(ticket.number) as room:
                rows += _due(room, clock.now())
        links = len(self._team.roster.links)
        told = int(await self._store.cursor(_TOLD) or links)  # whoever is there at first is no news
        rows += _newcomers(self._team.roster, told)
        if rows:
            await self._lifecycle.tell(rows)
        await self._store.set_cursor(_TOLD, str(links))


def _due(room: Room, now: int) -> Iterator[JournalRow]:
    """Yield what time has done to a ticket."""
    state = room.thread.state
    if state is None:
        return
    place, after = (0, room.row.number, room.length - 1), advance(state, now)
    if after.lifecycle is Lifecycle.RESOLVED and 0 < after.remind_due <= now:
        yield JournalRow(*place, EventKind.CLOSING, Role.TEAM, room.status(), at=after.remind_due)
    if after.auto_closed:
        yield JournalRow(*place, EventKind.CLOSED, Role.TEAM, room.status(), at=after.closed_at)


def _newcomers(roster: TrustedRoster, told: int) -> Iterator[JournalRow]:
    """Yield who came to read tickets with links that were not looked at yet."""
    for device in roster.devices_ever.values():
        if device.added < told:
            continue
        record = device.record
        first = record.member_id == MemberId(record.device_id)
        what = "A new administrator" if first else "A further device of an administrator"
        at = open_link(roster.links[device.added]).body.time
        said = f"{what} can read your tickets: {record.label} ({record.role.name.lower()})"
        yield JournalRow(0, "", device.added, EventKind.ADMINISTRATOR, Role.TEAM, "", at=at, what=said)
