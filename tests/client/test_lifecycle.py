"""The life of a user's tickets: search, counts, hiding, follow-ups, cards, merging, what comes next, the bell."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e_support import conversation
from e2e_support.errors import SupportError, TransportError
from e2e_support.policy import Policy
from e2e_support.policy_parts import ClosedReply, Notify, UserDelete, UserReopen
from e2e_support.presets import DEFAULT, DESK, INSTANCE, PANEL, RECORD
from e2e_support.user import open_card, read_card
from e2e_support.vocab import Role, Verdict
from e2e_support.wire import Page
from e2e_support_client import BlockingSupportClient, SupportClient
from e2e_support_client import Role as Side
from e2e_support_client.room import Room
from e2e_support_client.store import TicketRow
from e2e_support_client.testing import Fault
from lifecycle_kit import DAY, Clocks, Desk, another_device
from team_builder import EPOCH, device
from user_kit import BODY, SUBJECT, World, fake_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team with the recommended policy."""
    return fake_world(tmp_path)


async def new(user: SupportClient, subject: str = SUBJECT, **options: Any) -> str:
    """Open a ticket and return its number."""
    chosen: dict[str, Any] = {"category": "billing", **options}
    return (await user.tickets.create(subject, BODY, **chosen)).number


async def refusal(work: Any) -> SupportError:
    """Return the error that something raises."""
    with pytest.raises(SupportError) as caught:
        await work
    return caught.value


async def numbers(user: SupportClient, **filters: Any) -> set[str]:
    """Return the numbers of a list."""
    return {line.number for line in await user.tickets.list(**filters)}


async def bell(user: SupportClient, *, unread: bool = True) -> list[tuple[str, str]]:
    """Return number and kind of what the person is told, the newest first."""
    return [(one.number, one.kind) for one in await user.notifications(unread=unread)]


# --- list, search, counts ----------------------------------------------------------------------------------------


async def test_tickets_are_found_by_number_subject_and_text(world: World) -> None:
    """S0-13, S2-11, S4-05: the search looks at number in any spelling, subject and messages, in any case."""
    async with world.client() as user:
        one, two = await new(user), await new(user, "The calendar crashes")
        await world.console.answer(two, "Please remove the appointment called Marigold.")
        assert await numbers(user, text="invoice") == {one, two}  # the text of both
        assert await numbers(user, text="CALENDAR") == {two}
        assert await numbers(user, text="marigold") == {two}
        assert await numbers(user, text=one.lower().replace("-", "")) == {one}
        assert await numbers(user, text="no such thing") == set()


async def test_tickets_are_filtered_and_counted_by_status(world: World) -> None:
    """S2-12, S4-03: a list by status and category, and a number for every status that the policy knows."""
    async with world.client() as user:
        one, two = await new(user), await new(user, category="bug")
        await world.console.answer(one)
        assert await numbers(user, status="waiting") == {one}
        assert await numbers(user, status=["Open", "closed"]) == {two}
        assert await numbers(user, category="bug") == {two}
        counts = await user.tickets.counts()
        assert counts == {
            "open": 1, "answered": 0, "progress": 0, "waiting": 1, "resolved": 0, "closed": 0,
        }  # fmt: skip


# --- hiding ------------------------------------------------------------------------------------------------------


async def test_a_closed_ticket_can_be_hidden(world: World) -> None:
    """S1-26: it leaves list, search and counts of this device alone, stays readable, and can be shown again."""
    async with world.client() as user:
        number = await new(user)
        await user.tickets.close(number)
        assert "hide" in (await user.tickets.get(number)).actions
        await user.tickets.hide(number)
        assert await numbers(user) == await numbers(user, text=SUBJECT) == set()
        assert sum((await user.tickets.counts()).values()) == 0
        (line,) = await user.tickets.list(hidden=True)
        assert line.hidden
        assert (await user.tickets.get(number)).messages
    async with world.client() as user:
        assert await numbers(user) == set()
        await user.tickets.unhide(number)
        assert await numbers(user) == {number}
        await user.tickets.hide(number)
    async with world.client(**another_device(world)) as other:
        assert await numbers(other) == {number}


async def test_a_hidden_ticket_comes_back_when_it_is_opened_again(world: World) -> None:
    """Whatever the team opens again is in the list again, and stays there when it is closed once more."""
    async with world.client() as user:
        number = await new(user)
        await user.tickets.close(number)
        await user.tickets.hide(number)
        await Desk(world).reopen(number)
        assert await numbers(user) == {number}
        await world.console.close(number)
        assert await numbers(user) == {number}


async def test_what_is_open_cannot_be_hidden(world: World) -> None:
    """S1x-8: a ticket that is not closed stays in the list."""
    async with world.client() as user:
        number = await new(user)
        error = await refusal(user.tickets.hide(number))
        assert error.code == "not_closed"
        assert "Close it first" in error.hint


async def test_where_nothing_is_removed_nothing_is_hidden(tmp_path: Path) -> None:
    """S2-38: where the policy keeps all tickets, a closed one stays in the list."""
    world = fake_world(tmp_path, DESK)
    async with world.client() as user:
        number = await new(user, category="sales")
        await world.console.close(number)
        assert (await user.tickets.get(number)).actions == {"follow_up"}
        assert (await refusal(user.tickets.hide(number))).code == "hide_off"


# --- what comes next ---------------------------------------------------------------------------------------------


async def test_a_ticket_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4-20, S4-23: when it closes by itself, until when it may be reopened, when it is erased, at the very second."""
    clocks, world = Clocks(monkeypatch), fake_world(tmp_path)
    async with world.client() as user:
        number = await new(user)
        await world.console.resolve(number)
        resolved = clocks.now
        ticket = await user.tickets.get(number)
        assert ticket.closes_at == datetime.fromtimestamp(resolved + 7 * DAY, UTC)
        assert ticket.resolution == "It was a full disk."
        assert (ticket.reopen_until, ticket.erase_at) == (None, None)
        clocks.pass_by(days=7)
        ticket = await user.tickets.get(number)
        assert ticket.summary.status == "closed"
        assert ticket.closes_at is None
        assert ticket.reopen_until == datetime.fromtimestamp(resolved + 21 * DAY, UTC)
        assert ticket.erase_at == datetime.fromtimestamp(resolved + 372 * DAY, UTC)
        assert ticket.actions == {"reply", "reopen", "hide", "erase"}
        assert ticket.resolution == "It was a full disk."


async def test_a_reply_reopens_within_the_window_and_not_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4-23: a reply 6 days 23:59 after the closing opens the ticket again, one at 7 days and a second is refused."""
    clocks, world = Clocks(monkeypatch), fake_world(tmp_path, PANEL)
    async with world.client() as user:
        early, late = await new(user), await new(user)
        for number in (early, late):
            await world.console.close(number)
        clocks.pass_by(days=7, seconds=-60)
        await user.tickets.reply(early, "It is back.")
        clocks.pass_by(seconds=61)
        error = await refusal(user.tickets.reply(late, "It is back."))
        assert error.code == "reopen_window_over"
        assert {line.number: line.status for line in await user.tickets.list()} == {
            early: "open",
            late: "closed",
        }
        assert (await user.tickets.get(late)).actions == {"follow_up"}


async def test_an_assignee_is_shown_where_the_policy_says_so(tmp_path: Path) -> None:
    """S2-16: who works on a ticket is shown by name, in the ticket and behind the bell, or not at all."""
    for name, policy, shown in (("record", RECORD, "anna"), ("panel", PANEL, "")):
        world = fake_world(tmp_path / name, policy)
        async with world.client() as user:
            ref = await user.tickets.create("A subject of its own", "x" * 60, category="billing")
            await Desk(world).assign(ref.number, world.console.device)
            assert (await user.tickets.get(ref.number)).assignee == shown
            told = [one.text for one in await user.notifications() if one.kind == "assigned"]
            assert told == (["anna works on it now."] if shown else [])


# --- follow-ups --------------------------------------------------------------------------------------------------


async def test_a_follow_up_is_filled_in(tmp_path: Path) -> None:
    """S2-33: a ticket that stays closed is followed by a new one that cites it, with its subject, category, answers."""
    world = fake_world(tmp_path, RECORD)
    long = "The invoices are gone again, in both browsers, since this morning."
    async with world.client() as user:
        answers = {"feature": "Reports"}
        old = (
            await user.tickets.create("No invoice in July", long, category="billing", fields=answers)
        ).number
        await world.console.resolve(old)
        await user.tickets.close(old)
        ticket = await user.tickets.get(old)
        assert ticket.actions == {"follow_up"}
        error = await refusal(user.tickets.reply(old, "It is back."))
        assert error.code == "closed"
        new_one = await user.tickets.get((await user.tickets.follow_up(old, long)).number)
        assert (new_one.related, new_one.fields) == (old, answers)
        assert (new_one.summary.subject, new_one.summary.category) == ("No invoice in July", "billing")
        other = await user.tickets.get(
            (await user.tickets.follow_up(old, long, subject="Something else now", category="bug")).number
        )
        assert (other.summary.subject, other.summary.category) == ("Something else now", "bug")


async def test_what_the_team_did_meanwhile_counts(tmp_path: Path) -> None:
    """S2-22: a ticket that was resolved unseen can be closed at once; without a network the rules known here hold."""
    world = fake_world(tmp_path, RECORD)
    async with world.client() as user:
        one, two = [
            (await user.tickets.create("No invoice in July", "x" * 60, category="billing")).number
            for _ in "12"
        ]
        for number in (one, two):
            await world.console.resolve(number)
        await user.tickets.close(one)
        world.fake.inject(Fault.OFFLINE)
        assert (await refusal(user.tickets.close(two))).code == "close_note_needed"


async def test_a_reply_never_reopens_where_it_starts_a_new_ticket(tmp_path: Path) -> None:
    """C2: with "new linked ticket" a reply is refused however early, and a follow-up is offered instead."""
    reopen = replace(DEFAULT.reopen, user=UserReopen.NEVER, window_days=0, on_reply=ClosedReply.NEW_LINKED)
    world = fake_world(tmp_path, replace(DEFAULT, reopen=reopen))
    async with world.client() as user:
        number = await new(user)
        await user.tickets.close(number)
        assert (await refusal(user.tickets.reply(number, "One more thing."))).code == "closed"
        assert (await user.tickets.get(number)).actions == {"follow_up", "hide", "erase"}


# --- a ticket that the team opens --------------------------------------------------------------------------------


async def test_a_ticket_that_the_team_opens_appears(world: World) -> None:
    """S1x-5: with the user's card the team writes first; it is verified, unread, told by the bell, and answered."""
    async with world.client() as user:
        await user.verify_team()
        card = await user.tickets.card()
        assert await user.tickets.card() == card
        assert await numbers(user) == set()
        assert await bell(user) == []
        number = await Desk(world).open_for(card)
        (line,) = await user.tickets.list()
        assert (line.number, line.subject, line.unread) == (number, "Your disk is full", 1)
        ticket = await user.tickets.get(number)
        assert [(m.author.role, m.verified) for m in ticket.messages] == [(Side.TEAM, True)]
        assert await bell(user) == [(number, "opened")]
        await user.tickets.reply(number, "I have emptied it.")
        assert (await world.console.read(number))[-1].verdict is Verdict.OK
        assert await user.tickets.card() != card
        own = await new(user)
        assert await numbers(user) == {number, own}
        assert (await user.today()).left == 9  # what the team opens costs the user nothing


async def test_an_unused_card_takes_nothing_from_the_user(world: World) -> None:
    """A kept place is no ticket, no problem and no gap: lists are empty, and a restore finds what comes behind it."""
    async with world.client() as user:
        await user.verify_team()
        await user.tickets.card()
        own = await new(user)
        assert await numbers(user) == {own}
        assert [event for event in await user.news() if event.problem] == []
        phrase = (await user.register()).recovery_phrase
    async with world.client("restored") as restored:
        assert await restored.restore(phrase) == 1
        assert await numbers(restored) == {own}


@pytest.mark.parametrize("readable", [True, False])
async def test_a_ticket_with_a_strangers_card_is_never_shown(
    world: World, monkeypatch: pytest.MonkeyPatch, readable: bool
) -> None:
    """P6: what stands in a kept place but was not written for this user is no ticket, whether it opens here or not."""
    async with world.client("eve") as eve:
        await eve.verify_team()
        others = await eve.tickets.card()
    async with world.client() as user:
        await user.verify_team()
        own = await user.tickets.card()
        key = open_card(read_card(own), world.console.team.team_id).reply_key
        if readable:  # sealed to this user, although the card in it is another's

            def reply_key(_: object) -> bytes:
                return key

            monkeypatch.setattr(conversation, "_reply_key", reply_key)
        await Desk(world).open_for(own, for_card=others)
        assert await numbers(user) == set()
        assert [kind for _, kind in await bell(user)] == ["problem"]


async def test_a_card_may_stay_unlinked(world: World) -> None:
    """An unlinked card brings nothing that joins the ticket to the user's others."""
    async with world.client() as user:
        await user.verify_team()
        linked, unlinked = await user.tickets.card(), await user.tickets.card(unlinked=True)
        assert len(unlinked) < len(linked)
        number = await Desk(world).open_for(unlinked)
        assert await numbers(user) == {number}


async def test_a_look_that_fails_leaves_nothing_running(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the relay cannot be asked for one place, the questions about all others stop, too: none comes later."""
    async with world.client() as user:
        await user.verify_team()
        asked = 0

        async def read(*_arguments: object) -> Page:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise TransportError("relay_unreachable", "the relay cannot be reached")
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(world.fake, "read", read)
        before = asyncio.all_tasks()
        await user.tickets.card()
        assert asked > 1
        assert asyncio.all_tasks() <= before


# --- merging -----------------------------------------------------------------------------------------------------


async def test_a_merged_ticket_points_to_where_it_goes_on(world: World) -> None:
    """The ended ticket names the one that goes on and that one the ended; a reply says where to write."""
    async with world.client() as user:
        one, two = await new(user), await new(user)
        await Desk(world).merge(one, two)
        ended = await user.tickets.get(one)
        assert (ended.summary.status, ended.merged_into, ended.summary.problem) == ("closed", two, "")
        assert ended.actions == {"hide", "erase"}
        assert (await user.tickets.get(two)).merged_from == (one,)
        assert (await refusal(user.tickets.reply(one, "Hello?"))).code == "merged"
        told = await user.notifications()
        assert [one.text for one in told] == [f"Closed: it goes on in {two}."]


def resumed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the numbers of the tickets that are read from the store from now on."""
    numbers, resume = set[str](), Room.resume

    def noted(row: TicketRow, *rest: Any) -> Room:
        numbers.add(row.number)
        return resume(row, *rest)

    monkeypatch.setattr(Room, "resume", noted)
    return numbers


async def test_reading_a_ticket_opens_no_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tickets there are, one is shown by opening it, and those that go on in it."""
    async with world.client() as user:
        ended, number, _others = await new(user), await new(user), [await new(user) for _ in range(3)]
        await Desk(world).merge(ended, number)
        await user.tickets.list()
    opened = resumed(monkeypatch)
    async with world.client() as user:
        assert (await user.tickets.get(number)).merged_from == (ended,)
        assert opened == {number, ended}
    await Desk(world).reopen(ended)
    async with world.client() as user:
        await user.tickets.get(ended)
    opened.clear()
    async with world.client() as user:
        assert (await user.tickets.get(number)).merged_from == ()
        assert opened == {number}


async def test_a_ticket_cannot_be_merged_into_a_strangers(world: World) -> None:
    """Pitfall 7: with another user's proof nothing happens to the ticket, and the entry is shown as what it is."""
    async with world.client("eve") as eve:
        strangers = await new(eve)
    async with world.client() as user:
        number = await new(user)
        await Desk(world).merge(number, strangers)
        ticket = await user.tickets.get(number)
        assert (ticket.summary.status, ticket.merged_into) == ("open", "")
        assert [kind for _, kind in await bell(user)] == ["problem"]


async def test_a_merge_into_what_this_device_does_not_know_is_a_problem(world: World) -> None:
    """Where it goes on must be a ticket of this user that can be read here; otherwise the person is warned."""
    async with world.client() as user:
        one = await new(user)
        async with world.client(**another_device(world)) as other:
            two = await new(other)
        await Desk(world).merge(one, two)
        ticket = await user.tickets.get(one)  # looks at this ticket alone
        assert (ticket.merged_into, ticket.summary.problem) == (two, "merged_unknown")


# --- the bell ----------------------------------------------------------------------------------------------------


async def test_the_bell_tells_what_the_team_does(world: World) -> None:
    """S2-20, S2-21: answers, changes of status, resolutions, closings, reopenings, newest first, with their ticket."""
    async with world.client() as user:
        number = await new(user)
        await world.console.answer(number)
        await world.console.progress(number)
        await world.console.resolve(number)
        await world.console.close(number)
        await Desk(world).reopen(number)
        await user.tickets.reply(number, "Thank you.")
        kinds = ["reopened", "closed", "resolved", "status", "response"]
        assert await bell(user) == [(number, kind) for kind in kinds]


async def test_the_bell_goes_by_time_after_a_restore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tickets come back one after the other, and what happened in them stands in order all the same."""
    clocks, world = Clocks(monkeypatch), fake_world(tmp_path)
    async with world.client() as user:
        phrase = (await user.register()).recovery_phrase
        one, two = await new(user), await new(user)
        for number in (one, two, one):
            clocks.pass_by(hours=1)
            await world.console.answer(number)
    async with world.client("restored") as restored:
        await restored.restore(phrase)
        told = await bell(restored, unread=False)
    assert told == [(one, "response"), (two, "response"), (one, "response")]


async def test_what_was_seen_stays_seen(world: World) -> None:
    """Showing a ticket reads its lines, marking reads all; both survive a restart, and what comes later is new."""
    async with world.client() as user:
        one, two = await new(user), await new(user)
        for number in (one, two):
            await world.console.answer(number)
        await user.notifications()
        await user.tickets.mark_read(one)
        assert await bell(user) == [(two, "response")]
        await user.mark_notifications_read()
    async with world.client() as user:
        assert await bell(user) == []
        assert len(await bell(user, unread=False)) == 2
        assert all(one.read for one in await user.notifications(unread=False))
        await world.console.answer(one)
        assert await bell(user) == [(one, "response")]


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ("reply", ["closed", "resolved"]),
        ("status", ["resolved", "response"]),
        ("resolved", ["closed", "response"]),
    ],
)
async def test_the_policy_decides_what_the_bell_tells(tmp_path: Path, off: str, left: list[str]) -> None:
    """Each switch of the policy silences its kind of line behind the bell; events tell all of it to programs."""
    notify: Notify = replace(DEFAULT.notify, **{off: 0})  # type: ignore[arg-type]
    world = fake_world(tmp_path, replace(DEFAULT, notify=notify))
    async with world.client() as user:
        number = await new(user)
        await world.console.answer(number)
        await world.console.resolve(number)
        await world.console.close(number)
        assert [kind for _, kind in await bell(user)] == left
        assert [event.kind for event in await user.news()] == ["message", "resolved", "closed"]


async def test_time_rings_the_bell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4-20: that a ticket closes soon and that it has closed by itself is told once, also when the team notes it."""
    clocks, world = Clocks(monkeypatch), fake_world(tmp_path)
    async with world.client() as user:
        number = await new(user)
        await world.console.resolve(number)
        await user.mark_notifications_read()
        clocks.pass_by(days=5, seconds=-1)
        assert await bell(user) == [(number, "resolved")]
        clocks.pass_by(seconds=1)
        assert await bell(user) == [(number, "closing_soon"), (number, "resolved")]
        (reminder, _) = await user.notifications()
        assert "a reply keeps it open" in reminder.text
        await user.tickets.mark_read(number)
        assert await bell(user) == []
        clocks.pass_by(days=2)
        assert await bell(user) == [(number, "closed")]
        await Desk(world).note_closing(number)
        assert await bell(user) == [(number, "closed")]
        await user.tickets.mark_read(number)
        assert await bell(user) == []
        kinds = [event.kind for event in await user.news()]
        assert kinds == ["resolved", "closing_soon", "closed"]


async def test_a_reply_puts_the_reminder_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers a resolved ticket opens it again: no reminder, and nothing closes."""
    clocks, world = Clocks(monkeypatch), fake_world(tmp_path)
    async with world.client() as user:
        number = await new(user)
        await world.console.resolve(number)
        await user.tickets.reply(number, "Not yet.")
        clocks.pass_by(days=8)
        assert await bell(user) == [(number, "resolved")]
        assert (await user.tickets.get(number)).summary.status == "open"


async def test_a_new_administrator_is_told(world: World) -> None:
    """Whoever can read tickets from now on is told once by name, whatever the policy silences; founders are no news."""
    async with world.client() as user:
        await new(user)
        assert await bell(user) == []
        console, ben = world.console, device("ben", Role.AGENT)
        batch = console.team.prepare((ben, [console.device]), (EPOCH, [console.device]))
        console.team.accept(batch)
        world.fake.take_batch(console.team.team_id, batch)
        await user.verify_team()
        (told,) = await user.notifications()
        assert (told.number, told.kind) == ("", "administrator")
        assert told.text == "A new administrator can read your tickets: ben (agent)"
        (event,) = await user.news()
        assert (event.kind, event.what) == ("administrator", told.text)
        await user.mark_notifications_read()
        assert await bell(user) == []


# --- timeline ----------------------------------------------------------------------------------------------------


async def test_a_timeline_tells_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S2-15: each step of the status with time and author, those that time made among them."""
    clocks, world = Clocks(monkeypatch), fake_world(tmp_path)
    async with world.client() as user:
        number = await new(user)
        await world.console.progress(number)
        await world.console.resolve(number)
        clocks.pass_by(days=7)
        steps = await user.tickets.timeline(number)
        assert [(step.kind, step.status) for step in steps] == [
            ("opened", "open"),
            ("status", "progress"),
            ("resolved", "resolved"),
            ("closed", "closed"),
        ]
        assert [step.by for step in steps] == ["You", "Support team", "Support team", ""]


# --- keys ----------------------------------------------------------------------------------------------------------


async def test_new_keys_open_any_number_of_tickets(world: World) -> None:
    """Under new keys, too, each ticket has a place of its own."""
    async with world.client() as user:
        await new(user)
        await user.new_keys()
        opened = {await new(user) for _ in range(3)}
        assert len(opened) == 3
        assert len(await numbers(user)) == 4


def test_all_of_it_works_without_await(tmp_path: Path) -> None:
    """The blocking client has the same names."""
    world = fake_world(tmp_path, INSTANCE)
    options: Any = {"keystore": world.keys(), "state_dir": tmp_path / "user", "relay": world.relay}
    with BlockingSupportClient(world.link, **options) as user:
        user.verify_team()
        number = user.tickets.create(SUBJECT, BODY, category="bug").number
        user.tickets.close(number)
        user.tickets.hide(number)
        assert len(user.tickets.list()) == 0
        user.tickets.unhide(number)
        assert user.tickets.counts()["closed"] == 1
        assert [step.status for step in user.tickets.timeline(number)] == ["open", "closed"]
        assert user.notifications() == ()
        assert user.tickets.card().startswith("e2es-card:")
        user.mark_notifications_read()


def policy_with(delete: UserDelete) -> Policy:
    """Return the recommended policy with another rule for what is over."""
    return replace(DEFAULT, delete=replace(DEFAULT.delete, user=delete))


@pytest.mark.parametrize("delete", [UserDelete.HIDE, UserDelete.ERASE_CLOSED])
async def test_whoever_may_erase_may_hide(tmp_path: Path, delete: UserDelete) -> None:
    """Hiding is the weaker of two rights."""
    world = fake_world(tmp_path, policy_with(delete))
    async with world.client() as user:
        number = await new(user)
        await user.tickets.close(number)
        await user.tickets.hide(number)
        assert await numbers(user) == set()
