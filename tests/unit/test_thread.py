"""A ticket's shared log as people read it: final verdicts, times, state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.conversation import Opened
from e2e_support.errors import UsageError
from e2e_support.policy import DEFAULT
from e2e_support.policy_parts import ClosedReply
from e2e_support.ticket import DAY, Fact
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Verdict
from ticket_builder import NOW, PLAIN_BODIES, STEP, Ticket, text

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
