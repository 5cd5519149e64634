"""What the console hands to its callers: small frozen values without keys or database rows.

Messages, authors and files are the same values as in the users' SDK.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from e2e_support_client.model import Message, TicketSummary


@dataclass(frozen=True, slots=True)
class InboxTicket(TicketSummary):
    """A line of the inbox.

    Attributes:
        waiting_since: since when the user waits for an answer; ``None`` if nobody waits.
        closed: whether the ticket is closed.
        assignee: name of whoever takes care of it; empty for nobody.
        tags: in alphabetical order.
        flags: ``hold``, ``archived``, ``spam``, ``snoozed``, ``merged``, and codes of limits that its user went over.
        requester: what its user is called, as their application says; not verified.
        account: their account or plan, as their application says; not verified.
        snoozed_until: until when it is out of sight.
        close_due: when it closes by itself.
        erase_due: when the team erases it.
        notes: how many there are.
        files: how many were sent.
        debug: whether debug data came with it.
        preview: the beginning of what was said last.
        preview_note: whether that is a note, which users never see.
    """

    waiting_since: datetime | None = None
    closed: bool = False
    assignee: str = ""
    tags: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    requester: str = ""
    account: str = ""
    snoozed_until: datetime | None = None
    close_due: datetime | None = None
    erase_due: datetime | None = None
    notes: int = 0
    files: int = 0
    debug: bool = False
    preview: str = ""
    preview_note: bool = False


@dataclass(frozen=True, slots=True)
class Unsent:
    """Something that an administrator wrote and that cannot be sent any more.

    Attributes:
        number: the ticket that it was for.
        text: what was written.
        reason: code of the rule or refusal that stands against it.
    """

    number: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class TicketView:
    """A whole ticket as administrators see it.

    Attributes:
        summary: its line in the inbox.
        messages: everything that was said, notes among it (``internal``), in the order in which it came.
        resolution: the note of its resolution.
        related: number of the ticket that it refers to.
        fields: answers to the form's further questions, by id.
        profile: what the user's application says of the user, by name; claimed, not verified.
        has_debug: whether debug data came with it.
        links: numbers of tickets that the team joined to it.
        merged_into: number of the ticket in which it goes on; empty otherwise.
        others: lines of its user's other tickets, where the user says that they are.
        offline: empty, or why this is what was known before and not what the relay has now.
    """

    summary: InboxTicket
    messages: tuple[Message, ...]
    resolution: str
    related: str
    fields: dict[str, str]
    profile: dict[str, str]
    has_debug: bool
    links: tuple[str, ...] = ()
    merged_into: str = ""
    others: tuple[InboxTicket, ...] = ()
    offline: str = ""
