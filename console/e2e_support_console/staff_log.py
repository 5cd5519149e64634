"""How a ticket's staff log begins, which only the team knows of (protocol 5.6)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.content import StaffOpenBody
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.vocab import AdmissionMode, Kind
from e2e_support.wire import Create, Head
from e2e_support_client import clock
from e2e_support_client.port import Refused
from e2e_support_console.desk import Desk
from e2e_support_console.follow import Follower
from e2e_support_console.logs import Log


def staff_create(creation: SigningKey, capability: SigningKey, team_id: TeamId, now: int) -> Create:
    """Return what opens a staff log at the relay: no user class, and the team's own proof (§5.6, §7).

    Args:
        creation: the log's creation key, from ``TeamKeys.staff_log``.
        capability: of the newest epoch.
        team_id: the team.
        now: seconds since 1970.
    """
    day = day_of(now)
    proof = prove_team(capability, admit_hash(team_id, day, mailbox_id(creation.public)))
    return Create(creation.public, b"", 1, team_id, day, AdmissionMode.TEAM, proof)


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
            await self._create(ticket, log)
        await Follower(self.desk).pull(ticket, log)
        if log.thread.state is None:  # even where somebody who may not write here was first
            await self._open(log, shared)
        return log

    async def _create(self, ticket: MailboxId, log: Log) -> None:
        """Create the staff log's mailbox; if somebody else was first, it is there just as well."""
        creation = self.desk.team.keys.staff_log(ticket)
        create = staff_create(creation, self.desk.capability(), self.desk.team_id, clock.now())
        try:
            await self.desk.relay.create(log.mailbox, create, creation)
        except Refused as refused:
            if refused.code != "conflict":
                raise

    async def _open(self, log: Log, shared: Head) -> None:
        """Write the first entry, which carries the log's key; the loser of a race uses the winner's."""

        def check() -> None:
            if log.thread.state is not None:
                raise AlreadyOpen

        with suppress(AlreadyOpen):
            await log.append(Kind.STAFF_OPEN, StaffOpenBody(shared), self.desk.author(), check)
