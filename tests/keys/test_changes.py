"""Batches that change a team: complete when one signer is enough, looked through and co-signed when not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from crew import NOW, Crew
from e2e_support.crypto.kem import KemPublic
from e2e_support.crypto.seal import seal
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.epoch import box_context, epoch_keys, epoch_record
from e2e_support.errors import TrustError
from e2e_support.ids import DeviceId
from e2e_support.presets import DEFAULT
from e2e_support.roster import next_bodies
from e2e_support.roster_links import DeviceAdd, DeviceRevoke, Rename, Threshold, open_link, sign_link
from e2e_support.tags import Tag
from e2e_support.vocab import LinkType, Role, Verdict
from e2e_support.wire import Batch, EpochBox, EpochPackage, Link
from e2e_support_keys import changes
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.changes import (
    Missing,
    add_device_batch,
    cosign,
    leave_batch,
    missing,
    propose,
    remove_devices_batch,
)
from e2e_support_keys.epochs import TeamKeys
from keys_room import KEY, OTHER_KEY, Numbered, refused


def types(batch: Batch) -> list[LinkType]:
    """Return the types of a batch's links."""
    return [open_link(link).body.type for link in batch.links]


def signers(batch: Batch) -> list[int]:
    """Return how many have signed each link."""
    return [len(open_link(link).signatures) for link in batch.links]


def three() -> Crew:
    """Return a team of three owners, two of whom must agree."""
    return Crew.found("anna", "carl", "emma", threshold=2)


# --- one signer ------------------------------------------------------------------------------------------


def test_an_addition_is_one_batch_that_a_relay_takes() -> None:
    """Device and epoch come together, with a box for everybody, and nothing is missing."""
    crew = Crew.found("anna")
    batch = crew.adding("ben", Role.AGENT, by="anna")
    assert types(batch) == [LinkType.DEVICE_ADD, LinkType.EPOCH]
    assert missing(batch, crew.roster) == ()
    after = crew.roster.update_batch(batch)
    assert after.devices.keys() == {crew.id("anna"), crew.id("ben")}
    assert [box.device_id for box in batch.packages[0].boxes] == list(after.devices)
    assert Batch.from_bytes(batch.to_bytes()) == batch


def test_a_newcomer_reads_what_was_written_before_or_not() -> None:
    """With history everything opens for a newcomer; without, only what is written from then on."""
    crew = Crew.found("anna")
    old = crew.write()
    crew.add("ben", Role.AGENT, by="anna")
    crew.add("cleo", Role.AGENT, by="anna", history=False)
    new = crew.write()
    assert crew.read("ben", old).verdict is Verdict.OK
    assert (crew.read("cleo", old).verdict, crew.read("cleo", old).reason) == (Verdict.UNVERIFIABLE, "no_key")
    assert crew.read("ben", new).verdict is crew.read("cleo", new).verdict is Verdict.OK


def test_a_removal_takes_several_devices_at_once() -> None:
    """All devices of a person go in one batch with one epoch, which none of them opens."""
    crew = Crew.found("anna")
    crew.add("ben", Role.AGENT, by="anna")
    crew.add("ben's phone", Role.AGENT, by="anna", of="ben")
    batch = crew.removing("ben", "ben's phone", by="anna")
    assert types(batch) == [LinkType.DEVICE_REVOKE, LinkType.DEVICE_REVOKE, LinkType.EPOCH]
    crew.carry_out(batch)
    assert crew.active() == ["anna"]
    ticket = crew.write()
    for name in ("ben", "ben's phone"):
        with refused("no_box", TrustError):
            crew.keys[name].add(crew.roster.epochs, crew.packages[crew.roster.epoch.epoch])
        assert crew.read(name, ticket).reason == "no_key"


def test_a_rotation_is_an_epoch_alone() -> None:
    """An agent may begin an epoch; it has history for those who had it, and for those who get it now."""
    crew = Crew.found("anna")
    old = crew.write()
    crew.add("ben", Role.AGENT, by="anna", history=False)
    crew.rotate(by="anna")
    assert crew.read("ben", old).reason == "no_key"
    crew.rotate(by="anna", give_history=["ben"])
    assert crew.read("ben", old).verdict is Verdict.OK
    batch = crew.rotating(by="ben")
    assert types(batch) == [LinkType.EPOCH]
    assert missing(batch, crew.roster) == ()


def test_whoever_leaves_begins_no_epoch() -> None:
    """Leaving is one link without a package; the rotation that is due is for somebody else."""
    crew = Crew.found("anna")
    crew.add("ben", Role.AGENT, by="anna")
    crew.leave("ben")
    assert crew.roster.rotation_due
    crew.rotate(by="anna")
    assert not crew.roster.rotation_due
    with refused("owners_below_threshold", TrustError):
        leave_batch(crew.roster, crew.devices["anna"], now=NOW)


def test_nobody_removes_themselves_with_an_epoch() -> None:
    """Whoever is removed must not choose the next seed."""
    crew = Crew.found("anna", "carl")
    with refused("remove_oneself"):
        crew.removing("anna", by="anna")


def test_a_device_signs_only_what_it_may() -> None:
    """An agent's proposal carries the agent's name on the epoch alone; the rest waits for owners."""
    crew = Crew.found("anna", "carl")
    crew.add("ben", Role.AGENT, by="anna")
    batch = crew.adding("dora", Role.AUDITOR, by="ben")
    assert signers(batch) == [0, 1]
    assert missing(batch, crew.roster) == (
        Missing(len(crew.roster.links), 1, frozenset({crew.id("anna"), crew.id("carl")})),
    )
    crew.carry_out(batch)
    assert "dora" in crew.active()


def test_who_may_sign_nothing_makes_no_batch() -> None:
    """An auditor cannot begin anything, and is told so before somebody waits for it."""
    crew = Crew.found("anna")
    crew.add("dora", Role.AUDITOR, by="anna")
    with refused("nothing_to_sign"):
        crew.rotating(by="dora")
    with refused("nothing_to_sign"):
        propose(crew.roster, [Threshold(1)], crew.devices["dora"], now=NOW)


def test_a_batch_needs_the_newest_epoch() -> None:
    """A device that missed an epoch cannot begin the next one on top of an older."""
    crew = Crew.found("anna", "carl")
    late = TeamKeys(crew.roster.team_id, crew.id("anna"), crew.devices["anna"].kem())
    late.add(crew.roster.epochs, crew.packages[0])
    with refused("no_box", TrustError):
        changes.rotate_batch(crew.roster, late, crew.devices["anna"], now=NOW, random=Numbered())


def test_what_cannot_stand_is_refused_before_an_epoch_is_made() -> None:
    """A device without proof, a known one, and one that is not there make no batch."""
    crew = Crew.found("anna", "carl")
    keys, anna = crew.keys["anna"], crew.devices["anna"]
    good = DeviceBundle.fresh("ben", Numbered(7)).joining(crew.roster.team_id, Role.AGENT)
    elsewhere = DeviceAdd(good.record, crew.devices["carl"].joining(crew.roster.team_id, Role.AGENT).proof)
    for joining, code in (
        (elsewhere, "no_possession"),
        (crew.devices["carl"].joining(crew.roster.team_id, Role.OWNER), "device_known"),
    ):
        with refused(code, TrustError):
            add_device_batch(crew.roster, keys, joining, anna, now=NOW, random=Numbered())
    with refused("device_unknown", TrustError):
        remove_devices_batch(crew.roster, keys, [good.record.device_id], anna, now=NOW, random=Numbered())


def test_a_device_renames_itself() -> None:
    """Links without an epoch are proposed with their payloads alone."""
    crew = Crew.found("anna")
    crew.change([Rename(crew.id("anna"), "Anna at home", ("de",))], by=["anna"])
    assert crew.roster.devices[crew.id("anna")].label == "Anna at home"


# --- thresholds ------------------------------------------------------------------------------------------


def test_two_owners_remove_a_third() -> None:
    """A removal by one owner waits, says for whom, and is taken once another has signed (attack 83)."""
    crew = three()
    batch = crew.removing("emma", by="anna")
    with refused("too_few_signers", TrustError):
        crew.roster.update_batch(batch)
    (wanted,) = missing(batch, crew.roster)
    assert wanted == Missing(len(crew.roster.links), 1, frozenset({crew.id("carl")}))
    signed = cosign(batch, crew.roster, crew.keys["carl"], crew.devices["carl"])
    assert missing(signed, crew.roster) == ()
    assert signers(signed) == [2, 1]
    assert crew.id("emma") not in crew.roster.update_batch(signed).devices


def test_a_policy_waits_for_the_second_owner() -> None:
    """What needs no epoch is proposed and co-signed the same way; a person counts once (attack 54)."""
    crew = three()
    crew.add("anna's phone", Role.OWNER, by="anna", of="anna")
    batch = propose(crew.roster, [replace(DEFAULT, show_languages=0)], crew.devices["anna"], now=NOW)
    assert missing(batch, crew.roster)[0].devices == {crew.id("carl"), crew.id("emma")}
    for name in ("anna", "anna's phone"):
        with refused("nothing_to_sign"):
            cosign(batch, crew.roster, crew.keys[name], crew.devices[name])
    crew.carry_out(batch)
    assert crew.roster.policy.show_languages == 0


def test_a_complete_batch_needs_nobody() -> None:
    """Who comes late learns that there is nothing to sign."""
    crew = three()
    batch = crew.adding("ben", Role.AGENT, by="anna")
    with refused("nothing_to_sign"):
        cosign(batch, crew.roster, crew.keys["carl"], crew.devices["carl"])


def test_a_stale_batch_is_told_as_such() -> None:
    """A proposal that another link overtook is no attack, and cannot be completed."""
    crew = three()
    batch = crew.removing("emma", by="anna")
    crew.rotate(by="carl")
    for attempt in (
        lambda: missing(batch, crew.roster),
        lambda: cosign(batch, crew.roster, crew.keys["carl"], crew.devices["carl"]),
    ):
        with refused("stale_batch"):
            attempt()


def test_a_batch_of_another_team_is_refused() -> None:
    """A batch that continues another roster does not follow."""
    crew, other = three(), Crew.found("anna", "carl", "emma", seed=1, threshold=2)
    with refused("not_next", TrustError):
        missing(other.removing("emma", by="anna"), crew.roster)


def test_a_batch_that_owes_an_epoch_is_refused() -> None:
    """A removal whose epoch was cut off is judged like on the relay."""
    crew = three()
    batch = crew.removing("emma", by="anna")
    with refused("epoch_missing", TrustError):
        missing(Batch(batch.links[:1], ()), crew.roster)


def test_a_bad_signature_is_found_before_another_is_added() -> None:
    """Nobody co-signs beside a signature that would spoil the link."""
    crew = three()
    batch = crew.removing("emma", by="anna")
    link = Link.from_bytes(batch.links[0])
    forged = replace(link.signatures[0], signature=bytes(64))
    spoilt = Batch((Link(link.body, (forged,)).to_bytes(), batch.links[1]), batch.packages)
    with refused("bad_signature", TrustError):
        cosign(spoilt, crew.roster, crew.keys["carl"], crew.devices["carl"])


def test_a_cosigner_gets_no_epoch_without_its_boxes() -> None:
    """Boxes that come later could be any; a batch shows them or is not signed."""
    crew = three()
    batch = crew.removing("emma", by="anna")
    with refused("bad_package", TrustError):
        cosign(Batch(batch.links, ()), crew.roster, crew.keys["carl"], crew.devices["carl"])


def nothing(*_: object) -> None:
    """Stand in for a check that was taken away."""


def forgetful(_: object, __: object, more: Collection[DeviceId], ___: object) -> frozenset[DeviceId]:
    """Stand in for the memory of who has no history: only who is named now is kept out."""
    return frozenset(more)


def with_false_epoch(crew: Crew) -> Batch:
    """Return a removal whose maker seals another seed to Carl than the one in the link."""
    number, seed, keys = crew.roster.epoch.epoch + 1, Secret(b"\x05" * 32), crew.keys["anna"]
    kem_key = epoch_keys(seed).kem.public

    def box(name: str, sealed: Secret) -> EpochBox:
        context = box_context(crew.roster.team_id, number, crew.id(name), kem_key)
        plain = b"".join(one.reveal(SECRET_ACCESS) for one in (sealed, keys.locator, OTHER_KEY))
        public = KemPublic(crew.roster.devices[crew.id(name)].kem_key)
        return EpochBox(crew.id(name), seal(public, Tag.EPOCH_BOX, context, plain))

    boxes = (box("anna", seed), box("carl", KEY))
    record = epoch_record(crew.roster.team_id, number, seed, boxes)
    bodies = next_bodies(crew.roster, [DeviceRevoke(crew.id("emma")), record], NOW)
    links = tuple(sign_link(body, [crew.devices["anna"].signer()]) for body in bodies)
    return Batch(links, (EpochPackage(number, boxes, b""),))


def test_56_a_cosigner_refuses_an_epoch_that_is_not_what_was_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second owner opens their box before they sign; a relay cannot see what is in it."""
    crew = three()
    batch = with_false_epoch(crew)
    assert len(missing(batch, crew.roster)) == 1
    with refused("bad_epoch", TrustError):
        cosign(batch, crew.roster, crew.keys["carl"], crew.devices["carl"])
    monkeypatch.setattr(TeamKeys, "check", nothing)
    signed = cosign(batch, crew.roster, crew.keys["carl"], crew.devices["carl"])
    assert crew.roster.update_batch(signed).epoch.epoch == crew.roster.epoch.epoch + 1


def test_no_history_needs_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the names in the ring, the next rotation by anybody would give a newcomer all that is older."""
    crew = Crew.found("anna", "carl")
    old = crew.write()
    crew.add("ben", Role.AGENT, by="anna", history=False)
    crew.rotate(by="carl")
    assert crew.read("ben", old).reason == "no_key"
    monkeypatch.setattr(TeamKeys, "_kept_out", forgetful)
    crew.rotate(by="carl")
    assert crew.read("ben", old).verdict is Verdict.OK
