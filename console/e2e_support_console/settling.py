"""Makes rows anew that nothing in a log has changed: a new policy labels all tickets, and time closes or wakes some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.index import bytes_of, forget, remember
from e2e_support_console.overrun import flag_overruns
from e2e_support_console.rows import renew_row
from e2e_support_keys.store import Row

AT_ONCE: Final = 256
_POLICY: Final = "policy"
_ALL: Final = "SELECT mailbox, staff_log FROM tickets"
_DUE: Final = f"{_ALL} WHERE due_at > 0 AND due_at <= ?"


async def settle(desk: Desk) -> None:
    """Bring all rows up to the newest policy and the present time; cheap where there is nothing to do.

    Args:
        desk: the unlocked device.
    """
    policy = desk.roster.policy.to_bytes()
    if await bytes_of(desk.store, _POLICY) == policy:
        await _renew(desk, await desk.store.fetch_all(_DUE, clock.now()))
        return
    await _renew(desk, await desk.store.fetch_all(_ALL))
    async with desk.store.transaction() as change:
        await remember(change, _POLICY, policy)


async def rebuild(desk: Desk) -> None:
    """Make all rows and the whole index of the search anew, from the entries that are kept.

    Args:
        desk: the unlocked device.
    """
    async with desk.store.transaction() as change:
        await change.execute("DELETE FROM passages")
        await forget(change, _POLICY)
    await settle(desk)


async def _renew(desk: Desk, tickets: Sequence[Row]) -> None:
    for start in range(0, len(tickets), AT_ONCE):
        some = tickets[start : start + AT_ONCE]
        async with desk.store.transaction() as change:
            renewed = [await renew_row(change, desk.roster, row[0], row[1], now=clock.now()) for row in some]
            await flag_overruns(change, desk.roster, [one.row.user_key for one in renewed if one])
