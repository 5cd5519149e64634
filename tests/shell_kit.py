"""A person's shell for tests: runs `e2e-ticket` in this process, as a user who has connected to a team."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e_support_client import cli, clock
from e2e_support_client.testing import FakeRelay, Fault
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import FileKeystore
from keys_room import unlock_cheaply
from user_kit import LiveWorld

PASSPHRASE = "correct horse battery staple"


@dataclass
class Shell:
    """Runs commands as a user does.

    Attributes:
        home: the user's home.
        capture: what was printed.
        monkeypatch: sets standard input.
    """

    home: Path
    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
        """Run a command, expect an exit code and return what it printed."""
        self.monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self.capture.readouterr()
        ended = cli.main(["--home", str(self.home), *arguments])
        printed = self.capture.readouterr()
        assert ended == code, printed
        return printed.out, printed.err

    def json(self, *arguments: str, stdin: str = "") -> Any:
        """Run a command with ``--json`` and return what it printed, decoded."""
        return json.loads(self.run(*arguments, "--json", stdin=stdin)[0])

    def error(self, *arguments: str, stdin: str = "", code: int = 1) -> dict[str, str]:
        """Run a command with ``--json`` that is refused, and return the error."""
        out, err = self.run(*arguments, "--json", stdin=stdin, code=code)
        assert not out
        told: dict[str, str] = json.loads(err.strip().splitlines()[-1])
        assert set(told) == {"code", "message", "hint"}
        return told

    def new(self, *arguments: str, subject: str = "No invoice") -> str:
        """Open a ticket and return its number."""
        words = ("--subject", subject, "--body", "The list is empty.", "--category", "billing")
        made = self.json("new", *words, *arguments)
        assert set(made) == {"number", "state"}
        return str(made["number"])


def connected_shell(
    world: LiveWorld, folder: Path, capture: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """Return the shell of a user with keys for a team, and with their passphrase in a file."""
    secret = folder / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    secret.chmod(0o600)
    monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(secret))
    home = folder / "home"
    unlock_cheaply(monkeypatch)
    keys = FileKeystore(home / "keys", lambda: PASSPHRASE)
    keys.save(UserBundle.fresh(world.link, clock.random))
    return Shell(home, capture, monkeypatch)


def down(*_args: object, **_options: object) -> FakeRelay:
    """Return a relay that cannot be reached, in the place of the true one."""
    relay = FakeRelay()
    relay.inject(Fault.OFFLINE)
    return relay
