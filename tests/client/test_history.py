"""A ticket's way through its states, found by replaying its entries."""

from __future__ import annotations

from dataclasses import replace

from e2e_support.content import CloseBody, ReopenBody, ResolutionBody, StatusBody
from e2e_support.opened import Opened
from e2e_support.presets import PANEL
from e2e_support.ticket_state import DAY
from e2e_support.vocab import Kind, Role, Verdict
from e2e_support_client.history import TimelineEvent, replay, timeline
from e2e_support_client.view import author_of
from team_builder import device
from ticket_builder import ANNA, Side, Ticket, text

OPENING = {"category": PANEL.categories[0].id}


def told(ticket: Ticket, *, side: Side | None = None, later: int = 0) -> list[TimelineEvent]:
    """Return a side's timeline some seconds after the last entry."""
    shown = side or ticket.user

    def name_of(opened: Opened) -> str:
        return author_of(opened, ticket.team.roster.policy, "").name

    entries = shown.thread.entries
    return timeline(entries, ticket.team.roster, now=entries[-1].received + later, name_of=name_of)


def states(events: list[TimelineEvent]) -> list[tuple[str, str, str]]:
    """Return kind, state and author of every line."""
    return [(event.kind, event.status_text, event.by) for event in events]


def test_every_change_of_status_is_a_line() -> None:
    """Opening, answer, user's word, resolution and closing each tell the new state, who made it and when."""
    ticket = Ticket.begin(PANEL, **OPENING)
    ticket.say(ticket.anna, Kind.MESSAGE, text("Which month?"))
    ticket.say(ticket.user, Kind.MESSAGE, text("May."))
    ticket.say(ticket.anna, Kind.STATUS, StatusBody(2, 0))
    ticket.say(ticket.anna, Kind.RESOLUTION, ResolutionBody("Sent again."))
    ticket.say(ticket.anna, Kind.CLOSE, CloseBody("done", ""))
    events = told(ticket)
    assert states(events) == [
        ("opened", "Open", "You"),
        ("message", "Waiting User", "anna"),
        ("message", "In Progress", "You"),
        ("resolved", "Resolved", "anna"),
        ("closed", "Closed", "anna"),
    ]
    entries = ticket.user.thread.entries
    assert [int(event.at.timestamp()) for event in events] == [
        entry.received for entry in entries if entry.inner and entry.inner.kind is not Kind.STATUS
    ]
    assert told(ticket, side=ticket.anna) == events


def test_time_closes_a_resolved_ticket_without_an_author() -> None:
    """A closing that nobody wrote stands at the time when it was due, before the word that reopens the ticket."""
    ticket = Ticket.begin(PANEL, **OPENING)
    resolved = ticket.say(ticket.anna, Kind.RESOLUTION, ResolutionBody("Sent again."))
    assert states(told(ticket))[-1] == ("resolved", "Resolved", "anna")
    due = resolved.received + PANEL.close.resolved_days * DAY
    last = told(ticket, later=PANEL.close.resolved_days * DAY)[-1]
    assert (last.kind, last.status_text, last.by) == ("closed", "Closed", "")
    assert int(last.at.timestamp()) == due
    ticket.log.now = due + DAY
    ticket.say(ticket.user, Kind.REOPEN, ReopenBody("It is back."))
    assert states(told(ticket))[-2:] == [("closed", "Closed", ""), ("reopened", "In Progress", "You")]


def test_what_breaks_a_rule_changes_nothing() -> None:
    """A nonconforming entry is a step without an effect, and no line."""
    ticket = Ticket.begin(PANEL, **OPENING)
    bad = ticket.post(ticket.craft(ticket.user, Kind.RESOLUTION, ResolutionBody("I say so.")))
    assert bad.verdict is Verdict.NONCONFORMING
    assert states(told(ticket)) == [("opened", "Open", "You")]
    last = list(replay(ticket.user.thread.entries, (), ticket.team.roster))[-1]
    assert last.before == last.after


def test_rules_and_team_are_lines_between() -> None:
    """A new administrator and new rules stand where entries begin to cite them, with the state as it was."""
    ticket = Ticket.begin(PANEL, **OPENING)
    ticket.team.add(device("cleo", Role.AGENT), ANNA)
    ticket.team.do((replace(PANEL, prompts=()), [ANNA]))
    ticket.use_roster()
    ticket.say(ticket.anna, Kind.MESSAGE, text("Which month?"))
    events = told(ticket)
    assert [event.kind for event in events] == ["opened", "team", "policy", "message"]
    assert [event.status_text for event in events] == ["Open", "Open", "Open", "Waiting User"]
    assert "cleo" in events[1].what
