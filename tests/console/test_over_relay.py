"""The console over a real relay: what a relay in memory tells about it holds over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from card_kit import holder, ticket_of
from console_room import Room, fresh_key
from e2e_support.errors import TrustError, UsageError
from e2e_support.presets import DEFAULT
from e2e_support.vocab import Kind, Role
from e2e_support_client.download import read_bytes
from e2e_support_client.files import FileSource
from e2e_support_client.model import FileSpec
from e2e_support_client.port import Refused
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay
from e2e_support_client.transport import HttpRelay
from e2e_support_client.upload import UploadState, upload
from e2e_support_console.shell import KEYS_NAME
from e2e_support_keys.keystore import FileKeystore, MemoryKeystore
from e2e_support_keys.vault import FLOOR
from relay_kit import running
from team_room import TeamRoom

SECRET = "correct horse battery staple"
CHEAP = replace(DEFAULT, admission=replace(DEFAULT.admission, bits=4))


@asynccontextmanager
async def real_room(folder: Path) -> AsyncGenerator[Room]:
    """Yield a room whose relay is a real one on loopback; its users reach it over HTTP too."""
    async with running(folder / "relay") as client:
        assert client.relay is not None
        relay = HttpRelay(client.url, retry=NO_RETRY)
        code = await client.relay.context.teams.issue_code()
        try:
            yield Room(folder / "home", cast("FakeRelay", relay), url=client.url, code=code, policy=CHEAP)
        finally:
            await relay.close()


async def test_a_ticket_travels_both_ways(tmp_path: Path) -> None:
    """A ticket, its file, a note, an answer and a resolution pass through a real relay as they were written."""
    async with real_room(tmp_path) as room, await room.found() as team:
        user = await room.ticket("No invoice")
        source = FileSource.from_bytes(b"line\n" * 1000, name="log.txt")
        file = await upload(room.relay, user.mailbox, user.keys.capability, source, state=UploadState.fresh())
        await user.say("See the file.", file)
        await team.catch_up()
        await team.inbox.note(user.number, "A known bug.")
        await team.inbox.reply(user.number, "We look into it.")
        await team.inbox.resolve(user.number, "Fixed in 1.2.")
        await team.catch_up()
        view = await team.inbox.get(user.number)
        assert [(message.body, message.internal) for message in view.messages] == [
            ("The list is empty.", False), ("See the file.", False), ("A known bug.", True),
            ("We look into it.", False), ("Fixed in 1.2.", False),
        ]  # fmt: skip
        assert view.summary.status == "resolved"
        assert await user.texts() == ["We look into it."]
        place = await team.inbox.download(user.number, "log.txt", tmp_path)
        assert place.read_bytes() == b"line\n" * 1000
        assert (await team.alarms(), await team.quarantined()) == ((), {})


async def test_files_and_a_ticket_for_a_user_travel(tmp_path: Path) -> None:
    """An answer's file, a ticket that the team opens by a card, and a merge pass through a real relay."""
    async with real_room(tmp_path) as room, await room.found() as team:
        person = fresh_key()
        user, held = await ticket_of(room, person), await holder(room, person)
        await team.catch_up()
        await team.inbox.reply(user.number, "See the file.", attachments=[FileSpec(b"steps", name="a.txt")])
        (file,) = [file for opened in await user.pull() if opened.inner for file in opened.inner.attachments]
        place = (user.relay, user.mailbox, user.keys.capability, file)
        assert await read_bytes(*place) == b"steps"
        opened = await team.inbox.open_for(held.card, "Your invoice", "It is late.", category="question")
        assert opened.number == held.user.number
        await held.user.pull()
        await held.user.say("When will it come?")
        await team.catch_up()
        assert (await team.inbox.merge(user.number, opened.number)).closed
        said = [message.body for message in (await team.inbox.get(opened.number)).messages]
        assert said == ["It is late.", "When will it come?", f"{user.number} was merged into this ticket."]


async def test_a_new_process_and_a_lost_store_find_everything(tmp_path: Path) -> None:
    """After a restart nothing is fetched again; after the loss of the store all of it is."""
    async with real_room(tmp_path) as room:
        async with await room.found() as team:
            users = [await room.ticket(f"Ticket {index}") for index in range(3)]
            await team.catch_up()
            await team.inbox.note(users[0].number, "A known bug.")
        async with await room.unlock() as team:
            assert (await team.catch_up()).left == 0
            before = [await team.inbox.get(user.number) for user in users]
        room.lose_store()
        async with await room.unlock() as team:
            await team.catch_up()
            after = [await team.inbox.get(user.number) for user in users]
        assert [view.messages for view in after] == [view.messages for view in before]


async def test_a_used_code_founds_no_second_team(tmp_path: Path) -> None:
    """The real relay takes a code once; a second console is told to get a new one."""
    async with real_room(tmp_path) as room:
        await (await room.found()).close()
        second = replace(room, home=tmp_path / "second", keystore=type(room.keystore)())
        with pytest.raises(UsageError) as error:
            await second.found()
        assert error.value.code == "code_refused"


async def test_a_team_of_three_over_a_real_relay(tmp_path: Path) -> None:
    """Invitation, approval, a proposal, a removal with its barrier and vouching work over HTTP as in memory."""
    async with real_room(tmp_path) as room, TeamRoom(tmp_path, **vars_of(room)) as crew:
        anna = await crew.start()
        ben = await crew.add(anna, "Ben", Role.OWNER)
        cleo = await crew.add(anna, "Cleo")
        user = await crew.ticket()
        for team in (anna, ben, cleo):
            report = await team.catch_up()
            assert (report.left, report.trouble) == (0, None)
        invitation = await anna.members.invite("Dora")
        await anna.members.uninvite("Dora")
        with pytest.raises(Refused) as erased:
            await crew.relay.read(invitation.mailbox, 0, invitation.capability)
        assert erased.value.code == "erased"
        assert await anna.members.set_threshold(2) is None
        proposal = await anna.members.set_threshold(1)
        assert proposal is not None
        assert await ben.proposals.cosign(proposal.number) is None
        assert await anna.members.remove("Cleo") is None
        assert await anna.quarantined() == {}
        kinds = [
            entry.inner.kind for entry in (await anna.desk.load(user.mailbox)).thread.entries if entry.inner
        ]
        assert kinds == [Kind.OPEN, Kind.BARRIER]
        with pytest.raises(TrustError) as error:
            await cleo.sync()
        assert error.value.code == "not_in_team"
        assert await anna.vouched_until() is not None


def vars_of(room: Room) -> dict[str, object]:
    """Return what another room over the same relay needs."""
    return {"relay": room.relay, "url": room.url, "code": room.code, "policy": room.policy}


async def test_who_is_killed_before_the_answer_went_finds_it_as_a_draft(tmp_path: Path) -> None:
    """A process that is killed while an answer waits has sent nothing; the next command says so and names the draft."""
    secret, log = tmp_path / "secret", tmp_path / "steps.txt"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    log.write_text("first")
    command = [sys.executable, "-m", "e2e_support_console.cli", "--home", str(tmp_path / "home")]
    environ = {**os.environ, "E2ES_PASSPHRASE_FILE": str(secret)}

    async def run(*arguments: str, wait_for: str = "") -> tuple[str, str]:
        """Run a command to its end, or until it has said something; then kill it."""
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, env=environ, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        async with asyncio.timeout(60):
            if wait_for:
                assert process.stderr
                assert wait_for in (await process.stderr.readline()).decode()
                process.kill()
            out, err = await process.communicate()
        return out.decode(), err.decode()

    async with real_room(tmp_path) as room:
        room.keystore = cast(
            "MemoryKeystore", FileKeystore(room.home / KEYS_NAME, lambda: SECRET, cost=FLOOR)
        )
        async with await room.found() as team:
            user = await room.ticket()
            await team.catch_up()
        answer = ("reply", user.number, "Too quick.", "--attach", str(log), "--undo", "3600")
        await run(*answer, wait_for="Ctrl-C takes it back")
        _, said = await run("inbox")
        assert f"your answer to {user.number} was not sent: the program was stopped" in said
        assert f"e2e-admin reply {user.number} --draft" in said
        _, said = await run("show", user.number, "--json")
        assert json.loads(said)["code"] == "answer_stopped"
        (draft,) = json.loads((await run("drafts", "--json"))[0])
        assert (draft["text"], draft["stopped"]) == ("Too quick.", True)
        assert [file["name"] for file in draft["files"]] == ["steps.txt"]
        assert await user.texts() == []
        await run("reply", user.number, "--draft", "--json")
        assert (await run("inbox"))[1] == ""
        assert await user.texts() == ["Too quick."]
