# pyright: reportPrivateUsage=false
"""Rates and turns, as tables that read like stories (protocol 3.3, attack 82)."""

from __future__ import annotations

import pytest

from e2e_support_server import fairness
from e2e_support_server.fairness import HOLD_SECONDS, Rate, Turns
from e2e_support_server.rules import Writer

U, T = Writer.USER, Writer.TEAM


def test_a_burst_is_allowed_and_then_the_long_run_counts() -> None:
    """Five at once, then two a second."""
    rate = Rate(2, 5)
    assert [rate.wait("k", 100.0) == 0 for _ in range(6)] == [True] * 5 + [False]
    assert rate.wait("k", 100.0) == pytest.approx(0.5)
    assert [rate.wait("k", 100.5) == 0 for _ in range(2)] == [True, False]


def test_keys_do_not_share_an_account() -> None:
    """Who uses up one key's burst leaves the others' alone."""
    rate = Rate(1, 1)
    assert rate.wait("a", 0.0) == 0
    assert rate.wait("a", 0.0) > 0
    assert rate.wait("b", 0.0) == 0


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    """An account that lies in the future is forgotten."""
    rate = Rate(1, 1)
    rate.wait("a", 10_000.0)
    assert rate.wait("a", 5.0) == 0


def test_accounts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest accounts and holds are forgotten first."""
    monkeypatch.setattr(fairness, "KEPT", 2)
    rate, turns = Rate(1, 1), Turns()
    for key in range(5):
        rate.wait(key, 0.0)
        turns.refused(key, U, 0.0)
    assert (len(rate._even), len(turns._holds)) == (2, 2)


STORIES = {
    "the refused class holds the head": [("refused", U, 0), ("waits", T, 1), ("free", U, 1)],
    "a hold ends after three seconds": [("refused", U, 0), ("free", T, HOLD_SECONDS)],
    "writing ends the hold": [("refused", U, 0), ("stored", U, 1), ("free", T, 1)],
    "no second hold before the other's turn": [("refused", U, 0), ("refused", U, 4), ("free", T, 4.1)],
    "no second hold after writing either": [
        ("refused", U, 0),
        ("stored", U, 1),
        ("refused", U, 2),
        ("free", T, 2),
    ],
    "the other's turn gives the right back": [
        ("refused", U, 0),
        ("stored", U, 1),
        ("stored", T, 2),
        ("refused", U, 3),
        ("waits", T, 4),
    ],
    "nobody takes a hold that is running": [
        ("refused", U, 0),
        ("refused", T, 1),
        ("waits", T, 2),
        ("free", U, 2),
    ],
    "turns alternate": [
        ("refused", U, 0),
        ("refused", T, 4),
        ("waits", U, 5),
        ("refused", U, 8),
        ("waits", T, 9),
    ],
    "a clock set back frees the head": [("refused", U, 1000), ("free", T, 10)],
    "a clock set back takes nobody's turn": [("refused", U, 1000), ("refused", T, 10), ("waits", U, 11)],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_turns(story: list[tuple[str, Writer, float]]) -> None:
    """The head is held in turns, so that neither class is silenced by the other's loop of appends."""
    turns = Turns()
    for act, writer, now in story:
        match act:
            case "refused":
                turns.refused(1, writer, now)
            case "stored":
                turns.stored(1, writer)
            case _:
                assert (turns.wait(1, writer, now) > 0) == (act == "waits")
