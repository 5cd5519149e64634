"""What a user sees of the team: who is in it, what changed, what it allows, what can be proven against it."""

from __future__ import annotations

from e2e_support.policy import Policy
from e2e_support.proof import check_proof
from e2e_support_client.allowance import Today
from e2e_support_client.model import utc
from e2e_support_client.people import ProofInfo, TeamChange, TeamInfo
from e2e_support_client.session import Session


class KnownTeam(Session):
    """The team; a part of ``SupportClient``."""

    async def verify_team(self) -> TeamInfo:
        """Fetch and verify the list of administrators and return what people compare.

        Raises:
            TrustError: ``team_mismatch`` and others: the relay is not the one of the link, or not honest.
            TransportError: the relay cannot be reached.
        """
        context = self._context
        await context.team.refresh()
        return await context.team.full_info()

    async def known_team(self) -> TeamInfo:
        """Return what was last verified, without asking the relay.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return await self._context.team.full_info()

    async def confirm_team(self) -> TeamInfo:
        """Remember that the person has compared words or digits with the team; return it as ``verified``.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        team = self._context.team
        await team.compared()
        return await team.full_info()

    async def team_news(self) -> tuple[TeamChange, ...]:
        """Return what happened to the team since this was last asked, oldest first; at first all of it.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return await self._context.team.news()

    async def proofs(self) -> tuple[ProofInfo, ...]:
        """Return what can be shown to others of a relay or team that told two stories, oldest first."""
        rows = await self._context.trust.proofs()
        return tuple(ProofInfo(utc(row.found_at), check_proof(row.data).words, row.data) for row in rows)

    @property
    def team(self) -> TeamInfo:
        """What was last verified of the team.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return self._context.team.info()

    @property
    def policy(self) -> Policy:
        """The team's signed rules: categories, limits, who may close and reopen.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return self._context.team.roster.policy

    async def today(self) -> Today:
        """Return how many tickets the policy lets this user open today, as far as this device knows.

        Raises:
            TrustError: ``no_roster`` before the first ``verify_team``.
        """
        return await self._context.allowance.today()
