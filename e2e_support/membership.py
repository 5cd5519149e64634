"""Who belongs to a team: its devices, past and present, grouped into members (protocol 4.3).

A member is a person, a device one of that person's computers; private keys are never copied between devices.
What holds for a set of devices at any time is decided here; who must sign a change is in ``roster_rules``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from e2e_support.crypto.kem import KemPublic
from e2e_support.crypto.sign import check_public
from e2e_support.errors import TrustError
from e2e_support.ids import DeviceId, MemberId
from e2e_support.limits import DEVICES_MAX, MEMBER_DEVICES_MAX
from e2e_support.vocab import Role
from e2e_support.wire import DeviceRecord


def refuse(rule: str, why: str, hint: str = "") -> TrustError:
    """Return the error for a link that breaks a rule of section 4.

    Args:
        rule: the rule's code, as in the table of section 4.4.
        why: one sentence for people.
        hint: what to do, where that is not the usual.
    """
    usual = "The link was refused and nothing was changed. Ask an owner of the team about it."
    return TrustError(rule, why, hint=hint or usual)


@dataclass(frozen=True, slots=True)
class Device:
    """A device that is or was in the team.

    Attributes:
        record: as it stands now: label, languages and KEM key may have changed since it was added.
        added: sequence number of the link that added it.
        revoked: sequence number of the link that removed it, or ``None`` while it is active.
    """

    record: DeviceRecord
    added: int
    revoked: int | None = None

    def active_at(self, seq: int) -> bool:
        """Tell whether the device belonged to the team once the link ``seq`` stood."""
        return self.added <= seq and (self.revoked is None or seq < self.revoked)


@dataclass(frozen=True)  # no slots: ``active`` is worked out once
class Membership:
    """All devices that a team ever had, and how many owners must agree; never changed, only replaced.

    Attributes:
        devices: by id, in the order in which they came.
        threshold: how many different owners sign what needs more than one.
    """

    devices: Mapping[DeviceId, Device]
    threshold: int

    @classmethod
    def found(cls, records: Iterable[DeviceRecord], threshold: int) -> Membership:
        """Return the members that a genesis lists; a member's first device stands before the others.

        Raises:
            PeerError: ``bad_key``.
            TrustError: as ``adding`` and ``requiring``.
        """
        members = cls(MappingProxyType({}), threshold)
        for record in records:
            members = members.adding(record, 0)
        return members.requiring(threshold)

    @cached_property
    def active(self) -> Mapping[DeviceId, DeviceRecord]:
        """The devices that belong to the team now."""
        active = {key: device.record for key, device in self.devices.items() if device.revoked is None}
        return MappingProxyType(active)

    @property
    def owners(self) -> frozenset[MemberId]:
        """The members who are owners, however many devices they have."""
        return frozenset(record.member_id for record in self.active.values() if record.role is Role.OWNER)

    def by_role(self, *roles: Role) -> frozenset[DeviceId]:
        """Return the active devices in one of the roles."""
        return frozenset(key for key, record in self.active.items() if record.role in roles)

    def of_member(self, member_id: MemberId) -> frozenset[DeviceId]:
        """Return the active devices of one member."""
        return frozenset(key for key, record in self.active.items() if record.member_id == member_id)

    def adding(self, record: DeviceRecord, seq: int) -> Membership:
        """Return the membership with one more device.

        Args:
            record: the new device.
            seq: sequence number of its link.

        Raises:
            PeerError: ``bad_key``.
            TrustError: ``too_many_devices``, ``device_known``, ``key_known`` or ``bad_member``.
        """
        if len(self.active) >= DEVICES_MAX:
            raise refuse("too_many_devices", f"a team has at most {DEVICES_MAX} devices")
        if len(self.of_member(record.member_id)) >= MEMBER_DEVICES_MAX:
            raise refuse("too_many_devices", f"a member has at most {MEMBER_DEVICES_MAX} devices")
        if record.device_id in self.devices:
            raise refuse("device_known", "a device id is used once, removed devices included")
        check_public(record.sign_key)
        self._check_kem_key(record.kem_key)
        if any(record.sign_key == device.record.sign_key for device in self.devices.values()):
            raise refuse("key_known", "a signing key belongs to one device, removed devices included")
        if not self._fits_member(record):
            raise refuse("bad_member", "a member begins with its first device and keeps one role")
        return self._with(Device(record, seq))

    def revoking(self, device_id: DeviceId, seq: int) -> Membership:
        """Return the membership without an active device; it is remembered as a past one.

        Raises:
            TrustError: ``device_unknown`` or ``owners_below_threshold``.
        """
        left = self._with(replace(self._active_device(device_id), revoked=seq))
        return left.requiring(self.threshold)

    def updating(self, device_id: DeviceId, *, kem_key: bytes) -> Membership:
        """Return the membership with a fresh KEM key for one device.

        Raises:
            PeerError: ``bad_key``.
            TrustError: ``device_unknown`` or ``key_known``.
        """
        device = self._active_device(device_id)
        self._check_kem_key(kem_key)
        return self._with(replace(device, record=replace(device.record, kem_key=kem_key)))

    def renaming(self, device_id: DeviceId, label: str, languages: tuple[str, ...]) -> Membership:
        """Return the membership with another label and other languages for one device.

        Raises:
            TrustError: ``device_unknown``.
        """
        device = self._active_device(device_id)
        return self._with(replace(device, record=replace(device.record, label=label, languages=languages)))

    def requiring(self, threshold: int) -> Membership:
        """Return the membership with a threshold that its owners can meet.

        Raises:
            TrustError: ``owners_below_threshold``.
        """
        if len(self.owners) < threshold:
            raise refuse(
                "owners_below_threshold",
                f"too few owners would be left: {len(self.owners)}, and {threshold} must sign",
                "Add an owner or lower the threshold first.",
            )
        return replace(self, threshold=threshold)

    def _with(self, device: Device) -> Membership:
        return replace(self, devices=MappingProxyType({**self.devices, device.record.device_id: device}))

    def _active_device(self, device_id: DeviceId) -> Device:
        device = self.devices.get(device_id)
        if device is None or device.revoked is not None:
            raise refuse("device_unknown", "the link is about a device that is not in the team")
        return device

    def _check_kem_key(self, kem_key: bytes) -> None:
        KemPublic(kem_key)
        if any(kem_key == device.record.kem_key for device in self.devices.values()):
            raise refuse("key_known", "a KEM key belongs to one device, removed devices included")

    def _fits_member(self, record: DeviceRecord) -> bool:
        """Tell whether a record begins a member or joins one in its role; a recovery device is on its own."""
        if record.member_id == MemberId(record.device_id):
            return True
        roles = {self.active[device].role for device in self.of_member(record.member_id)}
        return record.role is not Role.RECOVERY and roles == {record.role}
