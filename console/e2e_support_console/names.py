"""Finds members of the team by the names that people type, and names for member ids."""

from __future__ import annotations

from e2e_support.errors import UsageError
from e2e_support.ids import MemberId
from e2e_support.roster import TrustedRoster
from e2e_support_console.desk import Desk
from e2e_support_console.people import Member, people

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
    called = {
        one: member for one, member in _members(desk.roster).items() if member.name.casefold() == wanted
    }
    present = [one for one, member in called.items() if member.state == "active"]
    found = present or list(called)
    if len(found) > 1:
        hint = "Two people who left had this name; look at their tickets one by one."
        raise UsageError("ambiguous_name", f"there are several called {name}", hint=hint)
    if not found:
        raise UsageError("no_member", f"{name} is not in the team", hint="See `e2e-admin member list`.")
    return found[0]


def _members(roster: TrustedRoster) -> dict[MemberId, Member]:
    """Return everybody by id; ``people`` has them in the order in which their first devices came."""
    ids = dict.fromkeys(device.record.member_id for device in roster.devices_ever.values())
    return dict(zip(ids, people(roster), strict=True))
