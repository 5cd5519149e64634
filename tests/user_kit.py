"""One team, one relay and the SDK on the user's side, for tests that tell what a user's program goes through.

world = fake_world(tmp_path)
async with world.client() as user:
    ref = await user.tickets.create(SUBJECT, BODY, category="billing")
    await world.console.answer(ref.number, "Look again.")
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from e2e_support.codec import Message
from e2e_support.content import (
    Attachment,
    Author,
    CloseBody,
    MessageBody,
    ResolutionBody,
    StatusBody,
)
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import epoch_keys
from e2e_support.ids import BlobId, MailboxId, MessageId, TeamId
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT
from e2e_support.roster_links import open_link
from e2e_support.support_link import SupportLink
from e2e_support.ticket_keys import open_team_box, ticket_number
from e2e_support.vocab import AdmissionMode, AuthorRole, Kind
from e2e_support.wire import AdmissionTerms, Append, Entry, Found, Stored
from e2e_support_client import MemoryKeystore, SupportClient, clock
from e2e_support_client.blocking import LoopThread
from e2e_support_client.port import RelayPort
from e2e_support_client.refusals import refusal
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay
from e2e_support_client.transport import HttpRelay
from e2e_support_server.app import serving
from e2e_support_server.config import Config, Limits
from team_builder import Device, Team, device, seed_of

T = TypeVar("T")
FAKE_URL = "https://support.example.org"
LIMITS = Limits(
    user_rate=100_000, team_rate=100_000, creates_minute=100_000, creates_network=100_000, disk_reserve=0
)
CHEAP = replace(DEFAULT, admission=replace(DEFAULT.admission, bits=4))
SUBJECT, BODY = "No invoice", "The list of invoices is empty."


@dataclass
class Console:
    """An administrator's device, made of the core alone.

    Attributes:
        team: the team with its keys.
        device: whose.
        relay: the relay.
    """

    team: Team
    device: Device
    relay: RelayPort
    followed: dict[MailboxId, Conversation] = field(default_factory=dict[MailboxId, Conversation])

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:
        """Return the ticket key in an entry's team box."""
        kem = epoch_keys(self.team.seeds[entry.boxes[0].epoch]).kem
        return open_team_box(kem, self.team.team_id, mailbox, entry)

    async def numbers(self) -> list[str]:
        """Return the numbers of all tickets in the team's feed, oldest first."""
        page = await self.relay.feed(self.team.team_id, 0, self.team.keys.capability)
        return list(dict.fromkeys(ticket_number(item.mailbox_id) for item in page.items))

    async def mailbox(self, number: str) -> MailboxId:
        """Return the mailbox of a ticket's number, found in the team's feed."""
        page = await self.relay.feed(self.team.team_id, 0, self.team.keys.capability)
        return next(item.mailbox_id for item in page.items if ticket_number(item.mailbox_id) == number)

    async def read(self, number: str) -> list[Opened]:
        """Return what is new in a ticket."""
        mailbox = await self.mailbox(number)
        talk = self.followed.setdefault(mailbox, Conversation(mailbox, self.team.roster, self))
        talk.team = self.team.roster
        page = await self.relay.read(mailbox, talk.chain.length, self.team.keys.capability)
        talk.chain.check_page(page)
        return [talk.receive(item) for item in page.items]

    async def write(self, number: str, kind: Kind, body: Message, *files: Attachment) -> Opened:
        """Write an entry of any kind."""
        await self.read(number)
        talk = self.followed[await self.mailbox(number)]
        signer = AuthorKey(Author(AuthorRole.DEVICE, self.device.device_id), self.device.sign)
        draft = Draft(kind, body, MessageId(clock.random(16)), files)
        sealed = talk.seal(draft, signer, now=clock.now(), random=clock.random)
        append = Append(sealed.seq, sealed.prev_hash, sealed.entry, tuple(file.blob_id for file in files))
        receipt = await self.relay.append(talk.mailbox, append, self.team.keys.capability)
        return talk.receive(Stored(sealed.entry, receipt))

    async def answer(self, number: str, text: str = "Look again.", *, as_team: bool = False) -> Opened:
        """Answer a ticket."""
        return await self.write(number, Kind.MESSAGE, MessageBody(text, int(as_team)))

    async def resolve(self, number: str, note: str = "It was a full disk.") -> Opened:
        """Mark a ticket resolved."""
        return await self.write(number, Kind.RESOLUTION, ResolutionBody(note))

    async def close(self, number: str, note: str = "") -> Opened:
        """Close a ticket."""
        return await self.write(number, Kind.CLOSE, CloseBody(note, ""))

    async def progress(self, number: str) -> Opened:
        """Say that somebody works on it."""
        return await self.write(number, Kind.STATUS, StatusBody(2, 0))


class MoodyRelay(FakeRelay):
    """A relay in memory that can refuse one kind of call, and forget what nobody used."""

    def __init__(self, relay_key: SigningKey) -> None:
        super().__init__(relay_key)
        self._moods: list[tuple[str, str]] = []
        self.admits = AdmissionMode.OPEN
        self.bits: int | None = None
        self.held = asyncio.Event()
        self._go = asyncio.Event()
        self._go.set()

    async def admission(self, team_id: TeamId) -> AdmissionTerms:
        """Return other terms than usual where a test says so."""
        terms = await super().admission(team_id)
        return replace(terms, mode=self.admits, bits=terms.bits if self.bits is None else self.bits)

    def refuse_at(self, call: str, *codes: str) -> None:
        """Answer the next calls of a name with these codes."""
        self._moods += [(call, code) for code in codes]

    def hold_pieces(self) -> None:
        """Let uploads stand still until ``let_go``."""
        self._go.clear()

    def let_go(self) -> None:
        """Let uploads go on."""
        self._go.set()

    async def put_piece(
        self, mailbox: MailboxId, blob: BlobId, index: int, piece: bytes, capability: SigningKey
    ) -> None:
        """Store a piece once uploads may go on."""
        if not self._go.is_set():
            self.held.set()
        await self._go.wait()
        await super().put_piece(mailbox, blob, index, piece, capability)

    @property
    def blobs(self) -> frozenset[tuple[MailboxId, BlobId]]:
        """The blobs that were declared."""
        return frozenset(self._blobs)

    def forget_empty(self) -> None:
        """Do what a relay does after a day: let empty mailboxes die with their blobs."""
        for mailbox in [mailbox for mailbox, box in self._mailboxes.items() if not box.log]:
            del self._mailboxes[mailbox]
            for key in [key for key in self._blobs if key[0] == mailbox]:
                del self._blobs[key]

    async def _enter(self, call: str, mailbox: MailboxId | None = None) -> None:
        await super()._enter(call, mailbox)
        mood = next((mood for mood in self._moods if mood[0] == call), None)
        if mood is not None:
            self._moods.remove(mood)
            raise refusal(mood[1])


@dataclass
class World:
    """A team at a relay.

    Attributes:
        folder: where users keep their state.
        relay: the relay as users reach it.
        link: the support link.
        console: an administrator.
    """

    folder: Path
    relay: RelayPort
    link: str
    console: Console

    @property
    def founded(self) -> int:
        """When the team was founded, seconds since 1970."""
        return open_link(self.console.team.roster.links[0]).body.time

    @property
    def fake(self) -> MoodyRelay:
        """The relay in memory, for faults."""
        assert isinstance(self.relay, MoodyRelay)
        return self.relay

    def keys(self, name: str = "user") -> MemoryKeystore:
        """Return a user's keystore."""
        return self._keys.setdefault(name, MemoryKeystore())

    def client(self, name: str = "user", **options: Any) -> SupportClient:
        """Return a user's client; the same name has the same keys and store."""
        chosen: dict[str, Any] = {
            "keystore": self.keys(name),
            "state_dir": self.folder / name,
            "relay": self.relay,
        }
        return SupportClient(self.link, **{**chosen, **options})

    _keys: dict[str, MemoryKeystore] = field(default_factory=dict[str, MemoryKeystore])


def fake_world(folder: Path, policy: Policy = DEFAULT) -> World:
    """Return a team at a relay in memory."""
    relay = MoodyRelay(SigningKey(Secret(seed_of("relay"))))
    team, anna = _team(relay.relay_key, policy)
    relay.take_team(team.genesis)
    link = SupportLink(FAKE_URL, team.team_id).format()
    return World(folder, relay, link, Console(team, anna, relay))


def _team(relay_key: bytes, policy: Policy) -> tuple[Team, Device]:
    anna = device("anna")
    return Team.found(anna, policy=policy, relay_key=relay_key, time=clock.now()), anna


@asynccontextmanager
async def real_world(folder: Path, policy: Policy = CHEAP) -> AsyncGenerator[World]:
    """Run a relay on a loopback port and yield a team at it."""
    async with serving(Config(folder / "relay", port=0, limits=LIMITS)) as (server, listening):
        relay = HttpRelay(listening.url, retry=NO_RETRY)
        try:
            team, anna = _team(server.context.relay_key, policy)
            code = await server.context.teams.issue_code()
            await relay.found(Found(code, team.genesis))
            link = SupportLink(listening.url, team.team_id).format()
            yield World(folder, relay, link, Console(team, anna, relay))
        finally:
            await relay.close()


class LiveWorld:
    """A team at a real relay that runs in another thread, for tests that are not asynchronous themselves.

    Attributes:
        world: the team.
    """

    def __init__(self, world: World, loop: LoopThread) -> None:
        self.world = world
        self._loop = loop

    @property
    def link(self) -> str:
        """The support link."""
        return self.world.link

    @property
    def console(self) -> Console:
        """The administrator; hand what it does to ``do``."""
        return self.world.console

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the relay's own loop and return its result."""
        return self._loop.wait(work)


@contextmanager
def live_world(folder: Path, policy: Policy = CHEAP) -> Generator[LiveWorld]:
    """Run a relay in a thread and yield a team at it."""
    loop = LoopThread()
    opened = real_world(folder, policy)
    world = loop.wait(_entered(opened))
    try:
        yield LiveWorld(world, loop)
    finally:
        loop.wait(_left(opened))
        loop.close()


async def _entered(opened: Any) -> World:
    world: World = await opened.__aenter__()
    return world


async def _left(opened: Any) -> None:
    await opened.__aexit__(None, None, None)
