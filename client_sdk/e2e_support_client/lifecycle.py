"""What a user can do with tickets besides writing: count, hide, follow their history, let the team open one."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from e2e_support.errors import SupportError, UsageError
from e2e_support.policy_parts import UserDelete
from e2e_support.ticket_state import advance
from e2e_support.user import make_card
from e2e_support_client import clock
from e2e_support_client.context import Context
from e2e_support_client.history import TimelineEvent, timeline
from e2e_support_client.view import author_of, closing_of


class TicketList:
    """The user's tickets as a list; ``Tickets`` adds writing and reading."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reader = context.reader

    async def counts(self) -> dict[str, int]:
        """Return how many tickets have each status, by the label's id; hidden ones are not counted."""
        await self._reader.sync()
        lines = await self._reader.lines("")
        rules = self._context.team.roster.policy.labels_user
        found = dict.fromkeys((rule.id for rule in reversed(rules)), 0)
        for line in lines:
            found[line.status] = found.get(line.status, 0) + 1
        return found

    async def hide(self, number: str) -> None:
        """Put a closed ticket out of the list on this device, until it is opened again.

        The team and the user's other devices see it as before.

        Args:
            number: the ticket.

        Raises:
            UsageError: ``not_closed``; ``hide_off`` where the policy keeps all in the list; ``unknown_ticket``,
                ``bad_number``.
        """
        row = await self._context.rooms.row(number)
        await self._reader.sync_one(row.number)
        if self._context.team.roster.policy.delete.user is UserDelete.NEVER:
            raise UsageError(
                "hide_off",
                "tickets stay in the list here",
                hint="The team wants what is closed to be kept in sight; list only what is open.",
            )
        async with self._context.rooms.open(row.number) as room:
            state = advance(room.thread.require_state(), clock.now())
        closing = closing_of(state)
        if not closing:
            raise UsageError(
                "not_closed", "the ticket is not closed", hint="Close it first; then it can be hidden."
            )
        await self._context.lifecycle.hide(row.number, closing)

    async def unhide(self, number: str) -> None:
        """Show a hidden ticket in the list again; nothing changes for others.

        Raises:
            UsageError: ``unknown_ticket``, ``bad_number``.
        """
        await self._context.lifecycle.hide((await self._context.rooms.row(number)).number, 0)

    async def card(self, *, unlinked: bool = False) -> str:
        """Return a card with which an administrator can open a ticket for this user; the same until one has.

        It holds public keys and no secret. Whoever has it learns nothing of other tickets, unless they are in the
        team and the card is linked.

        Args:
            unlinked: leave out what joins the ticket to the user's others.
        """
        rooms = self._context.rooms
        with suppress(SupportError):  # another device may have taken places
            await self._context.discovery.look()
        today = datetime.fromtimestamp(clock.now(), UTC)
        month = today.year * 100 + today.month
        number = await self._context.lifecycle.reserve(
            rooms.dated(month), lambda index: rooms.place(month, index)
        )
        row = await rooms.row(number)
        user = None if unlinked else rooms.user(row)
        return make_card(rooms.keys(row), self._context.team.pin.team_id, user)

    async def timeline(self, number: str) -> tuple[TimelineEvent, ...]:
        """Return how a ticket came to its status, step by step, with changes of rules and team on the way.

        Raises:
            UsageError: ``unknown_ticket``, ``bad_number``.
        """
        row = await self._context.rooms.row(number)
        await self._reader.sync_one(row.number)
        roster, user = self._context.team.roster, self._context.profile.name
        async with self._context.rooms.open(row.number) as room:
            return tuple(
                timeline(
                    room.thread.entries,
                    roster,
                    now=clock.now(),
                    name_of=lambda opened: author_of(opened, roster.policy, user).name,
                )
            )

    async def mark_read(self, number: str) -> None:
        """Remember on this device that the person has seen everything that is in a ticket now."""
        async with self._context.rooms.open(number) as room:
            await self._context.store.set_read(room.row.number, room.length, clock.now())
