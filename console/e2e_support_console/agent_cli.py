"""The command ``e2e-admin agent``: runs for itself, under a service manager or once."""

from __future__ import annotations

import asyncio
import json
import signal
from argparse import ArgumentTypeError, Namespace

from e2e_support_client import clock
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.model import utc
from e2e_support_client.terminal import Json, Terminal, iso
from e2e_support_console.agent import EVERY, Agent, Report
from e2e_support_console.agent_file import mail_settings
from e2e_support_console.mail import Mailer
from e2e_support_console.shell import unlocked


def agent_commands(commands: Commands) -> None:
    """Add the command."""
    agent = add_command(
        commands, "agent", _agent, "run for itself: close, assign, erase, vouch, and send mails"
    )
    agent.description = (
        "Do what is due without anybody at the keyboard, until it is told to stop: a device of its own, unlocked by "
        "E2ES_PASSPHRASE_FILE or the keyring. Mails need agent.toml in --home; they never say more than that there "
        "is news, and the ticket's number."
    )
    agent.add_argument("--once", action="store_true", help="do it once, and print what was done")
    agent.add_argument(
        "--every",
        metavar="SECONDS",
        type=_seconds,
        default=EVERY,
        help="look at least so often (%(default)s)",
    )
    agent.add_argument(
        "--mail-to",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="tell this administrator of new tickets, too; once for each",
    )


async def _agent(options: Namespace, terminal: Terminal) -> None:
    settings = mail_settings(options.home, options.mail_to)
    async with await unlocked(options) as team:
        agent = Agent(team, Mailer(settings) if settings else None, every=options.every)
        if options.once:
            report = await agent.run_once()
            if report.trouble:
                terminal.tell(report.trouble)
            terminal.show(report.to_json(), _text(report))
            return
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        _log(terminal, "started", {"mails": settings is not None})
        last: Report | None = None

        def tell(report: Report) -> None:
            """Log the first run, and each one that did something, could not, or can again."""
            nonlocal last
            if report != Report() or last is None or last.trouble:
                _log(terminal, "ran", report.to_json())
            last = report

        await agent.run(stop, tell)
        _log(terminal, "stopped", {})


def _log(terminal: Terminal, event: str, data: dict[str, Json]) -> None:
    """Write one line of JSON: numbers and codes, nothing of a ticket."""
    line = json.dumps({"at": iso(utc(clock.now())), "event": event, **data})
    print(line, file=terminal.err, flush=True)


def _text(report: Report) -> str:
    done = report.done
    vouched = "yes" if report.renewed else "not due"
    return (
        f"Closings noted: {done.closed}\nAssigned: {done.assigned}\nErased: {done.erased}\n"
        f"Kept alive: {done.kept}\nMails: {report.mails}\nVouched for the team: {vouched}"
    )


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1 <= number <= 86_400:
        raise ArgumentTypeError("from 1 to 86400")
    return number
