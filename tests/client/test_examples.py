"""The examples run as they stand, against a real relay."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from user_kit import SUBJECT, LiveWorld, live_world

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveWorld]:
    """A team at a real relay, and a passphrase in a file."""
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o600)
    monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(secret))
    with live_world(tmp_path / "world") as world:
        yield world


def command(name: str, *arguments: object) -> list[str]:
    """Return the command line of an example."""
    return [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)]


def run(name: str, *arguments: object, stdin: str = "y\n") -> str:
    """Run an example to its end and return what it printed."""
    done = subprocess.run(
        command(name, *arguments), input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_crash_is_reported_once_the_person_agrees(world: LiveWorld, tmp_path: Path) -> None:
    """The report is shown without what is private, sent after a yes, and not sent after a no."""
    refused = run("report_crash", world.link, tmp_path / "user", stdin="n\n")
    assert "stored" not in refused
    printed = run("report_crash", world.link, tmp_path / "user")
    assert "the appointment has no end" in printed
    assert "ada@example.org" not in printed
    assert "runtime.hostname [withheld]" in printed
    number = printed.split()[-1]
    (opened,) = world.do(world.console.read(number))
    assert "Crash when opening" in repr(opened.body)


def test_a_script_without_await(world: LiveWorld, tmp_path: Path) -> None:
    """The blocking example opens a ticket with debug data that was agreed to, and lists it."""
    printed = run("blocking", world.link, tmp_path / "user")
    assert "Only anna can read this." in printed
    assert SUBJECT in printed.splitlines()[-1]


def test_the_life_of_a_ticket(world: LiveWorld, tmp_path: Path) -> None:
    """The example opens a ticket, says what is left of the day, closes it, tells its way and hides it."""
    lines = run("lifecycle", world.link, tmp_path / "user").splitlines()
    assert lines[0].endswith("stored left today: 9")
    assert "'open': 1" in lines[1]
    assert lines[3] == "  offers: close, reply"
    assert lines[4:] == ["open (Ada) closed (Ada)", "in the list: 0"]


def test_answers_are_followed_over_restarts(world: LiveWorld, tmp_path: Path) -> None:
    """Stopped and started again, the example tells each answer once."""
    run("blocking", world.link, tmp_path / "user", stdin="n\n")
    (feed,) = world.do(world.console.numbers())
    heard: list[str] = []
    cursor = tmp_path / "cursor"
    for text in ("first", "second"):
        world.do(world.console.answer(feed, text))
        arguments = command("follow", world.link, cursor, tmp_path / "user")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=os.environ) as following:
            assert following.stdout is not None
            before = cursor.read_text() if cursor.exists() else ""
            heard.append(following.stdout.readline())
            while not cursor.exists() or cursor.read_text() in {"", before}:
                time.sleep(0.01)  # it is written after the answer was told, so that none is ever lost
            following.terminate()
    assert [line.split("'")[1] for line in heard] == ["first", "second"]
