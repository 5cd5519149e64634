"""Finds members of the team by the names that people type, and names for member ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from e2e_support.errors import UsageError
from e2e_support.ids import MemberId
from e2e_support.roster import TrustedRoster
from e2e_support_console.desk import Desk
from e2e_support_console.people import Member, people
from e2e_support_keys.appearance import appearance

ME = "me"
NOBODY = "nobody"


def member_names(roster: TrustedRoster) -> dict[bytes, str]:
    """Return what everybody who is or was in a team is called, by member id."""
    return {member_id: member.name for member_id, member in _members(roster).items()}


def own_id(desk: Desk) -> MemberId:
    """Return the member whose device this is.

    Raises:
        UsageError: ``not_in_team``.
    """
    record = desk.roster.devices.get(desk.bundle.device_id)
    if record is None:
        raise UsageError(
            "not_in_team", "this device does not belong to the team any more", hint="Ask an owner."
        )
    return record.member_id


def member_called(desk: Desk, name: str) -> MemberId:
    """Return the member of a name, ``me`` among them; whoever left is found where nobody present has the name.

    Raises:
        UsageError: ``no_member``, ``ambiguous_name`` or ``not_in_team``.
    """
    wanted = name.strip().casefold()
    if wanted == ME:
        return own_id(desk)
    members = _members(desk.roster)
    called = [one for one, member in members.items() if member.name.casefold() == wanted]
    alike = [one for one, member in members.items() if appearance(member.name) == appearance(name)]
    found = next(filter(None, (_present(members, some) for some in (called, alike))), called)
    if len(found) > 1:
        names = ", ".join(members[one].name for one in found)
        hint = "Give one of these names; of people who left with one name, look at their tickets one by one."
        raise UsageError("ambiguous_name", f"there are several: {names}", hint=hint)
    if not found:
        raise UsageError("no_member", f"{name} is not in the team", hint="See `e2e-admin member list`.")
    return found[0]


def _present(members: Mapping[MemberId, Member], some: Iterable[MemberId]) -> list[MemberId]:
    return [one for one in some if members[one].state == "active"]


def _members(roster: TrustedRoster) -> dict[MemberId, Member]:
    """Return everybody by id; ``people`` has them in the order in which their first devices came."""
    ids = dict.fromkeys(device.record.member_id for device in roster.devices_ever.values())
    return dict(zip(ids, people(roster), strict=True))
