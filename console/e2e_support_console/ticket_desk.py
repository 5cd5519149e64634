"""What everything that an administrator does with single tickets has in common: finding it, writing, the line of it."""

from __future__ import annotations

from e2e_support.codec import Message
from e2e_support.vocab import Kind
from e2e_support_console.desk import Desk
from e2e_support_console.follow import Follower
from e2e_support_console.index import ticket
from e2e_support_console.model import InboxTicket
from e2e_support_console.names import member_names
from e2e_support_console.reading import inbox_ticket
from e2e_support_console.ticket_row import TicketRow
from e2e_support_console.writer import Writer


class TicketDesk:
    """Works on single tickets as one device.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._follower = Follower(desk)
        self._writer = Writer(desk)

    async def _write(self, number: str, kind: Kind, body: Message, *, anyway: bool = False) -> InboxTicket:
        row = await self._follower.find(number)
        await self._writer.write(row.mailbox, kind, body, anyway=anyway)
        return await self._line(row)

    async def _line(self, row: TicketRow) -> InboxTicket:
        newest = await ticket(self._desk.store, row.mailbox)
        return inbox_ticket(newest or row, member_names(self._desk.roster))
