"""What an administrator's backup, or one colleague who erases everything, does to the others' consoles (63, 80)."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from console_room import Killed, User, dying
from e2e_support.destruction import Deed, Destruction, DestructionBody, sign_destruction
from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay
from e2e_support_client.transport import HttpRelay
from e2e_support_console.team import TeamClient
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.keystore import MemoryKeystore
from e2e_support_server.fairness import Rate
from e2e_support_server.service.erasure import DEEDS_BURST
from relay_kit import running
from team_room import TeamRoom
from user_kit import CHEAP


async def texts(team: TeamClient, user: User) -> list[str]:
    """Return what a console shows of a ticket."""
    return [message.body for message in (await team.inbox.get(user.number)).messages]


# --- 63: an old store, an old key file -------------------------------------------------------------------


async def backed_up(room: TeamRoom, team: TeamClient, name: str) -> Path:
    """Close somebody's console and return a copy of its home."""
    await team.close()
    copy = room.home_of(name).with_name(f"{name} backup")
    shutil.copytree(room.home_of(name), copy)
    return copy


async def restored(room: TeamRoom, name: str, backup: Path) -> TeamClient:
    """Put a backup in the place of a home and return the console."""
    shutil.rmtree(room.home_of(name))
    shutil.move(backup, room.home_of(name))
    return await room.console(name)


async def test_63_an_old_store_is_only_behind(tmp_path: Path) -> None:
    """A console whose store comes from a backup follows roster, epochs and tickets to where they are, without alarm."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        user = await room.ticket()
        await ben.catch_up()
        backup = await backed_up(room, ben, "Ben")
        ben = await room.console("Ben")
        await room.add(anna, "Cleo")
        await ben.catch_up()
        await ben.inbox.reply(user.number, "One.")
        await ben.inbox.note(user.number, "A note.")
        before = await texts(ben, user)
        await ben.close()
        ben = await restored(room, "Ben", backup)
        await ben.catch_up()
        assert await texts(ben, user) == before
        assert (await ben.alarms(), ben.desk.roster.head) == ((), (await room.roster()).head)
        await ben.inbox.reply(user.number, "Two.")
        await anna.catch_up()
        assert (await texts(anna, user))[-1] == "Two."


async def test_63_an_old_store_sends_nothing_twice(tmp_path: Path) -> None:
    """A reply that was on its way when the backup was made, and arrived since, is found in the log."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        user = await room.ticket()
        await ben.catch_up()
        await ben.close()
        ben = await room.console("Ben", dying(room.relay, "append", after=True))
        with pytest.raises(Killed):
            await ben.inbox.reply(user.number, "Once.")
        backup = await backed_up(room, ben, "Ben")
        ben = await room.console("Ben")
        await ben.catch_up()
        await ben.close()
        ben = await restored(room, "Ben", backup)
        await ben.catch_up()
        assert (await texts(ben, user)).count("Once.") == 1
        assert len(room.relay.stored(user.mailbox)) == 2
        assert await ben.alarms() == ()


async def test_63_a_store_that_knows_more_than_the_relay_says_so(tmp_path: Path) -> None:
    """When the relay comes back from a backup too, a console that kept what is missing there raises the alarm."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket()
        await anna.catch_up()
        await anna.inbox.reply(user.number, "One.")
        await anna.catch_up()
        before = await texts(anna, user)
        box = room.relay._mailboxes[user.mailbox]  # pyright: ignore[reportPrivateUsage]
        box.log, box.chain = box.log[:1], type(box.chain).start(user.mailbox).advance(box.log[0].entry)
        await anna.sync()
        assert await texts(anna, user) == before
        assert [alarm.code for alarm in await anna.alarms()] == ["rollback"]


async def test_63_keys_of_before_do_not_open_the_store_of_now(tmp_path: Path) -> None:
    """A key file from an earlier team of the same computer is refused, and store and keys stay as they are."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket()
        await anna.catch_up()
        await anna.close()
        old = MemoryKeystore(DeviceBundle.fresh("Anna", clock.random, link=room.link))
        with pytest.raises(UsageError) as error:
            await TeamClient.unlock(old, room.home, relay=room.relay)
        assert error.value.code == "wrong_key"
        anna = await room.console("Anna")
        assert await texts(anna, user) == ["The list is empty."]


# --- 80: erasing everything ------------------------------------------------------------------------------


@asynccontextmanager
async def real_team(folder: Path) -> AsyncGenerator[tuple[TeamRoom, TeamClient, TeamClient, TeamClient]]:
    """Yield the consoles of an owner, an agent and an auditor at a real relay."""
    async with running(folder / "relay") as client:
        assert client.relay is not None
        relay = HttpRelay(client.url, retry=NO_RETRY)
        code = await client.relay.context.teams.issue_code()
        settings = {"relay": cast("FakeRelay", relay), "url": client.url, "code": code, "policy": CHEAP}
        try:
            async with TeamRoom(folder, **settings) as room:
                anna = await room.start()
                ben = await room.add(anna, "Ben", Role.AGENT)
                dora = await room.add(anna, "Dora", Role.AUDITOR)
                yield room, anna, ben, dora
        finally:
            await relay.close()


async def erase(team: TeamClient, user: User) -> None:
    """Let a device erase a ticket with its own name and the team's capability, past its console."""
    device, key = team.desk.bundle.signer()
    body = DestructionBody(team.desk.team_id, user.mailbox, Deed.ERASE, clock.now(), device)
    await team.desk.relay.destroy(user.mailbox, sign_destruction(body, key), team.desk.capability())


def never(*_: object) -> float:
    """Stand where a rate limit was taken away."""
    return 0.0


@pytest.mark.parametrize("defended", [True, False])
async def test_80_one_agent_erases_no_more_than_a_burst_and_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """Ben gets as far as a burst; the others keep all other tickets, and are told by each tombstone that it was Ben."""
    if not defended:
        monkeypatch.setattr(Rate, "wait", never)
    async with real_team(tmp_path) as (room, anna, ben, _):
        users = [await room.ticket(f"Ticket {at}") for at in range(DEEDS_BURST + 3)]
        for team in (anna, ben):
            await team.catch_up()
        gone = DEEDS_BURST if defended else len(users)
        for user in users[:gone]:
            await erase(ben, user)
        for user in users[gone:]:
            with pytest.raises(TransportError) as error:
                await erase(ben, user)
            assert error.value.code == "rate"
        await anna.catch_up()
        assert len(await anna.inbox.list()) == len(users) - gone
        assert {(ticket.number, ticket.by) for ticket in await anna.inbox.erased()} == {
            (user.number, "Ben") for user in users[:gone]
        }
        for user in users[:gone]:
            stone = await room.relay.tombstone(user.mailbox, anna.desk.capability())
            said = DestructionBody.from_bytes(Destruction.from_bytes(stone).body)
            assert said.by == ben.desk.bundle.device_id


async def test_80_an_auditor_erases_nothing(tmp_path: Path) -> None:
    """Dora may read everything; her name under an erasure counts for nothing, and nobody is alarmed."""
    async with real_team(tmp_path) as (room, anna, _, dora):
        user = await room.ticket()
        for team in (anna, dora):
            await team.catch_up()
        with pytest.raises(SupportError) as error:
            await erase(dora, user)
        assert error.value.code == "not_yours"
        await user.say("I am still here.")
        await anna.catch_up()
        assert await texts(anna, user) == ["The list is empty.", "I am still here."]
        assert await anna.alarms() == ()
