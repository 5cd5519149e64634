"""``e2e-admin bulk``: one action over many tickets, each for itself, with a list of those that refused it."""

from __future__ import annotations

import argparse
import io
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.ticket_keys import parse_number
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.plain import plain_line
from e2e_support_client.render import count
from e2e_support_client.terminal import Json, Parser, Terminal
from e2e_support_console.follow import Follower
from e2e_support_console.shell import synced, unlocked
from e2e_support_console.team import TeamClient

ACTIONS: Final = (
    *("reply", "note", "status", "resolve", "close", "reopen", "assign", "priority", "category"),
    *("tag", "hold", "archive", "spam", "snooze"),
)
"""Commands about one ticket that can be carried out over many."""


@dataclass(slots=True)
class Outcome:
    """What became of an action over many tickets.

    Attributes:
        done: numbers of the tickets that took it.
        refused: numbers of those that did not, each with the reason.
    """

    done: list[str] = field(default_factory=list[str])
    refused: list[tuple[str, SupportError]] = field(default_factory=list[tuple[str, SupportError]])


def bulk_commands(commands: Commands, parser: Callable[[], Parser]) -> None:
    """Add the command.

    Args:
        commands: all commands.
        parser: makes the parser that knows the actions.
    """
    bulk = add_command(commands, "bulk", _bulk, "do the same with many tickets")
    bulk.description = (
        "Do the same with many tickets, each for itself: bulk close NUMBER NUMBER --note TEXT. Whatever stands behind "
        f"the numbers is said to each one. Actions: {', '.join(ACTIONS)}."
    )
    bulk.add_argument("--preview", action="store_true", help="say what would happen, and do nothing")
    bulk.add_argument("action", metavar="ACTION", choices=ACTIONS)
    rest = bulk.add_argument("steps", metavar="NUMBER", nargs=argparse.REMAINDER, action=_Rest)
    assert isinstance(rest, _Rest)  # noqa: S101 - it was made just now
    rest.parser_of = parser


async def _bulk(options: Namespace, terminal: Terminal) -> None:
    steps: dict[str, Namespace] = options.steps
    async with await unlocked(options) as team:
        await synced(team, terminal)
        if options.preview:
            await _preview(team, terminal, [options.action, *options.said], list(steps))
            return
        outcome = Outcome()
        try:
            await _run(team, terminal, steps, outcome)
        finally:  # whoever presses Ctrl-C learns how far it came
            _show(terminal, outcome)
    _require_all(outcome)


async def _run(team: TeamClient, terminal: Terminal, steps: dict[str, Namespace], outcome: Outcome) -> None:
    gone = None
    for place, (number, step) in enumerate(steps.items(), 1):
        if terminal.err.isatty() and not terminal.json:
            terminal.err.write(f"{place} of {len(steps)}: {number}\n")
        step.opened = team
        try:
            if gone is None:
                await step.run(step, Terminal(json=True, out=io.StringIO(), err=io.StringIO()))
        except SupportError as error:
            outcome.refused.append((number, error))
            gone = error if isinstance(error, TransportError) else None
        else:
            if gone is None:
                outcome.done.append(number)
            else:  # the relay is gone; asking for each of the others would only take long
                outcome.refused.append((number, gone))


async def _preview(team: TeamClient, terminal: Terminal, words: list[str], numbers: Sequence[str]) -> None:
    """Say what would be done to which tickets."""
    rows = [await Follower(team.desk).find(number) for number in numbers]
    shown: list[Json] = [
        {"number": row.number, "subject": row.subject, "status": row.status_text} for row in rows
    ]
    lines = [f"{row.number}  {plain_line(row.status_text)}  {plain_line(row.subject)}" for row in rows]
    title = f"{' '.join(map(plain_line, words))}, {len(rows)} times:"
    terminal.show({"action": list[Json](words), "would": shown}, "\n".join([title, *lines]))


def _show(terminal: Terminal, outcome: Outcome) -> None:
    """Tell what became of it."""
    refused: list[Json] = [
        {"number": number, "code": error.code, "message": error.message, "hint": error.hint}
        for number, error in outcome.refused
    ]
    lines = [f"Done: {len(outcome.done)}."]
    lines += [f"{number} refused it: {plain_line(error.message)}" for number, error in outcome.refused]
    terminal.show({"done": list[Json](outcome.done), "refused": refused}, "\n".join(lines))


def _require_all(outcome: Outcome) -> None:
    """Do nothing if no ticket refused.

    Raises:
        UsageError: ``some_refused``, so that the exit code says so.
    """
    if outcome.refused:
        raise UsageError(
            "some_refused",
            f"{len(outcome.refused)} of {count(len(outcome.refused) + len(outcome.done), 'ticket')} refused it",
            hint=f"{'The others took it. ' * bool(outcome.done)}Each reason stands beside its number.",
        )


class _Rest(argparse.Action):
    """Takes everything behind the action: tickets first, and what is said to each; options of ``bulk`` itself too."""

    parser_of: Callable[[], Parser]

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002 - the base has it
    ) -> None:
        """Keep what each ticket is told."""
        words = [str(word) for word in values or ()]
        for own in ("json", "preview"):
            if f"--{own}" in words:
                setattr(namespace, own, True)
        words = [word for word in words if word not in {"--json", "--preview"}]
        numbers = _leading_numbers(words)
        namespace.said = said = words[len(numbers) :]
        if not numbers:
            parser.error("name the tickets behind the action")
        if "-" in said or (namespace.action in {"reply", "note"} and not said):
            parser.error("texts come from arguments here")
        each = self.parser_of().parse_args
        namespace.steps = {number: each([namespace.action, number, *said]) for number in numbers}


def _leading_numbers(words: Sequence[str]) -> list[str]:
    numbers: list[str] = []
    for word in words:
        try:
            numbers.append(parse_number(word))
        except UsageError:
            break
    return numbers
