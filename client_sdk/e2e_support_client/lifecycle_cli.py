"""The commands of ``e2e-ticket`` about the life of tickets: counts, history, news, hiding, cards, follow-ups."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from pathlib import Path

from e2e_support.errors import TransportError
from e2e_support_client import render_lifecycle as render
from e2e_support_client.archive.commands import exported_text, verify
from e2e_support_client.arguments import Commands, add_command, numbered
from e2e_support_client.cli_client import keeping, open_client, tell_offline, tell_state
from e2e_support_client.erase_cli import add_erase, erase
from e2e_support_client.forms import add_accept_stale, add_attach, add_form
from e2e_support_client.progress_line import show_progress
from e2e_support_client.render_history import timeline_json, timeline_text
from e2e_support_client.terminal import Json, Terminal, read_text


async def _counts(options: Namespace, terminal: Terminal) -> None:
    """Show how many tickets have each status."""
    async with open_client(options, terminal) as support:
        counts = await support.tickets.counts()
        tell_offline(support.offline, terminal)
        terminal.show({**counts}, render.counts_text(counts, support.policy))


async def _timeline(options: Namespace, terminal: Terminal) -> None:
    """Show how a ticket came to its status."""
    async with open_client(options, terminal) as support:
        steps = await support.tickets.timeline(options.number)
        tell_offline(support.offline, terminal)
        terminal.show(timeline_json(steps), timeline_text(steps))


async def _notifications(options: Namespace, terminal: Terminal) -> None:
    """Show what the person is told, and remember that it was seen if they say so."""
    async with open_client(options, terminal) as support:
        found = await support.notifications(unread=options.unread)
        tell_offline(support.offline, terminal)
        terminal.show([render.notification_json(one) for one in found], render.notifications_text(found))
        if options.mark_read:
            await support.mark_notifications_read()


async def _hide(options: Namespace, terminal: Terminal) -> None:
    """Put a closed ticket out of the list."""
    async with open_client(options, terminal) as support:
        await support.tickets.hide(options.number)
        text = (
            f"{options.number} is hidden on this device; the team and your other devices see it as before.\n"
            "See it with `e2e-ticket list --all`, show it again with `e2e-ticket unhide`."
        )
        terminal.show({"number": options.number, "state": "hidden"}, text)


async def _unhide(options: Namespace, terminal: Terminal) -> None:
    """Show a hidden ticket again."""
    async with open_client(options, terminal) as support:
        await support.tickets.unhide(options.number)
        text = f"{options.number} is in the list again."
        terminal.show({"number": options.number, "state": "shown"}, text)


async def _export(options: Namespace, terminal: Terminal) -> None:
    """Write tickets into one file."""
    async with open_client(options, terminal) as support:
        try:
            tickets = await support.export(
                options.path,
                *options.numbers,
                attachments=not options.no_files,
                force=options.force,
                on_progress=show_progress(terminal),
            )
        except TransportError as error:
            error.hint += " Files are at the relay: with --no-files the export needs none."
            raise
        data: dict[str, Json] = {"path": str(options.path), "tickets": tickets}
        terminal.show(data, exported_text(tickets, options.path))


async def _card(options: Namespace, terminal: Terminal) -> None:
    """Print a card with which an administrator can open a ticket for this user."""
    async with open_client(options, terminal) as support:
        card = await support.tickets.card(unlinked=options.unlinked)
        terminal.show({"card": card}, f"{card}\n\n{render.CARD_HELP}")


async def _follow_up(options: Namespace, terminal: Terminal) -> None:
    """Open a ticket that refers to one that is over."""
    body = await asyncio.to_thread(read_text, options.text, "What is it about this time?")
    async with open_client(options, terminal) as support, keeping(support):
        ref = await support.tickets.follow_up(
            options.number,
            body,
            subject=options.subject,
            category=options.category,
            priority=options.priority,
            fields=dict(options.field) if options.field else None,
            attachments=options.attach,
            on_progress=show_progress(terminal),
        )
        tell_state(ref, "your ticket is", terminal)


def add_lifecycle_commands(commands: Commands) -> None:
    """Add the commands."""
    add_command(commands, "counts", _counts, "show how many of your tickets have each status")
    numbered(commands, "timeline", _timeline, "show how a ticket came to its status")
    bell = add_command(commands, "notifications", _notifications, "show what there is to know, newest first")
    bell.add_argument("--unread", action="store_true", help="only what you have not seen")
    bell.add_argument("--mark-read", action="store_true", help="remember that you have seen all of it")
    numbered(commands, "hide", _hide, "keep a closed ticket out of the list on this device")
    add_erase(numbered(commands, "erase", erase, "erase a closed ticket for good"))
    numbered(commands, "unhide", _unhide, "show a hidden ticket in the list again")
    leave = add_command(commands, "export", _export, "write tickets into one file, to read and to verify")
    leave.add_argument("path", metavar="PATH", type=Path, help="the file to make, such as tickets.zip")
    leave.add_argument("numbers", metavar="NUMBER", nargs="*", help="which tickets; all by default")
    leave.add_argument("--no-files", action="store_true", help="leave attachments out")
    leave.add_argument("--force", action="store_true", help="replace an existing file")
    checking = add_command(commands, "verify", verify, "verify an export, offline and without any keys")
    checking.add_argument("path", metavar="PATH", type=Path, help="the file")
    card = add_command(commands, "card", _card, "print a card with which the team can open a ticket for you")
    card.add_argument("--unlinked", action="store_true", help="do not join it to your other tickets")
    again = numbered(commands, "follow-up", _follow_up, "open a ticket that refers to one that is over")
    again.add_argument("text", metavar="TEXT", nargs="?", help="`-` or nothing: from standard input")
    again.add_argument("--subject", metavar="S", help="the old one's by default")
    again.add_argument("--category", metavar="C", help="the old one's by default")
    add_form(again)
    add_attach(again)
    add_accept_stale(again)
