"""A terminal in which tests run ``e2e-admin``, with a relay in memory behind the network.

def test_…(team: Shell) -> None:
    number = team.ticket(subject="No invoice")
    team("reply", number, "We look into it.")
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from console_room import Room, User
from e2e_support_client.testing import FakeRelay
from e2e_support_console import cli

T = TypeVar("T")


class Shell:
    """A terminal in one home, with a relay in memory behind the network.

    Attributes:
        home: the console's home.
        relay: the relay.
        out: what the last command wrote.
        err: what it wrote to standard error.
    """

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.relay = FakeRelay()
        self.out = ""
        self.err = ""
        self.capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run a command, expect its exit code, and return what it wrote."""
        self.capsys.readouterr()
        done = cli.main(["--home", str(self.home), *arguments])
        self.out, self.err = self.capsys.readouterr()
        assert done == code, self.err
        return self.out

    def data(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with ``--json`` and return what it wrote, decoded."""
        return json.loads(self(*arguments, "--json", code=code))

    def error(self, *arguments: str, code: int = 1) -> dict[str, str]:
        """Run a command that fails and return its error, decoded."""
        self(*arguments, "--json", code=code)
        return json.loads(self.err)  # type: ignore[no-any-return]

    def user(self, story: Callable[[Room], Coroutine[Any, Any, T]]) -> T:
        """Let users do something."""
        return asyncio.run(story(Linked(self.home, self.relay, self.data("link")["link"])))

    def ticket(self, **changes: object) -> str:
        """Let a user write a ticket and return its number."""

        async def story(room: Room) -> User:
            return await room.ticket(**changes)  # type: ignore[arg-type]

        return self.user(story).number


class Linked(Room):
    """A room that knows the team by its published link alone."""

    def __init__(self, home: Path, relay: FakeRelay, link: str) -> None:
        super().__init__(home, relay)
        self._link = link

    @property
    def link(self) -> str:
        """The team's support link."""
        return self._link
