"""Invitations: link and code by two ways, a request that only both open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, TrustError, UsageError
from e2e_support.ids import TeamId
from e2e_support.invitation import Invitation, join_hash
from e2e_support.roster_links import prove_device
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Role
from e2e_support.wire import Offer
from team_builder import device

TEAM = SupportLink("https://support.example", TeamId(b"\x01" * 32))
BEN = device("ben")


def counting() -> Callable[[int], bytes]:
    """Return a random source that never repeats itself and is the same in every run."""
    calls = iter(range(1000))
    return lambda size: hashlib.shake_256(b"invitation%d" % next(calls)).digest(size)


INVITATION = Invitation.make(TEAM, counting())
REQUEST = BEN.joining(TEAM.team_id)


def test_link_and_code_come_back() -> None:
    """What was made is what is parsed, however carelessly the code was typed."""
    code = INVITATION.code.lower()
    parsed = Invitation.parse(f" {INVITATION.link}\n", f"{code[:4]}-{code[4:]}")
    assert parsed == INVITATION
    assert parsed.mailbox == INVITATION.mailbox


@pytest.mark.parametrize(
    ("link", "code"),
    [
        (INVITATION.link, "ABC"),
        (INVITATION.link, "ABCDEFG!"),
        (INVITATION.link[:-1], INVITATION.code),
        (INVITATION.link[:-48] + "!" * 48, INVITATION.code),
        (INVITATION.link[:-48] + "A" * 48, INVITATION.code),
        ("", INVITATION.code),
        (TEAM.format(), INVITATION.code),
    ],
    ids=["short code", "foreign code", "cut", "foreign letters", "changed", "empty", "support link"],
)
def test_what_is_no_invitation(link: str, code: str) -> None:
    """A damaged link or code is told to the person who typed it."""
    with pytest.raises(UsageError) as error:
        Invitation.parse(link, code)
    assert error.value.code == "bad_invitation"


def test_the_inviter_opens_the_request() -> None:
    """Record and proof arrive as they were sealed, ready to stand in a link."""
    assert INVITATION.open(INVITATION.seal(REQUEST, counting())) == REQUEST


def test_a_wrong_code_opens_nothing() -> None:
    """Whoever has the link but not the code cannot hand in a device."""
    guess = replace(INVITATION, code="00000000")
    with pytest.raises(PeerError) as error:
        INVITATION.open(guess.seal(REQUEST, counting()))
    assert error.value.code == "cannot_open"


def test_a_record_needs_the_proof_of_its_own_key() -> None:
    """Attack 10: a record under somebody else's key, or for another team, is not proven."""
    other = SigningKey(Secret(b"\x07" * 32))
    for proof in (
        prove_device(other, TEAM.team_id, BEN.record),
        prove_device(BEN.sign, TeamId(bytes(32)), BEN.record),
        prove_device(BEN.sign, TEAM.team_id, replace(BEN.record, label="Mallory")),
    ):
        with pytest.raises(TrustError) as error:
            INVITATION.open(INVITATION.seal(replace(REQUEST, proof=proof), counting()))
        assert error.value.code == "no_possession"


def test_words_name_one_device_of_one_team() -> None:
    """What people compare changes with the record and with the team."""
    assert len({
        join_hash(TEAM.team_id, BEN.record),
        join_hash(TeamId(bytes(32)), BEN.record),
        join_hash(TEAM.team_id, replace(BEN.record, label="Mallory")),
    }) == 3  # fmt: skip


def test_the_newcomer_reads_what_is_offered() -> None:
    """The inviter says which record is expected; only link and code together open it."""
    offer = Offer(Role.AGENT, "Ben", b"", 1_800_000_000)
    entry = INVITATION.offer(offer, counting())
    assert INVITATION.read_offer(entry) == offer
    with pytest.raises(PeerError) as error:
        replace(INVITATION, code="00000000").read_offer(entry)
    assert error.value.code == "cannot_open"


def test_an_offer_is_no_request() -> None:
    """An offer and a request are sealed for different purposes: neither passes for the other (attack 75)."""
    for read, entry in (
        (INVITATION.open, INVITATION.offer(Offer(Role.OWNER, "Ben", b"", 0), counting())),
        (INVITATION.read_offer, INVITATION.seal(REQUEST, counting())),
    ):
        with pytest.raises(PeerError):
            read(entry)
