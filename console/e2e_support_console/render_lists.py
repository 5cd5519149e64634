"""What counts and searches print: JSON for programs, text for people; text from strangers is made harmless."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from e2e_support.policy import Policy
from e2e_support_client.plain import plain_line
from e2e_support_client.render import count, table
from e2e_support_client.terminal import Json
from e2e_support_console.search import Found, Hit

_TITLES = {
    "tickets": "Tickets",
    "messages": "Messages",
    "notes": "Notes (only administrators)",
    "files": "Files",
    "users": "Users (as their applications say)",
}


def found_json(found: Found, query: str) -> Json:
    """Return what a search found, by group, and what it looked through."""
    groups: dict[str, Json] = {group: [_hit_json(hit) for hit in hits] for group, hits in found.hits.items()}
    coverage: dict[str, Json] = {
        "tickets": found.searched,
        "waiting": found.waiting,
        "complete": not found.waiting,
    }
    return {"query": query, "found": found.tickets, **groups, "coverage": coverage}


def _hit_json(hit: Hit) -> Json:
    return {
        "number": hit.number,
        "subject": hit.subject,
        "status": hit.status_text,
        "status_id": hit.status,
        "seq": hit.seq,
        "snippet": hit.snippet,
    }


def found_text(found: Found) -> str:
    """Return what a search found, group by group, and how much of all tickets it looked through."""
    parts = [f"{_TITLES[group]}\n{table(list(_lines(hits)))}" for group, hits in found.hits.items() if hits]
    parts = parts or ["Nothing was found."]
    return "\n\n".join([*parts, f"{count(found.tickets, 'ticket')} found. {_coverage(found)}"])


def _lines(hits: tuple[Hit, ...]) -> Iterator[tuple[str, ...]]:
    for hit in hits:
        shown = plain_line(hit.subject)
        yield hit.number, plain_line(hit.status_text), f"{shown}: {hit.snippet}" if hit.snippet else shown


def _coverage(found: Found) -> str:
    whole = f"{count(found.searched, 'ticket')} searched"
    if not found.waiting:
        return f"{whole}: all that this device knows of."
    return f"{whole}; {count(found.waiting, 'mailbox')} still to be fetched, so this may not be all."


def counts_text(counts: Mapping[str, int], policy: Policy) -> str:
    """Return how many tickets each status has, in the order and the words of the team's table."""
    words = {rule.id: rule.text for rule in policy.labels_staff}
    return table([(str(number), plain_line(words[label])) for label, number in counts.items()])
