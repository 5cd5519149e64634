"""Teams: founding with a one-time code, the public roster, and who holds the newest capability (protocol 4)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from e2e_support.crypto.hash import digest
from e2e_support.ids import DeviceId, Hash, TeamId
from e2e_support.limits import ARRAY_MAX, MIB
from e2e_support.policy import RelayRules
from e2e_support.roster import TrustedRoster, begin_batch
from e2e_support.tags import Tag
from e2e_support.wire import Batch, FeedPage, Found, LinksPage
from e2e_support_server.clock import Clock
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.storage.base import Founding, Store

CODE_LIFE = 24 * 3600
LINKS_BYTES = 3 * MIB  # leaves room for the largest link in a LinksPage
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_GROUPS, _GROUP = 4, 4  # 16 letters of 5 bits: 80 bits
_MISREAD = str.maketrans("ILO", "110", "- ")


@dataclass(frozen=True, slots=True)
class Team:
    """A team as its roster stands.

    Attributes:
        id: hash of the genesis.
        capability_key: the newest epoch's: whoever proves it is the team.
        rules: what the policy lets the relay enforce.
        roster: the roster itself.
    """

    id: TeamId
    capability_key: bytes
    rules: RelayRules
    roster: TrustedRoster

    @classmethod
    def of(cls, roster: TrustedRoster) -> Team:
        """Return what the relay has to know of a roster."""
        return cls(roster.team_id, roster.epoch.capability_key, roster.policy.relay_rules(), roster)


class Teams:
    """All teams of the relay.

    Args:
        store: where they are kept.
        clock: the relay's clock.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._teams: dict[TeamId, Team] = {}

    async def load(self) -> None:
        """Read what is stored; call once before anything else and after a founding."""
        rosters = [TrustedRoster.begin(links[0]).update(links[1:]) for links in await self._store.rosters()]
        self._teams = {roster.team_id: Team.of(roster) for roster in rosters}

    def move_on(self, roster: TrustedRoster) -> None:
        """Take a team's longer roster, which is stored, for the one that counts."""
        self._teams[roster.team_id] = Team.of(roster)

    def all(self) -> tuple[Team, ...]:
        """Return every team."""
        return tuple(self._teams.values())

    def team(self, team_id: TeamId) -> Team:
        """Return a team; ``not_found``."""
        team = self._teams.get(team_id)
        if team is None:
            raise not_found()
        return team

    def holds(self, team_id: TeamId, public: bytes) -> bool:
        """Tell whether a key is the newest capability of a team."""
        team = self._teams.get(team_id)
        return team is not None and team.capability_key == public

    def device(self, team_id: TeamId, public: bytes) -> DeviceId | None:
        """Return the device of a team, active or removed, that a signing key belongs to."""
        team = self._teams.get(team_id)
        if team is None:
            return None
        ever = team.roster.devices_ever.items()
        return next((one for one, device in ever if device.record.sign_key == public), None)

    def holds_any(self, public: bytes) -> bool:
        """Tell whether a key is the newest capability of some team."""
        return any(team.capability_key == public for team in self._teams.values())

    async def issue_code(self) -> str:
        """Return a fresh one-time code, good for a day; the one before is void."""
        letters = [secrets.choice(_ALPHABET) for _ in range(_GROUPS * _GROUP)]
        code = "-".join("".join(letters[i : i + _GROUP]) for i in range(0, len(letters), _GROUP))
        await self._store.issue_code(_code_hash(code), int(self._clock()) + CODE_LIFE)
        return code

    async def found(self, body: bytes) -> None:
        """Found a team with a one-time code, a genesis and its boxes (§4.2, §4.6).

        Raises:
            Refusal: ``code_refused``.
            PeerError, TrustError: when the genesis or the package is not good.
        """
        found = Found.from_bytes(body)
        code, now = _code_hash(found.code), int(self._clock())
        if not await self._store.has_code(code, now):  # before the costly part: a stranger has no code
            raise Refusal("code_refused")
        await self._store.found(code, now, founding(begin_batch(found.batch), found.batch))
        await self.load()

    async def links(self, team_id: TeamId, start: int) -> bytes:
        """Return a ``LinksPage``."""
        length, links = await self._store.links(team_id, start, LINKS_BYTES)
        return LinksPage(length, tuple(links)).to_bytes()

    async def package(self, team_id: TeamId, epoch: int) -> bytes:
        """Return an ``EpochPackage``."""
        return await self._store.package(team_id, epoch)

    async def feed(self, team_id: TeamId, after: int) -> bytes:
        """Return a ``FeedPage``."""
        newest, items = await self._store.feed(team_id, after, ARRAY_MAX)
        return FeedPage(newest, tuple(items)).to_bytes()

    async def cursor(self, team_id: TeamId) -> int:
        """Return the newest cursor of a team's feed."""
        newest, _ = await self._store.feed(team_id, 0, 0)
        return newest


def founding(roster: TrustedRoster, batch: Batch) -> Founding:
    """Return what is to be stored of a batch, given the roster that it led to."""
    packages = [(package.epoch, package.to_bytes()) for package in batch.packages]
    return Founding(roster.team_id, roster.epoch.epoch, batch.links, packages)


def _code_hash(code: str) -> Hash:
    """Return the hash of a code however a person has typed it."""
    return digest(Tag.BOOTSTRAP, code.upper().translate(_MISREAD).encode())
