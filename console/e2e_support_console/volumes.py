"""The finished volumes of the team space as the local store knows them (protocol 4.13).

Nothing is added to a finished volume, so what its entries are is noted once: whoever asks for settings need not read
read marks. What an entry is worth is never noted; it is judged anew by the newest roster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import Hash, MailboxId
from e2e_support.mailbox import mailbox_id
from e2e_support.opened import Opened, Record
from e2e_support.space import is_full, place_of
from e2e_support.vocab import Kind
from e2e_support_keys.epochs import TeamKeys
from e2e_support_keys.store import Queries, Transaction

_ALWAYS: Final = (Kind.BARRIER, Kind.REKEY)
"""Kinds that say what is believed of others."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished volume.

    Attributes:
        number: which.
        mailbox: its mailbox.
        end: the hash of its last entry.
    """

    number: int
    mailbox: MailboxId
    end: Hash


async def finished(queries: Queries) -> list[Finished]:
    """Return the finished volumes in order."""
    sql = "SELECT number, mailbox, end FROM volumes ORDER BY number"
    return [Finished(*row) for row in await queries.fetch_all(sql)]


def keys_of(keys: TeamKeys, done: Sequence[Finished]) -> Iterator[SigningKey]:
    """Yield the creation keys of all volumes, the open one last.

    Args:
        keys: the team's.
        done: the finished ones.
    """
    for number, end in enumerate([b"", *(volume.end for volume in done)]):
        yield keys.team_space(number, end)


def open_mailbox(keys: TeamKeys, done: Sequence[Finished]) -> MailboxId:
    """Return the id of the open volume, whether or not it exists; arguments as ``keys_of``."""
    return mailbox_id(keys.team_space(len(done), done[-1].end if done else b"").public)


async def has_ended(queries: Queries, mailbox: MailboxId) -> bool:
    """Tell whether a volume is full, noted as finished or not."""
    row = await queries.fetch_one("SELECT count(*) FROM entries WHERE mailbox = ?", mailbox)
    return row is not None and is_full(row[0])


async def finish(
    change: Transaction, number: int, mailbox: MailboxId, entries: Sequence[Opened], judged: Sequence[Opened]
) -> None:
    """Note that a volume has ended.

    Args:
        change: the transaction.
        number: of the volume.
        mailbox: its mailbox.
        entries: all that it holds, as they were opened; they are kept already.
        judged: the same with their final verdicts and times.
    """
    sql = "INSERT OR IGNORE INTO volumes (number, mailbox, end, ended_at) VALUES (?, ?, ?, ?)"
    await change.execute(sql, number, mailbox, entries[-1].hash, judged[-1].received)
    rows = [
        (number, entry.seq, entry.inner.kind, final.received)
        for entry, final in zip(entries, judged, strict=True)
        if entry.inner and final.reason != "same_message"
    ]
    sql = "INSERT OR IGNORE INTO volume_entries (number, seq, kind, received) VALUES (?, ?, ?, ?)"
    await change.execute_many(sql, rows)


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry of a finished volume.

    Attributes:
        place: in the whole space.
        received: when, as it was settled by its successor.
        record: as it was opened.
    """

    place: int
    received: int
    record: Record


async def kept_entries(queries: Queries, kinds: Collection[Kind], since: int) -> list[Kept]:
    """Return entries of finished volumes in order: those of some kinds since a time, and all barriers.

    Args:
        queries: the store.
        kinds: which.
        since: seconds since 1970.
    """
    marks, always = (", ".join("?" for _ in some) for some in (kinds, _ALWAYS))
    sql = f"""
        SELECT number, seq, received, record FROM volume_entries JOIN volumes USING (number)
        JOIN entries USING (mailbox, seq)
        WHERE kind IN ({marks}) AND received >= ? OR kind IN ({always}) ORDER BY number, seq
    """  # noqa: S608 - question marks alone
    rows = await queries.fetch_all(sql, *kinds, since, *_ALWAYS)
    return [Kept(place_of(row[0], row[1]), row[2], Record.from_bytes(row[3])) for row in rows]


# --- retention -------------------------------------------------------------------------------------------


async def idle(queries: Queries, before: int, most: int) -> list[Finished]:
    """Return finished volumes that ended before a time and that this device has not held yet (protocol 3.9).

    Args:
        queries: the store.
        before: seconds since 1970.
        most: at most so many.
    """
    sql = "SELECT number, mailbox, end FROM volumes WHERE held = 0 AND ended_at <= ? ORDER BY number LIMIT ?"
    return [Finished(*row) for row in await queries.fetch_all(sql, before, most)]


async def mark_held(change: Transaction, number: int, *, held: bool) -> None:
    """Note that the relay was told to hold a finished volume, or that it may have forgotten that."""
    await change.execute("UPDATE volumes SET held = ? WHERE number = ?", int(held), number)
