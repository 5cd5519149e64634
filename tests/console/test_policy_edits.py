"""Changes of the policy as a person types them: what they mean, and what is said where they mean nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.policy_form import policy_form
from e2e_support.policy_parts import AttachmentMode, Category, PriorityMode, UserReopen
from e2e_support.presets import DEFAULT, PANEL, PORTAL, PRESETS, RECORD
from e2e_support_console.policy_edits import edited
from e2e_support_console.policy_file import parse_policy


def limits(**changes: int | str) -> Policy:
    """Return the default policy with other limits."""
    return replace(DEFAULT, limits=replace(DEFAULT.limits, **changes))  # type: ignore[arg-type]


GOOD: list[tuple[Policy, list[str], Policy]] = [
    (DEFAULT, ["limits.subject_min=10"], limits(subject_min=10)),
    (DEFAULT, ["limits.text_max=9_000"], limits(text_max=9_000)),
    (DEFAULT, ["limits.zone=Europe/Berlin"], limits(zone="Europe/Berlin")),
    (DEFAULT, ["show_languages=false"], replace(DEFAULT, show_languages=0)),
    (DEFAULT, ["external_url=https://x.org/?a=b"], replace(DEFAULT, external_url="https://x.org/?a=b")),
    (
        DEFAULT,
        ["attachments.mode=images"],
        replace(DEFAULT, attachments=replace(DEFAULT.attachments, mode=AttachmentMode.IMAGES)),
    ),
    (
        DEFAULT,
        ["categories.bug.guidelines=Say what. And how = when."],
        replace(
            DEFAULT,
            categories=(
                replace(DEFAULT.categories[0], guidelines="Say what. And how = when."),
                *DEFAULT.categories[1:],
            ),
        ),
    ),
    (
        DEFAULT,
        ['categories.+legal={"label": "Legal"}'],
        replace(DEFAULT, categories=(*DEFAULT.categories, Category("legal", "Legal", ""))),
    ),
    (DEFAULT, ["categories.-other"], replace(DEFAULT, categories=DEFAULT.categories[:-1])),
    (
        DEFAULT,
        ["eligibility.refused_methods.+access_key"],
        replace(DEFAULT, eligibility=replace(DEFAULT.eligibility, refused_methods=("access_key",))),
    ),
    (
        PORTAL,
        ["eligibility.refused_methods.-access_key"],
        replace(PORTAL, eligibility=replace(PORTAL.eligibility, refused_methods=())),
    ),
    (DEFAULT, ["prompts.+What. Why = how?"], replace(DEFAULT, prompts=("What. Why = how?",))),
    (DEFAULT, ['prompts=["When?", "Where?"]'], replace(DEFAULT, prompts=("When?", "Where?"))),
    (
        RECORD,
        ["fields.feature.choices.-API", "fields.feature.required=true"],
        replace(
            RECORD,
            fields=(
                replace(
                    RECORD.fields[0],
                    required=1,
                    choices=tuple(one for one in RECORD.fields[0].choices if one != "API"),
                ),
            ),
        ),
    ),
    (
        DEFAULT,
        ["priority.mode=user"],
        replace(DEFAULT, priority=replace(DEFAULT.priority, mode=PriorityMode.USER)),
    ),
    (
        DEFAULT,
        ["reopen.user=always", "reopen.window_days=0"],
        replace(DEFAULT, reopen=replace(DEFAULT.reopen, user=UserReopen.ALWAYS, window_days=0)),
    ),
    (
        PANEL,
        ["labels_user.progress#2.text=Working", "labels_user.progress.text=Working"],
        replace(
            PANEL,
            labels_user=tuple(
                replace(rule, text="Working") if rule.id == "progress" else rule for rule in PANEL.labels_user
            ),
        ),
    ),
    (DEFAULT, [], DEFAULT),
]


@pytest.mark.parametrize(("policy", "edits", "expected"), GOOD, ids=[" ".join(row[1]) for row in GOOD])
def test_a_change_means_what_it_says(policy: Policy, edits: list[str], expected: Policy) -> None:
    """What a person types changes just that, and several changes count together."""
    assert edited(policy, edits) == expected


def test_settings_that_need_each_other_change_at_once() -> None:
    """Out of the preset for records a category goes with the priority that it implied."""
    new = edited(RECORD, ["categories.-data", "priority.by_category.-data"])
    assert "data" not in {category.id for category in new.categories}


BAD = [
    ("limits.subject_min", "limits.subject_min: a value is missing"),
    ("limits.subject_min=many", "limits.subject_min: a whole number from 0 to 998 is expected"),
    ("limits.subject_min=" + "9" * 5_000, "limits.subject_min: a whole number from 0 to 998"),
    ("limits.subject_min=-1", "limits.subject_min: a whole number from 0 to 998"),
    ("limits.subject_min=300", "policy: subject_min is larger than subject_max"),
    ("limit.subject_min=1", "limit: there is no such setting; there are version, preset"),
    ("limits.subject=1", "limits.subject: there is no such setting; there are subject_min"),
    ("priority.mode=everybody", "priority.mode: one of none, user, by_category, staff is expected"),
    ("show_languages=yes", "show_languages: true or false is expected"),
    ("categories.nonsense.label=x", "categories.nonsense: there is no such item; there are bug, question"),
    ("categories.-nonsense", "categories.nonsense: there is no such item; there are bug, question"),
    ('categories.+bug={"label": "x"}', "categories.bug: this is there already"),
    ("categories.+legal={label}", "categories.legal: JSON is expected"),
    ("categories.+legal=[]", "categories.legal: an item in braces is expected"),
    ('categories.+legal={"name": "x"}', "categories.legal.name: there is no such setting"),
    ("fields.-impact.x", "fields.impact.x: there is no such item; there are impact"),
    ("words.-priority", "words.priority: there is no such item; there are none"),
    ("priority.levels.+now", "priority.levels.now.colour: this is missing"),
    ("prompts.first=x", "prompts.first: prompts has no parts"),
    ("limits.subject_min.x=1", "limits.subject_min.x: limits.subject_min has no parts"),
    ("prompts=When?", "prompts: JSON is expected"),
    ("limits.+x=1", "limits.+x: there is no such setting"),
    ("=1", "there is no such setting"),
    ("", "there is no such setting"),
]


@pytest.mark.parametrize(("edit", "why"), BAD, ids=[edit[:40] or "empty" for edit, _ in BAD])
def test_what_means_nothing_is_explained(edit: str, why: str) -> None:
    """The error names the place and what may stand there."""
    with pytest.raises(UsageError) as caught:
        edited(DEFAULT, [edit])
    assert caught.value.code == "bad_setting"
    assert why in caught.value.message


@pytest.mark.parametrize("name", PRESETS)
def test_a_policy_travels_through_a_file(name: str) -> None:
    """What `policy show --json` writes, `policy apply` reads."""
    assert parse_policy(json.dumps(policy_form(PRESETS[name])).encode()) == PRESETS[name]


FILES = [
    (b"", "this is no policy"),
    (b"{", "this is no policy"),
    (b"\xff\xfe", "this is no policy"),
    (b"[" * 100_000, "this is no policy"),
    (b'{"preset": "x", "preset": "y"}', "preset stands twice"),
]


@pytest.mark.parametrize(("data", "why"), FILES, ids=map(str, range(len(FILES))))
def test_a_broken_file_is_refused(data: bytes, why: str) -> None:
    """What is no JSON, or says a thing twice, is never half understood."""
    with pytest.raises(UsageError) as caught:
        parse_policy(data)
    assert caught.value.code == "bad_policy_file"
    assert why in caught.value.message


def test_a_file_with_a_wrong_value_names_its_place() -> None:
    """The same words as for a typed change."""
    data = json.dumps(policy_form(DEFAULT)).replace('"subject_min": 5', '"subject_min": -5').encode()
    with pytest.raises(UsageError, match=r"limits\.subject_min: a whole number"):
        parse_policy(data)
