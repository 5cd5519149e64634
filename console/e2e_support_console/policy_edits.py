"""Changes of the policy as a person types them: ``limits.subject_min=10``, ``categories.-other``.

The grammar is one line each (``GRAMMAR``); names are those of ``policy show --json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from e2e_support.codec import Items, Message, Nested, Shape, Text, Uint, message_shapes
from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.policy_form import (
    bad_setting,
    item_shape,
    join,
    numbered,
    policy_form,
    read_policy,
    value_form,
)
from e2e_support_console.policy_hints import setting_hint

NUMBER_MAX: Final = 20  # digits; what is longer is no number of any setting
GRAMMAR: Final = """\
KEY=VALUE           set one setting; keys are dotted as in `policy show --json`: limits.subject_min=10
LIST.ID.KEY=VALUE   set it in an item of a list: categories.bug.guidelines="Say what you did."
LIST.+ID={...}      add an item at the end of a list: categories.+legal={"label": "Legal"}
LIST.-ID            remove an item: categories.-other
LIST.+TEXT          add to a list of texts, and LIST.-TEXT removes: eligibility.refused_methods.+access_key
KEY=[...]           set a whole list, in order, as JSON: prompts=["What happened?"]

Flags are true or false; where there is a choice, a wrong value tells what may stand there. All changes of one
command count together, so that settings that need each other can change at once."""


def edited(policy: Policy, edits: Iterable[str]) -> Policy:
    """Return the policy after changes.

    Args:
        policy: as it is.
        edits: changes, carried out in their order and checked together.

    Raises:
        UsageError: ``bad_setting`` with the place, what may stand there, and an example.
    """
    form: Any = json.loads(json.dumps(policy_form(policy)))
    key = ""
    try:
        for edit in edits:
            key = edit.partition("=")[0]
            _edit(form, edit)
        return read_policy(form)
    except UsageError as error:
        path = error.message.partition(":")[0]
        error.hint = setting_hint(policy, key if path == "policy" else path)  # as a whole it does not fit
        raise


def _edit(form: Any, edit: str) -> None:
    key, sign, value = edit.partition("=")
    node, shape, path = form, cast("Shape", Nested(Policy)), ""
    *groups, last = _steps(key)
    for name in groups:
        node, shape = _inside(node, shape, name, path)
        path = join(path, name)
    if last[:1] in {"+", "-"} and isinstance(shape, Items):
        if last[0] == "+":
            _add(node, shape, last[1:], value if sign else None, path)
        else:
            _remove(node, shape, last[1:], path)
        return
    place, inner = _place(node, shape, last, path)
    if not sign:
        raise bad_setting(join(path, last), "a value is missing; write KEY=VALUE, LIST.+ID or LIST.-ID")
    node[place] = _typed(inner, value, join(path, last))


def _steps(key: str) -> list[str]:
    """Return the parts of a key; what is added or removed is one part, whatever stands in it."""
    steps = key.split(".")
    at = next((at for at, step in enumerate(steps) if step[:1] in {"+", "-"}), len(steps))
    return steps if at == len(steps) else [*steps[:at], ".".join(steps[at:])]


def _inside(node: Any, shape: Shape, name: str, path: str) -> tuple[Any, Shape]:
    place, inner = _place(node, shape, name, path)
    return node[place], inner


def _place(node: Any, shape: Shape, name: str, path: str) -> tuple[Any, Shape]:
    """Return where something stands in a group or list, and what it may hold."""
    if isinstance(shape, Nested):
        shapes = dict(message_shapes(shape.message))
        if name in shapes:
            return name, shapes[name]
        raise bad_setting(join(path, name), f"there is no such setting; there are {', '.join(shapes)}")
    inner = item_shape(shape) if isinstance(shape, Items) else None
    if not isinstance(inner, Nested):
        raise bad_setting(join(path, name), f"{path} has no parts")
    names = _names(node, inner)
    if name not in names:
        raise bad_setting(join(path, name), f"there is no such item; there are {', '.join(names) or 'none'}")
    return names.index(name), inner


def _names(items: Any, shape: Nested) -> list[str]:
    first = _first(shape)
    return numbered([item[first] for item in items])


def _first(shape: Nested) -> str:
    return message_shapes(shape.message)[0][0]


def _add(items: Any, shape: Items, name: str, value: str | None, path: str) -> None:
    inner = item_shape(shape)
    if not isinstance(inner, Nested):
        items.append(name if value is None else f"{name}={value}")
        return
    if name in _names(items, inner):
        raise bad_setting(join(path, name), "this is there already")
    given = _json(value if value is not None else "{}", join(path, name))
    if not isinstance(given, Mapping):
        raise bad_setting(join(path, name), 'an item in braces is expected, as in {"label": "Legal"}')
    items.append({**_blank(inner.message), **cast("Mapping[str, object]", given), _first(inner): name})


def _blank(message: type[Message]) -> dict[str, object]:
    """Return what need not be said of a new item: empty texts and lists, flags that are off."""
    return {
        name: value_form(shape, shape.load("" if isinstance(shape, Text) else () if isinstance(shape, Items) else 0))
        for name, shape in message_shapes(message)
        if isinstance(shape, (Text, Items)) or shape == Uint(1)
    }  # fmt: skip


def _remove(items: Any, shape: Items, name: str, path: str) -> None:
    inner = item_shape(shape)
    names = _names(items, inner) if isinstance(inner, Nested) else list(items)
    if name not in names:
        raise bad_setting(join(path, name), f"there is no such item; there are {', '.join(names) or 'none'}")
    del items[names.index(name)]


def _typed(shape: Shape, value: str, path: str) -> object:
    """Return what a typed value stands for; whether it is allowed is judged when the whole policy is read."""
    if isinstance(shape, (Items, Nested)):
        return _json(value, path)
    if isinstance(shape, Uint):
        number = value.replace("_", "")
        whole = number.isdecimal() and len(number) < NUMBER_MAX
        return {"true": True, "false": False}.get(value, int(number) if whole else value)
    return value


def _json(value: str, path: str) -> object:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise bad_setting(path, "JSON is expected, as `policy show --json` has it") from None
