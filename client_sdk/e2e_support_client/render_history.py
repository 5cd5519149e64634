"""What ``timeline`` prints for users and administrators alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from e2e_support_client.history import POLICY, TEAM, TimelineEvent
from e2e_support_client.plain import plain_line
from e2e_support_client.terminal import Json, iso, stamp

_BY_TIME: Final = "by itself"


def timeline_json(events: Sequence[TimelineEvent]) -> Json:
    """Return a ticket's timeline; ``by`` is empty where nobody did it but time."""
    return [
        {
            "at": iso(event.at),
            "kind": event.kind,
            "status": event.status_text,
            "status_id": event.status,
            "by": event.by,
            "what": event.what,
        }
        for event in events
    ]


def timeline_text(events: Sequence[TimelineEvent]) -> str:
    """Return a ticket's timeline as people read it: a line per state, and what changed around it indented."""
    return "\n".join(_line(event) for event in events)


def _line(event: TimelineEvent) -> str:
    at, what = stamp(event.at), plain_line(event.what)
    if event.kind in {POLICY, TEAM}:
        return f"{at}    {what}"
    by = plain_line(event.by) or _BY_TIME
    return f"{at}  {plain_line(event.status_text)} · {by}" + (f" · {what}" if what else "")
