"""What both commands ask before they erase a ticket, and what they show of one that was erased."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Generator
from contextlib import contextmanager, suppress

from e2e_support.errors import UsageError
from e2e_support.ticket_keys import parse_number
from e2e_support_client.cli_client import open_client
from e2e_support_client.render import count
from e2e_support_client.terminal import Json, Terminal
from e2e_support_client.tombstones import Erased, Stakes

_USER_COPIES = "what administrators saved, exported or copied, and devices of theirs that never connect again"
_TEAM_COPIES = "what its user or colleagues saved, exported or copied, and devices that never connect again"


def add_erase(parser: ArgumentParser) -> None:
    """Add what stands in the place of typing the number."""
    parser.add_argument("--yes", metavar="NUMBER", help="the number once more, instead of typing it")


async def erase(options: Namespace, terminal: Terminal) -> None:
    """Erase a ticket of the user, after asking."""
    async with open_client(options, terminal) as support:
        stakes = await support.tickets.stakes(options.number)
        confirm(stakes, options.yes, terminal, copies=_USER_COPIES)
        await support.tickets.erase(stakes.number)
        show_done(stakes, terminal)


def confirm(stakes: Stakes, given: str | None, terminal: Terminal, *, copies: str = _TEAM_COPIES) -> None:
    """Do nothing once a person has typed the ticket's number, knowing what goes.

    Args:
        stakes: what goes.
        given: the number as it was given with the command.
        terminal: where to ask.
        copies: what nobody can recall.

    Raises:
        UsageError: ``not_confirmed``.
    """
    if not terminal.json:
        terminal.err.write(f"{_told(stakes, copies)}\n\n")
    if given is None and not terminal.json and sys.stdin.isatty():
        terminal.err.write("Type its number to erase it: ")
        terminal.err.flush()
        given = sys.stdin.readline()
    with suppress(UsageError):
        if given is not None and parse_number(given) == stakes.number:
            return
    raise UsageError(
        "not_confirmed",
        f"nobody agreed to erase {stakes.number}; nothing was changed",
        hint=f"Type the number when asked, or add --yes {stakes.number}.",
    )


def show_done(stakes: Stakes, terminal: Terminal, *, left: str = "") -> None:
    """Tell that a ticket is erased.

    Args:
        stakes: what went.
        terminal: where to tell.
        left: what is still to be done.
    """
    data: dict[str, Json] = {"number": stakes.number, "state": "erased", **_counts(stakes)}
    text = f"{stakes.number} is erased, at the relay and on this device."
    terminal.show(data, f"{text}\n{left}" if left else text)


@contextmanager
def showing_erased(terminal: Terminal) -> Generator[None]:
    """Show what is left of a ticket, where the block asks for one that was erased."""
    try:
        yield
    except Erased as erased:
        terminal.show(erased.data, f"{erased.message}.\n{erased.hint}")


def _told(stakes: Stakes, copies: str) -> str:
    parts = [count(stakes.messages, "message"), count(stakes.files, "file")]
    parts += [count(stakes.notes, "internal note")] if stakes.notes else []
    return (
        f"{stakes.number} goes for good: {', '.join(parts)}.\n"
        "At the relay and on this device now, on the others' devices when they connect next.\n"
        f"Nobody can bring it back, and nobody can recall {copies}."
    )


def _counts(stakes: Stakes) -> dict[str, Json]:
    return {"messages": stakes.messages, "files": stakes.files, "notes": stakes.notes}
