"""The bell as a long poll and as an event stream (protocol 3.7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from e2e_support.ids import MailboxId
from e2e_support.request import b64, unb64
from e2e_support.wire import Ring
from e2e_support_server.bell import Bell
from e2e_support_server.refusal import Refusal
from relay_kit import LIMITS, Client, TeamHandle, running

NO_MAILBOX = MailboxId(bytes(16))
SOON = 10  # seconds: more than any computer needs, and less than the relay waits by itself


def ring_of(line: str) -> Ring:
    """Return the ring in a data line of an event stream."""
    data = line.removeprefix("data: ")
    return Ring.from_bytes(unb64(data, len(data) * 3 // 4))


@asynccontextmanager
async def listening(
    relay: Client, target: str, session: dict[str, str]
) -> AsyncGenerator[aiohttp.ClientResponse]:
    """Open an event stream."""
    headers = {**session, "Accept": "text/event-stream"}
    async with relay.http.get(relay.url + target, headers=headers) as response:
        assert response.status == 200
        yield response


async def next_event(stream: aiohttp.ClientResponse) -> list[str]:
    """Return the lines of the next event that is no comment."""
    lines: list[str] = []
    async with asyncio.timeout(SOON):
        async for raw in stream.content:
            line = raw.decode().rstrip("\n")
            if line and not line.startswith(":"):
                lines.append(line)
            elif not line and lines:
                return lines
    return lines


async def until_heard(relay: Client, key: bytes, listeners: int = 1) -> None:
    """Wait until so many clients listen to a mailbox or a team."""
    assert relay.relay is not None
    async with asyncio.timeout(SOON):
        heard = relay.relay.context.bell._listeners  # pyright: ignore[reportPrivateUsage]
        while len(heard.get(key, ())) < listeners:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


async def test_a_long_poll_answers_at_once_what_is_already_there(relay: Client, team: TeamHandle) -> None:
    """With more entries than asked for the bell does not wait (§3.7)."""
    box = await relay.ticket(team)
    await box.append()
    async with asyncio.timeout(SOON):
        reply = await relay.ask(box.key, "GET", f"{box.path}/bell?after=0&wait=30")
    assert Ring.from_bytes(reply.expect(200).body) == Ring(box.id, 1)


async def test_a_long_poll_rings_with_the_next_entry(relay: Client, team: TeamHandle) -> None:
    """A waiting client hears of an append as soon as it is stored (§3.7)."""
    box = await relay.ticket(team)
    waiting = asyncio.create_task(relay.ask(box.key, "GET", f"{box.path}/bell?after=0&wait=30"))
    await until_heard(relay, box.id)
    await box.append(key=team.capability)
    async with asyncio.timeout(SOON):
        assert Ring.from_bytes((await waiting).expect(200).body) == Ring(box.id, 1)


async def test_a_long_poll_comes_back_when_nothing_happens(relay: Client, team: TeamHandle) -> None:
    """After the time it asked for the client gets the ring that stands (§3.7)."""
    box = await relay.ticket(team)
    reply = await relay.ask(box.key, "GET", f"{box.path}/bell?after=0&wait=1")
    assert Ring.from_bytes(reply.expect(200).body) == Ring(box.id, 0)


async def test_waiting_is_at_most_thirty_seconds(relay: Client, team: TeamHandle) -> None:
    """A longer wait is refused (§3.7)."""
    box = await relay.ticket(team)
    (await relay.ask(box.key, "GET", f"{box.path}/bell?after=0&wait=31")).expect("malformed")


async def test_the_teams_bell_rings_for_every_mailbox(relay: Client, team: TeamHandle) -> None:
    """The team hears the newest cursor, with zeros in place of a mailbox (§3.7)."""
    target = f"/v1/team/{b64(team.team_id)}/bell?after=1&wait=30"
    one, two = await relay.ticket(team), await relay.ticket(team)
    await one.append()
    waiting = asyncio.create_task(relay.ask(team.capability, "GET", target))
    await until_heard(relay, team.team_id)
    await two.append()
    assert Ring.from_bytes((await waiting).expect(200).body) == Ring(NO_MAILBOX, 2)


async def test_all_rings_have_one_size(relay: Client, team: TeamHandle) -> None:
    """A ring says which and how far, in a size that tells nothing else (§3.7)."""
    box = await relay.ticket(team)
    sizes = set[int]()
    for _ in range(3):
        await box.append()
        sizes.add(len((await relay.ask(box.key, "GET", f"{box.path}/bell?after=0&wait=0")).body))
    assert len(sizes) == 1


async def test_an_event_stream_rings_once_per_step(relay: Client, team: TeamHandle) -> None:
    """A stream tells what stands, then every step, as ``bell`` events that hold a ring (§3.7)."""
    box = await relay.ticket(team)
    await box.append()
    async with listening(relay, f"{box.path}/bell?after=0", await relay.session(box.key)) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["X-Accel-Buffering"] == "no"
        for length in (1, 2, 3):
            event, data = await next_event(stream)
            assert (event, ring_of(data)) == ("event: bell", Ring(box.id, length))
            await box.append()


async def test_an_event_stream_may_be_signed(relay: Client, team: TeamHandle) -> None:
    """A stream is a read: a signature opens it as a session does (§3.7)."""
    target = f"/v1/team/{b64(team.team_id)}/bell?after=0"
    headers = relay.signature(team.capability, "GET", target)
    box = await relay.ticket(team)
    async with listening(relay, target, headers) as stream:
        await box.append()
        _, data = await next_event(stream)
        assert ring_of(data) == Ring(NO_MAILBOX, 1)


async def test_a_silent_stream_is_kept_alive_by_comments(tmp_path: Path) -> None:
    """A proxy that cuts silent connections sees a comment now and then (§3.7)."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, ping_seconds=1)) as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        async with listening(relay, f"{box.path}/bell?after=0", await relay.session(box.key)) as stream:
            async with asyncio.timeout(SOON):
                assert await stream.content.readline() == b":\n"


async def test_a_stopping_relay_says_bye(tmp_path: Path) -> None:
    """Streams end with ``bye`` and a time after which to come back; long polls get their ring (§3.7)."""
    async with running(tmp_path / "relay") as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        session = await relay.session(box.key)
        response = await relay.http.get(
            f"{relay.url}{box.path}/bell?after=0", headers={**session, "Accept": "text/event-stream"}
        )
        poll = asyncio.create_task(relay.ask(box.key, "GET", f"{box.path}/bell?after=0&wait=30"))
        await until_heard(relay, box.id, 2)
        assert relay.relay
        relay.relay.context.bell.close()
        event, retry, data = await next_event(response)
        assert (event, data) == ("event: bye", "data:")
        assert int(retry.removeprefix("retry: ")) >= 2000
        (await poll).expect(200)
        (await relay.ask(box.key, "GET", f"{box.path}/bell?after=0&wait=1")).expect("busy")
        response.close()


async def test_a_stream_ends_with_bye_after_its_life(tmp_path: Path) -> None:
    """A stream is not for ever: the client comes again and shows that it still may."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, ping_seconds=1, stream_seconds=1)) as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        async with listening(relay, f"{box.path}/bell?after=0", await relay.session(box.key)) as stream:
            assert (await next_event(stream))[0] == "event: bye"


async def test_listeners_are_bounded(tmp_path: Path) -> None:
    """More listeners on one mailbox than allowed are asked to come later."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, listeners_each=1)) as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        session = await relay.session(box.key)
        async with listening(relay, f"{box.path}/bell?after=0", session):
            (await relay.send("GET", f"{box.path}/bell?after=0&wait=1", headers=session)).expect("busy")


async def test_many_rings_before_a_slow_listener_looks_are_one() -> None:
    """However much happens meanwhile, a listener costs one number and hears the newest."""
    bell = Bell(most=1, most_each=1)
    with bell.listen(b"key") as listener:
        for newest in (1, 5, 3):
            bell.ring(b"key", newest)
        assert await listener.wait(0, 1) == 5


async def test_a_listener_that_has_gone_leaves_nothing_behind() -> None:
    """The bell forgets who no longer listens, also when the wait was cancelled."""
    bell = Bell(most=1, most_each=1)

    async def wait() -> None:
        with bell.listen(b"key") as listener:
            await listener.wait(0, 60)

    for _ in range(3):
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    with bell.listen(b"key"), pytest.raises(Refusal), bell.listen(b"other"):
        pass
