"""What consoles find out for themselves: tickets over a user's limits, and two logs of one ticket that disagree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Room, User, fresh_key, opening
from e2e_support.content import NoteBody
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import Hash
from e2e_support.policy import Policy
from e2e_support.policy_parts import DayBoundary
from e2e_support.presets import DEFAULT
from e2e_support.user import prove_user
from e2e_support.vocab import Kind
from e2e_support.wire import Head
from e2e_support_console import render
from e2e_support_console.index import find
from e2e_support_console.team import TeamClient
from e2e_support_console.writer import Writer
from team_room import TeamRoom

HOUR = 3600


def limited(**limits: object) -> Policy:
    """Return the default policy with other limits."""
    none = replace(DEFAULT.limits, create_per_day=0, open_max=0, day=DayBoundary.ROLLING)
    return replace(DEFAULT, limits=replace(none, **limits))  # type: ignore[arg-type]


async def ticket_of(room: Room, key: SigningKey, subject: str) -> User:
    """Let the user of a key open a ticket, whatever the user's own program would say."""
    user, team_id = await room.mailbox(), (await room.roster()).team_id
    proof = prove_user(key, team_id, user.mailbox, user.keys.author.public)
    body = opening(user, subject=subject, user_key=key.public, user_proof=proof)
    await user.send(Kind.OPEN, body, first=True)
    return user


async def flagged(team: TeamClient) -> dict[str, tuple[str, ...]]:
    """Return the flags of all tickets that have some, by subject."""
    return {line.subject: line.flags for line in await team.inbox.list() if line.flags}


async def test_tickets_over_the_daily_limit_are_flagged(tmp_path: Path) -> None:
    """Every console counts a user's tickets by receipt times; those over the limit are flagged, of nobody else."""
    async with TeamRoom(tmp_path, policy=limited(create_per_day=2)) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        one, other = fresh_key(), fresh_key()
        for number in range(4):
            await ticket_of(room, one, f"Ticket {number}")
            await ticket_of(room, other, f"Others {number}") if number < 2 else await room.ticket(
                "Unknown user"
            )
            await anna.catch_up()
            room.relay.advance(HOUR)
        await ben.catch_up()
        expected = {"Ticket 2": ("daily_limit",), "Ticket 3": ("daily_limit",)}
        assert await flagged(anna) == await flagged(ben) == expected
        line = next(line for line in await anna.inbox.list() if line.flags)
        view = render.view_text(await anna.inbox.get(line.number))
        assert "over the limit per day" in render.inbox_text([line], 0)
        assert "! over the limit per day" in view


async def test_a_day_later_a_ticket_is_within_the_limit(tmp_path: Path) -> None:
    """With a day that goes with the clock, a ticket counts for twenty-four hours."""
    room = Room(tmp_path, policy=limited(create_per_day=1))
    async with await room.found() as team:
        key = fresh_key()
        await ticket_of(room, key, "Ticket 0")
        room.relay.advance(23 * HOUR)
        await ticket_of(room, key, "Ticket 1")
        room.relay.advance(24 * HOUR)
        await ticket_of(room, key, "Ticket 2")
        await team.catch_up()
        assert await flagged(team) == {"Ticket 1": ("daily_limit",)}


async def test_tickets_over_the_open_limit_are_flagged_as_long_as_they_are(tmp_path: Path) -> None:
    """More open tickets than allowed are flagged, and no longer once enough of the user's others are closed."""
    room = Room(tmp_path, policy=limited(open_max=2))
    async with await room.found() as team:
        key = fresh_key()
        users = [await ticket_of(room, key, f"Ticket {number}") for number in range(3)]
        await team.catch_up()
        over = await flagged(team)
        assert list(over.values()) == [("open_max",)]
        await users[0].close()
        await team.catch_up()
        assert await flagged(team) == {}


@pytest.mark.parametrize("policy", [limited()])
async def test_without_limits_nothing_is_flagged(tmp_path: Path, policy: Policy) -> None:
    """Where the policy names no limit, no number of tickets is too many."""
    room = Room(tmp_path, policy=policy)
    async with await room.found() as team:
        key = fresh_key()
        for number in range(3):
            await ticket_of(room, key, f"Ticket {number}")
        await team.catch_up()
        assert await flagged(team) == {}
        view = await team.inbox.get((await team.inbox.list())[0].number)
        assert len(view.others) == 2
        assert len(render.view_json(view)["same_user"]) == 2  # type: ignore[arg-type]


# --- two logs of one ticket ------------------------------------------------------------------------------


async def note_against(team: TeamClient, user: User, *, more: int = 0, other: Hash | None = None) -> None:
    """Let somebody write a note against a shared log that is longer, or another one, than the relay shows."""
    row = await find(team.desk.store, user.number)
    assert row is not None

    def cited(shared: Head) -> NoteBody:
        return NoteBody(Head(shared.length + more, other or shared.hash), "What they wrote is odd.", ())

    await Writer(team.desk).write_staff(row.mailbox, Kind.NOTE, cited)


async def alarms(team: TeamClient, user: User) -> set[str]:
    """Return the codes of the alarms about a ticket."""
    return {alarm.code for alarm in await team.alarms() if alarm.number == user.number}


async def test_a_note_against_another_history_raises_an_alarm(tmp_path: Path) -> None:
    """A note that cites another hash than the shared log has there means that the relay told two stories."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        user = await room.ticket()
        for team in (anna, ben):
            await team.catch_up()
        await ben.inbox.note(user.number, "A known bug.")
        await anna.catch_up()
        assert await alarms(anna, user) == set()
        await note_against(ben, user, other=Hash(bytes(32)))
        await anna.catch_up()
        assert await alarms(anna, user) == {"logs_disagree"}


async def test_a_note_against_more_than_the_relay_shows_raises_an_alarm(tmp_path: Path) -> None:
    """A note that cites entries which the relay withholds from this console is as good as the feed's promise."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        user = await room.ticket()
        for team in (anna, ben):
            await team.catch_up()
        await note_against(ben, user, more=1)
        await anna.catch_up()
        assert await alarms(anna, user) == {"withheld"}
        await user.say("There it is.")
        await anna.clear_alarms()
        await anna.catch_up()
        assert await alarms(anna, user) == {"logs_disagree"}  # nobody could know its hash before
