"""A relay over HTTP: every route of protocol section 9, signed, bounded, tried again where that is harmless."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from e2e_support.crypto.secret import Random
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import VERSION
from e2e_support.destruction import Destruction
from e2e_support.errors import PeerError, SupportError, TransportError, UsageError
from e2e_support.ids import BlobId, MailboxId, TeamId
from e2e_support.limits import CLOCK_WARNING, KIB, RECEIPT_MAX, SESSION_LIFE
from e2e_support.request import b64, content_digest, sign_request
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
    Session,
)
from e2e_support_client import clock
from e2e_support_client.bell_stream import read_rings
from e2e_support_client.exchange import EVENTS, OCTETS, Answer, Exchange, Question, read_capped
from e2e_support_client.port import Refused
from e2e_support_client.refusals import PROBLEM_MAX, read_refusal
from e2e_support_client.retry import DEFAULT_RETRY, RetryPolicy

TIMEOUT: Final = timedelta(seconds=30)
KEEP_ALIVE: Final = 60.0  # seconds; a stream that is silent for longer, without even a comment, is dead
_SESSION_MARGIN: Final = 30  # seconds; a session is renewed before it is over
_HASH_IN_THREAD: Final = 64 * KIB  # larger bodies are hashed beside the loop


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
        self._exchange = Exchange(url, proxy=proxy, timeout=timeout.total_seconds(), tls=tls)
        self._retry = retry
        self._now = now
        self._random = random
        self._ahead = 0  # seconds that the relay's clock is ahead of ours, once it said so
        self._sessions: dict[bytes, tuple[str, int]] = {}  # capability → (token, when to renew it)

    async def close(self) -> None:
        """Give back connections and forget the sessions; the relay may be used again afterwards."""
        self._sessions.clear()
        await self._exchange.close()

    # --- anyone ------------------------------------------------------------------------------------------

    async def info(self) -> RelayInfo:
        """Return what the relay says of itself.

        Raises:
            PeerError: ``update_needed`` when it does not speak this protocol's version: there is no other way to
                talk, and nothing older is ever tried (attack 24).
        """
        answer = await self._ask(Question("GET", "/v1/relay", limit=RelayInfo.LIMIT))
        info = RelayInfo.from_bytes(answer.body)
        if not info.version_low <= VERSION <= info.version_high:
            raise PeerError(
                "update_needed", "the relay speaks another version", hint="Update this program or the relay."
            )
        return info

    async def found(self, found: Found) -> None:
        """Found a team with a one-time code; tried once, since the code is used up even if the answer is lost."""
        await self._attempt(Question("POST", "/v1/teams", body=found.to_bytes(), good=(201,)))

    async def links(self, team_id: TeamId, start: int) -> LinksPage:
        """Return roster links from a sequence number on."""
        path = f"{_team(team_id)}/links"
        answer = await self._ask(Question("GET", path, f"from={start}", limit=LinksPage.LIMIT))
        return LinksPage.from_bytes(answer.body)

    async def package(self, team_id: TeamId, epoch: int) -> EpochPackage:
        """Return an epoch's boxes and ring."""
        path = f"{_team(team_id)}/boxes/{epoch}"
        answer = await self._ask(Question("GET", path, limit=EpochPackage.LIMIT))
        return EpochPackage.from_bytes(answer.body)

    async def admission(self, team_id: TeamId) -> AdmissionTerms:
        """Return what creating a mailbox costs now."""
        path = f"{_team(team_id)}/admission"
        answer = await self._ask(Question("GET", path, limit=AdmissionTerms.LIMIT))
        return AdmissionTerms.from_bytes(answer.body)

    # --- the team's devices (§4.6, §4.7) -----------------------------------------------------------------

    async def post_links(self, team_id: TeamId, batch: Batch, device: SigningKey) -> None:
        """Append a batch to the roster, signed as a request by the key of an active device. Idempotent."""
        await self._ask(Question("POST", f"{_team(team_id)}/links", body=batch.to_bytes()), device)

    async def freshness(self, team_id: TeamId) -> bytes | None:
        """Return the newest ``Freshness`` that enough devices signed, if there is one."""
        return await self._statement(f"{_team(team_id)}/freshness")

    async def pending_freshness(self, team_id: TeamId, capability: SigningKey) -> bytes | None:
        """Return a ``Freshness`` that waits for further signatures, if there is one."""
        return await self._statement(f"{_team(team_id)}/freshness/pending", capability)

    async def _statement(self, path: str, capability: SigningKey | None = None) -> bytes | None:
        try:
            question = Question("GET", path, limit=Freshness.LIMIT)
            return (await self._ask(question, capability, session=capability is not None)).body
        except Refused as refused:
            if refused.code == "not_found":
                return None
            raise

    async def put_freshness(self, team_id: TeamId, statement: bytes, device: SigningKey) -> bool:
        """Store a statement for an owner's or agent's device; false when it waits for further signatures."""
        question = Question("PUT", f"{_team(team_id)}/freshness", body=statement, good=(200, 202))
        return (await self._ask(question, device)).status == 200

    # --- mailboxes ---------------------------------------------------------------------------------------

    async def create(self, mailbox: MailboxId, create: Create, creation: SigningKey) -> bool:
        """Create a mailbox; tell whether it is new. Idempotent (§3.2)."""
        question = Question("PUT", _mailbox(mailbox), body=create.to_bytes(), good=(200, 201))
        answer = await self._ask(question, creation)
        return answer.status == 201

    async def append(self, mailbox: MailboxId, append: Append, capability: SigningKey) -> bytes:
        """Append an entry and return its receipt's bytes. Idempotent (§3.3)."""
        path = f"{_mailbox(mailbox)}/entries"
        answer = await self._ask(
            Question("POST", path, body=append.to_bytes(), limit=RECEIPT_MAX), capability
        )
        return answer.body

    async def read(self, mailbox: MailboxId, start: int, capability: SigningKey) -> Page:
        """Return the head and the entries from a sequence number on (§3.5)."""
        question = Question("GET", f"{_mailbox(mailbox)}/entries", f"from={start}", limit=Page.LIMIT)
        return Page.from_bytes((await self._ask(question, capability, session=True)).body)

    async def hand_back(self, mailbox: MailboxId, page: Page, capability: SigningKey) -> Head:
        """Give a restored relay what it lost and return its head. Idempotent (§3.10)."""
        path = f"{_mailbox(mailbox)}/handback"
        question = Question("POST", path, body=page.to_bytes(), limit=Head.LIMIT)
        return Head.from_bytes((await self._ask(question, capability)).body)

    async def destroy(self, mailbox: MailboxId, statement: bytes, capability: SigningKey) -> None:
        """Have a ``Destruction`` carried out. Idempotent (§3.9)."""
        await self._ask(Question("POST", f"{_mailbox(mailbox)}/destruction", body=statement), capability)

    async def tombstone(self, mailbox: MailboxId, capability: SigningKey) -> bytes:
        """Return the statement by which a mailbox was erased, for a former capability (§3.9)."""
        question = Question("GET", f"{_mailbox(mailbox)}/tombstone", limit=Destruction.LIMIT)
        return (await self._ask(question, capability, session=True)).body

    async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
        """Return the steps of the team's feed after a cursor (§3.6)."""
        question = Question("GET", f"{_team(team_id)}/feed", f"after={after}", limit=FeedPage.LIMIT)
        return FeedPage.from_bytes((await self._ask(question, capability, session=True)).body)

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
        return Ring.from_bytes((await self._ask(question, capability, session=True)).body)

    async def team_bell(self, team_id: TeamId, after: int, capability: SigningKey) -> AsyncGenerator[Ring]:
        """Yield rings from the team's event stream; close it (``contextlib.aclosing``) to stop listening.

        Raises:
            TransportError: the stream ended, with the relay's wish for a pause in ``retry_after``; it never ends
                otherwise, and coming back is the caller's business.
        """
        path = f"{_team(team_id)}/bell"
        question = Question("GET", path, f"after={after}&wait=0", answer=EVENTS, wait=KEEP_ALIVE)
        for last in (False, True):
            headers = await self._authorise(question, capability, session=True)
            async with self._exchange.opened(question, headers, endless=True) as response:
                if response.status == 200:
                    _check_media(question, response.headers.get("Content-Type", ""))
                    async for ring in read_rings(response.content.iter_any()):
                        yield ring
                body = await read_capped(response, PROBLEM_MAX)
                error = read_refusal(response.status, response.headers, body)
            self._mend(Answer(response.status, response.headers, b""), error, capability, last=last)

    # --- blobs (§3.8) ------------------------------------------------------------------------------------

    async def declare_blob(self, mailbox: MailboxId, blob: BlobId, size: int, capability: SigningKey) -> None:
        """Announce a blob of ``size`` bytes. Idempotent."""
        body = BlobSize(size).to_bytes()
        await self._ask(Question("PUT", _blob(mailbox, blob), body=body, good=(200, 201)), capability)

    async def blob_state(self, mailbox: MailboxId, blob: BlobId, capability: SigningKey) -> BlobState:
        """Return which pieces of a blob are missing."""
        question = Question("GET", f"{_blob(mailbox, blob)}/state", limit=BlobState.LIMIT)
        return BlobState.from_bytes((await self._ask(question, capability, session=True)).body)

    async def put_piece(
        self, mailbox: MailboxId, blob: BlobId, index: int, piece: bytes, capability: SigningKey
    ) -> None:
        """Store one piece of a blob. Idempotent for the same bytes."""
        path = f"{_blob(mailbox, blob)}/{index}"
        await self._ask(Question("PUT", path, body=piece, media=OCTETS, good=(200, 201)), capability)

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
        answer = await self._ask(question, capability, session=True)
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-{end - 1}/"):
            raise PeerError("malformed", "the relay answered another part of the file than was asked for")
        return answer.body

    # --- one request -------------------------------------------------------------------------------------

    async def _ask(
        self, question: Question, key: SigningKey | None = None, *, session: bool = False
    ) -> Answer:
        """Ask until there is an answer or the policy gives up; every attempt is signed anew."""
        failed = 0
        while True:
            try:
                return await self._attempt(question, key, session=session)
            except TransportError as error:
                failed += 1
                pause = self._retry.pause(failed, error.retry_after, self._random)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def _attempt(
        self, question: Question, key: SigningKey | None = None, *, session: bool = False
    ) -> Answer:
        """Ask once, and once more if the relay's answer says how to do better."""
        for last in (False, True):
            headers = await self._authorise(question, key, session=session)
            answer = await self._exchange.ask(question, headers, refusal_max=PROBLEM_MAX)
            if answer.status in question.good:
                _check_media(question, answer.headers.get("Content-Type", ""))
                return answer
            error = read_refusal(answer.status, answer.headers, answer.body)
            self._mend(answer, error, key, last=last)
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _mend(self, answer: Answer, error: SupportError, key: SigningKey | None, *, last: bool) -> None:
        """Set right what stood in the way, or raise the error."""
        if key is None or last:
            raise error
        match error.code:
            case "session_expired":
                self._sessions.pop(key.public, None)
            case "request_expired":
                self._ahead = self._clock_difference(answer)
            case "request_replayed":
                pass  # the network sent it twice; the next one has another nonce
            case _:
                raise error

    def _clock_difference(self, answer: Answer) -> int:
        """Return how far the relay's clock is ahead; only requests follow it, entries never (attack 32)."""
        try:
            ahead = int(parsedate_to_datetime(answer.headers["Date"]).timestamp()) - self._now()
        except (KeyError, ValueError, OverflowError):
            raise PeerError("malformed", "the relay does not tell its time") from None
        if abs(ahead) > CLOCK_WARNING:
            raise UsageError(
                "check_clock",
                "this device's clock and the relay's differ by more than two days",
                hint="Set the clock of this device. If it is right, tell whoever runs the relay.",
            )
        return ahead

    async def _authorise(
        self, question: Question, key: SigningKey | None, *, session: bool
    ) -> dict[str, str]:
        """Return the headers that show the capability: a session's token, or a signature (§8)."""
        if key is None:
            return {}
        if session:
            return {"Authorization": f"Bearer {await self._token(key)}"}
        hashed = (
            await asyncio.to_thread(content_digest, question.body)
            if (len(question.body) > _HASH_IN_THREAD)
            else content_digest(question.body)
        )
        return sign_request(
            key,
            method=question.method,
            authority=self._exchange.authority,
            path=question.path,
            query=question.query,
            digest=hashed,
            now=self._now() + self._ahead,
            random=self._random,
        )

    async def _token(self, key: SigningKey) -> str:
        """Return the token of a session for a capability (§8.2)."""
        now = self._now()
        token, renew = self._sessions.get(key.public, ("", 0))
        if now < renew:
            return token
        answer = await self._attempt(Question("POST", "/v1/session", limit=Session.LIMIT), key)
        session = Session.from_bytes(answer.body)
        life = min(SESSION_LIFE, session.expires - now - self._ahead)
        self._sessions = {who: held for who, held in self._sessions.items() if now < held[1]}
        self._sessions[key.public] = b64(session.token), now + max(1, life - _SESSION_MARGIN)
        return b64(session.token)


def _check_media(question: Question, media: str) -> None:
    """Refuse a success of another kind than was asked for."""
    if (question.limit or question.answer == EVENTS) and media.partition(";")[0].strip() != question.answer:
        raise PeerError(
            "not_a_relay", "something that is no relay answered", hint="Look for a wrong address."
        )


def _team(team_id: TeamId) -> str:
    return f"/v1/team/{b64(team_id)}"


def _mailbox(mailbox: MailboxId) -> str:
    return f"/v1/mailboxes/{b64(mailbox)}"


def _blob(mailbox: MailboxId, blob: BlobId) -> str:
    return f"{_mailbox(mailbox)}/blobs/{b64(blob)}"
