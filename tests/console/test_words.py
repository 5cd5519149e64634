"""The words of texts: how they are cut and compared, and how a place in a text is shown."""

# ruff: noqa: RUF001 - letters that look alike are the matter here

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_support_client.plain import plain_text
from e2e_support_console.words import excerpt, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Straße STRASSE", "strasse strasse"), ("请求书 ABC手机", "请 求 书 abc 手 机"), ("한국어", "한 국 어"),
        ("ﾃﾞ デ か が", "デ デ か が"), ("ที่นี่", "ท ี ่ น ี ่"), ("हिन्दी", "हिन्दी"), ("ё İ ς", "е i σ"),
        ("שָׁלוֹם مُحَمَّد", "שלום محمد"), ("①② ½ ﬁ", "12 1 2 fi"), ("x\u0336y", "xy"), ("ක්\u200dර", "ක්ර"),
        ("می\u200cخواهم", "می خواهم"), ("a_b-c.d@e", "a b c d e"), ("你好。「世界」", "你 好 世 界"), ("🙂 * \x00", ""),
    ],
)  # fmt: skip
def test_texts_are_cut_into_words(text: str, expected: str) -> None:
    """Letters of all scripts are folded alike; what has no spaces is cut into characters; signs stand between."""
    assert " ".join(words(text)) == expected


@given(st.text())
def test_words_are_the_same_whatever_case_and_form_they_had(text: str) -> None:
    """What was cut is cut into itself: the index and whoever asks it fold alike."""
    assert words(" ".join(words(text))) == words(text)


@given(st.text(), st.integers(0, 50))
def test_an_excerpt_marks_what_was_found(text: str, place: int) -> None:
    """Whatever word of a text is looked for, its excerpt shows it."""
    shown = plain_text(text)
    found = words(shown)
    if found:
        assert "«" in excerpt(shown, [[found[place % len(found)]]])


@pytest.mark.parametrize(
    ("text", "phrases", "expected"),
    [
        ("He means nutmeg.", [["nutm"]], "He means «nutmeg»."),
        ("Crème, crèmes", [["creme"]], "«Crème», «crèmes»"),
        ("one two one", [["one", "two"], ["two"]], "«one two» one"),
        ("two\nlines", [["lines"]], "two «lines»"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            [["\u062e\u0648\u0627"]],
            "\u0645\u06cc«\u062e\u0648\u0627\u0647\u0645»",
        ),
        ("nothing here", [["x"]], "nothing here"),
        ("", [["x"]], ""),
        (
            "字" * 300 + "請求書" + "字" * 300,
            [["請", "求", "書"]],
            "…" + "字" * 40 + "«請求書»" + "字" * 117 + "…",
        ),
    ],
)
def test_an_excerpt_is_one_line_around_what_was_found(
    text: str, phrases: list[list[str]], expected: str
) -> None:
    """Phrases stand between marks in the author's own letters, and both ends are cut where a text is long."""
    assert excerpt(text, phrases) == expected
