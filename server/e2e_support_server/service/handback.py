"""Entries that come back after the relay was restored from an old backup: good if it once signed for them (§3.10)."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_support.errors import PeerError
from e2e_support.ids import RelayKeyId
from e2e_support.mailbox import Chain, check_entry, verify_receipt
from e2e_support.vocab import Direction
from e2e_support.wire import Head, Page, Receipt, Stored
from e2e_support_server.refusal import Refusal
from e2e_support_server.rules import Kept, Mailbox, Wish, Writer


def kept_wishes(
    mailbox: Mailbox, head: Head, page: Page, relay_keys: Mapping[RelayKeyId, bytes]
) -> list[Wish]:
    """Return appends of the entries that a page gives back.

    Args:
        mailbox: where to.
        head: what the relay has of it.
        page: the entries with their receipts, and the head that they lead to.
        relay_keys: every key that the roster ever listed.

    Raises:
        PeerError: ``malformed``, ``update_needed``, ``bad_receipt`` or ``bad_signature``.
        Refusal: ``head_moved`` when an entry does not continue the one before.
    """
    chain = Chain(mailbox.id, head.length, head.hash)
    wishes: list[Wish] = []
    for item in page.items:
        wishes.append(_wish(mailbox, chain, item, head, relay_keys))
        chain = chain.advance(item.entry)
    if chain.head != page.head:
        raise PeerError("malformed", "the entries do not lead to the head of their page")
    return wishes


def _wish(
    mailbox: Mailbox, chain: Chain, item: Stored, head: Head, relay_keys: Mapping[RelayKeyId, bytes]
) -> Wish:
    entry, after = check_entry(item.entry), chain.advance(item.entry)
    leaf = Receipt.from_bytes(item.receipt).leaf
    if (leaf.seq, leaf.entry_hash) != (chain.length, after.hash):
        raise Refusal("head_moved", head=head)
    verify_receipt(item.receipt, relay_keys, mailbox=mailbox.id, seq=chain.length, entry_hash=after.hash)
    return Wish(
        mailbox=mailbox,
        writer=Writer.USER if entry.direction is Direction.USER_TO_TEAM else Writer.TEAM,
        seq=chain.length,
        prev_hash=chain.hash,
        entry=item.entry,
        entry_hash=after.hash,
        epoch=None,  # it was the newest when the relay signed
        blobs=(),
        wait=0.0,
        kept=Kept(item.receipt, leaf.time),
    )
