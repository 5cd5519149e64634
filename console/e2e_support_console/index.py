"""Questions to the local encrypted store, and changes to it: roster, tickets, opened entries, marks.

Functions take ``Queries`` to read and a ``Transaction`` to write, so that whoever changes several things
decides what stands or falls together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened, Record
from e2e_support.ticket_keys import parse_number
from e2e_support.wire import EpochPackage
from e2e_support_console.schema import MIGRATIONS
from e2e_support_console.ticket_row import TicketRow
from e2e_support_keys.store import Parameter, Queries, Row, Store, Transaction, open_store


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log of a ticket that the store holds.

    Attributes:
        ticket: id of the ticket's shared log.
        staff_log: id of its staff log.
    """

    ticket: MailboxId
    staff_log: MailboxId


STATEMENT: Final = "freshness"
"""Fact: the newest statement that the roster is the newest (protocol 4.7)."""
_COLUMNS: Final = tuple(field.name for field in fields(TicketRow))
_LIST: Final = ", ".join(_COLUMNS)
_SET: Final = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
_MARKS: Final = ", ".join("?" for _ in _COLUMNS)
# Column names are literals of this file; values always travel as parameters.
_SELECT: Final = f"SELECT {_LIST} FROM tickets"  # noqa: S608
_UPSERT: Final = f"INSERT INTO tickets ({_LIST}) VALUES ({_MARKS}) ON CONFLICT (mailbox) DO UPDATE SET {_SET}"  # noqa: S608
_ORDER: Final = "ORDER BY closed, waiting_since = 0, waiting_since, updated_at DESC, id"


async def open_index(path: str | os.PathLike[str], key: Secret) -> Store:
    """Open or make the console's store; arguments and errors as ``open_store``."""
    return await open_store(path, key, MIGRATIONS)


# --- facts and roster ------------------------------------------------------------------------------------


async def number_of(queries: Queries, name: str) -> int:
    """Return a remembered number; 0 if there is none."""
    row = await queries.fetch_one("SELECT value FROM facts WHERE name = ?", name)
    return int(row[0]) if row else 0


async def bytes_of(queries: Queries, name: str) -> bytes:
    """Return remembered bytes; none if there are none."""
    row = await queries.fetch_one("SELECT value FROM facts WHERE name = ?", name)
    return bytes(row[0]) if row else b""


async def remember(change: Transaction, name: str, value: int | bytes) -> None:
    """Remember a number or bytes under a name."""
    await change.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", name, value)


async def forget(change: Transaction, name: str) -> None:
    """Forget what stands under a name."""
    await change.execute("DELETE FROM facts WHERE name = ?", name)


async def links(queries: Queries) -> list[bytes]:
    """Return the verified roster links from the genesis on."""
    return [row[0] for row in await queries.fetch_all("SELECT link FROM links ORDER BY seq")]


async def save_links(change: Transaction, known: Sequence[bytes]) -> None:
    """Keep roster links; ``known`` are all of them, from the genesis on."""
    have = await change.fetch_one("SELECT count(*) FROM links")
    start = have[0] if have else 0
    rows = list(enumerate(known))[start:]
    await change.execute_many("INSERT INTO links (seq, link) VALUES (?, ?)", rows)


async def packages(queries: Queries) -> list[EpochPackage]:
    """Return the kept epoch packages, oldest first."""
    rows = await queries.fetch_all("SELECT package FROM packages ORDER BY epoch")
    return [EpochPackage.from_bytes(row[0]) for row in rows]


async def package_of(queries: Queries, epoch: int) -> EpochPackage | None:
    """Return the kept package of an epoch, if there is one."""
    row = await queries.fetch_one("SELECT package FROM packages WHERE epoch = ?", epoch)
    return EpochPackage.from_bytes(row[0]) if row else None


async def kept_epochs(queries: Queries) -> list[int]:
    """Return the epochs whose packages are kept, the newest first."""
    return [row[0] for row in await queries.fetch_all("SELECT epoch FROM packages ORDER BY epoch DESC")]


async def save_package(change: Transaction, package: EpochPackage) -> None:
    """Keep an epoch's boxes and ring."""
    sql = "INSERT OR REPLACE INTO packages (epoch, package) VALUES (?, ?)"
    await change.execute(sql, package.epoch, package.to_bytes())


# --- entries ---------------------------------------------------------------------------------------------


async def records(queries: Queries, mailbox: MailboxId) -> list[Record]:
    """Return what was opened of a log, from its first entry on."""
    rows = await queries.fetch_all("SELECT record FROM entries WHERE mailbox = ? ORDER BY seq", mailbox)
    return [Record.from_bytes(row[0]) for row in rows]


async def save_entries(change: Transaction, opened: Iterable[tuple[MailboxId, Opened]]) -> None:
    """Keep opened entries of any logs; one that is kept already stays as it is."""
    rows = [(mailbox, entry.seq, entry.record().to_bytes()) for mailbox, entry in opened]
    sql = "INSERT OR IGNORE INTO entries (mailbox, seq, record) VALUES (?, ?, ?)"
    await change.execute_many(sql, rows)


async def last_record(queries: Queries, mailbox: MailboxId) -> Record | None:
    """Return the newest entry of a log as it was opened."""
    sql = "SELECT record FROM entries WHERE mailbox = ? ORDER BY seq DESC LIMIT 1"
    row = await queries.fetch_one(sql, mailbox)
    return Record.from_bytes(row[0]) if row else None


# --- barriers --------------------------------------------------------------------------------------------


async def unbarred(queries: Queries, links: int) -> list[tuple[MailboxId, int]]:
    """Return the tickets whose removals were not looked at up to a length of the roster, and when each moved."""
    sql = """SELECT tickets.mailbox, updated_at FROM tickets LEFT JOIN barriers USING (mailbox)
        WHERE ifnull(barriers.links, 0) < ? ORDER BY updated_at DESC"""
    return [(MailboxId(row[0]), row[1]) for row in await queries.fetch_all(sql, links)]


async def mark_barrier(change: Transaction, mailbox: MailboxId, links: int) -> None:
    """Remember up to which length of the roster a log's removals were looked at."""
    await change.execute("INSERT OR REPLACE INTO barriers (mailbox, links) VALUES (?, ?)", mailbox, links)


# --- tickets ---------------------------------------------------------------------------------------------


async def tickets(
    queries: Queries, where: str = "1", parameters: Sequence[Parameter] = (), limit: int | None = None
) -> list[TicketRow]:
    """Return tickets: open ones whose user waits longest first, closed ones last.

    Args:
        queries: the store.
        where: a condition in SQL, made of literals alone.
        parameters: the values for it.
        limit: at most so many.
    """
    sql = f"{_SELECT} WHERE {where} {_ORDER} LIMIT ?"
    rows = await queries.fetch_all(sql, *parameters, -1 if limit is None else limit)
    return [_ticket(row) for row in rows]


async def ticket(queries: Queries, mailbox: MailboxId) -> TicketRow | None:
    """Return the ticket of a shared log, if it is one."""
    row = await queries.fetch_one(f"{_SELECT} WHERE mailbox = ?", mailbox)
    return _ticket(row) if row else None


async def same_user(queries: Queries, mailbox: MailboxId) -> list[TicketRow]:
    """Return the other tickets of a ticket's user, as far as the user says that they are."""
    where = (
        "user_key != x'' AND user_key = (SELECT user_key FROM tickets WHERE mailbox = ?1) AND mailbox != ?1"
    )
    rows = await queries.fetch_all(f"{_SELECT} WHERE {where} {_ORDER}", mailbox)
    return [_ticket(row) for row in rows]


async def find(queries: Queries, number: str) -> TicketRow | None:
    """Return the ticket of a number as a person typed it, if there is one.

    Raises:
        UsageError: ``bad_number``, or ``ambiguous_number`` for two tickets that somebody made to share one.
    """
    rows = await queries.fetch_all(f"{_SELECT} WHERE number = ?", parse_number(number))
    if len(rows) > 1:
        raise UsageError(
            "ambiguous_number",
            "two tickets have this number; that does not happen by chance",
            hint="Trust neither; ask their authors by another way.",
        )
    return _ticket(rows[0]) if rows else None


async def save_tickets(change: Transaction, rows: Iterable[TicketRow]) -> None:
    """Add tickets or replace what the list says of them."""
    await change.execute_many(_UPSERT, [[getattr(row, name) for name in _COLUMNS] for row in rows])


async def known_logs(queries: Queries, mailboxes: Sequence[MailboxId]) -> dict[MailboxId, KnownLog]:
    """Return which of some mailboxes are shared or staff logs of tickets."""
    marks = ", ".join("?" for _ in mailboxes)
    sql = f"SELECT mailbox, staff_log FROM tickets WHERE mailbox IN ({marks}) OR staff_log IN ({marks})"  # noqa: S608
    known: dict[MailboxId, KnownLog] = {}
    for row in await queries.fetch_all(sql, *mailboxes, *mailboxes):
        log = KnownLog(*row)
        known[log.ticket] = known[log.staff_log] = log
    return known


async def seen_upto(queries: Queries, mailbox: MailboxId) -> int:
    """Return up to which entry, not included, a ticket was seen; zero if never."""
    row = await queries.fetch_one("SELECT seen FROM tickets WHERE mailbox = ?", mailbox)
    return int(row[0]) if row else 0


async def mark_seen(change: Transaction, mailbox: MailboxId, upto: int) -> None:
    """Remember that a ticket was seen up to an entry, not included."""
    sql = "UPDATE tickets SET seen = max(seen, ?), unread = 0 WHERE mailbox = ?"
    await change.execute(sql, upto, mailbox)


def _ticket(row: Row) -> TicketRow:
    return TicketRow(*row)
