"""What is left of erased tickets in the console's store: numbers, who erased them and when. All else is purged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from e2e_support.ids import MailboxId
from e2e_support.ticket_keys import parse_number, ticket_number
from e2e_support_client.model import utc
from e2e_support_client.tombstones import Erased, Tombstone
from e2e_support_console.index import forget, number_of, remember
from e2e_support_keys.store import Queries, Row, Store, Transaction


@dataclass(frozen=True, slots=True)
class ErasedTicket:
    """An erased ticket.

    Attributes:
        mailbox: its shared log.
        staff_log: its staff log.
        number: as people knew it.
        at: when, as whoever erased it says.
        by: the administrator's name; empty for its user.
        statement: the tombstone.
    """

    mailbox: MailboxId
    staff_log: MailboxId
    number: str
    at: datetime
    by: str
    statement: bytes

    def error(self) -> Erased:
        """Return what is said to whoever asks for the ticket."""
        return Erased(self.number, self.at, self.by)


_BOTH: Final = "(?1, ?2)"  # shared log and staff log
_PURGE: Final = tuple(
    f"DELETE FROM {table} WHERE {column} IN {_BOTH}"  # noqa: S608 - literals alone
    for table, column in (
        ("entries", "mailbox"),
        ("tickets", "mailbox"),  # its passages, and their words in the search, go with it
        ("drafts", "ticket"),
        ("draft_files", "ticket"),
        ("outgoing", "ticket"),  # likewise its files
        ("moved", "mailbox"),
        ("quarantine", "mailbox"),
        ("barriers", "mailbox"),
        ("told_marks", "ticket"),
    )
)
_CLAIMS: Final = f"DELETE FROM alarms WHERE code = 'erased' AND mailbox IN {_BOTH}"  # noqa: S608 - likewise
_KEEP: Final = """
INSERT OR IGNORE INTO erased (mailbox, staff_log, number, at, label, statement)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM erased WHERE staff_log = ?1)
"""
_UNSCRUBBED: Final = "unscrubbed"
_SELECT: Final = "SELECT mailbox, staff_log, number, at, label, statement FROM erased"


async def bury(change: Transaction, stone: Tombstone, mailbox: MailboxId, staff_log: MailboxId) -> None:
    """Purge both logs of a ticket and all that came of them, and keep its tombstone.

    Args:
        change: the transaction.
        stone: the good statement.
        mailbox: the ticket's shared log; where it turns out to be a staff log, nothing is kept of it.
        staff_log: its staff log, whether or not there is one.
    """
    for purge in (*_PURGE, _CLAIMS):
        await change.execute(purge, mailbox, staff_log)
    await change.execute("DELETE FROM erased WHERE mailbox = ?", staff_log)  # it was met before its ticket
    await remember(change, _UNSCRUBBED, 1)
    number = ticket_number(mailbox)
    await change.execute(_KEEP, mailbox, staff_log, number, stone.at, stone.by, stone.statement)


async def scrub(store: Store) -> None:
    """Leave nothing in the store's files of what was buried since the last time.

    The index of the search is made anew from the texts that are left: its inner pages keep words of rows that are gone.
    """
    if not await number_of(store, _UNSCRUBBED):
        return
    async with store.transaction() as change:
        await change.execute("INSERT INTO found (found) VALUES ('rebuild')")
    await store.scrub()
    async with store.transaction() as change:
        await forget(change, _UNSCRUBBED)


async def find_erased(queries: Queries, number: str) -> ErasedTicket | None:
    """Return what is left of the ticket of a number as a person typed it.

    Raises:
        UsageError: ``bad_number``.
    """
    row = await queries.fetch_one(f"{_SELECT} WHERE number = ?", parse_number(number))
    return _erased(row) if row else None


async def all_erased(queries: Queries) -> list[ErasedTicket]:
    """Return all erased tickets, the newest first."""
    return [_erased(row) for row in await queries.fetch_all(f"{_SELECT} ORDER BY at DESC, number")]


async def unfinished(queries: Queries) -> list[ErasedTicket]:
    """Return the tickets of which the relay may still have a log."""
    return [_erased(row) for row in await queries.fetch_all(f"{_SELECT} WHERE unfinished = 1")]


async def finished(change: Transaction, mailbox: MailboxId) -> None:
    """Remember that the relay has nothing of a ticket any more."""
    await change.execute("UPDATE erased SET unfinished = 0 WHERE mailbox = ?", mailbox)


async def heard_of(change: Transaction, mailboxes: Iterable[MailboxId]) -> None:
    """Look once more at erased tickets that the relay has named: it may be restored, or somebody wrote a note."""
    sql = "UPDATE erased SET unfinished = 1 WHERE mailbox = ?1 OR staff_log = ?1"
    await change.execute_many(sql, [(mailbox,) for mailbox in mailboxes])


def _erased(row: Row) -> ErasedTicket:
    mailbox, staff_log, number, at, label, statement = row
    return ErasedTicket(mailbox, staff_log, number, utc(at), label, statement)
