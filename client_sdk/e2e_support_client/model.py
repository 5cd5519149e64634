"""What the SDK hands to applications: small frozen values without keys, bytes of the wire or database rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, overload

from e2e_support.vocab import Verdict
from e2e_support_client.people import TeamChange

LAST_SECOND: Final = 253_402_300_799  # of the year 9999, beyond which no calendar here goes


def utc(seconds: int) -> datetime:
    """Return an aware time for seconds since 1970; receipt times are such numbers.

    What lies beyond the year 9999 is shown as its end: others choose these numbers.
    """
    return datetime.fromtimestamp(min(seconds, LAST_SECOND), UTC)


class State(StrEnum):
    """How far a message has come; people read these words, never a bare "sent"."""

    DRAFT = "draft"
    QUEUED = "queued"  # a draft that waits for the network
    UPLOADING = "uploading"
    SEALED = "sealed"  # encrypted on this device; whether the relay has it is not known yet
    STORED = "stored"  # the relay's receipt is here
    FAILED = "failed"  # kept, with the reason


class Role(StrEnum):
    """Who wrote something, as the signature says; no text ever decides it."""

    USER = "user"
    TEAM = "team"
    UNKNOWN = "unknown"


class EventKind(StrEnum):
    """What happened in a ticket."""

    OPENED = "opened"
    MESSAGE = "message"
    STATUS = "status"
    FIELDS = "fields"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REOPENED = "reopened"
    CLOSING = "closing_soon"  # a resolved ticket will close by itself
    ADMINISTRATOR = "administrator"  # somebody new can read tickets
    ERASED = "erased"  # nothing of the ticket is left
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file to attach.

    Attributes:
        source: a path, or the bytes themselves.
        name: how it is called; a path's own name by default.
        media_type: guessed from the name by default.
        keep_metadata: send an image as it is, with place and camera in it.
    """

    source: str | os.PathLike[str] | bytes
    name: str = ""
    media_type: str = ""
    keep_metadata: bool = False


Attachable = FileSpec | str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a long piece of work stands.

    Attributes:
        phase: ``admission``, ``upload`` or ``download``.
        done: attempts or bytes so far.
        total: bytes in all, or the number of attempts to expect.
        name: the file's name.
    """

    phase: str
    done: int
    total: int
    name: str = ""


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class TicketRef:
    """A ticket's number and how far its newest message has come."""

    number: str
    state: State


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message.

    Attributes:
        role: from the signature: ``team`` only for a device that the verified roster lists.
        name: as the policy wants it shown.
        device: the device's id in hex; empty for the user.
        mark: the first letters of an id, where another member's name looks the same.
    """

    role: Role
    name: str
    device: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class AttachmentInfo:
    """A file that came with a message; name and type are the sender's claims, the size is signed."""

    name: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was said in a ticket.

    Attributes:
        seq: its place in the ticket.
        kind: what it did.
        author: who said it.
        body: the text; empty when it is forged.
        at: when the relay received it.
        verdict: what may be believed of it.
        reason: why the verdict is not ``OK``.
        internal: always false here; only administrators have internal notes.
        attachments: its files.
        clock_differs: the author's clock was more than two days away from the relay's.
        confirmed: the team has written behind it, so it has seen it; a receipt alone is the relay's word (attack 2).
    """

    seq: int
    kind: EventKind
    author: Author
    body: str
    at: datetime
    verdict: Verdict
    reason: str = ""
    internal: bool = False
    attachments: tuple[AttachmentInfo, ...] = ()
    clock_differs: bool = False
    confirmed: bool = False

    @property
    def verified(self) -> bool:
        """Whether signature, chain and rules all hold."""
        return self.verdict is Verdict.OK


@dataclass(frozen=True, slots=True)
class TicketSummary:
    """A line of the ticket list.

    Attributes:
        number: ``T-XXXXX-XXXXX``.
        subject: as the user wrote it.
        status: id of the label that the policy gives the ticket; ``queued`` while it is only on this device.
        status_text: the label as people read it.
        category: id of the category.
        priority: id of the level; empty where there is none.
        created_at: when the relay received it, or when it was written while it waits.
        updated_at: when something visible happened last.
        unread: messages of the team that were not marked read.
        problem: code of what is wrong with the relay's answer for it; empty if nothing is.
        hidden: whether the person has put it out of the list.
    """

    number: str
    subject: str
    status: str
    status_text: str
    category: str
    priority: str
    created_at: datetime
    updated_at: datetime
    unread: int
    problem: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """A whole ticket.

    Attributes:
        summary: its line in the list.
        messages: everything that was said, in order.
        actions: which of ``reply``, ``close``, ``reopen``, ``hide`` and ``follow_up`` the rules allow now.
        resolution: the note of its resolution.
        related: number of the ticket that it refers to.
        fields: answers to the form's further questions, by id.
        offline: empty, or why this is what was known before and not what the relay has now.
        events: who came to read it and who no longer can, told in their place among the messages.
        reopen_until: until when the user may reopen it; ``None`` where they may not, or for ever (see ``actions``).
        closes_at: when it closes by itself; ``None`` where it does not.
        erase_at: when the team erases it; ``None`` where it does not.
        assignee: who works on it; empty for nobody, and where the policy does not show it.
        merged_into: number of the ticket in which it goes on; empty where it does not.
        merged_from: numbers of tickets that go on in this one.
    """

    summary: TicketSummary
    messages: tuple[Message, ...]
    actions: frozenset[str]
    resolution: str
    related: str
    fields: dict[str, str]
    offline: str = ""
    events: tuple[TeamChange, ...] = ()
    reopen_until: datetime | None = None
    closes_at: datetime | None = None
    erase_at: datetime | None = None
    assignee: str = ""
    merged_into: str = ""
    merged_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page(Sequence[TicketSummary]):
    """Tickets in the order asked for.

    Attributes:
        items: the tickets.
        offline: empty, or why they are what was known before and not what the relay has now.
    """

    items: tuple[TicketSummary, ...]
    offline: str = ""

    @overload
    def __getitem__(self, index: int) -> TicketSummary: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TicketSummary, ...]: ...
    def __getitem__(self, index: int | slice) -> TicketSummary | tuple[TicketSummary, ...]:
        """Return one ticket or some."""
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[TicketSummary]:
        return iter(self.items)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, told after it was decrypted and checked.

    Attributes:
        kind: what it was.
        number: in which ticket; empty for ``administrator``.
        at: when the relay received it, or when time did it.
        role: who did it, as the signature says.
        message: what was said; ``None`` for events without text.
        status: the ticket's label afterwards.
        cursor: give it to ``events(since=…)`` to go on after this event; empty for ``problem``.
        problem: code of the problem; empty otherwise.
        what: one sentence for what happened outside of any ticket; empty otherwise.
    """

    kind: EventKind
    number: str
    at: datetime
    role: Role
    message: Message | None
    status: str
    cursor: str
    problem: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """One line behind the bell.

    Attributes:
        kind: ``response`` and else as ``EventKind``: what a person is told.
        number: the ticket that it leads to; empty for what is not about one.
        at: when it happened.
        read: whether the person has seen it, or the ticket since.
        text: one sentence.
    """

    kind: str
    number: str
    at: datetime
    read: bool
    text: str


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """Something that is kept on this device because it is not stored yet.

    Attributes:
        key: names it in ``retry`` and ``discard``.
        number: its ticket; empty while it has none.
        kind: what it is.
        subject: of a new ticket; empty otherwise.
        state: how far it has come.
        code: why it could not be stored; empty if it was not tried.
        hint: what can be done.
        created_at: when it was written.
        message: why it could not be stored, for people.
        left_out: a rule stands against it, or it is over 30 days old: ``flush`` leaves it, ``retry`` tries it.
        text: what was written.
    """

    key: str
    number: str
    kind: EventKind
    subject: str
    state: State
    code: str
    hint: str
    created_at: datetime
    message: str = ""
    left_out: bool = False
    text: str = ""
