"""Every row of the five systems is shown, promised, drawn elsewhere, or admitted to be missing."""

from __future__ import annotations

from collections import Counter

import pytest

from conformance_kit import row
from tools import conformance
from tools.conformance_rows import ROWS

SYSTEMS = {"S0": 16, "S1": 27, "S1x": 8, "S2": 40, "S3": 21, "S4": 25}


def test_there_are_137_rows() -> None:
    """Each row of each system stands there once, numbered without a gap."""
    wanted = [
        f"{system}-{n:02}" if system != "S1x" else f"{system}-{n}"
        for system, most in SYSTEMS.items()
        for n in range(1, most + 1)
    ]
    assert list(ROWS) == wanted
    assert len(ROWS) == 137
    assert Counter(one.name for one in ROWS.values()).most_common(1)[0][1] <= 2


def test_every_row_is_shown() -> None:
    """What clients, keys or the relay enforce has tests of both cases, what has no test says why, and all exist."""
    assert conformance.problems() == []


def test_the_page_equals_the_tests() -> None:
    """The table of docs/conformance.md is that of the suites; rerun python -m tools.conformance."""
    page = conformance.PAGE_FILE.read_text(encoding="utf-8")
    assert conformance.rewritten(page) == page


def test_no_test_names_a_row_that_is_none() -> None:
    """A mistyped row stops the suite when it is collected."""
    with pytest.raises(ValueError, match="no row S2-41"):
        row("S2-41", "pass")
