"""What a console keeps of its team for a relay that loses it, and gives it back (protocol 4.6; attack 88)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.errors import TransportError, TrustError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.presets import DEFAULT
from e2e_support.proof import ProofKind, check_proof
from e2e_support.roster import TrustedRoster, next_body
from e2e_support.roster_links import Rename, sign_link
from e2e_support.vocab import Role
from e2e_support.wire import EpochPackage
from e2e_support_client import clock
from e2e_support_client.handback import AGAIN_AFTER
from e2e_support_client.roster_sync import RosterForked
from e2e_support_client.testing import FakeRelay, Fault
from e2e_support_console import feed, roster_handback
from e2e_support_console.index import kept_epochs
from e2e_support_console.roster_handback import RosterHandBack
from e2e_support_console.team import TeamClient
from team_room import TeamRoom


def forget(relay: FakeRelay, team: TeamClient, length: int) -> None:
    """Let a relay be restored from a backup that has so many links."""
    links = team.desk.roster.links
    held = relay._teams[team.desk.team_id]  # pyright: ignore[reportPrivateUsage]
    held.roster = TrustedRoster.begin(links[0]).update(links[1:length])
    held.packages = {record.epoch: held.packages[record.epoch] for record in held.roster.epochs}


async def changed(room: TeamRoom) -> tuple[TeamClient, TeamClient]:
    """Return the consoles of an owner, whose team has seen two newcomers and two policies, and of the last to come."""
    anna = cleo = await room.start()
    for name in ("Ben", "Cleo"):
        cleo = await room.add(anna, name, Role.AGENT)
        await anna.policy.apply(replace(DEFAULT, external_url=f"https://{name.lower()}.example.org"))
    await anna.catch_up()
    return anna, cleo


async def told(team: TeamClient) -> list[str]:
    """Return what somebody is alarmed by."""
    return [alarm.message for alarm in await team.alarms()]


@pytest.mark.parametrize(("name", "value"), [("LINKS_MAX", 2), ("STRANGE_BATCH_MAX", 1)])
async def test_links_come_back_in_as_many_batches_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    """However little one batch may hold, what stands together stays together, and all of it comes back."""
    async with TeamRoom(tmp_path) as room:
        anna, _ = await changed(room)
        forget(room.relay, anna, 1)
        monkeypatch.setattr(roster_handback, name, value)
        room.relay.calls.clear()
        await anna.catch_up()
        assert room.relay.calls.count("post_links") == 4
        assert await room.roster() == anna.desk.roster
        assert any("it was handed back" in one for one in await told(anna))


async def test_a_newcomer_gives_back_what_came_before_them(tmp_path: Path) -> None:
    """Who came last keeps the boxes of older epochs, too, of which some hold nothing for them, and gives all back."""
    async with TeamRoom(tmp_path) as room:
        anna, cleo = await changed(room)
        await cleo.catch_up()
        assert await kept_epochs(cleo.desk.store) == [2, 1, 0]
        forget(room.relay, anna, 1)
        await cleo.catch_up()
        assert await room.roster() == anna.desk.roster
        await anna.catch_up()
        assert await told(anna) == []


async def test_boxes_for_others_hold_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tickets that wait for a new key are looked at once it opened, though the relay goes before it gave the rest."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        waiting = feed.Moved(MailboxId(bytes(16)), 1, 0)
        async with ben.desk.store.transaction() as change:
            await feed.put_aside(change, [(waiting, "no_key")], now=clock.now())
        for _ in range(2):
            assert await anna.keys.rotate() is None
        newest, package = anna.desk.roster.epoch.epoch, room.relay.package

        async def first_alone(team_id: TeamId, epoch: int) -> EpochPackage:
            if epoch != newest:
                raise TransportError("relay_unreachable", "the relay cannot be reached")
            return await package(team_id, epoch)

        with monkeypatch.context() as patched:
            patched.setattr(room.relay, "package", first_alone)
            with pytest.raises(TransportError):
                await ben.desk.team.refresh()
        assert await ben.quarantined() == {}
        await ben.desk.team.refresh()
        assert await kept_epochs(ben.desk.store) == list(range(newest, -1, -1))


async def test_without_all_boxes_nothing_false_is_given(tmp_path: Path) -> None:
    """A console that was never shown the boxes of an epoch gives back no link of it; somebody else does."""
    async with TeamRoom(tmp_path) as room:
        anna, cleo = await changed(room)
        held = room.relay._teams[anna.desk.team_id]  # pyright: ignore[reportPrivateUsage]
        hidden = held.packages.pop(1)
        await cleo.catch_up()
        held.packages[1] = hidden
        assert await kept_epochs(cleo.desk.store) == [2, 0]
        forget(room.relay, anna, 1)
        with pytest.raises(TrustError) as error:
            await cleo.catch_up()
        assert error.value.code == "roster_rollback"
        assert len((await room.roster()).links) == 1
        await anna.catch_up()
        await cleo.catch_up()
        assert await kept_epochs(cleo.desk.store) == [2, 1, 0]


async def test_a_colleague_who_was_quicker_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another console gives all back in the same moment, this one goes on and says that it was handed back."""
    async with TeamRoom(tmp_path) as room:
        anna, cleo = await changed(room)
        await cleo.catch_up()
        forget(room.relay, anna, 1)
        give = RosterHandBack.give

        async def after_anna(own: RosterHandBack, known: TrustedRoster) -> bool:
            monkeypatch.setattr(RosterHandBack, "give", give)
            await anna.catch_up()
            return await give(own, known)

        monkeypatch.setattr(RosterHandBack, "give", after_anna)
        await cleo.catch_up()
        assert any("it was handed back" in one for one in await told(cleo))


async def test_a_relay_that_only_pretends_gets_links_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that takes links back and still shows fewer is told as one that went back, and asked again tomorrow."""
    async with TeamRoom(tmp_path) as room:
        anna, _ = await changed(room)
        room.relay.inject(Fault.OLD_ROSTER)
        for now in (clock.now(), clock.now() + AGAIN_AFTER):
            monkeypatch.setattr(clock, "now", lambda now=now: now)
            room.relay.calls.clear()
            for _ in range(3):
                with pytest.raises(TrustError) as error:
                    await anna.sync()
                assert error.value.code == "roster_rollback"
            assert room.relay.calls.count("post_links") == 1
        room.relay.heal()
        await anna.catch_up()


async def test_another_list_is_not_taken_for_a_lost_one(tmp_path: Path) -> None:
    """A relay that went on elsewhere from where it was restored to is a fork, even while its list is shorter."""
    async with TeamRoom(tmp_path) as room:
        anna, _ = await changed(room)
        forget(room.relay, anna, 3)
        held = room.relay._teams[anna.desk.team_id]  # pyright: ignore[reportPrivateUsage]
        renamed = Rename(anna.desk.bundle.device_id, "Anne", ())
        link = sign_link(next_body(held.roster, renamed, clock.now()), [anna.desk.bundle.signer()])
        held.roster = held.roster.update([link])
        room.relay.calls.clear()
        with pytest.raises(RosterForked) as error:
            await anna.sync()
        assert check_proof(error.value.proof).kind is ProofKind.ROSTER
        assert "post_links" not in room.relay.calls
