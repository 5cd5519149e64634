"""What a store does for the relay, whatever database is behind it.

Everything that a method promises is durable when it returns. A store raises ``Refusal`` for what the rules
forbid and lets the database's own errors through; ``problems`` knows which of them mean a full disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from e2e_support.ids import BlobId, Hash, MailboxId, TeamId
from e2e_support.wire import FeedItem, Head, Stored
from e2e_support_server.rules import Mailbox, Wish, Writer


@dataclass(frozen=True, slots=True)
class Founding:
    """A verified first batch: the links, the packages by epoch, and what they amount to."""

    team_id: TeamId
    epoch: int
    links: Sequence[bytes]
    packages: Sequence[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class NewMailbox:
    """A verified create. ``request`` is the digest of the create's bytes, by which a repetition is known."""

    id: MailboxId
    request: bytes
    user_key: bytes
    team_id: TeamId
    team: bool


@dataclass(frozen=True, slots=True)
class Appended:
    """A stored append. ``length`` and ``cursor`` are for the bell; 0 where nothing new is to be told."""

    receipt: bytes
    length: int = 0
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class Statements:
    """A team's freshness statements: the newest that counts, and one that waits for signatures."""

    newest: bytes | None
    pending: bytes | None


@dataclass(frozen=True, slots=True)
class Erased:
    """A mailbox that was erased, and the feed's cursor that says so; 0 where the feed never knew it."""

    mailbox: MailboxId
    cursor: int


@dataclass(frozen=True, slots=True)
class Blob:
    """A declared blob; ``pieces`` is how many of its pieces are stored."""

    number: int
    id: BlobId
    writer: Writer
    size: int
    complete: bool
    committed: bool
    pieces: int


@dataclass(frozen=True, slots=True)
class BlobBudget:
    """How much a writer class may keep in one mailbox: bytes in all and blobs not yet committed."""

    bytes: int
    open: int


class Store(Protocol):
    """The relay's database."""

    async def open(self) -> None:
        """Make ready, bringing the schema up to date; refuses a schema newer than this program."""

    async def close(self) -> None:
        """Finish every write that was accepted, then let go."""

    # --- teams ---

    async def issue_code(self, code: Hash, expires: int) -> None:
        """Replace the one-time code; ``code_refused`` once a team exists."""
        ...

    async def has_code(self, code: Hash, now: int) -> bool:
        """Tell whether this is the one-time code and still good."""
        ...

    async def found(self, code: Hash, now: int, founding: Founding) -> None:
        """Use up the code and store the first batch, in one transaction; else ``code_refused``."""
        ...

    async def rosters(self) -> Sequence[Sequence[bytes]]:
        """Return every team's links."""
        ...

    async def append_links(self, head: Head, batch: Founding) -> None:
        """Store a batch behind a roster's head, in one transaction; ``head_moved``."""
        ...

    async def statements(self, team_id: TeamId) -> Statements:
        """Return a team's freshness statements."""
        ...

    async def keep_statements(self, team_id: TeamId, kept: Statements) -> None:
        """Replace a team's freshness statements; ``not_found``."""
        ...

    async def links(self, team_id: TeamId, start: int, most: int) -> tuple[int, list[bytes]]:
        """Return the number of links and as many as fit into ``most`` bytes; ``not_found``."""
        ...

    async def package(self, team_id: TeamId, epoch: int) -> bytes:
        """Return an epoch's package; ``not_found``."""
        ...

    async def feed(self, team_id: TeamId, after: int, most: int) -> tuple[int, list[FeedItem]]:
        """Return the newest cursor and at most ``most`` steps after a cursor; ``not_found``."""
        ...

    # --- mailboxes ---

    async def create(self, new: NewMailbox, now: int) -> bool:
        """Store a mailbox; false when the same request did so before, else ``conflict`` or ``erased``."""
        ...

    async def repeated(self, mailbox_id: MailboxId, request: bytes) -> bool:
        """Tell whether this very create was done before; ``conflict`` when another one was; ``erased``."""
        ...

    async def mailbox(self, mailbox_id: MailboxId) -> Mailbox | None:
        """Return what never changes of a mailbox, erased or not."""
        ...

    async def is_user_key(self, key: bytes) -> bool:
        """Tell whether a key is the user capability of any mailbox, erased or not."""
        ...

    async def append(self, wish: Wish) -> Appended:
        """Store an entry with receipt, feed step and blob commits, by the order of checks in §3.3."""
        ...

    async def page(self, mailbox: Mailbox, start: int, *, items: int, size: int) -> tuple[Head, list[Stored]]:
        """Return the head and consecutive entries, at least one if there is one; ``not_found``."""
        ...

    async def freeze(self, mailbox: Mailbox, *, frozen: bool) -> None:
        """Bar the user class from writing, or let it write again."""
        ...

    async def hold(self, mailbox: Mailbox, *, held: bool) -> None:
        """Exempt a mailbox from retention and from agents, or no longer."""
        ...

    async def is_held(self, mailbox: Mailbox) -> bool:
        """Tell whether a mailbox is held."""
        ...

    # --- destruction ---

    async def erase(self, mailbox: Mailbox, statement: bytes) -> Erased:
        """Replace a mailbox and all it holds by a statement; ``not_found``. Files and traces are the caller's."""
        ...

    async def erase_idle(self, team_id: TeamId, before: int, most: int) -> list[Erased]:
        """Erase mailboxes of a team without an entry since a time, unless they are held."""
        ...

    async def tombstone(self, mailbox_id: MailboxId) -> bytes:
        """Return the statement of an erasure, empty where there is none; ``not_found``."""
        ...

    async def blank_steps(self) -> list[MailboxId]:
        """Take the meaning from the feed's steps of erased mailboxes; return those that are unfinished."""
        ...

    async def finish_erasing(self, mailboxes: Sequence[MailboxId]) -> bool:
        """Remove the last traces from the database's own files; false when that has to wait."""
        ...

    # --- blobs ---

    async def declare(
        self, mailbox: Mailbox, writer: Writer, blob_id: BlobId, size: int, budget: BlobBudget, now: int
    ) -> bool:
        """Store a declaration; false when it stood already, ``piece_conflict`` with another size, ``budget``."""
        ...

    async def blob(self, mailbox: Mailbox, blob_id: BlobId) -> Blob | None:
        """Return a declared blob."""
        ...

    async def piece(self, blob: Blob, index: int) -> Hash | None:
        """Return the digest of a stored piece."""
        ...

    async def pieces(self, blob: Blob) -> list[int]:
        """Return the indices of the stored pieces, rising."""
        ...

    async def keep_piece(self, blob: Blob, index: int, digest: Hash) -> int:
        """Record a piece whose bytes are durable and return how many there are; ``piece_conflict``."""
        ...

    async def complete(self, blob: Blob) -> None:
        """Record that a blob's file is whole."""
        ...

    # --- housekeeping ---

    async def drop_empty(self, before: int, most: int) -> list[MailboxId]:
        """Forget mailboxes created before a time that hold no entry, with their blobs; return their ids."""
        ...

    async def drop_blobs(self, before: int, most: int) -> list[tuple[MailboxId, BlobId]]:
        """Forget blobs declared before a time that no entry names; return them."""
        ...
