"""The roster against whatever comes: noise, mutations, other orders, and long honest lives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import permutations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from e2e_support.errors import PeerError, TrustError, UsageError
from e2e_support.freshness import check_freshness, sign_freshness
from e2e_support.policy_checks import open_policy
from e2e_support.presets import DEFAULT
from e2e_support.roster import Standing, TrustedRoster
from e2e_support.roster_links import DeviceRevoke, DeviceUpdate, Payload, Rename, Threshold
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Role
from team_builder import EPOCH, TIME, Device, NewEpoch, Team, device, pairs

ANNA, CARL, EMMA = device("anna"), device("carl"), device("emma")
CARL2 = device("carl's second", member=CARL)
BEN, DORA, SHEET = device("ben", Role.AGENT), device("dora", Role.AUDITOR), device("sheet", Role.RECOVERY)
Deed = list[tuple[Payload | NewEpoch | Device, Sequence[Device]]]
EVERYBODY = [ANNA, CARL, CARL2, EMMA, BEN, DORA, SHEET]


@cache
def old_team() -> Team:
    """Return a team whose roster has every kind of link."""
    team = Team.found(ANNA, BEN)
    team.add(CARL, ANNA)
    team.do((Threshold(2), [ANNA]))
    team.do((DEFAULT, [ANNA, CARL]))
    team.remove(BEN, CARL)
    team.do((Rename(CARL.device_id, "Carl", ()), [CARL]))
    team.do((DeviceUpdate(ANNA.device_id, device("fresh").record.kem_key), [ANNA]))
    team.add(DORA, CARL)
    team.do((DeviceRevoke(DORA.device_id), [DORA]))
    team.do((EPOCH, [ANNA]))
    return team


def outcome(attempt: Callable[[], TrustedRoster]) -> TrustedRoster | str:
    """Return the roster that comes out, or the code of the refusal."""
    try:
        return attempt()
    except TrustError as error:
        return error.code


# --- noise and mutations ---------------------------------------------------------------------------------


@given(st.binary(max_size=2_000))
@example(b"")
@example(b"\x92\xc4\x00\x90")
def test_noise_ends_in_one_kind_of_error(data: bytes) -> None:
    """Bytes from anywhere are refused with an error of the tree, and nothing else ever leaves."""
    roster = old_team().roster
    readers: list[Callable[[bytes], object]] = [
        TrustedRoster.begin,
        lambda noise: roster.update([noise]),
        lambda noise: check_freshness(roster, noise, now=TIME),
        open_policy,
    ]
    for reader in readers:
        with pytest.raises((PeerError, TrustError)):
            reader(data)
    assert roster.compare(data).standing is Standing.STRANGE


@given(st.text(max_size=200) | st.from_regex(r"e2es(\+http)?://[a-z0-9.:\[\]-]{1,40}/#[A-Za-z0-9_-]{48}"))
def test_noise_is_no_support_link(text: str) -> None:
    """Text from anywhere is refused as a bad link; nobody hits a checksum by chance."""
    with pytest.raises(UsageError) as caught:
        SupportLink.parse(text)
    assert caught.value.code == "bad_link"
    assert caught.value.hint


@st.composite
def mutations(draw: st.DrawFn, data: bytes) -> bytes:
    """Return bytes with one stretch replaced, removed or added to."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 8)))
    return data[:start] + draw(st.binary(max_size=8)) + data[end:]


@given(st.data())
def test_a_mutated_link_is_never_another_link(data: st.DataObject) -> None:
    """A changed link is refused, wherever it was changed; the bytes that pass are the bytes that were signed."""
    links = old_team().roster.links
    place = data.draw(st.integers(0, len(links) - 1), label="place")
    mutated = data.draw(mutations(links[place]), label="mutated")
    assume(mutated != links[place])
    chain = [*links[:place], mutated, *links[place + 1 :]]
    with pytest.raises((PeerError, TrustError)):
        TrustedRoster.begin(chain[0], team_id=old_team().team_id).update(chain[1:])


@given(st.data())
def test_a_mutated_statement_never_counts(data: st.DataObject) -> None:
    """A changed freshness statement is refused: it is signed as a whole."""
    roster = Team.found(ANNA, CARL).roster
    statement = sign_freshness(roster, pairs([ANNA, CARL]), now=TIME)
    mutated = data.draw(mutations(statement), label="mutated")
    assume(mutated != statement)
    with pytest.raises((PeerError, TrustError)):
        check_freshness(roster, mutated, now=TIME)


# --- orders ----------------------------------------------------------------------------------------------


@given(st.data())
def test_links_in_another_order_are_refused(data: st.DataObject) -> None:
    """No other order of the same links is a roster."""
    first, *rest = old_team().roster.links
    other = data.draw(st.permutations(rest), label="order")
    assume(other != rest)
    with pytest.raises(TrustError) as caught:
        TrustedRoster.begin(first).update(other)
    assert caught.value.code == "not_next"


@given(st.sets(st.integers(1, len(old_team().roster.links) - 1), min_size=1))
def test_dropped_links_leave_an_older_roster_or_none(dropped: set[int]) -> None:
    """What is left after dropping links is refused, or it is a shorter roster that knows its own head."""
    roster = old_team().roster
    left = [link for seq, link in enumerate(roster.links) if seq not in dropped]
    older = outcome(lambda: TrustedRoster.begin(left[0]).update(left[1:]))
    if isinstance(older, str):
        assert older in {"not_next", "epoch_missing"}
        return
    assert older.links == roster.links[: len(left)]
    assert roster.has_head(older.head)
    assert not older.has_head(roster.head)


def test_every_order_of_a_short_roster() -> None:
    """Of all orders of five links exactly one is a roster."""
    first, *rest = old_team().roster.links[:5]
    begun = TrustedRoster.begin(first)
    rosters = {order: outcome(partial(begun.update, order)) for order in permutations(rest)}
    assert [order for order, found in rosters.items() if not isinstance(found, str)] == [tuple(rest)]


# --- the signer table, from the other side ---------------------------------------------------------------


SIGNERS = st.lists(st.sampled_from(EVERYBODY), unique_by=lambda one: one.name)


@given(SIGNERS, st.integers(1, 3))
def test_a_policy_needs_the_threshold_of_owners_and_nobody_else(
    signers: list[Device], threshold: int
) -> None:
    """A policy passes exactly if all signers are owners and enough different people are among them."""
    team = Team.found(*EVERYBODY, threshold=threshold)
    owners = {one.member_id for one in signers if one.record.role is Role.OWNER}
    expected = len(owners) >= threshold and all(one.record.role is Role.OWNER for one in signers)
    assert accepted(team, (DEFAULT, signers)) is expected


@given(SIGNERS, st.sampled_from(EVERYBODY))
def test_nobody_is_removed_by_too_few(signers: list[Device], target: Device) -> None:
    """A removal passes exactly if the device leaves by itself or its row of the table is met."""
    team = Team.found(*EVERYBODY, threshold=2)
    others = [one for one in signers if one is not target]
    owners = {one.member_id for one in others if one.record.role is Role.OWNER}
    heavy = target.record.role in {Role.OWNER, Role.RECOVERY}
    removed = len(owners) >= (2 if heavy else 1) and all(one.record.role is Role.OWNER for one in signers)
    removed = removed and not (heavy and target in signers)
    leaves = signers == [target] and target is not SHEET
    steps: Deed = [(DeviceRevoke(target.device_id), signers)]
    if not leaves:
        maker = next(one for one in (ANNA, CARL) if one is not target)
        steps.append((EPOCH, [maker]))
    assert accepted(team, *steps) is (leaves or removed)


def accepted(team: Team, *steps: tuple[Payload | NewEpoch | Device, Sequence[Device]]) -> bool:
    """Tell whether a batch is accepted."""
    return not isinstance(outcome(lambda: team.roster.update_batch(team.prepare(*steps))), str)


# --- long lives ------------------------------------------------------------------------------------------


class Life:
    """A team that does valid things for a long time, one after the other."""

    def __init__(self, threshold: int) -> None:
        self.keys = {one.device_id: one for one in (ANNA, CARL, BEN)}
        self.team = Team.found(ANNA, CARL, BEN, threshold=threshold)
        self.born = 0

    def owners(self) -> list[Device]:
        """Return one active device of each owner."""
        roster = self.team.roster
        firsts = {record.member_id: record for record in roster.devices.values() if record.role is Role.OWNER}
        return [self.keys[record.device_id] for record in firsts.values()]

    def newcomer(self, role: Role, member: Device | None = None) -> Device:
        """Return a device that nobody has seen before."""
        self.born += 1
        one = device(f"newcomer {self.born}", role, member=member)
        self.keys[one.device_id] = one
        return one

    def live(self, what: int, whom: int) -> None:
        """Do one thing; what cannot be done now is refused and changes nothing."""
        devices = list(self.team.roster.devices)
        target = self.keys[devices[whom % len(devices)]]
        owners = self.owners()
        others = [one for one in owners if one is not target]
        actions: list[Deed] = [
            [(EPOCH, [owners[0]])],
            [(DEFAULT, owners)],
            [(Rename(target.device_id, f"label {whom}", ()), [target])],
            [(Threshold(1 + whom % 3), owners)],
            [(DeviceRevoke(target.device_id), [target])],
            [(DeviceRevoke(target.device_id), others), (EPOCH, others[:1])],
            *self.additions(target, owners),
        ]
        done = outcome(lambda: self.team.do(*actions[what % len(actions)]))
        refused = {"owners_below_threshold", "too_few_signers", "not_entitled", "bad_member"}
        assert not isinstance(done, str) or done in refused

    def additions(self, target: Device, owners: list[Device]) -> list[Deed]:
        """Return ways to add a device: a new owner, agent or auditor, or a further device of somebody."""
        newcomers = [self.newcomer(role) for role in (Role.OWNER, Role.AGENT, Role.AUDITOR)]
        newcomers.append(self.newcomer(target.record.role, target))
        return [[(one, [*owners]), (EPOCH, owners[:1])] for one in newcomers]


@given(
    st.integers(1, 2),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25),
)
def test_a_long_life_keeps_the_invariants(threshold: int, deeds: list[tuple[int, int]]) -> None:
    """Whatever a team validly does, enough owners stay, everybody has a box, and history stays as it was."""
    life = Life(threshold)
    for what, whom in deeds:
        before = life.team.roster
        life.live(what, whom)
        check_invariants(before, life.team.roster)
    roster = life.team.roster
    assert TrustedRoster.begin(roster.links[0], team_id=roster.team_id).update(roster.links[1:]) == roster


def check_invariants(before: TrustedRoster, after: TrustedRoster) -> None:
    """Check what must hold after every batch."""
    assert after.links[: len(before.links)] == before.links
    assert after.has_head(before.head)
    assert after.owed is None
    assert len(after.membership.owners) >= after.threshold >= 1
    assert [record.epoch for record in after.epochs] == list(range(len(after.epochs)))
    boxes = {box.device_id for box in after.epoch.boxes}
    assert boxes == after.devices.keys() or (after.rotation_due and boxes > after.devices.keys())
    assert len({one.record.sign_key for one in after.devices_ever.values()}) == len(after.devices_ever)
    for record in before.devices.values():
        assert after.device_at(record.device_id, before.head) is not None
    for member, devices in after.members.items():
        assert len({record.role for record in devices}) == 1
        assert {record.member_id for record in devices} == {member}
