"""`SupportClient`: end-to-end encrypted support tickets for the users of an application."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypedDict, TypeVar

import platformdirs

from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.proof import check_proof
from e2e_support.support_link import SupportLink
from e2e_support_client import clock
from e2e_support_client.allowance import Allowance, Today
from e2e_support_client.archive.own import export_own
from e2e_support_client.auto_lock import AutoLock, is_locked
from e2e_support_client.context import Consent, Context
from e2e_support_client.courier import Courier
from e2e_support_client.debug import redact
from e2e_support_client.debug.collectors import Collector
from e2e_support_client.debug.report import DebugReport
from e2e_support_client.delivery import Delivery, OnState, no_progress
from e2e_support_client.discovery import Discovery
from e2e_support_client.erased_store import ErasedStore
from e2e_support_client.guard import OnSecret
from e2e_support_client.lifecycle_store import LifecycleStore
from e2e_support_client.model import (
    Event,
    Notification,
    OnProgress,
    Profile,
    ProofInfo,
    Registration,
    TeamChange,
    TeamInfo,
    utc,
)
from e2e_support_client.notices import Notices
from e2e_support_client.notify import EventStream, Journal, Listener, Place
from e2e_support_client.outbox import Outbox
from e2e_support_client.port import RelayPort
from e2e_support_client.reader import Reader
from e2e_support_client.reminders import Reminders
from e2e_support_client.retry import DEFAULT_RETRY, RetryPolicy
from e2e_support_client.rooms import ERA, Rooms
from e2e_support_client.store import MIGRATIONS, LocalStore
from e2e_support_client.team import Team
from e2e_support_client.tickets import Tickets
from e2e_support_client.transport import TIMEOUT, HttpRelay
from e2e_support_client.trust_store import TrustStore
from e2e_support_client.vouched import Vouched
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import FileKeystore, Keystore
from e2e_support_keys.passphrase import passphrase_from_environment
from e2e_support_keys.phrase import from_phrase, to_phrase
from e2e_support_keys.store import Store, open_store

KEYS_FILE: Final = "keys"
STORE_FILE: Final = "tickets.db"
LOCK_PAUSE: Final = 0.1  # seconds between two tries to get the store
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was made with, besides its link."""

    keystore: Keystore
    folder: Path
    profile: Profile
    collectors: tuple[Collector, ...]
    redactors: tuple[redact.Redactor, ...]
    consent: Consent | None
    on_secret: OnSecret | None
    lock_wait: timedelta
    on_state: OnState
    accept_stale: bool
    auto_lock: timedelta | None


class ClientOptions(TypedDict, total=False):
    """The options of ``SupportClient`` by name, for wrappers."""

    keystore: Keystore | None
    state_dir: str | os.PathLike[str] | None
    profile: Profile | None
    collectors: Sequence[Collector]
    redactors: Sequence[redact.Redactor]
    consent: Consent | None
    on_secret: OnSecret | None
    proxy: str | None
    timeout: timedelta
    retry: RetryPolicy
    relay: RelayPort | None
    lock_wait: timedelta
    on_state: OnState
    accept_stale: bool
    auto_lock: timedelta | None


class SupportClient:
    """One user of an application on one team; an asynchronous context manager, safe to keep open.

    Keys are made when it is first entered. Nothing else happens before something is asked of it.

    Args:
        link: the support link that the administrators publish; ``None`` for the one that the keys belong to.
        keystore: where the user's keys are kept; by default a file in ``state_dir``, locked by a passphrase that
            is asked for on the terminal or read from the file that ``E2ES_PASSPHRASE_FILE`` names.
        state_dir: directory of the encrypted store; one per user and team. By default one for the team in the
            user's data directory.
        profile: what the host tells the administrators of its user.
        collectors: what ``collect`` gathers.
        redactors: what is taken out of debug data.
        consent: shows a debug report to the person and returns their answer; without it only a report that was
            previewed can be sent.
        on_secret: asks the person what to do about text that looks like a password or key; without it texts are
            left as they are.
        proxy: ``http://host:port``; the environment is not asked.
        timeout: within which the relay must answer.
        retry: how often it is asked again.
        relay: another way to the relay, for tests; it is not closed.
        lock_wait: how long to wait for another process that has the store open.
        on_state: told how a delivery goes on, for tests.
        accept_stale: send although nobody vouches for the list of administrators, where the policy allows it.
        auto_lock: drop the keys and close the store once no call has run for so long; event streams end then,
            later calls raise ``UsageError`` ``locked``, and ``unlock`` opens both again.

    Raises:
        UsageError: ``bad_link``, ``bad_proxy``, or ``no_state_dir`` without link and directory.
    """

    def __init__(  # noqa: PLR0913 - options by keyword
        self,
        link: str | None,
        *,
        keystore: Keystore | None = None,
        state_dir: str | os.PathLike[str] | None = None,
        profile: Profile | None = None,
        collectors: Sequence[Collector] = (),
        redactors: Sequence[redact.Redactor] = redact.DEFAULT,
        consent: Consent | None = None,
        on_secret: OnSecret | None = None,
        proxy: str | None = None,
        timeout: timedelta = TIMEOUT,
        retry: RetryPolicy = DEFAULT_RETRY,
        relay: RelayPort | None = None,
        lock_wait: timedelta = timedelta(0),
        on_state: OnState = lambda _: None,
        accept_stale: bool = False,
        auto_lock: timedelta | None = None,
    ) -> None:
        self._pin = SupportLink.parse(link) if link is not None else None
        folder = _folder(state_dir, self._pin)
        self._settings = Settings(
            keystore or FileKeystore(folder / KEYS_FILE, _ask),
            folder,
            profile or Profile(),
            tuple(collectors),
            tuple(redactors),
            consent,
            on_secret,
            lock_wait,
            on_state,
            accept_stale,
            auto_lock,
        )
        self._http = (proxy, timeout, retry)
        self._given_relay = relay
        self._resources = AsyncExitStack()
        self._context: Context | None = None
        self._bundle: UserBundle | None = None
        self._created = False
        self._streams: set[EventStream] = set()
        self._auto_lock: AutoLock | None = None
        self._unlocking = asyncio.Lock()

    # --- opening and closing -----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open keys and store; makes keys if there are none.

        Raises:
            UsageError: ``wrong_passphrase``, ``store_locked``, ``team_mismatch``, ``wrong_keys``, ``no_link``,
                ``disk_full`` and what else keystore and store have to say.
        """
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._resources = stack.pop_all()
        if self._settings.auto_lock is not None:
            self._auto_lock = AutoLock(self._settings.auto_lock, self._lock)
            self._auto_lock.count(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back connections and the store; what is kept in the outbox stays there."""
        if self._auto_lock is not None:
            await self._auto_lock.end()
            self._auto_lock = None
        await self._resources.aclose()
        self._context = None

    async def unlock(self) -> None:
        """Open keys and store again after ``auto_lock``, and do nothing before.

        Raises:
            UsageError: ``not_open``, ``wrong_passphrase`` and the others of ``__aenter__``; it is still locked then.
        """
        async with self._unlocking:
            if self._auto_lock is not None and self._auto_lock.locked:
                await self._auto_lock.end()
                await self.__aenter__()
            self._require(self._context)

    @property
    def tickets(self) -> Tickets:
        """What the user can do with tickets."""
        return self._counted(Tickets(self._require(self._context)))

    @property
    def outbox(self) -> Outbox:
        """What is kept on this device because it is not stored yet."""
        return self._counted(self._require(self._context).outbox)

    # --- the user and the team ---------------------------------------------------------------------------

    async def register(self, *, recovery: Literal["phrase", "none"] = "phrase") -> Registration:
        """Return whether the user's keys are new, and the words that bring them back.

        Args:
            recovery: whether to return the 24 words; show them once, on paper they are as good as the keys.
        """
        bundle = self._require(self._bundle)
        phrase = await asyncio.to_thread(to_phrase, bundle.master) if recovery == "phrase" else ""
        return Registration(self._created, phrase)

    async def restore(self, phrase: str, *, on_progress: OnProgress = no_progress) -> int:
        """Bring back keys from their 24 words, and every ticket that they opened; return how many were found.

        If it is interrupted, call it again: it goes on.

        Args:
            phrase: the words.
            on_progress: told of every month that was looked through.

        Raises:
            UsageError: ``bad_phrase``; ``keys_in_use`` when this device has tickets under other keys.
            TrustError: as for ``verify_team``.
            TransportError: the relay cannot be reached.
        """
        context = self._require(self._context)
        master = await asyncio.to_thread(from_phrase, phrase)
        await context.team.refresh()
        if master != self._require(self._bundle).master:
            if await context.store.tickets() or await context.store.items():
                raise UsageError(
                    "keys_in_use",
                    "this device has tickets under other keys",
                    hint="Restore into another directory; nothing was changed here.",
                )
            await self._change_master(master, instead=True)
        return await context.discovery.everything(on_progress)

    async def new_keys(self) -> Registration:
        """Open tickets under new keys from now on, as after a theft; return the new words.

        Tickets of before stay readable and writable on this device, and their words restore only them.
        """
        context = self._require(self._context)
        era = len(await context.trust.masters())
        await context.trust.retire(era, self._require(self._bundle).master)
        await self._change_master(Secret.random(clock.random), instead=False)
        await context.discovery.looked()
        phrase = await asyncio.to_thread(to_phrase, self._require(self._bundle).master)
        return Registration(created=True, recovery_phrase=phrase)

    async def verify_team(self) -> TeamInfo:
        """Fetch and verify the list of administrators and return what people compare.

        Raises:
            TrustError: ``team_mismatch`` and others: the relay is not the one of the link, or not honest.
            TransportError: the relay cannot be reached.
        """
        context = self._require(self._context)
        await context.team.refresh()
        return await context.team.full_info()

    async def known_team(self) -> TeamInfo:
        """Return what was last verified, without asking the relay.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return await self._require(self._context).team.full_info()

    async def confirm_team(self) -> TeamInfo:
        """Remember that the person has compared words or digits with the team; return it as ``verified``.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        team = self._require(self._context).team
        await team.compared()
        return await team.full_info()

    async def team_news(self) -> tuple[TeamChange, ...]:
        """Return what happened to the team since this was last asked, oldest first; at first all of it.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return await self._require(self._context).team.news()

    async def proofs(self) -> tuple[ProofInfo, ...]:
        """Return what can be shown to others of a relay or team that told two stories, oldest first."""
        rows = await self._require(self._context).trust.proofs()
        return tuple(ProofInfo(utc(row.found_at), check_proof(row.data).words, row.data) for row in rows)

    @property
    def team(self) -> TeamInfo:
        """What was last verified of the team.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return self._require(self._context).team.info()

    @property
    def policy(self) -> Policy:
        """The team's signed rules: categories, limits, who may close and reopen.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return self._require(self._context).team.roster.policy

    async def today(self) -> Today:
        """Return how many tickets the policy lets this user open today, as far as this device knows.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return await self._require(self._context).allowance.today()

    async def export(
        self,
        target: str | os.PathLike[str],
        *numbers: str,
        attachments: bool = True,
        force: bool = False,
        on_progress: OnProgress = no_progress,
    ) -> int:
        """Write tickets into one file that anybody can read and verify offline; return how many.

        They leave with what the relay has now if it can be reached. The file is a ZIP with pages for people and
        signed sheets for ``check_export`` (protocol 5.11). All of it is in the clear; keys of tickets are not in it.

        Args:
            target: the file to make.
            numbers: which tickets; all by default.
            attachments: whether their files go with them.
            force: whether an existing file is replaced.
            on_progress: told after every ticket.

        Raises:
            UsageError: ``unknown_ticket``, ``not_stored``, ``not_a_ticket``, ``no_tickets``, ``file_exists``,
                ``cannot_write``.
            SupportError: a file could not be fetched; nothing was written.
        """
        context = self._require(self._context)
        return await export_own(
            context, Path(target), numbers, on_progress, attachments=attachments, force=force
        )

    # --- debug data --------------------------------------------------------------------------------------

    def collect(self, *extra: Collector) -> DebugReport:
        """Return debug data from the configured collectors and these; nothing leaves the device by this.

        Args:
            extra: further collectors, for this report only.
        """
        found = (field for collector in (*self._settings.collectors, *extra) for field in collector())
        return DebugReport(redact.redact(field, self._settings.redactors) for field in found)

    # --- events ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def events(
        self, *, since: str | None = None, ticket: str | None = None
    ) -> AsyncGenerator[AsyncIterator[Event]]:
        """Follow what happens in the user's tickets; reconnects by itself until it is left or the client locks.

        Args:
            since: cursor of the last event that was handled; ``None`` begins with the first that is known.
            ticket: number of one ticket; all by default.

        Raises:
            UsageError: ``unknown_ticket``, ``bad_number``; ``bad_cursor`` while iterating.
        """
        context = self._require(self._context)
        number = (await context.rooms.row(ticket)).number if ticket else None
        listener, wake = Listener(context.relay), asyncio.Event()
        context.rooms.listeners.add(wake)
        stream = EventStream(self._journal, listener, context.reader, wake, since=since or "", number=number)
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            await listener.stop()
            context.rooms.listeners.discard(wake)

    async def news(self, *, since: str | None = None) -> tuple[Event, ...]:
        """Look at the relay once and return what happened after a cursor; for programs that run now and then.

        Args:
            since: as for ``events``.
        """
        context = self._require(self._context)
        await context.reader.sync()
        return (*await self._journal.after(since or ""), *await self._journal.problems({}))

    async def notifications(self, *, unread: bool = True) -> tuple[Notification, ...]:
        """Look at the relay once and return what the person is told, the newest first (S2-21).

        The policy decides whether answers, changes of status and resolutions are told. ``events`` tells all of it,
        for programs that keep a picture of their own up to date.

        Args:
            unread: leave out what was seen: by ``mark_notifications_read``, or since by ``tickets.mark_read``.
        """
        context = self._require(self._context)
        await context.reader.sync()
        return await self._notices.list(unread=unread)

    async def mark_notifications_read(self) -> None:
        """Remember on this device that the person has seen every notification that there is now."""
        await self._notices.mark_read()

    async def places(self) -> list[Place]:
        """Return where to listen for bells without keeping the store open; see ``notify.Listener``."""
        return await self._journal.places()

    async def remember(self, name: str, cursor: str) -> None:
        """Keep a cursor in the store."""
        await self._require(self._context).store.set_cursor(name, cursor)

    async def remembered(self, name: str) -> str:
        """Return a cursor that was kept, or the empty text."""
        return await self._require(self._context).store.cursor(name)

    # --- how it is put together --------------------------------------------------------------------------

    @property
    def _journal(self) -> Journal:
        context = self._require(self._context)
        return Journal(context.store, context.rooms, context.reader, context.reminders)

    @property
    def _notices(self) -> Notices:
        context = self._require(self._context)
        return Notices(context.store, context.rooms, context.team, context.reminders)

    async def _open(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        bundle = await self._load_keys()
        database = await stack.enter_async_context(await self._open_store(bundle))
        store = LocalStore(database)
        links = await store.links()
        bundle = await self._adopt_link(bundle, known=bool(links))
        pin = SupportLink.parse(bundle.link)
        relay = self._given_relay
        if relay is None:
            proxy, timeout, retry = self._http
            relay = HttpRelay(pin.url, proxy=proxy, timeout=timeout, retry=retry)
            stack.push_async_callback(relay.close)
        trust, lifecycle = TrustStore(database), LifecycleStore(database)
        vouched = await Vouched.load(relay, trust, accept_stale=settings.accept_stale)
        team = Team(relay, pin, store, links, trust=trust, vouched=vouched)
        masters = await self._masters(bundle, store, trust)
        rooms = Rooms(store, trust, ErasedStore(database), team, relay, masters)
        discovery = Discovery(store, trust, rooms, team, relay)
        if self._created:
            await discovery.looked()  # no other device has these keys yet
        courier = Courier(relay, store)
        reader = Reader(store, rooms, team, discovery, settings.profile.name)
        allowance = Allowance(store, rooms, team, discovery, reader)
        delivery = Delivery(
            store, rooms, team, relay, courier, allowance=allowance, on_state=settings.on_state
        )
        outbox = Outbox(store, delivery)
        self._bundle = bundle
        self._context = Context(
            relay, store, trust, lifecycle, team, rooms, reader, discovery,
            Reminders(store, lifecycle, rooms, team), allowance, outbox, courier,
            settings.profile, settings.consent, settings.on_secret,
        )  # fmt: skip

    async def _masters(self, bundle: UserBundle, store: LocalStore, trust: TrustStore) -> list[Secret]:
        """Return the user's masters, the present one last.

        Raises:
            UsageError: ``old_keys`` when the key file is older than what was used on this device (attack 63).
        """
        masters = await trust.masters()
        if masters and masters[-1] == bundle.master:
            if any(row.month // ERA == len(masters) for row in await store.tickets()):
                raise UsageError(
                    "old_keys",
                    "these keys are older than the ones that this device has used since",
                    hint="Put back the newer key file, or restore the newer words into another directory.",
                )
            await trust.unretire(len(masters) - 1)  # the change stopped before the keys were saved
            masters.pop()
        return [*masters, bundle.master]

    async def _change_master(self, master: Secret, *, instead: bool) -> None:
        bundle = replace(self._require(self._bundle), master=master)
        await asyncio.to_thread(self._settings.keystore.save, bundle)
        self._bundle = bundle
        self._require(self._context).rooms.use(master, instead=instead)

    async def _load_keys(self) -> UserBundle:
        keystore = self._settings.keystore
        bundle = await asyncio.to_thread(keystore.load)
        if bundle is None:
            if self._pin is None:
                raise UsageError(
                    "no_link", "there are no keys here and no support link", hint="Connect with a link first."
                )
            bundle = UserBundle.fresh(self._pin.format(), clock.random)
            await asyncio.to_thread(keystore.save, bundle)
            self._created = True
        if not isinstance(bundle, UserBundle):
            raise UsageError(
                "wrong_keys", "these are an administrator's keys", hint="Use another directory for a user."
            )
        return bundle

    async def _adopt_link(self, bundle: UserBundle, *, known: bool) -> UserBundle:
        """Return the keys with the link that was given, if it is for the team that they are used with."""
        if self._pin is None or self._pin.format() == bundle.link:
            return bundle
        if known and SupportLink.parse(bundle.link).team_id != self._pin.team_id:
            raise UsageError(
                "team_mismatch",
                "this link is of another team than the one that these keys are used with",
                hint="Compare the links; for a second team use a directory of its own.",
            )
        bundle = replace(bundle, link=self._pin.format())
        await asyncio.to_thread(self._settings.keystore.save, bundle)
        return bundle

    async def _open_store(self, bundle: UserBundle) -> Store:
        """Open the store; if another process has it, wait as long as was asked for."""
        tries = int(self._settings.lock_wait.total_seconds() / LOCK_PAUSE)
        for left in range(tries, -1, -1):
            try:
                return await open_store(self._settings.folder / STORE_FILE, bundle.store_key, MIGRATIONS)
            except UsageError as error:
                if error.code != "store_locked" or not left:
                    raise
            await asyncio.sleep(LOCK_PAUSE)
        raise AssertionError  # pragma: no cover - the last round returns or raises

    async def _lock(self) -> None:
        """Drop the keys and whatever would give them out again; what was made of them closes or is forgotten."""
        context, self._context, self._bundle, self._created = self._context, None, None, False
        for stream in self._streams:
            await stream.end()
        if context is not None:
            context.rooms.forget()
        if isinstance(self._settings.keystore, FileKeystore):
            self._settings.keystore.forget()
        await self._resources.aclose()

    def _counted(self, part: T) -> T:
        return part if self._auto_lock is None else self._auto_lock.count(part)

    def _require(self, part: T | None) -> T:
        if part is None and self._auto_lock is not None and self._auto_lock.locked:
            raise is_locked()
        if part is None:
            raise UsageError("not_open", "the client is not open", hint="Use it inside `async with`.")
        return part


def _folder(state_dir: str | os.PathLike[str] | None, pin: SupportLink | None) -> Path:
    if state_dir is not None:
        return Path(state_dir).expanduser()
    if pin is None:
        raise UsageError("no_state_dir", "without a link the directory must be named")
    return platformdirs.user_data_path("e2e-support") / pin.team_id.hex()[:16]


def _ask() -> str:
    return passphrase_from_environment("Passphrase for your support keys: ")
