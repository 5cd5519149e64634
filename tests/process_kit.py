"""A relay as a process of its own, started by its command, for tests about starting, stopping and dying."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from e2e_support.wire import RelayInfo
from relay_kit import Client

COMMAND = [sys.executable, "-m", "e2e_support_server.cli"]
NO_LIMITS = {
    "E2ES_LIMITS_USER_RATE": "100000",
    "E2ES_LIMITS_CREATES_NETWORK": "100000",
    "E2ES_LIMITS_CREATES_MINUTE": "100000",
    "E2ES_LIMITS_DISK_RESERVE": "0",
}


def run(data: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``e2e-relay`` to its end."""
    return subprocess.run(
        [*COMMAND, "--data", str(data), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environ},
    )


async def start(data: Path, *arguments: str, **environ: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start ``serve`` on a free port and return the process and its address once it is ready."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "--data",
        str(data),
        "serve",
        "--listen",
        "127.0.0.1:0",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **NO_LIMITS, **environ},
    )
    assert process.stdout
    try:
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
    except TimeoutError:
        process.kill()  # nobody else knows it
        raise
    assert line.startswith("listening on http://127.0.0.1:"), line
    return process, line.split()[-1]


async def stop(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Ask a process to stop; return what else it said."""
    if process.returncode is None:
        process.terminate()
    return await last_words(process)


async def last_words(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Wait for a process that was asked to stop already; asking twice would cut it short."""
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return out.decode(), err.decode()


@asynccontextmanager
async def client_of(url: str) -> AsyncGenerator[Client]:
    """Yield a client of a relay that runs elsewhere."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(url, http)
        client.relay_key = RelayInfo.from_bytes(
            (await client.send("GET", "/v1/relay")).expect(200).body
        ).relay_key
        yield client
