"""The open door with a price: how much work a new mailbox costs, and how many may be made (protocol section 7).

Networks are counted under a keyed hash, in memory only, with a key that lives for a day: nothing that could tell
later who created what.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections import deque
from hashlib import blake2b
from typing import Protocol

from e2e_support.admission import check_team, check_work, day_of
from e2e_support.ids import Hash
from e2e_support.policy import RelayRules
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import AdmissionTerms, Create
from e2e_support_server.config import Limits
from e2e_support_server.fairness import Rate
from e2e_support_server.refusal import Refusal

WINDOW = 600  # seconds: creations counted, and how long a price that was asked for is accepted
GRAIN = 10  # seconds: the same price asked for again within them is remembered once


class TeamDoor(Protocol):
    """What admission has to know of a team."""

    @property
    def capability_key(self) -> bytes:
        """The newest epoch's."""
        ...

    @property
    def rules(self) -> RelayRules:
        """What the policy lets the relay enforce."""
        ...


class Admission:
    """Sets the price and takes the proofs.

    Args:
        limits: base price and limits.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._created: deque[float] = deque()
        self._asked: deque[tuple[float, int]] = deque()
        self._all = Rate(limits.creates_minute / 60, limits.creates_minute)
        self._networks = Rate(limits.creates_network / WINDOW, limits.creates_network)
        self._key = b""
        self._key_day = -1

    def terms(self, rules: RelayRules, now: float) -> AdmissionTerms:
        """Return what a mailbox of a team costs now, and remember having said so."""
        extra = self._extra(now)
        self._asked.append((now, extra))
        while len(self._asked) > 1 and self._asked[-2][1] == extra and self._asked[-2][0] > now - GRAIN:
            self._asked.pop()
        return AdmissionTerms(rules.mode, self._price(rules, extra), day_of(int(now)))

    def check(self, create: Create, admit: Hash, team: TeamDoor, now: float) -> None:
        """Refuse a create whose proof does not admit it.

        Args:
            create: the request.
            admit: from ``admit_hash`` over the request's team, day and mailbox.
            team: what the team's roster says about its door.
            now: seconds since 1970.

        Raises:
            Refusal: ``admission_refused``.
        """
        if abs(create.day - day_of(int(now))) > 1 or not self._is_proved(create, admit, team, now):
            raise Refusal("admission_refused")

    def _is_proved(self, create: Create, admit: Hash, team: TeamDoor, now: float) -> bool:
        if create.mode is AdmissionMode.TEAM:
            return check_team(admit, create.proof, team.capability_key)
        if create.mode is not team.rules.mode or create.mode is not AdmissionMode.OPEN or not create.user_key:
            return False
        return check_work(admit, create.proof, self._price(team.rules, self._lowest_extra(now)))

    def limit(self, create: Create, address: str, now: float) -> None:
        """Refuse a stranger's create when there are too many, in all or from one network.

        Raises:
            Refusal: ``rate``.
        """
        if create.mode is AdmissionMode.TEAM:
            return
        wait = self._networks.wait(self._network(address, now), now) or self._all.wait("all", now)
        if wait:
            raise Refusal("rate", retry_after=wait)

    def created(self, now: float) -> None:
        """Count a mailbox that a stranger made."""
        self._created.append(now)

    def _price(self, rules: RelayRules, extra: int) -> int:
        base = max(rules.bits, self._limits.work_bits)
        return max(base, min(base + extra, self._limits.work_bits_most))

    def _extra(self, now: float) -> int:
        """Return how many bits more than usual: one for every doubling beyond the calm rate."""
        _drop_before(self._created, now - WINDOW)
        return (len(self._created) // self._limits.creates_calm).bit_length()

    def _lowest_extra(self, now: float) -> int:
        """Return the least that anybody may have been told in the last ten minutes."""
        while self._asked and self._asked[0][0] < now - WINDOW:
            self._asked.popleft()
        return min([self._extra(now), *(extra for _, extra in self._asked)])

    def _network(self, address: str, now: float) -> bytes:
        if day_of(int(now)) != self._key_day:
            self._key, self._key_day = secrets.token_bytes(32), day_of(int(now))
        return blake2b(network_of(address).encode(), key=self._key, digest_size=16).digest()


def network_of(address: str) -> str:
    """Return the network that shares one limit: an IPv4 address, an IPv6 /56, or whatever the text says."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, 56 if parsed.version == 6 else 32), strict=False))


def _drop_before(times: deque[float], start: float) -> None:
    while times and times[0] < start:
        times.popleft()
