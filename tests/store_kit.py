"""What any store must do, whatever database is behind it: run these claims against every backend.

A backend's test file derives from ``StoreContract`` and says how to open a store; the claims are inherited.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from e2e_support.crypto.hash import digest
from e2e_support.ids import BlobId, Hash, MailboxId, TeamId
from e2e_support.mailbox import ReceiptSigner, entry_hash, first_hash, relay_key_id, verify_receipt
from e2e_support.tags import Tag
from e2e_support.wire import FeedItem, Head, Receipt
from e2e_support_server.refusal import Refusal
from e2e_support_server.rules import Mailbox, Wish, Writer
from e2e_support_server.storage.base import BlobBudget, Founding, NewMailbox, Store
from relay_kit import ManualClock, new_key

CODE = digest(Tag.BOOTSTRAP, b"code")
BUDGET = BlobBudget(1000, 10)
PAGE = {"items": 100, "size": 1_000_000}


def founding() -> Founding:
    """Return a founding of a random team; a store does not look into links."""
    return Founding(TeamId(os.urandom(32)), 0, [b"genesis", b"second"], [(0, b"package")])


def wish(mailbox: Mailbox, head: Head, entry: bytes, **changed: object) -> Wish:
    """Return an append at a head."""
    hashed = entry_hash(mailbox.id, head.length, head.hash, entry)
    fields: dict[str, object] = {
        "mailbox": mailbox,
        "writer": Writer.USER,
        "seq": head.length,
        "prev_hash": head.hash,
        "entry": entry,
        "entry_hash": hashed,
        "epoch": None,
        "blobs": (),
        "wait": 0.0,
    }
    return Wish(**{**fields, **changed})  # type: ignore[arg-type]


class StoreContract(ABC):
    """The claims."""

    signer = ReceiptSigner(new_key())

    @abstractmethod
    def opened(self, place: Path, clock: ManualClock) -> AbstractAsyncContextManager[Store]:
        """Open the store that lives at a place: the same place, the same data."""

    @pytest.fixture
    async def clock(self) -> ManualClock:
        """The store's clock."""
        return ManualClock(1_800_000_000.0)

    @pytest.fixture
    async def store(self, tmp_path: Path, clock: ManualClock) -> AsyncGenerator[Store]:
        """An open store."""
        async with self.opened(tmp_path, clock) as store:
            yield store

    @pytest.fixture
    async def team(self, store: Store) -> TeamId:
        """A stored team."""
        return await self.found(store)

    async def found(self, store: Store) -> TeamId:
        """Store a team."""
        team = founding()
        await store.issue_code(CODE, 2_000_000_000)
        await store.found(CODE, 1_800_000_000, team)
        return team.team_id

    async def mailbox(self, store: Store, team: TeamId, now: int = 1_800_000_000) -> Mailbox:
        """Store a mailbox and return it."""
        new = NewMailbox(MailboxId(os.urandom(16)), os.urandom(32), os.urandom(32), team, team=True)
        assert await store.create(new, now)
        found = await store.mailbox(new.id)
        assert found is not None
        return found

    async def head(self, store: Store, mailbox: Mailbox) -> Head:
        """Return a mailbox's head."""
        return (await store.page(mailbox, 0, items=0, size=0))[0]

    async def append(
        self, store: Store, mailbox: Mailbox, entry: bytes = b"entry", /, **changed: object
    ) -> Wish:
        """Append at the head."""
        wanted = wish(mailbox, await self.head(store, mailbox), entry, **changed)
        await store.append(wanted)
        return wanted

    # --- teams ---

    async def test_a_code_founds_once(self, store: Store) -> None:
        """Code and first batch are one transaction; afterwards the code is used up and none is issued."""
        team = await self.found(store)
        assert await store.rosters() == [[b"genesis", b"second"]]
        with pytest.raises(Refusal, match="code_refused"):
            await store.found(CODE, 1_800_000_000, founding())
        with pytest.raises(Refusal, match="code_refused"):
            await store.issue_code(CODE, 2_000_000_000)
        assert (await store.links(team, 0, 1000))[0] == 2

    async def test_only_the_newest_code_counts_until_it_expires(self, store: Store) -> None:
        """A code is replaced by the next one, and void from its last second on."""
        other = digest(Tag.BOOTSTRAP, b"other")
        await store.issue_code(CODE, 100)
        await store.issue_code(other, 100)
        assert [await store.has_code(CODE, 50), await store.has_code(other, 50)] == [False, True]
        assert not await store.has_code(other, 100)
        with pytest.raises(Refusal, match="code_refused"):
            await store.found(other, 100, founding())

    async def test_links_and_packages_are_read_back(self, store: Store, team: TeamId) -> None:
        """Links come in order, from where one asks, as many as fit; packages by epoch."""
        assert await store.links(team, 0, 1000) == (2, [b"genesis", b"second"])
        assert await store.links(team, 0, 7) == (2, [b"genesis"])
        assert await store.links(team, 0, 1) == (2, [b"genesis"])
        assert await store.links(team, 1, 1000) == (2, [b"second"])
        assert await store.links(team, 2, 1000) == (2, [])
        assert await store.package(team, 0) == b"package"

    async def test_what_is_not_there_is_not_found(self, store: Store, team: TeamId) -> None:
        """Unknown teams and epochs are refused."""
        stranger = TeamId(os.urandom(32))
        for question in (
            store.links(stranger, 0, 10),
            store.package(stranger, 0),
            store.package(team, 1),
            store.feed(stranger, 0, 10),
        ):
            with pytest.raises(Refusal, match="not_found"):
                await question

    # --- mailboxes ---

    async def test_a_mailbox_is_created_once(self, store: Store, team: TeamId) -> None:
        """The same request again is no news, another one under the same id a conflict."""
        new = NewMailbox(MailboxId(os.urandom(16)), b"r" * 32, b"u" * 32, team, team=True)
        assert not await store.repeated(new.id, new.request)
        assert await store.create(new, 0)
        assert not await store.create(new, 0)
        assert await store.repeated(new.id, new.request)
        other = NewMailbox(new.id, b"x" * 32, b"u" * 32, team, team=True)
        for question in (store.create(other, 0), store.repeated(other.id, other.request)):
            with pytest.raises(Refusal, match="conflict"):
                await question

    async def test_of_many_creates_at_once_one_is_first(self, store: Store, team: TeamId) -> None:
        """Concurrent creates of one mailbox make exactly one (attack 48)."""
        new = NewMailbox(MailboxId(os.urandom(16)), b"r" * 32, b"u" * 32, team, team=True)
        made = await asyncio.gather(*(store.create(new, 0) for _ in range(8)))
        assert sorted(made) == [False] * 7 + [True]

    async def test_a_mailbox_is_known_by_id_and_user_key(self, store: Store, team: TeamId) -> None:
        """What never changes is read back; an unknown id is nothing."""
        mailbox = await self.mailbox(store, team)
        assert (mailbox.team_id, mailbox.team) == (team, True)
        assert await store.mailbox(MailboxId(os.urandom(16))) is None
        assert await store.is_user_key(mailbox.user_key)
        assert not await store.is_user_key(os.urandom(32))

    async def test_appends_build_a_chain_with_receipts(
        self, store: Store, team: TeamId, clock: ManualClock
    ) -> None:
        """Entries are read back in order with receipts that verify."""
        mailbox = await self.mailbox(store, team)
        wishes = [await self.append(store, mailbox, bytes([i])) for i in range(3)]
        head, items = await store.page(mailbox, 0, **PAGE)
        assert head == Head(3, wishes[-1].entry_hash)
        keys = {relay_key_id(self.signer.public): self.signer.public}
        for wanted, item in zip(wishes, items, strict=True):
            assert item.entry == wanted.entry
            receipt = verify_receipt(
                item.receipt, keys, mailbox=mailbox.id, seq=wanted.seq, entry_hash=wanted.entry_hash
            )
            assert receipt.leaf.time == int(clock.time)

    async def test_pages_are_bounded_by_items_and_size(self, store: Store, team: TeamId) -> None:
        """A page stops at either bound and holds at least one entry."""
        mailbox = await self.mailbox(store, team)
        for _ in range(4):
            await self.append(store, mailbox, bytes(1000))
        sizes = [
            len((await store.page(mailbox, start, items=items, size=size))[1])
            for start, items, size in (
                (0, 2, 10**6),
                (0, 9, 3000),
                (0, 9, 1),
                (3, 9, 10**6),
                (4, 9, 10**6),
                (99, 9, 10**6),
            )
        ]
        assert sizes == [2, 2, 1, 1, 0, 0]

    async def test_a_repetition_answers_what_was_stored(self, store: Store, team: TeamId) -> None:
        """The same entry at the same place answers the first receipt and rings no bell (§3.3 step 1)."""
        mailbox = await self.mailbox(store, team)
        wanted = wish(mailbox, await self.head(store, mailbox), b"entry")
        first = await store.append(wanted)
        await self.append(store, mailbox)
        again = await store.append(wanted)
        assert (again.receipt, again.length, again.cursor) == (first.receipt, 0, 0)

    async def test_twins_in_one_group_are_one(self, store: Store, team: TeamId) -> None:
        """The same entry many times at once is stored once; all get its receipt."""
        mailbox = await self.mailbox(store, team)
        wanted = wish(mailbox, await self.head(store, mailbox), b"entry")
        receipts = {done.receipt for done in await asyncio.gather(*(store.append(wanted) for _ in range(9)))}
        assert len(receipts) == 1
        assert (await self.head(store, mailbox)).length == 1

    async def test_of_rivals_in_one_group_one_wins(self, store: Store, team: TeamId) -> None:
        """Of different entries for one place one is stored, the others learn the new head (§3.3 step 2)."""
        mailbox = await self.mailbox(store, team)
        head = await self.head(store, mailbox)
        outcomes = await asyncio.gather(
            *(store.append(wish(mailbox, head, bytes([i]))) for i in range(9)), return_exceptions=True
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        assert len(refused) == 8
        assert {refusal.head for refusal in refused} == {await self.head(store, mailbox)}

    async def test_a_chain_may_grow_by_several_in_one_group(self, store: Store, team: TeamId) -> None:
        """Appends that build on each other fit into one group."""
        mailbox = await self.mailbox(store, team)
        head, wishes = Head(0, first_hash(mailbox.id)), list[Wish]()
        for number in range(5):
            wishes.append(wish(mailbox, head, bytes([number])))
            head = Head(number + 1, wishes[-1].entry_hash)
        await asyncio.gather(*(store.append(wanted) for wanted in wishes))
        assert await self.head(store, mailbox) == head

    async def test_the_rules_of_an_append_are_asked(self, store: Store, team: TeamId) -> None:
        """Epoch, rate and freeze are judged against what is stored, and change nothing when they refuse (§3.3)."""
        mailbox = await self.mailbox(store, team)
        for changed, code in (({"epoch": 1}, "epoch_changed"), ({"wait": 1.0}, "rate")):
            with pytest.raises(Refusal, match=code):
                await self.append(store, mailbox, **changed)
        await store.freeze(mailbox, frozen=True)
        with pytest.raises(Refusal, match="frozen"):
            await self.append(store, mailbox)
        await self.append(store, mailbox, writer=Writer.TEAM)
        await store.freeze(mailbox, frozen=False)
        await self.append(store, mailbox, epoch=0)
        assert (await self.head(store, mailbox)).length == 2

    async def test_times_never_decrease_in_a_mailbox(
        self, store: Store, team: TeamId, clock: ManualClock
    ) -> None:
        """A clock that is set back does not set receipts back (§3.4)."""
        mailbox = await self.mailbox(store, team)
        await self.append(store, mailbox)
        clock.time -= 1000
        await self.append(store, mailbox)
        _, items = await store.page(mailbox, 0, **PAGE)
        first, second = (Receipt.from_bytes(item.receipt).leaf.time for item in items)
        assert first == second

    # --- feed ---

    async def test_the_feed_counts_every_entry_once(self, store: Store, team: TeamId) -> None:
        """One cursor over all mailboxes of a team, rising by one, refused appends leaving no gap (§3.6)."""
        one, two = await self.mailbox(store, team), await self.mailbox(store, team)
        for mailbox in (one, two, one):
            await self.append(store, mailbox)
            with pytest.raises(Refusal):
                await store.append(wish(mailbox, Head(0, Hash(bytes(32))), b"stale"))
        expected = [FeedItem(1, one.id, 0), FeedItem(2, two.id, 0), FeedItem(3, one.id, 1)]
        assert await store.feed(team, 0, 10) == (3, expected)
        assert await store.feed(team, 1, 1) == (3, expected[1:2])
        assert await store.feed(team, 3, 10) == (3, [])

    async def test_the_feed_is_gapless_under_concurrent_writers(self, store: Store, team: TeamId) -> None:
        """Eight writers at once, rivals among them: cursors are 1..n and each mailbox's steps are in order (G10)."""
        mailboxes = [await self.mailbox(store, team) for _ in range(4)]

        async def write(mailbox: Mailbox, name: int) -> int:
            stored = 0
            for number in range(25):
                try:
                    await self.append(store, mailbox, bytes([name, number]))
                    stored += 1
                except Refusal:
                    await asyncio.sleep(0)
            return stored

        total = sum(await asyncio.gather(*(write(mailbox, name) for mailbox in mailboxes for name in (0, 1))))
        newest, items = await store.feed(team, 0, 1000)
        assert (newest, [item.cursor for item in items]) == (total, list(range(1, total + 1)))
        for mailbox in mailboxes:
            steps = [item.seq for item in items if item.mailbox_id == mailbox.id]
            assert steps == list(range((await self.head(store, mailbox)).length))

    # --- blobs ---

    async def test_pieces_are_recorded_once(self, store: Store, team: TeamId) -> None:
        """A piece has one digest for ever; counting tells when all are there."""
        mailbox = await self.mailbox(store, team)
        assert await store.declare(mailbox, Writer.USER, BlobId(b"b" * 16), 100, BUDGET, 0)
        assert not await store.declare(mailbox, Writer.USER, BlobId(b"b" * 16), 100, BUDGET, 0)
        blob = await store.blob(mailbox, BlobId(b"b" * 16))
        assert blob is not None
        one, two = Hash(b"1" * 32), Hash(b"2" * 32)
        assert await store.piece(blob, 1) is None
        assert [await store.keep_piece(blob, 1, one), await store.keep_piece(blob, 1, one)] == [1, 1]
        with pytest.raises(Refusal, match="piece_conflict"):
            await store.keep_piece(blob, 1, two)
        assert await store.keep_piece(blob, 0, two) == 2
        assert (await store.piece(blob, 1), await store.pieces(blob)) == (one, [0, 1])

    async def test_a_declaration_cannot_be_changed(self, store: Store, team: TeamId) -> None:
        """Another size or class under the same id is a conflict."""
        mailbox = await self.mailbox(store, team)
        blob = BlobId(os.urandom(16))
        await store.declare(mailbox, Writer.USER, blob, 100, BUDGET, 0)
        for writer, size in ((Writer.USER, 101), (Writer.TEAM, 100)):
            with pytest.raises(Refusal, match="piece_conflict"):
                await store.declare(mailbox, writer, blob, size, BUDGET, 0)

    @pytest.mark.parametrize("budget", [BlobBudget(250, 10), BlobBudget(10**6, 2)])
    async def test_blobs_have_a_budget_per_class(
        self, store: Store, team: TeamId, budget: BlobBudget
    ) -> None:
        """Bytes and open blobs are counted per class of a mailbox."""
        mailbox = await self.mailbox(store, team)
        for _ in range(2):
            await store.declare(mailbox, Writer.USER, BlobId(os.urandom(16)), 100, budget, 0)
        with pytest.raises(Refusal, match="budget"):
            await store.declare(mailbox, Writer.USER, BlobId(os.urandom(16)), 100, budget, 0)
        assert await store.declare(mailbox, Writer.TEAM, BlobId(os.urandom(16)), 100, budget, 0)

    async def test_an_append_commits_its_blobs_or_nothing(self, store: Store, team: TeamId) -> None:
        """An entry binds complete blobs of its class, each once, in its own transaction (§3.3 step 5)."""
        mailbox = await self.mailbox(store, team)
        ready, open_ = BlobId(b"r" * 16), BlobId(b"o" * 16)
        for name in (ready, open_):
            await store.declare(mailbox, Writer.USER, name, 100, BUDGET, 0)
        blob = await store.blob(mailbox, ready)
        assert blob is not None
        await store.complete(blob)
        for changed in (
            {"blobs": (ready, open_)},
            {"blobs": (ready, ready)},
            {"blobs": (ready,), "writer": Writer.TEAM},
        ):
            with pytest.raises(Refusal, match="blob_incomplete"):
                await self.append(store, mailbox, **changed)
        await self.append(store, mailbox, blobs=(ready,))
        with pytest.raises(Refusal, match="blob_incomplete"):
            await self.append(store, mailbox, blobs=(ready,))
        committed = await store.blob(mailbox, ready)
        assert committed is not None
        assert (committed.complete, committed.committed) == (True, True)

    # --- housekeeping ---

    async def test_only_empty_mailboxes_are_dropped(self, store: Store, team: TeamId) -> None:
        """What is old and empty goes, with its blobs; what has an entry stays."""
        empty, real, young = [await self.mailbox(store, team, now) for now in (0, 0, 100)]
        await self.append(store, real)
        await store.declare(empty, Writer.USER, BlobId(bytes(16)), 100, BUDGET, 0)
        assert await store.drop_empty(50, 10) == [empty.id]
        assert await store.drop_empty(50, 10) == []
        assert await store.mailbox(empty.id) is None
        assert {await store.mailbox(real.id), await store.mailbox(young.id)} == {real, young}

    async def test_a_dropped_mailbox_takes_no_more(self, store: Store, team: TeamId) -> None:
        """Who still holds a dropped mailbox in memory is told that it is gone, and its number never comes back."""
        gone = await self.mailbox(store, team, 0)
        await store.drop_empty(50, 10)
        with pytest.raises(Refusal, match="not_found"):
            await store.append(wish(gone, Head(0, first_hash(gone.id)), b"entry"))
        with pytest.raises(Refusal, match="not_found"):
            await store.declare(gone, Writer.USER, BlobId(bytes(16)), 100, BUDGET, 0)
        assert (await self.mailbox(store, team)).number != gone.number

    async def test_only_uncommitted_blobs_are_dropped(self, store: Store, team: TeamId) -> None:
        """A blob that an entry names stays for ever, another one until its time."""
        mailbox = await self.mailbox(store, team)
        for name, now in ((b"k", 0), (b"o", 0), (b"y", 100)):
            await store.declare(mailbox, Writer.USER, BlobId(name * 16), 10, BUDGET, now)
        kept = await store.blob(mailbox, BlobId(b"k" * 16))
        assert kept is not None
        await store.complete(kept)
        await self.append(store, mailbox, blobs=(kept.id,))
        assert await store.drop_blobs(50, 10) == [(mailbox.id, b"o" * 16)]
        assert await store.drop_blobs(50, 10) == []
        assert await store.blob(mailbox, BlobId(b"o" * 16)) is None

    # --- life ---

    async def test_what_was_answered_is_there_after_reopening(
        self, tmp_path: Path, clock: ManualClock
    ) -> None:
        """A store that is closed and opened again has everything it answered for."""
        async with self.opened(tmp_path / "x", clock) as store:
            team = await self.found(store)
            mailbox = await self.mailbox(store, team)
            await self.append(store, mailbox)
            before = await store.page(mailbox, 0, **PAGE)
        async with self.opened(tmp_path / "x", clock) as store:
            assert await store.page(mailbox, 0, **PAGE) == before
            assert await store.feed(team, 0, 10) == (1, [FeedItem(1, mailbox.id, 0)])

    async def test_closing_finishes_what_was_begun(self, tmp_path: Path, clock: ManualClock) -> None:
        """Writes that were accepted are answered while the store closes; later ones hear that it is busy."""
        async with self.opened(tmp_path / "x", clock) as store:
            mailbox = await self.mailbox(store, await self.found(store))
            head = await self.head(store, mailbox)
            begun = asyncio.create_task(store.append(wish(mailbox, head, b"entry")))
            await asyncio.sleep(0)
            await store.close()
            assert (await begun).length == 1
            with pytest.raises(Refusal, match="busy"):
                await store.append(wish(mailbox, Head(1, Hash(bytes(32))), b"entry"))


@asynccontextmanager
async def closing(store: Store) -> AsyncGenerator[Store]:
    """Open a store and close it in the end, also when the test closed it already."""
    await store.open()
    try:
        yield store
    finally:
        await store.close()
