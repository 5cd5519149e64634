"""The console's tables. Released migrations never change; the whole file can be deleted and rebuilt."""

from __future__ import annotations

from typing import Final

_FIRST = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- The roster, so that the relay can never go back behind it, and what opens its epochs.
CREATE TABLE links (seq INTEGER PRIMARY KEY, link BLOB NOT NULL);
CREATE TABLE packages (epoch INTEGER PRIMARY KEY, package BLOB NOT NULL);

-- One row per ticket with a valid opening; rowid is there for a later full-text index over it.
CREATE TABLE tickets (
    id INTEGER PRIMARY KEY,
    mailbox BLOB NOT NULL UNIQUE,
    staff_log BLOB NOT NULL UNIQUE,
    number TEXT NOT NULL,
    subject TEXT NOT NULL,
    status TEXT NOT NULL,
    status_text TEXT NOT NULL,
    category TEXT NOT NULL,
    priority TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    waiting_since INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    unread INTEGER NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT ''
);
CREATE INDEX tickets_number ON tickets (number);
CREATE INDEX tickets_order ON tickets (closed, waiting_since, updated_at);

-- Opened entries of shared and staff logs alike.
CREATE TABLE entries (
    mailbox BLOB NOT NULL,
    seq INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (mailbox, seq)
);

-- Mailboxes of the feed that have more entries than were pulled, and those that are no tickets.
CREATE TABLE moved (
    mailbox BLOB PRIMARY KEY,
    length INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX moved_order ON moved (tries, cursor);
CREATE TABLE quarantine (
    mailbox BLOB PRIMARY KEY,
    length INTEGER NOT NULL,
    reason TEXT NOT NULL,
    since INTEGER NOT NULL
);

-- What this device wants to say and does not know to be stored.
CREATE TABLE outgoing (
    message_id BLOB PRIMARY KEY,
    ticket BLOB NOT NULL,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    seq INTEGER NOT NULL DEFAULT 0,
    prev_hash BLOB NOT NULL DEFAULT x'',
    entry BLOB NOT NULL DEFAULT x'',
    hash BLOB NOT NULL DEFAULT x'',
    written_at INTEGER NOT NULL,
    failed TEXT NOT NULL DEFAULT ''
);

CREATE TABLE alarms (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    mailbox BLOB NOT NULL,
    message TEXT NOT NULL,
    hint TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL DEFAULT 1,
    proof BLOB NOT NULL DEFAULT x'',
    UNIQUE (code, mailbox)
);
"""

_SECOND = """
-- Whom this device invited and has not seen in the team yet.
CREATE TABLE invitations (
    name TEXT PRIMARY KEY,
    link TEXT NOT NULL,
    code TEXT NOT NULL,
    offer BLOB NOT NULL,
    history INTEGER NOT NULL,
    invited_at INTEGER NOT NULL
);

-- Up to which length of the roster a log's removals have been looked at (protocol 4.8).
CREATE TABLE barriers (mailbox BLOB PRIMARY KEY, links INTEGER NOT NULL) WITHOUT ROWID;
"""

_THIRD = """
-- 0: the relay has its mailbox; 1: it has served or was withdrawn, and is forgotten once the relay has destroyed the
-- mailbox; 2: it has expired, and the mailbox is gone. Offers of before name no end.
DELETE FROM invitations;
ALTER TABLE invitations ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;
"""

_TICKETS = """
-- What both logs of a ticket say of it, for lists; tags and member ids stand between line feeds.
ALTER TABLE tickets ADD COLUMN assignee BLOB NOT NULL DEFAULT x'';
ALTER TABLE tickets ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN mentions TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN user_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE tickets ADD COLUMN requester TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN merged_into BLOB NOT NULL DEFAULT x'';
ALTER TABLE tickets ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN spam INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN snoozed_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN notes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN debug INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN nonconforming INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN preview TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN preview_note INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN first_response_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN close_due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN erase_due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN policy_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN by_team INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN over TEXT NOT NULL DEFAULT '';
CREATE INDEX tickets_due ON tickets (due_at) WHERE due_at > 0;
CREATE INDEX tickets_user ON tickets (user_key, created_at) WHERE user_key != x'';

-- What people search for, a row per text; its words stand in ``found`` under the same number.
CREATE TABLE passages (
    id INTEGER PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    field INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    UNIQUE (ticket, field, seq, place)
);
CREATE VIRTUAL TABLE found USING fts5 (
    subject, message, note, file, person, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);
INSERT INTO found (found, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER passages_gone AFTER DELETE ON passages BEGIN DELETE FROM found WHERE rowid = old.id; END;

-- The rows of tickets that are there already are made anew.
DELETE FROM facts WHERE name = 'policy';
"""

_WORKBENCH = """
-- What this administrator is writing: one text per ticket, for its user (reply) or for colleagues (note).
CREATE TABLE drafts (
    ticket BLOB NOT NULL,
    mode TEXT NOT NULL,
    text TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (ticket, mode)
) WITHOUT ROWID;

-- Files of what is on its way; upload and manifest say how far each one is.
CREATE TABLE outgoing_files (
    message_id BLOB NOT NULL REFERENCES outgoing (message_id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    path TEXT NOT NULL,
    data BLOB,
    keep_metadata INTEGER NOT NULL,
    upload BLOB NOT NULL DEFAULT x'',
    manifest BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (message_id, place)
) WITHOUT ROWID;

-- How often this administrator has used a snippet.
CREATE TABLE snippet_uses (id TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;

-- Up to which entry the member's other devices were told that a ticket was read.
CREATE TABLE told_marks (ticket BLOB PRIMARY KEY, upto INTEGER NOT NULL) WITHOUT ROWID;
"""

_CHORES = """
-- What is to be done about a ticket without anybody asking, and when; the rows are made anew.
ALTER TABLE tickets ADD COLUMN remind_due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN unnoted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN assign_to BLOB NOT NULL DEFAULT x'';
ALTER TABLE tickets ADD COLUMN quiet_due INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tickets_erase ON tickets (erase_due) WHERE erase_due > 0;
CREATE INDEX tickets_quiet ON tickets (quiet_due) WHERE quiet_due > 0;
CREATE INDEX tickets_unnoted ON tickets (unnoted) WHERE unnoted > 0;
CREATE INDEX tickets_unassigned ON tickets (mailbox) WHERE assign_to != x'';
CREATE INDEX tickets_updated ON tickets (updated_at);
DELETE FROM facts WHERE name = 'policy';
"""

_ERASED = """
-- What is left of erased tickets; unfinished while the relay may still have one of their logs.
CREATE TABLE erased (
    mailbox BLOB PRIMARY KEY,
    staff_log BLOB NOT NULL UNIQUE,
    number TEXT NOT NULL,
    at INTEGER NOT NULL,
    label TEXT NOT NULL,
    statement BLOB NOT NULL,
    unfinished INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE INDEX erased_number ON erased (number);
CREATE INDEX erased_unfinished ON erased (mailbox) WHERE unfinished = 1;
"""

_WORDS = """
-- The index holds words as they are compared, and beside them the text as it was written; it is made anew.
DROP TRIGGER passages_gone;
DELETE FROM passages;
DROP TABLE found;
CREATE VIRTUAL TABLE found USING fts5 (
    subject, message, note, file, person, written UNINDEXED, tokenize = 'ascii', prefix = '2 3'
);
INSERT INTO found (found, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER passages_gone AFTER DELETE ON passages BEGIN DELETE FROM found WHERE rowid = old.id; END;
DELETE FROM facts WHERE name = 'policy';
"""

_DRAFTS = """
-- An answer that waits for its moment to pass; a program that finds one was stopped in it.
ALTER TABLE drafts ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;

-- What goes with the answer that is being written; length and changed_at are the file's own when it was attached.
CREATE TABLE draft_files (
    id INTEGER PRIMARY KEY,
    ticket BLOB NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    data BLOB,
    keep_metadata INTEGER NOT NULL,
    length INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX draft_paths ON draft_files (ticket, name, path) WHERE path <> '';
"""

_VOLUMES = """
-- Finished volumes of the team space, and of what kind their entries are; held: the relay was told to keep it.
CREATE TABLE volumes (
    number INTEGER PRIMARY KEY,
    mailbox BLOB NOT NULL UNIQUE,
    end BLOB NOT NULL,
    ended_at INTEGER NOT NULL,
    held INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE volume_entries (
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (number, seq)
) WITHOUT ROWID;
CREATE INDEX volume_kinds ON volume_entries (kind, received);
"""

_ANSWERED = """
-- Which device an invitation brings, once its words were compared: names may be taken by anybody.
ALTER TABLE invitations ADD COLUMN device BLOB NOT NULL DEFAULT x'';
"""

MIGRATIONS: Final = (
    _FIRST,
    _SECOND,
    _THIRD,
    _TICKETS,
    _WORKBENCH,
    _CHORES,
    _ERASED,
    _WORDS,
    _DRAFTS,
    _VOLUMES,
    _ANSWERED,
)
"""Number i leads from schema i to i + 1."""
