"""One log of a ticket as its readers follow it."""

from __future__ import annotations

from e2e_support.vocab import Kind, Verdict
from ticket_builder import Ticket, text


def test_user_and_team_talk() -> None:
    """What one side seals the other opens, and both see the same ticket."""
    ticket = Ticket.begin()
    answer = ticket.say(ticket.anna, Kind.MESSAGE, text("Which month?"))
    question = ticket.say(ticket.user, Kind.MESSAGE, text("May."))
    assert (answer.body, question.body) == (text("Which month?"), text("May."))
    assert ticket.user.verdicts == [(Verdict.OK, "")] * 3
    assert ticket.agree()
