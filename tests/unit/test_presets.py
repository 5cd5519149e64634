"""The ready-made policies: what each of five kinds of help desk does, row by row of the feature table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.policy_checks import check_policy, open_policy
from e2e_support.policy_parts import (
    AttachmentMode,
    ClosedReply,
    Colour,
    Condition,
    DayBoundary,
    DebugMode,
    LabelRule,
    MailMode,
    NoteMode,
    PriorityMode,
    StaffDelete,
    StaffIdentity,
    UserClose,
    UserDelete,
    UserReopen,
)
from e2e_support.presets import (
    DEFAULT,
    DESCRIPTIONS,
    DESK,
    INSTANCE,
    PANEL,
    PORTAL,
    PRESETS,
    RECORD,
    preset_named,
)
from e2e_support.vocab import AdmissionMode

C = Condition


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_sense_and_travels(name: str) -> None:
    """Each passes its own checks, reads back as it was written, bears its name and says what it does."""
    policy = PRESETS[name]
    check_policy(policy)
    assert open_policy(policy.to_bytes()) == policy
    assert policy.preset == name
    assert policy.admission.mode is AdmissionMode.OPEN
    assert all(category.guidelines for category in policy.categories)


def test_presets_are_the_six() -> None:
    """The recommended one stands first; each has one sentence."""
    assert list(PRESETS.values()) == [DEFAULT, PORTAL, INSTANCE, RECORD, DESK, PANEL]
    assert set(DESCRIPTIONS) == set(PRESETS)


def test_presets_are_found_by_name() -> None:
    """A name that is none is refused with those that there are."""
    assert preset_named("panel") is PANEL
    with pytest.raises(UsageError) as caught:
        preset_named("zendesk")
    assert caught.value.code == "no_preset"
    assert "portal" in caught.value.hint


def lengths(policy: Policy) -> tuple[int, int, int, int]:
    """Return the limits of subject and text."""
    limits = policy.limits
    return limits.subject_min, limits.subject_max, limits.text_min, limits.text_max


def levels(policy: Policy) -> list[str]:
    """Return the ids of the priority levels, lowest first."""
    return [level.id for level in policy.priority.levels]


def implied(policy: Policy) -> dict[str, str]:
    """Return the level of each category."""
    return {item.category: item.level for item in policy.priority.by_category}


def words(policy: Policy) -> dict[str, str]:
    """Return what the instance calls things."""
    return {word.id: word.text for word in policy.words}


URGENCIES = ["low", "normal", "high", "urgent"]
ROWS: list[tuple[str, Policy, Callable[[Policy], object], object]] = [
    ("S0-03", PORTAL, lambda p: p.eligibility.refused_methods, ("access_key",)),
    (
        "S0-07",
        PORTAL,
        lambda p: [c.label for c in p.categories],
        ["Account & Billing", "Storage (IPFS & S3)", "General"],
    ),
    (
        "S0-08",
        PORTAL,
        lambda p: (p.priority.mode, levels(p)),
        (PriorityMode.USER, ["low", "medium", "high", "critical"]),
    ),
    ("S0-08 words", PORTAL, words, {"priority": "Severity"}),
    ("S0-10 I11", PORTAL, lambda p: p.attachments.mode, AttachmentMode.ANY),
    ("S0-02", PORTAL, lambda p: (p.notify.reply, p.notify.user_mail), (1, MailMode.ON)),
    ("S0 closing", PORTAL, lambda p: (p.close.user, p.reopen.user), (UserClose.ANY_OPEN, UserReopen.NEVER)),
    ("S0 debug", PORTAL, lambda p: p.debug_data, DebugMode.OFF),
    ("S0 identity", PORTAL, lambda p: p.staff.identity, StaffIdentity.TEAM),
    ("S0 note", PORTAL, lambda p: p.resolution_note, NoteMode.OPTIONAL),
    ("S1 eligibility", INSTANCE, lambda p: p.eligibility.registered_only, 1),
    (
        "S1x-1",
        INSTANCE,
        lambda p: [c.id for c in p.categories],
        ["account", "drives", "document", "abuse", "bug", "other"],
    ),
    ("S1 priority", INSTANCE, lambda p: (p.priority.mode, levels(p)), (PriorityMode.NONE, [])),
    ("S1-24", INSTANCE, lambda p: p.attachments.mode, AttachmentMode.IMAGES),
    ("S1-04", INSTANCE, lambda p: p.debug_data, DebugMode.WHOLE),
    ("S1-15", INSTANCE, lambda p: p.show_languages, 1),
    ("S1-22 S1-23", INSTANCE, lambda p: (p.close.user, p.close.staff), (UserClose.ANY_OPEN, 1)),
    ("S1x-2", INSTANCE, lambda p: (p.reopen.user, p.reopen.staff), (UserReopen.NEVER, 1)),
    ("S1-26 I10", INSTANCE, lambda p: (p.delete.user, p.delete.staff), (UserDelete.HIDE, StaffDelete.NEVER)),
    ("S1x-6", INSTANCE, lambda p: (p.staff.identity, p.staff.as_team), (StaffIdentity.PER_ADMIN, 0)),
    (
        "S2-04",
        RECORD,
        lambda p: [c.label for c in p.categories],
        ["Bug", "Data", "Billing", "Access", "Other"],
    ),
    ("S2-04 words", RECORD, words, {"category": "Issue type"}),
    ("S2-05", RECORD, lambda p: [(f.id, len(f.choices) > 1) for f in p.fields], [("feature", True)]),
    ("S2-06 S2-07", RECORD, lengths, (10, 200, 50, 2_000)),
    ("S2-08", RECORD, lambda p: len(p.prompts), 5),
    (
        "S2-10 I5",
        RECORD,
        lambda p: (p.limits.create_per_day, p.limits.day, p.limits.zone),
        (5, DayBoundary.CALENDAR, "UTC"),
    ),
    ("S2-16", RECORD, lambda p: p.staff.show_assignee, 1),
    ("S2-18", RECORD, lambda p: p.staff.identity, StaffIdentity.TEAM),
    ("S2-20", RECORD, lambda p: (p.notify.reply, p.notify.status, p.notify.resolved), (1, 1, 1)),
    ("S2-22 S2-38 I2", RECORD, lambda p: (p.close.user, p.close.mistake_note), (UserClose.RESOLVED_ONLY, 1)),
    (
        "S2-23",
        RECORD,
        lambda p: (p.reopen.on_reply, p.resolution_note),
        (ClosedReply.REFUSE, NoteMode.REQUIRED),
    ),
    (
        "S2-24 I1",
        RECORD,
        implied,
        {"access": "critical", "bug": "high", "billing": "high", "data": "medium", "other": "low"},
    ),
    (
        "S2-24",
        RECORD,
        lambda p: (p.priority.mode, p.priority.staff_can_change),
        (PriorityMode.BY_CATEGORY, 0),
    ),
    ("S2-26 S2-27", RECORD, lambda p: (p.expectation.first_reply_hours, p.expectation.nudge_hours), (24, 48)),
    ("S2-33", RECORD, lambda p: (p.reopen.user, p.reopen.staff), (UserReopen.NEVER, 0)),
    ("S2-34", RECORD, lambda p: (p.notify.user_mail, p.notify.receipt_mail), (MailMode.OFF, 0)),
    ("S2-35", RECORD, lambda p: (p.attachments.mode, p.relay_rules().blobs_max), (AttachmentMode.OFF, 0)),
    ("S2-37", RECORD, lambda p: (p.retention.closed_days, p.retention.idle_days), (0, 0)),
    ("S2-38", RECORD, lambda p: (p.delete.user, p.delete.staff), (UserDelete.NEVER, StaffDelete.NEVER)),
    ("S3-14", DESK, words, {"category": "Department"}),
    ("S3 priority", DESK, lambda p: (p.priority.mode, levels(p)), (PriorityMode.STAFF, URGENCIES)),
    ("S3-06", DESK, lambda p: (p.delete.archive, p.retention.closed_days), (1, 0)),
    ("S3 identity", DESK, lambda p: p.staff.identity, StaffIdentity.NAMED),
    ("S3 closing", DESK, lambda p: (p.close.user, p.close.staff, p.reopen.staff), (UserClose.NEVER, 1, 1)),
    (
        "S4-07",
        PANEL,
        lambda p: [c.label for c in p.categories],
        ["Billing", "Technical", "Account", "General"],
    ),
    ("S4-08", PANEL, lambda p: [(f.id, f.choices) for f in p.fields], [("related_app", ())]),
    ("S4-09", PANEL, lambda p: (p.priority.mode, levels(p)), (PriorityMode.USER, URGENCIES)),
    ("S4-10 S4-19", PANEL, lambda p: (p.notify.receipt_mail, p.notify.staff_mail), (1, 1)),
    ("S4-11", PANEL, lambda p: p.close.user, UserClose.NEVER),
    ("S4-14", PANEL, lambda p: p.priority.staff_can_change, 1),
    ("S4-17", PANEL, lambda p: (p.close.staff, p.reopen.staff), (1, 1)),
    ("S4-18", PANEL, lambda p: p.delete.staff, StaffDelete.CONFIRM),
    ("S4-20 I6", PANEL, lambda p: p.close.resolved_days, 7),
    (
        "S4-23",
        PANEL,
        lambda p: (p.reopen.user, p.reopen.window_days, p.reopen.on_reply),
        (UserReopen.WINDOW, 7, ClosedReply.REOPEN),
    ),
    ("S4-25", PANEL, lambda p: p.moves.staff_reply_waits, 1),
    (
        "D limits",
        DEFAULT,
        lambda p: (lengths(p), p.limits.create_per_day, p.limits.open_max),
        ((5, 200, 1, 10_000), 10, 20),
    ),
    (
        "D reopen",
        DEFAULT,
        lambda p: (p.reopen.window_days, p.reopen.on_reply),
        (14, ClosedReply.REOPEN_THEN_NEW),
    ),
    (
        "D delete",
        DEFAULT,
        lambda p: (p.delete.user, p.delete.staff),
        (UserDelete.ERASE_CLOSED, StaffDelete.CONFIRM),
    ),
]


@pytest.mark.parametrize(
    ("policy", "asked", "expected"),
    [row[1:] for row in ROWS],
    ids=[f"{row[1].preset}: {row[0]}" for row in ROWS],
)
def test_a_preset_has_its_row(policy: Policy, asked: Callable[[Policy], object], expected: object) -> None:
    """What the feature table says of a system, its preset says."""
    assert asked(policy) == expected


@pytest.mark.parametrize("policy", [PORTAL, INSTANCE, DESK, PANEL], ids=lambda p: p.preset)
def test_where_a_system_is_silent_lengths_are_neutral(policy: Policy) -> None:
    """Only the record preset has lengths and a rate; elsewhere anything short of a book may be written (C10)."""
    assert lengths(policy) == (1, 200, 1, 10_000)
    assert (policy.limits.create_per_day, policy.limits.open_max) == (0, 0)


def shown(table: tuple[LabelRule, ...], *facts: Condition) -> tuple[str, Colour]:
    """Return the label of a ticket of which just these facts hold."""
    rule = next(rule for rule in table if set(rule.conditions) <= set(facts))
    return rule.text, rule.colour


STATUSES = [
    ("S0-16", PORTAL, (), "Open", "Open"),
    ("S0-16", PORTAL, (C.LAST_STAFF, C.STAFF_REPLIED, C.PROGRESS), "Answered", "Answered"),
    ("S0-16", PORTAL, (C.PROGRESS,), "In progress", "In progress"),
    ("S1-18", INSTANCE, (C.LAST_STAFF, C.STAFF_REPLIED), "Answered", "Answered"),
    ("S1x-3", INSTANCE, (C.LAST_USER,), "Open", "Unanswered"),
    ("S1x-3", INSTANCE, (C.ARCHIVED, C.LAST_STAFF), "Answered", "Archived"),
    ("S2-14", RECORD, (C.ASSIGNED,), "In Review", "In Review"),
    ("S2-14", RECORD, (C.PROGRESS,), "In Review", "In Review"),
    ("S2-14", RECORD, (C.WAITING_USER, C.ASSIGNED, C.PROGRESS), "Awaiting User", "Awaiting User"),
    ("S2-14", RECORD, (C.RESOLVED, C.ASSIGNED), "Resolved", "Resolved"),
    ("S3-03", DESK, (C.LAST_USER,), "Open", "Open"),
    ("S3-04", DESK, (C.HOLD, C.LAST_STAFF), "Answered", "On Hold"),
    ("S3-05", DESK, (C.LAST_STAFF, C.STAFF_REPLIED), "Answered", "Answered"),
    ("S3-06", DESK, (C.ARCHIVED, C.CLOSED), "Closed", "Archived"),
    ("S3-07", DESK, (C.LAST_USER, C.STAFF_REPLIED), "Customer Reply", "Customer Reply"),
    ("S3-08", DESK, (C.SPAM, C.LAST_USER), "Open", "Spammed"),
    ("S3-09", DESK, (C.CLOSED, C.LAST_STAFF), "Closed", "Closed"),
    ("S4-03", PANEL, (C.LAST_USER,), "Open", "Open"),
    ("S4-03", PANEL, (C.LAST_USER, C.STAFF_REPLIED), "In Progress", "In Progress"),
    ("S4-25", PANEL, (C.WAITING_USER, C.LAST_STAFF, C.STAFF_REPLIED), "Waiting User", "Waiting User"),
]


@pytest.mark.parametrize(("row", "policy", "facts", "user", "staff"), STATUSES)
def test_statuses_are_those_of_the_system(
    row: str, policy: Policy, facts: tuple[Condition, ...], user: str, staff: str
) -> None:
    """Users and team read the status of that system; the two tables differ by facts of the staff log alone (C1)."""
    assert shown(policy.labels_user, *facts)[0] == user, row
    assert shown(policy.labels_staff, *facts)[0] == staff, row


def test_colours_of_the_panel() -> None:
    """Open is blue, in progress yellow, waiting orange, resolved green, closed gray (S4-22)."""
    facts = ((), (C.PROGRESS,), (C.WAITING_USER,), (C.RESOLVED,), (C.CLOSED,))
    colours = [shown(PANEL.labels_user, *held)[1] for held in facts]
    assert colours == [Colour.BLUE, Colour.YELLOW, Colour.ORANGE, Colour.GREEN, Colour.GRAY]
