"""The team as this device knows it: the verified roster with the epoch keys that its boxes hold, both kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from e2e_support.errors import TrustError
from e2e_support.ids import DeviceId, Hash, MemberId
from e2e_support.policy import Policy
from e2e_support.support_link import SupportLink
from e2e_support.wire import EpochPackage, EpochRecord, Head
from e2e_support_client.port import RelayPort
from e2e_support_client.roster_sync import RosterSync
from e2e_support_console import feed
from e2e_support_console.index import links, packages, save_links, save_package
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.epochs import TeamKeys
from e2e_support_keys.store import Store


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
        self._device_id = bundle.device_id
        self._store = store
        self._refreshing = asyncio.Lock()

    @classmethod
    async def load(cls, relay: RelayPort, bundle: DeviceBundle, store: Store) -> TeamSync:
        """Return the team as it was kept; it is not known at all before the first ``refresh``.

        Raises:
            TrustError: what was kept does not verify.
        """
        pin = SupportLink.parse(bundle.link)
        team = cls(relay, pin, await links(store), bundle, store)
        for package in await packages(store):
            team.keys.add(team.roster.epochs, package)
        return team

    async def refresh(self) -> int:
        """Fetch, verify and keep new links and the boxes of new epochs; return how many links there were.

        Raises:
            TrustError: as ``RosterSync.refresh``, or ``no_box``, ``bad_package``, ``bad_epoch``.
            PeerError, TransportError: as ``RosterSync.refresh``.
        """
        async with self._refreshing:  # two at once would both append what they fetched
            new = await super().refresh()
            opened = await self._open_epochs()
            if new or opened:
                await self._keep(opened)
        return new

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

    async def _open_epochs(self) -> list[EpochPackage]:
        """Open the newest epoch, and older ones whose seeds its ring did not hold."""
        records = self.roster.epochs
        opened: list[EpochPackage] = []
        for record in reversed(records):
            if record.epoch in self.keys.missing(records) and self._has_box(record):
                package = await self._relay.package(self.pin.team_id, record.epoch)
                self.keys.add(records, package)
                opened.append(package)
        if records[-1].epoch in self.keys.missing(records):
            if self._device_id not in self.roster.devices_ever:
                raise _not_approved()
            raise TrustError(
                "not_in_team",
                "this device does not belong to the team any more",
                hint="What it has opened before can still be read. Ask an owner of the team.",
            )
        return opened

    def _has_box(self, record: EpochRecord) -> bool:
        return any(box.device_id == self._device_id for box in record.boxes)

    async def _keep(self, opened: Sequence[EpochPackage]) -> None:
        async with self._store.transaction() as change:
            await save_links(change, self.links)
            for package in opened:
                await save_package(change, package)
            if opened:
                await feed.release_reason(change, "no_key")


def _not_approved() -> TrustError:
    return TrustError(
        "not_approved",
        "this device was handed in and is not in the team yet",
        hint="Read its words to whoever invited you; they run `e2e-admin member approve`.",
    )
