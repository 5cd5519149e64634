"""Who is, was or will be in a team, as people see it: one value per person or recovery sheet, however many devices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from e2e_support.ids import DeviceId, MemberId
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import Role
from e2e_support.wire import DeviceRecord
from e2e_support_client.model import utc
from e2e_support_client.plain import plain_line
from e2e_support_console.invites import Invited
from e2e_support_keys.appearance import appearance
from e2e_support_keys.history import name_of


@dataclass(frozen=True, slots=True)
class Member:
    """A person, or a recovery sheet.

    Attributes:
        name: how colleagues see them; with a part of the id where two look alike.
        role: what they may do.
        state: ``active``, ``invited``, ``expired`` (invited, and did not come in time) or ``removed``.
        devices: their active devices, the first one first.
        expires: until when somebody who is invited can join.
    """

    name: str
    role: Role
    state: str
    devices: tuple[DeviceRecord, ...] = ()
    expires: datetime | None = None


def people(roster: TrustedRoster) -> tuple[Member, ...]:
    """Return everybody who is or was in a team, in the order in which they came."""
    devices: dict[MemberId, list[DeviceId]] = {}
    for device_id, device in roster.devices_ever.items():
        devices.setdefault(device.record.member_id, []).append(device_id)
    firsts = [next((one for one in ids if one in roster.devices), ids[0]) for ids in devices.values()]
    looks = [appearance(roster.devices[one].label) for one in firsts if one in roster.devices]
    return tuple(_member(roster, *pair, looks) for pair in zip(firsts, devices.values(), strict=True))


def owners_removed(roster: TrustedRoster) -> frozenset[DeviceId]:
    """Return the devices of owners that were removed or have left: what they can still sign, old links let pass."""
    return frozenset(
        device_id
        for device_id, device in roster.devices_ever.items()
        if device.record.role is Role.OWNER and device.revoked is not None
    )


def waiting(one: Invited) -> Member:
    """Return somebody who was invited as the list shows them."""
    expires = utc(one.offer.expires)
    state = "expired" if one.expired else "invited"
    return Member(one.offer.label, one.offer.role, state, expires=expires)


def _member(roster: TrustedRoster, first: DeviceId, ids: Iterable[DeviceId], looks: list[str]) -> Member:
    """Return a member as people see them: by a part of the id too, where two who are present look alike."""
    record = roster.devices_ever[first].record
    active = tuple(roster.devices[one] for one in ids if one in roster.devices)
    alike = looks.count(appearance(record.label)) > 1
    name = name_of(roster, first) if active and alike else record.label
    return Member(plain_line(name), record.role, "active" if active else "removed", active)
