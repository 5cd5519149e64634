"""The difference of two policies: every setting that differs is named, in words, and none that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_support.codec import message_shapes
from e2e_support.ids import MemberId
from e2e_support.policy import Policy
from e2e_support.policy_diff import SHORT, policy_changes
from e2e_support.policy_parts import (
    AttachmentMode,
    Category,
    CategoryAssignee,
    ClosedReply,
    Colour,
    Condition,
    LabelRule,
    Level,
    UserReopen,
)
from e2e_support.presets import DEFAULT, PRESETS, RECORD


def told(new: Policy, old: Policy = DEFAULT, cut: int = 0) -> list[tuple[str, str]]:
    """Return path and words of each change."""
    return [(change.path, change.words(cut)) for change in policy_changes(old, new)]


BUG, QUESTION, *REST = DEFAULT.categories
MEMBER = MemberId(bytes.fromhex("ab" * 16))
ONE: list[tuple[Policy, list[tuple[str, str]]]] = [
    (
        replace(DEFAULT, reopen=replace(DEFAULT.reopen, user=UserReopen.NEVER, window_days=0)),
        [
            ("reopen.user", "users reopen: window → never"),
            ("reopen.window_days", "users reopen within: 14 days → never"),
        ],
    ),
    (
        replace(DEFAULT, reopen=replace(DEFAULT.reopen, on_reply=ClosedReply.REFUSE, window_days=1)),
        [
            ("reopen.window_days", "users reopen within: 14 days → 1 day"),
            ("reopen.on_reply", "what a reply to a closed ticket becomes: reopen then new → refuse"),
        ],
    ),
    (
        replace(DEFAULT, categories=(replace(BUG, guidelines="Say\nmore."), QUESTION, *REST[:-1])),
        [
            ("categories.bug.guidelines", f'advice for category bug: "{BUG.guidelines}" → "Say more."'),
            ("categories.other", "no category other any more"),
        ],
    ),
    (
        replace(DEFAULT, categories=(*DEFAULT.categories, Category("legal", "Legal", ""))),
        [("categories.legal", 'new category legal: label "Legal", guidelines ""')],
    ),
    (
        replace(DEFAULT, categories=(QUESTION, BUG)),
        [
            *((f"categories.{gone.id}", f"no category {gone.id} any more") for gone in REST),
            (
                "categories.#order",
                'order of categories: "bug", "question" → "question", "bug"',
            ),
        ],
    ),
    (
        replace(
            DEFAULT,
            priority=replace(
                DEFAULT.priority, levels=(*DEFAULT.priority.levels[:-1], Level("urgent", "Now", Colour.RED))
            ),
        ),
        [("priority.levels.urgent.label", 'label of priority urgent: "Urgent" → "Now"')],
    ),
    (
        replace(DEFAULT, labels_user=(LabelRule("mine", "Mine", Colour.RED, ()),)),
        [
            ("labels_user.closed", "no users' status closed any more"),
            ("labels_user.resolved", "no users' status resolved any more"),
            ("labels_user.waiting", "no users' status waiting any more"),
            ("labels_user.progress", "no users' status progress any more"),
            ("labels_user.answered", "no users' status answered any more"),
            ("labels_user.open", "no users' status open any more"),
            ("labels_user.mine", 'new users\' status mine: text "Mine", colour red, conditions none'),
        ],
    ),
    (
        replace(
            DEFAULT,
            labels_user=(
                replace(DEFAULT.labels_user[0], conditions=(Condition.CLOSED, Condition.LAST_STAFF)),
                *DEFAULT.labels_user[1:],
            ),
        ),
        [
            (
                "labels_user.closed.conditions",
                "conditions of users' status closed: closed → closed, last staff",
            )
        ],
    ),
    (
        replace(DEFAULT, prompts=("When?", "Where?")),
        [("prompts", 'hints for the description: none → "When?", "Where?"')],
    ),
    (
        replace(
            DEFAULT,
            staff=replace(DEFAULT.staff, assignee=MEMBER, assignees=(CategoryAssignee("bug", MEMBER),)),
        ),
        [
            ("staff.assignee", f"who gets new tickets: nobody → {'ab' * 16}"),
            ("staff.assignees.bug", f"new who gets new tickets of category bug: member id {'ab' * 16}"),
        ],
    ),
    (
        replace(
            DEFAULT,
            attachments=replace(
                DEFAULT.attachments, mode=AttachmentMode.IMAGES, files_max=3, file_bytes_max=512 * 1024
            ),
        ),
        [
            ("attachments.mode", "files: any → images"),
            ("attachments.files_max", "files of a message: 10 → 3"),
            ("attachments.file_bytes_max", "largest file: 25 MiB → 512 KiB"),
        ],
    ),
    (
        replace(DEFAULT, limits=replace(DEFAULT.limits, create_per_day=0, zone="Europe/Berlin")),
        [
            ("limits.create_per_day", "new tickets a day: 10 → no limit"),
            ("limits.zone", 'time zone of the day: "UTC" → "Europe/Berlin"'),
        ],
    ),
    (
        replace(DEFAULT, show_languages=0, expectation=replace(DEFAULT.expectation, first_reply_hours=24)),
        [
            ("show_languages", "users see the team's languages: yes → no"),
            ("expectation.first_reply_hours", "first answer promised within: never → 24 hours"),
        ],
    ),
]


@pytest.mark.parametrize(("new", "expected"), ONE, ids=[rows[0][0] for _, rows in ONE])
def test_a_change_is_told_in_words(new: Policy, expected: list[tuple[str, str]]) -> None:
    """Each setting that differs has a line with what was and what is; the others have none."""
    assert told(new) == expected


def test_nothing_changes_nothing() -> None:
    """A policy does not differ from itself."""
    assert policy_changes(DEFAULT, DEFAULT) == ()


@pytest.mark.parametrize("name", PRESETS)
def test_every_setting_has_words(name: str) -> None:
    """From any preset to any other, all changes can be told, each at a path of its own."""
    for other in PRESETS.values():
        lines = told(other, PRESETS[name])
        assert len({path for path, _ in lines}) == len(lines)
        assert all("→" in words or words.startswith(("new ", "no ")) for _, words in lines)


def test_long_texts_can_be_cut() -> None:
    """Where many changes stand in a row a long text is cut, but never left out."""
    new = replace(DEFAULT, categories=(replace(BUG, guidelines="x" * 200), QUESTION, *REST))
    ((_, whole),) = told(new)
    ((_, short),) = told(new, cut=SHORT)
    assert whole.endswith('"' + "x" * 200 + '"')
    assert short.endswith('"' + "x" * SHORT + '…"')
    assert [words for _, words in told(new, cut=200)] == [whole]
    assert "Say what you did, what you expected" in short


def test_forms_of_a_change() -> None:
    """Programs read what was and what is as in the policy's form; nothing where an item came or went."""
    new = replace(DEFAULT, show_languages=0, categories=(*DEFAULT.categories[:-1], Category("x", "X", "")))
    forms = {change.path: change.forms for change in policy_changes(DEFAULT, new)}
    assert forms["show_languages"] == (True, False)
    assert forms["categories.x"] == (None, {"id": "x", "label": "X", "guidelines": ""})
    assert forms["categories.other"][1] is None


def test_implied_priorities_are_told() -> None:
    """That a category implies another priority is told by its name (S2-24)."""
    levels = tuple(replace(item, level="low") for item in RECORD.priority.by_category[:1])
    new = replace(
        RECORD, priority=replace(RECORD.priority, by_category=levels + RECORD.priority.by_category[1:])
    )
    assert told(new, RECORD) == [
        ("priority.by_category.access.level", 'priority of category access: "critical" → "low"')
    ]


GROUPS = [name for name, _ in message_shapes(Policy)]
MIXED = st.fixed_dictionaries({name: st.sampled_from(list(PRESETS.values())) for name in GROUPS})


@given(MIXED, MIXED)
def test_just_what_differs_is_told(first: dict[str, Policy], second: dict[str, Policy]) -> None:
    """Of any two policies a group is among the changes exactly where it differs, and no path stands twice."""
    old, new = (Policy(*[getattr(parts[name], name) for name in GROUPS]) for parts in (first, second))
    paths = [path for path, _ in told(new, old)]
    assert len(set(paths)) == len(paths)
    differing = {name for name in GROUPS if getattr(old, name) != getattr(new, name)}
    assert {path.partition(".")[0] for path in paths} == differing
