"""What a ticket's staff log adds up to: flags, tags, notes and links that only the team knows of (protocol 5.6).

Each entry names the shared head that it was written against, so that "set aside" ends when the user speaks again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from e2e_support.content import AssignBody, FlagBody, NoteBody, RelationBody, SnoozeBody, TagBody
from e2e_support.ids import MailboxId
from e2e_support.limits import TAGS_MAX
from e2e_support.policy import Policy
from e2e_support.policy_parts import Condition
from e2e_support.ticket_state import NOBODY, Fact, TicketState, count_text
from e2e_support.vocab import WRITERS, Kind


@dataclass(frozen=True, slots=True)
class Flag:
    """A mark on a ticket.

    Attributes:
        on: whether it is set.
        reason: why.
        shared: how long the shared log was when it was set.
    """

    on: bool = False
    reason: str = ""
    shared: int = 0


@dataclass(frozen=True, slots=True)
class StaffState:
    """A ticket as only the team sees it; ``snoozed_until`` is in seconds since 1970.

    Attributes:
        tags: in alphabetical order.
        assignee: member id; empty for nobody, and where users see the assignee.
        hold: waits for something outside.
        archived: kept for the record.
        spam: no request at all.
        snoozed_until: out of sight until then; 0 is awake.
        snoozed_shared: how long the shared log was when it was put out of sight.
        links: shared logs of tickets that belong to it, in the order in which they were named.
        notes: how many there are.
    """

    tags: tuple[str, ...] = ()
    assignee: bytes = b""
    hold: Flag = Flag()
    archived: Flag = Flag()
    spam: Flag = Flag()
    snoozed_until: int = 0
    snoozed_shared: int = 0
    links: tuple[MailboxId, ...] = ()
    notes: int = 0


def judge_staff(state: StaffState | None, fact: Fact, policy: Policy) -> tuple[StaffState | None, str]:
    """Return the state after an entry of a staff log, and the rule that it breaks.

    Args:
        state: the staff log so far; ``None`` before its first entry.
        fact: the entry.
        policy: the policy at the roster head that the entry cites.

    Returns:
        (new state, "") or (the same state, a code of ``REASONS``).
    """
    if fact.role not in WRITERS or fact.attachments:
        return state, "not_allowed"
    if fact.kind is Kind.STAFF_OPEN:
        return (StaffState(), "") if state is None else (state, "not_first")
    if state is None:
        return None, "not_allowed"
    if fact.kind in _HOUSEKEEPING:
        return state, ""
    effect = _EFFECTS.get(fact.kind)
    return effect(state, fact, policy) if effect else (state, "not_allowed")


def staff_conditions(
    staff: StaffState | None, ticket: TicketState, policy: Policy, now: int
) -> frozenset[Condition]:
    """Return the facts of the staff log that hold now, for the team's label table.

    Args:
        staff: the staff log; ``None`` where there is none.
        ticket: the shared log: a word of the user brings a ticket back that was put aside before it.
        policy: the newest policy.
        now: seconds since 1970.
    """
    if staff is None:
        return frozenset()
    held = {
        Condition.ASSIGNED: bool(staff.assignee) and not policy.staff.show_assignee,
        Condition.HOLD: _holds(staff.hold, ticket) if policy.moves.user_reply_clears else staff.hold.on,
        Condition.ARCHIVED: _holds(staff.archived, ticket),
        Condition.SPAM: staff.spam.on,
        Condition.SNOOZED: now < staff.snoozed_until and ticket.last_user_seq < staff.snoozed_shared,
    }
    return frozenset(condition for condition, holds in held.items() if holds)


def _holds(flag: Flag, ticket: TicketState) -> bool:
    return flag.on and ticket.last_user_seq < flag.shared


# --- what each kind does ---------------------------------------------------------------------------------

_HOUSEKEEPING: Final = frozenset({Kind.BARRIER, Kind.REKEY, Kind.DUMMY})
_Effect = Callable[[StaffState, Fact, Policy], tuple[StaffState, str]]


def _on_note(state: StaffState, fact: Fact, _policy: Policy) -> tuple[StaffState, str]:
    assert isinstance(fact.body, NoteBody)  # noqa: S101 - the body was decoded by its kind
    if not count_text(fact.body.text):
        return state, "text_empty"
    return replace(state, notes=state.notes + 1), ""


def _on_tag(state: StaffState, fact: Fact, _policy: Policy) -> tuple[StaffState, str]:
    body = fact.body
    assert isinstance(body, TagBody)  # noqa: S101 - the body was decoded by its kind
    tags = (set(state.tags) | set(body.add)) - set(body.remove)
    if len(tags) > TAGS_MAX or not all(count_text(tag) for tag in body.add):
        return state, "bad_tag"
    return replace(state, tags=tuple(sorted(tags))), ""


def _on_assign(state: StaffState, fact: Fact, policy: Policy) -> tuple[StaffState, str]:
    body = fact.body
    assert isinstance(body, AssignBody)  # noqa: S101 - the body was decoded by its kind
    if body.assignee == NOBODY:
        return replace(state, assignee=b""), ""
    if policy.staff.show_assignee:  # then it stands where users see it
        return state, "not_allowed"
    if not fact.assignable:
        return state, "unknown_assignee"
    return replace(state, assignee=body.assignee), ""


def _flag(fact: Fact) -> Flag:
    body = fact.body
    assert isinstance(body, FlagBody)  # noqa: S101 - the body was decoded by its kind
    return Flag(bool(body.on), body.reason, body.shared.length)


def _on_hold(state: StaffState, fact: Fact, _policy: Policy) -> tuple[StaffState, str]:
    return replace(state, hold=_flag(fact)), ""


def _on_archive(state: StaffState, fact: Fact, policy: Policy) -> tuple[StaffState, str]:
    flag = _flag(fact)
    if flag.on and not policy.delete.archive:
        return state, "archive_off"
    return replace(state, archived=flag), ""


def _on_spam(state: StaffState, fact: Fact, _policy: Policy) -> tuple[StaffState, str]:
    return replace(state, spam=_flag(fact)), ""


def _on_snooze(state: StaffState, fact: Fact, _policy: Policy) -> tuple[StaffState, str]:
    body = fact.body
    assert isinstance(body, SnoozeBody)  # noqa: S101 - the body was decoded by its kind
    return replace(state, snoozed_until=body.until, snoozed_shared=body.shared.length), ""


def _on_link(state: StaffState, fact: Fact, _policy: Policy) -> tuple[StaffState, str]:
    body = fact.body
    assert isinstance(body, RelationBody)  # noqa: S101 - the body was decoded by its kind
    others = tuple(link for link in state.links if link != body.other)
    return replace(state, links=(*others, body.other) if body.on else others), ""


_EFFECTS: Final[dict[Kind, _Effect]] = {
    Kind.NOTE: _on_note,
    Kind.TAG: _on_tag,
    Kind.ASSIGN: _on_assign,
    Kind.HOLD: _on_hold,
    Kind.ARCHIVE: _on_archive,
    Kind.SPAM: _on_spam,
    Kind.SNOOZE: _on_snooze,
    Kind.LINK: _on_link,
}
