"""`SupportClient` over a relay in memory: opening, reading, answering, closing, and staying honest offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_support_client import Role
from user_kit import BODY, SUBJECT, World, fake_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team at a relay in memory."""
    return fake_world(tmp_path)


async def test_a_ticket_travels_to_the_team_and_back(world: World) -> None:
    """What a user writes reaches the team, and the team's answer reaches the user, verified on both sides."""
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        assert ref.state == "stored"
        (opened,) = await world.console.read(ref.number)
        assert BODY in repr(opened.body)
        await world.console.answer(ref.number, "Look again.")
        ticket = await user.tickets.get(ref.number)
    assert [(m.body, m.author.role, m.verified) for m in ticket.messages] == [
        (BODY, Role.USER, True),
        ("Look again.", Role.TEAM, True),
    ]
