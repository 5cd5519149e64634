"""How administrators come and go: invitation, words, approval, removal, leaving, further devices."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from console_room import Killed, dying
from e2e_support.errors import TrustError, UsageError
from e2e_support.vocab import Role, Verdict
from e2e_support.wire import DeviceRecord
from e2e_support_client import clock
from e2e_support_console import duties, render
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import MemoryKeystore
from team_room import TeamRoom


async def states(team: TeamClient) -> list[tuple[str, str, str, int]]:
    """Return name, role, state and number of devices of everybody."""
    await team.desk.team.refresh()
    listed = await team.members.list()
    return [(one.name, one.role.name.lower(), one.state, len(one.devices)) for one in listed]


async def test_a_newcomer_reads_and_answers(tmp_path: Path) -> None:
    """Whoever was approved reads what was written before and answers it; the user reads the answer."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket("No invoice")
        ben = await room.add(anna, "Ben")
        report = await ben.catch_up()
        assert (report.left, report.trouble) == (0, None)
        assert await ben.quarantined() == {}
        assert [one.subject for one in await ben.inbox.list()] == ["No invoice"]
        await ben.inbox.reply(user.number, "We look into it.")
        user.conversation.team = await room.roster()
        assert await user.texts() == ["We look into it."]
        assert await states(anna) == [("Anna", "owner", "active", 1), ("Ben", "agent", "active", 1)]


async def test_without_history_older_tickets_stay_closed(tmp_path: Path) -> None:
    """A newcomer without history reads new tickets and not those from before."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.ticket("Before")
        ben = await room.add(anna, "Ben", history=False)
        await room.ticket("After")
        await ben.catch_up()
        assert [one.subject for one in await ben.inbox.list()] == ["After"]


@pytest.mark.parametrize(("after", "tickets"), [(False, 1), (True, 2)])
async def test_without_history_the_inbox_says_what_it_leaves_out(
    tmp_path: Path, after: bool, tickets: int
) -> None:
    """A newcomer is not told that there are no tickets where there are some that they may not read."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        for at in range(tickets):
            await room.ticket(f"Before {at}")
        ben = await room.add(anna, "Ben", history=False)
        if after:
            await room.ticket("After")
        await ben.catch_up()
        locked = (await ben.quarantined())["no_key"]
        text = render.inbox_text(await ben.inbox.list(), clock.now(), locked=locked)
        assert (text.count("After"), "No tickets yet" in text, "before you came" in text) == (
            after,
            False,
            True,
        )
        assert f": {tickets}." in text


async def test_invited_people_are_listed_and_wait(tmp_path: Path) -> None:
    """Between invitation and approval somebody is "invited", and their console says what it waits for."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben", Role.AUDITOR)
        assert ("Ben", "auditor", "invited", 0) in await states(anna)
        await room.join(invitation.link, invitation.code, "Ben")
        ben = await room.console("Ben")
        with pytest.raises(TrustError) as error:
            await ben.sync()
        assert error.value.code == "not_approved"
        assert await ben.alarms() == ()


async def test_wrong_words_change_nothing(tmp_path: Path) -> None:
    """Words that are not those of the device that answered are refused, and nobody is added."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben")
        words = await room.join(invitation.link, invitation.code, "Ben")
        with pytest.raises(UsageError) as error:
            await anna.members.approve("Ben", " ".join(reversed(words)))
        assert error.value.code == "words_differ"
        assert len(anna.desk.roster.devices) == 1
        assert await anna.members.approve("Ben", f"  {' '.join(words).upper()} ") is None
        assert len(anna.desk.roster.devices) == 2


async def test_an_invitation_before_anybody_answered(tmp_path: Path) -> None:
    """Approving too early, or somebody who was never invited, says so."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await anna.members.invite("Ben")
        for name, code in (("Ben", "no_answer"), ("Cleo", "not_invited")):
            with pytest.raises(UsageError) as error:
                await anna.members.approve(name, "a b c d e f g h")
            assert error.value.code == code


async def test_a_wrong_code_makes_no_keys(tmp_path: Path) -> None:
    """A newcomer with the link alone learns nothing and leaves nothing behind."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben")
        with pytest.raises(UsageError) as error:
            await room.join(invitation.link, "00000000", "Ben")
        assert error.value.code == "wrong_code"
        assert room.keystores["Ben"].load() is None


async def test_a_second_device_cannot_answer(tmp_path: Path) -> None:
    """An invitation is for one device: the second that answers is told, and repeating the first is harmless."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben")
        words = await room.join(invitation.link, invitation.code, "Ben")
        assert await room.join(invitation.link, invitation.code, "Ben") == words
        with pytest.raises(UsageError) as error:
            await room.join(invitation.link, invitation.code, "Mallory")
        assert error.value.code == "invitation_used"


@pytest.mark.parametrize("after", [False, True])
async def test_a_newcomer_who_is_killed_joins_the_same_device(tmp_path: Path, after: bool) -> None:
    """A kill while the device is handed in loses nothing: the next run has the same words."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben")
        keystore = room.keystores["Ben"] = MemoryKeystore()
        deadly = dying(room.relay, "append", after=after)
        with pytest.raises(Killed):
            await TeamClient.join(
                invitation.link,
                code=invitation.code,
                keystore=keystore,
                state_dir=room.home_of("Ben"),
                relay=deadly,
            )
        made = keystore.load()
        words = await room.join(invitation.link, invitation.code, "Ben")
        assert keystore.load() == made
        assert await anna.members.approve("Ben", " ".join(words)) is None


async def test_a_further_device_is_the_same_person(tmp_path: Path) -> None:
    """A second device of one's own belongs to the same member, and an agent may add one too."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        laptop = await room.add(ben, "Ben's laptop", device=True)
        await laptop.catch_up()
        assert ("Ben", "agent", "active", 2) in await states(anna)
        assert await anna.members.remove("Ben") is None
        assert ("Ben", "agent", "removed", 0) in await states(anna)


async def test_one_stolen_device_goes_alone(tmp_path: Path) -> None:
    """An owner removes one device of a colleague, who goes on with the other; an id that fits none is refused."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        laptop = await room.add(ben, "Ben's laptop", device=True)
        await anna.desk.team.refresh()
        for device in ("zz", ben.desk.bundle.device_id.hex() + "00"):
            with pytest.raises(UsageError) as error:
                await anna.members.remove("Ben", device=device)
            assert error.value.code == "no_device"
        stolen = laptop.desk.bundle.device_id.hex()
        assert await anna.members.remove("Ben", device=stolen) is None
        assert ("Ben", "agent", "active", 1) in await states(anna)
        user = await room.ticket("After the theft")
        await ben.catch_up()
        assert [one.number for one in await ben.inbox.list()] == [user.number]
        with pytest.raises(TrustError):
            await laptop.catch_up()


async def test_only_owners_invite(tmp_path: Path) -> None:
    """Agents and auditors cannot invite people, and nobody takes a name that is there."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        cleo = await room.add(anna, "Cleo", Role.AUDITOR)
        for team, name, code in ((ben, "Eve", "owners_only"), (cleo, "Eve", "owners_only")):
            with pytest.raises(UsageError) as error:
                await team.members.invite(name)
            assert error.value.code == code
        for name, code in (("ben", "name_taken"), (" ", "no_name")):
            with pytest.raises(UsageError) as error:
                await anna.members.invite(name)
            assert error.value.code == code


async def test_nobody_removes_themselves_or_strangers(tmp_path: Path) -> None:
    """One's own device leaves instead; unknown names are told; the last owner stays."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        for name, code in (("Anna", "remove_oneself"), ("Eve", "no_member")):
            with pytest.raises(UsageError) as error:
                await anna.members.remove(name)
            assert error.value.code == code
        with pytest.raises(TrustError) as refused:
            await anna.members.leave()
        assert refused.value.code == "owners_below_threshold"


async def with_laptop(room: TeamRoom, person: TeamClient, name: str) -> TeamClient:
    """Return the console of a person's second device."""
    return await room.add(person, f"{name}'s laptop", device=True)


def labels(devices: Iterable[DeviceRecord]) -> list[str]:
    """Return what devices are called."""
    return [one.label for one in devices]


async def test_leaving_is_for_this_device_alone(tmp_path: Path) -> None:
    """By default one device leaves, and the person is told which of theirs stay."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben", Role.OWNER)
        laptop = await with_laptop(room, anna, "Anna")
        assert labels(await laptop.members.leave()) == ["Anna"]
        assert ("Anna", "owner", "active", 1) in await states(anna)


async def test_leaving_everywhere_takes_the_other_devices_along(tmp_path: Path) -> None:
    """An owner leaves with all devices: the others lose the keys at once, and what colleagues have read stays."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        laptop = await with_laptop(room, anna, "Anna")
        user = await room.ticket()
        await laptop.catch_up()
        await laptop.inbox.reply(user.number, "From my laptop.")
        await ben.catch_up()
        assert await anna.members.leave(everywhere=True) == ()
        assert await states(ben) == [("Anna", "owner", "removed", 0), ("Ben", "owner", "active", 1)]
        with pytest.raises(TrustError) as error:
            await laptop.sync()
        assert error.value.code == "not_in_team"
        await ben.catch_up()
        assert not duties.is_rotation_due(ben.desk.roster)
        entries = (await ben.desk.load(user.mailbox)).thread.entries
        assert [entry.verdict for entry in entries][:2] == [Verdict.OK, Verdict.OK]


async def test_an_agent_leaves_with_one_device(tmp_path: Path) -> None:
    """An agent's device removes no other, so the person's others stay and are named."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await with_laptop(room, ben, "Ben")
        assert labels(await ben.members.leave(everywhere=True)) == ["Ben's laptop"]


async def test_where_two_owners_must_agree_one_device_leaves(tmp_path: Path) -> None:
    """Above a threshold of one a device's signature removes no other of the same owner."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        for name in ("Ben", "Cleo"):
            await room.add(anna, name, Role.OWNER)
        await with_laptop(room, anna, "Anna")
        assert await anna.members.set_threshold(2) is None
        assert labels(await anna.members.leave(everywhere=True)) == ["Anna's laptop"]


async def test_the_last_owner_stays_everywhere(tmp_path: Path) -> None:
    """The last owner cannot leave with all devices, and none of them is removed; one alone may go."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben")
        laptop = await with_laptop(room, anna, "Anna")
        with pytest.raises(TrustError) as error:
            await laptop.members.leave(everywhere=True)
        assert error.value.code == "owners_below_threshold"
        assert "invite" in error.value.hint
        assert ("Anna", "owner", "active", 2) in await states(anna)
        assert labels(await laptop.members.leave()) == ["Anna"]


async def test_a_lost_answer_adds_nobody_twice(tmp_path: Path) -> None:
    """When the answer to an approval is lost, approving again finds it done."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben")
        words = " ".join(await room.join(invitation.link, invitation.code, "Ben"))
        await anna.close()
        anna = await room.console("Anna", dying(room.relay, "post_links", after=True))
        with pytest.raises(Killed):
            await anna.members.approve("Ben", words)
        await anna.close()
        anna = await room.console("Anna")
        assert await anna.members.approve("Ben", words) is None
        assert await states(anna) == [("Anna", "owner", "active", 1), ("Ben", "agent", "active", 1)]
