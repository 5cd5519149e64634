"""Attacks of somebody who was removed, with the relay's help, on those who have not heard of it (110, 112, 118)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from client.test_trust import at_time, grown, refusal, state, tell, vouch
from e2e_support.crypto.sign import SigningKey
from e2e_support.freshness import DAY, cosign_freshness, sign_freshness
from e2e_support.ids import Hash, TeamId
from e2e_support.vocab import Role
from e2e_support.wire import Freshness, FreshnessBody, Head
from e2e_support_client import clock, team
from e2e_support_client.testing import FakeRelay
from team_builder import device, pairs
from team_room import TeamRoom
from user_kit import BODY, SUBJECT, World, fake_world

BEN = device("ben", Role.AGENT)
BEN_TOO = device("ben's second", Role.AGENT, member=BEN)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A team of an owner and an agent, of whom a user has heard."""
    monkeypatch.setattr(team, "READ_AFTER", 0)
    monkeypatch.setattr("e2e_support_client.delivery.WRITE_AFTER", 0)
    made = fake_world(tmp_path)
    at_time(monkeypatch, made, made.founded)
    grown(made, BEN)
    return made


async def test_110_a_removed_agent_makes_no_second_voice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 110: a device that a removed agent adds in a story of their own vouches for it no better than they do."""
    anna, known = world.console.device, world.console.team.roster
    await state(world, anna, BEN, now=world.founded)
    async with world.client() as user:
        await user.tickets.create(SUBJECT, BODY, category="billing")
        world.console.team.remove(BEN, anna)
        story = replace(world.console.team, roster=known).add(BEN_TOO, BEN)
        late = world.founded + 60 * DAY
        at_time(monkeypatch, world, late)
        tell(world, story.links, monkeypatch)
        vouch(world, sign_freshness(story, pairs([BEN, BEN_TOO]), now=late), monkeypatch)
        refused = await refusal(user.tickets.create(SUBJECT, BODY, category="billing"))
        assert refused.code in {"roster_stale", "too_few_signers"}
        assert len(world.fake.mailboxes) == 1


async def test_112_a_console_that_a_relay_has_frozen_falls_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 112: an administrator whom a relay shows no news of the team says nothing under its old keys for ever."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben")
        cleo = await room.add(anna, "Cleo")
        user, began = await room.ticket(), clock.now()
        for console in (anna, cleo):
            await console.catch_up()

        def pass_days(days: int) -> None:
            monkeypatch.setattr(clock, "now", lambda: began + days * DAY)
            room.relay.advance(began + days * DAY - room.relay.time)

        pass_days(20)
        await cleo.catch_up()
        await cleo.inbox.reply(user.number, "Somebody vouched not long ago.")
        pass_days(31)
        await cleo.catch_up()
        for say in (cleo.inbox.reply, cleo.inbox.note):
            assert (await refusal(say(user.number, "For whose eyes?"))).code in {
                "roster_stale",
                "too_few_signers",
            }
        refused = await refusal(cleo.snippets.save("hello", "For whose eyes?"))
        assert refused.code in {"roster_stale", "too_few_signers"}
        await user.pull()
        assert user.conversation.chain.length == 2
        await anna.catch_up()
        await cleo.inbox.reply(user.number, "Anna is there, and knows of no other team.")
        await cleo.snippets.save("hello", "For the team's.")


async def test_112_owners_agree_on_changes_though_nobody_vouches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 112: what is needed to change or mend the team waits for no statement, unlike what people write."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        assert await anna.members.set_threshold(2) is None
        later = clock.now() + 100 * DAY
        monkeypatch.setattr(clock, "now", lambda: later)
        room.relay.advance(later - room.relay.time)
        assert (await refusal(anna.snippets.save("hello", "Hello"))).code in {
            "roster_stale",
            "too_few_signers",
        }
        proposal = await anna.members.set_threshold(1)
        assert proposal is not None
        assert await ben.proposals.cosign(proposal.number) is None
        assert ben.desk.roster.threshold == 1


def contradict(relay: FakeRelay, statement: bytes, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Let the relay show a statement by one of its calls."""

    async def shown(*_: object) -> bytes:
        return statement

    monkeypatch.setattr(relay, call, shown)


@pytest.mark.parametrize("call", ["freshness", "pending_freshness"])
@pytest.mark.parametrize("code", ["roster_behind", "roster_fork"])
async def test_118_a_console_does_not_vouch_against_its_colleagues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: str
) -> None:
    """Attack 118: an administrator who is shown that others vouch for another roster signs nothing and is told why."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben")
        await anna.catch_up()
        roster, signer = anna.desk.roster, anna.desk.bundle.signer()
        length = len(roster.links) + (code == "roster_behind")
        later = clock.now() + roster.policy.freshness.days * DAY
        body = FreshnessBody(roster.team_id, Head(length, Hash(bytes(32))), later, later + DAY).to_bytes()
        unsigned = Freshness(body, ()).to_bytes()
        monkeypatch.setattr(clock, "now", lambda: later)
        room.relay.advance(later - room.relay.time)
        put = room.relay.put_freshness
        signed: list[bytes] = []

        async def listening(team_id: TeamId, statement: bytes, device: SigningKey) -> bool:
            signed.append(statement)
            return await put(team_id, statement, device)

        monkeypatch.setattr(room.relay, "put_freshness", listening)
        contradict(room.relay, cosign_freshness(unsigned, [signer]), monkeypatch, call)
        await anna.catch_up()
        assert signed == []
        (alarm,) = await anna.alarms()
        assert (alarm.code, bool(alarm.proof)) == (code, True)
        contradict(room.relay, unsigned, monkeypatch, call)
        await anna.catch_up()
        assert len(signed) == 1
        assert len(await anna.alarms()) == 1
