"""Tickets as a user's device seals them, made of the core alone."""

from __future__ import annotations

import os

from bench.team import now
from e2e_support.codec import Message
from e2e_support.content import Author, OpenBody
from e2e_support.conversation import AuthorKey, Conversation, Draft, Sealed
from e2e_support.crypto.secret import Secret
from e2e_support.ids import MessageId
from e2e_support.ticket_keys import TicketKeys
from e2e_support.vocab import AuthorRole, Kind

MONTH = 202701
SUBJECT = "The calendar closes by itself"
TEXT = "Since yesterday the window closes when I open an appointment that repeats. " * 8  # 600 characters


def user_of(keys: TicketKeys) -> AuthorKey:
    """Return a ticket's user as a signer of entries."""
    return AuthorKey(Author(AuthorRole.USER, keys.author.public), keys.author)


def seal_opening(conversation: Conversation, keys: TicketKeys) -> Sealed:
    """Return the first entry of a ticket."""
    body = OpenBody(SUBJECT, TEXT, "bug", "", (), (), b"", "", b"", keys.reply.public)
    return seal(conversation, Kind.OPEN, body, user_of(keys), keys.first_key)


def seal(
    conversation: Conversation, kind: Kind, body: Message, signer: AuthorKey, first_key: Secret | None = None
) -> Sealed:
    """Return an entry of any kind that follows what a conversation has seen."""
    draft = Draft(kind, body, MessageId(os.urandom(16)))
    return conversation.seal(draft, signer, now=now(), random=os.urandom, first_key=first_key)
