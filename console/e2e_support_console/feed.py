"""The team's feed: which mailboxes have moved and are to be pulled, and which were found to be no tickets.

The cursor and what it promised are kept in one transaction, so that a kill at any moment loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId
from e2e_support.wire import FeedItem, FeedPage
from e2e_support_console.alarms import new_alarm, raise_alarms
from e2e_support_console.erased import heard_of
from e2e_support_console.index import bytes_of, number_of, remember
from e2e_support_keys.store import Queries, Transaction

_CURSOR: Final = "cursor"
_STEP: Final = "step"
_ASK: Final = (
    "Tell whoever runs the relay, and keep the alarm: the relay may be restored, broken or dishonest."
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A mailbox that has more entries than were pulled.

    Attributes:
        mailbox: which.
        length: how many entries the feed promised; 0 where the relay is to be asked whether it has what is kept.
        tries: how often it could not be pulled.
    """

    mailbox: MailboxId
    length: int
    tries: int = 0


async def cursor(queries: Queries) -> int:
    """Return how far the feed was followed."""
    return await number_of(queries, _CURSOR)


async def take_page(change: Transaction, after: int, page: FeedPage, *, now: int) -> bool:
    """Note what a page of the feed says, and raise an alarm for what it does not say (§3.6).

    Args:
        change: the transaction.
        after: how far the feed was followed.
        page: the relay's answer, which begins with the last step that was followed.
        now: seconds since 1970.

    Returns:
        Whether the feed goes on; otherwise it went back, and is followed from its beginning.
    """
    known, new = _split(after, page)
    if page.newest < after or await _is_another(change, known):
        await raise_alarms(change, [new_alarm(_rollback(after, page.newest), now=now)])
        await change.execute(_COMPARE)
        await remember(change, _CURSOR, 0)
        return False
    trouble = _gap(after, page.newest, new)
    if trouble:
        await raise_alarms(change, [new_alarm(trouble, now=now)])
    await _note(change, new)
    await remember(change, _CURSOR, max([after, *(item.cursor for item in new)]))
    if new:
        await remember(change, _STEP, new[-1].to_bytes())
    return True


def _split(after: int, page: FeedPage) -> tuple[FeedItem | None, tuple[FeedItem, ...]]:
    """Return the step that was followed last, if the page has it, and those behind it."""
    if after and page.items and page.items[0].cursor == after:
        return page.items[0], page.items[1:]
    return None, page.items


async def _is_another(queries: Queries, step: FeedItem | None) -> bool:
    """Tell whether the relay went back behind a step and has gone on from there; an erased one is zeros (§3.9)."""
    kept = await bytes_of(queries, _STEP)
    return step is not None and any(step.mailbox_id) and kept not in {b"", step.to_bytes()}


_COMPARE: Final = """
INSERT OR IGNORE INTO moved (mailbox, length, cursor) SELECT DISTINCT mailbox, 0, 0 FROM entries
"""  # a relay that lost steps of the feed may have lost entries of any log (§3.10)
_NOTE = """
INSERT INTO moved (mailbox, length, cursor) SELECT ?1, ?2, ?3
WHERE NOT EXISTS (SELECT 1 FROM entries WHERE mailbox = ?1 AND seq = ?2 - 1)
  AND NOT EXISTS (SELECT 1 FROM quarantine WHERE mailbox = ?1)
  AND NOT EXISTS (SELECT 1 FROM erased WHERE mailbox = ?1 OR staff_log = ?1)
ON CONFLICT (mailbox) DO UPDATE SET length = max(length, excluded.length)
"""


async def _note(change: Transaction, items: tuple[FeedItem, ...]) -> None:
    """Queue the mailboxes that moved; one in quarantine only counts, so that noise costs nothing (26, 27)."""
    items = tuple(item for item in items if any(item.mailbox_id))  # zeros: it was erased since (§3.9)
    rows = [(item.mailbox_id, item.seq + 1, item.cursor) for item in items]
    await change.execute_many(_NOTE, rows)
    await heard_of(change, [item.mailbox_id for item in items])
    counted = [(item.seq + 1, item.mailbox_id) for item in items]
    await change.execute_many("UPDATE quarantine SET length = max(length, ?) WHERE mailbox = ?", counted)


async def expect(change: Transaction, promised: Iterable[tuple[MailboxId, int]]) -> None:
    """Queue mailboxes of which somebody else has seen more: each comes with the length that they saw."""
    sql = """INSERT INTO moved (mailbox, length, cursor) VALUES (?, ?, 0)
        ON CONFLICT (mailbox) DO UPDATE SET length = max(length, excluded.length)"""
    await change.execute_many(sql, promised)


def _gap(after: int, newest: int, items: tuple[FeedItem, ...]) -> PeerError | None:
    """Return the alarm for steps that are missing: the cursor grows by exactly one (§3.6)."""
    cursors = [item.cursor for item in items]
    expected = list(range(after + 1, after + 1 + len(cursors)))
    if cursors != expected or (not cursors and newest > after):
        return PeerError(
            "feed_gap", f"the relay withheld something after step {after} of its feed", hint=_ASK
        )
    return None


def _rollback(after: int, newest: int) -> PeerError:
    why = f"the relay's feed went back behind step {after}; it is at {newest} now"
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


async def moved_of(queries: Queries, mailboxes: Sequence[MailboxId]) -> frozenset[MailboxId]:
    """Return which of some mailboxes have more entries than were pulled, or are to be compared."""
    marks = ", ".join("?" for _ in mailboxes)
    rows = await queries.fetch_all(f"SELECT mailbox FROM moved WHERE mailbox IN ({marks})", *mailboxes)  # noqa: S608
    return frozenset(MailboxId(row[0]) for row in rows)


def withheld() -> PeerError:
    """Return the error of a relay that shows less of a mailbox than its feed says."""
    return PeerError(
        "withheld",
        "the relay announced an entry and does not hand it out",
        hint="Tell whoever runs the relay; the console goes on asking for it.",
    )


async def pulled(change: Transaction, logs: Iterable[tuple[MailboxId, int]]) -> None:
    """Strike mailboxes off that were pulled as far as the feed promised; each comes with its length."""
    await change.execute_many("DELETE FROM moved WHERE mailbox = ? AND length BETWEEN 1 AND ?", logs)


async def compared(change: Transaction, mailboxes: Iterable[MailboxId]) -> None:
    """Strike mailboxes off of which the relay has all that is kept."""
    rows = [(mailbox,) for mailbox in mailboxes]
    await change.execute_many("DELETE FROM moved WHERE mailbox = ? AND length = 0", rows)


async def failed(change: Transaction, mailboxes: Iterable[MailboxId]) -> None:
    """Send mailboxes to the end of the queue: others come before them next time."""
    sql = "UPDATE moved SET tries = tries + 1 WHERE mailbox = ?"
    await change.execute_many(sql, [(mailbox,) for mailbox in mailboxes])


_RELEASE: Final = (
    "INSERT OR IGNORE INTO moved (mailbox, length, cursor) SELECT mailbox, length, 0 FROM quarantine"
)


# --- quarantine ------------------------------------------------------------------------------------------


async def put_aside(change: Transaction, reasons: Iterable[tuple[Moved, str]], *, now: int) -> None:
    """Put mailboxes aside that are no tickets; they are not pulled again."""
    rows = [(moved.mailbox, moved.length, reason, now) for moved, reason in reasons]
    sql = "INSERT OR REPLACE INTO quarantine (mailbox, length, reason, since) VALUES (?, ?, ?, ?)"
    await change.execute_many(sql, rows)
    await change.execute_many("DELETE FROM moved WHERE mailbox = ?", [row[:1] for row in rows])


async def release(change: Transaction, mailboxes: Iterable[MailboxId]) -> None:
    """Queue mailboxes of the quarantine again, since more is known now."""
    rows = [(mailbox,) for mailbox in mailboxes]
    await change.execute_many(f"{_RELEASE} WHERE mailbox = ?", rows)
    await change.execute_many("DELETE FROM quarantine WHERE mailbox = ?", rows)


async def release_reason(change: Transaction, reason: str) -> None:
    """Queue everything again that was put aside for one reason."""
    await change.execute(f"{_RELEASE} WHERE reason = ?", reason)
    await change.execute("DELETE FROM quarantine WHERE reason = ?", reason)


async def release_all(change: Transaction) -> None:
    """Queue everything that was put aside once more, for a person who wants to look again."""
    await change.execute(_RELEASE)
    await change.execute("DELETE FROM quarantine")


async def quarantined(queries: Queries) -> dict[str, int]:
    """Return how many mailboxes were put aside, by reason."""
    sql = "SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY count(*) DESC, reason"
    return dict(tuple(row) for row in await queries.fetch_all(sql))
