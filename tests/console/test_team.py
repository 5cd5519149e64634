"""Founding and unlocking a team: nothing is lost by a kill, and nothing opens for others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console_room import URL, Killed, Room, dying, fresh_key
from e2e_support.crypto.secret import Secret
from e2e_support.errors import PeerError, SupportError, TrustError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.wire import Entry, RelayInfo
from e2e_support_client import clock
from e2e_support_client.testing import CODE, FakeRelay, Fault
from e2e_support_console import founding
from e2e_support_console.team import TeamClient
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import FileKeystore, MemoryKeystore
from e2e_support_keys.vault import FLOOR


async def test_a_founded_team_is_the_one_that_its_link_pins(tmp_path: Path) -> None:
    """The support link leads any user to the very team that the console founded."""
    room = Room(tmp_path)
    async with await room.found() as team:
        roster = await room.roster()
        assert (team.link, team.name, team.team_id) == (room.link, "Example team", roster.team_id)
        assert len(team.words) == 8
        assert [device.label for device in roster.devices.values()] == ["Anna"]


async def test_the_keys_are_kept_before_the_relay_is_told(tmp_path: Path) -> None:
    """When the process is killed as it posts the genesis, the keystore has the keys already."""
    room = Room(tmp_path)
    with pytest.raises(Killed):
        await room.found(dying(room.relay, "found"))
    assert room.keystore.load() is not None
    assert "found" not in room.relay.calls


@pytest.mark.parametrize("call", ["found", "links", "package", "append", "destroy"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_killed_founding_is_finished_by_a_repeat(tmp_path: Path, call: str, *, after: bool) -> None:
    """Wherever founding is killed, before or after the relay heard of it, a repeat finishes the same team."""
    room = Room(tmp_path)
    with pytest.raises(Killed):
        await room.found(dying(room.relay, call, after=after))
    link = room.link
    async with await room.found() as team:
        assert team.link == link
    async with await room.unlock() as team:
        assert (await team.sync()).trouble is None


async def test_a_relay_that_states_a_false_key_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that signs with another key than it stated is no relay for this team, which stays unfinished."""
    room = Room(tmp_path)
    false = replace(await room.relay.info(), relay_key=fresh_key().public)

    async def lie() -> RelayInfo:
        return false

    monkeypatch.setattr(room.relay, "info", lie)
    for _ in range(2):
        with pytest.raises(PeerError) as error:
            await (await room.found()).close()
        assert error.value.code == "bad_receipt"
    with pytest.raises(UsageError) as unfinished:
        await room.unlock()
    assert unfinished.value.code == "team_unfinished"


async def test_a_relay_with_a_new_key_is_another_one(tmp_path: Path) -> None:
    """A founding that was begun with one relay is not finished with another under its address, nor a code used."""
    room = Room(tmp_path)
    with pytest.raises(Killed):
        await room.found(dying(room.relay, "found"))
    room.relay = FakeRelay(fresh_key())
    with pytest.raises(PeerError) as error:
        await room.found()
    assert error.value.code == "other_relay_key"
    assert "found" not in room.relay.calls


async def test_the_test_entry_of_a_founding_is_destroyed(tmp_path: Path) -> None:
    """What was written to see a receipt does not stay, and no ticket comes of it."""
    room = Room(tmp_path)
    async with await room.found() as team:
        assert "append" in room.relay.calls
        assert room.relay.mailboxes == ()
        await team.catch_up()
        assert (await team.inbox.list(), await team.quarantined()) == ((), {})


async def test_a_lost_answer_to_the_founding_is_no_loss(tmp_path: Path) -> None:
    """When the relay founds the team but its answer is lost, a repeat finds the team without a second code."""
    room = Room(tmp_path)
    room.relay.inject(Fault.LOST_ANSWER, times=1)
    with pytest.raises(SupportError):
        await room.found()
    async with await room.found(code="used up") as team:
        assert team.name == "Example team"


async def test_a_kill_before_the_keys_are_kept_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    """When saving the keys fails, a repeat makes a new team instead of stumbling over the first one's store."""

    class Refusing(MemoryKeystore):
        def save(self, bundle: object) -> None:
            raise Killed

    room = Room(tmp_path)
    good, room.keystore = room.keystore, Refusing()
    with pytest.raises(Killed):
        await room.found()
    room.keystore = good
    async with await room.found() as team:
        assert team.name == "Example team"


async def test_a_wrong_code_can_be_corrected(tmp_path: Path) -> None:
    """After a mistyped code the right one founds the team that was prepared."""
    room = Room(tmp_path)
    with pytest.raises(SupportError, match="code"):
        await room.found(code="WRONG")
    link = room.link
    with pytest.raises(UsageError) as unfinished:
        await room.unlock()
    assert unfinished.value.code == "team_unfinished"
    async with await room.found(code=CODE) as team:
        assert team.link == link


async def test_a_home_holds_one_team(tmp_path: Path) -> None:
    """A finished team is never replaced by another one."""
    room = Room(tmp_path)
    await (await room.found()).close()
    with pytest.raises(UsageError) as error:
        await room.found()
    assert error.value.code == "team_exists"


async def test_an_unfinished_team_stays_with_its_relay(tmp_path: Path) -> None:
    """A team that was prepared for one relay is not posted to another."""
    room = Room(tmp_path)
    with pytest.raises(SupportError):
        await room.found(code="WRONG")
    with pytest.raises(UsageError) as error:
        await TeamClient.create(
            "https://other.example.org", name="Other", owner="Anna", bootstrap_code=CODE,
            keystore=room.keystore, state_dir=tmp_path, relay=room.relay,
        )  # fmt: skip
    assert error.value.code == "other_relay"


async def test_only_one_process_works_with_a_store(tmp_path: Path) -> None:
    """A second console on the same home is refused until the first one is closed (attack 65)."""
    room = Room(tmp_path)
    async with await room.found():
        with pytest.raises(UsageError) as error:
            await room.unlock()
        assert error.value.code == "store_locked"
    await (await room.unlock()).close()


async def test_a_wrong_passphrase_opens_nothing(tmp_path: Path) -> None:
    """Without the passphrase neither keys nor store open, and the error does not say whether data exists."""
    words = iter(["right", "wrong"])
    room = Room(tmp_path)
    store = FileKeystore(tmp_path / "device.key", lambda: next(words), cost=FLOOR)
    team = await TeamClient.create(
        URL, name="Example team", owner="Anna", bootstrap_code=CODE, keystore=store, state_dir=tmp_path,
        relay=room.relay,
    )  # fmt: skip
    await team.close()
    store.forget()
    with pytest.raises(UsageError) as error:
        await TeamClient.unlock(store, tmp_path, relay=room.relay)
    assert error.value.code == "wrong_passphrase"


async def test_without_keys_there_is_nothing_to_unlock(tmp_path: Path) -> None:
    """An empty home says how to begin."""
    with pytest.raises(UsageError) as error:
        await TeamClient.unlock(MemoryKeystore(), tmp_path, relay=FakeRelay())
    assert error.value.code == "no_keys"


async def test_a_users_keys_are_no_administrators(tmp_path: Path) -> None:
    """A user's key file does not unlock a console."""
    bundle = UserBundle.fresh("e2es://example.org/#x", clock.random)
    with pytest.raises(UsageError) as error:
        await TeamClient.unlock(MemoryKeystore(bundle), tmp_path, relay=FakeRelay())
    assert error.value.code == "not_a_device"


async def test_the_self_check_fails_with_other_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose epoch keys are not the team's does not pass the test ticket."""

    def wrong(_mailbox: MailboxId, _entry: Entry) -> Secret:
        return Secret(bytes(32))

    async with await Room(tmp_path).found() as team:
        team.self_check()
        monkeypatch.setattr(team.desk.team.keys, "open_key", wrong)
        with pytest.raises(TrustError) as error:
            team.self_check()
        assert error.value.code == "self_check"


async def test_a_relay_that_serves_another_team_is_found_out(tmp_path: Path) -> None:
    """Founding fails when the relay serves back a roster that is not the one that was posted."""
    room, other = Room(tmp_path / "a"), Room(tmp_path / "b")
    await (await other.found()).close()
    served = (await other.roster()).links

    class Swapping(FakeRelay):
        async def links(self, team_id: object, start: int) -> object:  # type: ignore[override]
            page = await super().links(team_id, start)  # type: ignore[arg-type]
            return type(page)(1, served[start:])

    room.relay = Swapping()
    with pytest.raises(TrustError) as error:
        await room.found()
    assert error.value.code == "team_mismatch"


def test_only_the_founding_module_makes_a_team() -> None:
    """The ceremony is called in one place, where keys are kept before anything is told."""
    source = Path(founding.__file__).read_text()
    assert source.index("keystore.save(") < source.index("await relay.found(")
