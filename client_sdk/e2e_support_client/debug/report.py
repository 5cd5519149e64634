"""A debug report: fields with value, purpose, source and state, and the one sequence of bytes that they make.

The bytes are indented JSON: an object of values, and beside it under ``_fields`` what people need to judge them
(why it is asked for, where it comes from, whether it was redacted or withheld). Every preview is made from these
bytes, and these bytes are what is encrypted, so that nothing can be sent that was not shown.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final, Literal, cast

from e2e_support.errors import UsageError
from e2e_support.limits import DEBUG_MAX, INT_MAX
from e2e_support_client.plain import plain_line, plain_text

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Format = Literal["text", "json", "html"]
ABOUT: Final = "_fields"
DEPTH_MAX: Final = 6
ITEMS_MAX: Final = 1000
TEXT_MAX: Final = 16 * 1024  # code points of one text: a long line of a log, not a file


class FieldState(StrEnum):
    """What becomes of a field."""

    SENT = "sent"
    REDACTED = "redacted"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Field:
    """One piece of debug data.

    Attributes:
        path: where it stands, from the section down; people see it joined by dots.
        value: what is sent; ``None`` once it is withheld.
        purpose: one sentence: what it helps with.
        source: which collector or host section it comes from.
        state: whether it is sent as it was found.
        deliberate: the host names it on purpose, so a value that looks random is an identifier and no secret.
    """

    path: tuple[str, ...]
    value: Json
    purpose: str = ""
    source: str = ""
    state: FieldState = FieldState.SENT
    deliberate: bool = False

    @property
    def name(self) -> str:
        """The path as people see it and as ``drop`` matches it."""
        return ".".join(self.path)

    def withheld(self) -> Field:
        """Return the field without its value."""
        return replace(self, value=None, state=FieldState.WITHHELD)


class DebugReport:
    """Debug data that a person can look at, thin out and send.

    Args:
        fields: what was collected, redacted already; a later field replaces an earlier one of the same path.

    Attributes:
        previewed: whether the report was shown since it was last changed.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        self._fields = {field.path: field for field in fields}
        self.previewed = False

    def __iter__(self) -> Iterator[Field]:
        """Go through the fields, in the order in which they were collected."""
        return iter(self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"<DebugReport of {len(self)} fields>"

    def drop(self, *names: str) -> None:
        """Withhold fields; the report says that they were withheld.

        Args:
            names: names or patterns: ``runtime.hostname``, ``env.*``.
        """
        for path, field in self._fields.items():
            if any(fnmatchcase(field.name, name) for name in names):
                self._fields[path] = field.withheld()
        self.previewed = False

    @property
    def payload(self) -> bytes:
        """The bytes that are encrypted.

        Raises:
            UsageError: ``debug_too_large`` for more than 64 KiB.
        """
        data = self._text().encode()
        if len(data) > DEBUG_MAX:
            largest = max(self, key=lambda field: len(_dump(field.value)))
            raise UsageError(
                "debug_too_large",
                f"the debug data has {len(data):,} bytes; at most {DEBUG_MAX:,} can be sent",
                hint=f"Leave something out; the largest field is {largest.name}.",
            )
        return data

    @property
    def size(self) -> int:
        """Size of the payload in bytes, also of one that is too large."""
        return len(self._text().encode())

    def preview(self, form: Format = "text") -> str:
        """Return what is to be sent, for a person to look at.

        Args:
            form: ``text`` for terminals, ``html`` for pages (everything escaped), ``json`` for the very bytes.
        """
        text = self._text()
        self.previewed = True
        return {"json": lambda: text, "text": lambda: _as_text(text), "html": lambda: _as_html(text)}[form]()

    def _text(self) -> str:
        values: dict[str, Json] = {}
        about: dict[str, Json] = {}
        for field in self:
            if field.state is not FieldState.WITHHELD:
                _put(values, field)
            notes = _notes(field)
            if notes:
                about[field.name] = notes
        return _dump({**values, ABOUT: about} if about else values)


def flatten(data: Mapping[str, object], *, source: str, purpose: str = "") -> Iterator[Field]:
    """Yield a field for every leaf of nested mappings; lists are leaves.

    Args:
        data: anything that can be read as JSON.
        source: where it comes from.
        purpose: what all of it helps with.

    Raises:
        UsageError: ``bad_debug`` for a mapping that uses the report's own name ``_fields``.
    """
    if ABOUT in data:
        raise UsageError(
            "bad_debug", f"{ABOUT!r} is the report's own name", hint="Call that field otherwise."
        )
    for path, value in _leaves((), as_json(data)):
        yield Field(path, value, purpose, source)


def as_json(value: object, depth: int = 0) -> Json:
    """Return any value as JSON of bounded depth and size; what is no data is named by its type."""
    named = f"<{type(value).__name__}>"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text_value(value)
    if isinstance(value, int):
        return (
            value
            if abs(value) <= INT_MAX
            else _text_value(str(value) if value.bit_length() < 4096 else "int")
        )
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping) and depth < DEPTH_MAX:
        items = list(cast("Mapping[object, object]", value).items())[:ITEMS_MAX]
        return {_text_value(str(key)): as_json(item, depth + 1) for key, item in items}
    if isinstance(value, (list, tuple, set, frozenset)) and depth < DEPTH_MAX:
        return [as_json(item, depth + 1) for item in list(cast("Sequence[object]", value))[:ITEMS_MAX]]
    return named


def _text_value(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return (
        whole if len(whole) <= TEXT_MAX else whole[:TEXT_MAX] + f"… ({len(whole) - TEXT_MAX} more characters)"
    )


def _leaves(path: tuple[str, ...], value: Json) -> Iterator[tuple[tuple[str, ...], Json]]:
    if isinstance(value, dict) and (value or not path):
        for key, item in value.items():
            yield from _leaves((*path, key), item)
    else:
        yield path, value


def _put(values: dict[str, Json], field: Field) -> None:
    """Put a value at its path; where a value stands in the way, the path's name becomes one key."""
    place = values
    for key in field.path[:-1]:
        inner = place.setdefault(key, {})
        if not isinstance(inner, dict):
            values[field.name] = field.value
            return
        place = inner
    place[field.path[-1]] = field.value


def _notes(field: Field) -> dict[str, Json]:
    state = "" if field.state is FieldState.SENT else field.state.value
    said = {"purpose": field.purpose, "source": field.source, "state": state}
    if not (field.purpose or state):
        return {}
    return {key: value for key, value in said.items() if value}


def _dump(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1)


# --- previews: made from the payload's text and from nothing else ------------------------------------------


def _rows(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, value, state, purpose) of everything in a payload."""
    data = cast("dict[str, Json]", json.loads(text))
    about = cast("dict[str, dict[str, str]]", data.pop(ABOUT, {}))
    named = {".".join(path): value for path, value in _leaves((), data) if path}
    for name in sorted({*named, *about}):
        notes = about.get(name, {})
        value = named.get(name, "")
        shown = value if isinstance(value, str) else _dump(value)
        yield name, shown, notes.get("state", "sent"), notes.get("purpose", "")


def _as_text(text: str) -> str:
    lines: list[str] = []
    for name, value, state, purpose in _rows(text):
        mark = "" if state == "sent" else f" [{state}]"
        shown = plain_text(value).replace("\n", "\n    ")
        lines.append(f"{plain_line(name)}{mark}: {shown}" if shown else f"{plain_line(name)}{mark}")
        if purpose:
            lines.append(f"    ({plain_line(purpose)})")
    return "\n".join(lines)


def _as_html(text: str) -> str:
    cells = (
        f"<tr><td>{html.escape(plain_line(name))}</td><td><pre>{html.escape(plain_text(value))}</pre></td>"
        f"<td>{html.escape(state)}</td><td>{html.escape(purpose)}</td></tr>"
        for name, value, state, purpose in _rows(text)
    )
    head = "<tr><th>Field</th><th>Value</th><th>State</th><th>Why we ask</th></tr>"
    return f"<table>{head}{''.join(cells)}</table>"
