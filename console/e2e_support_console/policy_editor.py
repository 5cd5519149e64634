"""The team's signed policy in an administrator's hands: what it is, what a change would do, and changing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.policy_diff import Change, policy_changes
from e2e_support.policy_form import bad_setting
from e2e_support.presets import PRESETS
from e2e_support.quota import zone_of
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.wire import Batch
from e2e_support_client import clock
from e2e_support_client.policy_rules import Rule, policy_rules
from e2e_support_console.changes import carry_out
from e2e_support_console.desk import Desk
from e2e_support_console.policy_effects import Affected, affected_tickets
from e2e_support_console.proposals import Proposal, Proposals
from e2e_support_keys.changes import propose


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change of the policy would do.

    Attributes:
        old: the policy that it was compared with.
        new: the policy as it would be.
        diff: every setting that differs.
        summary: the rules that would hold from then on and do not hold now.
        gone: the rules that would hold no more.
        affected: the open tickets, as far as this device knows them, that would change.
    """

    old: Policy
    new: Policy
    diff: tuple[Change, ...]
    summary: tuple[Rule, ...]
    gone: tuple[Rule, ...]
    affected: tuple[Affected, ...]


class PolicyEditor:
    """The policy and its changes; ``TeamClient.policy``.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def current(self) -> Policy:
        """The policy of the newest roster that this device has verified.

        Raises:
            TrustError: ``no_roster`` before the first connection.
        """
        return self._desk.roster.policy

    @property
    def presets(self) -> Mapping[str, Policy]:
        """Ready-made policies by name, the recommended one first."""
        return PRESETS

    async def preview(self, new: Policy) -> Preview:
        """Return what a policy would change, and for which open tickets of the local store.

        Args:
            new: the policy as it would be.

        Raises:
            UsageError: ``bad_setting`` for a new time zone that this computer does not know.
        """
        old = self.current
        _require_known_zone(old, new)
        before, after = policy_rules(old), policy_rules(new)
        return Preview(
            old,
            new,
            policy_changes(old, new),
            tuple(rule for rule in after if rule not in before),
            tuple(rule for rule in before if rule not in after),
            await affected_tickets(self._desk, new),
        )

    async def proposed(self, number: int) -> Policy:
        """Return the policy that a proposal would bring.

        Args:
            number: as ``Proposals.list`` shows it.

        Raises:
            UsageError: ``no_proposal`` for one that is not there or changes something else.
            TransportError, PeerError, TrustError: relay or team are not as they must be.
        """
        proposals = await Proposals(self._desk).list()
        found = [one for one in proposals if one.number == number]
        payloads = [open_link(link).payload for one in found for link in one.batch.links]
        policies = [payload for payload in payloads if isinstance(payload, Policy)]
        if not policies:
            raise UsageError(
                "no_proposal",
                f"proposal {number} is none for a new policy",
                hint="See `e2e-admin proposals`.",
            )
        return policies[-1]

    async def apply(self, new: Policy, *, instead_of: Policy | None = None) -> Proposal | None:
        """Sign a policy for the whole team; the relay and all clients follow it from then on.

        Args:
            new: the policy; it counts as a whole.
            instead_of: the policy that the person saw, so that nobody's change is overwritten unseen.

        Returns:
            The proposal if more owners must sign, ``None`` once it holds.

        Raises:
            UsageError: ``policy_moved`` when somebody else changed it meanwhile; ``nothing_to_sign`` for who is
                no owner; ``bad_setting`` as ``preview``.
            PeerError: ``bad_policy`` for one that makes no sense.
            TransportError, TrustError: relay or team are not as they must be.
        """
        await self._desk.team.refresh()
        before = self.current if instead_of is None else instead_of
        _require_known_zone(before, new)

        def build(roster: TrustedRoster) -> Batch | None:
            if roster.policy == new:
                return None
            if roster.policy != before:
                raise UsageError(
                    "policy_moved",
                    "somebody else has changed the policy meanwhile",
                    hint="Look at it again: e2e-admin policy show",
                )
            return propose(roster, [new], self._desk.bundle, now=clock.now())

        return await carry_out(self._desk, build)


def _require_known_zone(old: Policy, new: Policy) -> None:
    """Do nothing if a new time zone exists: readers who do not know one take UTC, so nobody would see the mistake."""
    if new.limits.zone != old.limits.zone and zone_of(new.limits.zone) is UTC:
        raise bad_setting("limits.zone", "this computer knows no such time zone; write it like Europe/Berlin")
