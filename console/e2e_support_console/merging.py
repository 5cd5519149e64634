"""Merging two tickets of one user: one ends and says where it goes on (protocol 5.8)."""

from __future__ import annotations

from e2e_support.content import MergeBody, NoteBody, OpenBody, OpenForBody
from e2e_support.opened import Opened
from e2e_support.reasons import refusal
from e2e_support.ticket_keys import ticket_number
from e2e_support.user import card_in
from e2e_support.vocab import Kind, Lifecycle, Verdict
from e2e_support_console.lifecycle import TicketLife
from e2e_support_console.logs import Log
from e2e_support_console.model import InboxTicket
from e2e_support_console.ticket_row import TicketRow


class Merging(TicketLife):
    """Merges tickets; part of ``TeamClient.inbox``."""

    async def merge(self, number: str, into: str, note: str = "") -> InboxTicket:
        """End a ticket that goes on in another one of the same user; run again, it finishes what was begun.

        Args:
            number: the ticket that ends.
            into: the ticket in which it goes on.
            note: what its user reads.

        Returns:
            The line of the ticket that ended.

        Raises:
            UsageError: ``not_same_user`` unless both openings prove the same user: link the tickets instead;
                ``same_ticket``, or ``closed`` and ``merged`` for one that cannot go on; nothing was sent.
            SupportError: otherwise as ``TicketLife``.
        """
        ending, going_on = await self._follower.find(number), await self._follower.find(into)
        if ending.mailbox == going_on.mailbox:
            raise refusal("same_ticket")
        first, second = [await self._follower.shared(row.mailbox) for row in (ending, going_on)]
        author_key, proof = _proof(second)
        if not proof or first.conversation.user_key != second.conversation.user_key:
            raise refusal("not_same_user")
        if first.state is None or first.state.merged_into != going_on.mailbox:
            _require_open(second)
            body = MergeBody(going_on.mailbox, author_key, proof, note)
            await self._writer.write(ending.mailbox, Kind.MERGE, body)
        await self._tell_where_from(ending, going_on, note)
        return await self._line(ending)

    async def _tell_where_from(self, ending: TicketRow, going_on: TicketRow, note: str) -> None:
        """Leave a note for colleagues in the ticket that goes on, once."""
        text = f"{ticket_number(ending.mailbox)} was merged into this ticket." + (
            f"\n\n{note}" if note else ""
        )
        staff = await self._desk.load(going_on.staff_log, staff=True)
        if not any(
            isinstance(entry.body, NoteBody) and entry.body.text == text for entry in staff.thread.entries
        ):
            await self._writer.write_staff(
                going_on.mailbox, Kind.NOTE, lambda shared: NoteBody(shared, text, ())
            )


def _require_open(log: Log) -> None:
    state = log.state
    if state is None or state.lifecycle is Lifecycle.CLOSED:
        raise refusal("merged" if state and state.merged_into else "closed")


def _proof(log: Log) -> tuple[bytes, bytes]:
    """Return the author key of a ticket and the proof of whose it is; both empty where it proves nothing."""
    first: Opened = log.thread.entries[0]
    match first.body:
        case OpenBody(user_proof=proof) if first.verdict is Verdict.OK and first.inner is not None:
            return first.inner.author.key, proof
        case OpenForBody(card=signed) if first.verdict is Verdict.OK:
            card = card_in(signed)
            return card.author_key, card.user_proof
        case _:
            return b"", b""
