"""What a ticket's entries add up to: who may do what, under which policy, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from e2e_support.codec import Message
from e2e_support.content import (
    Attachment,
    CloseBody,
    EmptyBody,
    FieldsBody,
    MergeBody,
    NoteBody,
    OpenBody,
    Pair,
    ReopenBody,
    ResolutionBody,
    StatusBody,
)
from e2e_support.ids import BlobId, Hash, MailboxId
from e2e_support.policy import Policy
from e2e_support.policy_parts import (
    AttachmentMode,
    CategoryPriority,
    ClosedReply,
    Condition,
    DebugMode,
    FieldDef,
    NoteMode,
    PriorityMode,
    UserClose,
    UserReopen,
)
from e2e_support.presets import DEFAULT
from e2e_support.reasons import REASONS, refusal
from e2e_support.roster_links import NO_HASH
from e2e_support.ticket import judge
from e2e_support.ticket_state import DAY, NOBODY, Fact, TicketState, count_text, label
from e2e_support.transitions import TRANSITIONS
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Role
from e2e_support.wire import Head
from ticket_builder import PLAIN_BODIES, text

USER, TEAM = AuthorRole.USER, AuthorRole.DEVICE
OPEN, RESOLVED, CLOSED = Lifecycle.OPEN, Lifecycle.RESOLVED, Lifecycle.CLOSED
ANNA = b"a" * 16
MERGED = MergeBody(MailboxId(b"o" * 16), bytes(32), bytes(64), "")
BODIES: dict[Kind, Message] = PLAIN_BODIES | {
    Kind.FIELDS: FieldsBody("", "", b"", ()),
    Kind.MERGE: MERGED,
}


def policy(base: Policy = DEFAULT, **groups: dict[str, Any] | Any) -> Policy:
    """Return the default policy with some switches turned."""
    changed: dict[str, Any] = {}
    for name, change in groups.items():
        changed[name] = replace(getattr(base, name), **change) if isinstance(change, dict) else change
    return replace(base, **changed)


SHOWN = policy(staff={"show_assignee": 1})


def opening(**changes: Any) -> OpenBody:
    """Return a good opening, or one with something else in it."""
    body = OpenBody("No invoice", "The list is empty.", "question", "", (), (), b"", "", b"", bytes(1216))
    return replace(body, **changes)


def attached(size: int = 10, media_type: str = "image/png") -> Attachment:
    """Return a file's manifest."""
    zeros = bytes(32)
    return Attachment("a.png", media_type, size, BlobId(bytes(16)), zeros, zeros, zeros, Hash(zeros))


def fact(kind: Kind, by: AuthorRole, body: Message, *files: Attachment, time: int = 100) -> Fact:
    """Return an entry of one side."""
    role, who = (Role.AGENT, ANNA) if by is TEAM else (None, b"")
    return Fact(0 if kind is Kind.OPEN else 1, kind, by, body, time, role, who, files)


def state(lifecycle: Lifecycle = OPEN, **changes: Any) -> TicketState:
    """Return a ticket in a state, as if it had come there at time 50."""
    opened, reason = judge(None, fact(Kind.OPEN, USER, opening(), time=10), DEFAULT)
    assert opened is not None
    assert not reason
    ended: dict[str, Any] = {
        OPEN: {},
        RESOLVED: {"resolved_at": 50, "resolution_note": "Sent again."},
        CLOSED: {"closed_at": 50, "close_note": "done"},
    }[lifecycle]
    return replace(opened, lifecycle=lifecycle, **ended, **changes)


def after(
    before: TicketState, kind: Kind, by: AuthorRole, body: Message, rules: Policy = DEFAULT
) -> TicketState:
    """Return the ticket after an entry that must break no rule."""
    following, reason = judge(before, fact(kind, by, body), rules)
    assert not reason
    assert following is not None
    return following


# --- opening ------------------------------------------------------------------------------------------------


def test_an_opening_begins_a_ticket() -> None:
    """Everything that people see of it is in the state, and all times are its receipt's."""
    body = opening(fields=(Pair("impact", "Only me"),), related="T-00000-00000")
    opened, reason = judge(None, fact(Kind.OPEN, USER, body, attached(7), time=10), DEFAULT)
    assert not reason
    assert opened == TicketState(
        "No invoice", "question", "normal", (Pair("impact", "Only me"),), "T-00000-00000", 10, 10,
        waiting_since=10, attachment_bytes=7,
    )  # fmt: skip


USER_PRIORITY = policy(priority={"mode": PriorityMode.USER})
REQUIRED = policy(fields=(FieldDef("feature", "Feature", 1, ()), *DEFAULT.fields))
BAD_OPENINGS: dict[str, tuple[str, Policy, dict[str, Any]]] = {
    "subject of white space": ("subject_too_short", DEFAULT, {"subject": " \t     "}),
    "subject short": ("subject_too_short", DEFAULT, {"subject": "Help"}),
    "subject long": ("subject_too_long", DEFAULT, {"subject": "x" * 201}),
    "no text": ("text_too_short", DEFAULT, {"text": "\n"}),
    "text long": ("text_too_long", DEFAULT, {"text": "x" * 10_001}),
    "category": ("unknown_category", DEFAULT, {"category": "nonsense"}),
    "priority of the team": ("priority_not_yours", DEFAULT, {"priority": "high"}),
    "priority unknown": ("unknown_priority", USER_PRIORITY, {"priority": "nonsense"}),
    "field unknown": ("unknown_field", DEFAULT, {"fields": (Pair("nonsense", "x"),)}),
    "choice unknown": ("unknown_field", DEFAULT, {"fields": (Pair("impact", "x"),)}),
    "field twice": ("unknown_field", DEFAULT, {"fields": (Pair("impact", "Only me"),) * 2}),
    "field missing": ("field_missing", REQUIRED, {}),
    "field empty": ("field_missing", REQUIRED, {"fields": (Pair("feature", ""),)}),
    "debug data": ("debug_off", policy(debug_data=DebugMode.OFF), {"debug": b"{}"}),
}


@pytest.mark.parametrize("name", BAD_OPENINGS)
def test_an_opening_that_the_policy_refuses_is_no_ticket(name: str) -> None:
    """Limits, categories, priorities, fields and debug data are the policy's."""
    reason, rules, changes = BAD_OPENINGS[name]
    assert judge(None, fact(Kind.OPEN, USER, opening(**changes)), rules) == (None, reason)


NO_FILES = policy(attachments={"mode": AttachmentMode.OFF})
FREE_TEXT = (Pair("feature", "the list"),)
GOOD_OPENINGS: dict[str, tuple[Policy, dict[str, Any], int]] = {
    "the shortest": (DEFAULT, {"subject": "12345", "text": "x"}, 0),
    "the longest": (DEFAULT, {"subject": "x" * 200, "text": "x" * 10_000}, 0),
    "debug data": (DEFAULT, {"debug": b"{}"}, 0),
    "no debug data where there is none": (policy(debug_data=DebugMode.OFF), {}, 0),
    "no files where there are none": (NO_FILES, {}, 0),
    "the largest file": (DEFAULT, {}, 25 * 2**20),
    "a full ticket": (policy(attachments={"ticket_bytes_max": 10}), {}, 10),
    "a required field": (REQUIRED, {"fields": FREE_TEXT}, 0),
}


@pytest.mark.parametrize("name", GOOD_OPENINGS)
def test_an_opening_at_a_limit_is_within_it(name: str) -> None:
    """Limits are the last that is allowed, and what is off is only off for those who want it."""
    rules, changes, size = GOOD_OPENINGS[name]
    files = (attached(size),) if size else ()
    assert judge(None, fact(Kind.OPEN, USER, opening(**changes), *files), rules)[1] == ""


def test_a_user_may_choose_the_priority_where_the_policy_says_so() -> None:
    """A chosen priority stands, a missing one is the policy's first."""
    for chosen, expected in (("urgent", "urgent"), ("", "normal")):
        opened, _ = judge(None, fact(Kind.OPEN, USER, opening(priority=chosen)), USER_PRIORITY)
        assert opened is not None
        assert opened.priority == expected


IMPLIED = policy(
    SHOWN,
    priority={
        "mode": PriorityMode.BY_CATEGORY,
        "by_category": (CategoryPriority("question", "low"), CategoryPriority("account", "urgent")),
    },
)


def test_a_category_implies_its_priority() -> None:
    """The computed priority is never transmitted, and follows the category when the team changes it."""
    opened, _ = judge(None, fact(Kind.OPEN, USER, opening()), IMPLIED)
    assert opened is not None
    assert opened.priority == "low"
    assert after(opened, Kind.FIELDS, TEAM, FieldsBody("account", "", b"", ()), IMPLIED).priority == "urgent"
    assert after(opened, Kind.FIELDS, TEAM, FieldsBody("", "", ANNA, ()), IMPLIED).priority == "low"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OPEN])
def test_nothing_else_begins_a_ticket(kind: Kind) -> None:
    """Before its opening a ticket does not exist."""
    body = BODIES.get(kind, NoteBody(Head(0, NO_HASH), "", ()))
    assert judge(None, fact(kind, USER, body), DEFAULT) == (None, "not_allowed")


def test_only_the_user_opens_and_only_once() -> None:
    """A device opens nothing; a second opening changes nothing, nor does one that comes late."""
    assert judge(None, fact(Kind.OPEN, TEAM, opening()), DEFAULT) == (None, "not_allowed")
    assert judge(state(), fact(Kind.OPEN, USER, opening()), DEFAULT) == (state(), "not_first")
    late = replace(fact(Kind.OPEN, USER, opening()), seq=1)
    assert judge(None, late, DEFAULT) == (None, "not_first")


def test_a_priority_that_the_team_chose_stays() -> None:
    """A category implies a priority only when it is set, and only where the policy computes it."""
    other, none = FieldsBody("billing", "", b"", ()), FieldsBody("", "", ANNA, ())
    assert after(state(priority="urgent"), Kind.FIELDS, TEAM, other).priority == "urgent"
    assert after(state(priority="urgent"), Kind.FIELDS, TEAM, none, IMPLIED).priority == "urgent"


# --- who may do what ----------------------------------------------------------------------------------------

EXPECTED = {  # kind and side → letters of the states in which it is allowed
    (Kind.MESSAGE, USER): "orc", (Kind.MESSAGE, TEAM): "or", (Kind.STATUS, TEAM): "or", (Kind.FIELDS, TEAM): "orc",
    (Kind.RESOLUTION, TEAM): "or", (Kind.CLOSE, USER): "or", (Kind.CLOSE, TEAM): "or", (Kind.REOPEN, USER): "c",
    (Kind.REOPEN, TEAM): "rc", (Kind.BARRIER, TEAM): "orc", (Kind.REKEY, USER): "orc", (Kind.REKEY, TEAM): "orc",
    (Kind.ACKNOWLEDGEMENT, USER): "orc", (Kind.ACKNOWLEDGEMENT, TEAM): "orc", (Kind.REDACT, TEAM): "orc",
    (Kind.DUMMY, USER): "orc", (Kind.DUMMY, TEAM): "orc", (Kind.MERGE, TEAM): "or",
}  # fmt: skip


@pytest.mark.parametrize("lifecycle", Lifecycle)
@pytest.mark.parametrize("by", [USER, TEAM])
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OPEN])
def test_who_may_do_what(kind: Kind, by: AuthorRole, lifecycle: Lifecycle) -> None:
    """Each kind is allowed to its side in its states, and to nobody else (attacks 42, 45)."""
    allowed = "orc"[lifecycle] in EXPECTED.get((kind, by), "")
    body = BODIES.get(kind, EmptyBody())
    before = state(lifecycle, user_key=bytes(32))
    following, reason = judge(before, fact(kind, by, body), DEFAULT)
    assert (reason == "") is allowed
    assert allowed or following == before
    assert not reason or reason in REASONS


def test_what_is_missing_is_named() -> None:
    """A person is told whether it is the side, the closing, or that nothing is closed."""
    cases = [
        (OPEN, Kind.STATUS, USER, "not_allowed"),
        (CLOSED, Kind.MESSAGE, TEAM, "closed"),
        (OPEN, Kind.REOPEN, USER, "not_closed"),
    ]
    for lifecycle, kind, by, reason in cases:
        assert judge(state(lifecycle), fact(kind, by, BODIES[kind]), DEFAULT)[1] == reason
    assert refusal("closed").hint


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.RECOVERY])
def test_89_who_only_reads_writes_nothing(role: Role) -> None:
    """An auditor holds the team's keys, but no client accepts an entry of theirs."""
    written = replace(fact(Kind.MESSAGE, TEAM, text("hello")), role=role)
    assert judge(state(), written, DEFAULT) == (state(), "not_allowed")


def test_a_user_cannot_speak_as_the_team() -> None:
    """The wish to be shown as the team is the team's alone (attack P5)."""
    assert judge(state(), fact(Kind.MESSAGE, USER, text("hello", as_team=1)), DEFAULT)[1] == "not_allowed"
    assert not judge(state(), fact(Kind.MESSAGE, TEAM, text("hello", as_team=1)), DEFAULT)[1]


# --- rules of the policy ------------------------------------------------------------------------------------

LONG = "x" * 10_001
CLOSE_NEVER = policy(close={"user": UserClose.NEVER})
CLOSE_RESOLVED = policy(close={"user": UserClose.RESOLVED_ONLY})
CLOSE_MISTAKE = policy(close={"user": UserClose.RESOLVED_ONLY, "mistake_note": 1})
REOPEN_NEVER = policy(reopen={"user": UserReopen.NEVER, "on_reply": ClosedReply.REFUSE})
REOPEN_ALWAYS = policy(reopen={"user": UserReopen.ALWAYS})
LATE = 50 + 14 * DAY + 1
RULES: dict[str, tuple[str, Policy, TicketState, Fact]] = {
    "empty message": ("text_empty", DEFAULT, state(), fact(Kind.MESSAGE, USER, text(" \n"))),
    "files need no text": ("", DEFAULT, state(), fact(Kind.MESSAGE, USER, text(""), attached())),
    "the longest message": ("", DEFAULT, state(), fact(Kind.MESSAGE, TEAM, text(LONG[1:]))),
    "replies are refused to closed tickets only": (
        "", policy(reopen={"on_reply": ClosedReply.REFUSE}), state(), fact(Kind.MESSAGE, USER, text("x")),
    ),
    "long message": ("text_too_long", DEFAULT, state(), fact(Kind.MESSAGE, TEAM, text(LONG))),
    "long reason to reopen": ("text_too_long", DEFAULT, state(CLOSED), fact(Kind.REOPEN, USER, ReopenBody(LONG))),
    "long note of a close": ("text_too_long", DEFAULT, state(), fact(Kind.CLOSE, USER, CloseBody(LONG, ""))),
    "long resolution": ("text_too_long", DEFAULT, state(), fact(Kind.RESOLUTION, TEAM, ResolutionBody(LONG))),
    "reply reopens": ("", DEFAULT, state(CLOSED), fact(Kind.MESSAGE, USER, text("x"), time=LATE - 1)),
    "reply too late": ("reopen_window_over", DEFAULT, state(CLOSED), fact(Kind.MESSAGE, USER, text("x"), time=LATE)),
    "reply refused": (
        "closed", policy(reopen={"on_reply": ClosedReply.NEW_LINKED}), state(CLOSED),
        fact(Kind.MESSAGE, USER, text("x")),
    ),
    "reopen late": ("reopen_window_over", DEFAULT, state(CLOSED), fact(Kind.REOPEN, USER, ReopenBody("x"), time=LATE)),
    "reopen never": ("reopen_never", REOPEN_NEVER, state(CLOSED), fact(Kind.REOPEN, USER, ReopenBody("x"))),
    "reopen always": ("", REOPEN_ALWAYS, state(CLOSED), fact(Kind.REOPEN, USER, ReopenBody("x"), time=LATE)),
    "team may not reopen": (
        "reopen_never", policy(reopen={"staff": 0}), state(CLOSED), fact(Kind.REOPEN, TEAM, ReopenBody("x")),
    ),
    "team may take a resolution back": (
        "", policy(reopen={"staff": 0}), state(RESOLVED), fact(Kind.REOPEN, TEAM, ReopenBody("x")),
    ),
    "close never": ("close_not_allowed", CLOSE_NEVER, state(RESOLVED), fact(Kind.CLOSE, USER, CloseBody("", ""))),
    "close unresolved": ("close_not_resolved", CLOSE_RESOLVED, state(), fact(Kind.CLOSE, USER, CloseBody("x", ""))),
    "close resolved": ("", CLOSE_RESOLVED, state(RESOLVED), fact(Kind.CLOSE, USER, CloseBody("", ""))),
    "close a mistake": ("", CLOSE_MISTAKE, state(), fact(Kind.CLOSE, USER, CloseBody("Wrong form", ""))),
    "mistake unexplained": ("close_note_needed", CLOSE_MISTAKE, state(), fact(Kind.CLOSE, USER, CloseBody(" ", ""))),
    "team may not close": (
        "not_allowed", policy(close={"staff": 0}), state(), fact(Kind.CLOSE, TEAM, CloseBody("", "")),
    ),
    "resolution unexplained": (
        "resolution_note_needed", DEFAULT, state(), fact(Kind.RESOLUTION, TEAM, ResolutionBody(" ")),
    ),
    "resolution without words": (
        "resolution_note_off", policy(resolution_note=NoteMode.NONE), state(),
        fact(Kind.RESOLUTION, TEAM, ResolutionBody("x")),
    ),
    "resolution as you like": (
        "", policy(resolution_note=NoteMode.OPTIONAL), state(), fact(Kind.RESOLUTION, TEAM, ResolutionBody("")),
    ),
    "no words where there are none": (
        "", policy(resolution_note=NoteMode.NONE), state(), fact(Kind.RESOLUTION, TEAM, ResolutionBody("")),
    ),
    "a fixed priority is left alone": (
        "", policy(priority={"staff_can_change": 0}), state(),
        fact(Kind.FIELDS, TEAM, FieldsBody("billing", "", b"", ())),
    ),
    "free text in a field": ("", REQUIRED, state(), fact(Kind.FIELDS, TEAM, FieldsBody("", "", b"", FREE_TEXT))),
    "assignee shown": ("", SHOWN, state(), fact(Kind.FIELDS, TEAM, FieldsBody("", "", ANNA, ()))),
    "assignee hidden": ("not_allowed", DEFAULT, state(), fact(Kind.FIELDS, TEAM, FieldsBody("", "", ANNA, ()))),
    "assignee taken away": (
        "", DEFAULT, state(assignee=ANNA), fact(Kind.FIELDS, TEAM, FieldsBody("", "", NOBODY, ())),
    ),
    "assignee unknown": (
        "unknown_assignee", SHOWN, state(),
        replace(fact(Kind.FIELDS, TEAM, FieldsBody("", "", ANNA, ())), assignable=False),
    ),
    "priority computed": (
        "priority_not_yours", policy(IMPLIED, priority={"staff_can_change": 1}), state(),
        fact(Kind.FIELDS, TEAM, FieldsBody("", "high", b"", ())),
    ),
    "category unknown": ("unknown_category", DEFAULT, state(), fact(Kind.FIELDS, TEAM, FieldsBody("x", "", b"", ()))),
    "priority unknown": ("unknown_priority", DEFAULT, state(), fact(Kind.FIELDS, TEAM, FieldsBody("", "x", b"", ()))),
    "priority fixed": (
        "priority_not_yours", policy(priority={"staff_can_change": 0}), state(),
        fact(Kind.FIELDS, TEAM, FieldsBody("", "high", b"", ())),
    ),
    "field unknown": (
        "unknown_field", DEFAULT, state(), fact(Kind.FIELDS, TEAM, FieldsBody("", "", b"", (Pair("x", "y"),))),
    ),
    "choice unknown": (
        "unknown_field", DEFAULT, state(), fact(Kind.FIELDS, TEAM, FieldsBody("", "", b"", (Pair("impact", "y"),))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_the_policy_decides(name: str) -> None:
    """Each switch of the policy allows or refuses what it names, by the relay's time."""
    reason, rules, before, written = RULES[name]
    following, found = judge(before, written, rules)
    assert found == reason
    assert (following == before) is bool(reason)


FILES: dict[str, tuple[str, Policy, Kind, tuple[Attachment, ...]]] = {
    "off": ("attachments_off", policy(attachments={"mode": AttachmentMode.OFF}), Kind.MESSAGE, (attached(),)),
    "images": ("", policy(attachments={"mode": AttachmentMode.IMAGES}), Kind.MESSAGE, (attached(),)),
    "no image": (
        "attachment_type", policy(attachments={"mode": AttachmentMode.IMAGES}), Kind.MESSAGE,
        (attached(), attached(media_type="text/plain")),
    ),
    "any kind": ("", DEFAULT, Kind.MESSAGE, (attached(media_type="text/plain"),)),
    "ten": ("", DEFAULT, Kind.MESSAGE, (attached(),) * 10),
    "eleven": ("too_many_attachments", DEFAULT, Kind.MESSAGE, (attached(),) * 11),
    "too large": ("attachment_too_large", DEFAULT, Kind.MESSAGE, (attached(), attached(25 * 2**20 + 1))),
    "full": ("ticket_full", policy(attachments={"ticket_bytes_max": 29}), Kind.MESSAGE, (attached(),) * 2),
    "just full": ("", policy(attachments={"ticket_bytes_max": 30}), Kind.MESSAGE, (attached(),) * 2),
    "with a close": ("", DEFAULT, Kind.CLOSE, (attached(),)),
    "with nothing to see": ("stray_attachment", DEFAULT, Kind.DUMMY, (attached(),)),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_which_files_a_ticket_takes(name: str) -> None:
    """Kind, number and sizes of files are the policy's; they stand where people see them, and add up."""
    reason, rules, kind, files = FILES[name]
    before = state(attachment_bytes=10)
    following, found = judge(before, fact(kind, USER, BODIES[kind], *files), rules)
    assert found == reason
    assert following is not None
    assert following.attachment_bytes == 10 + (0 if reason else sum(file.size for file in files))


# --- what follows -------------------------------------------------------------------------------------------


def test_an_answer_of_the_team() -> None:
    """It is the first response once, waits for the user, and takes the ticket off the waiting list."""
    first = after(state(), Kind.MESSAGE, TEAM, text("hello"))
    assert (first.last_by, first.first_response_at, first.waiting_user, first.waiting_since) == (
        TEAM,
        100,
        True,
        0,
    )
    again, _ = judge(first, fact(Kind.MESSAGE, TEAM, text("hello"), time=200), DEFAULT)
    assert again is not None
    assert (again.first_response_at, again.updated_at) == (100, 200)
    manual = policy(moves={"staff_reply_waits": 0})
    assert not after(state(), Kind.MESSAGE, TEAM, text("hello"), manual).waiting_user
    assert after(state(waiting_user=True), Kind.MESSAGE, TEAM, text("hello"), manual).waiting_user


def test_a_reply_of_the_user() -> None:
    """It clears the wait for the user and waits since the first unanswered one."""
    waiting = state(waiting_user=True, waiting_since=0, last_by=TEAM)
    replied = after(waiting, Kind.MESSAGE, USER, text("hello"))
    assert (replied.waiting_user, replied.waiting_since, replied.last_by) == (False, 100, USER)
    assert after(state(), Kind.MESSAGE, USER, text("hello")).waiting_since == 10
    kept = policy(moves={"user_reply_clears": 0})
    assert after(waiting, Kind.MESSAGE, USER, text("hello"), kept).waiting_user
    assert not after(state(), Kind.MESSAGE, USER, text("hello"), kept).waiting_user


def test_a_reply_to_a_resolved_ticket() -> None:
    """It opens the ticket again and forgets the resolution, unless the policy says otherwise."""
    again = after(state(RESOLVED), Kind.MESSAGE, USER, text("No."))
    assert (again.lifecycle, again.resolution_note, again.resolved_at, again.reopen_count) == (OPEN, "", 0, 0)
    stays = after(
        state(RESOLVED), Kind.MESSAGE, USER, text("Thanks"), policy(moves={"user_reply_reopens": 0})
    )
    assert (stays.lifecycle, stays.resolution_note) == (RESOLVED, "Sent again.")


def test_a_reply_to_a_closed_ticket_counts_as_reopening() -> None:
    """How it ended is forgotten, that it ended is counted; replies to resolved tickets are another matter."""
    rules = policy(moves={"user_reply_reopens": 0})
    again = after(state(CLOSED), Kind.MESSAGE, USER, text("It is back."), rules)
    assert (again.lifecycle, again.close_note, again.closed_at, again.reopen_count) == (OPEN, "", 0, 1)


def test_flags_are_switched_and_left() -> None:
    """0 leaves, 1 clears, 2 sets."""
    both = state(progress=True, waiting_user=True)
    assert after(state(), Kind.STATUS, TEAM, StatusBody(2, 2)) == replace(both, updated_at=100)
    left = after(both, Kind.STATUS, TEAM, StatusBody(0, 1))
    assert (left.progress, left.waiting_user) == (True, False)


def test_a_status_takes_a_resolution_back() -> None:
    """An open ticket has no resolution, whichever way it was opened again."""
    again = after(state(RESOLVED), Kind.STATUS, TEAM, StatusBody(0, 0))
    assert (again.lifecycle, again.resolution_note, again.resolved_at) == (OPEN, "", 0)


def test_facts_are_changed_one_by_one() -> None:
    """What is empty stays; sixteen zero bytes take the assignee away."""
    body = FieldsBody("billing", "urgent", ANNA, (Pair("impact", "Only me"),))
    changed = after(state(), Kind.FIELDS, TEAM, body, SHOWN)
    assert (changed.category, changed.priority, changed.assignee, changed.progress) == (
        "billing",
        "urgent",
        ANNA,
        True,
    )
    assert changed.fields == (Pair("impact", "Only me"),)
    same = after(changed, Kind.FIELDS, TEAM, FieldsBody("", "", b"", ()))
    assert same == changed
    nobody = after(state(assignee=ANNA), Kind.FIELDS, TEAM, FieldsBody("", "", NOBODY, ()))
    assert (nobody.assignee, nobody.progress) == (b"", False)
    assert not after(state(), Kind.FIELDS, TEAM, FieldsBody("billing", "", b"", ())).progress
    quiet = policy(SHOWN, moves={"assign_progress": 0})
    assert not after(state(), Kind.FIELDS, TEAM, FieldsBody("", "", ANNA, ()), quiet).progress


def test_a_resolution() -> None:
    """It is an answer, keeps its note, and takes the ticket off the waiting list."""
    resolved = after(state(), Kind.RESOLUTION, TEAM, ResolutionBody("Sent again."))
    assert (resolved.lifecycle, resolved.resolution_note, resolved.resolved_at) == (
        RESOLVED,
        "Sent again.",
        100,
    )
    assert (resolved.first_response_at, resolved.waiting_since, resolved.last_by) == (100, 0, TEAM)
    later = after(state(first_response_at=20), Kind.RESOLUTION, TEAM, ResolutionBody("Sent again."))
    assert later.first_response_at == 20


def test_closing_and_reopening() -> None:
    """Who reopens it decides whether it waits; the count says how often."""
    closed = after(state(waiting_user=True), Kind.CLOSE, USER, CloseBody("done", ""))
    assert closed.waiting_since == 0
    assert (closed.lifecycle, closed.close_note, closed.closed_at, closed.waiting_user) == (
        CLOSED,
        "done",
        100,
        False,
    )
    by_user = after(closed, Kind.REOPEN, USER, ReopenBody("It is back."))
    by_team = after(closed, Kind.REOPEN, TEAM, ReopenBody("Not done."))
    assert (by_user.waiting_since, by_user.last_by, by_user.reopen_count) == (100, USER, 1)
    assert (by_team.waiting_since, by_team.last_by, by_team.reopen_count) == (0, TEAM, 1)
    assert (closed.last_user_seq, by_user.last_user_seq, by_team.last_user_seq) == (0, 1, 0)


@pytest.mark.parametrize("kind", [Kind.BARRIER, Kind.REKEY, Kind.ACKNOWLEDGEMENT, Kind.DUMMY])
def test_what_nobody_sees_changes_nothing(kind: Kind) -> None:
    """Not even when the ticket was last changed."""
    noted = state(CLOSED, auto_closed=True, auto_noted=True)
    assert after(noted, kind, TEAM, BODIES[kind]) == noted


def test_the_table_is_closed() -> None:
    """From every state that a row names another state of the ticket follows."""
    assert all(set(row) | set(row.values()) <= set(Lifecycle) for row in TRANSITIONS.values())


# --- labels -------------------------------------------------------------------------------------------------

LABELS = [
    ("open", state(), None),
    ("answered", state(last_by=TEAM), None),
    ("progress", state(progress=True, last_by=TEAM), None),
    ("waiting", state(waiting_user=True, progress=True), None),
    ("resolved", state(RESOLVED, waiting_user=True), None),
    ("closed", state(CLOSED), None),
    ("replied", state(first_response_at=20), frozenset[Condition]()),
    ("hold", state(), frozenset({Condition.HOLD})),
    ("closed", state(CLOSED), frozenset({Condition.HOLD})),
    ("spam", state(CLOSED), frozenset({Condition.SPAM})),
]


@pytest.mark.parametrize(("name", "ticket", "staff"), LABELS, ids=range(len(LABELS)))
def test_the_first_rule_that_holds_is_the_label(
    name: str, ticket: TicketState, staff: frozenset[Condition] | None
) -> None:
    """Each side has its own table; facts of the staff log are in the team's alone."""
    assert label(ticket, DEFAULT, staff=staff).id == name


def test_an_assignee_is_a_condition() -> None:
    """A table may ask whether somebody is assigned, and the log that the policy names says so."""
    rules = (
        replace(DEFAULT.labels_staff[0], id="taken", conditions=(Condition.ASSIGNED,)),
        DEFAULT.labels_staff[-1],
    )
    for shown, name in ((1, "taken"), (0, rules[-1].id)):
        asked = policy(labels_staff=rules, staff={"show_assignee": shown})
        assert label(state(assignee=ANNA), asked, staff=frozenset()).id == name


def test_text_is_counted_in_code_points_after_nfc() -> None:
    """What a person sees as one letter counts once; white space around it does not count."""
    assert count_text("  e\u0301 \n") == 1
