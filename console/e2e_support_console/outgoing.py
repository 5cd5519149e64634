"""What this device wants to say and does not know to be stored: kept encrypted before the first attempt."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from e2e_support.content import BODIES
from e2e_support.conversation import Draft, Sealed
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError
from e2e_support.ids import Hash, MailboxId, MessageId
from e2e_support.vocab import Kind
from e2e_support_client.courier import Courier
from e2e_support_client.model import OnProgress
from e2e_support_client.outbox_store import FileRow
from e2e_support_console.desk import Desk
from e2e_support_keys.store import Queries, Row, Store, Transaction


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A draft on its way.

    Attributes:
        ticket: shared log of the ticket that it is about, for notes too.
        draft: what to say; its message id makes a repetition harmless.
        sealed: the last entry that may have been sent; ``None`` if none was.
        failed: code of the rule or refusal that stopped it; empty while it is on its way.
        files: what goes with it.
    """

    ticket: MailboxId
    draft: Draft
    sealed: Sealed | None = None
    failed: str = ""
    files: tuple[FileRow, ...] = ()


_FILE = tuple(field.name for field in fields(FileRow))
_FILES = ", ".join(_FILE)
_COLUMNS = "message_id, ticket, kind, body, seq, prev_hash, entry, hash, failed"


async def outgoing(queries: Queries) -> list[Outgoing]:
    """Return everything that is on its way, oldest first; what failed is not."""
    sql = f"SELECT {_COLUMNS} FROM outgoing WHERE failed = '' ORDER BY written_at, rowid"  # noqa: S608
    return [await _whole(queries, row) for row in await queries.fetch_all(sql)]


async def unsent(queries: Queries) -> list[Outgoing]:
    """Return what could not be sent and is kept, so that nobody has to write it again."""
    sql = f"SELECT {_COLUMNS} FROM outgoing WHERE failed != '' ORDER BY written_at, rowid"  # noqa: S608
    return [_outgoing(row) for row in await queries.fetch_all(sql)]


async def forget_unsent(change: Transaction) -> None:
    """Forget what could not be sent."""
    await change.execute("DELETE FROM outgoing WHERE failed != ''")


async def same_outgoing(queries: Queries, wanted: Outgoing) -> Outgoing | None:
    """Return what says the same in the same ticket: a person who repeats a command means that one."""
    for item in await outgoing(queries):
        same_words = (item.ticket, item.draft.kind, item.draft.body) == (
            wanted.ticket,
            wanted.draft.kind,
            wanted.draft.body,
        )
        if same_words and _named(item) == _named(wanted):
            return item
    return None


async def keep_draft(change: Transaction, item: Outgoing, *, now: int) -> None:
    """Keep a draft with its files before it is sealed."""
    draft = item.draft
    await change.execute(
        "INSERT OR IGNORE INTO outgoing (message_id, ticket, kind, body, written_at) VALUES (?, ?, ?, ?, ?)",
        *(draft.message_id, item.ticket, draft.kind, draft.body.to_bytes(), now),
    )
    sql = f"INSERT INTO outgoing_files (message_id, {_FILES}) VALUES (?{', ?' * len(_FILE)})"  # noqa: S608
    rows = [(draft.message_id, *(getattr(file, name) for name in _FILE)) for file in item.files]
    await change.execute_many(sql, rows)


async def uploaded(desk: Desk, item: Outgoing, on_progress: OnProgress) -> Outgoing:
    """Return a draft with the manifests of its files, all of which are at the relay then.

    Raises:
        UsageError: ``cannot_read``, ``file_changed``.
        TransportError: the relay cannot be reached; what is there already counts.
    """
    if not item.files:
        return item
    courier, place = Courier(desk.relay, _Uploads(desk.store)), _Place(item.ticket, desk.capability())
    key = item.draft.message_id
    sent = [await courier.upload(place, key, file, on_progress) for file in item.files]
    return replace(item, draft=replace(item.draft, attachments=tuple(sent)))


@dataclass(frozen=True, slots=True)
class _Uploads:
    """Keeps how far the uploads of what is on its way have come.

    Args:
        store: the local store.
    """

    store: Store

    async def set_upload(self, key: bytes, place: int, *, upload: bytes = b"", manifest: bytes = b"") -> None:
        """Note how far a file's upload has come; arguments as ``courier.Uploads``."""
        sql = "UPDATE outgoing_files SET upload = ?, manifest = ? WHERE message_id = ? AND place = ?"
        async with self.store.transaction() as change:
            await change.execute(sql, upload, manifest, key, place)


async def keep_sealed(change: Transaction, message_id: MessageId, sealed: Sealed) -> None:
    """Keep sealed bytes before they are sent."""
    await change.execute(
        "UPDATE outgoing SET seq = ?, prev_hash = ?, entry = ?, hash = ? WHERE message_id = ?",
        *(sealed.seq, sealed.prev_hash, sealed.entry, sealed.hash, message_id),
    )


async def was_sealed(queries: Queries, message_id: MessageId) -> bool:
    """Tell whether a draft was sealed, so that it may have been sent."""
    row = await queries.fetch_one("SELECT length(entry) FROM outgoing WHERE message_id = ?", message_id)
    return bool(row and row[0])


async def drop_draft(change: Transaction, message_id: MessageId) -> None:
    """Forget a draft that is stored, or that was never sent and is given back."""
    await change.execute("DELETE FROM outgoing WHERE message_id = ?", message_id)


async def mark_failed(change: Transaction, message_id: MessageId, error: SupportError) -> None:
    """Keep a draft that cannot be sent any more, with the reason."""
    await change.execute("UPDATE outgoing SET failed = ? WHERE message_id = ?", error.code, message_id)


@dataclass(frozen=True, slots=True)
class _Place:
    """A shared log, and the team's key to it."""

    mailbox: MailboxId
    capability: SigningKey


async def _whole(queries: Queries, row: Row) -> Outgoing:
    """Return a row's draft with its files, those that are uploaded as attachments."""
    sql = f"SELECT {_FILES} FROM outgoing_files WHERE message_id = ? ORDER BY place"  # noqa: S608
    rows = await queries.fetch_all(sql, row["message_id"])
    files = [FileRow(**{name: file[name] for name in _FILE}) for file in rows]
    return replace(_outgoing(row), files=tuple(files))


def _named(item: Outgoing) -> list[tuple[str, bytes | None]]:
    return [(file.path, file.data) for file in item.files]


def _outgoing(row: Row) -> Outgoing:
    kind = Kind(row["kind"])
    draft = Draft(kind, BODIES[kind].from_bytes(row["body"]), MessageId(row["message_id"]))
    place = Sealed(row["seq"], Hash(row["prev_hash"]), row["entry"], Hash(row["hash"]))
    return Outgoing(MailboxId(row["ticket"]), draft, place if place.entry else None, row["failed"])
