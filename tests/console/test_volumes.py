"""The team space without end: volumes that fill up one behind the other, whoever writes, joins, leaves or dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from console_room import Killed, dying, opening
from e2e_support.content import BarrierBody, ClaimBody, ReadMark, ReadMarksBody
from e2e_support.destruction import Deed, Destruction, DestructionBody
from e2e_support.errors import UsageError
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.space import claims_of, settings_of
from e2e_support.vocab import Kind, Role, SettingKind, Verdict
from e2e_support_client import clock
from e2e_support_client.testing import Fault
from e2e_support_console.holding import hold_finished
from e2e_support_console.team_space import TeamSpace
from e2e_support_console.volume import space_mailboxes
from e2e_support_console.volumes import finished, idle
from space_kit import SHORT, lengths, lose, real_room, share, shared, short_volumes_fixture
from team_room import TeamRoom

__all__ = ["short_volumes_fixture"]

pytestmark = pytest.mark.usefixtures("short_volumes")
NAMES = [f"snippet{number}" for number in range(2 * SHORT + 2)]


async def test_everybody_reads_all_volumes(tmp_path: Path) -> None:
    """What fills two volumes and a half is there for a colleague, a newcomer, and without the relay."""
    async with real_room(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await share(anna, *NAMES)
        assert await lengths(anna, room.relay) == [SHORT, SHORT, 2]
        await ben.catch_up()
        cleo = await room.add(anna, "Cleo")
        for team in (anna, ben, cleo):
            assert await shared(team) == NAMES
            kept = await TeamSpace(team.desk).kept()
            assert [entry.seq for entry in kept] == list(range(len(NAMES)))
            assert list(settings_of(kept, SettingKind.SNIPPET)) == NAMES
            assert (await team.alarms(), await team.quarantined()) == ((), {})


async def test_two_who_write_at_the_border_do_not_cross(tmp_path: Path) -> None:
    """Two consoles write at once over three borders: each message stands once, and no volume is too long."""
    async with real_room(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        for number in range(2 * SHORT):
            await asyncio.gather(share(anna, f"anna{number}"), share(ben, f"ben{number}"))
        everything = {f"{who}{number}" for who in ("anna", "ben") for number in range(2 * SHORT)}
        for team in (anna, ben):
            assert set(await shared(team)) == everything
            assert await lengths(team, room.relay) == [SHORT] * 4


async def test_of_two_claims_at_the_border_one_holds(tmp_path: Path) -> None:
    """Whoever claims what stands in a volume that has just ended is told, though the next one is empty."""
    claim = ClaimBody("mail", MailboxId(bytes(16)), 3)

    class _Taken(UsageError):
        pass

    def free(entries: Sequence[Opened]) -> None:
        if claims_of(entries):
            raise _Taken("taken", "it is taken")

    async with real_room(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await share(anna, *NAMES[: SHORT - 1])
        spaces = [TeamSpace(team.desk, frozenset({Kind.CLAIM})) for team in (anna, ben)]
        claims = [space.write(Kind.CLAIM, claim, check=free) for space in spaces]
        results = await asyncio.gather(*claims, return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["NoneType", "_Taken"]
        assert await lengths(anna, room.relay) == [SHORT]


@pytest.mark.parametrize("after", [False, True])
async def test_a_kill_before_the_first_entry_of_a_volume(tmp_path: Path, after: bool) -> None:
    """A console that dies between creating a volume and writing to it leaves nothing that stops anybody."""
    async with real_room(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await share(anna, *NAMES[:SHORT])
        await anna.close()
        anna = await room.console("Anna", dying(room.relay, "append", after=after))
        with pytest.raises(Killed):
            await share(anna, "last words")
        await share(ben, "ben")
        await anna.close()
        anna = await room.console("Anna")
        await share(anna, "anna")
        expected = [*NAMES[:SHORT], *["last words"] * after, "ben", "anna"]
        for team in (anna, ben):
            assert await shared(team) == expected


async def test_a_removal_touches_the_open_volume_alone(tmp_path: Path) -> None:
    """One barrier and a fresh key go into the open volume; who joins later believes what was said in the full ones."""
    async with real_room(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await share(anna, *NAMES[: SHORT - 1])
        await share(ben, "ben0", "ben1")
        await anna.catch_up()
        await anna.members.remove("Ben")
        for _ in range(2):
            await anna.catch_up()
        assert await lengths(anna, room.relay) == [SHORT, 2]
        *_, barrier = await TeamSpace(anna.desk).kept()
        assert isinstance(barrier.body, BarrierBody)
        assert [item.accept_upto for item in barrier.body.items] == [SHORT]
        assert barrier.epoch == anna.desk.roster.epoch.epoch
        cleo = await room.add(anna, "Cleo")
        await cleo.catch_up()
        assert await shared(cleo) == [*NAMES[: SHORT - 1], "ben0", "ben1"]
        assert await lengths(cleo, room.relay) == [SHORT, 2]


async def test_a_barrier_waits_for_the_next_volume(tmp_path: Path) -> None:
    """Where the last volume has just ended, the barrier of a removal opens the next one."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await share(ben, *NAMES[:SHORT])
        await anna.catch_up()
        await anna.members.remove("Ben")
        await anna.catch_up()
        assert await lengths(anna, room.relay) == [SHORT, 1]
        cleo = await room.add(anna, "Cleo")
        assert await shared(cleo) == NAMES[:SHORT]


async def test_a_volume_that_passed_for_a_strangers_is_found(tmp_path: Path) -> None:
    """A sync that meets the second volume before it could read the first puts it aside, and takes it back."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        await share(anna, *NAMES[: SHORT + 1])
        first, *_ = await space_mailboxes(ben.desk)
        room.relay.inject(Fault.BUSY, mailbox=first)
        assert (await ben.sync()).trouble is not None
        assert sum((await ben.quarantined()).values()) == 1
        room.relay.heal()
        await ben.catch_up()
        room.relay.inject(Fault.OFFLINE)
        kept = await TeamSpace(ben.desk).kept()
        assert list(settings_of(kept, SettingKind.SNIPPET)) == NAMES[: SHORT + 1]
        assert await ben.quarantined() == {}


async def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    """Of finished volumes a reader of claims reads the newer claims, and all barriers; verdicts are the same."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await share(ben, "ben")
        await TeamSpace(ben.desk).write(Kind.CLAIM, ClaimBody("mail", MailboxId(bytes(16)), 1))
        await anna.catch_up()
        await anna.members.remove("Ben")
        await anna.catch_up()
        await share(anna, "anna", "open")
        cleo = await room.add(anna, "Cleo")
        await cleo.catch_up()
        for team in (anna, cleo):
            everything = await TeamSpace(team.desk).kept()
            assert [entry.verdict for entry in everything] == [Verdict.OK] * (SHORT + 1)
            claims = await TeamSpace(team.desk, frozenset({Kind.CLAIM})).kept()
            assert claims == [everything[1], everything[2], everything[4]]
            late = everything[-1].received + 1
            assert await TeamSpace(team.desk, frozenset({Kind.CLAIM}), late).kept() == [
                everything[2],
                everything[4],
            ]


async def test_marks_of_tickets_that_come_later_are_not_lost(tmp_path: Path) -> None:
    """A read mark in a finished volume counts for a ticket that this device sees only afterwards."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        laptop = await room.add(anna, "Laptop", Role.OWNER, device=True)
        user = await room.mailbox()
        marks = ReadMarksBody((ReadMark(user.mailbox, 1),))
        await TeamSpace(anna.desk).write(Kind.READ_MARK, marks)
        await share(anna, *NAMES[:SHORT])
        for _ in range(2):
            await laptop.catch_up()
        assert len(await finished(laptop.desk.store)) == 1
        await user.send(Kind.OPEN, opening(user), first=True)
        await laptop.catch_up()
        assert [line.unread for line in await laptop.inbox.list()] == [0]


async def test_finished_volumes_are_held_once(tmp_path: Path) -> None:
    """No entry keeps a finished volume alive, so each console lets the relay hold it, once, when it has been quiet."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await share(anna, *NAMES[: SHORT + 1])
        first, _ = await space_mailboxes(anna.desk)
        told: list[tuple[MailboxId, Deed]] = []
        destroy = room.relay.destroy

        async def noted(mailbox: MailboxId, statement: bytes, capability: object) -> None:
            body = DestructionBody.from_bytes(Destruction.from_bytes(statement).body)
            told.append((mailbox, body.deed))
            await destroy(mailbox, statement, capability)  # type: ignore[arg-type]

        room.relay.destroy = noted  # type: ignore[method-assign]
        await hold_finished(anna.desk, clock.now() - 60)
        assert told == []
        room.relay.inject(Fault.RATE, times=1)
        for _ in range(3):
            await hold_finished(anna.desk, clock.now())
        assert told == [(first, Deed.HOLD)] * 2, "the first was asked to wait"


async def test_whoever_writes_first_after_a_restore_gives_all_volumes_back(tmp_path: Path) -> None:
    """A relay that lost something of the open volume gets back what it lost of the others, too, without any sync."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await share(anna, *NAMES[: SHORT + 2])
        first, second = await space_mailboxes(anna.desk)
        await hold_finished(anna.desk, clock.now())
        lose(room.relay, first)
        lose(room.relay, second, 1)
        await share(anna, "after")
        assert await lengths(anna, room.relay) == [SHORT, 3]
        assert {alarm.mailbox for alarm in await anna.alarms() if alarm.code == "rollback"} == {first, second}
        assert [volume.mailbox for volume in await idle(anna.desk.store, clock.now(), 9)] == [first], (
            "not held"
        )


async def test_nobody_goes_on_behind_a_volume_that_the_relay_lost_the_end_of(tmp_path: Path) -> None:
    """Whoever creates a volume gives the relay back what it lacks of the one before: others could not find the way."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await share(anna, *NAMES[:SHORT])
        first, *_ = await space_mailboxes(anna.desk)
        lose(room.relay, first, 2)
        await share(anna, "after")
        assert await shared(ben) == [*NAMES[:SHORT], "after"]


async def test_whoever_ended_a_volume_follows_the_next_one(tmp_path: Path) -> None:
    """A console that wrote the last entry of a volume hears of what others say in the next one by its sync."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await anna.catch_up()
        await share(anna, *NAMES[:SHORT])
        await share(ben, "ben")
        await anna.catch_up()
        room.relay.inject(Fault.OFFLINE)
        kept = await TeamSpace(anna.desk).kept()
        assert list(settings_of(kept, SettingKind.SNIPPET)) == [*NAMES[:SHORT], "ben"]
        assert await anna.quarantined() == {}
