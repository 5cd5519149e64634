"""One log of a ticket: bytes in, opened entries out; drafts in, sealed entries out (protocol sections 5.2-5.5).

User clients and consoles drive the same object. It checks the chain, the receipts, the key boxes, the
signatures and the roster; what an entry means for the ticket is decided in ``ticket.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Protocol

from e2e_support.codec import Bin, Choice, Message, Text, Uint, encode
from e2e_support.content import (
    BODIES,
    Attachment,
    Author,
    Inner,
    MergeBody,
    OpenBody,
    OpenForBody,
    SignedInner,
)
from e2e_support.crypto import cae
from e2e_support.crypto.hash import digest, same, u64
from e2e_support.crypto.kem import KemPublic
from e2e_support.crypto.pad import pad, unpad
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret
from e2e_support.crypto.sign import SigningKey, require_signature
from e2e_support.crypto.suite import KEY_SIZE, SUITE, VERSION, cannot_open
from e2e_support.errors import PeerError, TrustError, UsageError
from e2e_support.ids import DeviceId, Hash, MailboxId, MessageId, RelayKeyId, TeamId
from e2e_support.limits import ENTRY_MAX, ID_TEXT_MAX, INNER_MAX, KIB, RECEIPT_MAX
from e2e_support.mailbox import Chain, check_entry, verify_receipt
from e2e_support.tags import Tag
from e2e_support.ticket_keys import KeyPort, seal_boxes
from e2e_support.user import card_in, is_users, open_card
from e2e_support.vocab import AuthorRole, Direction, Kind, Recipient, Verdict
from e2e_support.wire import B32, Box, DeviceRecord, Entry, EpochRecord, Head, Receipt, Stored

PROOFS_MAX = 8  # contradictions of the relay that are kept per log: one is enough, a few show a habit
_NO_BOXES = digest(Tag.BOXES, encode(()))
_UNKNOWN_HERE = frozenset({"no_key", "no_author"})  # a device without history misses them: no alarm


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


@dataclass(frozen=True, slots=True)
class Opened:
    """One entry as this reader could open and check it.

    Attributes:
        seq: its place in the log.
        hash: its chained hash.
        verdict: what the checks of this module say; rules of the ticket come on top.
        reason: why the verdict is not OK; empty otherwise.
        receipt: the relay's receipt at hand.
        received: the time in that receipt, seconds since 1970.
        quoted: the time that this entry quotes for its predecessor; 0 where it quotes none that holds or its
            signature does not.
        gen: generation of the ticket key; -1 before any boxes.
        epoch: team epoch of its boxes if they hold, otherwise of the last boxes before it that did.
        key: the ticket key, where this entry begins a generation: only with the verdict OK, since everybody can
            seal a key of their own for the team and the entry's signature alone says whose it is.
        inner: its signed part; ``None`` where it did not open or is forged.
        body: the decoded body of its kind; ``None`` likewise.
        device: the roster device that signed it; ``None`` for the user and for what cannot be attributed.
        known: how many roster links this reader knew when it first followed the entry (§4.8).
        entry: its bytes as stored: a restored relay gets them back, an export shows them.
    """

    seq: int
    hash: Hash
    verdict: Verdict
    reason: str
    receipt: bytes
    received: int
    quoted: int = 0
    gen: int = 0
    epoch: int = 0
    key: Secret | None = None
    inner: Inner | None = None
    body: Message | None = None
    device: DeviceRecord | None = None
    known: int = 0
    entry: bytes = b""

    def record(self) -> Record:
        """Return what an encrypted local store keeps, so that nothing has to be opened twice.

        Keep what a conversation returned: a thread's verdicts and times are found again from it.
        """
        key = self.key.reveal(SECRET_ACCESS) if self.key else b""
        inner = self.inner.to_bytes() if self.inner else b""
        return Record(
            self.hash, self.verdict, self.reason, self.receipt, self.received, self.quoted, self.gen + 1, self.epoch,
            key, inner, self.known, self.entry,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record(Message):
    """An opened entry at rest. It holds keys and plaintext: only for a store that is itself encrypted.

    ``gens`` is how many generations the log has begun: 0 where even its first entry is junk.
    """

    LIMIT: ClassVar[int] = INNER_MAX + ENTRY_MAX + 8 * KIB
    hash: Annotated[Hash, B32]
    verdict: Annotated[Verdict, Choice(Verdict)]
    reason: Annotated[str, Text(ID_TEXT_MAX)]
    receipt: Annotated[bytes, Bin(most=RECEIPT_MAX)]
    received: Annotated[int, Uint()]
    quoted: Annotated[int, Uint()]
    gens: Annotated[int, Uint()]
    epoch: Annotated[int, Uint()]
    key: Annotated[bytes, Bin((0, 32))]
    inner: Annotated[bytes, Bin(most=INNER_MAX)]
    known: Annotated[int, Uint()]
    entry: Annotated[bytes, Bin(most=ENTRY_MAX)]


@dataclass(frozen=True, slots=True)
class AuthorKey:
    """Who seals: how the author is named inside the entry, and the key that signs."""

    author: Author
    key: SigningKey


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person wants to say, before it is sealed."""

    kind: Kind
    body: Message
    message_id: MessageId
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry ready to be appended: its place, its bytes, its hash once it stands there."""

    seq: int
    prev_hash: Hash
    entry: bytes
    hash: Hash


@dataclass(slots=True)
class Conversation:
    """One log (shared or staff) as one reader follows it.

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

    # --- reading -----------------------------------------------------------------------------------------

    def receive(self, item: Stored, *, accept_strange: bool = False) -> Opened:
        """Open the entry that follows what was followed so far.

        Args:
            item: the stored entry with its receipt, after ``chain.check_page``.
            accept_strange: judge by the roster at hand what names a head, an epoch or a relay key beyond it,
                instead of asking for a newer roster.

        Raises:
            PeerError: ``bad_receipt`` or ``bad_signature`` for a false receipt, ``update_needed`` when this program
                is too old for the ticket; the entry is not followed.
            TrustError: ``roster_behind`` when the entry or its receipt names something of a newer roster: fetch
                links (and, for a console, the boxes of new epochs), set ``team``, try again, and accept strange
                ones if it still is.
        """
        chain = self.chain.advance(item.entry)
        time = self._receipt_time(item.receipt, self.chain.length, chain.hash, accept_strange=accept_strange)
        seen = Opened(
            self.chain.length, chain.hash, Verdict.OK, "", item.receipt, time, 0, self.gen, self.epoch,
            known=self.team.head.length, entry=item.entry if len(item.entry) <= ENTRY_MAX else b"",
        )  # fmt: skip
        opened = self._open(item.entry, seen, accept_strange=accept_strange)
        self._follow(opened)
        return opened

    def resume(self, records: Iterable[Record]) -> list[Opened]:
        """Follow entries that this reader opened before and kept; nothing is checked again.

        An entry that was unverifiable stays so: forget a log that has one, and follow it anew, once the roster or
        the keys that were missing are there.

        Args:
            records: from the first entry on, in order, from a store that nobody else can write.
        """
        return [self._resume_one(record) for record in records]

    def _resume_one(self, record: Record) -> Opened:
        opened = Opened(
            self.chain.length, record.hash, record.verdict, record.reason, record.receipt, record.received,
            record.quoted, record.gens - 1, record.epoch, Secret(record.key) if record.key else None,
            known=record.known, entry=record.entry,
        )  # fmt: skip
        if record.inner:
            inner = Inner.from_bytes(record.inner)
            opened = replace(opened, inner=inner, body=_body_of(inner), device=self._device_of(inner))
        self._follow(opened)
        return opened

    def _open(self, data: bytes, seen: Opened, *, accept_strange: bool) -> Opened:
        """Give a verdict on an entry whose place and receipt hold."""
        try:
            entry = check_entry(data)
            seen = self._place(entry, seen)
            return self._judge(entry, seen, accept_strange=accept_strange)
        except PeerError as error:
            if error.code == "update_needed":
                raise
            verdict = Verdict.UNVERIFIABLE if error.code in _UNKNOWN_HERE else Verdict.FORGED
            return replace(seen, verdict=verdict, reason=error.code)

    def _place(self, entry: Entry, seen: Opened) -> Opened:
        """Note the generation: boxes that do not hold use it up too, and the next writer begins another (§5.2)."""
        return replace(seen, gen=entry.gen) if entry.boxes and entry.gen == self.gen + 1 else seen

    def _judge(self, entry: Entry, seen: Opened, *, accept_strange: bool) -> Opened:
        """Open an entry and check its author, in the order of §5.5."""
        self._check_order(entry)
        if entry.boxes:
            self._require_roster(entry.boxes[0].epoch <= self.team.epoch.epoch or accept_strange)
        key, context, signed = self._unlock(entry, seen.seq)
        inner = Inner.from_bytes(signed.inner)
        strange = self._is_strange(inner.roster_head, accept_strange=accept_strange)
        if strange and inner.author.role is AuthorRole.DEVICE:
            return replace(seen, verdict=Verdict.UNVERIFIABLE, reason="unknown_roster_head")
        device = self._device_of(inner)
        self._check_direction(entry.direction, inner.author.role)
        public = self._author_public(inner.author, device)
        require_signature(public, signed.signature, Tag.ENTRY_SIGN, context, signed.inner)
        body = _body_of(inner)
        quoted = self._quoted_time(inner.receipt, accept_strange=accept_strange)
        reason = "unknown_roster_head" if strange else self._broken_rule(entry, inner, body, quoted)
        verdict = (Verdict.UNVERIFIABLE if strange else Verdict.NONCONFORMING) if reason else Verdict.OK
        begun = bool(entry.boxes) and not reason
        return replace(
            seen, verdict=verdict, reason=reason, inner=inner, body=body, device=device, quoted=quoted or 0,
            key=key if begun else None, epoch=entry.boxes[0].epoch if begun else self.epoch,
        )  # fmt: skip

    def _check_order(self, entry: Entry) -> None:
        """Boxes and generations follow each other as §5.2 says."""
        wanted = (Recipient.TEAM,) if self.staff else (Recipient.TEAM, Recipient.USER)
        if entry.boxes:
            recipients = tuple(box.recipient for box in entry.boxes)
            good = recipients == wanted and entry.gen == self.gen + 1
        else:
            good = self.gen >= 0 and entry.gen == self.gen
        if not good:
            raise PeerError("bad_order", "boxes or generation do not follow")

    def _unlock(self, entry: Entry, seq: int) -> tuple[Secret | None, bytes, SignedInner]:
        """Return ticket key, context and signed content; a swapped box fails at the commitment (attacks 46, 78).

        The key is ``None`` only where a reader has keys of single entries (``export``).
        """
        key = self.keys.open_key(self.mailbox, entry) if entry.boxes else self._key
        if key is None:
            raise PeerError("no_key", "the key of this generation could not be opened")
        if len(key) != KEY_SIZE:  # a box opens whatever was sealed in it
            raise cannot_open()
        context = self.context(seq, entry.gen, entry.direction, entry.boxes)
        padded = cae.decrypt(key, Tag.ENTRY, context, entry.ciphertext)
        return key, context, SignedInner.from_bytes(unpad(padded))

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

    def _check_direction(self, direction: Direction, role: AuthorRole) -> None:
        """An entry cannot be reflected to the other side (attack 6)."""
        if direction is not (Direction.TEAM_ONLY if self.staff else _direction_of(role)):
            raise PeerError("bad_direction", "the direction does not fit the author")

    def _author_public(self, author: Author, device: DeviceRecord | None) -> bytes:
        """Return the key under which an entry must be signed; no field makes a "support" message (P5, attack 41)."""
        if author.role is AuthorRole.DEVICE and device is not None:
            return device.sign_key
        if author.role is AuthorRole.USER and not self.staff:
            if self.author_key is None and self.chain.length:
                raise PeerError(
                    "no_author", "the first entry, which says who the user is, could not be opened"
                )
            if self.author_key in {None, author.key}:
                return author.key
        raise PeerError("bad_author", "the author is not a participant of this ticket")

    def _broken_rule(self, entry: Entry, inner: Inner, body: Message, quoted: int | None) -> str:
        """Return what an author says falsely of roster and log, or the empty string (§5.2, §5.3, §5.7)."""
        rekey = bool(entry.boxes and entry.gen)
        if inner.previous_key and not rekey:
            return "stray_key"
        if inner.previous_key and self._key and not same(inner.previous_key, self._key.reveal(SECRET_ACCESS)):
            return "false_key"
        if inner.roster_head.length < self._cited:
            return "older_roster"
        if entry.boxes and not self._is_newest(entry.boxes[0].epoch, inner.roster_head):
            return "wrong_epoch"
        return self._false_key(inner, body) or ("bad_quote" if quoted is None else "")

    def _false_key(self, inner: Inner, body: Message) -> str:
        """Return what is wrong with the keys and proofs that an entry brings (§5.8, §5.9)."""
        team, own = self.team.team_id, self.mailbox
        match body:
            case OpenBody():
                if not _is_kem_key(body.reply_key):
                    return "bad_reply_key"
                proven = is_users(body.user_key, body.user_proof, team, own, inner.author.key)
                return "" if proven or not (body.user_key or body.user_proof) else "bad_user_proof"
            case OpenForBody():
                return "" if self._is_card(body.card) else "bad_card"
            case MergeBody():
                proven = is_users(self.user_key, body.user_proof, team, body.into, body.author_key)
                return "" if proven and body.into != own else "bad_user_proof"
            case _:
                return ""

    def _is_card(self, signed: bytes) -> bool:
        """Tell whether the team opened the ticket with its own user's card, and not with a stranger's (P6)."""
        try:
            card = open_card(signed, self.team.team_id, self.mailbox)
        except PeerError:
            return False
        return self.author_key in {None, card.author_key}

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
        except PeerError as error:
            if error.code == "bad_receipt":
                known = Receipt.from_bytes(data).leaf.relay_key_id in keys
                self._require_roster(known or accept_strange)
            raise

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

    # --- writing -----------------------------------------------------------------------------------------

    def seal(
        self, draft: Draft, signer: AuthorKey, *, now: int, random: Random, first_key: Secret | None = None
    ) -> Sealed:
        """Seal a draft as the log's next entry, with fresh boxes where the team's epoch has moved on (§5.2).

        The conversation does not change: hand the stored entry with its receipt to ``receive``.

        Args:
            draft: what to say.
            signer: who says it.
            now: author time, seconds since 1970.
            random: source of keys and salts.
            first_key: ticket key of generation 0, for the first entry of a shared log.

        Raises:
            UsageError: ``malformed`` when the draft is over a protocol bound, ``no_author`` when the ticket needs a
                new key and this reader could not open the first entry, which says how to hand it to the user.
            PeerError: ``bad_key`` when the user's reply key is unusable, ``malformed`` for a card that is none.
        """
        seq, boxed = self.chain.length, self._key is None or self.team.epoch.epoch > self.epoch
        key = (first_key if seq == 0 else None) or (Secret.random(random) if boxed else self._key)
        assert key is not None  # noqa: S101 - boxed covers the case without a key
        gen = self.gen + 1 if boxed else self.gen
        boxes = self._boxes(key, gen, draft) if boxed else ()
        direction = Direction.TEAM_ONLY if self.staff else _direction_of(signer.author.role)
        context = self.context(seq, gen, direction, boxes)
        previous = self._key.reveal(SECRET_ACCESS) if boxed and self._key else b""
        inner = Inner(
            VERSION, draft.kind, draft.message_id, signer.author, self.team.head, self._receipt, now, previous,
            draft.body.to_bytes(), draft.attachments,
        ).to_bytes()  # fmt: skip
        signed = SignedInner(inner, signer.key.sign(Tag.ENTRY_SIGN, context, inner)).to_bytes()
        ciphertext = cae.encrypt(key, Tag.ENTRY, context, pad(signed), random)
        entry = Entry(VERSION, SUITE, gen, direction, boxes, ciphertext).to_bytes()
        return Sealed(seq, self.chain.hash, entry, self.chain.advance(entry).hash)

    def _boxes(self, key: Secret, gen: int, draft: Draft) -> tuple[Box, ...]:
        reply_key = self.reply_key if self.chain.length else _reply_key(draft.body)
        if reply_key is None and not self.staff:
            raise UsageError(
                "no_author",
                "how this ticket began cannot be read here, so no answer would reach its user",
                hint="Ask an administrator who can read all of it to answer.",
            )
        return seal_boxes(
            key,
            team_id=self.team.team_id,
            mailbox=self.mailbox,
            gen=gen,
            epoch=self.team.epoch,
            reply_key=None if self.staff else reply_key,
        )

    def context(self, seq: int, gen: int, direction: Direction, boxes: tuple[Box, ...]) -> bytes:
        """Return C of §5.3 for the next entry: the place that its ciphertext and signature are bound to."""
        boxes_hash = digest(Tag.BOXES, encode(tuple(box.dump() for box in boxes))) if boxes else _NO_BOXES
        numbers = u64(VERSION) + u64(SUITE)
        place = self.team.team_id + self.mailbox + u64(seq) + self.chain.hash
        return digest(Tag.CONTEXT, numbers, place, u64(gen), u64(direction), boxes_hash)


def _reply_key(body: Message) -> bytes | None:
    """Return the user's key that a first entry brings with it."""
    match body:
        case OpenBody(reply_key=key):
            return key
        case OpenForBody(card=card):
            return card_in(card).reply_key
        case _:
            return None


def _is_kem_key(data: bytes) -> bool:
    try:
        KemPublic(data)
    except PeerError:
        return False
    return True


def _direction_of(role: AuthorRole) -> Direction:
    return Direction.USER_TO_TEAM if role is AuthorRole.USER else Direction.TEAM_TO_USER


def _body_of(inner: Inner) -> Message:
    """Return the decoded body of an entry's kind.

    Raises:
        PeerError: ``update_needed`` for a kind that this program does not know, ``malformed``.
    """
    if inner.version != VERSION or inner.kind not in BODIES:
        raise PeerError(
            "update_needed",
            f"an entry of kind {int(inner.kind)} needs a newer program",
            hint="Update this program.",
        )
    return BODIES[inner.kind].from_bytes(inner.body)
