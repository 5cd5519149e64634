"""The keys of one ticket: derived from the user's master, boxed for the team and for the user (protocol 5.1, 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from e2e_support.crypto.hash import derive, digest, u64
from e2e_support.crypto.kem import KemPrivate, KemPublic
from e2e_support.crypto.seal import seal, unseal
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.tags import Tag
from e2e_support.vocab import Recipient
from e2e_support.wire import Box, Entry, EpochRecord

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("OIL", "011")
_NUMBER_BITS = 50


@dataclass(frozen=True, slots=True)
class TicketKeys:
    """All keys of one ticket on its user's side.

    Attributes:
        mailbox: id of the shared log.
        capability: creates the mailbox and signs the user's requests.
        author: signs the user's entries inside the ciphertext.
        reply: opens the user's key boxes.
        first_key: ticket key of generation 0.
    """

    mailbox: MailboxId
    capability: SigningKey
    author: SigningKey
    reply: KemPrivate
    first_key: Secret

    @classmethod
    def derive(cls, master: Secret, team_id: TeamId, month: int, index: int) -> Self:
        """Return the keys of the user's ticket ``index`` of a month (§5.1).

        Args:
            master: the user's 32-byte master secret.
            team_id: the team that the ticket is for; another team gets unrelated keys.
            month: yyyymm as a number, UTC.
            index: counts from 0 in each month.
        """
        secret = derive(master, Tag.TICKET, team_id, u64(month), u64(index))
        capability = SigningKey(derive(secret, Tag.TICKET_CAPABILITY))
        return cls(
            mailbox_id(capability.public),
            capability,
            SigningKey(derive(secret, Tag.TICKET_AUTHOR)),
            KemPrivate(derive(secret, Tag.TICKET_REPLY)),
            derive(secret, Tag.TICKET_KEY_FIRST),
        )


class KeyPort(Protocol):
    """Opens the key box that is meant for this reader; the keys room implements it for administrators."""

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:
        """Return the ticket key in an entry's boxes.

        Raises:
            PeerError: ``no_key`` when this reader has no key of the box's epoch, which is no forgery;
                ``cannot_open``.
        """
        ...


@dataclass(frozen=True, slots=True)
class UserKeyPort:
    """Opens user boxes with a ticket's reply key."""

    team_id: TeamId
    reply: KemPrivate

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:
        """Return the ticket key in an entry's user box (§5.2)."""
        box = next((box for box in entry.boxes if box.recipient is Recipient.USER), None)
        if box is None:
            raise PeerError("cannot_open", "the entry has no key box for the user")
        return unseal(
            self.reply, Tag.TICKET_KEY_USER, _user_context(self.team_id, mailbox, entry.gen), box.sealed
        )


def open_team_box(kem: KemPrivate, team_id: TeamId, mailbox: MailboxId, entry: Entry) -> Secret:
    """Return the ticket key in an entry's team box (§5.2).

    Args:
        kem: private key of the epoch that the box names.
        team_id: the team.
        mailbox: where the entry stands.
        entry: an entry with boxes.

    Raises:
        PeerError: ``cannot_open``.
    """
    box = entry.boxes[0]
    return unseal(kem, Tag.TICKET_KEY, _team_context(team_id, mailbox, entry.gen, box.epoch), box.sealed)


def seal_boxes(
    key: Secret, *, team_id: TeamId, mailbox: MailboxId, gen: int, epoch: EpochRecord, reply_key: bytes | None
) -> tuple[Box, ...]:
    """Return the boxes that hand a ticket key to the team and, in a shared log, to the user (§5.2).

    Args:
        key: the ticket key, 32 bytes.
        team_id: the team.
        mailbox: where the entry will stand.
        gen: generation of the key.
        epoch: the newest epoch.
        reply_key: the user's X-Wing public key, or ``None`` in a staff log.

    Raises:
        PeerError: ``bad_key`` when the user's reply key is not a valid key.
    """
    plain = key.reveal(SECRET_ACCESS)
    context = _team_context(team_id, mailbox, gen, epoch.epoch)
    team = Box(Recipient.TEAM, epoch.epoch, seal(KemPublic(epoch.kem_key), Tag.TICKET_KEY, context, plain))
    if reply_key is None:
        return (team,)
    sealed = seal(KemPublic(reply_key), Tag.TICKET_KEY_USER, _user_context(team_id, mailbox, gen), plain)
    return (team, Box(Recipient.USER, 0, sealed))


def ticket_number(mailbox: MailboxId) -> str:
    """Return the number people use for a ticket: ``T-XXXXX-XXXXX`` (§5.1)."""
    value = int.from_bytes(digest(Tag.NUMBER, mailbox)[:7], "big") >> (56 - _NUMBER_BITS)
    text = "".join(_CROCKFORD[value >> shift & 31] for shift in range(_NUMBER_BITS - 5, -1, -5))
    return f"T-{text[:5]}-{text[5:]}"


def parse_number(text: str) -> str:
    """Return the usual spelling of a ticket number that a person typed.

    Raises:
        UsageError: ``bad_number`` when it cannot be one.
    """
    letters = "".join(text.upper().split()).removeprefix("T-").replace("-", "").translate(_LOOKALIKES)
    if len(letters) == _NUMBER_BITS // 5 + 1:
        letters = letters.removeprefix("T")
    if len(letters) != _NUMBER_BITS // 5 or any(letter not in _CROCKFORD for letter in letters):
        raise UsageError(
            "bad_number",
            f"{text!r} is not a ticket number",
            hint="A number looks like T-7K3M9-QXF20; see the list.",
        )
    return f"T-{letters[:5]}-{letters[5:]}"


def _team_context(team_id: TeamId, mailbox: MailboxId, gen: int, epoch: int) -> bytes:
    return team_id + mailbox + u64(gen) + u64(epoch)


def _user_context(team_id: TeamId, mailbox: MailboxId, gen: int) -> bytes:
    return team_id + mailbox + u64(gen)
