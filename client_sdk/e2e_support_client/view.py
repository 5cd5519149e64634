"""Turns opened entries and ticket state into what people read; pure, and never trusting a text for a role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from e2e_support.codec import Message as Body
from e2e_support.content import (
    Attachment,
    CloseBody,
    MergeBody,
    MessageBody,
    OpenBody,
    OpenForBody,
    ReopenBody,
    ResolutionBody,
)
from e2e_support.ids import DeviceId, MemberId
from e2e_support.limits import CLOCK_WARNING
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.policy_parts import StaffIdentity, UserDelete
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.ticket import judge
from e2e_support.ticket_state import Fact, TicketState, label
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Verdict
from e2e_support_client.model import AttachmentInfo, Author, EventKind, Message, Role, TicketSummary, utc
from e2e_support_client.people import TeamChange

TEAM_NAME: Final = "Support team"
USER_NAME: Final = "You"
UNKNOWN_NAME: Final = "Unknown"

_KINDS: Final = {
    Kind.OPEN: EventKind.OPENED,
    Kind.MESSAGE: EventKind.MESSAGE,
    Kind.STATUS: EventKind.STATUS,
    Kind.FIELDS: EventKind.FIELDS,
    Kind.RESOLUTION: EventKind.RESOLVED,
    Kind.CLOSE: EventKind.CLOSED,
    Kind.REOPEN: EventKind.REOPENED,
    Kind.MERGE: EventKind.CLOSED,
    Kind.OPEN_FOR: EventKind.OPENED,
    Kind.AUTO_CLOSE: EventKind.CLOSED,
}
"""Kinds of entries that people are told of; all others only keep the log in order."""

_ACTIONS: Final = {
    "reply": (Kind.MESSAGE, MessageBody("x", 0)),
    "close": (Kind.CLOSE, CloseBody("x", "")),
    "reopen": (Kind.REOPEN, ReopenBody("x")),
}


def event_kind(opened: Opened) -> EventKind | None:
    """Return what an entry tells the person; ``None`` for housekeeping and for a repetition of a message."""
    if opened.reason == "same_message":
        return None
    if opened.inner is None or opened.verdict is Verdict.FORGED:
        return EventKind.PROBLEM
    kind = _KINDS.get(opened.inner.kind)
    return EventKind.PROBLEM if kind and opened.verdict is not Verdict.OK else kind


def role_of(opened: Opened) -> Role:
    """Return who signed an entry: the team only if a device of the verified roster did (P5, attack 41)."""
    if opened.inner is None or opened.verdict is Verdict.FORGED:
        return Role.UNKNOWN
    if opened.inner.author.role is AuthorRole.USER:
        return Role.USER
    return Role.TEAM if opened.device is not None else Role.UNKNOWN


def kind_of(opened: Opened) -> str:
    """Return what an entry is in one word, whatever its verdict: an ``EventKind`` or the name of its kind."""
    if opened.inner is None:
        return EventKind.PROBLEM
    return _KINDS.get(opened.inner.kind, opened.inner.kind.name.lower())


def author_of(opened: Opened, policy: Policy, user: str) -> Author:
    """Return who wrote an entry, as the policy wants them shown; arguments as ``messages``."""
    role = role_of(opened)
    if role is Role.USER:
        return Author(role, user or USER_NAME)
    if role is Role.UNKNOWN or opened.device is None:
        return Author(Role.UNKNOWN, UNKNOWN_NAME)
    name = TEAM_NAME if _as_team(opened, policy) else opened.device.label
    return Author(role, name, opened.device.device_id.hex())


def messages(entries: Iterable[Opened], policy: Policy, user: str) -> Iterator[Message]:
    """Yield what was said, in order; what is wrong is marked and never dropped.

    Args:
        entries: with their final verdicts.
        policy: the newest policy, which says how the team is named.
        user: display name of the user; empty for "You".
    """
    said: dict[bytes, bytes] = {}
    entries = list(entries)
    confirmed = max(
        (o.seq for o in entries if o.verdict is Verdict.OK and role_of(o) is Role.TEAM), default=0
    )
    for opened in entries:
        inner = opened.inner
        if inner and opened.reason == "same_message" and said.get(inner.message_id) == inner.body:
            continue  # a lost answer made the same words stand twice (attack 87)
        message = message_of(opened, policy, user)
        if message is not None:
            by_user = message.author.role is Role.USER
            yield replace(message, confirmed=by_user and message.seq < confirmed)
        if inner:
            said.setdefault(inner.message_id, inner.body)


def message_of(opened: Opened, policy: Policy, user: str) -> Message | None:
    """Return what an entry says; ``None`` if it is good and has neither text nor files."""
    inner = opened.inner
    text = "" if opened.verdict is Verdict.FORGED else text_of(opened.body)
    files = inner.attachments if inner and opened.verdict is not Verdict.FORGED else ()
    if opened.verdict is Verdict.OK and not text and not files:
        return None
    differs = inner is not None and abs(inner.time - opened.received) > CLOCK_WARNING
    return Message(
        opened.seq,
        _KINDS.get(inner.kind, EventKind.PROBLEM) if inner else EventKind.PROBLEM,
        author_of(opened, policy, user),
        text,
        utc(opened.received),
        opened.verdict,
        opened.reason,
        attachments=tuple(_file(file) for file in files),
        clock_differs=differs,
    )


def team_events(entries: Sequence[Opened], roster: TrustedRoster) -> Iterator[TeamChange]:
    """Yield who came to read a ticket and who no longer can, between the roster heads that its entries cite.

    Args:
        entries: with their final verdicts.
        roster: the newest; what changed since the last entry is told behind it.
    """
    known = 0
    for opened in entries:
        if opened.verdict is Verdict.OK and opened.inner is not None:
            cited = opened.inner.roster_head.length
            yield from _changes(roster, known or cited, cited, opened.seq)
            known = max(known, cited)
    yield from _changes(roster, known or len(roster.links), len(roster.links), len(entries))


def _changes(roster: TrustedRoster, start: int, end: int, after: int) -> Iterator[TeamChange]:
    told: list[tuple[int, str]] = []
    for device in roster.devices_ever.values():
        who = f"{device.record.label} ({device.record.role.name.lower()})"
        if start <= device.added < end:
            first = device.record.member_id == MemberId(device.record.device_id)
            what = "A new administrator" if first else "A further device of an administrator"
            told.append((device.added, f"{what} can read this ticket: {who}"))
        if device.revoked is not None and start <= device.revoked < end:
            told.append((device.revoked, f"Removed, and reads nothing that is written from now on: {who}"))
    for seq, what in sorted(told):
        yield TeamChange(utc(open_link(roster.links[seq]).body.time), what, after)


def summary(
    number: str,
    state: TicketState | None,
    policy: Policy,
    *,
    unread: int,
    problem: str,
    hidden: bool = False,
) -> TicketSummary | None:
    """Return a ticket's line in the list; ``None`` while it has no valid opening."""
    if state is None:
        return None
    shown = label(state, policy)
    return TicketSummary(
        number,
        state.subject,
        shown.id,
        shown.text,
        state.category,
        state.priority,
        utc(state.created_at),
        utc(state.updated_at),
        unread,
        problem,
        hidden,
    )


def actions(state: TicketState, policy: Policy, now: int) -> frozenset[str]:
    """Return what the rules let the user do now; the relay's clock may differ a little from ``now``."""
    allowed: set[str] = set()
    for name, (kind, body) in _ACTIONS.items():
        _, reason = judge(state, Fact(1, kind, AuthorRole.USER, body, now), policy)
        if not reason:
            allowed.add(name)
    closed = state.lifecycle is Lifecycle.CLOSED
    if closed and policy.delete.user is not UserDelete.NEVER:
        allowed.add("hide")
    if closed and policy.delete.user is UserDelete.ERASE_CLOSED:
        allowed.add("erase")
    if closed and not allowed & {"reply", "reopen"} and not state.merged_into:
        allowed.add("follow_up")
    return frozenset(allowed)


def closing_of(state: TicketState) -> int:
    """Return which closing of a ticket this is, counted from 1; 0 while it is not closed."""
    return state.reopen_count + 1 if state.lifecycle is Lifecycle.CLOSED else 0


def assignee_name(state: TicketState, roster: TrustedRoster) -> str:
    """Return who works on a ticket, where users may see that; empty for nobody."""
    if not state.assignee or not roster.policy.staff.show_assignee:
        return ""
    return device_name(state.assignee, roster)


def device_name(device_id: bytes, roster: TrustedRoster) -> str:
    """Return what a device of the team, or the member whose first it is, is called; also one that was removed."""
    device = roster.devices_ever.get(DeviceId(device_id))
    return device.record.label if device else UNKNOWN_NAME


def text_of(body: Body | None) -> str:
    """Return what a body says; empty for one that says nothing."""
    match body:
        case OpenBody(text=text) | OpenForBody(text=text) | MessageBody(text=text) | ReopenBody(text=text):
            return text
        case ResolutionBody(note=note) | CloseBody(note=note) | MergeBody(note=note):
            return note
        case _:
            return ""


def _as_team(opened: Opened, policy: Policy) -> bool:
    """Whether the team answers as one here (C12): by policy, or as the administrator chose."""
    match policy.staff.identity:
        case StaffIdentity.TEAM:
            return True
        case StaffIdentity.NAMED:
            return False
        case StaffIdentity.PER_ADMIN:
            return bool(opened.body.as_team if isinstance(opened.body, MessageBody) else policy.staff.as_team)


def _file(file: Attachment) -> AttachmentInfo:
    return AttachmentInfo(file.name, file.size, file.media_type)
