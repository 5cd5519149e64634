"""Tombstones: the signed statements by which tickets were erased, and when a client believes one (protocol 3.9).

What a client holds is purged on nothing less: a relay that only says "erased" makes a claim (attack 81).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from e2e_support.crypto.sign import SigningKey
from e2e_support.destruction import Deed, Destruction, DestructionBody, check_destruction, sign_destruction
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import DeviceId, MailboxId, TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.policy import Policy
from e2e_support.policy_parts import StaffDelete, UserDelete
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import open_link
from e2e_support.wire import DeviceRecord
from e2e_support_client.terminal import Json, iso, stamp


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A good statement that a ticket was erased.

    Attributes:
        statement: its bytes.
        at: when, as its signer says; seconds since 1970.
        device: of the administrator who erased it; empty for the user.
        by: the administrator's name; empty for the user.
    """

    statement: bytes
    at: int
    device: bytes = b""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Stakes:
    """What goes when a ticket is erased.

    Attributes:
        number: of the ticket.
        messages: how many were written.
        files: how many were sent.
        notes: how many administrators wrote; 0 where users look.
    """

    number: str
    messages: int
    files: int
    notes: int = 0


class Erased(UsageError):
    """The ticket was erased; what is left is who said so, and when.

    Args:
        number: of the ticket.
        at: when.
        by: the administrator's name; empty for the user.
        you: whether the user is who reads this.
    """

    def __init__(self, number: str, at: datetime, by: str, *, you: bool = False) -> None:
        self.data: dict[str, Json] = {
            "number": number,
            "status": "erased",
            "erased_at": iso(at),
            "erased_by": by or "user",
        }
        who = by or ("you" if you else "its user")
        super().__init__(
            "erased",
            f"{number} was erased by {who} on {stamp(at)}",
            hint="Nothing of it is left; for the same matter open a new ticket.",
            details=self.data,
        )


def read_tombstone(
    statement: bytes, roster: TrustedRoster, mailbox: MailboxId, *, newest: int = 0
) -> Tombstone:
    """Return what a statement says of a ticket, if its signer may erase tickets by the rules of now.

    Args:
        statement: a ``Destruction``.
        roster: the newest.
        mailbox: the ticket's shared log; its id says which key the user's is (5.1).
        newest: when the newest entry that this reader knows of it was received; 0 for none. A device that was
            removed since cannot date a statement back behind it.

    Raises:
        PeerError: ``malformed``, ``bad_signature``, ``not_yours`` or ``not_erased``.
    """
    claimed = DestructionBody.from_bytes(Destruction.from_bytes(statement).body)
    user = claimed.by if mailbox_id(claimed.by) == mailbox else b""
    body = check_destruction(
        statement,
        team_id=roster.team_id,
        mailbox=mailbox,
        devices=dict(_devices(roster, claimed.time, newest)),
        user_key=user,
    )
    if body.deed is not Deed.ERASE or not (_user_may(roster.policy) if user else team_may(roster.policy)):
        raise PeerError("not_erased", "the statement erases nothing by the rules of this team")
    if user:
        return Tombstone(statement, body.time)
    label = roster.devices_ever[DeviceId(body.by)].record.label
    return Tombstone(statement, body.time, body.by, label)


def sign_erasure(team_id: TeamId, mailbox: MailboxId, by: bytes, key: SigningKey, now: int) -> bytes:
    """Return the statement that erases a mailbox.

    Args:
        team_id: its team.
        mailbox: which.
        by: id of the device that signs, or the user's capability.
        key: the device's, or the capability itself.
        now: seconds since 1970.
    """
    return sign_destruction(DestructionBody(team_id, mailbox, Deed.ERASE, now, by), key)


def still_there(number: str) -> PeerError:
    """Return the error of a relay that erases in words only."""
    return PeerError(
        "still_there",
        f"the relay goes on serving {number}, which it said it erased",
        hint="Tell whoever runs the relay. Nothing was purged on this device.",
    )


def team_may(policy: Policy) -> bool:
    """Tell whether the team may erase tickets: each on its own, or after a time."""
    return policy.delete.staff is StaffDelete.CONFIRM or bool(policy.retention.closed_days)


def _user_may(policy: Policy) -> bool:
    return policy.delete.user is UserDelete.ERASE_CLOSED


def _devices(roster: TrustedRoster, time: int, newest: int) -> Iterator[tuple[DeviceId, DeviceRecord]]:
    """Yield the devices that could sign at a time: active ones, and those that were removed later."""
    yield from roster.devices.items()
    for device_id, device in roster.devices_ever.items():
        removed = device.revoked
        if removed is not None and newest <= time <= open_link(roster.links[removed]).body.time:
            yield device_id, device.record
