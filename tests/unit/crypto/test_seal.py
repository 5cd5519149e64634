"""Sealed boxes open for their recipient, tag and context, and otherwise say one thing."""

import pytest

from e2e_support.crypto.kem import KemPrivate, KemPublic
from e2e_support.crypto.seal import seal, try_unseal, unseal
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import SEAL_OVERHEAD, Phase
from e2e_support.errors import PeerError
from e2e_support.tags import Tag

KEY = KemPrivate(Secret(bytes(range(32))))
OTHER = KemPrivate(Secret(bytes(32)))
BOX = seal(KemPublic(KEY.public), Tag.TICKET_KEY, b"team, mailbox, gen", b"the ticket key")


def test_a_box_opens_for_its_recipient() -> None:
    """What was sealed comes out as a secret, 1136 bytes of overhead later."""
    opened = unseal(KEY, Tag.TICKET_KEY, b"team, mailbox, gen", BOX)
    assert opened.reveal(SECRET_ACCESS) == b"the ticket key"
    assert len(BOX) == len(b"the ticket key") + SEAL_OVERHEAD


def test_two_boxes_are_never_alike() -> None:
    """Each box has its own ephemeral keys."""
    again = seal(KemPublic(KEY.public), Tag.TICKET_KEY, b"team, mailbox, gen", b"the ticket key")
    assert again[:1088] != BOX[:1088]
    assert again[1088:1120] != BOX[1088:1120]


def test_an_empty_secret_can_be_sealed() -> None:
    """The smallest box has exactly the overhead."""
    box = seal(KemPublic(KEY.public), Tag.EPOCH_BOX, b"", b"")
    assert len(box) == SEAL_OVERHEAD
    assert len(unseal(KEY, Tag.EPOCH_BOX, b"", box)) == 0


REFUSED = [
    pytest.param(KEY, Tag.TICKET_KEY, b"team, mailbox, gen", b"", Phase.LENGTH, id="empty"),
    pytest.param(KEY, Tag.TICKET_KEY, b"team, mailbox, gen", BOX[:1135], Phase.LENGTH, id="no tag"),
    pytest.param(KEY, Tag.TICKET_KEY, b"team, mailbox, gen", BOX[:-1], Phase.TAG, id="cut"),
    pytest.param(KEY, Tag.TICKET_KEY, b"team, mailbox, gen", BOX + b"\0", Phase.TAG, id="longer"),
    pytest.param(OTHER, Tag.TICKET_KEY, b"team, mailbox, gen", BOX, Phase.TAG, id="another recipient"),
    pytest.param(KEY, Tag.TICKET_KEY_USER, b"team, mailbox, gen", BOX, Phase.TAG, id="another tag"),
    pytest.param(KEY, Tag.TICKET_KEY, b"team, mailbox, gem", BOX, Phase.TAG, id="another context"),
    pytest.param(
        KEY,
        Tag.TICKET_KEY,
        b"team, mailbox, gen",
        BOX[:1088] + bytes(32) + BOX[1120:],
        Phase.TAG,
        id="low-order ephemeral key",
    ),
]


@pytest.mark.parametrize(("key", "tag", "context", "box", "phase"), REFUSED)
def test_any_other_box_says_one_thing_outside(
    key: KemPrivate, tag: Tag, context: bytes, box: bytes, phase: Phase
) -> None:
    """The error is the same whatever failed; only the inner function knows the phase."""
    assert try_unseal(key, tag, context, box) is phase
    with pytest.raises(PeerError) as caught:
        unseal(key, tag, context, box)
    assert caught.value.code == "cannot_open"
    assert caught.value.__cause__ is None
