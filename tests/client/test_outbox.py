"""The outbox over a relay in memory: what waits, what fails, what was stored without anybody knowing it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from e2e_support.content import OpenBody
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError, TransportError
from e2e_support.ids import MailboxId
from e2e_support.ticket_keys import ticket_number
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import Append
from e2e_support_client import FileSpec, Progress, State, SupportClient, delivery, outbox
from e2e_support_client.model import EventKind
from e2e_support_client.testing import Fault
from team_builder import EPOCH
from user_kit import BODY, SUBJECT, World, fake_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team at a relay in memory."""
    return fake_world(tmp_path)


async def opened(user: SupportClient, **options: Any) -> str:
    """Open a ticket and return its number."""
    return (await user.tickets.create(SUBJECT, BODY, category="billing", **options)).number


async def refusal(work: Any) -> SupportError:
    """Return the error that something raises."""
    with pytest.raises(SupportError) as caught:
        await work
    return caught.value


async def openings(world: World) -> list[str]:
    """Return the subjects of all openings that the team can read."""
    subjects: list[str] = []
    for mailbox in world.fake.mailboxes:
        for entry in await world.console.read(ticket_number(mailbox)):
            subjects += [entry.body.subject] if isinstance(entry.body, OpenBody) else []
    return subjects


# --- waiting -------------------------------------------------------------------------------------------------


async def test_a_ticket_written_offline_is_sent_later(world: World) -> None:
    """Offline a ticket has its number, waits, is listed, and is stored by the next flush."""
    async with world.client() as user:
        await user.verify_team()
        world.fake.inject(Fault.OFFLINE)
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        assert (ref.state, ref.number[:2]) == (State.QUEUED, "T-")
        (line,) = await user.tickets.list()
        assert (line.number, line.subject, line.status) == (ref.number, SUBJECT, "queued")
        assert (await user.tickets.get(ref.number)).summary == line
        (still,) = await user.outbox.flush()
        assert still.state is State.QUEUED
        world.fake.heal()
        (sent,) = await user.outbox.flush()
        assert (sent.number, sent.state) == (ref.number, State.STORED)
        assert await user.outbox.list() == ()
    assert await openings(world) == [SUBJECT]


async def test_the_very_first_ticket_may_be_written_offline(world: World) -> None:
    """A program that has never met the relay keeps a ticket too, and checks it once it can."""
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        assert ref.state is State.QUEUED
        refused = await user.tickets.create("x", BODY, category="billing")
        world.fake.heal()
        states = [sent.state for sent in await user.outbox.flush()]
        assert states == [State.STORED, State.FAILED]
        (kept,) = await user.outbox.list()
        assert (kept.number, kept.code) == (refused.number, "subject_too_short")


async def test_rules_hold_offline_too(world: World) -> None:
    """Once the team is known, a refused ticket is refused at once, relay or not."""
    async with world.client() as user:
        await user.verify_team()
        world.fake.inject(Fault.OFFLINE)
        error = await refusal(user.tickets.create("x" * 300, BODY, category="billing"))
        assert error.code == "subject_too_long"


@pytest.mark.parametrize(("note", "kept"), [("", 0), ("I have found it.", 1)])
async def test_a_refused_closing_comes_back_only_with_words(world: World, note: str, kept: int) -> None:
    """Closing what is closed leaves nothing that a later try would carry out, once the ticket is open again."""
    async with world.client() as user:
        number = await opened(user)
        await user.tickets.close(number)
        assert (await refusal(user.tickets.close(number, note=note))).code == "closed"
        assert len(await user.outbox.list()) == kept


async def test_what_waits_survives_a_restart(world: World) -> None:
    """Drafts are on the disk: another process sends them."""
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        number = await opened(user, attachments=[FileSpec(b"bytes", name="a.txt")])
    world.fake.heal()
    async with world.client() as user:
        (item,) = await user.outbox.list()
        assert (item.number, item.kind, item.subject, item.state) == (
            number,
            EventKind.OPENED,
            SUBJECT,
            State.QUEUED,
        )
        (sent,) = await user.outbox.flush()
        assert (sent.number, sent.state) == (number, State.STORED)
        assert (await user.tickets.get(number)).messages[0].attachments[0].name == "a.txt"


async def test_replies_wait_and_stay_in_order(world: World) -> None:
    """Two replies written offline arrive in the order in which they were written."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.OFFLINE)
        for text in ("first", "second"):
            assert (await user.tickets.reply(number, text)).state is State.QUEUED
        world.fake.heal()
        assert {ref.state for ref in await user.outbox.flush()} == {State.STORED}
        assert [m.body for m in (await user.tickets.get(number)).messages[1:]] == ["first", "second"]


async def test_a_new_reply_does_not_overtake(world: World) -> None:
    """A reply that is written while an earlier one waits is stored behind it."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.OFFLINE)
        await user.tickets.reply(number, "first")
        world.fake.heal()
        assert (await user.tickets.reply(number, "second")).state is State.STORED
        assert [m.body for m in (await user.tickets.get(number)).messages[1:]] == ["first", "second"]
        assert await user.outbox.list() == ()


async def test_a_reply_to_a_ticket_that_waits_is_refused(world: World) -> None:
    """Nothing can be written into a ticket that is not stored itself; the reason is told."""
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        number = await opened(user)
        assert (await refusal(user.tickets.reply(number, "more"))).code == "not_stored"


async def test_an_entry_of_the_team_in_between_does_no_harm(world: World) -> None:
    """A reply that was written before the team answered is sealed behind the answer."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.OFFLINE)
        await user.tickets.reply(number, "Are you there?")
        world.fake.heal()
        await world.console.answer(number, "Yes.")
        await user.outbox.flush()
        ticket = await user.tickets.get(number)
    assert [(m.body, m.verified) for m in ticket.messages[1:]] == [("Yes.", True), ("Are you there?", True)]


async def test_a_new_team_key_in_between_does_no_harm(world: World) -> None:
    """What is sent after a rotation is sealed under the new epoch, and the team can read it."""
    console = world.console
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.OFFLINE)
        await user.tickets.reply(number, "Written before the rotation.")
        batch = console.team.prepare((EPOCH, [console.device]))
        console.team.accept(batch)
        world.fake.take_batch(console.team.team_id, batch)
        world.fake.heal()
        await user.outbox.flush()
    last = (await console.read(number))[-1]
    assert last.epoch == 1
    assert "before the rotation" in repr(last.body)


# --- lost answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [False, True])
async def test_a_lost_answer_makes_no_second_message(world: World, reply: bool) -> None:
    """If the relay stored an entry and its answer was lost, sending again finds it (attack 87)."""
    async with world.client() as user:
        number = await opened(user) if reply else ""
        world.fake.inject(Fault.LOST_ANSWER, times=1)
        send = (
            user.tickets.reply(number, "Once.")
            if reply
            else user.tickets.create("Once.", BODY, category="bug")
        )
        ref = await send
        while ref.state is not State.STORED:
            (ref,) = await user.outbox.flush()
        assert await user.outbox.list() == ()
        said = (await user.tickets.get(ref.number)).messages
    assert len(said) == (2 if reply else 1)
    assert len(await world.console.read(ref.number)) == len(said)


async def test_a_lost_answer_is_found_by_a_look_at_the_list(world: World) -> None:
    """If a look at the ticket followed the own entry before it was sent again, it leaves the outbox unsent."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.LOST_ANSWER, times=1)
        ref = await user.tickets.reply(number, "Once.")
        assert ref.state is State.QUEUED
        await user.tickets.list()
        appends = world.fake.calls.count("append")
        (ref,) = await user.outbox.flush()
        assert ref.state is State.STORED
        assert world.fake.calls.count("append") == appends


@pytest.mark.parametrize(("life", "again"), [(delivery.SEALED_LIFE, True), (-1, False)])
async def test_old_sealed_bytes_are_not_sent(
    world: World, monkeypatch: pytest.MonkeyPatch, life: int, again: bool
) -> None:
    """What was sealed long ago is sealed anew: it might follow rules that ended since (5.5)."""
    tried: list[bytes] = []

    async def away(_mailbox: MailboxId, append: Append, _key: SigningKey) -> bytes:
        tried.append(append.entry)
        raise TransportError("relay_unreachable", "the relay is away")

    async with world.client() as user:
        number = await opened(user)
        with monkeypatch.context() as broken:
            broken.setattr(world.fake, "append", away)
            await user.tickets.reply(number, "Once.")
        monkeypatch.setattr(delivery, "SEALED_LIFE", life)
        (ref,) = await user.outbox.flush()
        assert ref.state is State.STORED
        assert len((await user.tickets.get(number)).messages) == 2
    stored = world.fake.stored(await world.console.mailbox(number))[-1].entry
    assert (stored in tried) is again


async def test_raising_keeps_what_the_relay_may_have(world: World) -> None:
    """With ``offline="raise"`` a message whose answer was lost is kept, since it may be stored."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.LOST_ANSWER, times=1)
        await refusal(user.tickets.reply(number, "Once.", offline="raise"))
        (item,) = await user.outbox.list()
        assert item.state is State.SEALED
        await user.outbox.flush()
        assert len((await user.tickets.get(number)).messages) == 2


async def test_own_words_are_no_news(world: World) -> None:
    """What this device wrote is never told as an event, also if it was found in the log by a look at the list."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.LOST_ANSWER, times=1)
        await user.tickets.reply(number, "Once.")
        await user.tickets.list()
        await user.outbox.flush()
        assert await user.news() == ()


async def test_reading_does_not_wait_for_an_upload(world: World) -> None:
    """While a large file goes up, its ticket and all others can be read."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.hold_pieces()
        files = [FileSpec(bytes(2_000_000), name="dump.bin")]
        reply = asyncio.create_task(user.tickets.reply(number, "See the file.", attachments=files))
        await world.fake.held.wait()
        async with asyncio.timeout(10):
            assert len((await user.tickets.get(number)).messages) == 1
            assert len(await user.tickets.list()) == 1
        world.fake.let_go()
        assert (await reply).state is State.STORED


# --- two devices of one user -------------------------------------------------------------------------------------


async def test_two_devices_of_one_user_take_two_places(world: World) -> None:
    """A second device with the same keys finds the first one's ticket at its place and takes the next."""
    async with world.client("laptop") as laptop:
        first = await opened(laptop)
    async with world.client("phone", keystore=world.keys("laptop")) as phone:
        ref = await phone.tickets.create("From the phone", BODY, category="bug")
        assert ref.state is State.STORED
        assert {line.subject for line in await phone.tickets.list()} == {SUBJECT, "From the phone"}
    assert ref.number != first
    assert sorted(await openings(world)) == ["From the phone", SUBJECT]


async def test_the_second_device_keeps_its_files(world: World) -> None:
    """Files that were meant for a place that was taken are uploaded again to the next one."""
    async with world.client("laptop") as laptop:
        await opened(laptop)
    async with world.client("phone", keystore=world.keys("laptop")) as phone:
        number = await opened(phone, attachments=[FileSpec(b"abc", name="a.bin")])
        saved = await phone.tickets.download(number, "a.bin", world.folder / "a.bin")
        assert saved.read_bytes() == b"abc"


@pytest.mark.parametrize("code", ["erased", "conflict"])
async def test_a_place_that_cannot_be_used_is_passed_over(world: World, code: str) -> None:
    """Where a ticket was erased the next place is taken; a mailbox of one's own that is empty is used."""
    async with world.client() as user:
        await user.verify_team()
        if code == "conflict":
            world.fake.refuse_at("append", "frozen")
            await refusal(opened(user))
            world.fake.refuse_at("append", "not_found")
        world.fake.refuse_at("create", code)
        number = (await user.outbox.flush())[0].number if code == "conflict" else await opened(user)
        assert [line.number for line in await user.tickets.list()] == [number]
        assert await user.outbox.list() == ()
    assert await openings(world) == [SUBJECT]


async def test_an_unknown_way_in_is_told(world: World) -> None:
    """A team that admits people in a way that this version lacks gets nothing, and the person learns why."""
    world.fake.admits = AdmissionMode.BLIND
    async with world.client() as user:
        assert (await refusal(opened(user))).code == "admission_unsupported"
        (item,) = await user.outbox.list()
        assert item.state is State.FAILED


async def test_the_proof_of_work_can_be_given_up(world: World) -> None:
    """A ticket that needs long work can be cancelled; it waits, and its thread stops."""
    world.fake.bits = 32
    told: list[Progress] = []
    begun = asyncio.Event()

    def progress(at: Progress) -> None:
        told.append(at)
        begun.set()

    async with world.client() as user:
        work = asyncio.create_task(opened(user, on_progress=progress))
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        world.fake.bits = None
        (ref,) = await user.outbox.flush()
        assert ref.state is State.STORED
    assert (told[0].phase, told[0].total) == ("admission", 2**32)


# --- failures that are kept --------------------------------------------------------------------------------------


async def test_a_refusal_of_the_relay_is_kept_and_can_be_tried_again(world: World) -> None:
    """A ticket that the team has stopped refuses replies; the reply is kept with the reason, and sent later."""
    async with world.client() as user:
        number = await opened(user)
        (mailbox,) = world.fake.mailboxes
        world.fake.freeze(mailbox)
        assert (await refusal(user.tickets.reply(number, "Hello?"))).code == "frozen"
        (item,) = await user.outbox.list()
        assert (item.state, item.code, item.kind) == (State.FAILED, "frozen", EventKind.MESSAGE)
        world.fake.freeze(mailbox, frozen=False)
        assert (await user.outbox.retry(item.key)).state is State.STORED
        assert len((await user.tickets.get(number)).messages) == 2


@pytest.mark.parametrize("fault", [Fault.FORGED_RECEIPT, Fault.OTHER_RECEIPT])
async def test_a_false_receipt_is_no_receipt(world: World, fault: Fault) -> None:
    """A write with a false receipt is not called stored; it is confirmed by a good one later (attack 16)."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(fault)
        await refusal(user.tickets.reply(number, "Once."))
        (item,) = await user.outbox.list()
        assert item.state is State.FAILED
        world.fake.heal()
        (ref,) = await user.outbox.flush()
        assert ref.state is State.STORED
        assert len((await user.tickets.get(number)).messages) == 2


async def test_an_older_roster_stops_sending(world: World) -> None:
    """A relay that serves an older list of administrators than before gets nothing (attack 7)."""
    console = world.console
    batch = console.team.prepare((EPOCH, [console.device]))
    console.team.accept(batch)
    world.fake.take_batch(console.team.team_id, batch)
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.OLD_ROSTER)
        assert (await refusal(user.tickets.reply(number, "x"))).code == "roster_rollback"
        (item,) = await user.outbox.list()
        assert (item.state, item.code) == (State.FAILED, "roster_rollback")


async def test_a_mailbox_that_died_empty_is_made_again(world: World) -> None:
    """If the relay forgot an empty mailbox after a day, the draft begins again under the same number."""
    async with world.client() as user:
        world.fake.refuse_at("append", "busy")
        number = await opened(user)
        (item,) = await user.outbox.list()
        assert item.number == number
        world.fake.forget_empty()
        (ref,) = await user.outbox.flush()
        assert (ref.number, ref.state) == (number, State.STORED)


async def test_an_upload_that_died_is_made_again(world: World) -> None:
    """If the relay forgot an uploaded file before the message was stored, it is uploaded again, once."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.refuse_at("append", "blob_incomplete")
        ref = await user.tickets.reply(number, "with a file", attachments=[FileSpec(b"abc", name="a")])
        assert ref.state is State.STORED


async def test_a_file_that_vanished_is_told(world: World, tmp_path: Path) -> None:
    """A draft whose file is gone when it is sent fails with the file's name and is kept."""
    path = tmp_path / "gone.txt"
    path.write_bytes(b"here")
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        await opened(user, attachments=[path])
        path.unlink()
        world.fake.heal()
        (ref,) = await user.outbox.flush()
        (item,) = await user.outbox.list()
    assert (ref.state, item.code) == (State.FAILED, "cannot_read")


# --- keeping house -----------------------------------------------------------------------------------------------


async def test_a_discarded_draft_is_gone_and_its_place_is_free(world: World) -> None:
    """A discarded ticket leaves the list, and the next one takes its place."""
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        first = await opened(user)
        (item,) = await user.outbox.list()
        await user.outbox.discard(item.key)
        assert not await user.tickets.list()
        assert await opened(user) == first
        for wrong in (item.key, "zz", "00"):
            assert (await refusal(user.outbox.discard(wrong))).code == "unknown_item"
            assert (await refusal(user.outbox.retry(wrong))).code == "unknown_item"


async def test_the_callers_own_key_makes_one_ticket(world: World) -> None:
    """Two calls with one idempotency key open one ticket, stored or waiting."""
    async with world.client() as user:
        await user.verify_team()
        world.fake.inject(Fault.OFFLINE)
        first = await user.tickets.create(SUBJECT, BODY, category="bug", idempotency_key="crash-17")
        world.fake.heal()
        second = await user.tickets.create(SUBJECT, BODY, category="bug", idempotency_key="crash-17")
        third = await user.tickets.create(SUBJECT, BODY, category="bug", idempotency_key="crash-17")
    assert (first.state, second.state, third.state) == (State.QUEUED, State.STORED, State.STORED)
    assert first.number == second.number == third.number
    assert await openings(world) == [SUBJECT]


async def test_a_refused_call_can_be_corrected_under_its_key(world: World) -> None:
    """After a refusal the same key takes other words: nothing refused comes back later."""
    async with world.client() as user:
        await refusal(user.tickets.create("x", BODY, category="bug", idempotency_key="k"))
        ref = await user.tickets.create(SUBJECT, BODY, category="bug", idempotency_key="k")
        assert ref.state is State.STORED
        assert await user.outbox.list() == ()


async def test_the_outbox_has_bounds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that writes by mistake is stopped with a clear error, not by a full disk."""
    monkeypatch.setattr(outbox, "ITEMS_MAX", 1)
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        await opened(user)
        assert (await refusal(opened(user))).code == "outbox_full"
        monkeypatch.setattr(outbox, "ITEMS_MAX", 100)
        monkeypatch.setattr(outbox, "BYTES_MAX", 10_000)
        large = [FileSpec(bytes(20_000), name="x")]
        assert (await refusal(opened(user, attachments=large))).code == "outbox_full"


async def test_old_drafts_are_sent_only_by_hand(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written long ago is not sent by surprise; a person can still send it."""
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        await opened(user)
        world.fake.heal()
        monkeypatch.setattr(outbox, "AGE_MAX", -1)
        (ref,) = await user.outbox.flush()
        assert ref.state is State.QUEUED
        (item,) = await user.outbox.list()
        assert (await user.outbox.retry(item.key)).state is State.STORED


async def test_failed_items_can_be_left_alone(world: World) -> None:
    """A flush for what waits does not touch what was refused."""
    async with world.client() as user:
        await refusal(user.tickets.create("x", BODY, category="bug"))
        calls = len(world.fake.calls)
        (ref,) = await user.outbox.flush(failed=False)
        assert ref.state is State.FAILED
        assert len(world.fake.calls) == calls
