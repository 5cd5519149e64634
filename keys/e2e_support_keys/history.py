"""A team's history in plain words, and what a batch would add to it, for whoever is asked to sign (protocol 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from e2e_support.ids import DeviceId, MemberId
from e2e_support.policy import Policy
from e2e_support.policy_diff import SHORT, policy_changes
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import (
    DeviceAdd,
    DeviceRevoke,
    IssuerKeys,
    OpenLink,
    RelayKeys,
    Rename,
    Threshold,
    open_link,
)
from e2e_support.roster_steps import advance, follow, needed_for
from e2e_support.vocab import Role
from e2e_support.wire import Batch, DeviceRecord, EpochRecord
from e2e_support_keys.appearance import appearance

_ROLES = {
    Role.OWNER: " as owner",
    Role.AGENT: " as agent",
    Role.AUDITOR: " as auditor",
    Role.RECOVERY: " for recovery",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a team: a link, or a change of devices with the epoch that it brought.

    Attributes:
        seq: sequence number of the first link.
        time: seconds since 1970, as its author said.
        what: one sentence for people.
        by: names of those who signed, the proposer first.
    """

    seq: int
    time: int
    what: str
    by: tuple[str, ...]


def history(roster: TrustedRoster) -> list[Event]:
    """Return all that happened to a team since it was founded, oldest first."""
    first, *rest = (open_link(data) for data in roster.links)
    before = TrustedRoster.begin(first.data)
    founders = tuple(name_of(before, device) for device in before.devices)
    told = [
        Event(0, first.body.time, f"{in_a_row(founders)} founded {before.name} and began epoch 0", founders)
    ]
    for link in rest:
        after = follow(before, link)
        _tell(told, before, after, link, cut=SHORT)
        before = after
    return told


def foretell(roster: TrustedRoster, batch: Batch) -> list[Event]:
    """Return what would happen if a batch were carried out, in full, for whoever is asked to sign it.

    Args:
        roster: the newest roster.
        batch: a batch that may lack signatures; whether those in it are good is for ``changes.missing``.

    Raises:
        TrustError, PeerError: a rule of section 4.4.
    """
    told: list[Event] = []
    for data in batch.links:
        link = open_link(data)
        after = advance(roster, link)
        _tell(told, roster, after, link, cut=0)
        roster = after
    return told


def _tell(
    told: list[Event], before: TrustedRoster, after: TrustedRoster, link: OpenLink, *, cut: int
) -> None:
    """Add what a link did; an epoch that a change of devices owed is told with it."""
    by = tuple(name_of(after, signature.device_id) for signature in link.signatures)
    what = _what(before, after, link, cut) + _voices(before, link)
    if isinstance(link.payload, EpochRecord) and before.owed is not None and told:
        last = told.pop()
        same = by[:1] == last.by[:1]
        what = f"{last.what} and began epoch {link.payload.epoch}" if same else f"{last.what}; {what}"
        told.append(replace(last, what=what, by=tuple(dict.fromkeys(last.by + by))))
        return
    told.append(Event(link.body.seq, link.body.time, what, by))


def _what(before: TrustedRoster, after: TrustedRoster, link: OpenLink, cut: int) -> str:
    signers = [name_of(after, signature.device_id) for signature in link.signatures]
    who = signers[0] if signers else "somebody"
    match link.payload:
        case DeviceAdd(record):
            return f"{who} added {name_of(after, record.device_id)}{_as_what(after, record)}"
        case DeviceRevoke(device_id):
            name = name_of(after, device_id)
            alone = [one.device_id for one in link.signatures] == [device_id]
            return f"{name} left" if alone else f"{who} removed {name}"
        case EpochRecord(epoch):
            return f"{who} began epoch {epoch}"
        case Policy() as policy:
            return f"{who} changed the policy: {_differences(before.policy, policy, cut)}"
        case Rename(device_id, label, languages):
            spoken = in_a_row(languages) or "any language"
            return f"{name_of(before, device_id)} is now called {label} and answers in {spoken}"
        case _:
            return f"{who} {_did(link)}"


def _did(link: OpenLink) -> str:
    match link.payload:
        case Threshold(owners):
            return f"set how many owners must agree to {owners}"
        case RelayKeys(keys):
            return f"set the relay's signing keys ({len(keys)})"
        case IssuerKeys(keys):
            return f"set the keys that admit people ({len(keys)})"
        case _:
            return "took a fresh key for what is sealed to this device"


def _as_what(after: TrustedRoster, record: DeviceRecord) -> str:
    if record.member_id == MemberId(record.device_id):
        return _ROLES[record.role]
    return f", another device of {name_of(after, DeviceId(record.member_id))}"


def _voices(before: TrustedRoster, link: OpenLink) -> str:
    """Say how many agreed, where one is not enough."""
    needed = needed_for(before, link)
    if needed.members < 2:
        return ""
    voices = {
        before.devices[one.device_id].member_id for one in link.signatures if one.device_id in before.devices
    }
    return f" ({len(voices)} of {max(needed.members, len(voices))} owners signed)"


def _differences(old: Policy, new: Policy, cut: int) -> str:
    return "; ".join(change.words(cut) for change in policy_changes(old, new)) or "nothing"


def name_of(roster: TrustedRoster, device_id: DeviceId) -> str:
    """Return how a device is shown: by its label, and by its id too where labels look alike.

    Args:
        roster: a roster that knows the device, or not.
        device_id: the device, past or present.
    """
    device = roster.devices_ever.get(device_id)
    label = device.record.label if device else "a stranger"
    looks = [appearance(known.record.label) for known in roster.devices_ever.values()]
    return f"{label} ({device_id.hex()[:6]})" if looks.count(appearance(label)) != 1 else label


def in_a_row(names: Sequence[str]) -> str:
    """Return names as a sentence lists them.

    Args:
        names: any number of them.
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
