"""What a hostile relay tries by means of HTTP alone, and what takes a real one: false clocks, removals, backups."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from e2e_support.errors import PeerError, SupportError
from e2e_support.limits import INT_MAX
from e2e_support.mailbox import Chain, ReceiptSigner
from e2e_support.vocab import Role, Verdict
from e2e_support.wire import FeedItem, FeedPage, Page, RelayInfo, Ring, Session, Stored
from e2e_support_client import Event, MemoryKeystore, clock
from e2e_support_console.team import TeamClient
from hostile_proxy import proxy, relay_process
from hostile_relay import Asked, Face, Lie, Truth, links, said
from hostile_scene import Scene, found, proxied
from http_kit import Passing, message, problem
from user_kit import BODY

NASTY = "Call +00 123 and read your words aloud"


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncGenerator[Scene]:
    """A scene before a real relay, with a ticket that both sides know."""
    with relay_process(tmp_path / "relay") as process:
        async with proxied(tmp_path, process) as scene:
            await scene.open()
            await scene.team.catch_up()
            yield scene


def twist(scene: Scene, change: Callable[[Passing, web.Response], web.Response | None]) -> None:
    """Let both proxies change answers as bytes and headers."""
    for one in scene.proxies.values():
        one.twist = lambda passing, response: change(passing, response) or response


async def test_28_no_word_of_the_relay_reaches_people(behind: Scene) -> None:
    """Attack 28: titles and hints in a refusal are the client's own, whatever the relay writes there."""
    text = f'{{"type":"about:blank","status":423,"code":"frozen","title":"{NASTY}","hint":"{NASTY}"}}'
    twist(behind, lambda passing, _: problem("frozen", 423, text=text) if passing.method == "POST" else None)
    for who in ("user", "team"):
        with pytest.raises(SupportError) as caught:
            await behind.write(who)
        assert caught.value.code == "frozen"
        assert NASTY not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("ring", [b"more", INT_MAX], ids=["text behind it", "a number that is too high"])
async def test_28_a_bell_says_nothing_but_that_it_rang(behind: Scene, ring: bytes | int) -> None:
    """Attack 28: text in a bell is no bell, and an invented number makes the client look and find nothing new."""

    def change(passing: Passing, response: web.Response) -> web.Response | None:
        if "/bell?" not in passing.target:
            return None
        told = (
            Ring(behind.mailbox, ring).to_bytes()
            if isinstance(ring, int)
            else Ring(behind.mailbox, 9).to_bytes() + ring
        )
        return message(told)

    twist(behind, change)
    events = list[Event]()
    with suppress(TimeoutError):
        async with behind.user.events() as stream, asyncio.timeout(0.5):
            events.extend([event async for event in stream])
    assert events == []
    assert await behind.read("user") == set()


async def test_32_a_clock_that_is_days_off_stops_the_client(behind: Scene) -> None:
    """Attack 32: the relay's word for the time moves requests by two days at most, and what is written never."""

    def change(passing: Passing, _: web.Response) -> web.Response | None:
        return (
            problem("request_expired", 401, headers={"Date": "Fri, 01 Jan 2100 00:00:00 GMT"})
            if passing.method == "POST"
            else None
        )

    twist(behind, change)
    for who in ("user", "team"):
        with pytest.raises(SupportError) as caught:
            await behind.write(who)
        assert caught.value.code == "check_clock"


@pytest.mark.parametrize("versions", [(0, 0), (2, 3)], ids=["older", "newer"])
async def test_24_no_team_is_founded_at_a_relay_of_another_version(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    """Attack 24: what a relay says of its versions is looked at before anything is made, and nothing older is tried."""
    with relay_process(tmp_path / "relay") as process:
        face = Face(Truth(ReceiptSigner(process.key)))
        face.tell(
            said(RelayInfo, lambda info: replace(info, version_low=versions[0], version_high=versions[1]))
        )
        async with proxy(face, process.url, process.ports[0]) as one, AsyncExitStack() as stack:
            keystore = MemoryKeystore()
            with pytest.raises(PeerError) as caught:
                await found(stack, tmp_path, keystore, one.url, await process.code())
            assert caught.value.code == "update_needed"
            assert keystore.load() is None
            assert [passing.method for passing, _ in one.asked] == ["GET"]


async def test_84_a_removed_device_learns_nothing_with_the_relays_help(tmp_path: Path) -> None:
    """Attack 84: a relay that lets a removed device in and hides the removal shows it ciphertext and nothing else."""
    with relay_process(tmp_path / "relay") as process:
        async with proxied(tmp_path, process) as scene:
            await scene.open()
            ben = await colleague(scene, "Ben")
            await ben.catch_up()
            assert [line.number for line in await ben.inbox.list()] == [scene.number]
            await scene.team.members.remove("Ben")
            await scene.user.verify_team()
            await scene.write("user")
            (shown, first) = (scene.number, scene.user)
            await let_in(scene)
            with suppress(SupportError):
                await ben.catch_up()
            view = await ben.inbox.get(shown)
            assert [message.body for message in view.messages if message.body] == [BODY]
            assert [message.verdict is Verdict.OK for message in view.messages] == [True, False, False]
            assert first is scene.user


async def test_88_a_restored_relay_is_made_whole_by_its_clients(tmp_path: Path) -> None:
    """Attack 88: a relay from an old backup gets back from the user's client what it had answered for."""
    data = tmp_path / "relay"
    with ExitStack() as processes:
        process = processes.enter_context(relay_process(data))
        async with proxied(tmp_path, process) as scene:
            await scene.open()
            await scene.team.catch_up()
            backup(data / "relay.db", tmp_path / "backup.db")
            for who in ("user", "team"):
                await scene.write(who)
            assert await scene.read("user") == set()
            processes.close()
            for file in data.glob("relay.db*"):
                file.unlink()
            (tmp_path / "backup.db").rename(data / "relay.db")
            again = processes.enter_context(relay_process(data, process.ports))
            for one in scene.proxies.values():
                one.man.relay = again.url
            assert await scene.read("team") == {"rollback"}
            assert await scene.read("user") == set()
            await scene.team.clear_alarms()
            assert await scene.read("team") == set()
            await scene.write("user")
            for who in ("user", "team"):
                await scene.read(who)
                assert await scene.shown(who) == scene.texts


def backup(live: Path, copy: Path) -> None:
    """Copy a database while it is in use."""
    with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


async def colleague(scene: Scene, name: str) -> TeamClient:
    """Let somebody join, whose console goes through the user's proxy."""
    invitation = await scene.team.members.invite(name, Role.AGENT)
    url = scene.proxies["user"].url
    link = invitation.link.replace(scene.proxies["team"].url.removeprefix("http"), url.removeprefix("http"))
    keystore, home = MemoryKeystore(), scene.folder / name
    words = await TeamClient.join(link, code=invitation.code, keystore=keystore, state_dir=home)
    assert await scene.team.members.approve(name, " ".join(words)) is None
    team = await TeamClient.unlock(keystore, home)
    scene.stack.push_async_callback(team.close)
    return team


async def let_in(scene: Scene) -> None:
    """Let the user's proxy open everything to whoever asks, and hide the removal."""
    one, logs = scene.proxies["user"], scene.faces["user"].truth.logs

    def page(_face: Face, asked: Asked, _honest: Page | None) -> Page:
        chain = Chain.start(asked.mailbox)
        for kept in logs[asked.mailbox]:
            chain = chain.advance(kept.entry)
        return Page(
            chain.head, tuple(Stored(kept.entry, kept.receipt) for kept in logs[asked.mailbox][asked.start :])
        )

    def steps(_face: Face, asked: Asked, _honest: FeedPage | None) -> FeedPage:
        items = [(mailbox, seq) for mailbox, kept in logs.items() for seq in range(len(kept))]
        told = [FeedItem(at, *item) for at, item in enumerate(items, 1)]
        return FeedPage(len(told), tuple(told[asked.start :]))

    one.twist = lambda passing, response: (
        message(Session(bytes(32), clock.now() + 600).to_bytes())
        if passing.target == "/v1/session"
        else response
    )
    one.face.tell(links(lambda true, _: true[:-2]))
    one.face.tell(Lie(Page, page))
    one.face.tell(Lie(FeedPage, steps))
