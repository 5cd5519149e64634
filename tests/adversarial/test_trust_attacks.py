"""Attacks on what a user's program believes of relay and team, carried out over a hostile relay (2, 7, 14, 15, 86).

Attack 8 and statements of freshness (85) stand in ``tests/client/test_trust.py``, backups and restored relays (63, 88)
in ``tests/client/test_restore.py``, receipts (16) in ``tests/client/test_outbox.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e_support.errors import SupportError
from e2e_support.proof import ProofKind, check_proof
from e2e_support.roster_links import DeviceRevoke
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Role
from e2e_support_client import State, SupportClient, clock, render, team
from e2e_support_client.testing import Fault
from team_builder import EPOCH, Device, device
from user_kit import BODY, FAKE_URL, SUBJECT, Console, World, fake_world

BEN = device("ben", Role.AGENT)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team at a relay in memory."""
    return fake_world(tmp_path)


async def opened(user: SupportClient) -> str:
    """Open a ticket and return its number."""
    return (await user.tickets.create(SUBJECT, BODY, category="billing")).number


async def refusal(work: Any) -> SupportError:
    """Return the error that something raises."""
    with pytest.raises(SupportError) as caught:
        await work
    return caught.value


def change(world: World, what: Device | DeviceRevoke) -> None:
    """Let an owner add or remove a device."""
    anna = world.console.device
    batch = world.console.team.prepare((what, [anna]), (EPOCH, [anna]))
    world.console.team.accept(batch)
    world.fake.take_batch(world.console.team.team_id, batch)


def lose(world: World, entries: int) -> None:
    """Let the relay forget the last entries of its first ticket."""
    mailbox = world.fake.mailboxes[0]
    box = world.fake._mailboxes[mailbox]  # pyright: ignore[reportPrivateUsage]
    chain = type(box.chain).start(mailbox)
    box.log = box.log[:-entries]
    for kept in box.log:
        chain = chain.advance(kept.entry)
    box.chain = chain


# --- 2: what is withheld -----------------------------------------------------------------------------------------


async def test_2_only_the_team_confirms(world: World) -> None:
    """A receipt makes a message "stored"; "confirmed" it is when the team has written behind it and that arrived."""
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.WITHHOLD)
        await world.console.answer(number)
        ticket = await user.tickets.get(number)
        assert [message.confirmed for message in ticket.messages] == [False]
        assert "· stored" in render.ticket_text(ticket, clock.now())
        world.fake.heal()
        await user.tickets.reply(number, "x")
        ticket = await user.tickets.get(number)
        assert [message.confirmed for message in ticket.messages] == [True, False, False]
        assert "· confirmed by the team" in render.ticket_text(ticket, clock.now())


# --- 7: an old or foreign list -----------------------------------------------------------------------------------


async def test_7_a_list_without_the_links_head_gets_nothing(world: World) -> None:
    """A relay whose list does not reach the head that the support link names is sent nothing; the draft is kept."""
    link = SupportLink(FAKE_URL, world.console.team.team_id, (2, bytes(16))).format()
    async with SupportClient(link, keystore=world.keys(), state_dir=world.folder, relay=world.relay) as user:
        assert (await refusal(opened(user))).code == "roster_behind"
        (item,) = await user.outbox.list()
        assert item.state is State.FAILED
    assert not world.fake.mailboxes


async def test_new_readers_are_told_in_the_ticket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who came to read a ticket stands among its messages at the right place, and who was removed, and nobody else."""
    monkeypatch.setattr(team, "READ_AFTER", 0)
    async with world.client() as user:
        number = await opened(user)
        assert (await user.tickets.get(number)).events == ()
        change(world, BEN)
        await world.console.answer(number)
        change(world, DeviceRevoke(BEN.device_id))
        ticket = await user.tickets.get(number)
        added, removed = ticket.events
        assert (added.what, added.after) == ("A new administrator can read this ticket: ben (agent)", 1)
        assert ("Removed" in removed.what, removed.after) == (True, 2)
        assert [message.body for message in ticket.messages] == [BODY, "Look again."]
        text = render.ticket_text(ticket, clock.now())
        assert text.index(BODY) < text.index("can read this ticket") < text.index("Look again.")
        assert text.index("Look again.") < text.index("Removed")
        assert render.ticket_json(ticket)["events"]


# --- 14, 15, 86: other histories -------------------------------------------------------------------------------------


async def test_14_a_closing_cannot_be_taken_back(world: World) -> None:
    """A relay that hides a closing that was seen is told as such; the ticket stays closed here."""
    async with world.client() as user:
        number = await opened(user)
        await world.console.close(number, "Done.")
        before = await user.tickets.get(number)
        world.fake.inject(Fault.ROLLBACK)
        after = await user.tickets.get(number)
        assert after.summary.problem == "rollback"
        assert after.summary.status == before.summary.status
        assert "older history" in render.ticket_text(after, clock.now())


async def test_15_two_histories_are_proven(world: World) -> None:
    """A relay that signed two entries for one number leaves a proof, and what is written for that ticket is kept."""
    async with world.client() as user:
        number = await opened(user)
        await user.tickets.reply(number, "one")
        lose(world, 1)
        other = Console(world.console.team, world.console.device, world.relay)
        for _ in range(2):
            await other.answer(number)
        ticket = await user.tickets.get(number)
        assert ticket.summary.problem == "fork"
        assert [message.body for message in ticket.messages] == [BODY, "one"]
        (proof,) = await user.proofs()
        assert check_proof(proof.data).kind is ProofKind.RECEIPTS
        assert "two different entries" in proof.words
        assert (await refusal(user.tickets.reply(number, "two"))).code == "fork"
        assert [item.state for item in await user.outbox.list()] == [State.FAILED]


async def test_86_two_times_for_one_entry_are_proven(world: World) -> None:
    """When a relay told the team another time than this device, the team's next entry makes that a proof."""
    async with world.client() as user:
        number = await opened(user)
        await world.console.answer(number)
        phrase = (await user.register()).recovery_phrase
    world.fake.inject(Fault.OTHER_TIME)
    async with world.client("elsewhere") as user:
        await user.restore(phrase)
        (proof,) = await user.proofs()
        assert "two different times" in proof.words
        assert check_proof(proof.data).team_id == world.console.team.team_id
