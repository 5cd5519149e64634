"""What is known of a team once its links were checked: state, and questions to it (protocol section 4).

Nothing here judges links; ``roster_steps`` does, and ``roster`` puts both together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import TypeVar

from e2e_support.errors import TrustError
from e2e_support.ids import DeviceId, Hash, MemberId, RelayKeyId, TeamId
from e2e_support.membership import Device, Membership
from e2e_support.policy import Policy
from e2e_support.roster_links import IssuerKey, open_link
from e2e_support.vocab import WRITERS
from e2e_support.wire import DeviceRecord, EpochRecord, Head

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RosterState:
    """A roster that was checked from its genesis on; never changed, only replaced by a longer one.

    Attributes:
        team_id: hash of the genesis: what clients pin.
        name: what the team calls itself.
        links: every link as transported, by sequence number.
        hashes: every link's hash, by sequence number.
        membership: devices and threshold, past devices included.
        epoch_links: (sequence number, record) of every epoch, by epoch number.
        policy_links: (sequence number, policy) of every policy that held.
        relay_keys: every key that the relay signed with: receipts at rest are checked under these.
        current_relay_keys: the keys that it signs with now: a new receipt must be under one of these.
        issuer_keys: who admits people, besides work.
        rotation_due: a device has left by itself; the next owner or agent device begins an epoch.
        owed: ``None``, or an epoch must follow before the batch ends: the devices that may sign it besides
            owners and agents. A roster that ``update`` returned owes nothing.
    """

    team_id: TeamId
    name: str
    links: tuple[bytes, ...]
    hashes: tuple[Hash, ...]
    membership: Membership
    epoch_links: tuple[tuple[int, EpochRecord], ...]
    policy_links: tuple[tuple[int, Policy], ...]
    relay_keys: Mapping[RelayKeyId, bytes]
    current_relay_keys: Mapping[RelayKeyId, bytes]
    issuer_keys: tuple[IssuerKey, ...] = ()
    rotation_due: bool = False
    owed: frozenset[DeviceId] | None = None

    @property
    def head(self) -> Head:
        """How many links there are, and the hash of the last."""
        return Head(len(self.links), self.hashes[-1])

    @property
    def devices(self) -> Mapping[DeviceId, DeviceRecord]:
        """The active devices."""
        return self.membership.active

    @property
    def devices_ever(self) -> Mapping[DeviceId, Device]:
        """Every device, with the links that added and removed it."""
        return self.membership.devices

    @property
    def members(self) -> Mapping[MemberId, tuple[DeviceRecord, ...]]:
        """The active devices of each member."""
        grouped: dict[MemberId, tuple[DeviceRecord, ...]] = {}
        for record in self.devices.values():
            grouped[record.member_id] = (*grouped.get(record.member_id, ()), record)
        return grouped

    @property
    def threshold(self) -> int:
        """How many owners sign what needs more than one."""
        return self.membership.threshold

    @property
    def epoch(self) -> EpochRecord:
        """The newest epoch: what is new is sealed to it."""
        return self.epoch_links[-1][1]

    @property
    def epochs(self) -> tuple[EpochRecord, ...]:
        """Every epoch, by number."""
        return tuple(record for _, record in self.epoch_links)

    @property
    def policy(self) -> Policy:
        """The policy that holds now."""
        return self.policy_links[-1][1]

    def policy_at(self, seq: int) -> Policy:
        """Return the policy that held once the link ``seq`` stood.

        Args:
            seq: sequence number of a link, not negative; ``head.length - 1`` for a cited head.
        """
        return _at(self.policy_links, seq)

    def epoch_at(self, seq: int) -> EpochRecord:
        """Return the epoch that was the newest once the link ``seq`` stood; argument as ``policy_at``."""
        return _at(self.epoch_links, seq)

    def policy_ended(self, seq: int) -> int | None:
        """Return when the policy that held at a link was replaced, as its successor says; argument as ``policy_at``.

        Returns:
            Seconds since 1970, or ``None`` while it holds.
        """
        later = bisect_right(self.policy_links, seq, key=itemgetter(0))
        if later == len(self.policy_links):
            return None
        return _time_of(self.links[self.policy_links[later][0]])

    def may_be_assigned(self, member_id: MemberId, head: Head) -> bool:
        """Tell whether a member had a device that writes at a head that this roster went through."""
        return any(
            device.record.member_id == member_id
            and device.record.role in WRITERS
            and device.active_at(head.length - 1)
            for device in self.membership.devices.values()
        )

    def has_head(self, head: Head) -> bool:
        """Tell whether a head is one that this roster went through."""
        return 0 < head.length <= len(self.links) and self.hashes[head.length - 1] == head.hash

    def device_at(self, device_id: DeviceId, head: Head) -> DeviceRecord | None:
        """Return a device if it was active at a head that this roster went through.

        Args:
            device_id: a device.
            head: what an entry or statement cites.
        """
        device = self.membership.devices.get(device_id)
        if device is None or not self.has_head(head) or not device.active_at(head.length - 1):
            return None
        return device.record

    def revocation_of(self, device_id: DeviceId) -> tuple[int, Hash] | None:
        """Return sequence number and hash of the link that removed a device, if one did (section 4.8)."""
        device = self.membership.devices.get(device_id)
        if device is None or device.revoked is None:
            return None
        return device.revoked, self.hashes[device.revoked]

    def require_head(self, head: tuple[int, bytes] | None) -> None:
        """Do nothing if the roster contains the head that a support link names (sections 4.4, 4.9).

        Args:
            head: ``SupportLink.head``: a length and the first bytes of a link hash.

        Raises:
            TrustError: ``roster_behind`` when the roster is shorter, ``roster_fork`` when it is another.
        """
        if head is None:
            return
        length, prefix = head
        if length > len(self.links):
            raise TrustError(
                "roster_behind",
                "the relay serves an older roster than the support link names",
                hint="The relay may hide a change of administrators. Send nothing; ask the team.",
            )
        if length < 1 or not self.hashes[length - 1].startswith(prefix):
            raise TrustError(
                "roster_fork",
                "the relay serves another roster than the support link names",
                hint="Fetch a fresh support link from where the team publishes it, and send nothing until then.",
            )


@lru_cache(maxsize=64)
def _time_of(link: bytes) -> int:
    """Return when a link was made; every entry of every log asks for the same few."""
    return open_link(link).body.time


def _at(dated: tuple[tuple[int, T], ...], seq: int) -> T:
    return dated[bisect_right(dated, seq, key=itemgetter(0)) - 1][1]
