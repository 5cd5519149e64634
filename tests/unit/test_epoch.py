"""Epochs: everything follows from the seed, and whoever opens a box checks that it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.crypto.hash import derive, digest, u64
from e2e_support.crypto.kem import KemPrivate
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import (
    box_context,
    check_epoch_seed,
    check_package,
    check_ring,
    epoch_commitment,
    epoch_keys,
    epoch_record,
    epoch_team,
    ring_context,
    ring_hash,
)
from e2e_support.errors import TrustError
from e2e_support.ids import TeamId
from e2e_support.roster_links import NO_HASH
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support.wire import EpochBox, EpochPackage, EpochRecord
from team_builder import EPOCH, Team, device, seed_of

TEAM_ID = TeamId(bytes(range(32)))
SEED, OTHER = Secret(seed_of("seed")), Secret(seed_of("other"))
ANNA, BEN = device("anna"), device("ben", Role.AGENT)
BOXES = (EpochBox(ANNA.device_id, b"for anna"), EpochBox(BEN.device_id, b"for ben"))
RECORD = epoch_record(TEAM_ID, 3, SEED, BOXES, b"ring")
PACKAGE = EpochPackage(3, BOXES, b"ring")


def test_everything_follows_from_the_seed() -> None:
    """Keys, commitment and hashes are the ones of section 4.5, spelled out here once more."""
    revealed = SEED.reveal(SECRET_ACCESS)
    assert RECORD.kem_key == KemPrivate(derive(SEED, Tag.EPOCH_KEM)).public
    assert RECORD.capability_key == SigningKey(derive(SEED, Tag.EPOCH_CAPABILITY)).public
    assert RECORD.commitment == digest(Tag.EPOCH_COMMIT, TEAM_ID + u64(3) + revealed)
    assert RECORD.commitment == epoch_commitment(TEAM_ID, 3, SEED)
    assert RECORD.boxes[1].hash == digest(Tag.BOX_HASH, b"for ben")
    assert RECORD.ring_hash == ring_hash(b"ring") == digest(Tag.RING, b"ring")
    assert ring_hash(b"") == NO_HASH


def test_contexts_bind_team_epoch_device_and_key() -> None:
    """A box is bound to its team, number, device and public key; a ring to team and number."""
    context = box_context(TEAM_ID, 3, ANNA.device_id, RECORD.kem_key)
    assert context == TEAM_ID + u64(3) + ANNA.device_id + RECORD.kem_key
    assert ring_context(TEAM_ID, 3) == TEAM_ID + u64(3)


def test_the_genesis_epoch_has_no_team_yet() -> None:
    """The epoch inside the genesis is made before the team has an id (section 4.2)."""
    assert epoch_team(TEAM_ID, 0) == bytes(32)
    assert epoch_team(TEAM_ID, 1) == TEAM_ID


def test_a_good_seed_gives_the_keys() -> None:
    """The seed that was committed to opens what the epoch's public keys seal."""
    keys = check_epoch_seed(RECORD, TEAM_ID, SEED)
    assert (keys.kem.public, keys.capability.public) == (RECORD.kem_key, RECORD.capability_key)


FALSE_EPOCHS: list[tuple[str, EpochRecord]] = [
    ("another commitment", replace(RECORD, commitment=epoch_commitment(TEAM_ID, 3, OTHER))),
    ("the commitment of another epoch", replace(RECORD, commitment=epoch_commitment(TEAM_ID, 4, SEED))),
    ("the KEM key of another seed", replace(RECORD, kem_key=epoch_keys(OTHER).kem.public)),
    ("the capability of another seed", replace(RECORD, capability_key=epoch_keys(OTHER).capability.public)),
    ("another number", replace(RECORD, epoch=4)),
]


@pytest.mark.parametrize(("name", "record"), FALSE_EPOCHS, ids=[row[0] for row in FALSE_EPOCHS])
def test_a_record_that_does_not_fit_its_seed_is_refused(name: str, record: EpochRecord) -> None:
    """A seed must fit commitment, KEM key and capability alike (attack 56)."""
    with pytest.raises(TrustError) as caught:
        check_epoch_seed(record, TEAM_ID, SEED)
    assert caught.value.code == "bad_epoch"
    assert caught.value.hint


def test_boxes_open_to_the_same_keys_for_everyone() -> None:
    """Every device of a team gets the keys that the roster lists, epoch after epoch."""
    team = Team.found(ANNA, BEN, real_boxes=True)
    team.do((EPOCH, [BEN]))
    for epoch in (0, 1):
        opened = [team.open_box(one, epoch).kem.public for one in (ANNA, BEN)]
        assert opened == [team.roster.epochs[epoch].kem_key] * 2


def test_package_as_signed_passes() -> None:
    """Boxes and ring as the signer made them are accepted."""
    check_package(RECORD, PACKAGE)


FALSE_PACKAGES: list[tuple[str, EpochPackage]] = [
    ("another number", replace(PACKAGE, epoch=4)),
    ("a box less", replace(PACKAGE, boxes=BOXES[:1])),
    ("a box more", replace(PACKAGE, boxes=(*BOXES, EpochBox(device("eve").device_id, b"")))),
    ("boxes swapped", replace(PACKAGE, boxes=(BOXES[1], BOXES[0]))),
    ("a box changed", replace(PACKAGE, boxes=(BOXES[0], replace(BOXES[1], sealed=b"for eve")))),
    (
        "a box for another device",
        replace(PACKAGE, boxes=(BOXES[0], replace(BOXES[1], device_id=ANNA.device_id))),
    ),
    ("another ring", replace(PACKAGE, ring=b"ring!")),
    ("no ring", replace(PACKAGE, ring=b"")),
]


@pytest.mark.parametrize(("name", "package"), FALSE_PACKAGES, ids=[row[0] for row in FALSE_PACKAGES])
def test_package_that_was_changed_is_refused(name: str, package: EpochPackage) -> None:
    """The relay can neither add, drop, swap nor change boxes, nor the ring (attack 12)."""
    with pytest.raises(TrustError) as caught:
        check_package(RECORD, package)
    assert caught.value.code == "bad_package"


def ring_of(team: Team) -> dict[int, Secret]:
    """Return what an honest ring of the newest epoch holds."""
    return {number: seed for number, seed in team.seeds.items() if number < team.roster.epoch.epoch}


def test_ring_gives_back_history() -> None:
    """A whole ring leaves nothing out; one with gaps says which epochs it hides (attack 57)."""
    team = Team.found(ANNA)
    team.do((EPOCH, [ANNA]))
    team.do((EPOCH, [ANNA]))
    seeds = ring_of(team)
    older = team.roster.epochs[:-1]
    assert check_ring(older, team.team_id, seeds) == ()
    assert check_ring(older, team.team_id, {1: seeds[1]}) == (0,)


@pytest.mark.parametrize("poison", [{0: OTHER}, {1: SEED}, {7: SEED}])
def test_poisoned_ring_is_refused(poison: dict[int, Secret]) -> None:
    """A seed in the ring that is not the one of its epoch is refused (attack 57)."""
    team = Team.found(ANNA)
    team.do((EPOCH, [ANNA]))
    team.do((EPOCH, [ANNA]))
    with pytest.raises(TrustError) as caught:
        check_ring(team.roster.epochs[:-1], team.team_id, ring_of(team) | poison)
    assert caught.value.code == "bad_epoch"
