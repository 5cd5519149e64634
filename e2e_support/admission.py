"""Who may create a mailbox: proof of work for anyone, the epoch's capability for the team (protocol section 7)."""

from __future__ import annotations

from collections.abc import Callable

from e2e_support.crypto.hash import digest, leading_zero_bits, u64
from e2e_support.crypto.sign import SigningKey, verify
from e2e_support.ids import Hash, MailboxId, TeamId
from e2e_support.tags import Tag

DAY = 24 * 3600
_STRIDE = 4096  # attempts between two reports of progress


def day_of(time: int) -> int:
    """Return the UTC day number of a time in seconds since 1970."""
    return time // DAY


def admit_hash(team_id: TeamId, day: int, mailbox: MailboxId) -> Hash:
    """Return what every admission proof is over: single use follows from mailbox ids being single-use (§7)."""
    return digest(Tag.ADMIT, team_id, u64(day), mailbox)


def find_work(admit: Hash, bits: int, *, on_progress: Callable[[int], None] | None = None) -> bytes:
    """Return the proof of work for an admission hash (§7).

    Args:
        admit: from :func:`admit_hash`.
        bits: leading zero bits asked for; about 2**bits attempts are needed.
        on_progress: told the number of attempts so far, every few thousand; may raise to give up.
    """
    attempt = 0
    while not check_work(admit, u64(attempt), bits):
        attempt += 1
        if on_progress and attempt % _STRIDE == 0:
            on_progress(attempt)
    return u64(attempt)


def check_work(admit: Hash, proof: bytes, bits: int) -> bool:
    """Tell whether eight bytes are a proof of work of at least ``bits`` bits (§7)."""
    return len(proof) == 8 and leading_zero_bits(digest(Tag.ADMIT_WORK, admit, proof)) >= bits


def prove_team(capability: SigningKey, admit: Hash) -> bytes:
    """Return the team's proof for one of its own mailboxes (§7)."""
    return capability.sign(Tag.ADMIT_TEAM, admit)


def check_team(admit: Hash, proof: bytes, capability_key: bytes) -> bool:
    """Tell whether a proof was made with the epoch's capability (§7)."""
    return verify(capability_key, proof, Tag.ADMIT_TEAM, admit)
