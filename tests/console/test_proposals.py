"""Changes that need several owners: proposed, put together from all signatures, carried out by whoever is last."""

from __future__ import annotations

from pathlib import Path

import pytest

from console_room import Killed, dying
from e2e_support.errors import UsageError
from e2e_support.vocab import Role
from e2e_support_console.team import TeamClient
from team_room import TeamRoom


async def three_owners(room: TeamRoom, threshold: int) -> tuple[TeamClient, TeamClient, TeamClient]:
    """Return the consoles of three owners, of whom so many must agree."""
    anna = await room.start()
    ben = await room.add(anna, "Ben", Role.OWNER)
    cleo = await room.add(anna, "Cleo", Role.OWNER)
    assert await anna.members.set_threshold(threshold) is None
    return anna, ben, cleo


async def test_the_last_signature_carries_it_out(tmp_path: Path) -> None:
    """Below the threshold nothing happens; each owner signs once, and the last one's console posts it."""
    async with TeamRoom(tmp_path) as room:
        anna, ben, cleo = await three_owners(room, 3)
        proposal = await anna.members.set_threshold(2)
        assert proposal is not None
        (event,) = proposal.events
        assert event.what.startswith("Anna set how many owners must agree to 2")
        waiting = await ben.proposals.cosign(proposal.number)
        assert waiting is not None
        assert (waiting.number, waiting.missing) == (proposal.number, 1)
        assert (await room.roster()).threshold == 3
        assert await cleo.proposals.cosign(proposal.number) is None
        assert (await room.roster()).threshold == 2
        assert await anna.proposals.list() == ()


async def test_nobody_signs_twice(tmp_path: Path) -> None:
    """A second signature of the same person has no place."""
    async with TeamRoom(tmp_path) as room:
        anna, ben, _ = await three_owners(room, 3)
        proposal = await anna.members.set_threshold(2)
        assert proposal is not None
        await ben.proposals.cosign(proposal.number)
        with pytest.raises(UsageError) as error:
            await ben.proposals.cosign(proposal.number)
        assert error.value.code == "nothing_to_sign"


async def test_what_was_overtaken_is_not_shown(tmp_path: Path) -> None:
    """Once another change stands, a proposal is gone: it would not continue the roster."""
    async with TeamRoom(tmp_path) as room:
        anna, ben, _ = await three_owners(room, 2)
        assert await anna.members.set_threshold(1) is not None
        assert len(await ben.proposals.list()) == 1
        assert await ben.keys.rotate() is None
        assert await ben.proposals.list() == ()


async def test_a_signature_survives_a_kill(tmp_path: Path) -> None:
    """When the last owner is killed before posting, anybody carries out what is complete."""
    async with TeamRoom(tmp_path) as room:
        anna, ben, cleo = await three_owners(room, 2)
        proposal = await anna.members.set_threshold(1)
        assert proposal is not None
        await ben.close()
        ben = await room.console("Ben", dying(room.relay, "post_links"))
        with pytest.raises(Killed):
            await ben.proposals.cosign(proposal.number)
        assert [one.missing for one in await cleo.proposals.list()] == [0]
        assert await cleo.proposals.cosign(proposal.number) is None
        assert (await room.roster()).threshold == 1


async def test_an_owner_is_added_by_two(tmp_path: Path) -> None:
    """A new owner whom one proposes and another co-signs joins, with boxes that open; agents need one owner only."""
    async with TeamRoom(tmp_path) as room:
        anna, ben, _ = await three_owners(room, 2)
        await room.ticket("No invoice")
        invitation = await anna.members.invite("Dora", Role.OWNER)
        words = await room.join(invitation.link, invitation.code, "Dora")
        proposal = await anna.members.approve("Dora", " ".join(words))
        assert proposal is not None
        assert await ben.proposals.cosign(proposal.number) is None
        dora = await room.console("Dora")
        await dora.catch_up()
        assert [one.subject for one in await dora.inbox.list()] == ["No invoice"]
        await room.add(anna, "Eve", Role.AGENT)


async def test_agents_and_auditors_propose_nothing(tmp_path: Path) -> None:
    """Who may sign nothing of a change is told so, and nothing is written."""
    async with TeamRoom(tmp_path) as room:
        anna, _, _ = await three_owners(room, 2)
        eve = await room.add(anna, "Eve", Role.AGENT)
        with pytest.raises(UsageError) as error:
            await eve.members.set_threshold(1)
        assert error.value.code == "nothing_to_sign"
        assert await anna.proposals.list() == ()
