"""A ticket's shared log as people read it: final verdicts, times, state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2e_support.content import BarrierBody, BarrierItem, ClaimBody, NoteBody, StaffOpenBody
from e2e_support.errors import UsageError
from e2e_support.ids import Hash
from e2e_support.limits import VOLUME_MAX
from e2e_support.opened import Opened
from e2e_support.policy_parts import ClosedReply
from e2e_support.presets import DEFAULT
from e2e_support.thread import GRACE, SpaceThread, StaffThread
from e2e_support.ticket_state import DAY, Fact
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Verdict
from e2e_support.wire import Head
from team_builder import Team, device
from ticket_builder import (
    ANNA,
    AUDITOR,
    BEN,
    NOW,
    PLAIN_BODIES,
    RELAY,
    STEP,
    Log,
    Ticket,
    head_of,
    make_admin,
    text,
)

ID = b"m" * 16
WINDOW = DEFAULT.reopen.window_days * DAY


def closed() -> Ticket:
    """Return a ticket that anna has closed."""
    ticket = Ticket.begin()
    ticket.say(ticket.anna, Kind.CLOSE, PLAIN_BODIES[Kind.CLOSE])
    return ticket


def test_the_state_is_what_the_log_adds_up_to() -> None:
    """Times are those of the receipts, and both sides have the same state."""
    ticket = Ticket.begin()
    ticket.say(ticket.anna, Kind.MESSAGE, text("Which month?"))
    state = ticket.user.state
    assert (state.created_at, state.first_response_at, state.updated_at) == (
        NOW + STEP,
        NOW + 2 * STEP,
        NOW + 2 * STEP,
    )
    assert ticket.agree()


def test_an_entry_is_judged_by_the_policy_that_its_author_knew() -> None:
    """The policy at the cited head decides, for every reader the same, however new the reader's roster is."""
    ticket = Ticket.begin()
    old, strict = head_of(ticket, 1), replace(DEFAULT, limits=replace(DEFAULT.limits, text_max=3))
    ticket.team.do((strict, [ANNA]))
    ticket.use_roster()
    by_old = ticket.post(ticket.craft(ticket.user, body=text("hello"), roster_head=old))
    by_new = ticket.post(ticket.craft(ticket.user, body=text("hello")))
    assert (by_old.reason, by_new.reason) == ("", "text_too_long")


def test_a_message_counts_once() -> None:
    """Attack 87: the re-sealed copy of a message whose answer was lost has no effect."""
    ticket = Ticket.begin()
    ticket.say(ticket.user, Kind.MESSAGE, text("Any news?"), message_id=ID)
    before = ticket.anna.state
    again = ticket.say(ticket.user, Kind.MESSAGE, text("Any news?"), message_id=ID)
    assert (again.verdict, again.reason) == (Verdict.NONCONFORMING, "same_message")
    assert ticket.anna.state == before


def test_message_ids_of_two_authors_do_not_meet() -> None:
    """Nobody can use up the message id of somebody else."""
    ticket = Ticket.begin()
    ticket.say(ticket.user, Kind.MESSAGE, text("hello"), message_id=ID)
    assert ticket.say(ticket.anna, Kind.MESSAGE, text("hello"), message_id=ID).verdict is Verdict.OK


def test_what_had_no_effect_may_be_said_again() -> None:
    """A message that came a moment after the close counts once the ticket is open again."""
    refuse = replace(DEFAULT, reopen=replace(DEFAULT.reopen, on_reply=ClosedReply.REFUSE))
    ticket = Ticket.begin(refuse)
    ticket.say(ticket.anna, Kind.CLOSE, PLAIN_BODIES[Kind.CLOSE])
    late = ticket.say(ticket.user, Kind.MESSAGE, text("Wait!"), message_id=ID)
    ticket.say(ticket.anna, Kind.REOPEN, PLAIN_BODIES[Kind.REOPEN])
    again = ticket.say(ticket.user, Kind.MESSAGE, text("Wait!"), message_id=ID)
    assert (late.reason, again.verdict) == ("closed", Verdict.OK)


@pytest.mark.parametrize(
    ("at_hand", "quoted", "reason"),
    [(1, WINDOW + 1, "reopen_window_over"), (WINDOW + 1, 1, "")],
    ids=["in time, said to be late", "late, said to be in time"],
)
def test_a_quote_decides_over_the_receipt_at_hand(at_hand: int, quoted: int, reason: str) -> None:
    """The entry before is judged anew by the time that its successor quotes, so that all readers agree."""
    ticket = closed()
    closed_at = ticket.anna.state.closed_at
    reply = ticket.user.seal(Kind.MESSAGE, text("It is back."))
    first = ticket.post(reply, time=closed_at + at_hand)
    assert bool(first.reason) is not bool(reason)
    quote = ticket.log.another_receipt(2, time=closed_at + quoted)
    ticket.post(ticket.craft(ticket.user, Kind.DUMMY, PLAIN_BODIES[Kind.DUMMY], receipt=quote))
    assert ticket.anna.verdicts[2][1] == reason
    assert ticket.anna.state.lifecycle is (Lifecycle.CLOSED if reason else Lifecycle.OPEN)
    assert ticket.agree()


def test_two_readers_with_different_receipts_agree_once_one_is_quoted() -> None:
    """Attack 86: the relay gave the user a late receipt and the team an early one; the user's quote shows it."""
    ticket = closed()
    late = ticket.anna.state.closed_at + WINDOW + 1
    item = ticket.log.add(ticket.user.seal(Kind.MESSAGE, text("It is back.")))
    ticket.anna.read(item)
    ticket.user.read(replace(item, receipt=ticket.log.another_receipt(2, time=late)))
    assert not ticket.agree()
    ticket.post(ticket.user.seal(Kind.DUMMY, PLAIN_BODIES[Kind.DUMMY]))
    assert ticket.agree()
    assert ticket.anna.verdicts[2] == (Verdict.NONCONFORMING, "reopen_window_over")
    assert ticket.anna.conversation.equivocations


def test_times_that_go_back_count_as_those_before() -> None:
    """No rule sees a ticket that is changed before it was closed."""
    ticket = closed()
    closed_at = ticket.anna.state.closed_at
    ticket.post(ticket.user.seal(Kind.MESSAGE, text("It is back.")), time=1)
    assert ticket.anna.state.updated_at == closed_at
    assert ticket.agree()


def test_judging_again_what_is_known_changes_nothing() -> None:
    """Times begin anew with the first entry: none counts as written after the last."""
    ticket = closed()
    ticket.say(ticket.user, Kind.DUMMY, PLAIN_BODIES[Kind.DUMMY])
    before, verdicts = ticket.anna.state, ticket.anna.verdicts
    ticket.anna.thread.judge_again(ticket.team.roster)
    assert (ticket.anna.state, ticket.anna.verdicts) == (before, verdicts)


def test_all_readers_reckon_with_the_same_days() -> None:
    """A day has 24 hours, and an old policy is good for seven days: whoever took others would disagree."""
    assert (DAY, GRACE) == (86_400, 604_800)


def test_before_sending_a_client_asks_the_same_rules() -> None:
    """What others would call nonconforming is refused with words before it is sent."""
    ticket = closed()
    fact = Fact(2, Kind.CLOSE, AuthorRole.USER, PLAIN_BODIES[Kind.CLOSE], NOW)
    with pytest.raises(UsageError) as error:
        ticket.user.thread.check(fact, DEFAULT)
    assert error.value.code == "closed"
    ticket.user.thread.check(replace(fact, kind=Kind.MESSAGE, body=text("hello")), DEFAULT)


def test_a_mailbox_without_opening_is_no_ticket() -> None:
    """Asking for its state is refused; its entries are there to look at."""
    ticket = Ticket.empty()
    opened: Opened = ticket.post(b"junk")
    assert opened.verdict is Verdict.FORGED
    with pytest.raises(UsageError) as error:
        ticket.anna.thread.require_state()
    assert error.value.code == "not_a_ticket"
    assert len(ticket.anna.thread.entries) == 1


# --- removed devices and barriers ------------------------------------------------------------------------


def removal(accept_upto: int | None) -> tuple[Ticket, Opened]:
    """Return a ticket in which ben wrote before his removal, and an entry of his, dated back, that came after.

    Args:
        accept_upto: what a barrier of anna's believes of him; without one there is no barrier.
    """
    ticket = Ticket.begin()
    ben = ticket.catch_up(ticket.admin(BEN))
    ticket.say(ben, Kind.MESSAGE, text("Honest."))
    late = ticket.catch_up(ben).seal(Kind.MESSAGE, text("Dated back."))
    roster = ticket.team.remove(BEN, ANNA)
    ticket.use_roster()
    opened = ticket.post(late)
    if accept_upto is not None:
        revoked = roster.revocation_of(BEN.device_id)
        assert revoked is not None
        ticket.say(ticket.anna, Kind.BARRIER, BarrierBody((BarrierItem(revoked[1], accept_upto),)))
    return ticket, opened


def test_without_a_barrier_a_removed_device_is_not_believed() -> None:
    """Attack 52: what was followed before the removal counts, what came after is unverifiable."""
    ticket, late = removal(None)
    assert (late.verdict, late.reason) == (Verdict.UNVERIFIABLE, "removed_device")
    assert ticket.anna.thread.entries[1].verdict is Verdict.OK
    assert ticket.agree()


@pytest.mark.parametrize(
    ("upto", "first", "second"),
    [(0, Verdict.FORGED, Verdict.FORGED), (1, Verdict.OK, Verdict.FORGED), (2, Verdict.OK, Verdict.OK)],
    ids=["nothing", "the honest one", "both"],
)
def test_a_barrier_decides_for_everybody(upto: int, first: Verdict, second: Verdict) -> None:
    """Attack 52: up to the barrier's number entries of a removed device count, above it they are forged."""
    ticket, _ = removal(upto)
    assert [entry.verdict for entry in ticket.anna.thread.entries[1:3]] == [first, second]
    forged = [entry for entry in ticket.anna.thread.entries[1:3] if entry.verdict is Verdict.FORGED]
    assert all(entry.inner is None and entry.body is None for entry in forged)
    assert ticket.agree()


def revocation_of_ben(ticket: Ticket) -> Hash:
    """Return the hash of the link that removed ben."""
    removal = ticket.team.roster.revocation_of(BEN.device_id)
    assert removal is not None
    return removal[1]


def test_the_first_barrier_stays() -> None:
    """A second barrier for the same removal changes nothing."""
    ticket, _ = removal(1)
    assert ticket.anna.thread.entries[3].body == BarrierBody((BarrierItem(revocation_of_ben(ticket), 1),))
    again = BarrierBody((BarrierItem(revocation_of_ben(ticket), 9),))
    assert ticket.say(ticket.anna, Kind.BARRIER, again).body == again
    assert ticket.anna.thread.barrier(BEN.device_id) == 1
    assert ticket.anna.thread.entries[2].verdict is Verdict.FORGED


def test_the_first_item_of_one_barrier_counts() -> None:
    """A barrier that names a removal twice means its first word."""
    ticket, _ = removal(None)
    revoked = revocation_of_ben(ticket)
    items = (BarrierItem(bytes_of(7), 0), BarrierItem(revoked, 1), BarrierItem(revoked, 9))
    said = ticket.say(ticket.anna, Kind.BARRIER, BarrierBody(items))
    assert said is ticket.user.thread.entries[-1]
    assert ticket.anna.thread.barrier(BEN.device_id) == 1


def bytes_of(number: int) -> Hash:
    """Return a hash of nothing."""
    return Hash(bytes([number]) * 32)


def test_who_was_removed_has_no_word_in_it() -> None:
    """What ben dates back to before his removal cannot say that he is to be believed."""
    ticket = Ticket.begin()
    ben = ticket.catch_up(ticket.admin(BEN))
    ticket.team.remove(BEN, ANNA)
    ticket.use_roster()
    ticket.post(ben.seal(Kind.BARRIER, BarrierBody((BarrierItem(revocation_of_ben(ticket), 9),))))
    assert ticket.anna.thread.barrier(BEN.device_id) is None
    assert ticket.anna.verdicts[1] == (Verdict.UNVERIFIABLE, "removed_device")


def a_users(ticket: Ticket, said: BarrierBody) -> bytes:
    """Return what a user says of a removal."""
    return ticket.craft(ticket.user, Kind.BARRIER, said)


def an_auditors(ticket: Ticket, said: BarrierBody) -> bytes:
    """Return what somebody says who may only read."""
    return ticket.craft(ticket.catch_up(ticket.admin(AUDITOR)), Kind.BARRIER, said)


def with_an_older_head(ticket: Ticket, said: BarrierBody) -> bytes:
    """Return what anna says with a head after the removal, but before the one that she cited last."""
    head = ticket.team.roster.head
    ticket.team.do((replace(DEFAULT, external_url="https://example.org"), [ANNA]))
    ticket.use_roster()
    ticket.say(ticket.anna, Kind.MESSAGE, text("hello"))
    return ticket.craft(ticket.anna, Kind.BARRIER, said, roster_head=head)


@pytest.mark.parametrize("made", [a_users, an_auditors, with_an_older_head])
def test_only_good_entries_of_writers_are_barriers(made: Callable[[Ticket, BarrierBody], bytes]) -> None:
    """Nobody else's word, and no word that breaks a rule, makes a removed device believed."""
    ticket, _ = removal(None)
    opened = ticket.post(made(ticket, BarrierBody((BarrierItem(revocation_of_ben(ticket), 9),))))
    assert opened.verdict is Verdict.NONCONFORMING
    assert ticket.anna.thread.barrier(BEN.device_id) is None


def test_a_barrier_for_one_of_two_removed_devices_counts_at_once() -> None:
    """What it says of ben is believed although it says nothing of cleo."""
    cleo = device("cleo")
    ticket, _ = removal(None)
    ticket.team.add(cleo, ANNA)
    ticket.use_roster()
    ticket.say(ticket.catch_up(ticket.admin(cleo)), Kind.MESSAGE, text("hello"))
    ticket.team.remove(cleo, ANNA)
    ticket.use_roster()
    ticket.say(ticket.anna, Kind.BARRIER, BarrierBody((BarrierItem(revocation_of_ben(ticket), 1),)))
    assert ticket.anna.thread.entries[2].verdict is Verdict.FORGED
    assert ticket.anna.thread.barrier(cleo.device_id) is None


def test_a_barrier_falls_with_its_author() -> None:
    """Who hears later that anna was removed before her word came no longer follows it."""
    cleo = device("cleo")
    ticket, _ = removal(None)
    known = ticket.team.add(cleo, ANNA)
    ticket.use_roster()
    ticket.team.remove(ANNA, cleo)
    ticket.say(ticket.anna, Kind.BARRIER, BarrierBody((BarrierItem(revocation_of_ben(ticket), 2),)))
    late = ticket.admin(cleo)
    late.thread.policies = known
    ticket.catch_up(late)
    assert late.thread.barrier(BEN.device_id) == 2
    late.thread.judge_again(ticket.team.roster)
    assert late.thread.barrier(BEN.device_id) is None
    assert late.verdicts[3] == (Verdict.UNVERIFIABLE, "removed_device")


def test_who_was_never_removed_has_no_barrier() -> None:
    """Nothing is asked of an active device, whatever a barrier names."""
    ticket, _ = removal(1)
    assert ticket.anna.thread.barrier(ANNA.device_id) is None


def test_a_barrier_of_somebody_who_is_removed_later_is_judged_like_any_entry() -> None:
    """Anna believed ben up to 2; now that anna is removed, cleo believes her up to before that word."""
    cleo = device("cleo")
    ticket, _ = removal(None)
    ticket.team.add(cleo, ANNA)
    ticket.use_roster()
    ticket.say(ticket.anna, Kind.BARRIER, BarrierBody((BarrierItem(revocation_of_ben(ticket), 2),)))
    assert ticket.user.thread.entries[2].verdict is Verdict.OK
    roster = ticket.team.remove(ANNA, cleo)
    ticket.use_roster()
    removed = roster.revocation_of(ANNA.device_id)
    assert removed is not None
    by_cleo = ticket.catch_up(ticket.admin(cleo))
    ticket.say(by_cleo, Kind.BARRIER, BarrierBody((BarrierItem(removed[1], 2),)))
    assert ticket.user.thread.entries[3].verdict is Verdict.FORGED
    assert ticket.user.thread.barrier(BEN.device_id) is None
    assert ticket.agree()


def test_a_roster_that_comes_later_changes_what_is_believed() -> None:
    """Entries that were followed before a removal was known are judged again once it is."""
    ticket, _ = removal(1)
    late = ticket.admin()
    late.thread.policies = Team.found(ANNA, BEN, AUDITOR, relay_key=RELAY.public).roster
    ticket.catch_up(late)
    assert late.verdicts[2] == (Verdict.OK, "")
    late.thread.judge_again(ticket.team.roster)
    assert late.verdicts[2] == (Verdict.FORGED, "after_removal")


# --- time, and the team's own log ------------------------------------------------------------------------


def test_a_ticket_is_shown_as_time_has_made_it() -> None:
    """Nobody has to write anything for a resolved ticket to close; without a ticket there is nothing to show."""
    assert Ticket.empty().anna.thread.at(NOW) is None
    ticket = Ticket.begin()
    ticket.say(ticket.anna, Kind.RESOLUTION, PLAIN_BODIES[Kind.RESOLUTION])
    due = ticket.anna.state.close_due
    for now, lifecycle in ((due - 1, Lifecycle.RESOLVED), (due, Lifecycle.CLOSED)):
        shown = ticket.user.thread.at(now)
        assert shown is not None
        assert shown == ticket.anna.thread.at(now)
        assert shown.lifecycle is lifecycle
    assert ticket.anna.state.lifecycle is Lifecycle.RESOLVED


@pytest.mark.parametrize(("quoted", "count"), [(-1, 0), (0, 1)], ids=["a second before", "the very second"])
def test_the_relays_time_decides_whether_a_reply_was_in_time(quoted: int, count: int) -> None:
    """Whatever receipt each reader has at hand, the quoted one says whether the ticket had closed by then."""
    ticket = Ticket.begin()
    ticket.say(ticket.anna, Kind.RESOLUTION, PLAIN_BODIES[Kind.RESOLUTION])
    due = ticket.anna.state.close_due
    ticket.post(ticket.user.seal(Kind.MESSAGE, text("Not solved.")), time=due - 1 - quoted)
    quote = ticket.log.another_receipt(2, time=due + quoted)
    ticket.post(ticket.craft(ticket.anna, Kind.DUMMY, PLAIN_BODIES[Kind.DUMMY], receipt=quote), time=due + 60)
    assert (ticket.user.state.lifecycle, ticket.user.state.reopen_count) == (Lifecycle.OPEN, count)
    assert ticket.agree()


def test_a_barrier_holds_in_the_staff_log_too() -> None:
    """Up to its number notes of a removed device count, above it they are forged, for every console."""
    base = Ticket.empty()
    sides = [make_admin(base.team, base.log.mailbox, who, staff=True) for who in (ANNA, BEN)]
    log, thread = Log(base.log.mailbox), StaffThread(base.team.roster)

    def store(entry: bytes) -> None:
        item = log.add(entry)
        by_anna, _ = (side.conversation.receive(item) for side in sides)
        thread.take(by_anna)

    head = Head(0, Hash(bytes(32)))
    store(sides[0].seal(Kind.STAFF_OPEN, StaffOpenBody(head)))
    for words in ("Honest.", "Dated back."):
        store(sides[1].seal(Kind.NOTE, NoteBody(head, words, ())))
    base.team.remove(BEN, ANNA)
    base.use_roster()
    for side in sides:
        side.conversation.team = base.team.roster
    thread.judge_again(base.team.roster)
    store(sides[0].seal(Kind.BARRIER, BarrierBody((BarrierItem(revocation_of_ben(base), 1),))))
    assert [entry.verdict for entry in thread.entries] == [*[Verdict.OK] * 2, Verdict.FORGED, Verdict.OK]
    assert thread.state is not None
    assert thread.state.notes == 1


def test_the_team_space_counts_what_holds() -> None:
    """It needs no opening, and what has no place in it counts nothing."""
    base = Ticket.empty()
    anna = make_admin(base.team, base.log.mailbox, ANNA, staff=True)
    log, thread = Log(base.log.mailbox), SpaceThread(base.team.roster)
    for kind, body in (
        (Kind.CLAIM, ClaimBody("mail", base.log.mailbox, 0)),
        (Kind.MESSAGE, text("not here")),
        (Kind.DUMMY, PLAIN_BODIES[Kind.DUMMY]),
    ):
        thread.take(anna.conversation.receive(log.add(anna.seal(kind, body))))
    assert [entry.reason for entry in thread.entries] == ["", "not_allowed", ""]
    assert thread.state == 2


def test_a_barrier_of_the_team_space_counts_places() -> None:
    """Said in one volume it holds for those before and behind it; a message is the same in its own volume alone."""
    base = Ticket.empty()
    anna, ben = (make_admin(base.team, base.log.mailbox, who, staff=True) for who in (ANNA, BEN))
    log, claim = Log(base.log.mailbox), ClaimBody("mail", base.log.mailbox, 0)

    def said() -> Opened:
        item = log.add(ben.seal(Kind.CLAIM, claim))
        ben.conversation.receive(item)
        return anna.conversation.receive(item)

    kept = [said(), said()]
    base.team.remove(BEN, ANNA)
    anna.conversation.team = base.team.roster
    items = (BarrierItem(revocation_of_ben(base), VOLUME_MAX),)
    barrier = anna.conversation.receive(log.add(anna.seal(Kind.BARRIER, BarrierBody(items))))
    thread = SpaceThread(base.team.roster)
    for place, opened in ((0, kept[0]), (1, kept[0]), (VOLUME_MAX, kept[0]), (VOLUME_MAX + 1, kept[1])):
        thread.take(replace(opened, seq=place, known=base.team.roster.head.length))
    assert {entry.reason for entry in thread.entries} == {"removed_device"}
    thread.take(replace(barrier, seq=VOLUME_MAX + 2))
    assert [entry.reason for entry in thread.entries] == ["", "same_message", "", "after_removal", ""]
