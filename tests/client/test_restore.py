"""Tickets come back: from 24 words, to a second device, after new keys, to a relay that lost them (63, 88)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError
from e2e_support.ids import MailboxId
from e2e_support.wire import Head, Page
from e2e_support_client import MemoryKeystore, Progress, State, SupportClient, clock, discovery
from e2e_support_client.testing import Fault
from e2e_support_keys.bundle import UserBundle
from lifecycle_kit import Clocks
from user_kit import BODY, SUBJECT, World, fake_world, real_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team at a relay in memory."""
    return fake_world(tmp_path)


async def opened(user: SupportClient, subject: str = SUBJECT) -> str:
    """Open a ticket and return its number."""
    return (await user.tickets.create(subject, BODY, category="billing")).number


async def refusal(work: Any) -> SupportError:
    """Return the error that something raises."""
    with pytest.raises(SupportError) as caught:
        await work
    return caught.value


async def words(user: SupportClient) -> str:
    """Return a user's recovery phrase."""
    return (await user.register()).recovery_phrase


def second_device(world: World) -> dict[str, Any]:
    """Return the options of another device with the same master."""
    bundle = world.keys().load()
    assert isinstance(bundle, UserBundle)
    copy = UserBundle.fresh(bundle.link, clock.random, master=bundle.master)
    return {"keystore": MemoryKeystore(copy), "state_dir": world.folder / "second"}


# --- restore -----------------------------------------------------------------------------------------------------


async def test_all_tickets_come_back_from_the_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New keys and a new store from 24 words hold every ticket of every month, read and writable, and no news."""
    clocks, world = Clocks(monkeypatch), fake_world(tmp_path)
    async with world.client() as user:
        numbers = {await opened(user)}
        clocks.pass_by(days=20)
        numbers |= {await opened(user), await opened(user)}
        for number in numbers:
            await world.console.answer(number)
        phrase = await words(user)
    told: list[Progress] = []
    async with world.client("elsewhere") as user:
        assert await user.restore(phrase, on_progress=told.append) == 3
        page = await user.tickets.list()
        assert {line.number for line in page} == numbers
        assert [line.unread for line in page] == [0, 0, 0]
        assert (await user.tickets.reply(page[0].number, "x")).state is State.STORED
        assert await words(user) == phrase
    assert told[-1].done == told[-1].total


async def test_gaps_of_erased_and_free_places_are_passed_over(world: World) -> None:
    """Up to four free places in a row and any number of erased ones hide nothing behind them."""
    async with world.client() as user:
        numbers = [await opened(user) for _ in range(8)]
        phrase = await words(user)
    boxes = list(world.fake.mailboxes)
    for mailbox in boxes[1:5]:
        del world.fake._mailboxes[mailbox]  # pyright: ignore[reportPrivateUsage]
    world.fake.inject(Fault.ERASED, mailbox=boxes[5])
    async with world.client("elsewhere") as user:
        assert await user.restore(phrase) == 3
        assert {line.number for line in await user.tickets.list()} == {numbers[0], numbers[6], numbers[7]}


async def test_an_interrupted_restore_goes_on(world: World) -> None:
    """When the relay goes away in between, calling it again finds the rest."""
    async with world.client() as user:
        for _ in range(3):
            await opened(user)
        phrase = await words(user)
    async with world.client("elsewhere") as user:
        await user.verify_team()
        world.fake.refuse_at("read", "not_found", "not_found")
        world.fake.refuse_at("read", "busy")
        assert (await refusal(user.restore(phrase))).retryable
        await user.restore(phrase)
        assert len(await user.tickets.list()) == 3


async def test_a_restore_overwrites_nothing(world: World) -> None:
    """Where tickets lie under other keys the words are refused and the keys stay; wrong words change nothing either."""
    async with world.client() as user:
        await opened(user)
        phrase = await words(user)
    async with world.client("elsewhere") as user:
        await opened(user)
        before = await words(user)
        assert (await refusal(user.restore(phrase))).code == "keys_in_use"
        assert (await refusal(user.restore("zoo " * 24))).code == "bad_phrase"
        assert await words(user) == before


# --- two devices -------------------------------------------------------------------------------------------------


async def test_two_devices_find_each_others_tickets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one device opened stands in the other's list, which looks for it only now and then."""
    async with world.client() as one:
        first = await opened(one)
        async with world.client(**second_device(world)) as two:
            assert [line.number for line in await two.tickets.list()] == [first]
            second = await opened(two)
            assert second != first
            calls = len(world.fake.calls)
            await two.tickets.list()
            assert world.fake.calls[calls:].count("read") == 2  # its two tickets, and no search
        monkeypatch.setattr(discovery, "LOOK_AFTER", 0)
        assert {line.number for line in await one.tickets.list()} == {first, second}


async def test_a_clock_set_back_by_years_hides_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a device's clock is set right, it looks for the other one's tickets and for the team's changes at once."""
    async with world.client() as one, world.client(**second_device(world)) as two:
        first = await opened(one)
        with monkeypatch.context() as patched:
            patched.setattr(clock, "now", lambda: 2_400_000_000)
            await two.tickets.list()
        second = await opened(one)
        asked = world.fake.calls.count("links")
        assert {line.number for line in await two.tickets.list()} == {first, second}
        assert world.fake.calls.count("links") > asked


# --- new keys ----------------------------------------------------------------------------------------------------


async def test_new_keys_leave_old_tickets_usable(world: World) -> None:
    """After new keys both kinds of tickets are read and written here, also after a restart; words restore theirs."""
    async with world.client() as user:
        old, old_words = await opened(user), await words(user)
        new_words = (await user.new_keys()).recovery_phrase
        new = await opened(user)
    async with world.client() as user:
        for number in (old, new):
            assert (await user.tickets.reply(number, "x")).state is State.STORED
        assert {line.number for line in await user.tickets.list()} == {old, new}
    for phrase, number in ((old_words, old), (new_words, new)):
        async with world.client(number) as user:
            assert await user.restore(phrase) == 1
            assert [line.number for line in await user.tickets.list()] == [number]


# --- backups (63) ------------------------------------------------------------------------------------------------


def backed_up(world: World, name: str) -> Path:
    """Return a copy of a user's store."""
    copy = world.folder / name
    shutil.copytree(world.folder / "user", copy)
    return copy


async def test_63_an_old_store_is_only_behind(world: World) -> None:
    """A store from a backup follows what it missed, without any alarm."""
    async with world.client() as user:
        number = await opened(user)
    old = backed_up(world, "old")
    async with world.client() as user:
        await user.tickets.reply(number, "one")
        await world.console.answer(number, "two")
    async with world.client(state_dir=old) as user:
        ticket = await user.tickets.get(number)
        assert [m.body for m in ticket.messages] == [BODY, "one", "two"]
        assert ticket.summary.problem == ""


async def test_63_an_old_outbox_sends_nothing_twice(world: World) -> None:
    """Drafts in a store from a backup that were sent since are found in the log by their ids."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.OFFLINE)
        await user.tickets.reply(number, "once")
        await user.tickets.create("Second", BODY, category="billing")
    old = backed_up(world, "old")
    world.fake.heal()
    async with world.client() as user:
        assert {ref.state for ref in await user.outbox.flush()} == {State.STORED}
    async with world.client(state_dir=old) as user:
        assert {ref.state for ref in await user.outbox.flush()} == {State.STORED}
        assert [m.body for m in (await user.tickets.get(number)).messages] == [BODY, "once"]
        assert len(await user.tickets.list()) == 2
    assert len(world.fake.mailboxes) == 2


async def test_63_an_old_key_file_is_refused(world: World) -> None:
    """Keys from before the newest ones are told apart from a store that has used newer ones; nothing is lost."""
    async with world.client() as user:
        await opened(user)
        old = world.keys().load()
        await user.new_keys()
        await opened(user)
    assert (await refusal(world.client(keystore=MemoryKeystore(old)).__aenter__())).code == "old_keys"
    async with world.client() as user:
        assert len(await user.tickets.list()) == 2


# --- a relay that lost something (88) ----------------------------------------------------------------------------


def lose(world: World, entries: int) -> None:
    """Let the relay be restored from a backup that lacks the last entries of its first ticket."""
    mailbox = world.fake.mailboxes[0]
    box = world.fake._mailboxes[mailbox]  # pyright: ignore[reportPrivateUsage]
    chain = type(box.chain).start(mailbox)
    box.log = box.log[:-entries]
    for kept in box.log:
        chain = chain.advance(kept.entry)
    box.chain = chain


async def test_88_a_restored_relay_gets_back_what_it_lost(world: World) -> None:
    """Entries with receipts that a restored relay lost are handed back, and everybody goes on."""
    async with world.client() as user:
        number = await opened(user)
        await user.tickets.reply(number, "one")
        await world.console.answer(number, "two")
        await user.tickets.get(number)
        lose(world, 2)
        ticket = await user.tickets.get(number)
        assert ticket.summary.problem == ""
        assert len(world.fake.stored(world.fake.mailboxes[0])) == 3
        assert (await user.tickets.reply(number, "three")).state is State.STORED
        assert world.fake.calls.count("hand_back") == 1


async def test_88_a_relay_that_refuses_is_asked_once(world: World) -> None:
    """A relay that does not take entries back is told as one that shows an older history; nothing here changes."""
    async with world.client() as user:
        number = await opened(user)
        await user.tickets.reply(number, "one")
    lose(world, 1)
    for _ in range(2):
        async with world.client() as user:
            world.fake.refuse_at("hand_back", "head_moved", "head_moved")
            ticket = await user.tickets.get(number)
            assert ticket.summary.problem == "rollback"
            assert len(ticket.messages) == 2
    assert world.fake.calls.count("hand_back") == 1


async def test_88_a_relay_that_only_pretends_is_found_out(world: World) -> None:
    """A relay that takes entries back and still shows less is asked once, and is told as a rollback (attack 14)."""
    async with world.client() as user:
        number = await opened(user)
        await user.tickets.reply(number, "one")
        world.fake.inject(Fault.ROLLBACK)
        for _ in range(3):
            assert (await user.tickets.get(number)).summary.problem == "rollback"
        assert world.fake.calls.count("hand_back") == 1
        world.fake.heal()
        assert (await user.tickets.get(number)).summary.problem == ""


def forget(world: World) -> None:
    """Let the relay be restored from a backup that lacks its first ticket altogether."""
    boxes = world.fake._mailboxes  # pyright: ignore[reportPrivateUsage]
    for mailbox in tuple(boxes)[:1]:
        del boxes[mailbox]


async def test_88_a_ticket_that_is_gone_is_created_again(world: World) -> None:
    """A relay that lost a whole ticket has it again, entries and receipts as they were, for one more admission."""
    async with world.client() as user:
        number = await opened(user)
        await world.console.answer(number)
        await user.tickets.get(number)
        (mailbox,) = world.fake.mailboxes
        before = world.fake.stored(mailbox)
        forget(world)
        ticket = await user.tickets.get(number)
        assert (ticket.summary.problem, len(ticket.messages)) == ("", 2)
        assert world.fake.stored(mailbox) == before
        assert (await user.tickets.reply(number, "three")).state is State.STORED


async def test_88_a_reply_to_a_ticket_that_is_gone_comes_behind_what_was_lost(world: World) -> None:
    """Whoever writes first gives back first, also what waited with its bytes sealed."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.LOST_ANSWER)
        assert (await user.tickets.reply(number, "one")).state is State.QUEUED
        world.fake.heal()
        forget(world)
        assert [ref.state for ref in await user.outbox.flush()] == [State.STORED]
        assert len(world.fake.stored(world.fake.mailboxes[0])) == 2


async def test_88_a_ticket_is_created_again_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that forgets a ticket again and again costs one admission a day; its word stands as its claim."""
    clocks, world = Clocks(monkeypatch), fake_world(tmp_path)
    async with world.client() as user:
        number = await opened(user)
        for _ in range(2):
            clocks.pass_by(days=1)
            world.fake.calls.clear()
            for _ in range(3):
                forget(world)
                await user.tickets.get(number)
            assert (await user.tickets.get(number)).summary.problem == "relay_says_not_found"
            assert world.fake.calls.count("create") == 1


async def test_88_a_ticket_that_was_called_erased_is_not_created_again(world: World) -> None:
    """Where the relay has once said that a ticket was erased, one from before that does not get it back."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.refuse_at("read", "erased")
        assert (await user.tickets.get(number)).summary.problem == "relay_says_erased"
        forget(world)
        world.fake.calls.clear()
        assert (await user.tickets.get(number)).summary.problem == "relay_says_not_found"
        assert "create" not in world.fake.calls


async def test_88_two_devices_hand_back_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever meets entries that another device has just given back goes on behind them."""
    hand_back = world.fake.hand_back

    async def crossed(mailbox: MailboxId, page: Page, capability: SigningKey) -> Head:
        monkeypatch.setattr(world.fake, "hand_back", hand_back)
        chain = world.fake._mailboxes[mailbox].chain  # pyright: ignore[reportPrivateUsage]
        head = chain.advance(page.items[0].entry).head
        await hand_back(mailbox, Page(head, page.items[:1]), capability)
        return await hand_back(mailbox, page, capability)

    async with world.client() as user:
        number = await opened(user)
        for text in ("one", "two"):
            await user.tickets.reply(number, text)
        lose(world, 2)
        monkeypatch.setattr(world.fake, "hand_back", crossed)
        assert (await user.tickets.get(number)).summary.problem == ""
        assert len(world.fake.stored(world.fake.mailboxes[0])) == 3


# --- over the real relay -----------------------------------------------------------------------------------------


async def test_restore_over_the_real_relay(tmp_path: Path) -> None:
    """Words, a second device and the list of administrators work over HTTP as they do in memory."""
    async with real_world(tmp_path) as world:
        async with world.client() as user:
            assert not (await user.verify_team()).verified
            numbers = {await opened(user), await opened(user)}
            phrase = await words(user)
        async with world.client("elsewhere") as user:
            assert await user.restore(phrase) == 2
            assert {line.number for line in await user.tickets.list()} == numbers
        async with world.client(**second_device(world)) as user:
            assert {line.number for line in await user.tickets.list()} == numbers
