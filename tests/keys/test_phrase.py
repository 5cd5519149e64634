"""The 24 words: the official examples, forgiveness for how people type, and none for what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support_keys.phrase import from_phrase, to_phrase, word_list
from keys_room import refused

# The vectors of the BIP-39 reference implementation for 256 bits.
EIGHT = {
    0x7F: ("legal winner thank year wave sausage worth", "useful", "title"),
    0x80: ("letter advice cage absurd amount doctor acoustic", "avoid", "bless"),
}
EXAMPLES = [
    (b"\x00", " ".join(["abandon"] * 23 + ["art"])),
    *(
        (bytes([byte]), f"{seven} {eighth} " * 2 + f"{seven} {last}")
        for byte, (seven, eighth, last) in EIGHT.items()
    ),
    (b"\xff", " ".join(["zoo"] * 23 + ["vote"])),
]
PHRASE = EXAMPLES[1][1]


@pytest.mark.parametrize(("byte", "phrase"), EXAMPLES)
def test_the_official_examples_hold(byte: bytes, phrase: str) -> None:
    """The published vectors come out in both directions, so that other programs read the phrase too."""
    assert to_phrase(Secret(byte * 32)) == phrase
    assert from_phrase(phrase) == Secret(byte * 32)


@given(st.binary(min_size=32, max_size=32))
def test_any_secret_goes_round(data: bytes) -> None:
    """Every 32 bytes become 24 words of the list and come back."""
    phrase = to_phrase(Secret(data))
    assert len(phrase.split(" ")) == 24
    assert from_phrase(phrase) == Secret(data)


@pytest.mark.parametrize(
    "typed", [PHRASE.upper(), PHRASE.title(), "  " + PHRASE.replace(" ", "\n\t "), PHRASE + "\r\n"]
)
def test_capitals_and_spaces_do_not_matter(typed: str) -> None:
    """However a phrase is typed, it is the same phrase."""
    assert from_phrase(typed) == from_phrase(PHRASE)


def test_a_word_that_is_not_in_the_list_is_named() -> None:
    """A slip is found by its place and gets a suggestion."""
    with pytest.raises(UsageError) as caught:
        from_phrase(PHRASE.replace("winner", "winer", 1))
    assert caught.value.code == "bad_phrase"
    assert "word 2, 'winer'" in caught.value.message
    assert "winner" in caught.value.hint


def test_a_word_like_no_other_has_no_suggestion() -> None:
    """Where nothing is alike the hint sends people to their paper."""
    with pytest.raises(UsageError) as caught:
        from_phrase(PHRASE.replace("winner", "qqqqqqq", 1))
    assert caught.value.hint == "Compare it with what you wrote down."


@pytest.mark.parametrize("words", [0, 12, 23, 25])
def test_another_number_of_words_is_refused(words: int) -> None:
    """Only 24 words are a phrase, although the list has shorter ones."""
    with refused("bad_phrase"):
        from_phrase(" ".join((PHRASE.split() * 2)[:words]))


@given(place=st.integers(0, 22))
def test_two_swapped_words_are_noticed(place: int) -> None:
    """The checksum finds neighbours that changed places in this phrase."""
    words = PHRASE.split()
    words[place], words[place + 1] = words[place + 1], words[place]
    with refused("bad_phrase"):
        from_phrase(" ".join(words))


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_only_32_bytes_have_a_phrase(size: int) -> None:
    """Secrets of other sizes are not written down as words."""
    with refused("bad_key"):
        to_phrase(Secret(bytes(size)))


def test_the_list_is_the_english_one() -> None:
    """2048 sorted words, each told apart by its first four letters."""
    words = word_list()
    assert len(words) == len({word[:4] for word in words}) == 2048
    assert list(words) == sorted(words)
    assert (words[0], words[-1]) == ("abandon", "zoo")
