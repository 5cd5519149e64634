"""How a ticket's staff log begins, which only the team knows of (protocol 5.6)."""

from __future__ import annotations

from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import UsageError
from e2e_support.ids import TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import Create


def staff_create(creation: SigningKey, capability: SigningKey, team_id: TeamId, now: int) -> Create:
    """Return what opens a staff log at the relay: no user class, and the team's own proof (§5.6, §7).

    Args:
        creation: the log's creation key, from ``TeamKeys.staff_log``.
        capability: of the newest epoch.
        team_id: the team.
        now: seconds since 1970.
    """
    day = day_of(now)
    proof = prove_team(capability, admit_hash(team_id, day, mailbox_id(creation.public)))
    return Create(creation.public, b"", 1, team_id, day, AdmissionMode.TEAM, proof)


class AlreadyOpen(UsageError):
    """Somebody else began the staff log first; the note is simply appended to it."""

    def __init__(self) -> None:
        super().__init__("already_open", "the staff log has begun")
