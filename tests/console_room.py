"""A team founded by its own console over a relay in memory, and users who write to it, for tests that tell a story.

room = Room(tmp_path)
async with await room.found() as team:
    ticket = await room.ticket("No invoice")
    await team.sync()
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from e2e_support.admission import admit_hash, find_work
from e2e_support.codec import Message
from e2e_support.content import Attachment, Author, CloseBody, MessageBody, OpenBody
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import MailboxId, MessageId
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT
from e2e_support.roster import TrustedRoster, next_bodies
from e2e_support.roster_links import DeviceAdd, DeviceRevoke, prove_device, sign_link
from e2e_support.support_link import SupportLink
from e2e_support.ticket_keys import TicketKeys, UserKeyPort, ticket_number
from e2e_support.vocab import AdmissionMode, AuthorRole, Kind, Role
from e2e_support.wire import Append, Batch, Create, Stored
from e2e_support_client import clock
from e2e_support_client.port import RelayPort
from e2e_support_client.testing import CODE, FakeRelay
from e2e_support_console.team import TeamClient
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.keystore import MemoryKeystore

URL = "https://support.example.org"


@dataclass
class User:
    """A user with one ticket, made of the core alone: what the SDK would refuse to send, this one sends.

    Attributes:
        relay: the relay.
        keys: the ticket's keys.
        conversation: the shared log as the user follows it.
        signer: signs the user's entries.
    """

    relay: RelayPort
    keys: TicketKeys
    conversation: Conversation
    signer: AuthorKey

    @property
    def mailbox(self) -> MailboxId:
        """The ticket's shared log."""
        return self.keys.mailbox

    @property
    def number(self) -> str:
        """What people call the ticket."""
        return ticket_number(self.keys.mailbox)

    async def pull(self) -> list[Opened]:
        """Follow what is new and return it."""
        page = await self.relay.read(self.mailbox, self.conversation.chain.length, self.keys.capability)
        self.conversation.chain.check_page(page)
        return [self.conversation.receive(item) for item in page.items]

    async def send(
        self, kind: Kind, body: Message, *files: Attachment, first: bool = False, now: int = 0
    ) -> Opened:
        """Write an entry, whether or not the rules allow it."""
        draft = Draft(kind, body, MessageId(clock.random(16)), files)
        key = self.keys.first_key if first else None
        moment = now or clock.now()
        sealed = self.conversation.seal(draft, self.signer, now=moment, random=clock.random, first_key=key)
        blobs = tuple(file.blob_id for file in files)
        return await self.post(sealed.entry, *blobs)

    async def post(self, entry: bytes, *blobs: object) -> Opened:
        """Append any bytes."""
        chain = self.conversation.chain
        append = Append(chain.length, chain.hash, entry, blobs)  # type: ignore[arg-type]
        receipt = await self.relay.append(self.mailbox, append, self.keys.capability)
        return self.conversation.receive(Stored(entry, receipt))

    async def say(self, text: str, *files: Attachment) -> Opened:
        """Write a message."""
        return await self.send(Kind.MESSAGE, MessageBody(text, 0), *files)

    async def close(self, note: str = "done") -> Opened:
        """Close the ticket."""
        return await self.send(Kind.CLOSE, CloseBody(note, ""))

    async def texts(self) -> list[str]:
        """Return what the team has said since the last time."""
        said = [opened.body for opened in await self.pull()]
        return [body.text for body in said if isinstance(body, MessageBody)]


@dataclass
class Room:
    """A relay, the home of one console, and whatever users a test needs.

    Attributes:
        home: the console's directory.
        relay: the relay; tests inject faults into it.
        keystore: the console's keys.
        url: the relay's address.
        code: the one-time code.
        policy: the team's.
    """

    home: Path
    relay: FakeRelay = field(default_factory=FakeRelay)
    keystore: MemoryKeystore = field(default_factory=MemoryKeystore)
    url: str = URL
    code: str = CODE
    policy: Policy = DEFAULT

    async def found(
        self, relay: RelayPort | None = None, *, code: str = "", owner: str = "Anna"
    ) -> TeamClient:
        """Return the console of a new team."""
        return await TeamClient.create(
            self.url,
            name="Example team",
            owner=owner,
            bootstrap_code=code or self.code,
            keystore=self.keystore,
            state_dir=self.home,
            languages=("en",),
            policy=self.policy,
            relay=relay or self.relay,
        )

    async def unlock(self, relay: RelayPort | None = None) -> TeamClient:
        """Return the console of the same team in a new process."""
        return await TeamClient.unlock(self.keystore, self.home, relay=relay or self.relay)

    async def colleague(self, founder: TeamClient, home: Path, *, role: Role = Role.AGENT) -> TeamClient:
        """Let the founder add a second person, with a new epoch, and return that person's console.

        Inviting by a link comes later; here both sides are played at once.
        """
        desk = founder.desk
        await desk.team.refresh()
        bundle = DeviceBundle.fresh("Ben", clock.random, link=self.link)
        record = bundle.record(role)
        devices = (*desk.roster.devices.values(), record)
        epoch = desk.team.keys.next_epoch(devices, clock.random)
        (_, key), anna = bundle.signer(), desk.bundle.signer()
        joining = DeviceAdd(record, prove_device(key, desk.team_id, record))
        bodies = next_bodies(desk.roster, (joining, epoch.record), clock.now())
        links = tuple(sign_link(body, [anna]) for body in bodies)
        self.relay.take_batch(desk.team_id, Batch(links, (epoch.package,)))
        return await TeamClient.unlock(MemoryKeystore(bundle), home, relay=self.relay)

    async def remove(self, founder: TeamClient, colleague: TeamClient) -> None:
        """Let the founder remove somebody, with a new epoch."""
        desk, gone = founder.desk, colleague.desk.bundle.device_id
        await desk.team.refresh()
        devices = [record for device, record in desk.roster.devices.items() if device != gone]
        epoch = desk.team.keys.next_epoch(devices, clock.random)
        bodies = next_bodies(desk.roster, (DeviceRevoke(gone), epoch.record), clock.now())
        links = tuple(sign_link(body, [desk.bundle.signer()]) for body in bodies)
        self.relay.take_batch(desk.team_id, Batch(links, (epoch.package,)))

    async def roster(self) -> TrustedRoster:
        """Return the team's roster as any user would fetch it."""
        pin = SupportLink.parse(self.link)
        page = await self.relay.links(pin.team_id, 0)
        return TrustedRoster.begin(page.links[0], team_id=pin.team_id).update(page.links[1:])

    def lose_store(self) -> None:
        """Delete the console's local store."""
        for file in self.home.glob("console.db*"):
            file.unlink()

    @property
    def link(self) -> str:
        """The team's support link."""
        bundle = self.keystore.load()
        assert bundle is not None
        return bundle.link

    async def mailbox(self, *, relay: RelayPort | None = None) -> User:
        """Return a user with an empty mailbox."""
        roster = await self.roster()
        keys = TicketKeys.derive(Secret.random(clock.random), roster.team_id, 202701, 0)
        port = UserKeyPort(roster.team_id, keys.reply)
        author = AuthorKey(Author(AuthorRole.USER, keys.author.public), keys.author)
        conversation = Conversation(keys.mailbox, roster, port, author_key=keys.author.public)
        user = User(relay or self.relay, keys, conversation, author)
        await self._create(user, roster)
        return user

    async def _create(self, user: User, roster: TrustedRoster) -> None:
        terms = await self.relay.admission(roster.team_id)
        work = find_work(admit_hash(roster.team_id, terms.day, user.mailbox), terms.bits)
        public = user.keys.capability.public
        create = Create(public, public, 1, roster.team_id, terms.day, AdmissionMode.OPEN, work)
        await self.relay.create(user.mailbox, create, user.keys.capability)

    async def ticket(
        self, subject: str = "No invoice", text: str = "The list is empty.", **changes: object
    ) -> User:
        """Return a user who has opened a ticket."""
        user = await self.mailbox()
        await user.send(Kind.OPEN, opening(user, subject=subject, text=text, **changes), first=True)
        return user


def opening(user: User, **changes: object) -> OpenBody:
    """Return what a user says first."""
    body = OpenBody(
        "No invoice", "The list is empty.", "question", "", (), (), b"", "", b"", user.keys.reply.public
    )
    return replace(body, **changes)  # type: ignore[arg-type]


def fresh_key() -> SigningKey:
    """Return a new signing key."""
    return SigningKey(Secret.random(clock.random))


class Killed(BaseException):
    """The process was ended here."""


class Dying:
    """A relay whose caller is killed at one call, before it has an effect or after.

    Args:
        relay: the relay behind it.
        call: name of the call.
        after: whether the call still has its effect.
        skip: so many calls go well first.
    """

    def __init__(self, relay: RelayPort, call: str, *, after: bool = False, skip: int = 0) -> None:
        self._relay = relay
        self._call = call
        self._after = after
        self._skip = skip

    def __getattr__(self, name: str) -> Any:
        """Return the real call, or the deadly one."""
        found = getattr(self._relay, name)
        return self._deadly(found) if name == self._call else found

    def _deadly(self, call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def die(*args: object, **named: object) -> object:
            self._skip -= 1
            if self._skip >= 0 or self._after:
                answer = await call(*args, **named)
                if self._skip >= 0:
                    return answer
            raise Killed

        return die


def dying(relay: RelayPort, call: str, *, after: bool = False, skip: int = 0) -> RelayPort:
    """Return a relay whose caller is killed at one call; arguments as ``Dying``."""
    return cast("RelayPort", Dying(relay, call, after=after, skip=skip))
