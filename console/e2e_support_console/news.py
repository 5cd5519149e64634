"""What a mail may say about a ticket: that there is something new, and who is to hear of it, as the policy says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from e2e_support.content import OpenBody
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.policy_parts import MailMode
from e2e_support.ticket_state import TicketState
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Verdict
from e2e_support_client.allowance import NOTIFY_EMAIL
from e2e_support_console.due import HOUSEKEEPING


class What(StrEnum):
    """What happened; claims of mails name it (protocol 4.13)."""

    NEW = "mail-new"  # to administrators; all others to the user
    RECEIPT = "mail-receipt"
    RESPONSE = "mail-response"
    STATUS = "mail-status"
    RESOLVED = "mail-resolved"
    CLOSING = "mail-closing"
    CLOSED = "mail-closed"


LATER: Final = frozenset(What) - {What.NEW, What.RECEIPT}
"""What the newest of stands for the rest; that a ticket has come is told in any case."""


@dataclass(frozen=True, slots=True)
class News:
    """Something that a mail may tell of.

    Attributes:
        what: its kind.
        seq: the entry of the shared log that it follows from.
        at: when it happened, seconds since 1970.
    """

    what: What
    seq: int
    at: int


def address_of(entries: Sequence[Opened]) -> str:
    """Return the address at which a user wants mails, as their client sent it; empty for none, and not checked."""
    opening = entries[0].body if entries else None
    profile = opening.profile if isinstance(opening, OpenBody) else ()
    return next((pair.value for pair in profile if pair.name == NOTIFY_EMAIL), "")


def news_of(entries: Sequence[Opened], ticket: TicketState, policy: Policy, now: int) -> Iterator[News]:
    """Yield what there is to tell of a ticket, the oldest first.

    Args:
        entries: of its shared log, with their final verdicts.
        ticket: as time has made it.
        policy: the newest policy.
        now: seconds since 1970.
    """
    told = _told(policy)
    good = [entry for entry in entries if entry.verdict is Verdict.OK and entry.inner]
    for entry in good:
        found = _WHAT.get((entry.inner.author.role, entry.inner.kind), ()) if entry.inner else ()
        yield from (News(what, entry.seq, entry.received) for what in found if what in told)
    last = max((e.seq for e in good if e.inner and e.inner.kind not in HOUSEKEEPING), default=0)
    if ticket.lifecycle is Lifecycle.RESOLVED and 0 < ticket.remind_due <= now and What.CLOSING in told:
        yield News(What.CLOSING, last, ticket.remind_due)
    if ticket.auto_closed and What.CLOSED in told:
        yield News(What.CLOSED, last, ticket.closed_at)


_USER, _TEAM = AuthorRole.USER, AuthorRole.DEVICE
_WHAT: Final = {
    (_USER, Kind.OPEN): (What.NEW, What.RECEIPT),
    (_TEAM, Kind.MESSAGE): (What.RESPONSE,),
    (_TEAM, Kind.STATUS): (What.STATUS,),
    (_TEAM, Kind.REOPEN): (What.STATUS,),
    (_TEAM, Kind.RESOLUTION): (What.RESOLVED,),
    (_TEAM, Kind.CLOSE): (What.CLOSED,),
    (_TEAM, Kind.MERGE): (What.CLOSED,),
}


def _told(policy: Policy) -> frozenset[What]:
    """Return what the policy wants mails about."""
    notify = policy.notify
    mails = notify.user_mail is not MailMode.OFF
    switches = {
        What.NEW: bool(notify.staff_mail),
        What.RECEIPT: bool(notify.receipt_mail),
        What.RESPONSE: mails and bool(notify.reply),
        What.STATUS: mails and bool(notify.status),
        What.RESOLVED: mails and bool(notify.resolved),
        What.CLOSING: mails and bool(notify.status),
        What.CLOSED: mails and bool(notify.status),
    }
    return frozenset(what for what, on in switches.items() if on)
