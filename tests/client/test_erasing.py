"""Erasing as users see it: what goes, what stays known, whom a client believes, and nothing half done."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from console_room import Killed, dying
from e2e_support.crypto.sign import SigningKey
from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.policy_parts import StaffDelete, UserDelete
from e2e_support.presets import DEFAULT
from e2e_support_client import EventKind, SupportClient, clock
from e2e_support_client.port import RelayPort
from e2e_support_client.render import event_text
from e2e_support_client.testing import Fault
from e2e_support_client.tombstones import Erased, read_tombstone, sign_erasure
from lifecycle_kit import another_device
from team_builder import device
from user_kit import BODY, SUBJECT, World, fake_world

NO_STAFF = replace(DEFAULT, delete=replace(DEFAULT.delete, staff=StaffDelete.NEVER))


async def closed(world: World, user: SupportClient, subject: str = SUBJECT) -> str:
    """Return the number of a ticket that was opened, answered and closed."""
    ref = await user.tickets.create(subject, BODY, category="billing")
    await world.console.answer(ref.number)
    await user.tickets.close(ref.number)
    return ref.number


async def team_erases(world: World, number: str) -> MailboxId:
    """Let the administrator erase a ticket."""
    console = world.console
    mailbox = await console.mailbox(number)
    by, key = console.device.device_id, console.device.sign
    statement = sign_erasure(console.team.team_id, mailbox, by, key, clock.now())
    await world.relay.destroy(mailbox, statement, console.team.keys.capability)
    return mailbox


async def erased(user: SupportClient, number: str) -> Erased:
    """Return what is said of an erased ticket."""
    with pytest.raises(Erased) as error:
        await user.tickets.get(number)
    return error.value


# --- the user erases ---------------------------------------------------------------------------------------


async def test_a_closed_ticket_goes_and_its_number_stays_known(tmp_path: Path) -> None:
    """After erasing it is at no relay and in no list; whoever asks for it is told who erased it, and when."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        number = await closed(world, user)
        mailbox = await world.console.mailbox(number)
        stakes = await user.tickets.stakes(number)
        assert (stakes.messages, stakes.files) == (2, 0)
        await user.tickets.erase(number)
        assert mailbox not in world.fake.mailboxes
        assert len(await user.tickets.list()) == 0
        said = await erased(user, number)
        assert (said.code, said.data["erased_by"]) == ("erased", "user")
        assert "erased by you" in said.message
        (line,) = await user.tickets.list(hidden=True)
        assert (line.number, line.status, line.status_text) == (number, "erased", "Erased by you")
        for call in (
            user.tickets.reply(number, "More."),
            user.tickets.erase(number),
            user.tickets.hide(number),
        ):
            with pytest.raises(Erased):
                await call
        other = await user.tickets.create(SUBJECT, BODY, category="billing")
        assert (other.number != number, other.state) == (True, "stored")
    async with world.client() as user:
        assert (await erased(user, number)).data == said.data
        assert await user.notifications(unread=False) == ()


async def test_only_closed_tickets_go_and_only_where_the_policy_says_so(tmp_path: Path) -> None:
    """An open ticket is refused, and so is every ticket where the team keeps them."""
    world = fake_world(tmp_path / "a")
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        with pytest.raises(UsageError) as error:
            await user.tickets.erase(ref.number)
        assert error.value.code == "not_closed"
    hiding = replace(DEFAULT, delete=replace(DEFAULT.delete, user=UserDelete.HIDE))
    world = fake_world(tmp_path / "b", hiding)
    async with world.client() as user:
        number = await closed(world, user)
        with pytest.raises(UsageError) as error:
            await user.tickets.erase(number)
        assert error.value.code == "erase_off"


@pytest.mark.parametrize("after", [False, True])
async def test_killed_in_between_the_next_look_finishes_it(tmp_path: Path, after: bool) -> None:
    """Killed once the relay has erased it, the next process purges what is here; killed before, nothing is lost."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        number = await closed(world, user)
    with pytest.raises(Killed):
        async with world.client(relay=dying(world.relay, "destroy", after=after)) as user:
            await user.tickets.erase(number)
    async with world.client() as user:
        if after:
            assert len(await user.tickets.list()) == 0
            assert (await erased(user, number)).data["erased_by"] == "user"
        else:
            assert len((await user.tickets.get(number)).messages) == 2


async def test_a_relay_that_erases_in_words_only_is_found_out(tmp_path: Path) -> None:
    """Where the relay goes on serving the ticket, the person is told so and nothing is purged."""
    world = fake_world(tmp_path)

    class Lazy:
        def __getattr__(self, name: str) -> object:
            return self.nothing if name == "destroy" else getattr(world.relay, name)

        async def nothing(self, *_: object) -> None:
            """Do nothing and say that it was done."""

    async with world.client(relay=cast("RelayPort", Lazy())) as user:
        number = await closed(world, user)
        with pytest.raises(PeerError) as error:
            await user.tickets.erase(number)
        assert error.value.code == "still_there"
        assert len((await user.tickets.get(number)).messages) == 2


# --- the team erases ---------------------------------------------------------------------------------------


async def test_the_user_learns_who_erased_a_ticket(tmp_path: Path) -> None:
    """The next look purges it, notifies the person by the administrator's name, and keeps other tickets."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        number, other = await closed(world, user), await closed(world, user, "Another")
        await user.mark_notifications_read()
        await team_erases(world, number)
        assert [line.number for line in await user.tickets.list()] == [other]
        said = await erased(user, number)
        assert said.data["erased_by"] == "anna"
        (told,) = await user.notifications()
        assert (told.kind, told.number) == ("erased", number)
        assert "Erased by anna" in told.text
        events = await user.news()
        assert [(event.kind, event.number) for event in events][-1] == (EventKind.ERASED, number)
        assert "Gone: Erased by anna on" in event_text(events[-1])
        assert {event.number for event in events if event.kind is not EventKind.ERASED} == {other}


async def test_words_that_were_never_sent_stay_the_persons(tmp_path: Path) -> None:
    """A reply that waited while the team erased the ticket is kept in the outbox, as failed, to be copied."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        number = await closed(world, user)
        world.fake.inject(Fault.OFFLINE)
        await user.tickets.reply(number, "A long answer.")
        world.fake.heal()
        await team_erases(world, number)
        await user.tickets.list()
        (item,) = await user.outbox.list()
        assert (item.state, item.code) == ("failed", "erased")
        await user.outbox.flush()
        await user.outbox.discard(item.key)
        assert len(await user.outbox.list()) == 0


# --- whom a client believes (attacks 80, 81) ---------------------------------------------------------------


def claims(
    world: World, mailbox: MailboxId, deed: Deed, by: bytes, key: SigningKey, **changed: object
) -> bytes:
    """Return a statement, whoever signs it."""
    body = DestructionBody(world.console.team.team_id, mailbox, deed, clock.now(), by)
    return sign_destruction(dataclasses.replace(body, **changed), key)  # type: ignore[arg-type]


async def test_81_what_is_no_good_statement_purges_nothing(tmp_path: Path) -> None:
    """A relay that answers 410 with a statement of strangers, of another mailbox or of another deed is not believed."""
    world = fake_world(tmp_path)
    team, anna, carl = world.console.team, world.console.device, device("carl")
    async with world.client() as user:
        number = await closed(world, user)
        mailbox = await world.console.mailbox(number)
        capability = team.keys.capability
        false = [
            b"junk",
            claims(world, mailbox, Deed.ERASE, carl.device_id, carl.sign),
            claims(world, mailbox, Deed.ERASE, anna.device_id, carl.sign),
            claims(world, mailbox, Deed.FREEZE, anna.device_id, anna.sign),
            claims(world, MailboxId(bytes(16)), Deed.ERASE, anna.device_id, anna.sign),
            claims(world, mailbox, Deed.ERASE, capability.public, capability),
        ]
        for statement in false:
            lie(world, mailbox, statement)
            ticket = await user.tickets.get(number)
            assert (len(ticket.messages), ticket.summary.problem) == (2, "relay_says_erased")
        lie(world, mailbox, claims(world, mailbox, Deed.ERASE, anna.device_id, anna.sign))
        await erased(user, number)


async def test_80_a_team_that_erases_nothing_by_its_rules_purges_nothing(tmp_path: Path) -> None:
    """Where the policy lets the team erase nothing, an administrator's statement is a claim like any other."""
    world = fake_world(
        tmp_path, replace(NO_STAFF, retention=replace(NO_STAFF.retention, closed_days=0, idle_days=0))
    )
    async with world.client() as user:
        number = await closed(world, user)
        await team_erases(world, number)
        assert (await user.tickets.get(number)).summary.problem == "relay_says_erased"


def lie(world: World, mailbox: MailboxId, statement: bytes) -> None:
    """Let the relay answer 410, and hand out a statement that it never checked."""
    world.fake._mailboxes[mailbox].tombstone = statement  # pyright: ignore[reportPrivateUsage]


async def test_80_a_removed_device_dates_nothing_back(tmp_path: Path) -> None:
    """What it signed while it was active holds for ever; a statement behind newer entries, or its removal, does not."""
    world = fake_world(tmp_path)
    team, anna = world.console.team, world.console.device
    ben = device("ben")
    team.add(ben, anna)
    mailbox = MailboxId(bytes(16))
    statement = claims(world, mailbox, Deed.ERASE, ben.device_id, ben.sign, time=world.founded)
    assert read_tombstone(statement, team.roster, mailbox, newest=world.founded + 1).by == "ben"
    team.remove(ben, anna)
    assert read_tombstone(statement, team.roster, mailbox, newest=world.founded - 1).by == "ben"
    with pytest.raises(PeerError):
        read_tombstone(statement, team.roster, mailbox, newest=world.founded + 1)
    late = claims(world, mailbox, Deed.ERASE, ben.device_id, ben.sign, time=world.founded + 1000)
    with pytest.raises(PeerError):
        read_tombstone(late, team.roster, mailbox)


async def test_another_device_of_the_user_purges_it_too(tmp_path: Path) -> None:
    """A second device with the same words purges what the first one erased, and says that the user did it."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        number = await closed(world, user)
        async with world.client(**another_device(world)) as second:
            await second.restore((await user.register()).recovery_phrase)
            assert len((await second.tickets.get(number)).messages) == 2
            await user.tickets.erase(number)
            assert len(await second.tickets.list()) == 0
            assert "erased by you" in (await erased(second, number)).message


async def test_what_went_by_age_goes_here_when_asked(tmp_path: Path) -> None:
    """Where the relay has erased a ticket without a statement, the person's own one is enough for their device."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        number = await closed(world, user)
        world.fake.inject(Fault.ERASED)
        assert (await user.tickets.get(number)).summary.problem == "relay_says_erased"
        await user.tickets.erase(number)
        await erased(user, number)
