"""Answers in the making: drafts, the moment to take one back, files, and what is new while one is written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console_room import Killed, Room, User, dying
from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.presets import DEFAULT
from e2e_support_client.download import read_bytes
from e2e_support_client.model import Attachable, FileSpec, Progress
from e2e_support_client.testing import Fault
from e2e_support_console.collision import TicketMoved
from e2e_support_console.draft_files import require_ready
from e2e_support_console.drafts import Mode
from e2e_support_console.outgoing import outgoing
from e2e_support_console.team import TeamClient

SOON = timedelta(milliseconds=1)
LATER = timedelta(hours=1)
TEXT = "We look into it."


def begun(team: TeamClient, number: str) -> asyncio.Task[object]:
    """Let an answer wait for its moment to pass."""
    return asyncio.create_task(team.inbox.reply(number, TEXT, delay=LATER))


async def waiting(team: TeamClient) -> bool:
    """Tell whether a draft waits for its moment to pass."""
    return any(draft.waits for draft in await team.drafts.list())


async def until(ask: Callable[[], Awaitable[object]]) -> None:
    """Wait until something is so; what never becomes so ends in the test's timeout."""
    async with asyncio.timeout(30):
        while not await ask():  # noqa: ASYNC110 - it is asked, not told
            await asyncio.sleep(0)


# --- drafts ----------------------------------------------------------------------------------------------


async def test_drafts_survive_and_are_apart(tmp_path: Path) -> None:
    """Answer and note of one ticket are two drafts, which the next process finds; discarding one leaves the other."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.drafts.keep(user.number, "Dear user")
        await team.drafts.keep(user.number, "A known bug?", Mode.NOTE)
    async with await room.unlock() as team:
        assert {(one.number, one.mode, one.text) for one in await team.drafts.list()} == {
            (user.number, Mode.REPLY, "Dear user"),
            (user.number, Mode.NOTE, "A known bug?"),
        }
        await team.drafts.discard(user.number)
        assert [one.text for one in await team.drafts.list()] == ["A known bug?"]


@pytest.mark.parametrize("mode", list(Mode))
async def test_what_was_not_sent_is_a_draft(tmp_path: Path, mode: Mode) -> None:
    """An answer or a note that finds no relay is kept as the draft; once it is sent the draft is gone."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        write = team.inbox.reply if mode is Mode.REPLY else team.inbox.note
        room.relay.inject(Fault.OFFLINE)
        with pytest.raises(TransportError):
            await write(user.number, TEXT)
        assert await team.drafts.get(user.number, mode) == TEXT
        room.relay.heal()
        await write(user.number, TEXT)
        assert await team.drafts.list() == ()


async def test_another_draft_stays(tmp_path: Path) -> None:
    """A quick answer leaves alone what is being written; where it is refused, it stands behind it."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.drafts.keep(user.number, "A long story")
        await team.inbox.reply(user.number, TEXT)
        assert await team.drafts.get(user.number) == "A long story"
        await user.pull()
        await user.close()
        for _ in range(2):
            with pytest.raises(UsageError):
                await team.inbox.reply(user.number, TEXT)
        assert await team.drafts.get(user.number) == f"A long story\n\n{TEXT}"


async def test_a_draft_keeps_its_files(tmp_path: Path) -> None:
    """Files of a draft survive the process, go with the text or alone, and are forgotten with it."""
    room, log = Room(tmp_path), tmp_path / "steps.txt"
    log.write_text("first")
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.drafts.keep(user.number, TEXT)
        await team.drafts.attach(user.number, [log, FileSpec(b"short", name="a.txt")])
        await team.drafts.keep(user.number, "Another text")
        with pytest.raises(UsageError) as unknown:
            await team.drafts.detach(user.number, "b.txt")
        assert (unknown.value.code, unknown.value.hint) == ("no_file", "There are: steps.txt, a.txt.")
    async with await room.unlock() as team:
        draft = await team.drafts.find(user.number)
        assert draft is not None
        assert [(file.name, file.size, file.path, file.state) for file in draft.files] == [
            ("steps.txt", 5, str(log), "there"), ("a.txt", 5, "", "there"),
        ]  # fmt: skip
        await team.drafts.keep(user.number, "")
        await team.drafts.detach(user.number, "a.txt")
        (alone,) = await team.drafts.list()
        assert (alone.text, [file.name for file in alone.files]) == ("", ["steps.txt"])
        await team.inbox.reply(user.number, "", attachments=require_ready(alone.files))
        assert await team.drafts.list() == ()
        await team.drafts.attach(user.number, [log])
        await team.drafts.discard(user.number)
        assert await team.desk.store.fetch_all("SELECT * FROM draft_files") == []
    assert await sent_files(user) == {"steps.txt": b"first"}


@pytest.mark.parametrize(("state", "code"), [("changed", "file_changed"), ("gone", "cannot_read")])
async def test_a_file_that_is_not_as_it_was_attached_stops_the_draft(
    tmp_path: Path, state: str, code: str
) -> None:
    """What changed or went since it was attached is told, and goes only once it is attached again."""
    room, log = Room(tmp_path), tmp_path / "steps.txt"
    log.write_text("first")
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.drafts.attach(user.number, [log])
        if state == "gone":
            log.unlink()
        else:
            log.write_text("others")
        (draft,) = await team.drafts.list()
        assert [file.state for file in draft.files] == [state]
        with pytest.raises(UsageError) as error:
            require_ready(draft.files)
        assert error.value.code == code
        assert "--detach steps.txt" in error.value.hint
        log.write_text("again")
        await team.drafts.attach(user.number, [log])
        (draft,) = await team.drafts.list()
        assert [file.state for file in draft.files] == ["there"]


async def test_files_of_an_answer_that_was_refused_are_in_the_draft(tmp_path: Path) -> None:
    """Where an answer finds no relay or a rule against it, its files wait in the draft with the text."""
    room, log = Room(tmp_path), tmp_path / "steps.txt"
    log.write_text("first")
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await user.pull()
        await user.close()
        files: list[Attachable] = [log, FileSpec(b"x", name="x"), FileSpec(b"y", name="x")]
        for _ in range(2):
            with pytest.raises(UsageError):
                await team.inbox.reply(user.number, TEXT, attachments=files)
        (draft,) = await team.drafts.list()
        assert draft.text == TEXT
        assert [file.name for file in draft.files] == ["steps.txt", "x", "x"]
        assert [file.spec.source for file in draft.files[1:]] == [b"x", b"y"]


# --- the moment to take it back --------------------------------------------------------------------------


async def test_an_answer_can_be_taken_back(tmp_path: Path) -> None:
    """Within its moment an answer is taken back into the draft, and nothing of it reaches the relay."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        task = begun(team, user.number)
        await until(lambda: waiting(team))
        assert await team.inbox.unsend(user.number)
        with pytest.raises(UsageError) as error:
            await task
        assert error.value.code == "unsent"
        assert await team.drafts.get(user.number) == TEXT
        assert not await waiting(team)
        assert not await team.inbox.unsend(user.number)
        await team.inbox.reply(user.number, TEXT, delay=SOON)
        assert await team.drafts.get(user.number) == ""
    assert await user.texts() == [TEXT]


async def test_a_kill_within_the_moment_leaves_a_draft(tmp_path: Path) -> None:
    """Who is killed before the moment has passed has sent nothing: the next run finds a draft and sends nothing."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        task = begun(team, user.number)
        await until(lambda: team.drafts.get(user.number))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with await room.unlock() as team:
        await team.sync()
        assert await team.drafts.get(user.number) == TEXT
        assert await outgoing(team.desk.store) == []
    assert await user.texts() == []


async def test_an_interrupt_before_the_answer_was_sealed_gives_it_back(tmp_path: Path) -> None:
    """Ctrl-C while files go up leaves a draft with its files, and nothing that a later run would send."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        sent: asyncio.Task[object] | None = None

        def stop(_: Progress) -> None:
            assert sent is not None
            sent.cancel()

        files = [FileSpec(b"short", name="a.txt")]
        work = team.inbox.reply(user.number, TEXT, attachments=files, on_progress=stop)
        sent = asyncio.create_task(work)
        with pytest.raises(asyncio.CancelledError):
            await sent
        await team.sync()
        (draft,) = await team.drafts.list()
        assert (draft.text, [file.name for file in draft.files]) == (TEXT, ["a.txt"])
        assert await outgoing(team.desk.store) == []
    assert await user.texts() == []


async def test_a_kill_after_the_moment_sends_once_and_leaves_no_draft(tmp_path: Path) -> None:
    """Who is killed while it is on its way has no draft of it that could be sent again."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
    async with await room.unlock(dying(room.relay, "append", after=True)) as team:
        with pytest.raises(Killed):
            await team.inbox.reply(user.number, TEXT)
    async with await room.unlock() as team:
        assert await team.drafts.list() == ()
        await team.sync()
    assert await user.texts() == [TEXT]


async def test_what_comes_in_the_moment_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word of the user while the answer waits stops it; the error shows the word, and the text is the draft."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()

        async def wait(*_: object) -> None:
            await user.say("Wait!")

        monkeypatch.setattr(team.inbox, "_wait", wait)
        with pytest.raises(TicketMoved) as moved:
            await team.inbox.reply(user.number, TEXT, delay=LATER)
        assert [message.body for message in moved.value.newer] == ["Wait!"]
        assert "Wait!" in str(moved.value.details["newer"])
        assert await team.drafts.get(user.number) == TEXT
        await team.inbox.reply(user.number, TEXT, anyway=True)
    assert await user.texts() == [TEXT]


# --- files -----------------------------------------------------------------------------------------------


async def sent_files(user: User) -> dict[str, bytes]:
    """Return the files that the team has sent since the last time, verified, by name."""
    inners = [opened.inner for opened in await user.pull() if opened.inner]
    files = [file for inner in inners for file in inner.attachments]
    place = (user.relay, user.mailbox, user.keys.capability)
    return {file.name: await read_bytes(*place, file) for file in files}


async def test_files_go_with_an_answer(tmp_path: Path) -> None:
    """Files of an answer reach the user whole, with progress told, and stand in the ticket for colleagues."""
    room, told = Room(tmp_path), list[Progress]()
    log = tmp_path / "steps.txt"
    log.write_bytes(b"x" * 300_000)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.reply(
            user.number,
            TEXT,
            attachments=[log, FileSpec(b"short", name="a.txt")],
            on_progress=told.append,
        )
        message = (await team.inbox.get(user.number)).messages[-1]
        assert [file.name for file in message.attachments] == ["steps.txt", "a.txt"]
    assert await sent_files(user) == {"steps.txt": b"x" * 300_000, "a.txt": b"short"}
    assert {progress.name for progress in told} == {"steps.txt", "a.txt"}


async def test_no_file_goes_up_that_the_rules_refuse(tmp_path: Path) -> None:
    """A file over the policy's limit is refused before the first byte is uploaded."""
    rules = replace(DEFAULT.attachments, file_bytes_max=10)
    room = Room(tmp_path, policy=replace(DEFAULT, attachments=rules))
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        with pytest.raises(UsageError) as error:
            await team.inbox.reply(user.number, TEXT, attachments=[FileSpec(b"x" * 11, name="a.txt")])
        assert error.value.code == "attachment_too_large"
        assert "declare_blob" not in room.relay.calls
        with pytest.raises(UsageError) as missing:
            await team.inbox.reply(user.number, TEXT, attachments=[tmp_path / "none"])
        assert missing.value.code == "cannot_read"
        assert await team.drafts.get(user.number) == TEXT


async def test_an_upload_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Killed between two files, the next run uploads what is missing and sends the answer once."""
    room = Room(tmp_path)
    files = [FileSpec(b"one", name="1.txt"), FileSpec(b"two", name="2.txt")]
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
    async with await room.unlock(dying(room.relay, "put_piece", skip=1)) as team:
        with pytest.raises((Killed, SupportError)):
            await team.inbox.reply(user.number, TEXT, attachments=files)
    async with await room.unlock() as team:
        room.relay.calls.clear()
        await team.sync()
        assert room.relay.calls.count("declare_blob") == 1
    assert await sent_files(user) == {"1.txt": b"one", "2.txt": b"two"}
