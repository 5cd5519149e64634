"""The lists of tickets: filtered, counted by status, searched; all of it from the local store, as of now."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from e2e_support_client import clock
from e2e_support_console.filters import Filters, condition, label_ids
from e2e_support_console.index import find, tickets
from e2e_support_console.model import InboxTicket
from e2e_support_console.names import member_names
from e2e_support_console.reading import inbox_ticket
from e2e_support_console.search import Found, search
from e2e_support_console.settling import rebuild, settle
from e2e_support_console.ticket_desk import TicketDesk

HITS: Final = 20
"""Hits of each group that a search returns."""


class Lists(TicketDesk):
    """The lists of ``TeamClient.inbox``; arguments as ``TicketDesk``."""

    async def list(
        self,
        *,
        status: str | None = None,
        priority: str | None = None,
        category: str | None = None,
        assignee: str | None = None,
        tag: str | None = None,
        text: str | None = None,
        view: str | None = None,
        limit: int | None = None,
    ) -> tuple[InboxTicket, ...]:
        """Return the tickets of the local store: whoever waits longest first, closed ones last.

        Archived ones and spam are left out, unless a status or a view is asked for. All filters must hold.

        Args:
            status: id of a label.
            priority: id of a level.
            category: id.
            assignee: ``me``, ``nobody`` or a member's name.
            tag: one of the ticket's tags.
            text: words as in ``search``.
            view: id of one of ``filters.VIEWS``.
            limit: at most so many.

        Raises:
            UsageError: ``no_view``, ``unknown_status``, ``unknown_priority``, ``unknown_category``, ``no_member``,
                ``ambiguous_name`` or ``bad_query``.
        """
        asked = Filters(*(given or "" for given in (status, priority, category, assignee, tag, text, view)))
        return await self.filtered(asked, limit=limit)

    async def filtered(self, filters: Filters, *, limit: int | None = None) -> tuple[InboxTicket, ...]:
        """Return the tickets that fit filters; order and errors as ``list``."""
        desk = self._desk
        await settle(desk)
        rows = await tickets(desk.store, *condition(desk, filters, clock.now()), limit)
        names = member_names(desk.roster)
        return tuple(inbox_ticket(row, names) for row in rows)

    async def counts(self, filters: Filters = Filters()) -> dict[str, int]:  # noqa: B008 - it is frozen
        """Return how many tickets there are with each label, by label id in the order of the team's table.

        Args:
            filters: count only what fits them; their status is passed over, so that all labels can be compared.

        Raises:
            UsageError: as ``list``.
        """
        desk = self._desk
        await settle(desk)
        where, values = condition(desk, replace(filters, status=""), clock.now(), hide=False)
        sql = f"SELECT status, count(*) FROM tickets WHERE {where} GROUP BY status"  # noqa: S608 - literals alone
        found = dict(tuple(row) for row in await desk.store.fetch_all(sql, *values))
        return {label: found.get(label, 0) for label in label_ids(desk.roster.policy)}

    async def search(self, text: str, *, limit: int = HITS) -> Found:
        """Return where words stand in tickets, closed and archived ones among them.

        Args:
            text: words and operators, see ``query.OPERATORS``.
            limit: hits of each group.

        Raises:
            UsageError: ``empty_query``, ``bad_query``, or a filter's as in ``list``.
        """
        await settle(self._desk)
        return await search(self._desk, text, now=clock.now(), limit=limit)

    async def rebuild(self) -> None:
        """Make all lines and the index of the search anew from the entries that are kept."""
        await rebuild(self._desk)

    async def has(self, number: str) -> bool:
        """Tell whether the local store knows a ticket.

        Raises:
            UsageError: ``bad_number`` or ``ambiguous_number``.
        """
        return await find(self._desk.store, number) is not None
