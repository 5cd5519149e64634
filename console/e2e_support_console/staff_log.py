"""A ticket's staff log, which only the team knows of: its rules, and how it begins (protocol 5.6).

Everything in it is sealed to the team's epoch key alone; ``Conversation(staff=True)`` has no user to seal for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.content import NoteBody, StaffOpenBody
from e2e_support.conversation import Opened
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import UsageError
from e2e_support.ids import TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.ticket import count_text, refusal
from e2e_support.vocab import AdmissionMode, Kind, Role, Verdict
from e2e_support.wire import Create

WRITERS: Final = frozenset({Role.OWNER, Role.AGENT})


@dataclass(slots=True)
class StaffThread:
    """The entries of a staff log with their final verdicts; feed it what a ``Conversation`` opened, in order."""

    entries: list[Opened] = field(default_factory=list[Opened])
    _seen: set[tuple[bytes, bytes]] = field(default_factory=set[tuple[bytes, bytes]])

    def take(self, opened: Opened) -> Opened:
        """Add the next entry and return it with its final verdict."""
        reason = self._reason(opened) if opened.verdict is Verdict.OK else ""
        judged = replace(opened, verdict=Verdict.NONCONFORMING, reason=reason) if reason else opened
        self.entries.append(judged)
        if opened.inner:
            self._seen.add((opened.inner.author.key, opened.inner.message_id))
        return judged

    def _reason(self, opened: Opened) -> str:
        inner, device = opened.inner, opened.device
        if inner is None or device is None or device.role not in WRITERS:
            return "not_allowed"
        if (inner.author.key, inner.message_id) in self._seen:
            return "same_message"
        if (inner.kind is Kind.STAFF_OPEN) != (opened.seq == 0):
            return "not_first" if inner.kind is Kind.STAFF_OPEN else "not_allowed"
        known = isinstance(opened.body, StaffOpenBody | NoteBody)
        return "" if known else "not_allowed"


def check_note(body: NoteBody) -> None:
    """Do nothing if a note may be written.

    Raises:
        UsageError: ``text_empty``.
    """
    if not count_text(body.text):
        raise refusal("text_empty")


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
