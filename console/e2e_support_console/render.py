"""What the console's commands print: JSON for programs, text for people; text from strangers is made harmless."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from e2e_support.vocab import Verdict
from e2e_support_client.model import EventKind, Message, Role, utc
from e2e_support_client.plain import plain_line, plain_text
from e2e_support_client.render import count, message_json, name_and_role, reason_text, summary_json, table
from e2e_support_client.terminal import Json, ago, iso, size_of, stamp
from e2e_support_console.alarms import Alarm
from e2e_support_console.model import InboxTicket, TicketView, Unsent

NOTE = "internal note, only administrators"

_KINDS = {
    EventKind.OPENED: "opened the ticket",
    EventKind.RESOLVED: "marked it resolved",
    EventKind.CLOSED: "closed it",
    EventKind.REOPENED: "reopened it",
    EventKind.STATUS: "changed the status",
    EventKind.FIELDS: "changed fields",
}

_ROLES = {Role.USER: "user", Role.TEAM: "team", Role.UNKNOWN: "not verified"}
_EMPTY = "No tickets yet. Users write to you with the support link: `e2e-admin link`."
_NO_HISTORY = "Ask an owner of the team whether you may read them."
_FLAGS = {
    "daily_limit": "over the limit per day",
    "open_max": "over the limit of open tickets",
}

# --- for programs ----------------------------------------------------------------------------------------


def ticket_json(ticket: InboxTicket) -> dict[str, Json]:
    """Return a line of the inbox, with the same names as a line of a user's list."""
    return summary_json(ticket) | {
        "waiting_since": iso(ticket.waiting_since),
        "closed": ticket.closed,
        "assignee": ticket.assignee or None,
        "tags": ticket.tags,
        "flags": ticket.flags,
        "requester": ticket.requester,
        "account": ticket.account,
        "snoozed_until": iso(ticket.snoozed_until),
        "close_due": iso(ticket.close_due),
        "erase_due": iso(ticket.erase_due),
        "notes": ticket.notes,
        "files": ticket.files,
        "debug": ticket.debug,
        "last": {"text": ticket.preview, "note": ticket.preview_note},
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
        "links": view.links,
        "merged_into": view.merged_into,
        "same_user": [other.number for other in view.others],
    }
    return ticket_json(view.summary) | whole


def alarm_json(alarm: Alarm) -> Json:
    """Return an alarm."""
    return {
        "code": alarm.code,
        "message": alarm.message,
        "hint": alarm.hint,
        "number": alarm.number or None,
        "first_at": iso(utc(alarm.first_at)),
        "last_at": iso(utc(alarm.last_at)),
        "count": alarm.count,
    }


def unsent_json(item: Unsent) -> Json:
    """Return something that could not be sent."""
    return {"number": item.number, "text": item.text, "reason": item.reason}


# --- for people ------------------------------------------------------------------------------------------


def inbox_text(tickets: Sequence[InboxTicket], now: int, *, filtered: bool = False, locked: int = 0) -> str:
    """Return the inbox: a line per ticket, unread ones marked, whoever waits longest first.

    Args:
        tickets: in their order.
        now: seconds since 1970.
        filtered: whether only some were asked for.
        locked: how many there are besides that this device has no keys for.
    """
    shown = _rows_text(tickets, now) if tickets else "No ticket fits." if filtered else _EMPTY
    if not locked:
        return shown
    before = "There are tickets" if locked > 1 else "There is a ticket"
    unread = f"{before} from before you came, which you were given no keys for: {locked}. {_NO_HISTORY}"
    return f"{shown}\n{unread}" if tickets or filtered else unread


def _rows_text(tickets: Sequence[InboxTicket], now: int) -> str:
    rows = [
        (
            "*" if ticket.unread else " ",
            ticket.number,
            plain_line(ticket.status_text),
            plain_line(ticket.priority),
            plain_line(ticket.assignee),
            f"waits {ago(ticket.waiting_since, now)}" if ticket.waiting_since else "",
            " ".join(_about(ticket)),
        )
        for ticket in tickets
    ]
    unread = sum(bool(ticket.unread) for ticket in tickets)
    return f"{table(rows)}\n\n{count(len(tickets), 'ticket')}, {unread} unread (*)."


def _about(ticket: InboxTicket) -> Iterator[str]:
    """Yield what stands out about a ticket, first what a narrow window must not cut off, and its subject."""
    yield from (f"[{_FLAGS.get(flag, flag)}]" for flag in ticket.flags)
    yield plain_line(ticket.subject)
    yield from (f"#{tag}" for tag in ticket.tags)
    if ticket.problem:
        yield f"[{reason_text(ticket.problem)}]"


def view_text(view: TicketView) -> str:
    """Return a ticket as a person reads it from top to bottom."""
    summary = view.summary
    facts = [summary.status_text, summary.category, summary.priority]
    head = [
        f"{summary.number}  {plain_line(summary.subject)}",
        " · ".join([*(plain_line(fact) for fact in facts if fact), f"opened {stamp(summary.created_at)}"]),
    ]
    head += [f"! {reason_text(summary.problem)}"] if summary.problem else []
    head += _standing(summary)
    head += _claims(view)
    if view.resolution:
        head += ["", "Resolution (pinned):", _indented(view.resolution, "  ")]
    return "\n\n".join(["\n".join(head), *(message_text(message) for message in view.messages)])


def message_text(message: Message) -> str:
    """Return a message; a note has a bar at its side and says what it is."""
    did = NOTE if message.internal else _KINDS.get(message.kind, "")
    who = name_and_role(message.author, _ROLES[message.author.role])
    title = " · ".join(part for part in (who, did, stamp(message.at)) if part)
    body = _warnings(message) + plain_text(message.body).strip("\n").split("\n") + _files(message)
    lines = [title, *(f"  {line}".rstrip() for line in body if line or message.body)]
    return "\n".join(f"┃ {line}" for line in lines) if message.internal else "\n".join(lines)


def alarms_text(alarms: Sequence[Alarm], quarantined: dict[str, int], unsent: Sequence[Unsent]) -> str:
    """Return all alarms with what to do, how much was put aside, and texts that could not be sent."""
    parts = [_alarm_text(alarm) for alarm in alarms] or ["No alarms."]
    if quarantined:
        why = "; ".join(f"{number}: {reason_text(reason)}" for reason, number in quarantined.items())
        parts.append(f"Put aside, since they are no tickets: {sum(quarantined.values())} ({why}).")
    parts += [
        f"Not sent to {item.number}, since {reason_text(item.reason)}:\n{_indented(item.text, '  ')}"
        for item in unsent
    ]
    return "\n\n".join(parts)


def _warnings(message: Message) -> list[str]:
    bad = message.verdict is not Verdict.OK
    warnings = [f"! {message.verdict.name.lower()}: {reason_text(message.reason)}"] if bad else []
    return warnings + (["! its author's clock was more than two days off"] if message.clock_differs else [])


def _files(message: Message) -> list[str]:
    return [f"[file] {plain_line(file.name)} ({size_of(file.size)})" for file in message.attachments]


def _standing(ticket: InboxTicket) -> list[str]:
    """Return who has a ticket, how it is marked, and what time will do to it."""
    lines = [f"Assigned to {plain_line(ticket.assignee)}"] if ticket.assignee else []
    lines += [f"Tags: {', '.join(ticket.tags)}"] if ticket.tags else []
    lines += [f"! {_FLAGS.get(flag, flag)}" for flag in ticket.flags]
    lines += [f"Out of sight until {stamp(ticket.snoozed_until)}"] if ticket.snoozed_until else []
    lines += [f"Closes by itself {stamp(ticket.close_due)}"] if ticket.close_due else []
    return lines


def _claims(view: TicketView) -> list[str]:
    lines: list[str] = []
    if view.profile:
        said = ", ".join(f"{plain_line(name)} {plain_line(value)}" for name, value in view.profile.items())
        lines.append(f"The user's application says, not verified: {said}")
    lines += [f"{plain_line(name)}: {plain_line(value)}" for name, value in view.fields.items()]
    if view.related:
        lines.append(f"Refers to {plain_line(view.related)}")
    if view.merged_into:
        lines.append(f"Goes on in {view.merged_into}")
    if view.links:
        lines.append(f"Belongs together with {', '.join(view.links)}")
    lines += [
        f"Same user: {other.number}  {plain_line(other.status_text)}  {plain_line(other.subject)}"
        for other in view.others
    ]
    if view.has_debug:
        lines.append(f"Debug data came with it: e2e-admin debug {view.summary.number}")
    return lines


def _alarm_text(alarm: Alarm) -> str:
    about = f" {alarm.number}" if alarm.number else ""
    times = f", {alarm.count} times since {stamp(utc(alarm.first_at))}" if alarm.count > 1 else ""
    head = f"! {alarm.code}{about} · {stamp(utc(alarm.last_at))}{times}"
    return "\n".join([head, f"  {plain_line(alarm.message)}", f"  {plain_line(alarm.hint)}"])


def _indented(text: str, indent: str) -> str:
    return textwrap.indent(plain_text(text).strip("\n"), indent)
