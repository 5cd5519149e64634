"""A user's own tickets leave: gathered from the local store, their files fetched, signed by the tickets' own keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from e2e_support.content import Attachment
from e2e_support.conversation import Conversation
from e2e_support.errors import UsageError
from e2e_support.thread import Thread
from e2e_support.ticket_keys import TicketKeys, UserKeyPort
from e2e_support.ticket_state import advance
from e2e_support_client import clock
from e2e_support_client.archive.sealing import Signer
from e2e_support_client.archive.writing import Fetch, Leaving, exporting, kept_log
from e2e_support_client.context import Context
from e2e_support_client.download import download
from e2e_support_client.model import OnProgress, Progress
from e2e_support_client.store import TicketRow
from e2e_support_client.told_apart import told_apart
from e2e_support_client.view import messages


async def export_own(
    context: Context,
    target: Path,
    numbers: Sequence[str],
    on_progress: OnProgress,
    *,
    attachments: bool,
    force: bool,
) -> int:
    """Write tickets into one file and return how many.

    Args:
        context: the open client.
        target: the file to make.
        numbers: which; empty for all.
        on_progress: told after every ticket.
        attachments: whether their files go with them.
        force: whether an existing file is replaced.

    Raises:
        UsageError: ``unknown_ticket``, ``not_stored``, ``not_a_ticket``, ``no_tickets``, ``file_exists``,
            ``cannot_write``.
        SupportError: a file could not be fetched; nothing was written.
    """
    await context.reader.sync()  # what is known leaves if the relay cannot be asked
    rows = await _rows(context, numbers)
    signers: list[Signer] = []
    with exporting(target, context.team.roster, force=force) as export:
        for done, row in enumerate(rows, 1):
            keys = context.rooms.keys(row)
            fetch = _fetch(context, keys) if attachments else None
            await export.add(await _leaving(context, row, keys, fetch))
            signers.append((keys.author.public, keys.author))
            on_progress(Progress("export", done, len(rows), row.number))
        await asyncio.to_thread(export.seal, signers, now=clock.now())
    return len(rows)


async def _rows(context: Context, numbers: Sequence[str]) -> list[TicketRow]:
    if numbers:
        named = [await context.reader.stored_row(number) for number in numbers]
        return list({row.number: row for row in named}.values())
    rows = [row for row in await context.store.tickets() if await _is_ticket(context, row)]
    if not rows:
        raise UsageError("no_tickets", "there is nothing to export yet", hint="Open a ticket first.")
    return rows


async def _is_ticket(context: Context, row: TicketRow) -> bool:
    """Tell whether an opening stands in a place: others can put anything into one that is kept free."""
    async with context.rooms.open(row.number) as room:
        return room.thread.state is not None


async def _leaving(context: Context, row: TicketRow, keys: TicketKeys, fetch: Fetch | None) -> Leaving:
    roster = context.team.roster
    port = UserKeyPort(roster.team_id, keys.reply)
    conversation = Conversation(row.mailbox, roster, port, author_key=keys.author.public)
    thread = Thread(roster)
    opened = kept_log(conversation, await context.store.records(row.number), thread)
    state = advance(thread.require_state(), clock.now())
    said = tuple(told_apart(messages(thread.entries, roster.policy, context.profile.name), roster))
    return Leaving(row.number, row.mailbox, opened, state, said, fetch)


def _fetch(context: Context, keys: TicketKeys) -> Fetch:
    async def fetch(manifest: Attachment, place: Path) -> None:
        await download(context.relay, keys.mailbox, keys.capability, manifest, place)

    return fetch
