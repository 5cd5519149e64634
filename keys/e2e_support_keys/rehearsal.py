"""A whole ticket in memory: sealed by a made-up user, answered by a device of the team, read by both, never sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

from e2e_support.codec import Message
from e2e_support.content import Author, MessageBody, OpenBody
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.crypto.secret import Random, Secret, draw
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import TrustError
from e2e_support.ids import ID_SIZE, DeviceId, MessageId
from e2e_support.mailbox import ReceiptFact, ReceiptSigner
from e2e_support.roster import TrustedRoster
from e2e_support.ticket_keys import KeyPort, TicketKeys, UserKeyPort
from e2e_support.vocab import AuthorRole, Kind, Verdict
from e2e_support.wire import Stored

_TIME = 0  # no clock and no relay takes part


def rehearse(
    roster: TrustedRoster, keys: KeyPort, device: tuple[DeviceId, SigningKey], random: Random
) -> None:
    """Do nothing if the team and its users can read what the other seals to the newest epoch.

    Args:
        roster: the team.
        keys: the epoch keys of one of its devices.
        device: that device as a signer.
        random: source of the test ticket's keys.

    Raises:
        TrustError: ``self_check``.
    """
    stage = _Stage(ReceiptSigner(SigningKey(Secret.random(random))), random)
    team = replace(roster, relay_keys=MappingProxyType({stage.relay.key_id: stage.relay.public}))
    user = TicketKeys.derive(Secret.random(random), roster.team_id, 0, 0)
    asks = Conversation(user.mailbox, team, UserKeyPort(roster.team_id, user.reply))
    answers = Conversation(user.mailbox, team, keys)
    device_id, key = device
    question, answer = _opening(user.reply.public), MessageBody("Answer.", 0)
    stage.say(Kind.OPEN, question, _author(AuthorRole.USER, user.author.public, user.author), asks, answers)
    stage.say(Kind.MESSAGE, answer, _author(AuthorRole.DEVICE, device_id, key), answers, asks)


@dataclass(frozen=True, slots=True)
class _Stage:
    """A relay of our own making, so that the readers have receipts to check."""

    relay: ReceiptSigner
    random: Random

    def say(
        self, kind: Kind, body: Message, author: AuthorKey, writer: Conversation, reader: Conversation
    ) -> None:
        draft = Draft(kind, body, MessageId(draw(self.random, ID_SIZE)))
        sealed = writer.seal(draft, author, now=_TIME, random=self.random)
        receipt = self.relay.sign([ReceiptFact(writer.mailbox, sealed.seq, sealed.hash, _TIME)])[0]
        for side in (writer, reader):
            opened = side.receive(Stored(sealed.entry, receipt))
            if opened.verdict is not Verdict.OK or opened.body != body:
                raise _failed()


def _author(role: AuthorRole, name: bytes, key: SigningKey) -> AuthorKey:
    return AuthorKey(Author(role, name), key)


def _opening(reply_key: bytes) -> OpenBody:
    return OpenBody(
        "Test ticket", "This ticket never leaves the device.", "", "", (), (), b"", "", b"", reply_key
    )


def _failed() -> TrustError:
    return TrustError(
        "self_check",
        "these keys do not open a test ticket",
        hint="Publish nothing. Try again; if it fails again, this computer or program is broken.",
    )
