"""What this device wants to say and does not know to be stored: kept encrypted before the first attempt."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_support.codec import Message
from e2e_support.content import BODIES
from e2e_support.conversation import Draft, Sealed
from e2e_support.errors import SupportError
from e2e_support.ids import Hash, MailboxId, MessageId
from e2e_support.vocab import Kind
from e2e_support_keys.store import Queries, Row, Transaction


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A draft on its way.

    Attributes:
        ticket: shared log of the ticket that it is about, for notes too.
        draft: what to say; its message id makes a repetition harmless.
        sealed: the last entry that may have been sent; ``None`` if none was.
        failed: code of the rule or refusal that stopped it; empty while it is on its way.
    """

    ticket: MailboxId
    draft: Draft
    sealed: Sealed | None = None
    failed: str = ""


_COLUMNS = "message_id, ticket, kind, body, seq, prev_hash, entry, hash, failed"


async def outgoing(queries: Queries) -> list[Outgoing]:
    """Return everything that is on its way, oldest first; what failed is not."""
    sql = f"SELECT {_COLUMNS} FROM outgoing WHERE failed = '' ORDER BY written_at, rowid"  # noqa: S608
    return [_outgoing(row) for row in await queries.fetch_all(sql)]


async def unsent(queries: Queries) -> list[Outgoing]:
    """Return what could not be sent and is kept, so that nobody has to write it again."""
    sql = f"SELECT {_COLUMNS} FROM outgoing WHERE failed != '' ORDER BY written_at, rowid"  # noqa: S608
    return [_outgoing(row) for row in await queries.fetch_all(sql)]


async def forget_unsent(change: Transaction) -> None:
    """Forget what could not be sent."""
    await change.execute("DELETE FROM outgoing WHERE failed != ''")


async def same_outgoing(queries: Queries, ticket: MailboxId, kind: Kind, body: Message) -> Outgoing | None:
    """Return a draft that says the same in the same ticket: a person who repeats a command means that one."""
    sql = f"SELECT {_COLUMNS} FROM outgoing WHERE ticket = ? AND kind = ? AND body = ? AND failed = ''"  # noqa: S608
    row = await queries.fetch_one(sql, ticket, kind, body.to_bytes())
    return _outgoing(row) if row else None


async def keep_draft(change: Transaction, ticket: MailboxId, draft: Draft, *, now: int) -> None:
    """Keep a draft before it is sealed."""
    await change.execute(
        "INSERT OR IGNORE INTO outgoing (message_id, ticket, kind, body, written_at) VALUES (?, ?, ?, ?, ?)",
        *(draft.message_id, ticket, draft.kind, draft.body.to_bytes(), now),
    )


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


def _outgoing(row: Row) -> Outgoing:
    kind = Kind(row["kind"])
    draft = Draft(kind, BODIES[kind].from_bytes(row["body"]), MessageId(row["message_id"]))
    place = Sealed(row["seq"], Hash(row["prev_hash"]), row["entry"], Hash(row["hash"]))
    return Outgoing(MailboxId(row["ticket"]), draft, place if place.entry else None, row["failed"])
