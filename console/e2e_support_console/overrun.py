"""Which tickets went over what the policy allows one user: every console counts for itself (S2-10).

A relay counts at most what strangers create; only the team sees whose tickets they are. Tickets whose user does not
tell that they belong together cannot be counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from e2e_support.ids import MailboxId
from e2e_support.quota import left_today
from e2e_support.roster import TrustedRoster
from e2e_support_keys.store import Row, Transaction

DAILY: Final = "daily_limit"
OPEN: Final = "open_max"
_OF_USER: Final = """
SELECT mailbox, created_at, closed, policy_seq, over FROM tickets WHERE user_key = ? AND by_team = 0
ORDER BY created_at, mailbox
"""


async def flag_overruns(change: Transaction, roster: TrustedRoster, users: Iterable[bytes]) -> None:
    """Flag the tickets that went over a limit, and unflag those that no longer do.

    Args:
        change: the transaction.
        roster: the newest roster.
        users: keys of the users whose tickets have moved; empty ones are passed over.
    """
    for user in {key for key in users if key}:
        rows = await change.fetch_all(_OF_USER, user)
        over = _over(rows, roster)
        moved = [(code, row[0]) for row in rows if (code := over.get(row[0], "")) != row[4]]
        await change.execute_many("UPDATE tickets SET over = ? WHERE mailbox = ?", moved)


def _over(rows: list[Row], roster: TrustedRoster) -> dict[MailboxId, str]:
    """Return the code of the limit that each ticket went over: of its day by its own policy, at once by today's."""
    found: dict[MailboxId, str] = {}
    created = [row[1] for row in rows]
    for number, row in enumerate(rows):
        limits = roster.policy_at(row[3]).limits
        earlier = created[max(0, number - limits.create_per_day) : number]  # enough to reach the limit
        left, _ = left_today(limits, earlier, row[1])
        if left == 0:
            found[row[0]] = DAILY
    most = roster.policy.limits.open_max
    still_open = [row[0] for row in rows if not row[2]]
    for mailbox in still_open[most:] if most else ():
        found.setdefault(mailbox, OPEN)
    return found
