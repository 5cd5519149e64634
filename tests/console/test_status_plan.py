"""Which entries give a ticket a status: every settable label of every preset, and what cannot be set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.policy_parts import Colour, Condition, LabelRule, NoteMode
from e2e_support.presets import DEFAULT, DESK, INSTANCE, PANEL, PORTAL, PRESETS, RECORD
from e2e_support.staff import Flag, StaffState
from e2e_support.ticket_state import TicketState
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Role
from e2e_support_console.status_plan import Standing, plan

NOW = 1_800_000_000
FRESH = Standing(TicketState("No invoice", "bug", "", (), "", NOW - 60, NOW - 60), StaffState(), 1)


def planned(
    label: str, standing: Standing = FRESH, policy: Policy = DEFAULT, note: str = "Done."
) -> list[Kind]:
    """Return the kinds of a plan's entries."""
    return [step.kind for step in plan(label, standing, Role.AGENT, policy, NOW, note)]


def refused(label: str, standing: Standing = FRESH, policy: Policy = DEFAULT, note: str = "") -> UsageError:
    """Return why there is no plan."""
    with pytest.raises(UsageError) as error:
        planned(label, standing, policy, note)
    return error.value


def changed(standing: Standing = FRESH, staff: StaffState | None = None, **facts: object) -> Standing:
    """Return a ticket with other facts."""
    ticket = replace(standing.ticket, **facts)  # type: ignore[arg-type]
    return replace(standing, ticket=ticket, staff=staff or standing.staff)


ANSWERED = changed(last_by=AuthorRole.DEVICE, first_response_at=NOW - 30, waiting_since=0)
CLOSED = changed(lifecycle=Lifecycle.CLOSED, closed_at=NOW - 30)


def test_no_status_undoes_a_merge() -> None:
    """A merged ticket is opened again by reopening it only; what the team alone sees of it can be set."""
    merged = changed(CLOSED, merged_into=bytes(16))
    assert planned("progress", CLOSED) == [Kind.REOPEN, Kind.STATUS]
    assert refused("progress", merged).code == "merged"
    assert planned("archived", merged) == [Kind.ARCHIVE]


@pytest.mark.parametrize(
    ("policy", "label", "kinds"),
    [
        (DEFAULT, "progress", [Kind.STATUS]),
        (DEFAULT, "waiting", [Kind.STATUS]),
        (DEFAULT, "resolved", [Kind.RESOLUTION]),
        (DEFAULT, "closed", [Kind.CLOSE]),
        (DEFAULT, "hold", [Kind.HOLD]),
        (DEFAULT, "archived", [Kind.ARCHIVE]),
        (DEFAULT, "spam", [Kind.SPAM]),
        (RECORD, "review", [Kind.STATUS]),
        (RECORD, "awaiting", [Kind.STATUS]),
        (PANEL, "waiting", [Kind.STATUS]),
        (PANEL, "progress", [Kind.STATUS]),
        (DESK, "hold", [Kind.HOLD]),
        (DESK, "spam", [Kind.SPAM]),
        (INSTANCE, "archived", [Kind.ARCHIVE]),
        (PORTAL, "closed", [Kind.CLOSE]),
    ],
)
def test_one_entry_sets_what_one_fact_makes(policy: Policy, label: str, kinds: list[Kind]) -> None:
    """A label that asks for one fact is set by the one entry that states it."""
    assert planned(label, policy=policy) == kinds


@pytest.mark.parametrize(
    ("standing", "label", "kinds"),
    [
        (changed(ANSWERED, waiting_user=True), "progress", [Kind.STATUS, Kind.STATUS]),
        (changed(progress=True), "waiting", [Kind.STATUS]),
        (CLOSED, "progress", [Kind.REOPEN, Kind.STATUS]),
        (CLOSED, "archived", [Kind.ARCHIVE]),
        (changed(staff=StaffState(spam=Flag(on=True, shared=1))), "closed", [Kind.SPAM, Kind.CLOSE]),
        (changed(staff=StaffState(hold=Flag(on=True, shared=1))), "open", [Kind.HOLD]),
        (changed(staff=StaffState(snoozed_until=NOW + 60, snoozed_shared=1)), "open", [Kind.SNOOZE]),
        (changed(progress=True, waiting_user=True), "open", [Kind.STATUS, Kind.STATUS]),
        (FRESH, "open", []),
    ],
)
def test_what_stands_before_a_label_is_taken_away(standing: Standing, label: str, kinds: list[Kind]) -> None:
    """Facts whose labels come first are cleared, no more of them than needed, and a closed ticket is reopened."""
    assert planned(label, standing) == kinds


def test_open_clears_the_flags() -> None:
    """Setting the label of all other tickets clears the flags, and the rules say what is shown then (I8)."""
    assert planned("open", changed(ANSWERED, waiting_user=True, progress=True)) == [Kind.STATUS, Kind.STATUS]
    assert refused("open", ANSWERED).code == "status_unreachable"


@pytest.mark.parametrize(
    ("policy", "label"),
    [(DEFAULT, "answered"), (DEFAULT, "replied"), (DEFAULT, "snoozed"), (DESK, "answered"), (DESK, "replied"),
     (PORTAL, "answered")],
)  # fmt: skip
def test_a_label_that_only_follows_is_refused_in_words(policy: Policy, label: str) -> None:
    """Who spoke last, and how long a ticket sleeps, cannot be set; the refusal says where the label comes from."""
    error = refused(label, policy=policy)
    assert error.code == "status_derived"
    assert "it holds" in error.message
    assert error.hint


def test_rules_stand_against_a_status_as_against_any_entry() -> None:
    """A resolution without its note, and reopening where that is for ever, are refused with the rule."""
    assert refused("resolved").code == "resolution_note_needed"
    assert refused("open", CLOSED, RECORD).code == "reopen_never"
    assert planned("resolved", policy=replace(DEFAULT, resolution_note=NoteMode.OPTIONAL), note="") == [
        Kind.RESOLUTION
    ]


def test_an_unknown_status_is_told_with_those_there_are() -> None:
    """A status that the team's table does not have is refused, and the hint names those it has."""
    error = refused("lost")
    assert error.code == "unknown_status"
    assert "resolved" in error.hint


def test_a_label_behind_another_is_unreachable() -> None:
    """A label whose facts give another label first is refused with what is shown instead."""
    rules = (
        LabelRule("assigned", "Assigned", Colour.BLUE, (Condition.ASSIGNED,)),
        LabelRule("progress", "In progress", Colour.YELLOW, (Condition.PROGRESS,)),
        LabelRule("open", "Open", Colour.BLUE, ()),
    )
    policy = replace(DEFAULT, labels_staff=rules)
    error = refused("progress", changed(staff=StaffState(assignee=bytes([1] * 16))), policy)
    assert error.code == "status_unreachable"
    assert "Assigned" in error.message


@pytest.mark.parametrize("policy", PRESETS.values(), ids=PRESETS)
def test_every_label_of_a_preset_is_set_or_explained(policy: Policy) -> None:
    """No label of any preset makes the plan fail in another way than a refusal with a hint."""
    for standing in (FRESH, ANSWERED, CLOSED):
        for label in {rule.id for rule in policy.labels_staff}:
            try:
                planned(label, standing, policy)
            except UsageError as error:
                assert error.hint, (label, error.code)  # noqa: PT017 - either is right
