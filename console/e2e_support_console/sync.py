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
from e2e_support_console import feed
from e2e_support_console.alarms import TEAM, raise_alarm
from e2e_support_console.desk import Desk
from e2e_support_console.feed import Moved
from e2e_support_console.index import bytes_of, remember, ticket, ticket_of, tickets
from e2e_support_console.logs import Enough, Log, NotATicket, save_log
from e2e_support_keys.store import Transaction

BUDGET: Final = 2_000
"""Mailboxes pulled in one run; the rest waits for the next."""
PAGES_MAX: Final = 256  # of the feed in one run: a million steps
TRIES_MAX: Final = 16  # runs in which an unknown mailbox may fail before it is put aside
_AT_ONCE: Final = 16
_POLICY: Final = "policy"
_log = logging.getLogger("e2e_support")


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a run of the sync did.

    Attributes:
        done: mailboxes that were brought further.
        left: mailboxes that wait for the next run.
        trouble: why some could not be pulled; ``None`` if all could.
    """

    done: int
    left: int
    trouble: SupportError | None = None


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
    """

    moved: Moved
    log: Log | None = None
    staff_log: MailboxId | None = None
    aside: str = ""
    error: SupportError | None = None
    more: bool = False


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
            async with self._desk.store.transaction() as change:
                await raise_alarm(change, error, now=clock.now())
            raise
        await self._label_anew()
        return await self._pull_all(budget)

    # --- the feed ----------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        desk = self._desk
        for _ in range(PAGES_MAX):
            after = await feed.cursor(desk.store)
            page = await desk.relay.feed(desk.team_id, after, desk.capability())
            async with desk.store.transaction() as change:
                await feed.take_page(change, after, page, now=clock.now())
            went_back = page.newest < after
            if not went_back and (not page.items or page.items[-1].cursor >= page.newest):
                return

    async def _label_anew(self) -> None:
        """Give every ticket its label anew when the policy has changed."""
        desk, policy = self._desk, self._desk.roster.policy
        if await bytes_of(desk.store, _POLICY) == policy.to_bytes():
            return
        async with desk.store.transaction() as change:
            for row in await tickets(desk.store):
                log = await desk.load(row.mailbox)
                await save_log(change, log, row.staff_log, policy, now=clock.now(), problem=row.problem)
            await remember(change, _POLICY, policy.to_bytes())

    # --- mailboxes ---------------------------------------------------------------------------------------

    async def _pull_all(self, budget: int) -> SyncReport:
        store, done = self._desk.store, 0
        trouble: SupportError | None = None
        waiting = await feed.waiting(store, budget)
        for start in range(0, len(waiting), _AT_ONCE):
            outcomes = await self._pull_some(waiting[start : start + _AT_ONCE])
            errors = [outcome.error for outcome in outcomes if outcome.error]
            done += len(outcomes) - len(errors)
            trouble = trouble or next(iter(errors), None)
            if len(errors) == len(outcomes) and all(isinstance(e, TransportError) for e in errors):
                break  # the relay is gone; asking for each of the others would only take long
        return SyncReport(done, await feed.waiting_count(store), trouble)

    async def _pull_some(self, waiting: Sequence[Moved]) -> list[_Outcome]:
        """Pull some mailboxes at once; staff logs are known by the tickets that stand in the store by then."""
        outcomes = list(await asyncio.gather(*map(self._pull_one, waiting)))
        await self._keep([outcome for outcome in outcomes if not outcome.aside])
        again = [outcome for outcome in outcomes if outcome.aside]
        outcomes = [outcome for outcome in outcomes if not outcome.aside]
        second = list(await asyncio.gather(*map(self._pull_staff, again)))
        await self._keep(second)
        return outcomes + second

    async def _pull_one(self, moved: Moved) -> _Outcome:
        """Pull one mailbox; whatever goes wrong is its own matter (attack 76)."""
        try:
            return await self._pull(moved)
        except SupportError as error:
            return _Outcome(moved, error=error)
        except Exception as error:  # noqa: BLE001 - a stranger's bytes must never end the loop
            _log.error("a mailbox could not be followed: %s", type(error).__name__)
            return _Outcome(moved, error=_internal(error))

    async def _pull(self, moved: Moved) -> _Outcome:
        store = self._desk.store
        known = await ticket(store, moved.mailbox)
        if known:
            return await self._pull_known(_Outcome(moved, staff_log=known.staff_log))
        if await ticket_of(store, moved.mailbox):
            return await self._pull_known(_Outcome(moved))
        return await self._pull_unknown(moved)

    async def _pull_known(self, outcome: _Outcome) -> _Outcome:
        moved = outcome.moved
        log = await self._desk.load(moved.mailbox, staff=outcome.staff_log is None)
        outcome = replace(outcome, log=log)
        return outcome if log.length >= moved.length else await _pulled(log.pull(), outcome)

    async def _pull_unknown(self, moved: Moved) -> _Outcome:
        log = self._desk.begin(moved.mailbox)
        outcome = _Outcome(moved, log, self._desk.staff_log(moved.mailbox))
        try:
            return await _pulled(log.pull_unknown(), outcome)
        except NotATicket as error:
            return _Outcome(moved, aside=error.reason)

    async def _pull_staff(self, outcome: _Outcome) -> _Outcome:
        """Look again at what is no ticket: it may be the staff log of one that has come with it."""
        if await ticket_of(self._desk.store, outcome.moved.mailbox):
            return await self._pull_one(outcome.moved)
        return outcome

    # --- what came of it ---------------------------------------------------------------------------------

    async def _keep(self, outcomes: Sequence[_Outcome]) -> None:
        if not outcomes:
            return
        now = clock.now()
        async with self._desk.store.transaction() as change:
            for outcome in outcomes:
                if outcome.aside:
                    await feed.put_aside(change, outcome.moved, outcome.aside, now=now)
                else:
                    await self._keep_log(change, outcome, now)

    async def _keep_log(self, change: Transaction, outcome: _Outcome, now: int) -> None:
        """Keep what was pulled, and what went wrong with it; a relay that is away is nobody's fault."""
        error, log = outcome.error, outcome.log
        fault = None if isinstance(error, TransportError) else error
        known = log is not None and log.length > 0
        if log is not None and known:
            policy, problem = self._desk.roster.policy, fault.code if fault else ""
            await save_log(change, log, outcome.staff_log, policy, now=now, problem=problem)
            if outcome.staff_log is not None:
                await feed.release(change, outcome.staff_log)
        if error:
            await feed.failed(change, outcome.moved)
        if fault:
            await raise_alarm(change, fault, now=now, mailbox=outcome.moved.mailbox if known else TEAM)
            if not known and outcome.moved.tries >= TRIES_MAX:
                await feed.put_aside(change, outcome.moved, fault.code, now=now)


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
    return replace(outcome, error=_withheld()) if short else outcome


def _withheld() -> PeerError:
    return PeerError(
        "withheld",
        "the relay announced an entry and does not hand it out",
        hint="Tell whoever runs the relay; the console goes on asking for it.",
    )


def _internal(error: Exception) -> PeerError:
    return PeerError(
        "internal",
        f"a mailbox could not be followed ({type(error).__name__})",
        hint="Update this program; if it stays, tell its authors. No other ticket is touched by it.",
    )
