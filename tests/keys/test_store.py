"""The encrypted store: what is committed stays, what is not is gone, and one process has it at a time."""

import asyncio
import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import aiosqlite.core
import pytest
import sqlcipher3

from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support_keys import store as store_module
from e2e_support_keys.store import Store, Transaction, delete_store, open_store
from keys_room import KEY, OTHER_KEY, refused

MIGRATIONS = ("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT",)
INSERT = "INSERT INTO note (text) VALUES (?)"
TEXTS = "SELECT text FROM note ORDER BY id"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of this test lies."""
    return tmp_path / "home" / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncGenerator[Store]:
    """An open store with one table."""
    async with await open_store(path, KEY, MIGRATIONS) as store:
        yield store


async def texts(store: Store | Transaction) -> list[str]:
    """Return all texts in the table."""
    return [row["text"] for row in await store.fetch_all(TEXTS)]


async def opens(path: Path, key: Secret = KEY, migrations: Sequence[str] = MIGRATIONS) -> list[str]:
    """Open the store, read it and close it."""
    async with await open_store(path, key, migrations) as store:
        return await texts(store)


def size(path: Path) -> int:
    """Return a file's size."""
    return path.stat().st_size


def flip(path: Path, at: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


async def test_what_was_committed_is_read(store: Store) -> None:
    """A transaction's changes are seen after it, by name and by index, with the number of rows changed."""
    async with store.transaction() as transaction:
        assert await transaction.execute(INSERT, "one") == 1
        await transaction.execute_many(INSERT, [("two",), ("three",)])
        assert await transaction.execute("UPDATE note SET text = text || '!' WHERE id > ?", 1) == 2
    row = await store.fetch_one("SELECT id, text FROM note WHERE id = ?", 2)
    assert row is not None
    assert (row["id"], row[1]) == (2, "two!")
    assert await texts(store) == ["one", "two!", "three!"]
    assert await store.fetch_one("SELECT id FROM note WHERE id = ?", 9) is None


async def test_every_kind_of_value_goes_round(store: Store) -> None:
    """Integers, text, bytes, floats and nothing come back as they went in."""
    values = (2**53, "Grüße", b"\x00\xff", 0.5, None)
    row = await store.fetch_one("SELECT ?, ?, ?, ?, ?", *values)
    assert row is not None
    assert tuple(row) == values


async def test_a_store_survives_closing(path: Path) -> None:
    """What one program wrote the next one reads, and only the files of the store stay."""
    async with await open_store(str(path), KEY, MIGRATIONS) as store, store.transaction() as transaction:
        await transaction.execute(INSERT, "kept")
    assert await opens(path) == ["kept"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["store.db", "store.db.lock"]


async def test_all_files_are_private(store: Store, path: Path) -> None:
    """Database, log, index and lock have mode 0600 in a directory of mode 0700."""
    async with store.transaction() as transaction:
        await transaction.execute(INSERT, "text")
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert files == dict.fromkeys(["store.db", "store.db-shm", "store.db-wal", "store.db.lock"], 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_raised_error_undoes_everything(store: Store) -> None:
    """A block that raises leaves nothing behind, and the next one begins afresh."""

    async def fail() -> None:
        async with store.transaction() as transaction:
            await transaction.execute(INSERT, "undone")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with store.transaction() as transaction:
        await transaction.execute(INSERT, "kept")
    assert await texts(store) == ["kept"]


async def test_a_broken_constraint_is_the_callers_affair(store: Store) -> None:
    """A constraint that does not hold is raised as it is, and undoes the block."""
    with pytest.raises(sqlcipher3.IntegrityError):
        async with store.transaction() as transaction:
            await transaction.execute_many(INSERT, [("same",), ("same",)])
    assert await texts(store) == []


async def test_a_mistake_in_a_statement_is_not_disguised(store: Store) -> None:
    """Wrong SQL is a mistake in the program and shows as one."""
    with pytest.raises(sqlcipher3.OperationalError):
        await store.fetch_all("SELECT nothing")


async def test_foreign_keys_hold(path: Path) -> None:
    """References are enforced."""
    migration = "CREATE TABLE child (note INTEGER NOT NULL REFERENCES note (id)) STRICT"
    async with await open_store(path, KEY, (*MIGRATIONS, migration)) as store:
        with pytest.raises(sqlcipher3.IntegrityError):
            async with store.transaction() as transaction:
                await transaction.execute("INSERT INTO child VALUES (7)")


async def test_a_reader_sees_no_half_transaction(store: Store) -> None:
    """Outside, the state before the transaction is seen until it ends; inside, its own changes."""
    async with store.transaction() as transaction:
        await transaction.execute(INSERT, "half")
        assert await texts(transaction) == ["half"]
        assert await texts(store) == []
    assert await texts(store) == ["half"]


async def test_a_reader_cannot_write(store: Store) -> None:
    """Changes are made in transactions only."""
    with refused("store_unusable"):
        await store.fetch_all("DELETE FROM note")


async def test_transactions_do_not_mix(store: Store) -> None:
    """Of many tasks that write at once each has its transaction to itself."""

    async def write(number: int) -> None:
        async with store.transaction() as transaction:
            before = len(await texts(transaction))
            await transaction.execute(INSERT, f"{number}")
            await asyncio.sleep(0)
            assert len(await texts(transaction)) == before + 1

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(write(number))
    assert len(await texts(store)) == 20


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
async def test_a_cancelled_task_leaves_no_open_transaction(store: Store, after: int) -> None:
    """Wherever a task is cancelled, its block is done or undone and the next one can write."""

    async def write() -> None:
        async with store.transaction() as transaction:
            await transaction.execute_many(INSERT, [("a",), ("b",)])

    task = asyncio.create_task(write())
    for _ in range(after):
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await texts(store) in ([], ["a", "b"])
    async with store.transaction() as transaction:
        await transaction.execute(INSERT, "next")
    assert (await texts(store))[-1] == "next"


async def test_migrations_are_taken_in_order(path: Path) -> None:
    """A store of an older schema gets the scripts that it lacks, each once."""
    assert await opens(path) == []
    more = (
        *MIGRATIONS,
        "INSERT INTO note (text) VALUES ('two'); -- a comment",
        "INSERT INTO note VALUES (7, 'seven')",
    )
    assert await opens(path, migrations=more) == ["two", "seven"]
    assert await opens(path, migrations=more) == ["two", "seven"]


async def test_a_newer_schema_is_refused(path: Path) -> None:
    """An older program does not touch a store that a newer one has changed."""
    await opens(path, migrations=(*MIGRATIONS, "CREATE TABLE later (id INTEGER)"))
    with refused("update_needed"):
        await opens(path)


async def test_a_failing_migration_changes_nothing(path: Path) -> None:
    """A script that fails in the middle leaves the schema before it, and the store closed and usable."""
    await opens(path)
    broken = (*MIGRATIONS, "INSERT INTO note (text) VALUES ('half'); SELECT nothing;")
    with pytest.raises(sqlcipher3.OperationalError):
        await opens(path, migrations=broken)
    assert await opens(path) == []


async def test_a_wrong_key_is_told(path: Path) -> None:
    """Another key opens nothing, says so on no other channel, and leaves the store to the right key."""
    await opens(path)
    with refused("wrong_key"):
        await opens(path, OTHER_KEY)
    assert await opens(path) == []


async def test_a_wrong_key_writes_nothing_to_standard_error(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The cipher library's own log is silent."""
    await opens(path)
    with refused("wrong_key"):
        await opens(path, OTHER_KEY)
    assert capfd.readouterr() == ("", "")


async def test_a_key_of_a_wrong_size_is_refused(path: Path) -> None:
    """A short key would be taken for a passphrase by the library; here it is none."""
    with refused("bad_key"):
        await opens(path, Secret(b"short"))
    assert not path.parent.exists()


@pytest.mark.parametrize(("at", "code"), [(100, "wrong_key"), (4096 + 100, "store_damaged")])
async def test_damage_is_told(path: Path, at: int, code: str) -> None:
    """A changed byte is noticed: in the first page it looks like a wrong key, elsewhere like damage."""
    async with await open_store(path, KEY, MIGRATIONS) as store, store.transaction() as transaction:
        await transaction.execute_many(INSERT, [(f"{number:1000}",) for number in range(20)])
    flip(path, at)
    with refused(code):
        await opens(path)


async def test_a_full_disk_loses_nothing(store: Store) -> None:
    """When there is no room the block is undone, what was there stays, and writing goes on with room again."""
    async with store.transaction() as transaction:
        await transaction.execute(INSERT, "kept")
    (pages,) = await store.fetch_one("PRAGMA page_count") or (0,)
    with refused("disk_full"):
        async with store.transaction() as transaction:
            await transaction.fetch_all(f"PRAGMA max_page_count = {pages + 1}")
            await transaction.execute(INSERT, "x" * 100_000)
    assert await texts(store) == ["kept"]
    async with store.transaction() as transaction:
        await transaction.fetch_all("PRAGMA max_page_count = 1000000")
        await transaction.execute(INSERT, "more")
    assert await texts(store) == ["kept", "more"]


async def test_a_library_without_the_cipher_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without encryption or full-text search nothing is written at all."""
    monkeypatch.setattr(store_module, "_NEEDED", "SELECT 0")
    with refused("no_cipher"):
        await opens(path)
    assert size(path) == 0


async def test_full_text_search_is_there(path: Path) -> None:
    """The build has the full-text search that the console's index needs."""
    migration = "CREATE VIRTUAL TABLE found USING fts5 (text)"
    async with await open_store(path, KEY, (migration,)) as store:
        async with store.transaction() as transaction:
            await transaction.execute("INSERT INTO found VALUES (?)", "the printer is on fire")
        assert len(await store.fetch_all("SELECT * FROM found WHERE found MATCH ?", "printer")) == 1


async def test_the_settings_are_the_promised_ones(store: Store) -> None:
    """Both connections have the settings that keep plaintext off the disk and commits on it."""
    wanted = {
        "temp_store": 2,  # memory
        "secure_delete": 1,
        "journal_mode": "wal",
        "synchronous": 2,  # full
        "foreign_keys": 1,
    }
    async with store.transaction() as transaction:
        for queries in (store, transaction):
            found = {name: (await queries.fetch_all(f"PRAGMA {name}"))[0][0] for name in wanted}
            assert found == wanted


async def test_values_and_keys_are_not_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The database library's debug log shows neither a value nor the key."""
    caplog.set_level(logging.DEBUG, "aiosqlite")
    async with await open_store(path, KEY, MIGRATIONS) as store:
        async with store.transaction() as transaction:
            await transaction.execute(INSERT, "canary one")
            await transaction.execute_many(INSERT, [("canary two",)])
        await store.fetch_one("SELECT ?", "canary three")
    assert "execut" in caplog.text
    assert "canary" not in caplog.text
    assert bytes(range(32)).hex() not in caplog.text


async def test_the_same_process_cannot_open_it_twice(store: Store, path: Path) -> None:
    """A second window of one program is refused like another program, and the first goes on."""
    with refused("store_locked"):
        await opens(path)
    with refused("store_locked"):
        delete_store(path)
    assert await texts(store) == []


async def test_a_closed_store_says_so(path: Path) -> None:
    """After closing, which may happen twice, neither reading nor writing is possible, and both say why."""
    store = await open_store(path, KEY, MIGRATIONS)
    await store.close()
    await store.close()
    with refused("store_closed"):
        await texts(store)
    with refused("store_closed"):
        async with store.transaction() as transaction:
            await transaction.execute(INSERT, "late")
    assert await opens(path) == []


async def test_closing_waits_for_a_transaction(path: Path) -> None:
    """A program that locks itself does not cut a running transaction in two."""
    store = await open_store(path, KEY, MIGRATIONS)
    async with store.transaction() as transaction:
        await transaction.execute(INSERT, "one")
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0.01)
        await transaction.execute(INSERT, "two")
    await closing
    assert await opens(path) == ["one", "two"]


async def test_a_deleted_store_begins_anew(path: Path) -> None:
    """Deleting removes everything but the lock, also what a killed process left, and needs no key."""
    async with await open_store(path, KEY, MIGRATIONS) as store, store.transaction() as transaction:
        await transaction.execute(INSERT, "gone")
    path.with_name("store.db-wal").write_bytes(b"left over")
    delete_store(path)
    assert [file.name for file in path.parent.iterdir()] == ["store.db.lock"]
    delete_store(path)
    assert await opens(path, OTHER_KEY) == []


HOLDER = """
import asyncio, sys
from e2e_support.crypto.secret import Secret
from e2e_support_keys.store import open_store

async def main():
    async with await open_store(sys.argv[1], Secret(bytes(range(32))), sys.argv[2:]) as store:
        async with store.transaction() as transaction:
            await transaction.execute("INSERT INTO note (text) VALUES ('committed')")
        async with store.transaction() as transaction:
            await transaction.execute("INSERT INTO note (text) VALUES ('not committed')")
            print("holding", flush=True)
            await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_killed_process_frees_the_store(path: Path) -> None:
    """While another process lives the store is refused; after kill -9 it opens with all that was committed."""
    other = subprocess.Popen(  # noqa: ASYNC220 - the test has nothing else to do
        [sys.executable, "-c", HOLDER, str(path), *MIGRATIONS], stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"holding\n"
        with refused("store_locked"):
            await opens(path)
        os.kill(other.pid, signal.SIGKILL)
    finally:
        other.kill()
        other.communicate()
    assert await opens(path) == ["committed"]


async def test_an_abandoned_opening_frees_the_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If opening fails half-way, connections and lock are released."""
    real = aiosqlite.core.Connection.execute_fetchall

    def fail(connection: aiosqlite.core.Connection, sql: str) -> object:
        if "query_only" in sql:
            raise ZeroDivisionError
        return real(connection, sql)

    monkeypatch.setattr(aiosqlite.core.Connection, "execute_fetchall", fail)
    with pytest.raises(ZeroDivisionError):
        await opens(path)
    monkeypatch.undo()
    assert await opens(path) == []


async def test_a_question_that_waits_while_the_store_closes_is_told_so(tmp_path: Path) -> None:
    """What is asked in the moment of closing either gets its answer or hears ``store_closed``, never a crash."""
    async with await open_store(tmp_path / "store.db", KEY, ()) as store:
        closing = asyncio.create_task(store.close())
        asked = [asyncio.create_task(store.fetch_all("SELECT 1")) for _ in range(50)]
        await closing
        answers = await asyncio.gather(*asked, return_exceptions=True)
    wrong = [one for one in answers if isinstance(one, BaseException)]
    assert all(isinstance(one, UsageError) and one.code == "store_closed" for one in wrong)
