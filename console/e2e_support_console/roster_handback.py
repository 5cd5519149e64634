"""Gives a relay that was restored from an old backup the links of the roster that it lost (protocol 4.6; attack 88).

It is nothing that the relay did not have before, and the relay judges it as if it were new: a dishonest one learns
nothing, and nothing comes to stand this way that would not stand by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from e2e_support.crypto.sign import SigningKey
from e2e_support.limits import STRANGE_BATCH_MAX
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.roster_steps import follow
from e2e_support.wire import Batch
from e2e_support_client.port import Refused, RelayPort
from e2e_support_console.index import STATEMENT, bytes_of, package_of
from e2e_support_keys.store import Store

LINKS_MAX: Final = 64
"""Links in one batch."""


@dataclass(frozen=True, slots=True)
class RosterHandBack:
    """Gives back what a console knows of its team.

    Args:
        relay: the relay.
        store: holds the boxes of epochs, and the newest statement about the roster.
        device: this device's signing key; the relay may not know it any more.
    """

    relay: RelayPort
    store: Store
    device: SigningKey

    async def give(self, known: TrustedRoster) -> bool:
        """Tell whether the relay has all links again; not if it does not take them, or boxes are missing here.

        Args:
            known: the roster as it was verified here; what the relay has must be its beginning.

        Raises:
            TransportError: the relay cannot be reached.
        """
        length = await self._length(known)
        while length < len(known.links):
            with suppress(Refused):  # another console may give it back in the same moment
                async for batch in self._batches(known, length):
                    await self.relay.post_links(known.team_id, batch, self.device)
            before, length = length, await self._length(known)
            if length <= before:
                return False
        await self._vouch(known)
        return True

    async def _length(self, known: TrustedRoster) -> int:
        return (await self.relay.links(known.team_id, len(known.links))).length

    async def _batches(self, known: TrustedRoster, length: int) -> AsyncIterator[Batch]:
        """Yield what a relay lacks that has so many links, in batches that it takes from whomever they add."""
        whole, size = Batch((), ()), 0
        for part in _parts(known, length):
            boxes = [await package_of(self.store, epoch) for epoch in part.epochs]
            found = tuple(package for package in boxes if package is not None)
            if len(found) < len(boxes):
                break
            more = Batch(part.links, found)
            weight = len(more.to_bytes())
            if whole.links and (
                size + weight > STRANGE_BATCH_MAX or len(whole.links + more.links) > LINKS_MAX
            ):
                yield whole
                whole, size = Batch((), ()), 0
            whole, size = Batch(whole.links + more.links, whole.packages + more.packages), size + weight
        if whole.links:
            yield whole

    async def _vouch(self, known: TrustedRoster) -> None:
        """Give back the newest statement, too; the relay may have a newer one, or this device may not bring any."""
        statement = await bytes_of(self.store, STATEMENT)
        if statement:
            with suppress(Refused):
                await self.relay.put_freshness(known.team_id, statement, self.device)


@dataclass(frozen=True, slots=True)
class _Part:
    """Links that only stand together, and the epochs that they begin."""

    links: tuple[bytes, ...]
    epochs: tuple[int, ...]


def _parts(known: TrustedRoster, length: int) -> Iterator[_Part]:
    """Yield the links behind a length of a roster, as they must at least be told together."""
    roster = begun = TrustedRoster.begin(known.links[0])
    for link in known.links[1:]:
        roster = follow(roster, open_link(link))
        if roster.owed is not None:
            continue
        if len(begun.links) >= length:
            epochs = tuple(range(len(begun.epochs), len(roster.epochs)))
            yield _Part(roster.links[len(begun.links) :], epochs)
        begun = roster
