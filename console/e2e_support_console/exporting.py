"""Tickets leave the console: written into one file, signed by this device, notes only where a person asks for them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from e2e_support.content import Attachment
from e2e_support.conversation import Conversation
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.thread import StaffThread, Thread
from e2e_support.ticket_state import advance
from e2e_support_client import clock
from e2e_support_client.archive.writing import Fetch, Leaving, exporting, kept_log
from e2e_support_client.delivery import no_progress
from e2e_support_client.download import download
from e2e_support_client.model import OnProgress, Progress
from e2e_support_client.told_apart import told_apart
from e2e_support_client.view import messages
from e2e_support_console.desk import Desk
from e2e_support_console.index import records, tickets
from e2e_support_console.reading import profile_of, thread_messages
from e2e_support_console.ticket_desk import TicketDesk
from e2e_support_console.ticket_row import TicketRow


class Exporting(TicketDesk):
    """The export of ``TeamClient.inbox``; arguments as ``TicketDesk``."""

    async def export(
        self,
        target: str | os.PathLike[str],
        *numbers: str,
        notes: bool = False,
        attachments: bool = True,
        force: bool = False,
        on_progress: OnProgress = no_progress,
    ) -> int:
        """Write tickets into one file that anybody can read and verify offline; return how many.

        They leave as the local store has them; ``sync`` first. All of it is in the clear; keys are not in it.

        Args:
            target: the file to make.
            numbers: which tickets; all by default, closed and archived ones among them.
            notes: whether the staff logs go with them: whoever gets the file reads every note.
            attachments: whether their files go with them.
            force: whether an existing file is replaced.
            on_progress: told after every ticket.

        Raises:
            UsageError: ``bad_number``, ``no_ticket``, ``no_tickets``, ``file_exists``, ``cannot_write``.
            SupportError: a file could not be fetched; nothing was written.
        """
        desk = self._desk
        rows = [await self._follower.find(number) for number in numbers] or await tickets(desk.store)
        if not rows:
            raise UsageError("no_tickets", "there is nothing to export yet", hint="Fetch the inbox first.")
        if attachments:
            await desk.team.refresh()  # an old epoch's capability opens nothing at the relay
        with exporting(Path(target), desk.roster, force=force) as export:
            for done, row in enumerate(rows, 1):
                fetch = _fetch(desk, row.mailbox) if attachments and row.files else None
                await export.add(await _leaving(desk, row, fetch, notes=notes))
                on_progress(Progress("export", done, len(rows), row.number))
            await asyncio.to_thread(export.seal, [desk.bundle.signer()], now=clock.now())
        return len(rows)


async def _leaving(desk: Desk, row: TicketRow, fetch: Fetch | None, *, notes: bool) -> Leaving:
    roster = desk.roster
    shared, staff = Thread(roster), StaffThread(roster)
    opened = kept_log(_log(desk, row.mailbox), await records(desk.store, row.mailbox), shared)
    noted = await records(desk.store, row.staff_log) if notes else []
    internal = kept_log(_log(desk, row.staff_log, staff=True), noted, staff)
    user = profile_of(shared.entries).get("name") or "User"
    said = (  # without notes the pages are those that its user could make
        thread_messages(shared.entries, staff.entries, roster.policy, user)
        if notes
        else messages(shared.entries, roster.policy, user)
    )
    state = advance(shared.require_state(), clock.now())
    staff_log = row.staff_log if internal else None
    return Leaving(
        row.number, row.mailbox, opened, state, tuple(told_apart(said, roster)), fetch, staff_log, internal
    )


def _log(desk: Desk, mailbox: MailboxId, *, staff: bool = False) -> Conversation:
    return Conversation(mailbox, desk.roster, desk.team.keys, staff)


def _fetch(desk: Desk, mailbox: MailboxId) -> Fetch:
    async def fetch(manifest: Attachment, place: Path) -> None:
        await download(desk.relay, mailbox, desk.capability(), manifest, place)

    return fetch
