"""Debug data as administrators read it: the object that the user saw and sent, fields that were withheld marked.

It comes from a stranger: nothing in it is trusted to have the form that the SDK gives it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, cast

from e2e_support.errors import UsageError
from e2e_support_client.plain import plain_line, plain_text
from e2e_support_client.terminal import Json

ABOUT: Final = "_fields"
"""Under this name stands what the SDK says of fields: why, from where, and whether they were withheld."""

_DEPTH: Final = 32


def debug_json(data: bytes) -> dict[str, Json]:
    """Return the object that was sent; empty if there was none.

    Args:
        data: as the user's client sent it.

    Raises:
        UsageError: ``bad_debug`` when it is no JSON object: another program than the SDK made it.
    """
    if not data:
        return {}
    try:
        value: object = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError("bad_debug", "the debug data is not well formed", hint="It is not shown.")
    return cast("dict[str, Json]", value)


def debug_text(data: dict[str, Json]) -> str:
    """Return the object a field a line, with what was withheld or redacted said so."""
    if not data:
        return "No debug data came with this ticket."
    about = data.get(ABOUT)
    notes = cast("dict[str, object]", about) if isinstance(about, dict) else {}
    values = {name: value for key in data if key != ABOUT for name, value in _leaves(key, data[key], 0)}
    return "\n".join(
        _line(name, values.get(name), _state(notes.get(name))) for name in sorted({*values, *notes})
    )


def _leaves(name: str, value: Json, depth: int) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value and depth < _DEPTH:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner, depth + 1)
    else:
        yield name, value


def _line(name: str, value: Json, state: str) -> str:
    if state == "withheld":
        return f"{plain_line(name)}: withheld by the user"
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    mark = " [redacted]" if state == "redacted" else ""
    return f"{plain_line(name)}{mark}: " + plain_text(shown).replace("\n", "\n    ")


def _state(note: object) -> str:
    state = cast("dict[str, object]", note).get("state") if isinstance(note, dict) else ""
    return state if isinstance(state, str) else ""


def _refuse(name: str) -> Json:
    raise ValueError(name)
