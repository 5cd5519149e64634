"""Finds what can be shown to others when a relay tells two stories (protocol 4.4, 5.7; attacks 8, 15, 86)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError
from e2e_support.mailbox import Chain
from e2e_support.opened import Record
from e2e_support.proof import Proof, ProofKind, check_proof
from e2e_support.roster import ForkProof, Standing, TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support_client.port import RelayPort


def roster_proof(roster: TrustedRoster, fork: ForkProof) -> bytes:
    """Return the proof that two valid links stand at one place; nothing if it does not hold by itself."""
    upto = open_link(fork.kept).body.seq + 1
    return _checked(ProofKind.ROSTER, roster.links[:upto], fork.kept, fork.other)


def receipt_proofs(roster: TrustedRoster, pairs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Return the proofs among pairs of receipts."""
    made = (_checked(ProofKind.RECEIPTS, roster.links, first, second) for first, second in pairs)
    return [proof for proof in made if proof]


def find_fork(roster: TrustedRoster, shown: Iterable[bytes]) -> bytes:
    """Return the proof in the links that a relay shows from the genesis on; nothing if they prove nothing."""
    for link in shown:
        compared = roster.compare(link)
        if compared.proof is not None:
            return roster_proof(roster, compared.proof)
        if compared.standing is not Standing.SAME:
            return b""
    return b""


async def find_contradiction(
    relay: RelayPort, chain: Chain, capability: SigningKey, records: Sequence[Record], roster: TrustedRoster
) -> bytes:
    """Return the proof in the log that a relay shows now, compared with what was followed before.

    Args:
        relay: the relay.
        chain: the mailbox's chain before its first entry.
        capability: of the mailbox.
        records: what was followed.
        roster: lists the relay's keys.

    Returns:
        A ``Proof``; nothing where the relay only shows less, or what it signed says the same.
    """
    while chain.length < len(records):
        page = await relay.read(chain.mailbox, chain.length, capability)
        pairs: list[tuple[bytes, bytes]] = []
        for item in page.items[: len(records) - chain.length]:
            if records[chain.length].receipt != item.receipt:
                pairs.append((records[chain.length].receipt, item.receipt))
            chain = chain.advance(item.entry)
        for proof in receipt_proofs(roster, pairs):
            return proof
        if not page.items:
            break
    return b""


def _checked(kind: ProofKind, links: Sequence[bytes], first: bytes, second: bytes) -> bytes:
    try:
        data = Proof(kind, tuple(links), first, second).to_bytes()
        check_proof(data)
    except SupportError:
        return b""
    return data
