"""Freshness statements at the relay: the newest that counts, and one that waits for signatures (§4.7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_support.freshness import cosign_freshness
from e2e_support.vocab import Role
from relay_crew import Crew, rename
from relay_kit import Client, ManualClock, new_key, running
from team_builder import Team, device, pairs

ANNA, BEN, CARL = device("anna"), device("ben", Role.AGENT), device("carl")
DORA = device("dora", Role.AUDITOR)


async def newest(crew: Crew) -> bytes:
    """Return the statement that everybody is given."""
    return (await crew.relay.send("GET", f"{crew.path}/freshness")).expect(200).body


async def test_a_team_without_a_statement_has_none(relay: Client) -> None:
    """Neither the newest nor a waiting statement is there before somebody made one."""
    crew = await Crew.found(relay, ANNA)
    (await relay.send("GET", f"{crew.path}/freshness")).expect("not_found")
    (await relay.ask(crew.handle.capability, "GET", f"{crew.path}/freshness/pending")).expect("not_found")


async def test_a_statement_with_enough_signatures_is_given_to_everybody(tmp_path: Path) -> None:
    """The bytes come back as they were signed, also after a restart."""
    async with running(tmp_path / "relay") as relay:
        crew = await Crew.found(relay, ANNA)
        statement = crew.statement(ANNA)
        (await crew.vouch(statement, ANNA)).expect(200)
        (await crew.vouch(statement, ANNA)).expect(200)
        assert await newest(crew) == statement
    async with running(tmp_path / "relay") as relay:
        crew.relay = relay
        assert await newest(crew) == statement


async def test_a_partial_statement_waits_for_the_team_alone(relay: Client) -> None:
    """Another console finds it with the team's capability, signs too, and only then does it count."""
    crew = await Crew.found(relay, ANNA, CARL, BEN)
    (await crew.vouch(crew.statement(ANNA), ANNA)).expect(202)
    (await relay.send("GET", f"{crew.path}/freshness")).expect("not_found")
    pending = f"{crew.path}/freshness/pending"
    (await relay.send("GET", pending)).expect("not_found")
    (await relay.ask(new_key(), "GET", pending)).expect("not_found")
    waiting = (await relay.ask(crew.handle.capability, "GET", pending)).expect(200).body
    whole = cosign_freshness(waiting, pairs([BEN]))
    (await crew.vouch(whole, BEN)).expect(200)
    assert await newest(crew) == whole
    (await relay.ask(crew.handle.capability, "GET", pending)).expect("not_found")


async def test_statements_move_forward_only(relay: Client, clock: ManualClock) -> None:
    """Neither an earlier statement nor one about a shorter roster replaces the newest, waiting ones included."""
    crew = await Crew.found(relay, ANNA, CARL)
    early = crew.statement(ANNA, CARL, at=clock.time - 5)
    short = crew.statement(ANNA, CARL, at=clock.time + 5)
    await crew.change((rename(ANNA, "x"), [ANNA]), by=ANNA)
    statement = crew.statement(ANNA, CARL)
    (await crew.vouch(statement, ANNA)).expect(200)
    for old in (early, short, crew.statement(ANNA, at=clock.time - 5)):
        (await crew.vouch(old, ANNA)).expect("link_refused")
    assert await newest(crew) == statement


@pytest.mark.parametrize("late", [31 * 24 * 3600, -3 * 24 * 3600])
async def test_a_statement_outside_its_time_is_refused(
    relay: Client, clock: ManualClock, late: float
) -> None:
    """One that is over, or from days ahead, is none that a client would take."""
    crew = await Crew.found(relay, ANNA)
    (await crew.vouch(crew.statement(ANNA, at=clock.time - late), ANNA)).expect("link_refused")


async def test_a_statement_about_another_roster_is_refused(relay: Client) -> None:
    """A head that this roster never had, or has not yet, is not vouched for here."""
    crew = await Crew.found(relay, ANNA)
    ahead = Crew(relay, Team(crew.team.roster, {}, {}))
    ahead.team.do((rename(ANNA, "x"), [ANNA]))
    (await crew.vouch(ahead.statement(ANNA), ANNA)).expect("link_refused")
    other = Crew(relay, Team.found(ANNA, name="Other"))
    (await crew.vouch(other.statement(ANNA), ANNA)).expect("link_refused")
    (await crew.vouch(b"\x90", ANNA)).expect("malformed")


async def test_only_owners_and_agents_vouch(relay: Client) -> None:
    """An auditor, a removed agent and a stranger cannot store a statement, whoever signed it."""
    crew = await Crew.found(relay, ANNA, DORA, BEN)
    await crew.remove(BEN, by=ANNA)
    statement = crew.statement(ANNA)
    for poster in (DORA, BEN, device("stranger")):
        (await crew.vouch(statement, poster)).expect("not_found")
    (await crew.vouch(statement, ANNA)).expect(200)
