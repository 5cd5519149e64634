"""How devices go: removed by others, or by themselves, one or all of a person's (protocol 4.3, 4.5, 4.8)."""

from __future__ import annotations

from collections.abc import Collection

from e2e_support.errors import TrustError, UsageError
from e2e_support.ids import DeviceId
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import Role
from e2e_support.wire import Batch, DeviceRecord
from e2e_support_client import clock
from e2e_support_console.barriers import BarrierPass, OnProgress
from e2e_support_console.changes import carry_out
from e2e_support_console.desk import Desk
from e2e_support_console.proposals import Proposal, post
from e2e_support_console.renewal import renew
from e2e_support_console.sync import Sync
from e2e_support_keys.changes import leave_batch, remove_devices_batch


async def fetch_everything(desk: Desk) -> None:
    """Fetch all that the relay has, since only what a console had before a removal is believed after it.

    Where somebody spoilt the newest epoch there is nothing to fetch with, and they are removed all the same.
    """
    sync, report = Sync(desk), None
    while report is None or (report.left and report.done):
        try:
            report = await sync.run()
        except TrustError:
            if not desk.team.is_shut:
                raise
            return


async def take_out(desk: Desk, devices: Collection[DeviceId], on_progress: OnProgress) -> Proposal | None:
    """Remove devices with a new epoch; afterwards every active ticket says what of theirs is believed.

    Args:
        desk: the unlocked device, which is none of them and has fetched everything.
        devices: whom to remove; those that are gone already do not matter.
        on_progress: told how many tickets are done, of how many.

    Returns:
        The proposal if more owners must sign, ``None`` once they are removed.

    Raises:
        UsageError: ``remove_oneself``, ``nothing_to_sign``.
        TrustError: ``owners_below_threshold``.
    """

    def build(roster: TrustedRoster) -> Batch | None:
        left = [device for device in devices if device in roster.devices]
        if not left:
            return None
        return remove_devices_batch(
            *(roster, desk.team.keys, left, desk.bundle), now=clock.now(), random=clock.random
        )

    proposal = await carry_out(desk, build)
    if proposal is None:
        await renew(desk)
        await BarrierPass(desk).run(on_progress)
    return proposal


async def leave_team(desk: Desk, own: DeviceRecord, *, everywhere: bool, on_progress: OnProgress) -> None:
    """Let a device leave, and before it those of the same person that it may remove, if so wanted.

    Args:
        desk: the unlocked device, which knows the newest roster.
        own: its record.
        everywhere: whether the person's other devices go too, where this one's signature is enough for that.
        on_progress: as in ``take_out``.

    Raises:
        TrustError: ``owners_below_threshold`` when too few owners would stay; nobody has left then.
        UsageError: ``team_moved`` when the team changed in the same moment.
    """
    others = _removable(desk.roster, own) if everywhere else frozenset[DeviceId]()
    _require_owners_without(desk.roster, own, others)
    if others:
        await fetch_everything(desk)
        await take_out(desk, others, on_progress)
    if not await post(desk, leave_batch(desk.roster, desk.bundle, now=clock.now())):
        raise UsageError(
            "team_moved", "the team changed in the same moment; you have not left", hint="Try again."
        )


def _removable(roster: TrustedRoster, own: DeviceRecord) -> frozenset[DeviceId]:
    """Return the person's other devices if this one may remove them alone: an owner's, where one owner is enough."""
    if own.role is not Role.OWNER or roster.threshold > 1:
        return frozenset()
    return roster.membership.of_member(own.member_id) - {own.device_id}


def _require_owners_without(roster: TrustedRoster, own: DeviceRecord, others: Collection[DeviceId]) -> None:
    """Do nothing if enough owners stay; asked before anything is signed, since several links are to come."""
    gone = {own.device_id, *others}
    left = {record.member_id for device, record in roster.devices.items() if _stays(device, record, gone)}
    if own.role is Role.OWNER and len(left) < roster.threshold:
        raise TrustError(
            "owners_below_threshold",
            f"too few owners would be left: {len(left)}, and {roster.threshold} must sign",
            hint="You have not left. Invite another owner first (e2e-admin member invite --role owner), or lower how "
            "many must agree (e2e-admin team threshold).",
        )


def _stays(device: DeviceId, record: DeviceRecord, gone: Collection[DeviceId]) -> bool:
    return record.role is Role.OWNER and device not in gone
