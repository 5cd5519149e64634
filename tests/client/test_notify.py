"""Events: told once, in order, after a restart too, whatever the relay and the network do in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e_support.errors import UsageError
from e2e_support.vocab import Verdict
from e2e_support_client import Event, EventKind, Role, State, notify
from e2e_support_client.retry import RetryPolicy
from e2e_support_client.testing import Fault
from user_kit import BODY, SUBJECT, World, fake_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team at a relay in memory."""
    return fake_world(tmp_path)


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    """Return the next events, or fail after some time."""
    async with asyncio.timeout(20):
        return [await anext(events) for _ in range(count)]


async def none(events: AsyncIterator[Event]) -> bool:
    """Tell whether nothing happens for a moment; the stream can be used afterwards."""
    try:
        await asyncio.wait_for(anext(events), 0.3)
    except TimeoutError:
        return True
    return False


async def test_everything_that_the_team_does_is_told(world: World) -> None:
    """Answers, status, resolution and closing are told in order, with text and the label afterwards."""
    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        async with user.events() as events:
            await world.console.answer(number, "Look again.")
            await world.console.progress(number)
            await world.console.resolve(number, "A full disk.")
            await world.console.close(number)
            told = await take(events, 4)
            assert await none(events)
    assert [(e.kind, e.role, e.status) for e in told] == [
        (EventKind.MESSAGE, Role.TEAM, "waiting"),
        (EventKind.STATUS, Role.TEAM, "waiting"),
        (EventKind.RESOLVED, Role.TEAM, "resolved"),
        (EventKind.CLOSED, Role.TEAM, "closed"),
    ]
    assert [e.message.body if e.message else "" for e in told] == ["Look again.", "", "A full disk.", ""]
    assert {e.number for e in told} == {number}


async def test_a_cursor_survives_restarts(world: World) -> None:
    """With the cursor of the last event a new process hears of what came since, and of nothing twice."""
    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        async with user.events() as events:
            await world.console.answer(number, "one")
            (first,) = await take(events, 1)
    await world.console.answer(number, "two")
    async with world.client() as user:
        await user.tickets.list()  # looking does not take events away
        async with user.events(since=first.cursor) as events:
            (second,) = await take(events, 1)
            assert await none(events)
        assert [event.cursor for event in await user.news()] == [first.cursor, second.cursor]
    assert second.message is not None
    assert second.message.body == "two"


async def test_a_step_can_be_given_up_and_repeated(world: World) -> None:
    """A host that waits with a timeout loses nothing by it."""
    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        async with user.events() as events:
            for _ in range(3):
                assert await none(events)
            await world.console.answer(number)
            assert [e.kind for e in await take(events, 1)] == [EventKind.MESSAGE]


async def test_tickets_that_are_opened_meanwhile_are_heard(world: World) -> None:
    """An event stream that is open already follows a ticket from the moment it is stored."""
    async with world.client() as user, user.events() as events:
        waiting = asyncio.create_task(take(events, 1))
        await asyncio.sleep(0.05)
        number = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        await world.console.answer(number)
        assert [e.number for e in await waiting] == [number]


async def test_one_ticket_can_be_followed_alone(world: World) -> None:
    """A stream for one ticket tells nothing of others."""
    async with world.client() as user:
        first = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        second = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        async with user.events(ticket=second.lower()) as events:
            await world.console.answer(first)
            await world.console.answer(second)
            assert [e.number for e in await take(events, 1)] == [second]
            assert await none(events)
        with pytest.raises(UsageError, match="no ticket"):
            async with user.events(ticket="T-00000-00000"):
                pass


async def test_what_another_device_of_the_user_writes_is_told(world: World) -> None:
    """A message from the user's phone is news on the laptop, in the user's role."""
    async with world.client("laptop") as laptop:
        number = (await laptop.tickets.create(SUBJECT, BODY, category="bug")).number
        async with world.client("phone", keystore=world.keys("laptop")) as phone:
            await phone.tickets.create("x" * 20, BODY, category="bug")  # meets the laptop's ticket on the way
            await phone.tickets.reply(number, "From the phone.")
        async with laptop.events() as events:
            (event,) = await take(events, 1)
    assert (event.role, event.message and event.message.body) == (Role.USER, "From the phone.")


async def test_a_relay_that_was_away_is_caught_up_with(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the relay is away the stream waits; once it is back nothing has been missed."""
    monkeypatch.setattr(notify, "_PATIENT", RetryPolicy(attempts=2**31, base=0.05, cap=0.1))
    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        async with user.events() as events:
            world.fake.inject(Fault.OFFLINE)
            assert await none(events)
            world.fake.heal()
            await world.console.answer(number)
            assert [e.kind for e in await take(events, 1)] == [EventKind.MESSAGE]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [(Fault.ROLLBACK, "rollback"), (Fault.ERASED, "relay_says_erased")],
)
async def test_a_relay_that_lies_is_told_once(world: World, fault: Fault, problem: str) -> None:
    """A problem with a ticket is an event, told once; what was known stays."""
    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        await world.console.answer(number)
        await user.tickets.list()
        world.fake.inject(fault)
        async with user.events() as events:
            told = await take(events, 2)
            assert await none(events)
        assert [(e.kind, e.problem) for e in told[1:]] == [(EventKind.PROBLEM, problem)]
        assert len((await user.tickets.get(number)).messages) == 2


async def test_a_forged_entry_is_an_alarm(world: World) -> None:
    """An entry whose bytes were changed is told as a problem, its body is not shown."""
    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        await world.console.answer(number, "secret words")
        world.fake.inject(Fault.CORRUPT)
        async with user.events() as events:
            (event,) = await take(events, 1)
        (message,) = [m for m in (await user.tickets.get(number)).messages if m.seq == 1]
    assert event.kind is EventKind.PROBLEM
    assert (message.verdict, message.body, message.author.role) == (Verdict.FORGED, "", Role.UNKNOWN)


async def test_a_bell_for_nothing_is_no_hurry(world: World) -> None:
    """A relay that rings for entries that do not hold cannot make a client ask it without pause."""
    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="bug")).number
        await world.console.answer(number)
        world.fake.inject(Fault.FORGED_RECEIPT)
        async with user.events() as events:
            (event,) = await take(events, 1)
            world.fake.calls.clear()
            assert await none(events)
            assert await none(events)
    assert event.kind is EventKind.PROBLEM
    assert len(world.fake.calls) < 8


async def test_bad_cursors_are_refused(world: World) -> None:
    """A cursor that no event had is an error, not a silent start from somewhere."""
    async with world.client() as user:
        for cursor in ("x", "-1", "\u0661", "9" * 30):
            async with user.events(since=cursor) as events:
                with pytest.raises(UsageError) as caught:
                    await anext(events)
                assert caught.value.code == "bad_cursor"


async def test_many_tickets_share_the_listening(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only some tickets have a connection of their own; the others are looked at now and then."""
    monkeypatch.setattr(notify, "LISTEN_MAX", 1)
    monkeypatch.setattr(notify, "SWEEP", 0.2)
    async with world.client() as user:
        numbers = [(await user.tickets.create(SUBJECT, BODY, category="bug")).number for _ in range(3)]
        async with user.events() as events:
            assert await none(events)
            for number in numbers:
                await world.console.answer(number)
            assert {e.number for e in await take(events, 3)} == set(numbers)


async def test_cursors_can_be_kept_in_the_store(world: World) -> None:
    """A program without a place of its own lets the encrypted store remember how far it told."""
    async with world.client() as user:
        assert await user.remembered("mine") == ""
        await user.remember("mine", "17")
    async with world.client() as user:
        assert await user.remembered("mine") == "17"


async def test_a_queued_ticket_is_no_event(world: World) -> None:
    """What waits on this device makes no news and needs no bell."""
    async with world.client() as user:
        await user.verify_team()
        world.fake.inject(Fault.OFFLINE)
        assert (await user.tickets.create(SUBJECT, BODY, category="bug")).state is State.QUEUED
        assert await user.places() == []
        assert await user.news() == ()
