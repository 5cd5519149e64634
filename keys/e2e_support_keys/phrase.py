"""A 32-byte secret as 24 words that people can write on paper: BIP-39, English list, with its checksum."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import cache

from mnemonic import Mnemonic

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import UsageError

WORDS = 24


def to_phrase(secret: Secret) -> str:
    """Return 24 lower-case words with single spaces; they are as secret as the secret.

    Args:
        secret: 32 bytes.

    Raises:
        UsageError: ``bad_key`` when it has another size.
    """
    if len(secret) != KEY_SIZE:
        raise UsageError("bad_key", f"a phrase stands for {KEY_SIZE} bytes")
    return _english().to_mnemonic(secret.reveal(SECRET_ACCESS))


def from_phrase(phrase: str) -> Secret:
    """Return the 32 bytes that a phrase stands for.

    Args:
        phrase: 24 words; capitals, line breaks and the amount of white space do not matter.

    Raises:
        UsageError: ``bad_phrase``, naming the word that is not in the list, or saying that the number of
            words or the checksum is wrong.
    """
    words = phrase.lower().split()
    for place, word in enumerate(words, 1):
        if word not in word_list():
            raise _bad_phrase(f"word {place}, {word!r}, is not in the list", alike(word, word_list()))
    if len(words) != WORDS:
        raise _bad_phrase(
            f"it has {len(words)} words instead of {WORDS}", "Look for words left out or twice."
        )
    try:
        return Secret(bytes(_english().to_entropy(words)))
    except ValueError:
        raise _bad_phrase("the words do not fit together", "Look for two that changed places.") from None


@cache
def word_list() -> tuple[str, ...]:
    """Return the 2048 words of the BIP-39 English list, in order."""
    return tuple(_english().wordlist)


@cache
def _english() -> Mnemonic:
    return Mnemonic("english")


def alike(word: str, words: Sequence[str]) -> str:
    """Return a hint for a word that is not in a list: the ones that look like it.

    Args:
        word: what a person typed.
        words: the list.
    """
    close = difflib.get_close_matches(word, words, n=3, cutoff=0.6)
    return f"Is it {' or '.join(close)}?" if close else "Compare it with what you wrote down."


def _bad_phrase(why: str, hint: str) -> UsageError:
    return UsageError("bad_phrase", f"this is not a recovery phrase: {why}", hint=hint)
