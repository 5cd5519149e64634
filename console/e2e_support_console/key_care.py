"""The team's keys in one administrator's care: rotation, checks, recovery on paper (protocol 4.5, 4.12)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from e2e_support.crypto.secret import Secret
from e2e_support.errors import TransportError, UsageError
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import Role
from e2e_support.wire import Batch, EpochPackage
from e2e_support_client import clock
from e2e_support_client.port import RelayPort
from e2e_support_console.changes import carry_out
from e2e_support_console.desk import Desk
from e2e_support_console.index import packages
from e2e_support_console.proposals import Proposal
from e2e_support_keys.audit import Finding, audit
from e2e_support_keys.changes import add_device_batch, rotate_batch
from e2e_support_keys.history import Event, history
from e2e_support_keys.phrase import WORDS, to_phrase
from e2e_support_keys.recovery import drill, read_secret, recovery_device
from e2e_support_keys.rehearsal import rehearse
from e2e_support_keys.shares import SHARE_WORDS, split
from e2e_support_keys.sheet import recovery_sheets


@dataclass(frozen=True, slots=True)
class Recovery:
    """A recovery secret, shown once and kept nowhere.

    Attributes:
        texts: 24 words, or the shares.
        threshold: how many of them are needed together.
        sheets: the same to be printed, one each.
        proposal: what other owners must sign before it works; ``None`` if it works already.
    """

    texts: tuple[str, ...]
    threshold: int
    sheets: tuple[str, ...]
    proposal: Proposal | None


class KeyCare:
    """What an administrator does with the team's keys; ``TeamClient.keys``.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def rotate(self) -> Proposal | None:
        """Begin a new epoch for the same devices.

        Raises:
            UsageError: ``nothing_to_sign`` for an auditor.
            TransportError, TrustError, PeerError: relay or team are not as they must be.
        """
        desk = self._desk
        await desk.team.refresh(even_shut=True)
        newest = desk.roster.epoch.epoch

        def build(roster: TrustedRoster) -> Batch | None:
            if roster.epoch.epoch > newest:  # by this very call, or by somebody else in the same moment
                return None
            return rotate_batch(roster, desk.team.keys, desk.bundle, now=clock.now(), random=clock.random)

        return await carry_out(desk, build)

    async def self_check(self) -> list[Finding]:
        """Answer a test ticket on this device, and audit the epochs as the relay has them now.

        Raises:
            TrustError: ``self_check``.
        """
        desk = self._desk
        await desk.team.refresh()
        rehearse(desk.roster, desk.team.keys, desk.bundle.signer(), clock.random)
        return await self.audit()

    async def audit(self) -> list[Finding]:
        """Return what is wrong with the team's epochs, as far as this device can tell (protocol 4.5).

        While the relay is away, what this device has kept is looked at instead.
        """
        try:
            found = await fetch_packages(self._desk.relay, self._desk.roster)
        except TransportError:
            found = await packages(self._desk.store)
        return audit(self._desk.roster, {one.epoch: one for one in found}, self._desk.team.keys)

    def history(self) -> list[Event]:
        """Return all that happened to the team, verified from the links that this device has kept."""
        return history(self._desk.roster)

    async def recovery(self, *, shares: int = 1, threshold: int = 1) -> Recovery:
        """Add a recovery device that exists on paper alone.

        Args:
            shares: how many sheets to split it over; 1 for one sheet with 24 words.
            threshold: how many of them are needed together.

        Raises:
            UsageError: ``bad_split``, ``nothing_to_sign`` for who is no owner.
            TransportError, TrustError, PeerError: relay or team are not as they must be; destroy what was printed.
        """
        desk = self._desk
        secret = Secret.random(clock.random)
        texts = (to_phrase(secret),) if shares == threshold == 1 else split(secret, threshold, shares)
        await desk.team.refresh()
        joining = recovery_device(secret).joining(desk.team_id, Role.RECOVERY)

        def build(roster: TrustedRoster) -> Batch | None:
            if joining.record.device_id in roster.devices_ever:
                return None
            return add_device_batch(
                *(roster, desk.team.keys, joining, desk.bundle), now=clock.now(), random=clock.random
            )

        proposal = await carry_out(desk, build)
        if proposal is None:
            await self._rehearse_recovery(texts[:threshold])
        day = datetime.fromtimestamp(clock.now(), UTC).date().isoformat()
        sheets = recovery_sheets(desk.roster.name, desk.bundle.link, texts, threshold=threshold, made=day)
        return Recovery(texts, threshold, sheets, proposal)

    async def drill(self, typed: str) -> tuple[int, ...]:
        """Recover the team in memory from what stands on paper, and change nothing.

        Args:
            typed: 24 words, or enough shares.

        Returns:
            The epochs whose tickets would stay closed.

        Raises:
            UsageError: ``bad_phrase``, ``bad_share``, ``too_few_shares``, ``not_recovery``.
        """
        texts = recovery_texts(typed)
        await self._desk.team.refresh()
        return await self._rehearse_recovery(texts)

    async def _rehearse_recovery(self, texts: Sequence[str]) -> tuple[int, ...]:
        roster = self._desk.roster
        *older, newest = await fetch_packages(self._desk.relay, roster)
        return drill(roster, read_secret(texts), newest, older=older, random=clock.random)


async def fetch_packages(relay: RelayPort, roster: TrustedRoster) -> list[EpochPackage]:
    """Return the boxes and rings of all epochs as the relay has them now, oldest first."""
    return [await relay.package(roster.team_id, record.epoch) for record in roster.epochs]


def recovery_texts(typed: str) -> list[str]:
    """Return a phrase or shares from what a person typed: numbers and line breaks do not matter.

    Raises:
        UsageError: ``bad_phrase`` for a number of words that is neither.
    """
    words = re.findall(r"[a-z]+", typed.lower())
    if len(words) == WORDS:
        return [" ".join(words)]
    if not words or len(words) % SHARE_WORDS:
        raise UsageError(
            "bad_phrase",
            f"these are {len(words)} words",
            hint=f"A phrase has {WORDS} words, a share {SHARE_WORDS}; give all shares one after the other.",
        )
    return [" ".join(words[at : at + SHARE_WORDS]) for at in range(0, len(words), SHARE_WORDS)]
