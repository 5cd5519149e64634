"""Who a user is across tickets, told to the team alone, and the card by which a team opens a ticket for them.

The relay sees neither: both stand inside ciphertext or travel another way (protocol 5.8, 5.9).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from e2e_support.codec import Bin, Message
from e2e_support.crypto.hash import derive
from e2e_support.crypto.kem import KemPublic
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey, require_signature, verify
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.limits import KIB
from e2e_support.mailbox import mailbox_id
from e2e_support.tags import Tag
from e2e_support.ticket_keys import TicketKeys
from e2e_support.wire import B32, KEM_PK, SIG

_SCHEME: Final = "e2es-card:"


@dataclass(frozen=True, slots=True)
class Card(Message):
    """The public keys of a ticket that does not exist yet; ``user_key`` and ``user_proof`` may be empty."""

    LIMIT: ClassVar[int] = 2 * KIB
    creation_key: Annotated[bytes, B32]
    author_key: Annotated[bytes, B32]
    reply_key: Annotated[bytes, KEM_PK]
    user_key: Annotated[bytes, Bin((0, 32))]
    user_proof: Annotated[bytes, Bin((0, 64))]


@dataclass(frozen=True, slots=True)
class SignedCard(Message):
    """A card's bytes as they were signed by its author key, and the signature."""

    LIMIT: ClassVar[int] = 2 * KIB
    card: Annotated[bytes, Bin(most=2 * KIB)]
    signature: Annotated[bytes, SIG]


def user_key(master: Secret, team_id: TeamId) -> SigningKey:
    """Return the key that all tickets of one user and team have in common (5.8).

    Args:
        master: the user's 32-byte master secret.
        team_id: another team gets an unrelated key.
    """
    return SigningKey(derive(master, Tag.USER, team_id))


def prove_user(user: SigningKey, team_id: TeamId, mailbox: MailboxId, author_key: bytes) -> bytes:
    """Return the proof that a ticket is this user's.

    Args:
        user: from ``user_key``.
        team_id: the team.
        mailbox: the ticket's shared log.
        author_key: that signs the user's entries in it, 32 bytes.
    """
    return user.sign(Tag.USER_PROOF, team_id, mailbox, author_key)


def is_users(
    user: bytes | None, proof: bytes, team_id: TeamId, mailbox: MailboxId, author_key: bytes
) -> bool:
    """Tell whether a proof says that a ticket is the user's of that key; arguments as ``prove_user``."""
    return verify(user or b"", proof, Tag.USER_PROOF, team_id, mailbox, author_key)


def make_card(keys: TicketKeys, team_id: TeamId, user: SigningKey | None) -> str:
    """Return the card of a ticket that does not exist yet, as text to give to an administrator.

    Args:
        keys: of the index that is kept free for it.
        team_id: the team.
        user: joins it to the user's other tickets; ``None`` says nothing of them.
    """
    author = keys.author.public
    proof = prove_user(user, team_id, keys.mailbox, author) if user else b""
    public = user.public if user else b""
    card = Card(keys.capability.public, author, keys.reply.public, public, proof).to_bytes()
    signed = SignedCard(card, keys.author.sign(Tag.CARD, team_id, card)).to_bytes()
    return _SCHEME + base64.urlsafe_b64encode(signed).decode("ascii").rstrip("=")


def read_card(text: str) -> bytes:
    """Return the signed card in a text, not yet checked.

    Raises:
        UsageError: ``bad_card``.
    """
    payload = "".join(text.split())
    if not payload.startswith(_SCHEME):
        raise _bad_text("it does not begin with " + _SCHEME)
    data = payload.removeprefix(_SCHEME)
    try:
        return base64.b64decode(data + "=" * (-len(data) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad_text("characters are missing or changed") from None


def open_card(signed: bytes, team_id: TeamId, mailbox: MailboxId | None = None) -> Card:
    """Return a card whose signature and keys hold.

    Args:
        signed: a ``SignedCard``.
        team_id: the team that it must be for.
        mailbox: the ticket that it must be for, if that is known.

    Raises:
        PeerError: ``malformed``, ``bad_signature``, ``bad_key`` or ``bad_card``.
    """
    whole = SignedCard.from_bytes(signed)
    card = Card.from_bytes(whole.card)
    require_signature(card.author_key, whole.signature, Tag.CARD, team_id, whole.card)
    KemPublic(card.reply_key)
    own = mailbox_id(card.creation_key)
    if mailbox not in {None, own}:
        raise PeerError("bad_card", "the card is for another ticket", hint="Ask the user for a new card.")
    told = card.user_key or card.user_proof
    if told and not is_users(card.user_key, card.user_proof, team_id, own, card.author_key):
        raise PeerError("bad_card", "the card's proof does not hold", hint="Ask the user for a new card.")
    return card


def card_in(signed: bytes) -> Card:
    """Return the card in a ``SignedCard`` that ``open_card`` has found good before.

    Raises:
        PeerError: ``malformed``.
    """
    return Card.from_bytes(SignedCard.from_bytes(signed).card)


def _bad_text(why: str) -> UsageError:
    return UsageError("bad_card", f"this is not a user's card: {why}", hint="Copy the whole card again.")
