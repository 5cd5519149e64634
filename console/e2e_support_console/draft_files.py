"""Files of answers that are being written: kept by their place, size and date, and read when the answer goes.

One that has changed meanwhile, or is gone, stops the answer: what an administrator chose is sent, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support_client.model import FileSpec
from e2e_support_client.outbox_store import FileRow
from e2e_support_keys.store import Queries, Transaction


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file that goes with an answer.

    Attributes:
        name: as it will be called.
        size: bytes that are sent.
        path: where it lies; empty when its bytes were given instead, which stand in the encrypted store.
        state: ``there``, ``changed`` since it was attached, or ``gone``.
        spec: what to attach.
    """

    name: str
    size: int
    path: str
    state: str
    spec: FileSpec


_KEEP = """
INSERT OR REPLACE INTO draft_files (ticket, name, path, media_type, size, data, keep_metadata, length, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


_FORGET_SAME = "DELETE FROM draft_files WHERE ticket = ? AND name = ? AND path = '' AND data = ?"


async def draft_files(queries: Queries, ticket: MailboxId) -> tuple[DraftFile, ...]:
    """Return the files of a ticket's draft, in the order in which they were attached."""
    sql = "SELECT * FROM draft_files WHERE ticket = ? ORDER BY id"
    found: list[DraftFile] = []
    for row in await queries.fetch_all(sql, ticket):
        source, path = row["path"] if row["data"] is None else row["data"], row["path"]
        spec = FileSpec(source, row["name"], row["media_type"], bool(row["keep_metadata"]))
        state = _state(path, (row["length"], row["changed_at"])) if path else "there"
        found.append(DraftFile(row["name"], row["size"], path, state, spec))
    return tuple(found)


async def keep_files(change: Transaction, ticket: MailboxId, files: Sequence[FileRow]) -> None:
    """Let files go with a ticket's answer.

    A file of the same name and place takes the place of the earlier, and so do the same bytes by the same name.
    """
    await change.execute_many(_FORGET_SAME, [(ticket, one.name, one.data) for one in files])
    rows = [
        (
            *(ticket, one.name, one.path, one.media_type, one.size, one.data, one.keep_metadata),
            *(_mark(one.path) if one.path else (0, 0)),
        )
        for one in files
    ]
    await change.execute_many(_KEEP, rows)


async def drop_files(change: Transaction, ticket: MailboxId, files: Iterable[tuple[str, str]]) -> None:
    """Forget files of a ticket's draft, each of a name and a path."""
    sql = "DELETE FROM draft_files WHERE ticket = ? AND name = ? AND path = ?"
    await change.execute_many(sql, [(ticket, *file) for file in files])


def require_ready(files: Sequence[DraftFile]) -> list[FileSpec]:
    """Return what to attach.

    Raises:
        UsageError: ``file_changed`` or ``cannot_read``, for a file that is not as it was attached.
    """
    for file in files:
        if file.state != "there":
            changed = file.state == "changed"
            raise UsageError(
                "file_changed" if changed else "cannot_read",
                f"{file.name} has changed since it was attached" if changed else f"{file.path} is gone",
                hint=f"Attach it again with --attach, or leave it out: --detach {file.name}.",
            )
    return [file.spec for file in files]


def _state(path: str, mark: tuple[int, int]) -> str:
    now = _mark(path)
    return "there" if now == mark else "changed" if any(now) else "gone"


def _mark(path: str) -> tuple[int, int]:
    """Return a file's size and date; zeros where it cannot be looked at."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
