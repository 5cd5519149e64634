"""The command ``e2e-ticket watch``: prints what the team does as it happens."""

from __future__ import annotations

import argparse
import asyncio
from argparse import Namespace

from e2e_support.errors import UsageError
from e2e_support.support_link import SupportLink
from e2e_support_client import render
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.cli_client import LOCK_WAIT, WATCHED, keys_in, tell_offline
from e2e_support_client.client import SupportClient
from e2e_support_client.model import Event, EventKind, Role
from e2e_support_client.notify import Listener, Place
from e2e_support_client.terminal import Terminal
from e2e_support_client.transport import HttpRelay
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import MemoryKeystore


def add_watch(commands: Commands) -> None:
    """Add the command."""
    watch = add_command(commands, "watch", _watch, "wait for the team and print what it does")
    watch.add_argument("--once", action="store_true", help="stop after the first news")
    watch.add_argument("--timeout", metavar="SECONDS", type=_seconds, help="stop after this long")


async def _watch(options: Namespace, terminal: Terminal) -> None:
    """Print what the team does; the store is free for other commands while this only waits."""
    bundle = await asyncio.to_thread(keys_in(options.home).keystore().load)
    if not isinstance(bundle, UserBundle):
        raise UsageError("no_link", "there are no keys here", hint="Connect first: e2e-ticket connect LINK")
    relay = HttpRelay(SupportLink.parse(bundle.link).url)
    listener, told = Listener(relay), set[tuple[str, str]]()
    support = SupportClient(
        None, state_dir=options.home, keystore=MemoryKeystore(bundle), relay=relay, lock_wait=LOCK_WAIT
    )
    try:
        async with asyncio.timeout(options.timeout):
            while True:
                happened, places = await _look(support, terminal, told)
                if happened and options.once:
                    return
                await listener.wait(places, asyncio.Event())
    except TimeoutError:
        return
    finally:
        await listener.stop()
        await relay.close()


async def _look(
    support: SupportClient, terminal: Terminal, told: set[tuple[str, str]]
) -> tuple[bool, list[Place]]:
    """Print what is new since the last look; return whether there was anything, and where to listen."""
    async with support:
        await support.outbox.flush(failed=False)
        events = await support.news(since=await support.remembered(WATCHED))
        shown = [event for event in events if _interests(event, told)]
        if support.offline and ("", support.offline) not in told:
            told.add(("", support.offline))
            tell_offline(support.offline, terminal)
        for event in shown:
            terminal.show(render.event_json(event), render.event_text(event))
        terminal.out.flush()
        cursors = [event.cursor for event in events if event.cursor]
        if cursors:
            await support.remember(WATCHED, cursors[-1])
        return bool(shown), await support.places()


def _interests(event: Event, told: set[tuple[str, str]]) -> bool:
    """Tell whether a person waits for this: what the team did, and each problem once."""
    if event.kind is not EventKind.PROBLEM:
        return event.role is Role.TEAM
    known = (event.number, event.problem) in told
    told.add((event.number, event.problem))
    return not known


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
