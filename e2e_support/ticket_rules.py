"""Which rule of the policy or of the transition table an entry after the first breaks (protocol 5.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from e2e_support.content import (
    CloseBody,
    FieldsBody,
    MergeBody,
    MessageBody,
    ReopenBody,
    ResolutionBody,
)
from e2e_support.form_rules import attachments_reason, choices_reason, level_reason
from e2e_support.policy import Policy
from e2e_support.policy_parts import ClosedReply, NoteMode, UserClose
from e2e_support.ticket_state import NOBODY, Fact, TicketState, count_text, reopen_until
from e2e_support.transitions import TRANSITIONS
from e2e_support.vocab import AuthorRole, Kind, Lifecycle

_CARRIERS: Final = frozenset({Kind.MESSAGE, Kind.RESOLUTION, Kind.CLOSE, Kind.REOPEN})


def broken_rule(state: TicketState, fact: Fact, policy: Policy) -> str:
    """Return a code of ``REASONS``, or the empty string.

    Args:
        state: the ticket when the relay took the entry.
        fact: the entry.
        policy: the policy at the roster head that it cites.
    """
    rule = _RULES.get(fact.kind, _no_reason)
    checks = (_table_reason, _carrier_reason, _text_reason, rule)
    return next((reason for check in checks if (reason := check(state, fact, policy))), "")


def _no_reason(_state: TicketState, _fact: Fact, _policy: Policy) -> str:
    return ""


def _carrier_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    """Files stand where people see them: a ticket must not become a store that nobody looks into."""
    if fact.attachments and fact.kind not in _CARRIERS:
        return "stray_attachment"
    return attachments_reason(state.attachment_bytes, fact.attachments, policy)


def _text_reason(_state: TicketState, fact: Fact, policy: Policy) -> str:
    match fact.body:
        case (
            MessageBody(text=said)
            | ReopenBody(text=said)
            | ResolutionBody(note=said)
            | CloseBody(note=said)
            | MergeBody(note=said)
        ):
            return "text_too_long" if count_text(said) > policy.limits.text_max else ""
        case _:
            return ""


def _table_reason(state: TicketState, fact: Fact, _policy: Policy) -> str:
    row = TRANSITIONS.get((fact.kind, fact.by))
    if row is None:
        return "not_allowed"
    if state.lifecycle in row:
        return ""
    # an open one is only not reopened
    return "closed" if state.lifecycle is Lifecycle.CLOSED else "not_closed"


def _message_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    body = fact.body
    assert isinstance(body, MessageBody)  # noqa: S101 - the body was decoded by its kind
    if not count_text(body.text) and not fact.attachments:
        return "text_empty"
    if body.as_team and fact.by is AuthorRole.USER:
        return "not_allowed"
    if state.lifecycle is not Lifecycle.CLOSED:
        return ""
    reopens = policy.reopen.on_reply in {ClosedReply.REOPEN, ClosedReply.REOPEN_THEN_NEW}
    return _window_reason(state, fact, policy) if reopens or state.merged_into else "closed"


def _window_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    """Judge a user's wish to reopen by the relay's receipt times (§5.7, S4-23)."""
    if state.merged_into:
        return "merged"
    until = reopen_until(state, policy)
    if until == 0:
        return "reopen_never"
    return "reopen_window_over" if until is not None and fact.time > until else ""


def _resolution_reason(_state: TicketState, fact: Fact, policy: Policy) -> str:
    body = fact.body
    assert isinstance(body, ResolutionBody)  # noqa: S101 - the body was decoded by its kind
    if policy.resolution_note is NoteMode.REQUIRED and not count_text(body.note):
        return "resolution_note_needed"
    return "resolution_note_off" if policy.resolution_note is NoteMode.NONE and body.note else ""


def _close_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    body, rule = fact.body, policy.close
    assert isinstance(body, CloseBody)  # noqa: S101 - the body was decoded by its kind
    if fact.by is AuthorRole.DEVICE:
        return "" if rule.staff else "not_allowed"
    if rule.user is UserClose.NEVER:
        return "close_not_allowed"
    if rule.user is UserClose.ANY_OPEN or state.lifecycle is Lifecycle.RESOLVED:
        return ""
    if not rule.mistake_note:
        return "close_not_resolved"
    return "" if count_text(body.note) else "close_note_needed"


def _reopen_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    if fact.by is AuthorRole.DEVICE:
        return "" if policy.reopen.staff or state.lifecycle is Lifecycle.RESOLVED else "reopen_never"
    return _window_reason(state, fact, policy)


def _fields_change_reason(_state: TicketState, fact: Fact, policy: Policy) -> str:
    body = fact.body
    assert isinstance(body, FieldsBody)  # noqa: S101 - the body was decoded by its kind
    if body.category and not policy.category(body.category):
        return "unknown_category"
    if body.priority and not policy.priority.staff_can_change:
        return "priority_not_yours"
    if body.assignee not in {b"", NOBODY} and not policy.staff.show_assignee:  # the staff log says it
        return "not_allowed"
    if not fact.assignable:
        return "unknown_assignee"
    return level_reason(body.priority, policy) or choices_reason(body.fields, policy)


def _merge_reason(state: TicketState, _fact: Fact, policy: Policy) -> str:
    """Judge the end of a ticket that goes on in another; that both are one user's is proven in the entry (5.8)."""
    if not policy.close.staff:
        return "not_allowed"
    return "" if state.user_key else "not_same_user"


def _auto_close_reason(state: TicketState, _fact: Fact, _policy: Policy) -> str:
    return "" if state.auto_closed and not state.auto_noted else "not_due"


_RULES: Final[dict[Kind, Callable[[TicketState, Fact, Policy], str]]] = {
    Kind.MESSAGE: _message_reason,
    Kind.RESOLUTION: _resolution_reason,
    Kind.CLOSE: _close_reason,
    Kind.REOPEN: _reopen_reason,
    Kind.FIELDS: _fields_change_reason,
    Kind.MERGE: _merge_reason,
    Kind.AUTO_CLOSE: _auto_close_reason,
}
