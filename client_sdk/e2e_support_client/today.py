"""How many tickets a user may still open today, as far as this device knows: nobody counts them for the user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from e2e_support.quota import left_today
from e2e_support.vocab import AuthorRole, Kind
from e2e_support_client import clock
from e2e_support_client.context import Context
from e2e_support_client.model import State, utc


@dataclass(frozen=True, slots=True)
class Today:
    """What the team's limit of tickets a day leaves.

    Attributes:
        left: how many may still be opened; ``None`` where the team sets no limit.
        resets_at: when that number rises again; ``None`` where nothing has to pass first.
    """

    left: int | None
    resets_at: datetime | None


async def today(context: Context) -> Today:
    """Return what is left of the running day, counting what waits on this device to be sent."""
    created = [*await _stored(context), *await _waiting(context)]
    left, resets_at = left_today(context.team.roster.policy.limits, created, clock.now())
    return Today(left, utc(resets_at) if resets_at else None)


async def _stored(context: Context) -> list[int]:
    """Return when the user's own tickets were received; those that the team opened cost the user nothing."""
    times: list[int] = []
    for row in await context.store.tickets():
        async with context.rooms.open(row.number) as room:
            state = room.thread.state
            if state is not None and state.opened_by is AuthorRole.USER:
                times.append(state.created_at)
    return times


async def _waiting(context: Context) -> list[int]:
    items = await context.store.items()
    return [item.created_at for item in items if item.kind is Kind.OPEN and item.state is not State.FAILED]
