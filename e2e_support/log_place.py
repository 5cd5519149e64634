"""How far a reader followed a log: its chain and keys, its user, the newest receipt (protocol sections 5.2-5.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from e2e_support.canonical import encode
from e2e_support.content import Inner, OpenBody, OpenForBody
from e2e_support.crypto.hash import digest, u64
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.suite import SUITE, VERSION
from e2e_support.errors import PeerError, TrustError
from e2e_support.ids import DeviceId, Hash, MailboxId, RelayKeyId, TeamId
from e2e_support.mailbox import Chain, verify_receipt
from e2e_support.opened import Opened
from e2e_support.tags import Tag
from e2e_support.ticket_keys import KeyPort
from e2e_support.user import card_in
from e2e_support.vocab import AuthorRole, Direction, Verdict
from e2e_support.wire import Box, DeviceRecord, EpochRecord, Head, Receipt

PROOFS_MAX = 8  # contradictions of the relay that are kept per log: one is enough, a few show a habit
_NO_BOXES = digest(Tag.BOXES, encode(()))


class Team(Protocol):
    """What a conversation asks of the roster; ``TrustedRoster`` answers it."""

    @property
    def team_id(self) -> TeamId:
        """The pinned id."""
        ...

    @property
    def head(self) -> Head:
        """How far it goes."""
        ...

    @property
    def epoch(self) -> EpochRecord:
        """The newest epoch."""
        ...

    @property
    def relay_keys(self) -> Mapping[RelayKeyId, bytes]:
        """Receipt keys by id."""
        ...

    def has_head(self, head: Head) -> bool:
        """Tell whether a head is one that this roster went through."""
        ...

    def epoch_at(self, seq: int) -> EpochRecord:
        """Return the epoch that was the newest once the link of that sequence number stood."""
        ...

    def device_at(self, device_id: DeviceId, head: Head) -> DeviceRecord | None:
        """Return the device if it was active at that head."""
        ...


@dataclass(slots=True)
class LogPlace:
    """Where one reader stands in one log (shared or staff), and what the roster at hand says of its next entry.

    Args:
        mailbox: the log's mailbox.
        team: the roster; replace it with a newer one as it grows.
        keys: opens this reader's key boxes.
        staff: whether it is a staff log.
        author_key: the user's author key where it is known beforehand (the user's own client); otherwise it is
            taken from the first entry.

    Attributes:
        chain: how far the log was followed.
        gen: newest generation of the ticket key in the log; -1 before the first entry.
        epoch: team epoch of the newest boxes that hold.
        reply_key: the user's X-Wing public key, once the first entry told it.
        user_key: what joins this user's tickets, once the first entry proved it.
        equivocations: pairs of receipts that differ for one entry or go back in time: proof against the relay.
    """

    mailbox: MailboxId
    team: Team
    keys: KeyPort
    staff: bool = False
    author_key: bytes | None = None
    chain: Chain = field(init=False)
    gen: int = field(init=False, default=-1)
    epoch: int = field(init=False, default=0)
    reply_key: bytes | None = field(init=False, default=None)
    user_key: bytes | None = field(init=False, default=None)
    equivocations: list[tuple[bytes, bytes]] = field(init=False, default_factory=list[tuple[bytes, bytes]])
    _key: Secret | None = field(init=False, default=None)
    _cited: int = field(init=False, default=0)
    _receipt: bytes = field(init=False, default=b"")
    _received: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Begin before the first entry."""
        self.chain = Chain.start(self.mailbox)

    def context(self, seq: int, gen: int, direction: Direction, boxes: tuple[Box, ...]) -> bytes:
        """Return C of §5.3 for the next entry: the place that its ciphertext and signature are bound to."""
        boxes_hash = digest(Tag.BOXES, encode(tuple(box.dump() for box in boxes))) if boxes else _NO_BOXES
        numbers = u64(VERSION) + u64(SUITE)
        place = self.team.team_id + self.mailbox + u64(seq) + self.chain.hash
        return digest(Tag.CONTEXT, numbers, place, u64(gen), u64(direction), boxes_hash)

    def _direction_of(self, role: AuthorRole) -> Direction:
        if self.staff:
            return Direction.TEAM_ONLY
        return Direction.USER_TO_TEAM if role is AuthorRole.USER else Direction.TEAM_TO_USER

    # --- what the roster at hand says ----------------------------------------------------------------------

    def _is_strange(self, cited: Head, *, accept_strange: bool) -> bool:
        if self.team.has_head(cited):
            return False
        self._require_roster(cited.length <= self.team.head.length or accept_strange)
        return True

    def _require_roster(self, known: bool) -> None:  # noqa: FBT001 - the answer to the question before the call
        if not known:
            raise TrustError("roster_behind", "an entry cites a newer roster", hint="Fetch the roster first.")

    def _device_of(self, inner: Inner) -> DeviceRecord | None:
        if inner.author.role is AuthorRole.USER:
            return None
        return self.team.device_at(DeviceId(inner.author.key), inner.roster_head)

    def _is_newest(self, epoch: int, cited: Head) -> bool:
        """Tell whether boxes name the newest epoch that their author knew.

        A removed device can cite only heads before its removal. So it cannot name the epoch that its removal
        began, and whatever key it brings is replaced by the next writer (attack 52).
        """
        return epoch == self.team.epoch_at(cited.length - 1).epoch

    def _quoted_time(self, receipt: bytes, *, accept_strange: bool) -> int | None:
        """Return the time that an entry quotes for the one before it; ``None`` where the quote does not hold.

        The quote of every author whose signature holds counts, whatever else is wrong with the entry: all readers
        see the same quote, but each has a receipt at hand of its own (§5.7).
        """
        if receipt == self._receipt:
            return self._received
        last = self.chain.length - 1
        try:
            return self._receipt_time(receipt, last, self.chain.hash, accept_strange=accept_strange)
        except PeerError:
            return None

    def _receipt_time(self, data: bytes, seq: int, entry_hash: Hash, *, accept_strange: bool) -> int:
        """Return the time of a receipt for exactly that entry (§3.4)."""
        keys = self.team.relay_keys
        try:
            return verify_receipt(data, keys, mailbox=self.mailbox, seq=seq, entry_hash=entry_hash).leaf.time
        except PeerError:
            known = Receipt.from_bytes(data).leaf.relay_key_id in keys
            self._require_roster(known or accept_strange)
            raise

    # --- going on --------------------------------------------------------------------------------------------

    def _follow(self, opened: Opened) -> None:
        self._note_proofs(opened)
        self.chain = Chain(self.mailbox, opened.seq + 1, opened.hash)
        if opened.gen != self.gen:
            self._key = opened.key
        self.gen, self.epoch = opened.gen, opened.epoch
        self._receipt, self._received = opened.receipt, opened.received
        if opened.inner is None:
            return
        if opened.verdict is not Verdict.UNVERIFIABLE:  # an unknown head must not outdate the true ones
            self._cited = max(self._cited, opened.inner.roster_head.length)
        if opened.seq == 0:
            self._meet_user(opened, opened.inner)

    def _meet_user(self, opened: Opened, inner: Inner) -> None:
        """Take from the first entry who the user is and how to reach them."""
        body, by_user = opened.body, inner.author.role is AuthorRole.USER
        if isinstance(body, OpenBody) and by_user:
            self.author_key, self.reply_key = inner.author.key, body.reply_key
            self.user_key = body.user_key if opened.verdict is Verdict.OK else None
        if isinstance(body, OpenForBody) and not by_user and opened.verdict is Verdict.OK:
            card = card_in(body.card)
            self.author_key, self.reply_key, self.user_key = card.author_key, card.reply_key, card.user_key

    def _note_proofs(self, opened: Opened) -> None:
        """Keep receipts that contradict each other: two for one entry, or one that goes back in time (§5.7)."""
        other: list[bytes] = []
        if opened.inner and opened.quoted not in {0, self._received}:
            other.append(opened.inner.receipt)
        if opened.received < self._received:
            other.append(opened.receipt)
        room = PROOFS_MAX - len(self.equivocations)
        self.equivocations += [(self._receipt, receipt) for receipt in other[:room]]
