"""What a client asks of a relay, as bytes and wire messages; HTTP, simulators and hostile relays implement it.

Every method raises ``TransportError`` when the relay cannot be reached or asks to wait, ``PeerError`` when it
answers something malformed, and ``Refused`` when it says no with a code of protocol section 11.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import UsageError
from e2e_support.ids import BlobId, MailboxId, TeamId
from e2e_support.wire import (
    AdmissionTerms,
    Append,
    Batch,
    BlobState,
    Create,
    EpochPackage,
    FeedPage,
    Found,
    Head,
    LinksPage,
    Page,
    RelayInfo,
    Ring,
)


class Refused(UsageError):
    """The relay's clear "no".

    Args:
        status: HTTP status of the answer.
        head: the mailbox's head, with ``head_moved`` only.
    """

    def __init__(
        self, code: str, message: str, *, hint: str = "", status: int = 0, head: Head | None = None
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.status = status
        self.head = head


class RelayPort(Protocol):
    """One relay. ``capability`` signs the request, or opens the session that carries it (protocol section 8)."""

    async def info(self) -> RelayInfo:
        """Return what the relay says of itself."""
        ...

    async def found(self, found: Found) -> None:
        """Found a team with a one-time code."""
        ...

    async def links(self, team_id: TeamId, start: int) -> LinksPage:
        """Return roster links from a sequence number on."""
        ...

    async def package(self, team_id: TeamId, epoch: int) -> EpochPackage:
        """Return an epoch's boxes and ring."""
        ...

    async def post_links(self, team_id: TeamId, batch: Batch, device: SigningKey) -> None:
        """Append a batch to the roster, signed as a request by the key of an active device. Idempotent.

        Raises:
            Refused: ``head_moved`` with the roster's head, ``link_refused`` for a batch that breaks a rule.
        """
        ...

    async def freshness(self, team_id: TeamId) -> bytes | None:
        """Return the newest ``Freshness`` that enough devices signed, if there is one."""
        ...

    async def pending_freshness(self, team_id: TeamId, capability: SigningKey) -> bytes | None:
        """Return a ``Freshness`` that waits for further signatures, if there is one."""
        ...

    async def put_freshness(self, team_id: TeamId, statement: bytes, device: SigningKey) -> bool:
        """Store a statement for an owner's or agent's device; false when it waits for further signatures.

        Raises:
            Refused: ``link_refused`` for a statement that is not good, or older than the one there is.
        """
        ...

    async def admission(self, team_id: TeamId) -> AdmissionTerms:
        """Return what creating a mailbox costs now."""
        ...

    async def create(self, mailbox: MailboxId, create: Create, creation: SigningKey) -> bool:
        """Create a mailbox; tell whether it is new. Idempotent.

        Args:
            mailbox: its id.
            create: what is asked for.
            creation: its creation key, or the team's capability where the team opens a ticket for a user.
        """
        ...

    async def append(self, mailbox: MailboxId, append: Append, capability: SigningKey) -> bytes:
        """Append an entry and return its receipt's bytes. Idempotent.

        Raises:
            Refused: ``head_moved`` with the new head, and others.
        """
        ...

    async def read(self, mailbox: MailboxId, start: int, capability: SigningKey) -> Page:
        """Return the head and the entries from a sequence number on."""
        ...

    async def hand_back(self, mailbox: MailboxId, page: Page, capability: SigningKey) -> Head:
        """Give a restored relay what it lost and return its head. Idempotent.

        Args:
            mailbox: a mailbox that the relay has.
            page: stored entries with their receipts, none missing between the relay's head and them, and the head
                that they lead to.
            capability: one of the mailbox's.

        Raises:
            Refused: ``head_moved`` with the relay's head when they do not continue it.
        """
        ...

    async def destroy(self, mailbox: MailboxId, statement: bytes, capability: SigningKey) -> None:
        """Have a ``Destruction`` carried out. Idempotent.

        Raises:
            Refused: ``not_yours`` when its signer may not do that, ``erased`` when another one came before.
        """
        ...

    async def tombstone(self, mailbox: MailboxId, capability: SigningKey) -> bytes:
        """Return the statement by which a mailbox was erased, for a former capability.

        Raises:
            Refused: ``not_found`` when there is none: not erased, erased for idleness, or not for this key.
        """
        ...

    async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
        """Return the steps of the team's feed after a cursor."""
        ...

    async def wait_mailbox(
        self, mailbox: MailboxId, after: int, capability: SigningKey, *, wait: int
    ) -> Ring:
        """Return as soon as the mailbox has more than ``after`` entries, or after ``wait`` seconds (long-poll)."""
        ...

    async def wait_team(self, team_id: TeamId, after: int, capability: SigningKey, *, wait: int) -> Ring:
        """Return as soon as the feed's cursor is beyond ``after``, or after ``wait`` seconds (long-poll)."""
        ...

    def team_bell(self, team_id: TeamId, after: int, capability: SigningKey) -> AsyncGenerator[Ring]:
        """Yield rings from the team's event stream; reconnects are the caller's business."""
        ...

    async def declare_blob(self, mailbox: MailboxId, blob: BlobId, size: int, capability: SigningKey) -> None:
        """Announce a blob of ``size`` bytes. Idempotent."""
        ...

    async def blob_state(self, mailbox: MailboxId, blob: BlobId, capability: SigningKey) -> BlobState:
        """Return which pieces of a blob are missing."""
        ...

    async def put_piece(
        self, mailbox: MailboxId, blob: BlobId, index: int, piece: bytes, capability: SigningKey
    ) -> None:
        """Store one piece of a blob. Idempotent for the same bytes."""
        ...

    async def read_blob(
        self, mailbox: MailboxId, blob: BlobId, start: int, end: int, capability: SigningKey
    ) -> bytes:
        """Return the bytes [start, end) of a complete blob."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
