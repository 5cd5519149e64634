"""`e2e-ticket` against a real relay: contracts for programs, words for people, exit codes, nothing lost."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_support.support_link import SupportLink
from e2e_support_client import cli
from rings import Ring, use_ring
from shell_kit import Shell, connected_shell, down
from team_builder import Team, device
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
    """A user who has connected, with a passphrase in a file."""
    return connected_shell(world, tmp_path, capsys, monkeypatch)


# --- contracts for programs ------------------------------------------------------------------------------------


def test_connect_tells_what_to_compare(shell: Shell, world: LiveWorld) -> None:
    """Connecting shows the team's name, eight words, six groups of digits and how to compare them."""
    told = shell.json("connect", world.link)
    assert (told["name"], len(told["words"].split()), len(told["digits"].split())) == ("Example team", 8, 6)
    out, _ = shell.run("connect", world.link)
    assert "Example team" in out
    assert "compare" in out
    assert all(word in out for word in told["words"].split())


def test_connect_makes_keys_once(shell: Shell, world: LiveWorld, tmp_path: Path) -> None:
    """A first connection makes locked keys and an encrypted store that only their owner can read."""
    shell.home = tmp_path / "fresh"
    shell.json("connect", world.link)
    modes = {path.name: path.stat().st_mode & 0o777 for path in shell.home.iterdir()}
    assert modes["keys"] == 0o600
    assert modes["tickets.db"] == 0o600
    keys = (shell.home / "keys").read_bytes()
    shell.json("connect", world.link)
    assert (shell.home / "keys").read_bytes() == keys


def test_a_ticket_from_start_to_end(shell: Shell, world: LiveWorld) -> None:
    """A ticket is opened, listed, answered, read, replied to and closed, with the promised JSON at every step."""
    number = shell.new()
    world.do(world.console.answer(number, "Look again."))
    (line,) = shell.json("list")
    keys = {"number", "subject", "status", "category", "priority", "created_at", "updated_at", "unread"}
    assert keys <= set(line)
    assert (line["number"], line["subject"], line["category"], line["unread"]) == (
        number,
        "No invoice",
        "billing",
        1,
    )
    assert line["created_at"].endswith("Z")
    shown = shell.json("show", number)
    assert keys <= set(shown)
    answer = shown["messages"][1]
    assert {"author", "body", "at", "verdict", "internal", "attachments"} <= set(answer)
    assert (answer["author"]["role"], answer["body"], answer["verdict"], answer["internal"]) == (
        "team",
        "Look again.",
        "ok",
        False,
    )
    assert shell.json("list")[0]["unread"] == 0
    assert shell.json("reply", number, "-", stdin="It is there now.\n") == {
        "number": number,
        "state": "stored",
    }
    assert shell.json("close", number, "--note", "Done.")["state"] == "stored"
    closed = shell.json("show", number.lower().replace("-", ""))
    assert closed["status"] == "Closed"
    assert [message["body"] for message in closed["messages"]][2:] == ["It is there now.", "Done."]


def test_watch_tells_what_the_team_does_once(shell: Shell, world: LiveWorld) -> None:
    """Each thing that the team did is one JSON object on a line, told once, and nothing of one's own."""
    number = shell.new()
    world.do(world.console.answer(number))
    world.do(world.console.resolve(number))
    shell.json("list")  # a look in between takes nothing away
    out, _ = shell.run("watch", "--once", "--timeout", "20", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert [(event["kind"], event["number"]) for event in events] == [
        ("message", number),
        ("resolved", number),
    ]
    assert all(set(event) == {"kind", "number", "at"} for event in events)
    assert shell.run("watch", "--once", "--timeout", "0.5", "--json")[0] == ""


def test_watch_leaves_the_store_to_others(shell: Shell, world: LiveWorld) -> None:
    """While a watch waits, other commands of the same person work, and it still hears of the answer."""
    number = shell.new()
    printed = io.StringIO()
    shell.monkeypatch.setattr("sys.stdout", printed)
    arguments = ["--home", str(shell.home), "watch", "--once", "--timeout", "60", "--json"]
    watching = threading.Thread(target=cli.main, args=(arguments,))
    watching.start()
    try:
        for text in ("one", "two"):
            assert cli.main(["--home", str(shell.home), "reply", number, text]) == 0
        world.do(world.console.answer(number))
    finally:
        watching.join(60)
    events = [json.loads(line) for line in printed.getvalue().splitlines() if line.startswith('{"kind"')]
    assert [event["kind"] for event in events] == ["message"]


def test_files_go_up_and_come_down(shell: Shell, tmp_path: Path) -> None:
    """Attachments of new tickets and replies arrive with name, size and type, and are saved verified."""
    first, second = tmp_path / "a.txt", tmp_path / "b.bin"
    first.write_bytes(b"alpha")
    second.write_bytes(bytes(700_000))
    number = shell.new("--attach", str(first))
    shell.json("reply", number, "--attach", str(second))
    files = [file for message in shell.json("show", number)["messages"] for file in message["attachments"]]
    assert files == [
        {"name": "a.txt", "size": 5, "media_type": "text/plain"},
        {"name": "b.bin", "size": 700_000, "media_type": "application/octet-stream"},
    ]
    saved = shell.json("download", number, "a.txt", "-o", str(tmp_path / "back.txt"))
    assert Path(saved["path"]).read_bytes() == b"alpha"
    assert shell.error("download", number, "a.txt", "-o", str(tmp_path / "back.txt"))["code"] == "file_exists"
    assert shell.error("download", number, "c", "-o", str(tmp_path))["code"] == "unknown_attachment"


def test_debug_data_is_shown_and_agreed_to(shell: Shell, world: LiveWorld, tmp_path: Path) -> None:
    """Debug data is previewed on standard error and sent after a yes; without one nothing is sent at all."""
    data = {"app": {"release": "Foxglove"}, "log": ["line 1", "mail ada@example.org"]}
    file = tmp_path / "debug.json"
    file.write_text(json.dumps(data))
    words = ("--subject", "It crashes", "--body", "At once.", "--category", "bug", "--debug", str(file))
    assert shell.error("new", *words)["code"] == "no_consent"
    assert shell.json("list") == []
    out, err = shell.run("new", *words, "--yes", "--json")
    assert "app.release: Foxglove" in err
    assert "ada@example.org" not in err
    (read,) = world.do(world.console.read(json.loads(out)["number"]))
    sent = json.loads(getattr(read.body, "debug"))  # noqa: B009 - the body of an opening
    assert sent["app"] == data["app"]
    assert sent["log"] == ["line 1", "mail [e-mail]"]


def test_categories_are_those_of_the_policy(shell: Shell) -> None:
    """A person can see what a ticket can be about, with the team's advice."""
    listed = shell.json("categories")
    assert {"id", "label", "guidelines"} == set(listed[0])
    assert "billing" in {category["id"] for category in listed}


# --- words for people ------------------------------------------------------------------------------------------


def test_people_read_whole_sentences(shell: Shell, world: LiveWorld) -> None:
    """Output for people names the state in the project's words and lines up in columns."""
    out, _ = shell.run("new", "--subject", "No invoice", "--body", "It is empty.", "--category", "billing")
    number = out.split(":")[0]
    assert out.startswith(f"{number}: your ticket is stored.\n9 of 10 left today, resets ")
    world.do(world.console.answer(number, "Look again."))
    listed, _ = shell.run("list")
    assert number in listed
    assert "1 ticket, 1 with something new" in listed
    shown, _ = shell.run("show", number)
    assert "Look again." in shown
    assert "(team, verified)" in shown
    assert "Nothing waits" in shell.run("outbox")[0]
    assert f"e2e-ticket reply {number}" in shown


def test_every_command_has_help(shell: Shell) -> None:
    """Asking for help never needs keys or a relay."""
    for command in (
        "connect",
        "new",
        "list",
        "show",
        "reply",
        "close",
        "reopen",
        "download",
        "watch",
        "outbox",
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main([command, "--help"])
        assert ended.value.code == 0
        assert command in shell.capture.readouterr().out


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def at_terminal(shell: Shell, *arguments: str, typed: str = "", code: int = 0) -> tuple[str, str]:
    """Run a command as a person at a terminal does, who types something; return what was printed."""
    screen = {"stdin": Tty(typed), "stdout": io.StringIO(), "stderr": Tty()}
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in screen.items():
            patch.setattr(f"sys.{name}", stream)
        assert cli.main(["--home", str(shell.home), *arguments]) == code, screen["stderr"].getvalue()
    return screen["stdout"].getvalue(), screen["stderr"].getvalue()


@pytest.mark.parametrize(("typed", "kept"), [("y\n", True), ("n\n", False), ("", False)])
def test_a_person_is_asked_about_debug_data(
    shell: Shell, world: LiveWorld, tmp_path: Path, typed: str, kept: bool
) -> None:
    """At a terminal the person answers; a "no" opens the ticket without the data."""
    file = tmp_path / "debug.json"
    file.write_text('{"release": "Foxglove"}')
    words = ("--subject", "It crashes", "--body", "At once.", "--category", "bug", "--debug", str(file))
    out, err = at_terminal(shell, "new", *words, typed=typed)
    assert "release: Foxglove" in err
    assert ("left out" in err) is not kept
    (read,) = world.do(world.console.read(out.split(":")[0]))
    assert bool(getattr(read.body, "debug")) is kept  # noqa: B009 - the body of an opening


@pytest.mark.parametrize(
    ("typed", "left"), [("r", "[removed]"), ("m", "••••••••"), ("k", "hunter22"), ("", "hunter22")]
)
def test_a_person_is_asked_about_secrets(shell: Shell, typed: str, left: str) -> None:
    """At a terminal a password in the text is kept only if the person does not want otherwise."""
    words = ("--subject", "Cannot log in", "--body", "password: hunter22", "--category", "account")
    out, err = at_terminal(shell, "new", *words, typed=f"{typed}\n")
    assert "a password" in err
    assert shell.json("show", out.split(":")[0])["messages"][0]["body"] == f"password: {left}"


def test_a_secret_in_a_script_is_only_warned_of(shell: Shell) -> None:
    """Without a person the text goes as it is, with a warning that programs can read."""
    words = ("--subject", "Cannot log in", "--body", "password: hunter22", "--category", "account")
    out, err = shell.run("new", *words, "--json")
    assert json.loads(err)["code"] == "secret_found"
    assert json.loads(out)["state"] == "stored"


def test_long_work_shows_progress(shell: Shell, tmp_path: Path) -> None:
    """At a terminal an upload counts up on standard error; in a script it says nothing."""
    file = tmp_path / "dump.bin"
    file.write_bytes(bytes(3_000_000))
    words = ("--subject", "It crashes", "--body", "x", "--category", "bug", "--attach", str(file))
    _, err = at_terminal(shell, "new", *words)
    assert "Upload dump.bin: 100 %" in err
    assert shell.run("new", *words)[1] == ""


def test_tickets_are_reopened_and_carry_fields(shell: Shell) -> None:
    """Further questions of the form are answered by id, and a closed ticket is opened again."""
    number = shell.new("--field", "impact=Everyone")
    assert shell.json("show", number)["fields"] == {"impact": "Everyone"}
    shell.run("close", number)
    assert "reopen" in shell.run("show", number)[0]
    assert shell.json("reopen", number, "It is back.")["state"] == "stored"
    assert shell.json("show", number)["status"] == "Open"
    wrong = ("new", "--subject", "s", "--body", "b", "--category", "bug", "--field", "impact")
    assert shell.error(*wrong, code=2)["code"] == "usage"


def test_the_keyring_can_keep_the_passphrase(
    shell: Shell, world: LiveWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --keyring nobody is asked for a passphrase, at connecting and later."""
    ring = Ring()
    use_ring(monkeypatch, ring)
    monkeypatch.delenv("E2ES_PASSPHRASE_FILE")
    shell.home = tmp_path / "ring"
    shell.json("connect", world.link, "--keyring")
    assert shell.json("list") == []
    assert len(ring.entries) == 1


@pytest.mark.parametrize("content", ["[1, 2]", "not json", "", "x" * 2_000_000])
def test_bad_debug_files_are_refused(shell: Shell, tmp_path: Path, content: str) -> None:
    """A debug file that is no JSON object, or too large, is refused before anything else happens."""
    file = tmp_path / "debug.json"
    file.write_text(content)
    words = ("new", "--subject", "It crashes", "--body", "b", "--category", "bug", "--yes", "--debug")
    assert shell.error(*words, str(file))["code"] == "bad_debug"
    assert shell.error(*words, str(tmp_path / "none"))["code"] == "bad_debug"


# --- errors ----------------------------------------------------------------------------------------------------


def test_errors_have_code_message_and_hint(shell: Shell) -> None:
    """What is refused says what is wrong and what to do, as JSON or in two lines, with exit code 1."""
    assert shell.error("show", "T-00000-00000")["code"] == "unknown_ticket"
    assert shell.error("show", "nonsense")["code"] == "bad_number"
    long = shell.error("new", "--subject", "x" * 300, "--body", "b", "--category", "bug")
    assert long["code"] == "subject_too_long"
    assert long["hint"]
    out, err = shell.run("show", "T-00000-00000", code=1)
    assert out == ""
    assert len(err.splitlines()) == 2


def test_wrong_use_is_exit_code_2(shell: Shell) -> None:
    """A command that does not exist or lacks an argument is told apart from a refusal."""
    assert shell.error("new", "--body", "b", code=2)["code"] == "usage"
    assert shell.error("dance", code=2)["code"] == "usage"
    assert shell.error("watch", "--timeout", "soon", code=2)["code"] == "usage"


def test_a_refused_ticket_is_kept_and_can_be_dropped(shell: Shell) -> None:
    """A text that was refused is not lost: it stands in the outbox with the reason until it is dropped."""
    shell.error("new", "--subject", "x", "--body", "long story", "--category", "bug")
    (item,) = shell.json("outbox")
    assert (item["state"], item["code"]) == ("failed", "subject_too_short")
    assert "too short" in shell.run("outbox")[0]
    assert shell.json("outbox", "--drop", item["key"][:8]) == []
    assert shell.error("outbox", "--drop", "ffff")["code"] == "unknown_item"


def test_one_item_of_any_age_is_tried_again(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """`send` leaves out what is too old to go unasked; `send KEY` asks for it."""
    with monkeypatch.context() as away:
        away.setattr("e2e_support_client.assembly.HttpRelay", down)
        shell.new()
    monkeypatch.setattr("e2e_support_client.outbox.AGE_MAX", -1)
    assert [ref["state"] for ref in shell.json("send")] == ["queued"]
    (item,) = shell.json("outbox")
    assert shell.error("send", "ffff")["code"] == "unknown_item"
    (ref,) = shell.json("send", item["key"][:8])
    assert (ref["state"], shell.json("outbox")) == ("stored", [])


def test_a_wrong_passphrase_is_refused(shell: Shell, tmp_path: Path) -> None:
    """A wrong passphrase opens nothing and says no more than that."""
    (tmp_path / "passphrase").write_text("something else\n")
    assert shell.error("list")["code"] == "wrong_passphrase"


def test_without_keys_people_are_told_to_connect(shell: Shell, tmp_path: Path) -> None:
    """Every command but connect needs keys, and says how to get them."""
    shell.home = tmp_path / "nobody"
    for command in (["list"], ["watch", "--once"], ["show", "T-00000-00000"]):
        assert shell.error(*command)["code"] == "no_link"


def test_a_wrong_link_is_refused(shell: Shell, world: LiveWorld) -> None:
    """A mistyped link, and a link whose team the relay does not serve, are refused; nothing is sent."""
    assert shell.error("connect", world.link[:-3])["code"] == "bad_link"
    other = SupportLink.parse(world.link)
    foreign = SupportLink(other.url, Team.found(device("mallory"), name="Other").team_id).format()
    shell.json("list")
    assert shell.error("connect", foreign)["code"] == "team_mismatch"


def test_a_relay_that_is_down_loses_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a relay tickets are kept and lists are served from what is known; later it is stored."""
    number = shell.new()
    with monkeypatch.context() as away:
        away.setattr("e2e_support_client.assembly.HttpRelay", down)
        away.setattr("e2e_support_client.watch_cli.HttpRelay", down)
        words = ("new", "--subject", "Written on a train", "--body", "No network.", "--category", "other")
        kept = shell.json(*words)
        assert kept["state"] == "queued"
        out, err = shell.run("list", "--json")
        assert {line["number"] for line in json.loads(out)} == {number, kept["number"]}
        assert json.loads(err)["code"] == "offline"
        assert "kept; it is sent when the network is back" in shell.run(*words)[0]
    assert {ref["state"] for ref in shell.json("send")} == {"stored"}
    assert len(shell.json("list")) == 3


# --- taking tickets along ----------------------------------------------------------------------------------------


def test_tickets_leave_in_one_file(shell: Shell, tmp_path: Path) -> None:
    """``export`` says what the file is, and ``verify`` tells what it shows, in JSON and in words."""
    number, other = shell.new(subject="Taken along"), shell.new()
    target = str(tmp_path / "tickets.zip")
    assert shell.json("export", target, number) == {"path": target, "tickets": 1}
    assert shell.error("export", target)["code"] == "file_exists"
    told = shell.json("verify", target)
    assert set(told) == {"team", "words", "exported_at", "by", "removed", "tickets"}
    (ticket,) = told["tickets"]
    assert (told["by"], ticket["number"], ticket["subject"]) == ("user", number, "Taken along")
    assert (ticket["entries"], ticket["notes"], ticket["files"]) == ({"ok": 1}, 0, 0)
    said, _ = shell.run("export", target, "--force", "--no-files")
    assert "in the clear" in said
    said, _ = shell.run("verify", target)
    assert "Everything in it holds. Exported by the user" in said
    assert other in said
    assert shell.error("verify", str(tmp_path / "nothing"))["code"] == "cannot_read"


# --- erasing -----------------------------------------------------------------------------------------------------


def test_erasing_asks_for_the_number(shell: Shell) -> None:
    """Nothing goes before the number is typed once more; then ``show`` says who erased it, and ``list --all`` too."""
    number = shell.new()
    assert shell.error("erase", number, "--yes", number)["code"] == "not_closed"
    shell.run("close", number, "--note", "I have found it.")
    _, told = shell.run("erase", number, code=1)
    assert f"{number} goes for good: 2 messages, 0 files." in told
    assert "nobody can recall" in told
    assert shell.error("erase", number, "--yes", "T-00000-00000")["code"] == "not_confirmed"
    assert len(shell.json("show", number)["messages"]) == 2
    done = shell.json("erase", number, "--yes", number.lower())
    assert done == {"number": number, "state": "erased", "messages": 2, "files": 0, "notes": 0}
    left = shell.json("show", number)
    assert (left["number"], left["status"], left["erased_by"]) == (number, "erased", "user")
    assert left["erased_at"]
    assert "was erased by you" in shell.run("show", number)[0]
    assert shell.json("list") == []
    assert [line["status"] for line in shell.json("list", "--all")] == ["Erased by you"]
    assert "Erased by you" in shell.run("list", "--all")[0]
    _, refused = shell.run("reply", number, "More.", "--json", code=1)
    assert json.loads(refused)["code"] == "erased"
