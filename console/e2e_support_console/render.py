"""What the console's commands print: JSON for programs, text for people; text from strangers is made harmless."""

from __future__ import annotations

import json
import shutil
import textwrap
import unicodedata
from collections.abc import Sequence

from e2e_support.errors import UsageError
from e2e_support.ticket import REASONS
from e2e_support.ticket_keys import ticket_number
from e2e_support.vocab import Verdict
from e2e_support_client.model import Author, EventKind, Message, Role, utc
from e2e_support_client.plain import plain_line, plain_text
from e2e_support_client.terminal import Json, ago, iso, size_of, stamp
from e2e_support_console.alarms import Alarm
from e2e_support_console.model import InboxTicket, TicketView

NOTE = "internal note, only administrators"

_KINDS = {
    EventKind.OPENED: "opened the ticket",
    EventKind.RESOLVED: "marked it resolved",
    EventKind.CLOSED: "closed it",
    EventKind.REOPENED: "reopened it",
    EventKind.STATUS: "changed the status",
    EventKind.FIELDS: "changed fields",
}

_REASONS = {
    "unknown_roster_head": "it cites a list of administrators that nobody knows",
    "no_key": "this device has no key for it",
    "cannot_open": "its key box does not open",
    "bad_author": "who signed it is no participant of this ticket",
    "bad_signature": "its signature is false",
    "bad_direction": "it was turned to the other side",
    "bad_order": "its keys do not follow the ones before",
    "bad_quote": "it quotes a receipt that the relay never gave",
    "older_roster": "it cites an older list of administrators than entries before it",
    "stray_key": "it carries a key that does not belong there",
    "malformed": "it is not well formed",
}


# --- for programs ----------------------------------------------------------------------------------------


def ticket_json(ticket: InboxTicket) -> dict[str, Json]:
    """Return a line of the inbox."""
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "status": ticket.status,
        "category": ticket.category,
        "priority": ticket.priority,
        "created_at": iso(ticket.created_at),
        "updated_at": iso(ticket.updated_at),
        "unread": ticket.unread,
    }


def view_json(view: TicketView) -> dict[str, Json]:
    """Return a whole ticket."""
    whole: dict[str, Json] = {
        "messages": [message_json(message) for message in view.messages],
        "resolution": view.resolution,
        "related": view.related,
        "fields": view.fields,
        "profile": view.profile,
        "debug": view.has_debug,
    }
    return ticket_json(view.summary) | whole


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


def alarm_json(alarm: Alarm) -> Json:
    """Return an alarm."""
    return {
        "code": alarm.code,
        "message": alarm.message,
        "hint": alarm.hint,
        "number": ticket_number(alarm.mailbox) if alarm.mailbox else None,
        "first_at": iso(utc(alarm.first_at)),
        "last_at": iso(utc(alarm.last_at)),
        "count": alarm.count,
    }


def debug_json(data: bytes) -> Json:
    """Return the debug data that the user saw and sent, fields that were withheld among it; nothing if there is none.

    Raises:
        UsageError: ``bad_debug`` when it is no JSON object: another program than the SDK made it.
    """
    if not data:
        return {}
    try:
        value: Json = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError("bad_debug", "the debug data is not well formed", hint="It is not shown.")
    return value


def _refuse_constant(name: str) -> Json:
    raise ValueError(name)


# --- for people ------------------------------------------------------------------------------------------


def inbox_text(tickets: Sequence[InboxTicket], now: int) -> str:
    """Return the inbox: a line per ticket, unread ones marked, whoever waits longest first."""
    if not tickets:
        return "No tickets yet. Users write to you with the support link: `e2e-admin link`."
    rows = [
        (
            "*" if ticket.unread else " ",
            ticket.number,
            plain_line(ticket.status_text),
            plain_line(ticket.priority),
            f"waits {ago(ticket.waiting_since, now)}" if ticket.waiting_since else "",
            plain_line(ticket.subject) + (f"  [{ticket.problem}]" if ticket.problem else ""),
        )
        for ticket in tickets
    ]
    unread = sum(bool(ticket.unread) for ticket in tickets)
    return f"{_table(rows)}\n\n{_count(len(tickets), 'ticket')}, {unread} unread (*)."


def view_text(view: TicketView) -> str:
    """Return a ticket as a person reads it from top to bottom."""
    summary = view.summary
    facts = [summary.status_text, summary.category, summary.priority]
    head = [
        f"{summary.number}  {plain_line(summary.subject)}",
        " · ".join([*(plain_line(fact) for fact in facts if fact), f"opened {stamp(summary.created_at)}"]),
    ]
    head += _claims(view)
    if view.resolution:
        head += ["", "Resolution (pinned):", _indented(view.resolution, "  ")]
    return "\n\n".join(["\n".join(head), *(message_text(message) for message in view.messages)])


def message_text(message: Message) -> str:
    """Return a message; a note has a bar at its side and says what it is."""
    did = NOTE if message.internal else _KINDS.get(message.kind, "")
    title = " · ".join(part for part in (_name(message.author), did, stamp(message.at)) if part)
    body = _warnings(message) + plain_text(message.body).strip("\n").split("\n") + _files(message)
    lines = [title, *(f"  {line}" for line in body if line or message.body)]
    return "\n".join(f"┃ {line}" for line in lines) if message.internal else "\n".join(lines)


def reason_text(reason: str) -> str:
    """Return why a verdict is not ok, for people."""
    known = REASONS.get(reason)
    return known[0] if known else _REASONS.get(reason, reason)


def debug_text(data: Json) -> str:
    """Return debug data as indented JSON in ASCII, which no terminal takes for anything else."""
    return json.dumps(data, indent=2, ensure_ascii=True) if data else "No debug data came with this ticket."


def alarms_text(alarms: Sequence[Alarm], quarantined: dict[str, int]) -> str:
    """Return all alarms with what to do, and how much was put aside."""
    parts = [_alarm_text(alarm) for alarm in alarms] or ["No alarms."]
    if quarantined:
        total = sum(quarantined.values())
        why = "; ".join(f"{count}: {reason_text(reason)}" for reason, count in quarantined.items())
        parts.append(f"{_count(total, 'mailbox', 'mailboxes')} put aside that are no tickets: {why}.")
    return "\n\n".join(parts)


def _warnings(message: Message) -> list[str]:
    bad = message.verdict is not Verdict.OK
    warnings = [f"! {message.verdict.name.lower()}: {reason_text(message.reason)}"] if bad else []
    return warnings + (["! its author's clock was more than two days off"] if message.clock_differs else [])


def _files(message: Message) -> list[str]:
    return [f"[file] {plain_line(file.name)} ({size_of(file.size)})" for file in message.attachments]


def _name(author: Author) -> str:
    """Return a name with the role behind it, which no name can imitate (attack 35)."""
    role = {Role.USER: "user", Role.TEAM: "team", Role.UNKNOWN: "not verified"}[author.role]
    name = plain_line(author.name).replace("(", "[").replace(")", "]").replace("·", " ")
    return f"{name} ({role})"


def _claims(view: TicketView) -> list[str]:
    lines: list[str] = []
    if view.profile:
        said = ", ".join(f"{plain_line(name)} {plain_line(value)}" for name, value in view.profile.items())
        lines.append(f"User's own application says: {said}")
    lines += [f"{plain_line(name)}: {plain_line(value)}" for name, value in view.fields.items()]
    if view.related:
        lines.append(f"Refers to {plain_line(view.related)}")
    if view.has_debug:
        lines.append(f"Debug data came with it: e2e-admin debug {view.summary.number}")
    return lines


def _alarm_text(alarm: Alarm) -> str:
    about = f" {ticket_number(alarm.mailbox)}" if alarm.mailbox else ""
    times = f", {alarm.count} times since {stamp(utc(alarm.first_at))}" if alarm.count > 1 else ""
    head = f"! {alarm.code}{about} · {stamp(utc(alarm.last_at))}{times}"
    return "\n".join([head, f"  {plain_line(alarm.message)}", f"  {plain_line(alarm.hint)}"])


def _indented(text: str, indent: str) -> str:
    return textwrap.indent(plain_text(text).strip("\n"), indent)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns; the last one takes what is left of the line."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    room = max(20, shutil.get_terminal_size((100, 24)).columns - sum(widths[:-1]) - 2 * len(widths))
    lines = [[_padded(cell, width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return "\n".join("  ".join([*line[:-1], _cut(line[-1].rstrip(), room)]).rstrip() for line in lines)


def _width(text: str) -> int:
    """Return how many columns a text takes; East Asian characters take two, marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1
        for c in text
    )


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _cut(text: str, room: int) -> str:
    if _width(text) <= room:
        return text
    while _width(text) > room - 1:
        text = text[:-1]
    return text + "…"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
