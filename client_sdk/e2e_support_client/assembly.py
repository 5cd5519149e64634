"""Puts an open client together: its keys, its store, the relay, and the parts that work with them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support.support_link import SupportLink
from e2e_support_client import clock
from e2e_support_client.allowance import Allowance
from e2e_support_client.context import Consent, Context
from e2e_support_client.courier import Courier
from e2e_support_client.debug import redact
from e2e_support_client.debug.collectors import Collector
from e2e_support_client.delivery import Delivery, OnState
from e2e_support_client.discovery import Discovery
from e2e_support_client.erased_store import ErasedStore
from e2e_support_client.guard import OnSecret
from e2e_support_client.lifecycle_store import LifecycleStore
from e2e_support_client.outbox import Outbox
from e2e_support_client.outbox_store import OutboxStore
from e2e_support_client.people import Profile
from e2e_support_client.port import RelayPort
from e2e_support_client.reader import Reader
from e2e_support_client.reminders import Reminders
from e2e_support_client.retry import RetryPolicy
from e2e_support_client.rooms import ERA, Rooms
from e2e_support_client.schema import MIGRATIONS
from e2e_support_client.store import LocalStore
from e2e_support_client.team import Team
from e2e_support_client.transport import HttpRelay
from e2e_support_client.trust_store import TrustStore
from e2e_support_client.vouched import Vouched
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import Keystore
from e2e_support_keys.store import Store, open_store

KEYS_FILE: Final = "keys"
STORE_FILE: Final = "tickets.db"
LOCK_PAUSE: Final = 0.1  # seconds between two tries to get the store


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was made with; ``SupportClient`` explains each."""

    pin: SupportLink | None
    keystore: Keystore
    folder: Path
    profile: Profile
    collectors: tuple[Collector, ...]
    redactors: tuple[redact.Redactor, ...]
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


@dataclass(frozen=True, slots=True)
class OpenClient:
    """What there is while a client is open.

    Attributes:
        bundle: the user's keys.
        created: whether they were made just now.
        context: the parts that work with them.
    """

    bundle: UserBundle
    created: bool
    context: Context


async def assemble(settings: Settings, stack: AsyncExitStack) -> OpenClient:
    """Open keys and store and put the parts together; makes keys if there are none.

    Args:
        settings: of the client.
        stack: closes what was opened.

    Raises:
        UsageError: as ``SupportClient.__aenter__``.
    """
    bundle, created = await _load_keys(settings)
    database = await stack.enter_async_context(await _open_store(settings, bundle))
    store = LocalStore(database)
    links = await store.links()
    bundle = await _adopt_link(settings, bundle, known=bool(links))
    pin = SupportLink.parse(bundle.link)
    relay = settings.relay
    if relay is None:
        relay = HttpRelay(pin.url, proxy=settings.proxy, timeout=settings.timeout, retry=settings.retry)
        stack.push_async_callback(relay.close)
    trust, lifecycle = TrustStore(database), LifecycleStore(database)
    vouched = await Vouched.load(relay, trust, accept_stale=settings.accept_stale)
    team = Team(relay, pin, store, links, trust=trust, vouched=vouched)
    masters = await _masters(bundle, store, trust)
    rooms = Rooms(store, trust, ErasedStore(database), team, relay, masters)
    discovery = Discovery(store, trust, rooms, team, relay)
    if created:
        await discovery.looked()  # no other device has these keys yet
    drafts = OutboxStore(database)
    courier = Courier(relay, drafts)
    reader = Reader(store, drafts, rooms, team, discovery=discovery, user=settings.profile.name)
    allowance = Allowance(store, drafts, rooms, team, discovery=discovery, reader=reader)
    delivery = Delivery(drafts, rooms, team, relay, courier, allowance=allowance, on_state=settings.on_state)
    context = Context(
        relay, store, trust, lifecycle, team, rooms, reader, discovery,
        Reminders(store, lifecycle, rooms, team), allowance, Outbox(drafts, delivery), courier,
        settings.profile, settings.consent, settings.on_secret,
    )  # fmt: skip
    return OpenClient(bundle, created, context)


async def _load_keys(settings: Settings) -> tuple[UserBundle, bool]:
    """Return the user's keys, and whether they were made just now."""
    bundle = await asyncio.to_thread(settings.keystore.load)
    if isinstance(bundle, UserBundle):
        return bundle, False
    if bundle is not None:
        raise UsageError(
            "wrong_keys", "these are an administrator's keys", hint="Use another directory for a user."
        )
    if settings.pin is None:
        raise UsageError(
            "no_link",
            "there are no keys here and no support link",
            hint="Begin with the link that the team publishes: e2e-ticket connect LINK",
        )
    bundle = UserBundle.fresh(settings.pin.format(), clock.random)
    await asyncio.to_thread(settings.keystore.save, bundle)
    return bundle, True


async def _adopt_link(settings: Settings, bundle: UserBundle, *, known: bool) -> UserBundle:
    """Return the keys with the link that was given, if it is for the team that they are used with."""
    if settings.pin is None or settings.pin.format() == bundle.link:
        return bundle
    if known and SupportLink.parse(bundle.link).team_id != settings.pin.team_id:
        raise UsageError(
            "team_mismatch",
            "this link is of another team than the one that these keys are used with",
            hint="Compare the links; for a second team use a directory of its own.",
        )
    bundle = replace(bundle, link=settings.pin.format())
    await asyncio.to_thread(settings.keystore.save, bundle)
    return bundle


async def _open_store(settings: Settings, bundle: UserBundle) -> Store:
    """Open the store; if another process has it, wait as long as was asked for."""
    tries = int(settings.lock_wait.total_seconds() / LOCK_PAUSE)
    for left in range(tries, -1, -1):
        try:
            return await open_store(settings.folder / STORE_FILE, bundle.store_key, MIGRATIONS)
        except UsageError as error:
            if error.code != "store_locked" or not left:
                raise
        await asyncio.sleep(LOCK_PAUSE)
    raise AssertionError  # pragma: no cover - the last round returns or raises


async def _masters(bundle: UserBundle, store: LocalStore, trust: TrustStore) -> list[Secret]:
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
