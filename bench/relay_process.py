"""A relay in a process of its own, put together by the relay's own factory; only the no-op route is added here.

It prints one line of JSON once it listens, and stops when its standard input ends: with whoever started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from aiohttp import web

import e2e_support.request
from bench.team import NOOP
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import SIGNATURE
from e2e_support_server.app import make_app, open_relay
from e2e_support_server.config import Config, Limits
from e2e_support_server.handlers.http import answer
from e2e_support_server.listener import listen
from e2e_support_server.storage import sqlite

MANY = 1_000_000_000
LIMITS = Limits(
    user_rate=MANY,
    team_rate=MANY,
    creates_minute=MANY,
    creates_network=MANY,
    creates_calm=MANY,
    disk_reserve=0,
)


async def noop(request: web.Request) -> web.Response:
    """Read a body and answer nothing: what a POST costs before anything is done with it."""
    await request.read()
    return answer()


def commit_each() -> None:
    """Let the writer take one append per transaction: the control of group commit."""
    sqlite.GROUP_MOST = 1


def stub_signatures() -> None:
    """Take the two signatures of an append away, to see what the rest costs."""

    def verified(*_: object) -> bool:
        return True

    def signed(*_: object) -> bytes:
        return bytes(SIGNATURE)

    setattr(e2e_support.request, "verify", verified)  # noqa: B010 - a plain assignment does not type-check
    setattr(SigningKey, "sign", signed)  # noqa: B010 - likewise


async def serve(data: Path, *, bare: bool, stubbed: bool) -> None:
    """Serve from a directory until standard input ends.

    Args:
        data: a new or an existing directory.
        bare: serve the no-op alone, without the relay's screen around it.
        stubbed: whether signatures are stubbed out, which leaves nothing to a helper process.
    """
    config = Config(data, port=0, limits=LIMITS, helper=int(not stubbed))
    opened = await open_relay(config)

    def application(names: frozenset[str]) -> web.Application:
        app = web.Application() if bare else make_app(opened, names)
        app.router.add_post(NOOP, noop)
        return app

    async with listen(config, application) as listening:
        code = "" if bare else await opened.context.teams.issue_code()
        ready = {"url": listening.url, "code": code, "relay_key": opened.context.relay_key.hex()}
        print(json.dumps(ready), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await opened.close()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--commit-each", action="store_true")
    parser.add_argument("--stub-signatures", action="store_true")
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    if options.commit_each:
        commit_each()
    if options.stub_signatures:
        stub_signatures()
    asyncio.run(serve(options.data, bare=options.bare, stubbed=options.stub_signatures))


if __name__ == "__main__":
    main()
