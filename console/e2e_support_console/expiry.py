"""Erases closed tickets whose time is over, with both of their logs (protocol 3.9, 5.10)."""

from __future__ import annotations

from collections.abc import Iterable

from e2e_support.limits import CLOCK_WARNING
from e2e_support.opened import Opened
from e2e_support.ticket_state import DAY, erase_due
from e2e_support.vocab import AuthorRole, Verdict
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.erasing import erase_ticket
from e2e_support_console.follow import Follower
from e2e_support_console.ticket_row import TicketRow


async def expire(desk: Desk, row: TicketRow) -> bool:
    """Erase a ticket at the relay if its time is over there too; tell whether this device did it.

    Args:
        desk: the unlocked device.
        row: the ticket.

    Raises:
        Refused: the relay refuses.
        TransportError, PeerError, TrustError: relay or team are not as they must be.
    """
    shared = await Follower(desk).shared(row.mailbox)
    state, policy = shared.state, desk.roster.policy
    if state is None or not 0 < erase_due(state, policy) <= clock.now():
        return False
    if _is_young(shared.thread.entries, policy.retention.closed_days):
        return False
    return await erase_ticket(desk, row)


def _is_young(entries: Iterable[Opened], days: int) -> bool:
    """Tell whether the team wrote within the time by its own clocks: a relay that dates back shortens nothing."""
    since = clock.now() - days * DAY + CLOCK_WARNING
    return any(
        entry.verdict is Verdict.OK
        and entry.inner is not None
        and entry.inner.author.role is AuthorRole.DEVICE
        and entry.inner.time > since
        for entry in entries
    )
