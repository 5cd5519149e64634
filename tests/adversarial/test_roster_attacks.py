"""Attacks on the roster, one row each: the number, the story, what the attacker does, what must happen.

Every row is run twice: with its defence, where the attack must be refused for the reason in the row; and
with the defence taken away, where it must succeed, so that no row passes for another reason than it says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from e2e_support import epoch, freshness, membership, roster, roster_links, roster_steps
from e2e_support.canonical import encode
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import check_epoch_seed, check_ring, epoch_keys
from e2e_support.errors import PeerError, TrustError
from e2e_support.freshness import DAY, check_freshness, cosign_freshness, freshness_of, sign_freshness
from e2e_support.ids import DeviceId
from e2e_support.membership import Membership
from e2e_support.presets import DEFAULT
from e2e_support.roster import Standing, TrustedRoster, next_body
from e2e_support.roster_links import (
    NO_TEAM,
    DeviceAdd,
    DeviceRevoke,
    OpenLink,
    Payload,
    RelayKeys,
    Rename,
    Threshold,
    link_hash,
    open_link,
    prove_device,
    sign_link,
)
from e2e_support.roster_rules import Quorum
from e2e_support.roster_state import RosterState
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support.wire import DeviceRecord, DeviceSignature, EpochBox, Freshness, Head, Link, LinkBody
from team_builder import EPOCH, TIME, Device, NewEpoch, Team, device, make_epoch, pairs, seed_of

ANNA, CARL, EMMA = device("anna"), device("carl"), device("emma")
CARL2 = device("carl's second", member=CARL)
BEN = device("ben", Role.AGENT)
DORA = device("dora", Role.AUDITOR)
EVE = device("eve")  # the attacker's own device
EVE_AGENT = device("eve the agent", Role.AGENT)

VOUCHED_SINCE: Callable[..., int] = vars(freshness)["_vouched_since"]
NEW = device("new", Role.AGENT)

Defence = tuple[object, str, Callable[..., Any]]


def nothing(*_: object, **__: object) -> None:
    """Stand in for a check that was taken away."""


def anyone(members: Membership, link: OpenLink, *_: object) -> Quorum:
    """Stand in for the signer table: whoever signs is entitled, and one voice is enough."""
    signers = frozenset(signature.device_id for signature in link.signatures)
    return Quorum(signers & members.active.keys())


def any_signers(_roster: RosterState, _good: Collection[DeviceId], issued: int, _now: int) -> int:
    """Stand in for the count of signers: whoever signed is enough."""
    return issued


def uncapped(roster: RosterState, good: Collection[DeviceId], issued: int, now: int) -> int:
    """Stand in for the rule about a newcomer's first days: a lone statement lives as long as any other."""
    VOUCHED_SINCE(roster, good, issued, now)
    return issued


def adding_anything(self: Membership, record: DeviceRecord, seq: int) -> Membership:
    """Stand in for the rules about devices: every device enters."""
    return replace(self, devices={**self.devices, record.device_id: membership.Device(record, seq)})


def no_requirement(self: Membership, threshold: int) -> Membership:
    """Stand in for the rule that enough owners stay."""
    return replace(self, threshold=threshold)


def read_regardless(data: bytes) -> OpenLink:
    """Read a link as a program would that passes over what it does not know: as a threshold of one."""
    try:
        return open_link(data)
    except PeerError:
        link = Link.from_bytes(data)
    return OpenLink(data, link.body, ONE_OWNER, Threshold(1), link.signatures)


def lax_verify(public: bytes, signature: bytes, tag: Tag, *parts: bytes) -> bool:
    """Verify as another well-known library does."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, tag.prefix() + b"".join(parts))
    except InvalidSignature:
        return False
    return True


CHAIN: Defence = (roster_steps, "_check_next", nothing)
SIGNATURES: Defence = (roster_steps, "check_signatures", nothing)
SIGNER_TABLE: Defence = (roster_steps, "quorum", anyone)
POSSESSION: Defence = (roster_steps, "check_possession", nothing)
BATCH: Defence = (roster_steps, "_check_owed", nothing)
DEVICE_RULES: Defence = (Membership, "adding", adding_anything)
ENOUGH_OWNERS: Defence = (Membership, "requiring", no_requirement)
EPOCH_RULES: Defence = (roster_steps, "check_epoch", nothing)
KEY_CHECK: Defence = (membership, "check_public", nothing)
LAX_PROOF: Defence = (roster_links, "verify", lax_verify)
STRICT_READER: Defence = (roster, "open_link", read_regardless)
NAMED_HEAD: Defence = (TrustedRoster, "require_head", nothing)
BOX_HASHES: Defence = (roster, "check_package", nothing)
SEED_CHECK: Defence = (epoch, "_fits", lambda *_: True)
FRESH_SIGNERS: Defence = (freshness, "_vouched_since", any_signers)
FRESH_NEWCOMERS: Defence = (freshness, "_is_newcomer", lambda *_: True)
FRESH_CAP: Defence = (freshness, "_vouched_since", uncapped)
FRESH_FORWARD: Defence = (freshness, "_check_forward", nothing)
FRESH_TIME: Defence = (freshness, "_check_time", nothing)


@dataclass(frozen=True)
class Attack:
    """One row.

    Attributes:
        number: as in the list of attacks.
        story: what the attacker does.
        attempt: does it; raises where the defence holds.
        code: why it must be refused.
        defences: what to take away for the attack to succeed.
    """

    number: int
    story: str
    attempt: Callable[[], object]
    code: str
    defences: Sequence[Defence]


def team() -> Team:
    """Return the team under attack: three owners of whom two must agree, an agent and an auditor."""
    return Team.found(ANNA, CARL, CARL2, EMMA, BEN, DORA, threshold=2)


ONE_OWNER = next_body(team().roster, Threshold(1), TIME)


def step(*steps: tuple[Payload | NewEpoch | Device, Sequence[Device]]) -> Callable[[], object]:
    """Return an attempt to get a batch into the team's roster."""
    return lambda: team().do(*steps)


def feed(links: Callable[[Team], Sequence[bytes]]) -> Callable[[], object]:
    """Return an attempt to get links into the team's roster."""

    def attempt() -> object:
        attacked = team()
        sent = links(attacked)
        return attacked.roster.update(sent)

    return attempt


# --- 7, 8: an old roster, two rosters --------------------------------------------------------------------


def old_roster_without_the_named_head() -> object:
    """The support link names a head after a removal; the relay serves the roster before it."""
    served = team()
    honest = team()
    honest.remove(BEN, ANNA)
    served.roster.require_head((honest.roster.head.length, honest.roster.head.hash[:16]))
    return None


def old_roster_until_it_is_stale() -> object:
    """The relay serves an old roster with the last statement it has, for ever."""
    served = team().roster
    statement = sign_freshness(served, pairs([ANNA, BEN]), now=TIME)
    return check_freshness(served, statement, now=TIME + 31 * DAY)


def old_roster_with_a_new_statement() -> object:
    """The relay serves an old roster with a statement about the new one."""
    served, honest = team().roster, team()
    honest.remove(BEN, ANNA)
    return check_freshness(served, sign_freshness(honest.roster, pairs([ANNA, CARL]), now=TIME), now=TIME)


def links_that_stand_already(attacked: Team) -> Sequence[bytes]:
    """Return the roster's own first links once more."""
    first = attacked.do((Threshold(1), [ANNA, CARL])).links[1]
    attacked.do((Threshold(2), [ANNA]))
    return [first]


def another_link_with_the_same_number(attacked: Team) -> Sequence[bytes]:
    """Return a validly signed link for a number that the roster is past."""
    other = attacked.link(Rename(BEN.device_id, "Ben", ()), BEN)
    attacked.do((EPOCH, [ANNA]))
    return [other]


# --- 9-13: strangers, keys, boxes ------------------------------------------------------------------------


class ForgedKey:
    """Signs nothing: the signature that some libraries accept under a key of small order (R = A, S = 0)."""

    public = b"\x01" + bytes(31)

    def sign(self, tag: Tag, *parts: bytes) -> bytes:
        """Return the identity point and zero, whatever is signed."""
        return self.public + bytes(32)


SMALL_ORDER = replace(EVE_AGENT.claiming(sign_key=ForgedKey.public), sign=ForgedKey())  # type: ignore[arg-type]


def joins_with(proof: bytes) -> Callable[[], object]:
    """Return an attempt to add Eve's record with a proof; an owner who was fooled signs."""
    return step((DeviceAdd(EVE_AGENT.record, proof), [ANNA]), (EPOCH, [ANNA]))


def boxes_for(*devices: Device) -> Callable[[Team], Sequence[bytes]]:
    """Return an epoch link by the agent with boxes for these devices."""

    def links(attacked: Team) -> Sequence[bytes]:
        active = {one.device_id: one.record for one in devices}
        record, _ = make_epoch(attacked.team_id, 1, Secret(seed_of("rigged")), active)
        return [attacked.link(record, BEN)]

    return links


def box_swapped_beside_the_roster() -> object:
    """The relay replaces a box beside the roster with one of its own."""
    attacked = team()
    package = attacked.packages[0]
    false = replace(package, boxes=(EpochBox(ANNA.device_id, b"for anna"), *package.boxes[1:]))
    attacked.roster.check_package(false)
    return None


def epoch_key_changed_after_signing(attacked: Team) -> Sequence[bytes]:
    """Return a signed epoch link in which the relay put its own public key."""
    honest = open_link(attacked.link(EPOCH, ANNA))
    record, _ = make_epoch(attacked.team_id, 1, Secret(seed_of("the relay's")), attacked.roster.devices)
    body = replace(honest.body, payload=record.to_bytes())
    return [Link(body.to_bytes(), honest.signatures).to_bytes()]


# --- 24, 25, 31: versions, types, relay keys -------------------------------------------------------------


def body_of(version: int, suite: int, kind: int) -> Callable[[Team], Sequence[bytes]]:
    """Return a well-signed link whose header says something else."""

    def links(attacked: Team) -> Sequence[bytes]:
        tip = attacked.roster
        data = encode((version, suite, tip.team_id, len(tip.links), tip.hashes[-1], TIME, kind, b"\x91\x01"))
        signed = [(one.device_id, one.sign.sign(Tag.LINK_SIGN, data)) for one in (ANNA, CARL)]
        signatures = tuple(DeviceSignature(device_id, signature) for device_id, signature in signed)
        return [Link(data, signatures).to_bytes()]

    return links


NEW_RELAY_KEY = RelayKeys((SigningKey(Secret(seed_of("evil relay"))).public,))


# --- 53, 54: removed, doubled and borrowed voices ---------------------------------------------------------


def signs_after_removal(attacked: Team) -> Sequence[bytes]:
    """Return a link that a removed agent signs on top of the removal."""
    attacked.remove(BEN, ANNA)
    return [attacked.link(EPOCH, BEN)]


def signs_for_a_number_that_is_taken(attacked: Team) -> Sequence[bytes]:
    """Return a link that an owner signed for the number that a removal took."""
    late = attacked.link(Rename(ANNA.device_id, "x", ()), ANNA)
    attacked.remove(BEN, ANNA)
    return [late]


# --- 56, 57: false seeds and rings -----------------------------------------------------------------------


def different_seed_for_one() -> object:
    """One administrator's box holds another seed than the others'."""
    record = team().roster.epoch
    return check_epoch_seed(record, NO_TEAM, Secret(seed_of("only for you")))


def public_key_of_nobody() -> object:
    """The epoch's public key does not belong to its seed: what is sealed to it nobody in the team opens."""
    attacked = team()
    rigged = replace(attacked.roster.epoch, kem_key=epoch_keys(Secret(seed_of("mine"))).kem.public)
    return check_epoch_seed(rigged, NO_TEAM, attacked.seeds[0])


def ring(seeds: Callable[[Team], dict[int, Secret]]) -> Callable[[], object]:
    """Return an attempt to pass a ring for the third epoch."""

    def attempt() -> object:
        attacked = team()
        attacked.do((EPOCH, [BEN]))
        attacked.do((EPOCH, [BEN]))
        return check_ring(attacked.roster.epochs[:-1], attacked.team_id, seeds(attacked))

    return attempt


# --- 85: freshness by the removed ------------------------------------------------------------------------


def removed_agent_vouches() -> object:
    """A removed agent and the relay vouch for the roster before the removal, to a client that knows better."""
    attacked = team()
    old = attacked.roster
    attacked.remove(BEN, ANNA)
    statement = sign_freshness(old, pairs([ANNA, BEN]), now=TIME + DAY)
    return check_freshness(attacked.roster, statement, now=TIME + DAY)


def lone_team() -> Team:
    """Return a team of one owner, to which an agent came a moment ago."""
    attacked = Team.found(ANNA)
    attacked.add(NEW, ANNA)
    return attacked


def removed_newcomer_vouches() -> object:
    """A newcomer who was removed at once vouches alone for the roster that they were in, as the relay serves it."""
    return check_freshness(
        lone_team().roster, sign_freshness(lone_team().roster, pairs([NEW]), now=TIME), now=TIME
    )


def removed_founder_vouches_alone() -> object:
    """A founder who was removed vouches alone for the roster with the device that removed them."""
    served = lone_team().roster
    statement = sign_freshness(served, pairs([ANNA]), now=TIME + 4 * DAY)
    return check_freshness(served, statement, now=TIME + 4 * DAY)


def removed_founder_dates_back() -> object:
    """They date it to the last moment in which it counts, to outlive all that was said before the removal."""
    served = lone_team().roster
    statement = sign_freshness(served, pairs([ANNA]), now=TIME + 3 * DAY)
    return check_freshness(served, statement, now=TIME + 31 * DAY)


def removed_founder_had_dated_ahead() -> object:
    """A founder who foresees the removal dates the newcomer's link so far ahead that nobody ever waits for them."""
    served = Team.found(ANNA)
    batch = served.prepare((NEW, [ANNA]), (EPOCH, [ANNA]))
    bodies = [replace(open_link(link).body, time=TIME + 400 * DAY) for link in batch.links]
    served.accept(replace(batch, links=_chained(bodies)))
    return check_freshness(
        served.roster, sign_freshness(served.roster, pairs([ANNA]), now=TIME + 40 * DAY), now=TIME + 40 * DAY
    )


def _chained(bodies: Sequence[LinkBody]) -> tuple[bytes, ...]:
    """Return links of bodies whose times were changed, signed by Anna."""
    first = bodies[0]
    second = replace(bodies[1], prev_hash=link_hash(first.to_bytes()))
    return tuple(sign_link(body, pairs([ANNA])) for body in (first, second))


def statement_goes_back() -> object:
    """The relay replays a statement that is older than the one a client has seen."""
    served = team().roster
    newer = check_freshness(served, sign_freshness(served, pairs([ANNA, BEN]), now=TIME + 5), now=TIME + 5)
    return check_freshness(
        served, sign_freshness(served, pairs([ANNA, BEN]), now=TIME), now=TIME + 5, earlier=newer
    )


def statement_for_a_century() -> object:
    """Two devices, one of them soon removed, vouch for a hundred years."""
    served = team().roster
    body = replace(freshness_of(sign_freshness(served, [], now=TIME)), expires=TIME + 36_500 * DAY)
    unsigned = Freshness(body.to_bytes(), ()).to_bytes()
    statement = cosign_freshness(unsigned, pairs([ANNA, BEN]))
    return check_freshness(served, statement, now=TIME + 31 * DAY)


# --- the table -------------------------------------------------------------------------------------------

TWIN = replace(device("twin"), sign=ANNA.sign).claiming(sign_key=ANNA.record.sign_key)
IN_CARLS_NAME = device("carl's third, says anna", member=CARL)
AS_AUDITOR = replace(EVE_AGENT.record, role=Role.AUDITOR)

ATTACKS = [
    Attack(
        7,
        "hides a removal behind an older roster",
        old_roster_without_the_named_head,
        "roster_behind",
        [NAMED_HEAD],
    ),
    Attack(7, "serves an old roster for ever", old_roster_until_it_is_stale, "roster_stale", [FRESH_TIME]),
    Attack(7, "serves links that stand already", feed(links_that_stand_already), "not_next", [CHAIN]),
    Attack(8, "tells two stories", feed(another_link_with_the_same_number), "not_next", [CHAIN]),
    Attack(
        9,
        "injects an administrator that signs for itself",
        step((EVE_AGENT, []), (EPOCH, [EVE_AGENT])),
        "too_few_signers",
        [SIGNATURES],
    ),
    Attack(
        9,
        "injects an administrator whom an agent signs",
        step((EVE_AGENT, [BEN]), (EPOCH, [BEN])),
        "not_entitled",
        [SIGNER_TABLE],
    ),
    Attack(
        9,
        "injects an owner whom one owner signs",
        step((EVE, [ANNA]), (EPOCH, [ANNA])),
        "too_few_signers",
        [SIGNER_TABLE],
    ),
    Attack(
        9,
        "injects an administrator with a made-up signature",
        step((EVE_AGENT, [replace(ANNA, sign=EVE.sign)]), (EPOCH, [ANNA])),
        "bad_signature",
        [SIGNATURES],
    ),
    Attack(
        10,
        "adds somebody else's key without a proof",
        joins_with(bytes(64)),
        "no_possession",
        [POSSESSION],
    ),
    Attack(
        10,
        "adds somebody else's key with a proof by another key",
        joins_with(prove_device(EVE.sign, team().team_id, EVE_AGENT.record)),
        "no_possession",
        [POSSESSION],
    ),
    Attack(
        10,
        "replays a proof that a device made for another team",
        joins_with(prove_device(EVE_AGENT.sign, NO_TEAM, EVE_AGENT.record)),
        "no_possession",
        [POSSESSION],
    ),
    Attack(
        10,
        "gives a device another role than it has proven",
        joins_with(prove_device(EVE_AGENT.sign, team().team_id, AS_AUDITOR)),
        "no_possession",
        [POSSESSION],
    ),
    Attack(
        11,
        "adds a key of small order with a signature of nobody",
        step((SMALL_ORDER, [ANNA]), (EPOCH, [ANNA])),
        "bad_key",
        [KEY_CHECK, LAX_PROOF],
    ),
    Attack(
        12,
        "adds a box for itself to the epoch",
        feed(boxes_for(ANNA, CARL, CARL2, EMMA, BEN, DORA, EVE)),
        "epoch_boxes",
        [EPOCH_RULES],
    ),
    Attack(
        12,
        "leaves an administrator's box out of the epoch",
        feed(boxes_for(ANNA, CARL, CARL2, BEN, DORA)),
        "epoch_boxes",
        [EPOCH_RULES],
    ),
    Attack(12, "swaps a box beside the roster", box_swapped_beside_the_roster, "bad_package", [BOX_HASHES]),
    Attack(
        13,
        "puts its own public key into a signed epoch",
        feed(epoch_key_changed_after_signing),
        "bad_signature",
        [SIGNATURES],
    ),
    Attack(24, "claims a lower version", feed(body_of(0, 1, 8)), "update_needed", [STRICT_READER]),
    Attack(24, "claims a lower suite", feed(body_of(1, 0, 8)), "update_needed", [STRICT_READER]),
    Attack(
        25,
        "hopes that an unknown kind of link is skipped",
        feed(body_of(1, 1, 99)),
        "update_needed",
        [STRICT_READER],
    ),
    Attack(
        25, "hopes that an unknown suite is skipped", feed(body_of(1, 2, 8)), "update_needed", [STRICT_READER]
    ),
    Attack(
        31, "replaces the relay key by itself", step((NEW_RELAY_KEY, [])), "too_few_signers", [SIGNATURES]
    ),
    Attack(
        31,
        "replaces the relay key with one owner",
        step((NEW_RELAY_KEY, [ANNA])),
        "too_few_signers",
        [SIGNER_TABLE],
    ),
    Attack(
        31,
        "replaces the relay key with an agent",
        step((NEW_RELAY_KEY, [BEN])),
        "not_entitled",
        [SIGNER_TABLE],
    ),
    Attack(53, "signs after its removal", feed(signs_after_removal), "not_entitled", [SIGNATURES]),
    Attack(
        53,
        "signs for a number that a removal took",
        feed(signs_for_a_number_that_is_taken),
        "not_next",
        [CHAIN],
    ),
    Attack(
        53,
        "is removed, but keeps the epoch that it knows",
        step((DeviceRevoke(BEN.device_id), [ANNA]), (DEFAULT, [ANNA, CARL]), (EPOCH, [ANNA])),
        "epoch_missing",
        [BATCH],
    ),
    Attack(
        54,
        "changes the policy below the threshold",
        step((DEFAULT, [ANNA])),
        "too_few_signers",
        [SIGNER_TABLE],
    ),
    Attack(54, "signs twice to count twice", step((DEFAULT, [ANNA, ANNA])), "duplicate_signer", [SIGNATURES]),
    Attack(
        54,
        "signs with two devices to count twice",
        step((DEFAULT, [CARL, CARL2])),
        "too_few_signers",
        [SIGNER_TABLE],
    ),
    Attack(
        54,
        "enters with one key under two device ids",
        step((TWIN, [ANNA, CARL]), (EPOCH, [ANNA])),
        "key_known",
        [DEVICE_RULES],
    ),
    Attack(
        54,
        "adds a device in another owner's name to get that voice",
        step((IN_CARLS_NAME, [ANNA]), (EPOCH, [ANNA])),
        "too_few_signers",
        [SIGNER_TABLE],
    ),
    Attack(56, "gives one administrator another seed", different_seed_for_one, "bad_epoch", [SEED_CHECK]),
    Attack(
        56, "signs a public key that does not fit the seed", public_key_of_nobody, "bad_epoch", [SEED_CHECK]
    ),
    Attack(
        57,
        "poisons the ring",
        ring(lambda attacked: {0: attacked.seeds[1], 1: attacked.seeds[1]}),
        "bad_epoch",
        [SEED_CHECK],
    ),
    Attack(
        83,
        "removes another owner alone",
        step((DeviceRevoke(EMMA.device_id), [ANNA]), (EPOCH, [ANNA])),
        "too_few_signers",
        [SIGNER_TABLE],
    ),
    Attack(83, "lowers the threshold alone", step((Threshold(1), [ANNA])), "too_few_signers", [SIGNER_TABLE]),
    Attack(
        83,
        "raises the threshold over everybody's heads",
        step((Threshold(4), [ANNA, CARL])),
        "owners_below_threshold",
        [ENOUGH_OWNERS],
    ),
    Attack(
        83,
        "removes owners until the rest cannot act",
        lambda: Team.found(ANNA, EMMA, threshold=2).do((DeviceRevoke(EMMA.device_id), [EMMA])),
        "owners_below_threshold",
        [ENOUGH_OWNERS],
    ),
    Attack(
        85,
        "vouches for an old roster after its removal",
        removed_agent_vouches,
        "too_few_signers",
        [FRESH_SIGNERS],
    ),
    Attack(
        85, "vouches as a newcomer", removed_newcomer_vouches, "too_few_signers", [FRESH_NEWCOMERS, FRESH_CAP]
    ),
    Attack(
        85, "vouches alone", removed_founder_vouches_alone, "too_few_signers", [FRESH_NEWCOMERS, FRESH_CAP]
    ),
    Attack(85, "dates a lone statement back", removed_founder_dates_back, "roster_stale", [FRESH_CAP]),
    Attack(
        85, "dates a newcomer ahead", removed_founder_had_dated_ahead, "too_few_signers", [FRESH_NEWCOMERS]
    ),
    Attack(85, "replays an older statement", statement_goes_back, "bad_freshness", [FRESH_FORWARD]),
    Attack(85, "vouches for a century", statement_for_a_century, "roster_stale", [FRESH_TIME]),
]
IDS = [f"{attack.number} {attack.story}" for attack in ATTACKS]


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_attack_is_refused(attack: Attack) -> None:
    """The attack in the row is refused, for the reason in the row, with a hint for people."""
    with pytest.raises((TrustError, PeerError)) as caught:
        attack.attempt()
    assert caught.value.code == attack.code
    assert caught.value.hint


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_attack_succeeds_without_its_defence(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the row's defence taken away the attack succeeds: nothing else was in its way."""
    for owner, name, stand_in in attack.defences:
        monkeypatch.setattr(owner, name, stand_in)
    attack.attempt()


# --- what is not refused but told ------------------------------------------------------------------------


def test_fork_is_proven_and_the_proof_kept() -> None:
    """Attack 8: two validly signed links with one number are a proof that can be shown to others."""
    attacked = team()
    other = attacked.link(Rename(BEN.device_id, "Ben", ()), BEN)
    attacked.do((EPOCH, [ANNA]))
    shown = attacked.roster.compare(other)
    assert shown.standing is Standing.FORK
    assert shown.proof is not None
    assert (shown.proof.kept, shown.proof.other) == (attacked.roster.links[1], other)


def test_a_head_that_a_user_cites_proves_nothing() -> None:
    """Attack 8: a head without a signed link behind it is merely unknown, and so is an unsigned link."""
    attacked = team()
    unsigned = attacked.link(Rename(BEN.device_id, "Ben", ()))
    attacked.do((EPOCH, [ANNA]))
    assert not attacked.roster.has_head(Head(2, link_hash(open_link(unsigned).signed)))
    assert attacked.roster.compare(unsigned).standing is Standing.STRANGE


def test_a_statement_gives_a_hidden_removal_away() -> None:
    """Attack 7: the relay cannot show a statement about the newer roster together with the older roster."""
    with pytest.raises(TrustError) as caught:
        old_roster_with_a_new_statement()
    assert caught.value.code == "roster_behind"


def test_a_ring_that_leaves_epochs_out_is_told() -> None:
    """Attack 57: what a ring leaves out is listed, so that "no history" is never taken for "nothing there"."""
    assert ring(lambda attacked: {1: attacked.seeds[1]})() == (0,)


def test_a_poisoned_relay_key_list_cannot_hide_old_receipts() -> None:
    """Attack 31: receipts under an earlier key stay checkable after the key was replaced by a signed link."""
    attacked = team()
    before = dict(attacked.roster.relay_keys)
    after = attacked.do((NEW_RELAY_KEY, [ANNA, CARL]))
    assert before.items() <= after.relay_keys.items()
    assert before.keys().isdisjoint(after.current_relay_keys)
