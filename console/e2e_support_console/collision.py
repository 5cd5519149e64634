"""What stops an answer when somebody else wrote since the administrator looked: they see what is new first."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support_client.model import Message
from e2e_support_client.render import message_json
from e2e_support_client.view import event_kind
from e2e_support_console.logs import Log
from e2e_support_console.reading import thread_messages


class TicketMoved(UsageError):
    """Nothing was sent.

    Attributes:
        newer: what was said meanwhile.
    """

    def __init__(self, newer: Sequence[Message]) -> None:
        super().__init__(
            "ticket_moved",
            "somebody else wrote to this ticket since you looked; nothing was sent",
            hint="Read what is new, then send again.",
            details={"newer": [message_json(message) for message in newer]},
        )
        self.newer = tuple(newer)


def require_still(log: Log, start: int, policy: Policy) -> None:
    """Do nothing if nothing that people see was added to a log.

    Args:
        log: the shared log as it is now.
        start: its length when the administrator looked.
        policy: the newest policy.

    Raises:
        TicketMoved: something was.
    """
    entries = log.thread.entries
    if any(event_kind(entry) for entry in entries[start:]):
        said = thread_messages(entries, (), policy, "")
        raise TicketMoved([message for message in said if message.seq >= start])


def require_seen(log: Log, seen: int, policy: Policy, own: bytes) -> None:
    """Do nothing if the administrator has seen all that others said.

    Args:
        log: the shared log as it is now.
        seen: its length when it was shown last.
        policy: the newest policy.
        own: the key that this device signs entries with.

    Raises:
        TicketMoved: there are words that they have not seen.
    """
    entries = log.thread.entries
    others = {entry.seq for entry in entries[seen:] if entry.inner and entry.inner.author.key != own}
    newer = [message for message in thread_messages(entries, (), policy, "") if message.seq in others]
    if newer:
        raise TicketMoved(newer)
