"""Vouches for the newest roster, so that users go on sending: alone or with others, when half of the time is over.

Two devices must agree as soon as there are two that are no newcomers; what one has signed waits at the relay for
the next (protocol 4.7).
"""

from __future__ import annotations

from contextlib import suppress

from e2e_support.errors import PeerError, SupportError, TrustError
from e2e_support.freshness import (
    DAY,
    ELSEWHERE,
    FreshUntil,
    check_freshness,
    cosign_freshness,
    freshness_of,
    require_vouched,
    sign_freshness,
)
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import WRITERS
from e2e_support.wire import Freshness
from e2e_support_client import clock
from e2e_support_client.port import Refused
from e2e_support_console.alarms import new_alarm, raise_alarms
from e2e_support_console.desk import Desk
from e2e_support_console.index import STATEMENT, bytes_of, remember


async def renew(desk: Desk) -> bool:
    """State or co-sign that the roster is the newest, where that is due; tell whether users can send.

    Nothing is signed where active devices vouch for a roster that the relay does not show; an alarm says so.

    Args:
        desk: the unlocked device; an auditor's signs nothing.

    Raises:
        Refused, TransportError, PeerError: what the relay says.
        TrustError: as ``TeamSync.refresh``.
    """
    try:
        return await _renew(desk)
    except _Elsewhere:
        return False


async def vouched(desk: Desk) -> bytes:
    """Return the newest statement that is known, after asking for a newer one where it is over (``require_vouched``).

    Raises:
        TransportError, PeerError: the relay is away or wrong.
        TrustError: ``roster_behind`` or ``roster_fork``, or as ``TeamSync.refresh``.
    """
    if await fresh_until(desk) is None:
        with suppress(Refused):
            await _renew(desk)
    return await bytes_of(desk.store, STATEMENT)


def require_fresh(desk: Desk, statement: bytes) -> None:
    """Do nothing if a person's words may be sealed for the roster as it is known now (protocol 4.7).

    Args:
        desk: the unlocked device.
        statement: from ``vouched``.

    Raises:
        TrustError: ``roster_stale``, ``too_few_signers`` …
    """
    if not desk.roster.policy.freshness.override:
        require_vouched(desk.roster, statement, now=clock.now())


async def fresh_until(desk: Desk) -> FreshUntil | None:
    """Return the statement that was seen last, while it holds."""
    return _until(desk.roster, await bytes_of(desk.store, STATEMENT), clock.now())


async def _renew(desk: Desk) -> bool:
    now = clock.now()
    if _is_good(desk.roster, await bytes_of(desk.store, STATEMENT), now):
        return True
    newest = await desk.relay.freshness(desk.team_id) or b""
    await _require_shown(desk, newest)
    roster = desk.roster
    if _until(roster, newest, now) is not None:
        await _keep(desk, newest)
        if _is_good(roster, newest, now):
            return True
    own = roster.devices.get(desk.bundle.device_id)
    if own is None or own.role not in WRITERS:
        return _until(roster, newest, now) is not None
    return await _state(desk, now)


class _Elsewhere(TrustError):
    """Active devices vouch for a roster that the relay does not show; there is an alarm already."""


async def _require_shown(desk: Desk, statement: bytes) -> None:
    """Raise an alarm where a statement is about another roster, or a newer one than the relay has even now."""
    if (error := _elsewhere(desk.roster, statement)) and error.code == "roster_behind":
        await desk.team.refresh()  # it may have been made since the links were fetched
        error = _elsewhere(desk.roster, statement)
    if error is None:
        return
    async with desk.store.transaction() as change:
        await raise_alarms(change, [new_alarm(error, statement, now=clock.now())])
    raise _Elsewhere(error.code, error.message, hint=error.hint)


def _elsewhere(roster: TrustedRoster, statement: bytes) -> SupportError | None:
    try:
        check_freshness(roster, statement, now=clock.now())
    except (PeerError, TrustError) as error:
        return error if error.code in ELSEWHERE else None
    return None


async def _state(desk: Desk, now: int) -> bool:
    signer = desk.bundle.signer()
    pending = await desk.relay.pending_freshness(desk.team_id, desk.capability()) or b""
    await _require_shown(desk, pending)
    if _is_usable(desk.roster, pending, now):
        signed = {one.device_id for one in Freshness.from_bytes(pending).signatures}
        if signer[0] in signed:
            return False  # it waits for others
        statement = cosign_freshness(pending, [signer])
    else:
        statement = sign_freshness(desk.roster, [signer], now=now)
    if await desk.relay.put_freshness(desk.team_id, statement, signer[1]):
        await _keep(desk, statement)
        return True
    return False


def _is_good(roster: TrustedRoster, statement: bytes, now: int) -> bool:
    """Tell whether a statement convinces a reader of this roster, with half of its life before it."""
    until = _until(roster, statement, now)
    return until is not None and until.expires - now > _half(roster)


def _is_usable(roster: TrustedRoster, pending: bytes, now: int) -> bool:
    """Tell whether a statement that waits is about this very roster and young; what it says is signed, not believed."""
    if not pending:
        return False
    try:
        body = freshness_of(pending)
    except PeerError:
        return False
    young = abs(now - body.issued) < _half(roster) and body.expires - body.issued <= 2 * _half(roster)
    return young and (body.team_id, body.head) == (roster.team_id, roster.head)


def _until(roster: TrustedRoster, statement: bytes, now: int) -> FreshUntil | None:
    try:
        return check_freshness(roster, statement, now=now) if statement else None
    except (PeerError, TrustError):
        return None


def _half(roster: TrustedRoster) -> int:
    return roster.policy.freshness.days * DAY // 2


async def _keep(desk: Desk, statement: bytes) -> None:
    async with desk.store.transaction() as change:
        await remember(change, STATEMENT, statement)
