"""Which entries give a ticket the status that an administrator names: the fewest that make its label hold.

Labels are derived from facts. What cannot be set, such as who spoke last, is refused in words. Pure: each plan is tried
out with the rules that all clients share before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from e2e_support.codec import Message
from e2e_support.content import (
    CloseBody,
    FlagBody,
    ReopenBody,
    ResolutionBody,
    SnoozeBody,
    StaffBody,
    StatusBody,
)
from e2e_support.crypto.suite import HASH_SIZE
from e2e_support.errors import UsageError
from e2e_support.ids import Hash
from e2e_support.policy import Policy
from e2e_support.policy_parts import Condition, LabelRule
from e2e_support.reasons import refusal
from e2e_support.staff import StaffState, judge_staff, staff_conditions
from e2e_support.ticket import judge
from e2e_support.ticket_state import Fact, TicketState, label
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Role
from e2e_support.wire import Head


@dataclass(frozen=True, slots=True)
class SharedStep:
    """An entry of the shared log, with what it says."""

    kind: Kind
    body: Message


@dataclass(frozen=True, slots=True)
class StaffStep:
    """An entry of the staff log; ``against`` returns what it says, given the shared head it is written against."""

    kind: Kind
    against: Callable[[Head], StaffBody]


Step = SharedStep | StaffStep


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket as it is before a plan, or would be after it.

    Attributes:
        ticket: the shared log's state.
        staff: the staff log's; fresh where there is none yet.
        length: how long the shared log is.
    """

    ticket: TicketState
    staff: StaffState
    length: int


_FLAGS: Final = {Condition.SPAM: Kind.SPAM, Condition.ARCHIVED: Kind.ARCHIVE, Condition.HOLD: Kind.HOLD}
_SETTABLE: Final = frozenset(
    {*_FLAGS, Condition.CLOSED, Condition.RESOLVED, Condition.PROGRESS, Condition.WAITING_USER}
)
_WHY: Final = {
    Condition.LAST_STAFF: ("it holds while the team has spoken last", "Answer the user."),
    Condition.LAST_USER: ("it holds while the user has spoken last", "It comes by itself."),
    Condition.STAFF_REPLIED: ("it holds once the team has answered", "Answer the user."),
    Condition.ASSIGNED: ("it holds while somebody is assigned", "Assign the ticket: e2e-admin assign."),
    Condition.SNOOZED: ("it holds until a time", "Say until when: e2e-admin snooze."),
}


def plan(
    label_id: str, standing: Standing, role: Role, policy: Policy, now: int, note: str
) -> tuple[Step, ...]:
    """Return the entries that give a ticket a status, in the order in which they are to be written.

    Args:
        label_id: id of a label of the team's table.
        standing: the ticket as it is.
        role: of whoever writes.
        policy: the newest policy.
        now: seconds since 1970.
        note: of a resolution or closing; may be empty.

    Raises:
        UsageError: ``unknown_status``; ``merged``; ``status_derived`` for a label that only follows from what happens;
            ``status_unreachable`` where another label stands before it; or the rule that stands against an entry.
    """
    rules = [rule for rule in policy.labels_staff if rule.id == label_id]
    if not rules:
        known = ", ".join(dict.fromkeys(rule.id for rule in policy.labels_staff))
        raise UsageError("unknown_status", f"there is no status {label_id}", hint=f"There are: {known}.")
    settable = [rule for rule in rules if _SETTABLE.issuperset(rule.conditions)]
    if not settable:
        raise _derived(rules[0])
    trial = _Trial(label_id, standing, role, policy, now)
    for rule in settable:
        for steps in _candidates(rule, standing, policy, now, note):
            if trial.reaches(steps):
                return _unmerged(standing, steps)
    return _unmerged(standing, trial.best(settable[-1], _clearing(settable[-1], standing, policy, now)))


def _unmerged(standing: Standing, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return a plan unless it opens a merged ticket: that is undone by reopening it, and by nothing less plain."""
    if standing.ticket.merged_into and any(isinstance(step, SharedStep) for step in steps):
        raise refusal("merged")
    return steps


class _Trial:
    """Tries plans out, and remembers what stood against them."""

    def __init__(self, label_id: str, standing: Standing, role: Role, policy: Policy, now: int) -> None:
        self._label_id = label_id
        self._standing = standing
        self._role = role
        self._policy = policy
        self._now = now
        self._reason = ""

    def reaches(self, steps: Sequence[Step]) -> bool:
        after = self._after(steps)
        return after is not None and self._shown(after).id == self._label_id

    def best(self, rule: LabelRule, clearing: tuple[Step, ...]) -> tuple[Step, ...]:
        """Return what comes closest: the label of all other tickets is set by clearing the flags (I8)."""
        if not rule.conditions and clearing and self._after(clearing) is not None:
            return clearing
        if self._reason:
            raise refusal(self._reason)
        shown = self._shown(self._standing)
        why = next((_WHY[one] for one in shown.conditions if one in _WHY), ("that label comes first", ""))
        raise UsageError(
            "status_unreachable",
            f"the ticket stays “{shown.text}”: {why[0]}",
            hint=why[1] or "Clear that first.",
        )

    def _after(self, steps: Sequence[Step]) -> Standing | None:
        """Return the ticket after all entries; ``None`` where a rule stands against one."""
        standing = self._standing
        for step in steps:
            standing, reason = self._after_one(step, standing)
            if reason:
                self._reason = self._reason or reason
                return None
        return standing

    def _after_one(self, step: Step, standing: Standing) -> tuple[Standing, str]:
        ticket, staff, length = standing.ticket, standing.staff, standing.length
        match step:
            case SharedStep(kind, body):
                moved, reason = judge(ticket, self._fact(length, kind, body), self._policy)
                return Standing(moved or ticket, staff, length + 1), reason
            case StaffStep(kind, against):
                body = against(Head(length, Hash(bytes(HASH_SIZE))))
                changed, reason = judge_staff(staff, self._fact(1, kind, body), self._policy)
                return Standing(ticket, changed or staff, length), reason

    def _fact(self, seq: int, kind: Kind, body: Message) -> Fact:
        return Fact(seq, kind, AuthorRole.DEVICE, body, self._now, self._role)

    def _shown(self, standing: Standing) -> LabelRule:
        held = staff_conditions(standing.staff, standing.ticket, self._policy, self._now)
        return label(standing.ticket, self._policy, staff=held)


# --- what plans are made of ------------------------------------------------------------------------------


def _candidates(
    rule: LabelRule, standing: Standing, policy: Policy, now: int, note: str
) -> Iterator[tuple[Step, ...]]:
    """Yield plans, the shortest first: what the rule asks for, and what stands before it taken away."""
    needed = _needed(rule, note)
    clearing = _clearing(rule, standing, policy, now)
    for number in range(len(clearing) + 1):
        for some in combinations(clearing, number):
            yield (*some, *needed)


def _needed(rule: LabelRule, note: str) -> tuple[Step, ...]:
    made: dict[Condition, Step] = {
        Condition.PROGRESS: SharedStep(Kind.STATUS, StatusBody(2, 0)),
        Condition.WAITING_USER: SharedStep(Kind.STATUS, StatusBody(0, 2)),
        Condition.RESOLVED: SharedStep(Kind.RESOLUTION, ResolutionBody(note)),
        Condition.CLOSED: SharedStep(Kind.CLOSE, CloseBody(note, "")),
        **{condition: flag(kind, on=True, reason=note) for condition, kind in _FLAGS.items()},
    }
    return tuple(step for condition, step in made.items() if condition in rule.conditions)


def _clearing(rule: LabelRule, standing: Standing, policy: Policy, now: int) -> tuple[Step, ...]:
    """Return what can be taken away from a ticket, in the order in which it has to be."""
    ticket = standing.ticket
    held = staff_conditions(standing.staff, ticket, policy, now) - frozenset(rule.conditions)
    found: list[Step] = [flag(kind, on=False) for condition, kind in _FLAGS.items() if condition in held]
    if Condition.SNOOZED in held:
        found.append(StaffStep(Kind.SNOOZE, lambda shared: SnoozeBody(shared, 0)))
    if ticket.lifecycle is not Lifecycle.OPEN:
        found.append(SharedStep(Kind.REOPEN, ReopenBody("")))
    if ticket.progress and Condition.PROGRESS not in rule.conditions:
        found.append(SharedStep(Kind.STATUS, StatusBody(1, 0)))
    if ticket.waiting_user and Condition.WAITING_USER not in rule.conditions:
        found.append(SharedStep(Kind.STATUS, StatusBody(0, 1)))
    return tuple(found)


def flag(kind: Kind, *, on: bool, reason: str = "") -> StaffStep:
    """Return the entry that sets or clears a mark of the staff log."""
    return StaffStep(kind, lambda shared: FlagBody(shared, int(on), reason))


def _derived(rule: LabelRule) -> UsageError:
    why, hint = next(_WHY[condition] for condition in rule.conditions if condition in _WHY)
    return UsageError("status_derived", f"“{rule.text}” cannot be set: {why}", hint=hint)
