"""What a client remembers of its list of tickets: what is hidden, places kept for the team, what time alone did."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from e2e_support_client.store import JournalRow, TicketRow, take_place
from e2e_support_keys.store import Store


class LifecycleStore:
    """The queries, in the same database as ``LocalStore``.

    Args:
        database: opened with ``schema.MIGRATIONS``.
    """

    def __init__(self, database: Store) -> None:
        self._db = database

    async def hide(self, number: str, closing: int) -> None:
        """Keep a ticket out of the list until it is opened again; a closing of 0 shows it."""
        async with self._db.transaction() as write:
            await write.execute("UPDATE tickets SET hidden = ? WHERE number = ?", closing, number)

    async def reserve(self, month: int, ticket_at: Callable[[int], TicketRow]) -> str:
        """Return the number of the place that is kept for a ticket of the team; the same until one stands there.

        Args:
            month: as ``TicketRow.month``.
            ticket_at: returns the ticket of an index in that month.
        """
        async with self._db.transaction() as write:
            kept = await write.fetch_one(
                "SELECT number FROM tickets WHERE reserved AND month = ? AND NOT EXISTS"
                " (SELECT 1 FROM records WHERE records.number = tickets.number)",
                month,
            )
            if kept is not None:
                return str(kept["number"])
            ticket = await take_place(write, month, ticket_at)
            await write.execute("UPDATE tickets SET reserved = 1 WHERE number = ?", ticket.number)
        return ticket.number

    async def tell(self, rows: Sequence[JournalRow]) -> None:
        """Write down what no entry says, each thing once."""
        told = [(r.number, r.seq, r.kind, r.role, r.status, r.at, r.what) for r in rows]
        async with self._db.transaction() as write:
            await write.execute_many(
                "INSERT INTO journal (number, seq, kind, role, status, own, at, what)"
                " SELECT ?1, ?2, ?3, ?4, ?5, 0, ?6, ?7 WHERE NOT EXISTS"
                " (SELECT 1 FROM journal WHERE number = ?1 AND kind = ?3 AND at = ?6 AND (number <> '' OR seq = ?2))",
                told,
            )
