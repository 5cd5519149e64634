"""The only door to MessagePack: canonical bytes out, bounded and canonical bytes in (protocol 2.2)."""

from __future__ import annotations

import unicodedata
from typing import cast

import msgpack

from e2e_support.errors import PeerError, UsageError
from e2e_support.limits import ARRAY_MAX, DEPTH_MAX, INT_MAX

Value = int | bytes | str | tuple["Value", ...]


def encode(value: Value) -> bytes:
    """Return the canonical bytes of a value.

    Args:
        value: integers in [0, 2**53), bytes, NFC text and tuples of them, at most six levels deep.

    Raises:
        UsageError: ``malformed`` when the value has no canonical form.
    """
    problem = _problem(value, 1)
    if problem:
        raise UsageError("malformed", f"cannot encode: {problem}")
    return _pack(value)


def decode(data: bytes, *, limit: int) -> Value:
    """Return the value of canonical bytes.

    Args:
        data: what came over the wire.
        limit: largest accepted size in bytes.

    Raises:
        PeerError: ``malformed`` for anything that is not exactly the canonical form of a legal value.
    """
    value = unpack(data, limit)
    problem = _problem(value, 1)
    if problem:
        raise malformed(problem)
    return value


def unpack(data: bytes, limit: int) -> Value:
    """Return the value of bytes in their shortest form; whether it is legal is still to be checked."""
    if len(data) > limit:
        raise malformed(f"{len(data)} bytes, at most {limit} allowed")
    try:
        value = cast(
            "Value",
            msgpack.unpackb(
                data,
                raw=False,
                use_list=False,  # tuples: an empty one costs nothing, which bounds the expansion
                max_array_len=ARRAY_MAX,
                max_map_len=0,
                max_ext_len=0,
            ),
        )
    except (ValueError, RecursionError, OverflowError, TypeError, msgpack.UnpackException):
        raise malformed("not in the strict MessagePack profile") from None
    if _pack(value) != data:
        raise malformed("not in canonical form")
    return value


def _pack(value: Value) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


def _problem(value: object, depth: int) -> str:
    """Say why a value is outside the profile, or return the empty string."""
    kind = type(value)
    if kind is bytes:
        return ""
    if kind is int:
        return "" if 0 <= cast("int", value) <= INT_MAX else "integer out of range"
    if kind is str:
        return text_problem(cast("str", value))
    if kind is tuple:
        return _array_problem(cast("tuple[object, ...]", value), depth)
    return f"type {kind.__name__} is not allowed"


def _array_problem(items: tuple[object, ...], depth: int) -> str:
    if depth > DEPTH_MAX:
        return "nested too deeply"
    if len(items) > ARRAY_MAX:
        return "array too long"
    for item in items:
        problem = type(item) is not bytes and _problem(item, depth + 1)  # most items are bytes
        if problem:
            return problem
    return ""


def text_problem(text: str) -> str:
    """Say why a text is outside the profile, or return the empty string."""
    if text.isascii():
        return ""
    if not unicodedata.is_normalized("NFC", text):
        return "text is not NFC"
    return "text holds a lone surrogate" if any("\ud800" <= c <= "\udfff" for c in text) else ""


def malformed(why: str) -> PeerError:
    """Return the one error for all that is not canonical."""
    return PeerError("malformed", f"malformed data: {why}", hint="The sender is broken, too new or hostile.")
