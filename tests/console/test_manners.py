"""What ``e2e-admin`` says to people who typed something that cannot be: what is wrong, and what may stand there."""

from __future__ import annotations

import sys

import pytest

from admin_shell import Shell
from console_room import URL
from e2e_support_client.testing import CODE
from e2e_support_console import lists_cli

WRONG_WORDS = [
    (("inbox", "--limit", "-1"), "'-1' is no whole number from 0 on"),
    (("inbox", "--limit", "many"), "'many' is no whole number from 0 on"),
    (("search", "x", "--limit", "-1"), "'-1' is no whole number from 1 on"),
    (("cosign", "first"), "'first' is no whole number from 1 on"),
    (("team", "threshold", "257"), "'257' is no whole number from 1 to 256"),
    (("policy", "diff", "--proposal", "²"), "'²' is no whole number from 1 on"),
    (("keys", "recovery", "--shares", "9" * 5000), "is no whole number from 1 on"),
    (("inbox", "--limit", "0" * 20 + "9" * 20), "is no whole number from 0 on"),
    (("proof", "export", "x", "--number", "-1"), "'-1' is no whole number from 0 on"),
    (
        ("open-for", "card", "--subject", "x", "--category", "bug", "--body", "x"),
        "e2e-admin open-for: unrecognized",
    ),
    (("policy", "show", "panel"), "e2e-admin policy show: unrecognized arguments: panel"),
]


@pytest.mark.parametrize(
    ("words", "told"), WRONG_WORDS, ids=[" ".join(words)[:40] for words, _ in WRONG_WORDS]
)
def test_a_wrong_word_is_named_with_what_may_stand_there(
    shell: Shell, words: tuple[str, ...], told: str
) -> None:
    """The error quotes the word, says which numbers there are, and points to the help of this very command."""
    error = shell.error(*words, code=2)
    assert error["code"] == "usage"
    assert told in error["message"]
    assert error["hint"].endswith(" --help.")


def test_unknown_ids_are_told_with_those_that_there_are(team: Shell) -> None:
    """Whoever names a status, priority or category that the policy has not reads which it has."""
    number = team.ticket()
    for command, code, there in (
        ("status", "unknown_status", "open"), ("priority", "unknown_priority", "low, normal, high, urgent"),
        ("category", "unknown_category", "bug, question, account, billing, data, other"),
    ):  # fmt: skip
        for value in ("extreme", ""):
            error = team.error(command, number, value)
            assert error["code"] == code
            assert there in error["hint"]


def test_a_team_without_priorities_says_so(shell: Shell) -> None:
    """Where the policy has no priorities, it is the rule that is told, not an empty list."""
    shell("team", "create", URL, "--name", "T", "--owner", "Anna", "--code", CODE, "--preset", "instance")
    assert shell.error("priority", shell.ticket(category="bug"), "high")["code"] == "priority_not_yours"


def test_what_is_one_is_told_as_one(team: Shell) -> None:
    """One owner, one byte, one mailbox: nouns follow their numbers."""
    assert team("team", "threshold", "1") == "From now on one owner is enough.\n"
    assert (
        "too few owners would be left: 1, and 3 must sign" in team.error("team", "threshold", "3")["message"]
    )
    first, second = team.ticket(), team.ticket()
    team("close", first)
    team("bulk", "close", first, second, code=1)
    assert "1 of 2 tickets refused it" in team.err
    assert "The others took it." in team.err
    team("bulk", "close", first, second, code=1)
    assert "The others took it." not in team.err


def test_a_full_inbox_does_not_run_off_the_screen(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person at a terminal sees who waits longest, and how many more there are; programs get all."""
    first, second = team.ticket(), team.ticket()
    team("inbox")
    monkeypatch.setattr(lists_cli, "SCREEN", 1)
    assert len(team.data("inbox")) == 2
    assert second in team("inbox")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = team("inbox")
    assert first in shown
    assert second not in shown
    assert "There are 2: see them with --limit 2" in shown
    assert second in team("inbox", "--limit", "2")
    assert "There are" not in team("inbox", "--limit", "1")


SETTINGS = [
    ("limits.subject_min=many", "As it is now: limits.subject_min=5"),
    ("limits.subject_min=300", "As it is now: limits.subject_min=5"),
    ("attachments.mode=some", "As it is now: attachments.mode=any"),
    ("categories.bug.label=" + "x" * 300, "As it is now: 'categories.bug.label=Something does not work'"),
    ("external_url=here", "As it is now: external_url="),
    ("limits.create=5", "For example: limits.create_per_day=10"),
    ("subject_min=1", "For example: limits.subject_min=5"),
    ("reopen", "For example: reopen.user=window  reopen.window_days=14  reopen.staff=true"),
    ("categories=foo", "For example: categories.bug.id=bug"),
    ("zzz=1", "All settings as they are: e2e-admin policy show --json."),
    ("=", "All settings as they are: e2e-admin policy show --json."),
]


@pytest.mark.parametrize(("edit", "hint"), SETTINGS, ids=[edit[:30] for edit, _ in SETTINGS])
def test_a_setting_that_cannot_be_is_told_with_an_example(team: Shell, edit: str, hint: str) -> None:
    """The hint shows the key that was meant with a value that may stand there: the one that stands there."""
    error = team.error("policy", "set", edit, "--yes")
    assert error["code"] == "bad_setting"
    assert error["hint"].startswith(hint)
