"""Which tickets a list shows: filters that a person combines, and the views that everybody has from the start.

The inbox shows everything but what was archived or marked as spam; a status or a view that is asked for shows all that
it names. Conditions are made of literals of this file; what people type travels as parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support_client.plain import plain_line
from e2e_support_console.desk import Desk
from e2e_support_console.names import NOBODY, member_called, own_id
from e2e_support_console.query import Query, matching, parse_query
from e2e_support_console.ticket_row import joined
from e2e_support_keys.store import Parameter

Condition = tuple[str, tuple[Parameter, ...]]
"""SQL made of literals, and the values for it."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is asked for; empty text asks for nothing. All that is named must hold.

    Attributes:
        status: id of a label of the team.
        priority: id of a level.
        category: id.
        assignee: ``me``, ``nobody``, or the name of a member.
        tag: one of the ticket's tags.
        text: words as in the search.
        view: id of one of ``VIEWS``.
    """

    status: str = ""
    priority: str = ""
    category: str = ""
    assignee: str = ""
    tag: str = ""
    text: str = ""
    view: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A list that everybody has from the start.

    Attributes:
        title: how people see it.
        where: returns its condition for a device, at a time.
    """

    title: str
    where: Callable[[Desk, int], Condition]


_IN_SIGHT: Final = "archived = 0 AND spam = 0"
_ACTIVE: Final = f"closed = 0 AND hold = 0 AND snoozed_until = 0 AND {_IN_SIGHT}"


def _plain(sql: str) -> Callable[[Desk, int], Condition]:
    return lambda _desk, _now: (sql, ())


def _mine(desk: Desk, _now: int) -> Condition:
    return f"closed = 0 AND assignee = ? AND {_IN_SIGHT}", (own_id(desk),)


def _mentions(desk: Desk, _now: int) -> Condition:
    return "instr(mentions, ?)", (joined([own_id(desk).hex()]),)


def _overdue(desk: Desk, now: int) -> Condition:
    hours = desk.roster.policy.expectation.first_reply_hours
    return f"? > 0 AND waiting_since BETWEEN 1 AND ? AND {_ACTIVE}", (hours, now - hours * 3600)


VIEWS: Final[dict[str, View]] = {
    "needs_answer": View("Needs answer", _plain(f"waiting_since > 0 AND {_ACTIVE}")),
    "mine": View("Mine", _mine),
    "unassigned": View("Unassigned", _plain(f"closed = 0 AND assignee = x'' AND {_IN_SIGHT}")),
    "mentions": View("Mentions", _mentions),
    "snoozed": View("Snoozed", _plain("snoozed_until > 0")),
    "overdue": View("Overdue", _overdue),
    "nonconforming": View("Nonconforming", _plain("nonconforming > 0")),
    "archived": View("Archived", _plain("archived = 1")),
    "spam": View("Spam", _plain("spam = 1")),
    "closed": View("Closed", _plain(f"closed = 1 AND {_IN_SIGHT}")),
    "all": View("All", _plain("1")),
}
"""The views that everybody has, by id."""


def condition(desk: Desk, filters: Filters, now: int, *, hide: bool = True) -> Condition:
    """Return the condition on tickets that filters stand for.

    Args:
        desk: the unlocked device: ``me`` is its member.
        filters: what is asked for.
        now: seconds since 1970.
        hide: leave out what was put away, unless a status or a view is asked for.

    Raises:
        UsageError: ``no_view``, ``unknown_status``, ``unknown_priority``, ``unknown_category``, ``no_member``, or
            what ``parse_query`` finds wrong with the text.
    """
    wanted = with_text(filters, parse_query(filters.text)) if filters.text else (filters, Query())
    parts = list(_conditions(desk, *wanted, now=now))
    if hide and not (wanted[0].status or wanted[0].view):
        parts.append((_IN_SIGHT, ()))
    sql = " AND ".join(f"({part})" for part, _ in parts) or "1"
    return sql, tuple(value for _, values in parts for value in values)


def with_text(filters: Filters, query: Query) -> tuple[Filters, Query]:
    """Return filters together with those that stand among the words of a query, and the query."""
    return replace(filters, text="", **dict(query.filters)), query


def _conditions(desk: Desk, filters: Filters, query: Query, *, now: int) -> Iterator[Condition]:
    if filters.view:
        yield _view(filters.view).where(desk, now)
    policy = desk.roster.policy
    for name, value, known in (
        ("status", filters.status, [rule.id for rule in policy.labels_staff]),
        ("priority", filters.priority, [level.id for level in policy.priority.levels]),
        ("category", filters.category, [category.id for category in policy.categories]),
    ):
        if value:
            yield f"{name} = ?", (require_known(name, value, known),)
    if filters.assignee:
        nobody = filters.assignee.strip().casefold() == NOBODY
        yield "assignee = ?", (b"" if nobody else member_called(desk, filters.assignee),)
    if filters.tag:
        yield "instr(tags, ?)", (joined([plain_line(filters.tag)]),)
    yield from matching(query)


def _view(name: str) -> View:
    view = VIEWS.get("_".join(name.casefold().replace("-", " ").replace("_", " ").split()))
    if view is None:
        raise UsageError("no_view", f"there is no view {name}", hint=f"There are {', '.join(VIEWS)}.")
    return view


def require_known(name: str, value: str, known: list[str]) -> str:
    """Return an id of the policy; older ones may still stand in tickets that nothing has moved, and cannot be named.

    Args:
        name: what kind of id it is, for people.
        value: the id.
        known: all of that kind.

    Raises:
        UsageError: ``unknown_status``, ``unknown_priority`` or ``unknown_category``.
    """
    if value not in known:
        there = ", ".join(dict.fromkeys(known)) or "none"
        raise UsageError(f"unknown_{name}", f"there is no {name} {value}", hint=f"There are: {there}.")
    return value


def label_ids(policy: Policy) -> list[str]:
    """Return the ids of the team's labels in their order, each once."""
    return list(dict.fromkeys(rule.id for rule in policy.labels_staff))
