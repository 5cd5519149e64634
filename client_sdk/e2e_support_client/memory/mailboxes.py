"""Mailboxes of a relay in memory: creating, appending, reading, handing back, erasing (protocol section 3)."""

from __future__ import annotations

from e2e_support.admission import admit_hash, check_team, check_work, day_of
from e2e_support.crypto.sign import SigningKey
from e2e_support.destruction import Deed, Destruction, DestructionBody, check_destruction
from e2e_support.errors import PeerError
from e2e_support.ids import ID_SIZE, BlobId, DeviceId, MailboxId
from e2e_support.limits import MAILBOX_ENTRIES_MAX, PAGE_BYTES_MAX, PAGE_ITEMS_MAX
from e2e_support.mailbox import Chain, check_entry, mailbox_id, verify_receipt
from e2e_support.vocab import AdmissionMode, Direction, Role
from e2e_support.wire import Append, Create, Entry, FeedItem, Head, Page, Receipt, Ring, Stored
from e2e_support_client.memory.held import HeldBlob, HeldMailbox, Kept
from e2e_support_client.memory.teams import HeldTeams
from e2e_support_client.refusals import refusal


class HeldMailboxes(HeldTeams):
    """What a relay does with mailboxes."""

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

    # --- the port ----------------------------------------------------------------------------------------

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
            if body.deed in {Deed.HOLD, Deed.RELEASE}:
                box.held = body.deed is Deed.HOLD
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

    async def wait_mailbox(
        self, mailbox: MailboxId, after: int, capability: SigningKey, *, wait: int
    ) -> Ring:
        """Return as soon as the mailbox has more than ``after`` entries, or after ``wait`` seconds."""
        await self._enter("wait_mailbox", mailbox)
        box, _ = self._access(mailbox, capability)
        await self._wait(lambda: len(box.log) > after, wait)
        return Ring(mailbox, len(box.log))

    # --- rules -------------------------------------------------------------------------------------------

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

    def _free_blob(self, mailbox: MailboxId, blob: BlobId) -> HeldBlob:
        found = self._blobs.get((mailbox, blob))
        if found is None or found.missing or found.committed:
            raise refusal("blob_incomplete")
        return found

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
        device = roster.devices.get(DeviceId(body.by))
        is_agents = device is not None and device.role is Role.AGENT
        if box.held and body.deed in {Deed.ERASE, Deed.RELEASE} and is_agents:
            raise refusal("not_yours")
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


def _checked(entry: bytes) -> Entry:
    """Return an entry that is well formed, or refuse it as the real relay does."""
    try:
        return check_entry(entry)
    except PeerError as error:
        raise refusal("update_needed" if error.code == "update_needed" else "malformed") from None
