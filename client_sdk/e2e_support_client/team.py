"""The team as one user's client knows it: a roster that is kept between runs, and what people are shown of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.support_link import SupportLink
from e2e_support.wire import DeviceRecord
from e2e_support_client import clock
from e2e_support_client.model import utc
from e2e_support_client.people import Member, TeamChange, TeamInfo
from e2e_support_client.port import RelayPort
from e2e_support_client.roster_sync import RosterForked, RosterSync
from e2e_support_client.store import LocalStore
from e2e_support_client.trust_store import TrustStore
from e2e_support_client.vouched import Vouched
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.history import history

READ_AFTER = 600  # seconds after which reading asks for new links first
WRITE_AFTER = 60  # seconds after which sealing does
_COMPARED: Final = "compared"  # notes in the store: the genesis that a person compared,
_LOOKED: Final = "looked"  # how many links a person was told of,
_FORKED: Final = "forked"  # and where two valid links stand


class Team(RosterSync):
    """The verified roster, written to the store whenever it has grown.

    Args:
        relay: where links come from; never trusted.
        pin: the support link.
        store: keeps the links.
        links: what the store kept.
        trust: what is remembered of it besides.
        vouched: whether active devices say that it is the newest.
    """

    def __init__(
        self,
        relay: RelayPort,
        pin: SupportLink,
        store: LocalStore,
        links: Sequence[bytes],
        *,
        trust: TrustStore,
        vouched: Vouched,
    ) -> None:
        super().__init__(relay, pin, links)
        self.pin = pin
        self._store = store
        self._trust = trust
        self._vouched = vouched
        self._refreshing = asyncio.Lock()
        self._checked = 0

    async def refresh(self) -> int:
        """Fetch, verify and keep new links and the newest statement about them; return how many links there were.

        Raises:
            TrustError: as in ``RosterSync``; ``roster_fork`` also later, until a newer support link settles it.
        """
        async with self._refreshing:
            new = await self._follow()
            # it was made after the links were fetched, or they are hidden
            if await self._vouched.refresh(self.roster):
                new += await self._follow()
                await self._vouched.refresh(self.roster)
            self._checked = clock.now()
        return new

    def require_fresh(self) -> None:
        """Do nothing if something may be sealed for the team as it is known; errors as in ``Vouched.require``."""
        self._vouched.require(self.roster)

    async def refresh_if_old(self, seconds: int | None = None) -> None:
        """Do as ``refresh`` if that was so many seconds ago, by default as many as are good enough for reading."""
        if clock.is_over(self._checked, READ_AFTER if seconds is None else seconds):
            await self.refresh()

    async def _follow(self) -> int:
        before = len(self.links)
        try:
            new = await super().refresh()
        except RosterForked as fork:
            if fork.proof:
                await self._trust.add_proof(fork.proof, clock.now())
                await self._trust.set_note(_FORKED, str(before).encode())
            raise
        await self._settle_fork()
        await self._store.add_links(before, self.links[before:])
        return new

    async def _settle_fork(self) -> None:
        """Go on after a proven fork only if the support link names what came behind it (attack 8)."""
        forked = int(await self._trust.note(_FORKED) or 0)
        if not forked:
            return
        if self.pin.head is None or self.pin.head[0] < forked:
            raise RosterForked(b"")
        await self._trust.set_note(_FORKED, b"")

    # --- what people are shown -----------------------------------------------------------------------------

    async def compared(self) -> None:
        """Remember that a person has compared the words or digits of this very genesis."""
        await self._trust.set_note(_COMPARED, self.roster.team_id)

    async def full_info(self) -> TeamInfo:
        """Return what ``info`` does, with whether a person has compared it."""
        return replace(self.info(), verified=await self._trust.note(_COMPARED) == self.roster.team_id)

    async def news(self) -> tuple[TeamChange, ...]:
        """Return what happened to the team since this was last asked, and remember that it was told."""
        told = int(await self._trust.note(_LOOKED) or 0)
        changes = [
            TeamChange(utc(event.time), event.what) for event in history(self.roster) if event.seq >= told
        ]
        await self._trust.set_note(_LOOKED, str(len(self.links)).encode())
        return tuple(changes)

    def info(self) -> TeamInfo:
        """Return what people are shown, from the newest verified roster."""
        roster = self.roster
        fingerprint = Fingerprint.of(roster.team_id)
        members = tuple(_member(roster, records) for records in roster.members.values())
        spoken = {language for record in roster.devices.values() for language in record.languages}
        languages = tuple(sorted(spoken)) if roster.policy.show_languages else ()
        return TeamInfo(
            roster.name,
            fingerprint.words,
            fingerprint.digits,
            members,
            languages,
            roster.epoch.epoch,
            since=_time(roster, 0),
        )


def _member(roster: TrustedRoster, records: Sequence[DeviceRecord]) -> Member:
    """Return a person as users see them: by their first device that is still active."""
    spoken = {language for record in records for language in record.languages}
    added = min(roster.devices_ever[record.device_id].added for record in records)
    first = records[0]
    return Member(first.label, first.role.name.lower(), tuple(sorted(spoken)), _time(roster, added))


def _time(roster: TrustedRoster, seq: int) -> datetime:
    """Return when a link was made, as its author said."""
    return utc(open_link(roster.links[seq]).body.time)
