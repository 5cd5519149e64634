"""A user and an administrator who talk through one relay, for tests that tell what happens to their ticket."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from e2e_support.admission import admit_hash, find_work
from e2e_support.codec import Message
from e2e_support.content import Attachment, Author, CloseBody, MessageBody, OpenBody
from e2e_support.conversation import AuthorKey, Conversation, Draft, Sealed
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import epoch_keys
from e2e_support.errors import TrustError
from e2e_support.ids import BlobId, MailboxId, MessageId, TeamId
from e2e_support.opened import Opened
from e2e_support.policy_parts import Admission
from e2e_support.presets import DEFAULT
from e2e_support.ticket_keys import KeyPort, TicketKeys, UserKeyPort, open_team_box
from e2e_support.vocab import AdmissionMode, AuthorRole, Kind
from e2e_support.wire import Append, Batch, Create, Entry, Found, Stored
from e2e_support_client.port import RelayPort
from e2e_support_client.testing import FakeRelay
from team_builder import TIME, Device, Team, device, founding, seed_of

NOW = TIME + 1000


class Numbered:
    """A source of randomness whose every draw differs from the last and is the same in every run."""

    def __init__(self) -> None:
        self._drawn = 0

    def __call__(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"story/{self._drawn}".encode()).digest(size)


@dataclass
class TeamKeyPort:
    """Opens team boxes of every epoch that the team has had."""

    team: Team

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:
        """Return the ticket key in an entry's team box."""
        kem = epoch_keys(self.team.seeds[entry.boxes[0].epoch]).kem
        return open_team_box(kem, self.team.team_id, mailbox, entry)


@dataclass
class Person:
    """One side of the ticket.

    Attributes:
        relay: the relay that this side is connected to.
        conversation: the shared log as this side follows it.
        capability: reads and writes the mailbox.
        signer: signs entries.
    """

    relay: RelayPort
    conversation: Conversation
    capability: SigningKey
    signer: AuthorKey
    random: Numbered = field(default_factory=Numbered)

    async def pull(self) -> list[Opened]:
        """Return what is new, as the channel does it."""
        new: list[Opened] = []
        while True:
            chain = self.conversation.chain
            page = await self.relay.read(chain.mailbox, chain.length, self.capability)
            chain.check_page(page)
            new += [self.receive(item) for item in page.items]
            if not page.items or self.conversation.chain.length >= page.head.length:
                return new

    def draft(self, kind: Kind, body: Message, *files: Attachment) -> Draft:
        """Return what this side wants to say, under a fresh message id."""
        return Draft(kind, body, MessageId(self.random(16)), files)

    def seal_draft(self, draft: Draft, *, first_key: Secret | None = None) -> Sealed:
        """Seal a draft as the next entry."""
        return self.conversation.seal(draft, self.signer, now=NOW, random=self.random, first_key=first_key)

    def seal(self, kind: Kind, body: Message, *files: Attachment, first_key: Secret | None = None) -> Sealed:
        """Seal something new as the next entry."""
        return self.seal_draft(self.draft(kind, body, *files), first_key=first_key)

    async def send(self, sealed: Sealed, *blobs: BlobId) -> Opened:
        """Store a sealed entry and take its receipt."""
        append = Append(sealed.seq, sealed.prev_hash, sealed.entry, blobs)
        receipt = await self.relay.append(self.conversation.mailbox, append, self.capability)
        return self.receive(Stored(sealed.entry, receipt))

    def receive(self, item: Stored) -> Opened:
        """Follow one entry; where it names something of a newer roster, there is none here."""
        try:
            return self.conversation.receive(item)
        except TrustError as error:
            if error.code != "roster_behind":
                raise
            return self.conversation.receive(item, accept_strange=True)

    async def say(self, text: str, *files: Attachment) -> Opened:
        """Write a message."""
        blobs = (file.blob_id for file in files)
        return await self.send(self.seal(Kind.MESSAGE, MessageBody(text, 0), *files), *blobs)

    async def close(self, note: str = "done") -> Opened:
        """Close the ticket."""
        return await self.send(self.seal(Kind.CLOSE, CloseBody(note, "")))


@dataclass
class Story:
    """A team of one owner, anna, a relay, and users who open tickets.

    Attributes:
        relay: the relay; tests inject faults into it.
        team: the team.
        anna: its owner's device.
        port: what people speak to, where it is not the fake relay.
    """

    relay: FakeRelay
    team: Team
    anna: Device
    port: RelayPort | None = None

    @classmethod
    def begin(cls) -> Story:
        """Return a relay with a team and no ticket."""
        relay = FakeRelay(SigningKey(Secret(seed_of("relay"))), now=lambda: NOW)
        anna = device("anna")
        team = Team.found(anna)
        story = cls(relay, team, anna)
        relay.take_team(story.founding())
        return story

    @classmethod
    async def over(cls, port: RelayPort, code: str) -> Story:
        """Found the team on another relay, a real one, with its one-time code."""
        info = await port.info()
        anna = device("anna")
        policy = replace(DEFAULT, admission=Admission(AdmissionMode.OPEN, bits=4))
        team = Team.found(anna, policy=policy, relay_key=info.relay_key)
        await port.found(Found(code, founding(anna, policy=policy, relay_key=info.relay_key)[0]))
        return cls(FakeRelay(), team, anna, port)

    @property
    def team_id(self) -> TeamId:
        """The team's id."""
        return self.team.team_id

    def keys(self, index: int = 0, master: str = "user") -> TicketKeys:
        """Return the keys of a user's ticket."""
        return TicketKeys.derive(Secret(seed_of(master)), self.team_id, 202701, index)

    async def create(self, keys: TicketKeys) -> Create:
        """Open an empty mailbox for a user's ticket."""
        port = self.port or self.relay
        terms = await port.admission(self.team_id)
        work = find_work(admit_hash(self.team_id, terms.day, keys.mailbox), terms.bits)
        public = keys.capability.public
        create = Create(public, public, 1, self.team_id, terms.day, AdmissionMode.OPEN, work)
        await port.create(keys.mailbox, create, keys.capability)
        return create

    def user(self, keys: TicketKeys, relay: RelayPort | None = None) -> Person:
        """Return a user's client that has followed nothing yet."""
        port = UserKeyPort(self.team_id, keys.reply)
        author = AuthorKey(Author(AuthorRole.USER, keys.author.public), keys.author)
        conversation = self._conversation(keys.mailbox, port, keys.author.public)
        return Person(relay or self.port or self.relay, conversation, keys.capability, author)

    def admin(self, mailbox: MailboxId, relay: RelayPort | None = None) -> Person:
        """Return anna's console, which has followed nothing of a ticket yet."""
        author = AuthorKey(Author(AuthorRole.DEVICE, self.anna.device_id), self.anna.sign)
        conversation = self._conversation(mailbox, TeamKeyPort(self.team), None)
        return Person(relay or self.port or self.relay, conversation, self.team.keys.capability, author)

    async def ticket(self, index: int = 0, subject: str = "No invoice") -> tuple[Person, Person]:
        """Return a user who opened a ticket, and anna who has not looked at it yet."""
        keys = self.keys(index)
        await self.create(keys)
        user = self.user(keys)
        await user.send(user.seal(*self.opening(keys, subject), first_key=keys.first_key))
        return user, self.admin(keys.mailbox)

    def opening(self, keys: TicketKeys, subject: str = "No invoice") -> tuple[Kind, OpenBody]:
        """Return what a user says first."""
        reply = keys.reply.public
        body = OpenBody(subject, "The list is empty.", "question", "", (), (), b"", "", b"", reply)
        return Kind.OPEN, body

    def founding(self) -> Batch:
        """Return the batch that founded the team."""
        return founding(self.anna)[0]

    def message(self, text: str) -> tuple[Kind, MessageBody]:
        """Return what a message consists of."""
        return Kind.MESSAGE, MessageBody(text, 0)

    def _conversation(self, mailbox: MailboxId, port: KeyPort, author: bytes | None) -> Conversation:
        return Conversation(mailbox, self.team.roster, port, author_key=author)
