"""A console for measurements: a team at a relay in memory, whose store lies on the disk that is measured."""

from __future__ import annotations

from pathlib import Path

from bench.team import POLICY
from e2e_support_client.testing import CODE, FakeRelay
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import MemoryKeystore


async def new_console(data: Path) -> TeamClient:
    """Found a team and return its console.

    Args:
        data: where its store lies.
    """
    return await TeamClient.create(
        "https://support.example.org",
        name="Bench",
        owner="Owner",
        bootstrap_code=CODE,
        keystore=MemoryKeystore(),
        state_dir=data,
        policy=POLICY,
        relay=FakeRelay(),
    )
