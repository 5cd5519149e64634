"""What is left of erased tickets in the user's store: number, who erased it and when. All else is purged with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from e2e_support_client.model import EventKind, Role, State, utc
from e2e_support_client.terminal import stamp
from e2e_support_client.tombstones import Erased, Tombstone
from e2e_support_keys.store import Row, Store

_PURGE = (
    "DELETE FROM records WHERE number = ?",
    "DELETE FROM journal WHERE number = ?",
)
_PURGE_OWN = "DELETE FROM outbox WHERE number = ?"  # its files go with it
_KEEP_OWN = (
    "UPDATE outbox SET state = ?, sealed = NULL, code = 'erased', message = ?, hint = ? WHERE number = ?"
)
_GONE = "the team erased the ticket meanwhile"
_AGAIN = "Open a new ticket for it."


@dataclass(frozen=True, slots=True)
class ErasedRow:
    """An erased ticket.

    Attributes:
        number: as people knew it.
        at: when, as whoever erased it says.
        by: the administrator's name; empty for the user.
    """

    number: str
    at: datetime
    by: str

    def error(self) -> Erased:
        """Return what is said to whoever asks for the ticket."""
        return Erased(self.number, self.at, self.by, you=True)


class ErasedStore:
    """The queries, in the same database as ``LocalStore``.

    Args:
        database: opened with ``schema.MIGRATIONS``.
    """

    def __init__(self, database: Store) -> None:
        self._db = database

    async def bury(self, number: str, stone: Tombstone) -> None:
        """Purge a ticket and keep its tombstone; what the team did is news to the person.

        What the person wrote and never sent was no part of a ticket that the team erased, and is kept for them. The
        place stays taken, so that no other ticket gets its keys (5.1).
        """
        async with self._db.transaction() as write:
            for purge in _PURGE:
                await write.execute(purge, number)
            await write.execute(
                "UPDATE tickets SET read_upto = 0, problem = '', hidden = 0, seen_at = 0, merged_into = ''"
                " WHERE number = ?",
                number,
            )
            await write.execute(
                "INSERT OR IGNORE INTO erased (number, at, by, statement) VALUES (?, ?, ?, ?)",
                *(number, stone.at, stone.by, stone.statement),
            )
            if not stone.by:
                await write.execute(_PURGE_OWN, number)
            else:
                await write.execute(_KEEP_OWN, State.FAILED, _GONE, _AGAIN, number)
                what = (
                    f"Erased by {stone.by} on {stamp(utc(stone.at))}. Nothing of it is left on this device."
                )
                await write.execute(
                    "INSERT INTO journal (number, seq, kind, role, status, own, at, what)"
                    " VALUES (?, 0, ?, ?, 'erased', 0, ?, ?)",
                    *(number, EventKind.ERASED, Role.TEAM, stone.at, what),
                )
        await self._db.scrub()

    async def find(self, number: str) -> ErasedRow | None:
        """Return what is left of a ticket, if it was erased."""
        row = await self._db.fetch_one("SELECT number, at, by FROM erased WHERE number = ?", number)
        return _row(row) if row else None

    async def all(self) -> list[ErasedRow]:
        """Return all erased tickets, the newest first."""
        rows = await self._db.fetch_all("SELECT number, at, by FROM erased ORDER BY at DESC, number")
        return [_row(row) for row in rows]


def _row(row: Row) -> ErasedRow:
    return ErasedRow(row["number"], utc(row["at"]), row["by"])
