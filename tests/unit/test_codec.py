"""The codec: canonical out, bounded and canonical in, one error for everything else."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, ClassVar, cast

import msgpack
import pytest

from e2e_support.canonical import decode, encode
from e2e_support.codec import Bin, Choice, Items, Message, Text, Uint, message_shapes
from e2e_support.errors import PeerError, UsageError
from e2e_support.limits import ARRAY_MAX, DEPTH_MAX, INT_MAX

pack: Any = msgpack.packb


class Colour(IntEnum):
    """An enumeration of a test."""

    RED = 1


@dataclass(frozen=True, slots=True)
class Leaf(Message):
    """A small message."""

    LIMIT: ClassVar[int] = 64
    number: Annotated[int, Uint(9, 1)]


@dataclass(frozen=True, slots=True)
class Tree(Message):
    """A message with every shape."""

    LIMIT: ClassVar[int] = 128
    colour: Annotated[Colour, Choice(Colour)]
    key: Annotated[bytes, Bin((2, 4))]
    blob: Annotated[bytes, Bin(most=8)]
    text: Annotated[str, Text(4)]
    leaf: Leaf
    leaves: Annotated[tuple[Leaf, ...], Items(Leaf, 2)]


TREE = Tree(Colour.RED, b"ab", b"", "ä", Leaf(1), (Leaf(2), Leaf(3)))


def nested(depth: int) -> Any:
    """Return tuples in tuples."""
    value: Any = 0
    for _ in range(depth):
        value = (value,)
    return value


def test_round_trip() -> None:
    """A message comes back from its bytes as it was."""
    assert Tree.from_bytes(TREE.to_bytes()) == TREE


@pytest.mark.parametrize(
    "value", [0, INT_MAX, b"", b"\xff" * 300, "", "é", (), (1, (b"x", "y")), nested(DEPTH_MAX)], ids=range(9)
)
def test_values_that_are_allowed(value: Any) -> None:
    """Every value of the profile survives encoding and decoding."""
    assert decode(encode(value), limit=10_000) == value


BAD_VALUES = [
    True,
    None,
    1.5,
    -1,
    INT_MAX + 1,
    "e\u0301",  # not NFC
    "\ud800",
    (1, 2, [3]),
    {"a": 1},
    nested(DEPTH_MAX + 1),
    (0,) * (ARRAY_MAX + 1),
]


@pytest.mark.parametrize("value", BAD_VALUES, ids=range(len(BAD_VALUES)))
def test_values_that_cannot_be_encoded(value: Any) -> None:
    """A value outside the profile is the caller's error."""
    with pytest.raises(UsageError) as error:
        encode(value)
    assert error.value.code == "malformed"


BAD_BYTES = {
    "empty": b"",
    "two values": b"\x01\x02",
    "truncated": b"\x92\x01",
    "true": b"\xc3",
    "nil": b"\xc0",
    "float": pack(1.5),
    "NaN": pack(float("nan")),
    "negative": b"\xff",
    "2**53": pack(2**53),
    "integer not minimal": b"\xcd\x00\x01",
    "bin not minimal": b"\xc5\x00\x01a",
    "str not minimal": b"\xd9\x01a",
    "array not minimal": b"\xdc\x00\x01\x01",
    "empty map": b"\x80",
    "duplicate keys": b"\x82\x01\x01\x01\x02",
    "ext": b"\xd4\x05a",
    "timestamp": b"\xd6\xff\x00\x00\x00\x00",
    "text not UTF-8": b"\xa1\xff",
    "text with surrogate": b"\xa3\xed\xa0\x80",
    "text not NFC": pack("e\u0301"),
    "too deep": pack(nested(DEPTH_MAX + 1)),
    "very deep": b"\x91" * 5000 + b"\x01",
    "array bomb": b"\xdd\xff\xff\xff\xff",
    "long array": pack([0] * (ARRAY_MAX + 1)),
    "never used byte": b"\xc1",
}


@pytest.mark.parametrize("name", BAD_BYTES)
def test_bytes_that_are_refused(name: str) -> None:
    """Attacks 38 and 39: whatever is not the canonical form of a legal value is one error."""
    with pytest.raises(PeerError) as error:
        decode(BAD_BYTES[name], limit=10_000)
    assert error.value.code == "malformed"


def test_limit_is_checked_before_parsing() -> None:
    """Input over its limit is refused unread."""
    with pytest.raises(PeerError):
        decode(b"\xa3abc", limit=3)


def test_what_is_at_a_bound_is_within_it() -> None:
    """Limits are the last that is allowed."""
    assert decode(b"\xa3abc", limit=4) == "abc"
    assert len(cast("tuple[int, ...]", decode(pack([0] * ARRAY_MAX), limit=ARRAY_MAX + 3))) == ARRAY_MAX
    full = Tree(Colour.RED, b"abcd", b"12345678", "äöüß", Leaf(9), (Leaf(1), Leaf(9)))
    assert Tree.from_bytes(full.to_bytes()) == full


def test_a_message_of_exactly_its_limit_is_sent_and_read() -> None:
    """The size limit of a message is the largest size there is."""

    @dataclass(frozen=True, slots=True)
    class Exact(Message):
        LIMIT: ClassVar[int] = 11
        blob: Annotated[bytes, Bin(most=8)]

    assert Exact.from_bytes(Exact(b"12345678").to_bytes()) == Exact(b"12345678")


BAD_TREES = [
    (),
    (1, b"ab", b"", "ä", (1,)),
    ("1", b"ab", b"", "ä", (1,), ()),
    (1, b"abc", b"", "ä", (1,), ()),
    (1, "ab", b"", "ä", (1,), ()),
    (1, b"ab", b"123456789", "ä", (1,), ()),
    (1, b"ab", b"", "abcde", (1,), ()),
    (1, b"ab", b"", b"x", (1,), ()),
    (1, b"ab", b"", "ä", 1, ()),
    (1, b"ab", b"", "ä", (0,), ()),
    (1, b"ab", b"", "ä", ("1",), ()),
    (1, b"ab", b"", "ä", (1,), ((1,), (2,), (3,))),
    (1, b"ab", b"", "ä", (1,), 7),
]


@pytest.mark.parametrize("value", BAD_TREES, ids=repr)
def test_messages_that_are_refused(value: Any) -> None:
    """A legal value of another form than the message's is malformed."""
    with pytest.raises(PeerError) as error:
        Tree.from_bytes(encode(value))
    assert error.value.code == "malformed"


ILLEGAL = [True, None, 1.5, -1, 2**53, "e\u0301", b"\xff" * 99, [[[[[[0]]]]]]]


@pytest.mark.parametrize("value", ILLEGAL, ids=range(len(ILLEGAL)))
@pytest.mark.parametrize("place", range(6))
def test_no_field_lets_an_illegal_value_through(place: int, value: Any) -> None:
    """What the codec refuses by itself, every shape refuses too (attack 39)."""
    fields: list[Any] = [1, b"ab", b"", "ä", [1], []]
    fields[place] = value
    with pytest.raises(PeerError) as error:
        Tree.from_bytes(pack(fields))
    assert error.value.code == "malformed"


def test_unknown_choice_asks_for_an_update() -> None:
    """An unknown enumeration value is never skipped (attack 25)."""
    with pytest.raises(PeerError) as error:
        Tree.from_bytes(encode((2, b"ab", b"", "ä", (1,), ())))
    assert error.value.code == "update_needed"


def test_a_choice_may_be_judged_later() -> None:
    """What counts only under a signature comes through as a number, but still as nothing else than one."""
    later = Choice(Colour, later=True)
    assert (later.load(1), later.load(2), later.dump(2)) == (Colour.RED, 2, 2)
    with pytest.raises(PeerError) as error:
        later.load("1")
    assert error.value.code == "malformed"


BAD_FIELDS = [
    Tree(Colour.RED, b"abc", b"", "", Leaf(1), ()),
    Tree(Colour.RED, b"ab", b"", "abcde", Leaf(1), ()),
    Tree(Colour.RED, b"ab", b"", "", Leaf(10), ()),
    Tree(Colour.RED, b"ab", b"", "", Leaf(1), (Leaf(1),) * 3),
]


@pytest.mark.parametrize("tree", BAD_FIELDS, ids=range(len(BAD_FIELDS)))
def test_a_message_out_of_bounds_is_not_sent(tree: Tree) -> None:
    """What a reader would refuse cannot be encoded."""
    with pytest.raises(UsageError):
        tree.to_bytes()


def test_a_text_that_is_too_long_says_what_fits() -> None:
    """Whoever writes too much learns how much it is and how much fits, in words for people."""
    with pytest.raises(UsageError) as error:
        Tree(Colour.RED, b"ab", b"", "abcde", Leaf(1), ()).to_bytes()
    assert error.value.code == "text_too_long"
    assert str(error.value) == "the text is too long: 5 characters, at most 4 fit"


def test_a_message_over_its_limit_is_not_sent() -> None:
    """The size limit of a message holds for the writer too."""

    @dataclass(frozen=True, slots=True)
    class Tiny(Message):
        LIMIT: ClassVar[int] = 2
        blob: Annotated[bytes, Bin(most=8)]

    with pytest.raises(UsageError):
        Tiny(b"12345678").to_bytes()


def test_text_is_normalised_on_the_way_out() -> None:
    """A writer's text becomes NFC, so that every reader accepts it."""
    tree = Tree(Colour.RED, b"ab", b"", unicodedata.normalize("NFD", "ä"), Leaf(1), ())
    assert Tree.from_bytes(tree.to_bytes()).text == "ä"


def test_shapes_describe_themselves() -> None:
    """Every shape has words for the specification."""
    words = [shape.describe() for _, shape in message_shapes(Tree)]
    assert words == ["Colour", "bin 2 or 4", "bin ≤ 8", "text ≤ 4", "Leaf", "[Leaf] ≤ 2"]
    assert [Uint().describe(), Uint(9, 1).describe()] == ["uint", "uint 1..9"]
