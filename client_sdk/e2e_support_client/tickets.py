"""What a user can do with tickets: open, answer, close, reopen, list, read, download."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from e2e_support.codec import Message as Body
from e2e_support.content import CloseBody, MessageBody, OpenBody, Pair, ReopenBody
from e2e_support.crypto.suite import KEM_PUBLIC, PUBLIC_SIGN
from e2e_support.limits import SUBJECT_MAX
from e2e_support.reasons import refusal
from e2e_support.vocab import Kind
from e2e_support_client.courier import prepare
from e2e_support_client.debug.report import DebugReport
from e2e_support_client.delivery import no_progress
from e2e_support_client.erasing import TicketErasing
from e2e_support_client.lifecycle import TicketList
from e2e_support_client.model import Attachable, OnProgress, TicketRef
from e2e_support_client.reading import TicketReading

Offline = Literal["queue", "raise"]
NO_KEY: Final = bytes(KEM_PUBLIC)
"""Which key it is follows from the place, which is chosen when it is sent."""
LINKED: Final = bytes(PUBLIC_SIGN)
"""Likewise the key that joins a user's tickets; empty where they stay apart."""


class Tickets(TicketReading, TicketList, TicketErasing):
    """The user's tickets with one team; ``SupportClient.tickets``."""

    async def create(  # noqa: PLR0913 - options by keyword
        self,
        subject: str,
        body: str,
        *,
        category: str,
        priority: str | None = None,
        fields: Mapping[str, str] | None = None,
        debug: DebugReport | None = None,
        attachments: Sequence[Attachable] = (),
        related: str | None = None,
        unlinked: bool = False,
        idempotency_key: str | None = None,
        on_progress: OnProgress = no_progress,
        offline: Offline = "queue",
    ) -> TicketRef:
        """Open a ticket. It is kept, encrypted, before anything else happens.

        Args:
            subject: what it is about.
            body: the text.
            category: id of one of the policy's categories.
            priority: id of a level, where users choose it.
            fields: answers to the form's further questions, by id.
            debug: a report that the person has seen; ``consent`` is asked about it if there is one.
            attachments: paths or ``FileSpec``.
            related: number of a ticket that this one refers to.
            unlinked: do not let the team see that it is of the same user as others; it can then not be merged.
            idempotency_key: the caller's own name for this ticket: a second call opens no second one.
            on_progress: told of the proof of work and of uploads.
            offline: what an unreachable relay means: keep it and go on, or raise.

        Returns:
            The number, and ``stored`` or ``queued``.

        Raises:
            UsageError: a rule of the team stands against it (its code says which); it is kept as failed. Or
                ``bad_number``, ``unknown_ticket`` or ``erased`` for ``related``; nothing is kept then.
            TrustError: the team or its relay cannot be trusted now; it is kept as failed.
            TransportError: with ``offline="raise"`` only.
        """
        subject, body = await self._context.guarded(_text(subject).strip(), _text(body))
        if len(subject) > SUBJECT_MAX:
            raise refusal("subject_too_long")
        opening = OpenBody(
            subject,
            body,
            category,
            priority or "",
            tuple(Pair(name, _text(value)) for name, value in (fields or {}).items()),
            self._context.profile_pairs(),
            b"",
            (await self._context.rooms.row(related)).number if related else "",
            await self._context.agreed(debug),
            NO_KEY,
            b"" if unlinked else LINKED,
        )
        return await self._send(
            Kind.OPEN,
            opening,
            "",
            attachments=attachments,
            idempotency_key=idempotency_key,
            on_progress=on_progress,
            offline=offline,
        )

    async def follow_up(  # noqa: PLR0913 - options by keyword
        self,
        number: str,
        body: str,
        *,
        subject: str | None = None,
        category: str | None = None,
        priority: str | None = None,
        fields: Mapping[str, str] | None = None,
        attachments: Sequence[Attachable] = (),
        idempotency_key: str | None = None,
        on_progress: OnProgress = no_progress,
        offline: Offline = "queue",
    ) -> TicketRef:
        """Open a ticket that refers to one that is over, filled in as that one was (S2-33).

        Args:
            number: the ticket that is over.
            body: the text.
            subject: what it is about; the old one's by default.
            category: its category, likewise.
            priority: as for ``create``.
            fields: its answers, likewise; those that the form asks for no more are left out.
            attachments: as for ``create``, likewise the rest.
            idempotency_key: as for ``create``.
            on_progress: as for ``create``.
            offline: as for ``create``.

        Raises:
            UsageError: as for ``create`` and ``get``.
        """
        old = await self.get(number)
        asked = {field.id for field in self._context.team.roster.policy.fields}
        answers = {name: value for name, value in old.fields.items() if name in asked}
        return await self.create(
            old.summary.subject if subject is None else subject,
            body,
            category=category or old.summary.category,
            priority=priority,
            fields=answers if fields is None else fields,
            attachments=attachments,
            related=old.summary.number,
            idempotency_key=idempotency_key,
            on_progress=on_progress,
            offline=offline,
        )

    async def reply(
        self,
        number: str,
        body: str = "",
        *,
        attachments: Sequence[Attachable] = (),
        idempotency_key: str | None = None,
        on_progress: OnProgress = no_progress,
        offline: Offline = "queue",
    ) -> TicketRef:
        """Write into a ticket; where the policy says so, this reopens a closed one.

        Args:
            number: the ticket.
            body: the text; may be empty if there are attachments.
            attachments: as for ``create``, likewise the rest.
            idempotency_key: as for ``create``.
            on_progress: as for ``create``.
            offline: as for ``create``.

        Raises:
            UsageError: ``unknown_ticket``, ``bad_number``, ``not_stored``, or the rule that stands against it.
            TrustError: as for ``create``, likewise ``TransportError``.
        """
        row = await self._reader.stored_row(number)
        _, body = await self._context.guarded("", _text(body))
        return await self._send(
            Kind.MESSAGE,
            MessageBody(body, 0),
            row.number,
            attachments=attachments,
            idempotency_key=idempotency_key,
            on_progress=on_progress,
            offline=offline,
        )

    async def close(self, number: str, *, note: str = "", offline: Offline = "queue") -> TicketRef:
        """Close a ticket. Errors as in ``reply``.

        Args:
            number: the ticket.
            note: why, where the policy wants that.
            offline: as for ``create``.
        """
        row = await self._reader.stored_row(number)
        return await self._send(Kind.CLOSE, CloseBody(_text(note), ""), row.number, offline=offline)

    async def reopen(self, number: str, body: str, *, offline: Offline = "queue") -> TicketRef:
        """Reopen a closed ticket, saying why. Errors as in ``reply``.

        Args:
            number: the ticket.
            body: the text.
            offline: as for ``create``.
        """
        row = await self._reader.stored_row(number)
        return await self._send(Kind.REOPEN, ReopenBody(_text(body)), row.number, offline=offline)

    async def _send(
        self,
        kind: Kind,
        body: Body,
        number: str,
        *,
        attachments: Sequence[Attachable] = (),
        idempotency_key: str | None = None,
        on_progress: OnProgress = no_progress,
        offline: Offline = "queue",
    ) -> TicketRef:
        outbox, name = self._context.outbox, idempotency_key or ""
        ref, key = await outbox.named(name)
        if ref is not None:
            return ref
        if key is None:
            files = [await prepare(attached, place) for place, attached in enumerate(attachments)]
            key = await outbox.add(kind, body, number=number, files=files, idempotency=name)
        return await outbox.send(key, keep_waiting=offline == "queue", on_progress=on_progress)


def _text(text: str) -> str:
    """Return a text as it can stand in an entry: NFC, without halves of characters."""
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
