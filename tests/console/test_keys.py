"""The team's keys: rotation, self-check, drill, recovery from paper, and what every sync does for the team."""

from __future__ import annotations

from pathlib import Path

import pytest

from console_room import Killed, dying
from e2e_support.errors import UsageError
from e2e_support.freshness import DAY, check_freshness
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_console.key_care import recovery_texts
from e2e_support_console.renewal import fresh_until, renew
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import MemoryKeystore
from team_room import TeamRoom


async def test_a_rotation_begins_one_epoch(tmp_path: Path) -> None:
    """A rotation gives everybody new keys, once, and a self-check finds nothing wrong with them."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        before = anna.desk.roster.epoch.epoch
        assert await anna.keys.rotate() is None
        await ben.catch_up()
        assert ben.desk.roster.epoch.epoch == before + 1
        assert await ben.keys.self_check() == []


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (3, 2)])
async def test_a_team_is_recovered_from_paper(tmp_path: Path, shares: int, threshold: int) -> None:
    """After all devices are lost, the paper makes a new owner who reads everything and can answer."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket("No invoice")
        made = await anna.keys.recovery(shares=shares, threshold=threshold)
        assert (len(made.texts), len(made.sheets), made.proposal) == (shares, shares, None)
        typed = "\n".join(made.texts[-threshold:])
        assert await anna.keys.drill(typed) == ()
        new = room.keystores["New"] = MemoryKeystore()
        team = await TeamClient.recover(
            room.link, typed, name="New", keystore=new, state_dir=tmp_path / "New", relay=room.relay
        )
        async with team:
            await team.catch_up()
            await team.inbox.reply(user.number, "We are back.")
            assert [one.name for one in await team.members.list()] == ["Anna", "Recovery sheet", "New"]
        with pytest.raises(UsageError) as error:
            await anna.keys.drill("abandon " * 23)
        assert error.value.code == "bad_phrase"


async def test_a_recovery_that_is_killed_makes_one_owner(tmp_path: Path) -> None:
    """A kill after the relay was told leaves one new owner, whom the next run opens."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        made = await anna.keys.recovery()
        new = MemoryKeystore()
        for relay in (
            dying(room.relay, "post_links"),
            dying(room.relay, "post_links", after=True),
        ):
            with pytest.raises(Killed):
                await TeamClient.recover(
                    room.link,
                    made.texts[0],
                    name="New",
                    keystore=new,
                    state_dir=tmp_path / "New",
                    relay=relay,
                )
        team = await TeamClient.recover(
            room.link, made.texts[0], name="New", keystore=new, state_dir=tmp_path / "New", relay=room.relay
        )
        async with team:
            await team.catch_up()
        await anna.desk.team.refresh()
        assert [one.label for one in anna.desk.roster.devices.values()].count("New") == 1


def test_words_are_read_however_they_are_typed() -> None:
    """Numbers, commas and line breaks of a sheet do not matter."""
    words = " ".join(f"{number}. abandon," for number in range(1, 25))
    assert recovery_texts(words) == [" ".join(["abandon"] * 24)]


async def test_whoever_is_next_rotates_after_somebody_left(tmp_path: Path) -> None:
    """A leaver knows the newest keys until the next owner or agent syncs; an auditor's sync changes nothing."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        cleo = await room.add(anna, "Cleo", Role.AUDITOR)
        await ben.members.leave()
        before = ben.desk.roster.epoch.epoch
        await cleo.catch_up()
        assert cleo.desk.roster.epoch.epoch == before
        await anna.catch_up()
        assert anna.desk.roster.epoch.epoch == before + 1
        await anna.catch_up()
        assert anna.desk.roster.epoch.epoch == before + 1


async def test_founding_vouches_for_the_team(tmp_path: Path) -> None:
    """From its first moment a team states that its roster is the newest, so that users can send."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        statement = await room.relay.freshness(anna.desk.team_id)
        assert statement is not None
        check_freshness(anna.desk.roster, statement, now=clock.now())


async def test_users_go_on_sending_while_the_second_device_is_new(tmp_path: Path) -> None:
    """When a team grows to two, what the founder stated holds until the newcomer has had days to come online."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben")
        statement = await room.relay.freshness(anna.desk.team_id)
        assert statement is not None
        assert check_freshness(await room.roster(), statement, now=clock.now()).issued <= clock.now()


async def test_two_vouch_once_the_second_is_no_newcomer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later, what one has signed waits at the relay, and the other's next sync completes it."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        later = clock.now() + 16 * DAY
        monkeypatch.setattr(clock, "now", lambda: later)
        room.relay.advance(16 * DAY)
        assert await renew(anna.desk) is False
        await ben.catch_up()
        assert await renew(anna.desk) is True
        until = await fresh_until(anna.desk)
        assert until is not None
        assert until.head == anna.desk.roster.head


async def test_vouching_begins_anew_at_half_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement is left alone while more than half of its life is left, and renewed after that."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        days = anna.desk.roster.policy.freshness.days
        first = await room.relay.freshness(anna.desk.team_id)
        for ahead, same in ((days // 2 - 1, True), (days // 2 + 1, False)):
            moment = clock.now() + ahead * DAY
            with monkeypatch.context() as patched:
                patched.setattr(clock, "now", lambda moment=moment: moment)
                room.relay.advance(ahead * DAY)
                assert await renew(anna.desk) is True
                room.relay.advance(-ahead * DAY)
            assert (await room.relay.freshness(anna.desk.team_id) == first) is same
