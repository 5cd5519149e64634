"""How invitations end: by approval, by time, by being withdrawn; and that nothing of them stays at the relay."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from e2e_support.errors import UsageError
from e2e_support.freshness import DAY
from e2e_support.invitation import Invitation
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.testing import Fault
from e2e_support_console.team import TeamClient
from team_room import TeamRoom


async def is_erased(relay: RelayPort, invitation: Invitation) -> bool:
    """Tell whether the relay has destroyed an invitation's mailbox."""
    try:
        await relay.read(invitation.mailbox, 0, invitation.capability)
    except Refused as refused:
        return refused.code == "erased"
    return False


async def invited(team: TeamClient) -> list[tuple[str, str]]:
    """Return name and state of everybody who is not in the team yet."""
    return [(one.name, one.state) for one in await team.members.list() if one.expires]


async def test_an_approved_invitation_leaves_nothing(tmp_path: Path) -> None:
    """Once a newcomer is in the team, offer and answer are gone from the relay, and the link opens nothing."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben")
        words = await room.join(invitation.link, invitation.code, "Ben")
        assert not await is_erased(room.relay, invitation)
        await anna.members.approve("Ben", " ".join(words))
        assert await is_erased(room.relay, invitation)
        with pytest.raises(UsageError) as error:
            await room.join(invitation.link, invitation.code, "Eve")
        assert error.value.code == "invitation_over"
        assert room.keystores["Eve"].load() is None


async def test_an_invitation_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time nobody joins by it, and who had joined before is not approved any more."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        late, early = await anna.members.invite("Late"), await anna.members.invite("Early")
        words = await room.join(early.link, early.code, "Early")
        ends = [int(one.expires.timestamp()) for one in await anna.members.list() if one.expires]
        assert len(ends) == 2
        moment = max(ends)
        assert abs(moment - clock.now() - 7 * DAY) < 3600
        monkeypatch.setattr(clock, "now", lambda: moment)
        with pytest.raises(UsageError) as joining:
            await room.join(late.link, late.code, "Late")
        with pytest.raises(UsageError) as approving:
            await anna.members.approve("Early", " ".join(words))
        assert joining.value.code == approving.value.code == "invitation_over"
        assert "anew" in joining.value.hint
        assert room.keystores["Late"].load() is None
        assert sorted(await invited(anna)) == [("Early", "expired"), ("Late", "expired")]
        assert len((await room.roster()).devices) == 1


async def test_a_sync_destroys_what_has_expired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next sync has the mailbox destroyed, and the person is listed as expired until invited anew."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        soon = datetime.fromtimestamp(clock.now() + 3600, UTC)
        first = await anna.members.invite("Ben", expires=soon)
        await anna.catch_up()
        assert not await is_erased(room.relay, first)
        monkeypatch.setattr(clock, "now", lambda: int(soon.timestamp()))
        for _ in range(2):
            await anna.catch_up()
            assert await is_erased(room.relay, first)
            assert await invited(anna) == [("Ben", "expired")]
        second = await anna.members.invite("Ben")
        assert await invited(anna) == [("Ben", "invited")]
        words = await room.join(second.link, second.code, "Ben")
        assert await anna.members.approve("Ben", " ".join(words)) is None


async def test_a_withdrawn_invitation_is_over(tmp_path: Path) -> None:
    """Whoever holds a withdrawn invitation learns that it is over, and the inviter cannot approve by it."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben")
        words = await room.join(invitation.link, invitation.code, "Ben")
        await anna.members.uninvite("Ben")
        assert await invited(anna) == []
        assert await is_erased(room.relay, invitation)
        for attempt, code in (
            (room.join(invitation.link, invitation.code, "Eve"), "invitation_over"),
            (anna.members.approve("Ben", " ".join(words)), "not_invited"),
            (anna.members.uninvite("Ben"), "not_invited"),
        ):
            with pytest.raises(UsageError) as error:
                await attempt
            assert error.value.code == code


async def test_whoever_is_invited_anew_has_one_invitation(tmp_path: Path) -> None:
    """A second invitation for a name withdraws the first."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        first, second = [await anna.members.invite("Ben") for _ in range(2)]
        assert await is_erased(room.relay, first)
        assert not await is_erased(room.relay, second)
        assert await invited(anna) == [("Ben", "invited")]


async def test_a_relay_that_is_away_destroys_later(tmp_path: Path) -> None:
    """A withdrawal counts at once; what the relay has of it goes with the next sync that reaches it."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben")
        room.relay.inject(Fault.OFFLINE)
        await anna.members.uninvite("Ben")
        assert await invited(anna) == []
        room.relay.heal()
        assert not await is_erased(room.relay, invitation)
        await anna.catch_up()
        assert await is_erased(room.relay, invitation)


async def test_whom_others_let_in_is_invited_no_more(tmp_path: Path) -> None:
    """Where a second owner carried the approval out, the inviter's next sync destroys the invitation."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        assert await anna.members.set_threshold(2) is None
        invitation = await anna.members.invite("Cleo", Role.OWNER)
        words = await room.join(invitation.link, invitation.code, "Cleo")
        proposal = await anna.members.approve("Cleo", " ".join(words))
        assert proposal is not None
        assert not await is_erased(room.relay, invitation)
        await ben.catch_up()
        assert await ben.proposals.cosign(proposal.number) is None
        await anna.catch_up()
        assert await is_erased(room.relay, invitation)
        assert await invited(anna) == []
