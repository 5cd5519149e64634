"""Who asks: signatures and sessions, checked in an order that tells a stranger nothing (protocol section 8)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from e2e_support.crypto.hash import same
from e2e_support.errors import PeerError
from e2e_support.ids import DeviceId, MailboxId, TeamId
from e2e_support.limits import STRANGE_BATCH_MAX
from e2e_support.mailbox import mailbox_id as id_of_key
from e2e_support.request import SIGNED_HEADERS, SignedRequest, check_time, content_digest, unb64
from e2e_support.wire import Session
from e2e_support_server.clock import Clock
from e2e_support_server.config import Limits
from e2e_support_server.fairness import Rate
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.rules import Mailbox, Writer
from e2e_support_server.service.mailboxes import Mailboxes
from e2e_support_server.service.teams import Teams
from e2e_support_server.tokens import Nonces, Sessions
from e2e_support_server.verifier import Verifier

NOBODY = b""  # a key that opens nothing: what a bad signature is looked up with
_BEARER = "Bearer "
_SMALL_BODY = 512 * 1024  # bodies above wait for one of a few places, which bounds the memory they take
SESSIONS_SECOND, SESSIONS_BURST = 1, 60  # of one capability


@dataclass(frozen=True, slots=True)
class Permit:
    """A request that may be carried out: where, for which class, with what body and the SHA-256 of it."""

    mailbox: Mailbox
    writer: Writer
    public: bytes
    body: bytes = b""
    digest: bytes = b""


class Guard:
    """Turns requests into permits.

    Every method raises ``Refusal`` or ``PeerError``: ``not_found`` for a bad signature, an unknown mailbox and a
    wrong capability alike, ``request_expired``, ``request_replayed``, ``session_expired``, ``too_large``.

    Args:
        mailboxes: knows whose capability opens what.
        teams: the same for teams.
        sessions: the read sessions.
        verifier: verifies signatures.
        clock: the relay's clock.
        limits: what the relay grants.
    """

    def __init__(
        self,
        mailboxes: Mailboxes,
        teams: Teams,
        sessions: Sessions,
        verifier: Verifier,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._mailboxes = mailboxes
        self._verifier = verifier
        self._teams = teams
        self._clock = clock
        self._body_seconds = limits.body_seconds
        self._large = asyncio.Semaphore(limits.uploads)
        self._nonces = Nonces()
        self._sessions = sessions
        self._session_rate = Rate(SESSIONS_SECOND, SESSIONS_BURST)

    async def write(
        self, request: web.Request, mailbox_id: MailboxId, most: int, *, erased: bool = False
    ) -> Permit:
        """Return a permit for a signed write with a body of at most ``most`` bytes."""
        signed = await self._signed(request)
        access = await self._mailboxes.access(mailbox_id, signed.public if signed else NOBODY, erased=erased)
        if signed is None or access is None:
            raise not_found()
        body = await self._body(request, signed, most)
        # Again: while a slow body came in, the capability may have gone, or the mailbox.
        access = await self._mailboxes.access(mailbox_id, signed.public, erased=erased)
        if access is None:
            raise not_found()
        return Permit(*access, signed.public, body, signed.digest)

    async def read(self, request: web.Request, mailbox_id: MailboxId, *, erased: bool = False) -> Permit:
        """Return a permit for a read, signed or in a session."""
        public, signed = await self._reader(request)
        access = await self._mailboxes.access(mailbox_id, public, erased=erased)
        if access is None or public == NOBODY:
            raise not_found()
        self._use(signed)
        return Permit(*access, public)

    async def team(self, request: web.Request, team_id: TeamId) -> bytes:
        """Return the newest capability of a team, which signed a read, or a session of it."""
        public, signed = await self._reader(request)
        if not self._teams.holds(team_id, public):
            raise not_found()
        self._use(signed)
        return public

    async def device(self, request: web.Request, team_id: TeamId, most: int) -> tuple[DeviceId, bytes]:
        """Return the device whose key signed a request, active or removed, and the body."""
        signed = await self._signed(request)
        device = self._teams.device(team_id, signed.public if signed else NOBODY)
        if signed is None or device is None:
            raise not_found()
        return device, await self._body(request, signed, most)

    async def carrier(self, request: web.Request, team_id: TeamId, most: int) -> tuple[bytes, bytes]:
        """Return the key that signed a batch, and the body: a short one unless a device of the team ever had that key.

        A relay that was restored from a backup does not know who came since, and may bring what it lost (§4.6).
        """
        signed = await self._signed(request)
        known = self._teams.device(team_id, signed.public if signed else NOBODY)
        self._teams.team(team_id)
        if signed is None:
            raise not_found()
        if known is None:
            return signed.public, await self._read(request, signed, min(most, STRANGE_BATCH_MAX))
        return signed.public, await self._body(request, signed, most)

    async def create(self, request: web.Request, mailbox_id: MailboxId, most: int) -> tuple[bytes, bytes]:
        """Return body of a create and the key that signed it: the id belongs to it, or it is a team's (§3.2)."""
        signed = await self._signed(request)
        if signed is None or not self._may_create(signed.public, mailbox_id):
            raise not_found()
        return signed.public, await self._body(request, signed, most)

    def _may_create(self, public: bytes, mailbox_id: MailboxId) -> bool:
        return id_of_key(public) == mailbox_id or self._teams.holds_any(public)

    async def session(self, request: web.Request) -> Session:
        """Return a new read session for the capability that signed (§8.2)."""
        signed = await self._signed(request)
        known = await self._mailboxes.is_capability(signed.public if signed else NOBODY)
        if signed is None or not known:
            raise not_found()
        await self._body(request, signed, 0)
        now = self._clock()
        if wait := self._session_rate.wait(signed.public, now):
            raise Refusal("rate", retry_after=wait)
        return self._sessions.begin(signed.public, now)

    async def _signed(self, request: web.Request) -> SignedRequest | None:
        """Return what was signed, if the signature is good; ``request_expired`` if only its time is not."""
        path, _, query = request.raw_path.partition("?")
        values = [request.headers.get(name, "") for name in SIGNED_HEADERS]
        unverified = (request.method, request.host.lower(), path, query, *values)
        signed = await self._verifier.verify(unverified) if all(values) else None
        if signed is not None:
            check_time(signed, int(self._clock()))
        return signed

    async def _reader(self, request: web.Request) -> tuple[bytes, SignedRequest | None]:
        """Return the key that a read stands for, and the request if it was signed."""
        bearer = request.headers.get("Authorization")
        if bearer is not None:
            token = unb64(bearer.removeprefix(_BEARER), 32) if bearer.startswith(_BEARER) else b""
            return self._sessions.public(token, self._clock()), None
        signed = await self._signed(request)
        return (signed.public if signed else NOBODY), signed

    async def _body(self, request: web.Request, signed: SignedRequest, most: int) -> bytes:
        """Return the body that was signed, and use up the signature."""
        body = await self._read(request, signed, most)
        self._use(signed)
        return body

    async def _read(self, request: web.Request, signed: SignedRequest, most: int) -> bytes:
        """Return the body that was signed."""
        if most > _SMALL_BODY:
            async with self._large:
                body = await read_body(request, most, self._body_seconds)
        else:
            body = await read_body(request, most, self._body_seconds)
        hashed = (
            await asyncio.to_thread(content_digest, body) if len(body) > _SMALL_BODY else content_digest(body)
        )
        if not same(hashed, signed.digest):
            raise not_found()  # as for any other signature that does not fit
        return body

    def _use(self, signed: SignedRequest | None) -> None:
        """Refuse the second use; only of those who may ask, so that strangers cannot fill the memory."""
        if signed is not None:
            self._nonces.use(signed, self._clock())


async def read_body(request: web.Request, most: int, seconds: float) -> bytes:
    """Return a request's body.

    Args:
        request: with a body still unread.
        most: bytes.
        seconds: how long it may take to arrive.

    Raises:
        Refusal: ``too_large``.
        PeerError: ``malformed`` when it does not arrive, or not in time.
    """
    _check_size(request.content_length or 0, most)
    if request.content.is_eof():  # all there already, as for most small bodies
        body = request.content.read_nowait()
        _check_size(len(body), most)
        return body
    parts = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.content.iter_any():
                parts += part
                _check_size(len(parts), most)
    except (TimeoutError, web.RequestPayloadError, ConnectionError):
        request.protocol.force_close()
        raise PeerError("malformed", "the body did not arrive") from None
    return bytes(parts)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Refusal("too_large")
