"""Follows the team's feed and pulls every mailbox that moved, each for itself and only so much at a time.

A mailbox's kind is found out by opening it: a ticket has a valid opening, a staff log is one whose id follows
from a ticket's; everything else is put aside and never pulled again (attacks 26, 27).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Final

from e2e_support.errors import PeerError, SupportError, TransportError, TrustError
from e2e_support.ids import MailboxId
from e2e_support_client import clock
from e2e_support_client.roster_sync import RosterForked
from e2e_support_client.tombstones import Tombstone
from e2e_support_console import feed
from e2e_support_console.alarms import TEAM, new_alarm, raise_alarms
from e2e_support_console.chores import NOTHING, Done
from e2e_support_console.desk import Desk
from e2e_support_console.erased import bury, scrub
from e2e_support_console.erasing import found_stone
from e2e_support_console.feed import Moved
from e2e_support_console.harvest import Harvest
from e2e_support_console.index import KnownLog, known_logs
from e2e_support_console.logs import Enough, Log, NotATicket
from e2e_support_console.settling import settle
from e2e_support_console.team_space import TeamSpace
from e2e_support_console.volume import space_mailboxes

BUDGET: Final = 2_000
"""Mailboxes pulled in one run; the rest waits for the next."""
PAGES_MAX: Final = 256  # of the feed in one run: a million steps
TRIES_MAX: Final = 16  # runs in which an unknown mailbox may fail before it is put aside
AT_ONCE: Final = 64
_log = logging.getLogger("e2e_support")


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a run of the sync did.

    Attributes:
        done: mailboxes that were brought further.
        left: mailboxes that wait for the next run.
        trouble: why some could not be pulled; ``None`` if all could.
        chores: what was done for tickets without being asked.
    """

    done: int
    left: int
    trouble: SupportError | None = None
    chores: Done = NOTHING


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one mailbox.

    Attributes:
        moved: what the feed promised.
        log: what was pulled; ``None`` for a mailbox that was put aside.
        staff_log: id of the ticket's staff log; ``None`` if the log is one.
        aside: why it is no ticket.
        error: what went wrong.
        more: whether it has more than its share.
        stone: the good statement that its ticket was erased.
        ticket: the shared log of that ticket.
    """

    moved: Moved
    log: Log | None = None
    staff_log: MailboxId | None = None
    aside: str = ""
    error: SupportError | None = None
    more: bool = False
    stone: Tombstone | None = None
    ticket: MailboxId | None = None


class Sync:
    """Brings the local store up to the relay.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self, *, budget: int = BUDGET) -> SyncReport:
        """Follow the feed and pull what moved.

        Args:
            budget: at most so many mailboxes.

        Raises:
            TransportError: the relay cannot be reached at all.
            TrustError: the roster does not verify; an alarm was kept.
            PeerError: the relay's feed is malformed; an alarm was kept.
        """
        try:
            await self._desk.team.refresh()
            await self._follow()
        except (TrustError, PeerError) as error:
            if error.code == "not_approved":  # nobody has done anything wrong
                raise
            async with self._desk.store.transaction() as change:
                proof = error.proof if isinstance(error, RosterForked) else b""
                await raise_alarms(change, [new_alarm(error, proof, now=clock.now())])
            raise
        await settle(self._desk)
        return await self._pull_all(budget)

    # --- the feed ----------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        desk = self._desk
        for _ in range(PAGES_MAX):
            after = await feed.cursor(desk.store)
            page = await desk.relay.feed(desk.team_id, max(0, after - 1), desk.capability())
            async with desk.store.transaction() as change:
                went_on = await feed.take_page(change, after, page, now=clock.now())
            if went_on and (not page.items or page.items[-1].cursor >= page.newest):
                return

    # --- mailboxes ---------------------------------------------------------------------------------------

    async def _pull_all(self, budget: int) -> SyncReport:
        store, done = self._desk.store, 0
        trouble = await self._follow_space()
        space = await space_mailboxes(self._desk)
        waiting = [moved for moved in await feed.waiting(store, budget) if moved.mailbox not in space]
        for start in range(0, len(waiting), AT_ONCE):
            outcomes = await self._pull_some(waiting[start : start + AT_ONCE])
            errors = [outcome.error for outcome in outcomes if outcome.error]
            done += len(outcomes) - len(errors)
            trouble = trouble or next(iter(errors), None)
            if len(errors) == len(outcomes) and all(isinstance(e, TransportError) for e in errors):
                break  # the relay is gone; asking for each of the others would only take long
        await scrub(store)
        return SyncReport(done, await feed.waiting_count(store), trouble)

    async def _follow_space(self) -> SupportError | None:
        """Follow the team space; return what stood against that."""
        try:
            await TeamSpace(self._desk, kinds=frozenset()).follow()
        except SupportError as error:
            return error  # the next sync goes on, and whoever needs it before asks the relay
        return None

    async def _pull_some(self, waiting: Sequence[Moved]) -> list[_Outcome]:
        """Pull some mailboxes at once; staff logs are known by the tickets that stand in the store by then."""
        outcomes = await self._pull_each(waiting)
        good = [outcome for outcome in outcomes if not outcome.aside]
        await self._keep(good)
        again = {outcome.moved.mailbox: outcome for outcome in outcomes if outcome.aside}
        staff = await known_logs(self._desk.store, list(again)) if again else {}
        pulled = await self._pull_each([again.pop(mailbox).moved for mailbox in staff if mailbox in again])
        await self._keep([*pulled, *again.values()])
        return [*good, *pulled, *again.values()]

    async def _pull_each(self, waiting: Sequence[Moved]) -> list[_Outcome]:
        if not waiting:
            return []
        known = await known_logs(self._desk.store, [moved.mailbox for moved in waiting])
        work = [self._pull_one(moved, known.get(moved.mailbox)) for moved in waiting]
        return list(await asyncio.gather(*work))

    async def _pull_one(self, moved: Moved, known: KnownLog | None) -> _Outcome:
        """Pull one mailbox; whatever goes wrong is its own matter (attack 76)."""
        try:
            outcome = await (self._pull_known(moved, known) if known else self._pull_unknown(moved))
            is_gone = outcome.error is not None and outcome.error.code == "erased"
            return await self._gone(outcome, known) if is_gone else outcome
        except SupportError as error:
            return _Outcome(moved, error=error)
        except Exception as error:  # noqa: BLE001 - a stranger's bytes must never end the loop
            _log.error("a mailbox could not be followed: %s", type(error).__name__)
            return _Outcome(moved, error=_internal(error))

    async def _pull_known(self, moved: Moved, known: KnownLog) -> _Outcome:
        staff = moved.mailbox == known.staff_log
        log = await self._desk.load(moved.mailbox, staff=staff)
        outcome = _Outcome(moved, log, None if staff else known.staff_log)
        if 0 < moved.length <= log.length:
            return outcome
        return await _pulled(log.pull(), outcome)

    async def _pull_unknown(self, moved: Moved) -> _Outcome:
        log = self._desk.begin(moved.mailbox)
        outcome = _Outcome(moved, log, self._desk.staff_log(moved.mailbox))
        try:
            return await _pulled(log.pull_unknown(), outcome)
        except NotATicket as error:
            return _Outcome(moved, aside=error.reason)

    async def _gone(self, outcome: _Outcome, known: KnownLog | None) -> _Outcome:
        """Believe a relay that something was erased on a good statement alone (attack 81).

        Of what was never known here nothing is lost.
        """
        ticket = known.ticket if known else outcome.moved.mailbox
        stone = await found_stone(self._desk, ticket)
        if stone is not None:
            return _Outcome(outcome.moved, stone=stone, ticket=ticket)
        return outcome if known else _Outcome(outcome.moved, aside="erased")

    # --- what came of it ---------------------------------------------------------------------------------

    async def _keep(self, outcomes: Sequence[_Outcome]) -> None:
        """Keep what was pulled and what went wrong; a relay that is away is nobody's fault."""
        if not outcomes:
            return
        harvest = Harvest(self._desk.roster, clock.now())
        for outcome in outcomes:
            _reap(harvest, outcome)
        aside = [(outcome.moved, reason) for outcome in outcomes if (reason := _aside(outcome))]
        stones = [(one.stone, one.ticket) for one in outcomes if one.stone and one.ticket]
        async with self._desk.store.transaction() as change:
            await harvest.save(change)
            for stone, ticket in stones:
                await bury(change, stone, ticket, self._desk.staff_log(ticket))
            await feed.failed(change, [outcome.moved.mailbox for outcome in outcomes if outcome.error])
            await feed.put_aside(change, aside, now=harvest.now)


def _reap(harvest: Harvest, outcome: _Outcome) -> None:
    log, fault = outcome.log, _fault(outcome)
    if log is not None and log.length:
        problem = fault.code if fault else ""
        harvest.add(log, outcome.staff_log, problem=problem, complete=outcome.error is None)
    if fault:
        harvest.alarm(fault, log.mailbox if log is not None and log.length else TEAM)


def _fault(outcome: _Outcome) -> SupportError | None:
    return None if isinstance(outcome.error, TransportError) else outcome.error


def _aside(outcome: _Outcome) -> str:
    """Return why a mailbox is put aside: it is no ticket, or never was one and failed too often."""
    unknown = outcome.log is None or not outcome.log.length
    fault = _fault(outcome)
    if fault and unknown and outcome.moved.tries >= TRIES_MAX:
        return fault.code
    return outcome.aside


async def _pulled(pull: Coroutine[None, None, None], outcome: _Outcome) -> _Outcome:
    """Wait for a pull and note how it ended; what was taken before a bad place is kept."""
    try:
        await pull
    except Enough:
        return replace(outcome, more=True)
    except SupportError as error:
        return replace(outcome, error=error)
    assert outcome.log is not None  # noqa: S101 - it is what was pulled
    short = outcome.log.length < outcome.moved.length
    return replace(outcome, error=feed.withheld()) if short else outcome


def _internal(error: Exception) -> PeerError:
    return PeerError(
        "internal",
        f"a mailbox could not be followed ({type(error).__name__})",
        hint="Update this program; if it stays, tell its authors. No other ticket is touched by it.",
    )
