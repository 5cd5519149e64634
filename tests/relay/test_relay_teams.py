"""Founding a team with a one-time code, and the public roster (protocol section 4)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.ids import Hash, TeamId
from e2e_support.request import b64
from e2e_support.roster import begin_batch
from e2e_support.wire import AdmissionTerms, Batch, EpochPackage, Found, LinksPage, RelayInfo
from relay_kit import POLICY, Client, ManualClock, TeamHandle, running
from team_builder import device, founding


async def test_a_relay_tells_its_key_versions_and_time(relay: Client, clock: ManualClock) -> None:
    """Anybody may ask a relay for its receipt key, its versions and its clock."""
    info = RelayInfo.from_bytes((await relay.send("GET", "/v1/relay")).expect(200).body)
    assert info == RelayInfo(1, 1, relay.relay_key, int(clock.time))


async def test_a_founded_team_is_served_to_everybody(relay: Client) -> None:
    """Links and boxes come back as they were given, so that a client can verify them from the pinned id."""
    assert relay.relay
    batch, _ = founding(device("anna"), device("ben"), policy=POLICY)
    code = await relay.relay.context.teams.issue_code()
    (await relay.send("POST", "/v1/teams", Found(code, batch).to_bytes())).expect(201)
    team = b64(begin_batch(batch).team_id)
    links = LinksPage.from_bytes((await relay.send("GET", f"/v1/team/{team}/links?from=0")).expect(200).body)
    assert links == LinksPage(1, batch.links)
    boxes = EpochPackage.from_bytes((await relay.send("GET", f"/v1/team/{team}/boxes/0")).expect(200).body)
    assert boxes == batch.packages[0]
    assert LinksPage.from_bytes((await relay.send("GET", f"/v1/team/{team}/links?from=1")).body).links == ()


async def test_a_team_survives_a_restart(tmp_path: Path) -> None:
    """The roster is read back and judged again when the relay starts."""
    async with running(tmp_path / "relay") as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        await box.append()
    async with running(tmp_path / "relay") as relay:
        box.client = relay
        await box.append(key=team.capability)


async def test_a_code_is_forgiving_about_how_it_is_typed(relay: Client) -> None:
    """Lower case, spaces and the letters that Crockford's alphabet leaves out are understood."""
    assert relay.relay
    code = await relay.relay.context.teams.issue_code()
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    await relay.found(code=typed)


@pytest.mark.parametrize("code", ["", "0000-0000-0000-0000"])
async def test_a_wrong_code_founds_nothing(relay: Client, code: str) -> None:
    """Without the code that the operator read out there is no team."""
    assert relay.relay
    await relay.relay.context.teams.issue_code()
    batch, _ = founding(device("anna"))
    (await relay.send("POST", "/v1/teams", Found(code, batch).to_bytes())).expect("code_refused")


async def test_a_code_lives_for_a_day(relay: Client, clock: ManualClock) -> None:
    """A code that was not used within a day is void."""
    assert relay.relay
    code = await relay.relay.context.teams.issue_code()
    clock.time += 24 * 3600
    batch, _ = founding(device("anna"))
    (await relay.send("POST", "/v1/teams", Found(code, batch).to_bytes())).expect("code_refused")


async def test_a_new_code_voids_the_one_before(relay: Client) -> None:
    """A code can be issued again while there is no team; only the last one counts."""
    assert relay.relay
    old = await relay.relay.context.teams.issue_code()
    new = await relay.relay.context.teams.issue_code()
    batch, _ = founding(device("anna"))
    (await relay.send("POST", "/v1/teams", Found(old, batch).to_bytes())).expect("code_refused")
    await relay.found(code=new)


async def test_a_code_founds_one_team(relay: Client, team: TeamHandle) -> None:
    """Once a team exists no code is good and none is issued."""
    assert relay.relay
    with pytest.raises(Exception, match="code_refused"):
        await relay.relay.context.teams.issue_code()


async def test_a_bad_genesis_does_not_use_up_the_code(relay: Client) -> None:
    """A batch that the roster's rules refuse stores nothing; the code stays good (§4.4, §4.6)."""
    assert relay.relay
    code = await relay.relay.context.teams.issue_code()
    batch, _ = founding(device("anna"), threshold=2)
    (await relay.send("POST", "/v1/teams", Found(code, batch).to_bytes())).expect("malformed")
    await relay.found(code=code)


def _other_box(batch: Batch) -> Batch:
    package = batch.packages[0]
    box = replace(package.boxes[0], sealed=os.urandom(1232))
    return replace(batch, packages=(replace(package, boxes=(box,)),))


def _no_boxes(batch: Batch) -> Batch:
    return replace(batch, packages=())


@pytest.mark.parametrize("spoil", [_other_box, _no_boxes])
async def test_boxes_that_the_genesis_does_not_name_are_refused(
    relay: Client, spoil: Callable[[Batch], Batch]
) -> None:
    """The boxes beside the roster are exactly the signed ones (attack 12)."""
    assert relay.relay
    code = await relay.relay.context.teams.issue_code()
    batch, _ = founding(device("anna"))
    (await relay.send("POST", "/v1/teams", Found(code, spoil(batch)).to_bytes())).expect("malformed")


@pytest.mark.parametrize("route", ["links?from=0", "boxes/0", "admission"])
async def test_an_unknown_team_is_not_found(relay: Client, team: TeamHandle, route: str) -> None:
    """The public routes know only teams that are here."""
    stranger = b64(TeamId(Hash(os.urandom(32))))
    (await relay.send("GET", f"/v1/team/{stranger}/{route}")).expect("not_found")


async def test_an_unknown_epoch_has_no_boxes(relay: Client, team: TeamHandle) -> None:
    """Boxes exist for the epochs of the roster only."""
    (await relay.send("GET", f"/v1/team/{b64(team.team_id)}/boxes/1")).expect("not_found")


async def test_terms_name_the_policys_price(relay: Client, team: TeamHandle) -> None:
    """A quiet relay asks for the work that the team's policy names (§7)."""
    reply = await relay.send("GET", f"/v1/team/{b64(team.team_id)}/admission")
    assert AdmissionTerms.from_bytes(reply.expect(200).body).bits == POLICY.admission.bits
