"""The words of a text as the search compares them: without case, accents and widths, whatever script they are in.

Scripts that put no spaces between words, and Korean, whose words grow by what is joined to them, are cut into single
characters. So a word inside is found as characters that follow each other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from e2e_support_client.plain import plain_line

_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf"  # Thai, Lao, Burmese, Khmer, Tai
    "\u1100-\u11ff\u3005-\u3007\u3031-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\ua4cf"  # Korean, Japanese, Chinese, Yi
    "\ua960-\ua97f\ua9e0-\ua9ff\uaa60-\uaadf\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
_BEFORE, _AROUND = 40, 160  # characters of an excerpt: before what was found, and in all
_ZERO_WIDTH_JOINER: Final = "\u200d"


class _Folding(dict[int, str]):
    """What each character becomes, worked out when it is first met; blanks stand between words."""

    def __missing__(self, code: int) -> str:
        character = unicodedata.normalize("NFKD", chr(code)).casefold()
        kept = [part for part in unicodedata.normalize("NFKD", character) if not _is_accent(part)]
        text = unicodedata.normalize("NFC", "".join(kept))
        self[code] = folded = "".join(map(_placed, text))
        return folded


_FOLDING: Final = _Folding()


def words(text: str) -> list[str]:
    """Return the words of a text in their order.

    Args:
        text: as people wrote it; ``Straße`` and ``STRASSE`` become the same word, ``請求書`` three.
    """
    return unicodedata.normalize("NFKC", text).translate(_FOLDING).split()


def excerpt(text: str, phrases: Sequence[Sequence[str]]) -> str:
    """Return where phrases stand in a text, on one line, each of them between « and ».

    Args:
        text: as ``plain_text`` leaves it.
        phrases: each the words of one; its last word may be the beginning of one.
    """
    line = unicodedata.normalize("NFKC", text.replace("\n", " "))
    placed = list(_places(line))
    marks = _found([word for word, _, _ in placed], phrases)
    spans = [(placed[first][1], placed[last][2]) for first, last in marks]
    start = _cut(line, max(0, spans[0][0] - _BEFORE)) if spans else 0
    end = _cut(line, start + _AROUND) if start + _AROUND < len(line) else len(line)
    shown, at = ["…" if start else ""], start
    for first, last in spans:
        if at <= first and last <= end:
            shown += [line[at:first], "«", line[first:last], "»"]
            at = last
    return plain_line("".join([*shown, line[at:end], "…" if end < len(line) else ""]))


def _is_accent(mark: str) -> bool:
    """Tell marks that a reader may leave out from vowels of Asian scripts, by their class of combination."""
    place = unicodedata.combining(mark)
    return place == 1 or 10 <= place <= 35 or place >= 200


def _placed(character: str) -> str:
    if _UNSPACED.match(character):
        return f" {character} " if _is_of_word(character) else " "
    return character if _is_of_word(character) else "" if character == _ZERO_WIDTH_JOINER else " "


def _is_of_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def _places(line: str) -> Iterator[tuple[str, int, int]]:
    """Yield the words of a line in the form of compatibility, each with its place."""
    word, start, end = "", 0, 0
    for place, character in enumerate(line):
        for part in _FOLDING[ord(character)]:
            if part == " ":
                if word:
                    yield word, start, end
                word = ""
            else:
                start, word, end = start if word else place, word + part, place + 1
    if word:
        yield word, start, end


def _found(there: list[str], phrases: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Return the first and last word of every phrase that stands there; of two that overlap, the first."""
    found: list[tuple[int, int]] = []
    for first, word in enumerate(there):
        lengths = [len(one) for one in phrases if word.startswith(one[0]) and _stands(there, first, one)]
        if lengths and (not found or found[-1][1] < first):
            found.append((first, first + max(lengths) - 1))
    return found


def _stands(there: list[str], first: int, phrase: Sequence[str]) -> bool:
    *whole, last = phrase
    end = first + len(whole)
    return end < len(there) and there[first:end] == whole and there[end].startswith(last)


def _cut(line: str, place: int) -> int:
    """Return the next place where a line can be cut without cutting a word, if there is one near."""
    space = line.find(" ", place, place + _BEFORE)
    return place if space < 0 or not place else space + 1
