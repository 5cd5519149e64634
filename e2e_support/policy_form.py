"""A policy as people and programs edit it: names instead of numbers, true and false for flags, ids in hex.

The form follows from the messages' own shapes. Reading it back is strict: whatever is missing, unknown or out of
bounds is refused with the path at which it stands, ``limits.subject_min`` or ``categories.bug.label``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, TypeVar, cast

from e2e_support.codec import Bin, Choice, Items, Message, Nested, Shape, Text, Uint, message_shapes
from e2e_support.errors import SupportError, UsageError
from e2e_support.policy import Policy
from e2e_support.policy_checks import check_policy

Form = Mapping[str, "Form"] | Sequence["Form"] | str | int | bool
"""What JSON can say, without null and fractions."""

M = TypeVar("M", bound=Message)
_FLAG: Final = Uint(1)


def policy_form(policy: Policy) -> dict[str, Form]:
    """Return a policy's form."""
    return message_form(policy)


def read_policy(form: object) -> Policy:
    """Return the policy of a form, as a whole checked.

    Args:
        form: what was read from JSON.

    Raises:
        UsageError: ``bad_setting`` with the path of what is wrong, and what is allowed there.
    """
    policy = read_message(Policy, form, "")
    try:
        check_policy(policy)
        policy.to_bytes()
    except SupportError as error:
        raise bad_setting("", error.message.removeprefix("policy: ")) from None
    return policy


def message_form(message: Message) -> dict[str, Form]:
    """Return the form of a group of settings."""
    return {name: value_form(shape, getattr(message, name)) for name, shape in message_shapes(type(message))}


def value_form(shape: Shape, value: Any) -> Form:
    """Return the form of one setting.

    Args:
        shape: what the setting may hold.
        value: what it holds.
    """
    match shape:
        case Nested():
            return message_form(value)
        case Items():
            return [value_form(item_shape(shape), item) for item in value]
        case Choice():
            return cast("IntEnum", value).name.lower()
        case Bin():
            return cast("bytes", value).hex()
        case _:
            return bool(value) if shape == _FLAG else cast("Form", value)


def read_message(cls: type[M], form: object, path: str) -> M:
    """Return a group of settings from its form.

    Args:
        cls: the group.
        form: what was read from JSON.
        path: where it stands; empty for the whole policy.

    Raises:
        UsageError: ``bad_setting``.
    """
    shapes = dict(message_shapes(cls))
    if not isinstance(form, Mapping):
        raise bad_setting(path, f"a group with {_row(shapes)} is expected")
    given = cast("Mapping[str, object]", form)
    for name in given:
        if name not in shapes:
            raise bad_setting(join(path, name), f"there is no such setting; there are {_row(shapes)}")
    for name in shapes:
        if name not in given:
            raise bad_setting(join(path, name), "this is missing")
    return cls(*[read_value(shape, given[name], join(path, name)) for name, shape in shapes.items()])


def read_value(shape: Shape, form: object, path: str) -> Any:
    """Return one setting from its form; arguments and errors as ``read_message``."""
    match shape:
        case Nested():
            return read_message(shape.message, form, path)
        case Items():
            return _read_items(shape, form, path)
        case Choice():
            return _read_choice(shape, form, path)
        case Bin():
            return _read_bytes(shape, form, path)
        case Text():
            return _read_text(shape, form, path)
        case _:
            return _read_number(cast("Uint", shape), form, path)


def item_shape(items: Items) -> Shape:
    """Return what each item of a list holds."""
    return Nested(items.item) if isinstance(items.item, type) else cast("Shape", items.item)


def item_names(items: Sequence[Message]) -> list[str]:
    """Return what the items of a list are called in paths: by their first setting, with ``#2`` on the second alike."""
    return numbered([str(getattr(item, message_shapes(type(item))[0][0])) for item in items])


def numbered(names: Sequence[str]) -> list[str]:
    """Return names of which no two are alike: the second of a kind gets ``#2`` behind it."""
    return [
        f"{name}#{alike + 1}" if (alike := names[:at].count(name)) else name for at, name in enumerate(names)
    ]


def join(path: str, name: str) -> str:
    """Return the path of something inside."""
    return f"{path}.{name}" if path else name


def bad_setting(path: str, why: str) -> UsageError:
    """Return the error that names a place and says what may stand there."""
    return UsageError("bad_setting", f"{path or 'policy'}: {why}", hint="See `policy show --json`.")


def _read_items(shape: Items, form: object, path: str) -> tuple[Any, ...]:
    if isinstance(form, str) or not isinstance(form, Sequence):
        raise bad_setting(path, "a list is expected")
    items = cast("Sequence[object]", form)
    if len(items) > shape.most:
        raise bad_setting(path, f"at most {shape.most} are allowed")
    inner = item_shape(shape)
    return tuple(read_value(inner, item, join(path, _name(inner, item, at))) for at, item in enumerate(items))


def _name(shape: Shape, item: object, at: int) -> str:
    """Return what an item that was not read yet is called: by its first setting if it has one, else by its place."""
    if isinstance(shape, Nested) and isinstance(item, Mapping):
        first = cast("Mapping[str, object]", item).get(message_shapes(shape.message)[0][0])
        return first if isinstance(first, str) and first else str(at + 1)
    return str(at + 1)


def _read_choice(shape: Choice, form: object, path: str) -> IntEnum:
    names = {member.name.lower(): member for member in shape.enum}
    found = names.get(form) if isinstance(form, str) else None
    if found is None:
        raise bad_setting(path, f"one of {_row(names)} is expected")
    return found


def _read_bytes(shape: Bin, form: object, path: str) -> bytes:
    try:
        data = bytes.fromhex(form) if isinstance(form, str) else None
    except ValueError:
        data = None
    if data is None or len(data) not in shape.sizes:
        sizes = " or ".join(str(2 * size) for size in shape.sizes)
        raise bad_setting(path, f"an id of {sizes} hex digits is expected")
    return data


def _read_text(shape: Text, form: object, path: str) -> str:
    if isinstance(form, str):
        composed = unicodedata.normalize("NFC", form)
        if len(composed) <= shape.most and not any("\ud800" <= sign <= "\udfff" for sign in composed):
            return composed
    raise bad_setting(path, f"a text of at most {shape.most} characters is expected")


def _read_number(shape: Uint, form: object, path: str) -> int:
    if shape == _FLAG:
        if not isinstance(form, bool):
            raise bad_setting(path, "true or false is expected")
        return int(form)
    if isinstance(form, bool) or not isinstance(form, int) or not shape.low <= form <= shape.high:
        raise bad_setting(path, f"a whole number from {shape.low} to {shape.high} is expected")
    return form


def _row(names: Mapping[str, object]) -> str:
    return ", ".join(names)
