"""Schema and queries of the user's local store: everything that a client must remember between two runs.

The database is encrypted as a whole (``e2e_support_keys.store``), so drafts, opened entries and ticket keys stand
in it as they are. Each public method is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from e2e_support.canonical import Value, decode, encode
from e2e_support.conversation import Sealed
from e2e_support.ids import Hash, MailboxId, MessageId
from e2e_support.limits import ENTRY_MAX, KIB
from e2e_support.opened import Record
from e2e_support.vocab import Kind
from e2e_support_client.model import EventKind, Role, State
from e2e_support_keys.store import Row, Store, Transaction

MIGRATIONS = (
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
)
"""Released scripts never change; a new version adds one."""
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


@dataclass(frozen=True, slots=True)
class ItemRow:
    """Something that is not stored at the relay yet.

    Attributes:
        key: the message id, which makes a repetition harmless.
        number: its ticket; empty before a place was chosen for a new one.
        kind: kind of the entry.
        body: the body's bytes.
        state: how far it has come.
        sealed: the entry that was or will be tried; ``None`` before.
        code: why it failed.
        hint: what can be done.
        created_at: seconds since 1970.
        idempotency: the caller's own key; empty for none.
    """

    key: MessageId
    number: str
    kind: Kind
    body: bytes
    state: State
    sealed: Sealed | None
    code: str
    hint: str
    created_at: int
    idempotency: str = ""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of an item.

    Attributes:
        place: its order in the message.
        name: as it will be called.
        media_type: its type.
        size: bytes.
        path: where it lies; empty when ``data`` holds it.
        data: its bytes; ``None`` when they stay in the file system.
        keep_metadata: whether a picture is sent as it is.
        upload: state of its upload; empty before.
        manifest: its manifest once it is uploaded; empty before.
    """

    place: int
    name: str
    media_type: str
    size: int
    path: str
    data: bytes | None
    keep_metadata: bool = False
    upload: bytes = b""
    manifest: bytes = b""


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
        database: opened with ``MIGRATIONS``.
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

    async def place_item(
        self, key: MessageId, month: int, ticket_at: Callable[[int], TicketRow]
    ) -> TicketRow:
        """Give a new ticket the next free place of a month, also when somebody else took the one it had.

        Args:
            key: the item that opens it.
            month: as ``TicketRow.month``.
            ticket_at: returns the ticket of an index in that month.
        """
        async with self._db.transaction() as write:
            ticket = await take_place(write, month, ticket_at)
            await write.execute(
                "UPDATE outbox SET number = ?, sealed = NULL, state = ? WHERE key = ?",
                *(ticket.number, State.DRAFT, key),
            )
            await write.execute("UPDATE files SET upload = NULL, manifest = NULL WHERE item = ?", key)
        return ticket

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

    # --- outbox ------------------------------------------------------------------------------------------

    async def add_item(self, item: ItemRow, files: Sequence[FileRow]) -> None:
        """Keep a draft with its files."""
        async with self._db.transaction() as write:
            await write.execute(
                "INSERT INTO outbox (key, number, kind, body, state, created_at, idempotency)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(item.key, item.number or None, int(item.kind), item.body, item.state, item.created_at),
                item.idempotency or None,
            )
            await write.execute_many(
                "INSERT INTO files (item, place, name, media_type, size, path, data, keep_metadata)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        item.key,
                        f.place,
                        f.name,
                        f.media_type,
                        f.size,
                        f.path or None,
                        f.data,
                        int(f.keep_metadata),
                    )
                    for f in files
                ],
            )

    async def items(self) -> list[ItemRow]:
        """Return everything that is not stored yet, oldest first."""
        return [_item(row) for row in await self._db.fetch_all("SELECT * FROM outbox ORDER BY position")]

    async def item(self, key: bytes) -> ItemRow | None:
        """Return one item, if it is still there."""
        row = await self._db.fetch_one("SELECT * FROM outbox WHERE key = ?", key)
        return _item(row) if row else None

    async def item_named(self, idempotency: str) -> ItemRow | None:
        """Return the item with a caller's own key, if it is still there."""
        row = await self._db.fetch_one("SELECT * FROM outbox WHERE idempotency = ?", idempotency)
        return _item(row) if row else None

    async def delivered_named(self, idempotency: str) -> str:
        """Return the number under which an item with a caller's own key was stored, or the empty text."""
        row = await self._db.fetch_one("SELECT number FROM delivered WHERE idempotency = ?", idempotency)
        return str(row["number"]) if row else ""

    async def outbox_size(self) -> tuple[int, int]:
        """Return how many items there are, and how many bytes they take with the files kept for them."""
        row = await self._db.fetch_one(
            "SELECT (SELECT count(*) FROM outbox) AS items, (SELECT coalesce(sum(length(body)), 0) FROM outbox)"
            " + (SELECT coalesce(sum(length(data)), 0) FROM files) AS bytes"
        )
        return (int(row["items"]), int(row["bytes"])) if row else (0, 0)

    async def files(self, key: bytes) -> list[FileRow]:
        """Return the files of an item, in order."""
        rows = await self._db.fetch_all("SELECT * FROM files WHERE item = ? ORDER BY place", key)
        return [_file(row) for row in rows]

    async def set_state(self, key: bytes, state: State, *, code: str = "", hint: str = "") -> None:
        """Note how far an item has come, and why it went no further."""
        async with self._db.transaction() as write:
            await write.execute(
                "UPDATE outbox SET state = ?, code = ?, hint = ? WHERE key = ?", state, code, hint, key
            )

    async def set_sealed(self, key: bytes, sealed: Sealed) -> None:
        """Keep sealed bytes before they are tried."""
        async with self._db.transaction() as write:
            await write.execute(
                "UPDATE outbox SET state = ?, sealed = ?, code = '', hint = '' WHERE key = ?",
                *(State.SEALED, _pack_sealed(sealed), key),
            )

    async def reset_item(self, key: bytes, state: State) -> None:
        """Let an item begin again from an earlier state: nothing that was uploaded or sealed counts any more."""
        async with self._db.transaction() as write:
            await write.execute("UPDATE outbox SET state = ?, sealed = NULL WHERE key = ?", state, key)
            await write.execute("UPDATE files SET upload = NULL, manifest = NULL WHERE item = ?", key)

    async def set_upload(self, key: bytes, place: int, *, upload: bytes = b"", manifest: bytes = b"") -> None:
        """Note how far a file's upload has come."""
        async with self._db.transaction() as write:
            await write.execute(
                "UPDATE files SET upload = ?, manifest = ? WHERE item = ? AND place = ?",
                *(upload or None, manifest or None, key, place),
            )

    async def remove_item(self, key: bytes) -> bool:
        """Forget an item and its files; a place that nothing was stored at is free again."""
        async with self._db.transaction() as write:
            row = await write.fetch_one("SELECT number FROM outbox WHERE key = ?", key)
            if row is None:
                return False
            await write.execute("DELETE FROM outbox WHERE key = ?", key)
            await write.execute(
                "DELETE FROM tickets WHERE number = ? AND NOT EXISTS"
                " (SELECT 1 FROM records WHERE records.number = tickets.number) AND NOT EXISTS"
                " (SELECT 1 FROM outbox WHERE outbox.number = tickets.number)",
                row["number"],
            )
        return True


async def take_place(write: Transaction, month: int, ticket_at: Callable[[int], TicketRow]) -> TicketRow:
    """Return the ticket at the next free place of a month, which is taken by that; as ``place_item``."""
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


# --- rows --------------------------------------------------------------------------------------------------


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
    )


def _item(row: Row) -> ItemRow:
    sealed = row["sealed"]
    return ItemRow(
        MessageId(bytes(row["key"])),
        row["number"] or "",
        Kind(row["kind"]),
        bytes(row["body"]),
        State(row["state"]),
        None if sealed is None else _unpack_sealed(bytes(sealed)),
        row["code"],
        row["hint"],
        row["created_at"],
        row["idempotency"] or "",
    )


def _file(row: Row) -> FileRow:
    data = row["data"]
    return FileRow(
        row["place"],
        row["name"],
        row["media_type"],
        row["size"],
        row["path"] or "",
        None if data is None else bytes(data),
        bool(row["keep_metadata"]),
        bytes(row["upload"] or b""),
        bytes(row["manifest"] or b""),
    )


def _journal(row: Row) -> JournalRow:
    kind, role = EventKind(row["kind"]), Role(row["role"])
    place = (row["id"], row["number"], row["seq"])
    own = bool(row["own"])
    return JournalRow(*place, kind, role, row["status"], own=own, at=row["at"], what=row["what"])


_SEALED_MAX = ENTRY_MAX + KIB


def _pack_sealed(sealed: Sealed) -> bytes:
    return encode((sealed.seq, sealed.prev_hash, sealed.entry, sealed.hash))


def _unpack_sealed(data: bytes) -> Sealed:
    value: Value = decode(data, limit=_SEALED_MAX)
    assert isinstance(value, tuple)  # noqa: S101 - written by _pack_sealed
    seq, prev_hash, entry, entry_hash = value
    assert isinstance(seq, int) and isinstance(prev_hash, bytes)  # noqa: S101, PT018 - likewise
    assert isinstance(entry, bytes) and isinstance(entry_hash, bytes)  # noqa: S101, PT018 - likewise
    return Sealed(seq, Hash(prev_hash), entry, Hash(entry_hash))
