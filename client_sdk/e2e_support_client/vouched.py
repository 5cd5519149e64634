"""Whether active devices vouch for the roster at hand; without them reading goes on and nothing is sent (4.7)."""

from __future__ import annotations

from typing import Final

from e2e_support.errors import PeerError, TrustError
from e2e_support.freshness import ELSEWHERE, FreshUntil, check_freshness, freshness_of, require_vouched
from e2e_support.roster import TrustedRoster
from e2e_support_client import clock
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.trust_store import TrustStore

PASSING: Final = frozenset({"roster_stale", "too_few_signers", "bad_freshness"})
"""Codes that are over as soon as the team's devices state again that the roster is the newest."""
_KEPT: Final = "freshness"


class Vouched:
    """The newest freshness statement that this client accepted.

    Args:
        relay: where statements come from; it cannot make any.
        store: keeps the newest, so that the relay can never go back behind it (attack 85).
        kept: what it kept.
        accept_stale: whether the person sends anyway, where the policy lets them.
    """

    def __init__(
        self, relay: RelayPort, store: TrustStore, kept: bytes, *, accept_stale: bool = False
    ) -> None:
        self._relay = relay
        self._store = store
        self._kept = kept
        self._accept_stale = accept_stale
        self._proven: TrustError | None = None

    @classmethod
    async def load(cls, relay: RelayPort, store: TrustStore, *, accept_stale: bool = False) -> Vouched:
        """Return what the store kept."""
        return cls(relay, store, await store.note(_KEPT), accept_stale=accept_stale)

    async def refresh(self, roster: TrustedRoster) -> bool:
        """Look for a newer statement; tell whether it is about a newer roster than this one.

        Raises:
            TransportError: the relay cannot be reached.
        """
        self._proven = None
        statement = await self._statement(roster)
        if not statement or statement == self._kept:
            return False
        try:
            check_freshness(roster, statement, now=clock.now(), earlier=self._earlier())
        except PeerError:
            return False
        except TrustError as error:
            if error.code in ELSEWHERE:
                self._proven = error
            return error.code == "roster_behind"
        await self._store.set_note(_KEPT, statement)
        self._kept = statement
        return False

    def require(self, roster: TrustedRoster) -> None:
        """Do nothing if something may be sealed for this roster.

        Raises:
            TrustError: ``roster_stale``, ``too_few_signers``, ``roster_behind`` or ``roster_fork``.
        """
        if self._proven is not None:
            raise self._proven
        try:
            require_vouched(roster, self._kept, now=clock.now())
        except TrustError as error:
            if not roster.policy.freshness.override:
                raise
            if not self._accept_stale:
                hint = f"{error.hint} Your team lets you send it anyway: --accept-stale."
                raise TrustError(error.code, error.message, hint=hint) from None

    def _earlier(self) -> FreshUntil | None:
        if not self._kept:
            return None
        body = freshness_of(self._kept)
        return FreshUntil(body.head, body.issued, body.expires)

    async def _statement(self, roster: TrustedRoster) -> bytes | None:
        try:
            return await self._relay.freshness(roster.team_id)
        except Refused:  # an older relay: it has none
            return None
