"""`e2e-admin policy`: words for people, JSON for programs, nothing signed that nobody agreed to."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console_room import URL
from e2e_support.policy_diff import policy_changes
from e2e_support.policy_form import policy_form
from e2e_support.presets import DEFAULT, DESCRIPTIONS, PANEL, PRESETS, RECORD
from e2e_support.vocab import Role
from e2e_support_client.policy_words import LEAVES
from e2e_support_client.terminal import Terminal
from e2e_support_client.testing import CODE, FakeRelay, Fault
from e2e_support_console import cli, policy_cli
from e2e_support_console.policy_editor import Preview
from e2e_support_console.policy_edits import GRAMMAR
from e2e_support_console.policy_effects import Affected
from e2e_support_console.policy_render import changes_text, preview_text, show_text
from e2e_support_console.team import TeamClient
from keys_room import unlock_cheaply
from team_room import TeamRoom

TEXT = {"old", "new", "path", "text"}


class Shell:
    """A terminal with a founded team, and a relay in memory behind the network.

    Attributes:
        home: the console's home.
        relay: the relay.
        err: what the last command wrote to standard error.
    """

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.relay = FakeRelay()
        self.err = ""
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run a command, expect its exit code, and return what it wrote."""
        self._capsys.readouterr()
        done = cli.main(["--home", str(self.home), *arguments])
        out, self.err = self._capsys.readouterr()
        assert done == code, self.err
        return out

    def data(self, *arguments: str) -> Any:
        """Run a command with ``--json`` and return what it wrote, decoded."""
        return json.loads(self(*arguments, "--json"))

    def error(self, *arguments: str, code: int = 1) -> str:
        """Run a command that fails and return the code of its error."""
        self(*arguments, "--json", code=code)
        return str(json.loads(self.err.splitlines()[-1])["code"])


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a terminal whose passphrase stands in a file, with cheap key derivation."""
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o600)
    monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(secret))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    shell = Shell(tmp_path / "home", capsys)

    def connect(_url: str) -> FakeRelay:
        return shell.relay

    monkeypatch.setattr("e2e_support_console.team.HttpRelay", connect)
    unlock_cheaply(monkeypatch)
    return shell


def found(shell: Shell, *arguments: str) -> Shell:
    """Found a team."""
    shell("team", "create", URL, "--name", "Example team", "--owner", "Anna", "--code", CODE, *arguments)
    return shell


@pytest.fixture
def team(shell: Shell) -> Shell:
    """Return a terminal with a team that has the default policy."""
    return found(shell)


class Person(io.StringIO):
    """Somebody at a terminal who types."""

    def isatty(self) -> bool:
        """A person sits there."""
        return True


# --- reading -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_team_begins_with_a_preset(shell: Shell, name: str) -> None:
    """The policy of a new team is the preset that was named, whole."""
    found(shell, "--preset", name)
    assert shell.data("policy", "show") == policy_form(PRESETS[name])


def test_without_a_word_a_team_begins_with_the_default(team: Shell) -> None:
    """The recommended policy needs no option, and an unknown preset founds nothing."""
    assert team.data("policy", "show") == policy_form(DEFAULT)


def test_an_unknown_preset_founds_nothing(shell: Shell) -> None:
    """A preset that there is not is a wrong call."""
    arguments = ("--name", "Example", "--owner", "Anna", "--code", CODE, "--preset", "zendesk")
    assert shell.error("team", "create", URL, *arguments, code=2) == "usage"


def test_the_policy_is_told_in_words(shell: Shell) -> None:
    """Each rule stands as a sentence behind who enforces it."""
    text = found(shell, "--preset", "panel")("policy", "show")
    assert "every client  Users can reopen by replying for 7 days." in text
    assert "relay         A message carries at most 10 files" in text
    assert "keys          Only the user and the team read messages" in text
    assert "nobody        The team gets a mail" in text
    assert "Made from the preset panel." in text


def test_the_running_day_is_told() -> None:
    """Where tickets are counted per calendar day, it says when the running one ends; by 24 hours there is none."""
    assert "The running day ends at 1970-01-02 00:00 UTC." in show_text(RECORD, 5)
    assert "running day" not in show_text(PANEL, 5)


def test_what_is_known_is_shown_while_the_relay_is_away(team: Shell) -> None:
    """The policy was signed and is kept, so it can be read without a network."""
    team.relay.inject(Fault.OFFLINE)
    assert team.data("policy", "show") == policy_form(DEFAULT)
    assert team.err


def test_presets_are_listed_by_what_they_do(team: Shell) -> None:
    """Every preset has one sentence about its behaviour."""
    listed = team.data("policy", "presets")
    assert [one["name"] for one in listed] == list(PRESETS)
    assert all(one["text"].endswith(".") for one in listed)
    lines = team("policy", "presets").splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [list(row) for row in DESCRIPTIONS.items()]


def test_differences_are_told(team: Shell, tmp_path: Path) -> None:
    """Against a preset, a file, or the preset that the policy came from, each setting has a line and two values."""
    told = team.data("policy", "diff", "panel")
    assert all(set(one) == TEXT for one in told)
    by_path = {one["path"]: one for one in told}
    assert by_path["close.user"]["old"], by_path["close.user"]["new"] == ("any_open", "never")
    assert "users close: any open → never" in team("policy", "diff", "panel").splitlines()
    assert team("policy", "diff") == "Nothing differs.\n"
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy_form(replace(DEFAULT, show_languages=0))))
    assert [one["path"] for one in team.data("policy", "diff", str(file))] == ["show_languages"]
    assert team.error("policy", "diff", str(tmp_path / "nothing")) == "cannot_read"


def test_what_was_changed_since_the_preset_is_told(team: Shell) -> None:
    """Without a target the difference is to the preset that the policy was made from."""
    team("policy", "set", "limits.subject_min=8", "--yes")
    assert team("policy", "diff") == "shortest subject: 5 → 8\n"


def test_text_of_a_policy_cannot_write_to_the_terminal() -> None:
    """A guideline with an escape sequence is shown without it (attack 34)."""
    category = replace(DEFAULT.categories[0], label="\x1b[2JBug")
    new = replace(DEFAULT, categories=(category, *DEFAULT.categories[1:]))
    assert "\x1b" not in show_text(new, 5)
    assert "\x1b" not in changes_text(policy_changes(DEFAULT, new))


# --- changing ----------------------------------------------------------------------------------------------


def test_a_setting_is_changed(team: Shell) -> None:
    """With --yes it is signed; what changed stands in the answer, in the policy and in the team's history."""
    told = team.data("policy", "set", "close.user=never", "limits.subject_min=8", "--yes")
    assert told["state"] == "done"
    assert [one["path"] for one in told["changes"]] == ["limits.subject_min", "close.user"]
    assert any(rule["text"].startswith("Users cannot close") for rule in told["rules"])
    assert any(rule["text"].startswith("Users can close") for rule in told["gone"])
    shown = team.data("policy", "show")
    assert (shown["close"]["user"], shown["limits"]["subject_min"]) == ("never", 8)
    assert "users close: any open → never" in team("team", "audit")


def test_a_preset_or_a_file_replaces_all(team: Shell, tmp_path: Path) -> None:
    """What `show --json` wrote and somebody edited can be applied; a preset likewise."""
    team("policy", "apply", "panel", "--yes")
    form = team.data("policy", "show")
    assert form == policy_form(PANEL)
    form["show_languages"] = True
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(form))
    assert team.data("policy", "apply", str(file), "--yes")["state"] == "done"
    assert team.data("policy", "show")["show_languages"] is True


def test_open_tickets_are_counted_before_anybody_agrees(team: Shell) -> None:
    """A change is shown with settings and rules, and nothing is signed without a yes."""
    assert team.error("policy", "set", "close.user=never") == "not_confirmed"
    team("policy", "set", "close.user=never", code=1)
    assert "Settings that change (1):\n  users close: any open → never" in team.err
    assert "Rules from now on:\n  every client  Users cannot close tickets." in team.err
    assert "It changes no open ticket that this device knows." in team.err
    assert team.data("policy", "show") == policy_form(DEFAULT)


def test_tickets_that_change_are_listed() -> None:
    """Each stands with its number, its subject without escape sequences, and a line for what would be different."""
    affected = (Affected("T-AAAAA-BBBBB", "No \x1b[2Jinvoice", ("the user may close it: yes → no",)),)
    text = preview_text(Preview(DEFAULT, PANEL, (), (), (), affected))
    assert "It changes 1 open ticket:" in text
    assert "  T-AAAAA-BBBBB  No invoice\n    the user may close it: yes → no" in text
    assert "Rules" not in text


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("y\n", 1), ("", 1)])
def test_a_person_says_yes_in_full(
    team: Shell, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    """Only the whole word signs; anything else leaves the policy as it is."""
    monkeypatch.setattr("sys.stdin", Person(typed))
    team("policy", "set", "close.user=never", code=code)
    assert team.data("policy", "show")["close"]["user"] == ("any_open" if code else "never")


def test_nothing_to_change_asks_nobody(team: Shell) -> None:
    """A value that holds already signs nothing."""
    assert team.data("policy", "set", "show_languages=true")["state"] == "unchanged"


def test_a_wrong_value_is_explained(team: Shell) -> None:
    """The error names the place; nothing is signed."""
    assert team.error("policy", "set", "close.user=sometimes", "--yes") == "bad_setting"
    assert "never, resolved_only, any_open" in team.err


def test_an_address_outside_is_shown_with_its_warning(team: Shell) -> None:
    """Preview and rules say that the encrypted channel ends there (S4-24, C16)."""
    team("policy", "set", "external_url=https://desk.example.org", "--yes")
    assert LEAVES in team.err
    assert LEAVES in team("policy", "show")


def test_a_large_file_is_no_policy(team: Shell, tmp_path: Path) -> None:
    """A file that cannot be a policy is not read to its end."""
    file = tmp_path / "policy.json"
    file.write_bytes(b" " * (1024 * 1024 + 1))
    assert team.error("policy", "apply", str(file), "--yes") == "cannot_read"


async def test_a_co_signer_reads_the_whole_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where two owners must agree, a change becomes a proposal whose settings the other owner reads one by one."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        assert await anna.members.set_threshold(2) is None
        desks = [anna, ben]

        async def unlocked(_options: Namespace) -> TeamClient:
            return desks.pop(0)

        monkeypatch.setattr(policy_cli, "unlocked", unlocked)
        proposed, read = io.StringIO(), io.StringIO()
        options = cli.parser().parse_args(["policy", "set", "close.user=never", "--yes"])
        await options.run(options, Terminal(json=True, out=proposed))
        told = json.loads(proposed.getvalue())
        assert (told["state"], told["missing"]) == ("proposed", 1)
        options = cli.parser().parse_args(["policy", "diff", "--proposal", str(told["proposal"])])
        await options.run(options, Terminal(out=read))
        assert read.getvalue() == "users close: any open → never\n"


def test_the_grammar_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`policy set --help` says how a change is written."""
    with pytest.raises(SystemExit):
        cli.main(["policy", "set", "--help"])
    assert GRAMMAR in capsys.readouterr().out
