"""Things that must not happen, kept until a person has looked: what was seen, how often, with the proof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2e_support.errors import SupportError
from e2e_support.ids import MailboxId
from e2e_support_keys.store import Queries, Transaction

TEAM = MailboxId(b"")
"""Stands for the mailbox in alarms that are about the team or its feed."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an honest relay and honest participants do not do.

    Attributes:
        code: stable name.
        message: what was seen.
        hint: what to do.
        mailbox: which log it is about; empty for the team.
        first_at: when it was seen first, seconds since 1970.
        last_at: when it was seen last.
        count: how often.
        proof: bytes that convince others, where there are any.
        number: the ticket that the log belongs to; empty for the team and for what is no ticket.
    """

    code: str
    message: str
    hint: str
    mailbox: MailboxId
    first_at: int
    last_at: int
    count: int
    proof: bytes
    number: str = ""


_RAISE = """
INSERT INTO alarms (code, mailbox, message, hint, first_at, last_at, proof) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (code, mailbox) DO UPDATE SET
    count = count + 1, last_at = excluded.last_at, message = excluded.message, hint = excluded.hint,
    proof = CASE WHEN proof = x'' THEN excluded.proof ELSE proof END
"""
_LIST = """
SELECT code, message, hint, alarms.mailbox, first_at, last_at, count, proof, ifnull(tickets.number, '')
FROM alarms LEFT JOIN tickets ON alarms.mailbox IN (tickets.mailbox, tickets.staff_log)
ORDER BY last_at DESC, alarms.id DESC
"""


def new_alarm(error: SupportError, proof: bytes = b"", *, now: int, mailbox: MailboxId = TEAM) -> Alarm:
    """Return the alarm for something that was seen just now.

    Args:
        error: what was seen.
        proof: bytes that convince others.
        now: seconds since 1970.
        mailbox: which log it is about.
    """
    return Alarm(error.code, error.message, error.hint, mailbox, now, now, 1, proof)


async def raise_alarms(change: Transaction, new: Iterable[Alarm]) -> None:
    """Keep alarms; one of the same kind about the same log is counted, and its first proof kept."""
    rows = [(a.code, a.mailbox, a.message, a.hint, a.first_at, a.last_at, a.proof) for a in new]
    await change.execute_many(_RAISE, rows)


async def alarms(queries: Queries) -> list[Alarm]:
    """Return all alarms, the newest first."""
    return [Alarm(*row) for row in await queries.fetch_all(_LIST)]


async def clear_alarms(change: Transaction) -> int:
    """Forget all alarms once a person has looked at them; return how many there were."""
    return await change.execute("DELETE FROM alarms")
