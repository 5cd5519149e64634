"""The commands of ``e2e-admin`` with which tickets leave: ``export`` and ``verify``, ``erase`` and ``erased``."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2e_support.errors import UsageError
from e2e_support_client.archive.commands import exported_text, verify
from e2e_support_client.arguments import Commands, add_command, numbered
from e2e_support_client.erase_cli import add_erase, confirm, show_done
from e2e_support_client.progress_line import show_progress
from e2e_support_client.terminal import Json, Terminal
from e2e_support_console.shell import known, synced, unlocked

_NOTES = "Internal notes are in it: give it to nobody who may not read them."


def archive_commands(commands: Commands) -> None:
    """Add the commands."""
    leave = add_command(commands, "export", _export, "write tickets into one file, to read and to verify")
    leave.add_argument("--all", action="store_true", help="every ticket of this device's store")
    leave.add_argument(
        "target", metavar="NUMBER… PATH", nargs="+", action=_Target, help="tickets, and the file to make"
    )
    leave.add_argument("--with-notes", action="store_true", help="with the team's own logs")
    leave.add_argument("--no-files", action="store_true", help="leave attachments out")
    leave.add_argument("--force", action="store_true", help="replace an existing file")
    checking = add_command(commands, "verify", verify, "verify an export, offline and without any keys")
    checking.add_argument("path", metavar="PATH", type=Path, help="the file")
    add_erase(numbered(commands, "erase", _erase, "erase a ticket for good, for everybody"))
    add_command(commands, "erased", _erased, "list what was erased, by whom and when")


async def _export(options: Namespace, terminal: Terminal) -> None:
    if options.all == bool(options.numbers):
        raise UsageError(
            "no_numbers", "name the tickets, or --all", hint="export NUMBER PATH, or --all PATH."
        )
    async with await unlocked(options) as team:
        await synced(team, terminal)
        tickets = await team.inbox.export(
            options.path,
            *options.numbers,
            notes=options.with_notes,
            attachments=not options.no_files,
            force=options.force,
            on_progress=show_progress(terminal),
        )
        data: dict[str, Json] = {"path": str(options.path), "tickets": tickets, "notes": options.with_notes}
        text = exported_text(tickets, options.path)
        terminal.show(data, f"{text}\n{_NOTES}" if options.with_notes else text)


async def _erase(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await known(team, options.number)
        stakes = await team.inbox.stakes(options.number)
        confirm(stakes, options.yes, terminal)
        await team.inbox.erase(stakes.number)
        show_done(stakes, terminal)


async def _erased(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await synced(team, terminal)
        gone = [ticket.error() for ticket in await team.inbox.erased()]
        told = "\n".join(error.message for error in gone)
        terminal.show([error.data for error in gone], told or "Nothing was erased.")


class _Target(argparse.Action):
    """Parts the numbers from the path behind them; ``--all`` stands in their place."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - the base has it
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002 - likewise
    ) -> None:
        """Keep them."""
        given: list[str] = list(values or ())
        namespace.numbers, namespace.path = given[:-1], Path(given[-1])
