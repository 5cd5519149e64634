"""The commands of ``e2e-ticket`` about the life of tickets: counts, history, news, hiding, cards, follow-ups."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from e2e_support.errors import UsageError
from e2e_support_client import render_lifecycle as render
from e2e_support_client.archive.commands import exported_text
from e2e_support_client.client import SupportClient
from e2e_support_client.render import ref_json, ref_text
from e2e_support_client.render_history import timeline_json, timeline_text
from e2e_support_client.terminal import Json, Terminal, read_text
from e2e_support_client.trust_cli import OpenClient, ShowProgress

_OVER = frozenset({"closed", "reopen_never", "reopen_window_over"})
"""Refusals of a reply that a new ticket answers (C2, S2-33)."""


class LifecycleCommands:
    """The commands.

    Args:
        client: opens the client that the options ask for.
        progress: shows long work.
    """

    def __init__(self, client: OpenClient, progress: ShowProgress) -> None:
        self._client = client
        self._progress = progress

    async def counts(self, options: Namespace, terminal: Terminal) -> None:
        """Show how many tickets have each status."""
        async with self._client(options, terminal, None, None) as support:
            counts = await support.tickets.counts()
            terminal.show({**counts}, render.counts_text(counts, support.policy))

    async def timeline(self, options: Namespace, terminal: Terminal) -> None:
        """Show how a ticket came to its status."""
        async with self._client(options, terminal, None, None) as support:
            steps = await support.tickets.timeline(options.number)
            terminal.show(timeline_json(steps), timeline_text(steps))

    async def notifications(self, options: Namespace, terminal: Terminal) -> None:
        """Show what the person is told, and remember that it was seen if they say so."""
        async with self._client(options, terminal, None, None) as support:
            found = await support.notifications(unread=options.unread)
            terminal.show([render.notification_json(one) for one in found], render.notifications_text(found))
            if options.mark_read:
                await support.mark_notifications_read()

    async def hide(self, options: Namespace, terminal: Terminal) -> None:
        """Put a closed ticket out of the list."""
        async with self._client(options, terminal, None, None) as support:
            await support.tickets.hide(options.number)
            text = (
                f"{options.number} is hidden on this device; the team and your other devices see it as before.\n"
                "See it with `e2e-ticket list --all`, show it again with `e2e-ticket unhide`."
            )
            terminal.show({"number": options.number, "state": "hidden"}, text)

    async def unhide(self, options: Namespace, terminal: Terminal) -> None:
        """Show a hidden ticket again."""
        async with self._client(options, terminal, None, None) as support:
            await support.tickets.unhide(options.number)
            text = f"{options.number} is in the list again."
            terminal.show({"number": options.number, "state": "shown"}, text)

    async def export(self, options: Namespace, terminal: Terminal) -> None:
        """Write tickets into one file."""
        async with self._client(options, terminal, None, None) as support:
            tickets = await support.export(
                options.path,
                *options.numbers,
                attachments=not options.no_files,
                force=options.force,
                on_progress=self._progress(terminal),
            )
            data: dict[str, Json] = {"path": str(options.path), "tickets": tickets}
            terminal.show(data, exported_text(tickets, options.path))

    async def card(self, options: Namespace, terminal: Terminal) -> None:
        """Print a card with which an administrator can open a ticket for this user."""
        async with self._client(options, terminal, None, None) as support:
            card = await support.tickets.card(unlinked=options.unlinked)
            terminal.show({"card": card}, f"{card}\n\n{render.CARD_HELP}")

    async def follow_up(self, options: Namespace, terminal: Terminal) -> None:
        """Open a ticket that refers to one that is over."""
        body = await asyncio.to_thread(read_text, options.text, "What is it about this time?")
        async with self._client(options, terminal, None, None) as support:
            ref = await support.tickets.follow_up(
                options.number,
                body,
                subject=options.subject,
                category=options.category,
                priority=options.priority,
                fields=dict(options.field) if options.field else None,
                attachments=options.attach,
                on_progress=self._progress(terminal),
            )
            terminal.show(ref_json(ref), ref_text(ref, "your ticket is"))


@asynccontextmanager
async def going_on(support: SupportClient, number: str) -> AsyncGenerator[None]:
    """Say what to do instead where a ticket takes no more messages.

    Args:
        support: the open client.
        number: the ticket that somebody writes into.

    Raises:
        UsageError: as the block, with a command in its hint.
    """
    try:
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
