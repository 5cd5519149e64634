"""A ticket's state, what one entry says, and what follows from both without a further entry (protocol 5.4, 5.10).

Times are receipt times in seconds since 1970; 0 is never.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Final

from e2e_support.codec import Message
from e2e_support.content import Attachment, Pair
from e2e_support.policy import Policy
from e2e_support.policy_parts import Condition, LabelRule, UserReopen
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Role

DAY: Final = 24 * 3600
NOBODY: Final = bytes(16)


@dataclass(frozen=True, slots=True)
class Fact:
    """What one verified entry says.

    Attributes:
        seq: its place in the log.
        kind: what it is.
        by: which side wrote it.
        body: its decoded body.
        time: receipt time, seconds since 1970.
        role: the device's role; ``None`` for the user.
        device: the device's id, 16 bytes; empty for the user.
        attachments: its manifests.
        assignable: false where it assigns the ticket to somebody who was no active writer of the team.
    """

    seq: int
    kind: Kind
    by: AuthorRole
    body: Message
    time: int
    role: Role | None = None
    device: bytes = b""
    attachments: tuple[Attachment, ...] = ()
    assignable: bool = True


@dataclass(frozen=True, slots=True)
class TicketState:
    """A ticket as all clients of one side see it.

    Attributes:
        resolved_at: when it was resolved; where a reply leaves it so, when its user last spoke.
        close_due: when a resolved ticket closes by itself, as the policy said when it was resolved.
        remind_due: when its user is told of that.
        auto_closed: it closed by itself.
        auto_noted: an entry says so.
        merged_into: the shared log in which it goes on; empty otherwise.
        user_key: joins the tickets of one user; empty where the user does not tell.
        opened_by: who wrote first.
        last_user_seq: the newest entry in which the user spoke.
    """

    subject: str
    category: str
    priority: str
    fields: tuple[Pair, ...]
    related: str
    created_at: int
    updated_at: int
    lifecycle: Lifecycle = Lifecycle.OPEN
    progress: bool = False
    waiting_user: bool = False
    assignee: bytes = b""
    resolution_note: str = ""
    close_note: str = ""
    resolved_at: int = 0
    closed_at: int = 0
    first_response_at: int = 0
    waiting_since: int = 0
    reopen_count: int = 0
    last_by: AuthorRole = AuthorRole.USER
    attachment_bytes: int = 0
    close_due: int = 0
    remind_due: int = 0
    auto_closed: bool = False
    auto_noted: bool = False
    merged_into: bytes = b""
    user_key: bytes = b""
    opened_by: AuthorRole = AuthorRole.USER
    last_user_seq: int = 0


def advance(state: TicketState, now: int) -> TicketState:
    """Return a ticket as time has made it: a resolved one closes when it is due, whoever writes it down or not.

    Args:
        state: as its newest entry left it.
        now: a receipt time, or the time at which somebody looks.
    """
    if state.lifecycle is not Lifecycle.RESOLVED or not 0 < state.close_due <= now:
        return state
    return replace(
        state,
        lifecycle=Lifecycle.CLOSED,
        closed_at=state.close_due,
        updated_at=state.close_due,
        auto_closed=True,
        waiting_user=False,
        waiting_since=0,
    )


def reopen_until(state: TicketState, policy: Policy) -> int | None:
    """Return until when the user may reopen a closed ticket; 0 is never, ``None`` is for ever."""
    rule = policy.reopen
    if rule.user is UserReopen.NEVER or state.merged_into:
        return 0
    return state.closed_at + rule.window_days * DAY if rule.user is UserReopen.WINDOW else None


def erase_due(state: TicketState, policy: Policy) -> int:
    """Return when the team erases a closed ticket; 0 is never."""
    days = policy.retention.closed_days
    return state.closed_at + days * DAY if days and state.closed_at else 0


def label(state: TicketState, policy: Policy, *, staff: frozenset[Condition] | None = None) -> LabelRule:
    """Return the status that people see: the first rule of the side's table that holds; the last one always does.

    Args:
        state: the ticket.
        policy: the newest policy.
        staff: facts of the staff log for the team's table; ``None`` for the user's.
    """
    facts = _conditions(state, policy) | (staff or frozenset())
    rules = policy.labels_user if staff is None else policy.labels_staff
    return next(rule for rule in rules if facts.issuperset(rule.conditions))


def count_text(text: str) -> int:
    """Return how long a text is for the policy's limits: code points after NFC without outer white space."""
    return len(unicodedata.normalize("NFC", text).strip())


def _conditions(state: TicketState, policy: Policy) -> frozenset[Condition]:
    held = {
        Condition.CLOSED: state.lifecycle is Lifecycle.CLOSED,
        Condition.RESOLVED: state.lifecycle is Lifecycle.RESOLVED,
        Condition.PROGRESS: state.progress,
        Condition.WAITING_USER: state.waiting_user,
        Condition.ASSIGNED: bool(state.assignee and policy.staff.show_assignee),
        Condition.LAST_STAFF: state.last_by is AuthorRole.DEVICE,
        Condition.LAST_USER: state.last_by is AuthorRole.USER,
        Condition.STAFF_REPLIED: bool(state.first_response_at),
    }
    return frozenset(condition for condition, holds in held.items() if holds)
