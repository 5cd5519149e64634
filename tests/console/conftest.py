"""What tests of the console share: a terminal, and one whose team is founded."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin_shell import Shell
from console_room import URL
from e2e_support_client.testing import CODE, FakeRelay
from keys_room import unlock_cheaply


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a terminal whose passphrase stands in a file, with cheap key derivation."""
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o600)
    monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(secret))
    shell = Shell(tmp_path / "home", capsys)

    def connect(_url: str) -> FakeRelay:
        return shell.relay

    monkeypatch.setattr("e2e_support_console.team.HttpRelay", connect)
    unlock_cheaply(monkeypatch)
    return shell


@pytest.fixture
def team(shell: Shell) -> Shell:
    """Return a terminal with a founded team."""
    shell("team", "create", URL, "--name", "Example team", "--owner", "Anna", "--code", CODE)
    return shell
