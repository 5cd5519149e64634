"""One request that shows a capability: signed or in a session, asked again where that may help (protocol 8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from email.utils import parsedate_to_datetime
from typing import Final

from e2e_support.crypto.secret import Random
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, SupportError, TransportError, UsageError
from e2e_support.limits import CLOCK_WARNING, KIB, SESSION_LIFE
from e2e_support.request import b64, content_digest, sign_request
from e2e_support.wire import Ring, Session
from e2e_support_client import clock
from e2e_support_client.bell_stream import read_rings
from e2e_support_client.exchange import EVENTS, Answer, Exchange, Question, read_capped
from e2e_support_client.refusals import PROBLEM_MAX, read_refusal
from e2e_support_client.retry import RetryPolicy

_SESSION_MARGIN: Final = 30  # seconds; a session is renewed before it is over
_HASH_IN_THREAD: Final = 64 * KIB  # larger bodies are hashed beside the loop


class Asker:
    """Asks one relay; arguments as ``HttpRelay``."""

    def __init__(self, exchange: Exchange, retry: RetryPolicy, now: clock.Clock, random: Random) -> None:
        self._exchange = exchange
        self._retry = retry
        self._now = now
        self._random = random
        self._ahead = 0  # seconds that the relay's clock is ahead of ours, once it said so
        self._sessions: dict[bytes, tuple[str, int]] = {}  # capability → (token, when to renew it)

    async def close(self) -> None:
        """Give back connections and forget the sessions."""
        self._sessions.clear()
        await self._exchange.close()

    async def ask(
        self, question: Question, key: SigningKey | None = None, *, session: bool = False
    ) -> Answer:
        """Ask until there is an answer or the policy gives up; every attempt is signed anew."""
        failed = 0
        while True:
            try:
                return await self.attempt(question, key, session=session)
            except TransportError as error:
                failed += 1
                pause = self._retry.pause(failed, error.retry_after, self._random)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def attempt(
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

    async def rings(self, question: Question, key: SigningKey) -> AsyncGenerator[Ring]:
        """Yield the rings of an event stream; errors as in ``HttpRelay.team_bell``."""
        for last in (False, True):
            headers = await self._authorise(question, key, session=True)
            async with self._exchange.opened(question, headers, endless=True) as response:
                if response.status == 200:
                    _check_media(question, response.headers.get("Content-Type", ""))
                    async for ring in read_rings(response.content.iter_any()):
                        yield ring
                body = await read_capped(response, PROBLEM_MAX)
                error = read_refusal(response.status, response.headers, body)
            self._mend(Answer(response.status, response.headers, b""), error, key, last=last)

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
            if len(question.body) > _HASH_IN_THREAD
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
        answer = await self.attempt(Question("POST", "/v1/session", limit=Session.LIMIT), key)
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
