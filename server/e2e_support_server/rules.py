"""What an append is judged by (protocol 3.3): plain data and one pure function, whatever the storage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from e2e_support.ids import BlobId, Hash, MailboxId, TeamId
from e2e_support.limits import MAILBOX_ENTRIES_MAX
from e2e_support.wire import Head
from e2e_support_server.refusal import Refusal


class Writer(IntEnum):
    """A writer class of a mailbox; the numbers stand in the database."""

    USER = 0
    TEAM = 1


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What never changes while a mailbox lives, and may therefore be cached.

    Attributes:
        number: the storage's own key, never used twice.
        id: the public id.
        user_key: capability of the user class, empty where there is none.
        team_id: whose mailbox it is.
        team: whether the team class may read and write.
        erased: whether only its tombstone is left; the number means nothing then.
    """

    number: int
    id: MailboxId
    user_key: bytes
    team_id: TeamId
    team: bool
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """The receipt of an entry that comes back after a restore, and the time in it (§3.10)."""

    receipt: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Wish:
    """An append that is well formed and authorised, and waits for its turn.

    Attributes:
        mailbox: where to.
        writer: the class that asks.
        seq: the place it was made for.
        prev_hash: the head it was made for.
        entry: the entry's bytes.
        entry_hash: what the chain's hash becomes.
        epoch: the epoch that the entry's team box names, ``None`` without boxes.
        blobs: blobs to commit with the entry.
        wait: seconds this class has to wait for rate or fairness; 0 when it may write now.
        kept: the receipt that it was accepted with before a restore; ``None`` for what is new.
    """

    mailbox: Mailbox
    writer: Writer
    seq: int
    prev_hash: Hash
    entry: bytes
    entry_hash: Hash
    epoch: int | None
    blobs: tuple[BlobId, ...]
    wait: float
    kept: Kept | None = None


@dataclass(slots=True)
class Budget:
    """What one writer class has used of a mailbox."""

    entries: int
    bytes: int


@dataclass(slots=True)
class State:
    """What changes with every append."""

    length: int
    hash: Hash
    time: int
    used: tuple[Budget, Budget]
    frozen: bool

    @property
    def head(self) -> Head:
        """The head as it stands on the wire."""
        return Head(self.length, self.hash)

    def advance(self, wish: Wish, time: int) -> None:
        """Take an accepted wish into account; times never decrease (§3.4)."""
        self.length += 1
        self.hash = wish.entry_hash
        self.time = max(self.time, time)
        self.used[wish.writer].entries += 1
        self.used[wish.writer].bytes += len(wish.entry)


def entries_allowed(mailbox: Mailbox, writer: Writer) -> int:
    """Return how many entries a class may write in all: half each where both write (§3.3)."""
    both = bool(mailbox.user_key) and mailbox.team
    return MAILBOX_ENTRIES_MAX // 2 if both or writer is Writer.USER else MAILBOX_ENTRIES_MAX


def judge(state: State, wish: Wish, *, newest_epoch: int, bytes_allowed: int) -> None:
    """Refuse an append that may not be stored: steps 2 to 4 of §3.3, in that order.

    Args:
        state: the mailbox before the append.
        wish: what is asked.
        newest_epoch: of the mailbox's roster.
        bytes_allowed: how many bytes of entries a class may write in all.

    Raises:
        Refusal: ``head_moved``, ``budget``, ``rate``, ``frozen`` or ``epoch_changed``.
    """
    used = state.used[wish.writer]
    if (wish.seq, wish.prev_hash) != (state.length, state.hash):
        raise Refusal("head_moved", head=state.head)
    if used.entries >= entries_allowed(wish.mailbox, wish.writer):
        raise Refusal("budget")
    if used.bytes + len(wish.entry) > bytes_allowed:
        raise Refusal("budget")
    if wish.kept is not None:
        _judge_kept(state, wish.kept)
        return
    if wish.wait > 0:
        raise Refusal("rate", retry_after=wish.wait)
    if state.frozen and wish.writer is Writer.USER:
        raise Refusal("frozen")
    if wish.epoch not in (None, newest_epoch):
        raise Refusal("epoch_changed")


def _judge_kept(state: State, kept: Kept) -> None:
    """Refuse what cannot have been accepted here; that the rest was right its receipt says (§3.4, §3.10)."""
    if kept.time < state.time:
        raise Refusal("malformed")
