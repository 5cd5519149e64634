"""One encrypted SQLite database per home: what a program has opened, kept so that only its key reads it.

SQLCipher encrypts pages and write-ahead log with the raw 32-byte key from the keystore. One connection
writes and another reads: a reader never waits for a writer and never sees half a transaction.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import sqlcipher3
from aiosqlite.core import Connection

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import UsageError
from e2e_support_keys.private_files import open_private

Parameter = int | float | str | bytes | None
Row = sqlcipher3.Row

_ITER_CHUNK = 64
_NEEDED = "SELECT sqlite_compileoption_used('HAS_CODEC') AND sqlite_compileoption_used('ENABLE_FTS5')"
_SETTINGS = (
    "PRAGMA temp_store = MEMORY",  # sorting spills plaintext into files otherwise
    "PRAGMA secure_delete = ON",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what was committed survives a power cut
    "PRAGMA foreign_keys = ON",
)


class _Hidden(tuple[object, ...]):
    """Parameters that do not print: aiosqlite logs each call with its arguments."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


class Queries:
    """What can be asked of a database without changing it.

    Args:
        connection: an open connection that only this object's owner uses.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch_all(self, sql: str, *parameters: Parameter) -> list[Row]:
        """Return every row, each readable by index and by column name.

        Args:
            sql: one statement; values stand in it as ``?`` and never as text.
            parameters: the values.

        Raises:
            UsageError: ``store_damaged``, ``store_unusable`` or ``store_closed``.
        """
        with _explained():
            rows = await self._connection.execute_fetchall(sql, _Hidden(parameters))
        return cast("list[Row]", rows)

    async def fetch_one(self, sql: str, *parameters: Parameter) -> Row | None:
        """Return the first row, or ``None``; arguments and errors as in ``fetch_all``."""
        rows = await self.fetch_all(sql, *parameters)
        return rows[0] if rows else None


class Transaction(Queries):
    """Statements that stand or fall together; its queries see its own changes."""

    async def execute(self, sql: str, *parameters: Parameter) -> int:
        """Run one statement and return how many rows it changed.

        Args:
            sql: as in ``fetch_all``.
            parameters: the values.

        Raises:
            UsageError: ``disk_full``, ``store_damaged``, ``store_unusable`` or ``store_closed``.
            sqlcipher3.IntegrityError: a constraint does not hold.
        """
        with _explained():
            async with self._connection.execute(sql, _Hidden(parameters)) as cursor:
                return cursor.rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Parameter]]) -> None:
        """Run one statement for each row of values; errors as in ``execute``."""
        with _explained():
            hidden = _Hidden(_Hidden(row) for row in rows)
            async with self._connection.executemany(sql, hidden):
                pass  # leaving closes the cursor on the connection's own thread


class Store(Queries):
    """An open database; queries outside a transaction see what was committed last.

    Made by ``open_store``. It is an asynchronous context manager that closes itself.
    """

    def __init__(self, reader: Connection, writer: Connection, resources: AsyncExitStack) -> None:
        super().__init__(reader)
        self._writer = writer
        self._writing = asyncio.Lock()
        self._resources = resources

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """Run a block whose changes are on the disk when it ends, or undone when it raises.

        Transactions run one after the other; one must not be begun inside another.

        Raises:
            UsageError: ``disk_full``, ``store_damaged``, ``store_unusable`` or ``store_closed``; nothing was
                changed.
        """
        async with self._writing:
            transaction = Transaction(self._writer)
            try:
                await transaction.execute("BEGIN IMMEDIATE")
                yield transaction
                await transaction.execute("COMMIT")
            except BaseException:  # cancellation included; without a transaction this does nothing
                with _explained():
                    await self._writer.rollback()
                raise

    async def scrub(self) -> None:
        """Leave nothing in the files of what was deleted: the log is cut off, ``secure_delete`` did the rest.

        Errors as in ``fetch_all``; what a reader still holds back goes when the database is closed.
        """
        async with self._writing:
            await Queries(self._writer).fetch_all("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Close the database and let the next process have it."""
        async with self._writing:
            await self._resources.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def open_store(path: str | os.PathLike[str], key: Secret, migrations: Sequence[str]) -> Store:
    """Open or make the database, and bring it to the newest schema.

    Args:
        path: the file; mode 0600, a missing directory is made with mode 0700. ``path.lock`` stands beside it.
        key: 32 bytes.
        migrations: SQL scripts; number i leads from schema i to i + 1. Released ones never change.

    Raises:
        UsageError: ``store_locked`` while another process has it open, ``wrong_key``, ``update_needed`` for
            a newer schema, ``no_cipher`` when SQLCipher or its full-text search is missing, ``unsafe_file``,
            ``disk_full``, ``store_damaged``, ``store_unusable``, ``bad_key``.
    """
    place = _place(path)
    if len(key) != KEY_SIZE:
        raise UsageError("bad_key", f"a store key has {KEY_SIZE} bytes")
    async with AsyncExitStack() as stack:
        stack.callback(os.close, _take_lock(place))
        os.close(open_private(place, os.O_RDWR | os.O_CREAT))  # SQLite would make it readable to others
        with _explained():
            writer = await stack.enter_async_context(_connection(place, key))
            await _require_build(writer)
            await _apply(writer, _SETTINGS)
            await _migrate(writer, migrations)
            reader = await stack.enter_async_context(_connection(place, key))
            await _apply(reader, (*_SETTINGS, "PRAGMA query_only = ON"))
        return Store(reader, writer, stack.pop_all())


def delete_store(path: str | os.PathLike[str]) -> None:
    """Remove a database that no process has open; a console rebuilds its own from the relay.

    Args:
        path: as for ``open_store``.

    Raises:
        UsageError: ``store_locked`` or ``unsafe_file``.
    """
    place = _place(path)
    with nobody_in_store(place):
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                place.with_name(place.name + suffix).unlink()


@contextmanager
def nobody_in_store(path: str | os.PathLike[str]) -> Generator[None]:
    """Run a block while no process, this one included, has the database open; it need not exist.

    Args:
        path: as for ``open_store``.

    Raises:
        UsageError: ``store_locked`` or ``unsafe_file``.
    """
    lock = _take_lock(_place(path))
    try:
        yield
    finally:
        os.close(lock)


def _place(path: str | os.PathLike[str]) -> Path:
    return Path(path).expanduser()


def _take_lock(path: Path) -> int:
    """Return a descriptor that holds the lock until it is closed; the system does so after ``kill -9``."""
    descriptor = open_private(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(
            "store_locked",
            f"another process is using {path}",
            hint="Close the other window or program first; two would send everything twice.",
        ) from None
    return descriptor


def _connection(path: Path, key: Secret) -> Connection:
    return Connection(partial(_connect, path, [key]), _ITER_CHUNK)


def _connect(path: Path, keys: list[Secret]) -> sqlcipher3.Connection:
    """Connect without reading the file, so that a wrong key shows later, on an orderly open connection.

    The key is taken out of its list: the connection keeps this call's arguments for as long as somebody keeps it.
    """
    key = keys.pop()
    connection = sqlcipher3.connect(path, isolation_level=None)  # transactions are ours alone to begin
    connection.row_factory = Row
    connection.execute("PRAGMA cipher_log_level = NONE")  # first: it would write to standard error
    connection.execute(f"PRAGMA key = \"x'{key.reveal(SECRET_ACCESS).hex()}'\"")
    return connection


async def _require_build(connection: Connection) -> None:
    """A library without the cipher would take the key, say nothing and write plaintext."""
    ((present,),) = await connection.execute_fetchall(_NEEDED)
    if not present:
        raise UsageError(
            "no_cipher",
            "this SQLite has no encryption or no full-text search",
            hint="Install the sqlcipher3 wheel from the lock file.",
        )


async def _apply(connection: Connection, settings: Iterable[str]) -> None:
    for setting in settings:
        await connection.execute_fetchall(setting)


async def _migrate(connection: Connection, migrations: Sequence[str]) -> None:
    ((version,),) = await connection.execute_fetchall("PRAGMA user_version")
    if version > len(migrations):
        raise UsageError(
            "update_needed",
            f"this store has schema {version}, newer than the {len(migrations)} known here",
            hint="Update this program.",
        )
    for number, script in enumerate(migrations[version:], version + 1):
        whole = f"BEGIN IMMEDIATE;\n{script}\n;PRAGMA user_version = {number};COMMIT;"
        await connection.executescript(whole)  # if it fails, closing rolls back


@contextmanager
def _explained() -> Generator[None]:
    """Give the database's own troubles a code and a hint; a broken constraint stays what it is."""
    try:
        yield
    except sqlcipher3.Error as error:
        trouble = _trouble(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if "closed database" in str(error):  # it was asked a moment before it closed
            trouble = _closed()
        if trouble is None:
            raise
        raise trouble from None
    except ValueError:  # what aiosqlite calls a connection that was closed
        raise _closed() from None


def _closed() -> UsageError:
    return UsageError("store_closed", "the store is closed", hint="Unlock the program again.")


def _trouble(code: int) -> UsageError | None:
    """Return the error for a primary result code (https://www.sqlite.org/rescode.html), if it is nobody's bug."""
    match code:
        case sqlite3.SQLITE_FULL:
            hint = "Free some space and try again; nothing was changed."
            return UsageError("disk_full", "the disk is full", hint=hint)
        case sqlite3.SQLITE_NOTADB:
            hint = "Is it the store that belongs to these keys?"
            return UsageError("wrong_key", "wrong key or damaged store", hint=hint)
        case sqlite3.SQLITE_CORRUPT:
            hint = "Delete it: all but unsent drafts comes back from the relay."
            return UsageError("store_damaged", "the store is damaged", hint=hint)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            hint = "Check the disk and the permissions."
            return UsageError("store_unusable", "the store cannot be read or written", hint=hint)
        case _:
            return None
