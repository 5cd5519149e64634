"""What this administrator has read, on all devices: told to the others through the team space, taken over from them.

A mark says at what hour somebody was at work. So nothing is written for a member with one device, and otherwise
many marks at once and seldom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from e2e_support.content import ReadMark, ReadMarksBody
from e2e_support.ids import MailboxId
from e2e_support.space import marks_of
from e2e_support.vocab import WRITERS, Kind
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.index import mark_seen, number_of, remember
from e2e_support_console.names import own_id
from e2e_support_console.rows import renew_row
from e2e_support_console.team_space import TeamSpace

INTERVAL: Final = 5 * 60
"""Seconds between two entries of marks."""
_MARKS_MAX: Final = 512
_TOLD_AT: Final = "marks_told"
_TAKEN_AT: Final = "marks_taken"
_MARKS: Final = frozenset({Kind.READ_MARK})
_NOTE: Final = """
INSERT INTO told_marks VALUES (?, ?) ON CONFLICT (ticket) DO UPDATE SET upto = max(upto, excluded.upto)
"""
_UNSEEN: Final = (
    "SELECT staff_log, mailbox, upto FROM tickets JOIN told_marks ON ticket = mailbox WHERE upto > seen"
)
_TOLD: Final = "ifnull(upto, 0) AS told FROM tickets LEFT JOIN told_marks ON ticket = mailbox"


@dataclass(frozen=True, slots=True)
class ReadMarks:
    """The read marks of one device.

    Args:
        desk: the unlocked device.
    """

    desk: Desk

    async def settle(self) -> None:
        """Take over what was read on the member's other devices, and tell them what was read here, if it is time.

        Raises:
            SupportError: relay or team are not as they must be; the next sync tries again.
        """
        own = self.desk.roster.devices.get(self.desk.bundle.device_id)
        devices = [one for one in self.desk.roster.devices.values() if own and one.member_id == own.member_id]
        if own is None or len(devices) < 2:
            return
        await self._take_over()
        due = clock.is_over(await number_of(self.desk.store, _TOLD_AT), INTERVAL)
        if due and own.role in WRITERS:
            await self._tell()

    async def _take_over(self) -> None:
        """Note what is new in the space; a ticket may come later than what was read of it."""
        store, since = self.desk.store, await number_of(self.desk.store, _TAKEN_AT)
        entries = await TeamSpace(self.desk, _MARKS, since).kept()
        known = dict[bytes, int](map(tuple, await store.fetch_all("SELECT ticket, upto FROM told_marks")))
        marks = marks_of(entries, own_id(self.desk))
        new = [(ticket, upto) for ticket, upto in marks.items() if upto > known.get(ticket, 0)]
        async with store.transaction() as change:
            await change.execute_many(_NOTE, new)
            for staff_log, mailbox, upto in await change.fetch_all(_UNSEEN):
                await mark_seen(change, mailbox, upto)
                await renew_row(change, self.desk.roster, mailbox, staff_log, now=clock.now())
            # A relay that runs ahead must not make later marks look as if they had been taken over.
            newest = min(entries[-1].received, clock.now()) if entries else 0
            await remember(change, _TAKEN_AT, max(since, newest))

    async def _tell(self) -> None:
        rows = await self.desk.store.fetch_all(f"SELECT mailbox, seen, {_TOLD} WHERE seen > told")
        marks = [ReadMark(MailboxId(row[0]), row[1]) for row in rows]
        for start in range(0, len(marks), _MARKS_MAX):
            some = tuple(marks[start : start + _MARKS_MAX])
            await TeamSpace(self.desk, frozenset()).write(Kind.READ_MARK, ReadMarksBody(some))
            async with self.desk.store.transaction() as change:
                await remember(change, _TOLD_AT, clock.now())
                await change.execute_many(_NOTE, [(mark.ticket, mark.upto) for mark in some])
