"""Text from strangers on a terminal: whatever it holds, it prints as itself and does nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_support_client.plain import plain_line, plain_text

ANY_TEXT = st.text(st.characters() | st.sampled_from("\x1b[]\\;m\x07\x9b\x9d\u202e\u2066\u200b\u0301\r\n\t"))
JOINERS = {"\u200c", "\u200d"}


@given(ANY_TEXT)
def test_nothing_invisible_survives(text: str) -> None:
    """No control, format, surrogate, private or unassigned character is left, but line ends, tabs and joiners."""
    left = {c for c in plain_text(text) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"}}
    assert left <= {"\n", "\t"} | JOINERS


@given(ANY_TEXT)
def test_a_line_is_one_line(text: str) -> None:
    """A name has no line end, no tab, nothing invisible at all, and no white space around it."""
    line = plain_line(text)
    assert not {c for c in line if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}}
    assert line == line.strip()
    assert "  " not in line


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """What was cleaned is clean: nothing dangerous appears by taking something else away."""
    once = plain_text(text)
    assert plain_text(once) == once
    assert plain_line(plain_line(text)) == plain_line(text)


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S"))))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    """Letters, digits, signs and emoji of any script are left alone, but for NFC and what looks like nothing."""
    kept = unicodedata.normalize("NFC", text)
    blank = {"\u115f", "\u1160", "\u3164", "\uffa0", "\u2800"}
    assert plain_text(text) == "".join(c for c in kept if c not in blank)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jcleared", "cleared"),
        ("a\x1bPpayload\x9cb", "ab"),
        ("never ends \x1b]52;c;aGVsbG8=", "never ends 52;c;aGVsbG8="),
        ("bell\x07 back\x08space null\x00", "bell backspace null"),
        ("over\rwritten\r\nline", "over\nwritten\nline"),
        ("one\u2028two\x0bthree\x85four", "one\ntwo\nthree\nfour"),
        ("ad\u202enim\u202c", "adnim"),
        ("x\u2066y\u2069\u200bz\ufeff", "xyz"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("Z" + "\u0301" * 20, "Z\u0301\u0301\u0301\u0301".replace("Z\u0301", "Ź")),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_what_becomes_of_known_tricks(text: str, shown: str) -> None:
    """Escape sequences go with what they carry, bidirectional and invisible characters go, lines stay lines."""
    assert plain_text(text).startswith(shown[:40])
    assert len(plain_text(text)) <= max(len(shown), 6)


def test_names_lose_what_could_imitate_others() -> None:
    """A display name cannot hide letters, joiners or a second line."""
    assert plain_line(" Ad\u200dmin\n\x1b[2K(team)\u202e ") == "Admin (team)"
