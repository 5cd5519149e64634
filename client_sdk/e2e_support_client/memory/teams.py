"""Teams of a relay in memory: rosters, freshness, what a ticket costs, the feed."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from e2e_support.admission import day_of
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, TrustError
from e2e_support.freshness import FreshUntil, check_freshness, freshness_of
from e2e_support.ids import ID_SIZE, MailboxId, TeamId
from e2e_support.limits import PAGE_ITEMS_MAX
from e2e_support.roster import TrustedRoster, begin_batch
from e2e_support.roster_links import open_link
from e2e_support.vocab import Role
from e2e_support.wire import AdmissionTerms, Batch, EpochPackage, FeedPage, Found, LinksPage, RelayInfo, Ring
from e2e_support_client import clock
from e2e_support_client.memory.held import HeldRelay, HeldTeam
from e2e_support_client.port import Refused
from e2e_support_client.refusals import refusal


class HeldTeams(HeldRelay):
    """What a relay does for teams; ``MemoryRelay`` has the arguments."""

    def __init__(self, relay_key: SigningKey | None, now: clock.Clock, work_bits: int, code: str) -> None:
        super().__init__(relay_key, now)
        self._work_bits = work_bits
        self._code = code

    def take_team(self, batch: Batch) -> TrustedRoster:
        """Take a team's founding batch without a code and return its roster."""
        roster = begin_batch(batch)
        self._teams[roster.team_id] = HeldTeam(roster, {p.epoch: p for p in batch.packages})
        return roster

    def take_batch(self, team_id: TeamId, batch: Batch) -> TrustedRoster:
        """Take further roster links, verified like the real relay does, and return the new roster.

        Raises:
            PeerError, TrustError: when the batch is not good; nothing changes.
        """
        team = self._team(team_id)
        team.roster = team.roster.update_batch(batch)
        team.packages |= {package.epoch: package for package in batch.packages}
        return team.roster

    # --- anyone ------------------------------------------------------------------------------------------

    async def info(self) -> RelayInfo:
        """Return what the relay says of itself."""
        await self._enter("info")
        return RelayInfo(1, 1, self.relay_key, self.time)

    async def found(self, found: Found) -> None:
        """Found a team with the one-time code."""
        await self._enter("found")
        if found.code != self._code:
            raise refusal("code_refused")
        self.take_team(Found.from_bytes(found.to_bytes()).batch)
        self._code = ""
        self._leave()

    async def links(self, team_id: TeamId, start: int) -> LinksPage:
        """Return roster links from a sequence number on."""
        await self._enter("links")
        links = self._links_shown(self._team(team_id).roster)
        return LinksPage(len(links), tuple(links[start:]))

    async def package(self, team_id: TeamId, epoch: int) -> EpochPackage:
        """Return an epoch's boxes and ring."""
        await self._enter("package")
        package = self._team(team_id).packages.get(epoch)
        if package is None:
            raise refusal("not_found")
        return package

    async def freshness(self, team_id: TeamId) -> bytes | None:
        """Return the newest ``Freshness`` that enough devices signed, if there is one."""
        await self._enter("freshness")
        return self._team(team_id).freshness

    async def admission(self, team_id: TeamId) -> AdmissionTerms:
        """Return what creating a mailbox costs now."""
        await self._enter("admission")
        rules = self._team(team_id).roster.policy.relay_rules()
        return AdmissionTerms(rules.mode, self._work_bits, day_of(self.time))

    # --- the team's devices ------------------------------------------------------------------------------

    async def post_links(self, team_id: TeamId, batch: Batch, device: SigningKey) -> None:
        """Append a batch to the roster, for an active device or one that the batch adds."""
        await self._enter("post_links")
        team = self._team(team_id)
        batch = Batch.from_bytes(batch.to_bytes())
        try:
            after = _after(team.roster, batch)
        except Refused:
            self._device(team.roster, device)
            raise
        self._device(after if device.public not in _keys(team.roster) else team.roster, device)
        team.roster = after
        team.packages |= {package.epoch: package for package in batch.packages}
        self._leave()

    async def pending_freshness(self, team_id: TeamId, capability: SigningKey) -> bytes | None:
        """Return a ``Freshness`` that waits for further signatures, if there is one."""
        await self._enter("pending_freshness")
        return self._team_access(team_id, capability).pending

    async def put_freshness(self, team_id: TeamId, statement: bytes, device: SigningKey) -> bool:
        """Store a statement; false when it waits for further signatures."""
        await self._enter("put_freshness")
        team = self._team(team_id)
        self._device(team.roster, device, Role.OWNER, Role.AGENT)
        try:
            before = freshness_of(team.freshness) if team.freshness else None
            earlier = FreshUntil(before.head, before.issued, before.expires) if before else None
            check_freshness(team.roster, statement, now=self.time, earlier=earlier)
        except (PeerError, TrustError) as error:
            if error.code != "too_few_signers" or not team.roster.has_head(freshness_of(statement).head):
                raise refusal("link_refused") from None
            team.pending = statement
        else:
            team.freshness, team.pending = statement, None
        self._leave()
        return team.pending is None

    async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
        """Return the steps of the team's feed after a cursor."""
        await self._enter("feed")
        feed = self._team_access(team_id, capability).feed
        return FeedPage(len(feed), tuple(feed[after : after + PAGE_ITEMS_MAX]))

    async def wait_team(self, team_id: TeamId, after: int, capability: SigningKey, *, wait: int) -> Ring:
        """Return as soon as the feed's cursor is beyond ``after``, or after ``wait`` seconds."""
        await self._enter("wait_team")
        feed = self._team_access(team_id, capability).feed
        await self._wait(lambda: len(feed) > after, wait)
        return Ring(MailboxId(bytes(ID_SIZE)), len(feed))

    async def team_bell(self, team_id: TeamId, after: int, capability: SigningKey) -> AsyncGenerator[Ring]:
        """Yield rings from the team's feed until a fault or the caller ends it."""
        while True:
            ring = await self.wait_team(team_id, after, capability, wait=3600)
            after = ring.seq
            yield ring

    def _device(self, roster: TrustedRoster, key: SigningKey, *roles: Role) -> None:
        """Refuse a key that is no active device's of these roles; of any role if none is named."""
        records = roster.devices.values()
        if not any(r.sign_key == key.public and (not roles or r.role in roles) for r in records):
            raise refusal("not_found")


def _keys(roster: TrustedRoster) -> set[bytes]:
    """Return the signing keys of all devices, active or removed."""
    return {device.record.sign_key for device in roster.devices_ever.values()}


def _after(roster: TrustedRoster, batch: Batch) -> TrustedRoster:
    """Return the roster with a batch, which may stand there already."""
    start = open_link(batch.links[0]).body.seq if batch.links else 0
    if roster.links[start : start + len(batch.links)] == batch.links:
        return roster
    if start != len(roster.links):
        raise refusal("head_moved", head=roster.head)
    try:
        return roster.update_batch(batch)
    except (PeerError, TrustError):
        raise refusal("link_refused") from None
