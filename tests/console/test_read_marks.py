"""What was read on one device of an administrator is read on the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_support.content import ReadMarksBody
from e2e_support.vocab import Role
from e2e_support_console import read_marks
from e2e_support_console.team import TeamClient
from e2e_support_console.team_space import TeamSpace
from team_room import TeamRoom


async def marks(team: TeamClient) -> list[ReadMarksBody]:
    """Return the read marks that stand in the team space."""
    bodies = [entry.body for entry in await TeamSpace(team.desk).entries()]
    return [body for body in bodies if isinstance(body, ReadMarksBody)]


async def unread(team: TeamClient) -> list[int]:
    """Return how much of each ticket is unread, after a sync."""
    await team.sync()
    return [ticket.unread for ticket in await team.inbox.list()]


async def test_what_was_read_on_one_device_is_read_on_all(tmp_path: Path) -> None:
    """A ticket shown on one device is read on the other one, up to what was shown; colleagues keep their own marks."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        laptop = await room.add(anna, "Laptop", Role.OWNER, device=True)
        ben = await room.add(anna, "Ben")
        user = await room.ticket()
        for team in (anna, laptop, ben):
            assert await unread(team) == [1]
        await anna.inbox.get(user.number)
        await anna.sync()
        assert await unread(laptop) == [0]
        assert await unread(ben) == [1]
        await user.say("Any news?")
        assert await unread(laptop) == [1]
        assert await unread(anna) == [1]


async def test_marks_travel_seldom_and_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tickets make one entry, syncs within some minutes no second one, and nothing is told twice."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        laptop = await room.add(anna, "Laptop", Role.OWNER, device=True)
        users = [await room.ticket() for _ in range(3)]
        await anna.sync()
        for user in users[:2]:
            await anna.inbox.get(user.number)
        await anna.sync()
        await anna.inbox.get(users[2].number)
        await anna.sync()
        assert [len(body.marks) for body in await marks(anna)] == [2]
        monkeypatch.setattr(read_marks, "INTERVAL", 0)
        for team in (anna, laptop, anna, laptop):
            await team.sync()
        assert [len(body.marks) for body in await marks(anna)] == [2, 1]


async def test_one_device_tells_nobody(tmp_path: Path) -> None:
    """An administrator with one device leaves no trace of when they read what."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben")
        user = await room.ticket()
        await anna.sync()
        await anna.inbox.get(user.number)
        await anna.sync()
        assert await marks(anna) == []
