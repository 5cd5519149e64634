"""The audit: nothing is found in an honest team, and every dishonest or careless epoch is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from crew import NOW, Crew
from e2e_support.crypto.kem import KemPublic
from e2e_support.crypto.seal import seal
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.epoch import box_context, epoch_keys, epoch_record
from e2e_support.roster import next_bodies
from e2e_support.roster_links import sign_link
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support.wire import Batch, EpochBox, EpochPackage
from e2e_support_keys.audit import Finding, audit
from e2e_support_keys.epochs import SealedRing, TeamKeys, make_epoch
from keys_room import KEY, OTHER_KEY


def lively() -> Crew:
    """Return a team in which much has happened, all of it honest."""
    crew = Crew.found("anna", "carl", threshold=2)
    crew.add("ben", Role.AGENT, by="anna")
    crew.add("cleo", Role.AGENT, by="carl", history=False)
    crew.rotate(by="ben")
    crew.remove("ben", by="carl")
    return crew


def codes(crew: Crew, name: str, **changed: EpochPackage | None) -> list[tuple[str, int]]:
    """Return what somebody finds, by code and epoch; packages may be changed as ``e1=…``, or left out."""
    packages = dict(crew.packages)
    for key, package in changed.items():
        if package is None:
            del packages[int(key[1:])]
        else:
            packages[int(key[1:])] = package
    return [(found.code, found.epoch) for found in audit(crew.roster, packages, crew.keys[name])]


def test_an_honest_team_has_no_findings() -> None:
    """Owners who were there all the time find nothing, whoever came and went."""
    crew = lively()
    assert codes(crew, "anna") == codes(crew, "carl") == []


def test_a_device_without_history_finds_only_that() -> None:
    """What a newcomer cannot read is named, and is no fault of a ring that was not meant for them."""
    crew = lively()
    joined = crew.roster.epoch.epoch - 2
    assert codes(crew, "cleo") == [("no_seed", number) for number in range(joined)]


def test_who_left_can_read_until_somebody_rotates() -> None:
    """After a device left by itself the audit says whose keys are still good."""
    crew = lively()
    crew.leave("cleo")
    (found,) = audit(crew.roster, crew.packages, crew.keys["anna"])
    assert found == Finding("rotation_due", 5, "cleo left, but can still read what is sealed to epoch 5")
    crew.rotate(by="anna")
    assert codes(crew, "anna") == []


def test_a_relay_that_keeps_boxes_back_or_changes_them() -> None:
    """Missing and changed packages are found, also those without a box for this device."""
    crew = lively()
    other = replace(crew.packages[1], ring=b"another")
    assert codes(crew, "anna", e1=None) == [("no_package", 1)]
    assert codes(crew, "anna", e1=other) == [("bad_package", 1)]
    assert ("bad_package", 1) in codes(crew, "cleo", e1=other)


def test_a_careless_rotation_leaves_a_gap() -> None:
    """A ring made by somebody without history lacks older epochs for whoever comes next; a rotation mends it."""
    crew = lively()
    crew.rotate(by="cleo")
    (found,) = audit(crew.roster, crew.packages, crew.keys["anna"])
    assert (found.code, found.epoch) == ("ring_gap", 6)
    assert found.what == "the ring of epoch 6 leaves out epochs 0, 1 and 2"
    crew.rotate(by="anna")
    assert codes(crew, "anna") == []


def forged(crew: Crew, sealed: dict[str, Secret], ring: bytes = b"") -> None:
    """Let Anna begin an epoch with any seeds in its boxes and any ring; the signed seed is ``KEY``."""
    number, locator = crew.roster.epoch.epoch + 1, crew.keys["anna"].locator
    kem_key = epoch_keys(KEY).kem.public

    def box(name: str) -> EpochBox:
        context = box_context(crew.roster.team_id, number, crew.id(name), kem_key)
        secrets = (sealed.get(name, KEY), locator, OTHER_KEY)
        plain = b"".join(one.reveal(SECRET_ACCESS) for one in secrets)
        public = KemPublic(crew.roster.devices[crew.id(name)].kem_key)
        return EpochBox(crew.id(name), seal(public, Tag.EPOCH_BOX, context, plain))

    boxes = tuple(box(name) for name in crew.active())
    record = epoch_record(crew.roster.team_id, number, KEY, boxes, ring)
    (body,) = next_bodies(crew.roster, [record], NOW)
    package = EpochPackage(number, boxes, ring)
    batch = Batch((sign_link(body, [crew.devices["anna"].signer()]),), (package,))
    crew.roster, crew.packages[number] = crew.roster.update_batch(batch), package


def ring_of(crew: Crew, seeds: dict[int, Secret]) -> bytes:
    """Return a ring for the next epoch under the key that the forged boxes hold."""

    def random(size: int) -> bytes:
        return OTHER_KEY.reveal(SECRET_ACCESS)[:size]

    number = crew.roster.epoch.epoch + 1
    made = make_epoch(crew.roster.team_id, number, (), locator=OTHER_KEY, older=seeds, random=random)
    return made.package.ring


ATTACKS: list[tuple[str, Callable[[Crew], None], str, list[tuple[str, int]]]] = [
    (
        "another seed for one",
        lambda crew: forged(crew, {"carl": OTHER_KEY}),
        "carl",
        [("bad_epoch", 2), ("no_seed", 2)],
    ),
    (
        "a poisoned ring",
        lambda crew: forged(crew, {}, ring_of(crew, {0: OTHER_KEY, 1: KEY})),
        "carl",
        [("bad_epoch", 2), ("no_seed", 2)],
    ),
    ("no ring at all", lambda crew: forged(crew, {}), "carl", [("ring_gap", 2), ("no_seed", 2)]),
    (
        "a ring that is none",
        lambda crew: forged(crew, {}, SealedRing((), b"noise").to_bytes()),
        "carl",
        [("bad_epoch", 2), ("no_seed", 2)],
    ),
]


@pytest.mark.parametrize(("name", "attack", "who", "expected"), ATTACKS, ids=[row[0] for row in ATTACKS])
def test_56_57_each_administrator_finds_a_bad_epoch(
    name: str, attack: Callable[[Crew], None], who: str, expected: list[tuple[str, int]]
) -> None:
    """What relay and roster accept, since nobody sees into boxes, the audit of the one concerned finds."""
    crew = Crew.found("anna", "carl")
    attack(crew)
    assert codes(crew, who) == expected


def test_12_boxes_for_others_than_the_devices_are_found() -> None:
    """Should a roster ever stand whose epoch has a box too many, the audit says so by itself."""
    crew = Crew.found("anna", "carl")
    seq, record = crew.roster.epoch_links[0]
    stranger = replace(record.boxes[0], device_id=crew.id("carl"))
    wrong = replace(record, boxes=(*record.boxes, stranger))
    crew.roster = replace(crew.roster, epoch_links=((seq, wrong), *crew.roster.epoch_links[1:]))
    assert codes(crew, "anna") == [("boxes", 0), ("bad_package", 0)]


def test_a_device_that_opened_nothing_finds_what_it_lacks() -> None:
    """The audit needs the relay's packages, not what a device has kept; what it keeps is told besides."""
    crew = Crew.found("anna")
    crew.keys["anna"] = TeamKeys(crew.roster.team_id, crew.id("anna"), crew.devices["anna"].kem())
    assert codes(crew, "anna") == [("no_seed", 0)]
