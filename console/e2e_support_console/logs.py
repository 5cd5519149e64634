"""One log in hand: the channel that moves its bytes, the thread that judges its entries, what is new of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from e2e_support.conversation import Conversation, Opened
from e2e_support.errors import PeerError, SupportError
from e2e_support.ids import MailboxId
from e2e_support.limits import MAILBOX_ENTRIES_MAX
from e2e_support.policy import Policy
from e2e_support.roster import TrustedRoster
from e2e_support.thread import StaffThread, Thread
from e2e_support.ticket_keys import ticket_number
from e2e_support.ticket_state import TicketState, label
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Verdict
from e2e_support_client import clock
from e2e_support_client.channel import Channel
from e2e_support_client.evidence import receipt_proofs
from e2e_support_console import feed
from e2e_support_console.alarms import TEAM, Alarm, new_alarm, raise_alarms
from e2e_support_console.index import TicketRow, save_entries, save_tickets
from e2e_support_keys.store import Transaction

ENTRIES_MAX: Final = 1024
"""Entries taken from one mailbox at a time: a flood waits for its next turn (attack 44)."""

_ASK: Final = "Tell whoever runs the relay."
_SAID: Final = frozenset({Kind.OPEN, Kind.MESSAGE, Kind.REOPEN, Kind.CLOSE})


class Enough(Exception):
    """Ends a pull that has taken its share."""


class NotATicket(Exception):
    """Ends the pull of an unknown mailbox at its first entry; ``reason`` says what was wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Log:
    """A shared or staff log as this device follows it.

    Attributes:
        channel: moves its bytes.
        thread: judges its entries.
        fresh: entries that are not in the store yet.
    """

    channel: Channel
    thread: Thread | StaffThread
    fresh: list[Opened] = field(default_factory=list[Opened])

    @property
    def conversation(self) -> Conversation:
        """The log as bytes and keys."""
        return self.channel.conversation

    @property
    def mailbox(self) -> MailboxId:
        """The log's mailbox."""
        return self.conversation.mailbox

    @property
    def length(self) -> int:
        """How many entries were followed."""
        return self.conversation.chain.length

    def take(self, opened: Opened) -> None:
        """Take an entry that was just pulled or pushed."""
        self.fresh.append(opened)
        self.thread.take(opened)

    async def pull(self) -> None:
        """Take what is new, but no more than ``ENTRIES_MAX`` entries.

        Raises:
            Enough: there is more.
            SupportError: as ``Channel.pull``; entries before the bad place were taken.
        """
        await self.channel.pull(self._take_some)

    async def pull_unknown(self) -> None:
        """Take a mailbox that may be a ticket; stop at its first entry if it is none (attacks 26, 27).

        Raises:
            NotATicket: it has no valid opening.
            Enough, SupportError: as ``pull``.
        """
        await self.channel.pull(self._take_first)
        if not self.length:
            raise NotATicket("empty")

    def _take_some(self, opened: Opened) -> None:
        if opened.seq >= MAILBOX_ENTRIES_MAX:
            raise PeerError("too_long", "the relay serves more entries than a mailbox can have", hint=_ASK)
        self.take(opened)
        if len(self.fresh) >= ENTRIES_MAX:
            raise Enough

    def _take_first(self, opened: Opened) -> None:
        self._take_some(opened)
        if opened.seq == 0 and self.state is None:
            raise NotATicket(self.thread.entries[0].reason or "not_a_ticket")

    @property
    def state(self) -> TicketState | None:
        """The ticket's state; ``None`` for a staff log and for what is no ticket."""
        return self.thread.at(clock.now()) if isinstance(self.thread, Thread) else None


@dataclass(slots=True)
class Harvest:
    """What was found out about some logs, to be kept together: one statement per table, however many logs.

    Attributes:
        roster: the newest roster, whose policy labels tickets.
        now: seconds since 1970.
    """

    roster: TrustedRoster
    now: int
    entries: list[tuple[MailboxId, Opened]] = field(default_factory=list[tuple[MailboxId, Opened]])
    tickets: list[TicketRow] = field(default_factory=list[TicketRow])
    pulled: list[tuple[MailboxId, int]] = field(default_factory=list[tuple[MailboxId, int]])
    alarms: list[Alarm] = field(default_factory=list[Alarm])

    def add(self, log: Log, staff_log: MailboxId | None, *, seen: int = 0, problem: str = "") -> None:
        """Add what is new of a log.

        Args:
            log: the log.
            staff_log: id of its staff log, or ``None`` if it is one itself.
            seen: how many entries of it the administrator has seen.
            problem: code of what is wrong with the relay's answer.
        """
        self.entries += [(log.mailbox, entry) for entry in log.fresh]
        self.alarms += [
            new_alarm(*found, now=self.now, mailbox=log.mailbox) for found in _findings(log, self.roster)
        ]
        if staff_log is not None and log.state is not None:
            self.tickets.append(ticket_row(log, staff_log, self.roster.policy, seen, problem))
        self.pulled.append((log.mailbox, log.length))

    def alarm(self, error: SupportError, mailbox: MailboxId = TEAM) -> None:
        """Add an alarm."""
        self.alarms.append(new_alarm(error, b"", now=self.now, mailbox=mailbox))

    async def save(self, change: Transaction) -> None:
        """Keep all of it."""
        await save_entries(change, self.entries)
        await save_tickets(change, self.tickets)
        await raise_alarms(change, self.alarms)
        await feed.release(change, [row.staff_log for row in self.tickets])
        await feed.pulled(change, self.pulled)


def ticket_row(log: Log, staff_log: MailboxId, policy: Policy, seen: int, problem: str = "") -> TicketRow:
    """Return what the list says of a ticket; arguments as ``Harvest.add``."""
    state = log.state
    assert state is not None  # noqa: S101 - callers have checked it
    shown = label(state, policy, staff=frozenset())
    return TicketRow(
        log.mailbox,
        staff_log,
        ticket_number(log.mailbox),
        state.subject,
        shown.id,
        shown.text,
        state.category,
        state.priority,
        state.created_at,
        state.updated_at,
        state.waiting_since,
        int(state.lifecycle is Lifecycle.CLOSED),
        sum(_is_said_by_user(entry) for entry in log.thread.entries[seen:]),
        problem,
    )


def _is_said_by_user(entry: Opened) -> bool:
    inner = entry.inner if entry.verdict is Verdict.OK else None
    return inner is not None and inner.author.role is AuthorRole.USER and inner.kind in _SAID


def _findings(log: Log, roster: TrustedRoster) -> list[tuple[PeerError, bytes]]:
    """Return alarms about the log's content: forged entries, and receipts that contradict each other."""
    found: list[tuple[PeerError, bytes]] = []
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
