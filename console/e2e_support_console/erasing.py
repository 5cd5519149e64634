"""Erasing tickets for good: both logs at the relay, and all that came of them here (protocol 3.9).

The relay keeps the signed statement, so whoever is stopped in between, and every other console, finds out by its feed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from e2e_support.errors import PeerError, TransportError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.policy_parts import StaffDelete
from e2e_support.vocab import WRITERS
from e2e_support_client import clock
from e2e_support_client.port import Refused
from e2e_support_client.tombstones import Stakes, Tombstone, read_tombstone, sign_erasure
from e2e_support_console.desk import Desk
from e2e_support_console.erased import (
    ErasedTicket,
    all_erased,
    bury,
    finished,
    scrub,
    unfinished,
)
from e2e_support_console.index import last_record, tickets
from e2e_support_console.reading import thread_messages
from e2e_support_console.ticket_desk import TicketDesk
from e2e_support_console.ticket_logs import ticket_logs
from e2e_support_console.ticket_row import TicketRow
from e2e_support_keys.store import Queries

_GONE: Final = frozenset({"erased", "not_found"})


class Erasing(TicketDesk):
    """The end of tickets in ``TeamClient.inbox``; arguments as ``TicketDesk``."""

    async def stakes(self, number: str) -> Stakes:
        """Return what goes if a ticket is erased now, to be shown before a person agrees.

        Raises:
            UsageError: ``erase_off``, ``erased``, ``no_ticket``, ``bad_number``.
            TrustError: ``not_allowed``, ``not_in_team``.
        """
        desk = self._desk
        desk.writer()
        row = await self._follower.find(number)
        if desk.roster.policy.delete.staff is not StaffDelete.CONFIRM and not _is_over(row):
            raise UsageError(
                "erase_off", "tickets are not erased here", hint="The policy keeps them; archive it instead."
            )
        await self._follower.bring_up(row)
        logs = await ticket_logs(desk.store, desk.roster, row.mailbox, row.staff_log)
        said = list(thread_messages(logs.shared.entries, logs.staff.entries, desk.roster.policy, ""))
        notes = sum(message.internal for message in said)
        files = sum(len(message.attachments) for message in said)
        return Stakes(row.number, len(said) - notes, files, notes)

    async def erase(self, number: str) -> None:
        """Erase a ticket: at the relay now, here now, and with its user and colleagues when they connect next.

        Nobody can bring it back. Who exported, downloaded or copied something keeps that.

        Args:
            number: the ticket.

        Raises:
            UsageError: as ``stakes``.
            TransportError: the relay cannot be reached; what it erased all the same goes here with the next sync.
            PeerError, TrustError: relay or team are not as they must be.
        """
        stakes = await self.stakes(number)
        await erase_ticket(self._desk, await self._follower.find(stakes.number))
        await scrub(self._desk.store)

    async def erased(self) -> tuple[ErasedTicket, ...]:
        """Return what is left of erased tickets, the newest first."""
        return tuple(await all_erased(self._desk.store))


async def due_for_erasure(queries: Queries, now: int) -> list[TicketRow]:
    """Return closed tickets whose time by the policy is over (protocol 5.10).

    Args:
        queries: the store.
        now: seconds since 1970.
    """
    return await tickets(queries, "erase_due > 0 AND erase_due <= ?", [now])


async def erase_ticket(desk: Desk, row: TicketRow) -> bool:
    """Erase both logs of a ticket at the relay, and purge it here; tell whether this device was first.

    ``scrub`` the store once all that is to go is gone.

    Args:
        desk: the unlocked device.
        row: the ticket.

    Raises:
        Refused: ``not_yours`` and others; nothing was purged.
        TransportError, TrustError: the next sync finds out what the relay has done.
    """
    device, key = desk.bundle.signer()
    statement = sign_erasure(desk.team_id, row.mailbox, device, key, clock.now())
    own = read_tombstone(statement, desk.roster, row.mailbox)
    first = True
    try:
        await desk.relay.destroy(row.mailbox, statement, desk.capability())
    except Refused as refused:
        if refused.code != "erased":
            raise
        first = False
    stone = own if first else await found_stone(desk, row.mailbox) or own
    async with desk.store.transaction() as change:
        await bury(change, stone, row.mailbox, row.staff_log)
    await finish_erasing(desk)
    return first


async def found_stone(desk: Desk, ticket: MailboxId) -> Tombstone | None:
    """Return the good statement by which a ticket was erased; ``None`` where the relay only claims that it was.

    Args:
        desk: the unlocked device.
        ticket: its shared log.

    Raises:
        TransportError: the relay cannot be reached.
    """
    known = await last_record(desk.store, ticket)
    try:
        statement = await desk.relay.tombstone(ticket, desk.capability())
        return read_tombstone(statement, desk.roster, ticket, newest=known.received if known else 0)
    except (Refused, PeerError):
        return None


async def finish_erasing(desk: Desk) -> None:
    """Let the relay erase what it still has of erased tickets.

    That is the staff log of a ticket that its user erased, a note that somebody wrote too late, and everything on a
    relay that was restored from an old backup (protocol 3.10). Where the relay is away, or wants this device to wait,
    the next sync goes on.

    Args:
        desk: the unlocked device.
    """
    own = desk.roster.devices.get(desk.bundle.device_id)
    if own is None or own.role not in WRITERS:
        return
    with suppress(TransportError):
        for ticket in await unfinished(desk.store):
            await _finish(desk, ticket)


async def _finish(desk: Desk, ticket: ErasedTicket) -> None:
    if not await _destroyed(desk, ticket.mailbox, ticket.statement):
        await _destroyed(desk, ticket.mailbox, _statement(desk, ticket.mailbox))
    await _destroyed(desk, ticket.staff_log, _statement(desk, ticket.staff_log))
    async with desk.store.transaction() as change:
        await finished(change, ticket.mailbox)


async def _destroyed(desk: Desk, mailbox: MailboxId, statement: bytes) -> bool:
    """Tell whether the relay has nothing of a mailbox after a statement; an older one may not count any more."""
    try:
        await desk.relay.destroy(mailbox, statement, desk.capability())
    except Refused as refused:
        return refused.code in _GONE
    return True


def _statement(desk: Desk, mailbox: MailboxId) -> bytes:
    device, key = desk.bundle.signer()
    return sign_erasure(desk.team_id, mailbox, device, key, clock.now())


def _is_over(row: TicketRow) -> bool:
    return 0 < row.erase_due <= clock.now()
