"""Attacks of an agent who would rather ruin the team's keys than be removed: no epoch stops the others (111)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from adversarial.test_member_attacks import bad_epoch, code_of
from crew import Crew
from e2e_support.crypto.secret import Secret
from e2e_support.epoch import epoch_record
from e2e_support.errors import TrustError
from e2e_support.limits import ARRAY_MAX
from e2e_support.roster import next_bodies
from e2e_support.roster_links import sign_link
from e2e_support.vocab import Role, Verdict
from e2e_support.wire import Batch, EpochBox, EpochPackage
from e2e_support_client import clock
from e2e_support_console.team import TeamClient
from e2e_support_keys.changes import add_device_batch
from e2e_support_keys.epochs import NewEpoch, SealedRing, TeamKeys, make_epoch
from e2e_support_keys.recovery import drill, recover, recovery_device
from keys_room import KEY, refused
from team_room import TeamRoom

SHEET = recovery_device(KEY)
Spoil = Callable[[Crew, EpochPackage], EpochPackage]


def crew_with_saboteur() -> Crew:
    """Return a team of an owner, a recovery sheet and two agents, of whom Ben means no good."""
    crew = Crew.found("anna")
    crew.devices["sheet"] = SHEET
    crew.keys["sheet"] = _nothing_opened(crew, "sheet")
    joining, anna = SHEET.joining(crew.roster.team_id, Role.RECOVERY), crew.devices["anna"]
    batch = add_device_batch(crew.roster, crew.keys["anna"], joining, anna, now=crew.now, random=crew.random)
    crew.carry_out(batch)
    for name in ("ben", "cleo"):
        crew.add(name, Role.AGENT, by="anna")
    return crew


def no_boxes(crew: Crew, package: EpochPackage) -> EpochPackage:
    """Leave noise in everybody's box but the saboteur's."""
    boxes = (_box(crew, box) for box in package.boxes)
    return replace(package, boxes=tuple(boxes))


def _box(crew: Crew, box: EpochBox) -> EpochBox:
    return box if box.device_id == crew.id("ben") else replace(box, sealed=bytes(len(box.sealed)))


def no_ring(_crew: Crew, package: EpochPackage) -> EpochPackage:
    """Leave noise in the ring."""
    return replace(package, ring=SealedRing((), bytes(200)).to_bytes())


def nonsense(_crew: Crew, package: EpochPackage) -> EpochPackage:
    """Leave something that is no ring."""
    return replace(package, ring=b"no ring")


def sabotage(crew: Crew, spoil: Spoil) -> int:
    """Let Ben begin an epoch that no relay can tell from a good one; return its number."""
    everybody = tuple(crew.roster.devices.values())
    made = crew.keys["ben"].next_epoch(everybody, crew.random)
    package = spoil(crew, made.package)
    said = epoch_record(crew.roster.team_id, made.record.epoch, KEY, package.boxes, package.ring)
    record = replace(made.record, boxes=said.boxes, ring_hash=said.ring_hash)
    (body,) = next_bodies(crew.roster, [record], crew.now)
    link = sign_link(body, [crew.devices["ben"].signer()])
    crew.roster = crew.roster.update_batch(Batch((link,), (package,)))
    crew.packages[record.epoch] = package
    for name in ("anna", "cleo"):
        with pytest.raises(TrustError):
            crew.keys[name].add(crew.roster.epochs, package)
    return record.epoch


SPOILS: Sequence[Spoil] = (no_boxes, no_ring, nonsense)


@pytest.mark.parametrize("spoil", SPOILS)
def test_111_an_owner_removes_who_spoils_epochs(spoil: Spoil) -> None:
    """Attack 111: an epoch that opens for its maker alone keeps no owner from removing them and going on."""
    crew = crew_with_saboteur()
    old = crew.write()
    bad = sabotage(crew, spoil)
    batch = crew.removing("ben", by="anna")
    crew.carry_out(batch)
    assert crew.active() == ["anna", "sheet", "cleo"]
    assert crew.roster.epoch.epoch == bad + 1
    new = crew.write()
    for name in ("anna", "cleo"):
        assert [crew.read(name, ticket).verdict for ticket in (old, new)] == [Verdict.OK] * 2
        assert crew.keys[name].missing(crew.roster.epochs) == (bad,)
    assert crew.read("ben", new).reason == "no_key"


@pytest.mark.parametrize("spoil", SPOILS)
def test_111_the_sheet_recovers_a_team_whose_newest_epoch_is_spoilt(spoil: Spoil) -> None:
    """Attack 111: what stands on paper still makes an owner who reads all but that epoch, and a drill says so."""
    crew = crew_with_saboteur()
    old = crew.write()
    bad = sabotage(crew, spoil)
    *older, newest = (crew.packages[number] for number in sorted(crew.packages))
    assert drill(crew.roster, KEY, newest, older=older, random=crew.random) == (bad,)
    dora = crew.newcomer("dora")
    batch = recover(crew.roster, KEY, newest, dora, older=older, now=crew.now, random=crew.random)
    crew.carry_out(batch)
    assert crew.read("dora", old).verdict is Verdict.OK


def test_111_epochs_without_end_keep_nobody_in() -> None:
    """Attack 111: a ring that cannot hold all seeds any more leaves out the oldest, and removals go on."""
    crew = Crew.found("anna")
    crew.add("ben", Role.AGENT, by="anna")
    seeds = {number: Secret.random(crew.random) for number in range(ARRAY_MAX + 2)}
    records = tuple(crew.roster.devices.values())
    team, number = crew.roster.team_id, len(seeds)
    made = make_epoch(
        team, number, records, locator=Secret.random(crew.random), older=seeds, random=crew.random
    )
    assert made.record.epoch == number
    assert 30 * ARRAY_MAX < len(made.package.ring) < 64 * ARRAY_MAX


def test_a_device_that_missed_an_epoch_begins_none() -> None:
    """Only an epoch that was looked at and does not open is passed over: one that was not fetched leaves a gap."""
    crew = crew_with_saboteur()
    crew.keys["cleo"] = _nothing_opened(crew, "cleo")
    with refused("no_box", TrustError):
        crew.rotating(by="cleo")


def _nothing_opened(crew: Crew, name: str) -> TeamKeys:
    device = crew.devices[name]
    return TeamKeys(crew.roster.team_id, device.device_id, device.kem())


# --- the same with whole consoles --------------------------------------------------------------------------------


async def spoil_epoch(team: TeamClient, room: TeamRoom) -> None:
    """Let a device begin an epoch that opens for nobody else."""
    own = team.desk.bundle.device_id

    def spoilt(_keys: TeamKeys, epoch: NewEpoch) -> NewEpoch:
        boxes = tuple(
            box if box.device_id == own else replace(box, sealed=bytes(len(box.sealed)))
            for box in epoch.package.boxes
        )
        said = epoch_record(team.desk.team_id, 1, KEY, boxes, epoch.package.ring)
        return NewEpoch(replace(epoch.record, boxes=said.boxes), replace(epoch.package, boxes=boxes))

    await bad_epoch(team, room, spoilt)


async def test_111_consoles_go_on_after_a_spoilt_epoch(tmp_path: Path) -> None:
    """Attack 111: consoles say what is wrong, an owner removes who did it, and all work on, also after a restart."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben, cleo = [await room.add(anna, name) for name in ("Ben", "Cleo")]
        user = await room.ticket()
        for team in (anna, ben, cleo):
            await team.catch_up()
        await spoil_epoch(ben, room)
        for team in (anna, cleo):
            assert await code_of(team.sync) == "no_box"
            assert [alarm.code for alarm in await team.alarms()] == ["no_box"]
            with pytest.raises(TrustError):
                await team.inbox.reply(user.number, "For whom?")
        assert await anna.members.remove("Ben") is None
        await cleo.close()
        cleo = await room.console("Cleo")
        for team in (anna, cleo):
            await team.catch_up()
            await team.inbox.reply(user.number, "Still here.")
        await anna.close()
        anna = await room.console("Anna")
        await anna.catch_up()
        assert "epoch_no_box" in {alarm.code for alarm in await anna.alarms()}


async def test_111_a_rotation_is_enough(tmp_path: Path) -> None:
    """Attack 111: any other agent's rotation ends a spoilt epoch for all."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben, cleo = [await room.add(anna, name) for name in ("Ben", "Cleo")]
        user = await room.ticket()
        await spoil_epoch(ben, room)
        assert await cleo.keys.rotate() is None
        for team in (cleo, anna, ben):
            await team.catch_up()
            await team.inbox.reply(user.number, "Still here.")


async def test_111_a_newcomer_is_not_led_to_other_staff_logs(tmp_path: Path) -> None:
    """Attack 111: an epoch that names another locator before a newcomer first looks is shut to them like to all."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        cleo = await room.add(anna, "Cleo")

        def elsewhere(keys: TeamKeys, epoch: NewEpoch) -> NewEpoch:
            everybody = tuple(ben.desk.roster.devices.values())
            return make_epoch(
                *(ben.desk.team_id, epoch.record.epoch, everybody),
                locator=Secret.random(clock.random),
                older={},
                random=clock.random,
            )

        await bad_epoch(ben, room, elsewhere)
        assert await code_of(cleo.sync) == "bad_epoch"
        assert await anna.keys.rotate() is None
        await cleo.catch_up()
        ticket = await room.ticket()
        assert cleo.desk.staff_log(ticket.mailbox) == anna.desk.staff_log(ticket.mailbox)
