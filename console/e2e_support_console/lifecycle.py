"""What administrators do to tickets besides answering: status, assignment, fields, marks, tags and links.

What users may see stands in the shared log, all else in the team's own; the policy says where an assignment does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from e2e_support.content import (
    AssignBody,
    CloseBody,
    FieldsBody,
    NoteBody,
    RelationBody,
    ReopenBody,
    ResolutionBody,
    SnoozeBody,
    StatusBody,
    TagBody,
)
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.reasons import refusal
from e2e_support.staff import StaffState
from e2e_support.ticket_state import NOBODY, advance
from e2e_support.vocab import Kind, Lifecycle
from e2e_support_client import clock
from e2e_support_client.plain import plain_line
from e2e_support_console import names
from e2e_support_console.filters import require_known
from e2e_support_console.model import InboxTicket
from e2e_support_console.names import member_called
from e2e_support_console.status_plan import SharedStep, StaffStep, Standing, Step, flag, plan
from e2e_support_console.ticket_desk import TicketDesk
from e2e_support_console.ticket_logs import ticket_logs
from e2e_support_console.ticket_row import TicketRow

_SET = 2  # of ``StatusBody``


class TicketLife(TicketDesk):
    """The steps of a ticket's life; part of ``TeamClient.inbox``. All return the ticket's line in the inbox.

    Raises, all of them:
        UsageError: ``bad_number``, ``no_ticket``, or a rule stands against it; nothing was sent.
        TransportError: the relay is away and nothing was sent; or ``unconfirmed``, and the next command or ``sync``
            finds out and sends it once.
        PeerError, TrustError: relay or team are not as they must be; nothing more is sent.
    """

    # --- status ------------------------------------------------------------------------------------------

    async def set_status(self, number: str, status: str, *, note: str = "") -> InboxTicket:
        """Give a ticket a status by the fewest entries that make its label hold.

        The label that all other tickets have is set by clearing what was set; the rules may then show another one.

        Args:
            number: the ticket.
            status: id of a label of the team's table.
            note: how it was resolved, or why it is closed or put aside.

        Raises:
            UsageError: ``unknown_status``, ``status_derived`` or ``status_unreachable``, too.
        """
        row = await self._fetched(number)
        policy, role = self._desk.roster.policy, self._desk.writer().role
        for step in plan(status, await self._standing(row), role, policy, clock.now(), note):
            await self._take(row, step)
        return await self._line(row)

    async def resolve(self, number: str, note: str) -> InboxTicket:
        """Mark a ticket resolved, with the note that stays pinned."""
        return await self._write(number, Kind.RESOLUTION, ResolutionBody(note))

    async def close(self, number: str, note: str = "") -> InboxTicket:
        """Close a ticket."""
        return await self._write(number, Kind.CLOSE, CloseBody(note, ""))

    async def reopen(self, number: str, text: str = "") -> InboxTicket:
        """Open a resolved or closed ticket again."""
        return await self._write(number, Kind.REOPEN, ReopenBody(text))

    # --- facts -------------------------------------------------------------------------------------------

    async def assign(self, number: str, who: str) -> InboxTicket:
        """Give a ticket to somebody; where the policy says so, it is in progress from then on.

        Args:
            number: the ticket.
            who: a member's name, ``me`` or ``nobody``.

        Raises:
            UsageError: ``no_member``, ``ambiguous_name``, or ``unknown_assignee`` for somebody who does not write.
        """
        self._desk.writer()  # whoever may read only is told so, and not that they cannot be the one
        member = self._assignee(who)
        row = await self._fetched(number)
        policy = self._desk.roster.policy
        if policy.staff.show_assignee:
            return await self._write(number, Kind.FIELDS, FieldsBody("", "", member, ()))
        await self._writer.write_staff(row.mailbox, Kind.ASSIGN, lambda shared: AssignBody(shared, member))
        ticket = (await self._standing(row)).ticket
        idle = ticket.lifecycle is Lifecycle.OPEN and not ticket.progress
        if policy.moves.assign_progress and member != NOBODY and idle:
            await self._writer.write(row.mailbox, Kind.STATUS, StatusBody(_SET, 0))
        return await self._line(row)

    async def set_priority(self, number: str, level: str) -> InboxTicket:
        """Set a ticket's priority, by the id of a level; where the team has none, the rules say so."""
        self._desk.writer()
        levels = [one.id for one in self._desk.roster.policy.priority.levels]
        if levels or not level:
            require_known("priority", level, levels)
        return await self._write(number, Kind.FIELDS, FieldsBody("", level, b"", ()))

    async def set_category(self, number: str, category: str) -> InboxTicket:
        """Set a ticket's category, by its id."""
        self._desk.writer()
        require_known("category", category, [one.id for one in self._desk.roster.policy.categories])
        return await self._write(number, Kind.FIELDS, FieldsBody(category, "", b"", ()))

    # --- what only the team sees -------------------------------------------------------------------------

    async def archive(self, number: str, *, on: bool = True, reason: str = "") -> InboxTicket:
        """Keep a ticket for the record only, or take it back; a word of its user brings it back, too."""
        return await self._act(number, flag(Kind.ARCHIVE, on=on, reason=reason))

    async def spam(self, number: str, *, on: bool = True, reason: str = "") -> InboxTicket:
        """Mark a ticket as no request at all, or take that back."""
        return await self._act(number, flag(Kind.SPAM, on=on, reason=reason))

    async def hold(self, number: str, *, on: bool = True, reason: str = "") -> InboxTicket:
        """Let a ticket wait for something outside, or go on with it."""
        return await self._act(number, flag(Kind.HOLD, on=on, reason=reason))

    async def snooze(self, number: str, until: datetime | None) -> InboxTicket:
        """Put a ticket out of sight until a time or a word of its user; ``None`` wakes it."""
        time = int(until.timestamp()) if until else 0
        return await self._act(number, StaffStep(Kind.SNOOZE, lambda shared: SnoozeBody(shared, time)))

    async def tag(self, number: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> InboxTicket:
        """Add and remove tags."""
        put, gone = tuple(map(plain_line, add)), tuple(map(plain_line, remove))
        return await self._act(number, StaffStep(Kind.TAG, lambda shared: TagBody(shared, put, gone)))

    async def link(self, number: str, other: str, *, on: bool = True) -> InboxTicket:
        """Join two tickets for the team, or part them; both tell of it, and users learn nothing.

        Raises:
            UsageError: ``same_ticket``, too.
        """
        first, second = await self._follower.find(number), await self._follower.find(other)
        if first.mailbox == second.mailbox:
            raise UsageError(
                "same_ticket", "a ticket cannot be joined to itself", hint="Name another ticket."
            )
        for one, its in ((first, second), (second, first)):
            await self._take(one, _relation(its.mailbox, on=on))
        return await self._line(first)

    async def note(self, number: str, text: str, *, mentions: Iterable[str] = ()) -> InboxTicket:
        """Write a note that only administrators can read.

        Args:
            number: the ticket.
            text: what to say.
            mentions: names of members who are to look at it.

        Raises:
            UsageError: ``no_member`` or ``ambiguous_name``, too.
        """
        told = tuple(dict.fromkeys(member_called(self._desk, name) for name in mentions))
        return await self._act(number, StaffStep(Kind.NOTE, lambda shared: NoteBody(shared, text, told)))

    # --- helpers -----------------------------------------------------------------------------------------

    async def _fetched(self, number: str) -> TicketRow:
        """Return a ticket that is as new as the relay has it; whether the relay is there shows when writing."""
        row = await self._follower.find(number)
        await self._follower.bring_up(row)
        return row

    async def _standing(self, row: TicketRow) -> Standing:
        logs = await ticket_logs(self._desk.store, self._desk.roster, row.mailbox, row.staff_log)
        ticket = advance(logs.shared.require_state(), clock.now())
        return Standing(ticket, logs.staff.state or StaffState(), len(logs.shared.entries))

    async def _act(self, number: str, step: Step) -> InboxTicket:
        row = await self._follower.find(number)
        await self._take(row, step)
        return await self._line(row)

    async def _take(self, row: TicketRow, step: Step) -> None:
        match step:
            case SharedStep(kind, body):
                await self._writer.write(row.mailbox, kind, body)
            case StaffStep(kind, against):
                await self._writer.write_staff(row.mailbox, kind, against)

    def _assignee(self, who: str) -> bytes:
        if who.strip().casefold() == names.NOBODY:
            return NOBODY
        member, roster = member_called(self._desk, who), self._desk.roster
        if not roster.may_be_assigned(member, roster.head):
            raise refusal("unknown_assignee")
        return member


def _relation(other: MailboxId, *, on: bool) -> StaffStep:
    return StaffStep(Kind.LINK, lambda shared: RelationBody(shared, other, int(on)))
