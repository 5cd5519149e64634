"""The vocabulary of the instance policy: its switches, and the groups that they stand in.

Enum numbers and field order are wire values. Keys and their meaning come from the five systems that one
policy must be able to imitate; each group says what a number of 0 means. Times of rules are receipt times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from e2e_support.codec import Bin, Choice, Items, Message, Text, Uint
from e2e_support.ids import MemberId
from e2e_support.limits import (
    ATTACHMENTS_MAX,
    FILE_MAX,
    ID_TEXT_MAX,
    INT_MAX,
    NAME_MAX,
    SUBJECT_MAX,
    TEXT_MAX,
    WORK_BITS_MAX,
)
from e2e_support.vocab import AdmissionMode

ID = Text(ID_TEXT_MAX)
NAME = Text(NAME_MAX)
PROSE = Text(2000)  # guidelines: a short paragraph, not a manual
URL = Text(500)
FLAG = Uint(1)
DAYS = Uint(36_500)  # a century
HOURS = Uint(8_760)  # a year
COUNT = Uint(10_000)
CHOICES_MAX = 64
RULES_MAX = 32


class PriorityMode(IntEnum):
    """Who sets a ticket's priority."""

    NONE = 0
    USER = 1
    BY_CATEGORY = 2  # computed, never transmitted: there is no field to forge
    STAFF = 3


class AttachmentMode(IntEnum):
    """Which files a message may carry."""

    OFF = 0
    IMAGES = 1
    ANY = 2


class DebugMode(IntEnum):
    """Whether debug data may be sent. What is sent is always previewed first."""

    OFF = 0
    WHOLE = 1
    OPT_OUT = 2  # field by field


class UserClose(IntEnum):
    """When a user may close a ticket."""

    NEVER = 0
    RESOLVED_ONLY = 1
    ANY_OPEN = 2


class UserReopen(IntEnum):
    """When a user may reopen a closed ticket."""

    NEVER = 0
    WINDOW = 1
    ALWAYS = 2


class ClosedReply(IntEnum):
    """What a user's reply to a closed ticket becomes."""

    REFUSE = 0  # clients offer a new ticket that cites this one
    REOPEN = 1
    NEW_LINKED = 2
    REOPEN_THEN_NEW = 3  # reopens as long as a user may, then starts a linked ticket


class UserDelete(IntEnum):
    """What a user may do with a ticket that is over."""

    NEVER = 0
    HIDE = 1
    ERASE_CLOSED = 2


class StaffDelete(IntEnum):
    """Whether the team may erase a ticket."""

    NEVER = 0
    CONFIRM = 1


class StaffIdentity(IntEnum):
    """Under which name answers are shown; the signature is always a device's."""

    TEAM = 0
    NAMED = 1
    PER_ADMIN = 2


class NoteMode(IntEnum):
    """Whether a resolution carries a note."""

    NONE = 0
    OPTIONAL = 1
    REQUIRED = 2


class MailMode(IntEnum):
    """Whether mail without content is sent."""

    OFF = 0
    OPT_IN = 1
    ON = 2


class DayBoundary(IntEnum):
    """What "a day" is where something is counted per day."""

    ROLLING = 0
    CALENDAR = 1


class Colour(IntEnum):
    """Colours by name: a theme decides how they look, and no colour is the only carrier of a meaning."""

    GRAY = 0
    BLUE = 1
    GREEN = 2
    YELLOW = 3
    ORANGE = 4
    RED = 5
    PURPLE = 6


class Condition(IntEnum):
    """A fact of a ticket that a label rule can ask for."""

    CLOSED = 0
    RESOLVED = 1
    PROGRESS = 2
    WAITING_USER = 3
    ASSIGNED = 4
    LAST_STAFF = 5
    LAST_USER = 6
    STAFF_REPLIED = 7
    HOLD = 8
    ARCHIVED = 9
    SPAM = 10
    SNOOZED = 11


STAFF_CONDITIONS = frozenset({Condition.HOLD, Condition.ARCHIVED, Condition.SPAM, Condition.SNOOZED})
"""Facts of the staff log, which a user's client does not hold."""


@dataclass(frozen=True, slots=True)
class Eligibility(Message):
    """Who may write, judged by the host that admits them: registered people only, and no refused log-in."""

    registered_only: Annotated[int, FLAG]
    refused_methods: Annotated[tuple[str, ...], Items(ID, CHOICES_MAX)]


@dataclass(frozen=True, slots=True)
class Admission(Message):
    """How strangers create mailboxes: the mode, and the zero bits of work in the open mode."""

    mode: Annotated[AdmissionMode, Choice(AdmissionMode)]
    bits: Annotated[int, Uint(WORK_BITS_MAX)]


@dataclass(frozen=True, slots=True)
class Category(Message):
    """A kind of request, with the advice shown once it is chosen."""

    id: Annotated[str, ID]
    label: Annotated[str, NAME]
    guidelines: Annotated[str, PROSE]


@dataclass(frozen=True, slots=True)
class FieldDef(Message):
    """A further question of the form; without choices the answer is free text."""

    id: Annotated[str, ID]
    label: Annotated[str, NAME]
    required: Annotated[int, FLAG]
    choices: Annotated[tuple[str, ...], Items(NAME, CHOICES_MAX)]


@dataclass(frozen=True, slots=True)
class Level(Message):
    """A priority, from the lowest to the highest in the order of the list."""

    id: Annotated[str, ID]
    label: Annotated[str, NAME]
    colour: Annotated[Colour, Choice(Colour)]


@dataclass(frozen=True, slots=True)
class CategoryPriority(Message):
    """The priority that a category implies."""

    category: Annotated[str, ID]
    level: Annotated[str, ID]


@dataclass(frozen=True, slots=True)
class Priority(Message):
    """Who sets the priority, which there are, and which a ticket has at first (empty: none)."""

    mode: Annotated[PriorityMode, Choice(PriorityMode)]
    levels: Annotated[tuple[Level, ...], Items(Level, 16)]
    by_category: Annotated[tuple[CategoryPriority, ...], Items(CategoryPriority, CHOICES_MAX)]
    initial: Annotated[str, ID]
    staff_can_change: Annotated[int, FLAG]


@dataclass(frozen=True, slots=True)
class Limits(Message):
    """Lengths in code points; tickets per day and open at once (0: no limit but the relay's).

    ``zone`` is the IANA name of the time zone at whose midnight a calendar day begins (``quota``).
    """

    subject_min: Annotated[int, Uint(SUBJECT_MAX)]
    subject_max: Annotated[int, Uint(SUBJECT_MAX, 1)]
    text_min: Annotated[int, Uint(TEXT_MAX)]
    text_max: Annotated[int, Uint(TEXT_MAX, 1)]
    create_per_day: Annotated[int, COUNT]
    day: Annotated[DayBoundary, Choice(DayBoundary)]
    zone: Annotated[str, ID]
    open_max: Annotated[int, COUNT]


@dataclass(frozen=True, slots=True)
class Attachments(Message):
    """Which files, how many a message, bytes a file, bytes a ticket."""

    mode: Annotated[AttachmentMode, Choice(AttachmentMode)]
    files_max: Annotated[int, Uint(ATTACHMENTS_MAX)]
    file_bytes_max: Annotated[int, Uint(FILE_MAX)]
    ticket_bytes_max: Annotated[int, Uint(INT_MAX)]


@dataclass(frozen=True, slots=True)
class LabelRule(Message):
    """A status as people see it: the first rule all of whose conditions hold gives a ticket its label."""

    id: Annotated[str, ID]
    text: Annotated[str, NAME]
    colour: Annotated[Colour, Choice(Colour)]
    conditions: Annotated[tuple[Condition, ...], Items(Choice(Condition), 8)]


@dataclass(frozen=True, slots=True)
class Moves(Message):
    """What one action changes besides itself."""

    staff_reply_waits: Annotated[int, FLAG]  # a staff reply sets waiting_user
    user_reply_clears: Annotated[int, FLAG]  # a user reply clears waiting_user and hold
    user_reply_reopens: Annotated[int, FLAG]  # a user reply to a resolved ticket opens it again
    assign_progress: Annotated[int, FLAG]  # assigning sets progress


@dataclass(frozen=True, slots=True)
class Close(Message):
    """Who may close; ``mistake_note`` lets a user close before Resolved with a note that says why.

    Resolved tickets close after ``resolved_days``, with a reminder after ``reminder_days`` (0: not at all).
    """

    user: Annotated[UserClose, Choice(UserClose)]
    mistake_note: Annotated[int, FLAG]
    staff: Annotated[int, FLAG]
    resolved_days: Annotated[int, DAYS]
    reminder_days: Annotated[int, DAYS]


@dataclass(frozen=True, slots=True)
class Reopen(Message):
    """Who may reopen, for how many days after closing, and what a reply to a closed ticket becomes."""

    user: Annotated[UserReopen, Choice(UserReopen)]
    window_days: Annotated[int, DAYS]
    staff: Annotated[int, FLAG]
    on_reply: Annotated[ClosedReply, Choice(ClosedReply)]


@dataclass(frozen=True, slots=True)
class Delete(Message):
    """Who may hide, archive or erase what is over."""

    user: Annotated[UserDelete, Choice(UserDelete)]
    staff: Annotated[StaffDelete, Choice(StaffDelete)]
    archive: Annotated[int, FLAG]


@dataclass(frozen=True, slots=True)
class Retention(Message):
    """Days until consoles erase a closed ticket, and until the relay erases an idle mailbox (0: never)."""

    closed_days: Annotated[int, DAYS]
    idle_days: Annotated[int, DAYS]


@dataclass(frozen=True, slots=True)
class CategoryAssignee(Message):
    """The member whom a new ticket of a category is assigned to."""

    category: Annotated[str, ID]
    member_id: Annotated[MemberId, Bin((16,))]


@dataclass(frozen=True, slots=True)
class Staff(Message):
    """How the team appears, and who gets a new ticket (an empty id: nobody).

    ``as_team`` is what a reply form offers first where each administrator chooses.
    """

    identity: Annotated[StaffIdentity, Choice(StaffIdentity)]
    as_team: Annotated[int, FLAG]
    show_assignee: Annotated[int, FLAG]
    assignee: Annotated[bytes, Bin((0, 16))]
    assignees: Annotated[tuple[CategoryAssignee, ...], Items(CategoryAssignee, CHOICES_MAX)]


@dataclass(frozen=True, slots=True)
class Notify(Message):
    """What a user is told in the application, and which mails without content are sent."""

    reply: Annotated[int, FLAG]
    status: Annotated[int, FLAG]
    resolved: Annotated[int, FLAG]
    user_mail: Annotated[MailMode, Choice(MailMode)]
    receipt_mail: Annotated[int, FLAG]
    staff_mail: Annotated[int, FLAG]


@dataclass(frozen=True, slots=True)
class Expectation(Message):
    """Hours until a first answer, and until a user is told how to ask again (0: nothing is said)."""

    first_reply_hours: Annotated[int, HOURS]
    nudge_hours: Annotated[int, HOURS]


@dataclass(frozen=True, slots=True)
class Word(Message):
    """What an instance calls a thing: "Severity" for ``priority``, "Department" for ``category``."""

    id: Annotated[str, ID]
    text: Annotated[str, NAME]


@dataclass(frozen=True, slots=True)
class Freshness(Message):
    """How many days a freshness statement of the roster lasts, and whether people may send without one."""

    days: Annotated[int, Uint(366, 1)]
    override: Annotated[int, FLAG]


def unique(ids: Iterable[str]) -> bool:
    """Tell whether no id stands twice."""
    listed = list(ids)
    return len(set(listed)) == len(listed)
