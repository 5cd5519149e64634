"""What is to be done about a ticket without anybody asking: whom it is given to, when its quieter log needs an entry.

Pure: every console finds the same in the same logs, so that it is done once whoever is first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from e2e_support.content import AssignBody, FieldsBody
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.ticket_state import DAY, TicketState
from e2e_support.vocab import Kind, Lifecycle, Verdict
from e2e_support_console.ticket_logs import TicketLogs

HOUSEKEEPING: Final = frozenset({Kind.BARRIER, Kind.REKEY, Kind.ACKNOWLEDGEMENT, Kind.DUMMY, Kind.AUTO_CLOSE})
"""Kinds that consoles write by themselves: no sign that anybody still needs a ticket."""


def default_assignee(logs: TicketLogs, ticket: TicketState, policy: Policy) -> bytes:
    """Return the member who gets a ticket by default; empty once somebody was ever assigned, or nobody ever is.

    Args:
        logs: both logs of the ticket.
        ticket: as time has made it.
        policy: the policy that its opening follows: a later default is for later tickets.
    """
    staff = logs.staff.state
    if ticket.lifecycle is Lifecycle.CLOSED or (staff and staff.spam.on) or was_assigned(logs):
        return b""
    by_category = {rule.category: rule.member_id for rule in policy.staff.assignees}
    return by_category.get(ticket.category) or policy.staff.assignee


def was_assigned(logs: TicketLogs) -> bool:
    """Tell whether anybody ever said who takes care of a ticket, be it nobody."""
    bodies = (entry.body for entry in _good(logs))
    return any(isinstance(body, AssignBody | FieldsBody) and body.assignee for body in bodies)


def quiet_due(logs: TicketLogs, policy: Policy, now: int) -> int:
    """Return when the quieter log of a ticket needs an entry, so that the relay keeps both while one lives; 0 is never.

    Args:
        logs: both logs of the ticket.
        policy: the newest policy.
        now: seconds since 1970; what has idled away is let go.
    """
    idle = policy.retention.idle_days * DAY
    if not idle or not logs.staff.entries:
        return 0
    lively = (entry.received for entry in _good(logs) if entry.inner and entry.inner.kind not in HOUSEKEEPING)
    due = min(_last(logs.shared.entries), _last(logs.staff.entries)) + before_idle(idle)
    return due if max(due, now) < max(lively, default=0) + idle else 0


def before_idle(idle: int) -> int:
    """Return after how many quiet seconds a log gets an entry, which the relay would erase after ``idle``."""
    return idle * 3 // 4


def _good(logs: TicketLogs) -> Iterable[Opened]:
    return (entry for entry in chain(logs.shared.entries, logs.staff.entries) if entry.verdict is Verdict.OK)


def _last(entries: Sequence[Opened]) -> int:
    return entries[-1].received
