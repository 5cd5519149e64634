"""Erased mailboxes in SQLite: rows go at once, traces in the feed and the write-ahead log soon after (§3.9).

``secure_delete`` overwrites what a row leaves in the database file; a checkpoint that empties the log does the rest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from e2e_support.ids import MailboxId
from e2e_support_server.refusal import not_found
from e2e_support_server.storage.base import Erased

_FIND = "SELECT id, user_key, team, team_access, length FROM mailboxes WHERE number = ?"
_IDLE = (
    "SELECT mailboxes.number FROM mailboxes JOIN teams ON teams.number = team"
    " WHERE teams.id = ? AND time < ? AND held = 0 AND empty_since IS NULL LIMIT ?"
)
_TOMBSTONE = (
    "INSERT INTO tombstones (id, user_key, team, team_access, statement, cursor) VALUES (?, ?, ?, ?, ?, ?)"
)
_DELETE = (
    "DELETE FROM pieces WHERE blob IN (SELECT number FROM blobs WHERE mailbox = ?)",
    "DELETE FROM blobs WHERE mailbox = ?",
    "DELETE FROM entries WHERE mailbox = ?",
    "DELETE FROM mailboxes WHERE number = ?",
)
_NEXT = "UPDATE teams SET cursor = cursor + 1 WHERE number = ? RETURNING cursor"
_STEP = "INSERT INTO feed (team, cursor, mailbox_id, seq) VALUES (?, ?, ?, ?)"
# Without an index, which every append would have to pay for: one pass over the feed serves all that is unfinished.
_BLANK = """
    UPDATE feed SET mailbox_id = zeroblob(16), seq = 0
    WHERE mailbox_id IN (SELECT id FROM tombstones WHERE unfinished = 1)
      AND NOT EXISTS (
        SELECT 1 FROM tombstones
        WHERE id = mailbox_id AND tombstones.team = feed.team AND tombstones.cursor = feed.cursor
      )
"""


def erase(connection: sqlite3.Connection, number: int, statement: bytes) -> Erased:
    """Replace a mailbox by its tombstone and announce that in the feed; ``not_found``."""
    row = connection.execute(_FIND, (number,)).fetchone()
    if row is None:
        raise not_found()
    mailbox, user_key, team, access, length = row
    cursor = _announce(connection, team, mailbox, length) if access and length else 0
    connection.execute(_TOMBSTONE, (mailbox, user_key, team, access, statement, cursor))
    for delete in _DELETE:
        connection.execute(delete, (number,))
    return Erased(MailboxId(mailbox), cursor)


def erase_idle(connection: sqlite3.Connection, team_id: bytes, before: int, most: int) -> list[Erased]:
    """Erase mailboxes of a team that had no entry since a time and are not held."""
    rows = connection.execute(_IDLE, (team_id, before, most)).fetchall()
    return [erase(connection, number, b"") for (number,) in rows]


def blank_steps(connection: sqlite3.Connection) -> list[MailboxId]:
    """Take the meaning from the feed's steps of what was erased; return what is unfinished."""
    rows = connection.execute("SELECT id FROM tombstones WHERE unfinished = 1").fetchall()
    if rows:
        connection.execute(_BLANK)
    return [MailboxId(mailbox) for (mailbox,) in rows]


def empty_log(connection: sqlite3.Connection) -> bool:
    """Write the log into the database and cut it off; false while a reader or another process needs it."""
    connection.execute("PRAGMA busy_timeout = 0")  # the next round tries again; appends do not wait
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute("PRAGMA busy_timeout = 5000")
    return not busy


def finish(connection: sqlite3.Connection, mailboxes: Sequence[MailboxId]) -> None:
    """Record that nothing is left of mailboxes."""
    connection.executemany("UPDATE tombstones SET unfinished = 0 WHERE id = ?", [(one,) for one in mailboxes])


def _announce(connection: sqlite3.Connection, team: int, mailbox: bytes, length: int) -> int:
    cursor: int = connection.execute(_NEXT, (team,)).fetchone()[0]
    connection.execute(_STEP, (team, cursor, mailbox, length))
    return cursor
