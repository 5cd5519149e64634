"""The commands of ``e2e-admin`` that move tickets through life: status, assignment, fields, marks, tags, links."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from e2e_support_client import clock
from e2e_support_client.arguments import Commands, numbered
from e2e_support_client.terminal import Command, Terminal, read_text, stamp
from e2e_support_console.inbox import Inbox
from e2e_support_console.model import InboxTicket
from e2e_support_console.shell import known, say_stored, unlocked
from e2e_support_console.until import parse_until

Act = Callable[[Inbox, Namespace], Awaitable[InboxTicket]]
_OFF = "take it back"


def lifecycle_commands(commands: Commands) -> None:
    """Add the commands."""
    status = numbered(
        commands, "status", _acting(_status, "Done"), "give a ticket a status of the team's table"
    )
    status.add_argument("status", metavar="STATUS", help="id of the status; `counts --json` names all")
    status.add_argument(
        "--note", metavar="TEXT", help="how it was resolved, or why; `-`: from standard input"
    )
    assign = numbered(
        commands, "assign", _acting(_assign, "Assigned"), "give a ticket to a member of the team"
    )
    assign.add_argument("who", metavar="WHO", help="a name, me or nobody")
    priority = numbered(commands, "priority", _acting(_priority, "Priority set"), "set a ticket's priority")
    priority.add_argument("level", metavar="LEVEL", help="id of the priority")
    category = numbered(commands, "category", _acting(_category, "Category set"), "set a ticket's category")
    category.add_argument("category", metavar="ID", help="id of the category")
    for name, told in (
        ("archive", "keep a ticket for the record only"),
        ("spam", "mark a ticket as no request at all"),
        ("hold", "let a ticket wait for something outside"),
    ):
        mark = numbered(commands, name, _acting(_mark, "Done"), told)
        mark.add_argument("--off", action="store_true", help=_OFF)
        mark.add_argument("--reason", metavar="TEXT", default="", help="why; only administrators see it")
    snooze = numbered(
        commands, "snooze", _snooze, "put a ticket out of sight until a time or the user's next word"
    )
    until = snooze.add_mutually_exclusive_group(required=True)
    until.add_argument("until", metavar="UNTIL", nargs="?", help="2h, 3d, 1w, tomorrow, 2027-01-31T14:00")
    until.add_argument("--off", action="store_true", help="wake it now")
    tag = numbered(commands, "tag", _acting(_tag, "Tags set"), "add and remove tags: tag NUMBER +new -old")
    tag.add_argument(
        "changes", metavar="+TAG|-TAG", nargs=argparse.REMAINDER, action=_Tags, help="what to change"
    )


async def join_tickets(options: Namespace, terminal: Terminal) -> None:
    """Join two tickets for the team, or part them."""
    first, second = options.numbers
    async with await unlocked(options) as team:
        for number in options.numbers:
            await known(team, number)
        ticket = await team.inbox.link(first, second, on=not options.off)
        say_stored(terminal, ticket, "Parted" if options.off else "Joined; users learn nothing of it")


def _acting(act: Act, done: str) -> Command:
    """Return the command that does one thing to one ticket, and says what became of it."""

    async def command(options: Namespace, terminal: Terminal) -> None:
        async with await unlocked(options) as team:
            await known(team, options.number)
            say_stored(terminal, await act(team.inbox, options), done)

    return command


async def _status(inbox: Inbox, options: Namespace) -> InboxTicket:
    note = read_text(options.note, "How was it resolved, or why?") if options.note is not None else ""
    return await inbox.set_status(options.number, options.status, note=note)


async def _assign(inbox: Inbox, options: Namespace) -> InboxTicket:
    return await inbox.assign(options.number, options.who)


async def _priority(inbox: Inbox, options: Namespace) -> InboxTicket:
    return await inbox.set_priority(options.number, options.level)


async def _category(inbox: Inbox, options: Namespace) -> InboxTicket:
    return await inbox.set_category(options.number, options.category)


async def _mark(inbox: Inbox, options: Namespace) -> InboxTicket:
    marks = {"archive": inbox.archive, "spam": inbox.spam, "hold": inbox.hold}
    return await marks[options.command](options.number, on=not options.off, reason=options.reason)


async def _tag(inbox: Inbox, options: Namespace) -> InboxTicket:
    return await inbox.tag(options.number, options.add, options.remove)


async def _snooze(options: Namespace, terminal: Terminal) -> None:
    until = None if options.off else parse_until(options.until, clock.now())
    async with await unlocked(options) as team:
        await known(team, options.number)
        ticket = await team.inbox.snooze(options.number, until)
        say_stored(terminal, ticket, f"Out of sight until {stamp(until)}" if until else "Awake")


class _Tags(argparse.Action):
    """Reads ``+new -old``, which would be options elsewhere, and the common options behind them."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002 - the base has it
    ) -> None:
        """Keep what is to be added and removed."""
        namespace.add, namespace.remove = list[str](), list[str]()
        words: Iterator[str] = iter(values or ())
        for word in words:
            if word == "--json":
                namespace.json = True
            elif word == "--home":
                namespace.home = Path(next(words, ""))
            elif word[:1] in {"+", "-"} and word[1:].strip("-"):
                (namespace.add if word[0] == "+" else namespace.remove).append(word[1:])
            else:
                parser.error(f"{word!r} is neither +TAG nor -TAG")
        if not (namespace.add or namespace.remove):
            parser.error("name a tag: +TAG adds it, -TAG removes it")


class Pair(argparse.Action):
    """Takes two numbers or none."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002 - the base has it
    ) -> None:
        """Keep them."""
        if values and len(values) != 2:
            parser.error("name two tickets to join them, or none for the support link")
        setattr(namespace, self.dest, values)
