"""Roster links and freshness statements in SQLite, inside a transaction that the caller began."""

from __future__ import annotations

import sqlite3

from e2e_support.ids import TeamId
from e2e_support.wire import Head
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.storage.base import Founding, Statements

_TEAM = "SELECT number, length FROM teams WHERE id = ?"
_LINK = "INSERT INTO links (team, seq, link) VALUES (?, ?, ?)"
_PACKAGE = "INSERT INTO packages (team, epoch, package) VALUES (?, ?, ?)"
_MOVE = "UPDATE teams SET length = ?, epoch = ? WHERE number = ?"
_STATEMENTS = "SELECT newest, pending FROM freshness JOIN teams ON team = number WHERE id = ?"
_KEEP = "INSERT OR REPLACE INTO freshness (team, newest, pending) VALUES (?, ?, ?)"


def append_links(connection: sqlite3.Connection, head: Head, batch: Founding) -> None:
    """Store a verified batch behind a head; ``head_moved`` when the roster is not there any more."""
    number, length = _team(connection, batch.team_id)
    if length != head.length:
        raise Refusal("head_moved", head=head)
    links = [(number, seq, link) for seq, link in enumerate(batch.links, length)]
    connection.executemany(_LINK, links)
    connection.executemany(_PACKAGE, [(number, epoch, package) for epoch, package in batch.packages])
    connection.execute(_MOVE, (length + len(links), batch.epoch, number))


def statements(connection: sqlite3.Connection, team_id: TeamId) -> Statements:
    """Return a team's freshness statements."""
    row = connection.execute(_STATEMENTS, (team_id,)).fetchone()
    return Statements(*row) if row else Statements(None, None)


def keep_statements(connection: sqlite3.Connection, team_id: TeamId, kept: Statements) -> None:
    """Replace a team's freshness statements."""
    number, _ = _team(connection, team_id)
    connection.execute(_KEEP, (number, kept.newest, kept.pending))


def _team(connection: sqlite3.Connection, team_id: TeamId) -> tuple[int, int]:
    row: tuple[int, int] | None = connection.execute(_TEAM, (team_id,)).fetchone()
    if row is None:
        raise not_found()
    return row
