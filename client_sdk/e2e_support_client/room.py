"""One ticket as this client follows it: keys, chain, opened entries, the state that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from e2e_support.content import Author, FieldsBody
from e2e_support.conversation import AuthorKey, Conversation, Draft, Sealed
from e2e_support.errors import UsageError
from e2e_support.ids import BlobId, MailboxId
from e2e_support.opened import Opened, Record
from e2e_support.thread import Thread
from e2e_support.ticket_keys import TicketKeys, UserKeyPort, ticket_number
from e2e_support.ticket_state import NOBODY, Fact, label
from e2e_support.vocab import AuthorRole, Kind, Verdict
from e2e_support_client import clock
from e2e_support_client.channel import Channel, KeepSealed
from e2e_support_client.handback import HandBack
from e2e_support_client.model import EventKind
from e2e_support_client.store import JournalRow, TicketRow
from e2e_support_client.team import Team
from e2e_support_client.view import event_kind, role_of


class PlaceTaken(UsageError):
    """Another ticket of the same user stands where a new one was to go."""

    def __init__(self) -> None:
        super().__init__("place_taken", "another device of yours opened a ticket at this place")


@dataclass(slots=True)
class Room:
    """A followed ticket. What is new since it was read from the store waits in ``fresh`` and ``journal``.

    Args:
        row: where the ticket is.
        keys: the user's keys of it.
        team: the roster.
        channel: pulls and pushes.
        thread: verdicts and state.
        hand_back: gives the relay back what it lost.

    Attributes:
        fresh: entries that the store does not have yet.
        journal: what they tell the person.
    """

    row: TicketRow
    keys: TicketKeys
    team: Team
    channel: Channel
    thread: Thread
    hand_back: HandBack
    fresh: list[Record] = field(default_factory=list[Record])
    journal: list[JournalRow] = field(default_factory=list[JournalRow])

    @classmethod
    def resume(
        cls, row: TicketRow, keys: TicketKeys, team: Team, hand_back: HandBack, records: Sequence[Record]
    ) -> Room:
        """Return the room of a ticket with the entries that were opened before.

        Raises:
            TrustError: ``no_roster`` before the team was ever verified.
        """
        team_id = team.pin.team_id
        port = UserKeyPort(team_id, keys.reply)
        conversation = Conversation(keys.mailbox, team.roster, port, author_key=keys.author.public)
        channel = Channel(hand_back.relay, team, conversation, lambda: keys.capability)
        room = cls(row, keys, team, channel, Thread(team.roster), hand_back)
        for opened in conversation.resume(records):
            room.thread.take(opened)
        return room

    @property
    def author(self) -> Author:
        """How the user is named in entries."""
        return Author(AuthorRole.USER, self.keys.author.public)

    @property
    def length(self) -> int:
        """Number of entries followed."""
        return self.channel.conversation.chain.length

    def refresh_team(self) -> None:
        """Use the newest roster, for what comes next and for what was judged before (§4.8)."""
        roster = self.team.roster
        self.channel.conversation.team = roster
        if self.thread.policies is not roster:
            self.thread.judge_again(roster)

    def find(self, message_id: bytes) -> Opened | None:
        """Return the user's own entry with a message id, if it was followed."""
        for opened in self.thread.entries:
            if opened.inner and (opened.inner.message_id, opened.inner.author) == (message_id, self.author):
                return opened
        return None

    async def pull(self) -> None:
        """Follow what is new at the relay, which gets back what it lost (attack 88).

        Errors as in ``Channel.pull``; what came before them is followed.
        """
        await self.hand_back.pull(lambda: self.channel.pull(self.take), self.thread)

    async def push(self, draft: Draft, blobs: Sequence[BlobId], fact: Fact, keep: KeepSealed) -> Opened:
        """Seal, keep and store a draft; errors as in ``Channel.push`` and the rules' refusals."""
        own = await self.channel.push(
            draft,
            AuthorKey(self.author, self.keys.author),
            blobs=blobs,
            keep=keep,
            check=lambda: self._check_sealing(fact),
            on_pulled=self.take,
            first_key=self.keys.first_key,
        )
        self._take_own(own)
        return own

    async def settle(self, sealed: Sealed, draft: Draft, blobs: Sequence[BlobId]) -> Opened | None:
        """Find out whether sealed bytes are stored, and store them if they fit; ``None`` if they do not."""
        own = await self.channel.settle(sealed, draft, self.author, blobs=blobs, on_pulled=self.take)
        if own is not None:
            self._take_own(own)
        return own

    def check(self, fact: Fact) -> None:
        """Do nothing if an entry may be written now.

        Raises:
            PlaceTaken: a ticket would be opened in a log that holds one.
            UsageError: the rule that stands against it.
        """
        if fact.kind is Kind.OPEN and self.length:
            raise PlaceTaken
        self.thread.check(fact, self.team.roster.policy)

    def _check_sealing(self, fact: Fact) -> None:
        """Do as ``check``, each time before something is sealed: the roster may have grown meanwhile (§4.7)."""
        self.team.require_fresh()
        self.check(fact)

    def take(self, opened: Opened) -> None:
        """Give an entry that was just opened its verdict, and note what it tells the person."""
        self.refresh_team()  # opening it may have fetched newer links
        judged = self.thread.take(opened)
        self.fresh.append(opened.record())
        kind = self._event_kind(judged)
        if kind is not None:
            message_id = judged.inner.message_id if judged.inner else b""
            place = (0, self.row.number, judged.seq)
            self.journal.append(JournalRow(*place, kind, role_of(judged), self.status(), message_id))

    def _event_kind(self, judged: Opened) -> EventKind | None:
        """Return what an entry tells the person; that time closed the ticket is told when it does (``reminders``)."""
        if judged.inner and judged.inner.kind is Kind.AUTO_CLOSE and judged.verdict is Verdict.OK:
            return None
        kind, body = event_kind(judged), judged.body
        shown = bool(self.team.roster.policy.staff.show_assignee)
        assigns = isinstance(body, FieldsBody) and body.assignee not in {b"", NOBODY}
        return EventKind.ASSIGNED if kind is EventKind.FIELDS and shown and assigns else kind

    @property
    def merged_into(self) -> str:
        """Number of the ticket in which this one goes on; empty for none."""
        state = self.thread.state
        return ticket_number(MailboxId(state.merged_into)) if state and state.merged_into else ""

    def status(self) -> str:
        """Return the id of the ticket's label; empty while it has no valid opening."""
        state = self.thread.at(clock.now())
        return label(state, self.team.roster.policy).id if state else ""

    def saved(self) -> None:
        """Forget what waited to be kept, once it is."""
        self.fresh.clear()
        self.journal.clear()

    def _take_own(self, own: Opened) -> None:
        """Take the entry that a push returned, unless it was pulled on the way."""
        if own.seq == len(self.thread.entries):
            self.take(own)
