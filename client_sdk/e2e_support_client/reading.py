"""What a user reads of their tickets: the list, one ticket, its files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from e2e_support.errors import UsageError
from e2e_support_client.context import Context
from e2e_support_client.delivery import no_progress
from e2e_support_client.model import Message, OnProgress, Page, Ticket, TicketSummary
from e2e_support_client.reader import LOCAL_STATUSES, Reader

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

        Raises:
            UsageError: ``unknown_status`` or ``unknown_category``, once the team is known.
        """
        offline = await self._reader.sync()
        lines = await self._reader.lines(text or "", hidden=hidden)
        statuses = {status} if isinstance(status, str) else status
        self._check_filter(lines, statuses or (), category)
        wanted = None if statuses is None else {one.casefold() for one in statuses}
        kept = [
            line
            for line in lines
            if (wanted is None or wanted & {line.status.casefold(), line.status_text.casefold()})
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

    def _check_filter(
        self, lines: Sequence[TicketSummary], statuses: Collection[str], category: str | None
    ) -> None:
        """Do nothing if there can be tickets of these statuses and this category."""
        if not self._context.team.known:
            return
        policy = self._context.team.roster.policy
        labels = {line.status: line.status_text for line in lines} | LOCAL_STATUSES
        labels = {rule.id: rule.text for rule in policy.labels_user} | labels
        known = {word.casefold() for word in (*labels, *labels.values())}
        for one in statuses:
            if one.casefold() not in known:
                raise _unknown("status", one, labels)
        categories = {one.id: one.label for one in policy.categories}
        if category not in {None, *categories, *(line.category for line in lines)}:
            raise _unknown("category", category or "", categories)


def _unknown(what: str, given: str, known: Mapping[str, str]) -> UsageError:
    names = (one if one == text.casefold() else f"{one} ({text})" for one, text in known.items())
    return UsageError(
        f"unknown_{what}", f"there is no {what} {given}", hint=f"There are: {', '.join(names)}."
    )
