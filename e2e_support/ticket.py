"""What a ticket's log adds up to: one transition table, the rules of the policy, the state (protocol 5.4, 5.5).

Pure and blind to bytes and keys. User clients, consoles and the check before sending all call ``judge``, so
that nobody is offered what others would call nonconforming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from e2e_support.content import (
    CloseBody,
    FieldsBody,
    MergeBody,
    MessageBody,
    OpenBody,
    OpenForBody,
    Pair,
    ReopenBody,
    ResolutionBody,
    StatusBody,
)
from e2e_support.policy import Policy
from e2e_support.policy_parts import (
    AttachmentMode,
    ClosedReply,
    DebugMode,
    NoteMode,
    PriorityMode,
    UserClose,
)
from e2e_support.ticket_state import DAY, NOBODY, Fact, TicketState, advance, count_text, reopen_until
from e2e_support.user import card_in
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Role

_USER, _TEAM = AuthorRole.USER, AuthorRole.DEVICE
_OPEN, _RESOLVED, _CLOSED = Lifecycle.OPEN, Lifecycle.RESOLVED, Lifecycle.CLOSED
_ANY = (_OPEN, _RESOLVED, _CLOSED)


# --- the transition table ------------------------------------------------------------------------------------

TRANSITIONS: Final[dict[tuple[Kind, AuthorRole], dict[Lifecycle, Lifecycle]]] = {
    (Kind.MESSAGE, _USER): {_OPEN: _OPEN, _RESOLVED: _OPEN, _CLOSED: _OPEN},
    (Kind.MESSAGE, _TEAM): {_OPEN: _OPEN, _RESOLVED: _RESOLVED},
    (Kind.STATUS, _TEAM): {_OPEN: _OPEN, _RESOLVED: _OPEN},
    (Kind.FIELDS, _TEAM): {state: state for state in _ANY},
    (Kind.RESOLUTION, _TEAM): {_OPEN: _RESOLVED, _RESOLVED: _RESOLVED},
    (Kind.CLOSE, _USER): {_OPEN: _CLOSED, _RESOLVED: _CLOSED},
    (Kind.CLOSE, _TEAM): {_OPEN: _CLOSED, _RESOLVED: _CLOSED},
    (Kind.REOPEN, _USER): {_CLOSED: _OPEN},
    (Kind.REOPEN, _TEAM): {_CLOSED: _OPEN, _RESOLVED: _OPEN},
    (Kind.BARRIER, _TEAM): {state: state for state in _ANY},
    (Kind.REKEY, _USER): {state: state for state in _ANY},
    (Kind.REKEY, _TEAM): {state: state for state in _ANY},
    (Kind.ACKNOWLEDGEMENT, _USER): {state: state for state in _ANY},
    (Kind.ACKNOWLEDGEMENT, _TEAM): {state: state for state in _ANY},
    (Kind.REDACT, _TEAM): {state: state for state in _ANY},
    (Kind.DUMMY, _USER): {state: state for state in _ANY},
    (Kind.DUMMY, _TEAM): {state: state for state in _ANY},
    (Kind.MERGE, _TEAM): {_OPEN: _CLOSED, _RESOLVED: _CLOSED},
    (Kind.AUTO_CLOSE, _TEAM): {state: state for state in _ANY},
}
"""Who may write what in which state, and which state follows; what is missing is nonconforming."""

_CARRIERS: Final = frozenset({Kind.MESSAGE, Kind.RESOLUTION, Kind.CLOSE, Kind.REOPEN})
_OPENINGS: Final = frozenset({Kind.OPEN, Kind.OPEN_FOR})


def judge(state: TicketState | None, fact: Fact, policy: Policy) -> tuple[TicketState | None, str]:
    """Return the state after an entry, and the rule that it breaks.

    Args:
        state: the ticket so far; ``None`` before its first entry.
        fact: the entry.
        policy: the policy at the roster head that the entry cites.

    Returns:
        (new state, "") or (the same state, a code of ``REASONS``).
    """
    if fact.role in {Role.AUDITOR, Role.RECOVERY}:
        return state, "not_allowed"
    if state is None or fact.kind in _OPENINGS:
        return _judge_open(state, fact, policy)
    reached = advance(state, fact.time)
    rule = _RULES.get(fact.kind, _no_reason)
    checks = (_table_reason, _carrier_reason, _text_reason, rule)
    reason = next((reason for check in checks if (reason := check(reached, fact, policy))), "")
    return (state, reason) if reason else (_after(reached, fact, policy), "")


# --- opening ---------------------------------------------------------------------------------------------------


def _judge_open(state: TicketState | None, fact: Fact, policy: Policy) -> tuple[TicketState | None, str]:
    if state is not None:
        return state, "not_first"
    if fact.kind not in _OPENINGS or (fact.kind is Kind.OPEN) != (fact.by is _USER):
        return None, "not_allowed"
    if fact.seq:
        return None, "not_first"  # who the user is, and how to reach them, clients take from the first entry
    body = fact.body
    if isinstance(body, OpenForBody):
        reason = _open_for_reason(body, policy) or _carrier_reason(None, fact, policy)
        return (None, reason) if reason else (_opened_for(body, fact, policy), "")
    assert isinstance(body, OpenBody)  # noqa: S101 - the body was decoded by its kind
    reason = _open_reason(body, fact, policy)
    return (None, reason) if reason else (_opened(body, fact, policy), "")


def _opened(body: OpenBody, fact: Fact, policy: Policy) -> TicketState:
    return TicketState(
        body.subject,
        body.category,
        body.priority or _implied_priority(body.category, policy),
        body.fields,
        body.related,
        created_at=fact.time,
        updated_at=fact.time,
        waiting_since=fact.time,
        attachment_bytes=_size(fact),
        user_key=body.user_key,
    )


def _opened_for(body: OpenForBody, fact: Fact, policy: Policy) -> TicketState:
    """Return a ticket that begins with the team's word; nobody waits for the team yet."""
    card = card_in(body.card)
    return TicketState(
        body.subject,
        body.category,
        body.priority or _implied_priority(body.category, policy),
        body.fields,
        "",
        created_at=fact.time,
        updated_at=fact.time,
        first_response_at=fact.time,
        waiting_user=bool(policy.moves.staff_reply_waits),
        last_by=_TEAM,
        user_key=card.user_key,
        opened_by=_TEAM,
        last_user_seq=-1,
    )


def _size(fact: Fact) -> int:
    return sum(attachment.size for attachment in fact.attachments)


def _open_for_reason(body: OpenForBody, policy: Policy) -> str:
    """Judge what the team writes first: its lengths have no least, and it need not fill in the form."""
    limits = policy.limits
    checks = (
        _length_reason("subject", body.subject, 1, limits.subject_max),
        _length_reason("text", body.text, 1, limits.text_max),
        "" if policy.category(body.category) else "unknown_category",
        _level_reason(body.priority, policy),
        _choices_reason(body.fields, policy),
    )
    return next((reason for reason in checks if reason), "")


def _open_reason(body: OpenBody, fact: Fact, policy: Policy) -> str:
    limits = policy.limits
    checks = (
        _length_reason("subject", body.subject, limits.subject_min, limits.subject_max),
        _length_reason("text", body.text, limits.text_min, limits.text_max),
        "" if policy.category(body.category) else "unknown_category",
        _priority_reason(body.priority, policy),
        _fields_reason(body.fields, policy),
        "debug_off" if body.debug and policy.debug_data is DebugMode.OFF else "",
        _attachments_reason(0, fact, policy),
    )
    return next((reason for reason in checks if reason), "")


def _length_reason(what: str, text: str, low: int, high: int) -> str:
    length = count_text(text)
    return f"{what}_too_short" if length < low else f"{what}_too_long" if length > high else ""


def _priority_reason(priority: str, policy: Policy) -> str:
    if not priority:
        return ""
    if policy.priority.mode is not PriorityMode.USER:
        return "priority_not_yours"
    return _level_reason(priority, policy)


def _level_reason(priority: str, policy: Policy) -> str:
    """Judge a priority that is set at all: a computed one nobody sets (S2-24)."""
    if not priority:
        return ""
    if policy.priority.mode is PriorityMode.BY_CATEGORY:
        return "priority_not_yours"
    return "" if policy.level(priority) else "unknown_priority"


def _implied_priority(category: str, policy: Policy) -> str:
    """Return the priority that is computed and never transmitted, so that nobody can forge it (S2-24)."""
    implied = {item.category: item.level for item in policy.priority.by_category}
    return implied.get(category, policy.priority.initial)


def _fields_reason(fields: tuple[Pair, ...], policy: Policy) -> str:
    answered = {pair.name for pair in fields if pair.value}
    missing = any(field.required and field.id not in answered for field in policy.fields)
    return _choices_reason(fields, policy) or ("field_missing" if missing else "")


def _choices_reason(fields: tuple[Pair, ...], policy: Policy) -> str:
    known = {field.id: field.choices for field in policy.fields}
    good = all(
        pair.name in known and (not known[pair.name] or pair.value in known[pair.name]) for pair in fields
    )
    return "" if good and len({pair.name for pair in fields}) == len(fields) else "unknown_field"


def _attachments_reason(before: int, fact: Fact, policy: Policy) -> str:
    files, rules = fact.attachments, policy.attachments
    if not files:
        return ""
    if rules.mode is AttachmentMode.OFF:
        return "attachments_off"
    if rules.mode is AttachmentMode.IMAGES and not all(f.media_type.startswith("image/") for f in files):
        return "attachment_type"
    if len(files) > rules.files_max:
        return "too_many_attachments"
    if any(file.size > rules.file_bytes_max for file in files):
        return "attachment_too_large"
    return "ticket_full" if before + sum(file.size for file in files) > rules.ticket_bytes_max else ""


# --- everything after ----------------------------------------------------------------------------------------


def _no_reason(_state: TicketState, _fact: Fact, _policy: Policy) -> str:
    return ""


def _carrier_reason(state: TicketState | None, fact: Fact, policy: Policy) -> str:
    """Files stand where people see them: a ticket must not become a store that nobody looks into."""
    if fact.attachments and fact.kind not in _CARRIERS:
        return "stray_attachment"
    return _attachments_reason(state.attachment_bytes if state else 0, fact, policy)


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
    return (
        "closed"
        if state.lifecycle is _CLOSED
        else "not_closed"
        if fact.kind is Kind.REOPEN
        else "not_allowed"
    )


def _message_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    body = fact.body
    assert isinstance(body, MessageBody)  # noqa: S101 - the body was decoded by its kind
    if not count_text(body.text) and not fact.attachments:
        return "text_empty"
    if body.as_team and fact.by is _USER:
        return "not_allowed"
    if state.lifecycle is not _CLOSED:
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
    if fact.by is _TEAM:
        return "" if rule.staff else "not_allowed"
    if rule.user is UserClose.NEVER:
        return "close_not_allowed"
    if rule.user is UserClose.ANY_OPEN or state.lifecycle is _RESOLVED:
        return ""
    if not rule.mistake_note:
        return "close_not_resolved"
    return "" if count_text(body.note) else "close_note_needed"


def _reopen_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    if fact.by is _TEAM:
        return "" if policy.reopen.staff or state.lifecycle is _RESOLVED else "reopen_never"
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
    return _level_reason(body.priority, policy) or _choices_reason(body.fields, policy)


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


def _after(state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    """Return the state after an entry that breaks no rule."""
    following = TRANSITIONS[fact.kind, fact.by][state.lifecycle]
    effect = _EFFECTS.get(fact.kind)
    if effect is None:
        return replace(state, auto_noted=state.auto_noted or fact.kind is Kind.AUTO_CLOSE)
    size = state.attachment_bytes + _size(fact)
    moved = replace(state, lifecycle=following, updated_at=fact.time, attachment_bytes=size)
    return effect(state, moved, fact, policy)


def _on_message(before: TicketState, state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    moves = policy.moves
    if fact.by is _TEAM:
        first = state.first_response_at or fact.time
        waiting = state.waiting_user or bool(moves.staff_reply_waits)
        return replace(state, last_by=_TEAM, first_response_at=first, waiting_user=waiting, waiting_since=0)
    if before.lifecycle is _RESOLVED and not moves.user_reply_reopens:
        state = replace(_postponed(state, fact.time), lifecycle=_RESOLVED)
    waiting = state.waiting_user and not moves.user_reply_clears
    since = before.waiting_since or fact.time
    spoken = replace(state, last_by=_USER, last_user_seq=fact.seq, waiting_user=waiting, waiting_since=since)
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
    implied = _implied_priority(category, policy) if computed else state.priority
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
        last_by=_TEAM,
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
    by_user = fact.by is _USER
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
    if before.lifecycle is _OPEN or after.lifecycle is not _OPEN:
        return after
    count = after.reopen_count + (before.lifecycle is _CLOSED)
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
