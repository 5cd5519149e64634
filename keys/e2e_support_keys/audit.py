"""What every administrator checks of a team's epochs (protocol 4.5).

Relay and clients verify what everybody can see. Whether the epochs are what their signers promised only a device
with a box can tell, and only for itself: so every administrator audits. A client must never load this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from e2e_support.errors import TrustError
from e2e_support.roster import TrustedRoster
from e2e_support.wire import EpochPackage, EpochRecord
from e2e_support_keys.epochs import TeamKeys, read_ring
from e2e_support_keys.history import in_a_row, name_of


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about an epoch that is not as it should be.

    Attributes:
        code: ``bad_package``, ``no_package``, ``no_box`` and ``bad_epoch`` stand for a fault of relay or signer;
            ``boxes`` for an epoch whose boxes are not those of the devices of its time; ``ring_gap``, ``no_seed``
            and ``rotation_due`` for something that a rotation mends.
        epoch: which.
        what: one sentence for people.
    """

    code: str
    epoch: int
    what: str


def audit(roster: TrustedRoster, packages: Mapping[int, EpochPackage], keys: TeamKeys) -> list[Finding]:
    """Return what is wrong with a team's epochs, as far as one device can tell; nothing is changed.

    Args:
        roster: the newest roster.
        packages: boxes and rings by epoch, fetched anew from the relay.
        keys: the device's keys, with what it has opened so far.
    """
    found = [
        finding
        for record in roster.epochs
        for finding in (*_boxes(roster, record), *_package(roster, packages.get(record.epoch), record, keys))
    ]
    return [*found, *_unreadable(roster, keys), *_rotation(roster)]


def _boxes(roster: TrustedRoster, record: EpochRecord) -> Iterator[Finding]:
    """An epoch has boxes for exactly the devices that were active when it began (attack 12)."""
    seq, _ = roster.epoch_links[record.epoch]
    active = {key for key, device in roster.devices_ever.items() if device.active_at(seq)}
    boxed = {box.device_id for box in record.boxes}
    if boxed != active:
        yield Finding(
            "boxes",
            record.epoch,
            f"the boxes of epoch {record.epoch} are not those of the devices of its time",
        )


def _package(
    roster: TrustedRoster, package: EpochPackage | None, record: EpochRecord, keys: TeamKeys
) -> Iterator[Finding]:
    """This device's box and ring hold what the epoch's signer committed to (attacks 56, 57)."""
    number = record.epoch
    if package is None:
        yield Finding("no_package", number, f"the relay has no boxes of epoch {number}")
        return
    try:
        roster.check_package(package)
        if any(box.device_id == keys.device_id for box in record.boxes):
            yield from _ring(roster, package, keys)
    except TrustError as error:
        yield Finding(error.code, number, error.message)


def _ring(roster: TrustedRoster, package: EpochPackage, keys: TeamKeys) -> Iterator[Finding]:
    """The newest ring has every older epoch: it is what the next newcomer gets."""
    absent = keys.check(roster.epochs, package)
    meant = keys.device_id not in read_ring(package).without_history
    if absent and meant and package.epoch == roster.epoch.epoch:
        what = f"the ring of epoch {package.epoch} leaves out {_epochs(absent)}"
        yield Finding("ring_gap", package.epoch, what)


def _unreadable(roster: TrustedRoster, keys: TeamKeys) -> Iterator[Finding]:
    for number in keys.missing(roster.epochs):
        yield Finding("no_seed", number, f"this device cannot read what was sealed to epoch {number}")


def _rotation(roster: TrustedRoster) -> Iterator[Finding]:
    """Who left by themselves still have the newest epoch until somebody begins another."""
    number = roster.epoch.epoch
    left = [box.device_id for box in roster.epoch.boxes if box.device_id not in roster.devices]
    if left:
        names = in_a_row([name_of(roster, device) for device in left])
        yield Finding(
            "rotation_due", number, f"{names} left, but can still read what is sealed to epoch {number}"
        )


def _epochs(numbers: tuple[int, ...]) -> str:
    return ("epoch " if len(numbers) == 1 else "epochs ") + in_a_row([str(number) for number in numbers])
