"""Who a user is across tickets, and the card by which a team opens a ticket for them."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.tags import Tag
from e2e_support.ticket_keys import TicketKeys
from e2e_support.user import Card, SignedCard, is_users, make_card, open_card, prove_user, read_card, user_key

TEAM, OTHERS = TeamId(b"t" * 32), TeamId(b"o" * 32)
MASTER = Secret(b"m" * 32)
USER, STRANGER = user_key(MASTER, TEAM), user_key(Secret(b"s" * 32), TEAM)
KEYS, NEXT = (TicketKeys.derive(MASTER, TEAM, 202701, index) for index in (0, 1))
TEXT = make_card(KEYS, TEAM, USER)


def refused(code: str) -> Any:
    """Return a context that must end in a code."""
    return pytest.raises(SupportError, check=lambda error: error.code == code)


def test_a_user_has_one_key_with_each_team() -> None:
    """Two teams cannot find out that they have one user, and two users never share a key."""
    assert user_key(MASTER, TEAM).public == USER.public
    assert len({USER.public, user_key(MASTER, OTHERS).public, STRANGER.public, KEYS.author.public}) == 4


def test_a_proof_joins_one_ticket_to_one_user() -> None:
    """It holds for its team, ticket and author key, under the user's key alone."""
    author = KEYS.author.public
    proof = prove_user(USER, TEAM, KEYS.mailbox, author)
    assert is_users(USER.public, proof, TEAM, KEYS.mailbox, author)
    assert not is_users(STRANGER.public, proof, TEAM, KEYS.mailbox, author)
    assert not is_users(USER.public, proof, OTHERS, KEYS.mailbox, author)
    assert not is_users(USER.public, proof, TEAM, NEXT.mailbox, author)
    assert not is_users(USER.public, proof, TEAM, KEYS.mailbox, NEXT.author.public)


@pytest.mark.parametrize("user", [None, b"", bytes(32), b"short"])
def test_nobody_is_no_user(user: bytes | None) -> None:
    """A ticket that says nothing of its user is nobody's, whatever is signed."""
    proof = prove_user(USER, TEAM, KEYS.mailbox, KEYS.author.public)
    assert not is_users(user, proof, TEAM, KEYS.mailbox, KEYS.author.public)
    assert not is_users(user, b"", TEAM, KEYS.mailbox, KEYS.author.public)


def test_a_card_brings_the_keys_of_its_ticket() -> None:
    """All that a team needs to write to a user who has no ticket yet, and nothing secret."""
    card = open_card(read_card(TEXT), TEAM, KEYS.mailbox)
    assert (card.creation_key, card.author_key) == (KEYS.capability.public, KEYS.author.public)
    assert (card.reply_key, card.user_key) == (KEYS.reply.public, USER.public)
    anonymous = open_card(read_card(make_card(KEYS, TEAM, None)), TEAM)
    assert (anonymous.user_key, anonymous.user_proof) == (b"", b"")


def test_a_card_survives_a_mail_program() -> None:
    """Line breaks and blanks do not matter."""
    assert read_card(f"  {TEXT[:70]}\n{TEXT[70:]} ") == read_card(TEXT)


@pytest.mark.parametrize(
    "text", ["", "hello", "e2e://x", TEXT[1:], TEXT + "*", TEXT + "\u00e9", TEXT[: len("e2es-card:") + 5]]
)
def test_what_is_no_card_is_said_so(text: str) -> None:
    """A person is told to copy it again."""
    with refused("bad_card"):
        read_card(text)


def signed(card: Card, *, by: SigningKey = KEYS.author, team: TeamId = TEAM, tag: Tag = Tag.CARD) -> bytes:
    """Return a card with somebody's signature."""
    data = card.to_bytes()
    return SignedCard(data, by.sign(tag, team, data)).to_bytes()


GOOD = open_card(read_card(TEXT), TEAM)
FALSE: dict[str, tuple[bytes, str]] = {
    "not by its author": (signed(GOOD, by=NEXT.author), "bad_signature"),
    "for another team": (signed(GOOD, team=OTHERS), "bad_signature"),
    "under another tag": (signed(GOOD, tag=Tag.USER_PROOF), "bad_signature"),
    "with zeros to seal to": (signed(replace(GOOD, reply_key=bytes(1216))), "bad_key"),
    "with another creation key": (signed(replace(GOOD, creation_key=NEXT.capability.public)), "bad_card"),
    "with a stranger's user key": (signed(replace(GOOD, user_key=STRANGER.public)), "bad_card"),
    "with a user key alone": (signed(replace(GOOD, user_proof=b"")), "bad_card"),
    "with a proof alone": (signed(replace(GOOD, user_key=b"")), "bad_card"),
    "not a card inside": (SignedCard(b"junk", bytes(64)).to_bytes(), "malformed"),
    "not a card at all": (b"junk", "malformed"),
}


@pytest.mark.parametrize("name", FALSE)
def test_a_false_card_opens_nothing(name: str) -> None:
    """Signature, keys and proof must all hold, before anybody writes to whom it names."""
    data, code = FALSE[name]
    with refused(code):
        open_card(data, TEAM)


def test_a_card_is_for_its_ticket() -> None:
    """Whoever knows which ticket it must be for is not given another one."""
    with refused("bad_card"):
        open_card(read_card(TEXT), TEAM, NEXT.mailbox)
    with refused("bad_card"):
        open_card(read_card(TEXT), TEAM, MailboxId(bytes(16)))


def test_a_card_is_text_without_padding() -> None:
    """One word that a person can copy."""
    assert base64.urlsafe_b64encode(read_card(TEXT)).decode().rstrip("=") == TEXT.removeprefix("e2es-card:")
    assert not set(TEXT) & set("= \n+/")
