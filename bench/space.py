"""A team space of many volumes: what one command pays to read it from the store, against reading all of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.console import new_console
from bench.figures import Report, at_most, in_ms
from bench.machine import facts
from bench.team import now
from e2e_support.codec import Message
from e2e_support.content import Author, ClaimBody, Inner, ReadMark, ReadMarksBody, SettingBody
from e2e_support.crypto.suite import VERSION
from e2e_support.ids import Hash, MailboxId, MessageId
from e2e_support.limits import VOLUME_MAX
from e2e_support.opened import Opened
from e2e_support.vocab import AuthorRole, Kind, SettingKind, Verdict
from e2e_support_console import volumes
from e2e_support_console.index import save_entries
from e2e_support_console.team import TeamClient
from e2e_support_console.team_space import TeamSpace

COMMAND_MS = 150.0  # of processor time, before a command does anything
ENTRY = 1_200  # bytes of a small entry at the relay, with its receipt
MARKS = 4  # tickets that one entry of read marks is about
EVERY = 120  # seconds between two entries
SETTINGS = 200  # one in so many entries is a setting


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, and finished volumes; the open one is half full."""

    rounds: int
    volumes: int


FULL = Size(rounds=9, volumes=49)
QUICK = Size(rounds=1, volumes=1)


def run(data: Path, *, quick: bool) -> Report:
    """Measure on the disk of a directory and return what was found."""
    return asyncio.run(_measure(data, QUICK if quick else FULL))


async def _measure(data: Path, size: Size) -> Report:
    machine = facts(data)
    async with await new_console(data) as team:
        await _fill(team, size.volumes)
        lately = now() - 3 * 24 * 3600
        spaces = {
            "settings": TeamSpace(team.desk, frozenset({Kind.SETTING})),
            "claims of three days": TeamSpace(team.desk, frozenset({Kind.CLAIM}), lately),
            "read marks of a minute": TeamSpace(team.desk, frozenset({Kind.READ_MARK}), now() - 60),
            "nothing but the open volume": TeamSpace(team.desk, frozenset()),
            "everything": TeamSpace(team.desk),
        }
        times = {name: await _times(space.kept, size.rounds) for name, space in spaces.items()}
    entries = size.volumes * VOLUME_MAX + VOLUME_MAX // 2
    settings: dict[str, object] = {"entries": entries, "rounds": size.rounds}
    report = Report("space", machine, settings, ("CPU ms, median", "least", "most"))
    report.rows = [in_ms(name, found) for name, found in times.items()]
    for name, found in times.items():
        if name != "everything":
            report.goals.append(at_most(f"{name}: CPU ms", [one * 1000 for one in found], COMMAND_MS))
    report.notes.append(
        "everything is read once after each removal, to say what is believed of the removed device"
    )
    report.raw = dict(times)
    return report


async def _times(ask: Callable[[], Awaitable[object]], rounds: int) -> list[float]:
    found: list[float] = []
    for _ in range(rounds):
        began = time.process_time()
        await ask()
        found.append(time.process_time() - began)
    return found


# --- a console with a long memory --------------------------------------------------------------------------


async def _fill(team: TeamClient, count: int) -> None:
    """Put volumes into the store as the sync would, without sealing what nobody opens again."""
    store, keys = team.desk.store, team.desk.team.keys
    first = now() - EVERY * (count + 1) * VOLUME_MAX
    for number in range(count + 1):
        mailbox = volumes.open_mailbox(keys, await volumes.finished(store))
        length = VOLUME_MAX if number < count else VOLUME_MAX // 2
        entries = list(_entries(team, first + EVERY * number * VOLUME_MAX, length))
        async with store.transaction() as change:
            await save_entries(change, [(mailbox, entry) for entry in entries])
            if number < count:
                await volumes.finish(change, number, mailbox, entries, entries)


def _entries(team: TeamClient, began: int, length: int) -> Iterator[Opened]:
    author, head = Author(AuthorRole.DEVICE, team.desk.bundle.device_id), team.desk.roster.head
    device = team.desk.roster.devices[team.desk.bundle.device_id]
    for seq in range(length):
        kind, body = _said(seq)
        at = began + EVERY * seq
        message = MessageId(os.urandom(16))
        inner = Inner(VERSION, kind, message, author, head, os.urandom(200), at, b"", body.to_bytes(), ())
        yield Opened(
            seq, Hash(os.urandom(32)), Verdict.OK, "", os.urandom(200), at,
            inner=inner, body=body, device=device, known=head.length, entry=os.urandom(ENTRY),
        )  # fmt: skip


def _said(seq: int) -> tuple[Kind, Message]:
    """Return what an entry says: mostly read marks and claims."""
    ticket = MailboxId(os.urandom(16))
    if seq % SETTINGS == 0:
        return Kind.SETTING, SettingBody(SettingKind.SNIPPET, f"snippet{seq}", 0, "Hello", "Hello. " * 20, ())
    if seq % 3 == 0:
        return Kind.CLAIM, ClaimBody("mail", ticket, seq)
    marks = tuple(ReadMark(MailboxId(os.urandom(16)), seq) for _ in range(MARKS))
    return Kind.READ_MARK, ReadMarksBody(marks)
