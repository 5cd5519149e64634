"""What can be searched of a ticket: subject, messages, notes, file names and its user, each a row of the index.

The index is part of the encrypted store, changes in the same transaction as the entries, and can be made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from e2e_support.content import FlagBody, NoteBody, OpenBody, OpenForBody
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.ticket_keys import ticket_number
from e2e_support.vocab import Verdict
from e2e_support_client.plain import plain_text
from e2e_support_client.view import message_of
from e2e_support_console.ticket_logs import TicketLogs
from e2e_support_console.words import words
from e2e_support_keys.store import Transaction


class Field(IntEnum):
    """What a passage is, and the column of the index that its words stand in."""

    SUBJECT = 0
    MESSAGE = 1
    NOTE = 2
    FILE = 3
    PERSON = 4

    @property
    def column(self) -> str:
        """Name of the column."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Passage:
    """One text of a ticket; what never changes once it is there, except that it may vanish.

    Attributes:
        field: what it is.
        seq: of the entry that it stands in.
        place: tells several of one entry apart.
        text: as its author wrote it.
        at: when the relay received it, seconds since 1970.
    """

    field: Field
    seq: int
    place: int
    text: str
    at: int = 0

    @property
    def key(self) -> tuple[int, int, int]:
        """Names it within its ticket."""
        return int(self.field), self.seq, self.place


def passages_of(logs: TicketLogs, policy: Policy) -> Iterator[Passage]:
    """Yield everything of a ticket that can be searched, messages before notes.

    Args:
        logs: the ticket.
        policy: the newest policy.
    """
    return (passage for passage in _all(logs, policy) if passage.text.strip())


def _all(logs: TicketLogs, policy: Policy) -> Iterator[Passage]:
    yield from _opening(logs)
    for entry in logs.shared.entries:
        if message := message_of(entry, policy, ""):
            yield Passage(Field.MESSAGE, entry.seq, 0, message.body, entry.received)
            for place, file in enumerate(message.attachments):
                yield Passage(Field.FILE, entry.seq, place, file.name, entry.received)
    for entry in logs.staff.entries:
        yield Passage(Field.NOTE, entry.seq, 0, _note(entry), entry.received)


def _opening(logs: TicketLogs) -> Iterator[Passage]:
    body = logs.shared.entries[0].body
    if not isinstance(body, OpenBody | OpenForBody):
        return
    yield Passage(Field.SUBJECT, 0, 0, f"{body.subject} {ticket_number(logs.mailbox)}")
    answers = [f"{pair.name}: {pair.value}" for pair in body.fields]
    yield Passage(Field.SUBJECT, 0, 1, "\n".join(answers))
    if isinstance(body, OpenBody):
        yield Passage(Field.PERSON, 0, 0, "\n".join(pair.value for pair in body.profile))


def _note(entry: Opened) -> str:
    if entry.verdict is Verdict.FORGED:
        return ""
    match entry.body:
        case NoteBody(text=text) | FlagBody(reason=text):
            return text
        case _:
            return ""


TICKET_SHIFT: Final = 20
"""Bits of a passage's number that count within its ticket; those above are the ticket's own number."""
_ADD: Final = (
    f"INSERT INTO found (rowid, {', '.join(f.column for f in Field)}, written) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
)


async def index_passages(change: Transaction, ticket: int, passages: Iterable[Passage]) -> None:
    """Make the index of one ticket equal to its passages; only what is new or gone is touched.

    Args:
        change: the transaction.
        ticket: the row's own number.
        passages: everything of it.
    """
    rows = await change.fetch_all("SELECT id, field, seq, place FROM passages WHERE ticket = ?", ticket)
    have = {(row[1], row[2], row[3]): row[0] for row in rows}
    wanted = {passage.key: passage for passage in passages}
    gone = [(have[key],) for key in have.keys() - wanted.keys()]
    first = max(have.values(), default=ticket << TICKET_SHIFT) + 1
    new = list(enumerate((one for key, one in wanted.items() if key not in have), first))
    await change.execute_many("DELETE FROM passages WHERE id = ?", gone)
    sql = "INSERT INTO passages (id, ticket, field, seq, place) VALUES (?, ?, ?, ?, ?)"
    await change.execute_many(sql, [(number, ticket, *one.key) for number, one in new])
    await change.execute_many(_ADD, [(number, *_columns(one)) for number, one in new])


def _columns(passage: Passage) -> list[str | None]:
    text = plain_text(passage.text)
    return [" ".join(words(text)) if passage.field is one else None for one in Field] + [text]
