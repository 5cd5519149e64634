"""Team epochs on a device: what boxes and rings give, and what is refused although it opens."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from e2e_support.canonical import encode
from e2e_support.crypto import cae
from e2e_support.crypto.hash import derive
from e2e_support.crypto.kem import KemPublic
from e2e_support.crypto.seal import seal
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import box_context, epoch_keys, epoch_record, epoch_team, ring_context
from e2e_support.errors import PeerError, TrustError
from e2e_support.ids import DeviceId, MailboxId, TeamId
from e2e_support.space import volume_key
from e2e_support.tags import Tag
from e2e_support.ticket_keys import seal_boxes
from e2e_support.vocab import Direction, Role
from e2e_support.wire import Entry, EpochBox, EpochPackage, EpochRecord
from e2e_support_keys.epochs import CLOSING_DELAY, NewEpoch, SealedRing, TeamKeys, make_epoch
from keys_room import KEY, OTHER_KEY, Numbered, refused
from team_builder import Device, device

TEAM = TeamId(b"\x07" * 32)
TICKET = MailboxId(b"\x05" * 16)
LOCATOR = Secret(b"\x10" * 32)
ANNA, BEN, CLEO = device("anna"), device("ben", Role.AGENT), device("cleo", Role.AGENT)
RANDOM = Numbered()


def keys_of(device: Device) -> TeamKeys:
    """Return what a device knows before its first box."""
    return TeamKeys(TEAM, device.device_id, device.kem)


def founded(*devices: Device, locator: Secret = LOCATOR) -> NewEpoch:
    """Return the genesis epoch of a team."""
    records = [device.record for device in devices]
    return make_epoch(epoch_team(TEAM, 0), 0, records, locator=locator, older={}, random=RANDOM)


def forged(
    number: int,
    secrets: Mapping[Device, bytes],
    *,
    seed: Secret = KEY,
    ring: bytes = b"",
) -> NewEpoch:
    """Return an epoch as a dishonest administrator makes it: signed, but with any bytes in the boxes."""
    team = epoch_team(TEAM, number)
    kem_key = epoch_keys(seed).kem.public

    def box(device: Device, plain: bytes) -> EpochBox:
        context = box_context(team, number, device.device_id, kem_key)
        return EpochBox(
            device.device_id, seal(KemPublic(device.record.kem_key), Tag.EPOCH_BOX, context, plain)
        )

    boxes = tuple(box(device, plain) for device, plain in secrets.items())
    return NewEpoch(epoch_record(team, number, seed, boxes, ring), EpochPackage(number, boxes, ring))


def three(seed: Secret, locator: Secret = LOCATOR, ring_key: Secret = OTHER_KEY) -> bytes:
    """Return what an honest box holds."""
    return b"".join(secret.reveal(SECRET_ACCESS) for secret in (seed, locator, ring_key))


def ring_of(number: int, items: Sequence[tuple[int, bytes]], key: Secret = OTHER_KEY) -> bytes:
    """Return a ring with any content."""
    return sealed_ring(key, number, encode(tuple(items)))


def sealed_ring(key: Secret, number: int, plain: bytes) -> bytes:
    """Return a ring of any bytes that is meant for everybody."""
    context = ring_context(epoch_team(TEAM, number), number)
    return SealedRing((), cae.encrypt(key, Tag.RING, context, plain, RANDOM)).to_bytes()


def boxed_entry(record: EpochRecord, key: Secret) -> Entry:
    """Return an entry whose team box names an epoch."""
    boxes = seal_boxes(key, team_id=TEAM, mailbox=TICKET, gen=0, epoch=record, reply_key=None)
    return Entry(1, 1, 0, Direction.TEAM_ONLY, boxes, b"")


def test_every_device_opens_its_box() -> None:
    """All devices of an epoch get the same key pairs, and they are the ones in the record."""
    epoch = founded(ANNA, BEN)
    for one in (ANNA, BEN):
        keys = keys_of(one)
        keys.add([epoch.record], epoch.package)
        assert keys.newest == 0
        assert keys.epoch().kem.public == keys.epoch(0).kem.public == epoch.record.kem_key
        assert keys.epoch().capability.public == epoch.record.capability_key
        assert keys.locator == LOCATOR
        assert keys.missing([epoch.record]) == ()


def test_a_ticket_key_opens_for_every_device() -> None:
    """What is sealed to an epoch opens for its devices: the port that conversations ask."""
    epoch = founded(ANNA, BEN)
    for one in (ANNA, BEN):
        keys = keys_of(one)
        keys.add([epoch.record], epoch.package)
        assert keys.open_key(TICKET, boxed_entry(epoch.record, KEY)) == KEY
        with refused("cannot_open", PeerError):
            keys.open_key(MailboxId(bytes(16)), boxed_entry(epoch.record, KEY))


def test_mailboxes_of_the_team_follow_from_the_locator() -> None:
    """Staff logs differ by ticket, volumes by number and history, and everybody with the locator finds them."""
    epoch = founded(ANNA)
    keys = keys_of(ANNA)
    keys.add([epoch.record], epoch.package)
    assert keys.staff_log(TICKET).public == SigningKey(derive(LOCATOR, Tag.STAFF_LOG, TICKET)).public
    assert keys.staff_log(TICKET).public != keys.staff_log(MailboxId(bytes(16))).public
    assert keys.team_space().public == SigningKey(derive(LOCATOR, Tag.TEAM_SPACE)).public
    later = [(1, bytes(32)), (2, bytes(32)), (1, bytes(31) + b"\1")]
    assert keys.team_space(*later[0]).public == volume_key(LOCATOR, *later[0]).public
    assert len({keys.team_space(*one).public for one in [(0, b""), *later]}) == 4


def test_when_a_closing_is_written_down_is_a_secret_of_the_team() -> None:
    """All devices wait equally long, other tickets and times another while, and other teams another one again."""
    both, other = founded(ANNA, BEN), founded(ANNA, locator=Secret(bytes([7]) * 32))
    keys: list[TeamKeys] = []
    for one, epoch in ((ANNA, both), (BEN, both), (ANNA, other)):
        keys.append(keys_of(one))
        keys[-1].add([epoch.record], epoch.package)
    waits = [[of.closing_delay(TICKET, at) for at in range(100)] for of in keys]
    assert waits[0] == waits[1] != waits[2]
    assert len(set(waits[0])) > 90
    assert 0 <= min(waits[0]) < 3600 < 5 * 3600 < max(waits[0]) < CLOSING_DELAY


def test_seeds_and_ring_keys_are_fresh() -> None:
    """No epoch shares anything secret with the one before but the locator."""
    first = founded(ANNA)
    keys = keys_of(ANNA)
    keys.add([first.record], first.package)
    second = keys.next_epoch([ANNA.record], RANDOM)
    third = keys.next_epoch([ANNA.record], RANDOM)
    assert len({epoch.record.commitment for epoch in (first, second, third)}) == 3
    assert second.package.ring != third.package.ring


def test_a_newcomer_with_history_reads_everything() -> None:
    """The ring gives all older epochs, each the same as for those who were there."""
    first = founded(ANNA)
    anna, cleo = keys_of(ANNA), keys_of(CLEO)
    anna.add([first.record], first.package)
    second = anna.next_epoch([ANNA.record], RANDOM)
    anna.add([first.record, second.record], second.package)
    third = anna.next_epoch([ANNA.record, CLEO.record], RANDOM)
    records = [first.record, second.record, third.record]
    cleo.add(records, third.package)
    assert cleo.missing(records) == ()
    assert [cleo.epoch(number).kem.public for number in range(3)] == [record.kem_key for record in records]
    assert cleo.epoch(1) is cleo.epoch(1)
    assert cleo.open_key(TICKET, boxed_entry(first.record, KEY)) == KEY


def test_a_newcomer_without_history_reads_from_now_on() -> None:
    """Without the ring key older tickets stay closed, which is no forgery, and newer ones open."""
    first = founded(ANNA)
    anna, ben, cleo = keys_of(ANNA), keys_of(BEN), keys_of(CLEO)
    anna.add([first.record], first.package)
    everyone = [ANNA.record, BEN.record, CLEO.record]
    second = anna.next_epoch(everyone, RANDOM, without_history={CLEO.device_id})
    records = [first.record, second.record]
    ben.add(records, second.package)
    cleo.add(records, second.package)
    assert (ben.missing(records), cleo.missing(records)) == ((), (0,))
    with refused("no_key", PeerError):
        cleo.open_key(TICKET, boxed_entry(first.record, KEY))
    assert cleo.open_key(TICKET, boxed_entry(second.record, KEY)) == KEY


def test_a_rotation_by_a_device_without_history_keeps_the_others_history() -> None:
    """Whoever knew older epochs knows them still; who comes later is told what is missing."""
    first = founded(ANNA)
    anna, ben, cleo = keys_of(ANNA), keys_of(BEN), keys_of(CLEO)
    anna.add([first.record], first.package)
    second = anna.next_epoch([ANNA.record, CLEO.record], RANDOM, without_history=[CLEO.device_id])
    cleo.add([first.record, second.record], second.package)
    third = cleo.next_epoch([ANNA.record, BEN.record, CLEO.record], RANDOM)
    records = [first.record, second.record, third.record]
    anna.add(records[:2], second.package)
    anna.add(records, third.package)
    ben.add(records, third.package)
    assert (anna.missing(records), ben.missing(records)) == ((), (0,))


def test_no_history_stays_no_history() -> None:
    """A later rotation by whomever does not hand the older epochs to a newcomer who was to have none of them."""
    first = founded(ANNA)
    anna, ben, cleo = keys_of(ANNA), keys_of(BEN), keys_of(CLEO)
    anna.add([first.record], first.package)
    second = anna.next_epoch([ANNA.record, BEN.record], RANDOM, without_history={BEN.device_id})
    records = [first.record, second.record]
    everyone = [ANNA.record, BEN.record, CLEO.record]
    for keys in (anna, ben):
        keys.add(records, second.package)
        assert keys.without_history == {BEN.device_id}
    third = ben.next_epoch(everyone, RANDOM, without_history={CLEO.device_id})
    anna.add([*records, third.record], third.package)
    assert anna.without_history == {BEN.device_id, CLEO.device_id}
    fourth = anna.next_epoch(everyone, RANDOM)
    records += [third.record, fourth.record]
    ben.add(records, fourth.package)
    cleo.add(records, fourth.package)
    assert (ben.missing(records), cleo.missing(records)) == ((0, 2), (0, 1, 2))


def test_history_can_be_given_later() -> None:
    """A rotation that says so gives history to a device that had none; one that is gone is forgotten."""
    first = founded(ANNA)
    anna, ben = keys_of(ANNA), keys_of(BEN)
    anna.add([first.record], first.package)
    second = anna.next_epoch([ANNA.record, BEN.record], RANDOM, without_history={BEN.device_id})
    records = [first.record, second.record]
    anna.add(records, second.package)
    third = anna.next_epoch([ANNA.record, BEN.record], RANDOM, with_history={BEN.device_id})
    ben.add([*records, third.record], third.package)
    assert ben.missing([*records, third.record]) == ()
    alone = anna.next_epoch([ANNA.record], RANDOM)
    assert SealedRing.from_bytes(third.package.ring).without_history == ()
    assert SealedRing.from_bytes(alone.package.ring).without_history == ()


def test_an_older_epoch_does_not_bring_back_who_had_no_history() -> None:
    """Who is kept out is what the newest epoch says, in whatever order the packages come."""
    first = founded(ANNA)
    anna, other = keys_of(ANNA), TeamKeys(TEAM, ANNA.device_id, ANNA.kem)
    anna.add([first.record], first.package)
    second = anna.next_epoch([ANNA.record, BEN.record], RANDOM, without_history={BEN.device_id})
    records = [first.record, second.record]
    anna.add(records, second.package)
    third = anna.next_epoch([ANNA.record, BEN.record], RANDOM, with_history={BEN.device_id})
    records.append(third.record)
    other.add(records, third.package)
    other.add(records, second.package)
    assert other.without_history == frozenset()


def test_an_epoch_can_be_checked_before_it_stands() -> None:
    """Checking finds what adding would find, keeps nothing, and says what the ring leaves out."""
    first = founded(ANNA)
    second = forged(1, {ANNA: three(KEY)}, ring=ring_of(1, []))
    keys = keys_of(ANNA)
    assert keys.device_id == ANNA.device_id
    assert keys.check([first.record, second.record], second.package) == (0,)
    keys.add([first.record], first.package)
    poisoned = forged(1, {ANNA: three(KEY)}, ring=ring_of(1, [(0, b"\x01" * 32)]))
    with refused("bad_epoch", TrustError):
        keys.check([first.record, poisoned.record], poisoned.package)
    assert keys.newest == 0
    assert keys.missing([first.record, second.record]) == (1,)


def test_the_genesis_has_no_ring() -> None:
    """Where there is nothing older there is no ring."""
    assert founded(ANNA).package.ring == b""


def test_nothing_is_known_before_the_first_box() -> None:
    """Asking a device that has opened nothing says that it needs a box."""
    keys = keys_of(ANNA)
    for ask in (
        lambda: keys.newest,
        lambda: keys.locator,
        keys.epoch,
        keys.team_space,
        lambda: keys.staff_log(TICKET),
        lambda: keys.next_epoch([ANNA.record], RANDOM),
    ):
        with refused("no_box", TrustError):
            ask()
    with refused("no_key", PeerError):
        keys.epoch(0)


def refused_by(reader: Device, older: Sequence[NewEpoch], bad: NewEpoch, code: str) -> None:
    """Expect an epoch to be refused and the device to know what it knew before."""
    keys = keys_of(reader)
    records = [epoch.record for epoch in older]
    for epoch in older:
        keys.add(records, epoch.package)
    with refused(code, TrustError):
        keys.add([*records, bad.record], bad.package)
    assert keys.missing(records) == ()
    assert keys.missing([bad.record]) == (bad.record.epoch,)
    if older:
        assert keys.newest == len(older) - 1


def test_a_seed_that_was_not_signed_is_refused() -> None:
    """A box whose seed is not the committed one is of no use, although it opens (attack 56)."""
    epoch = forged(0, {ANNA: three(KEY), BEN: three(OTHER_KEY)})
    keys_of(ANNA).add([epoch.record], epoch.package)
    refused_by(BEN, [], epoch, "bad_epoch")


def test_a_record_whose_keys_do_not_follow_from_the_seed_is_refused() -> None:
    """A committed seed with other public keys would let somebody else read (attack 56)."""
    good = forged(0, {ANNA: three(KEY)})
    mallory = epoch_keys(OTHER_KEY)
    other_capability = replace(good.record, capability_key=mallory.capability.public)
    refused_by(ANNA, [], NewEpoch(other_capability, good.package), "bad_epoch")
    context = box_context(epoch_team(TEAM, 0), 0, ANNA.device_id, mallory.kem.public)
    box = EpochBox(ANNA.device_id, seal(KemPublic(ANNA.record.kem_key), Tag.EPOCH_BOX, context, three(KEY)))
    honest = epoch_record(epoch_team(TEAM, 0), 0, KEY, [box])
    other_kem = replace(honest, kem_key=mallory.kem.public)
    refused_by(ANNA, [], NewEpoch(other_kem, EpochPackage(0, (box,), b"")), "bad_epoch")


@pytest.mark.parametrize(
    "items",
    [
        [(0, b"\x01" * 32)],
        [(1, KEY.reveal(SECRET_ACCESS))],
        [(2, KEY.reveal(SECRET_ACCESS))],
    ],
    ids=["poisoned", "its own number", "a later number"],
)
def test_a_poisoned_ring_is_refused(items: list[tuple[int, bytes]]) -> None:
    """Each older seed must be the one that its own record committed to (attack 57)."""
    first = founded(ANNA)
    bad = forged(1, {ANNA: three(KEY)}, ring=ring_of(1, items))
    refused_by(ANNA, [first], bad, "bad_epoch")


@pytest.mark.parametrize(
    "ring",
    [
        ring_of(1, [(0, b"\x01" * 32)], key=KEY),
        ring_of(2, [(0, b"\x01" * 32)]),
        sealed_ring(OTHER_KEY, 1, b"\xc1"),
        ring_of(1, [(0, b"short")]),
        SealedRing((), b"noise").to_bytes(),
        b"noise",
    ],
    ids=["another key", "another place", "not encoded", "a short seed", "noise inside", "noise"],
)
def test_a_ring_that_does_not_open_is_refused(ring: bytes) -> None:
    """A ring that its own readers cannot read is the signer's fault and stops them."""
    first = founded(ANNA)
    refused_by(ANNA, [first], forged(1, {ANNA: three(KEY)}, ring=ring), "bad_epoch")


def test_what_a_ring_leaves_out_is_told() -> None:
    """An omitted epoch is no error, since the signer may not know it; the device names it (attack 57)."""
    first = founded(ANNA)
    second = forged(1, {BEN: three(KEY)}, ring=ring_of(1, []))
    keys = keys_of(BEN)
    keys.add([first.record, second.record], second.package)
    assert keys.missing([first.record, second.record]) == (0,)


def test_another_locator_is_refused() -> None:
    """Nobody can lead a part of the team to other staff logs."""
    first = founded(ANNA)
    refused_by(ANNA, [first], forged(1, {ANNA: three(KEY, locator=OTHER_KEY)}), "bad_epoch")


@pytest.mark.parametrize("size", [0, 64, 95, 97, 128])
def test_a_box_of_another_size_is_refused(size: int) -> None:
    """A box holds exactly three secrets."""
    refused_by(ANNA, [], forged(0, {ANNA: bytes(size)}), "no_box")


def test_a_device_without_a_box_is_told() -> None:
    """A device that an epoch leaves out cannot use it and learns what to do."""
    refused_by(BEN, [], founded(ANNA), "no_box")


def test_a_box_for_an_older_key_of_the_device_is_told() -> None:
    """A box that the device's key does not open asks for a new rotation."""
    claimed = replace(ANNA.record, device_id=BEN.device_id)
    epoch = make_epoch(epoch_team(TEAM, 0), 0, [claimed], locator=LOCATOR, older={}, random=RANDOM)
    refused_by(BEN, [], epoch, "no_box")


def test_a_package_that_the_relay_changed_is_refused() -> None:
    """Boxes and ring are the signed ones or nothing."""
    epoch, other = founded(ANNA, BEN), founded(ANNA, BEN)
    anna, ben = epoch.package.boxes
    for package in (
        other.package,
        replace(epoch.package, boxes=(ben, anna)),
        replace(epoch.package, boxes=(anna,)),
        replace(epoch.package, boxes=(replace(anna, sealed=ben.sealed), ben)),
        replace(epoch.package, ring=b"ring"),
    ):
        refused_by(ANNA, [], NewEpoch(epoch.record, package), "bad_package")


def test_a_package_of_an_unknown_epoch_is_refused() -> None:
    """An epoch that the roster does not have is not opened."""
    epoch = founded(ANNA)
    with refused("bad_package", TrustError):
        keys_of(ANNA).add([], epoch.package)
    with refused("bad_package", TrustError):
        keys_of(ANNA).add([epoch.record], replace(epoch.package, epoch=1))


def test_a_box_is_bound_to_its_team_and_number() -> None:
    """The same seed and device under another team or number is another box."""
    epoch = founded(ANNA)
    other_team = TeamKeys(TeamId(bytes(31) + b"\x01"), ANNA.device_id, ANNA.kem)
    other_team.add([epoch.record], epoch.package)  # the genesis is made before there is a team id
    later = forged(1, {ANNA: three(KEY)})
    with refused("no_box", TrustError):
        other_team.add([epoch.record, later.record], later.package)


def test_a_device_with_a_bad_key_gets_no_box() -> None:
    """A KEM key that would leak is refused before anything is sealed to it."""
    weak = replace(ANNA.record, kem_key=bytes(1216))
    with refused("bad_key", PeerError):
        make_epoch(TEAM, 1, [weak], locator=LOCATOR, older={}, random=RANDOM)


def test_nothing_secret_is_printed() -> None:
    """Representations of keys and epochs show no secret byte."""
    epoch = founded(ANNA)
    keys = keys_of(ANNA)
    keys.add([epoch.record], epoch.package)
    assert LOCATOR.reveal(SECRET_ACCESS) not in repr((keys, epoch)).encode()
    assert DeviceId(ANNA.device_id) == epoch.package.boxes[0].device_id
