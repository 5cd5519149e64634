"""Automation without a face: a team's client that runs for itself, does what is due and sends mails (no terminal).

It wakes when the team's bell rings and by a timer, waits longer and longer while the relay is away, and keeps
nothing that a kill could lose: what is due is found out anew from the logs every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from e2e_support.errors import PeerError, SupportError, TransportError
from e2e_support_client import clock
from e2e_support_client.retry import RetryPolicy
from e2e_support_client.terminal import Json
from e2e_support_console import feed
from e2e_support_console.chores import NOTHING, Done
from e2e_support_console.mail import Mailer
from e2e_support_console.mailing import Mailing
from e2e_support_console.sync import SyncReport
from e2e_support_console.team import TeamClient

EVERY: Final = 60.0
"""Seconds after which an agent looks for what time alone has made due."""
WAIT: Final = 30
"""Seconds for which the relay may hold a question for the bell."""
RETRY: Final = RetryPolicy(attempts=1_000_000, base=2.0, cap=300.0)
"""How long to wait after runs that failed."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of an agent did.

    Attributes:
        done: what became of tickets.
        mails: how many were sent.
        renewed: whether this run made the team's list of devices good for longer, alone or as the last co-signer.
        trouble: what could not be done now; the next run tries again.
    """

    done: Done = NOTHING
    mails: int = 0
    renewed: bool = False
    trouble: SupportError | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it without a word of any ticket."""
        error = self.trouble.code if self.trouble else None
        return {**asdict(self.done), "mails": self.mails, "renewed": self.renewed, "trouble": error}


OnReport = Callable[[Report], None]


class Agent:
    """Runs a team's chores, and its mails where it can send some.

    Args:
        team: the client of a device that does nothing else; nobody else can open its store meanwhile.
        mailer: reaches the mail server; ``None`` for an agent without mails.
        every: seconds between two looks.
    """

    def __init__(self, team: TeamClient, mailer: Mailer | None = None, *, every: float = EVERY) -> None:
        self._team = team
        self._mailing = Mailing(team.desk, mailer) if mailer else None
        self._every = every

    async def run_once(self) -> Report:
        """Fetch what is new, do what is due, send what is to be told.

        Raises:
            TransportError: the relay cannot be reached at all.
            TrustError, PeerError: roster or feed are not as they must be; an alarm was kept.
        """
        before, mails = await self._team.vouched_until(), 0
        reports: list[SyncReport] = []
        await self._team.catch_up(reports.append)
        done = sum((report.chores for report in reports), NOTHING)
        trouble = reports[-1].trouble
        if self._mailing is not None:
            try:
                mails = await self._mailing.run()
            except SupportError as error:
                trouble = trouble or error
        until = await self._team.vouched_until()
        return Report(done, mails, until is not None and until != before, trouble)

    async def run(self, stop: asyncio.Event, on_report: OnReport = lambda _: None) -> None:
        """Run until told to stop; a run that has begun is finished first.

        Args:
            stop: ends it when it is set.
            on_report: told after every run.

        Raises:
            TrustError: the device is out of the team, or a person must look at what the relay shows.
        """
        failed = 0
        while not stop.is_set():
            try:
                on_report(await self.run_once())
                failed = 0  # trouble with one mailbox, or with mails, slows nothing else down
            except (TransportError, PeerError) as error:
                on_report(Report(trouble=error))
                failed += 1
            pause = RETRY.pause(failed, None, clock.random) if failed else None
            await self._rest(stop, pause)

    async def _rest(self, stop: asyncio.Event, pause: float | None) -> None:
        """Wait for the bell or the timer; after a failure for so many seconds and no bell."""
        waits: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait())]
        if pause is None:
            waits.append(asyncio.create_task(self._rung()))
        try:
            timeout = self._every if pause is None else max(pause, 1.0)
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _rung(self) -> None:
        """Return once the team's feed has moved; the relay's troubles are the next run's."""
        desk = self._team.desk
        after = await feed.cursor(desk.store)
        try:
            while (
                await desk.relay.wait_team(desk.team_id, after, desk.capability(), wait=WAIT)
            ).seq <= after:
                pass
        except SupportError:
            await asyncio.sleep(self._every)
