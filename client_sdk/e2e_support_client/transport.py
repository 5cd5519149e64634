"""A relay over HTTP: every route of protocol section 9, signed, bounded, tried again where that is harmless."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final

from e2e_support.crypto.secret import Random
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import VERSION
from e2e_support.destruction import Destruction
from e2e_support.errors import PeerError
from e2e_support.ids import BlobId, MailboxId, TeamId
from e2e_support.limits import RECEIPT_MAX
from e2e_support.request import b64
from e2e_support.wire import (
    AdmissionTerms,
    Append,
    Batch,
    BlobSize,
    BlobState,
    Create,
    EpochPackage,
    FeedPage,
    Found,
    Freshness,
    Head,
    LinksPage,
    Page,
    RelayInfo,
    Ring,
)
from e2e_support_client import clock
from e2e_support_client.asking import Asker
from e2e_support_client.exchange import EVENTS, OCTETS, Exchange, Question
from e2e_support_client.port import Refused
from e2e_support_client.retry import DEFAULT_RETRY, RetryPolicy

TIMEOUT: Final = timedelta(seconds=30)
KEEP_ALIVE: Final = 60.0  # seconds; a stream that is silent for longer, without even a comment, is dead


class HttpRelay:
    """``RelayPort`` over HTTP. Safe to keep for the life of a program; connects when first asked something.

    Args:
        url: the relay's origin from the support link; http only on this machine and for ``.onion``.
        proxy: ``http://host:port`` of a proxy, or ``None``; the environment is not asked.
        timeout: within which a small answer must be complete; large ones get more by their size.
        retry: when to try again what failed for a while; ``found`` and streams are tried once.
        now: the clock.
        random: source of nonces and jitter.
        tls: TLS settings instead of the platform's, for a relay with a certificate of one's own.

    Raises:
        UsageError: ``bad_link`` or ``bad_proxy``.
    """

    def __init__(
        self,
        url: str,
        *,
        proxy: str | None = None,
        timeout: timedelta = TIMEOUT,
        retry: RetryPolicy = DEFAULT_RETRY,
        now: clock.Clock = clock.now,
        random: Random = clock.random,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        exchange = Exchange(url, proxy=proxy, timeout=timeout.total_seconds(), tls=tls)
        self._asker = Asker(exchange, retry, now, random)

    async def close(self) -> None:
        """Give back connections and forget the sessions; the relay may be used again afterwards."""
        await self._asker.close()

    # --- anyone ------------------------------------------------------------------------------------------

    async def info(self) -> RelayInfo:
        """Return what the relay says of itself.

        Raises:
            PeerError: ``update_needed`` when it does not speak this protocol's version: there is no other way to
                talk, and nothing older is ever tried (attack 24).
        """
        answer = await self._asker.ask(Question("GET", "/v1/relay", limit=RelayInfo.LIMIT))
        info = RelayInfo.from_bytes(answer.body)
        if not info.version_low <= VERSION <= info.version_high:
            raise PeerError(
                "update_needed", "the relay speaks another version", hint="Update this program or the relay."
            )
        return info

    async def found(self, found: Found) -> None:
        """Found a team with a one-time code; tried once, since the code is used up even if the answer is lost."""
        await self._asker.attempt(Question("POST", "/v1/teams", body=found.to_bytes(), good=(201,)))

    async def links(self, team_id: TeamId, start: int) -> LinksPage:
        """Return roster links from a sequence number on."""
        path = f"{_team(team_id)}/links"
        answer = await self._asker.ask(Question("GET", path, f"from={start}", limit=LinksPage.LIMIT))
        return LinksPage.from_bytes(answer.body)

    async def package(self, team_id: TeamId, epoch: int) -> EpochPackage:
        """Return an epoch's boxes and ring."""
        path = f"{_team(team_id)}/boxes/{epoch}"
        answer = await self._asker.ask(Question("GET", path, limit=EpochPackage.LIMIT))
        return EpochPackage.from_bytes(answer.body)

    async def admission(self, team_id: TeamId) -> AdmissionTerms:
        """Return what creating a mailbox costs now."""
        path = f"{_team(team_id)}/admission"
        answer = await self._asker.ask(Question("GET", path, limit=AdmissionTerms.LIMIT))
        return AdmissionTerms.from_bytes(answer.body)

    # --- the team's devices (§4.6, §4.7) -----------------------------------------------------------------

    async def post_links(self, team_id: TeamId, batch: Batch, device: SigningKey) -> None:
        """Append a batch to the roster, signed as a request by the key of an active device. Idempotent."""
        await self._asker.ask(Question("POST", f"{_team(team_id)}/links", body=batch.to_bytes()), device)

    async def freshness(self, team_id: TeamId) -> bytes | None:
        """Return the newest ``Freshness`` that enough devices signed, if there is one."""
        return await self._statement(f"{_team(team_id)}/freshness")

    async def pending_freshness(self, team_id: TeamId, capability: SigningKey) -> bytes | None:
        """Return a ``Freshness`` that waits for further signatures, if there is one."""
        return await self._statement(f"{_team(team_id)}/freshness/pending", capability)

    async def _statement(self, path: str, capability: SigningKey | None = None) -> bytes | None:
        try:
            question = Question("GET", path, limit=Freshness.LIMIT)
            return (await self._asker.ask(question, capability, session=capability is not None)).body
        except Refused as refused:
            if refused.code == "not_found":
                return None
            raise

    async def put_freshness(self, team_id: TeamId, statement: bytes, device: SigningKey) -> bool:
        """Store a statement for an owner's or agent's device; false when it waits for further signatures."""
        question = Question("PUT", f"{_team(team_id)}/freshness", body=statement, good=(200, 202))
        return (await self._asker.ask(question, device)).status == 200

    # --- mailboxes ---------------------------------------------------------------------------------------

    async def create(self, mailbox: MailboxId, create: Create, creation: SigningKey) -> bool:
        """Create a mailbox; tell whether it is new. Idempotent (§3.2)."""
        question = Question("PUT", _mailbox(mailbox), body=create.to_bytes(), good=(200, 201))
        answer = await self._asker.ask(question, creation)
        return answer.status == 201

    async def append(self, mailbox: MailboxId, append: Append, capability: SigningKey) -> bytes:
        """Append an entry and return its receipt's bytes. Idempotent (§3.3)."""
        path = f"{_mailbox(mailbox)}/entries"
        answer = await self._asker.ask(
            Question("POST", path, body=append.to_bytes(), limit=RECEIPT_MAX), capability
        )
        return answer.body

    async def read(self, mailbox: MailboxId, start: int, capability: SigningKey) -> Page:
        """Return the head and the entries from a sequence number on (§3.5)."""
        question = Question("GET", f"{_mailbox(mailbox)}/entries", f"from={start}", limit=Page.LIMIT)
        return Page.from_bytes((await self._asker.ask(question, capability, session=True)).body)

    async def hand_back(self, mailbox: MailboxId, page: Page, capability: SigningKey) -> Head:
        """Give a restored relay what it lost and return its head. Idempotent (§3.10)."""
        path = f"{_mailbox(mailbox)}/handback"
        question = Question("POST", path, body=page.to_bytes(), limit=Head.LIMIT)
        return Head.from_bytes((await self._asker.ask(question, capability)).body)

    async def destroy(self, mailbox: MailboxId, statement: bytes, capability: SigningKey) -> None:
        """Have a ``Destruction`` carried out. Idempotent (§3.9)."""
        await self._asker.ask(
            Question("POST", f"{_mailbox(mailbox)}/destruction", body=statement), capability
        )

    async def tombstone(self, mailbox: MailboxId, capability: SigningKey) -> bytes:
        """Return the statement by which a mailbox was erased, for a former capability (§3.9)."""
        question = Question("GET", f"{_mailbox(mailbox)}/tombstone", limit=Destruction.LIMIT)
        return (await self._asker.ask(question, capability, session=True)).body

    async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
        """Return the steps of the team's feed after a cursor (§3.6)."""
        question = Question("GET", f"{_team(team_id)}/feed", f"after={after}", limit=FeedPage.LIMIT)
        return FeedPage.from_bytes((await self._asker.ask(question, capability, session=True)).body)

    # --- bells (§3.7) ------------------------------------------------------------------------------------

    async def wait_mailbox(
        self, mailbox: MailboxId, after: int, capability: SigningKey, *, wait: int
    ) -> Ring:
        """Return as soon as the mailbox has more than ``after`` entries, or after ``wait`` seconds."""
        return await self._wait(f"{_mailbox(mailbox)}/bell", after, capability, wait)

    async def wait_team(self, team_id: TeamId, after: int, capability: SigningKey, *, wait: int) -> Ring:
        """Return as soon as the feed's cursor is beyond ``after``, or after ``wait`` seconds."""
        return await self._wait(f"{_team(team_id)}/bell", after, capability, wait)

    async def _wait(self, path: str, after: int, capability: SigningKey, wait: int) -> Ring:
        question = Question("GET", path, f"after={after}&wait={wait}", limit=Ring.LIMIT, wait=wait)
        return Ring.from_bytes((await self._asker.ask(question, capability, session=True)).body)

    def team_bell(self, team_id: TeamId, after: int, capability: SigningKey) -> AsyncGenerator[Ring]:
        """Return rings from the team's event stream; close it (``contextlib.aclosing``) to stop listening.

        Raises:
            TransportError: the stream ended, with the relay's wish for a pause in ``retry_after``; it never ends
                otherwise, and coming back is the caller's business.
        """
        path = f"{_team(team_id)}/bell"
        question = Question("GET", path, f"after={after}&wait=0", answer=EVENTS, wait=KEEP_ALIVE)
        return self._asker.rings(question, capability)

    # --- blobs (§3.8) ------------------------------------------------------------------------------------

    async def declare_blob(self, mailbox: MailboxId, blob: BlobId, size: int, capability: SigningKey) -> None:
        """Announce a blob of ``size`` bytes. Idempotent."""
        body = BlobSize(size).to_bytes()
        await self._asker.ask(Question("PUT", _blob(mailbox, blob), body=body, good=(200, 201)), capability)

    async def blob_state(self, mailbox: MailboxId, blob: BlobId, capability: SigningKey) -> BlobState:
        """Return which pieces of a blob are missing."""
        question = Question("GET", f"{_blob(mailbox, blob)}/state", limit=BlobState.LIMIT)
        return BlobState.from_bytes((await self._asker.ask(question, capability, session=True)).body)

    async def put_piece(
        self, mailbox: MailboxId, blob: BlobId, index: int, piece: bytes, capability: SigningKey
    ) -> None:
        """Store one piece of a blob. Idempotent for the same bytes."""
        path = f"{_blob(mailbox, blob)}/{index}"
        await self._asker.ask(Question("PUT", path, body=piece, media=OCTETS, good=(200, 201)), capability)

    async def read_blob(
        self, mailbox: MailboxId, blob: BlobId, start: int, end: int, capability: SigningKey
    ) -> bytes:
        """Return the bytes [start, end) of a complete blob."""
        question = Question(
            "GET",
            _blob(mailbox, blob),
            answer=OCTETS,
            limit=end - start,
            good=(206,),
            extra={"Range": f"bytes={start}-{end - 1}"},
        )
        answer = await self._asker.ask(question, capability, session=True)
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-{end - 1}/"):
            raise PeerError("malformed", "the relay answered another part of the file than was asked for")
        return answer.body


def _team(team_id: TeamId) -> str:
    return f"/v1/team/{b64(team_id)}"


def _mailbox(mailbox: MailboxId) -> str:
    return f"/v1/mailboxes/{b64(mailbox)}"


def _blob(mailbox: MailboxId, blob: BlobId) -> str:
    return f"{_mailbox(mailbox)}/blobs/{b64(blob)}"
