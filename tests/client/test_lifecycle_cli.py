"""`e2e-ticket` over the life of tickets: contracts for programs, words for people, each refusal with what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from e2e_support.policy import Policy
from e2e_support.policy_parts import Admission, UserReopen
from e2e_support.presets import DEFAULT, PANEL, PORTAL, RECORD
from e2e_support.vocab import AdmissionMode
from e2e_support_client import cli
from lifecycle_kit import Desk
from shell_kit import Shell, connected_shell
from user_kit import LiveWorld, live_world

CHEAP = Admission(AdmissionMode.OPEN, 4)
TEXT = "The list of invoices is empty since this morning, in both browsers."
WORDS = ("--subject", "The invoices are missing", "--body", TEXT, "--category")


@dataclass
class TeamShell(Shell):
    """Runs commands as a user of a team at a real relay.

    Attributes:
        world: the team.
    """

    world: LiveWorld

    def refusal(self, *arguments: str) -> dict[str, Any]:
        """Run a command with ``--json`` that is refused, and return the error, which says what to do."""
        out, err = self.run(*arguments, "--json", code=1)
        assert not out
        told: dict[str, Any] = json.loads(err.strip().splitlines()[-1])
        assert {"code", "message", "hint"} <= set(told)
        assert told["message"]
        assert told["hint"]
        return told

    def file(self, category: str = "billing", *arguments: str) -> str:
        """Open a ticket and return its number."""
        return str(self.json("new", *WORDS, category, *arguments)["number"])

    def do(self, work: Any) -> Any:
        """Let the team do something."""
        return self.world.do(work)


@pytest.fixture
def shell(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TeamShell]:
    """A user who has connected to a team with the policy that the test asks for."""
    policy: Policy = getattr(request, "param", DEFAULT)
    with live_world(tmp_path / "relay", replace(policy, admission=CHEAP)) as world:
        shell = connected_shell(world, tmp_path, capsys, monkeypatch)
        yield TeamShell(shell.home, capsys, monkeypatch, world)


def with_policy(policy: Policy) -> pytest.MarkDecorator:
    """Return the mark of a test whose team has this policy."""
    return pytest.mark.parametrize("shell", [policy], indirect=True, ids=[policy.preset])


# --- what strangers read -----------------------------------------------------------------------------------------


def test_an_empty_list_claims_nothing(shell: TeamShell) -> None:
    """Where no ticket fits, or all are hidden, nobody is told that there are none."""
    number = shell.file()
    assert "yet" not in shell.run("list", "--status", "closed")[0]
    shell.run("close", number)
    shell.run("hide", number)
    assert "--all" in shell.run("list")[0]


def test_priorities_are_offered_to_those_who_choose(shell: TeamShell) -> None:
    """Where the team sets the priority, users are not told of levels."""
    assert "Priorities" not in shell.run("categories")[0]


# --- contracts for programs --------------------------------------------------------------------------------------


def test_a_life_in_json(shell: TeamShell) -> None:
    """Every command has the promised keys: list and its filters, counts, show, timeline, notifications, hiding."""
    number, other = shell.file(), shell.file("bug")
    shell.do(shell.world.console.answer(number, "Look at July."))
    assert [line["number"] for line in shell.json("list", "--category", "bug")] == [other]
    assert [line["number"] for line in shell.json("list", "--status", "waiting")] == [number]
    assert [line["number"] for line in shell.json("list", "--text", "july")] == [number]
    assert shell.json("counts") == {
        "open": 1, "answered": 0, "progress": 0, "waiting": 1, "resolved": 0, "closed": 0,
    }  # fmt: skip
    (told,) = shell.json("notifications")
    assert {"number", "kind", "at", "read"} <= set(told)
    assert (told["number"], told["kind"], told["read"]) == (number, "response", False)
    assert len(shell.json("notifications", "--mark-read")) == 1
    assert shell.json("notifications")[0]["read"] is True
    assert shell.json("notifications", "--unread") == []
    shell.do(shell.world.console.resolve(number, "It was a full disk."))
    shown = shell.json("show", number)
    assert shown["closes_at"].endswith("Z")
    assert (shown["reopen_until"], shown["erase_at"], shown["resolution"]) == (
        None,
        None,
        "It was a full disk.",
    )
    shell.json("close", number, "--note", "Thank you.")
    shown = shell.json("show", number)
    assert shown["reopen_until"].endswith("Z")
    assert shown["erase_at"].endswith("Z")
    assert shown["actions"] == ["erase", "hide", "reopen", "reply"]
    steps = shell.json("timeline", number)
    assert all({"at", "kind", "status", "by"} <= set(step) for step in steps)
    assert [step["status"] for step in steps] == ["Open", "Waiting for you", "Resolved", "Closed"]
    assert shell.json("hide", number) == {"number": number, "state": "hidden"}
    assert [line["number"] for line in shell.json("list")] == [other]
    assert {line["number"] for line in shell.json("list", "--all")} == {number, other}
    shell.json("unhide", number)
    assert len(shell.json("list")) == 2
    assert shell.json("reopen", number, "It is back.")["state"] == "stored"
    assert shell.json("show", number)["status"] == "Open"


def test_a_card_brings_a_ticket_of_the_team(shell: TeamShell) -> None:
    """S1x-5: the team opens a ticket over a real relay with what ``card`` prints, and the user answers it."""
    shell.json("connect", shell.world.link)
    card = shell.json("card")["card"]
    assert card == shell.json("card")["card"]
    number = shell.do(Desk(shell.world.world).open_for(card))
    (line,) = shell.json("list")
    assert (line["number"], line["unread"]) == (number, 1)
    shown = shell.json("show", number)
    assert [(m["author"]["role"], m["verdict"]) for m in shown["messages"]] == [("team", "ok")]
    shell.json("reply", number, "I have emptied it.")
    assert "e2es-card:" in shell.run("card")[0]


def test_merged_tickets_point_at_each_other(shell: TeamShell) -> None:
    """A reply to the ended one is refused with the number of the one that goes on."""
    one, two = shell.file(), shell.file()
    shell.do(Desk(shell.world.world).merge(one, two))
    error = shell.refusal("reply", one, "Hello?")
    assert (error["code"], error["merged_into"]) == ("merged", two)
    assert f"e2e-ticket reply {two}" in error["hint"]
    assert shell.json("show", one)["merged_into"] == two
    assert shell.json("show", two)["merged_from"] == [one]
    assert f"It goes on in {two}" in shell.run("show", one)[0]


# --- refusals ----------------------------------------------------------------------------------------------------


@with_policy(RECORD)
def test_refusals_of_records(shell: TeamShell) -> None:
    """S2: lengths, lists, priority, files, a sixth ticket, closing, reopening, hiding are refused with what to do."""

    def code(*arguments: str) -> str:
        return str(shell.refusal(*arguments)["code"])

    long, short = ("--body", TEXT), ("--body", "x" * 49)
    named = ("--subject", "The invoices are missing")
    assert code("new", "--subject", "x" * 9, *long, "--category", "bug") == "subject_too_short"
    assert code("new", "--subject", "x" * 201, *long, "--category", "bug") == "subject_too_long"
    assert code("new", *named, *short, "--category", "bug") == "text_too_short"
    assert code("new", *named, "--body", "x" * 2001, "--category", "bug") == "text_too_long"
    assert code("new", *named, "--body", "x" * 20_001, "--category", "bug") == "text_too_long"
    assert code("new", "--subject", "x" * 999, *long, "--category", "bug") == "subject_too_long"
    assert code("new", *WORDS, "gossip") == "unknown_category"
    assert code("new", *WORDS, "bug", "--priority", "high") == "priority_not_yours"
    assert code("new", *WORDS, "bug", "--field", "feature=Moon") == "unknown_field"
    file = shell.home.parent / "a.txt"
    file.write_text("x")
    assert code("new", *WORDS, "bug", "--attach", str(file)) == "attachments_off"
    assert code("new", *WORDS, "bug", "--related", "nonsense") == "bad_number"
    number = shell.file("billing", "--field", "feature=Reports")
    assert code("close", number) == "close_note_needed"
    assert code("hide", number) == "hide_off"
    shell.do(shell.world.console.resolve(number))
    assert shell.json("close", number)["state"] == "stored"
    over = shell.refusal("reply", number, "It is back.")
    assert (over["code"], over["follow_up"]) == ("closed", number)
    assert f"e2e-ticket follow-up {number}" in over["hint"]
    again = shell.refusal("reopen", number, "It is back.")
    assert (again["code"], again["follow_up"]) == ("reopen_never", number)
    assert code("follow-up", number, "Too short.") == "text_too_short"
    followed = shell.json("follow-up", number, TEXT)["number"]
    shown = shell.json("show", followed)
    assert (shown["related"], shown["fields"]) == (number, {"feature": "Reports"})
    last = [shell.file("other") for _ in range(3)][-1]
    sixth = shell.refusal("new", *WORDS, "bug")
    assert (sixth["code"], sixth["limit"], sixth["reply_to"]) == ("daily_limit", 5, last)
    assert sixth["resets_at"].endswith("T00:00:00Z")
    assert sixth["resets_at"][:10] in sixth["hint"]
    assert sum(item["code"] == "daily_limit" for item in shell.json("outbox")) == 1


@with_policy(PORTAL)
def test_refusals_of_the_portal(shell: TeamShell) -> None:
    """S0-03, S0-08: an access key opens nothing, a severity must be one of the list; closed tickets stay closed."""
    error = shell.refusal("new", *WORDS, "general", "--auth-method", "access_key")
    assert (error["code"], error["auth_method"]) == ("not_eligible", "access_key")
    assert shell.refusal("new", *WORDS, "general", "--priority", "cosmic")["code"] == "unknown_priority"
    number = shell.file("general", "--priority", "critical")
    assert shell.json("show", number)["priority"] == "critical"
    shell.json("close", number)
    assert shell.refusal("reply", number, "More.")["code"] == "closed"
    assert shell.refusal("new", *WORDS, "general", "--notify-email", "nobody")["code"] == "bad_email"


@with_policy(replace(PANEL, limits=replace(PANEL.limits, open_max=1)))
def test_refusals_of_the_panel(shell: TeamShell) -> None:
    """S4-11: users do not close; a second open ticket is kept; what is open is not reopened."""
    number = shell.file("technical", "--field", "related_app=shop")
    assert shell.refusal("close", number)["code"] == "close_not_allowed"
    assert shell.refusal("reopen", number, "Again.")["code"] == "not_closed"
    second = shell.refusal("new", *WORDS, "technical")
    assert (second["code"], second["limit"], second["reply_to"]) == ("open_limit", 1, number)
    assert shell.refusal("hide", number)["code"] == "hide_off"


def test_refusals_of_the_default(shell: TeamShell) -> None:
    """What is open is not hidden; an unknown number is no ticket."""
    number = shell.file()
    assert shell.refusal("hide", number)["code"] == "not_closed"
    for command in ("hide", "unhide", "timeline"):
        assert shell.refusal(command, "T-00000-00000")["code"] == "unknown_ticket"
        assert shell.refusal(command, "what")["code"] == "bad_number"


# --- words for people --------------------------------------------------------------------------------------------


@with_policy(replace(DEFAULT, reopen=replace(DEFAULT.reopen, user=UserReopen.WINDOW)))
def test_people_are_told_what_comes_next(shell: TeamShell) -> None:
    """What is left of the day, when it closes by itself, until when it can be reopened, what hiding means."""
    out, err = shell.run("new", *WORDS, "billing")
    number = out.split(":")[0]
    assert "9 of 10 left today, resets " in out
    assert not err
    shell.do(shell.world.console.resolve(number))
    assert "It closes by itself on " in shell.run("show", number)[0]
    shell.run("close", number, "--note", "Thank you.")
    shown = shell.run("show", number)[0]
    assert "You can reopen it until " in shown
    assert re.search(r"\((14 d 0|13 d 23) h left\)", shown)
    assert "It is erased on " in shown
    assert f"e2e-ticket hide {number}" in shown
    hidden = shell.run("hide", number)[0]
    assert "hidden on this device; the team and your other devices see it" in hidden
    assert "e2e-ticket unhide" in hidden
    assert "   1  Closed" not in shell.run("counts")[0]
    assert "Marked resolved." in shell.run("notifications")[0]
    assert "Resolved · Support team" in shell.run("timeline", number)[0]


def test_a_team_without_mails_is_named(shell: TeamShell) -> None:
    """Whoever asks for mails learns what they hold, and that a team which sends none does not get the address."""
    with pytest.raises(SystemExit):
        cli.main(["new", "--help"])
    assert "there is news, and never what" in " ".join(shell.capture.readouterr().out.split())
    _, err = shell.run("new", *WORDS, "billing", "--notify-email", "ada@example.org")
    assert not err  # the recommended policy lets people choose
    with pytest.raises(SystemExit):
        cli.main(["new", "--help"])
    assert "--unlinked" in shell.capture.readouterr().out


@with_policy(RECORD)
def test_an_address_is_not_sent_in_vain(shell: TeamShell) -> None:
    """S2-34: in-app only means that the address stays on the device, and that the person is told so."""
    _, err = shell.run("new", *WORDS, "billing", "--notify-email", "ada@example.org")
    assert "this team sends no mails" in err


def test_every_command_of_a_life_has_help(shell: TeamShell) -> None:
    """Asking for help never needs keys or a relay."""
    for command in ("counts", "timeline", "notifications", "hide", "unhide", "card", "follow-up"):
        with pytest.raises(SystemExit) as ended:
            cli.main([command, "--help"])
        assert ended.value.code == 0
        assert command in shell.capture.readouterr().out
