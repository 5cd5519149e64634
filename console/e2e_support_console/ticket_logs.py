"""A ticket's two logs as the store holds them, for reading: no key is needed for what was opened before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from e2e_support.conversation import Conversation
from e2e_support.crypto.secret import Secret
from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId
from e2e_support.roster import TrustedRoster
from e2e_support.thread import StaffThread, Thread
from e2e_support.wire import Entry
from e2e_support_console.index import records
from e2e_support_keys.store import Queries

T = TypeVar("T", Thread, StaffThread)


@dataclass(frozen=True, slots=True)
class TicketLogs:
    """A ticket.

    Attributes:
        mailbox: id of its shared log.
        staff_log: id of its staff log.
        shared: the shared log.
        staff: the staff log; without entries where there is none.
    """

    mailbox: MailboxId
    staff_log: MailboxId
    shared: Thread
    staff: StaffThread


async def ticket_logs(
    queries: Queries, roster: TrustedRoster, mailbox: MailboxId, staff_log: MailboxId
) -> TicketLogs:
    """Return a ticket's logs as far as they were followed.

    Args:
        queries: the store, or a transaction that is to see its own changes.
        roster: the newest roster.
        mailbox: id of the shared log.
        staff_log: id of the staff log.
    """
    shared = await _read(queries, roster, mailbox, Thread(roster))
    staff = await _read(queries, roster, staff_log, StaffThread(roster))
    return TicketLogs(mailbox, staff_log, shared, staff)


class _NoKeys:
    """Opens nothing: what is read here was opened before."""

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:  # noqa: ARG002 - the port has them
        """Refuse."""
        raise PeerError("no_key", "there are no keys here")


async def _read(queries: Queries, roster: TrustedRoster, mailbox: MailboxId, thread: T) -> T:
    conversation = Conversation(mailbox, roster, _NoKeys(), isinstance(thread, StaffThread))
    for opened in conversation.resume(await records(queries, mailbox)):
        thread.take(opened)
    return thread
