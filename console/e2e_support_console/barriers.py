"""The barrier pass: after a removal every active log says up to where the removed device's entries are believed.

Without it somebody who was removed could, with the relay's help, write entries and date them back (protocol 4.8).
What is done stands in the logs themselves: a console that was killed goes on where it was, and any other console
finishes what one that disappeared has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from e2e_support.content import BarrierBody, BarrierItem, Inner
from e2e_support.errors import PeerError, SupportError, UsageError
from e2e_support.freshness import DAY
from e2e_support.ids import DeviceId, Hash, MailboxId
from e2e_support.opened import Opened, Record
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.vocab import WRITERS, Kind, Verdict
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.harvest import Harvest
from e2e_support_console.index import last_record, mark_barrier, unbarred
from e2e_support_console.logs import Enough, Log

ACTIVE_DAYS: Final = 90
AT_ONCE: Final = 32
"""Logs that are written to at the same time: each waits for the relay twice."""
_ITEMS_MAX: Final = 256
OnProgress = Callable[[int, int], None]
"""Is told how many logs are done, of how many."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A link that removed a device.

    Attributes:
        seq: its sequence number.
        hash: its hash, which barriers name.
        device_id: who was removed.
        ours: whether this device alone removed it: it had fetched everything just before, unlike one that proposes.
    """

    seq: int
    hash: Hash
    device_id: DeviceId
    ours: bool


@dataclass(frozen=True, slots=True)
class _Barred:
    """What became of one log.

    Attributes:
        log: as far as it was followed.
        done: whether it has its barrier, or this device can do nothing for it; else the next run looks again.
        error: what went wrong.
    """

    log: Log
    done: bool
    error: SupportError | None = None


class _AlreadyThere(UsageError):
    """Another console was faster."""

    def __init__(self) -> None:
        super().__init__("already_there", "the barrier stands")


@dataclass(frozen=True, slots=True)
class BarrierPass:
    """Writes the barriers that are missing.

    Args:
        desk: the unlocked device.
    """

    desk: Desk

    async def run(self, on_progress: OnProgress = lambda _done, _total: None) -> int:
        """Bring every active log up to the newest removal; return how many could not be.

        Args:
            on_progress: told after every log.

        Raises:
            TransportError: the relay is away; the next run goes on.
        """
        found = removals(self.desk.roster, self.desk.bundle.device_id)
        own = self.desk.roster.devices.get(self.desk.bundle.device_id)
        if not found or own is None or own.role not in WRITERS:
            return 0
        upto = max(removal.seq for removal in found) + 1
        due, left = await self._due(found, upto), 0
        for start in range(0, len(due), AT_ONCE):
            some = due[start : start + AT_ONCE]
            barred = await asyncio.gather(*(self._bar(mailbox, found) for mailbox in some))
            await self._keep(barred, upto)
            for one in barred:
                if one.error is not None and not isinstance(one.error, PeerError):
                    raise one.error
            left += sum(not one.done for one in barred)
            for number in range(start, start + len(some)):
                on_progress(number + 1, len(due))
        return left

    async def _due(self, found: tuple[Removal, ...], upto: int) -> list[MailboxId]:
        """Return the logs that were active lately, closed ones too, and those where a removed device spoke last."""
        since, gone = clock.now() - ACTIVE_DAYS * DAY, {removal.device_id for removal in found}
        store = self.desk.store
        return [
            mailbox
            for mailbox, updated in await unbarred(store, upto)
            if updated >= since or _author(await last_record(store, mailbox)) in gone
        ]

    async def _bar(self, mailbox: MailboxId, found: tuple[Removal, ...]) -> _Barred:
        log = await self.desk.load(mailbox)
        try:
            await log.pull()
            if items := tuple(missing_barriers(log.thread.entries, found)):
                await self._write(log, items, found)
        except UsageError:  # erased, full, or begun before this device may read: others do it if they can
            return _Barred(log, done=True)
        except Enough:
            return _Barred(log, done=False)
        except SupportError as error:
            return _Barred(log, done=False, error=error)
        return _Barred(log, done=True)

    async def _keep(self, barred: Sequence[_Barred], upto: int) -> None:
        """Keep what came of some logs in one transaction: each costs a flush of the disk."""
        harvest = Harvest(self.desk.roster, clock.now())
        for log, error in ((one.log, one.error) for one in barred):
            problem = error if isinstance(error, PeerError) else None
            if log.fresh or log.hand_back.given or problem:
                code = problem.code if problem else ""
                staff_log = self.desk.staff_log(log.mailbox)
                harvest.add(log, staff_log, problem=code, complete=error is None)
            if problem:
                harvest.alarm(problem, log.mailbox)
        async with self.desk.store.transaction() as change:
            await harvest.save(change)
            for one in barred:
                if one.done:
                    await mark_barrier(change, one.log.mailbox, upto)

    async def _write(self, log: Log, items: tuple[BarrierItem, ...], found: tuple[Removal, ...]) -> None:
        wanted = {item.revocation for item in items}

        def check() -> None:
            if all(_is_barred(log.thread.entries, one.seq, one.hash) for one in found if one.hash in wanted):
                raise _AlreadyThere

        with suppress(_AlreadyThere):
            await log.append(Kind.BARRIER, BarrierBody(items), self.desk.author(), check)


def removals(roster: TrustedRoster, own: DeviceId) -> tuple[Removal, ...]:
    """Return all removals of a roster.

    Args:
        roster: the newest roster.
        own: this device.
    """
    return tuple(
        Removal(
            device.revoked, roster.hashes[device.revoked], gone, _signed_by(roster, device.revoked) == (own,)
        )
        for gone, device in roster.devices_ever.items()
        if device.revoked is not None
    )


def _signed_by(roster: TrustedRoster, seq: int) -> tuple[DeviceId, ...]:
    return tuple(signature.device_id for signature in open_link(roster.links[seq]).signatures)


def missing_barriers(entries: Sequence[Opened], found: tuple[Removal, ...]) -> Iterator[BarrierItem]:
    """Yield the barriers that a log lacks and this console can vouch for.

    Args:
        entries: of the log, with their final verdicts.
        found: all removals.
    """
    missing = [one for one in found if _is_older(entries, one) and not _is_barred(entries, one.seq, one.hash)]
    for removal in missing[:_ITEMS_MAX]:
        upto = max((entry.seq for entry in entries if entry.known <= removal.seq), default=0)
        late = any(_is_by(entry, removal.device_id) and entry.seq > upto for entry in entries)
        if removal.ours or not late:  # a console that was away must not condemn what others had read in time
            yield BarrierItem(removal.hash, upto)


def _is_older(entries: Sequence[Opened], removal: Removal) -> bool:
    """Tell whether a log began before a removal; later ones are sealed to keys that the device never had."""
    first = entries[0].inner if entries else None
    return first is not None and first.roster_head.length <= removal.seq


def _is_by(entry: Opened, device_id: DeviceId) -> bool:
    return entry.device is not None and entry.device.device_id == device_id


def _is_barred(entries: Sequence[Opened], seq: int, revocation: Hash) -> bool:
    """Tell whether a device that stood after a removal has set its barrier."""
    return any(
        entry.verdict is Verdict.OK
        and entry.device is not None
        and isinstance(entry.body, BarrierBody)
        and (entry.inner is not None and entry.inner.roster_head.length > seq)
        and revocation in {item.revocation for item in entry.body.items}
        for entry in entries
    )


def _author(record: Record | None) -> bytes:
    return Inner.from_bytes(record.inner).author.key if record and record.inner else b""
