"""Keystores: keys go in and out, and nothing that went in is lost by a slip of the finger."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support_keys import keystore
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import FileKeystore, Keystore, MemoryKeystore
from e2e_support_keys.vault import DEFAULT, FLOOR, Header, LockedBox, passphrase_bytes, unlock
from keys_room import KEY, OTHER_KEY, PASSPHRASE, Numbered, refused

BUNDLE = UserBundle(master=KEY, store_key=OTHER_KEY, link="e2es://relay.example/#code")
CHANGED = replace(BUNDLE, link="e2es://other.example/#code")


class Person:
    """Answers with one passphrase after the other and counts how often it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers) or [PASSPHRASE]
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def keystore_at(path: Path, person: Callable[[], str] | None = None) -> FileKeystore:
    """Return a keystore of the lowest cost."""
    return FileKeystore(path, person or Person(), cost=FLOOR, random=Numbered())


def test_keys_are_kept(tmp_path: Path) -> None:
    """What one program saved another one loads with the same passphrase."""
    path = tmp_path / "home" / "user.key"
    keystore_at(path).save(BUNDLE)
    assert keystore_at(path).load() == BUNDLE


def test_no_keys_means_no_question(tmp_path: Path) -> None:
    """Where there is no file nobody is asked for a passphrase, and nothing is made."""
    person = Person()
    assert keystore_at(tmp_path / "home" / "user.key", person).load() is None
    assert person.asked == 0
    assert list(tmp_path.iterdir()) == []


def test_the_file_holds_no_key(tmp_path: Path) -> None:
    """Neither a key nor the link stands in the file."""
    path = tmp_path / "user.key"
    keystore_at(path).save(BUNDLE)
    data = path.read_bytes()
    assert bytes(range(32)) not in data
    assert b"relay.example" not in data


def test_the_usual_cost_is_the_default(tmp_path: Path) -> None:
    """A keystore made without a cost locks at the full one."""
    path = tmp_path / "user.key"
    FileKeystore(str(path), Person()).save(BUNDLE)
    header = Header.from_bytes(LockedBox.from_bytes(path.read_bytes()).header)
    assert (header.passes, header.memory) == (DEFAULT.passes, DEFAULT.memory)


def test_the_home_sign_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin with the home directory's sign."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keystore_at(Path("~/user.key")).path == tmp_path / "user.key"


def test_a_wrong_passphrase_can_be_tried_again(tmp_path: Path) -> None:
    """A wrong answer is not remembered; the right one then opens."""
    path = tmp_path / "user.key"
    keystore_at(path).save(BUNDLE)
    again = keystore_at(path, Person("wrong", PASSPHRASE))
    with refused("wrong_passphrase"):
        again.load()
    assert again.load() == BUNDLE


def test_the_passphrase_is_asked_once(tmp_path: Path) -> None:
    """A later save cannot be locked by a mistyped passphrase, since none is typed."""
    path = tmp_path / "user.key"
    keystore_at(path).save(BUNDLE)
    person = Person(PASSPHRASE, "mistyped")
    opened = keystore_at(path, person)
    opened.load()
    opened.save(CHANGED)
    assert opened.load() == CHANGED
    assert person.asked == 1
    assert keystore_at(path).load() == CHANGED


def test_forgetting_asks_again(tmp_path: Path) -> None:
    """A locked program knows the passphrase no more."""
    person = Person()
    opened = keystore_at(tmp_path / "user.key", person)
    opened.save(BUNDLE)
    opened.forget()
    assert opened.load() == BUNDLE
    assert person.asked == 2


def test_keys_that_were_not_opened_are_not_overwritten(tmp_path: Path) -> None:
    """A new set of keys never takes the place of keys that may be the only ones."""
    path = tmp_path / "user.key"
    keystore_at(path).save(BUNDLE)
    person = Person()
    with refused("file_exists"):
        keystore_at(path, person).save(CHANGED)
    assert person.asked == 0
    assert keystore_at(path).load() == BUNDLE


def test_keys_that_appear_meanwhile_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two programs that make keys at once the second is refused."""
    path = tmp_path / "user.key"
    keystore_at(path).save(BUNDLE)

    def nothing(_: Path, *, limit: int) -> None:
        """Answer as it was a moment before."""

    monkeypatch.setattr(keystore, "read_private", nothing)
    with refused("file_exists"):
        keystore_at(path).save(CHANGED)
    monkeypatch.undo()
    assert keystore_at(path).load() == BUNDLE


def test_the_passphrase_can_be_changed(tmp_path: Path) -> None:
    """After a change the new passphrase opens the same keys, and the old one does not."""
    path = tmp_path / "user.key"
    opened = keystore_at(path)
    opened.save(BUNDLE)
    before = path.read_bytes()
    opened.change_passphrase(Person("another one"))
    assert keystore_at(path, Person("another one")).load() == BUNDLE
    with refused("wrong_passphrase"):
        keystore_at(path).load()
    opened.save(CHANGED)
    assert keystore_at(path, Person("another one")).load() == CHANGED
    assert len(unlock(before, passphrase_bytes(PASSPHRASE))) > 0


def test_a_program_that_was_overtaken_does_not_bring_the_old_passphrase_back(tmp_path: Path) -> None:
    """Who opened the keys before another program changed their passphrase cannot write them with the old one."""
    path = tmp_path / "user.key"
    keystore_at(path).save(BUNDLE)
    slow = keystore_at(path)
    slow.load()
    keystore_at(path).change_passphrase(Person("another one"))
    with refused("keys_changed"):
        slow.save(CHANGED)
    assert keystore_at(path, Person("another one")).load() == BUNDLE


def test_a_change_needs_the_present_passphrase(tmp_path: Path) -> None:
    """Without the present passphrase the new one is not even asked for."""
    path = tmp_path / "user.key"
    keystore_at(path).save(BUNDLE)
    new = Person("another one")
    with refused("wrong_passphrase"):
        keystore_at(path, Person("wrong")).change_passphrase(new)
    assert new.asked == 0


def test_an_empty_new_passphrase_changes_nothing(tmp_path: Path) -> None:
    """A refused change leaves the keys under the old passphrase."""
    path = tmp_path / "user.key"
    opened = keystore_at(path)
    opened.save(BUNDLE)
    with refused("empty_passphrase"):
        opened.change_passphrase(lambda: "")
    assert keystore_at(path).load() == BUNDLE
    assert opened.load() == BUNDLE


def test_without_keys_there_is_no_passphrase_to_change(tmp_path: Path) -> None:
    """Changing the passphrase of nothing is told."""
    with refused("no_keys"):
        keystore_at(tmp_path / "user.key").change_passphrase(Person())


@pytest.mark.parametrize("begin", [None, BUNDLE])
def test_memory_keeps_keys_as_a_file_does(begin: UserBundle | None) -> None:
    """The keystore in memory answers the same port."""
    store: Keystore = MemoryKeystore(begin)
    assert store.load() == begin
    store.save(CHANGED)
    assert store.load() == CHANGED
