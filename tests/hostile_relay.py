"""What a hostile relay says instead of the truth, written once: a simulator or a proxy in front of a real one tells it.

truth = Truth(ReceiptSigner(relay_key))
face = Face(truth)                               # what one of the two sides is shown
port = lying(relay, face)                        # or hostile_proxy.Proxy(face) in front of a process
face.tell(log(LOG_FAULTS[Fault.DROP]), ticket)   # from now on

The relay's key is its own, so it signs anew what it changed unless a lie leaves the receipts as they were.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar, cast

from e2e_support.codec import Message
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import MailboxId, TeamId
from e2e_support.mailbox import Chain, ReceiptFact, ReceiptSigner
from e2e_support.roster import TrustedRoster
from e2e_support.wire import (
    Append,
    EpochPackage,
    FeedPage,
    LinksPage,
    Page,
    Receipt,
    RelayInfo,
    Stored,
)
from e2e_support_client.faults import View
from e2e_support_client.memory.held import Kept
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.refusals import refusal

Log = list[Kept]
LogChange = Callable[[Log, View], Log]
M = TypeVar("M", bound=Message)


NOWHERE: Final = MailboxId(b"")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked for: of which mailbox, if of any, and from where on (entry, link, step or epoch)."""

    mailbox: MailboxId = NOWHERE
    start: int = 0


@dataclass(frozen=True, slots=True)
class Lie:
    """One thing that is not told as it is.

    Attributes:
        about: the kind of answer that it changes.
        change: returns what is said instead; gets ``None`` where an honest relay has nothing, and may raise a
            ``Refused``.
        mailbox: where it is told; everywhere by default.
    """

    about: type[Message]
    change: Callable[[Face, Asked, Any], Message | None]
    mailbox: MailboxId | None = None


@dataclass
class Truth:
    """What really happened at the relay, noticed as it passes.

    Attributes:
        signer: the relay's own key.
        roster: returns the team's newest roster, which the relay can read like anybody.
        logs: what was stored.
    """

    signer: ReceiptSigner
    roster: Callable[[], TrustedRoster] | None = None
    logs: dict[MailboxId, Log] = field(default_factory=dict[MailboxId, Log])

    def note(self, mailbox: MailboxId, append: Append, receipt: bytes) -> None:
        """Notice an append that was answered for."""
        log = self.logs.setdefault(mailbox, [])
        if append.seq == len(log):
            log.append(Kept(append.entry, Receipt.from_bytes(receipt).leaf.time, receipt))


@dataclass
class Face:
    """What one side is shown of the relay.

    Attributes:
        truth: what the relay knows.
        lies: what it says instead.
        split: logs that go their own way on this side since it was told apart; the other side sees none of it.
    """

    truth: Truth
    lies: list[Lie] = field(default_factory=list[Lie])
    split: dict[MailboxId, Log] = field(default_factory=dict[MailboxId, Log])
    before: dict[MailboxId, int] = field(default_factory=dict[MailboxId, int])

    def tell(self, lie: Lie, mailbox: MailboxId | None = None) -> None:
        """Tell a lie from now on; a log's only about one mailbox."""
        self.before = {one: len(log) for one, log in self.truth.logs.items()}
        self.lies.append(replace(lie, mailbox=mailbox))

    def part(self, mailbox: MailboxId) -> None:
        """Keep what this side writes to a mailbox from the other side, and the other way round (attack 15)."""
        self.split[mailbox] = list(self.truth.logs[mailbox])

    def answer(self, kind: type[M], asked: Asked, honest: M | None) -> M | None:
        """Return what is said, given what an honest relay would say; ``None`` leaves its refusal.

        Raises:
            Refused: what a lie refuses.
        """
        if kind is Page and asked.mailbox in self.split:
            honest = cast("M", _page(asked, Chain.start(asked.mailbox), self.split[asked.mailbox]))
        for lie in self.lies:
            if lie.about is kind and lie.mailbox in {None, asked.mailbox}:
                honest = cast("M | None", lie.change(self, asked, honest))
        return honest

    def swallow(self, mailbox: MailboxId, append: Append) -> bytes | None:
        """Take an append into this side's own log and sign for it; ``None`` where there is none."""
        log = self.split.get(mailbox)
        if log is None:
            return None
        chain = _chain(mailbox, log)
        if (append.seq, append.prev_hash) != (chain.length, chain.hash):
            raise refusal("head_moved", head=chain.head)
        time = log[-1].time
        receipt = receipt_for(self.truth.signer, chain.advance(append.entry), time)
        log.append(Kept(append.entry, time, receipt))
        return receipt

    def view(self, mailbox: MailboxId) -> View:
        """Return what a change of a log may use besides."""
        logs = self.truth.logs
        others = sorted((log for one, log in logs.items() if one != mailbox), key=len, reverse=True)
        assert self.truth.roster is not None
        return View(mailbox, others, self.before.get(mailbox, 0), self.truth.roster())


# --- lies ------------------------------------------------------------------------------------------------


def log(change: LogChange, *, raw: bool = False, late: int = 0, signer: ReceiptSigner | None = None) -> Lie:
    """Return the lie that a log is another one.

    Args:
        change: returns the other one.
        raw: whether the receipts stay what they were; else the relay signs for what it made up.
        late: seconds to add to the times in its receipts.
        signer: signs instead of the relay's own key.
    """
    told_before: dict[int, Log] = {}  # a good liar says the same again

    def tell(face: Face, asked: Asked, honest: Page | None) -> Page | None:
        if honest is None:
            return None
        true = face.truth.logs[asked.mailbox]
        told = told_before.setdefault(len(true), change(list(true), face.view(asked.mailbox)))
        chain, shown, time = Chain.start(asked.mailbox), list[Kept](), 0
        for kept in told:
            chain = chain.advance(kept.entry)
            time = max(time, kept.time)  # going back would give it away
            receipt = kept.receipt if raw else receipt_for(signer or face.truth.signer, chain, time + late)
            shown.append(replace(kept, receipt=receipt))
        return _page(asked, chain, shown)

    return Lie(Page, tell)


def said(kind: type[M], change: Callable[[M], M]) -> Lie:
    """Return the lie that changes every honest answer of a kind."""
    return Lie(kind, lambda _face, _asked, honest: None if honest is None else change(honest))


def links(change: Callable[[Sequence[bytes], TrustedRoster], Sequence[bytes]]) -> Lie:
    """Return the lie that the team's links are others; ``change`` gets the true ones."""

    def tell(face: Face, asked: Asked, _honest: LinksPage | None) -> LinksPage:
        assert face.truth.roster is not None
        roster = face.truth.roster()
        told = tuple(change(roster.links, roster))
        return LinksPage(len(told), told[asked.start :])

    return Lie(LinksPage, tell)


def refusing(kind: type[Message], code: str) -> Lie:
    """Return the lie that there is nothing, with a code of protocol section 11."""

    def tell(_face: Face, _asked: Asked, _honest: Message | None) -> Message | None:
        raise refusal(code)

    return Lie(kind, tell)


def receipt_for(signer: ReceiptSigner, chain: Chain, time: int) -> bytes:
    """Return a receipt for the last entry of a chain."""
    return signer.sign([ReceiptFact(chain.mailbox, chain.length - 1, chain.hash, time)])[0]


def _page(asked: Asked, chain: Chain, log: Log) -> Page:
    """Return the part of a log that was asked for; the chain may be that of the whole log or of its beginning."""
    whole = chain if chain.length == len(log) else _chain(asked.mailbox, log)
    return Page(whole.head, tuple(Stored(kept.entry, kept.receipt) for kept in log[asked.start :]))


def _chain(mailbox: MailboxId, log: Log) -> Chain:
    chain = Chain.start(mailbox)
    for kept in log:
        chain = chain.advance(kept.entry)
    return chain


# --- the simulator as carrier ----------------------------------------------------------------------------


class _Lying:
    """A relay in memory with a face in front of it; whatever the face says nothing about goes straight through."""

    def __init__(self, relay: RelayPort, face: Face) -> None:
        self._relay = relay
        self._face = face

    def __getattr__(self, name: str) -> Any:
        """Return the honest call."""
        return getattr(self._relay, name)

    async def info(self) -> RelayInfo:
        return await self._told(RelayInfo, Asked(), self._relay.info())

    async def links(self, team_id: TeamId, start: int) -> LinksPage:
        return await self._told(LinksPage, Asked(start=start), self._relay.links(team_id, start))

    async def package(self, team_id: TeamId, epoch: int) -> EpochPackage:
        return await self._told(EpochPackage, Asked(start=epoch), self._relay.package(team_id, epoch))

    async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
        return await self._told(FeedPage, Asked(start=after), self._relay.feed(team_id, after, capability))

    async def read(self, mailbox: MailboxId, start: int, capability: SigningKey) -> Page:
        return await self._told(Page, Asked(mailbox, start), self._relay.read(mailbox, start, capability))

    async def append(self, mailbox: MailboxId, append: Append, capability: SigningKey) -> bytes:
        swallowed = self._face.swallow(mailbox, append)
        if swallowed is not None:
            return swallowed
        receipt = await self._relay.append(mailbox, append, capability)
        self._face.truth.note(mailbox, append, receipt)
        told = self._face.answer(Receipt, Asked(mailbox), Receipt.from_bytes(receipt))
        return told.to_bytes() if told else receipt

    async def _told(self, kind: type[M], asked: Asked, honest: Awaitable[M]) -> M:
        try:
            found, refused = await honest, None
        except Refused as error:
            found, refused = None, error
        told = self._face.answer(kind, asked, found)
        if told is None:
            assert refused is not None, "a lie about an answer is an answer"
            raise refused
        return told


def lying(relay: RelayPort, face: Face) -> RelayPort:
    """Return a relay as one side sees it."""
    return cast("RelayPort", _Lying(relay, face))
