"""Fingerprints: what people read to each other about a team."""

from hypothesis import given
from hypothesis import strategies as st

from e2e_support.crypto.hash import digest
from e2e_support.ids import TeamId
from e2e_support.tags import Tag
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.phrase import word_list

TEAMS = st.binary(min_size=32, max_size=32).map(TeamId)


def test_a_known_team_has_a_known_fingerprint() -> None:
    """The fingerprint of one team is frozen: another program must show the same."""
    shown = Fingerprint.of(TeamId(bytes(range(32))))
    assert " ".join(shown.words) == "visa scheme meadow venture blame trend comfort world"
    assert " ".join(shown.digits) == "36215 15807 76096 29546 83228 43756"


@given(TEAMS)
def test_words_and_digits_are_the_bits_of_the_hash(team: TeamId) -> None:
    """The words spell the first 88 bits, the digits the next 104 modulo 10**30 (section 4.9)."""
    shown, hashed = Fingerprint.of(team), digest(Tag.WORDS, team)
    bits = "".join(f"{word_list().index(word):011b}" for word in shown.words)
    assert int(bits, 2).to_bytes(11, "big") == hashed[:11]
    assert int("".join(shown.digits)) == int.from_bytes(hashed[11:24], "big") % 10**30


@given(TEAMS)
def test_the_form_is_always_the_same(team: TeamId) -> None:
    """Always eight words and six groups of five digits, leading zeros included."""
    shown = Fingerprint.of(team)
    assert len(shown.words) == 8
    assert [len(group) for group in shown.digits] == [5] * 6


@given(team=TEAMS, bit=st.integers(0, 255))
def test_another_team_has_another_fingerprint(team: TeamId, bit: int) -> None:
    """One changed bit of the id changes words and digits."""
    other = TeamId((int.from_bytes(team, "big") ^ 1 << bit).to_bytes(32, "big"))
    assert Fingerprint.of(team).words != Fingerprint.of(other).words
    assert Fingerprint.of(team).digits != Fingerprint.of(other).digits
