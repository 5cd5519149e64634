"""Keeps one team's roster: fetches links, verifies them against the pinned link, moves forward only."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_support.errors import PeerError, TrustError
from e2e_support.roster import Standing, TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.roster_steps import follow
from e2e_support.support_link import SupportLink
from e2e_support.wire import LinksPage
from e2e_support_client.evidence import find_fork
from e2e_support_client.port import RelayPort


class RosterForked(TrustError):
    """The relay serves another list than before (§4.4).

    Args:
        proof: that both are valid; empty if the other one is not, which proves nothing against the team.
    """

    def __init__(self, proof: bytes) -> None:
        super().__init__(
            "roster_fork",
            "the relay served another list of administrators than before",
            hint="Nothing was sent, and what you wrote is kept. Ask the team for a link that names its list as it is "
            "(`e2e-admin link --newest`), and connect with it.",
        )
        self.proof = proof


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
        self._roster = self._followed(None, links).update(()) if links else None

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
        new, roster = list[bytes](), self._roster
        while True:
            page = await self._page(len(self.links) + len(new))
            if page.length < len(self.links) + len(new):
                raise _rollback()
            new += page.links
            # at once: a relay without end is stopped (attack 117)
            roster = self._followed(roster, page.links)
            if not page.links or len(self.links) + len(new) >= page.length:
                break
        roster = roster.update(())  # a page may end inside a batch, the last one must not
        roster.require_head(self._pin.head)
        self._roster = roster
        self.links.extend(new)
        return len(new)

    async def _page(self, start: int) -> LinksPage:
        """Return links from a place on; the first page must begin where the newest link known here stands."""
        if not self.links or start > len(self.links):
            return await self._relay.links(self._pin.team_id, start)
        page = await self._relay.links(self._pin.team_id, start - 1)
        if page.length < start:
            if page.length:  # it may have gone on elsewhere from where it was restored to
                await self._compare(await self._relay.links(self._pin.team_id, page.length - 1))
            raise _rollback()
        await self._compare(page)
        return LinksPage(page.length, page.links[1:])

    async def _compare(self, page: LinksPage) -> None:
        """Refuse a page whose first link is none of this roster."""
        if not page.links:
            raise PeerError("malformed", "the relay does not show the links that it says it has")
        if not self._same(page.links[0]):
            raise RosterForked(find_fork(self.roster, await self._shown()))

    def _same(self, link: bytes) -> bool:
        """Tell whether a link is one of this roster, further signatures aside (§4.1)."""
        return link in self.links[-1:] or self.roster.compare(link).standing is Standing.SAME

    async def _shown(self) -> list[bytes]:
        """Return the links that the relay shows from the genesis on, as far as this client knows any."""
        shown: list[bytes] = []
        while len(shown) < len(self.links):
            page = await self._relay.links(self._pin.team_id, len(shown))
            if not page.links:
                break
            shown += page.links
        return shown[: len(self.links)]

    def _followed(self, roster: TrustedRoster | None, links: Sequence[bytes]) -> TrustedRoster:
        """Return a roster with further links, which may still owe an epoch."""
        if roster is None:
            if not links:
                raise TrustError("no_roster", "the relay serves no team", hint="Check the support link.")
            roster, links = TrustedRoster.begin(links[0], team_id=self._pin.team_id), links[1:]
        for link in links:
            roster = follow(roster, open_link(link))
        return roster


def _rollback() -> TrustError:
    return TrustError(
        "roster_rollback",
        "the relay served an older list of administrators than before",
        hint="Nothing was sent. Compare a fresh support link with the administrators.",
    )
