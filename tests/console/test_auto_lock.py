"""A console that nobody uses locks itself: no key of the device or of the team is left, and every call says so."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from console_room import Room
from e2e_support.errors import UsageError
from e2e_support_client import auto_lock
from e2e_support_console.desk import Desk
from e2e_support_console.team import TeamClient
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.keystore import FileKeystore
from e2e_support_keys.vault import FLOOR
from secret_search import holders, reversed_bytes

PASSPHRASE = "correct horse battery staple"
HOUR = timedelta(hours=1)
Passing = Callable[[], None]


@pytest.fixture
def pass_hour(monkeypatch: pytest.MonkeyPatch) -> Passing:
    """Return what lets an hour pass at once; the clock of all auto-locks, which look at it often, stands otherwise."""
    now = 0.0

    def passing() -> None:
        nonlocal now
        now += HOUR.total_seconds()

    monkeypatch.setattr(auto_lock, "seconds", lambda: now)
    monkeypatch.setattr(auto_lock, "TICK", 0.005)
    return passing


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that comes sooner or later."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


def is_locked(team: TeamClient) -> bool:
    """Tell whether a console says that it is locked."""
    try:
        _ = team.link
    except UsageError as error:
        return error.code == "locked"
    return False


async def found(tmp_path: Path) -> tuple[Room, FileKeystore]:
    """Return a team with a ticket, whose founder's keys are in a file."""
    room = Room(tmp_path / "home")
    keystore = FileKeystore(room.home / "device.key", lambda: PASSPHRASE, cost=FLOOR)
    async with await room.found() as team:
        keystore.save(team.desk.bundle)
    await room.ticket()
    return room, keystore


async def test_a_locked_console_is_opened_by_a_fresh_unlock(tmp_path: Path, pass_hour: Passing) -> None:
    """After the time every part refuses every call; a fresh ``unlock`` finds everything as it was."""
    room, keystore = await found(tmp_path)
    opening = TeamClient.unlock(keystore, room.home, auto_lock=HOUR, relay=room.relay)
    async with await opening as team:
        inbox, members, keys = team.inbox, team.members, team.keys
        await team.catch_up()
        pass_hour()
        await until(lambda: is_locked(team))
        for call in (team.sync, team.alarms, inbox.list, members.list, keys.audit, team.proposals.list):
            with pytest.raises(UsageError, match="locked") as refused:
                await call()
            assert refused.value.code == "locked"
        with pytest.raises(UsageError, match="locked"):
            team.self_check()
    async with await TeamClient.unlock(keystore, room.home, relay=room.relay) as team:
        assert len(await team.inbox.list()) == 1


async def test_every_part_counts_its_calls(tmp_path: Path) -> None:
    """No part of a console is left out: each public call of each keeps it unlocked, or is refused."""
    room, keystore = await found(tmp_path)
    opening = TeamClient.unlock(keystore, room.home, auto_lock=HOUR, relay=room.relay)
    async with await opening as team:
        parts: list[object] = [team, *vars(team).values()]
        parts = [part for part in parts if type(part).__module__.startswith("e2e_support_console")]
        for part in parts:
            if isinstance(part, Desk):  # for the parts, which ask it for the keys
                continue
            calls = inspect.getmembers_static(type(part), inspect.iscoroutinefunction)
            public = {name for name, _ in calls if not name.startswith("_")} - {"close"}
            assert public <= vars(part).keys()


async def test_a_long_call_is_not_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pass_hour: Passing
) -> None:
    """A sync that takes longer than the time until the lock ends as it would without it."""
    room, keystore = await found(tmp_path)
    opening = TeamClient.unlock(keystore, room.home, auto_lock=HOUR, relay=room.relay)
    async with await opening as team:
        feed = room.relay.feed

        async def slow(*given: object) -> object:
            pass_hour()
            await asyncio.sleep(0.05)  # the lock looks at the clock, and sees that a call runs
            return await feed(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(room.relay, "feed", slow)
        assert (await team.catch_up()).trouble is None
        pass_hour()
        await until(lambda: is_locked(team))


async def test_no_key_of_device_or_team_is_left_in_memory(tmp_path: Path, pass_hour: Passing) -> None:
    """After the lock no object holds a key of the device or of an epoch, even while the host keeps the inbox."""
    room, keystore = await found(tmp_path)
    del room.keystore
    opening = TeamClient.unlock(keystore, room.home, auto_lock=HOUR, relay=room.relay)
    async with await opening as team:
        await team.catch_up()
        bundle = team.desk.bundle
        assert isinstance(bundle, DeviceBundle)
        wanted = [reversed_bytes(one) for one in (bundle.sign_seed, bundle.kem_seed, bundle.store_key)]
        del bundle
        kept = (team.inbox, team.members, team.keys, team.desk)
        assert all(holders(one) for one in wanted)
        pass_hour()
        await until(lambda: is_locked(team))
        await until(lambda: not any(holders(one) for one in wanted))
        del kept
