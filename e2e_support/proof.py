"""Proofs of misbehaviour that anyone can check offline: two receipts or two rosters that cannot both be honest.

A proof carries the roster links that it needs, so that a third party needs nothing but the pinned team id.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from e2e_support.codec import Bin, Choice, Items, Message
from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId
from e2e_support.limits import KIB, LINK_MAX, MIB, PAGE_ITEMS_MAX
from e2e_support.mailbox import verify_receipt
from e2e_support.roster import Standing, TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.roster_steps import follow
from e2e_support.wire import Receipt


class ProofKind(IntEnum):
    """What a proof shows."""

    RECEIPTS = 0
    ROSTER = 1


@dataclass(frozen=True, slots=True)
class Proof(Message):
    """Roster links from the genesis on, and the two things that contradict each other."""

    LIMIT: ClassVar[int] = 8 * MIB
    kind: Annotated[ProofKind, Choice(ProofKind)]
    links: Annotated[tuple[bytes, ...], Items(Bin(most=LINK_MAX + 32 * KIB), PAGE_ITEMS_MAX)]
    first: Annotated[bytes, Bin(most=LINK_MAX + 32 * KIB)]
    second: Annotated[bytes, Bin(most=LINK_MAX + 32 * KIB)]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a proof that holds has shown.

    Attributes:
        team_id: whose relay or team it is about, 32 bytes.
        kind: what is proven.
        words: one sentence for people.
    """

    team_id: bytes
    kind: ProofKind
    words: str


def check_proof(data: bytes) -> Shown:
    """Return what a proof shows, if it does.

    Args:
        data: a ``Proof``.

    Raises:
        PeerError: ``malformed``, ``bad_proof`` when nothing is proven, or what the links are refused for.
        TrustError: likewise.
    """
    proof = Proof.from_bytes(data)
    if not proof.links:
        raise _nothing("it names no team")
    roster = TrustedRoster.begin(proof.links[0])
    for link in proof.links[1:]:
        roster = follow(roster, open_link(link))  # not update: a fork may lie inside a batch
    words = _receipts(roster, proof) if proof.kind is ProofKind.RECEIPTS else _roster(roster, proof)
    return Shown(roster.team_id, proof.kind, words)


def _receipts(roster: TrustedRoster, proof: Proof) -> str:
    first, second = (Receipt.from_bytes(data).leaf for data in (proof.first, proof.second))
    mailbox = MailboxId(first.mailbox_id)
    for data, leaf in ((proof.first, first), (proof.second, second)):
        verify_receipt(data, roster.relay_keys, mailbox=mailbox, seq=first.seq, entry_hash=leaf.entry_hash)
    if first.entry_hash != second.entry_hash:
        return f"The relay signed two different entries as number {first.seq} of one mailbox."
    if first.time != second.time:
        return f"The relay signed two different times for entry {first.seq} of one mailbox."
    raise _nothing("both receipts say the same")


def _roster(roster: TrustedRoster, proof: Proof) -> str:
    if roster.links[-1] != proof.first:
        raise _nothing("the first link is not the last of the chain")
    if roster.compare(proof.second).standing is not Standing.FORK:
        raise _nothing("the second link is no other valid link")
    return f"Two different valid links stand as number {len(roster.links) - 1} of one roster."


def _nothing(why: str) -> PeerError:
    return PeerError("bad_proof", f"this proves nothing: {why}", hint="Export it again where it was found.")
