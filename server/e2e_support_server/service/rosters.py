"""Rosters that move on: batches of links, and statements that a head is the newest (protocol 4.6, 4.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from e2e_support.errors import PeerError, TrustError
from e2e_support.freshness import FreshUntil, check_freshness, freshness_of
from e2e_support.ids import DeviceId, TeamId
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import link_hash, open_link
from e2e_support.vocab import Role
from e2e_support.wire import Batch, Freshness, Link
from e2e_support_server.clock import Clock
from e2e_support_server.fairness import Rate
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.service.teams import Teams, founding
from e2e_support_server.storage.base import Statements, Store

LINKS_HOUR, LINKS_BURST = 120, 512
"""Links of one member: nobody who fears to be removed keeps the roster moving, nor makes it longer without end."""


class Rosters:
    """Judges what devices want to change in their team.

    Args:
        store: where links and statements are kept.
        teams: the rosters as they stand.
        clock: the relay's clock.
        ended: each is told of a capability that is no more, in the same step in which the next one counts.
    """

    def __init__(
        self, store: Store, teams: Teams, clock: Clock, ended: Sequence[Callable[[bytes], None]]
    ) -> None:
        self._store = store
        self._teams = teams
        self._clock = clock
        self._ended = ended
        self._rate = Rate(LINKS_HOUR / 3600, LINKS_BURST)
        self._alone = asyncio.Lock()  # one change at a time is judged and stored

    async def append(self, team_id: TeamId, public: bytes, body: bytes) -> None:
        """Append a ``Batch`` (§4.6); harmless when its links stand there already.

        Args:
            team_id: whose roster.
            public: the signing key of who asks; a removed device only learns that its batch was taken, and one that
                is not in the team as it stands here must be added by the batch.
            body: a ``Batch``.

        Raises:
            PeerError: ``malformed``, ``update_needed``.
            Refusal: ``head_moved``, ``link_refused``, ``rate``; ``not_found`` alone for whoever is no active device.
        """
        try:
            batch = _batch(body)
            async with self._alone:
                await self._append(self._teams.team(team_id).roster, public, batch)
        except (PeerError, Refusal):
            if self._teams.device(team_id, public) in self._teams.team(team_id).roster.devices:
                raise
            raise not_found() from None

    async def _append(self, roster: TrustedRoster, public: bytes, batch: Batch) -> None:
        device = self._teams.device(roster.team_id, public)
        if device is not None and _stands(roster, batch):
            return
        if device is not None:
            self._count(roster, device, len(batch.links))
        after = await asyncio.to_thread(_judged, roster, batch)
        if device is None and not _has(after, public):
            raise not_found()
        await self._store.append_links(roster.head, founding(after, batch))
        self._move_on(roster, after)

    def _count(self, roster: TrustedRoster, device: DeviceId, links: int) -> None:
        """Count links for the person whose device brings them: many devices bring no more than one (attack 113)."""
        record = roster.devices.get(device)
        if record is None:
            raise not_found()
        if wait := self._rate.wait((roster.team_id, record.member_id), self._clock(), links):
            raise Refusal("rate", retry_after=wait)

    def _move_on(self, roster: TrustedRoster, after: TrustedRoster) -> None:
        """Let the new roster count and end what the old capability had begun (attack 84)."""
        self._teams.move_on(after)
        if after.epoch.epoch > roster.epoch.epoch:
            for end in self._ended:
                end(roster.epoch.capability_key)

    # --- freshness ---------------------------------------------------------------------------------------

    async def freshness(self, team_id: TeamId) -> bytes:
        """Return the newest ``Freshness`` with enough signatures; ``not_found``."""
        return _there((await self._store.statements(team_id)).newest)

    async def pending(self, team_id: TeamId) -> bytes:
        """Return a ``Freshness`` that waits for signatures; ``not_found``."""
        return _there((await self._store.statements(team_id)).pending)

    async def put_freshness(self, team_id: TeamId, device: DeviceId, body: bytes) -> bool:
        """Store a ``Freshness``; false when it waits for signatures (§4.7).

        Raises:
            PeerError: ``malformed``.
            Refusal: ``link_refused``, ``not_found`` for a device that may not vouch.
        """
        Freshness.from_bytes(body)
        async with self._alone:
            roster = self._teams.team(team_id).roster
            if device not in roster.membership.by_role(Role.OWNER, Role.AGENT):
                raise not_found()
            kept = await self._store.statements(team_id)
            enough = _vouches(roster, body, kept.newest, int(self._clock()))
            kept = Statements(body, None) if enough else Statements(kept.newest, body)
            await self._store.keep_statements(team_id, kept)
        return enough


def _batch(body: bytes) -> Batch:
    batch = Batch.from_bytes(body)
    if not batch.links:
        raise PeerError("malformed", "a batch without links")
    return batch


def _stands(roster: TrustedRoster, batch: Batch) -> bool:
    """Tell whether these links are the roster's own where they belong; signatures make no other link (§4.1)."""
    start = open_link(batch.links[0]).body.seq
    hashes = [link_hash(Link.from_bytes(link).body) for link in batch.links]
    return list(roster.hashes[start : start + len(hashes)]) == hashes


def _judged(roster: TrustedRoster, batch: Batch) -> TrustedRoster:
    first = open_link(batch.links[0]).body
    if (first.seq, first.prev_hash) != (len(roster.links), roster.hashes[-1]):
        raise Refusal("head_moved", head=roster.head)
    try:
        return roster.update_batch(batch)
    except (PeerError, TrustError) as error:
        if error.code == "update_needed":
            raise
        raise Refusal("link_refused", rule=error.code) from None


def _has(roster: TrustedRoster, public: bytes) -> bool:
    """Tell whether an active device signs with a key."""
    return any(record.sign_key == public for record in roster.devices.values())


def _vouches(roster: TrustedRoster, statement: bytes, newest: bytes | None, now: int) -> bool:
    """Tell whether a statement has enough signatures; ``link_refused`` when anything else is wrong with it."""
    said = freshness_of(statement)
    before = freshness_of(newest) if newest else None
    earlier = FreshUntil(before.head, before.issued, before.expires) if before else None
    if before and (said.issued < before.issued or said.head.length < before.head.length):
        raise Refusal("link_refused", rule="bad_freshness")
    if not roster.has_head(said.head):
        raise Refusal("link_refused", rule="roster_fork")
    try:
        check_freshness(roster, statement, now=now, earlier=earlier)
    except (PeerError, TrustError) as error:
        if error.code == "too_few_signers":
            return False
        raise Refusal("link_refused", rule=error.code) from None
    return True


def _there(statement: bytes | None) -> bytes:
    if statement is None:
        raise not_found()
    return statement
