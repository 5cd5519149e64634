"""A ticket's timeline and log for administrators: every event of both logs, and what each one changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.roster import TrustedRoster
from e2e_support.staff import Flag, StaffState
from e2e_support.ticket_keys import ticket_number
from e2e_support.ticket_state import TicketState
from e2e_support.vocab import Verdict
from e2e_support_client import clock
from e2e_support_client.history import Standing, Step, TimelineEvent, replay, timeline
from e2e_support_client.model import Role, utc
from e2e_support_client.terminal import iso
from e2e_support_client.view import kind_of, role_of
from e2e_support_console.desk import Desk
from e2e_support_console.follow import Follower
from e2e_support_console.names import member_names
from e2e_support_console.reading import profile_of

_USER = "User"


@dataclass(frozen=True, slots=True)
class Change:
    """A value that an event changed; empty text is none."""

    what: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One entry of a ticket's two logs.

    Attributes:
        at: when the relay received it.
        kind: what it is, as ``EventKind`` or the name of its kind.
        status_text: the team's label from then on; empty before the ticket begins.
        by: who signed it; empty where that is not known.
        role: of who signed it.
        internal: whether it stands in the staff log.
        seq: its place in its log.
        verdict: what may be believed of it.
        reason: which rule it breaks, or what is wrong with it.
        hash: its chained hash.
        changes: what it changed.
    """

    at: datetime
    kind: str
    status_text: str
    by: str
    role: Role
    internal: bool
    seq: int
    verdict: Verdict
    reason: str
    hash: bytes
    changes: tuple[Change, ...]


class Histories:
    """What happened to tickets; ``TeamClient.history``.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def timeline(self, number: str) -> list[TimelineEvent]:
        """Return every change of a ticket's status, with changes of rules and team between; errors as ``Inbox.get``."""
        shared, notes = await self._logs(number)
        user = _user_name(shared)

        def name_of(opened: Opened) -> str:
            return _name_of(opened, user)

        return timeline(shared, self._desk.roster, now=clock.now(), name_of=name_of, notes=notes)

    async def log(self, number: str) -> list[LogEvent]:
        """Return every event of both logs of a ticket, the oldest first; errors as ``Inbox.get``."""
        shared, notes = await self._logs(number)
        user, roster = _user_name(shared), self._desk.roster
        return [_event(step, user, roster) for step in replay(shared, notes, roster)]

    async def _logs(self, number: str) -> tuple[list[Opened], list[Opened]]:
        """Return the entries of both logs with their final verdicts, from the relay if it can be reached."""
        follower = Follower(self._desk)
        row = await follower.find(number)
        await follower.bring_up(row)
        shared = await self._desk.load(row.mailbox)
        staff = await self._desk.load(row.staff_log, staff=True)
        return shared.thread.entries, staff.thread.entries


def _user_name(shared: Iterable[Opened]) -> str:
    return profile_of(shared).get("name") or _USER


def _name_of(opened: Opened, user: str) -> str:
    """Colleagues see who did it, also where users see the team."""
    if role_of(opened) is Role.TEAM and opened.device is not None:
        return opened.device.label
    return user if role_of(opened) is Role.USER else ""


def _event(step: Step, user: str, roster: TrustedRoster) -> LogEvent:
    opened = step.opened
    shown = step.after.label(roster.policy, opened.received, team=True)
    return LogEvent(
        utc(opened.received),
        kind_of(opened),
        shown.text if shown else "",
        _name_of(opened, user),
        role_of(opened),
        step.internal,
        opened.seq,
        opened.verdict,
        opened.reason,
        opened.hash,
        tuple(_changes(step, roster)),
    )


def _changes(step: Step, roster: TrustedRoster) -> Iterator[Change]:
    old, new = (_facts(standing, roster, step.opened.received) for standing in (step.before, step.after))
    for what in dict.fromkeys((*old, *new)):
        before, after = old.get(what, ""), new.get(what, "")
        if before != after:
            yield Change(what, before, after)


def _facts(standing: Standing, roster: TrustedRoster, now: int) -> dict[str, str]:
    """Return a ticket as people would list it, by the name of each value."""
    shown = standing.label(roster.policy, now, team=True)
    ticket = _ticket_facts(standing.ticket, roster) if standing.ticket else {}
    staff = _staff_facts(standing.staff, roster) if standing.staff else {}
    assignee = ticket.get("assignee") or staff.get("assignee", "")
    return {"status": shown.text if shown else "", **ticket, **staff, "assignee": assignee}


def _ticket_facts(ticket: TicketState, roster: TrustedRoster) -> dict[str, str]:
    return {
        "category": ticket.category,
        "priority": ticket.priority,
        "assignee": member_names(roster).get(ticket.assignee, ""),
        "progress": _yes(ticket.progress),
        "waiting_user": _yes(ticket.waiting_user),
        "resolution": ticket.resolution_note,
        "close_note": ticket.close_note,
        "merged_into": ticket_number(MailboxId(ticket.merged_into)) if ticket.merged_into else "",
        **{f"fields.{pair.name}": pair.value for pair in ticket.fields},
    }


def _staff_facts(staff: StaffState, roster: TrustedRoster) -> dict[str, str]:
    return {
        "tags": ", ".join(staff.tags),
        "assignee": member_names(roster).get(staff.assignee, ""),
        "hold": _flag(staff.hold),
        "archived": _flag(staff.archived),
        "spam": _flag(staff.spam),
        "snoozed_until": (iso(utc(staff.snoozed_until)) or "") if staff.snoozed_until else "",
        "links": ", ".join(ticket_number(link) for link in staff.links),
    }


def _flag(flag: Flag) -> str:
    return (flag.reason or _yes(flag.on)) if flag.on else ""


def _yes(flag: bool) -> str:  # noqa: FBT001 - it is the flag
    return "yes" if flag else ""
