"""Changes that wait for more owners: kept in the team space, co-signed there, posted by whoever completes them.

Nothing in a proposal is believed: each is judged against the newest roster like a batch from whomever, and one
that does not hold, or that another change has overtaken, is not shown (protocol 4.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from e2e_support.content import ProposalBody
from e2e_support.errors import SupportError, UsageError
from e2e_support.invitation import join_hash
from e2e_support.limits import BODY_MAX, CLOCK_WARNING
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import DeviceAdd, open_link
from e2e_support.thread import GRACE
from e2e_support.ticket_state import DAY
from e2e_support.vocab import Kind, Role, Verdict
from e2e_support.wire import Batch, Link
from e2e_support_client import clock
from e2e_support_client.port import Refused
from e2e_support_console.desk import Desk
from e2e_support_console.team_space import TeamSpace
from e2e_support_keys.changes import cosign, missing
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.history import Event, foretell

SIGNED_WITHIN: Final = GRACE - 2 * DAY
"""Seconds within which a policy must have all its signatures.

The one that it replaces ends at the time that it is dated, and entries are judged by that (5.5).
"""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody whom a proposal would let in.

    Attributes:
        name: as they would be called.
        words: what their own device shows them: an owner who co-signs compares them, like the one who invited.
    """

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that is good but for signatures.

    Attributes:
        number: what people call it.
        batch: the links, with all signatures that were given so far.
        events: what it would do.
        missing: how many further owners must sign.
    """

    number: int
    batch: Batch
    events: tuple[Event, ...]
    missing: int

    @property
    def newcomers(self) -> tuple[Newcomer, ...]:
        """Whom it would let in; paper for recovery shows nobody words."""
        links = [open_link(link) for link in self.batch.links]
        joining = [
            (one.body.team_id, one.payload.record) for one in links if isinstance(one.payload, DeviceAdd)
        ]
        return tuple(
            Newcomer(record.label, Fingerprint.of_hash(join_hash(team_id, record)).words)
            for team_id, record in joining
            if record.role is not Role.RECOVERY
        )


class Proposals:
    """The team's open proposals as one device sees them; ``TeamClient.proposals``.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._space = TeamSpace(desk, frozenset({Kind.PROPOSAL}))

    async def list(self) -> tuple[Proposal, ...]:
        """Return the proposals that could still be carried out, the oldest first.

        A policy that was not signed in time must be proposed again.

        Raises:
            TransportError, PeerError, TrustError: relay or team space are not as they must be.
        """
        return _open_proposals(await self._space.entries(), self._desk.roster)

    async def add(self, batch: Batch) -> Proposal:
        """Put a batch that lacks signatures before the other owners.

        Args:
            batch: a batch on the newest roster, signed by this device.

        Raises:
            UsageError: ``owners_only``; ``change_too_large`` for a batch that no entry can hold, ``stale_batch`` for
                one that is no proposal (any more).
            TransportError, PeerError, TrustError: as ``list``.
        """
        own = self._desk.roster.devices.get(self._desk.bundle.device_id)
        if own is None or own.role is not Role.OWNER:
            raise UsageError("owners_only", "only owners change that", hint="Ask an owner of the team.")
        await self._write(batch)
        wanted = _identity(batch)
        found = next((one for one in await self.list() if _identity(one.batch) == wanted), None)
        if found is None:
            raise _stale()
        return found

    async def cosign(self, number: int) -> Proposal | None:
        """Sign a proposal, and carry it out if nothing is missing then.

        Args:
            number: as ``list`` shows it.

        Returns:
            The proposal if others have to sign still, ``None`` once it is carried out.

        Raises:
            UsageError: ``no_proposal``, ``stale_batch``, ``nothing_to_sign``.
            TrustError: what it would make of the team is not as it should be; nothing was signed.
        """
        desk = self._desk
        found = next((one for one in await self.list() if one.number == number), None)
        desk.writer()
        if found is None:
            raise UsageError(
                "no_proposal", f"there is no open proposal {number}", hint="See `e2e-admin proposals`."
            )
        batch = found.batch
        if found.missing:
            batch = cosign(batch, desk.roster, desk.team.keys, desk.bundle)
            await self._write(batch)  # first: a signature must not be lost if posting fails
        if missing(batch, desk.roster):
            return next((one for one in await self.list() if one.number == number), None)
        if not await post(desk, batch):
            raise _stale()
        return None

    async def _write(self, batch: Batch) -> None:
        data = batch.to_bytes()
        if len(data) > BODY_MAX - 8:
            raise UsageError(
                "change_too_large", "this change is too large to wait for others", hint="Split it."
            )
        await self._space.write(Kind.PROPOSAL, ProposalBody(data))


async def post(desk: Desk, batch: Batch) -> bool:
    """Post a batch that is complete; tell whether it stands, or somebody else was faster.

    Raises:
        Refused: ``link_refused``.
        TrustError: ``not_in_team`` when this device was removed in the same moment.
        TransportError: it is not known whether it stands; the next refresh tells.
    """
    try:
        await desk.relay.post_links(desk.team_id, batch, desk.bundle.signer()[1])
    except Refused as refused:
        if refused.code == "not_found":  # to the relay this device is a stranger: the roster says why
            await desk.team.refresh()
        if refused.code != "head_moved":
            raise
        return False
    await desk.team.refresh(even_shut=True)
    return True


def _open_proposals(entries: Iterable[Opened], roster: TrustedRoster) -> tuple[Proposal, ...]:
    """Put the signatures together that owners gave to the same links."""
    open_ones: dict[tuple[bytes, ...], Proposal] = {}
    for opened in entries:
        batch = _good_batch(opened, roster)
        if batch is None:
            continue
        key = _identity(batch)
        before = open_ones.get(key)
        merged = _merged(before.batch, batch) if before else batch
        wanting = max([one.members for one in missing(merged, roster)], default=0)
        number = before.number if before else opened.seq + 1
        open_ones[key] = Proposal(number, merged, tuple(foretell(roster, merged)), wanting)
    return tuple(open_ones.values())


def _good_batch(opened: Opened, roster: TrustedRoster) -> Batch | None:
    """Return an owner's batch if all in it holds, signatures included, though some may be missing."""
    body, device = opened.body, opened.device
    if opened.verdict is not Verdict.OK or not isinstance(body, ProposalBody):
        return None
    if device is None or device.role is not Role.OWNER:
        return None
    try:
        batch = Batch.from_bytes(body.batch)
        missing(batch, roster)
    except SupportError:
        return None
    return batch if _is_timely(batch, clock.now()) else None


def _is_timely(batch: Batch, now: int) -> bool:
    """Tell whether a policy in a batch is dated as of these days: neither a slow team nor an owner dates it back."""
    dated = [link.body.time for link in map(open_link, batch.links) if isinstance(link.payload, Policy)]
    return all(now - SIGNED_WITHIN < time <= now + CLOCK_WARNING for time in dated)


def _identity(batch: Batch) -> tuple[bytes, ...]:
    return tuple(Link.from_bytes(link).body for link in batch.links)


def _merged(first: Batch, second: Batch) -> Batch:
    """Return a batch with the signatures of two that say the same; both were judged before."""
    links: list[bytes] = []
    for pair in zip(first.links, second.links, strict=True):
        one, other = (Link.from_bytes(link) for link in pair)
        both = {signature.device_id: signature for signature in (*other.signatures, *one.signatures)}
        links.append(Link(one.body, tuple(both.values())).to_bytes())
    return Batch(tuple(links), first.packages)


def _stale() -> UsageError:
    return UsageError("stale_batch", "the team has changed since this was proposed", hint="Propose it again.")
