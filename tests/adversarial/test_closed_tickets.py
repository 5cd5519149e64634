"""Attack 90: a relay that keeps everything it stores, logs and sees cannot tell closed tickets from open ones.

Two sessions are recorded at a real relay. In one the ticket is resolved, reopened, closed and reopened by either side;
in the other the same people write as many messages of the same size at the same places. The records are compared.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support_client import clock
from hostile_proxy import relay_process
from hostile_scene import Scene, proxied
from http_kit import Passing

WORDS = "It was a full disk; there is space again."
DAY = 86_400
Step = Callable[[Scene, str], Awaitable[None]]


@dataclass(frozen=True)
class Record:
    """What a relay has of a session.

    Attributes:
        schema: of its database.
        rows: of every table, without random bytes, keys and times.
        log: its lines, without times.
        requests: of both sides: method, shape of the path, size; status and size of the answer.
    """

    schema: list[str]
    rows: list[str]
    log: list[str]
    requests: list[str]


async def decide(scene: Scene, step: str) -> None:
    """Do what a step says."""
    team, user, number = scene.team.inbox, scene.user.tickets, scene.number
    match step:
        case "team resolves":
            await team.resolve(number, WORDS)
        case "team closes":
            await team.close(number, WORDS)
        case "team reopens":
            await team.reopen(number, WORDS)
        case "user reopens":
            await user.reopen(number, WORDS)
        case "user closes":
            await user.close(number, note=WORDS)
        case _:
            raise AssertionError(step)


async def talk(scene: Scene, step: str) -> None:
    """Write a message instead."""
    if step.startswith("team"):
        await scene.team.inbox.reply(scene.number, WORDS)
    else:
        await scene.user.tickets.reply(scene.number, WORDS)


STEPS = (
    "team resolves",
    "team closes",
    "user reopens",
    "team resolves",
    "user closes",
    "team reopens",
    "team closes",
    "user reopens",
    "team closes",
)


async def recorded(folder: Path, do: Step) -> Record:
    """Record a session at a relay of its own."""
    with relay_process(folder / "relay") as process:
        async with proxied(folder, process) as scene:
            await scene.open()
            for step in STEPS:
                await scene.team.catch_up()
                await do(scene, step)
                await scene.user.tickets.get(scene.number)
                await scene.team.inbox.get(scene.number)
            requests = [
                f"{who}: {_request(*both)}" for who, one in scene.proxies.items() for both in one.asked
            ]
        log = [re.sub(r'"time": \d+', "", line) for line in process.log.splitlines()]
    with closing(sqlite3.connect(folder / "relay" / "relay.db")) as database:
        objects = database.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
        tables = [name for kind, name, _ in objects if kind == "table"]
        rows = [f"{name} {_row(row)}" for name in tables for row in database.execute(f"SELECT * FROM {name}")]  # noqa: S608
    return Record([sql for *_, sql in objects], rows, log, requests)


def _request(passing: Passing, response: web.Response) -> str:
    """Return what is left of a request and its answer without ids and contents."""
    assert isinstance(response.body, bytes)
    shape = re.sub(r"[\w-]{22,}", "*", passing.target)
    return f"{passing.method} {shape} {len(passing.body)} bytes, {response.status} {len(response.body)} bytes"


def _row(values: tuple[object, ...]) -> list[str]:
    """Return what is left of a row without random bytes and times."""
    return [_value(value) for value in values]


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return "a time" if isinstance(value, int | float) and value > clock.now() - DAY else str(value)


async def test_90_closing_looks_like_talking(tmp_path: Path) -> None:
    """Schema, rows, log and requests of both sessions are the same, number by number and size by size."""
    decided, talked = await recorded(tmp_path / "a", decide), await recorded(tmp_path / "b", talk)
    assert len(decided.rows) > len(STEPS)
    assert len(decided.log) > len(STEPS)
    assert len(decided.requests) > 4 * len(STEPS)
    assert decided == talked


async def decide_and_freeze(scene: Scene, step: str) -> None:
    """Do what a step says, and freeze the mailbox for as long as the ticket is closed."""
    if step.endswith("reopens"):
        await state(scene, Deed.THAW)
    await decide(scene, step)
    if step.endswith("closes"):
        await state(scene, Deed.FREEZE)


async def state(scene: Scene, deed: Deed) -> None:
    """Let the administrator's device freeze the ticket's mailbox, or thaw it."""
    desk = scene.team.desk
    device, key = desk.bundle.signer()
    body = DestructionBody(desk.team_id, scene.mailbox, deed, clock.now(), device)
    await desk.relay.destroy(scene.mailbox, sign_destruction(body, key), desk.capability())


async def test_90_a_console_that_froze_closed_tickets_would_tell(tmp_path: Path) -> None:
    """The control: were closing anything but an append, the records would differ in rows, log and requests."""
    frozen, talked = await recorded(tmp_path / "a", decide_and_freeze), await recorded(tmp_path / "b", talk)
    assert frozen.schema == talked.schema
    assert frozen.rows != talked.rows
    assert frozen.log != talked.log
    assert frozen.requests != talked.requests
