"""What a user reads of their tickets: the list, one ticket, its files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from pathlib import Path
from typing import Literal

from e2e_support_client.context import Context
from e2e_support_client.delivery import no_progress
from e2e_support_client.model import Message, OnProgress, Page, Ticket, TicketSummary
from e2e_support_client.reader import Reader

Order = Literal["updated", "created"]


class TicketReading:
    """What ``Tickets`` does to read; arguments as there."""

    _context: Context
    _reader: Reader

    async def list(
        self,
        *,
        status: str | Collection[str] | None = None,
        text: str | None = None,
        category: str | None = None,
        updated_since: datetime | None = None,
        order: Order = "updated",
        limit: int | None = None,
        hidden: bool = False,
    ) -> Page:
        """Return the user's tickets, the newest first, with what the relay has now if it can be reached.

        Args:
            status: labels to keep, by id or text.
            text: keep tickets that have this in number, subject or any message.
            category: id of the category to keep.
            updated_since: keep what changed at or after this time.
            order: by last change or by creation.
            limit: how many at most.
            hidden: whether hidden ones are among them.
        """
        offline = await self._reader.sync()
        wanted = {status} if isinstance(status, str) else status
        kept = [
            line
            for line in await self._reader.lines(text or "", hidden=hidden)
            if (wanted is None or _labels(wanted, line))
            and category in {None, line.category}
            and (updated_since is None or line.updated_at >= updated_since)
        ]
        kept.sort(key=lambda line: line.updated_at if order == "updated" else line.created_at, reverse=True)
        return Page(tuple(kept[:limit]), offline)

    async def get(self, number: str) -> Ticket:
        """Return a whole ticket, with what the relay has now if it can be reached.

        Raises:
            UsageError: ``unknown_ticket``, ``bad_number``, ``not_a_ticket`` for one without a valid opening, or
                ``erased`` (``tombstones.Erased``), which says by whom and when.
        """
        row = await self._context.rooms.row(number)
        offline = await self._reader.sync_one(row.number)
        return await self._reader.ticket(row.number, offline)

    async def messages(self, number: str) -> AsyncIterator[Message]:
        """Yield what was said in a ticket, in order; otherwise as ``get``."""
        for message in (await self.get(number)).messages:
            yield message

    async def download(
        self,
        number: str,
        name: str,
        target: str | os.PathLike[str],
        *,
        seq: int | None = None,
        force: bool = False,
        on_progress: OnProgress = no_progress,
    ) -> Path:
        """Save a file of a ticket; it appears under its name only when every byte was verified.

        Args:
            number: the ticket.
            name: the file's name, as it stands in the message.
            target: where to save: a new file, or a directory in which it gets its own (sanitised) name.
            seq: in which message, where several have a file of that name; the newest by default.
            force: replace a file that stands there.
            on_progress: told of the download.

        Returns:
            Where it was saved.

        Raises:
            UsageError: ``unknown_attachment``, ``file_exists``, ``unknown_ticket``, ``disk_full``.
            PeerError: ``bad_attachment``: the relay has other bytes than were signed; nothing is kept.
            TransportError: the relay cannot be reached.
        """
        row = await self._context.rooms.row(number)
        await self._reader.sync_one(row.number)
        manifest = await self._reader.manifest(row.number, name, seq)
        keys = self._context.rooms.keys(row)
        return await self._context.courier.download(keys, manifest, Path(target), on_progress, force=force)


def _labels(wanted: Collection[str], line: TicketSummary) -> bool:
    folded = {label.casefold() for label in wanted}
    return line.status.casefold() in folded or line.status_text.casefold() in folded
