"""Mailboxes: create, append, read, and who may (protocol section 3)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from e2e_support.admission import admit_hash
from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId
from e2e_support.limits import PAGE_BYTES_MAX, PAGE_ITEMS_MAX
from e2e_support.mailbox import check_entry, entry_hash
from e2e_support.mailbox import mailbox_id as id_of_key
from e2e_support.request import content_digest
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import Append, Create, Page
from e2e_support_server.admission import Admission
from e2e_support_server.bell import Bell
from e2e_support_server.clock import Clock
from e2e_support_server.config import Limits
from e2e_support_server.fairness import Rate, Turns
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.rules import Mailbox, Wish, Writer
from e2e_support_server.service.handback import kept_wishes
from e2e_support_server.service.teams import Teams
from e2e_support_server.storage.base import Appended, NewMailbox, Store

CACHED = 50_000


class Mailboxes:
    """All mailboxes of the relay.

    Args:
        store: where they are kept.
        teams: whose they are.
        admission: who may create one.
        bell: told of every append.
        clock: the relay's clock.
        limits: what the relay grants.
    """

    def __init__(
        self, store: Store, teams: Teams, admission: Admission, bell: Bell, clock: Clock, limits: Limits
    ) -> None:
        self._store = store
        self._teams = teams
        self._admission = admission
        self._bell = bell
        self._clock = clock
        self._turns = Turns()
        self._rates = (
            Rate(limits.user_rate, limits.user_rate * limits.rate_burst),
            Rate(limits.team_rate, limits.team_rate * limits.rate_burst),
        )
        self._known: OrderedDict[MailboxId, Mailbox] = OrderedDict()

    async def access(
        self, mailbox_id: MailboxId, public: bytes, *, erased: bool = False
    ) -> tuple[Mailbox, Writer] | None:
        """Return a mailbox and the class that a capability belongs to; ``None`` if there is no such thing.

        An erased one is returned if so asked, else refused as ``erased``: that it was there is told to those
        who could open it, and to nobody else. A stranger always waits for the database, whether the id exists, is
        remembered here or is made up.
        """
        known = self._known.get(mailbox_id)
        if known is not None and (writer := self._writer(known, public)) is not None:
            return known, writer
        mailbox = await self._store.mailbox(mailbox_id)
        writer = self._writer(mailbox, public) if mailbox else None
        if mailbox is None or writer is None:
            return None
        if not mailbox.erased:
            self._remember(mailbox)
        elif not erased:
            raise Refusal("erased")
        return mailbox, writer

    async def is_capability(self, public: bytes) -> bool:
        """Tell whether a key opens anything here."""
        return self._teams.holds_any(public) or await self._store.is_user_key(public)

    async def create(self, mailbox_id: MailboxId, public: bytes, body: bytes, address: str) -> bool:
        """Create a mailbox (§3.2); false when the same request did so before.

        Args:
            mailbox_id: belongs to the key that signed, unless that is a team's capability.
            public: the key that signed.
            body: a ``Create``.
            address: where the request came from; only counted, never kept.

        Raises:
            Refusal: ``conflict``, ``not_found`` (the team), ``admission_refused``, ``rate``.
        """
        create, request, now = Create.from_bytes(body), content_digest(body), self._clock()
        if create.creation_key != public:
            self._check_on_behalf(mailbox_id, public, create)
        if await self._store.repeated(mailbox_id, request):
            return False
        team = self._teams.team(create.team_id)
        admit = admit_hash(create.team_id, create.day, mailbox_id)
        self._admission.check(create, admit, team, now)
        self._admission.limit(create, address, now)
        new = NewMailbox(mailbox_id, request, create.user_key, create.team_id, bool(create.team))
        made = await self._store.create(new, int(now))
        if made and create.mode is AdmissionMode.OPEN:
            self._admission.created(now)
        return made

    def _check_on_behalf(self, mailbox_id: MailboxId, public: bytes, create: Create) -> None:
        """Do nothing if a capability may create a user's mailbox: in its own team, and the user can open it.

        Raises:
            PeerError: ``malformed``.
            Refusal: ``not_found``.
        """
        if id_of_key(create.creation_key) != mailbox_id or not self._teams.holds(create.team_id, public):
            raise not_found()
        if create.mode is not AdmissionMode.TEAM or create.user_key != create.creation_key or not create.team:
            raise PeerError("malformed", "a team creates mailboxes of users with its own proof")

    async def append(self, mailbox: Mailbox, writer: Writer, body: bytes) -> bytes:
        """Store an entry and return its receipt (§3.3).

        Raises:
            PeerError: ``malformed``, ``update_needed``.
            Refusal: ``head_moved``, ``budget``, ``rate``, ``frozen``, ``epoch_changed``, ``blob_incomplete``.
        """
        wish = self._wish(mailbox, writer, Append.from_bytes(body))
        try:
            appended = await self._store.append(wish)
        except Refusal as refusal:
            if refusal.code == "head_moved":
                self._turns.refused(mailbox.number, writer, self._clock())
            raise
        if appended.length:
            self._turns.stored(mailbox.number, writer)
        self._ring(mailbox, appended)
        return appended.receipt

    async def hand_back(self, mailbox: Mailbox, body: bytes) -> bytes:
        """Store entries that this relay lost and return the ``Head`` (§3.10); harmless when they are there.

        Args:
            mailbox: where to.
            body: a ``Page``.

        Raises:
            PeerError: ``malformed``, ``bad_receipt``, ``bad_signature``.
            Refusal: ``head_moved`` when they do not continue the relay's head, ``budget``.
        """
        page = Page.from_bytes(body)
        head, _ = await self._store.page(mailbox, 0, items=0, size=0)
        if page.head != head:
            keys = self._teams.team(mailbox.team_id).roster.relay_keys
            wishes = await asyncio.to_thread(kept_wishes, mailbox, head, page, keys)
            await self._take_back(wishes)
        return page.head.to_bytes()

    async def _take_back(self, wishes: Sequence[Wish]) -> None:
        """Append in order: waiting together they make one group, and behind a refused one nothing fits."""
        outcomes = await asyncio.gather(*map(self._store.append, wishes), return_exceptions=True)
        for wish, outcome in zip(wishes, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            self._ring(wish.mailbox, outcome)

    def _ring(self, mailbox: Mailbox, appended: Appended) -> None:
        if appended.length:
            self._bell.ring(mailbox.id, appended.length)
        if appended.cursor:
            self._bell.ring(mailbox.team_id, appended.cursor)

    async def page(self, mailbox: Mailbox, start: int) -> bytes:
        """Return a ``Page`` (§3.5)."""
        head, items = await self._store.page(mailbox, start, items=PAGE_ITEMS_MAX, size=PAGE_BYTES_MAX)
        return Page(head, tuple(items)).to_bytes()

    async def length(self, mailbox: Mailbox) -> int:
        """Return how many entries a mailbox has."""
        head, _ = await self._store.page(mailbox, 0, items=0, size=0)
        return head.length

    def forget(self, mailbox_id: MailboxId) -> None:
        """Drop a deleted mailbox from memory."""
        self._known.pop(mailbox_id, None)

    def _writer(self, mailbox: Mailbox, public: bytes) -> Writer | None:
        if public and mailbox.user_key == public:
            return Writer.USER
        return Writer.TEAM if mailbox.team and self._teams.holds(mailbox.team_id, public) else None

    def _remember(self, mailbox: Mailbox) -> None:
        self._known[mailbox.id] = mailbox
        if len(self._known) > CACHED:
            self._known.popitem(last=False)

    def _wish(self, mailbox: Mailbox, writer: Writer, append: Append) -> Wish:
        entry = check_entry(append.entry)
        now = self._clock()
        return Wish(
            mailbox=mailbox,
            writer=writer,
            seq=append.seq,
            prev_hash=append.prev_hash,
            entry=append.entry,
            entry_hash=entry_hash(mailbox.id, append.seq, append.prev_hash, append.entry),
            epoch=entry.boxes[0].epoch if entry.boxes else None,
            blobs=append.blobs,
            wait=self._turns.wait(mailbox.number, writer, now)
            or self._rates[writer].wait((mailbox.number, writer), now),
        )
