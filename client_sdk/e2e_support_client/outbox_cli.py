"""The commands of ``e2e-ticket`` about what is kept on this device because it is not stored yet."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from e2e_support.errors import UsageError
from e2e_support_client import clock
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.cli_client import open_client
from e2e_support_client.forms import add_accept_stale
from e2e_support_client.model import OutboxItem
from e2e_support_client.progress_line import show_progress
from e2e_support_client.render import count, ref_json, ref_text
from e2e_support_client.render_outbox import item_json, outbox_text
from e2e_support_client.terminal import Terminal


def add_outbox_commands(commands: Commands) -> None:
    """Add the commands."""
    outbox = add_command(
        commands, "outbox", _outbox, "list what is kept on this device because it is not stored yet"
    )
    outbox.add_argument("--drop", metavar="KEY", help="forget an item for good")
    send = add_command(commands, "send", _send, "try to store everything that is kept")
    send.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="one that `outbox` lists, even if it has waited for over 30 days",
    )
    add_accept_stale(send)


async def _outbox(options: Namespace, terminal: Terminal) -> None:
    async with open_client(options, terminal) as support:
        items = await support.outbox.list()
        if options.drop:
            await support.outbox.discard(_whole_key(items, options.drop))
            items = await support.outbox.list()
        terminal.show([item_json(item) for item in items], outbox_text(items, clock.now()))


def _whole_key(items: Sequence[OutboxItem], begun: str) -> str:
    """Return the key that a person gave the beginning of.

    Raises:
        UsageError: ``unknown_item``.
    """
    matching = [item.key for item in items if item.key.startswith(begun)]
    if len(matching) != 1:
        raise UsageError("unknown_item", "the outbox has no such item", hint="List it with `outbox`.")
    return matching[0]


async def _send(options: Namespace, terminal: Terminal) -> None:
    async with open_client(options, terminal) as support:
        if options.key:
            key = _whole_key(await support.outbox.list(), options.key)
            ref = await support.outbox.retry(key, on_progress=show_progress(terminal))
            terminal.show([ref_json(ref)], ref_text(ref, "what was kept is"))
            return
        refs = await support.outbox.flush(on_progress=show_progress(terminal))
        items = await support.outbox.list()
        text = f"{count(len(refs) - len(items), 'message')} stored.\n{outbox_text(items, clock.now())}"
        terminal.show([ref_json(ref) for ref in refs], text)
