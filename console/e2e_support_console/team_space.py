"""The team space: the one mailbox that belongs to the whole team, read and written by compare-and-append (4.6, 4.13).

Proposals, shared settings, read marks and claims stand in it. What was opened is kept in the store; the sync
follows it like any log, so that most readers need no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from e2e_support.codec import Message
from e2e_support.conversation import Conversation, Draft, Sealed
from e2e_support.errors import PeerError
from e2e_support.ids import ID_SIZE, MailboxId, MessageId
from e2e_support.mailbox import mailbox_id
from e2e_support.opened import Opened
from e2e_support.thread import SpaceThread
from e2e_support.ticket_state import Fact
from e2e_support.vocab import AuthorRole, Kind
from e2e_support_client import clock
from e2e_support_client.channel import Channel
from e2e_support_client.handback import HandBack
from e2e_support_client.port import Refused
from e2e_support_console import feed
from e2e_support_console.alarms import Alarm, new_alarm, raise_alarms
from e2e_support_console.creating import create_for_team
from e2e_support_console.desk import Desk
from e2e_support_console.handback import Forked, follow_log, losses
from e2e_support_console.index import records, save_entries

Check = Callable[[Sequence[Opened]], None]
"""Raises where what stands in the space by now speaks against an entry."""


@dataclass(slots=True)
class _Followed:
    """The space as far as it was followed; ``fresh`` and ``alarms`` are not in the store yet.

    It is ``complete`` once the relay was heard to its end.
    """

    channel: Channel
    thread: SpaceThread
    hand_back: HandBack
    fresh: list[Opened] = field(default_factory=list[Opened])
    alarms: list[Alarm] = field(default_factory=list[Alarm])
    complete: bool = False

    @property
    def mailbox(self) -> MailboxId:
        return self.channel.conversation.mailbox

    @property
    def length(self) -> int:
        return self.channel.conversation.chain.length

    def take(self, opened: Opened) -> None:
        self.fresh.append(opened)
        self.thread.take(opened)


@dataclass(frozen=True, slots=True)
class TeamSpace:
    """The team space as one device sees it.

    Args:
        desk: the unlocked device.
    """

    desk: Desk

    async def kept(self) -> Sequence[Opened]:
        """Return its entries as they were followed last, with their final verdicts; the relay is not asked."""
        return (await self._load()).thread.entries

    async def entries(self) -> Sequence[Opened]:
        """Return its entries as the relay has them now, with their final verdicts; none before the first one.

        Raises:
            TransportError, PeerError, TrustError: relay or team are not as they must be.
        """
        await self.desk.team.refresh()
        space = await self._load()
        await self._pull(space)
        return space.thread.entries

    async def write(self, kind: Kind, body: Message, *, check: Check = lambda _entries: None) -> None:
        """Write to it; the mailbox is created before its first entry.

        Args:
            kind: what it is.
            body: what it says.
            check: asked with all entries before every attempt, so that two who write at once do not cross.

        Raises:
            UsageError: a rule or ``check`` stands against it; nothing was sent.
            TransportError: as ``entries``; it is not known whether it was stored, and saying it again does no harm.
            PeerError, TrustError: as ``entries``.
        """
        await self.desk.team.refresh()
        device = self.desk.writer()
        space = await self._load()
        await self._pull(space)
        if not space.length:
            await self._create()

        def checked() -> None:
            role, now = AuthorRole.DEVICE, clock.now()
            fact = Fact(space.length, kind, role, body, now, device.role, device.device_id)
            space.thread.check(fact, self.desk.roster.policy)
            check(space.thread.entries)

        async def keep(_: Sealed) -> None:
            """What was not stored is simply said again."""

        draft = Draft(kind, body, MessageId(clock.random(ID_SIZE)))
        try:
            own = await space.channel.push(
                draft, self.desk.author(), keep=keep, check=checked, on_pulled=space.take
            )
            if own.seq == len(space.thread.entries):
                space.take(own)
        finally:
            await self._save(space)

    async def follow(self) -> None:
        """Bring it up to the relay if the feed says that it moved; errors as ``entries``."""
        if await feed.has_moved(self.desk.store, team_space(self.desk)):
            await self._pull(await self._load())

    async def _load(self) -> _Followed:
        desk, mailbox = self.desk, team_space(self.desk)
        conversation = Conversation(mailbox, desk.roster, desk.team.keys, staff=True)
        channel = Channel(desk.relay, desk.team, conversation, desk.capability)
        space = _Followed(channel, SpaceThread(desk.team), desk.hand_back(mailbox))
        for opened in conversation.resume(await records(desk.store, mailbox)):
            space.thread.take(opened)
        return space

    async def _pull(self, space: _Followed) -> None:
        pull = partial(space.channel.pull, space.take)
        try:
            await follow_log(pull, space.thread, space.hand_back, space.channel.roster)
        except Refused as refused:
            if refused.code != "not_found" or space.length:
                raise
        except PeerError as error:
            proof = error.proof if isinstance(error, Forked) else b""
            space.alarms.append(new_alarm(error, proof, now=clock.now(), mailbox=space.mailbox))
            raise
        else:
            space.complete = True
        finally:
            await self._save(space)

    async def _save(self, space: _Followed) -> None:
        lost = [new_alarm(one, now=clock.now(), mailbox=space.mailbox) for one in losses(space.hand_back)]
        async with self.desk.store.transaction() as change:
            await save_entries(change, [(space.mailbox, opened) for opened in space.fresh])
            await feed.pulled(change, [(space.mailbox, space.length)])
            await feed.compared(change, [space.mailbox] * space.complete)
            await raise_alarms(change, [*lost, *space.alarms])
        for told in (space.fresh, space.alarms, space.hand_back.given):
            told.clear()

    async def _create(self) -> None:
        desk = self.desk
        await create_for_team(desk.relay, desk.team_id, desk.capability(), desk.team.keys.team_space())


def team_space(desk: Desk) -> MailboxId:
    """Return the id of the mailbox that belongs to the whole team, whether or not it exists (protocol 4.6)."""
    return mailbox_id(desk.team.keys.team_space().public)
