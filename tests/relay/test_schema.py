"""Migrations: data of an older relay is read by this one, and a migration that was shipped never changes."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from e2e_support_server.storage.schema import MIGRATIONS, migrate
from relay_crew import Crew
from relay_kit import running
from team_builder import EPOCH, device

SHIPPED = ["31ac49c1a33e6ad7", "5d5efc145871c7ea"]
ANNA, BEN = device("anna"), device("ben")


def shape(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return every table and index with its columns."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    return [(name, " ".join(sql.split())) for name, sql in rows]


def test_shipped_migrations_stay_as_they_are() -> None:
    """Whoever changes one has two kinds of databases with one number; add a migration instead."""
    marks = [hashlib.sha256(sql.encode()).hexdigest()[:16] for sql in MIGRATIONS]
    assert marks[: len(SHIPPED)] == SHIPPED


def test_an_old_database_becomes_what_a_new_one_is(tmp_path: Path) -> None:
    """Schema 1, migrated, has the tables of a fresh database."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as old, closing(sqlite3.connect(":memory:")) as new:
        old.executescript(f"BEGIN; {MIGRATIONS[0]}; PRAGMA user_version = 1; COMMIT;")
        migrate(old)
        migrate(new)
        assert shape(old) == shape(new)
        assert old.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


async def test_a_relay_of_schema_1_goes_on_with_its_teams_and_tickets(tmp_path: Path) -> None:
    """What the relay before this one stored is served, and all that is new works on it."""
    place = tmp_path / "relay"
    async with running(place) as relay:
        crew = await Crew.found(relay, ANNA, BEN)
        box = await relay.ticket(crew.handle)
        await box.append()
    _downgrade(place / "relay.db")
    async with running(place) as relay:
        crew.relay = box.client = relay
        assert (await box.page()).head.length == 1
        await crew.change((EPOCH, [ANNA]), by=ANNA)
        (await crew.vouch(crew.statement(ANNA, BEN), ANNA)).expect(200)
        await crew.erase(box, ANNA)


def _downgrade(file: Path) -> None:
    """Make a database of schema 1 of the rows in a newer one."""
    old = file.with_suffix(".old")
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; {MIGRATIONS[0]}; PRAGMA user_version = 1;")
        connection.execute("ATTACH ? AS newer", (str(file),))
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        for name in names:
            if name == "sqlite_sequence":
                continue
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA table_info({name})"))
            connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM newer.{name}")  # noqa: S608
    old.rename(file)
    for rest in ("-wal", "-shm"):
        Path(f"{file}{rest}").unlink(missing_ok=True)
    file.chmod(0o600)
