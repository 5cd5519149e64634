"""What happened to a ticket, found by replaying its entries: each step, and the line of its status.

Pure, for users' clients and consoles alike. Entries come with their final verdicts, so nothing is checked again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from e2e_support.content import MergeBody, OpenForBody, StaffBody, StaffOpenBody
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.policy_parts import LabelRule
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.staff import StaffState, judge_staff, staff_conditions
from e2e_support.thread import Policies, fact_of
from e2e_support.ticket import judge
from e2e_support.ticket_keys import ticket_number
from e2e_support.ticket_state import TicketState, advance, label
from e2e_support.vocab import Verdict
from e2e_support_client.model import EventKind, utc
from e2e_support_client.people import TeamChange
from e2e_support_client.view import kind_of, team_events

POLICY: Final = "policy"
TEAM: Final = "team"
_Place = tuple[int, int, int]
NameOf = Callable[[Opened], str]
"""Returns how the author of an entry is shown."""


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """A step of a ticket's status, or a change of the rules or the team on its way.

    Attributes:
        at: when it happened.
        kind: what made it so, as ``EventKind`` or ``policy`` or ``team``.
        status: id of the label from then on.
        status_text: the label as people read it.
        by: who did it; empty where time did it, and for what is not one person's.
        what: one sentence, where the kind does not say it all.
    """

    at: datetime
    kind: str
    status: str
    status_text: str
    by: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket at one moment; each part is ``None`` before it begins."""

    ticket: TicketState | None = None
    staff: StaffState | None = None

    def at(self, now: int) -> Standing:
        """Return the ticket as time has made it.

        Args:
            now: seconds since 1970.
        """
        return Standing(advance(self.ticket, now) if self.ticket else None, self.staff)

    def label(self, policy: Policy, now: int, *, team: bool) -> LabelRule | None:
        """Return its status; ``None`` before it begins.

        Args:
            policy: the newest policy: one language for the whole way.
            now: seconds since 1970.
            team: by the team's table, with the facts of the staff log.
        """
        if self.ticket is None:
            return None
        facts = staff_conditions(self.staff, self.ticket, policy, now) if team else None
        return label(self.ticket, policy, staff=facts)


@dataclass(frozen=True, slots=True)
class Step:
    """An entry and what it changed.

    Attributes:
        opened: the entry, with its final verdict.
        internal: whether it stands in the staff log.
        before: the ticket just before, as time had made it.
        after: the ticket with it.
    """

    opened: Opened
    internal: bool
    before: Standing
    after: Standing


def replay(shared: Iterable[Opened], notes: Iterable[Opened], policies: Policies) -> Iterator[Step]:
    """Yield what each entry changed, in the order in which the relay received them.

    Each log keeps its own order whatever its times say; within one second an entry of the staff log stands behind
    the one that it was written against (§5.6).

    Args:
        shared: the shared log's entries, with their final verdicts.
        notes: the staff log's; none for users.
        policies: the roster.
    """
    said = ((_said_at(entry), entry) for entry in shared)
    noted = ((_noted_at(entry), entry) for entry in notes)
    standing = Standing()
    for place, opened in heapq.merge(said, noted, key=lambda item: item[0]):
        internal = place[2] > 0
        before = standing.at(opened.received)
        standing = _after(before, opened, internal, policies)
        yield Step(opened, internal, before, standing)


def timeline(
    shared: Sequence[Opened],
    roster: TrustedRoster,
    *,
    now: int,
    name_of: NameOf,
    notes: Sequence[Opened] | None = None,
) -> list[TimelineEvent]:
    """Return every change of a ticket's status with time and author, and what changed around it.

    Args:
        shared: the shared log's entries, with their final verdicts.
        roster: the newest; its policy names the states.
        now: seconds since 1970; what time alone has changed until then is told too.
        name_of: how authors are shown.
        notes: the staff log's entries, for the team's own states; ``None`` for those that users see.
    """
    line = _Line(roster.policy, name_of, team=notes is not None)
    changes = list(_changes(shared, roster))
    for step in replay(shared, notes or (), roster):
        line.wait(step.opened.received)
        while changes and not step.internal and changes[0][1].after <= step.opened.seq:
            line.tell(*changes.pop(0))
        line.take(step)
    line.wait(now)
    for change in changes:
        line.tell(*change)
    return line.events


class _Line:
    """A timeline in the making."""

    def __init__(self, policy: Policy, name_of: NameOf, *, team: bool) -> None:
        self.events: list[TimelineEvent] = []
        self._policy = policy
        self._name_of = name_of
        self._team = team
        self._standing = Standing()
        self._now = 0
        self._shown: LabelRule | None = None

    def wait(self, until: int) -> None:
        """Let time pass, and tell what it changes without anybody's word."""
        for moment, kind in sorted(_due(self._standing)):
            if self._now < moment <= until:
                self._standing = self._standing.at(moment)
                self._move(moment, kind, "")
        self._now = max(self._now, until)

    def take(self, step: Step) -> None:
        """Tell what an entry changed."""
        self._standing = step.after
        by = self._name_of(step.opened)
        self._move(step.opened.received, kind_of(step.opened), by, _goes_on(step))

    def tell(self, kind: str, change: TeamChange) -> None:
        """Tell what changed around the ticket."""
        if self._shown:
            shown = self._shown
            self.events.append(TimelineEvent(change.at, kind, shown.id, shown.text, "", change.what))

    def _move(self, at: int, kind: str, by: str, what: str = "") -> None:
        new = self._standing.label(self._policy, at, team=self._team)
        if new is not None and (self._shown is None or new.id != self._shown.id):
            self._shown = new
            self.events.append(TimelineEvent(utc(at), kind, new.id, new.text, by, what))


def _due(standing: Standing) -> Iterator[tuple[int, EventKind]]:
    """Yield when time alone will change a ticket, unless somebody speaks before, and how."""
    if standing.ticket and not standing.ticket.closed_at:
        yield standing.ticket.close_due, EventKind.CLOSED
    if standing.staff:
        yield standing.staff.snoozed_until, EventKind.STATUS


def _after(before: Standing, opened: Opened, internal: bool, policies: Policies) -> Standing:  # noqa: FBT001
    inner = opened.inner
    if opened.verdict is not Verdict.OK or inner is None:
        return before
    fact, policy = fact_of(opened, policies), policies.policy_at(inner.roster_head.length - 1)
    if internal:
        return Standing(before.ticket, judge_staff(before.staff, fact, policy)[0])
    return Standing(judge(before.ticket, fact, policy)[0], before.staff)


def _changes(shared: Sequence[Opened], roster: TrustedRoster) -> Iterator[tuple[str, TeamChange]]:
    """Yield changes of rules and team, in their place among the entries."""
    team = [(TEAM, change) for change in team_events(shared, roster)]
    rules = [(POLICY, change) for change in _policy_changes(shared, roster)]
    yield from sorted((*rules, *team), key=lambda item: (item[1].after, item[1].at))


def _policy_changes(shared: Sequence[Opened], roster: TrustedRoster) -> Iterator[TeamChange]:
    """Yield a change of the rules before the first entry that cites it, as ``team_events`` does for people."""
    cited = [
        (entry.inner.roster_head.length, entry.seq)
        for entry in shared
        if entry.verdict is Verdict.OK and entry.inner is not None
    ]
    for link, _ in roster.policy_links:
        if cited and link >= cited[0][0]:
            after = next((seq for length, seq in cited if length > link), len(shared))
            yield TeamChange(
                utc(open_link(roster.links[link]).body.time), "The rules of this team changed", after
            )


def _goes_on(step: Step) -> str:
    """Return where a ticket goes on that was merged, or that its user did not begin it."""
    match step.opened.body:
        case MergeBody(into=into):
            return f"It goes on in {ticket_number(into)}"
        case OpenForBody():
            return "Opened by the team for its user"
        case _:
            return ""


def _said_at(entry: Opened) -> _Place:
    return entry.received, entry.seq, 0


def _noted_at(entry: Opened) -> _Place:
    against = entry.body.shared.length - 1 if isinstance(entry.body, StaffOpenBody | StaffBody) else 0
    return entry.received, against, 1
