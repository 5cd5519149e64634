"""Brings one ticket's logs up to the relay and keeps what came, for reading it now and for writing to it."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_support.errors import PeerError, SupportError, UsageError
from e2e_support.ids import MailboxId, MessageId
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.erased import find_erased
from e2e_support_console.harvest import Harvest
from e2e_support_console.index import find
from e2e_support_console.logs import Enough, Log
from e2e_support_console.outgoing import drop_draft
from e2e_support_console.ticket_row import TicketRow


@dataclass(frozen=True, slots=True)
class Follower:
    """Follows the logs of single tickets.

    Args:
        desk: the unlocked device.
    """

    desk: Desk

    async def find(self, number: str) -> TicketRow:
        """Return the ticket of a number as a person typed it.

        Raises:
            UsageError: ``bad_number``, ``ambiguous_number``, ``no_ticket`` or ``erased``.
        """
        row = await find(self.desk.store, number)
        if row is None and (stone := await find_erased(self.desk.store, number)):
            raise stone.error()
        if row is None:
            raise UsageError(
                "no_ticket",
                f"there is no ticket {number}",
                hint="Look at the inbox, which fetches what is new.",
            )
        return row

    async def bring_up(self, row: TicketRow) -> str:
        """Bring both logs of a ticket up to the relay; return why that was not possible, in words, or nothing."""
        try:
            await self.shared(row.mailbox)
            staff = await self.desk.load(row.staff_log, staff=True)
            if staff.length:
                await self.pull(row.mailbox, staff)
        except SupportError as error:
            return error.message
        return ""

    async def shared(self, ticket: MailboxId) -> Log:
        """Return a ticket's shared log as the relay has it now, all of it kept.

        Raises:
            PeerError: the relay's answer is wrong; what came before is kept, and an alarm.
            Refused, TransportError, TrustError: as ``Channel.pull``.
        """
        await self.desk.team.refresh()  # an old epoch's capability opens nothing at the relay
        log = await self.desk.load(ticket)
        await self.pull(ticket, log)
        return log

    async def pull(self, ticket: MailboxId, log: Log) -> None:
        """Pull a log of a ticket to its end; errors as ``shared``."""
        more = True
        while more:
            try:
                await log.pull()
                more = False
            except Enough:
                pass
            except PeerError as error:
                await self.save(ticket, log, problem=error)
                raise
            await self.save(ticket, log)

    async def save(
        self,
        ticket: MailboxId,
        log: Log,
        *,
        delivered: MessageId | None = None,
        problem: PeerError | None = None,
    ) -> None:
        """Keep what is new of a log, with the draft that it delivers or the problem that ended it."""
        staff_log = self.desk.staff_log(ticket) if log.mailbox == ticket else None
        harvest = Harvest(self.desk.roster, clock.now())
        harvest.add(log, staff_log, problem=problem.code if problem else "", complete=problem is None)
        if problem is not None:
            harvest.alarm(problem, log.mailbox)
        async with self.desk.store.transaction() as change:
            await harvest.save(change)
            if delivered is not None:
                await drop_draft(change, delivered)
        log.fresh.clear()
        log.hand_back.given.clear()
