"""The commands of ``e2e-ticket`` about what is kept on this device because it is not stored yet."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from e2e_support.errors import TransportError, UsageError
from e2e_support_client import clock
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.cli_client import open_client
from e2e_support_client.forms import add_accept_stale
from e2e_support_client.model import OutboxItem, State
from e2e_support_client.progress_line import show_progress
from e2e_support_client.render import count, ref_json, ref_text
from e2e_support_client.render_outbox import item_json, item_text, outbox_text
from e2e_support_client.terminal import Terminal


def add_outbox_commands(commands: Commands) -> None:
    """Add the commands."""
    outbox = add_command(
        commands, "outbox", _outbox, "list what is kept on this device because it is not stored yet"
    )
    which = outbox.add_mutually_exclusive_group()
    which.add_argument("--show", metavar="KEY", help="print what was written")
    which.add_argument("--drop", metavar="KEY", help="forget an item for good")
    send = add_command(commands, "send", _send, "try to store everything that is kept")
    send.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="one that `outbox` lists, also one that `send` alone leaves out",
    )
    add_accept_stale(send)


async def _outbox(options: Namespace, terminal: Terminal) -> None:
    async with open_client(options, terminal) as support:
        items = await support.outbox.list()
        if options.show is not None:
            item = _chosen(items, options.show)
            terminal.show({"subject": item.subject, "text": item.text}, item_text(item))
            return
        if options.drop is not None:
            await support.outbox.discard(_chosen(items, options.drop).key)
            items = await support.outbox.list()
        terminal.show([item_json(item) for item in items], outbox_text(items, clock.now()))


def _chosen(items: Sequence[OutboxItem], begun: str) -> OutboxItem:
    """Return the item that a person gave the beginning of the key of.

    Raises:
        UsageError: ``unknown_item``.
    """
    matching = [item for item in items if begun and item.key.startswith(begun.lower())]
    if len(matching) != 1:
        raise UsageError(
            "unknown_item", "the outbox has no such item", hint="See the keys with `e2e-ticket outbox`."
        )
    return matching[0]


async def _send(options: Namespace, terminal: Terminal) -> None:
    async with open_client(options, terminal) as support:
        before = await support.outbox.list()
        if options.key is not None:
            key = _chosen(before, options.key).key
            ref = await support.outbox.retry(key, on_progress=show_progress(terminal))
            terminal.show([ref_json(ref)], ref_text(ref, "what was kept is"))
            return
        refs = await support.outbox.flush(on_progress=show_progress(terminal))
        items = await support.outbox.list()
        text = f"{count(len(refs) - len(items), 'message')} stored.\n{outbox_text(items, clock.now())}"
        terminal.show([ref_json(ref) for ref in refs], text)
        left_out = {item.key for item in before if item.left_out}
        _require_stored([item for item in items if item.key not in left_out])


def _require_stored(tried: Sequence[OutboxItem]) -> None:
    """Do nothing if everything that was tried is stored; what a rule stands against is told this once.

    Raises:
        UsageError: ``some_failed``.
        TransportError: ``still_waiting``.
    """
    failed = [item for item in tried if item.state is State.FAILED]
    if failed:
        raise UsageError(
            "some_failed",
            f"{count(len(failed), 'message')} could not be stored; nothing of it is lost",
            hint="What can be done stands in `e2e-ticket outbox`.",
        )
    if tried:
        why = next((item.message for item in tried if item.message), "they were not tried")
        raise TransportError(
            "still_waiting",
            f"{count(len(tried), 'message')} not stored yet: {why}",
            hint="It goes out with the next command that finds the relay, or with `e2e-ticket send`.",
        )
