"""Keeps the line of each ticket, and its texts in the search, equal to both of its logs.

A row is made anew whenever one of the logs moves, when the policy changes, and when time alone changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from e2e_support.content import NoteBody, OpenBody, StaffBody
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.policy_parts import Condition
from e2e_support.roster import TrustedRoster
from e2e_support.staff import StaffState, staff_conditions
from e2e_support.ticket_keys import ticket_number
from e2e_support.ticket_state import TicketState, erase_due, label
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Verdict
from e2e_support.wire import Head
from e2e_support_client.plain import plain_line
from e2e_support_console.due import default_assignee, quiet_due
from e2e_support_console.index import save_tickets
from e2e_support_console.passages import Field, Passage, index_passages, passages_of
from e2e_support_console.ticket_logs import TicketLogs, ticket_logs
from e2e_support_console.ticket_row import TicketRow, joined
from e2e_support_keys.store import Transaction

PREVIEW: Final = 120
"""Characters of what was said last."""
_SAID: Final = frozenset({Kind.OPEN, Kind.MESSAGE, Kind.REOPEN, Kind.CLOSE})
_HARMLESS: Final = frozenset({"same_message", "not_due"})
"""Rules that honest clients break when they meet."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A ticket whose row was made anew.

    Attributes:
        row: the row.
        logs: what it was made of.
        cited: the longest shared log that entries of its staff log name.
        disputed: whether one of them names another history than the shared log's.
    """

    row: TicketRow
    logs: TicketLogs
    cited: int
    disputed: bool


async def renew_row(
    change: Transaction,
    roster: TrustedRoster,
    mailbox: MailboxId,
    staff_log: MailboxId,
    *,
    now: int,
    problem: str | None = None,
) -> Renewed | None:
    """Make the row of a ticket anew, and its texts in the search.

    Args:
        change: the transaction in which its entries were kept.
        roster: the newest roster.
        mailbox: id of its shared log.
        staff_log: id of its staff log.
        now: seconds since 1970.
        problem: code of what is wrong with the relay's answer; ``None`` leaves it.

    Returns:
        What was found, or ``None`` for what is no ticket.
    """
    logs = await ticket_logs(change, roster, mailbox, staff_log)
    state = logs.shared.at(now)
    if state is None:
        return None
    known = await change.fetch_one("SELECT seen, problem FROM tickets WHERE mailbox = ?", mailbox)
    seen, before = known or (0, "")
    passages = list(passages_of(logs, roster.policy))
    row = _row(logs, state, roster, passages, seen, before if problem is None else problem, now)
    await save_tickets(change, [row])
    own = await change.fetch_one("SELECT id FROM tickets WHERE mailbox = ?", mailbox)
    assert own is not None  # noqa: S101 - it was saved just now
    await index_passages(change, own[0], passages)
    cited = list(_cited(logs.staff.entries))
    return Renewed(
        row,
        logs,
        max((head.length for head in cited), default=0),
        any(_differs(head, logs.shared.entries) for head in cited),
    )


def _row(
    logs: TicketLogs,
    state: TicketState,
    roster: TrustedRoster,
    passages: list[Passage],
    seen: int,
    problem: str,
    now: int,
) -> TicketRow:
    staff, policy = logs.staff.state, roster.policy
    held = staff_conditions(staff, state, policy, now)
    shown = label(state, policy, staff=held)
    entries = logs.shared.entries
    opening, opened_under = entries[0].body, _policy_seq(entries[0])
    profile = {pair.name: pair.value for pair in opening.profile} if isinstance(opening, OpenBody) else {}
    last = max((p for p in reversed(passages) if p.at), key=lambda p: p.at, default=None)
    snoozed = staff.snoozed_until if staff and Condition.SNOOZED in held else 0
    closing = state.close_due if state.lifecycle is Lifecycle.RESOLVED else 0
    return TicketRow(
        mailbox=logs.mailbox,
        staff_log=logs.staff_log,
        number=ticket_number(logs.mailbox),
        subject=state.subject,
        status=shown.id,
        status_text=shown.text,
        category=state.category,
        priority=state.priority,
        created_at=state.created_at,
        updated_at=state.updated_at,
        waiting_since=state.waiting_since,
        closed=int(state.lifecycle is Lifecycle.CLOSED),
        unread=sum(_is_said_by_user(entry) for entry in entries[seen:]),
        problem=problem,
        assignee=assignee_of(state, staff, policy),
        tags=joined(map(plain_line, staff.tags)) if staff and staff.tags else "",
        mentions=joined(sorted(_mentions(logs.staff.entries))),
        user_key=state.user_key,
        requester=plain_line(_first(profile, "name", "email", "account")),
        account=plain_line(_first(profile, "account_type", "account")),
        merged_into=state.merged_into,
        hold=int(Condition.HOLD in held),
        archived=int(Condition.ARCHIVED in held),
        spam=int(Condition.SPAM in held),
        snoozed_until=snoozed,
        notes=staff.notes if staff else 0,
        files=sum(p.field is Field.FILE for p in passages),
        debug=int(isinstance(opening, OpenBody) and bool(opening.debug)),
        nonconforming=sum(_breaks_a_rule(entry) for entry in chain(entries, logs.staff.entries)),
        preview=plain_line(last.text[: 4 * PREVIEW])[:PREVIEW] if last else "",
        preview_note=int(last is not None and last.field is Field.NOTE),
        first_response_at=state.first_response_at,
        close_due=closing,
        erase_due=erase_due(state, policy),
        due_at=min((time for time in (snoozed, closing) if time), default=0),
        remind_due=state.remind_due if closing else 0,
        unnoted=state.closed_at if state.auto_closed and not state.auto_noted else 0,
        assign_to=default_assignee(logs, state, roster.policy_at(opened_under)),
        quiet_due=quiet_due(logs, policy, now),
        policy_seq=opened_under,
        by_team=int(state.opened_by is AuthorRole.DEVICE),
    )


def assignee_of(state: TicketState, staff: StaffState | None, policy: Policy) -> bytes:
    """Return the member who takes care of a ticket, from the log in which the policy wants it; empty for nobody."""
    if policy.staff.show_assignee:
        return state.assignee
    return staff.assignee if staff else b""


def _first(profile: dict[str, str], *names: str) -> str:
    return next((profile[name] for name in names if profile.get(name)), "")


def _policy_seq(opening: Opened) -> int:
    return opening.inner.roster_head.length - 1 if opening.inner else 0


def _mentions(entries: Iterable[Opened]) -> set[str]:
    notes = (entry.body for entry in entries if entry.verdict is Verdict.OK)
    return {member.hex() for body in notes if isinstance(body, NoteBody) for member in body.mentions}


def _is_said_by_user(entry: Opened) -> bool:
    inner = entry.inner if entry.verdict is Verdict.OK else None
    return inner is not None and inner.author.role is AuthorRole.USER and inner.kind in _SAID


def _breaks_a_rule(entry: Opened) -> bool:
    return entry.verdict is Verdict.NONCONFORMING and entry.reason not in _HARMLESS


# --- what the two logs say of each other -----------------------------------------------------------------


def _cited(entries: Iterable[Opened]) -> Iterator[Head]:
    """Yield the shared heads against which the team's own words were written."""
    for entry in entries:
        if entry.verdict is Verdict.OK and isinstance(entry.body, StaffBody):
            yield entry.body.shared


def _differs(head: Head, shared: list[Opened]) -> bool:
    """Tell whether a head is of another history than a shared log that is long enough to say so."""
    return 0 < head.length <= len(shared) and shared[head.length - 1].hash != head.hash
