"""A team with many tickets: what letting somebody in costs, and removing them, with a barrier in every ticket."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Report, Row, at_least, at_most
from bench.machine import facts
from bench.processes import RelayProcess, relay
from bench.team import POLICY, now
from bench.tickets import MONTH, seal, seal_opening
from e2e_support.admission import admit_hash, day_of, find_work
from e2e_support.content import BarrierBody, BarrierItem
from e2e_support.conversation import Conversation
from e2e_support.crypto.secret import Secret
from e2e_support.ids import Hash, MailboxId
from e2e_support.ticket_keys import TicketKeys, UserKeyPort
from e2e_support.vocab import AdmissionMode, Kind
from e2e_support.wire import Append, Create
from e2e_support_client.transport import HttpRelay
from e2e_support_console.barriers import AT_ONCE as BARRED_AT_ONCE
from e2e_support_console.logs import Log
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import MemoryKeystore

FEW = 100  # tickets of the team that the other is compared with
AT_ONCE = 16  # tickets written at a time, before anything is timed


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: newcomers who are let in, and tickets."""

    newcomers: int
    tickets: int


FULL = Size(newcomers=5, tickets=300)
QUICK = Size(newcomers=1, tickets=8)


@dataclass(frozen=True, slots=True)
class Barred:
    """How a removal went, in seconds.

    Attributes:
        whole: from the owner's word to the last ticket.
        first: until the first ticket had its barrier.
        writing: from the first ticket to the last.
        cpu: processor time of the console.
    """

    whole: float
    first: float
    writing: float
    cpu: float


def run(data: Path, *, quick: bool, tickets: int | None = None) -> Report:
    """Measure on the disk of a directory and return what was found.

    Args:
        data: where relays and consoles keep what they have.
        quick: only show that it runs.
        tickets: of the larger team.
    """
    size = QUICK if quick else FULL
    size = Size(size.newcomers, size.tickets if tickets is None else tickets)
    machine = facts(data)
    with ExitStack() as stack:
        few, many = (stack.enter_context(relay(data / name / "relay")) for name in ("few", "many"))
        return asyncio.run(_measure(few, many, data, size, machine))


async def _measure(
    few: RelayProcess, many: RelayProcess, data: Path, size: Size, machine: dict[str, str]
) -> Report:
    began = time.perf_counter()
    fewer = min(FEW, size.tickets)
    small, large = await _found(few, data / "few", fewer), await _found(many, data / "many", size.tickets)
    async with small, large:
        made = time.perf_counter() - began
        adding = [
            (
                await _let_in(small, f"Agent {number}", data / "few" / str(number)),
                await _let_in(large, f"Agent {number}", data / "many" / str(number)),
            )
            for number in range(size.newcomers)
        ]
        bare = await _append_bare(small)
        crowd = await _append_bare(small, at_once=BARRED_AT_ONCE)
        barred = await _remove(large, "Agent 0", size.tickets)
    report = Report(
        "removal",
        machine,
        {"tickets": size.tickets, "compared with": fewer, "newcomers": size.newcomers},
        ("ms each, median", "least", "most", "per s"),
    )
    report.rows = [
        _row(f"let somebody in, {fewer} tickets", [pair[0] for pair in adding]),
        _row(f"let somebody in, {size.tickets} tickets", [pair[1] for pair in adding]),
        _row("seal and append one entry, one after the other, nothing kept", bare),
        _row(f"the same, {BARRED_AT_ONCE} at a time", crowd),
        _row("one ticket's barrier, all of a removal", [barred.whole / size.tickets]),
        _row("one ticket's barrier, the console's processor", [barred.cpu / size.tickets]),
    ]
    rate = size.tickets / barred.whole
    report.goals = [
        at_most("let somebody in: many tickets / few", [many / few for few, many in adding], 1.5),
        at_least(
            "barriers per s, all of a removal / bare, one by one", [rate * statistics.median(bare)], 0.5
        ),
        at_least(
            "barriers per s, all of a removal / bare, at a time", [rate * statistics.median(crowd)], 0.33
        ),
    ]
    report.notes.append(f"both teams with all tickets stood after {made:.0f} s")
    report.notes.append(
        f"the removal took {barred.whole:.1f} s; the first ticket had its barrier after {barred.first:.1f} s"
    )
    report.raw = {
        "few": [round(pair[0], 5) for pair in adding],
        "many": [round(pair[1], 5) for pair in adding],
        "bare": [round(seconds, 5) for seconds in bare],
        "crowd": [round(seconds, 5) for seconds in crowd],
        "removal": [round(one, 3) for one in (barred.whole, barred.first, barred.writing, barred.cpu)],
    }
    return report


# --- teams and tickets -----------------------------------------------------------------------------------


async def _found(process: RelayProcess, folder: Path, tickets: int) -> TeamClient:
    """Return an owner's console that has seen every ticket of its team."""
    team = await TeamClient.create(
        process.url,
        name="Bench",
        owner="Owner",
        bootstrap_code=process.code,
        keystore=MemoryKeystore(),
        state_dir=folder / "owner",
        policy=POLICY,
    )
    users = HttpRelay(process.url)
    try:
        await _write_tickets(team, users, tickets)
    finally:
        await users.close()
    await team.catch_up()
    return team


async def _write_tickets(team: TeamClient, users: HttpRelay, count: int) -> None:
    master, free = Secret.random(os.urandom), asyncio.Semaphore(AT_ONCE)

    async def write(number: int) -> None:
        async with free:
            await _write_ticket(team, users, TicketKeys.derive(master, team.desk.team_id, MONTH, number))

    await asyncio.gather(*(write(number) for number in range(count)))


async def _write_ticket(team: TeamClient, users: HttpRelay, keys: TicketKeys) -> None:
    roster, day, public = team.desk.roster, day_of(now()), keys.capability.public
    proof = find_work(admit_hash(roster.team_id, day, keys.mailbox), 0)
    create = Create(public, public, 1, roster.team_id, day, AdmissionMode.OPEN, proof)
    await users.create(keys.mailbox, create, keys.capability)
    port = UserKeyPort(roster.team_id, keys.reply)
    sealed = seal_opening(Conversation(keys.mailbox, roster, port, author_key=keys.author.public), keys)
    append = Append(sealed.seq, sealed.prev_hash, sealed.entry, ())
    await users.append(keys.mailbox, append, keys.capability)


# --- what is timed ---------------------------------------------------------------------------------------


async def _let_in(team: TeamClient, name: str, home: Path) -> float:
    """Let somebody in and return how long the owner's last step takes: a box for the newcomer, and a new epoch."""
    invitation = await team.members.invite(name)
    words = await TeamClient.join(
        invitation.link, code=invitation.code, keystore=MemoryKeystore(), state_dir=home
    )
    return await _timed(lambda: team.members.approve(name, " ".join(words)))


async def _append_bare(team: TeamClient, *, at_once: int = 1) -> list[float]:
    """Seal and append one entry to every ticket and keep nothing of it here; return what each took of the time."""
    await team.catch_up()
    logs = [await team.desk.load(mailbox) for mailbox in await _mailboxes(team)]
    times: list[float] = []
    for some in (logs[start : start + at_once] for start in range(0, len(logs), at_once)):
        began = time.perf_counter()
        await asyncio.gather(*(_append_one(team, log) for log in some))
        times.append((time.perf_counter() - began) / len(some))
    return times


async def _append_one(team: TeamClient, log: Log) -> None:
    body = BarrierBody((BarrierItem(Hash(os.urandom(32)), 0),))
    sealed = seal(log.conversation, Kind.BARRIER, body, team.desk.author())
    entry = Append(sealed.seq, sealed.prev_hash, sealed.entry, ())
    await team.desk.relay.append(log.mailbox, entry, team.desk.capability())


async def _mailboxes(team: TeamClient) -> list[MailboxId]:
    rows = await team.desk.store.fetch_all("SELECT mailbox FROM tickets")
    return [MailboxId(row[0]) for row in rows]


async def _remove(team: TeamClient, name: str, tickets: int) -> Barred:
    """Remove somebody and wait until every ticket says so."""
    told: list[float] = []
    began, busy = time.perf_counter(), time.process_time()
    await team.members.remove(name, lambda _done, _total: told.append(time.perf_counter() - began))
    whole, cpu = time.perf_counter() - began, time.process_time() - busy
    if len(told) != tickets:
        raise RuntimeError(f"{len(told)} of {tickets} tickets know of the removal")
    return Barred(whole, told[0], told[-1] - told[0], cpu)


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _row(name: str, seconds: Sequence[float]) -> Row:
    middle = statistics.median(seconds)
    each = (f"{one * 1e3:,.2f}" for one in (middle, min(seconds), max(seconds)))
    return Row(name, (*each, f"{1 / middle:,.0f}"))
