"""What an entry that breaks no rule does to its ticket (protocol 5.4, 5.10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from e2e_support.content import (
    CloseBody,
    FieldsBody,
    MergeBody,
    ReopenBody,
    ResolutionBody,
    StatusBody,
)
from e2e_support.form_rules import implied_priority, total_size
from e2e_support.policy import Policy
from e2e_support.policy_parts import PriorityMode
from e2e_support.ticket_state import DAY, NOBODY, Fact, TicketState
from e2e_support.transitions import TRANSITIONS
from e2e_support.vocab import AuthorRole, Kind, Lifecycle


def after(state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    """Return the state after an entry that breaks no rule."""
    following = TRANSITIONS[fact.kind, fact.by][state.lifecycle]
    effect = _EFFECTS.get(fact.kind)
    if effect is None:
        return replace(state, auto_noted=state.auto_noted or fact.kind is Kind.AUTO_CLOSE)
    size = state.attachment_bytes + total_size(fact.attachments)
    moved = replace(state, lifecycle=following, updated_at=fact.time, attachment_bytes=size)
    return effect(state, moved, fact, policy)


def _on_message(before: TicketState, state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    moves = policy.moves
    if fact.by is AuthorRole.DEVICE:
        first = state.first_response_at or fact.time
        waiting = state.waiting_user or bool(moves.staff_reply_waits)
        return replace(
            state, last_by=AuthorRole.DEVICE, first_response_at=first, waiting_user=waiting, waiting_since=0
        )
    if before.lifecycle is Lifecycle.RESOLVED and not moves.user_reply_reopens:
        state = replace(_postponed(state, fact.time), lifecycle=Lifecycle.RESOLVED)
    waiting = state.waiting_user and not moves.user_reply_clears
    since = before.waiting_since or fact.time
    spoken = replace(
        state, last_by=AuthorRole.USER, last_user_seq=fact.seq, waiting_user=waiting, waiting_since=since
    )
    return _reopened(before, spoken)


def _postponed(state: TicketState, time: int) -> TicketState:
    """Let the days until a ticket closes by itself begin anew: its user is still there."""
    if not state.close_due:
        return state
    more = time - state.resolved_at
    remind = state.remind_due and state.remind_due + more
    return replace(state, resolved_at=time, close_due=state.close_due + more, remind_due=remind)


def _on_status(before: TicketState, state: TicketState, fact: Fact, _policy: Policy) -> TicketState:
    body = fact.body
    assert isinstance(body, StatusBody)  # noqa: S101 - the body was decoded by its kind
    progress = _switched(state.progress, body.progress)
    waiting = _switched(state.waiting_user, body.waiting_user)
    return _reopened(before, replace(state, progress=progress, waiting_user=waiting))


def _on_fields(_before: TicketState, state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    body = fact.body
    assert isinstance(body, FieldsBody)  # noqa: S101 - the body was decoded by its kind
    fields = {pair.name: pair for pair in (*state.fields, *body.fields)}
    assignee = b"" if body.assignee == NOBODY else body.assignee or state.assignee
    assigned = bool(body.assignee) and body.assignee != NOBODY
    category = body.category or state.category
    computed = policy.priority.mode is PriorityMode.BY_CATEGORY and bool(body.category)
    implied = implied_priority(category, policy) if computed else state.priority
    return replace(
        state,
        category=category,
        priority=body.priority or implied,
        assignee=assignee,
        fields=tuple(fields.values()),
        progress=state.progress or (assigned and bool(policy.moves.assign_progress)),
    )


def _on_resolution(_before: TicketState, state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    body, rule = fact.body, policy.close
    assert isinstance(body, ResolutionBody)  # noqa: S101 - the body was decoded by its kind
    first = state.first_response_at or fact.time
    return replace(
        state,
        resolution_note=body.note,
        resolved_at=fact.time,
        first_response_at=first,
        waiting_since=0,
        last_by=AuthorRole.DEVICE,
        close_due=rule.resolved_days and fact.time + rule.resolved_days * DAY,
        remind_due=rule.reminder_days and fact.time + rule.reminder_days * DAY,
    )


def _on_merge(before: TicketState, state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    body = fact.body
    assert isinstance(body, MergeBody)  # noqa: S101 - the body was decoded by its kind
    closed = replace(fact, body=CloseBody(body.note, ""))
    return replace(_on_close(before, state, closed, policy), merged_into=body.into)


def _on_close(_before: TicketState, state: TicketState, fact: Fact, _policy: Policy) -> TicketState:
    body = fact.body
    assert isinstance(body, CloseBody)  # noqa: S101 - the body was decoded by its kind
    return replace(state, close_note=body.note, closed_at=fact.time, waiting_since=0, waiting_user=False)


def _on_reopen(before: TicketState, state: TicketState, fact: Fact, _policy: Policy) -> TicketState:
    assert isinstance(fact.body, ReopenBody)  # noqa: S101 - the body was decoded by its kind
    by_user = fact.by is AuthorRole.USER
    since = fact.time if by_user else 0
    spoken = fact.seq if by_user else state.last_user_seq
    return _reopened(before, replace(state, last_by=fact.by, waiting_since=since, last_user_seq=spoken))


_EFFECTS: Final[dict[Kind, Callable[[TicketState, TicketState, Fact, Policy], TicketState]]] = {
    Kind.MESSAGE: _on_message,
    Kind.STATUS: _on_status,
    Kind.FIELDS: _on_fields,
    Kind.RESOLUTION: _on_resolution,
    Kind.CLOSE: _on_close,
    Kind.REOPEN: _on_reopen,
    Kind.MERGE: _on_merge,
}
"""Kinds that people see; all others keep the log in order and leave even ``updated_at`` alone."""


def _reopened(before: TicketState, after: TicketState) -> TicketState:
    """Forget how a ticket ended if it is open again; the note of its resolution stays in the log."""
    if after.lifecycle is not Lifecycle.OPEN:
        return after
    count = after.reopen_count + (before.lifecycle is Lifecycle.CLOSED)
    return replace(
        after,
        resolution_note="",
        close_note="",
        resolved_at=0,
        closed_at=0,
        close_due=0,
        remind_due=0,
        auto_closed=False,
        auto_noted=False,
        merged_into=b"",
        reopen_count=count,
    )


def _switched(value: bool, change: int) -> bool:  # noqa: FBT001 - a flag and what happens to it
    return (value, False, True)[change]
