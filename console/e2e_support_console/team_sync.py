"""The team as this device knows it: the verified roster with the epoch keys that its boxes hold, both kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from e2e_support.errors import PeerError, TrustError
from e2e_support.ids import DeviceId, Hash, MemberId
from e2e_support.policy import Policy
from e2e_support.support_link import SupportLink
from e2e_support.wire import EpochPackage, EpochRecord, Head
from e2e_support_client import clock
from e2e_support_client.handback import AGAIN_AFTER
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.roster_sync import RosterSync
from e2e_support_console import feed
from e2e_support_console.alarms import new_alarm, raise_alarms
from e2e_support_console.index import (
    kept_epochs,
    links,
    number_of,
    package_of,
    remember,
    save_links,
    save_package,
)
from e2e_support_console.roster_handback import RosterHandBack
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.epochs import TeamKeys
from e2e_support_keys.store import Store

EPOCHS_KEPT: Final = 64
"""Newest epochs whose boxes are kept in any case, for a relay that loses them."""
_TRIED: Final = "roster given"  # fact: when the relay did not take links back


class TeamSync(RosterSync):
    """A ``RosterSync`` that also opens this device's epoch boxes. Made by ``load``.

    Attributes:
        keys: opens the team boxes of tickets.
    """

    def __init__(
        self, relay: RelayPort, pin: SupportLink, known: Sequence[bytes], bundle: DeviceBundle, store: Store
    ) -> None:
        super().__init__(relay, pin, known)
        self.keys = TeamKeys(pin.team_id, bundle.device_id, bundle.kem())
        self.pin = pin
        self._device_id, device = bundle.signer()
        self._store = store
        self._hand_back = RosterHandBack(relay, store, device)
        self._kept: set[int] = set()
        self._refreshing = asyncio.Lock()

    @classmethod
    async def load(cls, relay: RelayPort, bundle: DeviceBundle, store: Store) -> TeamSync:
        """Return the team as it was kept; it is not known at all before the first ``refresh``.

        Raises:
            TrustError: what was kept does not verify.
        """
        pin = SupportLink.parse(bundle.link)
        team = cls(relay, pin, await links(store), bundle, store)
        team._kept = set(await kept_epochs(store))
        for record in team._in_turn(team.roster.epochs) if team.known else ():
            await team._open_kept(record.epoch)
        return team

    async def _open_kept(self, epoch: int) -> None:
        """Open a kept epoch whose seed no later ring held."""
        if epoch in self._kept and epoch in self.keys.missing(self.roster.epochs):
            package = await package_of(self._store, epoch)
            assert package is not None  # noqa: S101 - it is kept
            self._open(package)

    async def refresh(self, *, even_shut: bool = False) -> int:
        """Fetch, verify and keep new links and the boxes of epochs; return how many links there were.

        A relay that was restored from a backup gets back what it lost; an alarm says so (attack 88).

        Args:
            even_shut: go on where the newest epoch does not open here: for whoever changes the team, and begins
                another one.

        Raises:
            TrustError: as ``RosterSync.refresh``, or ``no_box``, ``bad_package``, ``bad_epoch``.
            PeerError, TransportError: as ``RosterSync.refresh``.
        """
        async with self._refreshing:  # two at once would both append what they fetched
            new = await self._follow()
            opened = await self._open_epochs()
            if new or opened:
                await self._keep(opened)
            await self._keep_spare()
            if self.is_shut and not even_shut:
                raise self.keys.shut[self.roster.epoch.epoch]
        return new

    @property
    def is_shut(self) -> bool:
        """Whether the newest epoch does not open here: nothing may be sealed under it."""
        return self.roster.epoch.epoch in self.keys.shut

    def policy_at(self, seq: int) -> Policy:
        """Return the policy that held once the link ``seq`` stood, in the newest roster there is."""
        return self.roster.policy_at(seq)

    def revocation_of(self, device_id: DeviceId) -> tuple[int, Hash] | None:
        """Return sequence number and hash of the link that removed a device, in the newest roster there is."""
        return self.roster.revocation_of(device_id)

    def policy_ended(self, seq: int) -> int | None:
        """Return when the policy that held at a link was replaced, in the newest roster there is."""
        return self.roster.policy_ended(seq)

    def may_be_assigned(self, member_id: MemberId, head: Head) -> bool:
        """Tell whether a member wrote for the team at a head, in the newest roster there is."""
        return self.roster.may_be_assigned(member_id, head)

    # --- what a restored relay lacks ---------------------------------------------------------------------

    async def _follow(self) -> int:
        try:
            return await super().refresh()
        except TrustError as error:
            if error.code != "roster_rollback" or not await self._give_back():
                raise
        try:
            return await super().refresh()
        except TrustError:
            await self._tried()
            raise

    async def _give_back(self) -> bool:
        """Give the relay the links that it lost; tell whether it took them, and ask it at most once a day."""
        if not clock.is_over(await number_of(self._store, _TRIED), AGAIN_AFTER):
            return False
        if not await self._hand_back.give(self.roster):
            await self._tried()
            return False
        async with self._store.transaction() as change:
            await raise_alarms(change, [new_alarm(_was_restored(), now=clock.now())])
        return True

    async def _tried(self) -> None:
        async with self._store.transaction() as change:
            await remember(change, _TRIED, clock.now())

    async def _keep_spare(self) -> None:
        """Keep the boxes of epochs that this device need not open, too: whoever gives links back has all of them.

        What the relay does not have, or has otherwise than it was signed, is asked for again the next time.
        """
        for record in self.roster.epochs[-EPOCHS_KEPT:]:
            if record.epoch in self._kept:
                continue
            with suppress(Refused, PeerError, TrustError):
                package = await self._relay.package(self.pin.team_id, record.epoch)
                self.roster.check_package(package)
                async with self._store.transaction() as change:
                    await save_package(change, package)
                self._kept.add(record.epoch)

    # --- epochs ------------------------------------------------------------------------------------------

    async def _open_epochs(self) -> list[EpochPackage]:
        """Open the newest epoch, and older ones whose seeds its ring did not hold."""
        records = self.roster.epochs
        opened: list[EpochPackage] = []
        for record in self._in_turn(records):
            if record.epoch in self.keys.missing(records) and record.epoch not in self.keys.shut:
                package = await self._relay.package(self.pin.team_id, record.epoch)
                self.roster.check_package(package)
                self._open(package)
                opened.append(package)
        if records[-1].epoch in self.keys.missing(records) and not self.is_shut:
            if self._device_id not in self.roster.devices_ever:
                raise _not_approved()
            raise TrustError(
                "not_in_team",
                "this device does not belong to the team any more",
                hint="What it has opened before can still be read. Ask an owner of the team.",
            )
        return opened

    def _in_turn(self, records: Sequence[EpochRecord]) -> list[EpochRecord]:
        """Return the epochs with a box for this device, the newest first; a newcomer begins with their own.

        Whoever made that one let them in; if a later one names another locator, it is that one which is false.
        """
        boxed = [record for record in records if self._has_box(record)]
        is_newcomer = len(self.keys.missing(records)) == len(records)
        return [*(boxed[:1] if is_newcomer else ()), *reversed(boxed)]

    def _open(self, package: EpochPackage) -> None:
        """Open an epoch, or note that it is shut: whoever made it so must not stop this device (attack 111)."""
        with suppress(TrustError):
            self.keys.add(self.roster.epochs, package)

    def _has_box(self, record: EpochRecord) -> bool:
        return any(box.device_id == self._device_id for box in record.boxes)

    async def _keep(self, opened: Sequence[EpochPackage]) -> None:
        async with self._store.transaction() as change:
            await save_links(change, self.links)
            for package in opened:
                await save_package(change, package)
            if opened:
                await feed.release_reason(change, "no_key")
        self._kept.update(package.epoch for package in opened)


def _was_restored() -> TrustError:
    return TrustError(
        "roster_rollback",
        "the relay had lost the newest part of the list of administrators and rules; it was handed back",
        hint="Tell whoever runs the relay: it may be restored or dishonest.",
    )


def _not_approved() -> TrustError:
    return TrustError(
        "not_approved",
        "this device was handed in and is not in the team yet",
        hint="Read its words to whoever invited you; they run `e2e-admin member approve`.",
    )
