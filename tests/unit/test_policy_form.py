"""A policy as people edit it: the form says everything, and reading it back is strict and names the place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from e2e_support.errors import UsageError
from e2e_support.ids import MemberId
from e2e_support.policy_form import Form, item_names, policy_form, read_policy
from e2e_support.policy_parts import CategoryAssignee
from e2e_support.presets import DEFAULT, PANEL, PRESETS, RECORD


def form_of(**changes: object) -> Any:
    """Return the default policy's form as it comes from JSON, with values at dotted paths replaced."""
    form: Any = json.loads(json.dumps(policy_form(DEFAULT)))
    for path, value in changes.items():
        group, *names = form, *(int(name) if name.isdecimal() else name for name in path.split("__"))
        for name in names[:-1]:
            group = group[name]
        group[names[-1]] = value
    return form


def problem(form: object) -> str:
    """Return why a form is refused."""
    with pytest.raises(UsageError) as caught:
        read_policy(form)
    assert caught.value.code == "bad_setting"
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("name", PRESETS)
def test_every_policy_has_a_form(name: str) -> None:
    """What JSON says of a policy is the whole policy."""
    assert read_policy(json.loads(json.dumps(policy_form(PRESETS[name])))) == PRESETS[name]


def test_names_flags_and_ids_are_readable() -> None:
    """Enums stand as lower-case names, flags as true and false, ids in hex."""
    staff = replace(
        DEFAULT.staff, assignee=bytes(16), assignees=(CategoryAssignee("bug", MemberId(bytes(16))),)
    )
    form: Any = policy_form(replace(DEFAULT, staff=staff))
    assert form["reopen"] == {
        "user": "window",
        "window_days": 14,
        "staff": True,
        "on_reply": "reopen_then_new",
    }
    assert form["staff"]["assignee"] == "00" * 16
    assert form["staff"]["assignees"] == [{"category": "bug", "member_id": "00" * 16}]
    assert form["labels_staff"][0] == {"id": "spam", "text": "Spam", "colour": "gray", "conditions": ["spam"]}
    assert read_policy(form).staff == staff


WRONG: list[tuple[dict[str, object], str]] = [
    ({"limits__subject_min": "5"}, "limits.subject_min: a whole number from 0 to 998 is expected"),
    ({"limits__subject_min": True}, "limits.subject_min: a whole number from 0 to 998 is expected"),
    ({"limits__subject_min": 5.5}, "limits.subject_min: a whole number"),
    ({"limits__subject_max": 0}, "limits.subject_max: a whole number from 1 to 998 is expected"),
    ({"limits__subject_max": 999}, "limits.subject_max: a whole number"),
    ({"limits__text": 3}, "limits.text: there is no such setting; there are subject_min, subject_max"),
    ({"limits": [1]}, "limits: a group with subject_min"),
    ({"show_languages": 1}, "show_languages: true or false is expected"),
    ({"priority__mode": "Staff"}, "priority.mode: one of none, user, by_category, staff is expected"),
    ({"priority__mode": 1}, "priority.mode: one of none"),
    ({"priority__mode": ["staff"]}, "priority.mode: one of none"),
    ({"prompts": "one"}, "prompts: a list is expected"),
    ({"prompts": {}}, "prompts: a list is expected"),
    ({"prompts": ["x"] * 33}, "prompts: at most 32 are allowed"),
    ({"prompts": ["good", 5]}, "prompts.2: a text of at most 200 characters is expected"),
    ({"prompts": [{"id": "x"}]}, "prompts.1: a text of at most 200 characters is expected"),
    ({"prompts": ["x" * 201]}, "prompts.1: a text of at most 200 characters is expected"),
    ({"external_url": "\ud800"}, "external_url: a text"),
    ({"external_url": "\udfff"}, "external_url: a text"),
    ({"categories__1": {"id": "question", "label": "Question"}}, "categories.question.guidelines: this is missing"),
    ({"categories__1__label": None}, "categories.question.label: a text"),
    ({"categories__1__id": ""}, "policy: an id in categories"),
    ({"categories__1": {"id": "", "label": 7, "guidelines": ""}}, "categories.2.label: a text"),
    ({"categories__1": {"id": 7, "label": "x", "guidelines": ""}}, "categories.2.id: a text"),
    ({"categories__1": "question"}, "categories.2: a group with id, label, guidelines is expected"),
    ({"staff__assignee": "xyz"}, "staff.assignee: an id of 0 or 32 hex digits is expected"),
    ({"staff__assignee": "00"}, "staff.assignee: an id of 0 or 32 hex digits is expected"),
    ({"staff__assignee": 0}, "staff.assignee: an id of 0 or 32 hex digits is expected"),
    ({"close__reminder_days": 7}, "the reminder must come before"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "why"), WRONG, ids=map(str, range(len(WRONG))))
def test_what_is_wrong_is_named_by_its_path(changes: dict[str, object], why: str) -> None:
    """The error says where the value stands and what may stand there."""
    assert why in problem(form_of(**changes))


@pytest.mark.parametrize("form", [None, [], "policy", 5])
def test_something_else_is_no_policy(form: object) -> None:
    """What is no group of settings at all is refused as a whole."""
    assert problem(form).startswith("policy: a group with version, preset")


def test_a_policy_that_is_too_large_is_refused() -> None:
    """Texts that each are short enough may be too much together."""
    big: list[Form] = [{"id": f"c{n}", "label": "L", "guidelines": "ü" * 2_000} for n in range(64)]
    assert "larger than" in problem(form_of(categories=big))


def test_text_is_composed() -> None:
    """However an editor writes an umlaut, the policy holds it in the one form that can be signed."""
    assert read_policy(form_of(categories__0__label="Fu\u0308r")).categories[0].label == "F\u00fcr"


def test_a_number_may_be_the_largest() -> None:
    """What the error names as the last that is expected is taken."""
    assert read_policy(form_of(limits__subject_max=998)).limits.subject_max == 998


def test_items_of_a_list_have_names() -> None:
    """They are called by their first setting; rules that share an id are told apart."""
    assert item_names(PANEL.labels_user) == [
        "closed",
        "resolved",
        "waiting",
        "progress",
        "progress#2",
        "open",
    ]
    assert item_names(RECORD.priority.by_category)[:2] == ["access", "bug"]
