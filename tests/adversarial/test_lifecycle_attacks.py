"""Attacks on how tickets are joined, opened, ended and ruled: by users, agents and strangers with modified programs.

Whoever attacks can store any bytes. Each attack is carried out a second time with its defence taken away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from e2e_support import entry_proofs, log_reader, ticket_rules, transitions
from e2e_support.codec import Message
from e2e_support.content import (
    AssignBody,
    Author,
    EmptyBody,
    FieldsBody,
    MergeBody,
    NoteBody,
    OpenForBody,
    ResolutionBody,
    StaffOpenBody,
)
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT, RECORD
from e2e_support.roster_links import NO_HASH
from e2e_support.roster_state import RosterState
from e2e_support.thread import GRACE, LogThread, StaffThread
from e2e_support.ticket_keys import TicketKeys, seal_boxes
from e2e_support.ticket_state import DAY, Fact, TicketState
from e2e_support.user import make_card, prove_user, read_card
from e2e_support.vocab import AuthorRole, Direction, Kind, Lifecycle, Verdict
from e2e_support.wire import Box, Head
from team_builder import TIME, Device, Team, seed_of
from ticket_builder import (
    ANNA,
    AUDITOR,
    BEN,
    Log,
    Ticket,
    head_of,
    make_admin,
    merge_of,
    said_by,
    text,
)

OK, NONCONFORMING, FORGED = Verdict.OK, Verdict.NONCONFORMING, Verdict.FORGED
HEAD = Head(1, NO_HASH)
KEY = Secret(b"k" * 32)
THIRD = SigningKey(Secret(b"3" * 32))
IDENTITY = bytes([1]) + bytes(31)  # under which some libraries take R = identity, S = 0
DUE = 7 * DAY  # from a resolution to the closing by itself in the default policy


def always(*_: object, **__: object) -> bool:
    """Stand where a question was taken away."""
    return True


def never(*_: object, **__: object) -> bool:
    """Stand where an objection was taken away."""
    return False


def nothing(*_: object) -> None:
    """Stand where a check was taken away."""


def lawful(_state: TicketState, _fact: Fact, _policy: Policy) -> str:
    """Stand where a rule was taken away."""
    return ""


def as_device(who: Device) -> dict[str, Any]:
    """Return what makes an entry a device's."""
    return {"author": Author(AuthorRole.DEVICE, who.device_id), "signer": who.sign}


def keys_of(team: Team, master: str, index: int = 1) -> TicketKeys:
    """Return the keys of a ticket of whoever has a master."""
    return TicketKeys.derive(Secret(seed_of(master)), team.team_id, 202701, index)


# --- 100: who a user is --------------------------------------------------------------------------------------


def pretended(case: Ticket, how: str) -> dict[str, bytes]:
    """Return what an opening says of a user who is somebody else."""
    victim = keys_of(case.team, "victim", 0)
    honest = said_by(case.team, victim, master="victim")
    own = said_by(case.team, case.keys)
    return {
        "the victim's key and proof": honest,
        "the victim's key, an own proof": {**honest, "user_proof": own["user_proof"]},
        "the victim's key, no proof": {**honest, "user_proof": b""},
        "a proof for nobody": {**own, "user_key": b""},
        "a key under which anybody can sign": {"user_key": IDENTITY, "user_proof": IDENTITY + bytes(32)},
    }[how]


PRETENCES = [
    "the victim's key and proof",
    "the victim's key, an own proof",
    "the victim's key, no proof",
    "a proof for nobody",
    "a key under which anybody can sign",
]


@pytest.mark.parametrize("how", PRETENCES)
def test_100_nobody_passes_for_another_user(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket joins a user's others only with that user's signature over this ticket and its author key."""
    case = Ticket.empty()
    opened = case.say(case.user, Kind.OPEN, case.opening(**pretended(case, how)))
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "bad_user_proof")
    assert case.anna.thread.state is case.user.thread.state is None
    monkeypatch.setattr(entry_proofs, "is_users", always)
    again = Ticket.empty()
    assert again.say(again.user, Kind.OPEN, again.opening(**pretended(again, how))).verdict is OK


# --- 101: merging tickets of two users -----------------------------------------------------------------------


def false_merges(case: Ticket) -> dict[str, MergeBody]:
    """Return merges by an agent who wants one user to end up in another user's ticket."""
    other = keys_of(case.team, "victim")
    theirs = said_by(case.team, other, master="victim")["user_proof"]
    into, author = other.mailbox, other.author.public
    invented = prove_user(THIRD, case.team.team_id, into, author)
    own = case.keys
    itself = said_by(case.team, own)["user_proof"]
    return {
        "with the other user's proof": MergeBody(into, author, theirs, ""),
        "with a proof under another key": MergeBody(into, author, invented, ""),
        "with this ticket's proof": MergeBody(into, author, itself, ""),
        "with the proof of a third ticket": replace(merge_of(case), into=into),
        "with another author key": replace(merge_of(case), author_key=author),
        "into itself": MergeBody(own.mailbox, own.author.public, itself, ""),
    }


@pytest.mark.parametrize("how", false_merges(Ticket.empty()))
def test_101_an_agent_cannot_merge_tickets_of_two_users(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client refuses it, so that no user is sent to what another one wrote (1.5, pitfall 7)."""
    case = Ticket.known()
    before = case.user.state
    entry = case.craft(case.anna, Kind.MERGE, false_merges(case)[how], **as_device(BEN))
    assert [side.verdict for side in both(case, entry)] == [NONCONFORMING] * 2
    assert case.user.verdicts[-1] == case.anna.verdicts[-1] == (NONCONFORMING, "bad_user_proof")
    assert case.user.state == case.anna.state == before
    if how != "into itself":
        monkeypatch.setattr(entry_proofs, "is_users", always)
        case.post(case.craft(case.anna, Kind.MERGE, false_merges(case)[how], **as_device(BEN)))
        assert case.user.state.merged_into


def both(case: Ticket, entry: bytes) -> list[Opened]:
    """Store an entry and return what user and anna make of it."""
    item = case.log.add(entry)
    return [side.read(item) for side in (case.user, case.anna)]


def test_101_a_user_cannot_merge_and_a_stranger_is_never_merged() -> None:
    """Merging is the team's, and only of tickets whose user said who they are."""
    case = Ticket.known()
    assert case.post(case.craft(case.user, Kind.MERGE, merge_of(case))).reason == "not_allowed"
    unknown = Ticket.begin()
    assert unknown.post(unknown.anna.seal(Kind.MERGE, merge_of(unknown))).reason == "bad_user_proof"
    assert unknown.user.state.lifecycle is Lifecycle.OPEN


# --- 102, P6: tickets "from support" -------------------------------------------------------------------------


def boxes_for(case: Ticket, reply_key: bytes) -> tuple[Box, ...]:
    """Return key boxes for the team and whoever a reply key belongs to."""
    team = case.team
    return seal_boxes(
        KEY,
        team_id=team.team_id,
        mailbox=case.log.mailbox,
        gen=0,
        epoch=team.roster.epoch,
        reply_key=reply_key,
    )


def planted(case: Ticket, card: str, reply_key: bytes, **who: Any) -> bytes:
    """Return a first entry that opens a ticket for a user with some card."""
    body = OpenForBody(read_card(card), "Your account", "Confirm your password.", "question", "", (), 1)
    boxes = boxes_for(case, reply_key)
    return case.craft(case.anna, Kind.OPEN_FOR, body, key=KEY, gen=0, boxes=boxes, **who)


def strangers_card(case: Ticket, *, own_mailbox: bool) -> tuple[str, bytes]:
    """Return a card that a stranger made, for a mailbox of theirs or for the user's, and its reply key."""
    keys = keys_of(case.team, "stranger", 0)
    if own_mailbox:
        keys = replace(keys, capability=case.keys.capability)
    return make_card(keys, case.team.team_id, None), keys.reply.public


@pytest.mark.parametrize("own_mailbox", [False, True])
def test_102_p6_a_strangers_card_opens_no_ticket_of_a_user(
    own_mailbox: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent who is led to open a ticket with a card that is not the user's reaches nobody who believes it."""
    case = Ticket.empty()
    card, reply_key = strangers_card(case, own_mailbox=own_mailbox)
    opened = case.post(planted(case, card, case.keys.reply.public, **as_device(BEN)), reader=case.user)
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "bad_card")
    assert case.user.thread.state is None
    assert case.user.conversation.author_key == case.keys.author.public
    assert case.user.conversation.reply_key is None
    monkeypatch.setattr(entry_proofs, "_is_card", always)
    again = Ticket.empty()
    again.post(planted(again, card, again.keys.reply.public, **as_device(BEN)), reader=again.user)
    assert again.user.thread.state is not None
    assert again.user.conversation.reply_key == reply_key


def test_102_p6_a_third_party_plants_nothing_from_support() -> None:
    """Who has the user's card and no device of the team signs nothing that a client shows as the team's."""
    case = Ticket.empty()
    card = make_card(case.keys, case.team.team_id, None)
    for who in ({"signer": THIRD}, {"author": Author(AuthorRole.DEVICE, bytes(16)), "signer": THIRD}):
        opened = case.post(planted(case, card, case.keys.reply.public, **who), reader=case.user)
        assert opened.verdict is FORGED
    assert case.user.thread.state is None


def test_102_without_a_signature_a_third_party_would_be_support(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defence is the device's signature: unchecked, the planted ticket would stand."""
    case = Ticket.empty()
    card = make_card(case.keys, case.team.team_id, None)
    monkeypatch.setattr(log_reader, "require_signature", nothing)
    assert (
        case.post(planted(case, card, case.keys.reply.public, signer=THIRD), reader=case.user).verdict is OK
    )
    assert case.user.state.opened_by is AuthorRole.DEVICE


@pytest.mark.parametrize("who", ["the user", "an auditor"])
def test_102_who_may_not_write_opens_no_ticket_for_a_user(who: str) -> None:
    """An honest card in wrong hands is no opening."""
    case = Ticket.empty()
    card = make_card(case.keys, case.team.team_id, None)
    author = Author(AuthorRole.USER, case.keys.author.public)
    user = {"author": author, "signer": case.keys.author, "direction": Direction.USER_TO_TEAM}
    entry = planted(case, card, case.keys.reply.public, **(user if who == "the user" else as_device(AUDITOR)))
    opened = case.post(entry, reader=case.user)
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "not_allowed")
    assert case.user.thread.state is case.anna.thread.state is None


# --- 104: closing by itself ----------------------------------------------------------------------------------


def resolved() -> Ticket:
    """Return a ticket that anna has resolved."""
    case = Ticket.begin()
    case.say(case.anna, Kind.RESOLUTION, ResolutionBody("Sent again."))
    return case


@pytest.mark.parametrize(
    ("after", "who", "reason"), [(DUE - 1, "anna", "not_due"), (DUE, "user", "not_allowed")]
)
def test_104_nobody_says_early_that_a_ticket_closed_by_itself(
    after: int, who: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a console that is in a hurry nor a user; only the relay's time closes, and it needs no entry."""
    case = resolved()
    side, due = (case.anna if who == "anna" else case.user), case.anna.state.resolved_at + after
    opened = case.post(case.craft(side, Kind.AUTO_CLOSE, EmptyBody()), time=due)
    assert (opened.verdict, opened.reason) == (NONCONFORMING, reason)
    assert not case.anna.state.auto_noted
    monkeypatch.setitem(ticket_rules._RULES, Kind.AUTO_CLOSE, lawful)  # pyright: ignore[reportPrivateUsage]
    row = {state: state for state in Lifecycle}
    monkeypatch.setitem(transitions.TRANSITIONS, (Kind.AUTO_CLOSE, AuthorRole.USER), row)
    case.post(case.craft(side, Kind.AUTO_CLOSE, EmptyBody()), time=due)
    assert case.anna.state.auto_noted


def test_104_a_late_note_does_not_move_the_closing() -> None:
    """Whoever writes it down, and when, the time to reopen runs from the second at which it closed."""
    case = resolved()
    due = case.anna.state.close_due
    case.post(case.anna.seal(Kind.AUTO_CLOSE, EmptyBody()), time=due + 5 * DAY)
    assert case.user.state.closed_at == case.anna.state.closed_at == due
    assert case.agree()


# --- 105: rules of one's own choice --------------------------------------------------------------------------

STRICT = replace(DEFAULT, limits=replace(DEFAULT.limits, text_max=3))


def under_new_rules() -> tuple[Ticket, int]:
    """Return a ticket whose team has made its policy stricter, and when."""
    case = Ticket.begin()
    case.team.do((STRICT, [ANNA]))
    case.use_roster()
    return case, TIME + 1


@pytest.mark.parametrize(("late", "reason"), [(0, ""), (1, "superseded_policy")])
def test_105_an_old_policy_ends_a_week_after_it_was_replaced(
    late: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A modified program that goes on citing the lenient head is heard for seven days, to the second."""
    case, changed = under_new_rules()
    old = head_of(case, 1)
    opened = case.post(
        case.craft(case.user, body=text("hello"), roster_head=old), time=changed + GRACE + late
    )
    assert opened.reason == reason
    assert case.agree()
    monkeypatch.setattr(LogThread, "_is_superseded", never)
    later = case.post(case.craft(case.user, body=text("again"), roster_head=old), time=changed + GRACE + DAY)
    assert later.verdict is OK


def test_105_the_newest_policy_has_no_end() -> None:
    """However long it has held."""
    case, changed = under_new_rules()
    opened = case.post(case.craft(case.user, body=text("hey")), time=changed + 1000 * GRACE)
    assert opened.verdict is OK


# --- 106: assigned to who has left ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "member", [BEN.member_id, AUDITOR.member_id, b"x" * 16], ids=["removed", "auditor", "nobody"]
)
def test_106_a_ticket_is_assigned_to_who_writes_for_the_team(
    member: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has left, who only reads and who never was take care of nothing."""
    case = ruled_by(RECORD)
    case.team.remove(BEN, ANNA)
    case.use_roster()
    body = FieldsBody("", "", member, ())
    opened = case.post(case.anna.seal(Kind.FIELDS, body))
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "unknown_assignee")
    assert case.user.state.assignee == case.anna.state.assignee == b""
    assert case.say(case.anna, Kind.FIELDS, FieldsBody("", "", ANNA.member_id, ())).verdict is OK
    monkeypatch.setattr(RosterState, "may_be_assigned", always)
    assert case.say(case.anna, Kind.FIELDS, body).verdict is OK


def ruled_by(policy: Policy) -> Ticket:
    """Return a ticket under a policy that wants a longer text."""
    return Ticket.begin(policy, subject="No invoice today", text="x" * 60, category="billing")


# --- 42, 106, 107: the staff log -----------------------------------------------------------------------------


def staff_log() -> tuple[Ticket, StaffThread]:
    """Return an empty staff log of anna's, as a ticket whose sides are two consoles, and its thread."""
    base = Ticket.empty()
    sides = [make_admin(base.team, base.log.mailbox, ANNA, staff=True) for _ in range(2)]
    return Ticket(base.team, base.keys, Log(base.log.mailbox), *sides), StaffThread(base.team.roster)


def read(case: Ticket, thread: StaffThread, entry: bytes) -> Opened:
    """Store an entry of the staff log and return how it is judged."""
    opened = case.anna.conversation.receive(case.log.add(entry))
    return thread.take(opened)


def test_106_nor_in_the_staff_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where users do not see who takes care of a ticket, the same members can."""
    case, thread = staff_log()
    read(case, thread, case.anna.seal(Kind.STAFF_OPEN, StaffOpenBody(HEAD)))
    body = AssignBody(HEAD, AUDITOR.member_id)
    assert read(case, thread, case.anna.seal(Kind.ASSIGN, body)).reason == "unknown_assignee"
    monkeypatch.setattr(RosterState, "may_be_assigned", always)
    assert read(case, thread, case.anna.seal(Kind.ASSIGN, body)).verdict is OK


JUNK: dict[str, Callable[[Ticket], bytes]] = {
    "bytes": lambda case: b"junk",
    "an opening of an auditor": lambda case: by_auditor(case, Kind.STAFF_OPEN, StaffOpenBody(HEAD)),
    "a note of an auditor": lambda case: by_auditor(case, Kind.NOTE, NoteBody(HEAD, "mine", ())),
}


def by_auditor(case: Ticket, kind: Kind, body: Message) -> bytes:
    """Return a first entry of the auditor's, who holds the team's keys and may not write."""
    team = case.team
    boxes = seal_boxes(
        KEY, team_id=team.team_id, mailbox=case.log.mailbox, gen=0, epoch=team.roster.epoch, reply_key=None
    )
    only = Direction.TEAM_ONLY
    return case.craft(
        case.anna, kind, body, key=KEY, gen=0, boxes=boxes, direction=only, **as_device(AUDITOR)
    )


@pytest.mark.parametrize("what", JUNK)
def test_107_who_may_not_write_takes_no_staff_log_away(what: str) -> None:
    """Whatever stands in front of it, the opening of an agent begins the log, and its notes count."""
    case, thread = staff_log()
    assert read(case, thread, JUNK[what](case)).verdict is not OK
    assert read(case, thread, case.anna.seal(Kind.STAFF_OPEN, StaffOpenBody(HEAD))).verdict is OK
    assert read(case, thread, case.anna.seal(Kind.NOTE, NoteBody(HEAD, "Known customer.", ()))).verdict is OK
    assert thread.state is not None
    assert thread.state.notes == 1
