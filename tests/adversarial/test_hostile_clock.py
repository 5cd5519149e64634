"""Attacks by a relay's clock, with whole clients through proxies before a real relay that lives by another time.

The relay is the product itself, in a process whose clock the test moves (``shifted_relay``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from adversarial.test_hostile_http import colleague
from e2e_support.errors import SupportError
from e2e_support.freshness import DAY, sign_freshness
from e2e_support.ids import ID_SIZE, MailboxId
from e2e_support.policy_parts import Retention
from e2e_support.request import unb64
from e2e_support.wire import Append, Entry, Freshness
from e2e_support_client import State, asking, clock
from e2e_support_client.vouched import Vouched
from e2e_support_console.team import TeamClient
from hostile_proxy import relay_process
from hostile_relay import links, said
from hostile_scene import Scene, proxied
from shifted_relay import Shift
from user_kit import BODY, CHEAP, SUBJECT

HOUR = 3600


@dataclass
class Times:
    """The clocks of a scene.

    Attributes:
        shift: the relay's.
        passed: seconds that have passed for everybody else.
    """

    shift: Shift
    passed: int = 0

    def go_on(self, seconds: int, *, relay: bool = True) -> None:
        """Let so much time have passed for everybody, or for all but the relay."""
        self.passed = seconds
        if relay:
            self.shift.to(seconds)


@pytest.fixture
def times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Times:
    """The clocks, all of them right."""
    found = Times(Shift(tmp_path / "clock"))
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: time.time() + found.passed))
    return found


@pytest.fixture
async def scene(tmp_path: Path, times: Times) -> AsyncGenerator[Scene]:
    """A scene before a real relay, with a ticket that both sides know."""
    with relay_process(tmp_path / "relay", shift=times.shift) as process:
        async with proxied(tmp_path, process) as found:
            await found.open()
            await found.team.catch_up()
            yield found


# --- 32: its time is false -------------------------------------------------------------------------------


async def test_32_a_clock_within_two_days_moves_nothing(scene: Scene, times: Times) -> None:
    """Attack 32: a clock that goes 40 hours ahead and comes back changes no order, no verdict, and stops nobody."""
    for ahead in (40 * HOUR, 0, -40 * HOUR):
        times.shift.to(ahead)
        for who in ("team", "user"):
            await scene.write(who)
    for who in ("team", "user"):
        assert await scene.read(who) == set()
        assert await scene.shown(who) == scene.texts
    said = (await scene.user.tickets.get(scene.number)).messages
    assert [one.at for one in said] == sorted(one.at for one in said)


@pytest.mark.parametrize("defended", [True, False])
@pytest.mark.parametrize("days", [-7, 7])
async def test_32_a_clock_that_is_days_off_stops_everybody_until_it_is_right(
    scene: Scene, times: Times, monkeypatch: pytest.MonkeyPatch, defended: bool, days: int
) -> None:
    """Attack 32: nobody signs a request for another week because the relay says so; what was written waits here."""
    if not defended:
        monkeypatch.setattr(asking, "CLOCK_WARNING", 10**9)
    times.shift.to(days * DAY)
    await scene.happen("writes", "user")
    assert scene.codes == ({"check_clock"} if defended else set())
    times.shift.to(0)
    if defended:
        (sent,) = await scene.user.outbox.flush()
        assert sent.state is State.STORED
        await scene.read("team")
        assert await scene.shown("team") == scene.texts


# --- 81: time passes too fast ----------------------------------------------------------------------------


async def test_81_a_clock_that_ran_ahead_purges_nothing(tmp_path: Path, times: Times) -> None:
    """Attack 81: a relay for which months went by erased what was idle; clients keep it, and show its bare word."""
    data = tmp_path / "relay"
    with ExitStack() as processes:
        process = processes.enter_context(relay_process(data, shift=times.shift))
        async with proxied(tmp_path, process) as scene:
            await scene.open()
            await scene.team.catch_up()
            await scene.team.policy.apply(replace(CHEAP, retention=Retention(30, 60)))
            await scene.write("team")
            assert await scene.read("user") == set()
            processes.close()
            times.shift.to(61 * DAY)
            again = processes.enter_context(relay_process(data, process.ports, shift=times.shift))
            async with asyncio.timeout(60):
                while "erased idle mailboxes" not in again.log:  # noqa: ASYNC110 - nothing else tells
                    await asyncio.sleep(0.05)
            times.shift.to(0)
            for one in scene.proxies.values():
                one.man.relay = again.url
            assert await scene.read("user") == {"relay_says_erased"}
            assert "erased" in await scene.read("team")
            for who in ("user", "team"):
                assert await scene.shown(who) == scene.texts


# --- 85: an old list is called new -----------------------------------------------------------------------


async def removed_agent(scene: Scene, times: Times) -> TeamClient:
    """Let Ben join, vouch with Anna, and be removed; from then on users are shown all as it was before."""
    ben = await colleague(scene, "Ben")
    for days in (0, 16):  # by then he is no newcomer, and half of a statement's time is over
        times.go_on(days * DAY)
        for console in (scene.team, ben, scene.team):
            await console.catch_up()
    before = scene.team.desk.roster
    both = await scene.team.desk.relay.freshness(before.team_id)
    assert both is not None
    assert len(Freshness.from_bytes(both).signatures) == 2
    times.go_on(17 * DAY)
    await scene.team.members.remove("Ben")
    await scene.team.catch_up()
    scene.faces["user"].tell(links(lambda _true, _: before.links))
    scene.faces["user"].tell(said(Freshness, lambda _: Freshness.from_bytes(both)))
    return ben


async def newcomer(scene: Scene) -> str:
    """Let a user who was never here try to open a ticket; return the code of what stands against it here."""
    user = await scene.newcomer()
    with suppress(SupportError):
        await user.tickets.create(SUBJECT, BODY, category="billing")
    return next((item.code for item in await user.outbox.list()), "")


def nothing(*_: object) -> None:
    """Stand where a check was taken away."""


def read_by(ben: TeamClient, scene: Scene) -> int:
    """Return how many tickets that users sent he can read, with a relay that shows him all that it refused."""
    read = set[MailboxId]()
    for passing, _ in scene.proxies["user"].asked:
        path = passing.target.split("/")
        if passing.method != "POST" or path[-1] != "entries":
            continue
        entry = Entry.from_bytes(Append.from_bytes(passing.body).entry)
        if entry.boxes and entry.boxes[0].epoch == ben.desk.roster.epoch.epoch:
            mailbox = MailboxId(unb64(path[-2], ID_SIZE))
            ben.desk.team.keys.open_key(mailbox, entry)
            read.add(mailbox)
    return len(read)


@pytest.mark.parametrize("defended", [True, False])
@pytest.mark.parametrize("relay", [True, False], ids=["its clock goes on", "its clock stands"])
async def test_85_a_removed_agent_and_a_relay_keep_no_old_list_fresh(
    scene: Scene, times: Times, monkeypatch: pytest.MonkeyPatch, relay: bool, defended: bool
) -> None:
    """Attack 85: what Ben and Anna said together ends by the clock of whoever reads it; Ben alone prolongs nothing.

    Until then a newcomer whom the relay hides his removal from writes to him, too: so long is the policy's freshness.
    """
    ben = await removed_agent(scene, times)
    times.go_on(45 * DAY)
    await newcomer(scene)
    assert read_by(ben, scene) == 1
    if not defended:
        monkeypatch.setattr(Vouched, "require", nothing)
        monkeypatch.setattr(asking, "CLOCK_WARNING", 10**9)
    times.go_on(47 * DAY, relay=relay)
    codes = {await newcomer(scene)}
    (device, key), old = ben.desk.bundle.signer(), ben.desk.roster
    alone = sign_freshness(old, [(device, key)], now=clock.now())
    with pytest.raises(SupportError):
        await ben.desk.relay.put_freshness(old.team_id, alone, key)
    scene.faces["user"].tell(said(Freshness, lambda _: Freshness.from_bytes(alone)))
    codes.add(await newcomer(scene))
    assert read_by(ben, scene) == (1 if defended else 3)
    assert not defended or codes == {"roster_stale"}
