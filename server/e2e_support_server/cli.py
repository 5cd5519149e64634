"""The command ``e2e-relay``: make a data directory, serve from it, issue the one-time code for the first team."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from e2e_support.errors import SupportError
from e2e_support_server.app import make_store, prepare, serving
from e2e_support_server.clock import now
from e2e_support_server.config import Config, load, split_address
from e2e_support_server.service.teams import Teams

DONE, FAILED, MISUSED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrongly called."""
    options = _parser().parse_args(arguments)
    try:
        config = _config(options)
        asyncio.run(_COMMANDS[options.command](config))
    except SupportError as error:
        _complain(error.code, error.message, error.hint, as_json=options.json)
        return FAILED
    except OSError as error:
        _complain("io", str(error), "", as_json=options.json)
        return FAILED
    return DONE


async def _init(config: Config) -> None:
    store = make_store(config, prepare(config), now)
    try:
        await store.open()
    finally:
        await store.close()
    print(f"ready: {config.data}")


async def _bootstrap(config: Config) -> None:
    store = make_store(config, prepare(config), now)
    try:
        await store.open()
        print(await Teams(store, now).issue_code())
    finally:
        await store.close()


async def _serve(config: Config) -> None:
    _allow_many_connections()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(config) as (relay, listening):
        loop.set_exception_handler(
            lambda _, context: relay.logger.error("fault", fault=type(context.get("exception")).__name__)
        )
        print(f"listening on {listening.url}", flush=True)
        await stop.wait()


def _allow_many_connections() -> None:
    """Use as many descriptors as the system allows: a connection is one, and the usual soft limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


_COMMANDS = {"init": _init, "bootstrap": _bootstrap, "serve": _serve}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="e2e-relay", description="Stores and forwards sealed support tickets."
    )
    parser.add_argument(
        "--data", metavar="DIR", type=Path, required=True, help="where the relay keeps its data"
    )
    parser.add_argument("--json", action="store_true", help="write errors as JSON")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="make the data directory ready")
    commands.add_parser("bootstrap", help="print a one-time code with which the first team is founded")
    serve = commands.add_parser("serve", help="serve until interrupted")
    serve.add_argument("--listen", metavar="HOST:PORT", help="port 0 lets the system choose")
    serve.add_argument("--authority", metavar="NAME", action="append", help="a name clients use, with port")
    return parser


def _config(options: argparse.Namespace) -> Config:
    config = load(options.data, os.environ)
    if getattr(options, "listen", None):
        host, port = split_address(options.listen)
        config = replace(config, host=host, port=port)
    if getattr(options, "authority", None):
        config = replace(config, authorities=tuple(options.authority))
    return config


def _complain(code: str, message: str, hint: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"code": code, "message": message, "hint": hint}), file=sys.stderr)
    else:
        print(f"e2e-relay: {message}" + (f"\n  {hint}" if hint else ""), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
