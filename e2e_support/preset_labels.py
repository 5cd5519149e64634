"""The statuses of the ready-made policies: for each a table of what users see, and one of what the team sees.

The first rule that holds names a ticket. Only the team's table may ask for facts of the staff log.
"""

from __future__ import annotations

from typing import Final

from e2e_support.policy_parts import Colour, Condition, LabelRule

Table = tuple[LabelRule, ...]


def _rule(label_id: str, text: str, colour: Colour, *conditions: Condition) -> LabelRule:
    return LabelRule(label_id, text, colour, conditions)


_CLOSED: Final = _rule("closed", "Closed", Colour.GRAY, Condition.CLOSED)
_RESOLVED: Final = _rule("resolved", "Resolved", Colour.GREEN, Condition.RESOLVED)
_ARCHIVED: Final = _rule("archived", "Archived", Colour.GRAY, Condition.ARCHIVED)
_WAITING: Final = _rule("waiting", "Waiting for you", Colour.ORANGE, Condition.WAITING_USER)
_PROGRESS: Final = _rule("progress", "In progress", Colour.YELLOW, Condition.PROGRESS)
_ANSWERED: Final = _rule("answered", "Answered", Colour.BLUE, Condition.LAST_STAFF)
_OPEN: Final = _rule("open", "Open", Colour.BLUE)

PORTAL: Final[Table] = (_CLOSED, _RESOLVED, _ANSWERED, _PROGRESS, _OPEN)

INSTANCE_USER: Final[Table] = (_CLOSED, _ANSWERED, _OPEN)
INSTANCE_STAFF: Final[Table] = (
    _CLOSED,
    _ARCHIVED,
    _ANSWERED,
    _rule("unanswered", "Unanswered", Colour.ORANGE),
)

RECORD: Final[Table] = (
    _CLOSED,
    _RESOLVED,
    _rule("awaiting", "Awaiting User", Colour.ORANGE, Condition.WAITING_USER),
    _rule("review", "In Review", Colour.YELLOW, Condition.PROGRESS),
    _rule("review", "In Review", Colour.YELLOW, Condition.ASSIGNED),
    _OPEN,
)

_REPLIED: Final = _rule(
    "replied", "Customer Reply", Colour.ORANGE, Condition.LAST_USER, Condition.STAFF_REPLIED
)
DESK_USER: Final[Table] = (_CLOSED, _ANSWERED, _REPLIED, _OPEN)
DESK_STAFF: Final[Table] = (
    _rule("spam", "Spammed", Colour.GRAY, Condition.SPAM),
    _ARCHIVED,
    _CLOSED,
    _rule("hold", "On Hold", Colour.PURPLE, Condition.HOLD),
    _ANSWERED,
    _REPLIED,
    _OPEN,
)

PANEL: Final[Table] = (
    _CLOSED,
    _RESOLVED,
    _rule("waiting", "Waiting User", Colour.ORANGE, Condition.WAITING_USER),
    _rule("progress", "In Progress", Colour.YELLOW, Condition.PROGRESS),
    _rule("progress", "In Progress", Colour.YELLOW, Condition.STAFF_REPLIED),
    _OPEN,
)

DEFAULT_USER: Final[Table] = (_CLOSED, _RESOLVED, _WAITING, _PROGRESS, _ANSWERED, _OPEN)
DEFAULT_STAFF: Final[Table] = (
    _rule("spam", "Spam", Colour.GRAY, Condition.SPAM),
    _ARCHIVED,
    _CLOSED,
    _RESOLVED,
    _rule("hold", "On hold", Colour.PURPLE, Condition.HOLD),
    _rule("snoozed", "Snoozed", Colour.PURPLE, Condition.SNOOZED),
    _rule("waiting", "Waiting for user", Colour.ORANGE, Condition.WAITING_USER),
    _rule("replied", "User replied", Colour.RED, Condition.LAST_USER, Condition.STAFF_REPLIED),
    _PROGRESS,
    _ANSWERED,
    _OPEN,
)
