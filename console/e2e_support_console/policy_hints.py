"""What is said to somebody whose change of the policy cannot be: an example with the key that was meant."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Final, cast

from e2e_support.codec import Items, Nested, Shape, message_shapes
from e2e_support.policy import Policy
from e2e_support.policy_form import Form, item_shape, join, numbered, policy_form

_NEAR: Final = 3
_LONG: Final = 120  # characters; a longer setting is shown by its parts
_ALL: Final = "All settings as they are: e2e-admin policy show --json."


def setting_hint(policy: Policy, path: str) -> str:
    """Return what to type instead, by examples that hold in this policy.

    Args:
        policy: as it is.
        path: the key that was typed, or where something was found wrong.
    """
    every = _settings(policy_form(policy), Nested(Policy), "")
    typed = {key: text for key, value in every if len(text := _typed(key, value)) <= _LONG}
    if path in typed:
        return f"As it is now: {typed[path]}"
    parts = [key for key in typed if path and key.startswith(f"{path}.")]
    near = (parts or get_close_matches(path, typed, _NEAR) or _same_ending(path, typed))[:_NEAR]
    return f"For example: {'  '.join(typed[key] for key in near)}" if near else _ALL


def _settings(form: Form, shape: Shape, path: str) -> Iterator[tuple[str, Form]]:
    """Yield every key with its value: groups by their parts, lists as a whole and by the parts of their items."""
    if isinstance(shape, Nested):
        group = cast("Mapping[str, Form]", form)
        for name, inner in message_shapes(shape.message):
            yield from _settings(group[name], inner, join(path, name))
        return
    yield path, form
    each = item_shape(shape) if isinstance(shape, Items) else None
    if isinstance(each, Nested):
        items = cast("Sequence[Mapping[str, Form]]", form)
        first = message_shapes(each.message)[0][0]
        names = numbered([str(item[first]) for item in items])
        for name, item in zip(names, items, strict=True):
            yield from _settings(item, each, join(path, name))


def _same_ending(path: str, known: Iterable[str]) -> list[str]:
    """Return the keys of which somebody knew the last part only."""
    wanted = path.rpartition(".")[2]
    return [key for key in known if wanted and wanted in key.rpartition(".")[2]]


def _typed(path: str, value: Form) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shlex.quote(f"{path}={text}")
