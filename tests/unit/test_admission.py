"""Admission: work for anyone, the capability for the team, each for one mailbox of one team and day."""

from __future__ import annotations

from e2e_support.admission import admit_hash, check_team, check_work, day_of, find_work, prove_team
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import MailboxId, TeamId

TEAM, MAILBOX = TeamId(bytes(32)), MailboxId(bytes(16))
ADMIT = admit_hash(TEAM, 20_000, MAILBOX)
OTHERS = [
    admit_hash(TeamId(b"\x01" * 32), 20_000, MAILBOX),
    admit_hash(TEAM, 20_001, MAILBOX),
    admit_hash(TEAM, 20_000, MailboxId(b"\x01" * 16)),
]


def test_work_is_found_and_checked() -> None:
    """The proof that was found holds, and reports its progress on the way."""
    seen: list[int] = []
    late = admit_hash(TEAM, 20_002, MAILBOX)  # its first proof of 12 bits is attempt 14,390
    proof = find_work(late, 12, on_progress=seen.append)
    assert check_work(late, proof, 12)
    assert seen == [4096, 8192, 12_288]


def test_work_needs_no_listener() -> None:
    """Progress is optional."""
    assert check_work(ADMIT, find_work(ADMIT, 1), 1)


def test_stolen_work_is_useless() -> None:
    """Attack 48: a proof for another team, day or mailbox does not admit."""
    proof = find_work(ADMIT, 12)
    assert not any(check_work(other, proof, 12) for other in OTHERS)


def test_work_of_another_size_is_refused() -> None:
    """A proof is eight bytes, so that it has one spelling."""
    assert not check_work(ADMIT, b"", 0)
    assert not check_work(ADMIT, bytes(9), 0)


def test_the_team_admits_itself() -> None:
    """The epoch's capability replaces work, for exactly one mailbox, team and day."""
    capability = SigningKey(Secret(b"\x04" * 32))
    proof = prove_team(capability, ADMIT)
    assert check_team(ADMIT, proof, capability.public)
    assert not any(check_team(other, proof, capability.public) for other in OTHERS)
    assert not check_team(ADMIT, proof, SigningKey(Secret(b"\x05" * 32)).public)


def test_days_are_utc() -> None:
    """A day begins at midnight UTC."""
    assert (day_of(86_399), day_of(86_400)) == (0, 1)
