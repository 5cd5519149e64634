"""Carries out changes of the team: built on the newest roster, and built again where somebody was faster.

A change that needs more owners becomes a proposal instead; below the threshold nothing happens (protocol 4.3).
"""

from __future__ import annotations

from collections.abc import Callable

from e2e_support.errors import TransportError
from e2e_support.roster import TrustedRoster
from e2e_support.wire import Batch
from e2e_support_client.channel import ATTEMPTS_MAX
from e2e_support_console.desk import Desk
from e2e_support_console.proposals import Proposal, Proposals, post
from e2e_support_keys.changes import missing

Build = Callable[[TrustedRoster], Batch | None]
"""Returns what is still to be done on a roster; ``None`` once it is done, so that it may be called again."""


async def carry_out(desk: Desk, build: Build) -> Proposal | None:
    """Carry out a change, or propose it.

    Args:
        desk: the unlocked device.
        build: makes the batch; may raise what stands against it.

    Returns:
        The proposal if more owners must sign, ``None`` once it is done.

    Raises:
        TransportError: the relay is away, or ``busy_team``; run it again.
        UsageError, TrustError, PeerError: what ``build`` or the relay says.
    """
    for _ in range(ATTEMPTS_MAX):
        await desk.team.refresh(even_shut=True)
        batch = build(desk.roster)
        if batch is None:
            return None
        if missing(batch, desk.roster):
            return await Proposals(desk).add(batch)
        if await post(desk, batch):
            return None
    raise TransportError(
        "busy_team", "others change the team faster than this", hint="Try again in a minute."
    )
