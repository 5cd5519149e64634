"""What one field of a message may hold, and messages made of such fields (protocol 2.2).

A message class states its wire form in its annotations; encoding and decoding follow from them, so the
dataclass, the validator and the table in the documents cannot drift apart.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Protocol, Self, cast, get_args, get_origin, get_type_hints

from e2e_support.canonical import Value, encode, malformed, text_problem, unpack
from e2e_support.errors import PeerError, UsageError
from e2e_support.limits import INT_MAX


class Shape(Protocol):
    """One field's wire form.

    ``load`` turns a wire value into the field's value and refuses all but legal ones, whatever stands there;
    ``dump`` turns it back and refuses what is out of bounds; ``describe`` says the form in the words of the
    specification.
    """

    def load(self, value: Value) -> Any: ...
    def dump(self, value: Any) -> Value: ...
    def describe(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Uint:
    """An integer in [low, high]."""

    high: int = INT_MAX
    low: int = 0

    def load(self, value: Value) -> int:
        if type(value) is not int or not self.low <= value <= self.high:
            raise malformed("integer expected or out of range")
        return value

    def dump(self, value: int) -> Value:
        return self.load(int(value))

    def describe(self) -> str:
        return "uint" if (self.low, self.high) == (0, INT_MAX) else f"uint {self.low}..{self.high}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A member of an integer enum; an unknown number means that this program is too old.

    ``later`` lets an unknown number through as a plain integer: for what is believed only once a signature around
    it holds, and must be refused then.
    """

    enum: type[IntEnum]
    later: bool = False

    def load(self, value: Value) -> int:
        if type(value) is not int or not 0 <= value <= INT_MAX:
            raise malformed("integer expected or out of range")
        found = self.enum._value2member_map_.get(value)
        if found is not None:
            return cast("IntEnum", found)
        if self.later:
            return value
        raise PeerError(
            "update_needed",
            f"unknown {self.enum.__name__.lower()} {value}",
            hint="Update this program: the other side speaks a newer version.",
        )

    def dump(self, value: int) -> Value:
        return int(value)

    def describe(self) -> str:
        return self.enum.__name__


@dataclass(frozen=True, slots=True)
class Bin:
    """A byte string of one of the given sizes, or of at most ``most`` bytes."""

    sizes: tuple[int, ...] = ()
    most: int = 0

    def load(self, value: Value) -> bytes:
        if type(value) is not bytes:
            raise malformed("byte string expected")
        if (len(value) not in self.sizes) if self.sizes else (len(value) > self.most):
            raise malformed("byte string of a wrong size")
        return value

    def dump(self, value: bytes) -> Value:
        return self.load(value)

    def describe(self) -> str:
        return "bin " + (" or ".join(map(str, self.sizes)) if self.sizes else f"≤ {self.most}")


@dataclass(frozen=True, slots=True)
class Text:
    """NFC text of at most ``most`` code points."""

    most: int

    def load(self, value: Value) -> str:
        if type(value) is not str or len(value) > self.most:
            raise malformed("text expected or too long")
        problem = text_problem(value)
        if problem:
            raise malformed(problem)
        return value

    def dump(self, value: str) -> Value:
        text = unicodedata.normalize("NFC", value)
        if len(text) > self.most:
            raise UsageError(
                "text_too_long",
                f"the text is too long: {len(text):,} characters, at most {self.most:,} fit",
                hint="Shorten it, or attach it as a file.",
            )
        return self.load(text)

    def describe(self) -> str:
        return f"text ≤ {self.most}"


@dataclass(frozen=True, slots=True)
class Items:
    """An array of at most ``most`` items of one shape; a message class stands for itself."""

    item: Any
    most: int
    _shape: Shape = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_shape", _as_shape(self.item))

    def load(self, value: Value) -> tuple[Any, ...]:
        if type(value) is not tuple or len(value) > self.most:
            raise malformed("array expected or too long")
        load = self._shape.load
        return tuple([load(item) for item in value])

    def dump(self, value: tuple[Any, ...]) -> Value:
        if len(value) > self.most:
            raise malformed("array too long")
        dump = self._shape.dump
        return tuple([dump(item) for item in value])

    def describe(self) -> str:
        return f"[{self._shape.describe()}] ≤ {self.most}"


@dataclass(frozen=True, slots=True)
class Nested:
    """Another message, in place."""

    message: type[Message]

    def load(self, value: Value) -> Message:
        return self.message.load(value)

    def dump(self, value: Message) -> Value:
        return value.dump()

    def describe(self) -> str:
        return self.message.__name__


def _as_shape(item: object) -> Shape:
    if isinstance(item, type) and issubclass(item, Message):
        return Nested(item)
    return cast("Shape", item)


class Message:
    """Base of the wire's frozen dataclasses: a positional array, one element per field, in order.

    Class attributes:
        LIMIT: largest encoded size in bytes.
    """

    __slots__ = ()
    LIMIT: ClassVar[int] = 0

    @classmethod
    def load(cls, value: Value) -> Self:
        """Return the message that an unpacked array holds; every field is checked by its shape.

        Raises:
            PeerError: ``malformed`` or ``update_needed``.
        """
        shapes = message_shapes(cls)
        if type(value) is not tuple or len(value) != len(shapes):
            raise malformed(f"{cls.__name__} has {len(shapes)} fields")
        return cls(*[shape.load(item) for (_, shape), item in zip(shapes, value, strict=True)])

    def dump(self) -> Value:
        """Return the array that stands for this message."""
        return tuple([shape.dump(getattr(self, name)) for name, shape in message_shapes(type(self))])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the message in canonical bytes.

        Raises:
            PeerError: ``malformed`` or ``update_needed``; no other error leaves.
        """
        return cls.load(unpack(data, cls.LIMIT))  # a shape lets nothing through that ``decode`` refuses

    def to_bytes(self) -> bytes:
        """Return the canonical bytes.

        Raises:
            UsageError: ``text_too_long`` for a text, ``malformed`` for any other field outside its bounds.
        """
        try:
            data = encode(self.dump())
        except PeerError as error:
            raise UsageError(error.code, f"{type(self).__name__}: {error.message}") from None
        if len(data) > self.LIMIT:
            raise UsageError("malformed", f"{type(self).__name__} is larger than {self.LIMIT} bytes")
        return data


_SHAPES: dict[type[Message], tuple[tuple[str, Shape], ...]] = {}  # filled once per class


def message_shapes(cls: type[Message]) -> tuple[tuple[str, Shape], ...]:
    """Return the (field name, shape) pairs that a message class declares in its annotations."""
    shapes = _SHAPES.get(cls)
    if shapes is None:
        hints = get_type_hints(cls, include_extras=True)
        shapes = _SHAPES[cls] = tuple((f.name, _shape_of(hints[f.name])) for f in fields(cast("Any", cls)))
    return shapes


def _shape_of(hint: Any) -> Shape:
    if get_origin(hint) is Annotated:
        return _as_shape(get_args(hint)[1])
    return _as_shape(hint)
