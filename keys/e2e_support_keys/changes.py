"""Changes of a team as batches: one administrator builds them, others co-sign where that takes more (protocol 4.3).

Nothing here is sent. A batch holds no secret in the clear and may travel between administrators by any way; once
another link stands in the roster it is stale and must be built again. A client must never load this module.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from e2e_support.crypto.secret import Random
from e2e_support.errors import TrustError, UsageError
from e2e_support.ids import DeviceId
from e2e_support.roster import TrustedRoster, check_packages, next_bodies
from e2e_support.roster_links import (
    DeviceAdd,
    DeviceRevoke,
    OpenLink,
    Payload,
    cosign_link,
    open_link,
    sign_link,
)
from e2e_support.roster_rules import Quorum, check_signatures
from e2e_support.roster_steps import advance, epoch_missing, needed_for
from e2e_support.wire import Batch, LinkBody
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.epochs import TeamKeys


@dataclass(frozen=True, slots=True)
class Missing:
    """The signatures that a link of a batch still needs.

    Attributes:
        seq: the link's sequence number.
        members: how many further members must sign.
        devices: the devices whose signature would count.
    """

    seq: int
    members: int
    devices: frozenset[DeviceId]


# --- building --------------------------------------------------------------------------------------------


def add_device_batch(
    roster: TrustedRoster,
    keys: TeamKeys,
    joining: DeviceAdd,
    signer: DeviceBundle,
    *,
    with_history: bool = True,
    now: int,
    random: Random,
) -> Batch:
    """Return the batch that adds a device and begins an epoch with boxes for everybody.

    Args:
        roster: the newest roster.
        keys: the signer's keys, the newest epoch's among them.
        joining: the new device with its proof, as it was handed in and compared.
        signer: who adds it; others may have to co-sign (``missing``).
        with_history: whether the new device may read what was written before.
        now: seconds since 1970, for people to read.
        random: source of the epoch's keys.

    Raises:
        TrustError: ``no_box`` when the newest epoch was not opened, or a rule of section 4.4 such as
            ``no_possession`` or ``device_known``.
        PeerError: ``bad_key``.
        UsageError: ``nothing_to_sign`` when the signer may sign none of it, ``bad_random``.
    """
    without = () if with_history else (joining.record.device_id,)
    return _with_epoch(roster, keys, [joining], signer, now=now, random=random, without_history=without)


def remove_devices_batch(
    roster: TrustedRoster,
    keys: TeamKeys,
    devices: Sequence[DeviceId],
    signer: DeviceBundle,
    *,
    now: int,
    random: Random,
) -> Batch:
    """Return the batch that removes devices and begins an epoch that they do not have.

    Args:
        roster: the newest roster.
        keys: the signer's keys, the newest epoch's among them.
        devices: whom to remove; all devices of a person make that person leave.
        signer: who removes them, and is none of them.
        now: seconds since 1970, for people to read.
        random: source of the epoch's keys.

    Raises:
        TrustError: as ``add_device_batch``, with ``device_unknown`` and ``owners_below_threshold``.
        UsageError: as ``add_device_batch``, or ``remove_oneself``.
    """
    if signer.device_id in devices:
        raise UsageError(
            "remove_oneself",
            "a device cannot remove itself and begin the next epoch",
            hint="Leave instead; another device begins the epoch, since a leaver must not know its keys.",
        )
    return _with_epoch(roster, keys, [DeviceRevoke(one) for one in devices], signer, now=now, random=random)


def rotate_batch(
    roster: TrustedRoster,
    keys: TeamKeys,
    signer: DeviceBundle,
    *,
    give_history: Collection[DeviceId] = (),
    now: int,
    random: Random,
) -> Batch:
    """Return the batch that begins a new epoch for the same devices.

    Args:
        roster: the newest roster.
        keys: the signer's keys, the newest epoch's among them.
        signer: an owner's or agent's device.
        give_history: devices that had no history and get it now, as far as the signer has it.
        now: seconds since 1970, for people to read.
        random: source of the epoch's keys.

    Raises:
        TrustError, UsageError: as ``add_device_batch``.
    """
    return _with_epoch(roster, keys, [], signer, now=now, random=random, with_history=give_history)


def leave_batch(roster: TrustedRoster, signer: DeviceBundle, *, now: int) -> Batch:
    """Return the batch by which a device leaves; the next epoch is for somebody else to begin (section 4.4).

    Args:
        roster: the newest roster.
        signer: the device.
        now: seconds since 1970, for people to read.

    Raises:
        TrustError: ``owners_below_threshold`` when too few owners would stay.
        UsageError: ``nothing_to_sign`` for a recovery device, which only others remove.
    """
    return propose(roster, [DeviceRevoke(signer.device_id)], signer, now=now)


def propose(roster: TrustedRoster, payloads: Sequence[Payload], signer: DeviceBundle, *, now: int) -> Batch:
    """Return links without an epoch: a policy, a threshold, relay or issuer keys, a fresh key, a name.

    Args:
        roster: the newest roster.
        payloads: what the links say, in order.
        signer: who signs what it may.
        now: seconds since 1970, for people to read.

    Raises:
        TrustError, PeerError: a rule of section 4.4.
        UsageError: ``nothing_to_sign``, or ``malformed`` when a payload is outside its bounds.
    """
    return Batch(_signed(roster, next_bodies(roster, payloads, now), signer), ())


def _with_epoch(
    roster: TrustedRoster,
    keys: TeamKeys,
    payloads: Sequence[Payload],
    signer: DeviceBundle,
    *,
    now: int,
    random: Random,
    without_history: Collection[DeviceId] = (),
    with_history: Collection[DeviceId] = (),
) -> Batch:
    _require_newest(roster, keys)
    after = roster
    for body in next_bodies(roster, payloads, now):
        after = advance(after, open_link(sign_link(body, ())))
    epoch = keys.next_epoch(
        tuple(after.devices.values()), random, without_history=without_history, with_history=with_history
    )
    bodies = next_bodies(roster, [*payloads, epoch.record], now)
    return Batch(_signed(roster, bodies, signer), (epoch.package,))


def _signed(roster: TrustedRoster, bodies: Sequence[LinkBody], signer: DeviceBundle) -> tuple[bytes, ...]:
    """Return links with the signer's signature wherever it is entitled to it; elsewhere it would spoil the link."""
    links: list[OpenLink] = []
    for body in bodies:
        link = open_link(sign_link(body, [signer.signer()]))
        if signer.device_id not in needed_for(roster, link).entitled:
            link = open_link(sign_link(body, ()))
        roster = advance(roster, link)
        links.append(link)
    if not any(link.signatures for link in links):
        raise _nothing_to_sign("this is not for this device's role to change", "Ask an owner of the team.")
    return tuple(link.data for link in links)


# --- co-signing ------------------------------------------------------------------------------------------


def missing(batch: Batch, roster: TrustedRoster) -> tuple[Missing, ...]:
    """Return the signatures that a batch still needs; none when a relay would take it. All else is judged.

    Args:
        batch: a batch from whomever.
        roster: the newest roster.

    Raises:
        UsageError: ``stale_batch`` when another link stands where the batch would begin.
        TrustError, PeerError: what ``TrustedRoster.update_batch`` refuses for another reason than too few signers.
    """
    return _look_ahead(batch, roster)[1]


def cosign(batch: Batch, roster: TrustedRoster, keys: TeamKeys, signer: DeviceBundle) -> Batch:
    """Return a batch with this device's signature wherever one is missing that it can give.

    Every epoch in it is opened first: a co-signer vouches for its keys, and later nobody could take them back.

    Args:
        batch: a batch from whomever, whose words the person has read.
        roster: the newest roster.
        keys: the signer's keys.
        signer: the device that signs.

    Raises:
        UsageError: ``nothing_to_sign``, or as ``missing``.
        TrustError: ``bad_epoch``, ``bad_package`` or ``no_box`` for an epoch that is not as it should be, or as
            ``missing``.
        PeerError: as ``missing``.
    """
    after, wanting = _look_ahead(batch, roster)
    mine = {one.seq for one in wanting if signer.device_id in one.devices}
    if not mine:
        raise _nothing_to_sign(
            "it has no place for this device's signature", "Ask an owner; it may be complete already."
        )
    for package in batch.packages:
        keys.check(after.epochs, package)
    first = len(roster.links)
    links = (
        cosign_link(link, [signer.signer()]) if seq in mine else link
        for seq, link in enumerate(batch.links, first)
    )
    return Batch(tuple(links), batch.packages)


def _look_ahead(batch: Batch, roster: TrustedRoster) -> tuple[TrustedRoster, tuple[Missing, ...]]:
    """Return what the roster would be and the signatures that are wanting until then."""
    wanting: list[Missing] = []
    after = roster
    for data in batch.links:
        link = open_link(data)
        _require_fresh(roster, link)
        needed, before = needed_for(after, link), after
        after = advance(before, link)
        check_signatures(before.membership, link, replace(needed, members=0))
        wanting += _wanting(before, link, needed)
    if after.owed is not None:
        raise epoch_missing()
    check_packages(after, len(roster.epochs), batch.packages)
    return after, tuple(wanting)


def _wanting(roster: TrustedRoster, link: OpenLink, needed: Quorum) -> list[Missing]:
    voices = {roster.devices[signature.device_id].member_id for signature in link.signatures}
    silent = {device for device in needed.entitled if roster.devices[device].member_id not in voices}
    members = needed.members - len(voices)
    return [Missing(link.body.seq, members, frozenset(silent))] if members > 0 else []


def _require_newest(roster: TrustedRoster, keys: TeamKeys) -> None:
    if roster.epoch.epoch not in {keys.newest, *keys.shut}:
        raise TrustError(
            "no_box",
            f"this device has not opened epoch {roster.epoch.epoch}",
            hint="Fetch the newest epoch first.",
        )


def _require_fresh(roster: TrustedRoster, link: OpenLink) -> None:
    if link.body.team_id == roster.team_id and link.body.seq < len(roster.links):
        raise UsageError(
            "stale_batch",
            "the team has changed since this was proposed",
            hint="See whether it is still needed, and propose it again.",
        )


def _nothing_to_sign(why: str, hint: str) -> UsageError:
    return UsageError("nothing_to_sign", f"nothing to sign here: {why}", hint=hint)
