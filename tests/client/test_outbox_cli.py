"""What `e2e-ticket` does with what is kept on the device: sending it, reading it, saying what stands in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shell_kit import Shell, connected_shell, down
from user_kit import LiveWorld, live_world


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


def refuse(shell: Shell, text: str = "A long story that I do not want to lose.") -> None:
    """Write a ticket that a rule stands against."""
    shell.error("new", "--subject", "x", "--body", text, "--category", "bug")


def test_what_a_rule_stands_against_is_told_once(shell: Shell) -> None:
    """Sending fails the first time that a rule stands against a draft; later the draft is only listed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2e_support_client.assembly.HttpRelay", down)
        shell.json(
            "new", "--subject", "x", "--body", "Written before the team was known.", "--category", "bug"
        )
    out, err = shell.run("send", "--json", code=1)
    assert [ref["state"] for ref in json.loads(out)] == ["failed"]
    told = json.loads(err)
    assert (told["code"], set(told)) == ("some_failed", {"code", "message", "hint"})
    assert [ref["state"] for ref in shell.json("send")] == ["failed"]
    (item,) = shell.json("outbox")
    assert (item["code"], item["message"]) == ("subject_too_short", "the subject is too short")
    assert item["hint"] in shell.run("outbox")[0]


def test_a_person_may_still_ask_for_what_was_refused(shell: Shell) -> None:
    """One draft named by its key is tried again, whatever stood against it, and told why it fails."""
    refuse(shell)
    (item,) = shell.json("outbox")
    assert shell.error("send", item["key"])["code"] == "subject_too_short"


def test_what_still_waits_is_no_success(shell: Shell) -> None:
    """A script learns from the exit code that the relay was not there, and from the message why."""
    shell.json("categories")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2e_support_client.assembly.HttpRelay", down)
        shell.new()
        _, err = shell.run("send", code=1)
        assert "1 message not stored yet: the relay cannot be reached" in err
    assert [ref["state"] for ref in shell.json("send")] == ["stored"]


def test_what_was_written_can_be_read_again(shell: Shell) -> None:
    """The words of a draft that cannot be sent are not lost: they are printed, to be sent in another way."""
    refuse(shell, "My whole story.")
    (item,) = shell.json("outbox")
    assert shell.json("outbox", "--show", item["key"][:8]) == {"subject": "x", "text": "My whole story."}
    assert shell.run("outbox", "--show", item["key"][:8])[0] == "x\n\nMy whole story.\n"
    assert shell.error("outbox", "--show", "ffff")["code"] == "unknown_item"
