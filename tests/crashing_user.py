"""A user's program that stops itself dead at one step of a delivery; run by the tests of the outbox.

Arguments: link, state directory, step, what to send (``new``, ``reply`` or ``flush``), a ticket's number.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from e2e_support_client import FileKeystore, FileSpec, SupportClient
from e2e_support_keys.vault import FLOOR

BODY = "The list of invoices is empty."


def keystore(folder: Path) -> FileKeystore:
    """Return the user's keys; all runs share them."""
    return FileKeystore(folder / "keys", lambda: "correct horse battery staple", cost=FLOOR)


async def send(link: str, folder: Path, step: str, what: str, number: str) -> None:
    """Send something, and die at a step."""

    def stop(now: str) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    async with SupportClient(link, keystore=keystore(folder), state_dir=folder, on_state=stop) as user:
        files = [FileSpec(os.urandom(300_000), name="trace.bin")]
        if what == "new":
            await user.tickets.create("No invoice", BODY, category="billing", attachments=files)
        elif what == "reply":
            await user.tickets.reply(number, "It is the one of May.", attachments=files)
        else:
            await user.outbox.flush()


if __name__ == "__main__":
    link, folder, step, what, number = sys.argv[1:]
    asyncio.run(send(link, Path(folder), step, what, number))
