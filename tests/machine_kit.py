"""A relay as a process at one address that is backed up, killed and restored, for tests about what it loses."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from process_kit import start, stop


@dataclass
class Machine:
    """A relay that runs as a process at one address, whatever happens to it.

    Attributes:
        data: its data folder.
        port: where it listens.
    """

    data: Path
    port: int
    process: asyncio.subprocess.Process = field(init=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it."""
        self.process, _ = await start(self.data, "--listen", f"127.0.0.1:{self.port}")

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        await self.process.communicate()

    def backup(self) -> None:
        """Copy its database while it is in use."""
        with (
            closing(sqlite3.connect(self.data / "relay.db")) as live,
            closing(sqlite3.connect(self.data.with_suffix(".backup"))) as copy,
        ):
            live.backup(copy)

    async def restore(self) -> None:
        """Stop it, put the backup in the database's place, and start it again."""
        await stop(self.process)
        for file in self.data.glob("relay.db*"):
            file.unlink()
        (self.data / "relay.db").write_bytes(self.data.with_suffix(".backup").read_bytes())
        await self.start()
