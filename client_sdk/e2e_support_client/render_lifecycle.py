"""What the commands about the life of tickets print, and what ``show`` says of what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from e2e_support.policy import Policy
from e2e_support_client.allowance import Today
from e2e_support_client.model import Notification, Ticket
from e2e_support_client.plain import plain_line
from e2e_support_client.terminal import Json, iso, stamp

CARD_HELP: Final = (
    "Give this card to an administrator who wants to open a ticket for you, by any way that reaches only them.\n"
    "It holds public keys and nothing secret. The ticket then appears in your list, verified as the team's.\n"
    "The card stays the same until it is used."
)
_DAY: Final = 24 * 3600


# --- for programs ----------------------------------------------------------------------------------------


def notification_json(one: Notification) -> Json:
    """Return what a person is told."""
    return {
        "number": one.number,
        "kind": one.kind,
        "at": iso(one.at),
        "read": one.read,
        "text": one.text,
    }


def course_json(ticket: Ticket) -> dict[str, Json]:
    """Return what comes next in a ticket, and where it belongs."""
    return {
        "reopen_until": iso(ticket.reopen_until),
        "closes_at": iso(ticket.closes_at),
        "erase_at": iso(ticket.erase_at),
        "assignee": ticket.assignee,
        "merged_into": ticket.merged_into,
        "merged_from": list[Json](ticket.merged_from),
        "hidden": ticket.summary.hidden,
    }


# --- for people ------------------------------------------------------------------------------------------


def counts_text(counts: Mapping[str, int], policy: Policy) -> str:
    """Return a line for each status, in the team's words."""
    labels = {rule.id: rule.text for rule in policy.labels_user}
    return "\n".join(f"{number:>4}  {plain_line(labels.get(name, name))}" for name, number in counts.items())


def notifications_text(found: Sequence[Notification]) -> str:
    """Return what a person is told, a line each; what is new is marked."""
    if not found:
        return "Nothing new."
    lines = [
        f"{' ' if one.read else '*'} {stamp(one.at)}  {one.number or 'Your team':<13}  {plain_line(one.text)}"
        for one in found
    ]
    new = sum(not one.read for one in found)
    return "\n".join([*lines, "", f"{new} new (*). Look at a ticket with `e2e-ticket show NUMBER`."])


def today_text(today: Today, policy: Policy) -> str:
    """Return how many tickets are left today; empty without a limit."""
    if today.left is None:
        return ""
    resets = f", resets {stamp(today.resets_at)}" if today.resets_at else ""
    return f"{today.left} of {policy.limits.create_per_day} left today{resets}."


def course_text(ticket: Ticket, now: int) -> Iterator[str]:
    """Yield who works on a ticket, where it goes on and what time will do to it.

    Args:
        ticket: the ticket.
        now: seconds since 1970.
    """
    if ticket.assignee:
        yield f"{plain_line(ticket.assignee)} works on it."
    if ticket.merged_into:
        yield f"It goes on in {ticket.merged_into}: e2e-ticket show {ticket.merged_into}"
    yield from (f"{number} goes on here." for number in ticket.merged_from)
    if ticket.closes_at:
        yield f"It closes by itself on {_moment(ticket.closes_at, now)}; a reply keeps it open."
    if ticket.reopen_until:
        yield f"You can reopen it until {_moment(ticket.reopen_until, now)}."
    if ticket.erase_at:
        yield f"It is erased on {_moment(ticket.erase_at, now)}."


def _moment(at: datetime, now: int) -> str:
    """Return a moment with how far away it is."""
    left = int(at.timestamp()) - now
    if left <= 0:
        return f"{stamp(at)} (that is over)"
    days, hours = divmod(left // 3600, 24)
    return f"{stamp(at)} ({f'{days} d {hours} h' if left >= _DAY else f'{hours} h {left % 3600 // 60} min'} left)"
