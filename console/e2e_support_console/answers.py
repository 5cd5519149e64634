"""Answers to users and notes for colleagues: drafts until they are sent, with files, with a moment to take them back.

An answer that waits for its moment to pass is a draft until then. So a process that is killed meanwhile has sent
nothing, nothing is sent later without anybody's word, and the next run says that this draft was to be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from e2e_support.content import MessageBody
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.policy_parts import Staff, StaffIdentity
from e2e_support.vocab import Kind
from e2e_support_client.courier import prepare
from e2e_support_client.delivery import no_progress
from e2e_support_client.model import Attachable, OnProgress
from e2e_support_client.outbox_store import FileRow
from e2e_support_console.collision import require_seen
from e2e_support_console.desk import Desk
from e2e_support_console.drafts import Mode, put_back, set_waiting
from e2e_support_console.index import seen_upto
from e2e_support_console.lifecycle import TicketLife
from e2e_support_console.model import InboxTicket
from e2e_support_console.ticket_row import TicketRow

NO_DELAY = timedelta(0)


class Answers(TicketLife):
    """What people write in an editor, besides everything else that they do with a ticket."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._waiting: dict[MailboxId, asyncio.Event] = {}

    async def reply(  # noqa: PLR0913 - options by keyword
        self,
        number: str,
        text: str,
        *,
        as_team: bool | None = None,
        anyway: bool = False,
        as_seen: bool = False,
        set_status: str = "",
        attachments: Sequence[Attachable] = (),
        delay: timedelta = NO_DELAY,
        on_waiting: Callable[[], None] = lambda: None,
        on_progress: OnProgress = no_progress,
    ) -> InboxTicket:
        """Answer a ticket's user. Until it is on its way, and where it is refused, it is the ticket's draft.

        Args:
            number: the ticket.
            text: what to say; may be empty if there are attachments.
            as_team: show the team instead of the administrator, where the policy leaves the choice.
            anyway: send even if somebody else wrote in the same moment.
            as_seen: nor send if others said something since ``get`` last showed the ticket on this device.
            set_status: id of the label that the ticket is to have afterwards.
            attachments: paths or ``FileSpec``; pictures lose their hidden data, as users' pictures do.
            delay: in which ``unsend`` takes it back.
            on_waiting: told when this time begins.
            on_progress: told of uploads.

        Returns:
            The ticket's line in the inbox.

        Raises:
            UsageError: ``unsent``; a rule stands against it, or ``TicketMoved``; nothing was sent.
            TransportError: the relay is away and nothing was sent; or ``unconfirmed``, and the next command or
                ``sync`` finds out and sends it once.
            PeerError, TrustError: relay or team are not as they must be; nothing more is sent.
        """
        row = await self._follower.find(number)
        await self._hold(row.mailbox, Mode.REPLY, text)
        files = [await prepare(attached, place) for place, attached in enumerate(attachments)]
        await self._hold(row.mailbox, Mode.REPLY, text, files)
        if as_seen and not anyway:
            await self._require_seen(row)
        since = None
        if delay > NO_DELAY:
            since = (await self._desk.load(row.mailbox)).length
            await self._wait(row.mailbox, delay, on_waiting)
        shown = self.as_team(self._desk.roster.policy.staff, wanted=as_team)
        await self._writer.write(
            row.mailbox,
            Kind.MESSAGE,
            MessageBody(text, int(shown)),
            anyway=anyway,
            files=files,
            since=since,
            on_progress=on_progress,
        )
        return await self.set_status(number, set_status) if set_status else await self._line(row)

    async def note(self, number: str, text: str, *, mentions: Iterable[str] = ()) -> InboxTicket:
        """Write a note as ``TicketLife.note``; until it is on its way it is a draft."""
        row = await self._follower.find(number)
        await self._hold(row.mailbox, Mode.NOTE, text)
        return await super().note(number, text, mentions=mentions)

    async def unsend(self, number: str) -> bool:
        """Take back an answer whose moment has not passed; tell whether there was one.

        Raises:
            UsageError: ``bad_number`` or ``no_ticket``.
        """
        waiting = self._waiting.get((await self._follower.find(number)).mailbox)
        if waiting is not None:
            waiting.set()
        return waiting is not None

    async def _require_seen(self, row: TicketRow) -> None:
        """Look for words that came after the ticket was shown; one that was never shown is answered on purpose."""
        await self._follower.bring_up(row)
        seen = await seen_upto(self._desk.store, row.mailbox)
        if seen:
            log = await self._desk.load(row.mailbox)
            require_seen(log, seen, self._desk.roster.policy, self._desk.author().author.key)

    async def _wait(self, ticket: MailboxId, delay: timedelta, on_waiting: Callable[[], None]) -> None:
        """Let the moment pass.

        Raises:
            UsageError: ``unsent``, or ``answer_waiting`` where another answer to the ticket waits.
        """
        if ticket in self._waiting:
            raise UsageError(
                "answer_waiting", "another answer to this ticket waits", hint="Take it back, or wait."
            )
        taken_back = self._waiting[ticket] = asyncio.Event()
        await self._note_waiting(ticket, waits=True)
        on_waiting()
        try:
            async with asyncio.timeout(delay.total_seconds()):
                await taken_back.wait()
        except TimeoutError:
            return
        finally:
            del self._waiting[ticket]
            await self._note_waiting(ticket, waits=False)
        raise UsageError("unsent", "nothing was sent", hint="The text is the ticket's draft again.")

    async def _note_waiting(self, ticket: MailboxId, *, waits: bool) -> None:
        async with self._desk.store.transaction() as change:
            await set_waiting(change, ticket, waits=waits)

    async def _hold(self, ticket: MailboxId, mode: Mode, text: str, files: Sequence[FileRow] = ()) -> None:
        async with self._desk.store.transaction() as change:
            await put_back(change, ticket, mode, text, files)

    @staticmethod
    def as_team(staff: Staff, *, wanted: bool | None) -> bool:
        """The policy decides under which name the team answers, where it does not leave the choice."""
        if staff.identity is StaffIdentity.PER_ADMIN:
            return bool(staff.as_team) if wanted is None else wanted
        return staff.identity is StaffIdentity.TEAM
