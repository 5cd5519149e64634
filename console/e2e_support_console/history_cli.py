"""The commands of ``e2e-admin`` that tell what happened to a ticket: its timeline, and its log with every event."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from e2e_support.vocab import Verdict
from e2e_support_client.arguments import Commands, numbered
from e2e_support_client.plain import plain_line
from e2e_support_client.render import reason_text
from e2e_support_client.render_history import timeline_json, timeline_text
from e2e_support_client.terminal import Json, Terminal, iso, stamp
from e2e_support_console.history import LogEvent
from e2e_support_console.shell import synced, unlocked

_SHORT = 12  # characters of a hash that people compare


def history_commands(commands: Commands) -> None:
    """Add the commands."""
    numbered(commands, "timeline", _timeline, "show how a ticket came to its status")
    log = numbered(commands, "log", _log, "show every event of a ticket, and what it changed")
    log.add_argument("--kind", metavar="KIND", help="only events of this kind")
    log.add_argument("--by", metavar="NAME", help="only events by this person")


async def _timeline(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await synced(team, terminal)
        events = await team.history.timeline(options.number)
        terminal.show(timeline_json(events), timeline_text(events))


async def _log(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await synced(team, terminal)
        events = [
            event
            for event in await team.history.log(options.number)
            if options.kind in {None, event.kind} and options.by in {None, event.by}
        ]
        terminal.show([event_json(event) for event in events], log_text(events))


def event_json(event: LogEvent) -> Json:
    """Return an event of a ticket's log; ``detail`` says what it changed, from which value to which."""
    return {
        "at": iso(event.at),
        "kind": event.kind,
        "status": event.status_text,
        "by": event.by,
        "role": event.role.value,
        "log": "staff" if event.internal else "shared",
        "seq": event.seq,
        "verdict": event.verdict.name.lower(),
        "reason": event.reason,
        "rule": reason_text(event.reason) if event.reason else "",
        "hash": event.hash.hex(),
        "detail": [{"what": one.what, "old": one.old, "new": one.new} for one in event.changes],
    }


def log_text(events: Sequence[LogEvent]) -> str:
    """Return a ticket's log as people read it: old values behind a minus, new ones behind a plus."""
    return "\n".join(_event_text(event) for event in events) or "No such event."


def _event_text(event: LogEvent) -> str:
    who = f"{plain_line(event.by) or 'somebody'} ({event.role.value})"
    kind = event.kind + (" (internal)" if event.internal else "")
    lines = [f"{stamp(event.at)}  {kind} · {who} · {event.hash.hex()[:_SHORT]}"]
    if event.verdict is not Verdict.OK:
        lines.append(f"    ! {event.verdict.name.lower()}: {reason_text(event.reason)}")
    for change in event.changes:
        lines += [f"    - {change.what}: {plain_line(change.old)}"] if change.old else []
        lines += [f"    + {change.what}: {plain_line(change.new)}"] if change.new else []
    return "\n".join(lines)
