"""Gathers what was found out about some logs, and keeps it with all that follows from it in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from e2e_support.errors import PeerError, SupportError
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import Verdict
from e2e_support_client.evidence import receipt_proofs
from e2e_support_console import feed
from e2e_support_console.alarms import TEAM, Alarm, new_alarm, raise_alarms
from e2e_support_console.handback import Forked, losses
from e2e_support_console.index import known_logs, save_entries
from e2e_support_console.logs import Log
from e2e_support_console.overrun import flag_overruns
from e2e_support_console.rows import Renewed, renew_row
from e2e_support_keys.store import Transaction


@dataclass(slots=True)
class Harvest:
    """What was found out about some logs, to be kept together.

    Attributes:
        roster: the newest roster, whose policy labels tickets.
        now: seconds since 1970.
    """

    roster: TrustedRoster
    now: int
    entries: list[tuple[MailboxId, Opened]] = field(default_factory=list[tuple[MailboxId, Opened]])
    pulled: list[tuple[MailboxId, int]] = field(default_factory=list[tuple[MailboxId, int]])
    complete: list[MailboxId] = field(default_factory=list[MailboxId])
    alarms: list[Alarm] = field(default_factory=list[Alarm])
    _tickets: dict[MailboxId, tuple[MailboxId, str]] = field(
        default_factory=dict[MailboxId, tuple[MailboxId, str]]
    )
    _staff: list[MailboxId] = field(default_factory=list[MailboxId])

    def add(self, log: Log, staff_log: MailboxId | None, *, problem: str = "", complete: bool = True) -> None:
        """Add what is new of a log.

        Args:
            log: the log.
            staff_log: id of its staff log, or ``None`` if it is one itself.
            problem: code of what is wrong with the relay's answer.
            complete: whether the relay was heard to its end.
        """
        self.entries += [(log.mailbox, entry) for entry in log.fresh]
        self.alarms += [
            new_alarm(*found, now=self.now, mailbox=log.mailbox) for found in _findings(log, self.roster)
        ]
        if staff_log is None:
            self._staff.append(log.mailbox)
        else:
            self._tickets[log.mailbox] = staff_log, problem
        self.pulled.append((log.mailbox, log.length))
        self.complete += [log.mailbox] * complete

    def alarm(self, error: SupportError, mailbox: MailboxId = TEAM) -> None:
        """Add an alarm, with the proof if there is one."""
        proof = error.proof if isinstance(error, Forked) else b""
        self.alarms.append(new_alarm(error, proof, now=self.now, mailbox=mailbox))

    async def save(self, change: Transaction) -> None:
        """Keep all of it, and make the rows of all tickets that it touches anew."""
        await save_entries(change, self.entries)
        renewed = [row async for row in self._renewed(change)]
        await flag_overruns(change, self.roster, [one.row.user_key for one in renewed])
        await feed.release(change, [one.row.staff_log for one in renewed])
        await feed.pulled(change, self.pulled)
        await feed.compared(change, self.complete)
        await self._compare(change, renewed)
        await raise_alarms(change, self.alarms)

    async def _renewed(self, change: Transaction) -> AsyncIterator[Renewed]:
        for mailbox, staff_log, problem in await self._touched(change):
            found = await renew_row(change, self.roster, mailbox, staff_log, now=self.now, problem=problem)
            if found is not None:
                yield found

    async def _touched(self, change: Transaction) -> list[tuple[MailboxId, MailboxId, str | None]]:
        """Return the tickets of all logs, each once; a staff log says nothing of its ticket's problem."""
        touched: list[tuple[MailboxId, MailboxId, str | None]] = [
            (mailbox, *rest) for mailbox, rest in self._tickets.items()
        ]
        known = (await known_logs(change, self._staff)).values() if self._staff else ()
        others = {log.ticket: log.staff_log for log in known if log.ticket not in self._tickets}
        return touched + [(ticket, staff_log, None) for ticket, staff_log in others.items()]

    async def _compare(self, change: Transaction, renewed: Iterable[Renewed]) -> None:
        """Hold the two logs of each ticket against each other: a note tells what its author was shown (§5.6)."""
        longer = [(one.row.mailbox, one.cited) for one in renewed if one.cited > len(one.logs.shared.entries)]
        await feed.expect(change, longer)
        for one in renewed:
            if one.disputed:
                self.alarm(_disputed(), one.row.mailbox)


def _findings(log: Log, roster: TrustedRoster) -> list[tuple[PeerError, bytes]]:
    """Return alarms about the log: what the relay had lost, forged entries, receipts that contradict each other."""
    found: list[tuple[PeerError, bytes]] = [(lost, b"") for lost in losses(log.hand_back)]
    forged = sum(entry.verdict is Verdict.FORGED for entry in log.fresh)
    if forged:
        why = "entries do not open or are not signed as they must be; their text is hidden"
        found.append((PeerError("forged_entry", why, hint="Ask their author by another way."), b""))
    if log.conversation.equivocations:
        proofs = receipt_proofs(roster, log.conversation.equivocations)
        why = "the relay signed two different receipts for one entry"
        hint = "Keep the alarm: it proves that the relay told two stories."
        found.append((PeerError("equivocation", why, hint=hint), next(iter(proofs), b"")))
    return found


def _disputed() -> PeerError:
    return PeerError(
        "logs_disagree",
        "a colleague's note or mark was written against another history of this ticket than the relay shows here",
        hint="Compare the ticket with that colleague, and keep the alarm: the relay may tell two stories.",
    )
