"""What administrators are told before they can lose everything: in plain sentences, where it matters."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from e2e_support.ids import DeviceId
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import Role
from e2e_support_client.plain import plain_text
from e2e_support_client.terminal import Terminal

_TEAM_LOST: Final = (
    "the team is lost: nobody can read its tickets,\nand a new team has a new link that users must be told."
)
FOUNDED: Final = (
    "Your keys are on this computer alone. If all owners lose theirs, " + _TEAM_LOST + "\n"
    "Make a recovery sheet now, and keep it elsewhere: e2e-admin keys recovery"
)
SHEET: Final = (
    "Whoever has this can make themselves an owner: keep it like the keys of the house.\n"
    "If all owners lose their devices and this is lost too, " + _TEAM_LOST
)
ROTATED: Final = (
    "They protect what is written from now on. Whoever has the old keys can still read what was written before.\n"
    "Recovery sheets stay good. Devices that are away get the new keys at their next sync."
)


def warn_of_one_owner(terminal: Terminal, roster: TrustedRoster, gone: Collection[DeviceId]) -> None:
    """Tell a person, before it is done, that only one owner will be left.

    Args:
        terminal: where; programs are told nothing.
        roster: the newest roster.
        gone: the devices that are about to leave.
    """
    before = _owners(roster, ())
    left = _owners(roster, gone)
    if terminal.json or len(left) != 1 or len(before) == len(left):
        return
    (name,) = left.values()
    terminal.err.write(f"After this {plain_text(name)} is the only owner. {_fate(roster)}\n")


def _owners(roster: TrustedRoster, gone: Collection[DeviceId]) -> dict[bytes, str]:
    """Return who is an owner by a device that stays, each with the name of the first of them."""
    names: dict[bytes, str] = {}
    for device_id, record in roster.devices.items():
        if record.role is Role.OWNER and device_id not in gone:
            names.setdefault(record.member_id, record.label)
    return names


def _fate(roster: TrustedRoster) -> str:
    if any(record.role is Role.RECOVERY for record in roster.devices.values()):
        return (
            "If they lose their devices, only the recovery sheet brings the team back: see that it is there."
        )
    return f"If they lose their devices, {_TEAM_LOST}\nMake a recovery sheet first: e2e-admin keys recovery"
