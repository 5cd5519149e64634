"""Lets the relay hold the team space's volumes: neither time nor an agent takes them away then (protocol 3.9, 4.13)."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.errors import TransportError
from e2e_support.ids import MailboxId
from e2e_support_client import clock
from e2e_support_client.port import Refused
from e2e_support_console import volumes
from e2e_support_console.desk import Desk
from e2e_support_console.index import bytes_of, remember
from e2e_support_console.volume import space_mailboxes

HELD: Final = "space held"
"""Fact: the open volume that the relay was told to hold."""
AT_ONCE: Final = 4
"""Volumes that one run lets the relay hold: it grants each member so many deeds an hour."""


async def hold_open(desk: Desk) -> None:
    """Let the relay hold the open volume, once: from then on no agent can erase it for the whole team (attack 115).

    Args:
        desk: the unlocked device.
    """
    *_, mailbox = await space_mailboxes(desk)
    known = await bytes_of(desk.store, HELD) == mailbox
    if known or not await desk.store.fetch_one("SELECT 1 FROM entries WHERE mailbox = ?", mailbox):
        return
    with suppress(TransportError, Refused):  # the next run tries again
        await _hold(desk, mailbox)
        async with desk.store.transaction() as change:
            await remember(change, HELD, mailbox)


async def _hold(desk: Desk, mailbox: MailboxId) -> None:
    device, key = desk.bundle.signer()
    body = DestructionBody(desk.team_id, mailbox, Deed.HOLD, clock.now(), device)
    await desk.relay.destroy(mailbox, sign_destruction(body, key), desk.capability())


async def hold_finished(desk: Desk, before: int) -> None:
    """Let the relay keep finished volumes for good: no entry keeps them alive any more (protocol 3.9).

    Where the relay is away, or wants this device to wait, the next run goes on.

    Args:
        desk: the unlocked device.
        before: those that ended until then, in seconds since 1970.
    """
    with suppress(TransportError):
        for volume in await volumes.idle(desk.store, before, AT_ONCE):
            with suppress(Refused):  # it is gone
                await _hold(desk, volume.mailbox)
            async with desk.store.transaction() as change:
                await volumes.mark_held(change, volume.number, held=True)
