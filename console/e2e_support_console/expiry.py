"""Erases closed tickets whose time is over, with both of their logs (protocol 3.9, 5.10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from e2e_support.conversation import Opened
from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.ids import MailboxId
from e2e_support.limits import CLOCK_WARNING
from e2e_support.ticket_state import DAY, erase_due
from e2e_support.vocab import AuthorRole, Verdict
from e2e_support_client import clock
from e2e_support_client.port import Refused
from e2e_support_console.desk import Desk
from e2e_support_console.follow import Follower
from e2e_support_console.ticket_row import TicketRow

_GONE: Final = frozenset({"erased", "not_found"})


async def expire(desk: Desk, row: TicketRow) -> bool:
    """Erase a ticket at the relay if its time is over there too; tell whether this device did it.

    Args:
        desk: the unlocked device.
        row: the ticket.

    Raises:
        Refused: ``erased`` where somebody else was faster, and others.
        TransportError, PeerError, TrustError: relay or team are not as they must be.
    """
    shared = await Follower(desk).shared(row.mailbox)
    state, policy = shared.state, desk.roster.policy
    if state is None or not 0 < erase_due(state, policy) <= clock.now():
        return False
    if _is_young(shared.thread.entries, policy.retention.closed_days):
        return False
    await _erase(desk, row.staff_log)  # first: a ticket whose shared log is gone is found by nobody any more
    return await _erase(desk, row.mailbox)


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


async def _erase(desk: Desk, mailbox: MailboxId) -> bool:
    """Let the relay erase a mailbox; tell whether it was there."""
    device_id, key = desk.bundle.signer()
    body = DestructionBody(desk.team_id, mailbox, Deed.ERASE, clock.now(), device_id)
    try:
        await desk.relay.destroy(mailbox, sign_destruction(body, key), desk.capability())
    except Refused as refused:
        if refused.code not in _GONE:
            raise
        return False
    return True
