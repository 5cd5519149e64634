"""The keys in a command's home: opened by keyring or passphrase, and locked with another one without a bad moment."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import keyring
import pytest

import changing_passphrase
from changing_passphrase import home_in
from e2e_support.errors import UsageError
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.home import KeyHome
from e2e_support_keys.keystore import FileKeystore
from e2e_support_keys.passphrase import VARIABLE, KeyringPassphrase, new_passphrase
from e2e_support_keys.store import open_store
from e2e_support_keys.vault import FLOOR
from keys_room import KEY, OTHER_KEY, PASSPHRASE, refused
from rings import FileRing, UselessRing, use_ring

BUNDLE = UserBundle(master=KEY, store_key=OTHER_KEY, link="e2es://relay.example/#code")
NEW = "a new one, with more words"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let key derivation cost the least that is allowed."""
    monkeypatch.setitem(changing_passphrase.DEFAULTS, "cost", FLOOR)


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileRing:
    """Return the system's keyring."""
    ring = FileRing(tmp_path / "ring")
    use_ring(monkeypatch, ring)
    return ring


def secret_file(path: Path, passphrase: str) -> Path:
    """Write a passphrase where only its owner reads it."""
    path.write_text(passphrase + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Return a file with the new passphrase."""
    return secret_file(tmp_path / "new", NEW)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyHome:
    """Return a home whose passphrase stands in a file."""
    monkeypatch.setenv(VARIABLE, str(secret_file(tmp_path / "old", PASSPHRASE)))
    home = home_in(tmp_path)
    home.keystore().save(BUNDLE)
    return home


@pytest.fixture
def kept(tmp_path: Path, ring: FileRing) -> KeyHome:
    """Return a home whose passphrase the keyring keeps."""
    home = home_in(tmp_path)
    home.use_keyring()
    home.keystore().save(BUNDLE)
    return home


def opens(home: KeyHome, passphrase: str) -> bool:
    """Tell whether a passphrase opens the keys."""
    try:
        return FileKeystore(home.keys, lambda: passphrase).load() == BUNDLE
    except UsageError as error:
        if error.code != "wrong_passphrase":
            raise
        return False


def test_a_new_passphrase_replaces_the_old_one(typed: KeyHome, new: Path) -> None:
    """After the change the new passphrase opens the same keys, and the old one does not."""
    typed.change_passphrase(new)
    assert (opens(typed, NEW), opens(typed, PASSPHRASE)) == (True, False)


def test_the_new_passphrase_is_typed_twice(typed: KeyHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file the new passphrase is typed twice, whatever file the old one stands in."""
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return NEW

    def at_terminal(prompt: str, file: Path | None) -> str:
        return new_passphrase(prompt, file, ask=answer)

    monkeypatch.setattr("e2e_support_keys.home.new_passphrase", at_terminal)
    typed.change_passphrase(None)
    assert len(asked) == 2
    assert all(prompt.startswith("New passphrase") for prompt in asked)
    assert opens(typed, NEW)


def test_a_wrong_old_passphrase_changes_nothing(typed: KeyHome, tmp_path: Path, new: Path) -> None:
    """Who does not know the old passphrase cannot set a new one."""
    before = typed.keys.read_bytes()
    secret_file(tmp_path / "old", "wrong")
    with refused("wrong_passphrase"):
        typed.change_passphrase(new)
    assert typed.keys.read_bytes() == before


def test_without_keys_nothing_is_asked(tmp_path: Path) -> None:
    """Where there are no keys the change says so before anybody types anything."""
    with refused("no_keys"):
        home_in(tmp_path / "nothing").change_passphrase(None)


async def test_keys_in_use_are_left_alone(typed: KeyHome, new: Path) -> None:
    """While another program has the store of these keys open, their passphrase stays what it is."""
    async with await open_store(typed.store, OTHER_KEY, ()):
        with refused("store_locked"):
            typed.change_passphrase(new)
    assert opens(typed, PASSPHRASE)
    typed.change_passphrase(new)
    assert opens(typed, NEW)


def test_the_keyring_keeps_the_new_passphrase(kept: KeyHome, ring: FileRing, new: Path) -> None:
    """In a home with a keyring the entry is replaced: it opens the keys, and nothing is left of the old one."""
    (old,) = ring.entries.values()
    kept.change_passphrase(new)
    assert list(ring.entries.values()) == [NEW]
    assert kept.keystore().load() == BUNDLE
    assert not opens(kept, old)


def test_keys_with_a_passphrase_are_not_given_to_the_keyring(typed: KeyHome, ring: FileRing) -> None:
    """A keyring that does not know the passphrase of present keys is not chosen for them: it would lock them away."""
    with refused("keys_exist"):
        typed.use_keyring()
    assert typed.keystore().load() == BUNDLE


def test_a_keyring_that_does_not_protect_is_not_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no usable keyring the choice is not remembered, and a passphrase can lock new keys."""
    use_ring(monkeypatch, UselessRing())
    with refused("no_keyring"):
        home_in(tmp_path).use_keyring()
    assert list(tmp_path.iterdir()) == []


def test_whoever_knows_the_passphrase_opens_the_keys_without_the_keyring(
    kept: KeyHome, ring: FileRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a person is to show that they know the passphrase, the keyring does not answer for them."""
    monkeypatch.setenv(VARIABLE, str(secret_file(tmp_path / "typed", "not the one")))
    with refused("wrong_passphrase"):
        kept.typed().load()
    (passphrase,) = ring.entries.values()
    secret_file(tmp_path / "typed", passphrase)
    assert kept.typed().load() == BUNDLE


def test_a_stale_announcement_harms_nobody(kept: KeyHome, ring: FileRing) -> None:
    """An announced passphrase that locks nothing neither opens the keys nor takes the present one's place."""
    (name,) = ring.entries
    (old,) = ring.entries.values()
    KeyringPassphrase(*name).announce("never used")
    assert kept.keystore().load() == BUNDLE
    ring.entries[name] = "wrong"
    with refused("wrong_passphrase"):
        kept.keystore().load()
    assert ring.entries[name] == "wrong"
    assert opens(kept, old)


def killed_at(folder: Path, new: Path, left: int) -> bool:
    """Change the passphrase in a process of its own; tell whether it was killed on the way."""
    command = [sys.executable, changing_passphrase.__file__, str(folder), str(new), str(left)]
    code = subprocess.run(command, check=False, timeout=60).returncode
    assert code in {0, -signal.SIGKILL}
    return code != 0


def test_a_kill_leaves_the_old_passphrase_or_the_new(typed: KeyHome, tmp_path: Path, new: Path) -> None:
    """Killed before or after any step, the keys open with exactly one of the two; the switch happens once."""
    before, seen, left = typed.keys.read_bytes(), list[bool](), 0
    while killed_at(tmp_path, new, left):
        now = opens(typed, NEW)
        assert opens(typed, PASSPHRASE) is not now
        seen.append(now)
        typed.keys.write_bytes(before)
        left += 1
    assert seen == sorted(seen)
    assert {False, True} == set(seen)


def test_a_kill_leaves_a_keyring_that_opens_the_keys(kept: KeyHome, tmp_path: Path, new: Path) -> None:
    """Killed before or after any step, the keyring opens the keys, and a second change ends well."""
    file, entries, left = kept.keys.read_bytes(), (tmp_path / "ring").read_bytes(), 0
    while killed_at(tmp_path, new, left):
        keyring.set_keyring(FileRing(tmp_path / "ring"))
        assert kept.keystore().load() == BUNDLE
        assert kept.keystore().load() == BUNDLE
        kept.change_passphrase(new)
        assert [kept for _, _, kept in json.loads((tmp_path / "ring").read_bytes())] == [NEW]
        kept.keys.write_bytes(file)
        (tmp_path / "ring").write_bytes(entries)
        left += 1
    assert left > 6
