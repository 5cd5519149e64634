"""Shares of a secret: any few give it back, fewer give nothing, and a wrong one is named."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shamir_mnemonic import Share

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.errors import UsageError
from e2e_support_keys.phrase import to_phrase
from e2e_support_keys.shares import SHARE_WORDS, SHARES_MAX, combine, split
from keys_room import KEY, OTHER_KEY, refused

FIVE = split(KEY, 3, 5)
OTHER = split(OTHER_KEY, 3, 5)


def changed(share: str, place: int, word: str) -> str:
    """Return a share with one word, counted from one, replaced."""
    words = share.split()
    words[place - 1] = word
    return " ".join(words)


def wrong(*given: str) -> UsageError:
    """Return the error for shares that are refused as bad."""
    with pytest.raises(UsageError) as caught:
        combine(given)
    assert caught.value.code == "bad_share"
    assert caught.value.hint
    return caught.value


def test_any_three_of_five_give_the_secret_back() -> None:
    """It does not matter which shares come, in which order, or whether more than needed do."""
    for some in combinations(FIVE, 3):
        assert combine(some) == combine(some[::-1]) == KEY
    assert combine(FIVE) == KEY


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.data())
def test_any_secret_goes_round(data: bytes, draw: st.DataObject) -> None:
    """Every secret, number of shares and threshold come back from just enough shares."""
    count = draw.draw(st.integers(2, SHARES_MAX), label="shares")
    threshold = draw.draw(st.integers(2, count), label="threshold")
    made = split(Secret(data), threshold, count)
    assert len(set(made)) == count
    assert {len(share.split()) for share in made} == {SHARE_WORDS}
    assert combine(draw.draw(st.permutations(made), label="order")[:threshold]) == Secret(data)


def test_two_splits_of_one_secret_differ() -> None:
    """Shares are drawn anew, so that a share of an older split is of no use."""
    again = split(KEY, 3, 5)
    assert not set(again) & set(FIVE)
    assert "share 3" in wrong(*FIVE[:2], again[2]).message


@pytest.mark.parametrize(("given", "missing"), [(0, "one more"), (1, "2 more"), (2, "one more")])
def test_too_few_shares_say_how_many_are_missing(given: int, missing: str) -> None:
    """Whoever collects shares learns how many are still to come, but for the first."""
    with pytest.raises(UsageError) as caught:
        combine(FIVE[:given])
    assert caught.value.code == "too_few_shares"
    assert caught.value.message.startswith(missing)


def test_a_share_that_comes_twice_counts_once() -> None:
    """The same paper read twice is no second share."""
    with refused("too_few_shares"):
        combine([FIVE[0], FIVE[0].upper(), FIVE[1]])


def test_fewer_shares_than_the_threshold_hold_nothing() -> None:
    """Two shares of three fit every secret: what they say is another one for every guess of the third."""
    found: set[bytes] = set()
    for guess in range(8):
        third = split(Secret(bytes([guess]) * 32), 3, 5)[2]
        values = [Share.from_mnemonic(share).value for share in (FIVE[0], FIVE[1], third)]
        found.add(bytes(a ^ b ^ c for a, b, c in zip(*values, strict=True)))
    assert len(found) == 8
    assert KEY.reveal(SECRET_ACCESS) not in found


def test_a_word_that_is_not_in_the_list_is_named() -> None:
    """A slip is found by share and word, with the words that look like it."""
    error = wrong(FIVE[0], changed(FIVE[1], 7, "acadmic"), FIVE[2])
    assert "share 2" in error.message
    assert "word 7, 'acadmic'" in error.message
    assert "academic" in error.hint


@pytest.mark.parametrize("place", [1, 3, 4, 5, 20, 31, 33])
def test_a_wrong_word_of_the_list_is_found(place: int) -> None:
    """Each share has a checksum of its own; a right word in the wrong place names its share."""
    word = "academic" if FIVE[2].split()[place - 1] != "academic" else "acid"
    assert "share 3" in wrong(FIVE[0], FIVE[1], changed(FIVE[2], place, word)).message


def test_words_left_out_are_counted() -> None:
    """A share of another length says so; a whole recovery phrase is no share."""
    assert "32 words instead of 33" in wrong(FIVE[0], " ".join(FIVE[1].split()[1:])).message
    assert "is not in the list" in wrong(to_phrase(KEY)).message


def test_a_share_of_another_set_is_named() -> None:
    """Among shares of one split a stranger stands out, wherever it is."""
    assert "share 1" in wrong(OTHER[0], *FIVE[:3]).message
    assert "share 4" in wrong(*FIVE[:3], OTHER[0]).message


def test_a_forged_share_is_noticed() -> None:
    """A share made to fit, checksum and all, gives no other secret: the digest in the shares tells (SLIP-0039)."""
    false = replace(Share.from_mnemonic(FIVE[1]), value=bytes(32))
    error = wrong(FIVE[0], false.mnemonic(), FIVE[2])
    assert "one of them is false" in error.message
    assert combine([FIVE[0], FIVE[3], FIVE[2]]) == KEY


@pytest.mark.parametrize(("threshold", "count"), [(1, 1), (1, 5), (0, 5), (6, 5), (2, 17), (2, 1), (-1, 3)])
def test_impossible_numbers_are_refused(threshold: int, count: int) -> None:
    """A share that is the whole secret, or more shares than there are, is no split."""
    with refused("bad_split"):
        split(KEY, threshold, count)


def test_only_32_bytes_are_split() -> None:
    """A secret of another size is refused."""
    with refused("bad_key"):
        split(Secret(b"short"), 2, 3)


def test_the_error_for_a_share_never_shows_it() -> None:
    """Of a share that is wrong only the word that no list has is repeated."""
    share = changed(FIVE[0], 2, "xylophone")
    text = str(wrong(share))
    assert not [word for word in FIVE[0].split() if f" {word} " in text]
