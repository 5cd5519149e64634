"""Turns a ticket's two logs into what administrators read; pure, and never trusting a text for a role."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from e2e_support.attachment import safe_name
from e2e_support.content import (
    Attachment,
    CloseBody,
    MessageBody,
    NoteBody,
    OpenBody,
    ReopenBody,
    ResolutionBody,
)
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.roster import TrustedRoster
from e2e_support.staff import StaffState
from e2e_support.ticket_keys import ticket_number
from e2e_support.ticket_state import TicketState
from e2e_support.vocab import Kind, Verdict
from e2e_support_client.model import Author, EventKind, Message, Role, utc
from e2e_support_client.plain import plain_line
from e2e_support_client.told_apart import told_apart
from e2e_support_client.view import messages
from e2e_support_console.logs import Log
from e2e_support_console.model import InboxTicket, TicketView, Unsent
from e2e_support_console.outgoing import Outgoing
from e2e_support_console.ticket_row import TicketRow, parted

_USER: Final = "User"
_Place = tuple[int, int, int]


def inbox_ticket(row: TicketRow, names: Mapping[bytes, str]) -> InboxTicket:
    """Return a line of the inbox.

    Args:
        row: what the store holds of it.
        names: of the members, by id.
    """
    return InboxTicket(
        row.number,
        row.subject,
        row.status,
        row.status_text,
        row.category,
        row.priority,
        utc(row.created_at),
        utc(row.updated_at),
        row.unread,
        row.problem,
        waiting_since=_moment(row.waiting_since),
        closed=bool(row.closed),
        assignee=names.get(row.assignee, "") if row.assignee else "",
        tags=parted(row.tags),
        flags=tuple(_flags(row)),
        requester=row.requester,
        account=row.account,
        snoozed_until=_moment(row.snoozed_until),
        close_due=_moment(row.close_due),
        erase_due=_moment(row.erase_due),
        notes=row.notes,
        files=row.files,
        debug=bool(row.debug),
        preview=row.preview,
        preview_note=bool(row.preview_note),
    )


def _moment(seconds: int) -> datetime | None:
    return utc(seconds) if seconds else None


def _flags(row: TicketRow) -> Iterator[str]:
    held = {
        "hold": row.hold,
        "archived": row.archived,
        "spam": row.spam,
        "snoozed": row.snoozed_until,
        "merged": len(row.merged_into),
        row.over: len(row.over),
    }
    yield from (name for name, holds in held.items() if holds)


def ticket_view(
    summary: InboxTicket,
    shared: Log,
    staff: Log,
    roster: TrustedRoster,
    others: Sequence[InboxTicket] = (),
    offline: str = "",
) -> TicketView:
    """Return a whole ticket.

    Args:
        summary: what the list says of it.
        shared: its shared log.
        staff: its staff log; without entries where there is none.
        roster: the newest.
        others: lines of its user's other tickets.
        offline: why the relay was not asked; empty if it was.
    """
    opening, state = opening_of(shared.thread.entries), shared.state
    assert state is not None  # noqa: S101 - only tickets have a row
    profile = profile_of(shared.thread.entries)
    notes, internal = staff.thread.entries, staff.thread.state
    links = internal.links if isinstance(internal, StaffState) else ()
    said = thread_messages(shared.thread.entries, notes, roster.policy, profile.get("name", ""))
    return TicketView(
        summary,
        tuple(told_apart(said, roster)),
        state.resolution_note,
        state.related,
        _pairs(state),
        profile,
        bool(opening and opening.debug),
        tuple(map(ticket_number, links)),
        ticket_number(MailboxId(state.merged_into)) if state.merged_into else "",
        tuple(others),
        offline,
    )


def thread_messages(
    shared: Iterable[Opened], notes: Iterable[Opened], policy: Policy, user: str
) -> Iterator[Message]:
    """Yield messages and notes in the order in which the relay received them.

    Each log keeps its own order whatever its times say; within one second a note stands behind the message that
    it was written against (§5.6).
    """
    entries = list(shared)
    named = {entry.seq: entry for entry in entries}
    said = [
        (_said_at(message), _named(message, named)) for message in messages(entries, policy, user or _USER)
    ]
    noted = [(_noted_at(entry), note) for entry in notes if (note := _note(entry))]
    for _, message in heapq.merge(said, noted, key=lambda item: item[0]):
        yield message


def profile_of(entries: Iterable[Opened]) -> dict[str, str]:
    """Return what the user's application says of the user, by name; nothing where the team opened the ticket."""
    opening = opening_of(entries)
    return {pair.name: pair.value for pair in opening.profile} if opening else {}


def opening_of(entries: Iterable[Opened]) -> OpenBody | None:
    """Return what a user opened a ticket with, if its first entry is a valid opening."""
    first = next(iter(entries), None)
    body = first.body if first is not None and first.verdict is Verdict.OK else None
    return body if isinstance(body, OpenBody) else None


def attachments(entries: Iterable[Opened]) -> list[Attachment]:
    """Return the manifests of every file that was sent and may be believed, the oldest first."""
    good = [entry for entry in entries if entry.verdict is Verdict.OK and entry.inner]
    return [file for entry in good if entry.inner for file in entry.inner.attachments]


def choose_file(files: Sequence[Attachment], name: str) -> Attachment:
    """Return the file that a person means.

    Args:
        files: of the ticket.
        name: as shown; ``#2`` behind it means the second of that name.

    Raises:
        UsageError: ``no_file`` or ``ambiguous_file``.
    """
    called, _, place = name.rpartition("#")
    named = [file for file in files if name in _spellings(file)]
    if not named and place.isdecimal() and len(place) < 4:
        named = [file for file in files if called in _spellings(file)][max(0, int(place) - 1) :][:1]
    if not named:
        raise UsageError("no_file", "the ticket has no such file", hint="`show` lists its files.")
    if len(named) > 1:
        hint = f"Put #1 to #{len(named)} behind the name."
        raise UsageError("ambiguous_file", "several files of the ticket have this name", hint=hint)
    return named[0]


def unsent_text(item: Outgoing) -> Unsent:
    """Return a draft that could not be sent, as its author wrote it."""
    match item.draft.body:
        case MessageBody(text=text) | NoteBody(text=text) | ReopenBody(text=text):
            pass
        case ResolutionBody(note=text) | CloseBody(note=text):
            pass
        case _:
            text = ""
    return Unsent(ticket_number(item.ticket), text, item.failed)


def _spellings(file: Attachment) -> set[str]:
    """Return the names under which a person can mean a file: as it was sent, as it is shown, as it is saved."""
    return {file.name, plain_line(file.name), safe_name(file.name)}


def _named(message: Message, entries: dict[int, Opened]) -> Message:
    """Colleagues see who answered, also where users see the team."""
    device = entries[message.seq].device
    if message.author.role is not Role.TEAM or device is None:
        return message
    return replace(message, author=replace(message.author, name=device.label))


def _note(entry: Opened) -> Message | None:
    """Return a note as a message; ``None`` for what keeps the staff log in order."""
    inner, body = entry.inner, entry.body
    if entry.verdict is Verdict.OK and not isinstance(body, NoteBody):
        return None
    if inner is not None and inner.kind is Kind.NOTE and entry.reason == "same_message":
        return None
    text = body.text if isinstance(body, NoteBody) and entry.verdict is not Verdict.FORGED else ""
    device = entry.device if entry.verdict is not Verdict.FORGED else None
    author = (
        Author(Role.TEAM, device.label, device.device_id.hex()) if device else Author(Role.UNKNOWN, "Unknown")
    )
    at, kind = utc(entry.received), EventKind.MESSAGE
    return Message(entry.seq, kind, author, text, at, entry.verdict, entry.reason, internal=True)


def _said_at(message: Message) -> _Place:
    return int(message.at.timestamp()), message.seq, 0


def _noted_at(entry: Opened) -> _Place:
    against = entry.body.shared.length - 1 if isinstance(entry.body, NoteBody) else 0
    return entry.received, against, 1


def _pairs(state: TicketState) -> dict[str, str]:
    return {pair.name: pair.value for pair in state.fields}
