"""Makes text from strangers safe to print: no escape sequence, no control or invisible character survives.

Two functions, one for texts with lines and one for names; they know nothing of tickets, so that the console and
every command line can share them (attacks 34 and 35).
"""

from __future__ import annotations

import re
import unicodedata

# What a terminal carries out: strings that end properly, control sequences, and two-character escapes.
_STRINGS = re.compile(r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)")
_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?")
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji need them inside words
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u034f\u2800")  # letters and marks that look like nothing
_MARKS_MAX = 4  # marks on one letter; more is there to climb into other lines


def plain_text(text: str) -> str:
    r"""Return a text of several lines that prints as itself and does nothing else.

    Args:
        text: anything.

    Returns:
        The text in NFC, its line ends as ``\n``, tabs kept, without escape sequences, control and bidirectional
        characters and other invisible ones, except joiners between letters.
    """
    return "\n".join(_clean(line, keep="\t" + _JOINERS) for line in _lines(text))


def plain_line(text: str) -> str:
    """Return a name or title on one line, with nothing invisible in it and single spaces.

    Args:
        text: anything.
    """
    return " ".join(_clean(" ".join(_lines(text)).replace("\t", " "), keep="").split())


def _lines(text: str) -> list[str]:
    return _LINE_ENDS.sub("\n", _ESCAPES.sub("", _STRINGS.sub("", text))).split("\n")


def _clean(line: str, *, keep: str) -> str:
    composed = unicodedata.normalize("NFC", line.encode("utf-8", "replace").decode("utf-8"))
    shown: list[str] = []
    marks = 0
    for character in composed:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        hidden = (category in _INVISIBLE or character in _BLANK) and character not in keep
        if not hidden and marks <= _MARKS_MAX:
            shown.append(character)
    return unicodedata.normalize("NFC", "".join(shown))
