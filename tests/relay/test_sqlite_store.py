# pyright: reportPrivateUsage=false
"""The SQLite store keeps the contract of every store, plans its queries well, and survives a full disk."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
import subprocess
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import pytest

from e2e_support.errors import UsageError
from e2e_support.wire import Head
from e2e_support_server.problems import refusal_of
from e2e_support_server.rules import Mailbox
from e2e_support_server.storage import appends, erasing, rosters, sqlite
from e2e_support_server.storage.base import Store
from e2e_support_server.storage.schema import MIGRATIONS, migrate
from e2e_support_server.storage.sqlite import SqliteStore
from relay_kit import ManualClock
from store_kit import StoreContract, wish
from store_kit import closing as opening


def make_store(place: Path, clock: ManualClock | None = None) -> SqliteStore:
    """Return a store in a directory."""
    clock = clock or ManualClock()
    place.mkdir(exist_ok=True)
    return SqliteStore(place / "relay.db", StoreContract.signer, clock, entry_bytes=2**40, waiting_most=1000)


def modes(place: Path) -> list[int]:
    """Return the modes of the database's files."""
    return [stat.S_IMODE(file.stat().st_mode) for file in place.glob("relay.db*")]


class TestSqliteStore(StoreContract):
    """The contract, on SQLite."""

    def opened(self, place: Path, clock: ManualClock) -> AbstractAsyncContextManager[Store]:
        """Open the database file at a place."""
        return opening(make_store(place, clock))

    async def test_its_files_are_the_relays_alone(self, store: Store, tmp_path: Path) -> None:
        """Database, log and index are readable by nobody else."""
        await self.found(store)
        assert modes(tmp_path) == [0o600] * 3

    async def test_a_commit_is_flushed(self, store: Store) -> None:
        """The writing connection keeps a write-ahead log and flushes it with every commit."""
        assert isinstance(store, SqliteStore)
        run = store._write_thread.run
        assert await run(lambda c: c.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
        assert await run(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)

    async def test_a_fault_in_a_group_leaves_the_innocent(self, store: Store) -> None:
        """When the database refuses one write of a group, the others are stored, and the writer lives on."""
        assert isinstance(store, SqliteStore)
        mailbox = await self.mailbox(store, await self.found(store))
        head = await self.head(store, mailbox)

        def broken(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO feed VALUES (1, 1000, x'00', 0)")
            connection.execute("INSERT INTO feed VALUES (1, 1000, x'00', 0)")

        outcomes = await asyncio.gather(
            store.append(wish(mailbox, head, b"one")), store._write(broken), return_exceptions=True
        )
        assert isinstance(outcomes[1], sqlite3.IntegrityError)
        assert (await self.head(store, mailbox)).length == 1
        assert (await store.feed(mailbox.team_id, 0, 10))[0] == 1
        await self.append(store, mailbox)


def database(place: Path) -> sqlite3.Connection:
    """Return a migrated database."""
    connection = sqlite3.connect(place / "x.db", isolation_level=None)
    migrate(connection)
    return connection


def statements() -> list[str]:
    """Return every statement in the storage modules' source, with its placeholders."""
    found: list[str] = []
    for module in (appends, erasing, rosters, sqlite):
        assert module.__file__
        source = Path(module.__file__).read_text("utf-8")
        joined = re.sub(r'"\s*\n\s*"', "", source)
        found += re.findall(r'"((?:SELECT|UPDATE|DELETE) [^"]+)"', joined)
    return found


SMALL = {"code", "teams"}  # one row or a handful
RARELY = {
    "links": "ORDER BY team, seq",  # read once, at the start
    "mailboxes": "AND held = 0",  # every ten minutes; an index over the times would cost every append
}


@pytest.mark.parametrize("statement", sorted(set(statements())))
def test_no_query_scans_a_large_table_or_sorts(tmp_path: Path, statement: str) -> None:
    """Every statement finds its rows by an index in their order, so that a million tickets are as fast as one (G8)."""
    with closing(database(tmp_path)) as connection:
        values = [1] * statement.count("?")
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert not [step for step in plan if "TEMP B-TREE" in step]
    scans = [match[1] for step in plan if (match := re.match(r"SCAN (\w+)", step))]
    assert set(scans) <= SMALL | {table for table, part in RARELY.items() if part in statement}, plan


def test_there_are_statements_to_judge() -> None:
    """The control of the test above: it looks at the statements that matter."""
    text = "\n".join(statements())
    assert len(statements()) > 25
    for table in ("entries", "mailboxes", "feed", "blobs", "pieces"):
        assert table in text


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """Data of a newer program is not touched by an older one."""
    with closing(database(tmp_path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        with pytest.raises(UsageError, match="newer"):
            migrate(connection)


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    """An up-to-date database stays as it is."""
    with closing(database(tmp_path)) as connection:
        before = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        migrate(connection)
        assert connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall() == before


def test_the_schema_cannot_tell_a_closed_ticket() -> None:
    """No table has a column for a status, a subject, an end, a name or an address (attack 90)."""
    words = set(re.findall(r"[a-z]+", re.sub(r"--.*", "", MIGRATIONS[0].lower())))
    assert not words & {
        "status",
        "state",
        "closed",
        "resolved",
        "subject",
        "priority",
        "deleted",
        "address",
        "ip",
        "user_agent",
        "name",
        "label",
    }


# --- full disk -------------------------------------------------------------------------------------------


async def _fill(store: Store, contract: TestSqliteStore, mailbox: Mailbox) -> int:
    """Append until the disk is full and return how many entries were answered."""
    stored = 0
    while (fault := await _append(store, contract, mailbox)) is None:
        stored += 1
    assert refusal_of(fault).code == "disk_full"
    return stored


async def _append(store: Store, contract: TestSqliteStore, mailbox: Mailbox) -> sqlite3.Error | None:
    try:
        await contract.append(store, mailbox, os.urandom(60_000))
    except sqlite3.Error as error:
        return error
    return None


async def test_a_full_database_refuses_and_lives_on(tmp_path: Path) -> None:
    """When SQLite cannot grow (SQLITE_FULL, at the page limit) nothing is stored, and with room it goes on."""
    contract, store = TestSqliteStore(), make_store(tmp_path)
    async with opening(store):
        mailbox = await contract.mailbox(store, await contract.found(store))
        pages = await store._write_thread.run(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        await store._write_thread.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 50}"))
        stored = await _fill(store, contract, mailbox)
        assert (await contract.head(store, mailbox)).length == stored > 0
        head = await contract.head(store, mailbox)
        large, small = (wish(mailbox, head, os.urandom(size)) for size in (90_000, 10))
        refused, _ = await asyncio.gather(store.append(large), store.append(small), return_exceptions=True)
        assert isinstance(refused, sqlite3.OperationalError)
        await store._write_thread.run(lambda c: c.execute("PRAGMA max_page_count = 1000000"))
        await contract.append(store, mailbox)


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of two megabytes; skips where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


async def test_a_full_file_system_refuses_and_lives_on(small_disk: Path) -> None:
    """On a disk that is really full appends are refused, what was answered stays, and with room it goes on."""
    contract, store = TestSqliteStore(), make_store(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    async with opening(store):
        mailbox = await contract.mailbox(store, await contract.found(store))
        stored = await _fill(store, contract, mailbox)
        head, items = await store.page(mailbox, 0, items=1000, size=10**9)
        assert (head.length, len(items)) == (stored, stored)
        ballast.unlink()
        await contract.append(store, mailbox, b"small again")
        assert (await contract.head(store, mailbox)).length == stored + 1
    async with opening(make_store(small_disk)) as again:
        assert (await contract.head(again, mailbox)) == Head(
            stored + 1, (await contract.head(again, mailbox)).hash
        )
