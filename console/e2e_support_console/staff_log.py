"""How a ticket's staff log begins, which only the team knows of (protocol 5.6)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from e2e_support.content import StaffOpenBody
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.vocab import Kind
from e2e_support.wire import Head
from e2e_support_console.creating import create_for_team
from e2e_support_console.desk import Desk
from e2e_support_console.follow import Follower
from e2e_support_console.logs import Log


class AlreadyOpen(UsageError):
    """Somebody else began the staff log first; the note is simply appended to it."""

    def __init__(self) -> None:
        super().__init__("already_open", "the staff log has begun")


@dataclass(frozen=True, slots=True)
class StaffLogs:
    """Opens staff logs for writing.

    Args:
        desk: the unlocked device, whose person may write.
    """

    desk: Desk

    async def ready(self, ticket: MailboxId, shared: Head) -> Log:
        """Return the staff log as the relay has it now; it begins with the first thing to write there.

        Args:
            ticket: the shared log.
            shared: its head, which the first entry is written against.

        Raises:
            SupportError: relay or team are not as they must be.
        """
        log = await self.desk.load(self.desk.staff_log(ticket), staff=True)
        if not log.length:
            desk = self.desk
            creation = desk.team.keys.staff_log(ticket)
            await create_for_team(desk.relay, desk.team_id, desk.capability(), creation)
        await Follower(self.desk).pull(ticket, log)
        if log.thread.state is None:  # even where somebody who may not write here was first
            await self._open(log, shared)
        return log

    async def _open(self, log: Log, shared: Head) -> None:
        """Write the first entry, which carries the log's key; the loser of a race uses the winner's."""

        def check() -> None:
            if log.thread.state is not None:
                raise AlreadyOpen

        with suppress(AlreadyOpen):
            await log.append(Kind.STAFF_OPEN, StaffOpenBody(shared), self.desk.author(), check)
