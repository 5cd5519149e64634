"""What `e2e-ticket` says to a person whom something went wrong for: what it was here, and what can be done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shell_kit import Shell, connected_shell, down
from user_kit import LiveWorld, live_world

NEW = ("new", "--subject", "No invoice", "--body", "The list is empty.", "--category", "billing")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    """A team at a real relay."""
    with live_world(tmp_path_factory.mktemp("relay")) as world:
        yield world


@pytest.fixture
def shell(
    world: LiveWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """A user who has connected."""
    return connected_shell(world, tmp_path, capsys, monkeypatch)


def changed(**words: str) -> tuple[str, ...]:
    """Return the command that opens a ticket, with other words."""
    given = dict(zip(NEW[1::2], NEW[2::2], strict=True)) | {f"--{name}": text for name, text in words.items()}
    return ("new", *(part for pair in given.items() for part in pair))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ({"category": "biling"}, "unknown_category", "There are: bug, question, account, billing"),
        ({"subject": "Hm"}, "subject_too_short", "It has 5 to 200 characters here."),
        ({"body": "x" * 11_000}, "text_too_long", "It has 1 to 10,000 characters here."),
        (
            {"field": "impakt=Everyone"},
            "unknown_field",
            "It asks for: impact: Only me, Several people, Everyone.",
        ),
    ],
)
def test_a_refusal_says_what_the_rule_is_here(
    shell: Shell, words: dict[str, str], code: str, told: str
) -> None:
    """Nobody has to look for the list that a choice must come from, or to guess how long a text may be."""
    error = shell.error(*changed(**words))
    assert error["code"] == code
    assert told in error["hint"]


def test_a_refusal_says_where_the_words_are(shell: Shell) -> None:
    """What was typed is kept, and the hint has the command that prints it."""
    shell.json("categories")
    hint = shell.error(*changed(subject="Hm"))["hint"]
    command = hint.rpartition("What you wrote: e2e-ticket ")[2].split()
    assert shell.json(*command) == {"subject": "Hm", "text": "The list is empty."}
    assert "1 message not stored yet" in shell.run("list")[0]


def test_a_refusal_that_keeps_nothing_does_not_say_so(shell: Shell) -> None:
    """Where nothing was kept no key is named: a file that is not there is found before the draft is made."""
    assert "What you wrote" not in shell.error(*NEW, "--attach", "/nowhere/at/all")["hint"]


def test_a_filter_that_finds_nothing_offers_no_first_ticket(shell: Shell) -> None:
    """Somebody who searches in vain is told so, and not how to open a ticket."""
    assert "e2e-ticket new" in shell.run("list")[0]
    assert shell.run("list", "--text", "zzz")[0].startswith("No ticket fits")


@pytest.mark.parametrize("command", ["categories", "counts", "timeline", "notifications", "list", "show"])
def test_what_was_known_before_is_said_to_be_so(shell: Shell, command: str) -> None:
    """Without a relay every command that only reads answers, and says that it may be old."""
    number = shell.new()
    numbered = (number,) if command in {"timeline", "show"} else ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2e_support_client.assembly.HttpRelay", down)
        out, err = shell.run(command, *numbered, "--json")
    assert out
    assert json.loads(err)["code"] == "offline"


def test_watching_says_once_that_there_is_no_relay(shell: Shell) -> None:
    """Whoever waits for news learns that none can come now."""
    shell.new()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2e_support_client.assembly.HttpRelay", down)
        patch.setattr("e2e_support_client.watch_cli.HttpRelay", down)
        _, err = shell.run("watch", "--timeout", "0.5")
    assert err.count("this is what was known before") == 1


@pytest.mark.parametrize("command", [("outbox", "--drop"), ("outbox", "--show"), ("send",)])
def test_an_empty_key_names_nothing(shell: Shell, command: tuple[str, ...]) -> None:
    """A script whose variable is empty drops, shows and sends nothing, though one item waits."""
    shell.json("categories")
    shell.error(*changed(subject="Hm"))
    assert shell.error(*command, "")["code"] == "unknown_item"
    assert len(shell.json("outbox")) == 1


def test_a_file_that_is_no_proof_is_called_so(shell: Shell, tmp_path: Path) -> None:
    """A wrong file is named as one, in words that need no knowledge of formats."""
    wrong = tmp_path / "letter.txt"
    wrong.write_text("Dear all")
    error = shell.error("proof", "verify", str(wrong))
    assert error["message"].endswith("letter.txt is no proof, or it is damaged")


def test_a_folder_that_is_not_there_is_named(shell: Shell, tmp_path: Path) -> None:
    """A download names the file that was asked for, not the one under which it is written meanwhile."""
    (tmp_path / "a.txt").write_text("text")
    number = shell.new("--attach", str(tmp_path / "a.txt"))
    told = shell.error("download", number, "a.txt", "-o", str(tmp_path / "nowhere" / "b.txt"))["message"]
    assert told.startswith("b.txt cannot be written")
