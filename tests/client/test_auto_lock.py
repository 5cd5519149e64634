"""A client that nobody uses locks itself: keys gone, store closed, streams over, until it is unlocked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e_support.errors import UsageError
from e2e_support_client import SupportClient, auto_lock, clock
from e2e_support_client.auto_lock import AutoLock
from e2e_support_client.blocking import BlockingSupportClient
from e2e_support_client.model import Event
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import FileKeystore
from e2e_support_keys.vault import FLOOR
from secret_search import holders, reversed_bytes
from user_kit import BODY, SUBJECT, World, fake_world

HOUR = timedelta(hours=1)
PASSPHRASE = "correct horse battery staple"


class Clock:
    """A clock that stands still until a test lets time pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, time: timedelta) -> None:
        """Let time pass at once."""
        self.now += time.total_seconds()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of all auto-locks, which look at it often."""
    clock = Clock()
    monkeypatch.setattr(auto_lock, "seconds", clock)
    monkeypatch.setattr(auto_lock, "TICK", 0.005)
    return clock


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a team at a relay in memory."""
    return fake_world(tmp_path)


class Person:
    """Types a passphrase when asked, and counts how often that was."""

    def __init__(self) -> None:
        self.asked = 0
        self.types = PASSPHRASE

    def __call__(self) -> str:
        self.asked += 1
        return self.types


@pytest.fixture
def person() -> Person:
    """Return who knows the passphrase."""
    return Person()


def client(world: World, person: Person, **options: Any) -> SupportClient:
    """Return a user's client with keys in a file, locked after an hour."""
    folder = world.folder / "user"
    keystore = FileKeystore(folder / "keys", person, cost=FLOOR)
    return SupportClient(
        world.link, keystore=keystore, state_dir=folder, relay=world.relay, auto_lock=HOUR, **options
    )


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that comes sooner or later."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


async def locked(support: SupportClient, time: Clock) -> None:
    """Let an hour pass and wait until the client has noticed."""
    time.pass_by(HOUR)
    await until(lambda: is_refused(support))


def is_refused(support: SupportClient) -> bool:
    """Tell whether a client says that it is locked."""
    try:
        _ = support.tickets
    except UsageError as error:
        return error.code == "locked"
    return False


# --- the lock by itself ----------------------------------------------------------------------------------


async def test_a_running_call_is_never_cut_off(time: Clock) -> None:
    """However long a call takes, it ends well; the time counts from its end."""
    over = asyncio.Event()

    async def lock() -> None:
        over.set()

    watched = AutoLock(HOUR, lock)
    with watched.call():
        time.pass_by(10 * HOUR)
        await asyncio.sleep(0.05)
        assert not watched.locked
    time.pass_by(HOUR - timedelta(seconds=1))
    await asyncio.sleep(0.05)
    assert not watched.locked
    time.pass_by(timedelta(seconds=1))
    await asyncio.wait_for(over.wait(), 30)
    with pytest.raises(UsageError, match="locked"), watched.call():
        pass
    await watched.end()


async def test_what_goes_wrong_while_locking_is_told(time: Clock) -> None:
    """An error of the locking itself reaches whoever closes the client."""

    async def lock() -> None:
        raise UsageError("store_unusable", "the store cannot be read or written")

    watched = AutoLock(HOUR, lock)
    time.pass_by(HOUR)
    await until(lambda: watched.locked)
    with pytest.raises(UsageError, match="cannot be read"):
        await watched.end()


# --- the client ------------------------------------------------------------------------------------------


async def test_calls_after_the_lock_are_refused_until_it_is_unlocked(
    world: World, person: Person, time: Clock
) -> None:
    """After the time every call says ``locked``; unlocking asks for the passphrase and brings all of it back."""
    async with client(world, person) as support:
        ref = await support.tickets.create(SUBJECT, BODY, category="billing")
        held = support.tickets
        asked = person.asked
        await locked(support, time)
        for call in (support.verify_team, support.news, support.register, support.proofs, held.list):
            with pytest.raises(UsageError, match="locked") as refused:
                await call()
            assert refused.value.code == "locked"
        with pytest.raises(UsageError, match="locked"):
            _ = support.outbox
        await support.unlock()
        assert person.asked == asked + 1
        assert (await support.tickets.get(ref.number)).messages[0].body == BODY
        await support.unlock()
        assert person.asked == asked + 1
        assert not (await support.register()).created


async def test_a_call_puts_the_lock_off(world: World, person: Person, time: Clock) -> None:
    """Whoever uses the client now and then stays unlocked."""
    async with client(world, person) as support:
        for _ in range(3):
            time.pass_by(HOUR - timedelta(minutes=1))
            await support.tickets.list()
            await asyncio.sleep(0.02)
        assert not is_refused(support)


async def test_a_wrong_passphrase_leaves_it_locked(world: World, person: Person, time: Clock) -> None:
    """Whoever does not know the passphrase gets nothing; afterwards the right one opens it."""
    async with client(world, person) as support:
        await support.verify_team()
        await locked(support, time)
        person.types = "wrong"
        with pytest.raises(UsageError, match="wrong passphrase"):
            await support.unlock()
        assert is_refused(support)
        person.types = PASSPHRASE
        await support.unlock()
        assert (await support.known_team()).name == "Example team"


async def test_others_may_have_the_store_meanwhile(world: World, person: Person, time: Clock) -> None:
    """A locked client holds neither store nor lock file: another process opens them."""
    async with client(world, person) as support:
        await support.verify_team()
        await locked(support, time)
        async with client(world, person, lock_wait=timedelta(seconds=30)) as other:
            assert (await other.known_team()).name == "Example team"


@pytest.mark.parametrize("waiting", [True, False])
async def test_event_streams_end(world: World, person: Person, time: Clock, waiting: bool) -> None:
    """A stream ends by the lock, whether somebody waits for its next event or comes for it later."""

    async def follow(events: AsyncIterator[Event]) -> list[str]:
        return [event.number async for event in events]

    async with client(world, person) as support:
        ref = await support.tickets.create(SUBJECT, BODY, category="billing")
        await world.console.answer(ref.number)
        async with support.events() as events:
            assert (await anext(events)).number == ref.number
            following = asyncio.create_task(follow(events)) if waiting else None
            await asyncio.sleep(0.05)  # it listens now, which is no call
            await locked(support, time)
            async with asyncio.timeout(30):
                assert await (following or follow(events)) == []


async def test_no_key_is_left_in_memory(world: World, person: Person, time: Clock) -> None:
    """After the lock no object holds the master or the store's key, even while the host keeps parts of the client."""
    async with client(world, person) as support:
        ref = await support.tickets.create(SUBJECT, BODY, category="billing")
        await support.tickets.get(ref.number)
        async with support.events() as events:
            bundle = FileKeystore(world.folder / "user" / "keys", person, cost=FLOOR).load()
            assert isinstance(bundle, UserBundle)
            master, store_key = reversed_bytes(bundle.master), reversed_bytes(bundle.store_key)
            del bundle
            kept = (support.tickets, support.outbox, events)
            assert holders(master)
            assert holders(store_key)
            await locked(support, time)
            await until(lambda: not holders(master) + holders(store_key))
            del kept


def test_without_await_it_locks_too(world: World, person: Person, time: Clock) -> None:
    """``BlockingSupportClient`` counts calls in the same way, and is unlocked in the same way."""
    folder = world.folder / "user"
    keystore = FileKeystore(folder / "keys", person, cost=FLOOR)
    opened = BlockingSupportClient(
        world.link, keystore=keystore, state_dir=folder, relay=world.relay, auto_lock=HOUR
    )
    with opened as support:
        support.verify_team()
        time.pass_by(HOUR)
        opened.loop.wait(until(lambda: is_refused(support.inner)))
        with pytest.raises(UsageError, match="locked"):
            support.verify_team()
        with pytest.raises(UsageError, match="locked"):
            _ = support.tickets
        support.unlock()
        assert list(support.tickets.list()) == []


def test_the_clock_goes_forward() -> None:
    """Real time passes."""
    assert auto_lock.seconds() <= auto_lock.seconds()
    assert clock.now() > 0
