"""What users learn of their team: who it is, what changed, whether its list is fresh, and proofs when it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e_support.errors import SupportError
from e2e_support.freshness import DAY, cosign_freshness, sign_freshness
from e2e_support.ids import TeamId
from e2e_support.policy_parts import Freshness
from e2e_support.presets import DEFAULT
from e2e_support.proof import ProofKind, check_proof
from e2e_support.roster_links import DeviceRevoke
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Role
from e2e_support.wire import LinksPage
from e2e_support_client import State, SupportClient, clock, render_trust, team
from e2e_support_client.model import utc
from team_builder import EPOCH, Device, device, pairs
from user_kit import BODY, FAKE_URL, SUBJECT, World, fake_world

BEN, CARA = device("ben", Role.AGENT), device("cara")
LONG = 400 * DAY


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team at a relay in memory."""
    return fake_world(tmp_path)


@pytest.fixture
def always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The roster is asked for before every look."""
    monkeypatch.setattr(team, "READ_AFTER", 0)
    monkeypatch.setattr("e2e_support_client.delivery.WRITE_AFTER", 0)


def at_time(monkeypatch: pytest.MonkeyPatch, world: World, now: int) -> None:
    """Set the clocks of user and relay."""
    monkeypatch.setattr(clock, "now", lambda: now)
    world.fake.advance(now - world.fake.time)


def grown(world: World, *newcomers: Device) -> None:
    """Let administrators join."""
    for newcomer in newcomers:
        batch = world.console.team.prepare((newcomer, [world.console.device]), *_epoch(world))
        world.console.team.accept(batch)
        world.fake.take_batch(world.console.team.team_id, batch)


def _epoch(world: World) -> Any:
    return [(EPOCH, [world.console.device])]


def stated(world: World, *signers: Device, now: int) -> bytes:
    """Return a freshness statement of the team's present roster."""
    return sign_freshness(world.console.team.roster, pairs(signers), now=now)


async def state(world: World, *signers: Device, now: int) -> None:
    """Let the relay have a good statement."""
    statement = stated(world, *signers, now=now)
    await world.relay.put_freshness(world.console.team.team_id, statement, signers[0].sign)


async def opened(user: SupportClient) -> str:
    """Open a ticket and return its number."""
    return (await user.tickets.create(SUBJECT, BODY, category="billing")).number


async def refusal(work: Any) -> SupportError:
    """Return the error that something raises."""
    with pytest.raises(SupportError) as caught:
        await work
    return caught.value


def other_story(world: World) -> Sequence[bytes]:
    """Return the team's links with another last one, which its owner signed as well."""
    roster = world.console.team.roster
    before = type(roster).begin(roster.links[0])
    story = replace(world.console.team, roster=before)
    batch = story.prepare((CARA, [world.console.device]), *_epoch(world))
    return (*before.links, *batch.links)


def tell(world: World, links: Sequence[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the relay serve other links."""

    async def served(team_id: TeamId, start: int) -> LinksPage:
        return LinksPage(len(links), tuple(links[start:]))

    monkeypatch.setattr(world.fake, "links", served)


def vouch(world: World, statement: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the relay serve another statement than it would take."""

    async def served(team_id: TeamId) -> bytes:
        return statement

    monkeypatch.setattr(world.fake, "freshness", served)


# --- the team ----------------------------------------------------------------------------------------------------


async def test_people_see_who_reads_and_since_when(world: World) -> None:
    """Members are shown with role and date, and the JSON has exactly the promised names."""
    grown(world, BEN)
    async with world.client() as user:
        told = await user.verify_team()
        assert [(member.name, member.role) for member in told.members] == [
            ("anna", "owner"),
            ("ben", "agent"),
        ]
        assert all(member.since for member in told.members)
        names = {"name", "words", "members", "languages", "epoch", "verified"}
        assert set(render_trust.whole_team_json(told)) == names
        text = render_trust.whole_team_text(told, await user.team_news())
        assert "ben" in text
        assert f"since {utc(world.founded).year}-" in text
        assert "anna added ben as agent" in text


async def test_changes_are_told_once(world: World) -> None:
    """What happened to the team is told at the first look and afterwards only what is new."""
    async with world.client() as user:
        await user.verify_team()
        (founded,) = await user.team_news()
        assert "founded" in founded.what
        assert await user.team_news() == ()
    grown(world, BEN)
    async with world.client() as user:
        await user.verify_team()
        (added,) = await user.team_news()
        assert "ben" in added.what


async def test_only_a_person_makes_a_team_verified(world: World) -> None:
    """The team counts as compared once the person said so, also after a restart, and not before."""
    async with world.client() as user:
        assert not (await user.verify_team()).verified
        assert (await user.confirm_team()).verified
    async with world.client() as user:
        assert (await user.known_team()).verified
        assert (await user.verify_team()).verified


# --- forks of the list (8) ------------------------------------------------------------------


@pytest.mark.usefixtures("always_asked")
async def test_8_a_forked_list_stops_sending_and_leaves_a_proof(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another valid link at a known place stops sending, keeps the draft, and is proven to anyone offline."""
    story = other_story(world)
    grown(world, BEN)
    async with world.client() as user:
        number = await opened(user)
        tell(world, story, monkeypatch)
        error = await refusal(user.tickets.reply(number, "x"))
        assert error.code == "roster_fork"
        assert "kept" in error.hint
        (item,) = await user.outbox.list()
        assert (item.state, item.code) == (State.FAILED, "roster_fork")
        (proof,) = await user.proofs()
        assert check_proof(proof.data).kind is ProofKind.ROSTER
        assert (await user.tickets.get(number)).messages


@pytest.mark.usefixtures("always_asked")
async def test_8_a_fresh_support_link_settles_a_fork(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a proven fork nothing is sent until a support link names a head behind it, also after a restart."""
    story = other_story(world)
    grown(world, BEN)
    honest = world.console.team.roster.links
    async with world.client() as user:
        number = await opened(user)
        tell(world, story, monkeypatch)
        await refusal(user.verify_team())
    tell(world, honest, monkeypatch)
    async with world.client() as user:
        assert (await refusal(user.tickets.reply(number, "x"))).code == "roster_fork"
    head = world.console.team.roster.head
    fresh = SupportLink(FAKE_URL, world.console.team.team_id, (head.length, head.hash[:16])).format()
    world = replace(world, link=fresh)
    async with world.client() as user:
        (sent,) = await user.outbox.flush()
        assert sent.state is State.STORED


# --- freshness (7, 85) -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("always_asked")
async def test_a_stale_list_blocks_sending_and_not_reading(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nobody vouches any more, drafts wait, reading goes on, and the next statement lets all go out."""
    async with world.client() as user:
        number = await opened(user)
        at_time(monkeypatch, world, world.founded + LONG)
        assert (await refusal(user.tickets.reply(number, "x"))).code == "roster_stale"
        (item,) = await user.outbox.list()
        assert (item.state, item.code) == (State.QUEUED, "roster_stale")
        await world.console.answer(number, "Still here.")
        assert [m.body for m in (await user.tickets.get(number)).messages][-1] == "Still here."
        await state(world, world.console.device, now=world.founded + LONG)
        (sent,) = await user.outbox.flush(failed=False)
        assert sent.state is State.STORED


async def test_a_team_that_never_stated_is_fresh_for_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any statement a list counts for the policy's days from the founding, and no day longer."""
    at_time(monkeypatch, world, world.founded + 30 * DAY - 1)
    async with world.client() as user:
        assert (await user.tickets.create(SUBJECT, BODY, category="billing")).state is State.STORED
        at_time(monkeypatch, world, world.founded + 30 * DAY)
        assert (await refusal(opened(user))).code == "roster_stale"


@pytest.mark.parametrize(("override", "code"), [(0, "roster_stale"), (1, "")])
async def test_only_the_policy_lets_people_send_to_a_stale_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: int, code: str
) -> None:
    """Who accepts a stale list sends, if the team's policy allows that; otherwise nothing is sent."""
    world = fake_world(tmp_path, replace(DEFAULT, freshness=Freshness(30, override)))
    at_time(monkeypatch, world, world.founded + LONG)
    async with world.client() as user:
        error = await refusal(opened(user))
        assert error.code == "roster_stale"
        assert ("--accept-stale" in error.hint) == bool(override)
    async with world.client(accept_stale=True) as user:
        if code:
            assert (await refusal(opened(user))).code == code
        else:
            assert await opened(user)


@pytest.mark.usefixtures("always_asked")
async def test_85_a_removed_signer_vouches_for_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that needs a removed agent's signature counts no more once they are gone; no older one comes back."""
    grown(world, BEN, CARA)
    anna = world.console.device
    at_time(monkeypatch, world, world.founded)
    await state(world, anna, BEN, now=world.founded)
    at_time(monkeypatch, world, world.founded + 30 * DAY)
    newer = stated(world, anna, CARA, now=world.founded + 4 * DAY)  # nobody is a newcomer any more
    async with world.client() as user:
        assert (await refusal(opened(user))).code == "roster_stale"
        await world.relay.put_freshness(world.console.team.team_id, newer, anna.sign)
        number = await opened(user)
        vouch(world, stated(world, anna, BEN, now=world.founded), monkeypatch)
        assert (await user.tickets.reply(number, "x")).state is State.STORED  # the newer one is kept here
        batch = world.console.team.prepare(*_removal(world, CARA))
        world.console.team.accept(batch)
        world.fake.take_batch(world.console.team.team_id, batch)
        assert (await refusal(user.tickets.reply(number, "y"))).code == "too_few_signers"
        vouch(world, cosign_freshness(newer, pairs([BEN])), monkeypatch)
        assert (await user.tickets.reply(number, "z")).state is State.STORED


def _removal(world: World, target: Device) -> Any:
    return [(DeviceRevoke(target.device_id), [world.console.device]), *_epoch(world)]


@pytest.mark.usefixtures("always_asked")
async def test_7_a_statement_about_hidden_links_stops_sending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that hides a link from users but shows the statement about it is caught, and nothing is sent."""
    async with world.client() as user:
        number = await opened(user)
        grown(world, BEN)
        await state(world, world.console.device, BEN, now=clock.now())
        honest = world.console.team.roster.links
        tell(world, honest[:1], monkeypatch)
        assert (await refusal(user.tickets.reply(number, "x"))).code == "roster_behind"
        tell(world, honest, monkeypatch)
        assert [item.state for item in await user.outbox.list()] == [State.FAILED]
        (sent,) = await user.outbox.flush()
        assert sent.state is State.STORED
