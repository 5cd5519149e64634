"""The tables of the user's local store, version by version."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final = (
    """
CREATE TABLE roster (seq INTEGER PRIMARY KEY, link BLOB NOT NULL);
CREATE TABLE tickets (
    number TEXT PRIMARY KEY,
    mailbox BLOB NOT NULL UNIQUE,
    month INTEGER NOT NULL,
    place INTEGER NOT NULL,
    read_upto INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    UNIQUE (month, place)
);
CREATE TABLE records (
    number TEXT NOT NULL REFERENCES tickets,
    seq INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (number, seq)
);
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,
    number TEXT REFERENCES tickets,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    state TEXT NOT NULL,
    sealed BLOB,
    code TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    idempotency TEXT UNIQUE
);
CREATE TABLE files (
    item BLOB NOT NULL REFERENCES outbox (key) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    path TEXT,
    data BLOB,
    keep_metadata INTEGER NOT NULL,
    upload BLOB,
    manifest BLOB,
    PRIMARY KEY (item, place)
);
CREATE TABLE delivered (idempotency TEXT PRIMARY KEY, number TEXT NOT NULL);
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL REFERENCES tickets,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    own INTEGER NOT NULL
);
CREATE INDEX journal_number ON journal (number, seq);
CREATE TABLE cursors (name TEXT PRIMARY KEY, value TEXT NOT NULL);
""",
    """
CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE proofs (id INTEGER PRIMARY KEY AUTOINCREMENT, found_at INTEGER NOT NULL, data BLOB NOT NULL UNIQUE);
CREATE TABLE masters (era INTEGER PRIMARY KEY, master BLOB NOT NULL);
""",
    """
ALTER TABLE tickets ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
CREATE TABLE happened (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    own INTEGER NOT NULL,
    at INTEGER NOT NULL DEFAULT 0,
    what TEXT NOT NULL DEFAULT ''
);
INSERT INTO happened (id, number, seq, kind, role, status, own)
    SELECT id, number, seq, kind, role, status, own FROM journal;
DROP TABLE journal;
ALTER TABLE happened RENAME TO journal;
CREATE INDEX journal_number ON journal (number, seq);
""",
    """
CREATE TABLE erased (
    number TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    statement BLOB NOT NULL
) WITHOUT ROWID;
""",
    """
ALTER TABLE outbox ADD COLUMN message TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN merged_into TEXT;
""",
)
"""Released scripts never change; a new version adds one."""
