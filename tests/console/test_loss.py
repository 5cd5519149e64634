"""Losing everything is explained before it can happen, in words that these tests keep."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from console_room import URL
from e2e_support.vocab import Role
from e2e_support_client.terminal import Terminal
from e2e_support_client.testing import CODE, FakeRelay
from e2e_support_console import cli
from e2e_support_console.loss import warn_of_one_owner
from e2e_support_console.team import TeamClient
from keys_room import unlock_cheaply
from team_room import TeamRoom

LOST = (
    "the team is lost: nobody can read its tickets,\nand a new team has a new link that users must be told."
)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a terminal in an empty home."""
    return Shell(tmp_path, monkeypatch, capsys)


class Shell:
    """A terminal with a relay in memory behind the network; ``home`` is where it keeps keys."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.home = folder / "home"
        self._capsys = capsys
        secret = folder / "secret"
        secret.write_text("correct horse battery staple\n")
        secret.chmod(0o600)
        monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(secret))
        unlock_cheaply(monkeypatch)
        relay = FakeRelay()

        def connect(_url: str) -> FakeRelay:
            return relay

        monkeypatch.setattr("e2e_support_console.team.HttpRelay", connect)

    def __call__(self, *arguments: str) -> str:
        """Run a command and return what people read, data and warnings."""
        self._capsys.readouterr()
        assert cli.main(["--home", str(self.home), *arguments]) == 0
        printed = self._capsys.readouterr()
        return printed.err + printed.out

    def data(self, *arguments: str) -> dict[str, str]:
        """Run a command with ``--json`` and return what it wrote, decoded."""
        told: dict[str, str] = json.loads(self(*arguments, "--json"))
        return told


def warned(team: TeamClient, gone: Sequence[str], *, json: bool = False) -> str:
    """Return what is told before some people leave."""
    err = io.StringIO()
    devices = [device.device_id for name in gone for device in team.members.find(name).devices]
    warn_of_one_owner(Terminal(json=json, err=err), team.desk.roster, devices)
    return err.getvalue()


def test_a_founder_learns_what_all_owners_together_can_lose(shell: Shell) -> None:
    """``team create`` says that the keys are here alone, what is lost with them, and what to do at once."""
    told = shell("team", "create", URL, "--name", "Example team", "--owner", "Anna", "--code", CODE)
    assert f"Your keys are on this computer alone. If all owners lose theirs, {LOST}" in told
    assert "Make a recovery sheet now, and keep it elsewhere: e2e-admin keys recovery" in told


def test_a_sheet_and_new_keys_say_what_they_are_good_for(shell: Shell) -> None:
    """``keys recovery`` says what is lost without the sheet, ``keys rotate`` what new keys do not protect."""
    shell("team", "create", URL, "--name", "Example team", "--owner", "Anna", "--code", CODE)
    told = shell("keys", "recovery")
    assert "Whoever has this can make themselves an owner" in told
    assert f"If all owners lose their devices and this is lost too, {LOST}" in told
    told = shell("keys", "rotate")
    assert "Whoever has the old keys can still read what was written before." in told
    assert "Recovery sheets stay good." in told
    words = " ".join(word for word in told.split() if word)
    assert words.startswith("New keys have begun.")


def test_removing_and_leaving_warn_first(shell: Shell, tmp_path: Path) -> None:
    """``member remove`` and ``member leave`` print the warning, and then do what was asked."""
    shell("team", "create", URL, "--name", "Example team", "--owner", "Anna", "--code", CODE)
    anna, ben = shell.home, tmp_path / "ben"
    for leave in (("remove", "Ben"), ("leave",)):
        invited = shell.data("member", "invite", "--name", "Ben", "--role", "owner")
        shell.home = ben
        words = shell.data("join", invited["link"], "--code", invited["code"])["words"]
        shell.home = anna
        shell("member", "approve", "Ben", "--words", words)
        shell.home = anna if leave == ("remove", "Ben") else ben
        assert "After this Anna is the only owner." in shell("member", *leave)
        shell.home, ben = anna, tmp_path / "again"


async def test_before_one_owner_is_left_it_is_told(tmp_path: Path) -> None:
    """Who removes the last but one owner, or leaves as such, reads what the last one can lose; programs do not."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben", Role.OWNER)
        await room.add(anna, "Cleo", Role.AGENT)
        await anna.desk.team.refresh()
        told = warned(anna, ["Ben"])
        assert told.startswith(f"After this Anna is the only owner. If they lose their devices, {LOST}")
        assert "Make a recovery sheet first: e2e-admin keys recovery" in told
        assert warned(anna, ["Anna"]).startswith("After this Ben is the only owner.")
        assert warned(anna, ["Cleo"]) == warned(anna, ["Ben"], json=True) == ""
        await anna.keys.recovery()
        assert "only the recovery sheet brings the team back" in warned(anna, ["Ben"])


async def test_while_two_owners_are_left_nothing_is_told(tmp_path: Path) -> None:
    """A further device of an owner is no further owner, and of three owners one may go without a word."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben", Role.OWNER)
        await room.add(anna, "Cleo", Role.OWNER)
        await anna.desk.team.refresh()
        assert warned(anna, ["Ben"]) == ""
        await anna.members.remove("Cleo")
        laptop = await room.add(anna, "Anna's laptop", device=True)
        await anna.desk.team.refresh()
        err = io.StringIO()
        warn_of_one_owner(Terminal(err=err), anna.desk.roster, [laptop.desk.bundle.device_id])
        assert err.getvalue() == ""
        assert warned(anna, ["Ben"]).startswith("After this Anna is the only owner.")
