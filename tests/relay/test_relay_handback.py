"""Hand-back after a restore from an old backup: what the relay once signed for comes back as it was (§3.10)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.destruction import Deed
from e2e_support.ids import MailboxId
from e2e_support.mailbox import Chain, ReceiptFact, ReceiptSigner
from e2e_support.request import b64, unb64
from e2e_support.vocab import Role
from e2e_support.wire import FeedPage, Head, Page, Stored
from relay_crew import Crew
from relay_kit import Client, Mailbox, ManualClock, Reply, make_entry, new_key, running
from team_builder import device

ANNA, BEN = device("anna"), device("ben", Role.AGENT)


async def hand_back(box: Mailbox, page: Page, relay: Client, key: object = None) -> Reply:
    """Give a page back with the user's capability, or another."""
    return await relay.ask(key or box.key, "POST", f"{box.path}/handback", page.to_bytes())  # type: ignore[arg-type]


async def lost(place: Path, backup_at: int, written: int) -> tuple[Crew, Mailbox, Page]:
    """Run a relay, write, restore an older backup of it, and return what a client still has."""
    async with running(place) as relay:
        crew = await Crew.found(relay, ANNA, BEN)
        box = await relay.ticket(crew.handle)
        for _ in range(backup_at):
            await box.append()
    shutil.copytree(place, place.parent / "backup")
    async with running(place) as relay:
        box.client = relay
        for number in range(backup_at, written):
            await box.append(key=crew.handle.capability if number % 2 else None)
        page = await box.page()
    shutil.rmtree(place)
    (place.parent / "backup").rename(place)
    return crew, box, page


async def test_a_restored_relay_gets_back_what_it_lost(tmp_path: Path) -> None:
    """Entries and receipts are again as the client had them, the feed tells of them, and the chain goes on."""
    crew, box, page = await lost(tmp_path / "relay", 1, 4)
    async with running(tmp_path / "relay") as relay:
        crew.relay = box.client = relay
        missing = Page(page.head, page.items[1:])
        for _ in range(2):
            reply = (await hand_back(box, missing, relay)).expect(200)
            assert Head.from_bytes(reply.body) == page.head
        assert await box.page() == page
        feed = await relay.ask(crew.handle.capability, "GET", f"{crew.path}/feed?after=0")
        assert [item.seq for item in FeedPage.from_bytes(feed.body).items] == [0, 1, 2, 3]
        await box.append()


async def test_the_team_hands_back_as_well(tmp_path: Path) -> None:
    """Either class brings back the entries of both, also while users are frozen and after a new epoch."""
    crew, box, page = await lost(tmp_path / "relay", 1, 4)
    async with running(tmp_path / "relay") as relay:
        crew.relay = box.client = relay
        (await crew.destroy(box, crew.deed(box, Deed.FREEZE, ANNA))).expect(200)
        await crew.remove(BEN, by=ANNA)
        missing = Page(page.head, page.items[1:])
        (await hand_back(box, missing, relay, crew.handle.capability)).expect(200)
        assert await box.page() == page


async def test_a_page_that_does_not_continue_the_head_is_told_the_head(tmp_path: Path) -> None:
    """Whoever starts too early or too late learns where to start; nothing is stored (§3.10 step 2)."""
    _, box, page = await lost(tmp_path / "relay", 1, 4)
    async with running(tmp_path / "relay") as relay:
        box.client = relay
        for items in (page.items, page.items[2:]):
            reply = (await hand_back(box, Page(page.head, items), relay)).expect("head_moved")
            head = reply.problem["head"]
            assert Head.from_bytes(unb64(head, len(head) * 3 // 4)).length == 1
        assert (await box.page()).head.length == 1


async def test_a_history_that_went_on_is_not_overwritten(tmp_path: Path) -> None:
    """Where somebody wrote after the restore, the lost entries do not fit any more: a fork that readers see."""
    _, box, page = await lost(tmp_path / "relay", 1, 3)
    async with running(tmp_path / "relay") as relay:
        restored = Mailbox(relay, box.key, box.team)
        restored.length, restored.hash = 1, Chain.start(box.id).advance(page.items[0].entry).hash
        await restored.append()
        (await hand_back(box, Page(page.head, page.items[1:]), relay)).expect("head_moved")


async def test_a_missing_mailbox_is_created_and_filled_again(tmp_path: Path) -> None:
    """A relay that lost the whole mailbox takes it back after an ordinary create."""
    crew, box, page = await lost(tmp_path / "relay", 0, 3)
    async with running(tmp_path / "relay") as relay:
        crew.relay = box.client = relay
        assert relay.relay
        await relay.ticket(crew.handle, box.key)
        (await hand_back(box, page, relay)).expect(200)
        assert await box.page() == page


def forged(box: Mailbox, times: Sequence[int], signer: ReceiptSigner) -> Page:
    """Return a page of entries that somebody signed receipts for."""
    chain, items = Chain(box.id, box.length, box.hash), list[Stored]()
    for time in times:
        entry = make_entry()
        chain = chain.advance(entry)
        fact = ReceiptFact(box.id, chain.length - 1, chain.hash, time)
        items.append(Stored(entry, signer.sign([fact])[0]))
    return Page(chain.head, tuple(items))


def own_signer(relay: Client) -> ReceiptSigner:
    """Return the relay's own signer, as it was before the restore."""
    assert relay.relay
    return relay.relay.store._signer  # type: ignore[attr-defined, no-any-return]


async def test_times_do_not_go_back(relay: Client, clock: ManualClock) -> None:
    """A receipt that is older than the one before it cannot have been given by this relay (§3.4)."""
    crew = await Crew.found(relay, ANNA)
    box = await relay.ticket(crew.handle)
    await box.append()
    now = int(clock.time)
    (await hand_back(box, forged(box, [now - 1], own_signer(relay)), relay)).expect("malformed")
    (await hand_back(box, forged(box, [now + 2, now + 1], own_signer(relay)), relay)).expect("malformed")
    assert (await box.page()).head.length == 2


@pytest.mark.parametrize("spoil", ["key", "entry", "mailbox", "head", "last"])
async def test_only_what_the_relay_signed_for_comes_back(
    relay: Client, clock: ManualClock, spoil: str
) -> None:
    """Another key's receipt, another entry, another mailbox's receipt or a false head store nothing."""
    crew = await Crew.found(relay, ANNA)
    box = await relay.ticket(crew.handle)
    signer = own_signer(relay) if spoil != "key" else ReceiptSigner(new_key())
    page = forged(box, [int(clock.time)], signer)
    item = page.items[0]
    if spoil == "entry":
        page = replace(page, items=(Stored(make_entry(), item.receipt),))
    if spoil == "mailbox":
        receipt = own_signer(relay).sign([ReceiptFact(MailboxId(bytes(16)), 0, page.head.hash, 1)])[0]
        page = replace(page, items=(Stored(item.entry, receipt),))
    if spoil == "head":
        page = Page(Head(2, page.head.hash), page.items)
    if spoil == "last":
        page = Page(page.head, ())
    (await hand_back(box, page, relay)).expect("malformed", "head_moved")
    assert (await box.page()).head.length == 0


async def test_strangers_hand_nothing_back(relay: Client, clock: ManualClock) -> None:
    """Only a capability of the mailbox may, even with receipts that are good."""
    crew = await Crew.found(relay, ANNA)
    box = await relay.ticket(crew.handle)
    page = forged(box, [int(clock.time)], own_signer(relay))
    (await hand_back(box, page, relay, new_key())).expect("not_found")
    nowhere = f"/v1/mailboxes/{b64(bytes(16))}/handback"
    (await relay.ask(box.key, "POST", nowhere, page.to_bytes())).expect("not_found")
