"""The team space's volumes against a removed administrator, a relay that helps them, and one that hides or forgets.

What stands against an attack is taken away in its second run, and then the same attack succeeds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import pytest

from e2e_support.conversation import Conversation, Draft
from e2e_support.crypto.hash import derive
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId, MessageId
from e2e_support.mailbox import mailbox_id
from e2e_support.opened import Opened
from e2e_support.proof import ProofKind, check_proof
from e2e_support.tags import Tag
from e2e_support.thread import LogThread
from e2e_support.vocab import Kind, Verdict
from e2e_support.wire import Stored
from e2e_support_client import clock
from e2e_support_client.handback import HandBack
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay
from e2e_support_client.transport import HttpRelay
from e2e_support_console.creating import create_for_team
from e2e_support_console.index import records
from e2e_support_console.team import TeamClient
from e2e_support_console.team_space import TeamSpace
from e2e_support_console.volume import Volume, space_mailboxes
from machine_kit import running_machine
from space_kit import SHORT, share, shared, short_volumes_fixture, snippet
from team_room import TeamRoom
from user_kit import CHEAP

__all__ = ["short_volumes_fixture"]

pytestmark = pytest.mark.usefixtures("short_volumes")
EVIL: Final = "evil"
both = pytest.mark.parametrize("defended", [True, False])


# --- a removed administrator -----------------------------------------------------------------------------


@dataclass
class Gone:
    """A device that was removed and keeps what it knew, with a relay that stores whatever it is given.

    Attributes:
        team: the device's console, which has not heard of its removal.
        relay: the relay.
    """

    team: TeamClient
    relay: FakeRelay

    async def write(self, mailbox: MailboxId, after: int, count: int) -> None:
        """Put entries behind the first ones of a volume, in the place of what stood there."""
        desk, box = self.team.desk, self.relay._mailboxes[mailbox]  # pyright: ignore[reportPrivateUsage]
        conversation = Conversation(mailbox, desk.roster, desk.team.keys, staff=True)
        conversation.resume((await records(desk.store, mailbox))[:after])
        box.log, box.chain = box.log[:after], conversation.chain
        for number in range(count):
            draft = Draft(Kind.SETTING, snippet(f"{EVIL}{number}"), MessageId(clock.random(16)))
            sealed = conversation.seal(draft, desk.author(), now=clock.now(), random=clock.random)
            receipt = self.relay._store(mailbox, box, sealed.entry, by_team=True)  # pyright: ignore[reportPrivateUsage]
            conversation.receive(Stored(sealed.entry, receipt))


async def two(room: TeamRoom) -> tuple[TeamClient, TeamClient]:
    """Return an owner's console and an agent's."""
    anna = await room.start()
    return anna, await room.add(anna, "Ben")


async def remove_ben(room: TeamRoom, anna: TeamClient, ben: TeamClient) -> Gone:
    """Let the owner remove the agent, whose console notices nothing."""
    await ben.catch_up()
    await anna.catch_up()
    await anna.members.remove("Ben")
    return Gone(ben, room.relay)


def by_number_alone(locator: Secret, number: int, _end: bytes) -> SigningKey:
    """Return what the key of a volume would be if it told nothing of the one before."""
    return SigningKey(derive(locator, Tag.TEAM_SPACE, bytes([number])))


def believed(_thread: LogThread[int], _opened: Opened) -> None:
    """Believe every entry of a removed device."""


def take_anything(volume: Volume, opened: Opened) -> None:
    """Take an entry wherever it stands."""
    volume.entries.append(opened)
    volume.fresh.append(opened)


async def believes_evil(team: TeamClient) -> bool:
    """Tell whether a console believes what was planted."""
    return any(name.startswith(EVIL) for name in await shared(team))


async def codes(team: TeamClient) -> set[str]:
    """Return the codes of a console's alarms."""
    return {alarm.code for alarm in await team.alarms()}


@both
async def test_130_a_full_volume_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """What a removed device adds behind the end of a full volume is read by nobody, old or new, and all are told."""
    if not defended:
        monkeypatch.setattr("e2e_support_keys.epochs.volume_key", by_number_alone)
        monkeypatch.setattr(Volume, "take", take_anything)
    async with TeamRoom(tmp_path) as room:
        anna, ben = await two(room)
        await share(ben, "ben")
        await share(anna, "one", "two", "three", "four")
        gone = await remove_ben(room, anna, ben)
        await anna.catch_up()
        cleo = await room.add(anna, "Cleo")
        first, _ = await space_mailboxes(anna.desk)
        await gone.write(first, SHORT, 1)
        await cleo.catch_up()
        assert await believes_evil(cleo) is not defended
        if defended:
            await anna.catch_up()
            for team in (anna, cleo):
                assert await shared(team) == ["ben", "one", "two", "three", "four"]
                assert await codes(team) == {"volume_overfull"}


@both
async def test_131_another_history_leads_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """A newcomer who is shown an old volume as a removed device rewrote it finds no barrier that vouches for it."""
    if not defended:
        monkeypatch.setattr("e2e_support_keys.epochs.volume_key", by_number_alone)
    async with TeamRoom(tmp_path) as room:
        anna, ben = await two(room)
        await share(anna, "one")
        await share(ben, "ben")
        await share(anna, "two", "three", "four")
        gone = await remove_ben(room, anna, ben)
        await anna.catch_up()
        cleo = await room.add(anna, "Cleo")
        first, second = await space_mailboxes(anna.desk)
        await gone.write(first, 2, SHORT - 2)
        await cleo.catch_up()
        assert await believes_evil(cleo) is not defended
        assert (second in await space_mailboxes(cleo.desk)) is not defended


@both
async def test_132_a_volume_that_was_opened_late_with_old_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """A removed device that opens the next volume first is not believed, and its key is the next writer's no more."""
    if not defended:
        monkeypatch.setattr(LogThread, "_removal_verdict", believed)
    async with TeamRoom(tmp_path) as room:
        anna, ben = await two(room)
        await share(ben, "ben")
        await share(anna, "one", "two", "three")
        gone = await remove_ben(room, anna, ben)
        capability = anna.desk.capability()
        first, second = await space_mailboxes(ben.desk)
        *_, last = await records(ben.desk.store, first)
        key = ben.desk.team.keys.team_space(1, last.hash)
        assert mailbox_id(key.public) == second
        await create_for_team(room.relay, anna.desk.team_id, capability, key)
        await gone.write(second, 0, 1)
        await anna.catch_up()
        cleo = await room.add(anna, "Cleo")
        await share(cleo, "cleo")
        for team in (anna, cleo):
            assert await believes_evil(team) is not defended
        *_, planted, _, own = await TeamSpace(cleo.desk).kept()
        assert own.epoch == anna.desk.roster.epoch.epoch > planted.epoch
        if defended:
            assert planted.verdict is Verdict.FORGED


@both
async def test_133_nobody_prepares_a_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """What a device of the team writes into a volume before the one in front of it is full stands nowhere."""
    if not defended:
        monkeypatch.setattr("e2e_support_keys.epochs.volume_key", by_number_alone)
    async with TeamRoom(tmp_path) as room:
        anna, ben = await two(room)
        await share(anna, "one", "two")
        await ben.catch_up()
        (first,) = await space_mailboxes(ben.desk)
        ends = [last.hash for last in await records(ben.desk.store, first)]
        keys = [ben.desk.team.keys.team_space(1, end) for end in ends]
        for key in keys:
            await create_for_team(room.relay, ben.desk.team_id, ben.desk.capability(), key)
        await Gone(ben, room.relay).write(mailbox_id(keys[-1].public), 0, 1)
        await share(anna, "three", "four", "five")
        for team in (anna, ben):
            await team.catch_up()
            assert await believes_evil(team) is not defended
            assert (await shared(team))[-1] == "five"


# --- a relay that hides or forgets -----------------------------------------------------------------------


async def test_134_a_hidden_volume_is_told_and_cannot_be_begun_twice(tmp_path: Path) -> None:
    """A console that is shown no second volume hears of it by the feed; what it writes there proves a fork."""
    async with TeamRoom(tmp_path) as room:
        anna, ben = await two(room)
        await share(anna, "one", "two", "three", "four", "five")
        _, second = await space_mailboxes(anna.desk)
        boxes = room.relay._mailboxes  # pyright: ignore[reportPrivateUsage]
        hidden = boxes.pop(second)
        assert (report := await ben.sync()).trouble is not None
        assert report.trouble.code == "withheld"
        assert await codes(ben) == {"withheld"}
        await share(ben, "ben")
        other, boxes[second] = boxes[second], hidden
        assert [len(box.log) for box in (other, hidden)] == [1, 1]
        with pytest.raises(PeerError, match="another history"):
            await shared(ben)
        fork = next(alarm for alarm in await ben.alarms() if alarm.code == "fork")
        assert (fork.mailbox, check_proof(fork.proof).kind) == (second, ProofKind.RECEIPTS)
        assert await shared(anna) == ["one", "two", "three", "four", "five"]


@asynccontextmanager
async def restored(folder: Path) -> AsyncGenerator[tuple[TeamClient, TeamClient]]:
    """Yield two consoles at a relay process that was restored to when the first volume was not full.

    Only the first one knows more of the space.
    """
    async with AsyncExitStack() as stack:
        machine = await stack.enter_async_context(running_machine(folder))
        relay = HttpRelay(machine.url, retry=NO_RETRY)
        stack.push_async_callback(relay.close)
        port = cast("FakeRelay", relay)
        room = TeamRoom(folder, relay=port, url=machine.url, code=machine.code(), policy=CHEAP)
        await stack.enter_async_context(room)
        anna = await room.start()
        cleo = await room.add(anna, "Cleo")
        await share(anna, "one", "two", "three")
        machine.backup()
        await share(anna, "four", "five", "six")
        await anna.catch_up()
        await machine.restore()
        yield anna, cleo


@both
async def test_135_a_backup_that_lacks_a_volume_wholly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """A relay that lost the end of one volume and all of the next gets both back, and so does a newcomer."""

    async def nothing(*_: object) -> bool:
        return False

    if not defended:
        monkeypatch.setattr(HandBack, "_is_loss", nothing)
    async with restored(tmp_path) as (anna, cleo):
        await anna.catch_up()
        await cleo.catch_up()
        everything = ["one", "two", "three", "four", "five", "six"]
        assert await shared(cleo) == (everything if defended else everything[:3])
        if defended:
            assert "rollback" in await codes(anna)
            await share(cleo, "seven")
            assert await shared(anna) == [*everything, "seven"]
