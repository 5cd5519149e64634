"""Writes to a ticket's logs: rules first, then what is to be said is kept, then it is sent, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from e2e_support.codec import Message
from e2e_support.content import StaffBody
from e2e_support.conversation import Draft
from e2e_support.ids import ID_SIZE, MailboxId, MessageId
from e2e_support.staff import StaffState
from e2e_support.vocab import Kind
from e2e_support.wire import Head
from e2e_support_client import clock
from e2e_support_client.delivery import no_progress
from e2e_support_client.model import OnProgress
from e2e_support_client.outbox_store import FileRow
from e2e_support_console.desk import Desk
from e2e_support_console.drafts import take_out
from e2e_support_console.outgoing import Outgoing, keep_draft, outgoing, same_outgoing
from e2e_support_console.sending import Sender, written
from e2e_support_console.staff_log import StaffLogs


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes as one device.

    Args:
        desk: the unlocked device.
    """

    desk: Desk

    @property
    def _sender(self) -> Sender:
        return Sender(self.desk)

    async def write(
        self,
        ticket: MailboxId,
        kind: Kind,
        body: Message,
        *,
        anyway: bool = False,
        files: Sequence[FileRow] = (),
        since: int | None = None,
        on_progress: OnProgress = no_progress,
    ) -> None:
        """Write to a ticket's shared log.

        Args:
            ticket: the shared log.
            kind: what it is.
            body: what it says.
            anyway: write even if somebody else wrote in the same moment.
            files: what goes with it, from ``courier.prepare``; nothing is uploaded that the rules refuse.
            since: how long the log was when the administrator decided; now by default.
            on_progress: told of uploads.

        Raises:
            UsageError: a rule of the ticket stands against it, or ``TicketMoved``; nothing was sent.
            TransportError: the relay is away and nothing was sent, or ``unconfirmed``.
            PeerError, TrustError: relay or team are not as they must be; nothing more is sent.
        """
        log = await self._sender.shared(ticket)
        item = _outgoing(ticket, kind, body, files)
        self._sender.check(log, item)
        item = await same_outgoing(self.desk.store, item) or await self._kept(item)
        start = log.length if since is None else since
        await self._sender.send_new(item, log, None if anyway else start, on_progress)

    async def write_staff(self, ticket: MailboxId, kind: Kind, against: Callable[[Head], StaffBody]) -> None:
        """Write to a ticket's staff log; errors as ``write``.

        Args:
            ticket: the shared log.
            kind: what it is.
            against: returns what it says, given the shared head that it is written against.
        """
        shared = await self._sender.shared(ticket)
        body = against(shared.conversation.chain.head)
        self._sender.check_staff(kind, body, StaffState())  # before anything is created for it
        log = await StaffLogs(self.desk).ready(ticket, shared.conversation.chain.head)
        known = await self._same_staff(ticket, kind, body)
        item = known or await self._kept(_outgoing(ticket, kind, body))
        await self._sender.send_new(item, log)

    async def _kept(self, item: Outgoing) -> Outgoing:
        """Keep what is to be sent; from now on it is no draft any more."""
        async with self.desk.store.transaction() as change:
            await keep_draft(change, item, now=clock.now())
            if text := written(item):
                await take_out(change, item.ticket, *text, item.files)
        return item

    async def _same_staff(self, ticket: MailboxId, kind: Kind, wanted: StaffBody) -> Outgoing | None:
        """Return what says the same and is on its way; its shared head may be an older one."""
        for item in await outgoing(self.desk.store):
            body = item.draft.body
            if (item.ticket, item.draft.kind) != (ticket, kind) or not isinstance(body, StaffBody):
                continue
            if replace(body, shared=wanted.shared) == wanted:
                return item
        return None


def _outgoing(ticket: MailboxId, kind: Kind, body: Message, files: Sequence[FileRow] = ()) -> Outgoing:
    draft = Draft(kind, type(body).from_bytes(body.to_bytes()), _message_id())
    return Outgoing(ticket, draft, files=tuple(files))


def _message_id() -> MessageId:
    return MessageId(clock.random(ID_SIZE))
