"""Another process that opens the relay's database, as ``e2e-relay bootstrap`` does, harms nothing."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from relay_kit import Client, TeamHandle, make_entry

VISITOR = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM teams'); c.close()"


async def test_a_visit_leaves_the_journal_in_place(relay: Client, team: TeamHandle, tmp_path: Path) -> None:
    """Reads and writes go on after a visit, in every thread, and the journal is still there for a crash."""
    database = tmp_path / "relay" / "relay.db"
    ticket = await relay.ticket(team)
    await ticket.append(make_entry())
    for _ in range(4):  # enough that each reading thread has its connection
        await ticket.page()
    visitor = await asyncio.create_subprocess_exec(sys.executable, "-c", VISITOR, str(database))
    assert await visitor.wait() == 0
    assert database.with_name("relay.db-wal").exists()
    await ticket.append(make_entry())
    assert (await ticket.page()).head.length == 2
