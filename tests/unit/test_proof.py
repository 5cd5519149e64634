"""Proofs that anyone can check offline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError
from e2e_support.ids import Hash, MailboxId
from e2e_support.mailbox import ReceiptFact, ReceiptSigner
from e2e_support.proof import Proof, ProofKind, check_proof
from e2e_support.roster_links import Rename
from team_builder import TIME, Team, device

RELAY = ReceiptSigner(SigningKey(Secret(b"\x09" * 32)))
ANNA = device("anna")
TEAM = Team.found(ANNA, relay_key=RELAY.public)
FACT = ReceiptFact(MailboxId(bytes(16)), 4, Hash(b"\x01" * 32), TIME)


def receipts(first: ReceiptFact, second: ReceiptFact) -> Proof:
    """Return a proof of two receipts, each signed alone."""
    one, two = RELAY.sign([first])[0], RELAY.sign([second])[0]
    return Proof(ProofKind.RECEIPTS, TEAM.roster.links, one, two)


def fork() -> Proof:
    """Return a proof of two links with one sequence number."""
    team = Team.found(ANNA, relay_key=RELAY.public)
    other = team.link(Rename(ANNA.device_id, "Other", ()), ANNA)
    team.do((Rename(ANNA.device_id, "Anna", ()), [ANNA]))
    return Proof(ProofKind.ROSTER, team.roster.links, team.roster.links[-1], other)


@pytest.mark.parametrize(
    ("proof", "word"),
    [
        (receipts(FACT, replace(FACT, entry_hash=Hash(b"\x02" * 32))), "entries"),
        (receipts(FACT, replace(FACT, time=TIME + 1)), "times"),
        (fork(), "links"),
    ],
    ids=["entries", "times", "links"],
)
def test_what_is_proven(proof: Proof, word: str) -> None:
    """Attacks 8, 15, 86: two receipts or two links convict without anybody's word."""
    shown = check_proof(proof.to_bytes())
    assert word in shown.words
    assert shown.kind is proof.kind


@pytest.mark.parametrize(
    "proof",
    [
        receipts(FACT, FACT),
        receipts(FACT, replace(FACT, seq=5)),
        replace(receipts(FACT, replace(FACT, time=TIME + 1)), links=()),
        replace(fork(), first=fork().second),
        replace(fork(), second=fork().first),
    ],
    ids=["same receipt", "another entry", "no team", "not the last link", "the same link"],
)
def test_what_proves_nothing(proof: Proof) -> None:
    """Two things that do not contradict each other convict nobody."""
    with pytest.raises(PeerError):
        check_proof(proof.to_bytes())
