"""Users who prove whose their tickets are, and users who hand over cards, for tests that merge and open tickets.

person = fresh_key()
first, second = await ticket_of(room, person), await ticket_of(room, person)
held = await holder(room, person)
"""

from __future__ import annotations

from dataclasses import dataclass

from console_room import Room, User, opening
from e2e_support.content import Author
from e2e_support.conversation import AuthorKey, Conversation
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.ticket_keys import TicketKeys, UserKeyPort
from e2e_support.user import make_card, prove_user
from e2e_support.vocab import AuthorRole, Kind
from e2e_support_client import clock


async def ticket_of(room: Room, person: SigningKey | None, subject: str = "No invoice") -> User:
    """Return a user's ticket that proves whose it is, unless the user keeps tickets apart."""
    user = await room.mailbox()
    body = opening(user, subject=subject)
    if person:
        team_id = (await room.roster()).team_id
        proof = prove_user(person, team_id, user.mailbox, user.keys.author.public)
        body = opening(user, subject=subject, user_key=person.public, user_proof=proof)
    await user.send(Kind.OPEN, body, first=True)
    return user


@dataclass
class Holder:
    """Somebody with a card and no ticket yet.

    Attributes:
        user: the ticket that the card is for.
        card: what they hand over.
    """

    user: User
    card: str


async def holder(room: Room, person: SigningKey | None = None) -> Holder:
    """Return a user who has made a card."""
    roster = await room.roster()
    keys = TicketKeys.derive(Secret.random(clock.random), roster.team_id, 202701, 0)
    conversation = Conversation(
        keys.mailbox, roster, UserKeyPort(roster.team_id, keys.reply), author_key=keys.author.public
    )
    signer = AuthorKey(Author(AuthorRole.USER, keys.author.public), keys.author)
    return Holder(User(room.relay, keys, conversation, signer), make_card(keys, roster.team_id, person))
