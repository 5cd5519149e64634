"""A real process, killed at each step of a delivery over a real relay: nothing is sent twice, nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import crashing_user
from e2e_support_client import SupportClient, TicketSummary
from user_kit import LiveWorld, live_world

STEPS = ("draft", "placed", "created", "uploading", "uploaded", "sealed", "appended", "stored")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    """A team at a real relay."""
    with live_world(tmp_path_factory.mktemp("relay")) as world:
        yield world


def run(world: LiveWorld, folder: Path, step: str, what: str, number: str = "-") -> int:
    """Run the program and return how it ended."""
    arguments = [sys.executable, crashing_user.__file__, world.link, str(folder), step, what, number]
    return subprocess.run(arguments, check=False, timeout=60).returncode


async def new(world: LiveWorld, folder: Path) -> str:
    """Open a ticket in this process and return its number."""
    async with SupportClient(world.link, keystore=crashing_user.keystore(folder), state_dir=folder) as user:
        return (await user.tickets.create("No invoice", crashing_user.BODY, category="billing")).number


async def flush(world: LiveWorld, folder: Path) -> tuple[int, list[TicketSummary], list[int]]:
    """Send in this process what the dead one left; return how much waits, the tickets, and what each says."""
    async with SupportClient(world.link, keystore=crashing_user.keystore(folder), state_dir=folder) as user:
        await user.outbox.flush()
        page = await user.tickets.list()
        said = [len((await user.tickets.get(line.number)).messages) for line in page]
        return len(await user.outbox.list()), list(page), said


@pytest.mark.parametrize("step", STEPS)
def test_a_ticket_survives_kill_9(world: LiveWorld, tmp_path: Path, step: str) -> None:
    """Killed at any step while a ticket is opened, the next process stores it, and the relay has it once."""
    assert run(world, tmp_path, step, "new") == -signal.SIGKILL
    waiting, tickets, said = world.do(flush(world, tmp_path))
    assert (waiting, len(tickets), said) == (0, 1, [1])
    assert len(world.do(world.console.read(tickets[0].number))) == 1


@pytest.mark.parametrize("step", [step for step in STEPS if step not in {"placed", "created"}])
def test_a_reply_survives_kill_9(world: LiveWorld, tmp_path: Path, step: str) -> None:
    """Killed at any step while a reply is written, the next process stores it once, even if it is killed too."""
    number = world.do(new(world, tmp_path))
    assert run(world, tmp_path, step, "reply", number) == -signal.SIGKILL
    run(world, tmp_path, "appended", "flush")
    waiting, _, said = world.do(flush(world, tmp_path))
    assert (waiting, said) == (0, [2])
    assert len(world.do(world.console.read(number))) == 2
