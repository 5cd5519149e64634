"""A mailbox's chain and its receipts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.crypto.pad import padded_size
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError
from e2e_support.ids import Hash, MailboxId
from e2e_support.limits import MAILBOX_ENTRIES_MAX
from e2e_support.mailbox import (
    CIPHERTEXT_OVERHEAD,
    Chain,
    ReceiptFact,
    ReceiptSigner,
    check_entry,
    entry_hash,
    first_hash,
    mailbox_id,
    relay_key_id,
    verify_receipt,
)
from e2e_support.vocab import Direction, Recipient
from e2e_support.wire import Box, Entry, Head, Page, Receipt, Stored

KEY = SigningKey(Secret(bytes(32)))
MAILBOX = mailbox_id(KEY.public)
TEAM, USER = Box(Recipient.TEAM, 0, b"t"), Box(Recipient.USER, 0, b"u")


def entry(**changes: object) -> Entry:
    """Return an entry that is well formed outside."""
    ciphertext = bytes(CIPHERTEXT_OVERHEAD + padded_size(10))
    return replace(Entry(1, 1, 0, Direction.USER_TO_TEAM, (TEAM, USER), ciphertext), **changes)  # type: ignore[arg-type]


def page(*entries: bytes, length: int | None = None, last: Hash | None = None) -> Page:
    """Return an honest page of a whole mailbox, or one that lies about its head."""
    chain = Chain.start(MAILBOX)
    for data in entries:
        chain = chain.advance(data)
    head = Head(chain.length if length is None else length, last or chain.hash)
    return Page(head, tuple(Stored(data, b"") for data in entries))


def test_ids_follow_from_the_creation_key() -> None:
    """Another creation key gives another mailbox id of 16 bytes (attack 49)."""
    other = SigningKey(Secret(b"\x01" * 32)).public
    assert mailbox_id(other) != MAILBOX
    assert len(MAILBOX) == 16


def test_entry_hash_binds_every_part() -> None:
    """Mailbox, place, predecessor and bytes each change the hash."""
    base = entry_hash(MAILBOX, 1, first_hash(MAILBOX), b"x")
    other = MailboxId(bytes(16))
    assert base not in {
        entry_hash(other, 1, first_hash(MAILBOX), b"x"),
        entry_hash(MAILBOX, 2, first_hash(MAILBOX), b"x"),
        entry_hash(MAILBOX, 1, first_hash(other), b"x"),
        entry_hash(MAILBOX, 1, first_hash(MAILBOX), b"y"),
    }


@pytest.mark.parametrize("boxes", [(), (TEAM,), (TEAM, USER)], ids=["none", "staff", "shared"])
def test_check_entry_accepts(boxes: tuple[Box, ...]) -> None:
    """A well-formed entry comes back decoded."""
    good = entry(boxes=boxes)
    assert check_entry(good.to_bytes()) == good


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (entry(version=2), "update_needed"),
        (entry(suite=2), "update_needed"),
        (entry(ciphertext=bytes(700)), "malformed"),
        (entry(ciphertext=b""), "malformed"),
        (entry(boxes=(USER,)), "malformed"),
        (entry(boxes=(USER, TEAM)), "malformed"),
        (entry(boxes=(TEAM, TEAM)), "malformed"),
    ],
    ids=["version", "suite", "size", "empty", "user alone", "order", "two teams"],
)
def test_check_entry_refuses(bad: Entry, code: str) -> None:
    """What a relay can check, it checks (attacks 24, 44, 71)."""
    with pytest.raises(PeerError) as error:
        check_entry(bad.to_bytes())
    assert error.value.code == code


def test_an_honest_page_continues_the_chain() -> None:
    """A reader that followed one entry accepts the rest."""
    chain = Chain.start(MAILBOX).advance(b"a")
    whole = page(b"a", b"b")
    chain.check_page(Page(whole.head, whole.items[1:]))
    assert chain.advance(b"b").head == whole.head


def test_a_page_may_be_a_part() -> None:
    """A page that ends before the head says nothing false."""
    for length in (5, MAILBOX_ENTRIES_MAX):
        Chain.start(MAILBOX).check_page(page(b"a", length=length, last=Hash(bytes(32))))


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (page(), "rollback"),
        (Page(page(b"x").head, ()), "fork"),
        (Page(page(b"a", b"b").head, page(b"c").items), "fork"),
        (page(b"a", b"b", length=1), "fork"),
        (page(b"a", b"b", length=MAILBOX_ENTRIES_MAX + 1), "too_long"),
    ],
    ids=[
        "older",
        "another first entry",
        "another second entry",
        "more than its head",
        "more than there can be",
    ],
)
def test_a_lying_page_is_refused(lie: Page, code: str) -> None:
    """Attacks 1, 4, 14: rollback and fork are found by a reader that followed one entry."""
    chain = Chain.start(MAILBOX).advance(b"a")
    with pytest.raises(PeerError) as error:
        chain.check_page(lie)
    assert error.value.code == code


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 64])
def test_receipts_of_a_group_verify(count: int) -> None:
    """Every receipt of a commit group verifies alone, whatever the group's size."""
    signer = ReceiptSigner(KEY)
    facts = [ReceiptFact(MAILBOX, seq, Hash(bytes([seq]) * 32), 7) for seq in range(count)]
    for fact, data in zip(facts, signer.sign(facts), strict=True):
        receipt = verify_receipt(
            data, {signer.key_id: signer.public}, mailbox=MAILBOX, seq=fact.seq, entry_hash=fact.entry_hash
        )
        assert (receipt.leaf.time, receipt.to_bytes()) == (7, data)


def test_false_receipts_are_refused() -> None:
    """Attack 16: a receipt for something else, under another key or changed is no receipt."""
    signer, other = ReceiptSigner(KEY), ReceiptSigner(SigningKey(Secret(b"\x02" * 32)))
    fact = ReceiptFact(MAILBOX, 3, Hash(b"h" * 32), 7)
    (good,) = signer.sign([fact])
    (foreign,) = other.sign([fact])
    _, second = signer.sign([replace(fact, seq=2), fact])
    receipt = Receipt.from_bytes(second)
    later = replace(receipt, leaf=replace(receipt.leaf, time=8)).to_bytes()
    turned = replace(receipt, path=(replace(receipt.path[0], right=1),)).to_bytes()
    keys = {signer.key_id: signer.public}
    cases = [
        (good, 4, fact.entry_hash, "bad_receipt"),
        (good, 3, Hash(b"x" * 32), "bad_receipt"),
        (foreign, 3, fact.entry_hash, "bad_receipt"),
        (later, 3, fact.entry_hash, "bad_signature"),
        (turned, 3, fact.entry_hash, "bad_signature"),
        (good[:-1], 3, fact.entry_hash, "malformed"),
    ]
    for data, seq, hashed, code in cases:
        with pytest.raises(PeerError) as error:
            verify_receipt(data, keys, mailbox=MAILBOX, seq=seq, entry_hash=hashed)
        assert error.value.code == code


def test_relay_key_id_is_a_hash_of_the_key() -> None:
    """The id under which a roster lists a key follows from the key."""
    assert ReceiptSigner(KEY).key_id == relay_key_id(KEY.public)
