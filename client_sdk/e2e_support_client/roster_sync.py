"""Keeps one team's roster: fetches links, verifies them against the pinned link, moves forward only."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_support.errors import TrustError
from e2e_support.roster import TrustedRoster
from e2e_support.support_link import SupportLink
from e2e_support_client.port import RelayPort


class RosterSync:
    """The verified roster of the team that a support link pins.

    Args:
        relay: where links come from; never trusted.
        pin: the support link.
        links: links that this client verified before and kept, from the genesis on.

    Attributes:
        links: all verified links; keep them, so that the relay can never go back behind them.
    """

    def __init__(self, relay: RelayPort, pin: SupportLink, links: Sequence[bytes] = ()) -> None:
        self._relay = relay
        self._pin = pin
        self.links = list(links)
        self._roster: TrustedRoster | None = None
        self._roster = self._grown(links) if links else None

    @property
    def roster(self) -> TrustedRoster:
        """The newest verified roster.

        Raises:
            TrustError: ``no_roster`` before the first ``refresh``.
        """
        if self._roster is None:
            raise TrustError("no_roster", "the team is not known yet", hint="Connect to the relay once.")
        return self._roster

    @property
    def known(self) -> bool:
        """Whether a roster was verified already."""
        return self._roster is not None

    async def refresh(self) -> int:
        """Fetch and verify new links; return how many there were (§4.4).

        Raises:
            TrustError: the relay serves another team, an older roster or a link that does not verify.
            PeerError: a link is malformed or from a newer version.
            TransportError: the relay cannot be reached.
        """
        new: list[bytes] = []  # a page may end inside a batch, so pages are judged together
        while True:
            page = await self._relay.links(self._pin.team_id, len(self.links) + len(new))
            if page.length < len(self.links) + len(new):
                raise TrustError(
                    "roster_rollback",
                    "the relay served an older list of administrators than before",
                    hint="Nothing was sent. Compare a fresh support link with the administrators.",
                )
            new += page.links
            if not page.links or len(self.links) + len(new) >= page.length:
                break
        roster = self._grown(new)
        roster.require_head(self._pin.head)
        self._roster = roster
        self.links.extend(new)
        return len(new)

    def _grown(self, links: Sequence[bytes]) -> TrustedRoster:
        """Return the roster with further links, judged together."""
        if self._roster is not None:
            return self._roster.update(links) if links else self._roster
        if not links:
            raise TrustError("no_roster", "the relay serves no team", hint="Check the support link.")
        begun = TrustedRoster.begin(links[0], team_id=self._pin.team_id)
        return begun.update(links[1:]) if links[1:] else begun
