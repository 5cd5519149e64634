"""Mailboxes over HTTP: create, append in the order of checks, read (protocol section 3)."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.ids import BlobId, Hash, TeamId
from e2e_support.mailbox import Chain, first_hash, mailbox_id, relay_key_id, verify_receipt
from e2e_support.request import b64, unb64
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import Append, Head, Page
from e2e_support_server.refusal import Refusal
from e2e_support_server.rules import Budget, Mailbox, State, Wish, Writer, entries_allowed, judge
from relay_kit import LIMITS, Client, ManualClock, TeamHandle, make_entry, new_key, running


async def test_a_create_is_done_once_and_answers_the_same_again(relay: Client, team: TeamHandle) -> None:
    """The same create answers 201, then 200, and there is one empty mailbox (§3.2)."""
    key = new_key()
    create = relay.create(team, key)
    assert (await relay.put_mailbox(key, create)).status == 201
    assert (await relay.put_mailbox(key, create)).status == 200
    page = Page.from_bytes(
        (await relay.ask(key, "GET", f"/v1/mailboxes/{b64(mailbox_id(key.public))}/entries")).body
    )
    assert page == Page(Head(0, first_hash(mailbox_id(key.public))), ())


async def test_another_create_under_one_key_is_a_conflict(relay: Client, team: TeamHandle) -> None:
    """A create that differs in one field from the stored one is refused as conflict (§3.2)."""
    key = new_key()
    (await relay.put_mailbox(key, relay.create(team, key))).expect(201)
    (await relay.put_mailbox(key, relay.create(team, key, team=0))).expect("conflict")


@pytest.mark.parametrize("shift", [-1, 0, 1])
async def test_a_create_may_name_the_days_around_today(
    relay: Client, team: TeamHandle, clock: ManualClock, shift: int
) -> None:
    """Today, yesterday and tomorrow are accepted, so that clocks may differ (§3.2)."""
    key = new_key()
    clock.time += shift * 86_400
    create = relay.create(team, key)
    clock.time -= shift * 86_400
    (await relay.put_mailbox(key, create)).expect(201)


@pytest.mark.parametrize("shift", [-2, 2])
async def test_a_create_of_another_day_is_refused(
    relay: Client, team: TeamHandle, clock: ManualClock, shift: int
) -> None:
    """Work done for a day further away admits nothing (§3.2)."""
    key = new_key()
    clock.time += shift * 86_400
    create = relay.create(team, key)
    clock.time -= shift * 86_400
    (await relay.put_mailbox(key, create)).expect("admission_refused")


async def test_a_create_for_an_unknown_team_is_not_found(relay: Client, team: TeamHandle) -> None:
    """A mailbox belongs to a team that exists (§3.2)."""
    key = new_key()
    stranger = replace(team, team_id=TeamId(os.urandom(32)))
    (await relay.put_mailbox(key, relay.create(stranger, key))).expect("not_found")


async def test_a_mailbox_without_users_needs_the_teams_proof(relay: Client, team: TeamHandle) -> None:
    """Work does not admit a staff log; the epoch's capability does (§3.2)."""
    key = new_key()
    (await relay.put_mailbox(key, relay.create(team, key, user_key=b""))).expect("admission_refused")
    staff = relay.create(team, key, user_key=b"", mode=AdmissionMode.TEAM)
    (await relay.put_mailbox(key, staff)).expect(201)


@pytest.mark.parametrize("mode", [AdmissionMode.GRANT, AdmissionMode.BLIND])
async def test_reserved_modes_admit_nothing(relay: Client, team: TeamHandle, mode: AdmissionMode) -> None:
    """The modes that are reserved are refused, whatever the proof (§7)."""
    key = new_key()
    (await relay.put_mailbox(key, relay.create(team, key, mode=mode))).expect("admission_refused")


async def test_an_append_answers_a_receipt_that_verifies(relay: Client, team: TeamHandle) -> None:
    """Every stored entry has a receipt under the relay's key for its place and hash (§3.4)."""
    box = await relay.ticket(team)
    receipts = [
        await box.append(make_entry(epoch=0)),
        await box.append(),
        await box.append(key=team.capability),
    ]
    assert [receipt.leaf.seq for receipt in receipts] == [0, 1, 2]


async def test_a_repeated_append_answers_the_same_receipt(relay: Client, team: TeamHandle) -> None:
    """The same entry at the same place is stored once and answers byte for byte the same, also later (§3.3 step 1)."""
    box = await relay.ticket(team)
    append = box.next(make_entry())
    first = await box.post(append)
    await box.append()
    again = await box.post(append)
    assert again.body == first.expect(200).body
    assert (await box.page()).head.length == 2


async def test_a_stale_append_is_told_the_head(relay: Client, team: TeamHandle) -> None:
    """An append that is not at the head is refused and learns where the head is (§3.3 step 2)."""
    box = await relay.ticket(team)
    await box.append()
    stale = Append(0, first_hash(box.id), make_entry(), ())
    reply = (await box.post(stale)).expect("head_moved")
    assert Head.from_bytes(unb64(reply.problem["head"], 36)) == Head(1, box.hash)


async def test_an_append_with_a_wrong_previous_hash_is_refused(relay: Client, team: TeamHandle) -> None:
    """The right number with another history does not fit either (§3.3 step 2)."""
    box = await relay.ticket(team)
    (await box.post(Append(0, Hash(os.urandom(32)), make_entry(), ()))).expect("head_moved")


async def test_a_box_of_another_epoch_is_refused(relay: Client, team: TeamHandle) -> None:
    """A team box names the newest epoch of the roster (§3.3 step 4)."""
    box = await relay.ticket(team)
    (await box.post(box.next(make_entry(epoch=1)))).expect("epoch_changed")


async def test_a_frozen_mailbox_bars_users_only(relay: Client, team: TeamHandle) -> None:
    """Freezing binds the user class; the team goes on writing (§3.3 step 3)."""
    assert relay.relay
    box = await relay.ticket(team)
    stored = await relay.relay.store.mailbox(box.id)
    assert stored
    await relay.relay.store.freeze(stored, frozen=True)
    (await box.post(box.next(make_entry()))).expect("frozen")
    await box.append(key=team.capability)
    await relay.relay.store.freeze(stored, frozen=False)
    await box.append()


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (b"\x90", "malformed"),
        (make_entry()[:-1] + b"", "malformed"),
        (b"\x96\x02" + make_entry()[2:], "update_needed"),
        (make_entry(size=513), "malformed"),
    ],
)
async def test_an_entry_that_is_not_well_formed_is_refused(
    relay: Client, team: TeamHandle, entry: bytes, code: str
) -> None:
    """What the relay can check of an entry it checks before it stores it (§3.1)."""
    box = await relay.ticket(team)
    (await box.post(box.next(entry))).expect(code)


def _wish(**changed: object) -> Wish:
    mailbox = Mailbox(1, mailbox_id(bytes(32)), b"u" * 32, TeamId(bytes(32)), team=True)
    wish = Wish(mailbox, Writer.USER, 3, Hash(b"h" * 32), b"entry", Hash(b"n" * 32), None, (), 0.0)
    return replace(wish, **changed)  # type: ignore[arg-type]


def _state(**changed: object) -> State:
    state = State(3, Hash(b"h" * 32), 0, (Budget(0, 0), Budget(0, 0)), frozen=False)
    for name, value in changed.items():
        setattr(state, name, value)
    return state


STALE, SPENT, SLOW, FROZEN, OLD = (
    {"seq": 2},
    {"used": (Budget(5000, 0), Budget(0, 0))},
    {"wait": 1.0},
    {"frozen": True},
    {"epoch": 7},
)


@pytest.mark.parametrize(
    ("state", "wish", "code"),
    [
        (SPENT | FROZEN, STALE | SLOW | OLD, "head_moved"),
        (SPENT | FROZEN, SLOW | OLD, "budget"),
        (FROZEN, SLOW | OLD, "rate"),
        (FROZEN, OLD, "frozen"),
        ({}, OLD, "epoch_changed"),
    ],
)
def test_the_checks_come_in_their_order(state: dict[str, object], wish: dict[str, object], code: str) -> None:
    """An append with several faults is refused for the first in the order of §3.3."""
    with pytest.raises(Refusal) as refused:
        judge(_state(**state), _wish(**wish), newest_epoch=0, bytes_allowed=100)
    assert refused.value.code == code


def test_an_append_without_fault_passes() -> None:
    """The control of the table above."""
    judge(_state(), _wish(), newest_epoch=0, bytes_allowed=100)


def test_too_many_bytes_are_a_budget_of_their_own() -> None:
    """A class that has filled its bytes is refused even if entries are left (§3.3 step 3)."""
    with pytest.raises(Refusal, match="budget"):
        judge(_state(used=(Budget(1, 96), Budget(0, 0))), _wish(), newest_epoch=0, bytes_allowed=100)


def test_team_entries_never_count_against_the_users() -> None:
    """The user class may write its half however much the team has written, and the team the other half (§3.3)."""
    full_team = _state(used=(Budget(4999, 0), Budget(5000, 0)))
    judge(full_team, _wish(), newest_epoch=0, bytes_allowed=100)
    with pytest.raises(Refusal, match="budget"):
        judge(full_team, _wish(writer=Writer.TEAM), newest_epoch=0, bytes_allowed=100)


def test_a_staff_log_is_all_the_teams() -> None:
    """Where no user writes, the team may use all 10,000 entries (§3.3)."""
    staff = replace(_wish().mailbox, user_key=b"")
    assert entries_allowed(staff, Writer.TEAM) == 10_000


async def test_the_byte_budget_holds_over_http(tmp_path: Path) -> None:
    """A class that has used its bytes is told so, and the other one still writes."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, entry_bytes=1000)) as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        await box.append()
        (await box.post(box.next(make_entry()))).expect("budget")
        await box.append(key=team.capability)


async def test_a_page_holds_what_fits_and_the_reader_asks_again(relay: Client, team: TeamHandle) -> None:
    """A page ends after 1 MiB or 256 items; consecutive pages give the whole chain (§3.5)."""
    box = await relay.ticket(team)
    for _ in range(6):
        await box.append(make_entry(size=229_376))
    for _ in range(3):
        await box.append()
    chain, pages = Chain.start(box.id), 0
    while chain.length < box.length:
        page = await box.page(chain.length)
        chain.check_page(page)
        assert sum(len(item.entry) for item in page.items) <= 1024 * 1024
        for item in page.items:
            chain = chain.advance(item.entry)
        pages += 1
    assert (chain.head, pages) == (Head(9, box.hash), 2)


async def test_a_page_has_at_most_256_items(relay: Client, team: TeamHandle) -> None:
    """The number of items in a page is bounded too (§3.5)."""
    box = await relay.ticket(team)
    for _ in range(257):
        await box.append()
    assert len((await box.page()).items) == 256
    assert len((await box.page(256)).items) == 1
    assert (await box.page(257)).items == ()


async def test_every_receipt_on_a_page_verifies(relay: Client, team: TeamHandle) -> None:
    """Reads return entries with the receipts that were given (§3.4, §3.5)."""
    box = await relay.ticket(team)
    receipts = [await box.append() for _ in range(3)]
    chain, keys = Chain.start(box.id), {relay_key_id(relay.relay_key): relay.relay_key}
    for item, receipt in zip((await box.page()).items, receipts, strict=True):
        chain = chain.advance(item.entry)
        found = verify_receipt(
            item.receipt, keys, mailbox=box.id, seq=chain.length - 1, entry_hash=chain.hash
        )
        assert found == receipt


async def test_concurrent_appends_share_a_signature_and_every_receipt_verifies(
    relay: Client, team: TeamHandle
) -> None:
    """Appends that commit together have Merkle paths to one signed root; each verifies alone (§3.4)."""
    boxes = [await relay.ticket(team) for _ in range(24)]
    receipts = [
        receipt for _ in range(3) for receipt in await asyncio.gather(*(box.append() for box in boxes))
    ]
    signatures = {receipt.signature for receipt in receipts}
    assert len(signatures) < len(receipts)
    assert any(receipt.path for receipt in receipts)


async def test_of_two_appends_at_once_one_is_stored(relay: Client, team: TeamHandle) -> None:
    """Compare-and-append lets exactly one of many through (§3.3, attack 43)."""
    box = await relay.ticket(team)
    appends = [box.next(make_entry()) for _ in range(12)]
    replies = await asyncio.gather(*(box.post(append) for append in appends))
    assert sorted(reply.status for reply in replies) == [200] + [409] * 11


async def test_the_same_append_at_once_is_stored_once(relay: Client, team: TeamHandle) -> None:
    """Twins in one commit group get the same receipt (§3.3 step 1)."""
    box = await relay.ticket(team)
    append = box.next(make_entry())
    replies = await asyncio.gather(*(box.post(append) for _ in range(12)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert (await box.page()).head.length == 1


async def test_receipt_times_never_decrease(relay: Client, team: TeamHandle, clock: ManualClock) -> None:
    """A relay whose clock is set back keeps the time of a mailbox where it was (§3.4)."""
    box = await relay.ticket(team)
    first = await box.append()
    clock.time -= 3600
    second = await box.append()
    clock.time += 7200
    third = await box.append()
    assert first.leaf.time == second.leaf.time < third.leaf.time


async def test_the_refused_class_holds_the_head_for_its_turn(
    relay: Client, team: TeamHandle, clock: ManualClock
) -> None:
    """After head_moved the loser has three seconds in which the other class must wait (§3.3)."""
    box = await relay.ticket(team)
    await box.append(key=team.capability)
    stale = Append(0, first_hash(box.id), make_entry(), ())
    (await box.post(stale)).expect("head_moved")
    refused = (await box.post(box.next(make_entry()), team.capability)).expect("rate")
    assert refused.headers["Retry-After"] == "3"
    await box.append()
    await box.append(key=team.capability)


async def test_a_held_head_is_let_go_after_three_seconds(
    relay: Client, team: TeamHandle, clock: ManualClock
) -> None:
    """A class that does not use its turn loses it, and gets no second one before the other wrote (§3.3)."""
    box = await relay.ticket(team)
    await box.append(key=team.capability)
    stale = Append(0, first_hash(box.id), make_entry(), ())
    (await box.post(stale)).expect("head_moved")
    clock.time += 3.1
    (await box.post(stale)).expect("head_moved")
    await box.append(key=team.capability)


async def test_a_repetition_is_answered_even_while_the_head_is_held(relay: Client, team: TeamHandle) -> None:
    """Step 1 comes before every other check: a lost answer can always be fetched (§3.3)."""
    box = await relay.ticket(team)
    stored = box.next(make_entry())
    (await box.post(stored, team.capability)).expect(200)
    (await box.post(Append(0, first_hash(box.id), make_entry(), ()))).expect("head_moved")
    (await box.post(stored, team.capability)).expect(200)


async def test_the_rate_of_a_class_is_bounded(tmp_path: Path, clock: ManualClock) -> None:
    """Beyond its burst a class is told to wait, and the other one is not (§3.3 step 3)."""
    async with running(
        tmp_path / "relay", clock=clock, limits=replace(LIMITS, user_rate=1, rate_burst=3)
    ) as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        for _ in range(3):
            await box.append()
        assert int((await box.post(box.next(make_entry()))).expect("rate").headers["Retry-After"]) >= 1
        await box.append(key=team.capability)
        clock.time += 1
        await box.append()


async def test_a_blob_that_is_not_there_is_named_in_vain(relay: Client, team: TeamHandle) -> None:
    """An entry that names an unknown blob is refused, and nothing is stored (§3.3 step 5)."""
    box = await relay.ticket(team)
    (await box.post(box.next(make_entry(), [BlobId(os.urandom(16))]))).expect("blob_incomplete")
    assert (await box.page()).head.length == 0


async def test_a_mailbox_closed_to_the_team_is_closed_to_the_team(relay: Client, team: TeamHandle) -> None:
    """With ``team`` 0 the capability of the epoch opens nothing, and no feed tells of the mailbox."""
    box = await relay.ticket(team, team=0)
    await box.append()
    (await box.post(box.next(make_entry()), team.capability)).expect("not_found")
    feed = await relay.ask(team.capability, "GET", f"/v1/team/{b64(team.team_id)}/feed?after=0")
    assert feed.body == b"\x92\x00\x90"


async def test_the_user_capability_may_differ_from_the_creation_key(relay: Client, team: TeamHandle) -> None:
    """Whoever holds the user key writes; the creation key alone then opens nothing."""
    user, creation = new_key(), new_key()
    box = await relay.ticket(team, creation, user_key=user.public)
    await box.append(key=user)
    (await box.post(box.next(make_entry()), creation)).expect("not_found")
