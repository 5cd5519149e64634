"""What a new policy would do to the tickets that are open: their status, words, and what each side may do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from e2e_support.content import CloseBody, ReopenBody
from e2e_support.policy import Policy
from e2e_support.policy_parts import Condition
from e2e_support.staff import staff_conditions
from e2e_support.thread import StaffThread
from e2e_support.ticket import judge
from e2e_support.ticket_state import Fact, TicketState, label
from e2e_support.vocab import AuthorRole, Kind, Lifecycle
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.index import tickets


@dataclass(frozen=True, slots=True)
class Affected:
    """An open ticket that a new policy changes.

    Attributes:
        number: what people call it.
        subject: as its user wrote it.
        what: what would be different, a line each.
    """

    number: str
    subject: str
    what: tuple[str, ...]


async def affected_tickets(desk: Desk, new: Policy) -> tuple[Affected, ...]:
    """Return the open tickets of the local store that a new policy would change."""
    found: list[Affected] = []
    now = clock.now()
    for row in await tickets(desk.store):
        state = (await desk.load(row.mailbox)).state
        if row.closed or state is None or state.lifecycle is Lifecycle.CLOSED:
            continue
        thread = (await desk.load(row.staff_log, staff=True)).thread
        notes = thread.state if isinstance(thread, StaffThread) else None
        facts = [staff_conditions(notes, state, policy, now) for policy in (desk.roster.policy, new)]
        what = effects(state, desk.roster.policy, new, staff=(facts[0], facts[1]), now=now)
        if what:
            found.append(Affected(row.number, row.subject, what))
    return tuple(found)


def effects(
    state: TicketState,
    old: Policy,
    new: Policy,
    *,
    staff: tuple[frozenset[Condition], frozenset[Condition]],
    now: int,
) -> tuple[str, ...]:
    """Return what is different for a ticket under another policy, a line each; nothing if nothing is.

    Args:
        state: the ticket.
        old: the policy as it is.
        new: the policy as it would be.
        staff: facts of its staff log under both.
        now: seconds since 1970.
    """
    before, after = (dict(_seen(state, *pair, now)) for pair in ((old, staff[0]), (new, staff[1])))
    return tuple(f"{name}: {before[name]} → {after[name]}" for name in before if before[name] != after[name])


def _seen(
    state: TicketState, policy: Policy, staff: frozenset[Condition], now: int
) -> Iterator[tuple[str, str]]:
    """Yield what people see of a ticket and may do with it."""
    category, level = policy.category(state.category), policy.level(state.priority)
    yield "the team's status", label(state, policy, staff=staff).text
    yield "the user's status", label(state, policy).text
    yield "category", category.label if category else f"{state.category} (not in the list any more)"
    if state.priority:
        yield "priority", level.label if level else f"{state.priority} (not in the list any more)"
    else:
        yield "priority", "none"
    closed = replace(state, lifecycle=Lifecycle.CLOSED, closed_at=now)
    for side, name in ((AuthorRole.USER, "the user"), (AuthorRole.DEVICE, "the team")):
        yield f"{name} may close it", _close(state, policy, side, now)
        reopening = Fact(1, Kind.REOPEN, side, ReopenBody("again"), now)
        yield f"{name} may reopen it once it is closed", _yes(closed, reopening, policy)


def _close(state: TicketState, policy: Policy, side: AuthorRole, now: int) -> str:
    bare, noted = (Fact(1, Kind.CLOSE, side, CloseBody(note, ""), now) for note in ("", "done"))
    if _yes(state, bare, policy) == "yes":
        return "yes"
    return "with a note" if _yes(state, noted, policy) == "yes" else "no"


def _yes(state: TicketState, fact: Fact, policy: Policy) -> str:
    _, reason = judge(state, fact, policy)
    return "no" if reason else "yes"
