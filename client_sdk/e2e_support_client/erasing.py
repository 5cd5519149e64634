"""Erasing tickets for good, where the policy lets users do so; and the list of what was erased."""

from __future__ import annotations

from e2e_support.errors import UsageError
from e2e_support.policy_parts import UserDelete
from e2e_support.ticket_state import advance
from e2e_support.vocab import Lifecycle
from e2e_support_client import clock
from e2e_support_client.context import Context
from e2e_support_client.erased_store import ErasedRow
from e2e_support_client.tombstones import Stakes
from e2e_support_client.view import messages


class TicketErasing:
    """What ``Tickets`` does about the end of tickets; arguments as there."""

    _context: Context

    async def stakes(self, number: str) -> Stakes:
        """Return what goes if a ticket is erased now, to be shown before a person agrees.

        Raises:
            UsageError: ``erase_off``, ``not_closed``, ``erased``, ``unknown_ticket``, ``bad_number``.
        """
        context = self._context
        row = await context.rooms.row(number)
        await context.reader.sync_one(row.number)
        roster = context.team.roster
        if roster.policy.delete.user is not UserDelete.ERASE_CLOSED:
            raise UsageError(
                "erase_off", "tickets are not erased here", hint="The team keeps them; see `policy`."
            )
        async with context.rooms.open(row.number) as room:
            state = advance(room.thread.require_state(), clock.now())
            if state.lifecycle is not Lifecycle.CLOSED:
                raise UsageError("not_closed", "the ticket is not closed", hint="Close it first.")
            said = list(messages(room.thread.entries, roster.policy, ""))
        return Stakes(row.number, len(said), sum(len(message.attachments) for message in said))

    async def erase(self, number: str) -> None:
        """Erase a closed ticket: at the relay now, here now, and with administrators when their consoles sync.

        Nobody can bring it back. Who exported, downloaded or copied something keeps that.

        Args:
            number: the ticket.

        Raises:
            UsageError: as ``stakes``.
            TransportError: the relay cannot be reached; if it erased it all the same, the next look purges it here.
        """
        stakes = await self.stakes(number)
        await self._context.rooms.erase(stakes.number)

    async def erased(self) -> tuple[ErasedRow, ...]:
        """Return what is left of erased tickets, the newest first."""
        return tuple(await self._context.rooms.erased.all())
