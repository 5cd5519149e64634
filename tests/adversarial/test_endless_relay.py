"""Attacks of a relay that goes on for ever: programs stop at the first thing that cannot be (117)."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.test_trust import refusal
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import MailboxId, TeamId
from e2e_support.limits import MAILBOX_ENTRIES_MAX
from e2e_support.mailbox import Chain, ReceiptSigner
from e2e_support.roster import next_bodies
from e2e_support.roster_links import Rename, sign_link
from e2e_support.wire import Head, LinksPage, Page, Stored
from e2e_support_client import team
from hostile_relay import receipt_for
from team_builder import seed_of
from user_kit import BODY, SUBJECT, World, fake_world

PAGES = 8  # an honest page of each kind, and a few more


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A team at a relay in memory, of which news are asked before every look."""
    monkeypatch.setattr(team, "READ_AFTER", 0)
    return fake_world(tmp_path)


async def test_117_a_roster_without_end_is_left_at_its_first_false_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 117: links that follow each other, and that nobody signed, are not collected until memory is full."""
    asked = 0
    known = world.console.team.roster
    rename = Rename(world.console.device.device_id, "Anna", ())
    unsigned = [sign_link(body, []) for body in next_bodies(known, [rename] * 64, 0)]

    async def endless(_team: TeamId, start: int) -> LinksPage:
        nonlocal asked
        asked += 1
        assert asked < PAGES, "the client asks on and on"
        first = known.links[start:] if start < len(known.links) else ()
        return LinksPage(10**9, (*first, *unsigned))

    async with world.client() as user:
        await user.tickets.create(SUBJECT, BODY, category="billing")
        monkeypatch.setattr(world.fake, "links", endless)
        assert (await refusal(user.verify_team())).code == "too_few_signers"
    async with world.client("newcomer") as user:
        assert (await refusal(user.verify_team())).code == "too_few_signers"


async def test_117_a_ticket_without_end_is_not_followed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 117: a relay that signs for more and more entries of its own making is left at once."""
    asked, signer = 0, ReceiptSigner(SigningKey(Secret(seed_of("relay"))))
    honest = world.fake.read

    async def endless(mailbox: MailboxId, start: int, capability: SigningKey) -> Page:
        nonlocal asked
        asked += 1
        assert asked < PAGES, "the client asks on and on"
        (first, *_), items = (await honest(mailbox, 0, capability)).items, list[Stored]()
        chain = Chain.start(mailbox)
        for _ in range(start + 8):
            chain = chain.advance(first.entry)
            items.append(Stored(first.entry, receipt_for(signer, chain, world.fake.time)))
        return Page(Head(MAILBOX_ENTRIES_MAX + 1, chain.hash), tuple(items[start:]))

    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="billing")).number
        monkeypatch.setattr(world.fake, "read", endless)
        ticket = await user.tickets.get(number)
        assert ticket.summary.problem == "too_long"
        assert [message.body for message in ticket.messages] == [BODY]
