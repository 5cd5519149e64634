"""One ticket as lists know it: what both of its logs add up to, kept in the store so that no list opens a log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2e_support.ids import MailboxId

_BETWEEN = "\n"


@dataclass(frozen=True, slots=True)
class TicketRow:
    """One ticket as the list shows it; times are receipt times in seconds since 1970, 0 is never.

    Attributes:
        mailbox: id of its shared log.
        staff_log: id of its staff log, whether or not that exists yet.
        number: what people call it.
        subject: as its user wrote it.
        status: id of the team's label.
        status_text: the label as people read it.
        category: id.
        priority: id; may be empty.
        created_at: when it came.
        updated_at: when something visible happened last.
        waiting_since: since when its user waits for an answer.
        closed: 1 once it is closed.
        unread: things that its user said and this administrator has not seen.
        problem: code of what was wrong with the relay's last answer for it.
        assignee: member id of whoever takes care of it; empty for nobody.
        tags: ``joined``, in alphabetical order.
        mentions: ``joined`` ids, in hexadecimal digits, of the members whom notes mention.
        user_key: joins the tickets of one user; empty where the user does not tell.
        requester: what its user is called, as their application says.
        account: their account or plan, as their application says.
        merged_into: shared log in which it goes on; empty otherwise.
        hold: 1 while it waits for something outside.
        archived: 1 while it is kept for the record only.
        spam: 1 while it is marked as no request at all.
        snoozed_until: until when it is out of sight.
        notes: how many there are.
        files: how many were sent.
        debug: 1 if debug data came with it.
        nonconforming: how many entries broke a rule.
        preview: the beginning of what was said last, on one line.
        preview_note: 1 if that is a note.
        first_response_at: when the team spoke first.
        close_due: when it closes by itself.
        erase_due: when the team erases it.
        due_at: when time alone changes this row next.
        remind_due: when its user is told that it closes by itself.
        unnoted: when it closed by itself, as long as no entry says so.
        assign_to: member who gets it by default, as long as nobody was ever assigned; empty for nobody.
        quiet_due: when the quieter of its logs needs an entry, so that the relay keeps both.
        policy_seq: sequence number of the roster link whose policy its opening follows.
        by_team: 1 if the team opened it for its user.
        over: code of the limit that its user went over with it; empty otherwise.
    """

    mailbox: MailboxId
    staff_log: MailboxId
    number: str
    subject: str
    status: str
    status_text: str
    category: str
    priority: str
    created_at: int
    updated_at: int
    waiting_since: int
    closed: int
    unread: int
    problem: str
    assignee: bytes
    tags: str
    mentions: str
    user_key: bytes
    requester: str
    account: str
    merged_into: bytes
    hold: int
    archived: int
    spam: int
    snoozed_until: int
    notes: int
    files: int
    debug: int
    nonconforming: int
    preview: str
    preview_note: int
    first_response_at: int
    close_due: int
    erase_due: int
    due_at: int
    remind_due: int
    unnoted: int
    assign_to: bytes
    quiet_due: int
    policy_seq: int
    by_team: int
    over: str = ""


def joined(items: Iterable[str]) -> str:
    """Return texts as one, each between line feeds, so that SQL finds a whole one.

    Args:
        items: on one line each.
    """
    return "".join(f"{_BETWEEN}{item}" for item in items) + _BETWEEN


def parted(text: str) -> tuple[str, ...]:
    """Return the texts that ``joined`` made one."""
    return tuple(text.split(_BETWEEN)[1:-1])
