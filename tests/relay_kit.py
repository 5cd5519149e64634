"""A real relay on a loopback port, and clients that speak its wire by hand: what the relay's tests share.

async with running(path) as relay:
    team = await relay.found()
    box = await relay.ticket(team)
    await box.append(b"...")
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from e2e_support.admission import admit_hash, day_of, find_work, prove_team
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import epoch_keys
from e2e_support.ids import BlobId, Hash, MailboxId, TeamId
from e2e_support.mailbox import entry_hash, first_hash, mailbox_id, relay_key_id, verify_receipt
from e2e_support.policy import Policy
from e2e_support.policy_parts import Admission
from e2e_support.presets import DEFAULT
from e2e_support.request import b64, content_digest, sign_request
from e2e_support.roster import begin_batch
from e2e_support.vocab import AdmissionMode, Direction, Recipient
from e2e_support.wire import Append, BlobSize, Box, Create, Entry, Found, Page, Receipt, Session
from e2e_support_server.app import Relay, serving
from e2e_support_server.clock import Clock
from e2e_support_server.config import Config, Limits
from e2e_support_server.log import make_logger
from team_builder import device, founding

BITS = 4
POLICY = replace(DEFAULT, admission=Admission(AdmissionMode.OPEN, bits=BITS))
LIMITS = Limits(
    user_rate=100_000, team_rate=100_000, creates_minute=100_000, creates_network=100_000, disk_reserve=0
)
PADDED = 512


def new_key() -> SigningKey:
    """Return a fresh capability."""
    return SigningKey(Secret(os.urandom(32)))


def make_entry(*, size: int = PADDED, epoch: int | None = None, user_box: bool = True, gen: int = 0) -> bytes:
    """Return an entry as a relay sees one: random bytes of an allowed size, with boxes if an epoch is given."""
    boxes: tuple[Box, ...] = ()
    if epoch is not None:
        boxes = (Box(Recipient.TEAM, epoch, os.urandom(1232)),)
        boxes += (Box(Recipient.USER, 0, os.urandom(1168)),) if user_box else ()
    return Entry(1, 1, gen, Direction.USER_TO_TEAM, boxes, os.urandom(64 + size + 16)).to_bytes()


@dataclass
class ManualClock:
    """A clock that a test moves."""

    time: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.time


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw_headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def code(self) -> str:
        """The problem's code, or the empty string."""
        return str(self.problem["code"]) if self.status >= 400 else ""

    def expect(self, *wanted: int | str) -> Reply:
        """Return the answer if its status or code is one of those."""
        assert self.status in wanted or self.code in wanted, (self.status, self.body[:300], wanted)
        return self


@dataclass
class TeamHandle:
    """A founded team with the capability of its newest epoch."""

    team_id: TeamId
    capability: SigningKey
    epoch: int = 0


@dataclass
class Client:
    """Speaks to a relay as anybody who holds some key.

    Attributes:
        url: of the relay.
        http: the connections.
        clock: gives the time of signatures.
        relay: the relay itself where it runs in this process.
        log: what the relay logged.
    """

    url: str
    http: aiohttp.ClientSession
    clock: Clock = time.time
    relay: Relay | None = None
    log: io.StringIO = field(default_factory=io.StringIO)
    relay_key: bytes = b""

    @property
    def authority(self) -> str:
        """The name under which it is reached."""
        return self.url.removeprefix("http://")

    def signature(
        self, key: SigningKey, method: str, target: str, body: bytes = b"", /, **changed: Any
    ) -> dict[str, str]:
        """Return the headers that sign a request; ``changed`` overrides what is signed."""
        path, _, query = target.partition("?")
        signed: dict[str, Any] = {
            "method": method,
            "authority": self.authority,
            "path": path,
            "query": query,
            "digest": content_digest(body),
            "now": int(self.clock()),
            "random": os.urandom,
        }
        return sign_request(key, **{**signed, **changed})

    async def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        """Send a request as it is."""
        url = URL(self.url + target, encoded=True)
        async with self.http.request(
            method, url, data=io.BytesIO(body) if body else None, headers=headers
        ) as answer:
            return Reply(answer.status, dict(answer.headers), await answer.read(), answer.raw_headers)

    async def ask(
        self,
        key: SigningKey,
        method: str,
        target: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send a signed request; ``headers`` are added unsigned."""
        signed = self.signature(key, method, target, body)
        return await self.send(method, target, body, {**signed, **(headers or {})})

    async def session(self, key: SigningKey) -> dict[str, str]:
        """Return the header of a fresh read session."""
        reply = (await self.ask(key, "POST", "/v1/session")).expect(200)
        return {"Authorization": f"Bearer {b64(Session.from_bytes(reply.body).token)}"}

    async def found(self, policy: Policy = POLICY, code: str = "") -> TeamHandle:
        """Found a team, with a fresh code unless one is given."""
        if not code:
            assert self.relay is not None
            code = await self.relay.context.teams.issue_code()
        batch, seed = founding(device("anna"), policy=policy, relay_key=self.relay_key)
        (await self.send("POST", "/v1/teams", Found(code, batch).to_bytes())).expect(201)
        return TeamHandle(begin_batch(batch).team_id, epoch_keys(seed).capability)

    def create(self, of: TeamHandle, key: SigningKey, **changed: Any) -> Create:
        """Return a create with its proof of work."""
        day = day_of(int(self.clock()))
        admit = admit_hash(of.team_id, day, mailbox_id(key.public))
        mode = changed.get("mode", AdmissionMode.OPEN)
        proof = prove_team(of.capability, admit) if mode is AdmissionMode.TEAM else find_work(admit, BITS)
        fields: dict[str, Any] = {
            "creation_key": key.public,
            "user_key": key.public,
            "team": 1,
            "team_id": of.team_id,
            "day": day,
            "mode": mode,
            "proof": proof,
        }
        return Create(**{**fields, **changed})

    async def put_mailbox(self, key: SigningKey, create: Create) -> Reply:
        """Send a create signed by its key."""
        return await self.ask(key, "PUT", f"/v1/mailboxes/{b64(mailbox_id(key.public))}", create.to_bytes())

    async def ticket(self, of: TeamHandle, key: SigningKey | None = None, **changed: Any) -> Mailbox:
        """Create a mailbox and return it."""
        key = key or new_key()
        (await self.put_mailbox(key, self.create(of, key, **changed))).expect(201, 200)
        return Mailbox(self, key, of)

    async def staff_log(self, team: TeamHandle) -> Mailbox:
        """Create a mailbox without a user class."""
        return await self.ticket(team, user_key=b"", mode=AdmissionMode.TEAM)


@dataclass
class Mailbox:
    """A mailbox as one who may write to it sees it; follows the chain by itself."""

    client: Client
    key: SigningKey
    team: TeamHandle
    length: int = 0
    hash: Hash = field(default=Hash(b""))
    entries: list[bytes] = field(default_factory=list[bytes])

    def __post_init__(self) -> None:
        self.hash = self.hash or first_hash(self.id)

    @property
    def id(self) -> MailboxId:
        """Its id."""
        return mailbox_id(self.key.public)

    @property
    def path(self) -> str:
        """Its route."""
        return f"/v1/mailboxes/{b64(self.id)}"

    def next(self, entry: bytes, blobs: Sequence[BlobId] = ()) -> Append:
        """Return the append of an entry at the head."""
        return Append(self.length, self.hash, entry, tuple(blobs))

    async def post(self, append: Append, key: SigningKey | None = None) -> Reply:
        """Send an append and move on if it was stored."""
        reply = await self.client.ask(key or self.key, "POST", f"{self.path}/entries", append.to_bytes())
        if reply.status == 200 and append.seq == self.length:
            self.length += 1
            self.hash = entry_hash(self.id, append.seq, append.prev_hash, append.entry)
            self.entries.append(append.entry)
        return reply

    async def append(
        self, entry: bytes | None = None, *, key: SigningKey | None = None, blobs: Sequence[BlobId] = ()
    ) -> Receipt:
        """Append an entry and return its receipt, verified."""
        append = self.next(entry or make_entry(), blobs)
        reply = (await self.post(append, key)).expect(200)
        return self.verified(reply.body, append)

    def verified(self, receipt: bytes, append: Append) -> Receipt:
        """Return a receipt that is good for an append."""
        keys = {relay_key_id(self.client.relay_key): self.client.relay_key}
        hashed = entry_hash(self.id, append.seq, append.prev_hash, append.entry)
        return verify_receipt(receipt, keys, mailbox=self.id, seq=append.seq, entry_hash=hashed)

    async def page(self, start: int = 0, key: SigningKey | None = None) -> Page:
        """Read entries."""
        reply = await self.client.ask(key or self.key, "GET", f"{self.path}/entries?from={start}")
        return Page.from_bytes(reply.expect(200).body)

    async def declare(self, size: int, blob: BlobId | None = None, key: SigningKey | None = None) -> BlobId:
        """Declare a blob."""
        blob = blob or BlobId(os.urandom(16))
        body = BlobSize(size).to_bytes()
        (await self.client.ask(key or self.key, "PUT", f"{self.path}/blobs/{b64(blob)}", body)).expect(
            201, 200
        )
        return blob

    async def piece(self, blob: BlobId, index: int, data: bytes, key: SigningKey | None = None) -> Reply:
        """Send a piece."""
        return await self.client.ask(key or self.key, "PUT", f"{self.path}/blobs/{b64(blob)}/{index}", data)


@asynccontextmanager
async def running(
    data: Path,
    *,
    limits: Limits = LIMITS,
    clock: Clock = time.time,
    log_level: str = "debug",
    helper: int = 0,
    **settings: Any,
) -> AsyncGenerator[Client]:
    """Run a relay in this process and yield a client of it."""
    log = io.StringIO()
    config = Config(data, port=0, limits=limits, log_level=log_level, helper=helper, **settings)
    async with (
        serving(config, clock=clock, logger=make_logger(log_level, clock, log)) as (relay, listening),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        yield Client(listening.url, http, clock, relay, log, relay.context.relay_key)
