"""The team as one user's client knows it: a roster that is kept between runs, and what people are shown of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from e2e_support.roster import TrustedRoster
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_client.model import Member, TeamInfo
from e2e_support_client.port import RelayPort
from e2e_support_client.roster_sync import RosterSync
from e2e_support_client.store import LocalStore
from e2e_support_keys.fingerprint import Fingerprint

READ_AFTER = 600  # seconds after which reading asks for new links first
WRITE_AFTER = 60  # seconds after which sealing does


class Team(RosterSync):
    """The verified roster, written to the store whenever it has grown.

    Args:
        relay: where links come from; never trusted.
        pin: the support link.
        store: keeps the links.
        links: what the store kept.
    """

    def __init__(self, relay: RelayPort, pin: SupportLink, store: LocalStore, links: Sequence[bytes]) -> None:
        super().__init__(relay, pin, links)
        self.pin = pin
        self._store = store
        self._refreshing = asyncio.Lock()
        self._checked = 0

    async def refresh(self) -> int:
        """Fetch, verify and keep new links; return how many there were. Errors as in ``RosterSync``."""
        async with self._refreshing:
            before = len(self.links)
            new = await super().refresh()
            await self._store.add_links(before, self.links[before:])
            self._checked = clock.now()
        return new

    async def refresh_if_old(self, seconds: int | None = None) -> None:
        """Do as ``refresh`` if that was so many seconds ago, by default as many as are good enough for reading."""
        if clock.now() - self._checked >= (READ_AFTER if seconds is None else seconds):
            await self.refresh()

    def info(self) -> TeamInfo:
        """Return what people are shown, from the newest verified roster."""
        roster = self.roster
        fingerprint = Fingerprint.of(roster.team_id)
        members = tuple(
            _member(roster, records[0].label, records[0].role) for records in roster.members.values()
        )
        spoken = {language for record in roster.devices.values() for language in record.languages}
        languages = tuple(sorted(spoken)) if roster.policy.show_languages else ()
        return TeamInfo(
            roster.name, fingerprint.words, fingerprint.digits, members, languages, roster.epoch.epoch
        )


def _member(roster: TrustedRoster, label: str, role: Role) -> Member:
    spoken = {
        lang for record in roster.devices.values() if record.label == label for lang in record.languages
    }
    return Member(label, role.name.lower(), tuple(sorted(spoken)))
