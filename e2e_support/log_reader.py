"""Opens a log's entries: checks chain, receipts, key boxes, signatures and roster (protocol sections 5.2-5.5).

What an entry means for the ticket is decided in ``ticket.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from e2e_support.codec import Message
from e2e_support.content import Author, Inner, SignedInner
from e2e_support.crypto import cae
from e2e_support.crypto.hash import same
from e2e_support.crypto.pad import unpad
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import require_signature
from e2e_support.crypto.suite import KEY_SIZE, cannot_open
from e2e_support.entry_proofs import false_proof
from e2e_support.errors import PeerError
from e2e_support.limits import ENTRY_MAX
from e2e_support.log_place import LogPlace
from e2e_support.mailbox import check_entry
from e2e_support.opened import Opened, Record, body_of
from e2e_support.tags import Tag
from e2e_support.vocab import AuthorRole, Direction, Recipient, Verdict
from e2e_support.wire import DeviceRecord, Entry, Stored

_UNKNOWN_HERE = frozenset({"no_key", "no_author"})  # a device without history misses them: no alarm


@dataclass(slots=True)
class LogReader(LogPlace):
    """One log (shared or staff) as one reader opens it, entry by entry."""

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
        opened = [self.reopened(record, place) for place, record in enumerate(records, self.chain.length)]
        for one in opened:
            self._follow(one)
        return opened

    def reopened(self, record: Record, seq: int) -> Opened:
        """Return an entry that this reader opened before and kept, without following it.

        Args:
            record: from a store that nobody else can write.
            seq: its place.
        """
        opened = Opened(
            seq, record.hash, record.verdict, record.reason, record.receipt, record.received,
            record.quoted, record.gens - 1, record.epoch, Secret(record.key) if record.key else None,
            known=record.known, entry=record.entry,
        )  # fmt: skip
        if record.inner:
            inner = Inner.from_bytes(record.inner)
            opened = replace(opened, inner=inner, body=body_of(inner), device=self._device_of(inner))
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
        body = body_of(inner)
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
            good = entry.gen == self.gen
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

    def _check_direction(self, direction: Direction, role: AuthorRole) -> None:
        """An entry cannot be reflected to the other side (attack 6)."""
        if direction is not self._direction_of(role):
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
        return false_proof(body, inner.author.key, self) or ("bad_quote" if quoted is None else "")
