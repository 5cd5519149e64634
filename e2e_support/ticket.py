"""What a ticket's log adds up to: one transition table, the rules of the policy, the state (protocol 5.4, 5.5).

Pure and blind to bytes and keys. User clients, consoles and the check before sending all call ``judge``, so
that nobody is offered what others would call nonconforming.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from e2e_support.codec import Message
from e2e_support.content import (
    Attachment,
    CloseBody,
    FieldsBody,
    MessageBody,
    OpenBody,
    Pair,
    ReopenBody,
    ResolutionBody,
    StatusBody,
)
from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.policy_parts import (
    AttachmentMode,
    ClosedReply,
    Condition,
    DebugMode,
    LabelRule,
    NoteMode,
    PriorityMode,
    UserClose,
    UserReopen,
)
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Role

DAY: Final = 24 * 3600
NOBODY: Final = bytes(16)
_USER, _TEAM = AuthorRole.USER, AuthorRole.DEVICE
_OPEN, _RESOLVED, _CLOSED = Lifecycle.OPEN, Lifecycle.RESOLVED, Lifecycle.CLOSED
_ANY = (_OPEN, _RESOLVED, _CLOSED)


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
    """

    seq: int
    kind: Kind
    by: AuthorRole
    body: Message
    time: int
    role: Role | None = None
    device: bytes = b""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketState:
    """A ticket as all clients of one side see it. Times are receipt times in seconds since 1970; 0 is never."""

    subject: str
    category: str
    priority: str
    fields: tuple[Pair, ...]
    related: str
    created_at: int
    updated_at: int
    lifecycle: Lifecycle = _OPEN
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
    last_by: AuthorRole = _USER
    attachment_bytes: int = 0


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
}
"""Who may write what in which state, and which state follows; what is missing is nonconforming."""

_CARRIERS: Final = frozenset({Kind.MESSAGE, Kind.RESOLUTION, Kind.CLOSE, Kind.REOPEN})

REASONS: Final[dict[str, tuple[str, str]]] = {
    "not_allowed": ("this side may not do that", "Look at what the ticket offers now."),
    "not_first": ("a ticket is opened once", "Write a message instead."),
    "closed": ("the ticket is closed", "Open a new ticket that refers to this one."),
    "not_closed": ("the ticket is not closed", "Nothing needs to be reopened."),
    "reopen_never": ("closed tickets stay closed here", "Open a new ticket that refers to this one."),
    "reopen_window_over": ("the time to reopen is over", "Open a new ticket that refers to this one."),
    "close_not_allowed": ("only the team closes tickets here", "Say in a message that it is done."),
    "close_not_resolved": ("a ticket can be closed once it is resolved", "Wait for the resolution or write."),
    "close_note_needed": ("closing an unresolved ticket needs a note", "Say with a note why it is closed."),
    "resolution_note_needed": ("a resolution needs a note", "Say how it was resolved."),
    "resolution_note_off": ("resolutions carry no note here", "Leave the note out."),
    "subject_too_short": ("the subject is too short", "Say in a few words what it is about."),
    "subject_too_long": ("the subject is too long", "Shorten it; details belong into the text."),
    "text_too_short": ("the text is too short", "Describe it in a little more detail."),
    "text_too_long": ("the text is too long", "Shorten it, or attach it as a file."),
    "text_empty": ("the text is empty", "Write something."),
    "unknown_category": ("there is no such category", "Choose one of the list."),
    "unknown_priority": ("there is no such priority", "Choose one of the list."),
    "priority_not_yours": ("the priority is not chosen by this side here", "Leave it out."),
    "unknown_field": ("there is no such field or choice", "Choose from the form."),
    "field_missing": ("a required field is missing", "Fill in the form."),
    "attachments_off": ("attachments are not accepted here", "Describe it in words."),
    "attachment_type": ("only images are accepted here", "Send a picture or describe it in words."),
    "too_many_attachments": ("too many attachments", "Send fewer files."),
    "attachment_too_large": ("an attachment is too large", "Send a smaller file or a part of it."),
    "ticket_full": ("the ticket's attachments are over its limit", "Send fewer or smaller files."),
    "stray_attachment": ("this entry carries no attachments", "Send them with a message."),
    "debug_off": ("debug data is not accepted here", "Leave it out."),
    "same_message": ("the same message stands there already", "Nothing to do."),
}
"""Every rule that ``judge`` can find broken: code → (what is wrong, what to do)."""


def refusal(reason: str) -> UsageError:
    """Return the error that tells a person which rule stands against what they want."""
    message, hint = REASONS[reason]
    return UsageError(reason, message, hint=hint)


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
    if state is None or fact.kind is Kind.OPEN:
        return _judge_open(state, fact, policy)
    rule = _RULES.get(fact.kind, _no_reason)
    checks = (_table_reason, _carrier_reason, _text_reason, rule)
    reason = next((reason for check in checks if (reason := check(state, fact, policy))), "")
    return (state, reason) if reason else (_after(state, fact, policy), "")


def label(state: TicketState, policy: Policy, *, staff: frozenset[Condition] | None = None) -> LabelRule:
    """Return the status that people see: the first rule of the side's table that holds.

    Args:
        state: the ticket.
        policy: the newest policy.
        staff: facts of the staff log for the team's table; ``None`` for the user's.
    """
    facts = _conditions(state) | (staff or frozenset())
    rules = policy.labels_user if staff is None else policy.labels_staff
    return next((rule for rule in rules if facts.issuperset(rule.conditions)), rules[-1])


def count_text(text: str) -> int:
    """Return how long a text is for the policy's limits: code points after NFC without outer white space."""
    return len(unicodedata.normalize("NFC", text).strip())


# --- opening ---------------------------------------------------------------------------------------------------


def _judge_open(state: TicketState | None, fact: Fact, policy: Policy) -> tuple[TicketState | None, str]:
    body = fact.body
    if state is not None:
        return state, "not_first"
    if not isinstance(body, OpenBody) or fact.by is not _USER:
        return None, "not_allowed"
    if fact.seq:
        return None, "not_first"  # who the user is, and how to reach them, clients take from the first entry
    reason = _open_reason(body, fact, policy)
    if reason:
        return None, reason
    priority = body.priority or _implied_priority(body.category, policy)
    size = sum(attachment.size for attachment in fact.attachments)
    return TicketState(
        body.subject,
        body.category,
        priority,
        body.fields,
        body.related,
        created_at=fact.time,
        updated_at=fact.time,
        waiting_since=fact.time,
        attachment_bytes=size,
    ), ""


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
    return "" if policy.level(priority) else "unknown_priority"


def _implied_priority(category: str, policy: Policy) -> str:
    """Return the priority that is computed and never transmitted, so that nobody can forge it (S2-24)."""
    implied = {item.category: item.level for item in policy.priority.by_category}
    return implied.get(category, policy.priority.initial)


def _fields_reason(fields: tuple[Pair, ...], policy: Policy) -> str:
    values = {pair.name: pair.value for pair in fields}
    if len(values) < len(fields):
        return "unknown_field"
    known = {field.id: field for field in policy.fields}
    for name, value in values.items():
        if name not in known or (known[name].choices and value not in known[name].choices):
            return "unknown_field"
    missing = any(field.required and not values.get(field.id) for field in policy.fields)
    return "field_missing" if missing else ""


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


def _carrier_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    """Files stand where people see them: a ticket must not become a store that nobody looks into."""
    if fact.attachments and fact.kind not in _CARRIERS:
        return "stray_attachment"
    return _attachments_reason(state.attachment_bytes, fact, policy)


def _text_reason(_state: TicketState, fact: Fact, policy: Policy) -> str:
    match fact.body:
        case (
            MessageBody(text=said) | ReopenBody(text=said) | ResolutionBody(note=said) | CloseBody(note=said)
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
    return _window_reason(state, fact, policy) if reopens else "closed"


def _window_reason(state: TicketState, fact: Fact, policy: Policy) -> str:
    """Judge a user's wish to reopen by the relay's receipt times (§5.7, S4-23)."""
    rule = policy.reopen
    if rule.user is UserReopen.NEVER:
        return "reopen_never"
    over = fact.time > state.closed_at + rule.window_days * DAY
    return "reopen_window_over" if rule.user is UserReopen.WINDOW and over else ""


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
    if body.priority and not policy.level(body.priority):
        return "unknown_priority"
    known = {field.id: field for field in policy.fields}
    good = all(
        pair.name in known and (not known[pair.name].choices or pair.value in known[pair.name].choices)
        for pair in body.fields
    )
    return "" if good else "unknown_field"


_RULES: Final[dict[Kind, Callable[[TicketState, Fact, Policy], str]]] = {
    Kind.MESSAGE: _message_reason,
    Kind.RESOLUTION: _resolution_reason,
    Kind.CLOSE: _close_reason,
    Kind.REOPEN: _reopen_reason,
    Kind.FIELDS: _fields_change_reason,
}


def _after(state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    """Return the state after an entry that breaks no rule."""
    following = TRANSITIONS[fact.kind, fact.by][state.lifecycle]
    size = state.attachment_bytes + sum(attachment.size for attachment in fact.attachments)
    moved = replace(state, lifecycle=following, updated_at=fact.time, attachment_bytes=size)
    effect = _EFFECTS.get(fact.kind)
    return effect(state, moved, fact, policy) if effect else replace(moved, updated_at=state.updated_at)


def _on_message(before: TicketState, state: TicketState, fact: Fact, policy: Policy) -> TicketState:
    moves = policy.moves
    if fact.by is _TEAM:
        first = state.first_response_at or fact.time
        waiting = state.waiting_user or bool(moves.staff_reply_waits)
        return replace(state, last_by=_TEAM, first_response_at=first, waiting_user=waiting, waiting_since=0)
    if before.lifecycle is _RESOLVED and not moves.user_reply_reopens:
        state = replace(state, lifecycle=_RESOLVED)
    waiting = state.waiting_user and not moves.user_reply_clears
    since = before.waiting_since or fact.time
    return _reopened(before, replace(state, last_by=_USER, waiting_user=waiting, waiting_since=since))


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


def _on_resolution(_before: TicketState, state: TicketState, fact: Fact, _policy: Policy) -> TicketState:
    body = fact.body
    assert isinstance(body, ResolutionBody)  # noqa: S101 - the body was decoded by its kind
    first = state.first_response_at or fact.time
    return replace(
        state,
        resolution_note=body.note,
        resolved_at=fact.time,
        first_response_at=first,
        waiting_since=0,
        last_by=_TEAM,
    )


def _on_close(_before: TicketState, state: TicketState, fact: Fact, _policy: Policy) -> TicketState:
    body = fact.body
    assert isinstance(body, CloseBody)  # noqa: S101 - the body was decoded by its kind
    return replace(state, close_note=body.note, closed_at=fact.time, waiting_since=0, waiting_user=False)


def _on_reopen(before: TicketState, state: TicketState, fact: Fact, _policy: Policy) -> TicketState:
    assert isinstance(fact.body, ReopenBody)  # noqa: S101 - the body was decoded by its kind
    since = fact.time if fact.by is _USER else 0
    return _reopened(before, replace(state, last_by=fact.by, waiting_since=since))


_EFFECTS: Final[dict[Kind, Callable[[TicketState, TicketState, Fact, Policy], TicketState]]] = {
    Kind.MESSAGE: _on_message,
    Kind.STATUS: _on_status,
    Kind.FIELDS: _on_fields,
    Kind.RESOLUTION: _on_resolution,
    Kind.CLOSE: _on_close,
    Kind.REOPEN: _on_reopen,
}
"""Kinds that people see; all others keep the log in order and leave even ``updated_at`` alone."""


def _reopened(before: TicketState, after: TicketState) -> TicketState:
    """Forget how a ticket ended if it is open again; the note of its resolution stays in the log."""
    if before.lifecycle is _OPEN or after.lifecycle is not _OPEN:
        return after
    count = after.reopen_count + (before.lifecycle is _CLOSED)
    return replace(after, resolution_note="", close_note="", resolved_at=0, closed_at=0, reopen_count=count)


def _switched(value: bool, change: int) -> bool:  # noqa: FBT001 - a flag and what happens to it
    return (value, False, True)[change]


def _conditions(state: TicketState) -> frozenset[Condition]:
    held = {
        Condition.CLOSED: state.lifecycle is _CLOSED,
        Condition.RESOLVED: state.lifecycle is _RESOLVED,
        Condition.PROGRESS: state.progress,
        Condition.WAITING_USER: state.waiting_user,
        Condition.ASSIGNED: bool(state.assignee),
        Condition.LAST_STAFF: state.last_by is _TEAM,
        Condition.LAST_USER: state.last_by is _USER,
        Condition.STAFF_REPLIED: bool(state.first_response_at),
    }
    return frozenset(condition for condition, holds in held.items() if holds)
