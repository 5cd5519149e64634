"""What joins a user's tickets: the team sees that one person opened them, unless they stay unlinked (5.8)."""

from __future__ import annotations

from pathlib import Path

from e2e_support.content import OpenBody
from e2e_support.user import is_users
from e2e_support_client import SupportClient
from user_kit import BODY, SUBJECT, World, fake_world


async def opening(world: World, number: str) -> tuple[OpenBody, bool]:
    """Return what the team reads first in a ticket, and whether its proof of the user holds."""
    (opened,) = await world.console.read(number)
    body, inner = opened.body, opened.inner
    assert isinstance(body, OpenBody)
    assert inner is not None
    mailbox = await world.console.mailbox(number)
    team = world.console.team.team_id
    return body, is_users(body.user_key, body.user_proof, team, mailbox, inner.author.key)


async def new(user: SupportClient, *, unlinked: bool = False) -> str:
    """Open a ticket and return its number."""
    return (await user.tickets.create(SUBJECT, BODY, category="billing", unlinked=unlinked)).number


async def test_tickets_of_one_user_are_joined_for_the_team(tmp_path: Path) -> None:
    """Two devices with one master open tickets under one proven key; another user has another key."""
    world = fake_world(tmp_path)
    async with world.client() as first:
        one = await new(first)
    async with world.client("user", state_dir=tmp_path / "other-device") as second:
        two = await new(second)
    async with world.client("ben") as other:
        three = await new(other)
    found = [await opening(world, number) for number in (one, two, three)]
    assert all(proven for _, proven in found)
    keys = [body.user_key for body, _ in found]
    assert keys[0] == keys[1] != keys[2]


async def test_a_ticket_can_stay_unlinked(tmp_path: Path) -> None:
    """A ticket that is opened unlinked brings neither key nor proof."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        number = await new(user, unlinked=True)
    body, proven = await opening(world, number)
    assert (body.user_key, body.user_proof, proven) == (b"", b"", False)


async def test_new_keys_are_not_joined_to_the_old_ones(tmp_path: Path) -> None:
    """After new keys were begun, tickets of before and after are not joined: a thief learns nothing new."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        one = await new(user)
        await user.new_keys()
        two = await new(user)
    before, after = [(await opening(world, number))[0].user_key for number in (one, two)]
    assert before != after
