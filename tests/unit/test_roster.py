"""The roster: it begins at a pinned genesis, moves forward link by link, and answers questions."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, TrustError
from e2e_support.ids import DeviceId, Hash, TeamId
from e2e_support.mailbox import relay_key_id
from e2e_support.presets import DEFAULT
from e2e_support.roster import ForkProof, Standing, TrustedRoster, begin_batch, next_bodies, next_body
from e2e_support.roster_links import (
    NO_HASH,
    NO_TEAM,
    DeviceRevoke,
    RelayKeys,
    Rename,
    Threshold,
    genesis_body,
    link_hash,
    open_link,
    sign_link,
)
from e2e_support.vocab import LinkType, Role
from e2e_support.wire import Batch, Genesis, Head, LinkBody
from team_builder import EPOCH, TIME, Device, Team, device, founding, make_epoch, pairs, seed_of

ANNA, CARL = device("anna"), device("carl")
BEN, DORA = device("ben", Role.AGENT), device("dora", Role.AUDITOR)
RELAY = SigningKey(Secret(seed_of("relay"))).public
RELAY2 = SigningKey(Secret(seed_of("second relay"))).public


# --- beginning -------------------------------------------------------------------------------------------


def test_begin_shows_what_the_genesis_says() -> None:
    """A roster of one link answers with the genesis."""
    batch, _ = founding(ANNA, BEN, name="Ada's desk", relay_key=RELAY)
    roster = TrustedRoster.begin(batch.links[0])
    assert roster.name == "Ada's desk"
    assert roster.head == Head(1, link_hash(open_link(batch.links[0]).signed))
    assert roster.devices == {ANNA.device_id: ANNA.record, BEN.device_id: BEN.record}
    assert roster.members == {ANNA.member_id: (ANNA.record,), BEN.member_id: (BEN.record,)}
    assert (roster.threshold, roster.epoch.epoch, roster.policy) == (1, 0, DEFAULT)
    assert roster.relay_keys == roster.current_relay_keys == {relay_key_id(RELAY): RELAY}
    assert (roster.issuer_keys, roster.rotation_due, roster.owed) == ((), False, None)


def test_begin_checks_the_pinned_id() -> None:
    """A genesis of another team is refused, however good its signatures are."""
    ours, theirs = founding(ANNA)[0].links[0], founding(ANNA, name="Other team")[0].links[0]
    team_id = TrustedRoster.begin(ours).team_id
    assert TrustedRoster.begin(ours, team_id=team_id).team_id == team_id
    with pytest.raises(TrustError) as caught:
        TrustedRoster.begin(theirs, team_id=team_id)
    assert caught.value.code == "team_mismatch"
    assert "support link" in caught.value.hint


def genesis(*devices: Device, **changes: object) -> Genesis:
    """Return a genesis with some fields replaced."""
    payload = open_link(founding(*devices)[0].links[0]).payload
    assert isinstance(payload, Genesis)
    return replace(payload, **changes)  # type: ignore[arg-type]


def begin(body: LinkBody, *signers: Device) -> TrustedRoster:
    """Begin a roster with any body."""
    return TrustedRoster.begin(sign_link(body, pairs(signers)))


GENESIS = genesis_body(genesis(ANNA, BEN), TIME)
EPOCH_1 = replace(genesis(ANNA, BEN).epoch, epoch=1)
FALSE_GENESES: list[tuple[str, LinkBody, list[Device], str]] = [
    (
        "not a genesis",
        replace(GENESIS, type=LinkType.THRESHOLD, payload=b"\x91\x01"),
        [ANNA, BEN],
        "bad_genesis",
    ),
    ("not the first link", replace(GENESIS, seq=1), [ANNA, BEN], "bad_genesis"),
    ("of a team that exists", replace(GENESIS, team_id=TeamId(b"\x01" * 32)), [ANNA, BEN], "bad_genesis"),
    ("after another link", replace(GENESIS, prev_hash=Hash(b"\x01" * 32)), [ANNA, BEN], "bad_genesis"),
    ("a device did not sign", GENESIS, [ANNA], "no_possession"),
    ("a stranger signed", GENESIS, [ANNA, BEN, CARL], "not_entitled"),
    ("a device signed twice", GENESIS, [ANNA, ANNA, BEN], "duplicate_signer"),
    (
        "a device signed with another key",
        GENESIS,
        [ANNA, replace(BEN, sign=CARL.sign)],
        "bad_signature",
    ),
    (
        "an epoch that is not the first",
        genesis_body(genesis(ANNA, BEN, epoch=EPOCH_1), TIME),
        [ANNA, BEN],
        "epoch_number",
    ),
    ("no relay key", genesis_body(genesis(ANNA, relay_keys=()), TIME), [ANNA], "bad_relay_keys"),
    (
        "a relay key twice",
        genesis_body(genesis(ANNA, relay_keys=(RELAY, RELAY)), TIME),
        [ANNA],
        "bad_relay_keys",
    ),
    (
        "a relay key of small order",
        genesis_body(genesis(ANNA, relay_keys=(bytes(32),)), TIME),
        [ANNA],
        "bad_key",
    ),
    (
        "a threshold nobody meets",
        genesis_body(genesis(ANNA, threshold=2), TIME),
        [ANNA],
        "owners_below_threshold",
    ),
    ("a policy that is none", genesis_body(genesis(ANNA, policy=b""), TIME), [ANNA], "malformed"),
]


@pytest.mark.parametrize(
    ("name", "body", "signers", "code"), FALSE_GENESES, ids=[row[0] for row in FALSE_GENESES]
)
def test_false_genesis_is_refused(name: str, body: LinkBody, signers: list[Device], code: str) -> None:
    """A first link that breaks a rule of section 4.2 begins nothing."""
    with pytest.raises((TrustError, PeerError)) as caught:
        begin(body, *signers)
    assert caught.value.code == code


# --- moving forward --------------------------------------------------------------------------------------


def long_team() -> Team:
    """Return a team that has lived: additions, removals, a leaver, keys and policies changed."""
    team = Team.found(ANNA, BEN, relay_key=RELAY)
    team.add(CARL, ANNA)
    team.do((Threshold(2), [ANNA]))
    team.do((replace(DEFAULT, show_languages=0), [ANNA, CARL]))
    team.remove(BEN, CARL)
    team.add(DORA, CARL)
    team.do((DeviceRevoke(DORA.device_id), [DORA]))
    team.do((EPOCH, [ANNA]))
    team.do((RelayKeys((RELAY2,)), [ANNA, CARL]))
    return team


def test_whole_chain_is_checked_again_from_bytes() -> None:
    """Whoever gets all links at once, or one batch after the other, comes to the same roster."""
    team = long_team()
    first, *rest = team.roster.links
    assert TrustedRoster.begin(first, team_id=team.team_id).update(rest) == team.roster
    assert team.roster.update([]) is team.roster


def test_refused_links_change_nothing() -> None:
    """A batch with one bad link is refused as a whole; the roster at hand stays as it is."""
    team = long_team()
    before = team.roster
    good = team.prepare((Threshold(1), [ANNA, CARL]))
    bad = team.prepare((Threshold(1), [ANNA, CARL]), (Threshold(9), [ANNA]))
    with pytest.raises(TrustError):
        team.accept(bad)
    assert team.roster is before
    assert team.accept(good).threshold == 1
    assert before.threshold == 2


def test_roster_cannot_be_changed_in_place() -> None:
    """Nothing assigns to a roster."""
    with pytest.raises(FrozenInstanceError):
        long_team().roster.rotation_due = True  # type: ignore[misc]


NEXT = next_body(long_team().roster, Threshold(1), TIME)
NOT_NEXT = [
    ("a link was left out", replace(NEXT, seq=NEXT.seq + 1)),
    ("an old link again", replace(NEXT, seq=1)),
    ("after another link", replace(NEXT, prev_hash=NO_HASH)),
    ("of another team", replace(NEXT, team_id=NO_TEAM)),
]


@pytest.mark.parametrize(("name", "body"), NOT_NEXT, ids=[row[0] for row in NOT_NEXT])
def test_only_the_next_link_follows(name: str, body: LinkBody) -> None:
    """A link cites team, number and predecessor; with another it does not follow."""
    roster = long_team().roster
    roster.update([sign_link(NEXT, pairs([ANNA, CARL]))])
    with pytest.raises(TrustError) as caught:
        roster.update([sign_link(body, pairs([ANNA, CARL]))])
    assert caught.value.code == "not_next"


def test_a_second_genesis_is_refused() -> None:
    """A genesis does not stand inside a roster, even where it fits the chain."""
    roster = long_team().roster
    with pytest.raises(TrustError) as caught:
        roster.update([sign_link(next_body(roster, genesis(ANNA), TIME), pairs([ANNA, CARL]))])
    assert caught.value.code == "bad_genesis"


def test_changed_devices_owe_an_epoch() -> None:
    """After an addition or a removal nothing else may stand, and nothing may end, before the epoch."""
    team = Team.found(ANNA, CARL, BEN)
    add, remove = (DORA, [ANNA]), (DeviceRevoke(BEN.device_id), [ANNA])
    rename = (Rename(ANNA.device_id, "x", ()), [ANNA])
    leave = (DeviceRevoke(CARL.device_id), [CARL])
    for steps in ([add], [remove], [remove, rename, (EPOCH, [ANNA])], [remove, leave, (EPOCH, [ANNA])]):
        with pytest.raises(TrustError) as caught:
            team.roster.update(team.prepare(*steps).links)
        assert caught.value.code == "epoch_missing"
    assert team.do(remove, add, (EPOCH, [CARL])).epoch.epoch == 1


def test_whoever_leaves_makes_a_rotation_due() -> None:
    """A leaver stands alone and chooses no seed; the next owner or agent device begins the epoch."""
    team = Team.found(ANNA, CARL, BEN)
    assert team.do((DeviceRevoke(CARL.device_id), [CARL])).rotation_due
    assert team.do((Rename(ANNA.device_id, "x", ()), [ANNA])).rotation_due
    with pytest.raises(TrustError) as caught:
        team.do((EPOCH, [CARL]))
    assert caught.value.code == "not_entitled"
    after = team.do((EPOCH, [BEN]))
    assert not after.rotation_due
    assert [box.device_id for box in after.epoch.boxes] == [ANNA.device_id, BEN.device_id]


def test_relay_keys_move_on_and_old_receipts_stay_good() -> None:
    """New receipts must be under a listed key; those at rest are checked under every key there was."""
    roster = long_team().roster
    assert roster.current_relay_keys == {relay_key_id(RELAY2): RELAY2}
    assert roster.relay_keys == {relay_key_id(RELAY): RELAY, relay_key_id(RELAY2): RELAY2}


# --- batches ---------------------------------------------------------------------------------------------


def test_a_batch_brings_the_boxes_of_its_epochs() -> None:
    """A relay stores links only with the boxes that they name, and no others."""
    team = Team.found(ANNA)
    batch = team.prepare((BEN, [ANNA]), (EPOCH, [ANNA]))
    stale = team.packages[0]
    for packages in ((), (stale,), batch.packages * 2, (replace(batch.packages[0], ring=b"x"),)):
        with pytest.raises(TrustError) as caught:
            team.roster.update_batch(Batch(batch.links, packages))
        assert caught.value.code == "bad_package"
    assert team.roster.update_batch(batch).epoch.epoch == 1


def test_a_founding_batch() -> None:
    """A team is founded with a genesis, its boxes and, if wanted, further links."""
    batch, _ = founding(ANNA)
    roster = begin_batch(batch)
    more = sign_link(next_body(roster, Rename(ANNA.device_id, "Anna", ()), TIME), pairs([ANNA]))
    assert begin_batch(Batch((*batch.links, more), batch.packages), team_id=roster.team_id).head.length == 2
    with pytest.raises(TrustError) as caught:
        begin_batch(replace(batch, packages=()))
    assert caught.value.code == "bad_package"
    with pytest.raises(PeerError) as empty:
        begin_batch(Batch((), ()))
    assert empty.value.code == "malformed"


def test_package_of_an_epoch_is_checked() -> None:
    """Boxes are compared with the record of their own epoch; an epoch that does not exist has none."""
    team = long_team()
    for package in team.packages.values():
        team.roster.check_package(package)
    with pytest.raises(TrustError) as caught:
        team.roster.check_package(replace(team.packages[0], epoch=len(team.packages)))
    assert caught.value.code == "bad_package"


# --- asking ----------------------------------------------------------------------------------------------


def test_tickets_are_assigned_to_who_stood_at_the_cited_head() -> None:
    """From the link that adds a writer on, up to the one that removes them; never to who only reads."""
    team = Team.found(ANNA, BEN)
    for one in (CARL, DORA):
        team.add(one, ANNA)
    roster = team.remove(BEN, ANNA)
    asked = {
        who.name: [roster.may_be_assigned(who.member_id, Head(n, roster.hashes[n - 1])) for n in range(1, 8)]
        for who in (ANNA, BEN, CARL, DORA)
    }
    assert asked == {
        "anna": [True] * 7,
        "ben": [True] * 5 + [False] * 2,
        "carl": [False] + [True] * 6,
        "dora": [False] * 7,
    }


def heads(roster: TrustedRoster) -> list[Head]:
    """Return every head that a roster went through."""
    return [Head(seq + 1, link) for seq, link in enumerate(roster.hashes)]


def test_a_roster_knows_the_heads_it_went_through() -> None:
    """Every earlier head is known, a later one or one with another hash is not."""
    roster = long_team().roster
    assert all(roster.has_head(head) for head in heads(roster))
    assert roster.head == heads(roster)[-1]
    assert not roster.has_head(Head(0, NO_HASH))
    assert not roster.has_head(Head(0, roster.hashes[-1]))
    assert not roster.has_head(Head(len(roster.links) + 1, roster.hashes[-1]))
    assert not roster.has_head(Head(2, roster.hashes[0]))


def test_who_was_active_when() -> None:
    """A device is active from the link that added it until the one that removed it."""
    roster = long_team().roster
    past = roster.devices_ever[BEN.device_id]
    active = [roster.device_at(BEN.device_id, head) for head in heads(roster)]
    assert past.revoked == 5
    assert active == [BEN.record] * 5 + [None] * (len(roster.links) - 5)
    assert roster.device_at(CARL.device_id, heads(roster)[0]) is None
    assert roster.device_at(CARL.device_id, roster.head) == CARL.record
    assert roster.device_at(DeviceId(bytes(16)), roster.head) is None
    assert roster.device_at(CARL.device_id, Head(2, NO_HASH)) is None


def test_policy_and_epoch_of_a_head() -> None:
    """Policy and epoch are known for every link of the past."""
    roster = long_team().roster
    assert [roster.policy_at(seq).show_languages for seq in range(6)] == [1, 1, 1, 1, 0, 0]
    assert roster.revocation_of(DeviceId(bytes(16))) is None
    assert [roster.epoch_at(seq).epoch for seq in range(12)] == [0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4]
    assert roster.epochs[-1] == roster.epoch == roster.epoch_at(10**6)


def test_the_head_of_a_support_link() -> None:
    """A roster that does not contain the head in the support link is refused (section 4.9)."""
    roster = long_team().roster
    roster.require_head(None)
    for head in heads(roster):
        roster.require_head((head.length, head.hash[:16]))
    length = len(roster.links)
    for named, code in [
        ((length + 1, bytes(16)), "roster_behind"),
        ((length, bytes(16)), "roster_fork"),
        ((0, roster.hashes[-1][:16]), "roster_fork"),
    ]:
        with pytest.raises(TrustError) as caught:
            roster.require_head(named)
        assert caught.value.code == code


# --- comparing -------------------------------------------------------------------------------------------


def other_story(signer: Device) -> bytes:
    """Return a link number 1 that follows the same genesis as the long team's."""
    return Team.found(ANNA, BEN, relay_key=RELAY).link(EPOCH, signer)


def test_known_links_are_the_same() -> None:
    """A link that the roster holds is no news, whatever signatures it comes with."""
    roster = long_team().roster
    assert {roster.compare(link).standing for link in roster.links} == {Standing.SAME}
    unsigned = sign_link(open_link(roster.links[3]).body, [])
    assert roster.compare(unsigned).standing is Standing.SAME


def test_next_link_is_recognised() -> None:
    """A valid link that follows is next, also one that still owes its epoch."""
    team = Team.found(ANNA, BEN)
    assert team.roster.compare(team.link(EPOCH, BEN)).standing is Standing.NEXT
    assert team.roster.compare(team.link(DeviceRevoke(BEN.device_id), ANNA)).standing is Standing.NEXT
    assert team.roster.compare(team.link(DeviceRevoke(ANNA.device_id), BEN)).standing is Standing.STRANGE


def test_two_valid_links_with_one_number_are_a_fork() -> None:
    """The proof holds both links, and proves the fork to anyone with the same beginning (section 4.4)."""
    roster = long_team().roster
    shown = roster.compare(other_story(BEN))
    assert shown.standing is Standing.FORK
    assert shown.proof == ForkProof(roster.links[1], other_story(BEN))
    assert shown.proof is not None
    assert roster.compare(shown.proof.other).standing is Standing.FORK
    assert roster.compare(shown.proof.kept).standing is Standing.SAME


def test_a_fork_inside_a_batch_is_one_too() -> None:
    """Two epochs for the same addition are a fork, although neither stands alone."""
    team = Team.found(ANNA, BEN)
    team.do((Rename(BEN.device_id, "Ben", ()), [BEN]))
    addition = team.prepare((CARL, [ANNA]), (EPOCH, [ANNA]))
    roster = team.accept(addition)
    record, _ = make_epoch(team.team_id, 1, Secret(seed_of("another seed")), roster.devices)
    rival = replace(open_link(addition.links[1]).body, payload=record.to_bytes())
    assert roster.compare(sign_link(rival, pairs([BEN]))).standing is Standing.FORK
    assert roster.compare(sign_link(rival, pairs([DORA]))).standing is Standing.STRANGE


STRANGE = [
    ("nobody's", sign_link(next_body(Team.found(ANNA, BEN, relay_key=RELAY).roster, Threshold(1), TIME), [])),
    ("a stranger's", other_story(device("stranger"))),
    ("another team's genesis", founding(ANNA, name="Other")[0].links[0]),
    ("far ahead", sign_link(replace(NEXT, seq=NEXT.seq + 5), pairs([ANNA, CARL]))),
    ("noise", b"noise"),
    ("of another suite", other_story(BEN).replace(b"\x98\x01\x01", b"\x98\x01\x02", 1)),
]


@pytest.mark.parametrize(("name", "link"), STRANGE, ids=[row[0] for row in STRANGE])
def test_strange_links_prove_nothing(name: str, link: bytes) -> None:
    """A link that is not valid where it would stand is no proof of anything (attack 8)."""
    shown = long_team().roster.compare(link)
    assert (shown.standing, shown.proof) == (Standing.STRANGE, None)


# --- building --------------------------------------------------------------------------------------------


def test_bodies_follow_each_other() -> None:
    """Bodies built together cite each other in order, and take their type from their payload."""
    team = long_team()
    payloads = (Threshold(1), DEFAULT, Rename(ANNA.device_id, "x", ()))
    bodies = next_bodies(team.roster, payloads, TIME)
    assert [body.type for body in bodies] == [LinkType.THRESHOLD, LinkType.POLICY, LinkType.RENAME]
    assert [body.seq for body in bodies] == [12, 13, 14]
    assert bodies[0].prev_hash == team.roster.hashes[-1]
    assert bodies[1].prev_hash == link_hash(bodies[0].to_bytes())
    assert next_body(team.roster, Threshold(1), TIME) == bodies[0]


def test_epochs_of_a_roster_must_be_good() -> None:
    """A new epoch has the next number, good keys that are fresh, and one box for each active device."""
    team = Team.found(ANNA, BEN)
    seed = Secret(seed_of("fresh"))
    good, _ = make_epoch(team.team_id, 1, seed, team.roster.devices)
    old = team.roster.epoch
    false = [
        (replace(good, epoch=2), "epoch_number"),
        (replace(good, epoch=0), "epoch_number"),
        (replace(good, kem_key=old.kem_key), "epoch_reused"),
        (replace(good, capability_key=old.capability_key), "epoch_reused"),
        (replace(good, boxes=good.boxes[:1]), "epoch_boxes"),
        (replace(good, boxes=good.boxes[:1] * 2), "epoch_boxes"),
        (replace(good, boxes=(*good.boxes, replace(good.boxes[0], device_id=CARL.device_id))), "epoch_boxes"),
        (replace(good, kem_key=bytes(1216)), "bad_key"),
        (replace(good, capability_key=bytes(32)), "bad_key"),
    ]
    for record, code in false:
        with pytest.raises((TrustError, PeerError)) as caught:
            team.roster.update([team.link(record, ANNA)])
        assert caught.value.code == code
    assert team.roster.update([team.link(good, ANNA)]).epoch == good
