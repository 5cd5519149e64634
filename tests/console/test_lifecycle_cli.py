"""The commands that list tickets and move them through their life: JSON, words, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from admin_shell import Shell
from e2e_support_console.query import OPERATORS


@pytest.fixture
def number(team: Shell) -> str:
    """Return the number of a ticket that a user has written."""
    return team.ticket(subject="No invoice", text="It smells of cinnamon.")


def test_each_step_prints_the_line(team: Shell, number: str) -> None:
    """Every command of a ticket's life prints its line as JSON, with what it has become."""
    for command, key, value in (
        (("status", number, "progress"), "status_id", "progress"),
        (("assign", number, "me"), "assignee", "Anna"),
        (("assign", number, "nobody"), "assignee", None),
        (("priority", number, "urgent"), "priority", "urgent"),
        (("category", number, "billing"), "category", "billing"),
        (("hold", number, "--reason", "waits for the bank"), "flags", ["hold"]),
        (("hold", number, "--off"), "flags", []),
        (("snooze", number, "2h"), "flags", ["snoozed"]),
        (("snooze", number, "--off"), "flags", []),
        (("tag", number, "+vip", "+two words", "-none"), "tags", ["two words", "vip"]),
        (("tag", number, "-vip"), "tags", ["two words"]),
        (("archive", number), "flags", ["archived"]),
        (("archive", number, "--off"), "flags", []),
        (("spam", number), "status_id", "spam"),
        (("spam", number, "--off"), "status_id", "progress"),
        (("status", number, "resolved", "--note", "Fixed."), "status_id", "resolved"),
    ):
        line: dict[str, Any] = team.data(*command)
        assert (line["number"], line["state"], line[key]) == (number, "stored", value), command
    assert "is now: Closed" in team("status", number, "closed")


def test_refusals_have_code_and_hint(team: Shell, number: str) -> None:
    """What cannot be is refused with exit code 1, a code and what to do instead."""
    for command, code in (
        (("status", number, "answered"), "status_derived"),
        (("status", number, "lost"), "unknown_status"),
        (("status", number, "resolved"), "resolution_note_needed"),
        (("assign", number, "Zoe"), "no_member"),
        (("priority", number, "lost"), "unknown_priority"),
        (("snooze", number, "yesterday"), "bad_time"),
        (("link", number, number), "same_ticket"),
        (("note", number, "Look.", "--mention", "Zoe"), "no_member"),
        (("inbox", "--view", "lost"), "no_view"),
        (("search", "in:lost"), "bad_query"),
    ):
        error = team.error(*command)
        assert error["code"] == code, command
        assert error["hint"], command


@pytest.mark.parametrize(
    "wrong",
    [("tag",), ("tag", "T-7K3M9-QXF20"), ("tag", "T-7K3M9-QXF20", "vip"), ("tag", "T-7K3M9-QXF20", "+"),
     ("snooze", "T-7K3M9-QXF20"), ("link", "T-7K3M9-QXF20"), ("assign", "T-7K3M9-QXF20")],
)  # fmt: skip
def test_wrong_use_is_told(shell: Shell, wrong: tuple[str, ...]) -> None:
    """A command that lacks something, or has too much of it, ends with exit code 2."""
    shell(*wrong, code=2)


def test_lists_are_filtered_and_counted(team: Shell, number: str) -> None:
    """``inbox`` takes filters and views, ``counts`` names every status, and people read both."""
    other = team.ticket(subject="Another matter")
    team("tag", number, "+vip")
    team("spam", other)
    assert [line["number"] for line in team.data("inbox")] == [number]
    assert [line["number"] for line in team.data("inbox", "--view", "spam")] == [other]
    assert [line["number"] for line in team.data("inbox", "--tag", "vip", "--assignee", "nobody")] == [number]
    assert team.data("inbox", "--text", "cinnamon", "--limit", "0") == []
    assert {label: count for label, count in team.data("counts").items() if count} == {"open": 1, "spam": 1}
    assert team.data("counts", "--tag", "vip")["spam"] == 0
    assert "#vip" in team("inbox")
    assert "No ticket fits." in team("inbox", "--tag", "none")
    assert "1  Spam" in team("counts")


def test_the_search_shows_where_words_stand(team: Shell, number: str) -> None:
    """``search`` groups what it finds, marks it, and says how much was looked through."""
    team("note", number, "He means nutmeg.")
    found = team.data("search", "nutmeg", "invoice")
    assert found["found"] == 1
    assert [hit["snippet"] for hit in found["notes"]] == ["He means «nutmeg»."]
    assert [hit["number"] for hit in found["tickets"]] == [number]
    assert found["coverage"] == {"tickets": 1, "waiting": 0, "complete": True}
    told = team("search", "cinnamon", "--rebuild")
    assert "Messages" in told
    assert "«cinnamon»" in told
    assert "1 ticket searched" in told
    assert "Nothing was found." in team("search", "saffron")
    with pytest.raises(SystemExit):
        team("search", "--help")
    assert OPERATORS.splitlines()[0] in team.capsys.readouterr().out


def test_link_prints_the_link_or_joins(team: Shell, number: str) -> None:
    """Without numbers ``link`` prints the support link; with two it joins tickets, and ``--off`` parts them."""
    other = team.ticket(subject="Another matter")
    assert team.data("link")["link"].startswith("e2es://")
    team("link", number, other)
    assert team.data("show", number)["links"] == [other]
    assert f"Belongs together with {number}" in team("show", other)
    team("link", number, other, "--off")
    assert team.data("show", other)["links"] == []


def test_show_tells_how_a_ticket_stands(team: Shell, number: str) -> None:
    """``show`` names the assignee, tags, marks and what time will do, for people and programs."""
    team("assign", number, "me")
    team("tag", number, "+vip")
    team("snooze", number, "3d")
    team("resolve", number, "--note", "Fixed.")
    told = team("show", number)
    for line in ("Assigned to Anna", "Tags: vip", "! snoozed", "Out of sight until", "Closes by itself"):
        assert line in told
    shown = team.data("show", number)
    assert shown["close_due"] > shown["snoozed_until"] > shown["created_at"]
    assert shown["last"] == {"text": "Fixed.", "note": False}
