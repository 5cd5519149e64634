"""The policy: a round trip for what makes sense, and one error for everything that does not."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from e2e_support.attachment import Plan
from e2e_support.canonical import encode
from e2e_support.errors import PeerError
from e2e_support.ids import MemberId
from e2e_support.limits import CHUNK_SIZE, FILE_MAX, FILE_PAD_MIN, MIB
from e2e_support.policy import Policy, sealed_size
from e2e_support.policy_checks import check_policy, open_policy
from e2e_support.policy_parts import (
    AttachmentMode,
    Category,
    CategoryAssignee,
    CategoryPriority,
    ClosedReply,
    Colour,
    Condition,
    FieldDef,
    LabelRule,
    Level,
    PriorityMode,
    UserClose,
    UserDelete,
    UserReopen,
    Word,
)
from e2e_support.presets import DEFAULT
from e2e_support.vocab import AdmissionMode

OPEN = LabelRule("open", "Open", Colour.BLUE, ())
SPAM = LabelRule("spam", "Spam", Colour.GRAY, (Condition.SPAM,))
ASSIGNED = LabelRule("review", "In review", Colour.YELLOW, (Condition.ASSIGNED,))


def changed(path: str, value: object) -> Policy:
    """Return the default policy with one value at a dotted path replaced."""
    name, _, rest = path.partition(".")
    inner: Any = replace(getattr(DEFAULT, name), **{rest: value}) if rest else value
    return replace(DEFAULT, **{name: inner})


def test_default_policy_makes_sense_and_travels() -> None:
    """The recommended policy passes its own checks and reads back as it was written."""
    check_policy(DEFAULT)
    assert open_policy(DEFAULT.to_bytes()) == DEFAULT


def test_default_policy_is_the_recommended_column() -> None:
    """The values that people rely on by default are the ones that were decided."""
    assert (DEFAULT.limits.subject_min, DEFAULT.limits.subject_max) == (5, 200)
    assert (DEFAULT.limits.create_per_day, DEFAULT.limits.open_max) == (10, 20)
    assert DEFAULT.admission.bits == 16
    assert (DEFAULT.freshness.days, DEFAULT.freshness.override) == (30, 0)
    assert (DEFAULT.close.resolved_days, DEFAULT.close.reminder_days) == (7, 5)
    assert (DEFAULT.reopen.user, DEFAULT.reopen.window_days) == (UserReopen.WINDOW, 14)
    assert DEFAULT.retention.closed_days == 365
    assert len(DEFAULT.categories) == 6
    assert all(category.guidelines for category in DEFAULT.categories)


def test_relay_rules_hold_what_a_blind_relay_can_enforce() -> None:
    """The relay's view has sizes and counts as they look from outside, with padding and tags."""
    rules = DEFAULT.relay_rules()
    assert (rules.mode, rules.bits, rules.idle_days) == (AdmissionMode.OPEN, 16, 730)
    assert rules.blobs_max == 10
    assert rules.blob_bytes_max == sealed_size(25 * MIB) > 25 * MIB
    assert rules.mailbox_bytes_max == 100 * MIB * 9 // 8 + 64 * FILE_PAD_MIN > 4 * sealed_size(25 * MIB)
    assert rules.user_erase


def test_relay_rules_without_attachments_or_erasing() -> None:
    """Where attachments are off no blob may be stored, and where users may not erase the relay refuses it."""
    rules = changed("attachments.mode", AttachmentMode.OFF).relay_rules()
    assert (rules.blobs_max, rules.blob_bytes_max, rules.mailbox_bytes_max) == (0, 0, 0)
    assert not changed("delete.user", UserDelete.HIDE).relay_rules().user_erase


@pytest.mark.parametrize("size", [0, 1, 4096, 5000, CHUNK_SIZE, CHUNK_SIZE + 1, 25 * MIB, FILE_MAX])
def test_sealed_size_is_the_size_of_the_blob(size: int) -> None:
    """What the relay counts for a file is what an attachment of that size takes (section 6)."""
    assert sealed_size(size) == Plan(size).blob


def test_lookups() -> None:
    """Categories and levels are found by id; an unknown id finds nothing."""
    assert DEFAULT.category("bug") is DEFAULT.categories[0]
    assert DEFAULT.category("nonsense") is None
    assert DEFAULT.level("urgent") is DEFAULT.priority.levels[-1]
    assert DEFAULT.level("nonsense") is None


def test_newer_policy_needs_an_update() -> None:
    """A policy of a later version, with fields nobody here knows, asks for an update and nothing else."""
    with pytest.raises(PeerError) as caught:
        open_policy(encode((2, "future", (1, 2, 3))))
    assert caught.value.code == "update_needed"


@pytest.mark.parametrize("data", [b"", encode(()), encode((b"1",)), encode((1,)), encode(1)])
def test_malformed_policy_is_refused(data: bytes) -> None:
    """Bytes that are no policy at all are malformed."""
    with pytest.raises(PeerError) as caught:
        open_policy(data)
    assert caught.value.code == "malformed"


PRIORITY = DEFAULT.priority
NONSENSE: list[tuple[str, Policy]] = [
    ("version 2 is not 1", changed("version", 2)),
    ("cannot be admitted by the team", changed("admission.mode", AdmissionMode.TEAM)),
    ("https://", changed("external_url", "http://example.org")),
    ("https://", changed("external_url", "https://exa mple.org")),
    ("an id in categories is not made", changed("categories", (Category("Bug!", "Bug", ""),))),
    ("an id in categories is not made", changed("categories", (Category("", "Bug", ""),))),
    ("an id in categories stands twice", changed("categories", (Category("a", "A", ""),) * 2)),
    ("an id in fields stands twice", changed("fields", (FieldDef("a", "A", 0, ()),) * 2)),
    ("an id in words stands twice", changed("words", (Word("priority", "Severity"),) * 2)),
    ("an id in labels_user is not made", changed("labels_user", (replace(OPEN, id="-"),))),
    ("there is no category", changed("categories", ())),
    ("a choice of field a stands twice", changed("fields", (FieldDef("a", "A", 0, ("x", "x")),))),
    ("levels and priority mode do not fit", changed("priority.mode", PriorityMode.NONE)),
    ("levels and priority mode do not fit", changed("priority.levels", ())),
    ("implies two priorities", changed("priority.by_category", (CategoryPriority("bug", "low"),) * 2)),
    ("implies a level that is not", changed("priority.by_category", (CategoryPriority("bug", "top"),))),
    ("implied by a category that is not", changed("priority.by_category", (CategoryPriority("x", "low"),))),
    ("the initial level is not", changed("priority.initial", "top")),
    ("a category implies no priority", changed("priority.mode", PriorityMode.BY_CATEGORY)),
    ("subject_min is larger", changed("limits.subject_min", 201)),
    ("text_min is larger", changed("limits.text_min", 10_001)),
    ("zone is not the name", changed("limits.zone", "")),
    ("zone is not the name", changed("limits.zone", "/etc/passwd")),
    ("zone is not the name", changed("limits.zone", "../zone")),
    ("zone is not the name", changed("limits.zone", "Europe/Berlin/")),
    ("the largest file", changed("attachments.file_bytes_max", 0)),
    ("the largest file", changed("attachments.ticket_bytes_max", MIB)),
    ("a message may carry none", changed("attachments.files_max", 0)),
    ("the reminder must come before", changed("close.reminder_days", 7)),
    ("the reminder must come before", changed("close.resolved_days", 0)),
    ("a window of days", changed("reopen.window_days", 0)),
    ("a window of days", changed("reopen.user", UserReopen.ALWAYS)),
    (
        "a reply cannot reopen",
        replace(DEFAULT, reopen=replace(DEFAULT.reopen, user=UserReopen.NEVER, window_days=0)),
    ),
    ("mistake_note is for", changed("close.mistake_note", 1)),
    ("before its retention is over", changed("retention.idle_days", 364)),
    ("before its retention is over", changed("retention.closed_days", 0)),
    (
        "a category is assigned twice",
        changed("staff.assignees", (CategoryAssignee("bug", MemberId(bytes(16))),) * 2),
    ),
    (
        "an assigned category is not",
        changed("staff.assignees", (CategoryAssignee("x", MemberId(bytes(16))),)),
    ),
    ("the last rule of labels_user", changed("labels_user", ())),
    ("the last rule of labels_staff", changed("labels_staff", (SPAM,))),
    ("hides those below", changed("labels_staff", (OPEN, SPAM, OPEN))),
    ("hides those below", changed("labels_staff", (SPAM, OPEN, OPEN))),
    ("with one id do not look alike", changed("labels_staff", (replace(SPAM, id="open"), OPEN))),
    ("has no text", changed("labels_staff", (replace(SPAM, text=""), OPEN))),
    ("a fact of the staff log", changed("labels_user", (SPAM, OPEN))),
    ("an assignee that users are not shown", changed("labels_user", (ASSIGNED, OPEN))),
]


@pytest.mark.parametrize(("why", "policy"), NONSENSE)
def test_policy_that_makes_no_sense_is_refused(why: str, policy: Policy) -> None:
    """Each rule of one policy as a whole has a policy that breaks it and is refused for that reason."""
    with pytest.raises(PeerError, match=why) as caught:
        check_policy(policy)
    assert caught.value.code == "bad_policy"
    assert caught.value.hint


SENSE = [
    changed("limits", replace(DEFAULT.limits, subject_min=200, text_min=10_000)),
    changed("attachments.file_bytes_max", 1),
    changed("attachments.file_bytes_max", DEFAULT.attachments.ticket_bytes_max),
    changed("retention", replace(DEFAULT.retention, closed_days=1, idle_days=1)),
    changed("limits.zone", "America/Argentina/Buenos_Aires"),
    changed("limits.zone", "Atlantis/Capital"),
    changed("external_url", "https://desk.example.org/help?from=app"),
    changed(
        "attachments", replace(DEFAULT.attachments, mode=AttachmentMode.OFF, files_max=0, file_bytes_max=0)
    ),
    changed("retention", replace(DEFAULT.retention, closed_days=0, idle_days=0)),
    changed("priority", replace(PRIORITY, mode=PriorityMode.NONE, levels=(), initial="")),
    changed(
        "priority",
        replace(
            PRIORITY,
            mode=PriorityMode.BY_CATEGORY,
            by_category=tuple(CategoryPriority(category.id, "high") for category in DEFAULT.categories),
        ),
    ),
    changed("close", replace(DEFAULT.close, user=UserClose.RESOLVED_ONLY, mistake_note=1)),
    changed(
        "reopen",
        replace(DEFAULT.reopen, user=UserReopen.NEVER, window_days=0, on_reply=ClosedReply.REFUSE),
    ),
    replace(
        changed("staff.show_assignee", 1),
        labels_user=(
            ASSIGNED,
            LabelRule("review", "In review", Colour.YELLOW, (Condition.PROGRESS,)),
            OPEN,
        ),
    ),
    changed("priority.levels", (*PRIORITY.levels, Level("critical", "Critical", Colour.PURPLE))),
]


@pytest.mark.parametrize("policy", SENSE)
def test_other_policies_make_sense(policy: Policy) -> None:
    """What the five reference systems need is allowed; rules joined by "or" share an id."""
    assert open_policy(policy.to_bytes()) == policy


def test_version_stands_first() -> None:
    """The version is the first element, so that a reader can judge it before the rest."""
    assert fields(DEFAULT)[0].name == "version"
    assert DEFAULT.dump()[0] == 1  # type: ignore[index]
