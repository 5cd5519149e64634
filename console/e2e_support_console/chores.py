"""What any console or agent does for tickets without being asked, each thing once whoever is first.

A ticket that closed by itself gets the entry that says so, a new one its default assignee, a quiet log an entry that
keeps it alive, one whose time is over is erased. Whoever loses a race sees the winner's entry before writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from e2e_support.codec import Message
from e2e_support.content import AssignBody, EmptyBody, FieldsBody
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import MemberId
from e2e_support.opened import Opened
from e2e_support.thread import StaffThread, Thread
from e2e_support.ticket_state import DAY, Fact
from e2e_support.vocab import WRITERS, AuthorRole, Kind
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.due import before_idle, default_assignee, quiet_due
from e2e_support_console.erasing import due_for_erasure
from e2e_support_console.expiry import expire
from e2e_support_console.follow import Follower
from e2e_support_console.holding import hold_finished
from e2e_support_console.index import last_record, tickets
from e2e_support_console.logs import Log
from e2e_support_console.staff_log import StaffLogs
from e2e_support_console.team_space import TeamSpace
from e2e_support_console.ticket_logs import TicketLogs
from e2e_support_console.ticket_row import TicketRow
from e2e_support_console.volume import space_mailboxes

AT_ONCE: Final = 32
"""Tickets that are written to at the same time: each waits for the relay twice or more."""
Work = Callable[[TicketRow], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Done:
    """How many tickets were seen to by this device, and by no other.

    Attributes:
        closed: got the entry that they closed by themselves.
        assigned: were given to their default assignee.
        erased: were erased at the relay because their time was over.
        kept: got an entry that keeps one of their logs alive.
    """

    closed: int = 0
    assigned: int = 0
    erased: int = 0
    kept: int = 0

    def __add__(self, other: Done) -> Done:
        """Return both together."""
        return Done(
            self.closed + other.closed,
            self.assigned + other.assigned,
            self.erased + other.erased,
            self.kept + other.kept,
        )


NOTHING: Final = Done()


class NotNeeded(UsageError):
    """Somebody else was faster, or it is not due any more."""

    def __init__(self) -> None:
        super().__init__("not_needed", "this is done")


@dataclass(frozen=True, slots=True)
class Chores:
    """The chores as one device does them.

    Args:
        desk: the unlocked device.
    """

    desk: Desk

    async def run(self) -> Done:
        """Do what is due; an auditor's device does nothing.

        Returns:
            What this device did.

        Raises:
            TransportError, TrustError: relay or team are not as they must be; the next run goes on.
        """
        own = self.desk.roster.devices.get(self.desk.bundle.device_id)
        if own is None or own.role not in WRITERS:
            return NOTHING
        now = clock.now()
        unnoted = await self._rows("unnoted > 0 AND unnoted <= ?", now)
        closed = await self._each((row for row in unnoted if self._note_at(row) <= now), self._note_closing)
        unassigned = await self._rows("assign_to != x''")
        assigned = await self._each(filter(self._is_assignable, unassigned), self._assign)
        erased = await self._each(await due_for_erasure(self.desk.store, now), self._expire)
        kept = await self._each(await self._rows("quiet_due > 0 AND quiet_due <= ?", now), self._keep_alive)
        await self._keep_space(now)
        return Done(closed, assigned, erased, kept)

    async def _rows(self, where: str, *values: int) -> list[TicketRow]:
        return await tickets(self.desk.store, where, values)

    async def _each(self, rows: Iterable[TicketRow], work: Work) -> int:
        """Do one thing to some tickets, and return to how many; what stands against one stops no other."""
        rows, done = list(rows), 0
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            found = await asyncio.gather(*(work(row) for row in some), return_exceptions=True)
            done += sum(one is True for one in found)
            for error in found:
                if isinstance(error, BaseException) and not isinstance(error, PeerError | UsageError):
                    raise error
        return done

    # --- what is done ------------------------------------------------------------------------------------

    def _note_at(self, row: TicketRow) -> int:
        return row.unnoted + self.desk.team.keys.closing_delay(row.mailbox, row.unnoted)

    async def _note_closing(self, row: TicketRow) -> bool:
        """Write down that a ticket closed by itself; the rules refuse a second word (``not_due``)."""
        shared, _ = await self._logs(row)
        return await self._say(row, shared, Kind.AUTO_CLOSE, EmptyBody())

    def _is_assignable(self, row: TicketRow) -> bool:
        return self.desk.roster.may_be_assigned(MemberId(row.assign_to), self.desk.roster.head)

    async def _assign(self, row: TicketRow) -> bool:
        """Give a ticket to its default assignee, in the log in which the policy wants that.

        Users are told of no progress where they do not see the assignee: nobody has looked at the ticket yet.
        """
        shared, staff = await self._logs(row)
        policy, opened_under = self.desk.roster.policy, self.desk.roster.policy_at(row.policy_seq)

        def still() -> bool:
            logs = _ticket(row, shared, staff)
            state = logs.shared.at(clock.now())
            return bool(state and default_assignee(logs, state, opened_under) == row.assign_to)

        if policy.staff.show_assignee:
            return await self._say(row, shared, Kind.FIELDS, FieldsBody("", "", row.assign_to, ()), still)
        if not still():
            return False
        staff = await StaffLogs(self.desk).ready(row.mailbox, shared.conversation.chain.head)
        told = AssignBody(shared.conversation.chain.head, MemberId(row.assign_to))
        return await self._say(row, staff, Kind.ASSIGN, told, still)

    async def _expire(self, row: TicketRow) -> bool:
        return await expire(self.desk, row)

    async def _keep_alive(self, row: TicketRow) -> bool:
        """Write into the quieter log of a ticket, as long as nobody else has."""
        shared, staff = await self._logs(row)
        quiet = min(shared, staff, key=lambda log: log.thread.entries[-1].received)

        def still() -> bool:
            now = clock.now()
            return 0 < quiet_due(_ticket(row, shared, staff), self.desk.roster.policy, now) <= now

        return await self._say(row, quiet, Kind.DUMMY, EmptyBody(), still)

    async def _keep_space(self, now: int) -> None:
        """Keep the team space alive, whether or not anybody uses it."""
        idle = self.desk.roster.policy.retention.idle_days * DAY
        if not idle:
            return
        await hold_finished(self.desk, now - before_idle(idle))
        last = await last_record(self.desk.store, (await space_mailboxes(self.desk))[-1])
        if last is None or last.received + before_idle(idle) > now:
            return

        def check(entries: Sequence[Opened]) -> None:
            if entries[-1].received + before_idle(idle) > now:
                raise NotNeeded

        with suppress(NotNeeded):
            await TeamSpace(self.desk, frozenset()).write(Kind.DUMMY, EmptyBody(), check=check)

    # --- one ticket --------------------------------------------------------------------------------------

    async def _logs(self, row: TicketRow) -> tuple[Log, Log]:
        """Return both logs of a ticket as the relay has them now; the staff log may have no entries."""
        follower = Follower(self.desk)
        shared, staff = await self.desk.load(row.mailbox), await self.desk.load(row.staff_log, staff=True)
        await follower.pull(row.mailbox, shared)
        if staff.length:
            await follower.pull(row.mailbox, staff)
        return shared, staff

    async def _say(
        self, row: TicketRow, log: Log, kind: Kind, body: Message, still: Callable[[], bool] = lambda: True
    ) -> bool:
        """Write an entry, if the rules allow it and it is still needed once everything else was seen."""
        device = self.desk.writer()

        def check() -> None:
            if not still():
                raise NotNeeded
            fact = Fact(log.length, kind, AuthorRole.DEVICE, body, clock.now(), device.role, device.device_id)
            log.thread.check(fact, self.desk.roster.policy)

        try:
            await log.append(kind, body, self.desk.author(), check)
        finally:
            await Follower(self.desk).save(row.mailbox, log)
        return True


def _ticket(row: TicketRow, shared: Log, staff: Log) -> TicketLogs:
    assert isinstance(shared.thread, Thread) and isinstance(staff.thread, StaffThread)  # noqa: S101, PT018 - as loaded
    return TicketLogs(row.mailbox, row.staff_log, shared.thread, staff.thread)
