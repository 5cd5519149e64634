# ruff: noqa: D102 - storage.base says what each method does
"""The store on SQLite: one thread writes, in groups; a few threads read what was committed.

WAL with ``synchronous=FULL``: a commit is on the disk before anybody hears of it. SQLite allows one writer, so
the relay is one process; a rare write from another one (issuing a code) waits its turn in ``busy_timeout``.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from e2e_support.ids import BlobId, Hash, MailboxId, TeamId
from e2e_support.limits import PAGE_ITEMS_MAX
from e2e_support.mailbox import ReceiptSigner, first_hash
from e2e_support.wire import FeedItem, Head, Stored
from e2e_support_server.batches import Batches
from e2e_support_server.clock import Clock
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.rules import Mailbox, Wish, Writer
from e2e_support_server.storage import erasing, rosters
from e2e_support_server.storage.appends import AppendGroup
from e2e_support_server.storage.base import (
    Appended,
    Blob,
    BlobBudget,
    Erased,
    Founding,
    NewMailbox,
    Statements,
)
from e2e_support_server.storage.schema import migrate

T = TypeVar("T")

GROUP_MOST = 512  # bounds the memory of one transaction: 128 MiB of the largest entries
READERS = 2
_PRAGMAS = (
    "PRAGMA page_size = 8192",  # an entry of the usual size fits into one page
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -16384",
)

_Job = Callable[[sqlite3.Connection], Any]
_Write = Wish | _Job


class SqliteStore:
    """Implements ``storage.base.Store``.

    Args:
        file: the database file; made with mode 0600 if it is missing.
        signer: signs receipts.
        clock: the relay's clock.
        entry_bytes: bytes of entries a writer class may keep in one mailbox.
        waiting_most: writes that may wait before new ones are refused as ``busy``.
    """

    def __init__(
        self, file: Path, signer: ReceiptSigner, clock: Clock, *, entry_bytes: int, waiting_most: int
    ) -> None:
        self._file = file
        self._signer = signer
        self._clock = clock
        self._entry_bytes = entry_bytes
        self._group: Batches[_Write, Any] = Batches(self._commit, most=GROUP_MOST, waiting_most=waiting_most)
        self._write_thread = _Threads(self._connect, 1, "writer")
        self._read_threads = _Threads(self._connect, READERS, "reader")

    async def open(self) -> None:
        _make_file(self._file)
        await self._write_thread.run(migrate)

    async def close(self) -> None:
        await self._group.close()
        await self._read_threads.close()
        await self._write_thread.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    async def _write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        result: T = await self._group.put(job)
        return result

    async def _commit(self, writes: Sequence[_Write]) -> Sequence[Any]:
        return await self._write_thread.run(lambda connection: self._commit_group(connection, writes))

    def _commit_group(self, connection: sqlite3.Connection, writes: Sequence[_Write]) -> list[Any]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = self._apply(connection, writes)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return outcomes

    def _apply(self, connection: sqlite3.Connection, writes: Sequence[_Write]) -> list[Any]:
        """Run a group's writes: jobs first, since appends are stored at the end and jobs must not see half."""
        group = AppendGroup(connection, self._signer, int(self._clock()), bytes_allowed=self._entry_bytes)
        outcomes: dict[int, Any] = {}
        for position in sorted(range(len(writes)), key=lambda i: isinstance(writes[i], Wish)):
            write = writes[position]
            try:
                outcomes[position] = group.add(write) if isinstance(write, Wish) else _Done(write(connection))
            except Refusal as refusal:  # refused before it changed anything
                outcomes[position] = refusal
        stored = group.store()
        return [_outcome(outcomes[position], stored) for position in range(len(writes))]

    # --- teams ---

    async def issue_code(self, code: Hash, expires: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM teams LIMIT 1").fetchone():
                raise Refusal("code_refused")
            connection.execute(
                "INSERT OR REPLACE INTO code (id, hash, expires) VALUES (1, ?, ?)", (code, expires)
            )

        await self._write(job)

    async def has_code(self, code: Hash, now: int) -> bool:
        return bool(await self._rows("SELECT 1 FROM code WHERE hash = ? AND expires > ?", (code, now)))

    async def found(self, code: Hash, now: int, founding: Founding) -> None:
        def job(connection: sqlite3.Connection) -> None:
            used = connection.execute("DELETE FROM code WHERE hash = ? AND expires > ?", (code, now)).rowcount
            if not used:
                raise Refusal("code_refused")
            _store_founding(connection, founding)

        await self._write(job)

    async def rosters(self) -> Sequence[Sequence[bytes]]:
        rows = await self._rows("SELECT team, link FROM links ORDER BY team, seq")
        return [[link for _, link in group] for _, group in groupby(rows, itemgetter(0))]

    async def append_links(self, head: Head, batch: Founding) -> None:
        await self._write(lambda connection: rosters.append_links(connection, head, batch))

    async def statements(self, team_id: TeamId) -> Statements:
        return await self._read_threads.run(lambda connection: rosters.statements(connection, team_id))

    async def keep_statements(self, team_id: TeamId, kept: Statements) -> None:
        await self._write(lambda connection: rosters.keep_statements(connection, team_id, kept))

    async def links(self, team_id: TeamId, start: int, most: int) -> tuple[int, list[bytes]]:
        def job(connection: sqlite3.Connection) -> tuple[int, list[bytes]]:
            number, length, _ = _team(connection, team_id)
            rows = connection.execute(
                "SELECT link FROM links WHERE team = ? AND seq >= ? ORDER BY seq LIMIT ?",
                (number, start, PAGE_ITEMS_MAX),
            )
            return length, [link for (link,) in _fitting(rows, most)]

        return await self._read_threads.run(job)

    async def package(self, team_id: TeamId, epoch: int) -> bytes:
        rows = await self._rows(
            "SELECT package FROM packages JOIN teams ON team = number WHERE id = ? AND packages.epoch = ?",
            (team_id, epoch),
        )
        if not rows:
            raise not_found()
        package: bytes = rows[0][0]
        return package

    async def feed(self, team_id: TeamId, after: int, most: int) -> tuple[int, list[FeedItem]]:
        def job(connection: sqlite3.Connection) -> tuple[int, list[FeedItem]]:
            number, _, newest = _team(connection, team_id)
            rows = connection.execute(
                "SELECT cursor, mailbox_id, seq FROM feed WHERE team = ? AND cursor > ? ORDER BY cursor LIMIT ?",
                (number, after, most),
            )
            return newest, [FeedItem(cursor, MailboxId(mailbox), seq) for cursor, mailbox, seq in rows]

        return await self._read_threads.run(_snapshot(job))

    # --- mailboxes ---

    async def create(self, new: NewMailbox, now: int) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            if _is_repeated(connection, new.id, new.request):
                return False
            number, _, _ = _team(connection, new.team_id)
            connection.execute(
                "INSERT INTO mailboxes (id, request, user_key, team, team_access, empty_since, hash)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (new.id, new.request, new.user_key, number, int(new.team), now, first_hash(new.id)),
            )
            return True

        return await self._write(job)

    async def repeated(self, mailbox_id: MailboxId, request: bytes) -> bool:
        return await self._read_threads.run(lambda connection: _is_repeated(connection, mailbox_id, request))

    async def mailbox(self, mailbox_id: MailboxId) -> Mailbox | None:
        rows = await self._rows(
            "SELECT mailboxes.number, user_key, teams.id, team_access, 0"
            " FROM mailboxes JOIN teams ON teams.number = team WHERE mailboxes.id = ? UNION ALL"
            " SELECT 0, user_key, teams.id, team_access, 1"
            " FROM tombstones JOIN teams ON teams.number = team WHERE tombstones.id = ?",
            (mailbox_id, mailbox_id),
        )
        if not rows:
            return None
        number, user_key, team_id, access, erased = rows[0]
        return Mailbox(number, mailbox_id, user_key, TeamId(team_id), bool(access), bool(erased))

    async def is_user_key(self, key: bytes) -> bool:
        sql = (
            "SELECT 1 FROM mailboxes WHERE user_key = ? UNION ALL"
            " SELECT 1 FROM tombstones WHERE user_key = ? LIMIT 1"
        )
        return bool(await self._rows(sql, (key, key)))

    async def append(self, wish: Wish) -> Appended:
        appended: Appended = await self._group.put(wish)
        return appended

    async def page(self, mailbox: Mailbox, start: int, *, items: int, size: int) -> tuple[Head, list[Stored]]:
        def job(connection: sqlite3.Connection) -> tuple[Head, list[Stored]]:
            row = connection.execute(
                "SELECT length, hash FROM mailboxes WHERE number = ?", (mailbox.number,)
            ).fetchone()
            if row is None:
                raise not_found()
            rows = connection.execute(
                "SELECT entry, receipt FROM entries WHERE mailbox = ? AND seq >= ? ORDER BY seq LIMIT ?",
                (mailbox.number, start, items),
            )
            return Head(row[0], Hash(row[1])), [
                Stored(entry, receipt) for entry, receipt in _fitting(rows, size)
            ]

        return await self._read_threads.run(_snapshot(job))

    async def freeze(self, mailbox: Mailbox, *, frozen: bool) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE mailboxes SET frozen = ? WHERE number = ?", (int(frozen), mailbox.number)
            )

        await self._write(job)

    async def hold(self, mailbox: Mailbox, *, held: bool) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE mailboxes SET held = ? WHERE number = ?", (int(held), mailbox.number))

        await self._write(job)

    async def is_held(self, mailbox: Mailbox) -> bool:
        rows = await self._rows("SELECT held FROM mailboxes WHERE number = ?", (mailbox.number,))
        return bool(rows and rows[0][0])

    # --- destruction ---

    async def erase(self, mailbox: Mailbox, statement: bytes) -> Erased:
        return await self._write(lambda connection: erasing.erase(connection, mailbox.number, statement))

    async def erase_idle(self, team_id: TeamId, before: int, most: int) -> list[Erased]:
        return await self._write(lambda connection: erasing.erase_idle(connection, team_id, before, most))

    async def tombstone(self, mailbox_id: MailboxId) -> bytes:
        rows = await self._rows("SELECT statement FROM tombstones WHERE id = ?", (mailbox_id,))
        if not rows:
            raise not_found()
        statement: bytes = rows[0][0]
        return statement

    async def blank_steps(self) -> list[MailboxId]:
        return await self._write(erasing.blank_steps)

    async def finish_erasing(self, mailboxes: Sequence[MailboxId]) -> bool:
        if not await self._write_thread.run(erasing.empty_log):
            return False
        await self._write(lambda connection: erasing.finish(connection, mailboxes))
        return True

    # --- blobs ---

    async def declare(
        self, mailbox: Mailbox, writer: Writer, blob_id: BlobId, size: int, budget: BlobBudget, now: int
    ) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            if _is_declared(connection, mailbox, writer, blob_id, size):
                return False
            _check_budget(connection, mailbox, writer, size, budget)
            connection.execute(
                "INSERT INTO blobs (mailbox, id, writer, size, open_since) VALUES (?, ?, ?, ?, ?)",
                (mailbox.number, blob_id, int(writer), size, now),
            )
            return True

        return await self._write(job)

    async def blob(self, mailbox: Mailbox, blob_id: BlobId) -> Blob | None:
        rows = await self._rows(
            "SELECT number, writer, size, complete, open_since IS NULL,"
            " (SELECT count(*) FROM pieces WHERE blob = number) FROM blobs WHERE mailbox = ? AND id = ?",
            (mailbox.number, blob_id),
        )
        if not rows:
            return None
        number, writer, size, complete, committed, pieces = rows[0]
        return Blob(number, blob_id, Writer(writer), size, bool(complete), bool(committed), pieces)

    async def piece(self, blob: Blob, index: int) -> Hash | None:
        return await self._read_threads.run(lambda connection: _piece(connection, blob, index))

    async def pieces(self, blob: Blob) -> list[int]:
        rows = await self._rows(
            "SELECT position FROM pieces WHERE blob = ? ORDER BY position", (blob.number,)
        )
        return [position for (position,) in rows]

    async def keep_piece(self, blob: Blob, index: int, digest: Hash) -> int:
        def job(connection: sqlite3.Connection) -> int:
            known = _piece(connection, blob, index)
            if known is None:
                connection.execute(
                    "INSERT INTO pieces (blob, position, digest) VALUES (?, ?, ?)",
                    (blob.number, index, digest),
                )
            elif known != digest:
                raise Refusal("piece_conflict")
            return int(
                connection.execute("SELECT count(*) FROM pieces WHERE blob = ?", (blob.number,)).fetchone()[0]
            )

        return await self._write(job)

    async def complete(self, blob: Blob) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE blobs SET complete = 1 WHERE number = ?", (blob.number,))

        await self._write(job)

    # --- housekeeping ---

    async def drop_empty(self, before: int, most: int) -> list[MailboxId]:
        def job(connection: sqlite3.Connection) -> list[MailboxId]:
            rows = connection.execute(
                "SELECT number, id FROM mailboxes WHERE empty_since < ? ORDER BY empty_since LIMIT ?",
                (before, most),
            ).fetchall()
            for number, _ in rows:
                for (blob,) in connection.execute(
                    "SELECT number FROM blobs WHERE mailbox = ?", (number,)
                ).fetchall():
                    _drop_blob(connection, blob)
                connection.execute("DELETE FROM mailboxes WHERE number = ?", (number,))
            return [MailboxId(mailbox) for _, mailbox in rows]

        return await self._write(job)

    async def drop_blobs(self, before: int, most: int) -> list[tuple[MailboxId, BlobId]]:
        def job(connection: sqlite3.Connection) -> list[tuple[MailboxId, BlobId]]:
            rows = connection.execute(
                "SELECT blobs.number, mailboxes.id, blobs.id FROM blobs JOIN mailboxes ON mailboxes.number = mailbox"
                " WHERE open_since < ? ORDER BY open_since LIMIT ?",
                (before, most),
            ).fetchall()
            for number, _, _ in rows:
                _drop_blob(connection, number)
            return [(MailboxId(mailbox), BlobId(blob)) for _, mailbox, blob in rows]

        return await self._write(job)

    async def _rows(self, sql: str, values: tuple[object, ...] = ()) -> list[Any]:
        return await self._read_threads.run(lambda connection: connection.execute(sql, values).fetchall())


def _make_file(file: Path) -> None:
    """Make the database file, which SQLite would make 0644, before any connection to it is open.

    Never later: closing any descriptor of a file drops all locks that this process holds on it (POSIX), and
    another process that closes the database then deletes a journal that is still in use.
    """
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


class _Done:
    """Wraps a job's result, so that it cannot be taken for an append's position."""

    __slots__ = ("result",)

    def __init__(self, result: object) -> None:
        self.result = result


def _outcome(outcome: Any, stored: Sequence[Appended]) -> Any:
    if isinstance(outcome, _Done):
        return outcome.result
    return stored[outcome] if isinstance(outcome, int) else outcome


class _Threads:
    """Threads with one database connection each, on which functions run."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], count: int, name: str) -> None:
        self._connect = connect
        self._connections: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, job)

    async def close(self) -> None:
        await asyncio.to_thread(self._executor.shutdown)
        for connection in self._connections:
            connection.close()

    def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            self._connections.append(connection)
        return job(connection)


def _snapshot(job: Callable[[sqlite3.Connection], T]) -> Callable[[sqlite3.Connection], T]:
    """Return a job whose statements all see the same moment."""

    def run(connection: sqlite3.Connection) -> T:
        connection.execute("BEGIN")
        try:
            return job(connection)
        finally:
            connection.execute("ROLLBACK")

    return run


def _fitting(rows: sqlite3.Cursor, most: int) -> list[Any]:
    """Return as many rows as fit into ``most`` bytes, at least one if there is one."""
    taken: list[Any] = []
    for row in rows:
        most -= sum(map(len, row))
        if taken and most < 0:
            break
        taken.append(row)
    rows.close()
    return taken


def _team(connection: sqlite3.Connection, team_id: TeamId) -> tuple[int, int, int]:
    row = connection.execute("SELECT number, length, cursor FROM teams WHERE id = ?", (team_id,)).fetchone()
    if row is None:
        raise not_found()
    number, length, cursor = row
    return number, length, cursor


def _store_founding(connection: sqlite3.Connection, founding: Founding) -> None:
    number = connection.execute(
        "INSERT INTO teams (id, length, epoch) VALUES (?, ?, ?)",
        (founding.team_id, len(founding.links), founding.epoch),
    ).lastrowid
    connection.executemany(
        "INSERT INTO links (team, seq, link) VALUES (?, ?, ?)",
        [(number, seq, link) for seq, link in enumerate(founding.links)],
    )
    connection.executemany(
        "INSERT INTO packages (team, epoch, package) VALUES (?, ?, ?)",
        [(number, epoch, package) for epoch, package in founding.packages],
    )


def _is_repeated(connection: sqlite3.Connection, mailbox_id: MailboxId, request: bytes) -> bool:
    if connection.execute("SELECT 1 FROM tombstones WHERE id = ?", (mailbox_id,)).fetchone():
        raise Refusal("erased")
    row = connection.execute("SELECT request FROM mailboxes WHERE id = ?", (mailbox_id,)).fetchone()
    if row is not None and row[0] != request:
        raise Refusal("conflict")
    return row is not None


def _piece(connection: sqlite3.Connection, blob: Blob, index: int) -> Hash | None:
    row = connection.execute(
        "SELECT digest FROM pieces WHERE blob = ? AND position = ?", (blob.number, index)
    ).fetchone()
    return Hash(row[0]) if row else None


def _is_declared(
    connection: sqlite3.Connection, mailbox: Mailbox, writer: Writer, blob_id: BlobId, size: int
) -> bool:
    row = connection.execute(
        "SELECT writer, size FROM blobs WHERE mailbox = ? AND id = ?", (mailbox.number, blob_id)
    ).fetchone()
    if row is not None and row != (int(writer), size):
        raise Refusal("piece_conflict")
    return row is not None


def _check_budget(
    connection: sqlite3.Connection, mailbox: Mailbox, writer: Writer, size: int, budget: BlobBudget
) -> None:
    if connection.execute("SELECT 1 FROM mailboxes WHERE number = ?", (mailbox.number,)).fetchone() is None:
        raise not_found()
    used, uncommitted = connection.execute(
        "SELECT coalesce(sum(size), 0), count(open_since) FROM blobs WHERE mailbox = ? AND writer = ?",
        (mailbox.number, int(writer)),
    ).fetchone()
    if used + size > budget.bytes or uncommitted >= budget.open:
        raise Refusal("budget")


def _drop_blob(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM pieces WHERE blob = ?", (number,))
    connection.execute("DELETE FROM blobs WHERE number = ?", (number,))
