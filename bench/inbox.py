"""A console that holds many tickets: how long its search and its lists take, against reading every text."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bench.console import new_console
from bench.figures import Report, at_most, in_ms
from bench.machine import facts
from bench.team import now
from e2e_support.ids import MailboxId
from e2e_support.ticket_keys import ticket_number
from e2e_support_console.index import save_tickets
from e2e_support_console.passages import Field, Passage, index_passages
from e2e_support_console.team import TeamClient
from e2e_support_console.ticket_row import TicketRow, joined

MESSAGES = 5
WORDS = 80  # of a message
VOCABULARY = 5_000
SEARCH_MS = 200.0  # what people still take for at once
AT_ONCE = 500
_LABELS = ("open", "progress", "waiting", "closed")
_LEVELS = ("low", "normal", "high", "urgent")
_NOTHING: dict[str, Any] = {"int": 0, "str": "", "bytes": b""}


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, and tickets of the console."""

    rounds: int
    tickets: int


FULL = Size(rounds=9, tickets=10_000)
QUICK = Size(rounds=1, tickets=20)


def run(data: Path, *, quick: bool) -> Report:
    """Measure on the disk of a directory and return what was found."""
    return asyncio.run(_measure(data, QUICK if quick else FULL))


async def _measure(data: Path, size: Size) -> Report:
    machine = facts(data)
    async with await new_console(data) as team:
        began = time.perf_counter()
        await _fill(team, size.tickets)
        filled = time.perf_counter() - began
        inbox, rare = team.inbox, _word(max(_ranks(MESSAGES, WORDS)))
        asked: dict[str, Callable[[], Awaitable[object]]] = {
            "search, a rare word": lambda: inbox.search(rare),
            "search, a word of every ticket": lambda: inbox.search(_word(8)),
            "search, two words and one excluded": lambda: inbox.search(
                f"{_word(90)} {_word(91)} -{_word(300)}"
            ),
            "search, a word in texts without spaces": lambda: inbox.search(_ideographs(40)),
            "list, 50 of one status, priority and tag": lambda: inbox.list(
                status="open", priority="high", tag="vip", limit=50
            ),
            "list, 50 of a view": lambda: inbox.list(view="needs_answer", limit=50),
            "counts": inbox.counts,
            "read every text instead": lambda: _read_all(team, rare),
        }
        times = {name: await _times(ask, size.rounds) for name, ask in asked.items()}
    report = Report(
        "inbox",
        machine,
        {"tickets": size.tickets, "messages each": MESSAGES, "rounds": size.rounds},
        ("ms, median", "least", "most"),
    )
    report.rows = [in_ms(name, found) for name, found in times.items()]
    report.rows.append(in_ms("index one ticket", [filled / size.tickets]))
    scan = statistics.median(times["read every text instead"])
    for name, found in times.items():
        if name.startswith("search"):
            report.goals.append(at_most(f"{name}: ms", [one * 1000 for one in found], SEARCH_MS))
            report.goals.append(at_most(f"{name} / reading every text", [one / scan for one in found], 1))
        elif name.startswith("list"):
            report.goals.append(at_most(f"{name} / reading every text", [one / scan for one in found], 0.5))
    report.notes.append("each was asked once before it was timed: the pages that it needs are in memory")
    report.raw = dict(times)
    return report


async def _times(ask: Callable[[], Awaitable[object]], rounds: int) -> list[float]:
    await ask()
    found: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        await ask()
        found.append(time.perf_counter() - began)
    return found


async def _read_all(team: TeamClient, word: str) -> int:
    """Do what a console without an index would have to do."""
    row = await team.desk.store.fetch_one("SELECT count(*) FROM found WHERE written LIKE ?", f"%{word}%")
    return row[0] if row else 0


# --- a console full of tickets -----------------------------------------------------------------------------


async def _fill(team: TeamClient, tickets: int) -> None:
    """Put rows and texts into the store as the sync would, without the entries that they come from."""
    await team.inbox.list()
    for start in range(0, tickets, AT_ONCE):
        async with team.desk.store.transaction() as change:
            numbers = range(start, min(start + AT_ONCE, tickets))
            await save_tickets(change, [_ticket(number) for number in numbers])
            for number in numbers:
                await index_passages(change, number + 1, _passages(number))


def _ticket(number: int) -> TicketRow:
    mailbox, status = MailboxId(os.urandom(16)), _LABELS[number % len(_LABELS)]
    time, closed = now() - 60 * number, status == "closed"
    said: dict[str, Any] = {
        "mailbox": mailbox,
        "staff_log": MailboxId(os.urandom(16)),
        "number": ticket_number(mailbox),
        "subject": _text(number, 6),
        "status": status,
        "status_text": status,
        "category": "bug",
        "priority": _LEVELS[number // len(_LABELS) % len(_LEVELS)],
        "created_at": time,
        "updated_at": time,
        "waiting_since": 0 if closed else time,
        "closed": int(closed),
        "tags": joined(["vip"]) if number % 3 == 0 else "",
        "preview": _text(number, 12),
    }
    nothing: dict[str, Any] = {field.name: _NOTHING.get(str(field.type)) for field in fields(TicketRow)}
    return TicketRow(**(nothing | said))


def _passages(number: int) -> Iterator[Passage]:
    yield Passage(Field.SUBJECT, 0, 0, _text(number, 6))
    yield Passage(Field.PERSON, 0, 0, "Ada premium")
    for seq in range(MESSAGES):
        field = Field.NOTE if seq == MESSAGES - 1 else Field.MESSAGE
        yield Passage(field, seq, 0, _text(number * MESSAGES + seq, WORDS))


def _text(seed: int, words: int) -> str:
    """Return a text; the messages of every tenth ticket are in a script without spaces."""
    unspaced = seed // MESSAGES % 10 == 0
    return ("" if unspaced else " ").join(map(_ideographs if unspaced else _word, _ranks(seed, words)))


def _ranks(seed: int, words: int) -> Iterator[int]:
    """Yield which words a text has: a few are common and most are rare, as in every language."""
    for place in range(words):
        yield int(VOCABULARY ** ((seed * 7919 + place * 104_729) % 99_991 / 99_991))


def _ideographs(rank: int) -> str:
    """Return a word of two characters; frequent ones stand in many words."""
    return chr(0x4E00 + rank % 500) + chr(0x5000 + rank // 7)


def _word(rank: int) -> str:
    """Return the word of a rank; the letters keep words of one length apart."""
    letters = ""
    while rank:
        rank, letter = divmod(rank, 20)
        letters += "bcdfghjklmnpqrstvwxz"[letter] + "aeiou"[letter % 5]
    return letters or "ya"
