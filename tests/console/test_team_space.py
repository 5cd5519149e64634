"""The team space: read and written by compare-and-append, kept in the store, followed by the sync."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from e2e_support.content import ClaimBody, ProposalBody, SettingBody
from e2e_support.errors import TrustError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.space import claims_of, settings_of
from e2e_support.vocab import Kind, Role, SettingKind
from e2e_support_client.testing import Fault
from e2e_support_console.team_space import TeamSpace
from team_room import TeamRoom

SNIPPET = SettingBody(SettingKind.SNIPPET, "hello", 0, "", "Hello {user},", ())
CLAIM = ClaimBody("mail", MailboxId(bytes(16)), 3)


class _Taken(UsageError):
    """Somebody else was faster."""

    def __init__(self) -> None:
        super().__init__("taken", "it is taken")


def free(entries: Sequence[Opened]) -> None:
    """Raise if the claim is taken."""
    if claims_of(entries):
        raise _Taken


async def test_the_sync_brings_it_to_every_console(tmp_path: Path) -> None:
    """What one console wrote is in another one's store after its sync, and can be read without the relay."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        assert await TeamSpace(ben.desk).entries() == []
        await TeamSpace(anna.desk).write(Kind.SETTING, SNIPPET)
        await ben.sync()
        room.relay.inject(Fault.OFFLINE)
        kept = await TeamSpace(ben.desk).kept()
        assert settings_of(kept, SettingKind.SNIPPET) == {"hello": SNIPPET}
        assert await ben.quarantined() == {}


async def test_of_two_claims_one_holds(tmp_path: Path) -> None:
    """Of two consoles that claim the same at once, the slower is told before it has written."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        claims = [TeamSpace(team.desk).write(Kind.CLAIM, CLAIM, check=free) for team in (anna, ben)]
        results = await asyncio.gather(*claims, return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["NoneType", "_Taken"]
        assert len(await TeamSpace(anna.desk).entries()) == 1


async def test_who_may_write_what(tmp_path: Path) -> None:
    """An agent writes settings but no proposal, an auditor nothing; neither leaves a trace at the relay."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben, audrey = await room.add(anna, "Ben"), await room.add(anna, "Audrey", Role.AUDITOR)
        await TeamSpace(ben.desk).write(Kind.SETTING, SNIPPET)
        with pytest.raises(UsageError) as refused:
            await TeamSpace(ben.desk).write(Kind.PROPOSAL, ProposalBody(b""))
        assert refused.value.code == "not_allowed"
        with pytest.raises(TrustError) as read_only:
            await TeamSpace(audrey.desk).write(Kind.SETTING, SNIPPET)
        assert read_only.value.code == "not_allowed"
        assert len(await TeamSpace(audrey.desk).entries()) == 1


async def test_what_somebody_shared_outlives_their_removal(tmp_path: Path) -> None:
    """A snippet of somebody who was removed since is there for those who join later, and for a store that was lost."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await TeamSpace(ben.desk).write(Kind.SETTING, SNIPPET)
        await anna.sync()
        await anna.members.remove("Ben")
        await anna.sync()
        cleo = await room.add(anna, "Cleo")
        entries = await TeamSpace(cleo.desk).entries()
        assert settings_of(entries, SettingKind.SNIPPET) == {"hello": SNIPPET}
        await anna.sync()
        assert len(await TeamSpace(anna.desk).entries()) == len(entries)
