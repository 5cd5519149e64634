"""A relay at one address whose machine is backed up, killed and restored, for tests about what it loses.

async with running_machine(tmp_path) as machine:
    machine.backup()
    await machine.restore()
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from e2e_support_client.port import RelayPort
from process_kit import run, start, stop

_GIVING: Final = frozenset({"create", "hand_back", "post_links", "put_freshness"})


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

    def code(self) -> str:
        """Return a one-time code."""
        return run(self.data, "bootstrap").stdout.strip()

    async def restore(self) -> None:
        """Stop it, put the backup in the database's place, and start it again."""
        await stop(self.process)
        for file in self.data.glob("relay.db*"):
            file.unlink()
        (self.data / "relay.db").write_bytes(self.data.with_suffix(".backup").read_bytes())
        await self.start()


@dataclass
class Falling:
    """A way to a relay that is killed at one of its calls, before it has an effect or after.

    Attributes:
        relay: the way.
        machine: what is killed.
        at: how many calls that give something back go well before that; ``None`` for all.
        after: whether that call still has its effect.
    """

    relay: RelayPort
    machine: Machine
    at: int | None = None
    after: bool = False

    def __getattr__(self, name: str) -> Any:
        """Return the real call, or one that may be the last."""
        found = getattr(self.relay, name)
        return self._counted(found) if name in _GIVING else found

    def _counted(self, call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def one(*args: object) -> object:
            last, self.at = self.at == 0, None if self.at is None else self.at - 1
            if not last:
                return await call(*args)
            answer = await call(*args) if self.after else None
            await self.machine.kill()
            return answer if self.after else await call(*args)

        return one


@asynccontextmanager
async def running_machine(folder: Path) -> AsyncGenerator[Machine]:
    """Run a relay as a process of its own for as long as the block lasts, whether or not it falls."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        machine = Machine(folder / "relay", free.getsockname()[1])
    await machine.start()
    try:
        yield machine
    finally:
        await stop(machine.process)
