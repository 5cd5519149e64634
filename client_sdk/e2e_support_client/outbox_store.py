"""What is kept of messages that are not stored at the relay yet, with their files; drafts stand in it as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from e2e_support.canonical import Value, decode, encode
from e2e_support.conversation import Sealed
from e2e_support.errors import SupportError
from e2e_support.ids import Hash, MessageId
from e2e_support.limits import ENTRY_MAX, KIB
from e2e_support.vocab import Kind
from e2e_support_client.model import State
from e2e_support_client.store import TicketRow, take_place
from e2e_support_keys.store import Row, Store


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
        code: why it went no further.
        message: the same for people.
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
    message: str
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


class OutboxStore:
    """The queries, in the same database as ``LocalStore``; each is one transaction.

    Args:
        database: opened with ``schema.MIGRATIONS``.
    """

    def __init__(self, database: Store) -> None:
        self._db = database

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

    async def set_state(self, key: bytes, state: State, why: SupportError | None = None) -> None:
        """Note how far an item has come, and why it went no further."""
        code, message, hint = (why.code, why.message, why.hint) if why else ("", "", "")
        async with self._db.transaction() as write:
            await write.execute(
                "UPDATE outbox SET state = ?, code = ?, message = ?, hint = ? WHERE key = ?",
                *(state, code, message, hint, key),
            )

    async def set_sealed(self, key: bytes, sealed: Sealed) -> None:
        """Keep sealed bytes before they are tried."""
        async with self._db.transaction() as write:
            await write.execute(
                "UPDATE outbox SET state = ?, sealed = ?, code = '', message = '', hint = '' WHERE key = ?",
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
        row["message"],
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
