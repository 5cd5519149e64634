"""A ticket that never leaves the device: sealed like a user's, opened like an administrator's."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from e2e_support.content import Author, OpenBody
from e2e_support.conversation import AuthorKey, Conversation, Draft, Opened
from e2e_support.crypto.secret import Random, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import TrustError
from e2e_support.ids import ID_SIZE, MessageId
from e2e_support.mailbox import ReceiptFact, ReceiptSigner
from e2e_support.roster import TrustedRoster
from e2e_support.ticket_keys import KeyPort, TicketKeys, UserKeyPort
from e2e_support.vocab import AuthorRole, Kind, Verdict
from e2e_support.wire import Stored


def rehearse(roster: TrustedRoster, keys: KeyPort, *, now: int, random: Random) -> None:
    """Do nothing if a ticket that a user seals to the team opens with this device's keys.

    Args:
        roster: the team.
        keys: this device's epoch keys.
        now: seconds since 1970.
        random: source of the test user's keys.

    Raises:
        TrustError: ``self_check``.
    """
    stand_in = ReceiptSigner(SigningKey(Secret.random(random)))  # no relay takes part
    team = replace(roster, relay_keys=MappingProxyType({stand_in.key_id: stand_in.public}))
    user = TicketKeys.derive(Secret.random(random), roster.team_id, 0, 0)
    body = _opening(user.reply.public)
    writing = Conversation(user.mailbox, team, UserKeyPort(roster.team_id, user.reply))
    signer = AuthorKey(Author(AuthorRole.USER, user.author.public), user.author)
    draft = Draft(Kind.OPEN, body, MessageId(random(ID_SIZE)))
    sealed = writing.seal(draft, signer, now=now, random=random, first_key=user.first_key)
    receipt = stand_in.sign([ReceiptFact(user.mailbox, 0, sealed.hash, now)])[0]
    opened = Conversation(user.mailbox, team, keys).receive(Stored(sealed.entry, receipt))
    _require(opened, body)


def _opening(reply_key: bytes) -> OpenBody:
    text = "This ticket never leaves the device."
    return OpenBody("Test ticket", text, "test", "", (), (), b"", "", b"", reply_key)


def _require(opened: Opened, body: OpenBody) -> None:
    if opened.verdict is not Verdict.OK or opened.body != body:
        raise TrustError(
            "self_check",
            "this device does not open a test ticket that is sealed to the team",
            hint="Publish nothing. If it happens again, this computer or program is broken.",
        )
