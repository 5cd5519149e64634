"""Attacks with many devices and many links: nobody stays in a team, or does more than others, by being many (113)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from e2e_support.destruction import Deed
from e2e_support.errors import TrustError
from e2e_support.limits import MEMBER_DEVICES_MAX
from e2e_support.roster_links import DeviceRevoke
from e2e_support.vocab import Role
from e2e_support_server.service.erasure import DEEDS_BURST
from e2e_support_server.service.rosters import LINKS_BURST
from relay_crew import Crew, rename
from relay_kit import ManualClock, running
from team_builder import EPOCH, Device, Team, device

ANNA, BEN, DORA = device("anna"), device("ben", Role.AGENT), device("dora", Role.AUDITOR)
MANY = [device(f"ben's device {number}", Role.AGENT, member=BEN) for number in range(MEMBER_DEVICES_MAX)]


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncGenerator[Crew]:
    """A team of an owner, an agent and an auditor on a relay."""
    async with running(tmp_path / "relay", clock=ManualClock()) as relay:
        yield await Crew.found(relay, ANNA, BEN, DORA)


def test_113_one_batch_removes_a_person_with_all_devices() -> None:
    """Attack 113: nobody has more devices than an owner can remove at once, whoever adds them."""
    team = Team.found(ANNA, BEN)
    team.do(*((one, [BEN]) for one in MANY[1:]), (EPOCH, [BEN]))
    with pytest.raises(TrustError) as caught:
        team.add(MANY[0], BEN)
    assert caught.value.code == "too_many_devices"
    team.do(*((DeviceRevoke(one.device_id), [ANNA]) for one in (BEN, *MANY[1:])), (EPOCH, [ANNA]))
    assert list(team.roster.devices) == [ANNA.device_id]


@pytest.mark.parametrize("restless", [BEN, DORA], ids=["agent", "auditor"])
async def test_113_nobody_keeps_the_roster_moving(crew: Crew, restless: Device) -> None:
    """Attack 113: who adds links without end has to wait, with all devices together, and is removed meanwhile."""
    other = device("another", restless.record.role, member=restless)
    await crew.change((other, [ANNA]), (EPOCH, [ANNA]), by=ANNA)
    posted, used = 0, None
    while used is None and posted <= LINKS_BURST:
        names = [(rename(restless, f"name {posted + at}"), [restless]) for at in range(32)]
        batch = crew.team.prepare(*names)
        reply = await crew.post(batch, restless)
        if reply.status == 200:
            crew.team.accept(batch)
            posted += len(names)
        else:
            used = reply.expect("rate")
    assert posted == LINKS_BURST
    (await crew.post(crew.team.prepare((rename(other, "again"), [other])), other)).expect("rate")
    gone = [(DeviceRevoke(one.device_id), [ANNA]) for one in (restless, other)]
    await crew.change(*gone, (EPOCH, [ANNA]), by=ANNA)
    assert restless.device_id not in crew.team.roster.devices


async def test_113_many_devices_erase_no_faster_than_one(crew: Crew) -> None:
    """Attack 113: an agent's further devices share what the relay lets the agent erase."""
    await crew.change((MANY[0], [BEN]), (EPOCH, [BEN]), by=BEN)
    boxes = [await crew.relay.ticket(crew.handle) for _ in range(DEEDS_BURST + 1)]
    for number, box in enumerate(boxes[:DEEDS_BURST]):
        await crew.erase(box, (BEN, MANY[0])[number % 2])
    for one in (BEN, MANY[0]):
        (await crew.destroy(boxes[-1], crew.deed(boxes[-1], Deed.ERASE, one))).expect("rate")
