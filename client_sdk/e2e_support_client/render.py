"""What ``e2e-ticket`` prints: JSON for programs, text for people; text from strangers is made harmless first."""

from __future__ import annotations

import shutil
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from e2e_support.policy import Policy
from e2e_support.policy_parts import PriorityMode
from e2e_support.reasons import REASONS
from e2e_support.vocab import Verdict
from e2e_support_client.model import (
    Author,
    Event,
    EventKind,
    Message,
    Page,
    Role,
    State,
    Ticket,
    TicketRef,
    TicketSummary,
)
from e2e_support_client.people import TeamChange
from e2e_support_client.plain import plain_line, plain_text
from e2e_support_client.render_lifecycle import course_json, course_text
from e2e_support_client.terminal import Json, ago, iso, size_of, stamp

KEPT: Final = "kept; it is sent when the network is back"
_KINDS: Final = {
    EventKind.OPENED: "opened the ticket",
    EventKind.RESOLVED: "marked it resolved",
    EventKind.CLOSED: "closed it",
    EventKind.REOPENED: "reopened it",
    EventKind.STATUS: "changed the status",
    EventKind.FIELDS: "changed fields",
}
_NEWS: Final = {
    EventKind.MESSAGE: "New answer",
    EventKind.RESOLVED: "Marked resolved",
    EventKind.CLOSED: "Closed",
    EventKind.REOPENED: "Reopened",
    EventKind.STATUS: "Status",
    EventKind.FIELDS: "Changed",
    EventKind.ASSIGNED: "Assigned",
    EventKind.CLOSING: "Closes soon by itself",
    EventKind.ADMINISTRATOR: "The team changed",
    EventKind.ERASED: "Gone",
    EventKind.OPENED: "Opened",
    EventKind.PROBLEM: "Problem",
}
_REASONS: Final = {
    "unknown_roster_head": "it cites a list of administrators that nobody knows",
    "no_key": "there is no key for it",
    "cannot_open": "it does not open: somebody changed it",
    "bad_author": "who signed it is no participant of this ticket",
    "bad_signature": "its signature is false",
    "bad_direction": "it was turned to the other side",
    "bad_order": "its keys do not follow the ones before",
    "bad_quote": "it quotes a receipt that the relay never gave",
    "older_roster": "it cites an older list of administrators than entries before it",
    "stray_key": "it carries a key that does not belong there",
    "false_key": "it hands over another key than the one before",
    "wrong_epoch": "its keys are not for the team as its author knew it",
    "bad_reply_key": "no answer can be sealed to the key that it brings",
    "no_author": "the first entry, which says who the user is, cannot be read here",
    "after_removal": "its author had been removed from the team before",
    "removed_device": "its author has been removed from the team since",
    "malformed": "it is not well formed",
    "rollback": "the relay shows an older history than before",
    "fork": "the relay shows another history than before",
    "files_lost": "files are lost at the relay: send them again",
    "merged_unknown": "it goes on in a ticket that this device does not know: ask the team what it is",
    "erased": "the relay says that it was erased; what this device holds is kept",
    "relay_says_erased": "the relay says that it was erased; what this device holds is kept",
    "relay_says_not_found": "the relay does not know it any more; what this device holds is kept",
    "bad_receipt": "the relay's receipt does not hold",
    "update_needed": "it needs a newer version of this program",
}
"""Words for what can be wrong with an entry or a mailbox, besides the rules of ``ticket.REASONS``."""


# --- for programs ----------------------------------------------------------------------------------------


def ref_json(ref: TicketRef) -> dict[str, Json]:
    """Return a ticket's number and state."""
    return {"number": ref.number, "state": ref.state.value}


def summary_json(ticket: TicketSummary) -> dict[str, Json]:
    """Return a line of the list; ``status`` in the team's words, ``status_id`` for comparing."""
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "status": ticket.status_text,
        "status_id": ticket.status,
        "category": ticket.category,
        "priority": ticket.priority,
        "created_at": iso(ticket.created_at),
        "updated_at": iso(ticket.updated_at),
        "unread": ticket.unread,
        "problem": ticket.problem,
    }


def ticket_json(ticket: Ticket) -> dict[str, Json]:
    """Return a whole ticket."""
    whole: dict[str, Json] = {
        "messages": [message_json(message) for message in ticket.messages],
        "actions": list[Json](sorted(ticket.actions)),
        "resolution": ticket.resolution,
        "related": ticket.related,
        "fields": dict[str, Json](ticket.fields),
        "events": [
            {"at": iso(event.at), "what": event.what, "after": event.after} for event in ticket.events
        ],
    }
    return summary_json(ticket.summary) | whole | course_json(ticket)


def message_json(message: Message) -> Json:
    """Return a message; ``reason`` says why its verdict is not "ok"."""
    return {
        "author": {"role": message.author.role.value, "name": message.author.name},
        "body": message.body,
        "at": iso(message.at),
        "verdict": message.verdict.name.lower(),
        "reason": message.reason,
        "kind": message.kind.value,
        "internal": message.internal,
        "attachments": [
            {"name": file.name, "size": file.size, "media_type": file.media_type}
            for file in message.attachments
        ],
    }


def event_json(event: Event) -> dict[str, Json]:
    """Return something that happened."""
    return {"kind": event.kind.value, "number": event.number, "at": iso(event.at)}


def categories_json(policy: Policy) -> list[Json]:
    """Return what a ticket can be about."""
    return [
        {"id": category.id, "label": category.label, "guidelines": category.guidelines}
        for category in policy.categories
    ]


# --- for people ------------------------------------------------------------------------------------------


def ref_text(ref: TicketRef, what: str) -> str:
    """Return how far something has come; ``what`` names it."""
    number = f"{ref.number}: " if ref.number else ""
    return f"{number}{what} {'stored' if ref.state is State.STORED else KEPT}."


def list_text(page: Page, now: int, *, filtered: bool = False) -> str:
    """Return the tickets, a line each; unread ones are marked.

    Args:
        page: the tickets.
        now: seconds since 1970.
        filtered: whether only some were asked for.
    """
    if not page.items and filtered:
        return "No ticket fits (--all: hidden ones too)."
    if not page.items:
        return "No tickets to show (--all: hidden ones too). Open one: e2e-ticket new --category C --subject S --body B"
    rows = [
        (
            f"*{ticket.unread}" if ticket.unread else "",
            ticket.number,
            plain_line(ticket.status_text),
            plain_line(ticket.category),
            plain_line(ticket.priority),
            ago(ticket.updated_at, now),
            plain_line(ticket.subject) + (f"  [{reason_text(ticket.problem)}]" if ticket.problem else ""),
        )
        for ticket in page
    ]
    unread = sum(bool(ticket.unread) for ticket in page)
    return f"{table(rows)}\n\n{count(len(page), 'ticket')}, {unread} with something new (*)."


def ticket_text(ticket: Ticket, now: int) -> str:
    """Return a ticket as a person reads it from top to bottom.

    Args:
        ticket: the ticket.
        now: seconds since 1970, for how much time is left.
    """
    line = ticket.summary
    facts = [plain_line(fact) for fact in (line.status_text, line.category, line.priority) if fact]
    head = [
        f"{line.number}  {plain_line(line.subject)}",
        " · ".join([*facts, f"opened {stamp(line.created_at)}"]),
    ]
    head += [f"{plain_line(name)}: {plain_line(value)}" for name, value in ticket.fields.items()]
    head += [f"Refers to {plain_line(ticket.related)}"] if ticket.related else []
    head += [f"! {reason_text(line.problem)}"] if line.problem else []
    head += course_text(ticket, now)
    if ticket.resolution:
        head += ["", "Resolution:", textwrap.indent(plain_text(ticket.resolution).strip("\n"), "  ")]
    foot = [_offers(ticket)] if ticket.actions else []
    return "\n\n".join(["\n".join(head), *_thread_text(ticket), *foot])


def _thread_text(ticket: Ticket) -> Iterator[str]:
    """Yield messages, and between them who came to read the ticket or no longer can."""
    events = list(ticket.events)
    for message in ticket.messages:
        while events and events[0].after <= message.seq:
            yield _event_line(events.pop(0))
        yield message_text(message)
    yield from map(_event_line, events)


def _event_line(event: TeamChange) -> str:
    return f"* {stamp(event.at)}  {plain_line(event.what)}"


def message_text(message: Message) -> str:
    """Return a message: who and when in one line, then warnings, text and files."""
    did = _KINDS.get(message.kind, "")
    title = " · ".join(
        part for part in (name_text(message.author), did, stamp(message.at), _seen_text(message)) if part
    )
    bad = message.verdict is not Verdict.OK
    lines = [f"! {message.verdict.name.lower()}: {reason_text(message.reason)}"] if bad else []
    lines += ["! its author's clock was more than two days off"] if message.clock_differs else []
    lines += plain_text(message.body).strip("\n").split("\n") if message.body else []
    lines += [f"[file] {plain_line(file.name)} ({size_of(file.size)})" for file in message.attachments]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


def _seen_text(message: Message) -> str:
    """Return how far a user's own message has come for certain (attack 2)."""
    if message.author.role is not Role.USER or message.verdict is not Verdict.OK:
        return ""
    return "confirmed by the team" if message.confirmed else "stored"


def name_text(author: Author) -> str:
    """Return who wrote, as ``name_and_role`` does; "You" needs no role."""
    role = {Role.USER: "you", Role.TEAM: "team, verified", Role.UNKNOWN: "not verified"}[author.role]
    is_you = author.role is Role.USER and author.name == "You"
    return author.name if is_you else name_and_role(author, role)


def name_and_role(author: Author, role: str) -> str:
    """Return a name with the role behind it, and an id where others look the same; no name can imitate either (35)."""
    name = plain_line(author.name).replace("(", "[").replace(")", "]").replace("·", " ")
    return f"{name} ({', '.join(filter(None, (role, author.mark)))})"


def reason_text(reason: str) -> str:
    """Return why something is not ok, for people."""
    known = REASONS.get(reason)
    return known[0] if known else _REASONS.get(reason, plain_line(reason))


def event_text(event: Event) -> str:
    """Return something that happened, on one line."""
    said = plain_line(event.message.body)[:80] if event.message else plain_line(event.what)
    told = said or (reason_text(event.problem) if event.problem else plain_line(event.status))
    return f"{stamp(event.at)}  {event.number}  {_NEWS[event.kind]}: {told}".rstrip(": ")


def categories_text(policy: Policy) -> str:
    """Return what a ticket can be about, with the team's advice."""
    rows = [(c.id, plain_line(c.label), plain_line(c.guidelines)) for c in policy.categories]
    levels = ", ".join(level.id for level in policy.priority.levels)
    chosen = policy.priority.mode is PriorityMode.USER and levels
    return table(rows) + (f"\n\nPriorities: {levels}" if chosen else "")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns; the last one takes what is left of the line.

    Args:
        rows: harmless texts on one line each, as many in every row.
    """
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    room = max(20, shutil.get_terminal_size((100, 24)).columns - sum(widths[:-1]) - 2 * len(widths))
    lines = [[_padded(cell, most) for cell, most in zip(row, widths, strict=True)] for row in rows]
    return "\n".join("  ".join([*line[:-1], _cut(line[-1].rstrip(), room)]).rstrip() for line in lines)


def width(text: str) -> int:
    """Return how many columns a text takes; East Asian characters take two, marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1
        for c in text
    )


def count(number: int, one: str) -> str:
    """Return a number with its noun, of which there is one in the singular."""
    return f"{number} {one if number == 1 else one + ('es' if one.endswith('x') else 's')}"


def _offers(ticket: Ticket) -> str:
    number = ticket.summary.number
    return "You can: " + ", ".join(
        f"e2e-ticket {action.replace('_', '-')} {number}" for action in sorted(ticket.actions, key=_rank)
    )


def _rank(action: str) -> tuple[bool, str]:
    """What cannot be taken back stands last."""
    return action == "erase", action


def _padded(text: str, most: int) -> str:
    return text + " " * (most - width(text))


def _cut(text: str, room: int) -> str:
    if width(text) <= room:
        return text
    while width(text) > room - 1:
        text = text[:-1]
    return text + "…"
