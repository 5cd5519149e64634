"""Agents: what a run tells, when one wakes, how it survives outages, colleagues and kills."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from admin_shell import Shell
from console_room import User
from e2e_support.content import Pair
from e2e_support.policy import Policy
from e2e_support.policy_parts import MailMode, NoteMode
from e2e_support.presets import DEFAULT
from e2e_support.vocab import Kind, Verdict
from e2e_support_client import clock
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay, Fault
from e2e_support_client.transport import HttpRelay
from e2e_support_console.agent import Agent, Report
from e2e_support_console.agent_file import NAME
from e2e_support_console.chores import NOTHING, Done
from e2e_support_console.shell import KEYS_NAME
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import FileKeystore, MemoryKeystore
from e2e_support_keys.vault import FLOOR
from mail_kit import DAY, MailServer, mail_server
from relay_kit import running
from team_room import TeamRoom

ADMIN, SECRET = "anna@example.org", "correct horse battery staple"
CLOSED_AGO = 7 * 3600
"""Long enough that every closing is to be written down, and young enough to be news."""
POLICY = replace(
    DEFAULT,
    admission=replace(DEFAULT.admission, bits=4),
    close=replace(DEFAULT.close, resolved_days=7, reminder_days=5),
    resolution_note=NoteMode.OPTIONAL,
    notify=replace(DEFAULT.notify, user_mail=MailMode.OPT_IN, receipt_mail=1, staff_mail=1),
)


# --- one agent -------------------------------------------------------------------------------------------


async def until(seen: Any) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(30):
        while not seen():  # noqa: ASYNC110 - of many kinds
            await asyncio.sleep(0.02)


@asynccontextmanager
async def at_work(agent: Agent) -> AsyncGenerator[list[Report]]:
    """Run an agent, yield its reports, and stop it."""
    stop, reports = asyncio.Event(), list[Report]()
    task = asyncio.create_task(agent.run(stop, reports.append))
    try:
        yield reports
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


async def test_an_agent_wakes_when_the_bell_rings(tmp_path: Path) -> None:
    """A new ticket is mailed at once, although the agent's own timer is an hour away."""
    async with TeamRoom(tmp_path, policy=POLICY) as crew, mail_server() as server:
        anna = await crew.start()
        async with at_work(Agent(anna, server.mailer(to=(ADMIN,)), every=3600)) as reports:
            await until(lambda: reports)
            user = await crew.ticket()
            await until(lambda: server.mails)
        assert server.subjects == [f"New ticket {user.number}"]


async def test_an_agent_survives_an_outage(tmp_path: Path) -> None:
    """While the relay is away an agent waits and says why; once it is back the work goes on."""
    async with TeamRoom(tmp_path, policy=POLICY) as crew, mail_server() as server:
        anna = await crew.start()
        crew.relay.inject(Fault.OFFLINE)
        async with at_work(Agent(anna, server.mailer(to=(ADMIN,)), every=3600)) as reports:
            await until(lambda: reports)
            assert reports[0].trouble is not None
            assert reports[0].trouble.code == "relay_unreachable"
            crew.relay.heal()
            await crew.ticket()
            await until(lambda: server.mails)
            assert len(reports) < 10


async def test_one_bad_mailbox_slows_nothing_down(tmp_path: Path) -> None:
    """A ticket that cannot be followed is told every time, and news of others goes out at once all the same."""
    async with TeamRoom(tmp_path, policy=POLICY) as crew, mail_server() as server:
        anna = await crew.start()
        bad = await crew.ticket()
        await anna.catch_up()
        await bad.say("One more thing.")
        crew.relay.inject(Fault.ROLLBACK, mailbox=bad.mailbox)
        async with at_work(Agent(anna, server.mailer(to=(ADMIN,)), every=3600)) as reports:
            await until(lambda: reports)
            assert reports[0].trouble is not None
            user = await crew.ticket()
            await until(lambda: len(server.mails) > 1)
        assert server.subjects == [f"New ticket {bad.number}", f"New ticket {user.number}"]


def test_a_run_tells_what_it_did_and_nothing_of_tickets(team: Shell) -> None:
    """``--once`` prints numbers as JSON or words; the founder's own console has vouched for the team already."""
    team.ticket(subject="No invoice")
    data = team.data("agent", "--once")
    assert {name: data[name] for name in ("closed", "assigned", "erased", "mails", "renewed")} == {
        "closed": 0, "assigned": 0, "erased": 0, "mails": 0, "renewed": False,
    }  # fmt: skip
    assert "Mails: 0" in team("agent", "--once")
    assert team.error("agent", "--once", "--mail-to", ADMIN)["code"] == "bad_agent_file"
    (team.home / NAME).write_text("[mail]\nhost = 5\n")
    assert team.error("agent", "--once")["code"] == "bad_agent_file"
    assert team("agent", "--every", "0", code=2) == ""


async def test_the_run_that_renews_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of its life later the agent vouches for the team again, alone where that is enough."""
    async with TeamRoom(tmp_path, policy=POLICY) as crew:
        anna = await crew.start()
        assert not (await Agent(anna).run_once()).renewed
        half = POLICY.freshness.days * DAY // 2 + 60
        crew.relay.advance(half)
        later = clock.now() + half
        monkeypatch.setattr(clock, "now", lambda: later)
        assert [(await Agent(anna).run_once()).renewed for _ in range(2)] == [True, False]


# --- many at once ----------------------------------------------------------------------------------------


@dataclass
class Earlier:
    """A clock that is so many seconds behind, until it is set right."""

    behind: int = 7 * DAY + CLOSED_AGO

    def __call__(self) -> float:
        return time.time() - self.behind

    def seconds(self) -> int:
        """Return whole seconds."""
        return int(self())


@dataclass
class Scene:
    """A real relay that serves a team on the day on which its tickets are due.

    Attributes:
        crew: the team.
        due: users whose tickets closed by themselves.
        fresh: users whose tickets are new.
    """

    crew: TeamRoom
    due: list[User]
    fresh: list[User]


@asynccontextmanager
async def scene(
    folder: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], *, due: int, fresh: int
) -> AsyncGenerator[tuple[Scene, TeamClient]]:
    """Yield a team a week after some tickets were resolved, with some new ones, and its founder's console."""
    then = Earlier()
    async with running(folder / "relay", clock=then) as client:
        assert client.relay is not None
        relay = HttpRelay(client.url, retry=NO_RETRY, now=then.seconds)
        code = await client.relay.context.teams.issue_code()
        with monkeypatch.context() as patched:
            patched.setattr(clock, "now", then.seconds)
            keystore = cast("MemoryKeystore", _keystore(folder / "home"))
            room = TeamRoom(
                folder,
                relay=cast("FakeRelay", relay),
                url=client.url,
                code=code,
                policy=POLICY,
                keystore=keystore,
            )
            async with room as crew:
                anna = await crew.start()
                for name in names:
                    crew.keystores[name] = cast("MemoryKeystore", _keystore(folder / name))
                    await (await crew.add(anna, name)).close()
                me = anna.desk.roster.devices[anna.desk.bundle.device_id].member_id
                policy: Policy = anna.desk.roster.policy
                users = [await _ask(crew, number) for number in range(due)]
                await anna.catch_up()
                for user in users:
                    await anna.inbox.resolve(user.number, "Fixed.")
                await anna.policy.apply(replace(policy, staff=replace(policy.staff, assignee=me)))
                then.behind = 0
                new = [await _ask(crew, due + number) for number in range(fresh)]
                yield Scene(crew, users, new), anna
        await relay.close()


async def _ask(crew: TeamRoom, number: int) -> User:
    return await crew.ticket(profile=(Pair("notify_email", f"user{number}@example.org"),))


def _keystore(home: Path) -> FileKeystore:
    return FileKeystore(home / KEYS_NAME, lambda: SECRET, cost=FLOOR)


def expected(at: Scene) -> list[str]:
    """Return the subjects of all mails that are due, in order."""
    closed = [f"News in your ticket {user.number}" for user in at.due]
    new = [f"{what} {user.number}" for user in at.fresh for what in ("New ticket", "Your ticket")]
    return sorted([*closed, *new])


async def require_once(at: Scene, team: TeamClient) -> None:
    """Do nothing if every log has exactly one entry for what was due, and nothing that breaks a rule."""
    await team.catch_up()
    for users, wanted in ((at.due, Kind.AUTO_CLOSE), (at.fresh, Kind.ASSIGN)):
        for user in users:
            shared = (await team.desk.load(user.mailbox)).thread.entries
            staff = (await team.desk.load(team.desk.staff_log(user.mailbox), staff=True)).thread.entries
            found = [entry.inner.kind for entry in (*shared, *staff) if entry.inner]
            assert found.count(wanted) == 1
            assert all(entry.verdict is Verdict.OK for entry in (*shared, *staff))
    assert await team.alarms() == ()


async def test_two_agents_and_three_consoles_do_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a real relay, all at once, each ticket is closed, assigned and mailed once, whoever was first."""
    names = ("Robot", "Twin", "Ben", "Cleo")
    async with scene(tmp_path, monkeypatch, names, due=12, fresh=12) as (at, anna), mail_server() as server:
        others = [await at.crew.console(name) for name in names]
        mailer = server.mailer(to=(ADMIN,))
        agents = [Agent(team, mailer) for team in others[:2]]
        consoles = [anna, *others[2:]]

        async def everybody() -> tuple[Done, int]:
            looks = [agent.run_once() for agent in agents], [team.catch_up() for team in consoles]
            reports, synced = await asyncio.gather(asyncio.gather(*looks[0]), asyncio.gather(*looks[1]))
            done = [*(one.done for one in reports), *(one.chores for one in synced)]
            return sum(done, NOTHING), sum(one.mails for one in reports)

        rounds = [await everybody() for _ in range(3)]
        assert sum((done for done, _ in rounds), NOTHING) == Done(closed=12, assigned=12)
        assert sum(mails for _, mails in rounds) == 36
        assert sorted(server.subjects) == expected(at)
        await require_once(at, anna)


# --- processes -------------------------------------------------------------------------------------------


class Process:
    """``e2e-admin agent`` as a process of its own."""

    def __init__(self, home: Path, secret: Path) -> None:
        self._command = [sys.executable, "-m", "e2e_support_console.cli", "--home", str(home), "agent"]
        self._environ = {**os.environ, "E2ES_PASSPHRASE_FILE": str(secret)}
        self._process: asyncio.subprocess.Process | None = None
        self._lines: list[str] = []

    async def start(self, *events: str) -> None:
        """Start it, and wait until it has logged these events."""
        self._process = await asyncio.create_subprocess_exec(
            *(*self._command, "--every", "1"),
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self._process.stderr
        self._lines = []
        async with asyncio.timeout(60):
            for event in events:
                self._lines.append((await self._process.stderr.readline()).decode())
                assert json.loads(self._lines[-1])["event"] == event

    async def end(self, number: signal.Signals) -> tuple[int, list[dict[str, Any]]]:
        """Send a signal; return its exit code and the lines that it logged."""
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(30):
            _, said = await self._process.communicate()
        assert self._process.returncode is not None
        whole = [*self._lines, *said.decode().splitlines(keepends=True)]
        return self._process.returncode, [json.loads(line) for line in whole if line.endswith("}\n")]


def equipped(home: Path, server: MailServer) -> Path:
    """Give a home its ``agent.toml``."""
    (home / NAME).write_text(
        f'[mail]\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\n'
        f'from = "support@example.org"\nto = ["{ADMIN}"]\nper_hour = 1000\n'
    )
    return home


async def test_agents_that_are_killed_at_any_moment_do_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two agents' processes die again and again; every chore is done once, and a kill costs at most one mail."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    names, drawn = ("Robot", "Twin"), random.Random(7)  # noqa: S311 - when to kill
    async with scene(tmp_path, monkeypatch, names, due=10, fresh=10) as (at, anna), mail_server() as server:
        agents = [Process(equipped(tmp_path / name, server), secret) for name in names]
        kills = 0
        for _ in range(6):
            await asyncio.gather(*(agent.start("started") for agent in agents))
            await asyncio.sleep(drawn.random())
            kills += sum([(await agent.end(signal.SIGKILL))[0] == -signal.SIGKILL for agent in agents])
        assert kills == 12
        await asyncio.gather(*(agent.start("started", "ran") for agent in agents))
        ends = [await agent.end(signal.SIGTERM) for agent in agents]
        for code, lines in ends:
            assert code == 0
            assert [lines[0]["event"], lines[-1]["event"]] == ["started", "stopped"]
            assert all(user.number not in json.dumps(lines) for user in (*at.due, *at.fresh))
        mails = Counter(server.subjects)
        assert max(mails.values()) == 1
        assert set(mails) <= set(expected(at))
        assert len(expected(at)) - len(mails) <= kills
        await require_once(at, anna)
