"""Reads tickets for people: brings them up to date if the relay can be reached, else says what was known before."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from e2e_support.content import Attachment, OpenBody
from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.policy import Policy
from e2e_support.ticket_keys import parse_number
from e2e_support.ticket_state import TicketState, advance, erase_due, reopen_until
from e2e_support.vocab import Kind, Lifecycle, Verdict
from e2e_support_client import clock
from e2e_support_client.at_once import together
from e2e_support_client.discovery import Discovery
from e2e_support_client.erased_store import ErasedRow
from e2e_support_client.model import Message, State, Ticket, TicketSummary, utc
from e2e_support_client.outbox_store import ItemRow, OutboxStore
from e2e_support_client.room import Room
from e2e_support_client.rooms import Rooms
from e2e_support_client.store import LocalStore, TicketRow
from e2e_support_client.team import Team
from e2e_support_client.told_apart import told_apart
from e2e_support_client.view import actions, assignee_name, closing_of, messages, summary, team_events

AT_ONCE: Final = 8  # tickets that are asked for at the same time
WAITING_TEXT: Final = {
    State.QUEUED: "Kept on this device",
    State.UPLOADING: "Uploading",
    State.SEALED: "Sealed on this device",
    State.FAILED: "Failed, kept",
}
LOCAL_STATUSES: Final[dict[str, str]] = {state.value: text for state, text in WAITING_TEXT.items()} | {
    "erased": "Erased"
}
"""What a ticket's status can be besides the labels of the policy."""


class Reader:
    """What one user can read.

    Args:
        store: what is known.
        drafts: what waits here.
        rooms: the tickets.
        team: the roster.
        discovery: finds what other devices made.
        user: display name of the user; empty for "You".

    Attributes:
        offline: why the relay could not be asked the last time; empty if it could.
    """

    def __init__(
        self,
        store: LocalStore,
        drafts: OutboxStore,
        rooms: Rooms,
        team: Team,
        *,
        discovery: Discovery,
        user: str,
    ) -> None:
        self._store = store
        self._drafts = drafts
        self._rooms = rooms
        self._team = team
        self._discovery = discovery
        self._user = user
        self.offline = ""

    # --- bringing up to date -----------------------------------------------------------------------------

    async def sync(self) -> str:
        """Follow what is new in every ticket; return the empty text, or why the relay could not be asked."""
        self.offline = await self._sync()
        return self.offline

    async def _sync(self) -> str:
        trouble = await self._refreshed()
        if trouble or not self._team.known:
            return trouble
        with suppress(SupportError):  # what is known goes on
            await self._discovery.look_again()
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: str) -> str:
            async with gate:
                return await self.pull(number)

        waiting = await self.waiting()
        numbers = [row.number for row in await self._store.tickets() if row.number not in waiting]
        return next(filter(None, await together(list(map(one, numbers)))), "")

    async def sync_one(self, number: str) -> str:
        """Do as ``sync`` for one ticket."""
        self.offline = await self._refreshed()
        if not self.offline and number not in await self.waiting():
            self.offline = await self.pull(number)
        return self.offline

    async def pull(self, number: str) -> str:
        """Follow what is new in one ticket; return the empty text, or why the relay could not be asked.

        What is wrong with the ticket itself stands in its ``problem`` afterwards, and other tickets go on.
        """
        try:
            await self._rooms.pull(number)
        except TransportError as error:
            return error.message
        except SupportError:
            pass
        return ""

    async def stored_row(self, number: str) -> TicketRow:
        """Return a ticket that has reached the relay.

        Raises:
            UsageError: ``not_stored``, ``unknown_ticket``, ``bad_number``.
        """
        row = await self._rooms.row(number)
        if row.number in await self.waiting():
            raise UsageError(
                "not_stored",
                f"{row.number} itself is not stored yet",
                hint="Send what is kept first: then it can be written into, or exported.",
            )
        return row

    async def waiting(self) -> dict[str, ItemRow]:
        """Return the openings that are not stored yet, by the number that they have already."""
        items = await self._drafts.items()
        return {item.number: item for item in items if item.kind is Kind.OPEN and item.number}

    async def _refreshed(self) -> str:
        """Look for a newer roster; whatever is wrong with it, what is known can be read (but not written to)."""
        try:
            await self._team.refresh_if_old()
        except SupportError as error:
            return error.message
        return ""

    # --- showing -----------------------------------------------------------------------------------------

    async def lines(self, text: str, *, hidden: bool = False) -> list[TicketSummary]:
        """Return a line for every ticket that has a text in number, subject or messages.

        Args:
            text: in any case; a number in any spelling; empty for all tickets.
            hidden: whether those that were put away are among them, and what is left of erased ones.
        """
        waiting = await self.waiting()
        found = [_waiting_line(item) for item in waiting.values()]
        lines = [line for line in found if _has(line, (), text)]
        for row in await self._store.tickets():
            if row.number not in waiting:
                async with self._rooms.open(row.number) as room:
                    line = await self._line(room)
                    shown = line is not None and (hidden or not line.hidden)
                    if line is not None and shown and _has(line, self._said(room), text):
                        lines.append(line)
        erased = [_erased_line(row) for row in await self._rooms.erased.all()] if hidden else []
        return lines + [line for line in erased if _has(line, (), text)]

    async def ticket(self, number: str, offline: str) -> Ticket:
        """Return a whole ticket as it is known.

        Raises:
            UsageError: ``not_a_ticket``.
        """
        item = (await self.waiting()).get(number)
        if item is not None:
            return Ticket(_waiting_line(item), (), frozenset(), "", "", {}, offline)
        merged_from = await self._merged_from(number)
        async with self._rooms.open(number) as room:
            roster, now = self._team.roster, clock.now()
            state = advance(room.thread.require_state(), now)
            line = await self._line(room)
            assert line is not None  # noqa: S101 - there is a state
            into = room.merged_into
            if into and await self._store.ticket(into) is None:
                line = replace(line, problem=line.problem or "merged_unknown")
            ends = _ends(state, roster.policy)
            return Ticket(
                line,
                self._said(room),
                actions(state, roster.policy, now),
                state.resolution_note,
                state.related,
                {pair.name: pair.value for pair in state.fields},
                offline,
                tuple(team_events(room.thread.entries, roster)),
                *ends,
                assignee=assignee_name(state, roster),
                merged_into=into,
                merged_from=merged_from,
            )

    async def _merged_from(self, number: str) -> tuple[str, ...]:
        """Return tickets that go on in another; only those that may are opened, to see whether they still do."""
        merged = list[str]()
        for row in await self._store.tickets():
            if row.number != number and row.merged_into in {None, number}:
                async with self._rooms.open(row.number) as room:
                    merged += [row.number] if room.merged_into == number else []
        return tuple(merged)

    async def message(self, number: str, seq: int) -> Message | None:
        """Return one message of a ticket, if that entry says something."""
        async with self._rooms.open(number) as room:
            return next((message for message in self._said(room) if message.seq == seq), None)

    async def manifest(self, number: str, name: str, seq: int | None) -> Attachment:
        """Return the manifest of a file, the newest of its name or the one in a message.

        Raises:
            UsageError: ``unknown_attachment``.
        """
        async with self._rooms.open(number) as room:
            for opened in reversed(room.thread.entries):
                if opened.verdict is Verdict.FORGED or opened.inner is None or seq not in {None, opened.seq}:
                    continue
                for file in opened.inner.attachments:
                    if file.name == name:
                        return file
        raise UsageError(
            "unknown_attachment",
            f"{number} has no file of that name",
            hint="Show the ticket to see its files.",
        )

    async def _line(self, room: Room) -> TicketSummary | None:
        number = room.row.number
        unread = await self._store.unread(number)
        row = await self._store.ticket(number) or room.row
        state = room.thread.at(clock.now())
        hidden = state is not None and 0 < closing_of(state) == row.hidden
        return summary(
            number, state, self._team.roster.policy, unread=unread, problem=row.problem, hidden=hidden
        )

    def _said(self, room: Room) -> tuple[Message, ...]:
        roster = self._team.roster
        return tuple(told_apart(messages(room.thread.entries, roster.policy, self._user), roster))


def _waiting_line(item: ItemRow) -> TicketSummary:
    """Return the line of a ticket that is only on this device."""
    body = OpenBody.from_bytes(item.body)
    state = State.QUEUED if item.state is State.DRAFT else item.state
    at = utc(item.created_at)
    text = WAITING_TEXT.get(state, state)
    problem = item.code if state is State.FAILED else ""
    return TicketSummary(
        item.number, body.subject, state, text, body.category, body.priority, at, at, 0, problem
    )


def _erased_line(row: ErasedRow) -> TicketSummary:
    """Return what is left of an erased ticket."""
    text = f"Erased by {row.by or 'you'}"
    return TicketSummary(row.number, "", "erased", text, "", "", row.at, row.at, 0)


def _ends(state: TicketState, policy: Policy) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return until when a ticket may be reopened, when it closes by itself, and when the team erases it."""
    closed, resolved = (state.lifecycle is one for one in (Lifecycle.CLOSED, Lifecycle.RESOLVED))
    until = reopen_until(state, policy) if closed else 0
    due = state.close_due if resolved else 0
    erased = erase_due(state, policy) if closed else 0
    return utc(until) if until else None, utc(due) if due else None, utc(erased) if erased else None


def _has(line: TicketSummary, said: tuple[Message, ...], text: str) -> bool:
    wanted = text.casefold()
    with suppress(UsageError):
        if text and parse_number(text) == line.number:
            return True
    return any(wanted in part.casefold() for part in (line.number, line.subject, *(m.body for m in said)))
