"""Attacks with names: a member who calls themselves like a colleague is never taken for that one (114, 116)."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_support.errors import UsageError
from e2e_support.roster_links import Rename
from e2e_support.vocab import Role
from e2e_support_client import MemoryKeystore, SupportClient, clock
from e2e_support_client.render import message_text as user_text
from e2e_support_console.members_cli import _member_text  # pyright: ignore[reportPrivateUsage]
from e2e_support_console.names import member_called
from e2e_support_console.proposals import post
from e2e_support_console.render import message_text as console_text
from e2e_support_console.shell import proposal_text
from e2e_support_console.team import TeamClient
from e2e_support_keys.changes import propose
from e2e_support_keys.history import name_of
from team_room import TeamRoom

LIKE_ANNA = (
    "Anna",
    "ANNA",
    "\u0410nna",  # a Cyrillic capital
    "\u0391\u039d\u039d\u0391",  # Greek capitals
    "\uff21\uff4e\uff4e\uff41",  # full width
    "An\u200bna",
    "\u202eAnna",
    "Anna ",
    " Anna\n",
    "\u00c4nna",
    "Anna (1a2b3c)",
    "Anna\u3164",
)


async def rename(team: TeamClient, label: str) -> None:
    """Let a device call itself something, whatever its console would say."""
    desk = team.desk
    await desk.team.refresh()
    link = Rename(desk.bundle.device_id, label, ())
    assert await post(desk, propose(desk.roster, [link], desk.bundle, now=clock.now()))


async def test_114_who_is_called_like_a_colleague_is_not_taken_for_one(tmp_path: Path) -> None:
    """Attack 114: names that look alike are shown with ids, and whoever types one of them is asked which is meant."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        ids = [team.desk.bundle.device_id for team in (anna, ben)]
        for label in LIKE_ANNA:
            await rename(ben, label)
            await anna.desk.team.refresh()
            members = await anna.members.list()
            for member, device_id in zip(members, ids, strict=True):
                assert member.name.endswith(f"({device_id.hex()[:6]})"), label
                assert device_id.hex()[:6] in name_of(anna.desk.roster, device_id)
            assert len({_member_text(one) for one in members}) == 2
            with pytest.raises(UsageError) as caught:
                anna.members.find("Anna")
            assert caught.value.code == "ambiguous_name", label
            with pytest.raises(UsageError) as caught:
                member_called(anna.desk, "Anna")
            assert caught.value.code == "ambiguous_name", label
            assert anna.members.devices_of(members[1].name) == (ids[1],)
            assert bytes(member_called(anna.desk, members[1].name)) == bytes(ids[1])


async def test_114_nobody_is_invited_by_a_name_that_looks_taken(tmp_path: Path) -> None:
    """Attack 114: an owner is told before a newcomer would come by a colleague's name, however that is spelt."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        for label in LIKE_ANNA:
            with pytest.raises(UsageError) as caught:
                await anna.members.invite(label)
            assert caught.value.code == "name_taken"


async def test_114_a_ticket_tells_authors_apart_who_look_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 114: what is written by a name that looks like a colleague's stands with an id, on both sides."""
    monkeypatch.setattr("e2e_support_client.team.READ_AFTER", 0)
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        ids = [team.desk.bundle.device_id.hex()[:6] for team in (anna, ben)]
        user = SupportClient(
            anna.link, keystore=MemoryKeystore(), state_dir=room.home_of("user"), relay=room.relay
        )
        async with user:
            number = (await user.tickets.create("Hello", "There", category="billing")).number
            await anna.catch_up()
            await anna.inbox.reply(number, "From Anna.", as_team=False)
            assert await titles(anna, user, number) == {("Anna", "")}
            await rename(ben, "\u0410nna")
            await ben.catch_up()
            await ben.inbox.reply(number, "From Ben.", as_team=False)
            assert await titles(anna, user, number) == {("Anna", ids[0]), ("\u0410nna", ids[1])}


async def titles(anna: TeamClient, user: SupportClient, number: str) -> set[tuple[str, str]]:
    """Return by which names and ids the team stands in a ticket, which must be the same on both sides."""
    await anna.catch_up()
    console = [one for one in (await anna.inbox.get(number)).messages if "From" in one.body]
    client = [one for one in (await user.tickets.get(number)).messages if "From" in one.body]
    for side, text, role in ((console, console_text, "team"), (client, user_text, "team, verified")):
        for one in side:
            behind = f"{role}, {one.author.mark}" if one.author.mark else role
            assert text(one).startswith(f"{one.author.name} ({behind})")
    assert [one.author for one in console] == [one.author for one in client]
    return {(one.author.name, one.author.mark) for one in console}


async def test_114_nobody_spoils_an_invitation_by_its_name(tmp_path: Path) -> None:
    """Attack 114: a member who takes an invited person's name neither ends the invitation nor hides it."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        invitation = await anna.members.invite("Cleo")
        words = await room.join(invitation.link, invitation.code, "Cleo")
        await rename(ben, "Cleo")
        await anna.catch_up()
        assert [one.state for one in await anna.members.list()] == ["active", "active", "invited"]
        assert await anna.members.approve("Cleo", " ".join(words)) is None
        assert [one.state for one in await anna.members.list()] == ["active"] * 3


async def test_116_a_co_signer_sees_whose_key_it_is(tmp_path: Path) -> None:
    """Attack 116: an owner who proposes a device of their own by a colleague's name shows its words to who co-signs."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        await anna.members.set_threshold(2)
        invitation = await anna.members.invite("Cleo", Role.OWNER)
        true = await room.join(invitation.link, invitation.code, "Cleo")
        puppet = await room.join(*(await _again(anna)), "Puppet")
        assert await anna.members.approve("Cleo", " ".join(puppet)) is not None
        (proposal,) = await ben.proposals.list()
        ((name, words),) = [(one.name, one.words) for one in proposal.newcomers]
        assert (name, words) == ("Cleo", puppet)
        assert words != true
        assert " ".join(puppet) in proposal_text(proposal)


async def _again(anna: TeamClient) -> tuple[str, str]:
    """Invite somebody a second time by the same name."""
    invitation = await anna.members.invite("Cleo", Role.OWNER)
    return invitation.link, invitation.code
