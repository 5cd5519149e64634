"""One volume of the team space in hand: a mailbox that ends after so many entries (protocol 4.13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from e2e_support.conversation import Conversation
from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId
from e2e_support.limits import INT_MAX, VOLUME_MAX
from e2e_support.opened import Opened
from e2e_support.space import is_full, place_of
from e2e_support_client import clock
from e2e_support_client.channel import Channel
from e2e_support_client.handback import HandBack
from e2e_support_client.port import Refused
from e2e_support_console import feed, volumes
from e2e_support_console.alarms import new_alarm, raise_alarms
from e2e_support_console.desk import Desk
from e2e_support_console.handback import Forked, follow_log, losses
from e2e_support_console.index import records, save_entries

OnTaken = Callable[[Opened], None]


class Full(Exception):
    """The volume ends here."""


@dataclass(slots=True)
class Volume:
    """A volume as far as it was followed.

    Attributes:
        desk: the unlocked device.
        number: which volume.
        channel: moves its bytes.
        hand_back: gives the relay back what it lost of it.
        entries: what it holds.
        fresh: entries that are not in the store yet.
    """

    desk: Desk
    number: int
    channel: Channel
    hand_back: HandBack
    entries: list[Opened]
    fresh: list[Opened] = field(default_factory=list[Opened])

    @classmethod
    async def load(cls, desk: Desk, number: int, mailbox: MailboxId) -> Self:
        """Return a volume as far as it was followed; nothing is decrypted again."""
        conversation = Conversation(mailbox, desk.roster, desk.team.keys, staff=True)
        channel = Channel(desk.relay, desk.team, conversation, desk.capability)
        kept = (await records(desk.store, mailbox))[:VOLUME_MAX]
        return cls(desk, number, channel, desk.hand_back(mailbox), conversation.resume(kept))

    @property
    def mailbox(self) -> MailboxId:
        """Its mailbox."""
        return self.hand_back.mailbox

    @property
    def is_full(self) -> bool:
        """Whether it has ended."""
        return is_full(len(self.entries))

    def take(self, opened: Opened) -> None:
        """Take the next entry.

        Raises:
            Full: it stands behind the volume's end, and nobody reads it.
        """
        if self.is_full:
            raise Full
        self.entries.append(opened)
        self.fresh.append(opened)

    def placed(self, opened: Opened) -> Opened:
        """Return one of its entries with its place in the whole space."""
        return replace(opened, seq=place_of(self.number, opened.seq))

    async def follow(self, on_pulled: OnTaken) -> bool:
        """Follow it to its end and keep what came; tell whether the relay had lost something of it.

        Args:
            on_pulled: told every entry; calls ``take``.

        Raises:
            TransportError, PeerError, TrustError: relay or team are not as they must be; an alarm was kept.
        """
        complete = False
        try:
            pull = partial(self.channel.pull, on_pulled)
            await follow_log(pull, self, self.hand_back, self.channel.roster)
            complete = True
        except Full:
            complete = True
            await self.alarm(_overfull())
        except Refused as refused:
            if refused.code != "not_found" or self.entries:
                raise
        except PeerError as error:
            await self.alarm(error)
            raise
        finally:
            lost = bool(self.hand_back.given)
            await self.save(complete=complete)
        return lost

    async def save(self, *, complete: bool = False) -> None:
        """Keep what is new.

        Args:
            complete: whether the relay was heard to its end.
        """
        lost = [new_alarm(one, now=clock.now(), mailbox=self.mailbox) for one in losses(self.hand_back)]
        length = INT_MAX if self.is_full else len(self.entries)
        async with self.desk.store.transaction() as change:
            await save_entries(change, [(self.mailbox, opened) for opened in self.fresh])
            await feed.pulled(change, [(self.mailbox, length)])
            await feed.compared(change, [self.mailbox] * complete)
            await raise_alarms(change, lost)
        for told in (self.fresh, self.hand_back.given):
            told.clear()

    async def alarm(self, error: PeerError) -> None:
        """Keep an alarm about it."""
        proof = error.proof if isinstance(error, Forked) else b""
        async with self.desk.store.transaction() as change:
            await raise_alarms(change, [new_alarm(error, proof, now=clock.now(), mailbox=self.mailbox)])


async def space_mailboxes(desk: Desk) -> list[MailboxId]:
    """Return the mailboxes of all volumes, the open one last, whether or not it exists (protocol 4.13)."""
    done = await volumes.finished(desk.store)
    return [*(volume.mailbox for volume in done), volumes.open_mailbox(desk.team.keys, done)]


def _overfull() -> PeerError:
    return PeerError(
        "volume_overfull",
        "somebody wrote on where a part of the team's space is full; nothing of it is read",
        hint="No program of the team does that. Ask your colleagues, and whoever runs the relay.",
    )
