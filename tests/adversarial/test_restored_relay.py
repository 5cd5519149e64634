"""Attack 88 with whole clients at a relay of its own: restored from a backup, it gets back all that it answered for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from e2e_support.errors import TransportError
from e2e_support_client import FileSpec, MemoryKeystore, SupportClient
from e2e_support_client.handback import HandBack
from e2e_support_client.port import RelayPort
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay
from e2e_support_client.transport import HttpRelay
from e2e_support_console.team import TeamClient
from machine_kit import Falling, Machine, running_machine
from team_room import TeamRoom
from user_kit import BODY, CHEAP, SUBJECT


@dataclass
class Story:
    """A user and an administrator who have written since the backup.

    Attributes:
        folder: where everybody keeps what they know.
        machine: the relay.
        room: the team.
        ways: how everybody reaches the relay.
        anna: the administrator.
        link: the support link.
        keystore: the user's keys.
        numbers: of the tickets, the one that the backup has first.
    """

    folder: Path
    machine: Machine
    room: TeamRoom
    ways: Falling
    anna: TeamClient
    link: str
    keystore: MemoryKeystore = field(default_factory=MemoryKeystore)
    numbers: list[str] = field(default_factory=list[str])

    @property
    def port(self) -> RelayPort:
        """The way to the relay, as clients take it."""
        return cast("RelayPort", self.ways)

    def user(self, name: str = "user", keystore: MemoryKeystore | None = None) -> SupportClient:
        """Return the user's client; each name has a store of its own."""
        chosen = keystore or self.keystore
        return SupportClient(self.link, keystore=chosen, state_dir=self.folder / name, relay=self.port)

    async def write(self) -> None:
        """Let both write before the backup and after it."""
        async with self.user() as user:
            self.numbers.append((await user.tickets.create(SUBJECT, BODY, category="billing")).number)
            await self.anna.catch_up()
            await self.anna.inbox.note(self.numbers[0], "Noted before.")
            await self.anna.snippets.save("before", "Hello.")
            self.machine.backup()
            await user.tickets.reply(self.numbers[0], "Still empty.")
            file = FileSpec(b"line\n" * 1000, name="log.txt")
            second = await user.tickets.create("Second", BODY, category="billing", attachments=[file])
            self.numbers.append(second.number)
            await self.anna.catch_up()
            for number in self.numbers:
                await self.anna.inbox.reply(number, "We look.")
                await self.anna.inbox.note(number, "Noted after.")
            await self.anna.snippets.save("after", "Bye.")
            await user.tickets.list()
            for number in self.numbers:  # the user never sees these before the relay loses them
                await self.anna.inbox.reply(number, "Mended.")
            await self.anna.catch_up()

    async def heal(self) -> None:
        """Let both look at what there is, in whatever state the relay is."""
        for _ in range(2):  # the user first creates what the administrator then completes
            async with self.user() as user:
                await user.tickets.list()
            with suppress(TransportError):
                await self.anna.catch_up()

    async def told(self) -> dict[str, list[str]]:
        """Return everything that a new device of the administrator and one of the user find at the relay."""
        async with self.user() as user:
            phrase = (await user.register()).recovery_phrase
        told = dict[str, list[str]]()
        async with self.user("elsewhere", MemoryKeystore()) as user:
            await user.restore(phrase)
            for line in await user.tickets.list():
                ticket = await user.tickets.get(line.number)
                told[f"user {line.subject}"] = [message.body for message in ticket.messages]
        home = self.folder / "laptop"
        async with await TeamClient.unlock(self.room.keystore, home, relay=self.port) as anna:
            await anna.catch_up()
            for line in await anna.inbox.list():
                view = await anna.inbox.get(line.number)
                told[f"team {line.subject}"] = [message.body for message in view.messages]
            told["snippets"] = [snippet.text for snippet in await anna.snippets.list()]
            assert await anna.alarms() == ()
        return told


WHOLE = {
    f"user {SUBJECT}": [BODY, "Still empty.", "We look.", "Mended."],
    "user Second": [BODY, "We look.", "Mended."],
    f"team {SUBJECT}": [BODY, "Noted before.", "Still empty.", "We look.", "Noted after.", "Mended."],
    "team Second": [BODY, "We look.", "Noted after.", "Mended."],
    "snippets": ["Bye.", "Hello."],
}


@asynccontextmanager
async def story(folder: Path) -> AsyncGenerator[Story]:
    """Let a story happen up to the restored backup, at a relay that is a process of its own."""
    async with AsyncExitStack() as stack:
        machine = await stack.enter_async_context(running_machine(folder))
        code = machine.code()
        relay = HttpRelay(machine.url, retry=NO_RETRY)
        stack.push_async_callback(relay.close)
        ways = Falling(relay, machine)
        settings = {"relay": cast("FakeRelay", ways), "url": machine.url, "code": code, "policy": CHEAP}
        room = await stack.enter_async_context(TeamRoom(folder, **settings))
        anna = await room.start()
        told = Story(folder, machine, room, ways, anna, room.link)
        await told.write()
        await machine.restore()
        yield told


async def test_88_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Answers, notes, a snippet and a whole ticket that a backup lacks are there again for devices that know nothing.

    The administrator comes first, who cannot create a user's ticket again, and waits for the user.
    """
    async with story(tmp_path) as told:
        await told.anna.catch_up()
        problems = {line.number: line.problem for line in await told.anna.inbox.list()}
        assert [problems[number].endswith("not_found") for number in told.numbers] == [False, True]
        await told.heal()
        assert await told.told() == WHOLE
        alarms = await told.anna.alarms()
        assert {alarm.code for alarm in alarms} == {"feed_rollback", "rollback", "not_found"}
        lost = [alarm for alarm in alarms if alarm.code == "rollback"]
        assert {alarm.number for alarm in lost} == {*told.numbers, ""}, "tickets, and the team space"
        assert all("they were handed back" in alarm.message for alarm in lost)
        await told.anna.clear_alarms()
        await told.heal()
        assert await told.anna.alarms() == ()


async def test_88_a_user_is_told_that_files_are_lost(tmp_path: Path) -> None:
    """Nobody keeps a file after it was sent: the ticket that had it says so from then on, in words."""
    async with story(tmp_path) as told:
        await told.heal()
        async with told.user() as user:
            problems = {line.number: line.problem for line in await user.tickets.list()}
            assert problems == dict(zip(told.numbers, ("", "files_lost"), strict=True))
            await user.tickets.reply(told.numbers[1], "Here it is again.")
            assert (await user.tickets.get(told.numbers[1])).summary.problem == "files_lost"


@pytest.mark.parametrize(
    ("at", "after"), [(0, True), (1, False), (3, False), (4, True), (6, True), (7, False)]
)
async def test_88_a_kill_in_the_middle_is_made_good(tmp_path: Path, at: int, after: bool) -> None:
    """A relay that is killed with ``kill -9`` while it gets something back has all of it after the next look."""
    async with story(tmp_path) as told:
        told.ways.at, told.ways.after = at, after
        await told.heal()
        assert told.machine.process.returncode is not None, "it was killed"
        told.ways.at = None
        await told.machine.start()
        await told.heal()
        assert await told.told() == WHOLE


async def test_88_without_handing_back_it_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where clients give nothing back, the same story leaves new devices without all that the backup lacks."""

    async def nothing(*_: object) -> bool:
        return False

    monkeypatch.setattr(HandBack, "_is_loss", nothing)
    async with story(tmp_path) as told:
        await told.heal()
        assert await told.told() == {
            f"user {SUBJECT}": [BODY],
            f"team {SUBJECT}": [BODY, "Noted before."],
            "snippets": ["Hello."],
        }
