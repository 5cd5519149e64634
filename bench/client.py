"""Processor time of the client's work: opening a ticket, reading entries, resuming from the store (G12)."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Report, Row, at_most
from bench.machine import facts
from bench.processes import RelayProcess, relay
from bench.team import POLICY, authority_of, found, now
from bench.tickets import MONTH, SUBJECT, TEXT, seal, seal_opening, user_of
from e2e_support.admission import admit_hash, day_of, find_work
from e2e_support.content import Author, MessageBody
from e2e_support.conversation import AuthorKey, Conversation, Sealed
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.mailbox import Chain, ReceiptFact, ReceiptSigner
from e2e_support.request import b64, content_digest, sign_request
from e2e_support.roster import TrustedRoster
from e2e_support.thread import Thread
from e2e_support.ticket_keys import KeyPort, TicketKeys, UserKeyPort
from e2e_support.vocab import AdmissionMode, AuthorRole, Kind
from e2e_support.wire import Append, Create, Page, Stored
from e2e_support_client import MemoryKeystore, SupportClient
from e2e_support_client.testing import FakeRelay, Fault
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.ceremony import found_team
from e2e_support_keys.epochs import TeamKeys

URL = "https://support.example.org"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: samples, and entries of the ticket that is read."""

    samples: int
    entries: int


FULL = Size(samples=60, entries=60)
QUICK = Size(samples=3, entries=4)


class World:
    """A team, and a relay reduced to its signature under receipts."""

    def __init__(self) -> None:
        self.signer = ReceiptSigner(SigningKey(Secret.random(os.urandom)))
        founded = found_team(
            "Bench",
            "Owner",
            relay_url=URL,
            relay_key=self.signer.public,
            policy=POLICY,
            now=now(),
            random=os.urandom,
        )
        self.roster = TrustedRoster.begin(founded.genesis)
        self.master = Secret.random(os.urandom)
        self.team_keys = TeamKeys(founded.team_id, founded.bundle.device_id, founded.bundle.kem())
        self.team_keys.add(self.roster.epochs, founded.package)
        device_id, key = founded.bundle.signer()
        self.agent = AuthorKey(Author(AuthorRole.DEVICE, device_id), key)

    def user(self, keys: TicketKeys) -> Conversation:
        """Return a user's conversation that has followed nothing."""
        port: KeyPort = UserKeyPort(self.roster.team_id, keys.reply)
        return Conversation(keys.mailbox, self.roster, port, author_key=keys.author.public)

    def console(self, keys: TicketKeys) -> Conversation:
        """Return an administrator's conversation that has followed nothing."""
        return Conversation(keys.mailbox, self.roster, self.team_keys)

    def stored(self, keys: TicketKeys, sealed: Sealed) -> Stored:
        """Return an entry as the relay would give it out."""
        (receipt,) = self.signer.sign([ReceiptFact(keys.mailbox, sealed.seq, sealed.hash, now())])
        return Stored(sealed.entry, receipt)


def run(data: Path, *, quick: bool) -> Report:
    """Measure with a store on the disk of a directory and return what was found."""
    size = QUICK if quick else FULL
    machine = facts(data)
    world = World()
    opening, key = _time_opening(world, size)
    figures = {
        "open a ticket: keys, boxes, signatures, own receipt": opening,
        "read an entry: the user": _time_reading(world, key, size, world.user),
        "read an entry: an administrator": _time_reading(world, key, size, world.console),
    }
    with relay(data / "relay") as process:
        figures |= asyncio.run(_time_sdk(process, data / "home", size))
    settings: dict[str, object] = {
        "samples": size.samples,
        "entries": size.entries,
        "text": f"{len(TEXT)} characters",
    }
    report = Report("client", machine, settings, ("CPU µs, median", "least", "most"))
    report.rows = [_row(name, values) for name, values in figures.items()]
    report.goals = [
        at_most("G12 CPU to open a ticket without work, ms", [s * 1e3 for s in opening], 2),
        *(
            at_most(f"G12 CPU to {name}, µs", [s * 1e6 for s in values], 150)
            for name, values in figures.items()
            if name.startswith("read an entry")
        ),
    ]
    report.raw = {name: [round(s * 1e6, 1) for s in values] for name, values in figures.items()}
    return report


# --- the core alone --------------------------------------------------------------------------------------


def _time_opening(world: World, size: Size) -> tuple[list[float], TicketKeys]:
    """Time all that a client computes for a new ticket but the proof of work; return the last one's keys."""
    times: list[float] = []
    keys = TicketKeys.derive(world.master, world.roster.team_id, MONTH, 0)
    for index in range(size.samples):
        began = time.process_time()
        keys = TicketKeys.derive(world.master, world.roster.team_id, MONTH, index)
        conversation = world.user(keys)
        _create_request(world, keys)
        sealed = seal_opening(conversation, keys)
        _append_request(keys, sealed)
        spent = time.process_time() - began
        item = world.stored(keys, sealed)
        began = time.process_time()
        Thread(world.roster).take(conversation.receive(item))
        times.append(spent + time.process_time() - began)
    return times, keys


def _create_request(world: World, keys: TicketKeys) -> None:
    day, team_id = day_of(now()), world.roster.team_id
    proof = find_work(admit_hash(team_id, day, keys.mailbox), 0)
    public = keys.capability.public
    body = Create(public, public, 1, team_id, day, AdmissionMode.OPEN, proof).to_bytes()
    _sign(keys, "PUT", f"/v1/mailboxes/{b64(keys.mailbox)}", body)


def _append_request(keys: TicketKeys, sealed: Sealed) -> None:
    body = Append(sealed.seq, sealed.prev_hash, sealed.entry, ()).to_bytes()
    _sign(keys, "POST", f"/v1/mailboxes/{b64(keys.mailbox)}/entries", body)


def _sign(keys: TicketKeys, method: str, path: str, body: bytes) -> None:
    sign_request(
        keys.capability,
        method=method,
        authority=authority_of(URL),
        path=path,
        query="",
        digest=content_digest(body),
        now=now(),
        random=os.urandom,
    )


def _time_reading(
    world: World, keys: TicketKeys, size: Size, reader: Callable[[TicketKeys], Conversation]
) -> list[float]:
    """Time what a reader does for each entry of a page, the opening excepted: decode, chain, receipt, open, judge."""
    opening, *rest = _log(world, keys, size.entries)
    chain = Chain.start(keys.mailbox)
    for item in (opening, *rest):
        chain = chain.advance(item.entry)
    page = Page(chain.head, tuple(rest)).to_bytes()
    times: list[float] = []
    for _ in range(size.samples):
        conversation, thread = reader(keys), Thread(world.roster)
        thread.take(conversation.receive(opening))
        began = time.process_time()
        decoded = Page.from_bytes(page)
        conversation.chain.check_page(decoded)
        for item in decoded.items:
            thread.take(conversation.receive(item))
        times.append((time.process_time() - began) / len(rest))
    return times


def _log(world: World, keys: TicketKeys, entries: int) -> list[Stored]:
    """Return a ticket in which user and team write in turns."""
    conversation = world.user(keys)
    user = user_of(keys)
    items: list[Stored] = []
    for number in range(entries):
        signer = world.agent if number % 2 else user
        body = MessageBody(f"{number}: {TEXT}", 0)
        sealed = (
            seal(conversation, Kind.MESSAGE, body, signer) if number else seal_opening(conversation, keys)
        )
        items.append(world.stored(keys, sealed))
        conversation.receive(items[-1])
    return items


# --- the whole SDK over a relay --------------------------------------------------------------------------


async def _time_sdk(process: RelayProcess, home: Path, size: Size) -> dict[str, list[float]]:
    """Time the SDK as a program uses it: encrypted store, outbox, HTTP; the relay is another process."""
    link = found(process.url, process.code, process.relay_key).link
    bundle = UserBundle.fresh(link, os.urandom)
    async with SupportClient(link, keystore=MemoryKeystore(bundle), state_dir=home) as client:
        await client.verify_team()
        number, created = "", list[float]()
        for _ in range(size.samples):
            began = time.process_time()
            ref = await client.tickets.create(SUBJECT, TEXT, category="bug")
            created.append(time.process_time() - began)
            _require_stored(ref.state)
            number = ref.number
        replied: list[float] = []
        for _ in range(size.entries - 1):
            began = time.process_time()
            _require_stored((await client.tickets.reply(number, TEXT)).state)
            replied.append(time.process_time() - began)
    return {
        "open a ticket: the whole SDK with store and HTTP": created,
        "write an entry: the whole SDK with store and HTTP": replied,
        "show an entry from the local store, relay away": await _time_resuming(bundle, home, number, size),
    }


async def _time_resuming(bundle: UserBundle, home: Path, number: str, size: Size) -> list[float]:
    """Time how a program that was just started shows a ticket without the relay, per entry."""
    relay_away, times = FakeRelay(), list[float]()
    relay_away.inject(Fault.OFFLINE)
    for _ in range(size.samples):
        keystore = MemoryKeystore(bundle)
        async with SupportClient(bundle.link, keystore=keystore, state_dir=home, relay=relay_away) as client:
            began = time.process_time()
            ticket = await client.tickets.get(number)
            times.append((time.process_time() - began) / len(ticket.messages))
    return times


def _require_stored(state: str) -> None:
    if state != "stored":
        raise RuntimeError(f"the SDK says {state}")


def _row(name: str, values: Sequence[float]) -> Row:
    return Row(
        name,
        tuple(f"{number * 1e6:,.0f}" for number in (statistics.median(values), min(values), max(values))),
    )
