"""What this administrator is writing and has not sent: one text per ticket and reader, encrypted on this device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.ticket_keys import ticket_number
from e2e_support_client import clock
from e2e_support_client.courier import prepare
from e2e_support_client.model import Attachable, utc
from e2e_support_client.outbox_store import FileRow
from e2e_support_console.desk import Desk
from e2e_support_console.draft_files import DraftFile, draft_files, drop_files, keep_files
from e2e_support_console.follow import Follower
from e2e_support_keys.store import Queries, Row, Transaction

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
        files: what goes with it.
        waits: whether it waits for its moment to pass, or did when the program was stopped.
    """

    number: str
    mode: Mode
    text: str
    at: datetime
    files: tuple[DraftFile, ...] = ()
    waits: bool = False


class Drafts:
    """The drafts on this device; ``TeamClient.drafts``.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def list(self) -> tuple[WrittenDraft, ...]:
        """Return all of them, the newest first."""
        store = self._desk.store
        rows = await store.fetch_all("SELECT * FROM drafts ORDER BY written_at DESC, ticket, mode")
        return tuple([await _written(store, row) for row in rows])

    async def find(self, number: str, mode: Mode = Mode.REPLY) -> WrittenDraft | None:
        """Return the draft of a ticket, if there is one.

        Raises:
            UsageError: ``bad_number`` or ``no_ticket``.
        """
        sql = "SELECT * FROM drafts WHERE ticket = ? AND mode = ?"
        row = await self._desk.store.fetch_one(sql, await self._mailbox(number), mode.value)
        return await _written(self._desk.store, row) if row else None

    async def get(self, number: str, mode: Mode = Mode.REPLY) -> str:
        """Return the text of a draft; empty if there is none; errors as ``find``."""
        return await draft_of(self._desk.store, await self._mailbox(number), mode)

    async def keep(self, number: str, text: str, mode: Mode = Mode.REPLY) -> None:
        """Keep a text as the draft of a ticket, in the place of an earlier one; its files stay; errors as ``find``."""
        mailbox = await self._mailbox(number)
        async with self._desk.store.transaction() as change:
            await keep_text(change, mailbox, mode, text)

    async def attach(self, number: str, attachments: Sequence[Attachable]) -> None:
        """Let files go with a ticket's answer. They are read when it goes: leave them where they are until then.

        Args:
            number: the ticket.
            attachments: paths or ``FileSpec``, whose bytes are kept.

        Raises:
            UsageError: as ``find``; ``cannot_read`` or ``file_too_large``.
        """
        mailbox = await self._mailbox(number)
        files = [await prepare(attached, place) for place, attached in enumerate(attachments)]
        async with self._desk.store.transaction() as change:
            await put_back(change, mailbox, Mode.REPLY, "", files)

    async def detach(self, number: str, name: str) -> None:
        """Let a file not go with a ticket's answer.

        Raises:
            UsageError: as ``find``; ``no_file``.
        """
        mailbox = await self._mailbox(number)
        files = await draft_files(self._desk.store, mailbox)
        gone = [(file.name, file.path) for file in files if name in {file.name, file.path}]
        if not gone:
            names = ", ".join(file.name for file in files) or "none"
            raise UsageError("no_file", f"{name} does not go with this draft", hint=f"There are: {names}.")
        async with self._desk.store.transaction() as change:
            await drop_files(change, mailbox, gone)
            await _tidy(change, mailbox)

    async def discard(self, number: str, mode: Mode = Mode.REPLY) -> None:
        """Forget the draft of a ticket and its files; errors as ``find``."""
        mailbox = await self._mailbox(number)
        async with self._desk.store.transaction() as change:
            if mode is Mode.REPLY:
                await change.execute("DELETE FROM draft_files WHERE ticket = ?", mailbox)
            await change.execute("DELETE FROM drafts WHERE ticket = ? AND mode = ?", mailbox, mode.value)

    async def _mailbox(self, number: str) -> MailboxId:
        return (await Follower(self._desk).find(number)).mailbox


async def draft_of(queries: Queries, ticket: MailboxId, mode: Mode) -> str:
    """Return the draft of a ticket; empty if there is none."""
    row = await queries.fetch_one("SELECT text FROM drafts WHERE ticket = ? AND mode = ?", ticket, mode.value)
    return str(row[0]) if row else ""


async def put_back(
    change: Transaction, ticket: MailboxId, mode: Mode, text: str, files: Sequence[FileRow] = ()
) -> None:
    """Put what may not be sent into the draft, the text behind what stands there."""
    before = await draft_of(change, ticket, mode)
    there = not text or _ends_with(before, text)
    await keep_files(change, ticket, files)
    await keep_text(change, ticket, mode, before if there else before + _BETWEEN * bool(before) + text)


async def take_out(
    change: Transaction, ticket: MailboxId, mode: Mode, text: str, files: Sequence[FileRow] = ()
) -> None:
    """Take what is on its way now out of the draft; what else stands there stays."""
    before = await draft_of(change, ticket, mode)
    await drop_files(change, ticket, [(file.name, file.path) for file in files])
    rest = before.removesuffix(text).removesuffix(_BETWEEN) if _ends_with(before, text) else before
    await keep_text(change, ticket, mode, rest)


async def keep_text(change: Transaction, ticket: MailboxId, mode: Mode, text: str) -> None:
    """Keep a text as the draft of a ticket; one without text and files is none."""
    sql = "INSERT OR REPLACE INTO drafts (ticket, mode, text, written_at) VALUES (?, ?, ?, ?)"
    await change.execute(sql, ticket, mode.value, text, clock.now())
    await _tidy(change, ticket)


async def set_waiting(change: Transaction, ticket: MailboxId, *, waits: bool) -> None:
    """Note that an answer waits for its moment to pass, or does not any more."""
    sql = "UPDATE drafts SET waits = ? WHERE ticket = ? AND mode = 'reply'"
    await change.execute(sql, waits, ticket)


async def _tidy(change: Transaction, ticket: MailboxId) -> None:
    await change.execute(
        "DELETE FROM drafts WHERE ticket = ?1 AND text = '' AND "
        "(mode = 'note' OR NOT EXISTS (SELECT 1 FROM draft_files WHERE ticket = ?1))",
        ticket,
    )


def _ends_with(draft: str, text: str) -> bool:
    return draft == text or draft.endswith(_BETWEEN + text)


async def _written(queries: Queries, row: Row) -> WrittenDraft:
    ticket, mode = MailboxId(row["ticket"]), Mode(row["mode"])
    files = await draft_files(queries, ticket) if mode is Mode.REPLY else ()
    at, waits = utc(row["written_at"]), bool(row["waits"])
    return WrittenDraft(ticket_number(ticket), mode, row["text"], at, files, waits)
