"""Changes that need several owners: proposed, put together from all signatures, carried out by whoever is last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Killed, dying
from e2e_support.errors import UsageError
from e2e_support.policy_parts import StaffIdentity
from e2e_support.roster_links import open_link
from e2e_support.thread import GRACE
from e2e_support.ticket_state import DAY
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_console.proposals import SIGNED_WITHIN
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


@pytest.mark.parametrize(("seconds", "open_ones"), [(-1, 1), (0, 0)])
async def test_a_policy_is_signed_in_time_or_proposed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int, open_ones: int
) -> None:
    """Attack 105: what users wrote since a policy was dated must not be judged as of an age that has ended."""
    async with TeamRoom(tmp_path) as room:
        anna, ben, _ = await three_owners(room, 2)
        old = anna.policy.current
        staff = replace(old.staff, identity=StaffIdentity.NAMED)
        proposal = await anna.policy.apply(replace(old, staff=staff), instead_of=old)
        assert proposal is not None
        late = open_link(proposal.batch.links[0]).body.time + SIGNED_WITHIN + seconds
        monkeypatch.setattr(clock, "now", lambda: late)
        assert len(await ben.proposals.list()) == open_ones
        if open_ones:
            assert await ben.proposals.cosign(proposal.number) is None
            roster = await room.roster()
            ended = roster.policy_ended(0)
            assert ended is not None
            assert late + DAY < ended + GRACE
        else:
            with pytest.raises(UsageError) as error:
                await ben.proposals.cosign(proposal.number)
            assert error.value.code == "no_proposal"


async def test_what_needs_no_date_waits_as_long_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rule looks at the time of other changes."""
    async with TeamRoom(tmp_path) as room:
        anna, ben, _ = await three_owners(room, 2)
        assert await anna.members.set_threshold(1) is not None
        late = clock.now() + 60 * DAY
        monkeypatch.setattr(clock, "now", lambda: late)
        assert len(await ben.proposals.list()) == 1


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
        with pytest.raises(UsageError) as error:  # an agent may sign the epoch in it, but proposes nothing
            await eve.keys.recovery()
        assert error.value.code == "owners_only"
        assert await anna.proposals.list() == ()
