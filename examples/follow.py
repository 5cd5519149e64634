"""Waits for answers of the team, over restarts and broken connections.

python examples/follow.py LINK CURSOR_FILE [STATE_DIR]
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from e2e_support_client import SupportClient


async def follow(support: SupportClient, cursor: Path) -> None:
    """Print every new answer; the file remembers how far this has come."""
    async with support.events(since=_read(cursor)) as events:
        async for event in events:
            if event.message and event.role == "team":
                print(f"New answer in {event.number}: {event.message.body[:80]!r}", flush=True)
            if event.cursor:
                _write(cursor, event.cursor)


def _read(cursor: Path) -> str | None:
    return cursor.read_text() if cursor.exists() else None


def _write(cursor: Path, told: str) -> None:
    cursor.write_text(told)


async def main(link: str, cursor: str, state_dir: str | None = None) -> None:
    """Follow until somebody stops the program."""
    async with SupportClient(link, state_dir=state_dir) as support:
        await follow(support, Path(cursor))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
