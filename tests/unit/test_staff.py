"""What a staff log adds up to: flags, tags, assignee, notes and links, and what of it holds now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.codec import Message
from e2e_support.content import (
    BODIES,
    AssignBody,
    Attachment,
    BarrierBody,
    FlagBody,
    MessageBody,
    NoteBody,
    RelationBody,
    SnoozeBody,
    StaffOpenBody,
    TagBody,
)
from e2e_support.ids import BlobId, Hash, MailboxId
from e2e_support.limits import TAGS_MAX
from e2e_support.policy import Policy
from e2e_support.policy_parts import Condition
from e2e_support.presets import DEFAULT, DESK, INSTANCE, RECORD
from e2e_support.reasons import REASONS
from e2e_support.roster_links import NO_HASH
from e2e_support.staff import Flag, StaffState, judge_staff, staff_conditions
from e2e_support.ticket_state import NOBODY, Fact, TicketState, label
from e2e_support.vocab import AuthorRole, Kind, Role
from e2e_support.wire import Head

USER, TEAM = AuthorRole.USER, AuthorRole.DEVICE
NOW, ANNA = 1_000_000, b"a" * 16
HEAD = Head(3, NO_HASH)
EMPTY = StaffState()
TICKET = TicketState("No invoice", "question", "normal", (), "", 1, 1, last_user_seq=2)
SPOKEN = replace(TICKET, last_user_seq=3)
ONE, TWO = MailboxId(b"1" * 16), MailboxId(b"2" * 16)


def fact(kind: Kind, body: Message, *, role: Role | None = Role.AGENT, seq: int = 1) -> Fact:
    """Return an entry of a staff log."""
    by = USER if role is None else TEAM
    return Fact(seq, kind, by, body, NOW, role, ANNA if role is not None else b"")


def after(state: StaffState, kind: Kind, body: Message, policy: Policy = DEFAULT) -> StaffState:
    """Return the staff log after an entry that must break no rule."""
    following, reason = judge_staff(state, fact(kind, body), policy)
    assert not reason
    assert following is not None
    return following


def on(*, on: int = 1, reason: str = "why") -> FlagBody:
    """Return a flag that is set, or cleared."""
    return FlagBody(HEAD, on, reason)


# --- who writes what -----------------------------------------------------------------------------------------


def test_it_begins_with_its_opening() -> None:
    """Nothing counts before; a second opening changes nothing."""
    opening = fact(Kind.STAFF_OPEN, StaffOpenBody(HEAD), seq=0)
    assert judge_staff(None, opening, DEFAULT) == (EMPTY, "")
    assert judge_staff(EMPTY, opening, DEFAULT) == (EMPTY, "not_first")
    assert judge_staff(None, fact(Kind.NOTE, NoteBody(HEAD, "x", ())), DEFAULT) == (None, "not_allowed")


def test_junk_in_front_does_not_take_the_log_away() -> None:
    """Whoever may write to the relay and not to the team's logs could put one entry before the opening."""
    assert judge_staff(None, fact(Kind.STAFF_OPEN, StaffOpenBody(HEAD), seq=7), DEFAULT) == (EMPTY, "")


BODY_OF: dict[Kind, Message] = {
    Kind.NOTE: NoteBody(HEAD, "Known customer.", ()),
    Kind.TAG: TagBody(HEAD, ("vip",), ()),
    Kind.ASSIGN: AssignBody(HEAD, ANNA),
    Kind.HOLD: on(),
    Kind.ARCHIVE: on(),
    Kind.SPAM: on(),
    Kind.SNOOZE: SnoozeBody(HEAD, NOW + 1),
    Kind.LINK: RelationBody(HEAD, ONE, 1),
    Kind.BARRIER: BarrierBody(()),
    Kind.REKEY: BarrierBody(()),
    Kind.DUMMY: BODIES[Kind.DUMMY](),
}


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("kind", BODY_OF)
def test_owners_and_agents_write(kind: Kind, role: Role | None) -> None:
    """Neither a user nor who only reads changes anything."""
    following, reason = judge_staff(EMPTY, fact(kind, BODY_OF[kind], role=role), DEFAULT)
    allowed = role in {Role.OWNER, Role.AGENT}
    assert reason == ("" if allowed else "not_allowed")
    assert allowed or following == EMPTY


@pytest.mark.parametrize(
    "kind", [kind for kind in Kind if kind not in BODY_OF and kind is not Kind.STAFF_OPEN]
)
def test_kinds_of_other_logs_have_no_place_here(kind: Kind) -> None:
    """What belongs to the shared log or the team space is nonconforming, whatever it says."""
    assert judge_staff(EMPTY, fact(kind, MessageBody("hello", 0)), DEFAULT) == (EMPTY, "not_allowed")


def test_files_stand_in_the_shared_log() -> None:
    """A staff log carries none."""
    zeros = bytes(32)
    file = Attachment("a", "image/png", 1, BlobId(bytes(16)), zeros, zeros, zeros, Hash(zeros))
    note = replace(fact(Kind.NOTE, BODY_OF[Kind.NOTE]), attachments=(file,))
    assert judge_staff(EMPTY, note, DEFAULT) == (EMPTY, "not_allowed")


@pytest.mark.parametrize("kind", [Kind.BARRIER, Kind.REKEY, Kind.DUMMY])
def test_housekeeping_changes_nothing(kind: Kind) -> None:
    """It keeps the log in order and alive."""
    state = after(EMPTY, Kind.TAG, TagBody(HEAD, ("vip",), ()))
    assert after(state, kind, BODY_OF[kind]) == state


# --- what each kind does -------------------------------------------------------------------------------------


def test_notes_are_counted_and_say_something() -> None:
    """An empty note is none."""
    assert after(EMPTY, Kind.NOTE, NoteBody(HEAD, "x", ())).notes == 1
    assert judge_staff(EMPTY, fact(Kind.NOTE, NoteBody(HEAD, " \n", ())), DEFAULT) == (EMPTY, "text_empty")


def test_tags_come_and_go() -> None:
    """They stand in order, once each; what is named on both sides goes."""
    tagged = after(EMPTY, Kind.TAG, TagBody(HEAD, ("vip", "billing", "vip"), ("new",)))
    assert tagged.tags == ("billing", "vip")
    assert after(tagged, Kind.TAG, TagBody(HEAD, ("x", "vip"), ("vip", "x"))).tags == ("billing",)


def test_a_ticket_has_so_many_tags_and_none_is_empty() -> None:
    """The last that fits is taken; more, or an empty one, is refused as a whole."""
    full = after(EMPTY, Kind.TAG, TagBody(HEAD, tuple(str(i) for i in range(TAGS_MAX)), ()))
    assert len(full.tags) == TAGS_MAX
    for state, names in ((full, ("one more",)), (EMPTY, ("vip", " "))):
        assert judge_staff(state, fact(Kind.TAG, TagBody(HEAD, names, ())), DEFAULT) == (state, "bad_tag")
    assert after(full, Kind.TAG, TagBody(HEAD, ("one more",), ("0",))).tags[-1] == "one more"


def test_who_takes_care_of_it() -> None:
    """Where users do not see it, the staff log says it; where they do, it only takes an older word back."""
    taken = after(EMPTY, Kind.ASSIGN, AssignBody(HEAD, ANNA))
    assert taken.assignee == ANNA
    assert after(taken, Kind.ASSIGN, AssignBody(HEAD, NOBODY)).assignee == b""
    shown, other = fact(Kind.ASSIGN, AssignBody(HEAD, ANNA)), fact(Kind.ASSIGN, AssignBody(HEAD, NOBODY))
    assert judge_staff(EMPTY, shown, RECORD) == (EMPTY, "not_allowed")
    assert judge_staff(taken, other, RECORD) == (EMPTY, "")
    unknown = replace(shown, assignable=False)
    assert judge_staff(EMPTY, unknown, DEFAULT) == (EMPTY, "unknown_assignee")


@pytest.mark.parametrize(
    ("kind", "name"), [(Kind.HOLD, "hold"), (Kind.ARCHIVE, "archived"), (Kind.SPAM, "spam")]
)
def test_flags_keep_their_reason_and_where_they_were_set(kind: Kind, name: str) -> None:
    """The newest word counts."""
    flagged = after(EMPTY, kind, on())
    assert getattr(flagged, name) == Flag(on=True, reason="why", shared=3)
    cleared = after(flagged, kind, on(on=0, reason=""))
    assert getattr(cleared, name) == Flag(on=False, reason="", shared=3)
    assert holds(flagged) != holds(cleared) == set()


def test_a_policy_without_archive_still_lets_tickets_out_of_it() -> None:
    """What was archived before must not be lost."""
    archived = after(EMPTY, Kind.ARCHIVE, on(), INSTANCE)
    assert judge_staff(EMPTY, fact(Kind.ARCHIVE, on()), RECORD) == (EMPTY, "archive_off")
    assert not after(archived, Kind.ARCHIVE, on(on=0), RECORD).archived.on


def test_links_are_joined_and_parted() -> None:
    """Each stands once, the newest last."""
    both = after(after(EMPTY, Kind.LINK, RelationBody(HEAD, ONE, 1)), Kind.LINK, RelationBody(HEAD, TWO, 1))
    assert both.links == (ONE, TWO)
    assert after(both, Kind.LINK, RelationBody(HEAD, ONE, 1)).links == (TWO, ONE)
    assert after(both, Kind.LINK, RelationBody(HEAD, ONE, 0)).links == (TWO,)
    assert after(EMPTY, Kind.LINK, RelationBody(HEAD, ONE, 0)).links == ()


# --- what holds now ------------------------------------------------------------------------------------------


def holds(
    state: StaffState, ticket: TicketState = TICKET, *, now: int = NOW, policy: Policy = DEFAULT
) -> set[Condition]:
    """Return the facts of a staff log that hold."""
    return set(staff_conditions(state, ticket, policy, now))


def test_without_a_staff_log_nothing_holds() -> None:
    """Most tickets have none."""
    assert staff_conditions(None, TICKET, DEFAULT, NOW) == frozenset()
    assert holds(EMPTY) == set()


@pytest.mark.parametrize(
    ("kind", "condition", "lasts"),
    [
        (Kind.ARCHIVE, Condition.ARCHIVED, False),
        (Kind.HOLD, Condition.HOLD, False),
        (Kind.SPAM, Condition.SPAM, True),
        (Kind.ASSIGN, Condition.ASSIGNED, True),
    ],
)
def test_a_word_of_the_user_brings_a_ticket_back(kind: Kind, condition: Condition, *, lasts: bool) -> None:
    """What was put aside before it comes back; spam stays spam, and whoever has it keeps it."""
    state = after(EMPTY, kind, BODY_OF[kind])
    assert holds(state) == {condition}
    assert holds(state, SPOKEN) == ({condition} if lasts else set())


def test_an_older_word_on_who_takes_care_of_it_does_not_count() -> None:
    """Where users see the assignee, the shared log says who it is."""
    assert holds(after(EMPTY, Kind.ASSIGN, BODY_OF[Kind.ASSIGN]), policy=RECORD) == set()


def test_a_hold_outlasts_a_reply_where_the_policy_says_so() -> None:
    """``user_reply_clears`` covers the hold as well."""
    keep = replace(DEFAULT, moves=replace(DEFAULT.moves, user_reply_clears=0))
    state = after(EMPTY, Kind.HOLD, on())
    assert holds(state, SPOKEN, policy=keep) == {Condition.HOLD}
    assert holds(after(state, Kind.HOLD, on(on=0)), policy=keep) == set()


def test_a_snooze_ends_with_its_second_or_a_word_of_the_user() -> None:
    """Until then the ticket is out of sight; 0 wakes it."""
    state = after(EMPTY, Kind.SNOOZE, SnoozeBody(HEAD, NOW + 60))
    assert holds(state, now=NOW + 59) == {Condition.SNOOZED}
    assert holds(state, now=NOW + 60) == set()
    assert holds(state, SPOKEN) == set()
    assert holds(after(state, Kind.SNOOZE, SnoozeBody(HEAD, 0))) == set()


DESK_STORIES = [
    ("S3-08 spam", Kind.SPAM, DESK, "Spammed"),
    ("S3-06 archived", Kind.ARCHIVE, DESK, "Archived"),
    ("S3-04 on hold", Kind.HOLD, DESK, "On Hold"),
    ("S1x-3 archived", Kind.ARCHIVE, INSTANCE, "Archived"),
]


@pytest.mark.parametrize(
    ("name", "kind", "policy", "shown"), DESK_STORIES, ids=[row[0] for row in DESK_STORIES]
)
def test_the_team_sees_words_that_its_users_do_not(name: str, kind: Kind, policy: Policy, shown: str) -> None:
    """A flag of the staff log names a ticket in the team's table alone."""
    state = after(EMPTY, kind, on(), policy)
    assert label(TICKET, policy, staff=staff_conditions(state, TICKET, policy, NOW)).text == shown
    assert label(TICKET, policy).text == "Open"
    brought_back = label(SPOKEN, policy, staff=staff_conditions(state, SPOKEN, policy, NOW)).text
    assert (brought_back == shown) is (kind is Kind.SPAM)


def test_every_refusal_has_words() -> None:
    """No rule of staff logs is broken without a sentence for it."""
    assert {
        "not_first",
        "not_allowed",
        "text_empty",
        "bad_tag",
        "unknown_assignee",
        "archive_off",
    } <= REASONS.keys()
