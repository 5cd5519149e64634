"""Freshness statements: who can vouch for a roster, for how long, and that nothing goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from e2e_support.errors import PeerError, TrustError
from e2e_support.freshness import (
    DAY,
    FreshUntil,
    check_freshness,
    cosign_freshness,
    freshness_of,
    require_vouched,
    sign_freshness,
)
from e2e_support.limits import CLOCK_WARNING
from e2e_support.roster_links import Threshold, open_link
from e2e_support.roster_state import RosterState
from e2e_support.vocab import Role
from e2e_support.wire import Freshness, FreshnessBody, Head
from team_builder import TIME, Device, Team, device, pairs

ANNA, BEN, CARL = device("anna"), device("ben", Role.AGENT), device("carl")
ANNA2 = device("anna's second", member=ANNA)
DORA, SHEET = device("dora", Role.AUDITOR), device("sheet", Role.RECOVERY)
STRANGER = device("stranger")


def team() -> Team:
    """Return a fresh team of two owners, an agent, an auditor and a sheet."""
    return Team.found(ANNA, CARL, BEN, DORA, SHEET)


def state(roster: RosterState, *devices: Device, now: int = TIME) -> bytes:
    """Return a statement of devices about a roster."""
    return sign_freshness(roster, pairs(devices), now=now)


def test_two_devices_vouch_for_thirty_days() -> None:
    """A statement of two active devices holds until its last second, and no longer."""
    roster = team().roster
    statement = state(roster, ANNA, BEN)
    until = FreshUntil(roster.head, TIME, TIME + 30 * DAY)
    assert check_freshness(roster, statement, now=TIME) == until
    assert check_freshness(roster, statement, now=until.expires - 1, earlier=until) == until
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, statement, now=until.expires)
    assert caught.value.code == "roster_stale"


def test_statement_is_signed_one_device_after_the_other() -> None:
    """A second device reads what it is asked to vouch for, and adds its signature."""
    roster = team().roster
    begun = state(roster, ANNA)
    assert freshness_of(begun) == FreshnessBody(roster.team_id, roster.head, TIME, TIME + 30 * DAY)
    whole = cosign_freshness(begun, pairs([BEN]))
    assert check_freshness(roster, whole, now=TIME).head == roster.head


def test_a_team_of_one_device_vouches_alone() -> None:
    """Two signatures are asked for only where there are two devices that can sign."""
    roster = Team.found(ANNA, DORA, SHEET).roster
    assert check_freshness(roster, state(roster, ANNA), now=TIME).issued == TIME


def test_two_devices_of_one_person_count() -> None:
    """What is counted are devices: one stolen computer is not enough, two of one person are."""
    roster = Team.found(ANNA, ANNA2).roster
    assert check_freshness(roster, state(roster, ANNA, ANNA2), now=TIME).head == roster.head
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, state(roster, ANNA), now=TIME)
    assert caught.value.code == "too_few_signers"


def test_strange_signatures_do_no_harm() -> None:
    """Signatures that do not count are passed over where enough others stand."""
    roster = team().roster
    statement = state(roster, STRANGER, DORA, ANNA, BEN)
    assert check_freshness(roster, statement, now=TIME).head == roster.head


FEW: list[tuple[str, Sequence[Device]]] = [
    ("nobody", []),
    ("one device", [ANNA]),
    ("one device twice", [ANNA, ANNA]),
    ("an auditor helps", [ANNA, DORA]),
    ("the recovery sheet helps", [ANNA, SHEET]),
    ("a stranger helps", [ANNA, STRANGER]),
]


@pytest.mark.parametrize(("name", "signers"), FEW, ids=[row[0] for row in FEW])
def test_too_few_signers(name: str, signers: Sequence[Device]) -> None:
    """Fewer than two active owner or agent devices vouch for nothing."""
    roster = team().roster
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, state(roster, *signers), now=TIME)
    assert caught.value.code == "too_few_signers"


def grown() -> RosterState:
    """Return the roster of a team that grew from one to two devices a second after it was founded."""
    alone = Team.found(ANNA)
    alone.add(BEN, ANNA)
    assert open_link(alone.roster.links[1]).body.time == TIME + 1
    return alone.roster


def test_nobody_waits_for_a_newcomer() -> None:
    """For three days after it came, a second device's signature is not needed, and counts where it is there."""
    roster, came = grown(), TIME + 1
    for issued in (TIME, came + 3 * DAY - 1):
        assert check_freshness(roster, state(roster, ANNA, now=issued), now=issued).issued == issued
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, state(roster, ANNA, now=came + 3 * DAY), now=came + 3 * DAY)
    assert caught.value.code == "too_few_signers"
    both = check_freshness(roster, state(roster, ANNA, BEN, now=came + DAY), now=came + DAY)
    assert both.expires == came + 31 * DAY


def test_what_one_device_said_ends_with_the_newcomers_days() -> None:
    """However late the founder alone vouches, it is over when the policy's days after the newcomer's link are."""
    roster, came = grown(), TIME + 1
    until = check_freshness(roster, state(roster, ANNA, now=came + 2 * DAY), now=came + 2 * DAY)
    assert (until.issued, until.expires) == (came + 2 * DAY, came + 30 * DAY)


def test_a_newcomer_alone_vouches_for_nothing() -> None:
    """Somebody is waited for as long as there is a device that is no newcomer."""
    roster = grown()
    for signers in ([BEN], [BEN, STRANGER], []):
        with pytest.raises(TrustError) as caught:
            check_freshness(roster, state(roster, *signers), now=TIME)
        assert caught.value.code == "too_few_signers"


def test_nobody_vouches_for_a_team_of_newcomers() -> None:
    """Where the founder has left at once, somebody must sign all the same."""
    moved = Team.found(ANNA)
    moved.add(CARL, ANNA)
    moved.add(BEN, ANNA)
    roster = moved.remove(ANNA, CARL)
    assert check_freshness(roster, state(roster, CARL), now=TIME).issued == TIME
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, state(roster), now=TIME)
    assert caught.value.code == "too_few_signers"


def test_a_newcomer_from_the_future_is_none() -> None:
    """A link that is dated further ahead than clocks differ does not spare its device."""
    roster = grown()
    early = TIME + 1 - CLOCK_WARNING
    assert check_freshness(roster, state(roster, ANNA, now=early), now=early).issued == early
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, state(roster, ANNA, now=early - 1), now=early - 1)
    assert caught.value.code == "too_few_signers"


def test_a_signature_of_something_else_does_not_count() -> None:
    """A signature that does not fit the statement is none."""
    roster = team().roster
    mine, other = Freshness.from_bytes(state(roster, ANNA)), Freshness.from_bytes(state(roster, BEN, now=1))
    mixed = Freshness(mine.body, mine.signatures + other.signatures).to_bytes()
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, mixed, now=TIME)
    assert caught.value.code == "too_few_signers"


def test_statement_about_an_older_head_still_counts() -> None:
    """A new link does not stop everybody: the relay has shown more than the statement asks for."""
    grown = team()
    statement = state(grown.roster, ANNA, BEN)
    grown.do((Threshold(2), [ANNA]))
    assert check_freshness(grown.roster, statement, now=TIME).head.length == 1


def test_statement_about_a_newer_head_shows_that_links_are_hidden() -> None:
    """A statement about links that the relay does not serve gives it away."""
    grown = team()
    before = grown.roster
    statement = state(grown.do((Threshold(2), [ANNA])), ANNA, BEN)
    with pytest.raises(TrustError) as caught:
        check_freshness(before, statement, now=TIME)
    assert caught.value.code == "roster_behind"


@pytest.mark.parametrize("signers", [[], [STRANGER], [DORA, SHEET]])
def test_an_unsigned_statement_shows_nothing(signers: Sequence[Device]) -> None:
    """A relay cannot make clients believe in hidden links or a fork: somebody active must have signed."""
    grown, other = team(), team()
    before = grown.roster
    newer, fork = grown.do((Threshold(2), [ANNA])), other.do((Threshold(2), [CARL]))
    for reader, shown in ((before, newer), (newer, fork)):
        with pytest.raises(TrustError) as caught:
            check_freshness(reader, state(shown, *signers), now=TIME)
        assert caught.value.code == "too_few_signers"


def test_a_newcomer_alone_shows_nothing_to_who_does_not_know_them() -> None:
    """A device of links that a reader has not seen proves no such links, one that the reader knows does."""
    grown = Team.found(ANNA)
    before = grown.roster
    newer = grown.add(BEN, ANNA)
    for signer, code in ((BEN, "too_few_signers"), (ANNA, "roster_behind")):
        with pytest.raises(TrustError) as caught:
            check_freshness(before, state(newer, signer), now=TIME)
        assert caught.value.code == code


def test_statement_about_another_story_shows_a_fork() -> None:
    """A statement about another link with the same number is a fork, whoever of the active devices signed it."""
    one, two = team(), team()
    one.do((Threshold(2), [ANNA]))
    two.do((Threshold(2), [CARL]), (Threshold(1), [ANNA, CARL]))
    short = replace(
        two.roster, links=two.roster.links[:2], hashes=(two.roster.hashes[0], two.roster.hashes[2])
    )
    for signers in ([ANNA, BEN], [ANNA]):
        with pytest.raises(TrustError) as caught:
            check_freshness(one.roster, state(short, *signers), now=TIME)
        assert caught.value.code == "roster_fork"


def test_a_team_that_never_stated_anything_counts_from_its_founding() -> None:
    """Without any statement something may be sealed for the policy's days; with one, it alone decides."""
    roster = team().roster
    require_vouched(roster, b"", now=TIME + 30 * DAY - 1)
    later = state(roster, ANNA, BEN, now=TIME + 5 * DAY)
    require_vouched(roster, later, now=TIME + 35 * DAY - 1)
    for statement, now in ((b"", TIME + 30 * DAY), (later, TIME + 35 * DAY)):
        with pytest.raises(TrustError) as caught:
            require_vouched(roster, statement, now=now)
        assert caught.value.code == "roster_stale"


def test_statements_only_move_forward() -> None:
    """A client that saw a later statement takes no earlier one back."""
    grown = team()
    first = check_freshness(grown.roster, state(grown.roster, ANNA, BEN), now=TIME)
    second = check_freshness(grown.roster, state(grown.roster, ANNA, BEN, now=TIME + 9), now=TIME)
    assert (second.issued, first.issued) == (TIME + 9, TIME)
    for earlier in (second, replace(first, head=Head(2, first.head.hash))):
        with pytest.raises(TrustError) as caught:
            check_freshness(grown.roster, state(grown.roster, ANNA, BEN), now=TIME, earlier=earlier)
        assert caught.value.code == "bad_freshness"


def signed(body: FreshnessBody) -> bytes:
    """Return a statement with any body, signed by Anna and Ben."""
    unsigned = Freshness(body.to_bytes(), ()).to_bytes()
    return cosign_freshness(unsigned, pairs([ANNA, BEN]))


def test_a_long_life_is_cut_to_what_the_policy_allows() -> None:
    """Two devices cannot vouch for a century: the policy's days are the most."""
    roster = team().roster
    body = FreshnessBody(roster.team_id, roster.head, TIME, TIME + 36_500 * DAY)
    assert check_freshness(roster, signed(body), now=TIME).expires == TIME + 30 * DAY
    shorter = replace(body, expires=TIME + 10)
    assert check_freshness(roster, signed(shorter), now=TIME).expires == TIME + 10


def test_a_statement_from_the_future_is_refused() -> None:
    """Nobody extends a statement's life by dating it ahead."""
    roster = team().roster
    body = FreshnessBody(roster.team_id, roster.head, TIME + CLOCK_WARNING, TIME + 30 * DAY)
    assert check_freshness(roster, signed(body), now=TIME).issued == TIME + CLOCK_WARNING
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, signed(body), now=TIME - 1)
    assert caught.value.code == "bad_freshness"


def test_another_teams_statement_is_refused() -> None:
    """A statement names its team."""
    roster = team().roster
    other = Team.found(ANNA, CARL, BEN, name="Other team").roster
    with pytest.raises(TrustError) as caught:
        check_freshness(roster, state(other, ANNA, BEN), now=TIME)
    assert caught.value.code == "bad_freshness"


@pytest.mark.parametrize("data", [b"", b"\x92\xc4\x00\x90", Freshness(b"\x90", ()).to_bytes()])
def test_malformed_statement_is_refused(data: bytes) -> None:
    """Whatever is no statement is malformed."""
    with pytest.raises(PeerError) as caught:
        check_freshness(team().roster, data, now=TIME)
    assert caught.value.code == "malformed"
