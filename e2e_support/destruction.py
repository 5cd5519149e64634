"""Erase, freeze and hold: statements that a relay carries out only when somebody stands for them (protocol 3.9).

A team's statement is signed by a roster device that may write, a user's by the ticket's capability. The relay
keeps the statement of an erasure for ever, as the tombstone: clients purge on nothing less (attacks 80, 81).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from e2e_support.codec import Bin, Choice, Message, Uint
from e2e_support.crypto.hash import same
from e2e_support.crypto.sign import SigningKey, require_signature
from e2e_support.errors import PeerError
from e2e_support.ids import DeviceId, MailboxId, TeamId
from e2e_support.limits import KIB
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support.wire import B16, B32, SIG, DeviceRecord


class Deed(IntEnum):
    """What is done to a mailbox."""

    ERASE = 0
    FREEZE = 1
    THAW = 2
    HOLD = 3
    RELEASE = 4


@dataclass(frozen=True, slots=True)
class DestructionBody(Message):
    """What is done to which mailbox; ``by`` is a device id (16 B) or a user's capability (32 B)."""

    LIMIT: ClassVar[int] = 256
    team_id: Annotated[TeamId, B32]
    mailbox_id: Annotated[MailboxId, B16]
    deed: Annotated[Deed, Choice(Deed)]
    time: Annotated[int, Uint()]
    by: Annotated[bytes, Bin((16, 32))]


@dataclass(frozen=True, slots=True)
class Destruction(Message):
    """The statement's bytes as they were signed, and the signature."""

    LIMIT: ClassVar[int] = 1 * KIB
    body: Annotated[bytes, Bin(most=256)]
    signature: Annotated[bytes, SIG]


def sign_destruction(body: DestructionBody, key: SigningKey) -> bytes:
    """Return a signed statement.

    Args:
        body: what is to be done.
        key: the device's signing key or the user's capability, as ``body.by`` says.
    """
    data = body.to_bytes()
    return Destruction(data, key.sign(Tag.TOMBSTONE, data)).to_bytes()


def check_destruction(
    statement: bytes,
    *,
    team_id: TeamId,
    mailbox: MailboxId,
    devices: Mapping[DeviceId, DeviceRecord],
    user_key: bytes,
) -> DestructionBody:
    """Return what a statement says, if its signer may say it.

    Args:
        statement: a ``Destruction``.
        team_id: the mailbox's team.
        mailbox: the mailbox that it must be about.
        devices: the team's active devices; for an old tombstone, those active at its time.
        user_key: the mailbox's user capability; empty where it has none. A user may erase and nothing else.

    Raises:
        PeerError: ``malformed``, ``bad_signature`` or ``not_yours``.
    """
    signed = Destruction.from_bytes(statement)
    body = DestructionBody.from_bytes(signed.body)
    device = devices.get(DeviceId(body.by))
    if (body.team_id, body.mailbox_id) != (team_id, mailbox):
        raise _not_yours()
    if device is not None and device.role in {Role.OWNER, Role.AGENT}:
        public = device.sign_key
    elif user_key and same(body.by, user_key) and body.deed is Deed.ERASE:
        public = user_key
    else:
        raise _not_yours()
    require_signature(public, signed.signature, Tag.TOMBSTONE, signed.body)
    return body


def _not_yours() -> PeerError:
    return PeerError(
        "not_yours", "the signer may not do that to this mailbox", hint="Ask an owner of the team."
    )
