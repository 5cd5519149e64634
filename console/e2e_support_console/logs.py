"""One log in hand: the channel that moves its bytes, the thread that judges its entries, what is new of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from e2e_support.codec import Message
from e2e_support.conversation import AuthorKey, Conversation, Draft, Sealed
from e2e_support.ids import ID_SIZE, MailboxId, MessageId
from e2e_support.opened import Opened
from e2e_support.thread import StaffThread, Thread
from e2e_support.ticket_state import TicketState
from e2e_support.vocab import Kind
from e2e_support_client import clock
from e2e_support_client.channel import Channel
from e2e_support_client.handback import HandBack
from e2e_support_console.handback import follow_log

ENTRIES_MAX: Final = 1024
"""Entries taken from one mailbox at a time: a flood waits for its next turn (attack 44)."""


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
        hand_back: gives the relay back what it lost of it.
        fresh: entries that are not in the store yet.
    """

    channel: Channel
    thread: Thread | StaffThread
    hand_back: HandBack
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
        """Take what is new, but no more than ``ENTRIES_MAX`` entries; the relay gets back what it lost.

        Raises:
            Enough: there is more.
            Forked: the relay shows another history, with the proof of it.
            SupportError: as ``Channel.pull``; entries before the bad place were taken.
        """
        pull = partial(self.channel.pull, self._take_some)
        await follow_log(pull, self.thread, self.hand_back, self.channel.roster)

    async def append(self, kind: Kind, body: Message, signer: AuthorKey, check: Callable[[], None]) -> None:
        """Write what needs no draft: after a doubt the log itself tells the next run whether it was stored.

        Args:
            kind: what it is.
            body: what it says.
            signer: who says it.
            check: asked before every attempt, with all entries taken; raises where it is not needed any more.

        Raises:
            UsageError: what ``check`` raises, or a clear "no" of the relay.
            TransportError: it is not known whether it was stored.
            PeerError, TrustError: relay or team are not as they must be.
        """

        async def keep(_: Sealed) -> None:
            """Nothing is lost with it."""

        draft = Draft(kind, body, MessageId(clock.random(ID_SIZE)))
        own = await self.channel.push(draft, signer, keep=keep, check=check, on_pulled=self.take)
        if own.seq == len(self.thread.entries):
            self.take(own)

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
