"""The SQLite schema as numbered migrations; a database from a newer program is refused, never guessed at."""

from __future__ import annotations

import sqlite3

from e2e_support.errors import UsageError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE code (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        hash BLOB NOT NULL,
        expires INTEGER NOT NULL
    );

    CREATE TABLE teams (
        number INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        length INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        cursor INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE links (
        team INTEGER NOT NULL REFERENCES teams,
        seq INTEGER NOT NULL,
        link BLOB NOT NULL,
        PRIMARY KEY (team, seq)
    );
    CREATE TABLE packages (
        team INTEGER NOT NULL REFERENCES teams,
        epoch INTEGER NOT NULL,
        package BLOB NOT NULL,
        PRIMARY KEY (team, epoch)
    );
    CREATE TABLE feed (
        team INTEGER NOT NULL REFERENCES teams,
        cursor INTEGER NOT NULL,
        mailbox_id BLOB NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (team, cursor)
    ) WITHOUT ROWID;

    -- AUTOINCREMENT: a number must not come back while somebody still holds the old mailbox in memory.
    CREATE TABLE mailboxes (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
        request BLOB NOT NULL,
        user_key BLOB NOT NULL,
        team INTEGER NOT NULL REFERENCES teams,
        team_access INTEGER NOT NULL,
        empty_since INTEGER,
        length INTEGER NOT NULL DEFAULT 0,
        hash BLOB NOT NULL,
        time INTEGER NOT NULL DEFAULT 0,
        user_entries INTEGER NOT NULL DEFAULT 0,
        user_bytes INTEGER NOT NULL DEFAULT 0,
        team_entries INTEGER NOT NULL DEFAULT 0,
        team_bytes INTEGER NOT NULL DEFAULT 0,
        frozen INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX mailboxes_user_key ON mailboxes (user_key);
    CREATE INDEX mailboxes_empty ON mailboxes (empty_since) WHERE empty_since IS NOT NULL;

    -- In order of arrival: writing at the end of the tree costs half of writing into its middle.
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        mailbox INTEGER NOT NULL REFERENCES mailboxes,
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL,
        entry BLOB NOT NULL,
        receipt BLOB NOT NULL,
        UNIQUE (mailbox, seq)
    );

    CREATE TABLE blobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        mailbox INTEGER NOT NULL REFERENCES mailboxes,
        id BLOB NOT NULL,
        writer INTEGER NOT NULL,
        size INTEGER NOT NULL,
        complete INTEGER NOT NULL DEFAULT 0,
        open_since INTEGER,
        UNIQUE (mailbox, id)
    );
    CREATE INDEX blobs_open ON blobs (open_since) WHERE open_since IS NOT NULL;
    CREATE TABLE pieces (
        blob INTEGER NOT NULL REFERENCES blobs,
        position INTEGER NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (blob, position)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE mailboxes ADD COLUMN held INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE freshness (
        team INTEGER PRIMARY KEY REFERENCES teams,
        newest BLOB,
        pending BLOB
    );

    -- What is left of an erased mailbox. The statement is empty where nobody asked for it: the mailbox was idle.
    -- unfinished: the feed, the blobs' files or the write-ahead log may still hold something of it.
    CREATE TABLE tombstones (
        id BLOB PRIMARY KEY,
        user_key BLOB NOT NULL,
        team INTEGER NOT NULL REFERENCES teams,
        team_access INTEGER NOT NULL,
        statement BLOB NOT NULL,
        cursor INTEGER NOT NULL,
        unfinished INTEGER NOT NULL DEFAULT 1
    ) WITHOUT ROWID;
    CREATE INDEX tombstones_user_key ON tombstones (user_key);
    CREATE INDEX tombstones_unfinished ON tombstones (unfinished) WHERE unfinished = 1;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to date, one transaction per migration.

    Raises:
        UsageError: ``newer_schema``.
    """
    while (version := _version(connection)) < len(MIGRATIONS):
        # executescript commits first and runs on its own, so the transaction stands in the script.
        connection.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[version]}; PRAGMA user_version = {version + 1}; COMMIT;"
        )
    if version > len(MIGRATIONS):
        raise UsageError(
            "newer_schema",
            f"the data was written by a newer relay (schema {version})",
            hint="Start the newer version, or restore a backup of this one.",
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
