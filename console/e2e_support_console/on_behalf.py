"""Opening a ticket for a user, by the card that the user made and handed over (protocol 5.9)."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_support.content import OpenForBody, Pair
from e2e_support.conversation import Draft, Sealed
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import ID_SIZE, MailboxId, MessageId, TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.ticket_keys import ticket_number
from e2e_support.ticket_state import Fact
from e2e_support.user import Card, open_card, read_card
from e2e_support.vocab import AuthorRole, Kind
from e2e_support_client import clock
from e2e_support_console.answers import Answers
from e2e_support_console.creating import create_for_user
from e2e_support_console.logs import Log
from e2e_support_console.model import InboxTicket
from e2e_support_console.renewal import require_fresh, vouched


class OnBehalf(Answers):
    """Opens tickets for users; part of ``TeamClient.inbox``."""

    async def open_for(
        self,
        card: str,
        subject: str,
        text: str,
        *,
        category: str,
        priority: str = "",
        fields: Mapping[str, str] | None = None,
        as_team: bool | None = None,
    ) -> InboxTicket:
        """Open a ticket for a user. A card serves once; run again after a failure, it finishes what was begun.

        Args:
            card: as the user handed it over.
            subject: what it is about.
            text: what to say first.
            category: id of one of the policy's categories.
            priority: id of a level; empty for the policy's.
            fields: answers to the form's further questions, by id.
            as_team: as in ``reply``.

        Returns:
            The new ticket's line in the inbox.

        Raises:
            UsageError: ``bad_card``, ``card_used``, or a rule stands against it; nothing was sent.
            PeerError: ``bad_card``, ``bad_signature``: the card was changed, or is for another team.
            TransportError, TrustError: relay or team are not as they must be.
        """
        desk, signed = self._desk, read_card(card)
        await desk.team.refresh()
        opened = _opened(signed, desk.team_id)
        answers = tuple(Pair(*item) for item in (fields or {}).items())
        shown = int(self.as_team(desk.roster.policy.staff, wanted=as_team))
        wanted = OpenForBody(signed, subject.strip(), text, category, priority, answers, shown)
        body = OpenForBody.from_bytes(wanted.to_bytes())
        log = desk.begin(mailbox_id(opened.creation_key))
        self._check_opening(log, body)
        await create_for_user(desk.relay, desk.team_id, desk.capability(), opened.creation_key)
        await self._follower.pull(log.mailbox, log)
        if not log.length:
            await self._write_first(log, body)
        elif log.thread.entries[0].body != body:
            raise _used(log.mailbox)
        return await self._line(await self._follower.find(ticket_number(log.mailbox)))

    def _check_opening(self, log: Log, body: OpenForBody) -> None:
        device = self._desk.writer()
        fact = Fact(0, Kind.OPEN_FOR, AuthorRole.DEVICE, body, clock.now(), device.role, device.device_id)
        log.thread.check(fact, self._desk.roster.policy)

    async def _write_first(self, log: Log, body: OpenForBody) -> None:
        statement = await vouched(self._desk)

        def check() -> None:
            require_fresh(self._desk, statement)
            if log.length:
                raise _used(log.mailbox)

        async def keep(_: Sealed) -> None:
            """The log itself tells the next attempt whether it was stored."""

        draft = Draft(Kind.OPEN_FOR, body, MessageId(clock.random(ID_SIZE)))
        own = await log.channel.push(draft, self._desk.author(), keep=keep, check=check, on_pulled=log.take)
        if own.seq == len(log.thread.entries):
            log.take(own)
        await self._follower.save(log.mailbox, log)


def _opened(signed: bytes, team_id: TeamId) -> Card:
    """Return a card that holds; a torn one is called that, for it came by a person's hand and not by the relay."""
    try:
        return open_card(signed, team_id)
    except PeerError as error:
        if error.code == "malformed":
            raise PeerError(
                "bad_card", "the card is not whole", hint="Ask the user for all of it; a file keeps it whole."
            ) from None
        raise


def _used(mailbox: MailboxId) -> UsageError:
    return UsageError(
        "card_used",
        f"the card has served already: {ticket_number(mailbox)}",
        hint="Write in that ticket, or ask the user for a new card.",
    )
