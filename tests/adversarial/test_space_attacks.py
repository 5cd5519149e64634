"""Attacks on what the whole team works with: no agent takes it away for good (115)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adversarial.test_member_attacks import code_of
from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_console.team import TeamClient
from e2e_support_console.volume import space_mailboxes
from relay_crew import Crew
from relay_kit import ManualClock, running
from team_builder import device
from team_room import TeamRoom

ANNA, BEN = device("anna"), device("ben", Role.AGENT)


async def destroyed(team: TeamClient, deed: Deed) -> str:
    """Let a device say that something is done to the open volume; return the relay's refusal, if it refuses."""
    desk = team.desk
    *_, mailbox = await space_mailboxes(desk)
    device_id, key = desk.bundle.signer()
    statement = sign_destruction(DestructionBody(desk.team_id, mailbox, deed, clock.now(), device_id), key)
    return await code_of(lambda: desk.relay.destroy(mailbox, statement, desk.capability()))


async def test_115_no_agent_erases_the_team_space(tmp_path: Path) -> None:
    """Attack 115: an agent cannot take away the space in which owners agree to what takes more than one."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben, cleo = await room.add(anna, "Ben"), await room.add(anna, "Cleo", Role.OWNER)
        await anna.members.set_threshold(2)
        proposal = await anna.members.set_threshold(1)
        await ben.catch_up()
        for deed in (Deed.ERASE, Deed.RELEASE, Deed.ERASE):
            assert await destroyed(ben, deed) == "not_yours"
        await cleo.catch_up()
        assert proposal is not None
        assert await cleo.proposals.cosign(proposal.number) is None


async def test_115_a_space_from_before_is_held_by_the_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 115: any owner's or agent's console has the relay hold a space that nobody held so far."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")

        async def nobody(_desk: object) -> None:
            """Hold nothing, as programs did before."""

        with monkeypatch.context() as before:
            before.setattr("e2e_support_console.team_space.hold_open", nobody)
            await anna.snippets.save("hello", "Hello there")
        await anna.catch_up()
        await ben.catch_up()
        assert await destroyed(ben, Deed.ERASE) == "not_yours"


async def test_115_what_is_held_takes_an_owner(tmp_path: Path) -> None:
    """Attack 115: the relay lets agents hold, and owners alone release or erase what is held."""
    async with running(tmp_path / "relay", clock=ManualClock()) as relay:
        crew = await Crew.found(relay, ANNA, BEN)
        box = await relay.ticket(crew.handle)
        await box.append()
        (await crew.destroy(box, crew.deed(box, Deed.HOLD, BEN))).expect(200)
        for deed in (Deed.RELEASE, Deed.ERASE):
            (await crew.destroy(box, crew.deed(box, deed, BEN))).expect("not_yours")
        (await crew.destroy(box, crew.deed(box, Deed.RELEASE, ANNA))).expect(200)
        await crew.erase(box, BEN)


async def test_115_an_agents_hold_keeps_no_user_from_erasing(tmp_path: Path) -> None:
    """Attack 115: what agents are kept from is still the user's to do, where the policy lets users erase."""
    async with running(tmp_path / "relay", clock=ManualClock()) as relay:
        crew = await Crew.found(relay, ANNA, BEN)
        box = await relay.ticket(crew.handle)
        await box.append()
        (await crew.destroy(box, crew.deed(box, Deed.HOLD, BEN))).expect(200)
        (await crew.destroy(box, crew.deed(box, Deed.ERASE, box.key), box.key)).expect(200)
