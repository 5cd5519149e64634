"""A policy that a console signs binds relay and users at once, over HTTP (protocol 4.11)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.errors import UsageError
from e2e_support.presets import DEFAULT
from e2e_support_client import FileSpec, SupportClient
from e2e_support_client.files import FileSource
from e2e_support_client.port import Refused
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.transport import HttpRelay
from e2e_support_client.upload import UploadState, upload
from e2e_support_console.policy_edits import edited
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import MemoryKeystore
from relay_kit import running

CHEAP = replace(DEFAULT, admission=replace(DEFAULT.admission, bits=4))
LOG = FileSpec(b"line\n" * 100, name="log.txt")


@asynccontextmanager
async def team_and_user(folder: Path) -> AsyncGenerator[tuple[TeamClient, SupportClient, HttpRelay]]:
    """Yield an owner's console and a user's client, both on a real relay."""
    async with running(folder / "relay") as server:
        assert server.relay is not None
        relay = HttpRelay(server.url, retry=NO_RETRY)
        code = await server.relay.context.teams.issue_code()
        founding = TeamClient.create(
            server.url,
            name="Example team",
            owner="Anna",
            bootstrap_code=code,
            keystore=MemoryKeystore(),
            state_dir=folder / "console",
            policy=CHEAP,
            relay=relay,
        )
        async with (
            await founding as team,
            SupportClient(
                team.link, keystore=MemoryKeystore(), state_dir=folder / "user", relay=relay
            ) as user,
        ):
            await user.verify_team()
            yield team, user, relay


async def test_files_end_with_the_policy_that_allowed_them(tmp_path: Path) -> None:
    """After an owner turned files off, the user's client refuses one before it is sent, and the relay takes none."""
    async with team_and_user(tmp_path) as (team, user, _):
        ref = await user.tickets.create("No invoice", "See the file.", category="billing", attachments=[LOG])
        assert await team.policy.apply(edited(team.policy.current, ["attachments.mode=off"])) is None
        await user.verify_team()
        with pytest.raises(UsageError) as caught:
            await user.tickets.reply(ref.number, "Another file.", attachments=[LOG])
        assert caught.value.code == "attachments_off"
        await team.catch_up()
        (line,) = await team.inbox.list()
        assert line.number == ref.number


async def test_the_relay_itself_refuses_files(tmp_path: Path) -> None:
    """A client that ignores the policy meets the relay, which knows it from the same link."""
    async with team_and_user(tmp_path) as (team, user, relay):
        await user.tickets.create("No invoice", "The list is empty.", category="billing")
        (place,) = await user.places()
        source = FileSource.from_bytes(b"line\n" * 100, name="log.txt")
        await upload(relay, place.mailbox, place.capability, source, state=UploadState.fresh())
        assert await team.policy.apply(edited(team.policy.current, ["attachments.mode=off"])) is None
        with pytest.raises(Refused) as caught:
            await upload(relay, place.mailbox, place.capability, source, state=UploadState.fresh())
        assert caught.value.code == "budget"


async def test_lengths_of_a_new_policy_bind_users(tmp_path: Path) -> None:
    """A subject that was long enough is refused once the owners ask for more (S2-06)."""
    async with team_and_user(tmp_path) as (team, user, _):
        assert await team.policy.apply(edited(team.policy.current, ["limits.subject_min=20"])) is None
        await user.verify_team()
        with pytest.raises(UsageError) as caught:
            await user.tickets.create("No invoice", "The list is empty.", category="billing")
        assert caught.value.code == "subject_too_short"
