"""`BlockingSupportClient` over a real relay: the same names without ``await``, from any thread, and no dead ends."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_support.errors import UsageError
from e2e_support_client import BlockingSupportClient, FileSpec, MemoryKeystore, Progress, State, SupportClient
from e2e_support_client.blocking import Blocking, BlockingOutbox, BlockingTickets, LoopThread
from e2e_support_client.outbox import Outbox
from e2e_support_client.tickets import Tickets
from user_kit import BODY, SUBJECT, LiveWorld, live_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    """A team at a real relay."""
    with live_world(tmp_path_factory.mktemp("relay")) as world:
        yield world


@pytest.fixture
def user(world: LiveWorld, tmp_path: Path) -> Iterator[BlockingSupportClient]:
    """An open client."""
    with BlockingSupportClient(world.link, keystore=MemoryKeystore(), state_dir=tmp_path / "user") as user:
        yield user


def test_a_conversation_without_await(user: BlockingSupportClient, world: LiveWorld) -> None:
    """A ticket is opened, answered, listed, followed and closed with plain calls."""
    assert user.verify_team().name == user.team.name == "Example team"
    assert user.policy.category("billing") is not None
    ref = user.tickets.create(SUBJECT, BODY, category="billing")
    assert ref.state is State.STORED
    with user.events() as events:
        world.do(world.console.answer(ref.number, "Look again."))
        event = next(events)
    assert event.message is not None
    assert event.message.body == "Look again."
    assert [message.body for message in user.tickets.messages(ref.number)] == [BODY, "Look again."]
    assert [line.number for line in user.tickets.list(status="waiting")] == [ref.number]
    assert [event.number for event in user.news()] == [ref.number]
    user.tickets.close(ref.number)
    assert user.outbox.flush() == ()


@pytest.mark.parametrize(
    ("blocking", "original", "left_out"),
    [
        (BlockingTickets, Tickets, set[str]()),
        (BlockingOutbox, Outbox, {"add", "send", "named"}),
        (BlockingSupportClient, SupportClient, {"places", "remember", "remembered"}),
    ],
)
def test_the_names_are_the_same(blocking: type[Blocking[object]], original: type, left_out: set[str]) -> None:
    """Every public name of the asynchronous class is there, with the same documentation and parameters."""
    names = {name for name, value in vars(original).items() if not name.startswith("_") and callable(value)}
    for name in names - left_out:
        theirs, ours = getattr(original, name), getattr(blocking, name)
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
        assert ours.__doc__


def test_it_can_be_used_from_many_threads(user: BlockingSupportClient) -> None:
    """Calls from several threads at once are all carried out."""
    numbers: list[str] = []

    def work() -> None:
        numbers.append(user.tickets.create(SUBJECT, BODY, category="bug").number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 4
    assert len(user.tickets.list()) == 4


def test_a_callback_that_waits_is_told(user: BlockingSupportClient) -> None:
    """A callback that calls the client again gets an error instead of waiting for ever."""
    errors: list[str] = []

    def progress(_at: Progress) -> None:
        try:
            user.tickets.list()
        except UsageError as error:
            errors.append(error.code)

    files = [FileSpec(b"x", name="x")]
    user.tickets.create(SUBJECT, BODY, category="bug", attachments=files, on_progress=progress)
    assert set(errors) == {"would_block"}


def test_after_a_fork_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that was made before a fork is refused in the child, where its thread does not exist."""
    loop = LoopThread()

    async def work() -> int:
        return 7

    assert loop.wait(work()) == 7
    real = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: real + 1)
    with pytest.raises(UsageError) as caught:
        loop.wait(work())
    assert caught.value.code == "forked"
    monkeypatch.undo()
    loop.close()


def test_errors_at_opening_leave_no_thread(tmp_path: Path) -> None:
    """A client that cannot be opened stops its thread."""
    before = set(threading.enumerate())
    with (
        pytest.raises(UsageError),
        BlockingSupportClient(None, keystore=MemoryKeystore(), state_dir=tmp_path),
    ):
        pass
    assert not [thread for thread in threading.enumerate() if thread not in before]
