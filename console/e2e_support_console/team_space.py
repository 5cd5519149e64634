"""The team space: what the whole team shares, read and written by compare-and-append (protocol 4.6, 4.13).

Proposals, shared settings, read marks and claims stand in it. What was opened is kept in the store; the sync
follows it like any log, so that most readers need no connection. It is a row of volumes, all full but the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from e2e_support.codec import Message
from e2e_support.conversation import Draft, Sealed
from e2e_support.ids import ID_SIZE, MessageId
from e2e_support.opened import Opened
from e2e_support.space import place_of
from e2e_support.thread import SpaceThread
from e2e_support.ticket_state import Fact
from e2e_support.vocab import AuthorRole, Kind
from e2e_support_client import clock
from e2e_support_console import feed, volumes
from e2e_support_console.creating import create_for_team
from e2e_support_console.desk import Desk
from e2e_support_console.holding import HELD, hold_open
from e2e_support_console.index import forget
from e2e_support_console.volume import Full, Volume, space_mailboxes

Check = Callable[[Sequence[Opened]], None]
"""Raises where what stands in the space by now speaks against an entry."""
ALL_KINDS: Final = frozenset(Kind)


@dataclass(slots=True)
class _Followed:
    """The space as far as it was followed: what was asked for of finished volumes, and the open one."""

    thread: SpaceThread
    volume: Volume

    def take(self, opened: Opened) -> None:
        self.volume.take(opened)
        self.thread.take(self.volume.placed(opened))


@dataclass(frozen=True, slots=True)
class TeamSpace:
    """The team space as one device sees it.

    Args:
        desk: the unlocked device.
        kinds: of finished volumes only such entries are read, and those that say what is believed of others.
        since: of finished volumes only entries from that time on, in seconds since 1970, except for the latter.
    """

    desk: Desk
    kinds: frozenset[Kind] = ALL_KINDS
    since: int = 0

    async def kept(self) -> Sequence[Opened]:
        """Return its entries as they were followed last, with their final verdicts; the relay is not asked.

        Each is numbered by its place in the whole space.
        """
        return (await self._load()).thread.entries

    async def entries(self) -> Sequence[Opened]:
        """Return its entries as the relay has them now, as ``kept`` does; none before the first one.

        Raises:
            TransportError, PeerError, TrustError: relay or team are not as they must be.
        """
        await self.desk.team.refresh()
        space = await self._load()
        await self._pull(space)
        return space.thread.entries

    async def write(self, kind: Kind, body: Message, *, check: Check = lambda _entries: None) -> None:
        """Write to it; a volume is created before its first entry.

        Args:
            kind: what it is.
            body: what it says.
            check: asked before every attempt, with the entries that this reads, so that two who write at once do not
                cross.

        Raises:
            UsageError: a rule or ``check`` stands against it; nothing was sent.
            TransportError: as ``entries``; it is not known whether it was stored, and saying it again does no harm.
            PeerError, TrustError: as ``entries``.
        """
        await self.desk.team.refresh()
        device = self.desk.writer()
        space = await self._load()
        await self._pull(space)

        def checked() -> None:
            if space.volume.is_full:
                raise Full
            place = place_of(space.volume.number, len(space.volume.entries))
            fact = Fact(place, kind, AuthorRole.DEVICE, body, clock.now(), device.role, device.device_id)
            space.thread.check(fact, self.desk.roster.policy)
            check(space.thread.entries)

        draft = Draft(kind, body, MessageId(clock.random(ID_SIZE)))
        while not await self._push(space, draft, checked):
            await self._pull(space)  # others have filled the volume

    async def follow(self) -> None:
        """Bring it up to the relay where the feed says that it moved; errors as ``entries``.

        Of a finished volume the feed says so after a restore, or where somebody wrote on behind its end.
        """
        store, mailboxes = self.desk.store, await space_mailboxes(self.desk)
        moved = await feed.moved_of(store, mailboxes)
        for one in await volumes.finished(store):
            if one.mailbox in moved:
                await self._look(one)
        if moved or await volumes.has_ended(store, mailboxes[-1]):  # then the next one may have moved
            space = await self._load()
            await self._pull(space)
            if await feed.moved_of(store, [space.volume.mailbox]):
                error = feed.withheld()
                await space.volume.alarm(error)
                raise error

    # --- volumes -----------------------------------------------------------------------------------------

    async def _load(self) -> _Followed:
        desk = self.desk
        done = await volumes.finished(desk.store)
        volume = await Volume.load(desk, len(done), volumes.open_mailbox(desk.team.keys, done))
        thread = SpaceThread(desk.team)
        for kept in await volumes.kept_entries(desk.store, self.kinds, self.since):
            opened = volume.channel.conversation.reopened(kept.record, kept.place)
            thread.take(replace(opened, received=kept.received, quoted=0))
        for opened in volume.entries:
            thread.take(volume.placed(opened))
        return _Followed(thread, volume)

    async def _pull(self, space: _Followed) -> None:
        """Follow it to its end, volume by volume; a relay that lost something of one is asked for all."""
        lost = False
        while True:
            if not space.volume.is_full:
                lost = await space.volume.follow(space.take) or lost
            if not space.volume.is_full:
                break
            space.volume = await self._next(space)
        if not lost:
            return
        async with self.desk.store.transaction() as change:
            await forget(change, HELD)  # the relay may have
        for one in await volumes.finished(self.desk.store):
            await self._look(one)

    async def _next(self, space: _Followed) -> Volume:
        """Note that the open volume has ended, and return the one behind it."""
        desk, ended = self.desk, space.volume
        judged = space.thread.entries[-len(ended.entries) :]
        async with desk.store.transaction() as change:
            await volumes.finish(change, ended.number, ended.mailbox, ended.entries, judged)
            following = volumes.open_mailbox(desk.team.keys, await volumes.finished(change))
            await feed.release(change, [following])  # it may have passed for a stranger's up to now
        return await Volume.load(desk, ended.number + 1, following)

    async def _look(self, one: volumes.Finished) -> None:
        """See whether the relay has a finished volume as it was."""
        volume = await Volume.load(self.desk, one.number, one.mailbox)
        if await volume.follow(volume.take):
            async with self.desk.store.transaction() as change:
                await volumes.mark_held(change, one.number, held=False)

    # --- writing -----------------------------------------------------------------------------------------

    async def _push(self, space: _Followed, draft: Draft, check: Callable[[], None]) -> bool:
        """Write to the open volume; tell whether it stands there, or others have filled it."""
        volume = space.volume
        begins = not volume.entries
        if begins:
            await self._create()

        async def keep(_: Sealed) -> None:
            """What was not stored is simply said again."""

        try:
            own = await volume.channel.push(
                draft, self.desk.author(), keep=keep, check=check, on_pulled=space.take
            )
            if own.seq == len(volume.entries):
                space.take(own)
        except Full:
            return False
        finally:
            await volume.save()
        if begins:
            await hold_open(self.desk)
        return True

    async def _create(self) -> None:
        """Create the open volume, once the relay has all of the one before it."""
        desk, done = self.desk, await volumes.finished(self.desk.store)
        for one in done[-1:]:
            await self._look(one)
        *_, key = volumes.keys_of(desk.team.keys, done)
        await create_for_team(desk.relay, desk.team_id, desk.capability(), key)
