"""The team space: where its volumes are, and what it holds besides proposals (protocol 4.13).

That is shared settings, read marks, and who does what once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from e2e_support.content import ClaimBody, ReadMarksBody, SettingBody
from e2e_support.crypto.hash import derive, u64
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import DeviceId, MailboxId, MemberId
from e2e_support.limits import VOLUME_MAX
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.tags import Tag
from e2e_support.ticket_state import Fact
from e2e_support.vocab import WRITERS, Kind, Role, SettingKind, Verdict

B = TypeVar("B")
Claim = tuple[str, MailboxId, int]
"""What is done once: what it is, for which ticket, at which entry."""

_KINDS: Final = frozenset({Kind.READ_MARK, Kind.SETTING, Kind.CLAIM, Kind.BARRIER, Kind.REKEY, Kind.DUMMY})


def volume_key(locator: Secret, number: int, end: bytes) -> SigningKey:
    """Return the creation key of a volume.

    A volume is bound to all that stands before it: whoever knows another history goes on in another mailbox.

    Args:
        locator: the team's.
        number: of the volume.
        end: the hash of the last entry in the volume before it; nothing for the first volume.
    """
    return SigningKey(derive(locator, Tag.TEAM_SPACE, *([u64(number), end] if number else [])))


def is_full(length: int) -> bool:
    """Tell whether a volume of that length has ended."""
    return length >= VOLUME_MAX


def place_of(number: int, seq: int) -> int:
    """Return the place in the whole space of an entry in a volume."""
    return number * VOLUME_MAX + seq


def volume_of(place: int) -> int:
    """Return the number of the volume that holds a place of the space."""
    return place // VOLUME_MAX


def judge_space(state: int | None, fact: Fact, _policy: Policy) -> tuple[int | None, str]:
    """Return how many entries of the space hold, and the rule that this one breaks; arguments as ``judge_staff``."""
    owners_only = fact.kind is Kind.PROPOSAL
    allowed = fact.role is Role.OWNER if owners_only else fact.kind in _KINDS and fact.role in WRITERS
    if not allowed or fact.attachments:
        return state, "not_allowed"
    return (state or 0) + 1, ""


def settings_of(entries: Iterable[Opened], kind: SettingKind) -> dict[str, SettingBody]:
    """Return the newest of every setting of a kind that was not removed, by id."""
    found: dict[str, SettingBody] = {}
    for _, body in _good(entries, SettingBody):
        if body.setting is not kind:
            continue
        found.pop(body.id, None)
        if not body.removed:
            found[body.id] = body
    return found


def marks_of(entries: Iterable[Opened], member: MemberId) -> dict[MailboxId, int]:
    """Return up to which entry, not included, a member has read each ticket, on any device."""
    found: dict[MailboxId, int] = {}
    for opened, body in _good(entries, ReadMarksBody):
        if opened.device is not None and opened.device.member_id == member:
            for mark in body.marks:
                found[mark.ticket] = max(found.get(mark.ticket, 0), mark.upto)
    return found


def claims_of(entries: Iterable[Opened]) -> dict[Claim, DeviceId]:
    """Return which device was the first to take each thing on."""
    found: dict[Claim, DeviceId] = {}
    for opened, body in _good(entries, ClaimBody):
        if opened.device is not None:
            found.setdefault((body.what, body.ticket, body.seq), opened.device.device_id)
    return found


def _good(entries: Iterable[Opened], wanted: type[B]) -> Iterator[tuple[Opened, B]]:
    for opened in entries:
        if opened.verdict is Verdict.OK and isinstance(opened.body, wanted):
            yield opened, opened.body
