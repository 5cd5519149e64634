"""The team's root of trust: a chain of signed links that starts at a pinned genesis and only moves forward.

Pure: bytes in, a new roster out, or one error and nothing changed. Relay and clients judge links with this
one function, so that nobody can split a team over a link that only some accept (``docs/protocol.md``
section 4). Author times in links are shown to people; no rule depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from e2e_support.crypto.suite import SUITE, VERSION
from e2e_support.epoch import check_package
from e2e_support.errors import PeerError, TrustError
from e2e_support.ids import TeamId
from e2e_support.membership import Membership, refuse
from e2e_support.policy_checks import open_policy
from e2e_support.roster_links import (
    NO_HASH,
    NO_TEAM,
    PAYLOADS,
    OpenLink,
    Payload,
    link_hash,
    open_link,
    team_id_of,
)
from e2e_support.roster_rules import check_signatures, founders
from e2e_support.roster_state import RosterState
from e2e_support.roster_steps import check_epoch, epoch_missing, follow, relay_keys
from e2e_support.wire import Batch, EpochPackage, Genesis, LinkBody


class Standing(Enum):
    """How a link that somebody shows relates to a roster."""

    SAME = "same"
    NEXT = "next"
    FORK = "fork"
    STRANGE = "strange"  # proves nothing: not valid here, of another team, or too far ahead to judge


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Two valid links with one sequence number: two stories were told.

    Attributes:
        kept: the link of this roster, as transported.
        other: the one that was shown.
    """

    kept: bytes
    other: bytes


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a shown link is; ``proof`` is there for a fork only."""

    standing: Standing
    proof: ForkProof | None = None


@dataclass(frozen=True, slots=True)
class TrustedRoster(RosterState):
    """A roster that was checked from its genesis on. Make one with ``begin``, go on with ``update``."""

    @classmethod
    def begin(cls, genesis_link: bytes, *, team_id: TeamId | None = None) -> TrustedRoster:
        """Return the roster that a genesis begins (section 4.2).

        Args:
            genesis_link: the first link.
            team_id: the pinned id; without one the roster is only as good as its source.

        Raises:
            PeerError: ``malformed``, ``update_needed``, ``bad_key`` or ``bad_policy``.
            TrustError: ``team_mismatch`` when the link is another team's, or a rule of section 4.4.
        """
        link = open_link(genesis_link)
        found = team_id_of(link.signed)
        if team_id is not None and found != team_id:
            raise TrustError(
                "team_mismatch",
                "the relay serves another team than the one that was asked for",
                hint="Compare the support link with the one that the team published; send nothing until then.",
            )
        genesis, body = link.payload, link.body
        if not isinstance(genesis, Genesis):
            raise refuse("bad_genesis", "the first link is not a genesis")
        if (body.seq, body.team_id, body.prev_hash) != (0, NO_TEAM, NO_HASH):
            raise refuse("bad_genesis", "a genesis continues nothing")
        members = Membership.found(genesis.devices, genesis.threshold)
        check_signatures(members, link, founders(members))
        check_epoch(genesis.epoch, (), members)
        keys = relay_keys(genesis.relay_keys)
        return cls(
            team_id=found,
            name=genesis.name,
            links=(genesis_link,),
            hashes=(link_hash(link.signed),),
            membership=members,
            epoch_links=((0, genesis.epoch),),
            policy_links=((0, open_policy(genesis.policy)),),
            relay_keys=keys,
            current_relay_keys=keys,
        )

    def update(self, links: Sequence[bytes]) -> TrustedRoster:
        """Return the roster with further links, all of them or none (section 4.4).

        Several batches may be given as one. A page of links may end in the middle of a batch: ask for the
        next page and give both.

        Args:
            links: consecutive links, the first one following this roster's last.

        Raises:
            PeerError: ``malformed``, ``update_needed``, ``bad_key`` or ``bad_policy``.
            TrustError: a rule of section 4.4.
        """
        roster = self
        for data in links:
            roster = follow(roster, open_link(data))
        if roster.owed is not None:
            raise epoch_missing()
        return roster

    def update_batch(self, batch: Batch) -> TrustedRoster:
        """Return the roster with a batch, as a relay stores it: links and the boxes of their epochs (4.6).

        Raises:
            PeerError: as ``update``.
            TrustError: as ``update``, or ``bad_package``.
        """
        roster = self.update(batch.links)
        check_packages(roster, len(self.epoch_links), batch.packages)
        return roster

    def check_package(self, package: EpochPackage) -> None:
        """Do nothing if an epoch's boxes and ring are the ones that were signed.

        Raises:
            TrustError: ``bad_package``.
        """
        if package.epoch >= len(self.epoch_links):
            raise refuse("bad_package", f"there is no epoch {package.epoch}")
        check_package(self.epochs[package.epoch], package)

    def compare(self, link: bytes) -> Comparison:
        """Return how a link relates to this roster; a fork is proven only by a second valid link.

        An honest team can make one too, when two consoles sign at once and the relay refuses the slower: a
        proof says that two stories exist, not who told them.

        Args:
            link: a link from anywhere.
        """
        try:
            return self._compare(open_link(link))
        except (PeerError, TrustError):
            return Comparison(Standing.STRANGE)

    def _compare(self, link: OpenLink) -> Comparison:
        seq = link.body.seq
        if seq < len(self.links) and self.hashes[seq] == link_hash(link.signed):
            return Comparison(Standing.SAME)
        before = self.begin(self.links[0])
        for data in self.links[1:seq]:
            before = follow(before, open_link(data))
        follow(before, link)
        if seq == len(self.links):
            return Comparison(Standing.NEXT)
        return Comparison(Standing.FORK, ForkProof(self.links[seq], link.data))


def begin_batch(batch: Batch, *, team_id: TeamId | None = None) -> TrustedRoster:
    """Return the roster that a founding batch begins, as a relay stores it (section 4.6).

    Args:
        batch: the genesis first, then further links; the boxes of their epochs.
        team_id: the pinned id, if there is one.

    Raises:
        PeerError: as ``begin`` and ``update``, or ``malformed`` for a batch without links.
        TrustError: as ``begin`` and ``update``, or ``bad_package``.
    """
    if not batch.links:
        raise PeerError("malformed", "a founding batch begins with a genesis")
    roster = TrustedRoster.begin(batch.links[0], team_id=team_id).update(batch.links[1:])
    check_packages(roster, 0, batch.packages)
    return roster


def next_bodies(roster: TrustedRoster, payloads: Sequence[Payload], time: int) -> tuple[LinkBody, ...]:
    """Return bodies for the links that would follow a roster, one per payload.

    Args:
        roster: what they continue.
        payloads: what the links say, in order; the type of each link follows from its payload.
        time: seconds since 1970, for people to read.

    Raises:
        UsageError: ``malformed`` when a payload is outside its bounds.
    """
    types = {payload: kind for kind, payload in PAYLOADS.items()}
    bodies: list[LinkBody] = []
    prev = roster.hashes[-1]
    for seq, payload in enumerate(payloads, len(roster.links)):
        kind = types[type(payload)]
        body = LinkBody(VERSION, SUITE, roster.team_id, seq, prev, time, kind, payload.to_bytes())
        prev = link_hash(body.to_bytes())
        bodies.append(body)
    return tuple(bodies)


def next_body(roster: TrustedRoster, payload: Payload, time: int) -> LinkBody:
    """Return the body of one link that would follow a roster; arguments as for ``next_bodies``."""
    return next_bodies(roster, (payload,), time)[0]


def check_packages(roster: TrustedRoster, first: int, packages: Sequence[EpochPackage]) -> None:
    """Do nothing if packages are the boxes and rings of a roster's epochs from a number on, and no others.

    Args:
        roster: the roster with those epochs.
        first: number of the first of them.
        packages: what lies beside the links.

    Raises:
        TrustError: ``bad_package``.
    """
    if [package.epoch for package in packages] != list(range(first, len(roster.epoch_links))):
        raise refuse("bad_package", "a batch brings the boxes of exactly the epochs that it begins")
    for package in packages:
        roster.check_package(package)
