"""What a client remembers of the team and its tickets between two runs.

The database is encrypted as a whole (``e2e_support_keys.store``), so opened entries and ticket keys stand in it as
they are. Each public method is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from e2e_support.ids import MailboxId, MessageId
from e2e_support.opened import Record
from e2e_support_client.model import EventKind, Role
from e2e_support_keys.store import Row, Store, Transaction

FILES_LOST = "files_lost"
"""A ticket's problem that stays: the relay lost its files, and nobody keeps them after they were sent."""


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket that this device follows, or has chosen a place for.

    Attributes:
        number: as people know it.
        mailbox: of its shared log.
        month: yyyymm of its keys, and a million for every master that the user had before (``Rooms``).
        place: index of its keys within the month.
        read_upto: number of entries that the person has seen.
        problem: what was wrong with the relay's last answer; empty if nothing.
        hidden: which of its closings the person wants to see no more, counted from 1; 0 for none.
        seen_at: when the person last looked at it.
        reserved: whether the place is kept for a ticket that the team opens with a card.
        merged_into: number of the ticket in which it goes on; empty for none, ``None`` while nobody has looked.
    """

    number: str
    mailbox: MailboxId
    month: int
    place: int
    read_upto: int = 0
    problem: str = ""
    hidden: int = 0
    seen_at: int = 0
    reserved: bool = False
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class JournalRow:
    """Something that happened, in the order in which this device learned it.

    Attributes:
        id: grows with every row; given by the store.
        number: in which ticket.
        seq: by which entry.
        kind: what it was.
        role: who did it.
        status: id of the ticket's label afterwards.
        message_id: of the entry, to know what this device wrote itself; not kept.
        own: whether this device wrote it; found out by the store.
        at: when time alone did it, or when it happened outside of any ticket; 0 where an entry says it.
        what: one sentence for what happened outside of any ticket.
    """

    id: int
    number: str
    seq: int
    kind: EventKind
    role: Role
    status: str
    message_id: bytes = b""
    own: bool = False
    at: int = 0
    what: str = ""


class LocalStore:
    """The queries; the database itself is opened and closed by the caller.

    Args:
        database: opened with ``schema.MIGRATIONS``.
    """

    def __init__(self, database: Store) -> None:
        self._db = database

    # --- roster and cursors ------------------------------------------------------------------------------

    async def links(self) -> list[bytes]:
        """Return the verified roster links, from the genesis on."""
        return [
            bytes(row["link"]) for row in await self._db.fetch_all("SELECT link FROM roster ORDER BY seq")
        ]

    async def add_links(self, start: int, links: Sequence[bytes]) -> None:
        """Keep verified links; ``start`` is the sequence number of the first."""
        async with self._db.transaction() as write:
            rows = [(seq, link) for seq, link in enumerate(links, start)]
            await write.execute_many("INSERT OR IGNORE INTO roster VALUES (?, ?)", rows)

    async def cursor(self, name: str) -> str:
        """Return a remembered cursor, or the empty text."""
        row = await self._db.fetch_one("SELECT value FROM cursors WHERE name = ?", name)
        return str(row["value"]) if row else ""

    async def set_cursor(self, name: str, value: str) -> None:
        """Remember a cursor."""
        async with self._db.transaction() as write:
            await write.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", name, value)

    # --- tickets -----------------------------------------------------------------------------------------

    async def tickets(self) -> list[TicketRow]:
        """Return every ticket that was not erased, in the order in which this device came to know them."""
        sql = "SELECT * FROM tickets WHERE number NOT IN (SELECT number FROM erased) ORDER BY rowid"
        return [_ticket(row) for row in await self._db.fetch_all(sql)]

    async def ticket(self, number: str) -> TicketRow | None:
        """Return a ticket, if this device knows it."""
        row = await self._db.fetch_one("SELECT * FROM tickets WHERE number = ?", number)
        return _ticket(row) if row else None

    async def add_ticket(self, row: TicketRow) -> None:
        """Follow a ticket that was made elsewhere; nothing changes if it is known."""
        async with self._db.transaction() as write:
            await write.execute(
                "INSERT OR IGNORE INTO tickets (number, mailbox, month, place) VALUES (?, ?, ?, ?)",
                *(row.number, bytes(row.mailbox), row.month, row.place),
            )

    async def set_read(self, number: str, upto: int, seen_at: int) -> None:
        """Remember that the person has seen the first ``upto`` entries, and when."""
        async with self._db.transaction() as write:
            await write.execute(
                "UPDATE tickets SET read_upto = max(read_upto, ?), seen_at = max(seen_at, ?) WHERE number = ?",
                *(upto, seen_at, number),
            )

    async def set_problem(self, number: str, code: str) -> None:
        """Remember what is wrong with the relay's answers for a ticket."""
        async with self._db.transaction() as write:
            await write.execute("UPDATE tickets SET problem = ? WHERE number = ?", code, number)

    async def set_merged(self, number: str, into: str) -> None:
        """Remember in which ticket another one goes on; the empty text for none."""
        async with self._db.transaction() as write:
            await write.execute("UPDATE tickets SET merged_into = ? WHERE number = ?", into, number)

    async def records(self, number: str) -> list[Record]:
        """Return the entries of a ticket that were opened before, in order."""
        rows = await self._db.fetch_all("SELECT data FROM records WHERE number = ? ORDER BY seq", number)
        return [Record.from_bytes(bytes(row["data"])) for row in rows]

    async def follow(
        self,
        number: str,
        start: int,
        records: Sequence[Record],
        journal: Sequence[JournalRow],
        *,
        delivered: MessageId | None = None,
    ) -> None:
        """Keep newly opened entries with what they mean; what was delivered by them leaves the outbox.

        Args:
            number: the ticket.
            start: sequence number of the first record.
            records: the entries.
            journal: what they tell the person; ids are given here.
            delivered: the message that is among them.
        """
        async with self._db.transaction() as write:
            rows = [(number, seq, record.to_bytes()) for seq, record in enumerate(records, start)]
            await write.execute_many("INSERT INTO records VALUES (?, ?, ?)", rows)
            told = [(j.number, j.seq, j.kind, j.role, j.status, j.message_id) for j in journal]
            await write.execute_many(
                "INSERT INTO journal (number, seq, kind, role, status, own)"
                " VALUES (?, ?, ?, ?, ?, EXISTS (SELECT 1 FROM outbox WHERE key = ?))",
                told,
            )
            await write.execute(
                "UPDATE tickets SET problem = '' WHERE number = ? AND problem != ?", number, FILES_LOST
            )
            if delivered is not None:
                await _deliver(write, delivered)

    async def journal(self, after: int, number: str | None = None) -> list[JournalRow]:
        """Return what happened after a place in the journal, in all tickets or in one."""
        rows = await self._db.fetch_all(
            "SELECT * FROM journal WHERE id > ? AND (? IS NULL OR number = ?) ORDER BY id",
            after,
            number,
            number,
        )
        return [_journal(row) for row in rows]

    async def unread(self, number: str) -> int:
        """Return how many messages of the team the person has not seen."""
        row = await self._db.fetch_one(
            "SELECT count(*) AS unread FROM journal JOIN tickets USING (number) WHERE number = ? AND"
            " role = 'team' AND (CASE WHEN at > 0 THEN at > seen_at ELSE seq >= read_upto END)"
            " AND kind IN ('opened', 'message', 'resolved', 'closed', 'reopened')",
            number,
        )
        return int(row["unread"]) if row else 0


async def take_place(write: Transaction, month: int, ticket_at: Callable[[int], TicketRow]) -> TicketRow:
    """Return the ticket at the next free place of a month, which is taken by that; as ``OutboxStore.place_item``."""
    last = await write.fetch_one("SELECT max(place) AS last FROM tickets WHERE month = ?", month)
    ticket = ticket_at(0 if last is None or last["last"] is None else int(last["last"]) + 1)
    await write.execute(
        "INSERT INTO tickets (number, mailbox, month, place) VALUES (?, ?, ?, ?)",
        *(ticket.number, bytes(ticket.mailbox), ticket.month, ticket.place),
    )
    return ticket


async def _deliver(write: Transaction, key: MessageId) -> None:
    await write.execute(
        "INSERT OR REPLACE INTO delivered SELECT idempotency, number FROM outbox"
        " WHERE key = ? AND idempotency IS NOT NULL",
        key,
    )
    await write.execute("DELETE FROM outbox WHERE key = ?", key)


def _ticket(row: Row) -> TicketRow:
    return TicketRow(
        row["number"],
        MailboxId(bytes(row["mailbox"])),
        row["month"],
        row["place"],
        row["read_upto"],
        row["problem"],
        row["hidden"],
        row["seen_at"],
        bool(row["reserved"]),
        row["merged_into"],
    )


def _journal(row: Row) -> JournalRow:
    kind, role = EventKind(row["kind"]), Role(row["role"])
    place = (row["id"], row["number"], row["seq"])
    own = bool(row["own"])
    return JournalRow(*place, kind, role, row["status"], own=own, at=row["at"], what=row["what"])
