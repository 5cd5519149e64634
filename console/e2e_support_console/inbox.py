"""What an administrator can do with tickets: list, read, answer, note, resolve, close, reopen, download."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from e2e_support.content import Attachment
from e2e_support_client.download import download
from e2e_support_client.model import Message
from e2e_support_client.part_file import target_in
from e2e_support_console.erasing import Erasing
from e2e_support_console.exporting import Exporting
from e2e_support_console.index import mark_seen, same_user
from e2e_support_console.lists import Lists
from e2e_support_console.merging import Merging
from e2e_support_console.model import TicketView, Unsent
from e2e_support_console.names import member_names
from e2e_support_console.on_behalf import OnBehalf
from e2e_support_console.outgoing import unsent
from e2e_support_console.reading import (
    attachments,
    choose_file,
    inbox_ticket,
    opening_of,
    ticket_view,
    unsent_text,
)
from e2e_support_console.settling import settle


class Inbox(OnBehalf, Merging, Lists, Exporting, Erasing):
    """The team's tickets as one device sees them; ``TeamClient.inbox``. Numbers are ``T-XXXXX-XXXXX``."""

    # --- reading -----------------------------------------------------------------------------------------

    async def get(self, number: str, *, mark_read: bool = True, fetch: bool = True) -> TicketView:
        """Return a whole ticket, from the relay if it can be reached, else from the local store.

        Args:
            number: its number.
            mark_read: note that the administrator has seen it.
            fetch: ask the relay at all.

        Raises:
            UsageError: ``bad_number`` or ``no_ticket``; ``erased`` (``tombstones.Erased``) says by whom and when.
        """
        row = await self._follower.find(number)
        offline = await self._follower.bring_up(row) if fetch else ""
        shared = await self._desk.load(row.mailbox)
        staff = await self._desk.load(row.staff_log, staff=True)
        if mark_read:
            async with self._desk.store.transaction() as change:
                await mark_seen(change, row.mailbox, shared.length)
        await settle(self._desk)
        others, names = await same_user(self._desk.store, row.mailbox), member_names(self._desk.roster)
        lines = [inbox_ticket(other, names) for other in others]
        return ticket_view(await self._line(row), shared, staff, self._desk.roster, lines, offline)

    async def messages(self, number: str) -> AsyncIterator[Message]:
        """Yield what was said in a ticket, notes among it; errors as ``get``."""
        for message in (await self.get(number)).messages:
            yield message

    async def unsent(self) -> tuple[Unsent, ...]:
        """Return what was written here and could not be sent any more, oldest first."""
        return tuple(unsent_text(item) for item in await unsent(self._desk.store))

    async def debug(self, number: str) -> bytes:
        """Return the debug data exactly as the user saw and sent it; empty if there is none.

        Raises:
            UsageError: ``bad_number`` or ``no_ticket``.
        """
        row = await self._follower.find(number)
        opening = opening_of((await self._desk.load(row.mailbox)).thread.entries)
        return opening.debug if opening else b""

    async def download(
        self, number: str, name: str, target: str | os.PathLike[str], *, force: bool = False
    ) -> Path:
        """Fetch a file, verify every byte, and save it; it is never opened.

        Args:
            number: the ticket.
            name: the file's name as the ticket shows it; ``#2`` behind it means the second of that name.
            target: the file to make, or the folder to make it in.
            force: whether an existing file is replaced.

        Returns:
            Where it is.

        Raises:
            UsageError: ``no_ticket``, ``no_file``, ``ambiguous_file``, ``file_exists`` and others.
            PeerError: the bytes are not those that were sent; nothing was kept.
            TransportError: the relay cannot be reached.
        """
        row = await self._follower.find(number)
        await self._desk.team.refresh()
        log = await self._desk.load(row.mailbox)
        manifest = choose_file(attachments(log.thread.entries), name)
        place = await asyncio.to_thread(_place, Path(target), manifest)
        capability = self._desk.capability()
        return await download(self._desk.relay, row.mailbox, capability, manifest, place, force=force)


def _place(target: Path, manifest: Attachment) -> Path:
    return target_in(target, manifest) if target.is_dir() else target
