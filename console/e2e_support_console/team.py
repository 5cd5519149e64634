"""One administrator's unlocked device on one instance: found a team, unlock it, sync, and work in its inbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.invitation import Invitation
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT, preset_named
from e2e_support.support_link import SupportLink
from e2e_support_client import clock
from e2e_support_client.auto_lock import AutoLock
from e2e_support_client.port import RelayPort
from e2e_support_client.transport import HttpRelay
from e2e_support_console import feed
from e2e_support_console.alarms import Alarm, alarms, clear_alarms
from e2e_support_console.desk import Desk
from e2e_support_console.drafts import Drafts
from e2e_support_console.duties import do_duties
from e2e_support_console.founding import STORE_NAME, NewTeam, confirm, found, load_device, require_finished
from e2e_support_console.history import Histories
from e2e_support_console.inbox import Inbox
from e2e_support_console.index import open_index
from e2e_support_console.joining import join
from e2e_support_console.key_care import KeyCare, recovery_texts
from e2e_support_console.macros import Macros
from e2e_support_console.members import Members
from e2e_support_console.outgoing import forget_unsent
from e2e_support_console.people import owners_removed
from e2e_support_console.policy_editor import PolicyEditor
from e2e_support_console.proposals import Proposals
from e2e_support_console.recovering import recover_team
from e2e_support_console.renewal import fresh_until, renew
from e2e_support_console.snippets import Snippets
from e2e_support_console.sync import BUDGET, Sync, SyncReport
from e2e_support_console.team_sync import TeamSync
from e2e_support_console.views import Views
from e2e_support_console.writer import Writer
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.keystore import FileKeystore, Keystore
from e2e_support_keys.rehearsal import rehearse

OnSynced = Callable[[SyncReport], None]
PathLike = str | os.PathLike[str]


class TeamClient:
    """An administrator's client. Make one with ``create`` or ``unlock`` and use it in ``async with``.

    Only one process can have a state directory open. The keystore may block on a person and on half a second of
    key derivation. With ``auto_lock`` the keys are dropped and the store is closed once no call has run for that
    long: every later call raises ``UsageError`` ``locked``, and a fresh ``unlock`` opens the team again.

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

    @classmethod
    async def create(  # noqa: PLR0913 - each is the founder's to say
        cls,
        relay_url: str,
        *,
        name: str,
        owner: str,
        bootstrap_code: str,
        keystore: Keystore,
        state_dir: PathLike,
        languages: Iterable[str] = (),
        preset: str = DEFAULT.preset,
        policy: Policy | None = None,
        auto_lock: timedelta | None = None,
        relay: RelayPort | None = None,
    ) -> Self:
        """Found a team on a relay, and check that a test ticket opens. Run again, it finishes what was begun.

        Args:
            relay_url: origin of the relay, ``https://host[:port]``.
            name: of the team, as users see it.
            owner: name of the founder, as users see it.
            bootstrap_code: the one-time code that ``e2e-relay bootstrap`` printed.
            keystore: where this device's keys are kept, before the relay is told.
            state_dir: directory of the local encrypted store.
            languages: tags of the languages that the founder answers in.
            preset: name of the ready-made policy to begin with.
            policy: the instance policy, instead of a ready-made one.
            auto_lock: drop the keys after so long without a call.
            relay: speaks to the relay instead of HTTP, for tests.

        Raises:
            UsageError: ``team_exists``, ``other_relay``, ``code_refused``, ``bad_link``, ``store_locked``,
                ``no_preset`` …
            TransportError: the relay is away; what was made is kept.
            TrustError, PeerError: the relay served something else back, or a test ticket does not open.
        """
        url = relay_url.strip().rstrip("/")
        wanted = NewTeam(url, name, owner, tuple(languages), policy or preset_named(preset))
        async with AsyncExitStack() as stack:
            port = _connected(stack, relay, url)
            bundle, store = await found(port, wanted, bootstrap_code, keystore, Path(state_dir))
            await stack.enter_async_context(store)
            desk = Desk(bundle, port, store, await TeamSync.load(port, bundle, store))
            await confirm(desk)
            with suppress(TransportError):  # the next sync does it
                await renew(desk)
            return cls._opened(desk, stack, keystore, auto_lock)

    @classmethod
    async def unlock(
        cls,
        keystore: Keystore,
        state_dir: PathLike,
        *,
        auto_lock: timedelta | None = None,
        relay: RelayPort | None = None,
    ) -> Self:
        """Open this device's keys and store; the relay is not asked for anything yet.

        Args:
            keystore: where the keys are.
            state_dir: directory of the local encrypted store; a missing store is filled again by ``sync``.
            auto_lock: drop the keys after so long without a call.
            relay: speaks to the relay instead of HTTP, for tests.

        Raises:
            UsageError: ``no_keys``, ``wrong_passphrase``, ``store_locked``, ``team_unfinished`` …
            TrustError: what was kept does not verify any more.
        """
        bundle = load_device(keystore)
        if bundle is None:
            raise UsageError(
                "no_keys",
                "there is no team here yet",
                hint="Found one with `e2e-admin team create`, `join` one with an invitation, or `recover` yours.",
            )
        async with AsyncExitStack() as stack:
            port = _connected(stack, relay, SupportLink.parse(bundle.link).url)
            store = await stack.enter_async_context(
                await open_index(Path(state_dir) / STORE_NAME, bundle.store_key)
            )
            await require_finished(store)
            desk = Desk(bundle, port, store, await TeamSync.load(port, bundle, store))
            return cls._opened(desk, stack, keystore, auto_lock)

    @staticmethod
    async def join(
        link: str,
        *,
        code: str,
        keystore: Keystore,
        state_dir: PathLike,
        languages: Iterable[str] = (),
        relay: RelayPort | None = None,
    ) -> tuple[str, ...]:
        """Hand in this device to an invitation; once an owner has approved it, ``unlock`` opens the team.

        Args:
            link: the invitation's link.
            code: its code, which came another way.
            keystore: where this device's keys are kept.
            state_dir: directory of the local encrypted store.
            languages: tags of the languages that the newcomer answers in.
            relay: speaks to the relay instead of HTTP, for tests.

        Returns:
            Words that the newcomer reads out to the inviter.

        Raises:
            UsageError: ``bad_invitation``, ``wrong_code``, ``invitation_over``, ``invitation_used``, ``team_exists``.
            TrustError, PeerError: the relay does not serve the team that the invitation pins.
            TransportError: the relay is away; what was made is kept.
        """
        invitation = Invitation.parse(link, code)
        async with AsyncExitStack() as stack:
            port = _connected(stack, relay, invitation.team.url)
            return await join(port, invitation, keystore, Path(state_dir), tuple(languages))

    @classmethod
    async def recover(
        cls,
        link: str,
        typed: str,
        *,
        name: str,
        keystore: Keystore,
        state_dir: PathLike,
        auto_lock: timedelta | None = None,
        relay: RelayPort | None = None,
    ) -> Self:
        """Make this device an owner with what stands on the recovery sheets.

        Args:
            link: the team's support link.
            typed: 24 words, or enough shares.
            name: how colleagues are to see the new owner.
            keystore: where this device's keys are kept.
            state_dir: directory of the local encrypted store.
            auto_lock: drop the keys after so long without a call.
            relay: speaks to the relay instead of HTTP, for tests.

        Raises:
            UsageError: ``bad_phrase``, ``bad_share``, ``too_few_shares``, ``not_recovery``, ``team_exists``.
            TransportError: the relay is away; what was made is kept, run it again.
            TrustError, PeerError: relay or team are not as they must be.
        """
        pin, texts = SupportLink.parse(link), recovery_texts(typed)
        async with AsyncExitStack() as stack:
            port = _connected(stack, relay, pin.url)
            await recover_team(port, pin, texts, name, keystore, Path(state_dir))
        return await cls.unlock(keystore, state_dir, auto_lock=auto_lock, relay=relay)

    @classmethod
    def _opened(
        cls, desk: Desk, stack: AsyncExitStack, keystore: Keystore, auto_lock: timedelta | None
    ) -> Self:
        if auto_lock is not None and isinstance(keystore, FileKeystore):
            stack.callback(keystore.forget)
        return cls(desk, stack.pop_all(), auto_lock)

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
            await Writer(self.desk).settle_all()
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


def _connected(stack: AsyncExitStack, relay: RelayPort | None, url: str) -> RelayPort:
    port = relay or HttpRelay(url)
    stack.push_async_callback(port.close)
    return port
