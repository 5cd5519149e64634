"""Membership: which devices can be in a team together, and what is remembered of those that left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2e_support.crypto.suite import MLKEM_PUBLIC
from e2e_support.errors import PeerError, TrustError
from e2e_support.ids import DeviceId, MemberId
from e2e_support.limits import DEVICES_MAX, MEMBER_DEVICES_MAX
from e2e_support.membership import Membership
from e2e_support.vocab import Role
from e2e_support.wire import DeviceRecord
from team_builder import Device, device

ANNA, BEN, CARL = device("anna"), device("ben", Role.AGENT), device("carl")
ANNA2 = device("anna's second", member=ANNA)
SHEET = device("sheet", Role.RECOVERY)
IDENTITY_POINT = b"\x01" + bytes(31)  # of order one: anybody can "sign" under it


def found(*devices: Device, threshold: int = 1) -> Membership:
    """Return the members of a genesis."""
    return Membership.found([one.record for one in devices], threshold)


def test_members_are_counted_as_people() -> None:
    """Two devices of one person are one member, and one owner."""
    members = found(ANNA, ANNA2, BEN)
    assert members.owners == {ANNA.member_id}
    assert members.of_member(ANNA.member_id) == {ANNA.device_id, ANNA2.device_id}
    assert members.by_role(Role.OWNER, Role.AGENT) == {ANNA.device_id, ANNA2.device_id, BEN.device_id}
    assert members.by_role(Role.AUDITOR) == set()


def test_a_past_device_is_remembered() -> None:
    """A removed device is no longer active, but its record and its links stay known."""
    members = found(ANNA, BEN).revoking(BEN.device_id, 4)
    assert BEN.device_id not in members.active
    past = members.devices[BEN.device_id]
    assert (past.added, past.revoked, past.record) == (0, 4, BEN.record)
    assert past.active_at(3)
    assert not past.active_at(4)
    assert not replace(past, added=2, revoked=None).active_at(1)


def test_membership_is_never_changed_in_place() -> None:
    """Every change makes a new membership; the old one still stands."""
    before = found(ANNA, CARL)
    before.adding(BEN.record, 1)
    before.revoking(CARL.device_id, 1)
    before.renaming(ANNA.device_id, "x", ())
    assert before == found(ANNA, CARL)
    with pytest.raises(TypeError):
        before.devices[BEN.device_id] = before.devices[ANNA.device_id]  # type: ignore[index]
    with pytest.raises(TypeError):
        before.active[BEN.device_id] = BEN.record  # type: ignore[index]


def test_a_device_is_renamed_and_gets_a_fresh_key() -> None:
    """Label, languages and KEM key change; the signing key never does."""
    members = found(ANNA).renaming(ANNA.device_id, "Anna at home", ("de", "fr"))
    members = members.updating(ANNA.device_id, kem_key=CARL.record.kem_key)
    expected = replace(ANNA.record, label="Anna at home", languages=("de", "fr"), kem_key=CARL.record.kem_key)
    assert members.active[ANNA.device_id] == expected


HALF_ZERO = bytes(MLKEM_PUBLIC - 32) + CARL.record.kem_key[MLKEM_PUBLIC - 32 :]
LOW_ORDER = CARL.record.kem_key[:MLKEM_PUBLIC] + bytes(32)
BAD_DEVICES: list[tuple[str, DeviceRecord, str]] = [
    ("an id that is in use", replace(CARL.record, device_id=ANNA.device_id), "device_known"),
    ("a signing key that is in use", replace(CARL.record, sign_key=ANNA.record.sign_key), "key_known"),
    ("a KEM key that is in use", replace(CARL.record, kem_key=ANNA.record.kem_key), "key_known"),
    ("an id of a removed device", replace(CARL.record, device_id=BEN.device_id), "device_known"),
    ("a signing key of a removed device", replace(CARL.record, sign_key=BEN.record.sign_key), "key_known"),
    ("a small-order signing key", replace(CARL.record, sign_key=IDENTITY_POINT), "bad_key"),
    ("a KEM key whose first half is zero", replace(CARL.record, kem_key=HALF_ZERO), "bad_key"),
    ("a KEM key whose second half is zero", replace(CARL.record, kem_key=LOW_ORDER), "bad_key"),
    ("a member nobody knows", replace(CARL.record, member_id=MemberId(bytes(16))), "bad_member"),
    ("a member who left", replace(CARL.record, member_id=BEN.member_id), "bad_member"),
    (
        "a member in another role",
        replace(CARL.record, member_id=ANNA.member_id, role=Role.AGENT),
        "bad_member",
    ),
    ("a second sheet of one member", device("s", Role.RECOVERY, member=SHEET).record, "bad_member"),
]


@pytest.mark.parametrize(("name", "record", "code"), BAD_DEVICES, ids=[row[0] for row in BAD_DEVICES])
def test_devices_that_may_not_enter(name: str, record: DeviceRecord, code: str) -> None:
    """A device enters with an id, keys and a member of its own, or not at all."""
    members = found(ANNA, BEN, SHEET).revoking(BEN.device_id, 1)
    with pytest.raises((TrustError, PeerError)) as caught:
        members.adding(record, 2)
    assert caught.value.code == code
    assert caught.value.hint


def test_fresh_kem_key_must_be_good_and_new() -> None:
    """A fresh KEM key passes the same checks as a first one."""
    members = found(ANNA, BEN)
    with pytest.raises(TrustError) as caught:
        members.updating(ANNA.device_id, kem_key=BEN.record.kem_key)
    assert caught.value.code == "key_known"
    with pytest.raises(PeerError) as bad:
        members.updating(ANNA.device_id, kem_key=HALF_ZERO)
    assert bad.value.code == "bad_key"


CHANGES: list[tuple[str, Callable[[Membership, DeviceId], Membership]]] = [
    ("removing", lambda members, who: members.revoking(who, 2)),
    ("renaming", lambda members, who: members.renaming(who, "x", ())),
    ("a fresh key", lambda members, who: members.updating(who, kem_key=CARL.record.kem_key)),
]


@pytest.mark.parametrize("absent", [BEN, CARL], ids=["removed", "never there"])
@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[row[0] for row in CHANGES])
def test_only_active_devices_change(
    name: str, change: Callable[[Membership, DeviceId], Membership], absent: Device
) -> None:
    """Nothing is changed or removed that is not in the team, or no longer."""
    members = found(ANNA, BEN).revoking(BEN.device_id, 1)
    with pytest.raises(TrustError) as caught:
        change(members, absent.device_id)
    assert caught.value.code == "device_unknown"


def test_enough_owners_stay() -> None:
    """No change leaves fewer owners than must sign; a second device of one owner is not another owner."""
    members = found(ANNA, ANNA2, CARL, threshold=2)
    members.revoking(ANNA2.device_id, 1)
    with pytest.raises(TrustError) as removed:
        members.revoking(CARL.device_id, 1)
    with pytest.raises(TrustError) as raised:
        members.requiring(3)
    assert removed.value.code == raised.value.code == "owners_below_threshold"
    assert members.requiring(1).revoking(CARL.device_id, 1).owners == {ANNA.member_id}


def test_a_person_has_so_many_devices() -> None:
    """One device more than can be removed at once is refused, and one that leaves makes room."""
    more = [device(f"anna's {number}", member=ANNA) for number in range(MEMBER_DEVICES_MAX)]
    full = found(ANNA, *more[1:])
    with pytest.raises(TrustError) as caught:
        full.adding(more[0].record, 1)
    assert caught.value.code == "too_many_devices"
    assert more[0].device_id in full.revoking(more[1].device_id, 1).adding(more[0].record, 2).active


def test_a_team_has_a_largest_size() -> None:
    """One device more than the bound is refused, and one that leaves makes room."""
    first = found(ANNA)
    record = first.devices[ANNA.device_id]
    crowd = {DeviceId(n.to_bytes(16, "big")): record for n in range(DEVICES_MAX - 1)}
    full = replace(first, devices={**crowd, ANNA.device_id: record})
    with pytest.raises(TrustError) as caught:
        full.adding(BEN.record, 1)
    assert caught.value.code == "too_many_devices"
    left = replace(full, devices={**full.devices, DeviceId(bytes(16)): replace(record, revoked=1)})
    assert BEN.device_id in left.adding(BEN.record, 2).active
