"""The commands of ``e2e-ticket`` that write and read tickets."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from e2e_support.errors import TrustError, UsageError
from e2e_support_client import clock, render, render_lifecycle
from e2e_support_client.allowance import sends_mails
from e2e_support_client.arguments import Commands, add_command, numbered
from e2e_support_client.cli_client import keeping, known_team, open_client, tell_offline, tell_state
from e2e_support_client.client import SupportClient
from e2e_support_client.erase_cli import showing_erased
from e2e_support_client.forms import add_accept_stale, add_attach, add_form
from e2e_support_client.model import TicketRef
from e2e_support_client.person import agreed, debug_data
from e2e_support_client.progress_line import show_progress
from e2e_support_client.terminal import Terminal, read_text

_OVER: Final = frozenset({"closed", "reopen_never", "reopen_window_over"})
"""Refusals of a reply that a new ticket answers (C2, S2-33)."""


async def _categories(options: Namespace, terminal: Terminal) -> None:
    async with open_client(options, terminal) as support:
        await known_team(support, terminal)
        terminal.show(render.categories_json(support.policy), render.categories_text(support.policy))


async def _new(options: Namespace, terminal: Terminal) -> None:
    body = read_text(options.body, "What happened?")
    data = debug_data(options.debug) if options.debug else None
    async with open_client(options, terminal) as support, keeping(support):
        debug = agreed(support, data, options, terminal) if data is not None else None
        ref = await support.tickets.create(
            options.subject,
            body,
            category=options.category,
            priority=options.priority,
            fields=dict(options.field),
            debug=debug,
            attachments=options.attach,
            related=options.related,
            unlinked=options.unlinked,
            on_progress=show_progress(terminal),
        )
        terminal.show(render.ref_json(ref), await _opened_text(support, ref))
        if options.notify_email:
            _tell_no_mail(support, terminal)


async def _opened_text(support: SupportClient, ref: TicketRef) -> str:
    """Return how far a new ticket has come, and how many more the team takes today."""
    text = render.ref_text(ref, "your ticket is")
    with suppress(TrustError):  # before the team was ever verified nobody knows its limits
        left = render_lifecycle.today_text(await support.today(), support.policy)
        return f"{text}\n{left}" if left else text
    return text


async def _list(options: Namespace, terminal: Terminal) -> None:
    async with open_client(options, terminal) as support:
        await support.outbox.flush(failed=False)
        page = await support.tickets.list(
            status=options.status, category=options.category, text=options.text, hidden=options.all
        )
        tell_offline(page.offline, terminal)
        filtered = bool(options.status or options.category or options.text)
        text = render.list_text(page, clock.now(), filtered=filtered)
        waiting = len(await support.outbox.list())
        text += (
            f"\n{render.count(waiting, 'message')} not stored yet: see `e2e-ticket outbox`."
            if waiting
            else ""
        )
        terminal.show([render.summary_json(line) for line in page], text)


async def _show(options: Namespace, terminal: Terminal) -> None:
    async with open_client(options, terminal) as support:
        with showing_erased(terminal):
            ticket = await support.tickets.get(options.number)
            tell_offline(ticket.offline, terminal)
            terminal.show(render.ticket_json(ticket), render.ticket_text(ticket, clock.now()))
            if ticket.messages:
                await support.tickets.mark_read(options.number)


async def _reply(options: Namespace, terminal: Terminal) -> None:
    text = read_text(options.text, "Your reply.") if options.text is not None or not options.attach else ""
    async with open_client(options, terminal) as support, _writing(support, options.number):
        ref = await support.tickets.reply(
            options.number, text, attachments=options.attach, on_progress=show_progress(terminal)
        )
        tell_state(ref, "your reply is", terminal)


async def _close(options: Namespace, terminal: Terminal) -> None:
    note = read_text(options.note, "Why is it closed?") if options.note is not None else ""
    async with open_client(options, terminal) as support, keeping(support):
        tell_state(await support.tickets.close(options.number, note=note), "closing it is", terminal)


async def _reopen(options: Namespace, terminal: Terminal) -> None:
    text = read_text(options.text, "Why is it reopened?")
    async with open_client(options, terminal) as support, _writing(support, options.number):
        tell_state(await support.tickets.reopen(options.number, text), "reopening it is", terminal)


async def _download(options: Namespace, terminal: Terminal) -> None:
    async with open_client(options, terminal) as support:
        path = await support.tickets.download(
            options.number,
            options.name,
            options.output,
            force=options.force,
            on_progress=show_progress(terminal),
        )
        terminal.show({"path": str(path)}, f"Verified and saved: {path}\nIt was not opened.")


def _tell_no_mail(support: SupportClient, terminal: Terminal) -> None:
    """Tell somebody who wants mails that this team sends none."""
    with suppress(TrustError):  # it is not known yet
        if not sends_mails(support.policy):
            terminal.tell(
                UsageError(
                    "mail_off",
                    "this team sends no mails, so your address was not sent either",
                    hint="Look for answers with `e2e-ticket notifications`.",
                )
            )


@asynccontextmanager
async def _writing(support: SupportClient, number: str) -> AsyncGenerator[None]:
    """Say what to do instead where a ticket takes no more messages.

    Args:
        support: the open client.
        number: the ticket that somebody writes into.

    Raises:
        UsageError: as the block, with a command in its hint.
    """
    try:
        async with keeping(support):
            yield
    except UsageError as error:
        if error.code in _OVER:
            hint = f"Open a new ticket that refers to it: e2e-ticket follow-up {number}"
            raise UsageError(error.code, error.message, hint=hint, details={"follow_up": number}) from None
        if error.code == "merged":
            into = (await support.tickets.get(number)).merged_into
            hint = f"Write where it goes on: e2e-ticket reply {into}"
            raise UsageError(error.code, error.message, hint=hint, details={"merged_into": into}) from None
        raise


# --- arguments -------------------------------------------------------------------------------------------


def add_ticket_commands(commands: Commands) -> None:
    """Add the commands."""
    _add_new(commands)
    _add_reading(commands)
    _add_writing(commands)


def _add_new(commands: Commands) -> None:
    new = add_command(commands, "new", _new, "open a ticket")
    new.add_argument("--subject", metavar="S", required=True, help="what it is about")
    new.add_argument("--body", metavar="B", help="the text; `-` or nothing: from standard input")
    new.add_argument("--category", metavar="C", required=True, help="one that `categories` lists")
    add_form(new)
    new.add_argument("--related", metavar="NUMBER", help="a ticket that this one refers to")
    new.add_argument(
        "--unlinked",
        action="store_true",
        help="do not let the team see that this ticket and your others are of one person; "
        "nobody else sees it in any case",
    )
    new.add_argument(
        "--notify-email",
        metavar="ADDRESS",
        help="where the team may send mails that say that there is news, and never what; "
        "the address goes inside the encrypted ticket, and only to teams that send mails",
    )
    new.add_argument(
        "--auth-method", metavar="METHOD", help="how you signed in, for programs that wrap this one"
    )
    add_attach(new)
    add_accept_stale(new)
    new.add_argument("--debug", metavar="FILE.json", type=Path, help="debug data; it is shown first")
    new.add_argument("--yes", action="store_true", help="agree to the debug data")


def _add_reading(commands: Commands) -> None:
    add_command(commands, "categories", _categories, "list what a ticket can be about")
    listing = add_command(commands, "list", _list, "list your tickets")
    listing.add_argument("--status", metavar="S", help="only tickets with this status")
    listing.add_argument("--category", metavar="C", help="only tickets of this category")
    listing.add_argument("--text", metavar="T", help="only tickets with this in number, subject or messages")
    listing.add_argument("--all", action="store_true", help="hidden tickets too")
    numbered(commands, "show", _show, "show a ticket")
    download = numbered(commands, "download", _download, "save a file of a ticket; it is never opened")
    download.add_argument("name", metavar="NAME", help="as `show` lists it")
    download.add_argument("-o", "--output", metavar="PATH", type=Path, default=Path(), help="file or folder")
    download.add_argument("--force", action="store_true", help="replace an existing file")


def _add_writing(commands: Commands) -> None:
    reply = numbered(commands, "reply", _reply, "write into a ticket")
    reply.add_argument("text", metavar="TEXT", nargs="?", help="`-` or nothing: from standard input")
    add_attach(reply)
    close = numbered(commands, "close", _close, "close a ticket")
    close.add_argument("--note", metavar="TEXT", help="why; `-`: from standard input")
    reopen = numbered(commands, "reopen", _reopen, "open a closed ticket again")
    reopen.add_argument("text", metavar="TEXT", nargs="?", help="why; `-` or nothing: from standard input")
    for writing in (reply, close, reopen):
        add_accept_stale(writing)
