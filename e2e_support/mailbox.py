"""A mailbox's hash chain and the relay's receipts: built, signed and checked (protocol section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from e2e_support.canonical import encode
from e2e_support.crypto.hash import digest, same, u64
from e2e_support.crypto.pad import is_padded_size
from e2e_support.crypto.sign import SigningKey, require_signature
from e2e_support.crypto.suite import SUITE, VERSION
from e2e_support.errors import PeerError
from e2e_support.ids import ID_SIZE, Hash, MailboxId, RelayKeyId
from e2e_support.limits import MAILBOX_ENTRIES_MAX
from e2e_support.tags import Tag
from e2e_support.vocab import Recipient
from e2e_support.wire import Entry, Head, Page, Receipt, ReceiptLeaf

CIPHERTEXT_OVERHEAD = 64 + 16  # salt and commitment before, tag behind (§2.3)

_Path = tuple[tuple[int, Hash], ...]  # a receipt's path as ``PathStep.dump()`` has its steps


def mailbox_id(creation_key: bytes) -> MailboxId:
    """Return the id that belongs to a creation public key (§3.1)."""
    return MailboxId(digest(Tag.MAILBOX, creation_key)[:ID_SIZE])


def first_hash(mailbox: MailboxId) -> Hash:
    """Return the hash that stands before a mailbox's first entry (§3.1)."""
    return digest(Tag.FIRST, mailbox)


def entry_hash(mailbox: MailboxId, seq: int, prev_hash: Hash, entry: bytes) -> Hash:
    """Return the hash that chains an entry to its place (§3.1)."""
    return digest(Tag.ENTRY_HASH, mailbox, u64(seq), prev_hash, entry)


def check_entry(data: bytes) -> Entry:
    """Return an entry whose outside is well formed; all that a relay can check (§3.1).

    Raises:
        PeerError: ``malformed`` or ``update_needed``.
    """
    entry = Entry.from_bytes(data)
    if (entry.version, entry.suite) != (VERSION, SUITE):
        raise PeerError(
            "update_needed", "the entry is of a newer protocol version", hint="Update this program."
        )
    if not is_padded_size(len(entry.ciphertext) - CIPHERTEXT_OVERHEAD):
        raise PeerError("malformed", "the ciphertext does not have an allowed size")
    if [box.recipient for box in entry.boxes] not in ([], [Recipient.TEAM], [Recipient.TEAM, Recipient.USER]):
        raise PeerError("malformed", "the boxes are not those of a shared or a staff log")
    return entry


@dataclass(frozen=True, slots=True)
class Chain:
    """How far a reader has followed one mailbox; moves forward only.

    Attributes:
        mailbox: the mailbox's id.
        length: number of entries followed.
        hash: hash of the last one, or the first hash of an empty mailbox.
    """

    mailbox: MailboxId
    length: int
    hash: Hash

    @classmethod
    def start(cls, mailbox: MailboxId) -> Self:
        """Return the chain of an empty mailbox."""
        return cls(mailbox, 0, first_hash(mailbox))

    @property
    def head(self) -> Head:
        """The head as it stands on the wire."""
        return Head(self.length, self.hash)

    def advance(self, entry: bytes) -> Chain:
        """Return the chain with one more entry."""
        return Chain(self.mailbox, self.length + 1, entry_hash(self.mailbox, self.length, self.hash, entry))

    def check_page(self, page: Page) -> None:
        """Compare a relay's answer with what was already followed (attacks 1, 4, 14, 117).

        Raises:
            PeerError: ``too_long`` when it says that there are more entries than a mailbox can have, ``rollback`` when
                it knows less than this reader, ``fork`` when the answer does not continue the chain that was followed.
        """
        if page.head.length < self.length:
            raise PeerError(
                "rollback",
                "the relay served an older history than it did before",
                hint="Nothing was changed here. Tell the administrators; the relay may be restored or dishonest.",
            )
        if page.head.length > MAILBOX_ENTRIES_MAX:
            raise PeerError(
                "too_long",
                "the relay serves more entries than a mailbox can have",
                hint="Tell whoever runs the relay.",
            )
        chain = self
        for item in page.items:
            chain = chain.advance(item.entry)
        if chain.length > page.head.length or (
            chain.length == page.head.length and chain.hash != page.head.hash
        ):
            raise PeerError(
                "fork",
                "the relay served another history than it did before",
                hint="Nothing was changed here. Keep the proof and tell the administrators by another way.",
            )


# --- receipts --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReceiptFact:
    """What a relay is about to assert: an entry's place, hash and time (seconds since 1970)."""

    mailbox: MailboxId
    seq: int
    entry_hash: Hash
    time: int


def relay_key_id(public: bytes) -> RelayKeyId:
    """Return the id under which the roster lists a relay's receipt key (§3.4)."""
    return RelayKeyId(digest(Tag.RELAY_KEY, public)[:ID_SIZE])


class ReceiptSigner:
    """Signs one Merkle root per commit group, so that a signature costs the same for one append and for many."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self.public = key.public
        self.key_id = relay_key_id(key.public)

    def sign(self, facts: Sequence[ReceiptFact]) -> list[bytes]:
        """Return the receipts of one commit group, in the order of its facts (§3.4)."""
        leaves = [ReceiptLeaf(f.mailbox, f.seq, f.entry_hash, f.time, self.key_id).dump() for f in facts]
        root, paths = _merkle([digest(Tag.RECEIPT_LEAF, encode(leaf)) for leaf in leaves])
        signature = self._key.sign(Tag.RECEIPT, root)
        # What Receipt.to_bytes() gives; it would check every leaf and step of the group once for each receipt.
        return [encode((leaf, path, signature)) for leaf, path in zip(leaves, paths, strict=True)]


def verify_receipt(
    data: bytes, relay_keys: Mapping[RelayKeyId, bytes], *, mailbox: MailboxId, seq: int, entry_hash: Hash
) -> Receipt:
    """Return a receipt that a listed relay key signed for exactly this entry (§3.4, attack 16).

    Args:
        data: the receipt's bytes.
        relay_keys: receipt keys that the roster lists, by id.
        mailbox: whose entry it must be.
        seq: the entry's sequence number.
        entry_hash: the entry's chained hash.

    Raises:
        PeerError: ``malformed``, ``bad_receipt`` or ``bad_signature``.
    """
    receipt = Receipt.from_bytes(data)
    leaf = receipt.leaf
    public = relay_keys.get(leaf.relay_key_id)
    if (
        public is None
        or (leaf.mailbox_id, leaf.seq) != (mailbox, seq)
        or not same(leaf.entry_hash, entry_hash)
    ):
        raise PeerError(
            "bad_receipt",
            "the relay's receipt is for something else or under an unknown key",
            hint="The write is not confirmed; it will be tried again.",
        )
    root = _leaf_hash(leaf)
    for step in receipt.path:
        pair = (root, step.hash) if step.right else (step.hash, root)
        root = digest(Tag.RECEIPT_NODE, *pair)
    require_signature(public, receipt.signature, Tag.RECEIPT, root)
    return receipt


def _leaf_hash(leaf: ReceiptLeaf) -> Hash:
    return digest(Tag.RECEIPT_LEAF, leaf.to_bytes())


def _merkle(leaves: list[Hash]) -> tuple[Hash, list[_Path]]:
    """Return the root over leaf hashes and each leaf's path to it; a node without sibling moves up as it is."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(_parents(levels[-1]))
    paths: list[_Path] = [()]
    for level in reversed(levels[:-1]):
        paths = [(*_step(level, place), *paths[place // 2]) for place in range(len(level))]
    return levels[-1][0], paths


def _parents(level: list[Hash]) -> list[Hash]:
    pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
    return [digest(Tag.RECEIPT_NODE, *pair) if len(pair) > 1 else pair[0] for pair in pairs]


def _step(level: list[Hash], place: int) -> _Path:
    """Return the step from a node to its parent: the sibling and its side, or nothing where there is none."""
    sibling = place ^ 1
    return ((int(sibling > place), level[sibling]),) if sibling < len(level) else ()
