"""Team spaces whose volumes end after a few entries, and what stands in them, for tests that cross their borders."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from e2e_support.content import SettingBody
from e2e_support.ids import MailboxId
from e2e_support.space import settings_of
from e2e_support.vocab import Kind, SettingKind
from e2e_support_client.port import RelayPort
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay
from e2e_support_client.transport import HttpRelay
from e2e_support_console.team import TeamClient
from e2e_support_console.team_space import TeamSpace
from e2e_support_console.volume import space_mailboxes
from relay_kit import running
from team_room import TeamRoom
from user_kit import CHEAP

SHORT = 4
"""Entries of a short volume."""


@pytest.fixture(name="short_volumes")
def short_volumes_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let volumes end after a few entries."""
    monkeypatch.setattr("e2e_support.space.VOLUME_MAX", SHORT)


@asynccontextmanager
async def real_room(folder: Path) -> AsyncGenerator[TeamRoom]:
    """Yield a room whose relay is the real one, behind HTTP."""
    async with running(folder / "relay") as client:
        assert client.relay is not None
        relay = HttpRelay(client.url, retry=NO_RETRY)
        code = await client.relay.context.teams.issue_code()
        settings = {"relay": cast("FakeRelay", relay), "url": client.url, "code": code, "policy": CHEAP}
        try:
            async with TeamRoom(folder, **settings) as room:
                yield room
        finally:
            await relay.close()


def snippet(name: str) -> SettingBody:
    """Return a snippet."""
    return SettingBody(SettingKind.SNIPPET, name, 0, "", f"Hello from {name}", ())


async def share(team: TeamClient, *names: str) -> None:
    """Write a snippet of each name, one entry each."""
    for name in names:
        await TeamSpace(team.desk).write(Kind.SETTING, snippet(name))


async def shared(team: TeamClient) -> list[str]:
    """Return the names of the snippets that hold, as the relay has them now."""
    return list(settings_of(await TeamSpace(team.desk).entries(), SettingKind.SNIPPET))


async def lengths(team: TeamClient, relay: RelayPort) -> list[int]:
    """Return how many entries the relay has of each volume that it has, as far as a console knows of them."""
    *done, last = await space_mailboxes(team.desk)
    found = [await length(team, relay, mailbox) for mailbox in done]
    volume = (await TeamSpace(team.desk).kept())[len(done) * SHORT :]
    return [*found, await length(team, relay, last)] if volume else found


async def length(team: TeamClient, relay: RelayPort, mailbox: MailboxId) -> int:
    """Return how many entries the relay has of a mailbox."""
    return (await relay.read(mailbox, 0, team.desk.capability())).head.length


def lose(relay: FakeRelay, mailbox: MailboxId, length: int = 0) -> None:
    """Let a relay be restored from a backup that has so many entries of a mailbox; for 0 it has no mailbox."""
    boxes = relay._mailboxes  # pyright: ignore[reportPrivateUsage]
    if not length:
        boxes.pop(mailbox, None)
        return
    box = boxes[mailbox]
    box.log, box.chain = box.log[:length], type(box.chain).start(mailbox)
    for kept in box.log:
        box.chain = box.chain.advance(kept.entry)
