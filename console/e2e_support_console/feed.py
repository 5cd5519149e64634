"""The team's feed: which mailboxes have moved and are to be pulled, and which were found to be no tickets.

The cursor and what it promised are kept in one transaction, so that a kill at any moment loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId
from e2e_support.wire import FeedItem, FeedPage
from e2e_support_console.alarms import raise_alarm
from e2e_support_console.index import number_of, remember
from e2e_support_keys.store import Queries, Transaction

_CURSOR: Final = "cursor"
_ASK: Final = (
    "Tell whoever runs the relay, and keep the alarm: the relay may be restored, broken or dishonest."
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A mailbox that has more entries than were pulled.

    Attributes:
        mailbox: which.
        length: how many entries the feed promised.
        tries: how often it could not be pulled.
    """

    mailbox: MailboxId
    length: int
    tries: int = 0


async def cursor(queries: Queries) -> int:
    """Return how far the feed was followed."""
    return await number_of(queries, _CURSOR)


async def take_page(change: Transaction, after: int, page: FeedPage, *, now: int) -> None:
    """Note what a page of the feed says, and raise an alarm for what it does not say (§3.6).

    Args:
        change: the transaction.
        after: the cursor that was asked for.
        page: the relay's answer.
        now: seconds since 1970.
    """
    if page.newest < after:
        await raise_alarm(change, _rollback(after, page.newest), now=now)
        await remember(change, _CURSOR, 0)
        return
    trouble = _gap(after, page)
    if trouble:
        await raise_alarm(change, trouble, now=now)
    await _note(change, page.items)
    await remember(change, _CURSOR, max([after, *(item.cursor for item in page.items)]))


_NOTE = """
INSERT INTO moved (mailbox, length, cursor) SELECT ?1, ?2, ?3
WHERE NOT EXISTS (SELECT 1 FROM entries WHERE mailbox = ?1 AND seq = ?2 - 1)
  AND NOT EXISTS (SELECT 1 FROM quarantine WHERE mailbox = ?1)
ON CONFLICT (mailbox) DO UPDATE SET length = max(length, excluded.length)
"""


async def _note(change: Transaction, items: tuple[FeedItem, ...]) -> None:
    """Queue the mailboxes that moved; one in quarantine only counts, so that noise costs nothing (26, 27)."""
    rows = [(item.mailbox_id, item.seq + 1, item.cursor) for item in items]
    await change.execute_many(_NOTE, rows)
    counted = [(item.seq + 1, item.mailbox_id) for item in items]
    await change.execute_many("UPDATE quarantine SET length = max(length, ?) WHERE mailbox = ?", counted)


def _gap(after: int, page: FeedPage) -> PeerError | None:
    """Return the alarm for steps that are missing: the cursor grows by exactly one (§3.6)."""
    cursors = [item.cursor for item in page.items]
    expected = list(range(after + 1, after + 1 + len(cursors)))
    if cursors != expected or (not cursors and page.newest > after):
        return PeerError(
            "feed_gap", f"the relay withheld something after step {after} of its feed", hint=_ASK
        )
    return None


def _rollback(after: int, newest: int) -> PeerError:
    why = f"the relay's feed went back from step {after} to {newest}"
    return PeerError("feed_rollback", why, hint=_ASK)


# --- what is to be pulled --------------------------------------------------------------------------------


async def waiting(queries: Queries, limit: int) -> list[Moved]:
    """Return mailboxes to pull: those that failed least first, then in the feed's order."""
    sql = "SELECT mailbox, length, tries FROM moved ORDER BY tries, cursor LIMIT ?"
    return [Moved(*row) for row in await queries.fetch_all(sql, limit)]


async def waiting_count(queries: Queries) -> int:
    """Return how many mailboxes are to be pulled."""
    row = await queries.fetch_one("SELECT count(*) FROM moved")
    return row[0] if row else 0


async def pulled(change: Transaction, mailbox: MailboxId, upto: int) -> None:
    """Strike a mailbox off that was pulled as far as the feed promised."""
    await change.execute("DELETE FROM moved WHERE mailbox = ? AND length <= ?", mailbox, upto)


async def failed(change: Transaction, moved: Moved) -> None:
    """Send a mailbox to the end of the queue: others come before it next time."""
    await change.execute("UPDATE moved SET tries = tries + 1 WHERE mailbox = ?", moved.mailbox)


# --- quarantine ------------------------------------------------------------------------------------------


async def put_aside(change: Transaction, moved: Moved, reason: str, *, now: int) -> None:
    """Put a mailbox aside that is no ticket; it is not pulled again."""
    sql = "INSERT OR REPLACE INTO quarantine (mailbox, length, reason, since) VALUES (?, ?, ?, ?)"
    await change.execute(sql, moved.mailbox, moved.length, reason, now)
    await change.execute("DELETE FROM moved WHERE mailbox = ?", moved.mailbox)


async def release(change: Transaction, mailbox: MailboxId) -> None:
    """Queue a mailbox of the quarantine again, since more is known now."""
    await _release(change, "mailbox = ?", mailbox)


async def release_reason(change: Transaction, reason: str) -> None:
    """Queue everything again that was put aside for one reason."""
    await _release(change, "reason = ?", reason)


async def quarantined(queries: Queries) -> dict[str, int]:
    """Return how many mailboxes were put aside, by reason."""
    sql = "SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY count(*) DESC, reason"
    return dict(tuple(row) for row in await queries.fetch_all(sql))


async def _release(change: Transaction, condition: str, value: bytes | str) -> None:
    move = "INSERT OR IGNORE INTO moved (mailbox, length, cursor) SELECT mailbox, length, 0 FROM quarantine"
    await change.execute(f"{move} WHERE {condition}", value)
    await change.execute(f"DELETE FROM quarantine WHERE {condition}", value)  # noqa: S608 - a literal above
