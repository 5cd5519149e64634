"""What every command line does alike: exit codes, errors and hints, JSON, texts from standard input, times.

Text from strangers goes through ``plain`` before it is printed; JSON is written in ASCII, so that no escape
sequence in it can reach a terminal (attack 34).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, TextIO

from e2e_support.errors import SupportError, UsageError
from e2e_support.limits import TEXT_MAX
from e2e_support_client.plain import plain_text
from e2e_support_keys.process import forbid_memory_dumps

DONE: Final = 0
REFUSED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130  # as shells report SIGINT
_BYTES_MAX: Final = 8 * TEXT_MAX  # of a text on standard input; the rules say how much of it may be sent

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | bool | None


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command writes.

    Attributes:
        json: whether data and errors are JSON.
        out: data and texts.
        err: errors and hints.
    """

    json: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    def show(self, data: Json, text: str) -> None:
        """Write data: as JSON on one line, or as the text that says the same to people."""
        self.out.write((json.dumps(data, ensure_ascii=True) if self.json else text) + "\n")

    def tell(self, error: SupportError) -> None:
        """Write an error or a hint: one JSON object, or what happened and what to do in a line each."""
        if self.json:
            told = {**error.details, "code": error.code, "message": error.message, "hint": error.hint}
            self.err.write(json.dumps(told, ensure_ascii=True) + "\n")
            return
        self.err.write(plain_text(error.message) + "\n")
        if error.hint:
            self.err.write(f"  {plain_text(error.hint)}\n")


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints come the way all errors come."""

    def parse_known_args(  # type: ignore[override] # the base has overloads for other namespaces
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse arguments; a last one that may be left out is found behind options, too."""
        known, rest = super().parse_known_args(args, namespace or argparse.Namespace())
        last = next((one for one in reversed(self._get_positional_actions()) if one.nargs == "?"), None)
        left = len(rest) == 1 and (rest[0][:1] != "-" or " " in rest[0])  # argparse's own rule for texts
        if last and left and getattr(known, last.dest) is last.default:
            setattr(known, last.dest, rest.pop())
        if rest and self._subparsers is None:  # the command names its own help, and not that of all commands
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return known, rest

    def error(self, message: str) -> NoReturn:
        """Raise ``usage`` instead of printing and leaving."""
        raise UsageError("usage", f"{self.prog}: {message}", hint=f"See {self.prog} --help.")


Command = Callable[[argparse.Namespace, Terminal], Coroutine[Any, Any, None]]


def run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit code.

    Args:
        parser: its commands set ``run`` to a ``Command``, and ``json`` to whether JSON is wanted.
        arguments: instead of the program's own.

    Returns:
        0 done, 1 refused with a clear message, 2 wrongly called, 130 interrupted.
    """
    if arguments is None:  # the process is ours: whoever calls this from theirs keeps their debugger
        forbid_memory_dumps()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = parser.parse_args(given)
    except UsageError as error:
        Terminal(json="--json" in given).tell(error)
        return MISUSED
    terminal = Terminal(json=bool(options.json))
    try:
        asyncio.run(options.run(options, terminal))
    except SupportError as error:
        terminal.tell(error)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return DONE
    return DONE


def read_text(given: str | None, prompt: str, stdin: TextIO | None = None) -> str:
    """Return a text from the command line; ``-`` or nothing means standard input.

    Args:
        given: the argument.
        prompt: what a person at a terminal is told before typing.
        stdin: instead of the program's own.

    Raises:
        UsageError: ``text_too_long`` or ``bad_text``.
    """
    if given is not None and given != "-":
        return given
    source = stdin or sys.stdin
    if source.isatty():
        sys.stderr.write(f"{prompt} End with Ctrl-D on a line of its own.\n")
    try:
        text = source.read(_BYTES_MAX + 1)
    except UnicodeDecodeError:
        raise UsageError("bad_text", "standard input is not text", hint="It must be UTF-8.") from None
    if len(text) > _BYTES_MAX:
        raise UsageError("text_too_long", "the text is too long", hint="Shorten it, or attach it as a file.")
    return text.removesuffix("\n")


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC, or nothing for none."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def stamp(moment: datetime) -> str:
    """Return a time as people read it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def ago(moment: datetime, now: int) -> str:
    """Return roughly how long ago something was.

    Args:
        moment: when it was.
        now: seconds since 1970.
    """
    seconds = max(0, now - int(moment.timestamp()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "now"


def size_of(count: int) -> str:
    """Return a number of bytes as people read it."""
    amount, units = float(count), ["bytes", "KiB", "MiB", "GiB"]
    while amount >= 1024 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{count} byte{'s' * (count != 1)}" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"
