"""What an administrator can do with tickets: list, read, answer, note, resolve, close, reopen, download."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

<<<<<<< console/e2e_support_console/inbox.py
from e2e_support.content import Attachment, MessageBody
from e2e_support.policy_parts import Staff, StaffIdentity
=======
from e2e_support.content import (
    Attachment,
    CloseBody,
    ReopenBody,
    ResolutionBody,
    StatusBody,
)
>>>>>>> /tmp/bench.new
from e2e_support.vocab import Kind
from e2e_support_client.files import target_in
from e2e_support_client.model import Message
from e2e_support_client.transfer import download
from e2e_support_console.answers import Answers
from e2e_support_console.index import mark_seen
from e2e_support_console.lifecycle import TicketLife
from e2e_support_console.lists import Lists
from e2e_support_console.model import InboxTicket, TicketView, Unsent
from e2e_support_console.outgoing import unsent
from e2e_support_console.reading import (
    attachments,
    choose_file,
    opening_of,
    ticket_view,
    unsent_text,
)


<<<<<<< console/e2e_support_console/inbox.py
class Inbox(TicketLife, Lists):
=======
class Inbox(Answers, Lists):
>>>>>>> /tmp/bench.new
    """The team's tickets as one device sees them; ``TeamClient.inbox``. Numbers are ``T-XXXXX-XXXXX``."""

    # --- reading -----------------------------------------------------------------------------------------

    async def get(self, number: str, *, mark_read: bool = True, fetch: bool = True) -> TicketView:
        """Return a whole ticket, from the relay if it can be reached, else from the local store.

        Args:
            number: its number.
            mark_read: note that the administrator has seen it.
            fetch: ask the relay at all.

        Raises:
            UsageError: ``bad_number`` or ``no_ticket``.
        """
        row = await self._follower.find(number)
        offline = await self._follower.bring_up(row) if fetch else ""
        shared = await self._desk.load(row.mailbox)
        staff = await self._desk.load(row.staff_log, staff=True)
        if mark_read:
            async with self._desk.store.transaction() as change:
                await mark_seen(change, row.mailbox, shared.length)
        return ticket_view(await self._line(row), shared, staff, self._desk.roster.policy, offline)

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

    # --- writing -----------------------------------------------------------------------------------------

<<<<<<< console/e2e_support_console/inbox.py
    async def reply(
        self,
        number: str,
        text: str,
        *,
        as_team: bool | None = None,
        anyway: bool = False,
        set_status: str = "",
    ) -> InboxTicket:
        """Answer a ticket's user.

        Args:
            number: the ticket.
            text: what to say.
            as_team: show the team instead of the administrator, where the policy leaves the choice.
            anyway: send even if somebody else wrote in the same moment.
            set_status: id of the label that the ticket is to have afterwards.

        Returns:
            The ticket's line in the inbox.

        Raises:
            UsageError: a rule stands against it, or ``ticket_moved``; nothing was sent.
            TransportError: the relay is away and nothing was sent; or ``unconfirmed``, and the next command or
                ``sync`` finds out and sends it once.
            PeerError, TrustError: relay or team are not as they must be; nothing more is sent.
        """
        shown = self.as_team(self._desk.roster.policy.staff, wanted=as_team)
        line = await self._write(number, Kind.MESSAGE, MessageBody(text, int(shown)), anyway=anyway)
        return await self.set_status(number, set_status) if set_status else line
=======
    async def resolve(self, number: str, note: str) -> InboxTicket:
        """Mark a ticket resolved, with the note that stays pinned; errors as ``reply``."""
        return await self._write(number, Kind.RESOLUTION, ResolutionBody(note))

    async def close(self, number: str, note: str = "") -> InboxTicket:
        """Close a ticket; errors as ``reply``."""
        return await self._write(number, Kind.CLOSE, CloseBody(note, ""))

    async def reopen(self, number: str, text: str = "") -> InboxTicket:
        """Open a resolved or closed ticket again; errors as ``reply``."""
        return await self._write(number, Kind.REOPEN, ReopenBody(text))

    async def set_status(
        self, number: str, *, progress: bool | None = None, waiting_user: bool | None = None
    ) -> InboxTicket:
        """Set or clear what the team is doing with a ticket; ``None`` leaves it. Errors as ``reply``."""
        return await self._write(number, Kind.STATUS, StatusBody(_switch(progress), _switch(waiting_user)))
>>>>>>> /tmp/bench.new


def _place(target: Path, manifest: Attachment) -> Path:
    return target_in(target, manifest) if target.is_dir() else target
