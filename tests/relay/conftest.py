"""A running relay with a founded team, for tests that ask it something."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from relay_kit import Client, ManualClock, TeamHandle, running


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test moves; it starts at the real time."""
    return ManualClock()


@pytest.fixture
async def relay(tmp_path: Path, clock: ManualClock) -> AsyncGenerator[Client]:
    """A relay in this process and a client of it."""
    async with running(tmp_path / "relay", clock=clock) as client:
        yield client


@pytest.fixture
async def team(relay: Client) -> TeamHandle:
    """A team founded on the relay."""
    return await relay.found()
