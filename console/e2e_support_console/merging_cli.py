"""The commands of ``e2e-admin`` that merge tickets of one user, and open a ticket for a user."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from e2e_support.errors import UsageError
from e2e_support_client.arguments import Commands, add_command, numbered
from e2e_support_client.terminal import Terminal, read_text
from e2e_support_console.shell import known, say_stored, unlocked

_CARD: Final = "e2es-card:"
_CARD_MAX: Final = 8 * 1024  # characters of a file that holds a card


def merging_commands(commands: Commands) -> None:
    """Add the commands."""
    merge = numbered(commands, "merge", _merge, "end a ticket that goes on in another one of the same user")
    merge.add_argument("into", metavar="INTO", help="number of the ticket in which it goes on")
    merge.add_argument("--note", metavar="TEXT", help="what its user reads; `-`: from standard input")
    opening = add_command(commands, "open-for", _open_for, "open a ticket for a user who gave you a card")
    opening.add_argument("card", metavar="CARD", help="the card, a file with it, or `-`: standard input")
    opening.add_argument("text", metavar="TEXT", nargs="?", help="`-` or nothing: from standard input")
    opening.add_argument("--subject", required=True)
    opening.add_argument("--category", metavar="ID", required=True)
    opening.add_argument("--priority", metavar="ID", default="")
    opening.add_argument(
        "--field", metavar="ID=VALUE", action="append", default=[], type=_pair, help="an answer of the form"
    )
    opening.add_argument("--as-team", action="store_true", default=None, help="show the team, not your name")


async def _merge(options: Namespace, terminal: Terminal) -> None:
    note = read_text(options.note, "What its user reads.") if options.note is not None else ""
    async with await unlocked(options) as team:
        for number in (options.number, options.into):
            await known(team, number)
        try:
            ticket = await team.inbox.merge(options.number, options.into, note)
        except UsageError as error:
            if error.code == "not_same_user":
                error.hint = f"Join them for the team instead: e2e-admin link {options.number} {options.into}"
            raise
        say_stored(terminal, ticket, f"It goes on in {options.into}")


async def _open_for(options: Namespace, terminal: Terminal) -> None:
    card = _card(options.card)
    text = read_text(options.text, "Your first words to the user.")
    async with await unlocked(options) as team:
        ticket = await team.inbox.open_for(
            card,
            options.subject,
            text,
            category=options.category,
            priority=options.priority,
            fields=dict(options.field),
            as_team=options.as_team,
        )
        say_stored(terminal, ticket, "The ticket is open; its user finds it with the next fetch")


def _card(given: str) -> str:
    """Return a card that was given as it is, in a file, or on a line of standard input.

    Raises:
        UsageError: ``cannot_read``.
    """
    if given == "-":
        return sys.stdin.readline(_CARD_MAX)
    if given.lstrip().startswith(_CARD):
        return given
    try:
        with Path(given).open(encoding="utf-8", errors="replace") as file:
            return file.read(_CARD_MAX)
    except OSError as error:
        raise UsageError(
            "cannot_read", f"{given}: {error.strerror}", hint="Give the card or its file."
        ) from None


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no ID=VALUE")
    return name, value
