"""What the relay remembers of requests, in memory only: used nonces and read sessions (§8)."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from e2e_support.errors import PeerError
from e2e_support.ids import Hash
from e2e_support.limits import SESSION_LIFE
from e2e_support.request import SignedRequest, session_hash
from e2e_support.wire import Session
from e2e_support_server.refusal import Refusal

NONCES_MOST = 1_000_000
SESSIONS_MOST = 100_000
_SLOT = 16  # seconds of expiry that share one set


class Nonces:
    """Refuses the second use of a signed request.

    A replay carries the same expiry, which the signature covers; so one set per stretch of expiry is enough, and
    a whole set is forgotten when its stretch is over.
    """

    def __init__(self, most: int = NONCES_MOST) -> None:
        self._most = most
        self._slots: dict[int, set[int]] = {}

    def use(self, signed: SignedRequest, now: float) -> None:
        """Take note of a request whose time is good.

        Raises:
            PeerError: ``request_replayed``.
            Refusal: ``busy`` when more requests are remembered than memory is for.
        """
        slot = signed.expires // _SLOT
        seen = self._slots.get(slot)
        if seen is None:
            self._forget(now)
            seen = self._slots[slot] = set()
        mark = hash(signed.public + signed.nonce)  # a third of the memory; keyed anew in every process
        if mark in seen:
            raise PeerError("request_replayed", "this request was already used")
        if sum(map(len, self._slots.values())) >= self._most:
            raise Refusal("busy", retry_after=_SLOT)
        seen.add(mark)

    def _forget(self, now: float) -> None:
        for slot in [slot for slot in self._slots if (slot + 1) * _SLOT <= now]:
            del self._slots[slot]


class Sessions:
    """Bearer tokens, stored as hashes; a restart ends them all and clients just sign again."""

    def __init__(self, most: int = SESSIONS_MOST) -> None:
        self._most = most
        self._sessions: OrderedDict[Hash, tuple[bytes, int]] = OrderedDict()

    def begin(self, public: bytes, now: float) -> Session:
        """Return a fresh token for a capability; the oldest session makes room if there are too many."""
        self._forget(now)
        session = Session(secrets.token_bytes(32), int(now) + SESSION_LIFE)
        self._sessions[session_hash(session.token)] = (public, session.expires)
        return session

    def end(self, public: bytes) -> None:
        """End every session of a capability."""
        for token in [token for token, (holder, _) in self._sessions.items() if holder == public]:
            del self._sessions[token]

    def public(self, token: bytes, now: float) -> bytes:
        """Return the capability that a token stands for.

        Raises:
            PeerError: ``session_expired``.
        """
        public, expires = self._sessions.get(session_hash(token), (b"", 0))
        if expires <= now:
            raise PeerError("session_expired", "the session is unknown or over")
        return public

    def _forget(self, now: float) -> None:
        while self._sessions:
            token, (_, expires) = next(iter(self._sessions.items()))
            if expires > now and len(self._sessions) < self._most:
                return
            del self._sessions[token]
