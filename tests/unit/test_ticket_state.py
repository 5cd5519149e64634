"""What time makes of a ticket, and how tickets end and begin otherwise: merged, opened for a user."""

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
    MessageBody,
    OpenBody,
    OpenForBody,
    Pair,
    ReopenBody,
    ResolutionBody,
    StatusBody,
)
from e2e_support.ids import BlobId, Hash, MailboxId
from e2e_support.policy import Policy
from e2e_support.policy_parts import ClosedReply, PriorityMode, UserReopen
from e2e_support.presets import DEFAULT, DESK, INSTANCE, PANEL, PORTAL, RECORD
from e2e_support.ticket import judge
from e2e_support.ticket_state import DAY, Fact, TicketState, advance, erase_due, label, reopen_until
from e2e_support.user import Card, SignedCard
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Role

USER, TEAM = AuthorRole.USER, AuthorRole.DEVICE
OPEN, RESOLVED, CLOSED = Lifecycle.OPEN, Lifecycle.RESOLVED, Lifecycle.CLOSED
BEGUN, SOLVED = 1_000_000, 2_000_000
DUE = SOLVED + 7 * DAY  # in both PANEL and DEFAULT
OTHER = MailboxId(b"o" * 16)
HELLO, SOLUTION, DONE = MessageBody("hello", 0), ResolutionBody("Sent again."), CloseBody("done", "")
MERGE, NOTED = MergeBody(OTHER, bytes(32), bytes(64), "Same matter."), EmptyBody()


def fact(kind: Kind, by: AuthorRole, body: Message, time: int, seq: int = 1) -> Fact:
    """Return an entry of one side."""
    return Fact(
        seq, kind, by, body, time, Role.AGENT if by is TEAM else None, b"a" * 16 if by is TEAM else b""
    )


def begun(policy: Policy, **changes: Any) -> TicketState:
    """Return a ticket that a user has just opened."""
    said = ("No invoice today", "x" * 60, policy.categories[0].id, "", (), (), b"", "", b"")
    body = OpenBody(*said, bytes(1216), user_key=b"u" * 32, user_proof=bytes(64))
    opened, reason = judge(None, fact(Kind.OPEN, USER, body, BEGUN, seq=0), policy)
    assert (opened is not None, reason) == (True, "")
    assert opened is not None
    return replace(opened, **changes)


def told(
    state: TicketState, kind: Kind, by: AuthorRole, body: Message, time: int, policy: Policy
) -> TicketState:
    """Return a ticket after an entry that must break no rule."""
    after, reason = judge(state, fact(kind, by, body, time), policy)
    assert not reason
    assert after is not None
    return after


def refused(state: TicketState, kind: Kind, by: AuthorRole, body: Message, time: int, policy: Policy) -> str:
    """Return the rule that an entry breaks, which must leave the ticket as it is."""
    after, reason = judge(state, fact(kind, by, body, time), policy)
    assert after == state
    return reason


def solved(policy: Policy = PANEL) -> TicketState:
    """Return a ticket that was resolved at ``SOLVED``."""
    return told(begun(policy), Kind.RESOLUTION, TEAM, SOLUTION, SOLVED, policy)


# --- closing by itself (S4-20) -------------------------------------------------------------------------------


@pytest.mark.parametrize(("now", "lifecycle"), [(DUE - 1, RESOLVED), (DUE, CLOSED), (DUE + DAY, CLOSED)])
def test_a_resolved_ticket_closes_at_its_second(now: int, lifecycle: Lifecycle) -> None:
    """Not a second earlier, and as of that second however late somebody looks; nobody waits for anything then."""
    answered = told(begun(PANEL), Kind.MESSAGE, TEAM, HELLO, SOLVED - 1, PANEL)
    resolved = told(answered, Kind.RESOLUTION, TEAM, SOLUTION, SOLVED, PANEL)
    assert resolved.waiting_user
    resolved = replace(resolved, waiting_since=SOLVED)  # a reply that left it resolved
    state = advance(resolved, now)
    assert state.lifecycle is lifecycle
    closed = lifecycle is CLOSED
    assert (state.closed_at, state.auto_closed) == ((DUE, True) if closed else (0, False))
    assert state.updated_at == (DUE if closed else SOLVED)
    assert (state.waiting_user, state.waiting_since) == (not closed, 0 if closed else SOLVED)


def test_where_the_policy_says_nothing_nothing_closes() -> None:
    """A resolved ticket without a date stays resolved for ever, and an open one stays open."""
    assert advance(solved(DESK), 2**52).lifecycle is RESOLVED
    assert advance(begun(PANEL), 2**52).lifecycle is OPEN


def test_the_day_of_closing_is_fixed_when_it_is_resolved() -> None:
    """A policy that comes later changes nothing for tickets that people were told about."""
    slower = replace(PANEL, close=replace(PANEL.close, resolved_days=30))
    state = told(solved(), Kind.FIELDS, TEAM, FieldsBody("billing", "", b"", ()), SOLVED + DAY, slower)
    assert advance(state, DUE).auto_closed
    again = told(solved(), Kind.RESOLUTION, TEAM, SOLUTION, SOLVED + DAY, slower)
    assert again.close_due == SOLVED + 31 * DAY


def test_a_reply_one_second_before_keeps_it_open() -> None:
    """The user is heard until the last second (S4-20); after it the reply meets a closed ticket (S4-23)."""
    before = told(solved(), Kind.MESSAGE, USER, HELLO, DUE - 1, PANEL)
    assert (before.lifecycle, before.close_due, before.reopen_count) == (OPEN, 0, 0)
    assert advance(before, 2**52).lifecycle is OPEN
    after = told(solved(), Kind.MESSAGE, USER, HELLO, DUE, PANEL)
    assert (after.lifecycle, after.reopen_count, after.auto_closed) == (OPEN, 1, False)
    refuse = replace(PANEL, reopen=replace(PANEL.reopen, on_reply=ClosedReply.REFUSE))
    assert refused(solved(), Kind.MESSAGE, USER, HELLO, DUE, refuse) == "closed"
    assert refused(solved(), Kind.MESSAGE, TEAM, HELLO, DUE, PANEL) == "closed"


def test_a_reply_that_leaves_it_resolved_postpones() -> None:
    """The days begin anew with each word of the user, the reminder with them."""
    policy = replace(DEFAULT, moves=replace(DEFAULT.moves, user_reply_reopens=0))
    state = told(begun(policy), Kind.RESOLUTION, TEAM, SOLUTION, SOLVED, policy)
    assert (state.close_due, state.remind_due) == (DUE, SOLVED + 5 * DAY)
    reopened = told(state, Kind.MESSAGE, USER, HELLO, SOLVED + 1, DEFAULT)
    assert (reopened.lifecycle, reopened.close_due, reopened.remind_due) == (OPEN, 0, 0)
    once = told(state, Kind.MESSAGE, USER, HELLO, SOLVED + 2 * DAY, policy)
    assert (once.lifecycle, once.close_due, once.remind_due) == (RESOLVED, DUE + 2 * DAY, SOLVED + 7 * DAY)
    twice = told(once, Kind.MESSAGE, USER, HELLO, SOLVED + 3 * DAY, policy)
    assert (twice.close_due, twice.remind_due) == (DUE + 3 * DAY, SOLVED + 8 * DAY)
    assert advance(twice, DUE + 3 * DAY - 1).lifecycle is RESOLVED
    assert advance(twice, DUE + 3 * DAY).closed_at == DUE + 3 * DAY
    quiet = replace(DESK, moves=replace(DESK.moves, user_reply_reopens=0))
    never = told(solved(quiet), Kind.MESSAGE, USER, HELLO, SOLVED + DAY, quiet)
    assert (never.lifecycle, never.close_due, never.remind_due) == (RESOLVED, 0, 0)
    unreminded = replace(policy, close=replace(policy.close, reminder_days=0))
    assert told(solved(unreminded), Kind.MESSAGE, USER, HELLO, SOLVED + DAY, unreminded).remind_due == 0


def test_a_closing_by_itself_is_noted_once() -> None:
    """The note changes nothing; two automations that both write it do no harm, and none comes early."""
    assert refused(begun(PANEL), Kind.AUTO_CLOSE, TEAM, NOTED, DUE, PANEL) == "not_due"
    assert refused(solved(), Kind.AUTO_CLOSE, TEAM, NOTED, DUE - 1, PANEL) == "not_due"
    noted = told(solved(), Kind.AUTO_CLOSE, TEAM, NOTED, DUE + DAY, PANEL)
    assert noted == replace(advance(solved(), DUE), auto_noted=True)
    assert refused(noted, Kind.AUTO_CLOSE, TEAM, NOTED, DUE + 2 * DAY, PANEL) == "not_due"
    by_hand = told(solved(), Kind.CLOSE, TEAM, DONE, SOLVED + DAY, PANEL)
    assert refused(by_hand, Kind.AUTO_CLOSE, TEAM, NOTED, DUE + DAY, PANEL) == "not_due"
    again = told(noted, Kind.REOPEN, TEAM, ReopenBody("x"), DUE + 2 * DAY, PANEL)
    assert (again.auto_closed, again.auto_noted) == (False, False)
    second = told(again, Kind.RESOLUTION, TEAM, SOLUTION, DUE + 3 * DAY, PANEL)
    assert told(second, Kind.AUTO_CLOSE, TEAM, NOTED, DUE + 10 * DAY, PANEL).auto_noted


def test_a_user_does_not_note_it() -> None:
    """It is the team's to say that time has passed."""
    assert refused(solved(), Kind.AUTO_CLOSE, USER, NOTED, DUE + DAY, PANEL) == "not_allowed"


# --- reopening (S4-17, S4-23, S2-33) -------------------------------------------------------------------------

WEEK = 7 * DAY


@pytest.mark.parametrize("after", [1, WEEK - 60, WEEK, WEEK + 1, WEEK + 60])
def test_the_time_to_reopen_ends_with_its_last_second(after: int) -> None:
    """Six days, 23 hours and 59 minutes are in time, seven days and a minute are not, by the relay's receipts."""
    closed = told(begun(PANEL), Kind.CLOSE, TEAM, DONE, SOLVED, PANEL)
    assert reopen_until(closed, PANEL) == SOLVED + WEEK
    for kind, body in ((Kind.MESSAGE, HELLO), (Kind.REOPEN, ReopenBody("It is back."))):
        following, reason = judge(closed, fact(kind, USER, body, SOLVED + after), PANEL)
        assert following is not None
        assert (following.lifecycle, reason) == (
            (OPEN, "") if after <= WEEK else (CLOSED, "reopen_window_over")
        )
    assert told(closed, Kind.REOPEN, TEAM, ReopenBody(""), SOLVED + 100 * WEEK, PANEL).lifecycle is OPEN


def test_two_clocks_follow_each_other() -> None:
    """Seven days until it closes, seven more to reopen it, counted from the closing and not from the note of it."""
    noted = told(solved(), Kind.AUTO_CLOSE, TEAM, NOTED, DUE + 3 * DAY, PANEL)
    assert reopen_until(noted, PANEL) == DUE + WEEK
    assert refused(noted, Kind.MESSAGE, USER, HELLO, DUE + WEEK + 1, PANEL) == "reopen_window_over"


def test_until_when_a_ticket_can_be_reopened() -> None:
    """Never, for ever, or for some days; a merged one never."""
    closed = told(begun(PANEL), Kind.CLOSE, TEAM, DONE, SOLVED, PANEL)
    always = replace(PANEL, reopen=replace(PANEL.reopen, user=UserReopen.ALWAYS, window_days=0))
    assert reopen_until(closed, RECORD) == 0
    assert reopen_until(closed, always) is None
    assert reopen_until(replace(closed, merged_into=OTHER), always) == 0


def test_what_is_closed_for_good_stays_so() -> None:
    """Neither side reopens, and neither writes (S2-23, S2-33)."""
    closed = told(begun(RECORD), Kind.CLOSE, TEAM, DONE, SOLVED, RECORD)
    assert refused(closed, Kind.REOPEN, USER, ReopenBody("x"), SOLVED + 1, RECORD) == "reopen_never"
    assert refused(closed, Kind.REOPEN, TEAM, ReopenBody("x"), SOLVED + 1, RECORD) == "reopen_never"
    assert refused(closed, Kind.MESSAGE, USER, HELLO, SOLVED + 1, RECORD) == "closed"
    assert refused(closed, Kind.STATUS, TEAM, StatusBody(2, 0), SOLVED + 1, RECORD) == "closed"


def test_when_a_closed_ticket_is_erased() -> None:
    """Days after its closing where the policy has some; an open ticket and an unbounded one never."""
    closed = told(begun(DEFAULT), Kind.CLOSE, TEAM, DONE, SOLVED, DEFAULT)
    assert erase_due(closed, DEFAULT) == SOLVED + 365 * DAY
    assert erase_due(closed, PANEL) == 0
    assert erase_due(begun(DEFAULT), DEFAULT) == 0
    reopened = told(closed, Kind.MESSAGE, USER, HELLO, SOLVED + 1, DEFAULT)
    assert erase_due(reopened, DEFAULT) == 0


# --- merging -------------------------------------------------------------------------------------------------


def test_a_merged_ticket_is_closed_for_its_user() -> None:
    """It goes on elsewhere: nothing the user writes opens it again, whatever the policy says of closed ones."""
    always = replace(PANEL, reopen=replace(PANEL.reopen, user=UserReopen.ALWAYS, window_days=0))
    merged = told(begun(always), Kind.MERGE, TEAM, MERGE, SOLVED, always)
    assert (merged.lifecycle, merged.merged_into, merged.close_note, merged.closed_at) == (
        CLOSED, OTHER, "Same matter.", SOLVED,
    )  # fmt: skip
    assert refused(merged, Kind.MESSAGE, USER, HELLO, SOLVED + 1, always) == "merged"
    assert refused(merged, Kind.REOPEN, USER, ReopenBody("x"), SOLVED + 1, always) == "merged"
    refuse = replace(always, reopen=replace(always.reopen, on_reply=ClosedReply.REFUSE))
    assert refused(merged, Kind.MESSAGE, USER, HELLO, SOLVED + 1, refuse) == "merged"
    assert refused(merged, Kind.MERGE, TEAM, MERGE, SOLVED + 1, always) == "closed"


def test_the_team_takes_a_merge_back() -> None:
    """It is a ticket like any other then, and may be merged again."""
    merged = told(solved(), Kind.MERGE, TEAM, MERGE, SOLVED + 1, PANEL)
    again = told(merged, Kind.REOPEN, TEAM, ReopenBody("Another matter."), SOLVED + 2, PANEL)
    assert (again.lifecycle, again.merged_into, again.close_note, again.close_due) == (OPEN, b"", "", 0)
    assert told(again, Kind.MESSAGE, USER, HELLO, SOLVED + 3, PANEL).lifecycle is OPEN
    assert told(again, Kind.MERGE, TEAM, MERGE, SOLVED + 4, PANEL).merged_into == OTHER


def test_a_ticket_whose_user_is_not_known_is_not_merged() -> None:
    """Who did not say who they are across tickets cannot be shown to be one (1.5, pitfall 7)."""
    assert refused(begun(PANEL, user_key=b""), Kind.MERGE, TEAM, MERGE, SOLVED, PANEL) == "not_same_user"
    assert refused(begun(PANEL), Kind.MERGE, USER, MERGE, SOLVED, PANEL) == "not_allowed"
    shut = replace(PANEL, close=replace(PANEL.close, staff=0))
    assert refused(begun(PANEL), Kind.MERGE, TEAM, MERGE, SOLVED, shut) == "not_allowed"
    long = replace(MERGE, note="x" * 10_001)
    assert refused(begun(PANEL), Kind.MERGE, TEAM, long, SOLVED, PANEL) == "text_too_long"


# --- opened for a user (S1x-5) -------------------------------------------------------------------------------

ZEROS = bytes(32)
FILE = Attachment("a.png", "image/png", 1, BlobId(bytes(16)), ZEROS, ZEROS, ZEROS, Hash(ZEROS))
CARD = SignedCard(
    Card(bytes(32), bytes(32), bytes(1216), b"u" * 32, bytes(64)).to_bytes(), bytes(64)
).to_bytes()


def opening_for(**changes: Any) -> OpenForBody:
    """Return what the team says first."""
    return replace(OpenForBody(CARD, "Your invoice", "It is late.", "question", "", (), 1), **changes)


def test_the_team_opens_a_ticket_for_a_user() -> None:
    """It is answered from its first word, and the user's own first word comes later."""
    opened, reason = judge(None, fact(Kind.OPEN_FOR, TEAM, opening_for(), BEGUN, seq=0), DEFAULT)
    assert not reason
    assert opened is not None
    assert (opened.opened_by, opened.last_by, opened.first_response_at) == (TEAM, TEAM, BEGUN)
    assert (opened.waiting_since, opened.waiting_user, opened.user_key) == (0, True, b"u" * 32)
    assert (opened.priority, opened.last_user_seq) == ("normal", -1)
    replied = told(opened, Kind.MESSAGE, USER, HELLO, BEGUN + 1, DEFAULT)
    assert (replied.last_user_seq, replied.waiting_since, replied.waiting_user) == (1, BEGUN + 1, False)


FILLED = (Pair("impact", "Only me"),)
OPENINGS_FOR: dict[str, tuple[str, Policy, dict[str, Any]]] = {
    "short is enough": ("", RECORD, {"subject": "x", "text": "y", "category": "bug"}),
    "a priority": ("", DEFAULT, {"priority": "urgent"}),
    "fields": ("", DEFAULT, {"fields": FILLED}),
    "no subject": ("subject_too_short", DEFAULT, {"subject": " "}),
    "no text": ("text_too_short", DEFAULT, {"text": ""}),
    "long subject": ("subject_too_long", DEFAULT, {"subject": "x" * 201}),
    "long text": ("text_too_long", DEFAULT, {"text": "x" * 10_001}),
    "no category": ("unknown_category", DEFAULT, {"category": ""}),
    "another priority": ("unknown_priority", DEFAULT, {"priority": "x"}),
    "a computed priority": ("priority_not_yours", RECORD, {"category": "bug", "priority": "low"}),
    "another field": ("unknown_field", DEFAULT, {"fields": (Pair("x", "y"),)}),
}


@pytest.mark.parametrize("name", OPENINGS_FOR)
def test_what_the_team_says_first_keeps_the_rules(name: str) -> None:
    """Lists and largest lengths bind the team as well; the form is not the team's to fill in."""
    reason, policy, changes = OPENINGS_FOR[name]
    opened, found = judge(None, fact(Kind.OPEN_FOR, TEAM, opening_for(**changes), BEGUN, seq=0), policy)
    assert (found, opened is None) == (reason, bool(reason))
    assert opened is None or opened.priority == changes.get("priority", opened.priority)


def test_who_opens_for_a_user_and_when() -> None:
    """A device, first and once, without files, which stand where the user can answer."""
    good = fact(Kind.OPEN_FOR, TEAM, opening_for(), BEGUN, seq=0)
    assert judge(None, replace(good, by=USER, role=None), DEFAULT) == (None, "not_allowed")
    assert judge(None, replace(good, seq=1), DEFAULT) == (None, "not_first")
    assert judge(begun(PANEL), good, PANEL) == (begun(PANEL), "not_first")
    assert judge(None, replace(good, role=Role.AUDITOR), DEFAULT) == (None, "not_allowed")
    assert judge(None, replace(good, attachments=(FILE,)), DEFAULT) == (None, "stray_attachment")


def test_a_category_implies_the_priority_there_too() -> None:
    """Computed priorities stand in no entry, whoever opens."""
    assert RECORD.priority.mode is PriorityMode.BY_CATEGORY
    opened, _ = judge(None, fact(Kind.OPEN_FOR, TEAM, opening_for(category="access"), BEGUN, seq=0), RECORD)
    assert opened is not None
    assert opened.priority == "critical"


# --- the words of the five systems ---------------------------------------------------------------------------

ANSWER = (Kind.MESSAGE, TEAM, HELLO)
REPLY = (Kind.MESSAGE, USER, HELLO)
SOLVE = (Kind.RESOLUTION, TEAM, SOLUTION)
CLOSE = (Kind.CLOSE, TEAM, DONE)
WORK = (Kind.STATUS, TEAM, StatusBody(2, 0))
WAIT = (Kind.STATUS, TEAM, StatusBody(0, 2))
CLEAR = (Kind.STATUS, TEAM, StatusBody(1, 1))
TAKE = (Kind.FIELDS, TEAM, FieldsBody("", "", b"a" * 16, ()))
STORIES: list[tuple[str, Policy, list[tuple[Kind, AuthorRole, Message]], str]] = [
    ("S0-16 new", PORTAL, [], "Open"),
    ("S0-16 taken up", PORTAL, [WORK], "In progress"),
    ("S0-16 answered", PORTAL, [ANSWER], "Answered"),
    ("S0-16 answered and replied", PORTAL, [ANSWER, REPLY], "Open"),
    ("S0-16 resolved", PORTAL, [ANSWER, SOLVE], "Resolved"),
    ("S1-19 more before any answer", INSTANCE, [REPLY], "Open"),
    ("S1-18 answered", INSTANCE, [ANSWER], "Answered"),
    ("S1-23 closed", INSTANCE, [ANSWER, CLOSE], "Closed"),
    ("S2-14 new", RECORD, [], "Open"),
    ("S2-14 answered is no status here", RECORD, [ANSWER], "Open"),
    ("S2-14 assigned", RECORD, [TAKE], "In Review"),
    ("S2-14 in review", RECORD, [WORK], "In Review"),
    ("S2-14 awaiting the user, set by hand", RECORD, [TAKE, WAIT], "Awaiting User"),
    ("S2-14 the user answered", RECORD, [TAKE, WAIT, REPLY], "In Review"),
    ("S2-14 resolved", RECORD, [TAKE, WAIT, SOLVE], "Resolved"),
    ("S2-14 a reply to a resolution", RECORD, [TAKE, SOLVE, REPLY], "In Review"),
    ("S2-14 closed", RECORD, [SOLVE, CLOSE], "Closed"),
    ("S3-03 new", DESK, [], "Open"),
    ("S3-05 answered", DESK, [ANSWER], "Answered"),
    ("S3-07 the customer replied", DESK, [ANSWER, REPLY], "Customer Reply"),
    ("S3-07 not before an answer", DESK, [REPLY, REPLY], "Open"),
    ("S3-09 closed", DESK, [ANSWER, REPLY, CLOSE], "Closed"),
    ("S4-03 new", PANEL, [], "Open"),
    ("S4-25 answered", PANEL, [ANSWER], "Waiting User"),
    ("S4-03 replied", PANEL, [ANSWER, REPLY], "In Progress"),
    ("S4-13 back to open by hand", PANEL, [ANSWER, CLEAR], "In Progress"),
    ("S4-13 in progress by hand", PANEL, [WORK], "In Progress"),
    ("S4-13 resolved", PANEL, [ANSWER, SOLVE], "Resolved"),
    ("S4-23 closed and replied", PANEL, [ANSWER, CLOSE, REPLY], "In Progress"),
]


@pytest.mark.parametrize(("name", "policy", "story", "shown"), STORIES, ids=[story[0] for story in STORIES])
def test_what_a_user_sees(
    name: str, policy: Policy, story: list[tuple[Kind, AuthorRole, Message]], shown: str
) -> None:
    """Each system's word follows from the same few facts."""
    state = begun(policy)
    for minute, (kind, by, body) in enumerate(story, 1):
        state = told(state, kind, by, body, BEGUN + 60 * minute, policy)
    assert label(state, policy).text == shown
    if policy not in {INSTANCE, DESK}:  # whose teams have words of their own
        assert label(state, policy, staff=frozenset()).text == shown
