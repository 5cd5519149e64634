"""An administrator's unlocked device: what the team is, what is new, and the parts of the console to work with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from e2e_support.errors import SupportError
from e2e_support_client import clock
from e2e_support_client.auto_lock import AutoLock
from e2e_support_console import feed
from e2e_support_console.alarms import Alarm, alarms, clear_alarms
from e2e_support_console.desk import Desk
from e2e_support_console.drafts import Drafts
from e2e_support_console.duties import do_duties
from e2e_support_console.history import Histories
from e2e_support_console.inbox import Inbox
from e2e_support_console.key_care import KeyCare
from e2e_support_console.macros import Macros
from e2e_support_console.members import Members
from e2e_support_console.outgoing import forget_unsent
from e2e_support_console.people import owners_removed
from e2e_support_console.policy_editor import PolicyEditor
from e2e_support_console.proposals import Proposals
from e2e_support_console.renewal import fresh_until
from e2e_support_console.sending import Sender
from e2e_support_console.snippets import Snippets
from e2e_support_console.sync import BUDGET, Sync, SyncReport
from e2e_support_console.views import Views
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.rehearsal import rehearse

OnSynced = Callable[[SyncReport], None]


class UnlockedTeam:
    """One administrator's device on one instance while its keys are at hand, used in ``async with``.

    Attributes:
        inbox: the team's tickets.
        members: the team's people.
        keys: rotation, checks, recovery.
        policy: the signed rules, and changing them.
        proposals: changes that wait for more owners.
        history: what happened to tickets.
        drafts: what is being written here.
        snippets: texts that the team answers with.
        macros: several steps under one name.
        views: saved filters of the inbox.
        desk: keys, roster, relay and store; for the other parts of the console.
    """

    def __init__(self, desk: Desk, resources: AsyncExitStack, auto_lock: timedelta | None = None) -> None:
        self.desk = desk
        self._resources = resources
        self.inbox = Inbox(desk)
        self.members = Members(desk)
        self.keys = KeyCare(desk)
        self.policy = PolicyEditor(desk)
        self.proposals = Proposals(desk)
        self.history = Histories(desk)
        self.drafts = Drafts(desk)
        self.snippets = Snippets(desk)
        self.macros = Macros(desk, self.inbox, self.snippets)
        self.views = Views(desk)
        self._auto_lock = AutoLock(auto_lock, self._lock) if auto_lock is not None else None
        if self._auto_lock is not None:
            for part in (
                self,
                self.inbox,
                self.members,
                self.keys,
                self.policy,
                self.proposals,
                self.history,
                self.drafts,
                self.snippets,
                self.macros,
                self.views,
            ):
                self._auto_lock.count(part)

    # --- the team ----------------------------------------------------------------------------------------

    @property
    def link(self) -> str:
        """The support link that administrators publish.

        Once an owner has gone, it names the newest head: by the plain one, the relay together with that owner could
        show somebody new a list of administrators from before (attack 8). Links of before go on working.
        """
        if not (self.desk.team.known and owners_removed(self.desk.roster)):
            return self.plain_link
        return self.newest_link

    @property
    def newest_link(self) -> str:
        """The support link that names the newest head; it settles what users refuse after a proven fork.

        Raises:
            TrustError: ``no_roster`` before the first connection.
        """
        return self.desk.newest_link().format()

    @property
    def plain_link(self) -> str:
        """The support link that names the team alone, which never changes."""
        return self.desk.bundle.link

    @property
    def team_id(self) -> bytes:
        """The hash that clients pin, 32 bytes."""
        return self.desk.team_id

    @property
    def words(self) -> tuple[str, ...]:
        """The team id as eight words, to be compared by telephone."""
        return Fingerprint.of(self.desk.team_id).words

    @property
    def name(self) -> str:
        """The team's name; ``no_roster`` before the first connection."""
        return self.desk.roster.name

    async def vouched_until(self) -> datetime | None:
        """Return until when active devices vouch for the roster, so that users can send (protocol 4.7)."""
        until = await fresh_until(self.desk)
        return datetime.fromtimestamp(until.expires, UTC) if until else None

    def self_check(self) -> None:
        """Open and answer a test ticket that is sealed to the team, all on this device.

        Raises:
            TrustError: ``self_check``.
        """
        rehearse(self.desk.roster, self.desk.team.keys, self.desk.bundle.signer(), clock.random)

    # --- work --------------------------------------------------------------------------------------------

    async def sync(self, *, budget: int = BUDGET) -> SyncReport:
        """Fetch what is new, and find out about what was on its way when this device stopped.

        Args:
            budget: at most so many mailboxes; the report says how many are left.

        Raises:
            TransportError: the relay cannot be reached at all.
            TrustError, PeerError: roster or feed are not as they must be; an alarm was kept.
        """
        report = await Sync(self.desk).run(budget=budget)
        try:
            report = replace(report, chores=await do_duties(self.desk))
            await Sender(self.desk).settle_all()
        except SupportError as error:
            return replace(report, trouble=report.trouble or error)
        return report

    async def catch_up(self, on_synced: OnSynced = lambda _: None) -> SyncReport:
        """Sync until nothing is left that can be fetched now; errors as ``sync``.

        Args:
            on_synced: told after every run.
        """
        while True:
            report = await self.sync()
            on_synced(report)
            if not report.left or not report.done:
                return report

    async def alarms(self) -> tuple[Alarm, ...]:
        """Return what an honest relay and honest participants do not do, the newest first."""
        return tuple(await alarms(self.desk.store))

    async def clear_alarms(self) -> int:
        """Forget the alarms once a person has looked at them; return how many there were.

        What could not be sent is forgotten with them, and what was put aside is looked at once more.
        """
        async with self.desk.store.transaction() as change:
            await feed.release_all(change)
            await forget_unsent(change)
            return await clear_alarms(change)

    async def quarantined(self) -> dict[str, int]:
        """Return how many mailboxes are no tickets, by the reason."""
        return await feed.quarantined(self.desk.store)

    # --- life --------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the store, so that another process may open it, and the connections."""
        if self._auto_lock is not None:
            await self._auto_lock.end()
        await self._resources.aclose()

    async def _lock(self) -> None:
        self.desk.lock()
        await self._resources.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
