"""Every decoder of the wire and of what stands inside: total over all bytes, and canonical."""

from __future__ import annotations

import inspect
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_support import content, conversation, wire
from e2e_support.canonical import decode, encode
from e2e_support.codec import Message
from e2e_support.errors import PeerError

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.integers(-5, 2**60),
        st.binary(max_size=80),
        st.text(max_size=20),
        st.booleans(),
        st.none(),
        st.floats(),
        st.sampled_from([16, 32, 64, 1216]).map(bytes),
    ),
    lambda inner: st.lists(inner, max_size=8),
    max_leaves=30,
)
MESSAGES = [
    cls
    for module in (wire, content, conversation)
    for _, cls in inspect.getmembers(module, inspect.isclass)
    if issubclass(cls, Message) and cls is not Message and cls.__module__ == module.__name__
]


@given(st.binary(max_size=300))
def test_decode_is_total(data: bytes) -> None:
    """Any bytes either decode to a value that encodes to the same bytes, or are one PeerError."""
    try:
        value = decode(data, limit=200)
    except PeerError:
        return
    assert encode(value) == data


@pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: cls.__name__)
@settings(max_examples=25)
@given(value=VALUES)
def test_every_message_is_total(cls: type[Message], value: Any) -> None:
    """Any MessagePack value either is a message that encodes to the same bytes, or is one PeerError."""
    try:
        data: bytes = msgpack.packb(value)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except (OverflowError, UnicodeEncodeError):
        return
    try:
        message = cls.from_bytes(data)
    except PeerError:
        return
    assert message.to_bytes() == data
