"""What stands behind the bell: one list over all tickets, with what was seen, as the policy's switches say (S2-20)."""

from __future__ import annotations

from typing import Final

from e2e_support.content import FieldsBody, MergeBody
from e2e_support.policy import Policy
from e2e_support.ticket_keys import ticket_number
from e2e_support_client.model import EventKind, Notification, Role, utc
from e2e_support_client.reminders import Reminders
from e2e_support_client.rooms import Rooms
from e2e_support_client.store import JournalRow, LocalStore, TicketRow
from e2e_support_client.team import Team
from e2e_support_client.terminal import stamp
from e2e_support_client.view import device_name

RESPONSE: Final = "response"
_MARKED: Final = "notifications"  # cursor: the newest row of the journal that the person has marked read
_STATUS_KINDS: Final = frozenset(
    {EventKind.STATUS, EventKind.ASSIGNED, EventKind.CLOSED, EventKind.REOPENED, EventKind.CLOSING}
)
_TOLD: Final = {
    EventKind.OPENED: "The team opened a ticket for you.",
    EventKind.MESSAGE: "The team answered.",
    EventKind.RESOLVED: "Marked resolved.",
    EventKind.CLOSED: "Closed.",
    EventKind.REOPENED: "Opened again.",
    EventKind.PROBLEM: "Something is wrong in this ticket; show it to see what.",
}


class Notices:
    """The notifications of one user.

    Args:
        store: the journal and what was seen.
        rooms: the tickets.
        team: the roster with the policy.
        reminders: what time alone has done.
    """

    def __init__(self, store: LocalStore, rooms: Rooms, team: Team, reminders: Reminders) -> None:
        self._store = store
        self._rooms = rooms
        self._team = team
        self._reminders = reminders

    async def list(self, *, unread: bool) -> tuple[Notification, ...]:
        """Return what the person is told, the newest first.

        Args:
            unread: leave out what was seen.
        """
        if not self._team.known:
            return ()
        await self._reminders.look()
        marked = int(await self._store.cursor(_MARKED) or 0)
        tickets = {row.number: row for row in await self._store.tickets()}
        found: list[Notification] = []
        for row in reversed(await self._store.journal(0)):
            read = row.id <= marked or _was_seen(row, tickets.get(row.number))
            if not row.own and _is_told(row, self._team.roster.policy) and not (read and unread):
                found.append(await self._notification(row, read=read))
        return tuple(sorted(found, key=lambda one: one.at, reverse=True))

    async def mark_read(self) -> None:
        """Remember that the person has seen everything that is in the list now."""
        await self._reminders.look()
        rows = await self._store.journal(0)
        if rows:
            await self._store.set_cursor(_MARKED, str(rows[-1].id))

    async def _notification(self, row: JournalRow, *, read: bool) -> Notification:
        kind = RESPONSE if row.kind is EventKind.MESSAGE else row.kind.value
        if row.what:
            return Notification(kind, row.number, utc(row.at), read, row.what)
        async with self._rooms.open(row.number) as room:
            entry, state = room.thread.entries[row.seq], room.thread.state
        if row.at:
            due = utc(state.close_due) if state and state.close_due else None
            soon = f"Closes by itself{f' on {stamp(due)}' if due else ''}; a reply keeps it open."
            text = soon if row.kind is EventKind.CLOSING else "Closed by itself."
            return Notification(kind, row.number, utc(row.at), read, text)
        text = self._text(row, entry.body)
        return Notification(kind, row.number, utc(entry.received), read, text)

    def _text(self, row: JournalRow, body: object) -> str:
        if isinstance(body, MergeBody):
            return f"Closed: it goes on in {ticket_number(body.into)}."
        if row.kind is EventKind.ASSIGNED and isinstance(body, FieldsBody):
            return f"{device_name(body.assignee, self._team.roster)} works on it now."
        labels = {rule.id: rule.text for rule in self._team.roster.policy.labels_user}
        return _TOLD.get(row.kind) or f"Status: {labels.get(row.status, row.status)}"


def _is_told(row: JournalRow, policy: Policy) -> bool:
    """Tell whether the policy wants the person to be told; what concerns trust, or is gone, is told always."""
    if row.kind in {EventKind.PROBLEM, EventKind.ADMINISTRATOR, EventKind.ERASED}:
        return True
    if row.role is not Role.TEAM:
        return False
    notify = policy.notify
    if row.kind in {EventKind.MESSAGE, EventKind.OPENED}:
        return bool(notify.reply)
    if row.kind is EventKind.RESOLVED:
        return bool(notify.resolved)
    return bool(notify.status) and row.kind in _STATUS_KINDS


def _was_seen(row: JournalRow, ticket: TicketRow | None) -> bool:
    """Tell whether the person has looked at the ticket since."""
    if ticket is None:
        return False
    return ticket.seen_at >= row.at if row.at else row.seq < ticket.read_upto
