"""How the commands of both command lines are declared: what all of them take, numbers of tickets, groups."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

from e2e_support_client.terminal import Command


class Commands(Protocol):
    """What ``add_subparsers`` returns; its own type has no public name."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:  # noqa: A002
        """Add a command."""
        ...


def add_command(commands: Commands, name: str, command: Command, told: str) -> argparse.ArgumentParser:
    """Add a command; it takes the common options behind its name too."""
    parser = commands.add_parser(name, help=told, description=told[0].upper() + told[1:] + ".")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.set_defaults(run=command)
    return parser


def numbered(commands: Commands, name: str, command: Command, told: str) -> argparse.ArgumentParser:
    """Add a command about one ticket, whose number comes first."""
    parser = add_command(commands, name, command, told)
    parser.add_argument("number", metavar="NUMBER", help="the ticket's number, T-XXXXX-XXXXX")
    return parser


def group(commands: Commands, name: str, told: str) -> Commands:
    """Add a command that has commands of its own."""
    whole = commands.add_parser(name, help=told, description=told[0].upper() + told[1:] + ".")
    return whole.add_subparsers(dest=f"{name}_command", required=True, metavar="COMMAND")
