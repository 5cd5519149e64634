"""Sends what is kept, by compare-and-append: sealed bytes are kept before they go, and go once.

After a crash or a lost answer the log is read first, and what stands there already is not sent again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from e2e_support.codec import Message
from e2e_support.content import STAFF_BODIES, MessageBody, NoteBody
from e2e_support.conversation import Draft, Sealed
from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.reasons import refusal
from e2e_support.staff import StaffState, judge_staff
from e2e_support.thread import StaffThread
from e2e_support.ticket_state import Fact
from e2e_support.vocab import AuthorRole, Kind
from e2e_support_client import clock
from e2e_support_client.courier import prospect
from e2e_support_client.delivery import no_progress
from e2e_support_client.model import OnProgress
from e2e_support_console.alarms import new_alarm, raise_alarms
from e2e_support_console.collision import require_still
from e2e_support_console.desk import Desk
from e2e_support_console.drafts import Mode, put_back
from e2e_support_console.follow import Follower
from e2e_support_console.logs import Log
from e2e_support_console.outgoing import (
    Outgoing,
    drop_draft,
    keep_sealed,
    mark_failed,
    outgoing,
    uploaded,
    was_sealed,
)
from e2e_support_console.renewal import require_fresh, vouched
from e2e_support_console.staff_log import StaffLogs


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends as one device.

    Args:
        desk: the unlocked device.
    """

    desk: Desk

    async def settle_all(self) -> None:
        """Find out about everything that is on its way, and send what is not stored.

        Raises:
            TransportError: the relay is away; all is kept.
        """
        for item in await outgoing(self.desk.store):
            try:
                await self._settle(item)
            except TransportError:
                raise
            except SupportError as error:
                await self._trouble(item, error)

    async def send_new(
        self, item: Outgoing, log: Log, start: int | None = None, on_progress: OnProgress = no_progress
    ) -> None:
        """Send what a person has just asked for; what certainly was not sent is given back as their draft."""
        try:
            await self._send(item, log, start, on_progress)
        except (SupportError, asyncio.CancelledError) as error:
            doubt = await was_sealed(self.desk.store, item.draft.message_id)
            if isinstance(error, UsageError) or not doubt:
                async with self.desk.store.transaction() as change:
                    await drop_draft(change, item.draft.message_id)
                    if text := written(item):
                        await put_back(change, item.ticket, *text, item.files)
            elif isinstance(error, TransportError):
                raise unconfirmed(error.message, error.retry_after) from error
            raise

    async def _settle(self, item: Outgoing) -> None:
        log = await self.shared(item.ticket)
        if item.draft.kind in STAFF_BODIES:
            log = await StaffLogs(self.desk).ready(item.ticket, log.conversation.chain.head)
        await self._send(item, log)

    async def _trouble(self, item: Outgoing, error: SupportError) -> None:
        """Say where the administrator looks what keeps a draft from being sent, for now or for ever."""
        told = UsageError("not_sent", f"something you wrote was not sent: {error.message}", hint=error.hint)
        doubt = await was_sealed(self.desk.store, item.draft.message_id)
        async with self.desk.store.transaction() as change:
            if isinstance(error, UsageError) or not doubt:
                await mark_failed(change, item.draft.message_id, error)
            await raise_alarms(change, [new_alarm(told, now=clock.now(), mailbox=item.ticket)])

    async def _send(
        self, item: Outgoing, log: Log, start: int | None = None, on_progress: OnProgress = no_progress
    ) -> None:
        """Send a kept draft, unless it stands in the log already; what was seen on the way is kept.

        Args:
            item: the draft.
            log: where it goes.
            start: length of the log behind which nobody else may have written; ``None`` for wherever.
            on_progress: told of uploads.
        """
        if not _stands(log.thread.entries, item.draft, self.desk.author().author.key):
            try:
                whole = await uploaded(self.desk, item, on_progress)
                await self._push(whole, log, start)
            except SupportError:
                await Follower(self.desk).save(item.ticket, log)
                raise
        await Follower(self.desk).save(item.ticket, log, delivered=item.draft.message_id)

    async def _push(self, item: Outgoing, log: Log, start: int | None) -> None:
        draft, signer = item.draft, self.desk.author()
        blobs = [file.blob_id for file in draft.attachments]
        statement = await vouched(self.desk)

        def check() -> None:
            require_fresh(self.desk, statement)
            self.check(log, item)
            if start is not None:
                require_still(log, start, self.desk.roster.policy)

        async def keep(sealed: Sealed) -> None:
            async with self.desk.store.transaction() as change:
                await keep_sealed(change, draft.message_id, sealed)

        own = None
        if item.sealed is not None:
            own = await log.channel.settle(item.sealed, draft, signer.author, blobs=blobs, on_pulled=log.take)
        if own is None:
            own = await log.channel.push(
                draft, signer, blobs=blobs, keep=keep, check=check, on_pulled=log.take
            )
        if own.seq == len(log.thread.entries):
            log.take(own)

    async def shared(self, ticket: MailboxId) -> Log:
        """Return a shared log as the relay has it now, for a device that may write to it."""
        self.desk.writer()
        return await Follower(self.desk).shared(ticket)

    def check(self, log: Log, item: Outgoing) -> None:
        """Do nothing if the rules allow it; else raise the rule that stands against it."""
        kind, body = item.draft.kind, item.draft.body
        if isinstance(log.thread, StaffThread):
            self.check_staff(kind, body, log.thread.state)
            return
        log.thread.require_state()
        fact = replace(self._fact(log.length, kind, body), attachments=tuple(map(prospect, item.files)))
        log.thread.check(fact, self.desk.roster.policy)

    def check_staff(self, kind: Kind, body: Message, state: StaffState | None) -> None:
        """Do the same for what goes into a staff log, given the state of that log."""
        _, reason = judge_staff(state, self._fact(1, kind, body), self.desk.roster.policy)
        if reason:
            raise refusal(reason)

    def _fact(self, seq: int, kind: Kind, body: Message) -> Fact:
        device = self.desk.writer()
        return Fact(seq, kind, AuthorRole.DEVICE, body, clock.now(), device.role, device.device_id)


def written(item: Outgoing) -> tuple[Mode, str] | None:
    """Return for whom a text was written, and the text; ``None`` for what nobody writes in an editor."""
    match item.draft.body:
        case MessageBody(text=text):
            return Mode.REPLY, text
        case NoteBody(text=text):
            return Mode.NOTE, text
        case _:
            return None


def unconfirmed(why: str, retry_after: float | None = None) -> TransportError:
    """Return what is said of something that may have been stored or not."""
    return TransportError(
        "unconfirmed",
        f"it is not known whether it was stored: {why}",
        hint="It is kept on this device. The next command finds out and sends it, once.",
        retry_after=retry_after,
    )


def _stands(entries: list[Opened], draft: Draft, author: bytes) -> bool:
    wanted = (draft.message_id, author)
    return any(
        entry.inner and (entry.inner.message_id, entry.inner.author.key) == wanted for entry in entries
    )
