"""What this administrator is writing and has not sent: one text per ticket and reader, encrypted on this device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from e2e_support.ids import MailboxId
from e2e_support.ticket_keys import ticket_number
from e2e_support_client import clock
from e2e_support_client.model import utc
from e2e_support_console.desk import Desk
from e2e_support_console.follow import Follower
from e2e_support_keys.store import Queries, Transaction

_BETWEEN: Final = "\n\n"


class Mode(StrEnum):
    """For whom a text is written. The two never share a draft: a note must not go to a user by a slip."""

    REPLY = "reply"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class WrittenDraft:
    """A text that was not sent.

    Attributes:
        number: its ticket.
        mode: for whom.
        text: what was written.
        at: when.
    """

    number: str
    mode: Mode
    text: str
    at: datetime


class Drafts:
    """The drafts on this device; ``TeamClient.drafts``.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def list(self) -> tuple[WrittenDraft, ...]:
        """Return all of them, the newest first."""
        sql = "SELECT ticket, mode, text, written_at FROM drafts ORDER BY written_at DESC, ticket, mode"
        rows = await self._desk.store.fetch_all(sql)
        return tuple(
            WrittenDraft(ticket_number(MailboxId(row[0])), Mode(row[1]), row[2], utc(row[3])) for row in rows
        )

    async def get(self, number: str, mode: Mode = Mode.REPLY) -> str:
        """Return the draft of a ticket; empty if there is none.

        Raises:
            UsageError: ``bad_number`` or ``no_ticket``.
        """
        return await draft_of(self._desk.store, await self._mailbox(number), mode)

    async def keep(self, number: str, text: str, mode: Mode = Mode.REPLY) -> None:
        """Keep a text as the draft of a ticket, in the place of an earlier one; errors as ``get``."""
        mailbox = await self._mailbox(number)
        async with self._desk.store.transaction() as change:
            await keep_text(change, mailbox, mode, text)

    async def discard(self, number: str, mode: Mode = Mode.REPLY) -> None:
        """Forget the draft of a ticket; errors as ``get``."""
        mailbox = await self._mailbox(number)
        async with self._desk.store.transaction() as change:
            await drop_text(change, mailbox, mode)

    async def _mailbox(self, number: str) -> MailboxId:
        return (await Follower(self._desk).find(number)).mailbox


async def draft_of(queries: Queries, ticket: MailboxId, mode: Mode) -> str:
    """Return the draft of a ticket; empty if there is none."""
    row = await queries.fetch_one("SELECT text FROM drafts WHERE ticket = ? AND mode = ?", ticket, mode.value)
    return str(row[0]) if row else ""


async def put_back(change: Transaction, ticket: MailboxId, mode: Mode, text: str) -> None:
    """Put a text that may not be sent into the draft, behind what stands there."""
    before = await draft_of(change, ticket, mode)
    if text and not _ends_with(before, text):
        await keep_text(change, ticket, mode, before + _BETWEEN + text if before else text)


async def take_out(change: Transaction, ticket: MailboxId, mode: Mode, text: str) -> None:
    """Take a text that is on its way now out of the draft; what else stands there stays."""
    before = await draft_of(change, ticket, mode)
    if _ends_with(before, text):
        await keep_text(change, ticket, mode, before.removesuffix(text).removesuffix(_BETWEEN))


async def keep_text(change: Transaction, ticket: MailboxId, mode: Mode, text: str) -> None:
    """Keep a text as the draft of a ticket; an empty one is none."""
    await drop_text(change, ticket, mode)
    if text:
        sql = "INSERT INTO drafts (ticket, mode, text, written_at) VALUES (?, ?, ?, ?)"
        await change.execute(sql, ticket, mode.value, text, clock.now())


def _ends_with(draft: str, text: str) -> bool:
    return draft == text or draft.endswith(_BETWEEN + text)


async def drop_text(change: Transaction, ticket: MailboxId, mode: Mode) -> None:
    """Forget the draft of a ticket."""
    await change.execute("DELETE FROM drafts WHERE ticket = ? AND mode = ?", ticket, mode.value)
