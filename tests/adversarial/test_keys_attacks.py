"""Attacks on keys and stores at rest, by their numbers in the threat model; number 51 is about keys handed on.

The attacker has the disk, or another account on the machine, or was in the team until yesterday.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.pwhash import argon2id

from e2e_support.canonical import decode
from e2e_support.crypto import cae
from e2e_support.crypto.seal import try_unseal
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.epoch import box_context, epoch_team, ring_context
from e2e_support.ids import TeamId
from e2e_support.limits import MIB, RING_MAX
from e2e_support.tags import Tag
from e2e_support.wire import EpochRecord
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.epochs import NewEpoch, SealedRing, TeamKeys, make_epoch
from e2e_support_keys.keystore import FileKeystore
from e2e_support_keys.store import open_store
from e2e_support_keys.vault import CEILING, DEFAULT, FLOOR, Cost, Header, LockedBox, lock, unlock
from keys_room import KEY, LOCKED_BY, PASSPHRASE, Numbered, refused
from team_builder import device

CANARY = "the-canary-sings-of-Grüße"
BUNDLE = UserBundle(KEY, Secret(b"store key of this attack test 32"), f"e2es://{CANARY}/#code")
TABLE = (
    "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT); CREATE VIRTUAL TABLE found USING fts5 (text)",
)


def header_asking_for(cost: Cost) -> bytes:
    """Return a locked file whose header asks for another cost than it was locked with."""
    box = LockedBox.from_bytes(lock(Secret(b"secret"), LOCKED_BY, random=Numbered(), cost=FLOOR))
    old = Header.from_bytes(box.header)
    header = Header(old.version, cost.passes, cost.memory, old.salt, old.nonce)
    return LockedBox(header.to_bytes(), box.sealed).to_bytes()


# --- 60, 61: the key file ---------------------------------------------------------------------------------


def test_60_a_guess_costs_what_the_header_says() -> None:
    """One guess at the default cost fills 256 MiB and takes several times as long as at the floor."""

    def spent(cost: Cost) -> float:
        locked = lock(Secret(b"secret"), LOCKED_BY, random=Numbered(), cost=cost)
        begun = time.process_time()
        unlock(locked, LOCKED_BY)
        return time.process_time() - begun

    assert spent(DEFAULT) > 3 * min(spent(FLOOR) for _ in range(3))  # something else may have taken its time
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > 256 * MIB


@pytest.mark.parametrize(
    "cost", [Cost(1, FLOOR.memory), Cost(FLOOR.passes, 8), Cost(FLOOR.passes, FLOOR.memory - 1)]
)
def test_60_a_cheaper_header_is_not_obeyed(cost: Cost) -> None:
    """A header rewritten to a cheap derivation opens nothing, even with the right passphrase."""
    with refused("wrong_passphrase"):
        unlock(header_asking_for(cost), LOCKED_BY)


def test_60_the_cost_is_part_of_the_key() -> None:
    """A header moved within the bounds gives another key: costs cannot be lowered to the floor."""
    box = LockedBox.from_bytes(
        lock(Secret(b"secret"), LOCKED_BY, random=Numbered(), cost=Cost(3, FLOOR.memory))
    )
    old = Header.from_bytes(box.header)
    lowered = Header(old.version, FLOOR.passes, FLOOR.memory, old.salt, old.nonce).to_bytes()
    with refused("wrong_passphrase"):
        unlock(LockedBox(lowered, box.sealed).to_bytes(), LOCKED_BY)


@pytest.mark.parametrize(
    "cost",
    [
        Cost(FLOOR.passes, 64 * 1024 * 1024),  # 64 GiB
        Cost(2**32, FLOOR.memory),
        Cost(CEILING.passes + 1, CEILING.memory),
        Cost(2**53 - 1, 2**53 - 1),
    ],
    ids=["64 GiB", "years", "just above", "largest"],
)
def test_61_a_greedy_header_allocates_nothing(cost: Cost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that asks for 64 GiB or for years is refused at once, without the memory: nothing is derived."""
    data = header_asking_for(cost)
    monkeypatch.delattr(argon2id, "kdf")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with refused("wrong_passphrase"):
        unlock(data, LOCKED_BY)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 8 * MIB


# --- 62: what lies on the disk ----------------------------------------------------------------------------


def all_bytes(folder: Path) -> bytes:
    """Return the content of every file below a folder, database, log and shared memory included."""
    return b"\x00".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def traces(data: bytes) -> list[str]:
    """Say which secrets of this test are found in some bytes, in any of the usual spellings."""
    secrets = {"text": CANARY.encode(), "passphrase": PASSPHRASE.encode()}
    for name, key in (("master", BUNDLE.master), ("store key", BUNDLE.store_key)):
        plain = key.reveal(SECRET_ACCESS)
        secrets |= {name: plain, f"{name} in hex": plain.hex().encode()}
    return [name for name, secret in secrets.items() if secret in data]


async def test_62_no_plaintext_and_no_key_reaches_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither text nor keys stand in key file, database, write-ahead log or temporary files, open or closed."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    temporary.mkdir()
    for variable in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(variable, str(temporary))
    FileKeystore(home / "user.key", lambda: PASSPHRASE, cost=FLOOR).save(BUNDLE)
    async with await open_store(home / "store.db", BUNDLE.store_key, TABLE) as store:
        async with store.transaction() as transaction:
            rows = [(f"{CANARY} {number} {'x' * 500}",) for number in range(2000)]
            await transaction.execute_many("INSERT INTO note (text) VALUES (?)", rows)
            await transaction.execute("INSERT INTO found SELECT text FROM note")
            await transaction.fetch_all("SELECT text FROM note ORDER BY text || id DESC")  # a large sort
            assert traces(all_bytes(tmp_path)) == []
        assert (home / "store.db-wal").stat().st_size > MIB
        assert traces(all_bytes(tmp_path)) == []
        async with store.transaction() as transaction:
            await transaction.execute("DELETE FROM note")
    assert traces(all_bytes(tmp_path)) == []
    assert list(temporary.iterdir()) == []


async def test_62_the_canary_would_be_found(tmp_path: Path) -> None:
    """The search finds a canary where there is one, so that finding none means something."""
    (tmp_path / "leak").write_bytes(b"..." + CANARY.encode() + KEY.reveal(SECRET_ACCESS).hex().encode())
    assert traces(all_bytes(tmp_path)) == ["text", "master in hex"]


DYING = """
import asyncio, os, sys
from e2e_support.crypto.secret import Secret
from e2e_support_keys.store import open_store

async def main():
    text = sys.stdin.readline().strip()
    async with await open_store(sys.argv[1], Secret(b"store key of this attack test 32"), sys.argv[2:]) as store:
        async with store.transaction() as transaction:
            for number in range(500):
                await transaction.execute("INSERT INTO note (text) VALUES (?)", text * 50)
            os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def test_62_a_crash_dumps_no_memory(tmp_path: Path) -> None:
    """A program that crashes with its keys unlocked leaves no image of its memory."""
    script = (
        "import os, sys; from e2e_support_keys.process import forbid_memory_dumps\n"
        "forbid_memory_dumps(); text = sys.stdin.read(); os.abort()"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, input=CANARY.encode(), check=False)
    assert done.returncode == -signal.SIGABRT
    assert list(tmp_path.iterdir()) == []


def test_62_a_killed_process_leaves_no_plaintext(tmp_path: Path) -> None:
    """What kill -9 leaves in the middle of a transaction is as unreadable as the rest."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path / "store.db"), *TABLE], input=CANARY.encode(), check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "store.db-wal").exists()
    assert traces(all_bytes(tmp_path)) == []


# --- 64, 65: another account, another process -------------------------------------------------------------


def test_64_a_link_in_the_key_files_place_is_refused(tmp_path: Path) -> None:
    """Neither loading nor saving goes through a symbolic link, and what it points at stays."""
    victim, link = tmp_path / "victim", tmp_path / "user.key"
    victim.write_bytes(b"precious")
    victim.chmod(0o600)
    link.symlink_to(victim)
    keystore = FileKeystore(link, lambda: PASSPHRASE, cost=FLOOR)
    with refused("unsafe_file"):
        keystore.load()
    with refused("unsafe_file"):
        keystore.save(BUNDLE)
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["store.db", "store.db.lock"])
async def test_64_a_link_in_the_stores_place_is_refused(tmp_path: Path, name: str) -> None:
    """A store or lock file that is a link is not opened, and nothing appears where it leads."""
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with refused("unsafe_file"):
        await open_store(tmp_path / "store.db", KEY, TABLE)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o660])
async def test_64_files_that_others_may_open_are_refused(tmp_path: Path, bits: int) -> None:
    """Key file and store with rights for group or others are not used until their owner has looked."""
    key_file, database = tmp_path / "user.key", tmp_path / "store.db"
    FileKeystore(key_file, lambda: PASSPHRASE, cost=FLOOR).save(BUNDLE)
    async with await open_store(database, KEY, TABLE):
        pass
    key_file.chmod(bits)
    database.chmod(bits)
    with refused("unsafe_file"):
        FileKeystore(key_file, lambda: PASSPHRASE).load()
    with refused("unsafe_file"):
        await open_store(database, KEY, TABLE)


def test_64_a_planted_file_is_not_overwritten(tmp_path: Path) -> None:
    """A file that somebody put there before the first save is neither used nor replaced."""
    path = tmp_path / "user.key"
    path.write_bytes(b"planted")
    path.chmod(0o600)
    keystore = FileKeystore(path, lambda: PASSPHRASE, cost=FLOOR)
    with refused("wrong_passphrase"):
        keystore.load()
    with refused("file_exists"):
        keystore.save(BUNDLE)
    assert path.read_bytes() == b"planted"


SECOND = """
import asyncio, sys
from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support_keys.store import open_store

async def main():
    try:
        async with await open_store(sys.argv[1], Secret(bytes(range(32))), sys.argv[2:]):
            print("opened")
    except UsageError as error:
        print(error.code)

asyncio.run(main())
"""


async def test_65_a_second_console_on_one_store_is_refused(tmp_path: Path) -> None:
    """Another process is refused while the first one lives, and may have the store afterwards."""
    path = tmp_path / "store.db"

    def second() -> str:
        command = [sys.executable, "-c", SECOND, str(path), *TABLE]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    async with await open_store(path, KEY, TABLE) as store:
        assert second() == "store_locked"
        async with store.transaction() as transaction:
            await transaction.execute("INSERT INTO note (text) VALUES ('undisturbed')")
    assert second() == "opened"


# --- 73: a broken random source ---------------------------------------------------------------------------


def test_73_a_stuck_source_locks_no_keys(tmp_path: Path) -> None:
    """Where the source repeats itself no file is written: two would share one key stream."""
    path = tmp_path / "user.key"
    with refused("bad_random"):
        FileKeystore(path, lambda: PASSPHRASE, cost=FLOOR, random=bytes).save(BUNDLE)
    assert not path.exists()


def test_73_every_save_has_its_own_salt_and_nonce(tmp_path: Path) -> None:
    """Saving the same keys again uses neither salt nor nonce a second time."""
    path = tmp_path / "user.key"
    keystore = FileKeystore(path, lambda: PASSPHRASE, cost=FLOOR)
    seen: set[bytes] = set()
    for _ in range(3):
        keystore.save(BUNDLE)
        header = Header.from_bytes(LockedBox.from_bytes(path.read_bytes()).header)
        seen |= {header.salt, header.nonce}
    assert len(seen) == 6


# --- 51: somebody who was in the team until yesterday -----------------------------------------------------

TEAM = TeamId(b"\x07" * 32)
PEOPLE = {name: device(name) for name in ("anna", "ben", "cleo", "dora", "emil")}


class Spy:
    """Somebody who keeps every secret that their device ever had, and tries each on all that comes later."""

    def __init__(self, name: str) -> None:
        self.device = PEOPLE[name]
        self.secrets: set[Secret] = set()

    def try_all(self, epoch: NewEpoch) -> bool:
        """Tell whether anything of an epoch opens; what was in it is kept."""
        before = len(self.secrets)
        self.secrets |= set(self._boxes(epoch))
        self.secrets |= set(self._ring(epoch))
        return len(self.secrets) > before

    def _boxes(self, epoch: NewEpoch) -> Iterator[Secret]:
        """Open every box with this device's key, as its owner's and as one's own."""
        team, number = epoch_team(TEAM, epoch.record.epoch), epoch.record.epoch
        for box in epoch.package.boxes:
            for owner in {box.device_id, self.device.device_id}:
                context = box_context(team, number, owner, epoch.record.kem_key)
                opened = try_unseal(self.device.kem, Tag.EPOCH_BOX, context, box.sealed)
                if isinstance(opened, Secret):
                    data = opened.reveal(SECRET_ACCESS)
                    yield from (Secret(data[at : at + 32]) for at in range(0, len(data), 32))

    def _ring(self, epoch: NewEpoch) -> Iterator[Secret]:
        """Open the ring with every secret that is known, whatever it was for."""
        context = ring_context(epoch_team(TEAM, epoch.record.epoch), epoch.record.epoch)
        ring = epoch.package.ring
        sealed = SealedRing.from_bytes(ring).sealed if ring else b""
        for secret in self.secrets:
            opened = cae.try_decrypt(secret, Tag.RING, context, sealed)
            if isinstance(opened, bytes):
                yield from (
                    Secret(seed) for _, seed in cast("tuple[Pair, ...]", decode(opened, limit=RING_MAX))
                )


Pair = tuple[int, bytes]


class History:
    """A team whose devices come and go, each change with its epoch."""

    def __init__(self, *founders: str) -> None:
        self.random = Numbered()
        self.active: dict[str, TeamKeys] = {}
        self.spies: dict[str, Spy] = {}
        self.records: list[EpochRecord] = []
        locator, devices = Secret(b"\x10" * 32), [PEOPLE[name].record for name in founders]
        self.begin(
            make_epoch(epoch_team(TEAM, 0), 0, devices, locator=locator, older={}, random=self.random),
            founders,
        )

    def begin(self, epoch: NewEpoch, active: Sequence[str]) -> None:
        """Give an epoch to everybody: to those in the team, and to those who were."""
        self.records.append(epoch.record)
        self.active = {name: self.active.get(name) or self.newcomer(name) for name in active}
        for keys in self.active.values():
            keys.add(self.records, epoch.package)
        for name, spy in self.spies.items():
            assert spy.try_all(epoch) == (name in self.active)

    def newcomer(self, name: str) -> TeamKeys:
        """Return the keys of somebody who opened nothing yet, and begin to watch them."""
        self.spies[name] = Spy(name)
        return TeamKeys(TEAM, PEOPLE[name].device_id, PEOPLE[name].kem)

    def change(self, name: str, *, history: bool) -> None:
        """Remove somebody who is in the team, or add somebody who never was; one of the others does it."""
        others = [other for other in self.active if other != name]
        if not others or (name in self.spies and name not in self.active):
            return
        active = others if name in self.active else [*others, name]
        epoch = self.active[others[0]].next_epoch(
            [PEOPLE[one].record for one in active],
            self.random,
            without_history=() if history else {PEOPLE[name].device_id},
        )
        self.begin(epoch, active)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(sorted(PEOPLE)), st.booleans()), min_size=3, max_size=12))
def test_51_a_removed_device_opens_nothing_that_comes_later(changes: list[tuple[str, bool]]) -> None:
    """After any story of additions and removals nobody who left opens a later box or ring with old secrets."""
    team = History("anna", "ben")
    for name, history in changes:
        team.change(name, history=history)
    assert {keys.newest for keys in team.active.values()} == {len(team.records) - 1}
