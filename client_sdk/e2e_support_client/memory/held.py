"""What a relay in memory holds, who may look at it, and what a subclass may show instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import BlobId, Hash, MailboxId, TeamId
from e2e_support.limits import PIECE_SIZE
from e2e_support.mailbox import Chain, ReceiptFact, ReceiptSigner
from e2e_support.roster import TrustedRoster
from e2e_support.wire import Create, EpochPackage, FeedItem
from e2e_support_client import clock
from e2e_support_client.refusals import refusal

CODE = "FAKE-RELAY-CODE"


@dataclass(frozen=True, slots=True)
class Kept:
    """One entry as the relay keeps it.

    Attributes:
        entry: its bytes.
        time: when it was received, seconds since 1970.
        receipt: what the writer was answered.
    """

    entry: bytes
    time: int
    receipt: bytes


@dataclass(slots=True)
class HeldTeam:
    """A team, its epochs' boxes, its feed and its freshness statements."""

    roster: TrustedRoster
    packages: dict[int, EpochPackage]
    feed: list[FeedItem] = field(default_factory=list[FeedItem])
    freshness: bytes | None = None
    pending: bytes | None = None


@dataclass(slots=True)
class HeldMailbox:
    """A mailbox; ``written`` counts entries by whether the team wrote them."""

    create: Create
    chain: Chain
    log: list[Kept] = field(default_factory=list[Kept])
    written: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    frozen: bool = False
    held: bool = False
    tombstone: bytes | None = None


@dataclass(slots=True)
class HeldBlob:
    """A declared blob with the pieces that were sent."""

    size: int
    by_team: bool
    pieces: dict[int, bytes] = field(default_factory=dict[int, bytes])
    committed: bool = False

    @property
    def missing(self) -> tuple[int, ...]:
        """The indices of the pieces that were not sent."""
        return tuple(i for i in range(-(-self.size // PIECE_SIZE)) if i not in self.pieces)

    @property
    def data(self) -> bytes:
        """The bytes of all pieces."""
        return b"".join(self.pieces[index] for index in sorted(self.pieces))


class HeldRelay:
    """Everything that is stored; a capability is the key itself, since there are no requests to sign.

    Args:
        relay_key: signs receipts; a random one by default.
        now: the clock, which ``advance`` moves forward.

    Attributes:
        calls: the name of every call so far, in order.
    """

    def __init__(self, relay_key: SigningKey | None, now: clock.Clock) -> None:
        self._signer = ReceiptSigner(relay_key or SigningKey(Secret.random(clock.random)))
        self._now = now
        self._ahead = 0
        self._teams: dict[TeamId, HeldTeam] = {}
        self._mailboxes: dict[MailboxId, HeldMailbox] = {}
        self._blobs: dict[tuple[MailboxId, BlobId], HeldBlob] = {}
        self._rung = asyncio.Event()
        self.calls: list[str] = []

    @property
    def relay_key(self) -> bytes:
        """The public key under which receipts are signed."""
        return self._signer.public

    @property
    def time(self) -> int:
        """The relay's time in seconds since 1970."""
        return self._now() + self._ahead

    def advance(self, seconds: int) -> None:
        """Let the relay's clock run ahead."""
        self._ahead += seconds

    # --- who may look ------------------------------------------------------------------------------------

    def _team(self, team_id: TeamId) -> HeldTeam:
        team = self._teams.get(team_id)
        if team is None:
            raise refusal("not_found")
        return team

    def _team_access(self, team_id: TeamId, capability: SigningKey) -> HeldTeam:
        team = self._team(team_id)
        if capability.public != team.roster.epoch.capability_key:
            raise refusal("not_found")
        return team

    def _roster_of(self, box: HeldMailbox) -> TrustedRoster:
        return self._team(box.create.team_id).roster

    def _access(
        self, mailbox: MailboxId, capability: SigningKey, *, erased: bool = False
    ) -> tuple[HeldMailbox, bool]:
        """Return a mailbox and whether the capability is the team's; strangers learn nothing (P1, attack 47)."""
        box = self._mailboxes.get(mailbox)
        by_user = box is not None and capability.public == box.create.user_key
        if box is None or not (
            by_user or (box.create.team and capability.public == self._roster_of(box).epoch.capability_key)
        ):
            raise refusal("not_found")
        if box.tombstone is not None and not erased:
            raise refusal("erased")
        return box, not by_user

    def _receipt(self, mailbox: MailboxId, seq: int, entry_hash: Hash, time: int) -> bytes:
        return self._signer.sign([ReceiptFact(mailbox, seq, entry_hash, time)])[0]

    # --- bells -------------------------------------------------------------------------------------------

    def _announce(self, mailbox: MailboxId, box: HeldMailbox, seq: int) -> None:
        feed = self._team(box.create.team_id).feed
        if box.create.team:  # what the team cannot read is not in its feed (protocol 3.6)
            feed.append(FeedItem(len(feed) + 1, mailbox, seq))
        self._rung.set()
        self._rung = asyncio.Event()

    async def _wait(self, ready: Callable[[], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not ready():
                    await self._rung.wait()
        except TimeoutError:
            pass

    # --- what a subclass may change ----------------------------------------------------------------------

    async def _enter(self, call: str, mailbox: MailboxId | None = None) -> None:
        """Note a call before anything is looked up; may raise instead of answering."""
        del mailbox
        self.calls.append(call)

    def _leave(self) -> None:
        """Be told that something was stored; may raise instead of saying so."""

    def _links_shown(self, roster: TrustedRoster) -> list[bytes]:
        """Return the roster's links."""
        return list(roster.links)

    def _log_shown(self, mailbox: MailboxId, box: HeldMailbox) -> tuple[list[Kept], Chain]:
        """Return a log and its chain."""
        del mailbox
        return box.log, box.chain

    def _receipt_shown(self, mailbox: MailboxId, receipt: bytes) -> bytes:
        """Return the receipt that a writer gets."""
        del mailbox
        return receipt

    def _blob_shown(self, mailbox: MailboxId, blob: HeldBlob) -> bytes:
        """Return a blob's bytes."""
        del mailbox
        return blob.data
