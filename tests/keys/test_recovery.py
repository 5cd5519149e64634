"""Recovery: a sheet of paper brings one owner back and does nothing else; a drill shows it beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from crew import NOW, Crew
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.errors import TrustError, UsageError
from e2e_support.roster_links import DeviceRevoke, open_link
from e2e_support.vocab import LinkType, Role, Verdict
from e2e_support.wire import Batch
from e2e_support_keys.bundle import DeviceBundle, UserBundle
from e2e_support_keys.changes import add_device_batch, leave_batch, propose, rotate_batch
from e2e_support_keys.epochs import TeamKeys
from e2e_support_keys.phrase import to_phrase
from e2e_support_keys.recovery import LABEL, drill, read_secret, recover, recovery_device
from e2e_support_keys.shares import split
from keys_room import KEY, OTHER_KEY, Numbered, refused

SECRET = Secret(b"\x2a" * 32)
SHEET = recovery_device(SECRET)


def with_sheet(threshold: int = 1) -> Crew:
    """Return a team of two owners, an agent, and a recovery sheet that all owners agreed to."""
    crew = Crew.found("anna", "carl", threshold=threshold)
    crew.add("ben", Role.AGENT, by="anna")
    crew.devices[LABEL] = SHEET
    crew.keys[LABEL] = TeamKeys(crew.roster.team_id, SHEET.device_id, SHEET.kem())
    joining = SHEET.joining(crew.roster.team_id, Role.RECOVERY)
    anna = crew.devices["anna"]
    crew.carry_out(
        add_device_batch(crew.roster, crew.keys["anna"], joining, anna, now=NOW, random=crew.random)
    )
    return crew


def recovered(crew: Crew, newcomer: DeviceBundle, secret: Secret = SECRET) -> Batch:
    """Return what the sheet makes of a team."""
    package = crew.packages[crew.roster.epoch.epoch]
    return recover(crew.roster, secret, package, newcomer, now=NOW, random=crew.random)


# --- the device on paper ---------------------------------------------------------------------------------


def test_everything_follows_from_the_secret() -> None:
    """The same paper is the same device, another paper is another, and no two of its secrets are alike."""
    again, other = recovery_device(read_secret([to_phrase(SECRET)])), recovery_device(KEY)
    assert again == SHEET
    assert {again.device_id, again.member_id} & {other.device_id, other.member_id} == set()
    secrets = {SHEET.sign_seed, SHEET.kem_seed, SHEET.store_key, SECRET}
    assert len(secrets) == 4
    assert SHEET.device_id not in {one.reveal(SECRET_ACCESS)[:16] for one in secrets}


def test_the_derivation_is_frozen() -> None:
    """A sheet printed today works with the program of later years: these bytes never change."""
    record = SHEET.record(Role.RECOVERY)
    assert record.device_id.hex() == "dc5c5135d5773698db9b70f3597cea20"
    assert record.sign_key.hex() == "60b0aa3b46d2af8b4ad8b570703730b3b49124115b4a74b960784f0b1acdeb78"
    assert record.kem_key[-32:].hex() == "49a2d06255da4d594f668bff6e08ce4b79b382355f00449b82507cb77759be4e"


def test_a_phrase_or_shares_are_read() -> None:
    """Whether it is one paper or several, what was typed gives the secret back, or says what is wrong."""
    shares = split(SECRET, 2, 3)
    assert read_secret([to_phrase(SECRET).upper()]) == SECRET
    assert read_secret(shares[1:]) == SECRET
    with refused("bad_phrase"):
        read_secret(["abandon " * 24])
    with refused("too_few_shares"):
        read_secret(shares[:1])
    with refused("too_few_shares"):
        read_secret([])


# --- recovering ------------------------------------------------------------------------------------------


def test_one_owner_comes_back_with_everything() -> None:
    """After all devices are lost, the sheet alone makes an owner who reads what was written before."""
    crew = with_sheet()
    old = crew.write()
    dora = crew.newcomer("dora")
    batch = recovered(crew, dora)
    assert [open_link(link).body.type for link in batch.links] == [LinkType.DEVICE_ADD, LinkType.EPOCH]
    crew.carry_out(batch)
    assert crew.role("dora") is Role.OWNER
    assert crew.read("dora", old).verdict is Verdict.OK
    assert crew.keys["dora"].missing(crew.roster.epochs) == ()
    crew.remove("anna", by="dora")
    assert crew.read("anna", crew.write()).reason == "no_key"


def test_it_takes_a_recovery_for_each_voice() -> None:
    """Where two owners must agree, one recovered owner removes nobody; after two recoveries they can."""
    crew = with_sheet(threshold=2)
    crew.carry_out(recovered(crew, crew.newcomer("dora")))
    with refused("too_few_signers", TrustError):
        crew.roster.update_batch(crew.removing("anna", by="dora"))
    crew.carry_out(recovered(crew, crew.newcomer("emma")))
    crew.keys["anna"] = crew.keys["carl"] = TeamKeys(crew.roster.team_id, SHEET.device_id, SHEET.kem())
    crew.carry_out(crew.removing("anna", "carl", by="dora"))
    assert {"dora", "emma"} == {name for name in crew.active() if crew.role(name) is Role.OWNER}


def test_a_member_who_lost_a_device_gets_another() -> None:
    """With a member's id the new device is that member's, and counts as the same person."""
    crew = with_sheet()
    crew.carry_out(recovered(crew, crew.newcomer("anna's new one", of="anna")))
    assert len(crew.roster.members[crew.devices["anna"].member_id]) == 2


def test_the_sheet_still_works_after_others_changed_the_team() -> None:
    """Each epoch has a box for the sheet, so that paper does not age."""
    crew = with_sheet()
    for _ in range(3):
        crew.rotate(by="ben")
    crew.remove("ben", by="anna")
    crew.carry_out(recovered(crew, crew.newcomer("dora")))
    assert crew.keys["dora"].missing(crew.roster.epochs) == ()


def test_a_strange_secret_recovers_nothing() -> None:
    """Another team's sheet, one that was never added, and one that was removed are told apart from a fault."""
    crew = with_sheet()
    with refused("not_recovery"):
        recovered(crew, crew.newcomer("dora"), OTHER_KEY)
    crew.remove(LABEL, by="anna")
    with pytest.raises(UsageError) as caught:
        recovered(crew, crew.newcomer("dora"))
    assert "removed" in caught.value.message


def test_an_older_package_is_not_enough() -> None:
    """A recovery continues the newest epoch; boxes of an older one do not pass for it."""
    crew = with_sheet()
    old = crew.packages[crew.roster.epoch.epoch]
    crew.rotate(by="anna")
    with refused("no_box", TrustError):
        recover(crew.roster, SECRET, old, crew.newcomer("dora"), now=NOW, random=crew.random)


def test_the_sheet_does_nothing_else() -> None:
    """Whoever finds it can neither rotate nor leave nor change or remove anything, nor add an agent."""
    crew = with_sheet()
    attempts: list[Callable[[], object]] = [
        lambda: rotate_batch(crew.roster, crew.keys[LABEL], SHEET, now=NOW, random=crew.random),
        lambda: leave_batch(crew.roster, SHEET, now=NOW),
        lambda: propose(crew.roster, [DeviceRevoke(crew.id("ben"))], SHEET, now=NOW),
        lambda: crew.removing("anna", by=LABEL),
        lambda: crew.adding("eve", Role.AGENT, by=LABEL),
    ]
    for attempt in attempts:
        with refused("nothing_to_sign"):
            attempt()


# --- drills ----------------------------------------------------------------------------------------------


def test_a_drill_changes_nothing() -> None:
    """The paper is proven to open everything, and the team is as it was."""
    crew = with_sheet()
    before, packages = crew.roster, dict(crew.packages)
    package = crew.packages[crew.roster.epoch.epoch]
    assert drill(crew.roster, read_secret(split(SECRET, 2, 3)[:2]), package, random=crew.random) == ()
    assert crew.roster is before
    assert crew.packages == packages


def test_a_drill_says_what_would_stay_closed() -> None:
    """Where the newest epoch was begun by somebody without history, the older epochs are named."""
    crew = with_sheet()
    crew.add("cleo", Role.AGENT, by="anna", history=False)
    crew.rotate(by="cleo")
    newest = crew.roster.epoch.epoch
    assert drill(crew.roster, SECRET, crew.packages[newest], random=crew.random) == tuple(range(newest - 1))
    every = list(crew.packages.values())
    assert drill(crew.roster, SECRET, every[-1], older=every, random=crew.random) == ()
    crew.rotate(by="anna")
    assert drill(crew.roster, SECRET, crew.packages[newest + 1], random=crew.random) == ()


def test_a_drill_fails_like_a_recovery_would() -> None:
    """Paper that would not help fails while there is time: a wrong secret, or boxes that the relay changed."""
    crew = with_sheet()
    package = crew.packages[crew.roster.epoch.epoch]
    with refused("not_recovery"):
        drill(crew.roster, KEY, package, random=crew.random)
    with refused("bad_package", TrustError):
        drill(crew.roster, SECRET, replace(package, boxes=package.boxes[::-1]), random=crew.random)


def test_what_a_newcomer_hands_in_is_their_own() -> None:
    """A bundle's record and proof fit its team and no other; a user's keys are no device's."""
    joining = SHEET.joining(Crew.found("anna").roster.team_id, Role.RECOVERY)
    assert joining.record == SHEET.record(Role.RECOVERY)
    assert not hasattr(UserBundle, "joining")
    crew = Crew.found("anna", seed=9)
    with refused("no_possession", TrustError):
        add_device_batch(
            crew.roster, crew.keys["anna"], joining, crew.devices["anna"], now=NOW, random=Numbered()
        )
