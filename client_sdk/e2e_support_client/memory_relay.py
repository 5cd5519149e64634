"""A relay in memory that keeps the protocol's rules: what ``testing`` makes fail, and what simulators build on.

It checks no request signatures (there are no requests: a capability is handed over as a key), and it has neither
rate limits nor turns between writers; those are the real relay's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from e2e_support.admission import admit_hash, check_team, check_work, day_of
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.destruction import Deed, Destruction, DestructionBody, check_destruction
from e2e_support.errors import PeerError, TrustError
from e2e_support.freshness import FreshUntil, check_freshness, freshness_of
from e2e_support.ids import ID_SIZE, BlobId, Hash, MailboxId, TeamId
from e2e_support.limits import MAILBOX_ENTRIES_MAX, PAGE_BYTES_MAX, PAGE_ITEMS_MAX, PIECE_SIZE
from e2e_support.mailbox import Chain, ReceiptFact, ReceiptSigner, check_entry, mailbox_id, verify_receipt
from e2e_support.roster import TrustedRoster, begin_batch
from e2e_support.roster_links import open_link
from e2e_support.vocab import AdmissionMode, Direction, Role
from e2e_support.wire import (
    AdmissionTerms,
    Append,
    Batch,
    BlobSize,
    BlobState,
    Create,
    Entry,
    EpochPackage,
    FeedItem,
    FeedPage,
    Found,
    Head,
    LinksPage,
    Page,
    Receipt,
    RelayInfo,
    Ring,
    Stored,
)
from e2e_support_client import clock
from e2e_support_client.refusals import refusal

CODE = "FAKE-RELAY-CODE"
WORK_BITS = 4  # what a mailbox costs here: a few tries


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


class MemoryRelay:
    """A ``RelayPort`` in memory. What readers are shown goes through the ``*_shown`` methods, for others to change.

    Args:
        relay_key: signs receipts; must be listed in the genesis of the team. A random one by default.
        now: the clock, which ``advance`` moves forward.
        work_bits: what a mailbox costs, in leading zero bits.
        code: the one-time code that founds a team.

    Attributes:
        calls: the name of every call so far, in order.
    """

    def __init__(
        self,
        relay_key: SigningKey | None = None,
        *,
        now: clock.Clock = clock.now,
        work_bits: int = WORK_BITS,
        code: str = CODE,
    ) -> None:
        self._signer = ReceiptSigner(relay_key or SigningKey(Secret.random(clock.random)))
        self._now = now
        self._ahead = 0
        self._work_bits = work_bits
        self._code = code
        self._teams: dict[TeamId, HeldTeam] = {}
        self._mailboxes: dict[MailboxId, HeldMailbox] = {}
        self._blobs: dict[tuple[MailboxId, BlobId], HeldBlob] = {}
        self._rung = asyncio.Event()
        self.calls: list[str] = []

    # --- for tests ---------------------------------------------------------------------------------------

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

    def take_team(self, batch: Batch) -> TrustedRoster:
        """Take a team's founding batch without a code and return its roster."""
        roster = begin_batch(batch)
        self._teams[roster.team_id] = HeldTeam(roster, {p.epoch: p for p in batch.packages})
        return roster

    def take_batch(self, team_id: TeamId, batch: Batch) -> TrustedRoster:
        """Take further roster links, verified like the real relay does, and return the new roster.

        Raises:
            PeerError, TrustError: when the batch is not good; nothing changes.
        """
        team = self._team(team_id)
        team.roster = team.roster.update_batch(batch)
        team.packages |= {package.epoch: package for package in batch.packages}
        return team.roster

    def freeze(self, mailbox: MailboxId, *, frozen: bool = True) -> None:
        """Bar users from writing to a mailbox."""
        self._mailboxes[mailbox].frozen = frozen

    def stored(self, mailbox: MailboxId) -> tuple[Stored, ...]:
        """Return what a mailbox really holds, whatever readers are shown."""
        return tuple(Stored(kept.entry, kept.receipt) for kept in self._mailboxes[mailbox].log)

    @property
    def mailboxes(self) -> tuple[MailboxId, ...]:
        """The mailboxes that were not erased, in the order of their creation."""
        return tuple(mailbox for mailbox, box in self._mailboxes.items() if box.tombstone is None)

    # --- anyone ------------------------------------------------------------------------------------------

    async def info(self) -> RelayInfo:
        """Return what the relay says of itself."""
        await self._enter("info")
        return RelayInfo(1, 1, self.relay_key, self.time)

    async def found(self, found: Found) -> None:
        """Found a team with the one-time code."""
        await self._enter("found")
        if found.code != self._code:
            raise refusal("code_refused")
        self.take_team(Found.from_bytes(found.to_bytes()).batch)
        self._code = ""
        self._leave()

    async def links(self, team_id: TeamId, start: int) -> LinksPage:
        """Return roster links from a sequence number on."""
        await self._enter("links")
        links = self._links_shown(self._team(team_id).roster)
        return LinksPage(len(links), tuple(links[start:]))

    async def package(self, team_id: TeamId, epoch: int) -> EpochPackage:
        """Return an epoch's boxes and ring."""
        await self._enter("package")
        package = self._team(team_id).packages.get(epoch)
        if package is None:
            raise refusal("not_found")
        return package

    # --- the team's devices ------------------------------------------------------------------------------

    async def post_links(self, team_id: TeamId, batch: Batch, device: SigningKey) -> None:
        """Append a batch to the roster."""
        await self._enter("post_links")
        self._device(team_id, device)
        roster = self._team(team_id).roster
        batch = Batch.from_bytes(batch.to_bytes())
        start = open_link(batch.links[0]).body.seq if batch.links else 0
        if roster.links[start : start + len(batch.links)] != batch.links:
            if start != len(roster.links):
                raise refusal("head_moved", head=roster.head)
            try:
                self.take_batch(team_id, batch)
            except (PeerError, TrustError):
                raise refusal("link_refused") from None
        self._leave()

    async def freshness(self, team_id: TeamId) -> bytes | None:
        """Return the newest ``Freshness`` that enough devices signed, if there is one."""
        await self._enter("freshness")
        return self._team(team_id).freshness

    async def pending_freshness(self, team_id: TeamId, capability: SigningKey) -> bytes | None:
        """Return a ``Freshness`` that waits for further signatures, if there is one."""
        await self._enter("pending_freshness")
        return self._team_access(team_id, capability).pending

    async def put_freshness(self, team_id: TeamId, statement: bytes, device: SigningKey) -> bool:
        """Store a statement; false when it waits for further signatures."""
        await self._enter("put_freshness")
        self._device(team_id, device, Role.OWNER, Role.AGENT)
        team = self._team(team_id)
        try:
            before = freshness_of(team.freshness) if team.freshness else None
            earlier = FreshUntil(before.head, before.issued, before.expires) if before else None
            check_freshness(team.roster, statement, now=self.time, earlier=earlier)
        except (PeerError, TrustError) as error:
            if error.code != "too_few_signers" or not team.roster.has_head(freshness_of(statement).head):
                raise refusal("link_refused") from None
            team.pending = statement
        else:
            team.freshness, team.pending = statement, None
        self._leave()
        return team.pending is None

    async def admission(self, team_id: TeamId) -> AdmissionTerms:
        """Return what creating a mailbox costs now."""
        await self._enter("admission")
        rules = self._team(team_id).roster.policy.relay_rules()
        return AdmissionTerms(rules.mode, self._work_bits, day_of(self.time))

    # --- mailboxes ---------------------------------------------------------------------------------------

    async def create(self, mailbox: MailboxId, create: Create, creation: SigningKey) -> bool:
        """Create a mailbox; tell whether it is new."""
        await self._enter("create", mailbox)
        create = Create.from_bytes(create.to_bytes())
        if mailbox != mailbox_id(create.creation_key):
            raise refusal("not_found")
        if create.creation_key != creation.public:
            self._check_on_behalf(create, creation)
        known = self._mailboxes.get(mailbox)
        if known is None:
            self._admit(mailbox, create)
            self._mailboxes[mailbox] = HeldMailbox(create, Chain.start(mailbox))
        elif known.create != create:
            raise refusal("conflict")
        self._leave()
        return known is None

    async def append(self, mailbox: MailboxId, append: Append, capability: SigningKey) -> bytes:
        """Append an entry and return its receipt's bytes, judged in the order of protocol 3.3."""
        await self._enter("append", mailbox)
        box, by_team = self._access(mailbox, capability)
        append = Append.from_bytes(append.to_bytes())
        entry = _checked(append.entry)
        if append.seq < len(box.log) and box.log[append.seq].entry == append.entry:
            self._leave()
            return box.log[append.seq].receipt
        if (append.seq, append.prev_hash) != (box.chain.length, box.chain.hash):
            raise refusal("head_moved", head=box.chain.head)
        if box.written[by_team] >= MAILBOX_ENTRIES_MAX // 2:
            raise refusal("budget")
        if box.frozen and not by_team:
            raise refusal("frozen")
        if entry.boxes and entry.boxes[0].epoch != self._roster_of(box).epoch.epoch:
            raise refusal("epoch_changed")
        blobs = [self._free_blob(mailbox, blob) for blob in append.blobs]
        for blob in blobs:
            blob.committed = True
        receipt = self._store(mailbox, box, append.entry, by_team=by_team)
        self._leave()
        return self._receipt_shown(mailbox, receipt)

    async def read(self, mailbox: MailboxId, start: int, capability: SigningKey) -> Page:
        """Return the head and the entries from a sequence number on."""
        await self._enter("read", mailbox)
        box, _ = self._access(mailbox, capability)
        log, chain = self._log_shown(mailbox, box)
        items: list[Stored] = []
        room = PAGE_BYTES_MAX
        for kept in log[start : start + PAGE_ITEMS_MAX]:
            room -= len(kept.entry) + len(kept.receipt)
            if room < 0 and items:
                break
            items.append(Stored(kept.entry, kept.receipt))
        return Page(chain.head, tuple(items))

    async def hand_back(self, mailbox: MailboxId, page: Page, capability: SigningKey) -> Head:
        """Take entries back that this relay receipted before."""
        await self._enter("hand_back", mailbox)
        box, _ = self._access(mailbox, capability)
        page = Page.from_bytes(page.to_bytes())
        if page.head != box.chain.head:
            self._take_back(mailbox, box, page)
        self._leave()
        return page.head

    async def destroy(self, mailbox: MailboxId, statement: bytes, capability: SigningKey) -> None:
        """Carry out a ``Destruction``."""
        await self._enter("destroy", mailbox)
        box, _ = self._access(mailbox, capability, erased=True)
        if box.tombstone != statement:
            if box.tombstone is not None:
                raise refusal("erased")
            body = self._destruction(mailbox, box, statement)
            if body.deed in {Deed.FREEZE, Deed.THAW}:
                box.frozen = body.deed is Deed.FREEZE
            if body.deed is Deed.ERASE:
                self._erase(mailbox, box, Destruction.from_bytes(statement).to_bytes())
        self._leave()

    async def tombstone(self, mailbox: MailboxId, capability: SigningKey) -> bytes:
        """Return the statement by which a mailbox was erased."""
        await self._enter("tombstone")
        box, _ = self._access(mailbox, capability, erased=True)
        if box.tombstone is None:
            raise refusal("not_found")
        return box.tombstone

    async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
        """Return the steps of the team's feed after a cursor."""
        await self._enter("feed")
        feed = self._team_access(team_id, capability).feed
        return FeedPage(len(feed), tuple(feed[after : after + PAGE_ITEMS_MAX]))

    # --- bells -------------------------------------------------------------------------------------------

    async def wait_mailbox(
        self, mailbox: MailboxId, after: int, capability: SigningKey, *, wait: int
    ) -> Ring:
        """Return as soon as the mailbox has more than ``after`` entries, or after ``wait`` seconds."""
        await self._enter("wait_mailbox", mailbox)
        box, _ = self._access(mailbox, capability)
        await self._wait(lambda: len(box.log) > after, wait)
        return Ring(mailbox, len(box.log))

    async def wait_team(self, team_id: TeamId, after: int, capability: SigningKey, *, wait: int) -> Ring:
        """Return as soon as the feed's cursor is beyond ``after``, or after ``wait`` seconds."""
        await self._enter("wait_team")
        feed = self._team_access(team_id, capability).feed
        await self._wait(lambda: len(feed) > after, wait)
        return Ring(MailboxId(bytes(ID_SIZE)), len(feed))

    async def team_bell(self, team_id: TeamId, after: int, capability: SigningKey) -> AsyncGenerator[Ring]:
        """Yield rings from the team's feed until a fault or the caller ends it."""
        while True:
            ring = await self.wait_team(team_id, after, capability, wait=3600)
            after = ring.seq
            yield ring

    # --- blobs -------------------------------------------------------------------------------------------

    async def declare_blob(self, mailbox: MailboxId, blob: BlobId, size: int, capability: SigningKey) -> None:
        """Announce a blob of ``size`` bytes."""
        await self._enter("declare_blob", mailbox)
        _, by_team = self._access(mailbox, capability)
        declared = HeldBlob(BlobSize.from_bytes(BlobSize(size).to_bytes()).size, by_team)
        known = self._blobs.setdefault((mailbox, blob), declared)
        if (known.size, known.by_team) != (size, by_team):
            raise refusal("piece_conflict")
        self._leave()

    async def blob_state(self, mailbox: MailboxId, blob: BlobId, capability: SigningKey) -> BlobState:
        """Return which pieces of a blob are missing."""
        await self._enter("blob_state", mailbox)
        found = self._blob(mailbox, blob, capability)
        return BlobState(found.size, int(not found.missing), found.missing)

    async def put_piece(
        self, mailbox: MailboxId, blob: BlobId, index: int, piece: bytes, capability: SigningKey
    ) -> None:
        """Store one piece of a blob."""
        await self._enter("put_piece", mailbox)
        found = self._blob(mailbox, blob, capability)
        if len(piece) != max(0, min(PIECE_SIZE, found.size - index * PIECE_SIZE)) or not piece:
            raise refusal("malformed")
        if found.pieces.setdefault(index, bytes(piece)) != piece:
            raise refusal("piece_conflict")
        self._leave()

    async def read_blob(
        self, mailbox: MailboxId, blob: BlobId, start: int, end: int, capability: SigningKey
    ) -> bytes:
        """Return the bytes [start, end) of a complete blob."""
        await self._enter("read_blob", mailbox)
        found = self._blob(mailbox, blob, capability)
        if found.missing:
            raise refusal("blob_incomplete")
        return self._blob_shown(mailbox, found)[start:end]

    async def close(self) -> None:
        """Do nothing; it may be used again."""

    # --- rules -------------------------------------------------------------------------------------------

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

    def _device(self, team_id: TeamId, key: SigningKey, *roles: Role) -> None:
        """Refuse a key that is no active device's of these roles; of any role if none is named."""
        records = self._team(team_id).roster.devices.values()
        if not any(r.sign_key == key.public and (not roles or r.role in roles) for r in records):
            raise refusal("not_found")

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

    def _destruction(self, mailbox: MailboxId, box: HeldMailbox, statement: bytes) -> DestructionBody:
        roster, user_key = self._roster_of(box), box.create.user_key
        try:
            body = check_destruction(
                statement,
                team_id=roster.team_id,
                mailbox=mailbox,
                devices=roster.devices,
                user_key=user_key if roster.policy.relay_rules().user_erase else b"",
            )
        except PeerError as error:
            raise refusal("malformed" if error.code == "malformed" else "not_yours") from None
        return body

    def _erase(self, mailbox: MailboxId, box: HeldMailbox, statement: bytes) -> None:
        """Forget everything but the statement, which the feed then announces (protocol 3.9)."""
        feed, length = self._team(box.create.team_id).feed, len(box.log)
        nothing = MailboxId(bytes(ID_SIZE))
        feed[:] = [FeedItem(i.cursor, nothing, 0) if i.mailbox_id == mailbox else i for i in feed]
        box.tombstone = statement
        box.log.clear()
        self._blobs = {key: blob for key, blob in self._blobs.items() if key[0] != mailbox}
        self._announce(mailbox, box, length)

    def _check_on_behalf(self, create: Create, capability: SigningKey) -> None:
        """Let the team create a mailbox for a user who can open it, and nobody else one that is not theirs."""
        self._team_access(create.team_id, capability)
        if not (create.mode is AdmissionMode.TEAM and create.user_key == create.creation_key and create.team):
            raise refusal("malformed")

    def _admit(self, mailbox: MailboxId, create: Create) -> None:
        roster = self._team(create.team_id).roster
        admit = admit_hash(create.team_id, create.day, mailbox)
        today = abs(create.day - day_of(self.time)) <= 1
        if create.mode is AdmissionMode.TEAM:
            good = check_team(admit, create.proof, roster.epoch.capability_key)
        else:
            open_now = create.mode is roster.policy.relay_rules().mode is AdmissionMode.OPEN
            good = open_now and bool(create.user_key) and check_work(admit, create.proof, self._work_bits)
        if not (today and good):
            raise refusal("admission_refused")

    def _store(self, mailbox: MailboxId, box: HeldMailbox, entry: bytes, *, by_team: bool) -> bytes:
        time = max(self.time, box.log[-1].time if box.log else 0)
        chain = box.chain.advance(entry)
        receipt = self._receipt(mailbox, box.chain.length, chain.hash, time)
        self._keep(mailbox, box, Kept(entry, time, receipt), by_team=by_team)
        return receipt

    def _keep(self, mailbox: MailboxId, box: HeldMailbox, kept: Kept, *, by_team: bool) -> None:
        box.log.append(kept)
        box.chain = box.chain.advance(kept.entry)
        box.written[by_team] += 1
        self._announce(mailbox, box, len(box.log) - 1)

    def _take_back(self, mailbox: MailboxId, box: HeldMailbox, page: Page) -> None:
        """Store entries as they were stored before, all of them or none (protocol 3.10)."""
        chain, given = box.chain, list[Kept]()
        for item in page.items:
            after, leaf = chain.advance(item.entry), Receipt.from_bytes(item.receipt).leaf
            if (leaf.seq, leaf.entry_hash) != (chain.length, after.hash):
                raise refusal("head_moved", head=box.chain.head)
            try:
                keys = self._roster_of(box).relay_keys
                verify_receipt(item.receipt, keys, mailbox=mailbox, seq=leaf.seq, entry_hash=after.hash)
            except PeerError:
                raise refusal("malformed") from None
            given.append(Kept(item.entry, leaf.time, item.receipt))
            chain = after
        if chain.head != page.head:
            raise refusal("malformed")
        for kept in given:
            by_team = _checked(kept.entry).direction is not Direction.USER_TO_TEAM
            self._keep(mailbox, box, kept, by_team=by_team)

    def _announce(self, mailbox: MailboxId, box: HeldMailbox, seq: int) -> None:
        feed = self._team(box.create.team_id).feed
        if box.create.team:  # what the team cannot read is not in its feed (protocol 3.6)
            feed.append(FeedItem(len(feed) + 1, mailbox, seq))
        self._rung.set()
        self._rung = asyncio.Event()

    def _receipt(self, mailbox: MailboxId, seq: int, entry_hash: Hash, time: int) -> bytes:
        return self._signer.sign([ReceiptFact(mailbox, seq, entry_hash, time)])[0]

    def _free_blob(self, mailbox: MailboxId, blob: BlobId) -> HeldBlob:
        found = self._blobs.get((mailbox, blob))
        if found is None or found.missing or found.committed:
            raise refusal("blob_incomplete")
        return found

    def _blob(self, mailbox: MailboxId, blob: BlobId, capability: SigningKey) -> HeldBlob:
        self._access(mailbox, capability)
        found = self._blobs.get((mailbox, blob))
        if found is None:
            raise refusal("not_found")
        return found

    async def _wait(self, ready: Callable[[], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not ready():
                    await self._rung.wait()
        except TimeoutError:
            pass

    # --- what a subclass may change ------------------------------------------------------------------------

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


def _checked(entry: bytes) -> Entry:
    """Return an entry that is well formed, or refuse it as the real relay does."""
    try:
        return check_entry(entry)
    except PeerError as error:
        raise refusal("update_needed" if error.code == "update_needed" else "malformed") from None
