"""Sends mails about tickets, each at most once however many agents a team has: it is claimed first (protocol 4.13).

The claim of the agent that is first in the team space holds. A crash between claim and sending loses that mail; a
mail server that is away loses none, since nothing is claimed before it answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from e2e_support.content import ClaimBody
from e2e_support.errors import TransportError, UsageError
from e2e_support.ids import DeviceId, MailboxId
from e2e_support.limits import CLOCK_WARNING
from e2e_support.opened import Opened
from e2e_support.space import Claim, claims_of
from e2e_support.thread import Thread
from e2e_support.ticket_state import DAY
from e2e_support.vocab import Kind, Verdict
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.index import tickets
from e2e_support_console.mail import Connection, Letter, Mailer, NotTaken, is_address
from e2e_support_console.news import LATER, What, address_of, news_of
from e2e_support_console.team_space import TeamSpace
from e2e_support_console.ticket_logs import ticket_logs
from e2e_support_console.ticket_row import TicketRow

LIFE: Final = DAY
"""Seconds after which something is no news any more: a mail about it is not sent."""
HOUR: Final = 3600
PER_ADDRESS: Final = 20
"""Mails an hour to one address: a stranger may have named somebody else's."""
Told = tuple[str, int]
"""Of one ticket: what a claimed mail is about, and the entry."""
_TEXTS: Final = {
    What.NEW: ("New ticket {}", "There is a new ticket: {}."),
    What.RECEIPT: ("Your ticket {}", "Your ticket has arrived. Its number is {}."),
}
_NEWS: Final = ("News in your ticket {}", "There is something new in your ticket {}.")
_CHANGED: Final = "spam = 0 AND (updated_at > ?1 OR (remind_due > ?1 AND remind_due <= ?2))"


@dataclass(frozen=True, slots=True)
class _Due:
    """A mail that is due, perhaps to several administrators."""

    claim: Claim
    at: int
    letters: tuple[Letter, ...]


class Claimed(UsageError):
    """Another agent was faster."""

    def __init__(self) -> None:
        super().__init__("claimed", "another agent sends this mail")


@dataclass(slots=True)
class Mailing:
    """The mails of one agent.

    Args:
        desk: the unlocked device.
        mailer: reaches the mail server.
    """

    desk: Desk
    mailer: Mailer
    _doubtful: set[Claim] = field(default_factory=set[Claim])
    _again: list[tuple[int, Letter]] = field(default_factory=list[tuple[int, Letter]])

    async def run(self) -> int:
        """Send what is due, as far as the limits allow; return how many mails were sent.

        Raises:
            TransportError: relay or mail server are away; what was not claimed is sent by the next run.
            PeerError, TrustError: relay or team are not as they must be.
        """
        now = clock.now()
        self._again = [(until, letter) for until, letter in self._again if until > now]
        entries = await self._space.kept()
        due = await self._due(entries, now)
        if not due and not self._again:
            return 0
        async with self.mailer.connected() as connection:
            waiting, self._again = self._again, []
            sent = [await self._send(connection, letter, until) for until, letter in waiting]
            for one in due:
                await connection.check()  # nothing is claimed that cannot be sent
                if await self._is_claimed(one.claim):
                    sent += [await self._send(connection, letter, one.at + LIFE) for letter in one.letters]
        return sum(sent)

    async def _send(self, connection: Connection, letter: Letter, until: int) -> bool:
        """Send a mail; one that the server may take later is kept in memory until it is no news any more."""
        try:
            await connection.send(letter)
        except NotTaken as refused:
            if refused.again:
                self._again.append((until, letter))
            return False
        return True

    # --- claims ------------------------------------------------------------------------------------------

    @property
    def _space(self) -> TeamSpace:
        """The team space with the claims of what may still be news, whatever this clock and the relay's say."""
        return TeamSpace(self.desk, frozenset({Kind.CLAIM}), clock.now() - LIFE - CLOCK_WARNING)

    async def _is_claimed(self, claim: Claim) -> bool:
        """Claim a mail, and tell whether it is this device's to send."""
        what, ticket, seq = claim

        def check(entries: Sequence[Opened]) -> None:
            if _is_settled(what, seq, _told(claims_of(entries)).get(ticket, set())):
                raise Claimed

        try:
            await self._space.write(Kind.CLAIM, ClaimBody(what, ticket, seq), check=check)
        except Claimed:
            if claim not in self._doubtful & self._ours(await self._space.kept()):
                return False
        except TransportError:
            self._doubtful.add(claim)
            raise
        self._doubtful.discard(claim)
        return True

    def _ours(self, entries: Sequence[Opened]) -> set[Claim]:
        own = self.desk.bundle.device_id
        return {claim for claim, device in claims_of(entries).items() if device == own}

    # --- what is due -------------------------------------------------------------------------------------

    async def _due(self, entries: Sequence[Opened], now: int) -> list[_Due]:
        """Return the mails that nobody has claimed, the oldest first, as many as may be sent now."""
        told = _told(claims_of(entries), without=self._doubtful & self._ours(entries))
        rows = await tickets(self.desk.store, _CHANGED, (now - LIFE, now))
        threads = {row.mailbox: await self._thread(row) for row in rows}
        lately = list(_claimed_since(entries, now - HOUR))
        left = self.mailer.settings.per_hour - sum(
            device == self.desk.bundle.device_id for _, device in lately
        )
        to_users = [body.ticket for body, _ in lately if body.what != What.NEW and body.ticket in threads]
        to = Counter(address_of(threads[ticket].entries) for ticket in to_users)
        found = [one for row in rows for one in self._letters(row, threads[row.mailbox], told, now)]
        due: list[_Due] = []
        for one in sorted(found, key=lambda one: one.at):
            crowded = any(to[letter.to] >= PER_ADDRESS for letter in one.letters)
            if left >= len(one.letters) and not (crowded and one.claim[0] != What.NEW):
                left -= len(one.letters)
                to.update(letter.to for letter in one.letters)
                due.append(one)
        return due

    async def _thread(self, row: TicketRow) -> Thread:
        logs = await ticket_logs(self.desk.store, self.desk.roster, row.mailbox, row.staff_log)
        return logs.shared

    def _letters(
        self, row: TicketRow, thread: Thread, told: dict[MailboxId, set[Told]], now: int
    ) -> Iterator[_Due]:
        """Yield the mails about one ticket: of all that is new to its user, the newest stands for the rest."""
        state = thread.at(now)
        if state is None:
            return
        known = told.get(row.mailbox, set())
        news = [
            one
            for one in news_of(thread.entries, state, self.desk.roster.policy, now)
            if one.at > now - LIFE and not _is_settled(one.what, one.seq, known)
        ]
        later = sorted((one for one in news if one.what in LATER), key=lambda one: (one.seq, one.at))
        user = address_of(thread.entries)
        for one in [*(one for one in news if one.what not in LATER), *later[-1:]]:
            to = self.mailer.settings.to if one.what is What.NEW else (user,)
            letters = tuple(_letter(one.what, row.number, address) for address in to if is_address(address))
            if letters:
                yield _Due((one.what.value, row.mailbox, one.seq), one.at, letters)


def _letter(what: What, number: str, to: str) -> Letter:
    subject, text = _TEXTS.get(what, _NEWS)
    return Letter(to, subject.format(number), text.format(number))


def _told(claims: Iterable[Claim], without: Collection[Claim] = ()) -> dict[MailboxId, set[Told]]:
    """Return what was claimed of each ticket."""
    told: dict[MailboxId, set[Told]] = {}
    for claim in claims:
        what, ticket, seq = claim
        if claim not in without:
            told.setdefault(ticket, set()).add((what, seq))
    return told


def _is_settled(what: str, seq: int, told: set[Told]) -> bool:
    """Tell whether a mail about this, or about something newer, was claimed."""
    newer = any(other in LATER and number > seq for other, number in told)
    return (what, seq) in told or (what in LATER and newer)


def _claimed_since(entries: Iterable[Opened], since: int) -> Iterator[tuple[ClaimBody, DeviceId]]:
    for entry in entries:
        if (
            entry.verdict is Verdict.OK
            and isinstance(entry.body, ClaimBody)
            and entry.received > since
            and entry.device
        ):
            yield entry.body, entry.device.device_id
