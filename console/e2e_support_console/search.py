"""Finds words in everything that the local store holds of tickets, and shows where they stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from e2e_support.errors import UsageError
from e2e_support_console import feed
from e2e_support_console.desk import Desk
from e2e_support_console.filters import Filters, condition
from e2e_support_console.passages import TICKET_SHIFT, Field
from e2e_support_console.query import Query, parse_query
from e2e_support_console.words import excerpt
from e2e_support_keys.store import Row

GROUPS: Final = {
    "tickets": Field.SUBJECT,
    "messages": Field.MESSAGE,
    "notes": Field.NOTE,
    "files": Field.FILE,
    "users": Field.PERSON,
}
"""How hits are grouped, and what is looked through for each group."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where something was found.

    Attributes:
        number: the ticket.
        subject: its subject.
        status: id of its label.
        status_text: the label as people read it.
        seq: the entry in which it stands.
        snippet: the words around it on one line, what was found between « and ».
    """

    number: str
    subject: str
    status: str
    status_text: str
    seq: int
    snippet: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, and what it looked through.

    Attributes:
        hits: of each of ``GROUPS``, those of the newest tickets first.
        tickets: in how many tickets something was found.
        searched: how many tickets this device holds.
        waiting: how many mailboxes it has still to fetch.
    """

    hits: dict[str, tuple[Hit, ...]]
    tickets: int
    searched: int
    waiting: int


async def search(desk: Desk, text: str, *, now: int, limit: int) -> Found:
    """Return where something stands, closed, archived and unwanted tickets among it.

    Args:
        desk: the unlocked device.
        text: as ``parse_query`` understands it.
        now: seconds since 1970.
        limit: hits of each group.

    Raises:
        UsageError: ``empty_query``, or what ``condition`` finds wrong.
    """
    query = parse_query(text)
    if query == Query(fields=query.fields):
        raise UsageError("empty_query", "there is nothing to search for", hint="Name a word of the ticket.")
    where, values = condition(desk, Filters(text=text), now, hide=False)
    sql = f"SELECT id FROM tickets WHERE {where} ORDER BY updated_at DESC"  # noqa: S608 - literals alone
    rows = await desk.store.fetch_all(sql, *values)
    matched = [row[0] for row in rows]
    hits = {
        group: await _hits(desk, query, field, json.dumps(matched), limit)
        for group, field in GROUPS.items()
        if query.terms and (not query.fields or field in query.fields)
    }
    if not query.terms:
        hits = {"tickets": await _tickets(desk, json.dumps(matched[:limit]))}
    known = await desk.store.fetch_one("SELECT count(*) FROM tickets")
    return Found(hits, len(matched), known[0] if known else 0, await feed.waiting_count(desk.store))


async def _hits(desk: Desk, query: Query, field: Field, tickets: str, limit: int) -> tuple[Hit, ...]:
    """Return where the words of a query stand in one field of tickets, those that came last first."""
    sql = f"""
        SELECT number, tickets.subject, status, status_text, seq, written
        FROM found JOIN passages ON passages.id = found.rowid JOIN tickets ON tickets.id = passages.ticket
        WHERE found MATCH ? AND found.rowid >> {TICKET_SHIFT} IN (SELECT value FROM json_each(?))
        ORDER BY found.rowid DESC LIMIT ?
    """  # noqa: S608 - literals alone
    expression = query.expression(*query.terms, field=field)
    phrases = [phrase for term in query.terms for phrase in term.phrases]
    return tuple(_hit(row, phrases) for row in await desk.store.fetch_all(sql, expression, tickets, limit))


async def _tickets(desk: Desk, tickets: str) -> tuple[Hit, ...]:
    """Return tickets that fit filters, where no word is asked for."""
    sql = """SELECT number, subject, status, status_text, 0, '' FROM tickets
        WHERE id IN (SELECT value FROM json_each(?)) ORDER BY updated_at DESC"""
    return tuple(_hit(row) for row in await desk.store.fetch_all(sql, tickets))


def _hit(row: Row, phrases: Sequence[Sequence[str]] = ()) -> Hit:
    number, subject, status, status_text, seq, text = row
    return Hit(number, subject, status, status_text, seq, excerpt(text, phrases))
