"""What a hostile or unlucky relay can do to the logs and blobs that it holds; driven by ``testing.FakeRelay``.

A hostile relay has the relay's real signing key, so it signs anew whatever it changed (unless told not to):
what then protects people is what authors signed and bound to its place, never the relay's word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from e2e_support.crypto.secret import Secret
from e2e_support.ids import HASH_SIZE, MailboxId
from e2e_support.limits import CHUNK_SEALED
from e2e_support.roster import TrustedRoster
from e2e_support.ticket_keys import seal_boxes
from e2e_support.vocab import Direction
from e2e_support.wire import Entry
from e2e_support_client.memory.held import Kept


class Fault(StrEnum):
    """One thing that goes wrong; ``FakeRelay.inject`` turns it on.

    The network's: ``OFFLINE``, ``SLOW``, ``RATE``, ``BUSY``; ``LOST_ANSWER`` stores what is written and loses the
    answer. A log's, as readers see it: ``CORRUPT`` (one bit of the last entry), ``DROP`` (one entry in the
    middle), ``WITHHOLD`` (all that comes from now on), ``REORDER`` (the last two), ``REPLAY`` (the last entry once
    more), ``ROLLBACK`` (the last entry is gone), ``SWAP_MAILBOX`` (another mailbox's entries), ``SWAP_BOX`` (the
    newest key boxes hold a key of the relay's), ``REFLECT`` (the last entry in the other direction),
    ``OLD_GENERATION`` (the last entry claims the generation before), ``ERASED`` (a bare claim). A receipt's:
    ``FORGED_RECEIPT`` (another key signed), ``OTHER_RECEIPT`` (one for another place), ``OTHER_TIME`` (an hour
    later than told before). A roster's: ``FOREIGN_LINK`` (the relay adds itself), ``OLD_ROSTER`` (the last link is
    hidden). A blob's: ``CORRUPT_BLOB`` (one bit), ``TRUNCATE_BLOB`` (the last chunk is gone), ``OTHER_BLOB``,
    ``SWAP_CHUNKS`` (the first two), ``DOUBLE_CHUNK`` (the first again as the second), ``EXTRA_CHUNK`` (one more behind
    the last).
    """

    OFFLINE = "offline"
    SLOW = "slow"
    RATE = "rate"
    BUSY = "busy"
    LOST_ANSWER = "lost answer"
    CORRUPT = "corrupt"
    DROP = "drop"
    WITHHOLD = "withhold"
    REORDER = "reorder"
    REPLAY = "replay"
    ROLLBACK = "rollback"
    SWAP_MAILBOX = "swap mailbox"
    SWAP_BOX = "swap box"
    REFLECT = "reflect"
    OLD_GENERATION = "old generation"
    ERASED = "erased"
    FORGED_RECEIPT = "forged receipt"
    OTHER_RECEIPT = "other receipt"
    OTHER_TIME = "other time"
    FOREIGN_LINK = "foreign link"
    OLD_ROSTER = "old roster"
    CORRUPT_BLOB = "corrupt blob"
    TRUNCATE_BLOB = "truncate blob"
    OTHER_BLOB = "other blob"
    SWAP_CHUNKS = "swap chunks"
    DOUBLE_CHUNK = "double chunk"
    EXTRA_CHUNK = "extra chunk"


@dataclass(frozen=True, slots=True)
class View:
    """What a fault may use besides the log that it changes.

    Attributes:
        mailbox: whose log it is.
        others: logs of the other mailboxes, the longest first.
        length_before: how long the log was when the fault was injected.
        roster: the team's roster, which the relay can read like anybody.
    """

    mailbox: MailboxId
    others: Sequence[list[Kept]]
    length_before: int
    roster: TrustedRoster


Log = list[Kept]

_OTHER_SIDE: Final = {
    Direction.USER_TO_TEAM: Direction.TEAM_TO_USER,
    Direction.TEAM_TO_USER: Direction.USER_TO_TEAM,
    Direction.TEAM_ONLY: Direction.TEAM_TO_USER,
}


def _corrupt(log: Log, _: View) -> Log:
    return [*log[:-1], *(_edited(kept, ciphertext=flipped(_entry(kept).ciphertext)) for kept in log[-1:])]


def _drop(log: Log, _: View) -> Log:
    middle = len(log) // 2
    return log[:middle] + log[middle + 1 :]


def _withhold(log: Log, view: View) -> Log:
    return log[: view.length_before]


def _reorder(log: Log, _: View) -> Log:
    return log[:-2] + log[-2:][::-1]


def _replay(log: Log, _: View) -> Log:
    return log + log[-1:]


def _rollback(log: Log, _: View) -> Log:
    return log[:-1]


def _swap_mailbox(log: Log, view: View) -> Log:
    return view.others[0] if view.others else log


def _swap_box(log: Log, view: View) -> Log:
    """Put a key of the relay's into the newest boxes: it can seal to every public key that it sees."""
    boxed = max((at for at, kept in enumerate(log) if _entry(kept).boxes), default=None)
    if boxed is None:
        return log
    entry, epoch = _entry(log[boxed]), view.roster.epochs[_entry(log[boxed]).boxes[0].epoch]
    forged = seal_boxes(
        Secret(bytes(32)),
        team_id=view.roster.team_id,
        mailbox=view.mailbox,
        gen=entry.gen,
        epoch=epoch,
        reply_key=None,
    )
    swapped = _edited(log[boxed], boxes=forged + entry.boxes[1:])
    return [*log[:boxed], swapped, *log[boxed + 1 :]]


def _reflect(log: Log, _: View) -> Log:
    return [*log[:-1], *(_edited(kept, direction=_OTHER_SIDE[_entry(kept).direction]) for kept in log[-1:])]


def _old_generation(log: Log, _: View) -> Log:
    return [*log[:-1], *(_edited(kept, gen=max(0, _entry(kept).gen - 1)) for kept in log[-1:])]


LOG_FAULTS: Final[Mapping[Fault, Callable[[Log, View], Log]]] = {
    Fault.CORRUPT: _corrupt,
    Fault.DROP: _drop,
    Fault.WITHHOLD: _withhold,
    Fault.REORDER: _reorder,
    Fault.REPLAY: _replay,
    Fault.ROLLBACK: _rollback,
    Fault.SWAP_MAILBOX: _swap_mailbox,
    Fault.SWAP_BOX: _swap_box,
    Fault.REFLECT: _reflect,
    Fault.OLD_GENERATION: _old_generation,
}
"""What readers get instead of the log that was written."""


def _chunks(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the sealed chunks and the leaf list of a blob, whose place follows from its size."""
    count = -(-len(data) // (CHUNK_SEALED + HASH_SIZE))
    sealed = data[: len(data) - count * HASH_SIZE]
    return [sealed[at : at + CHUNK_SEALED] for at in range(0, len(sealed), CHUNK_SEALED)], data[len(sealed) :]


def _with_chunks(data: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    chunks, leaves = _chunks(data)
    return b"".join(change(chunks)) + leaves


BLOB_FAULTS: Final[Mapping[Fault, Callable[[bytes, bytes], bytes]]] = {
    Fault.CORRUPT_BLOB: lambda data, _other: flipped(data),
    Fault.TRUNCATE_BLOB: lambda data, _other: _with_chunks(data, lambda chunks: chunks[:-1]),
    Fault.OTHER_BLOB: lambda _data, other: other,
    Fault.SWAP_CHUNKS: lambda data, _other: _with_chunks(data, lambda c: c[1::-1] + c[2:]),
    Fault.DOUBLE_CHUNK: lambda data, _other: _with_chunks(data, lambda c: c[:1] + c[:1] + c[2:]),
    Fault.EXTRA_CHUNK: lambda data, _other: _with_chunks(data, lambda chunks: chunks + chunks[:1]),
}
"""What readers get instead of the blob that was uploaded; the second argument is another blob."""


def flipped(data: bytes) -> bytes:
    """Return bytes with one bit of the first byte changed."""
    return bytes([data[0] ^ 1]) + data[1:]


def _entry(kept: Kept) -> Entry:
    return Entry.from_bytes(kept.entry)


def _edited(kept: Kept, **fields: object) -> Kept:
    return replace(kept, entry=replace(_entry(kept), **fields).to_bytes())  # type: ignore[arg-type]
