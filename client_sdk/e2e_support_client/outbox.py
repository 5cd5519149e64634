"""The outbox: what was written on this device and is not stored at the relay yet. Nothing leaves it unseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from e2e_support.codec import Message
from e2e_support.content import BODIES, CloseBody, OpenBody
from e2e_support.crypto.secret import draw
from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.ids import ID_SIZE, MessageId
from e2e_support.limits import MIB
from e2e_support.reasons import REASONS
from e2e_support.vocab import Kind
from e2e_support_client import clock
from e2e_support_client.delivery import Delivery, no_progress, passes
from e2e_support_client.model import EventKind, OnProgress, OutboxItem, State, TicketRef, utc
from e2e_support_client.outbox_store import FileRow, ItemRow, OutboxStore
from e2e_support_client.view import text_of

ITEMS_MAX = 200  # more is a program that writes by mistake
BYTES_MAX = 256 * MIB  # of bodies and of files that were given as bytes
AGE_MAX = 30 * 24 * 3600  # seconds; older drafts are sent only when a person asks for each

REFUSED_FOR_GOOD: Final = frozenset(REASONS) - {"superseded_policy"} | {"erased", "not_eligible"}
"""Codes that other words answer, or another ticket: trying the same again and again does not."""

_KINDS = {
    Kind.OPEN: EventKind.OPENED,
    Kind.MESSAGE: EventKind.MESSAGE,
    Kind.CLOSE: EventKind.CLOSED,
    Kind.REOPEN: EventKind.REOPENED,
}


class Outbox:
    """What waits on this device.

    Args:
        drafts: keeps it.
        delivery: takes one item to the relay.
    """

    def __init__(self, drafts: OutboxStore, delivery: Delivery) -> None:
        self._drafts = drafts
        self._delivery = delivery

    async def list(self) -> tuple[OutboxItem, ...]:
        """Return everything that is not stored yet, oldest first."""
        return tuple(_shown(row) for row in await self._drafts.items())

    async def flush(
        self, *, failed: bool = True, on_progress: OnProgress = no_progress
    ) -> tuple[TicketRef, ...]:
        """Try to store everything; stops at the first item that finds no relay.

        Args:
            failed: whether what has failed before is tried again too, unless a rule stands against it.
            on_progress: told of work and uploads.

        Returns:
            One reference for each item; items of one ticket stay in order. Why an item failed is in ``list``.
        """
        refs: list[TicketRef] = []
        offline, stuck = False, set[str]()
        for row in await self._drafts.items():
            skipped = _is_left_out(row) or (row.state is State.FAILED and not failed)
            if offline or skipped or row.number in stuck:
                refs.append(TicketRef(row.number, _state(row)))
                continue
            ref, offline = await self._try(row, on_progress)
            refs.append(ref)
            if ref.state is not State.STORED and row.kind is not Kind.OPEN:
                stuck.add(row.number)
        return tuple(refs)

    async def retry(self, key: str, *, on_progress: OnProgress = no_progress) -> TicketRef:
        """Try to store one item, however old.

        Args:
            key: from ``OutboxItem.key``.
            on_progress: told of work and uploads.

        Raises:
            UsageError: ``unknown_item``, or why it was refused.
            TransportError: it still waits.
        """
        number = await self._delivery.run(_key(key), on_progress)
        return TicketRef(number, State.STORED)

    async def discard(self, key: str) -> None:
        """Forget one item for good; what the relay may have of it stays there.

        Raises:
            UsageError: ``unknown_item``.
        """
        if not await self._drafts.remove_item(_key(key)):
            raise _unknown()

    async def add(
        self,
        kind: Kind,
        body: Message,
        *,
        number: str = "",
        files: Sequence[FileRow] = (),
        idempotency: str = "",
    ) -> MessageId:
        """Keep a draft and return the message id that names it. For the ticket calls of this package.

        Raises:
            UsageError: ``outbox_full``, ``disk_full`` or ``malformed``.
        """
        data = body.to_bytes()
        items, size = await self._drafts.outbox_size()
        size += len(data) + sum(len(file.data) for file in files if file.data is not None)
        if items >= ITEMS_MAX or size > BYTES_MAX:
            raise UsageError(
                "outbox_full", "too much is waiting on this device", hint="Send or discard some of it first."
            )
        key = MessageId(draw(clock.random, ID_SIZE))
        item = ItemRow(key, number, kind, data, State.DRAFT, None, "", "", "", clock.now(), idempotency)
        await self._drafts.add_item(item, files)
        return key

    async def named(self, name: str) -> tuple[TicketRef | None, MessageId | None]:
        """Return where something with the caller's own key was stored, or the item that still waits.

        What was refused is forgotten, so that the caller can try again with other words.
        """
        if not name:
            return None, None
        stored = await self._drafts.delivered_named(name)
        if stored:
            return TicketRef(stored, State.STORED), None
        row = await self._drafts.item_named(name)
        if row is not None and row.state is State.FAILED and row.sealed is None:
            await self._drafts.remove_item(row.key)
            return None, None
        return None, row.key if row else None

    async def send(self, key: MessageId, *, keep_waiting: bool, on_progress: OnProgress) -> TicketRef:
        """Take a new draft to the relay. For the ticket calls of this package.

        Args:
            key: the draft.
            keep_waiting: whether an unreachable relay leaves it queued; else the error is raised, and the draft
                is forgotten unless the relay may have it already.
            on_progress: told of work and uploads.

        Raises:
            TransportError: without ``keep_waiting``.
            SupportError: the draft is kept, with this error's code; a refused closing in which nothing is said is
                not, for it must not close the ticket at a later try.
        """
        try:
            await self._send_earlier(key, on_progress)
            return TicketRef(await self._delivery.run(key, on_progress), State.STORED)
        except UsageError:
            row = await self._drafts.item(key)
            if row is not None and _is_wordless(row):
                await self._drafts.remove_item(key)
            raise
        except TransportError:
            row = await self._drafts.item(key)
            if row is None or keep_waiting:
                return TicketRef(row.number if row else "", State.QUEUED)
            if row.state is not State.SEALED:
                await self._drafts.remove_item(key)
            raise

    async def _send_earlier(self, key: MessageId, on_progress: OnProgress) -> None:
        """Store what waits for the same ticket first, so that messages stay in the order of writing.

        Raises:
            TransportError: the relay cannot be reached.
        """
        rows = await self._drafts.items()
        number = next((row.number for row in rows if row.key == key), "")
        for row in rows:
            if row.key == key or not number:
                return
            if row.number == number and row.state is not State.FAILED:
                _, offline = await self._try(row, on_progress)
                if offline:
                    raise TransportError("offline", "what was written before still waits")

    async def _try(self, row: ItemRow, on_progress: OnProgress) -> tuple[TicketRef, bool]:
        """Return how far an item came, and whether the relay could not be reached."""
        try:
            return TicketRef(await self._delivery.run(row.key, on_progress), State.STORED), False
        except SupportError as error:
            current = await self._drafts.item(row.key) or row
            state = State.QUEUED if passes(error) else State.FAILED
            return TicketRef(current.number, state), error.retryable


def _is_wordless(row: ItemRow) -> bool:
    return (
        row.state is State.FAILED
        and row.sealed is None
        and row.kind is Kind.CLOSE
        and not CloseBody.from_bytes(row.body).note
    )


def _state(row: ItemRow) -> State:
    return State.QUEUED if row.state is State.DRAFT else row.state


def _is_left_out(row: ItemRow) -> bool:
    refused = row.state is State.FAILED and row.code in REFUSED_FOR_GOOD
    return refused or clock.now() - row.created_at > AGE_MAX


def _shown(row: ItemRow) -> OutboxItem:
    body = BODIES[row.kind].from_bytes(row.body)
    return OutboxItem(
        row.key.hex(),
        row.number,
        _KINDS[row.kind],
        body.subject if isinstance(body, OpenBody) else "",
        _state(row),
        row.code,
        row.hint,
        utc(row.created_at),
        row.message,
        _is_left_out(row),
        text_of(body),
    )


def _key(text: str) -> MessageId:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise _unknown() from None
    if len(key) != ID_SIZE:
        raise _unknown()
    return MessageId(key)


def _unknown() -> UsageError:
    return UsageError(
        "unknown_item", "the outbox has no such item", hint="List it; it may be stored already."
    )
