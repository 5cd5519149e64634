"""Attack 88 for the roster: a relay restored from a backup gets back members, epochs and policy, and nothing false.

The relay is a process of its own, restored to before a member was removed, another one came and the policy changed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from e2e_support.errors import SupportError, TransportError, TrustError
from e2e_support.proof import ProofKind, check_proof
from e2e_support.roster import next_body
from e2e_support.roster_links import Rename, sign_link
from e2e_support.vocab import Role, Verdict
from e2e_support.wire import Batch
from e2e_support_client import MemoryKeystore, SupportClient, clock
from e2e_support_client.port import RelayPort
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay
from e2e_support_client.transport import HttpRelay
from e2e_support_console.index import STATEMENT, bytes_of
from e2e_support_console.roster_handback import RosterHandBack
from e2e_support_console.team import TeamClient
from machine_kit import Falling, Machine, running_machine
from team_room import TeamRoom
from user_kit import BODY, CHEAP, SUBJECT

CHANGED = replace(CHEAP, external_url="https://desk.example.org")


@dataclass
class Tale:
    """A team that changed since the backup from which its relay was restored, and a user who knows the change.

    Attributes:
        machine: the relay.
        room: the team.
        ways: how everybody reaches the relay.
        consoles: by name; Ben was removed since, Cleo came.
        user: a user's client.
        number: of their ticket.
    """

    machine: Machine
    room: TeamRoom
    ways: Falling
    consoles: dict[str, TeamClient]
    user: SupportClient
    number: str

    @property
    def relay(self) -> RelayPort:
        """The way to the relay, as clients take it."""
        return cast("RelayPort", self.ways)

    @property
    def known(self) -> tuple[bytes, ...]:
        """All links, as Anna knows them."""
        return self.consoles["Anna"].desk.roster.links

    async def links(self) -> tuple[bytes, ...]:
        """Return the links that the relay has."""
        return (await self.relay.links(self.consoles["Anna"].desk.team_id, 0)).links

    async def codes(self, name: str) -> set[str]:
        """Let somebody sync, and return the codes of what they are alarmed by."""
        with suppress(SupportError):
            await self.consoles[name].catch_up()
        return {alarm.code for alarm in await self.consoles[name].alarms()}


@asynccontextmanager
async def tale(folder: Path) -> AsyncGenerator[Tale]:
    """Let the team change after a backup, and its relay be restored from it."""
    async with AsyncExitStack() as stack:
        machine = await stack.enter_async_context(running_machine(folder))
        relay = HttpRelay(machine.url, retry=NO_RETRY)
        stack.push_async_callback(relay.close)
        ways = Falling(relay, machine)
        port = cast("FakeRelay", ways)
        room = TeamRoom(folder, relay=port, url=machine.url, code=machine.code(), policy=CHEAP)
        await stack.enter_async_context(room)
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.AGENT)
        user = SupportClient(room.link, keystore=MemoryKeystore(), state_dir=folder / "user", relay=relay)
        await stack.enter_async_context(user)
        number = (await user.tickets.create(SUBJECT, BODY, category="billing")).number
        for console in (anna, ben):
            await console.catch_up()
        machine.backup()
        await anna.members.remove("Ben")
        cleo = await room.add(anna, "Cleo", Role.OWNER)
        await anna.policy.apply(CHANGED)
        await user.verify_team()
        for console in (anna, cleo):
            await console.catch_up()
        await machine.restore()
        yield Tale(machine, room, ways, {"Anna": anna, "Ben": ben, "Cleo": cleo}, user, number)


# --- what is lost comes back -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Anna", "Cleo"])
async def test_88_the_roster_comes_back_and_users_go_on(tmp_path: Path, name: str) -> None:
    """Any console that knows more gives it back, one that the relay does not know, too; users send without help.

    Until then the user is told, sends nothing and keeps what they wrote. Whoever was removed is removed again.
    """
    async with tale(tmp_path) as told:
        with pytest.raises(TrustError) as error:
            await told.user.verify_team()
        assert error.value.code == "roster_rollback"
        assert await told.links() == told.known[: len(await told.links())] != told.known
        assert "roster_rollback" in await told.codes(name)
        assert await told.links() == told.known
        desk = told.consoles[name].desk
        for record in desk.roster.epochs:
            desk.roster.check_package(await told.relay.package(desk.team_id, record.epoch))
        assert await told.relay.freshness(desk.team_id) == await bytes_of(desk.store, STATEMENT)
        await told.user.verify_team()
        await told.user.tickets.reply(told.number, "After.")
        async with SupportClient(
            told.room.link, keystore=MemoryKeystore(), state_dir=tmp_path / "new", relay=told.relay
        ) as stranger:
            await stranger.tickets.create("Another", BODY, category="billing")
        await told.consoles[name].catch_up()
        view = await told.consoles[name].inbox.get(told.number)
        assert [(m.body, m.verdict) for m in view.messages] == [(BODY, Verdict.OK), ("After.", Verdict.OK)]
        with pytest.raises(TrustError) as error:
            await told.consoles["Ben"].sync()
        assert error.value.code == "not_in_team"


@pytest.mark.parametrize(("at", "after"), [(0, False), (0, True), (1, False)])
async def test_88_a_kill_in_the_middle_loses_no_link(tmp_path: Path, at: int, after: bool) -> None:
    """A relay that is killed with ``kill -9`` while it gets links or the statement back has all after the next look."""
    async with tale(tmp_path) as told:
        told.ways.at, told.ways.after = at, after
        with suppress(TransportError):
            await told.consoles["Anna"].catch_up()
        assert told.machine.process.returncode is not None, "it was killed"
        told.ways.at = None
        await told.machine.start()
        await told.consoles["Anna"].catch_up()
        assert await told.links() == told.known
        await told.user.verify_team()


async def test_88_without_handing_back_users_stay_without_a_team(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where consoles give nothing back, the relay stays behind for ever and users send nothing."""

    async def nothing(*_: object) -> int:
        return 0

    async with tale(tmp_path) as told:
        monkeypatch.setattr(RosterHandBack, "give", nothing)
        assert await told.codes("Anna") == {"roster_rollback"}
        assert await told.links() != told.known
        with pytest.raises(TrustError):
            await told.user.verify_team()


# --- another story ---------------------------------------------------------------------------------------


def forked(told: Tale) -> Batch:
    """Return the link by which Ben would go on where the relay was restored to, for which his name is good enough."""
    desk = told.consoles["Ben"].desk
    renamed = Rename(desk.bundle.device_id, "Benjamin", ())
    return Batch((sign_link(next_body(desk.roster, renamed, clock.now()), [desk.bundle.signer()]),), ())


async def test_88_a_fork_from_before_stays_a_fork_and_proven(tmp_path: Path) -> None:
    """Ben, removed since, gets a link of his in first: everybody who knows better stops, with the proof in hand."""
    async with tale(tmp_path) as told:
        mine = forked(told)
        desk = told.consoles["Ben"].desk
        await told.relay.post_links(desk.team_id, mine, desk.bundle.signer()[1])
        for name in ("Anna", "Cleo"):
            assert await told.codes(name) == {"roster_fork"}
            (alarm,) = await told.consoles[name].alarms()
            assert check_proof(alarm.proof).kind is ProofKind.ROSTER
        with pytest.raises(TrustError) as error:
            await told.user.verify_team()
        assert error.value.code == "roster_fork"
        assert (await told.links())[-1] == mine.links[0], "nothing was built on it, and nothing taken away"
