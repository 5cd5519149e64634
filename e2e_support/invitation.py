"""Invitations: a link and a short code, by two ways, let a newcomer hand in their device record (protocol 4.10).

The link gives the mailbox, link and code together the key. What joins a device to the team is neither: an
administrator compares words with the newcomer and signs.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from e2e_support.crypto import cae
from e2e_support.crypto.hash import derive, digest, same
from e2e_support.crypto.pad import pad, unpad
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret, draw
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import KEY_SIZE, SUITE, VERSION
from e2e_support.errors import UsageError
from e2e_support.ids import Hash, MailboxId, TeamId
from e2e_support.mailbox import check_entry, mailbox_id
from e2e_support.roster_links import DeviceAdd
from e2e_support.roster_rules import check_possession
from e2e_support.support_link import SupportLink
from e2e_support.tags import Tag
from e2e_support.vocab import Direction
from e2e_support.wire import DeviceRecord, Entry, Offer

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_BYTES = 5  # 40 bits: guessed online at most, since each guess needs the link and leaves a trace
_CHECKSUM = 4
_SECRET_TEXT = 48  # base64 of secret and checksum


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open door for one device.

    Attributes:
        team: the support link of the team.
        secret: 32 bytes that stand in the invitation link.
        code: eight letters and digits that go another way.
    """

    team: SupportLink
    secret: Secret
    code: str

    @classmethod
    def make(cls, team: SupportLink, random: Random) -> Invitation:
        """Return a new invitation."""
        number = int.from_bytes(draw(random, _CODE_BYTES), "big")
        code = "".join(_ALPHABET[number >> shift & 31] for shift in range(35, -1, -5))
        return cls(team, Secret.random(random), code)

    @classmethod
    def parse(cls, link: str, code: str) -> Invitation:
        """Return what a link and a code that people typed say.

        Raises:
            UsageError: ``bad_invitation`` or ``bad_link``.
        """
        team, dot, secret = link.strip().rpartition(".")
        letters = code.strip().upper().replace("-", "").translate(str.maketrans("OIL", "011"))
        if len(letters) != 8 or any(letter not in _ALPHABET for letter in letters):
            raise _bad("the code has eight letters and digits")
        if not dot or len(secret) != _SECRET_TEXT or not secret.isascii():
            raise _bad("the link is cut off")
        try:
            data = base64.b64decode(secret.encode(), altchars=b"-_", validate=True)
        except ValueError:
            raise _bad("the link has a foreign letter") from None
        said, checksum = data[:KEY_SIZE], data[KEY_SIZE:]
        if not same(checksum, digest(Tag.INVITE, said)[:_CHECKSUM]):
            raise _bad("a character of the link was changed")
        return cls(SupportLink.parse(team), Secret(said), letters)

    @property
    def link(self) -> str:
        """The text that goes one way; the code goes another."""
        said = self.secret.reveal(SECRET_ACCESS)
        text = base64.urlsafe_b64encode(said + digest(Tag.INVITE, said)[:_CHECKSUM]).decode("ascii")
        return f"{self.team.format()}.{text}"

    @property
    def capability(self) -> SigningKey:
        """Creates the invitation's mailbox and writes into it."""
        return SigningKey(derive(self.secret, Tag.INVITE_CAPABILITY, self.team.team_id))

    @property
    def mailbox(self) -> MailboxId:
        """Where the newcomer's request is left."""
        return mailbox_id(self.capability.public)

    def offer(self, offer: Offer, random: Random) -> bytes:
        """Return the entry in which the inviter says whom they expect; it stands before the newcomer's."""
        ciphertext = cae.encrypt(self._key(), Tag.INVITE_OFFER, self.mailbox, pad(offer.to_bytes()), random)
        return _entry(ciphertext)

    def read_offer(self, entry: bytes) -> Offer:
        """Return what the inviter offers.

        Raises:
            PeerError: ``cannot_open`` (another code was used), ``malformed``.
        """
        ciphertext = check_entry(entry).ciphertext
        return Offer.from_bytes(unpad(cae.decrypt(self._key(), Tag.INVITE_OFFER, self.mailbox, ciphertext)))

    def seal(self, joining: DeviceAdd, random: Random) -> bytes:
        """Return the entry in which a newcomer hands in their device, proven for this team."""
        ciphertext = cae.encrypt(self._key(), Tag.INVITE, self.mailbox, pad(joining.to_bytes()), random)
        return _entry(ciphertext)

    def open(self, entry: bytes) -> DeviceAdd:
        """Return what a newcomer handed in, once their proof holds (attack 10): the payload of the link to come.

        Raises:
            PeerError: ``cannot_open`` (another code was used), ``malformed``.
            TrustError: ``no_possession``.
        """
        ciphertext = check_entry(entry).ciphertext
        joining = DeviceAdd.from_bytes(unpad(cae.decrypt(self._key(), Tag.INVITE, self.mailbox, ciphertext)))
        check_possession(self.team.team_id, joining)
        return joining

    def _key(self) -> Secret:
        return derive(self.secret, Tag.INVITE_KEY, self.team.team_id, self.code.encode("ascii"))


def _entry(ciphertext: bytes) -> bytes:
    return Entry(VERSION, SUITE, 0, Direction.USER_TO_TEAM, (), ciphertext).to_bytes()


def join_hash(team_id: TeamId, record: DeviceRecord) -> Hash:
    """Return what both sides compare as words before a device is approved."""
    return digest(Tag.WORDS, team_id, record.to_bytes())


def _bad(why: str) -> UsageError:
    return UsageError(
        "bad_invitation",
        f"this is not an invitation: {why}",
        hint="Ask the administrator for link and code again.",
    )
