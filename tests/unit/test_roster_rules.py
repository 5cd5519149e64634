"""The signer table of section 4.3, row by row: who may sign what, and who may not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import TrustError
from e2e_support.presets import DEFAULT
from e2e_support.roster import begin_batch
from e2e_support.roster_links import (
    DeviceAdd,
    DeviceRevoke,
    DeviceUpdate,
    IssuerKeys,
    Payload,
    RelayKeys,
    Rename,
    Threshold,
)
from e2e_support.vocab import Role
from team_builder import EPOCH, Device, NewEpoch, Team, device, founding, seed_of

ANNA, CARL, EMMA = device("anna"), device("carl"), device("emma")
CARL2 = device("carl's second", member=CARL)
BEN = device("ben", Role.AGENT)
DORA = device("dora", Role.AUDITOR)
SHEET = device("sheet", Role.RECOVERY)
TEAM = Team.found(ANNA, CARL, CARL2, EMMA, BEN, DORA, SHEET, threshold=2)

OWNER, AGENT = device("new owner"), device("new agent", Role.AGENT)
AUDITOR, RECOVERY = device("new auditor", Role.AUDITOR), device("new sheet", Role.RECOVERY)
ANNA2, BEN2 = device("anna's second", member=ANNA), device("ben's second", Role.AGENT, member=BEN)
DORA2 = device("dora's second", Role.AUDITOR, member=DORA)
STRANGER = device("stranger")
RELAY = RelayKeys((SigningKey(Secret(seed_of("another relay"))).public,))

UNPROVEN = DeviceAdd(OWNER.record, bytes(64))

Row = tuple[str, Payload | NewEpoch | Device, Sequence[Device], str]


def rows_for_two_owners(name: str, payload: Payload) -> list[Row]:
    """Return the rows of a link that the threshold of owners signs."""
    return [
        (f"{name}: two owners", payload, [ANNA, CARL], ""),
        (f"{name}: all owners", payload, [ANNA, CARL, EMMA, CARL2], ""),
        (f"{name}: nobody", payload, [], "too_few_signers"),
        (f"{name}: one owner", payload, [ANNA], "too_few_signers"),
        (f"{name}: two devices of one owner", payload, [CARL, CARL2], "too_few_signers"),
        (f"{name}: one owner twice", payload, [ANNA, ANNA], "duplicate_signer"),
        (f"{name}: an owner and an agent", payload, [ANNA, BEN], "not_entitled"),
        (f"{name}: two owners and an agent", payload, [ANNA, CARL, BEN], "not_entitled"),
        (f"{name}: two owners and an auditor", payload, [ANNA, CARL, DORA], "not_entitled"),
        (f"{name}: two owners and a stranger", payload, [ANNA, CARL, STRANGER], "not_entitled"),
        (f"{name}: the recovery sheet", payload, [SHEET], "not_entitled"),
    ]


def rows_for_the_device(name: str, payload: Payload) -> list[Row]:
    """Return the rows of a link about Ben's device that only this device signs."""
    return [
        (f"{name}: the device itself", payload, [BEN], ""),
        (f"{name}: an owner", payload, [ANNA], "not_entitled"),
        (f"{name}: the device and an owner", payload, [BEN, ANNA], "not_entitled"),
    ]


SIMPLE: list[Row] = [
    *rows_for_two_owners("policy", DEFAULT),
    *rows_for_two_owners("relay key", RELAY),
    *rows_for_two_owners("issuer keys", IssuerKeys(())),
    *rows_for_two_owners("threshold", Threshold(3)),
    *rows_for_the_device("fresh KEM key", DeviceUpdate(BEN.device_id, STRANGER.record.kem_key)),
    *rows_for_the_device("rename", Rename(BEN.device_id, "Ben at home", ("de",))),
    ("fresh KEM key: an auditor's own", DeviceUpdate(DORA.device_id, STRANGER.record.kem_key), [DORA], ""),
    ("rename: the recovery sheet", Rename(SHEET.device_id, "x", ()), [SHEET], "not_entitled"),
    ("epoch: an owner", EPOCH, [ANNA], ""),
    ("epoch: an agent", EPOCH, [BEN], ""),
    ("epoch: both", EPOCH, [ANNA, BEN], ""),
    ("epoch: nobody", EPOCH, [], "too_few_signers"),
    ("epoch: an auditor", EPOCH, [DORA], "not_entitled"),
    ("epoch: the recovery sheet", EPOCH, [SHEET], "not_entitled"),
    ("leaving: an agent", DeviceRevoke(BEN.device_id), [BEN], ""),
    ("leaving: an auditor", DeviceRevoke(DORA.device_id), [DORA], ""),
    ("leaving: an owner", DeviceRevoke(EMMA.device_id), [EMMA], ""),
    ("leaving: the recovery sheet", DeviceRevoke(SHEET.device_id), [SHEET], "not_entitled"),
]


@pytest.mark.parametrize(("name", "payload", "signers", "code"), SIMPLE, ids=[row[0] for row in SIMPLE])
def test_links_that_stand_alone(
    name: str, payload: Payload | NewEpoch | Device, signers: Sequence[Device], code: str
) -> None:
    """A link passes exactly with the signatures of its row in the table."""
    judge(TEAM, [(payload, signers)], code)


def remove(target: Device) -> DeviceRevoke:
    """Return the payload that removes a device."""
    return DeviceRevoke(target.device_id)


CHANGES: list[Row] = [
    ("new owner: two owners", OWNER, [ANNA, CARL], ""),
    ("new owner: one owner", OWNER, [ANNA], "too_few_signers"),
    ("new owner: one owner with two devices", OWNER, [CARL, CARL2], "too_few_signers"),
    ("new owner: without its proof", UNPROVEN, [ANNA, CARL], "no_possession"),
    ("new owner: nobody but the device", OWNER, [], "too_few_signers"),
    ("new owner: an agent helps", OWNER, [ANNA, BEN], "not_entitled"),
    ("new agent: one owner", AGENT, [EMMA], ""),
    ("new agent: an agent", AGENT, [BEN], "not_entitled"),
    ("new agent: an auditor", AGENT, [DORA], "not_entitled"),
    ("new owner: the device signs the link too", OWNER, [ANNA, CARL, OWNER], "not_entitled"),
    ("new agent: the recovery sheet", AGENT, [SHEET], "not_entitled"),
    ("new auditor: one owner", AUDITOR, [EMMA], ""),
    ("new sheet: two owners", RECOVERY, [ANNA, EMMA], ""),
    ("new sheet: one owner", RECOVERY, [ANNA], "too_few_signers"),
    ("new sheet: the old sheet", RECOVERY, [SHEET], "not_entitled"),
    ("further device of an owner: her own", ANNA2, [ANNA], ""),
    ("further device of an owner: two others", ANNA2, [CARL, EMMA], ""),
    ("further device of an owner: one other", ANNA2, [CARL], "too_few_signers"),
    ("further device of an agent: his own", BEN2, [BEN], ""),
    ("further device of an agent: an owner", BEN2, [ANNA], ""),
    ("further device of an auditor: her own", DORA2, [DORA], "not_entitled"),
    ("further device of an auditor: an owner", DORA2, [ANNA], ""),
    ("removing an owner: two others", remove(EMMA), [ANNA, CARL], ""),
    ("removing an owner: one other", remove(EMMA), [ANNA], "too_few_signers"),
    ("removing an owner: the target helps", remove(EMMA), [ANNA, EMMA], "not_entitled"),
    ("removing an owner: an agent", remove(EMMA), [BEN], "not_entitled"),
    ("removing a lost device: the other one helps", remove(CARL2), [CARL, ANNA], ""),
    ("removing a lost device: the other one alone", remove(CARL2), [CARL], "too_few_signers"),
    ("removing an agent: one owner", remove(BEN), [ANNA], ""),
    ("removing an agent: an auditor", remove(BEN), [DORA], "not_entitled"),
    ("removing an auditor: one owner", remove(DORA), [ANNA], ""),
    ("removing an auditor: an agent", remove(DORA), [BEN], "not_entitled"),
    ("removing the sheet: two owners", remove(SHEET), [ANNA, CARL], ""),
    ("removing the sheet: one owner", remove(SHEET), [ANNA], "too_few_signers"),
    ("removing a stranger: two owners", remove(STRANGER), [ANNA, CARL], "device_unknown"),
]


@pytest.mark.parametrize(("name", "payload", "signers", "code"), CHANGES, ids=[row[0] for row in CHANGES])
def test_changes_of_devices(
    name: str, payload: Payload | NewEpoch | Device, signers: Sequence[Device], code: str
) -> None:
    """A device comes or goes exactly with the signatures of its row, and with an epoch behind it."""
    judge(TEAM, [(payload, signers), (EPOCH, [ANNA])], code)


def test_recovery_adds_one_owner_and_its_epoch() -> None:
    """The recovery sheet alone brings a new owner in, and boxes for everybody."""
    judge(TEAM, [(OWNER, [SHEET]), (EPOCH, [SHEET])], "")


def test_recovery_brings_back_a_member() -> None:
    """The recovery sheet can give an owner who lost a computer another device."""
    judge(TEAM, [(ANNA2, [SHEET]), (EPOCH, [SHEET])], "")


BEYOND_RECOVERY: list[tuple[str, list[tuple[Payload | NewEpoch | Device, Sequence[Device]]], str]] = [
    ("no epoch follows", [(OWNER, [SHEET])], "epoch_missing"),
    (
        "a second owner in the same batch",
        [(OWNER, [SHEET]), (ANNA2, [SHEET]), (EPOCH, [SHEET])],
        "epoch_missing",
    ),
    (
        "a removal in the same batch",
        [(OWNER, [SHEET]), (remove(BEN), [OWNER]), (EPOCH, [SHEET])],
        "epoch_missing",
    ),
    (
        "inside another batch",
        [(remove(BEN), [ANNA]), (OWNER, [SHEET]), (EPOCH, [SHEET])],
        "epoch_missing",
    ),
    (
        "a second epoch",
        [(OWNER, [SHEET]), (EPOCH, [SHEET]), (EPOCH, [SHEET])],
        "not_entitled",
    ),
    (
        "an owner signs along",
        [(OWNER, [SHEET, ANNA]), (EPOCH, [SHEET])],
        "not_entitled",
    ),
    ("without proof", [(UNPROVEN, [SHEET]), (EPOCH, [SHEET])], "no_possession"),
    ("the epoch of another batch", [(AGENT, [ANNA]), (EPOCH, [SHEET])], "not_entitled"),
]


@pytest.mark.parametrize(("name", "steps", "code"), BEYOND_RECOVERY, ids=[row[0] for row in BEYOND_RECOVERY])
def test_recovery_does_nothing_else(
    name: str, steps: list[tuple[Payload | NewEpoch | Device, Sequence[Device]]], code: str
) -> None:
    """Whoever finds the recovery sheet can do exactly one thing with it."""
    judge(TEAM, steps, code)


FOUNDING: list[tuple[str, Sequence[Device], str]] = [
    ("one owner", [ANNA], ""),
    ("everybody", [ANNA, CARL, CARL2, BEN, DORA, SHEET], ""),
    ("no owner", [BEN], "owners_below_threshold"),
    ("nobody", [], "owners_below_threshold"),
    ("a second device before the first", [ANNA, CARL2], "bad_member"),
]


@pytest.mark.parametrize(("name", "devices", "code"), FOUNDING, ids=[row[0] for row in FOUNDING])
def test_founding_devices(name: str, devices: Sequence[Device], code: str) -> None:
    """A team begins with devices that fit together and at least one owner."""
    batch, _ = founding(*devices)
    if not code:
        assert len(begin_batch(batch).devices) == len(devices)
        return
    with pytest.raises(TrustError) as caught:
        begin_batch(batch)
    assert caught.value.code == code


def judge(team: Team, steps: list[tuple[Payload | NewEpoch | Device, Sequence[Device]]], code: str) -> None:
    """Check that a batch is accepted (no code) or refused with a code, and that refusing changes nothing."""
    batch = team.prepare(*steps)
    if not code:
        after = team.roster.update_batch(batch)
        assert after.head.length == team.roster.head.length + len(steps)
        return
    with pytest.raises(TrustError) as caught:
        team.roster.update_batch(batch)
    assert caught.value.code == code
    assert caught.value.hint
