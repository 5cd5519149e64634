"""What every console does for the team when it syncs.

Audit new epochs, rotate where due, vouch, destroy what is left of invitations, set barriers, do the chores.
"""

from __future__ import annotations

from typing import Final

from e2e_support.content import BarrierBody
from e2e_support.errors import TrustError
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import WRITERS, Kind
from e2e_support.wire import Batch
from e2e_support_client import clock
from e2e_support_console.alarms import new_alarm, raise_alarms
from e2e_support_console.barriers import BarrierPass, missing_barriers, removals
from e2e_support_console.changes import carry_out
from e2e_support_console.chores import Chores, Done
from e2e_support_console.desk import Desk
from e2e_support_console.erased import scrub
from e2e_support_console.erasing import finish_erasing
from e2e_support_console.holding import hold_open
from e2e_support_console.index import number_of, packages, remember
from e2e_support_console.invites import close_doors
from e2e_support_console.read_marks import ReadMarks
from e2e_support_console.renewal import renew
from e2e_support_console.team_space import TeamSpace
from e2e_support_keys.audit import Finding, audit
from e2e_support_keys.changes import rotate_batch

_AUDITED: Final = "audited"
_BARRED: Final = "space_barred"
_HARMLESS: Final = frozenset({"no_seed", "no_package", "rotation_due"})
"""Findings that say what a device was never given, or what is mended by the next console."""


async def do_duties(desk: Desk) -> Done:
    """Do what is due; each thing is found out anew every time, so that a kill at any moment loses nothing.

    Returns:
        What became of tickets by it.

    Raises:
        SupportError: what the relay says; the next sync tries again.
    """
    await audit_epochs(desk)
    await rotate_if_due(desk)
    await renew(desk)
    await close_doors(desk)
    await BarrierPass(desk).run()
    await bar_space(desk)
    await guard_space(desk)
    await ReadMarks(desk).settle()
    await finish_erasing(desk)
    done = await Chores(desk).run()
    await scrub(desk.store)
    return done


async def bar_space(desk: Desk) -> None:
    """Say in the team space, too, up to where the entries of removed devices are believed (protocol 4.8).

    Without it whoever joins later could not tell a colleague's snippet from one that was written after a removal. One
    barrier counts for all volumes: it is written to the open one, and places are numbered through.
    """
    own = desk.roster.devices.get(desk.bundle.device_id)
    found = removals(desk.roster, desk.bundle.device_id)
    newest = max((removal.seq + 1 for removal in found), default=0)
    if await number_of(desk.store, _BARRED) >= newest or own is None or own.role not in WRITERS:
        return
    space = TeamSpace(desk)
    items = tuple(missing_barriers(await space.entries(), found))
    if items:  # the next sync sees whether all of them stand
        await space.write(Kind.BARRIER, BarrierBody(items))
        return
    async with desk.store.transaction() as change:
        await remember(change, _BARRED, newest)


async def guard_space(desk: Desk) -> None:
    """Let the relay hold the team space, where this device may."""
    own = desk.roster.devices.get(desk.bundle.device_id)
    if own is not None and own.role in WRITERS:
        await hold_open(desk)


async def audit_epochs(desk: Desk) -> None:
    """Look through the epochs that are new here, and raise an alarm for what is wrong with them (protocol 4.5)."""
    roster = desk.roster
    done, count = await number_of(desk.store, _AUDITED), len(roster.epochs)
    if done >= count:
        return
    kept = {package.epoch: package for package in await packages(desk.store)}
    found = audit(roster, kept, desk.team.keys)
    wrong = [one for one in found if one.epoch >= done and one.code not in _HARMLESS]
    async with desk.store.transaction() as change:
        await raise_alarms(change, [new_alarm(_trouble(one), now=clock.now()) for one in wrong])
        await remember(change, _AUDITED, count)


async def rotate_if_due(desk: Desk) -> None:
    """Begin an epoch where somebody left by themselves: a leaver must not know its keys (protocol 4.5)."""
    own = desk.roster.devices.get(desk.bundle.device_id)
    if own is None or own.role not in WRITERS or not is_rotation_due(desk.roster):
        return

    def build(roster: TrustedRoster) -> Batch | None:
        if not is_rotation_due(roster):
            return None
        return rotate_batch(roster, desk.team.keys, desk.bundle, now=clock.now(), random=clock.random)

    await carry_out(desk, build)


def is_rotation_due(roster: TrustedRoster) -> bool:
    """Tell whether a device that has left still has the newest epoch."""
    return any(box.device_id not in roster.devices for box in roster.epoch.boxes)


def _trouble(finding: Finding) -> TrustError:
    return TrustError(
        f"epoch_{finding.code}",
        finding.what,
        hint="See `e2e-admin team audit`. A rotation mends it; ask who signed that epoch how it came to be.",
    )
