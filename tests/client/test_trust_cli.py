"""The commands about trust: who reads, what is proven, and the words that bring keys back."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from e2e_support.roster import TrustedRoster
from e2e_support.wire import LinksPage
from e2e_support_client import cli, clock
from e2e_support_client.port import RelayPort
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import FileKeystore, MemoryKeystore
from e2e_support_keys.phrase import to_phrase
from keys_room import unlock_cheaply
from rings import Ring, use_ring
from team_builder import EPOCH, Team, device
from user_kit import World, fake_world

PASSPHRASE = "correct horse battery staple"
CATEGORY = ("--category", "billing", "--body", "Empty.")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A team at a relay in memory that every command meets."""
    world = fake_world(tmp_path)
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    secret.chmod(0o600)
    monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(secret))

    def relay(*_arguments: object, **_options: object) -> RelayPort:
        return world.relay

    monkeypatch.setattr("e2e_support_client.assembly.HttpRelay", relay)
    return world


class Shell:
    """Runs commands as a user does; ``home`` is where they keep keys."""

    def __init__(self, world: World, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.home = world.folder / "home"
        self._capture, self._patch = capture, patch
        self.bundle = UserBundle.fresh(world.link, clock.random)
        unlock_cheaply(patch)
        FileKeystore(self.home / "keys", lambda: PASSPHRASE).save(self.bundle)

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """Run a command, expect an exit code and return what it printed: data, or the error where there is one."""
        self._patch.setattr("sys.stdin", io.StringIO(stdin))
        self._capture.readouterr()
        assert cli.main(["--home", str(self.home), *arguments]) == code
        printed = self._capture.readouterr()
        return printed.err if code else printed.out

    def json(self, *arguments: str, stdin: str = "", code: int = 0) -> Any:
        """Do as ``run`` with ``--json`` and return the last object."""
        return json.loads(self.run(*arguments, "--json", stdin=stdin, code=code).splitlines()[-1])


@pytest.fixture
def shell(world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A user with keys."""
    return Shell(world, capsys, monkeypatch)


def test_the_team_is_shown_and_compared(shell: Shell) -> None:
    """`team` has the promised JSON, shows digits, dates and history to people, and remembers the comparison."""
    told = shell.json("team")
    assert set(told) == {"name", "words", "members", "languages", "epoch", "verified"}
    assert (told["name"], told["members"], told["verified"]) == (
        "Example team",
        [{"name": "anna", "role": "owner"}],
        False,
    )
    text = shell.run("team")
    assert "Not compared yet" in text
    assert "anna founded Example team" in text
    assert "Nothing has changed" in shell.run("team")
    assert shell.json("team", "--compared")["verified"] is True
    assert shell.json("team")["verified"] is True
    assert "Verified: you have compared" in shell.run("team")


def test_a_proof_is_exported_and_verified_offline(
    shell: Shell, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forked list is refused, and its proof travels as a file that anybody checks without keys or network."""
    owner = world.console.device
    batch = world.console.team.prepare((device("ben"), [owner]), (EPOCH, [owner]))
    world.fake.take_batch(world.console.team.team_id, batch)
    shell.run("team")
    begun = TrustedRoster.begin(world.console.team.roster.links[0])
    other = Team(begun, {}, world.console.team.seeds).prepare((device("cara"), [owner]), (EPOCH, [owner]))
    links = (*begun.links, *other.links)

    async def served(_team: object, start: int) -> LinksPage:
        return LinksPage(len(links), links[start:])

    monkeypatch.setattr(world.fake, "links", served)
    assert shell.json("team", code=1)["code"] == "roster_fork"
    (listed,) = shell.json("proof", "list")
    assert (set(listed), listed["number"]) == ({"number", "found_at", "shows"}, 1)
    file = tmp_path / "proof"
    assert shell.json("proof", "export", str(file), "--number", "2", code=1)["code"] == "no_proof"
    shell.run("proof", "export", str(tmp_path / "first"), "--number", "1")
    shell.run("proof", "export", str(file))
    assert shell.json("proof", "export", str(file), code=1)["code"] == "file_exists"
    shell.home = tmp_path / "nobody"
    shown = shell.json("proof", "verify", str(file))
    assert shown["kind"] == "roster"
    assert len(shown["team_words"].split()) == 8
    assert "The proof holds" in shell.run("proof", "verify", str(file))
    file.write_bytes(file.read_bytes()[:-1])
    assert shell.json("proof", "verify", str(file), code=1)["code"]


def test_tickets_come_back_from_words_on_standard_input(shell: Shell, world: World, tmp_path: Path) -> None:
    """`recovery` shows the words, `restore` reads them from standard input and finds the tickets, which are no news."""
    number = shell.json("new", "--subject", "No invoice", *CATEGORY)["number"]
    asyncio.run(world.console.answer(number))
    phrase = shell.json("recovery")["recovery_phrase"]
    assert phrase == to_phrase(shell.bundle.master)
    shell.home = tmp_path / "other"
    assert shell.json("restore", world.link, stdin="zoo", code=1)["code"] == "bad_phrase"
    assert not shell.home.exists()
    assert shell.json("restore", world.link, stdin=phrase.upper() + "\n") == {"found": 1}
    (line,) = shell.json("list")
    assert (line["number"], line["unread"]) == (number, 0)
    assert phrase.split()[0] in shell.run("recovery")


def test_new_keys_need_a_yes(shell: Shell) -> None:
    """New keys are explained and begun only after a yes; afterwards old and new tickets are listed."""
    old = shell.json("new", "--subject", "Old one", *CATEGORY)["number"]
    told = shell.run("new-keys", code=1)
    assert "stay readable" in told
    assert "--yes" in told
    assert json.loads(shell.run("new-keys", "--json", code=1))["code"] == "not_confirmed"
    before = shell.json("recovery")["recovery_phrase"]
    assert shell.json("new-keys", "--yes")["recovery_phrase"] != before
    new = shell.json("new", "--subject", "New one", *CATEGORY)["number"]
    assert {line["number"] for line in shell.json("list")} == {old, new}


def test_a_team_is_shown_offline(shell: Shell, world: World) -> None:
    """Without a relay the team is shown as it was known, and says so; before the first time nothing is made up."""
    world.fake.refuse_at("links", "busy")
    assert shell.json("team", code=1)["code"] == "busy"
    shell.run("team")
    world.fake.refuse_at("links", "busy")
    assert shell.json("team")["name"] == "Example team"


# --- keys at rest ----------------------------------------------------------------------------------------


def passphrase_file(path: Path, passphrase: str) -> Path:
    """Write a passphrase where only its owner reads it."""
    path.write_text(passphrase + "\n")
    path.chmod(0o600)
    return path


def test_the_passphrase_is_changed(shell: Shell, tmp_path: Path) -> None:
    """`passphrase` tells a program that it is done; from then on the new passphrase opens, and not the old one."""
    new = passphrase_file(tmp_path / "new", "a new one, with more words")
    assert shell.json("passphrase", "--new-passphrase-file", str(new)) == {"state": "done"}
    assert shell.json("list", code=1)["code"] == "wrong_passphrase"
    new.replace(tmp_path / "passphrase")
    assert shell.json("list") == []


async def test_the_passphrase_of_a_client_at_work_stays(shell: Shell, world: World, tmp_path: Path) -> None:
    """While another process has the tickets open, `passphrase` says so and changes nothing."""
    before = (shell.home / "keys").read_bytes()
    arguments = ("passphrase", "--new-passphrase-file", str(tmp_path / "passphrase"))
    async with world.client(state_dir=shell.home, keystore=MemoryKeystore(shell.bundle)):
        told = await asyncio.to_thread(shell.json, *arguments, code=1)
    assert told["code"] == "store_locked"
    assert (shell.home / "keys").read_bytes() == before


def test_the_keyring_opens_keys_but_shows_no_words(
    shell: Shell, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--keyring` nobody is asked for the passphrase, except before the recovery words are shown."""
    monkeypatch.delenv("E2ES_PASSPHRASE_FILE")
    ring = Ring()
    use_ring(monkeypatch, ring)
    shell.home = tmp_path / "kept"
    shell.json("connect", world.link, "--keyring")
    assert shell.json("list") == []
    assert shell.json("recovery", code=1)["code"] == "no_passphrase"
    monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(passphrase_file(tmp_path / "guess", "a guess")))
    assert shell.json("recovery", code=1)["code"] == "wrong_passphrase"
    shell.json("passphrase", "--new-passphrase-file", str(passphrase_file(tmp_path / "own", "chosen by me")))
    assert list(ring.entries.values()) == ["chosen by me"]
    assert shell.json("list") == []
    monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(tmp_path / "own"))
    assert len(shell.json("recovery")["recovery_phrase"].split()) == 24


def test_restored_keys_can_be_the_keyrings(
    shell: Shell, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`restore --keyring` locks what it brings back with a passphrase that the keyring makes and keeps."""
    phrase = shell.json("recovery")["recovery_phrase"]
    monkeypatch.delenv("E2ES_PASSPHRASE_FILE")
    ring = Ring()
    use_ring(monkeypatch, ring)
    shell.home = tmp_path / "other"
    shell.json("restore", world.link, "--keyring", stdin=phrase)
    assert shell.json("list") == []
    assert list(ring.entries) == [("e2e-ticket", str(shell.home / "keys"))]


def test_what_can_be_lost_is_told_before(shell: Shell, world: World, tmp_path: Path) -> None:
    """The first connection says what the 24 words are for and what is lost without them, as do the words themselves."""
    lost = "If you lose this device and the words, your tickets are lost to you: nobody can bring them back"
    assert lost in shell.run("recovery")
    assert lost not in shell.run("connect", world.link)
    shell.home = tmp_path / "fresh"
    told = shell.run("connect", world.link)
    assert "Your keys are on this device alone. 24 words bring them back, and your tickets with them" in told
    assert "`e2e-ticket recovery`" in told
    assert lost in told
    assert "The old words restore only those" in shell.run("new-keys", code=1)
