"""The command ``e2e-admin``: found a team, read what users write, answer it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from e2e_support.errors import TransportError
from e2e_support.presets import DEFAULT, PRESETS
from e2e_support_client.arguments import Commands, add_command, numbered
from e2e_support_client.erase_cli import showing_erased
from e2e_support_client.terminal import Json, Parser, Terminal, read_text, run
from e2e_support_console import render
from e2e_support_console.agent_cli import agent_commands
from e2e_support_console.archive_cli import archive_commands
from e2e_support_console.bulk_cli import bulk_commands
from e2e_support_console.debug_view import debug_json, debug_text
from e2e_support_console.drafts_cli import draft_commands, point_at_stopped
from e2e_support_console.history_cli import history_commands
from e2e_support_console.keys_cli import key_commands
from e2e_support_console.lifecycle_cli import Pair, join_tickets, lifecycle_commands
from e2e_support_console.lists_cli import list_commands
from e2e_support_console.loss import FOUNDED
from e2e_support_console.members_cli import member_commands
from e2e_support_console.merging_cli import merging_commands
from e2e_support_console.policy_cli import policy_commands
from e2e_support_console.proof_cli import proof_commands
from e2e_support_console.settings_cli import settings_commands
from e2e_support_console.shell import asked, keystore_in, known, offline, say_stored, synced, unlocked
from e2e_support_console.team import TeamClient
from e2e_support_console.team_cli import team_commands
from e2e_support_console.writing_cli import writing_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 refused, 2 wrongly called."""
    return run(parser(), arguments)


# --- the team --------------------------------------------------------------------------------------------


async def _create(options: Namespace, terminal: Terminal) -> None:
    code = options.code or asked("One-time code of the relay: ")
    team = await TeamClient.create(
        options.url,
        name=options.name,
        owner=options.owner,
        bootstrap_code=code,
        keystore=keystore_in(options.home, keyring=options.keyring),
        state_dir=options.home,
        languages=options.language,
        preset=options.preset,
    )
    async with team:
        _show_link(team, terminal, "Your team is ready. Publish this support link:", team.link, after=FOUNDED)


async def _link(options: Namespace, terminal: Terminal) -> None:
    if options.numbers:
        await join_tickets(options, terminal)
        return
    async with await unlocked(options) as team:
        try:
            await team.desk.team.refresh()
        except TransportError as error:
            terminal.tell(offline(error.message))
        _show_link(team, terminal, "Support link:", _chosen_link(team, options))


async def _alarms(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        alarms, quarantined, unsent = await team.alarms(), await team.quarantined(), await team.inbox.unsent()
        if options.clear:
            await team.clear_alarms()
        data: Json = {
            "alarms": [render.alarm_json(alarm) for alarm in alarms],
            "quarantined": quarantined,
            "unsent": [render.unsent_json(item) for item in unsent],
        }
        terminal.show(data, render.alarms_text(alarms, quarantined, unsent))


# --- tickets ---------------------------------------------------------------------------------------------


async def _show(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        fetch = await synced(team, terminal)
        with showing_erased(terminal):
            view = await team.inbox.get(options.number, fetch=fetch)
            if view.offline:
                terminal.tell(offline(view.offline))
            terminal.show(render.view_json(view), render.view_text(view))
            await point_at_stopped(team, terminal, view.summary.number)


async def _resolve(options: Namespace, terminal: Terminal) -> None:
    note = read_text(options.note, "How was it resolved?") if options.note is not None else ""
    async with await unlocked(options) as team:
        await known(team, options.number)
        say_stored(terminal, await team.inbox.resolve(options.number, note), "Marked resolved")


async def _close(options: Namespace, terminal: Terminal) -> None:
    note = read_text(options.note, "Why is it closed?") if options.note is not None else ""
    async with await unlocked(options) as team:
        await known(team, options.number)
        say_stored(terminal, await team.inbox.close(options.number, note), "Closed")


async def _reopen(options: Namespace, terminal: Terminal) -> None:
    text = read_text(options.text, "") if options.text is not None else ""
    async with await unlocked(options) as team:
        await known(team, options.number)
        say_stored(terminal, await team.inbox.reopen(options.number, text), "Reopened")


async def _debug(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await known(team, options.number)
        data = debug_json(await team.inbox.debug(options.number))
        terminal.show(data, debug_text(data))


async def _download(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await known(team, options.number)
        place = await team.inbox.download(options.number, options.name, options.output, force=options.force)
        terminal.show({"path": str(place)}, f"Verified and saved: {place}\nIt was not opened.")


# --- what commands share ---------------------------------------------------------------------------------


def _chosen_link(team: TeamClient, options: Namespace) -> str:
    if options.plain:
        return team.plain_link
    return team.newest_link if options.newest else team.link


def _show_link(team: TeamClient, terminal: Terminal, title: str, link: str, *, after: str = "") -> None:
    data = {"link": link, "team_id": team.team_id.hex(), "words": " ".join(team.words)}
    text = f"{title}\n\n  {link}\n\nCompare these words by telephone:\n\n  {' '.join(team.words)}"
    terminal.show(data, text + (after and f"\n\n{after}"))


# --- arguments -------------------------------------------------------------------------------------------


def parser() -> Parser:
    """Return the parser of all commands."""
    whole = Parser(prog="e2e-admin", description="Read and answer end-to-end encrypted support tickets.")
    whole.add_argument(
        "--home",
        metavar="DIR",
        type=Path,
        default=Path(platformdirs.user_data_dir("e2e-admin")),
        help="keys and encrypted store of this device (default: %(default)s)",
    )
    whole.add_argument("--json", action="store_true", help="write data and errors as JSON")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    team = commands.add_parser("team", help="found a team").add_subparsers(
        dest="team_command", required=True, metavar="COMMAND"
    )
    create = add_command(team, "create", _create, "found a team on a relay and print its support link")
    create.add_argument("url", metavar="URL", help="the relay's address")
    create.add_argument("--name", required=True, help="of the team, as users see it")
    create.add_argument("--owner", required=True, metavar="NAME", help="your name, as users see it")
    create.add_argument("--code", help="one-time code from `e2e-relay bootstrap`; asked for if it is missing")
    create.add_argument(
        "--language", metavar="L", action="append", default=[], help="a language you answer in"
    )
    create.add_argument("--keyring", action="store_true", help="let the system's keyring keep the passphrase")
    create.add_argument(
        "--preset", choices=PRESETS, default=DEFAULT.preset, help="policy to begin with, see `policy presets`"
    )
    member_commands(commands)
    team_commands(commands, team)
    key_commands(commands, team)
    proof_commands(commands)
    policy_commands(commands)
    link = add_command(commands, "link", _link, "print the support link again, or join two tickets")
    link.add_argument(
        "numbers", metavar="NUMBER", nargs="*", action=Pair, help="two tickets that belong together"
    )
    link.add_argument("--off", action="store_true", help="part the two tickets")
    form = link.add_mutually_exclusive_group()
    form.add_argument(
        "--plain",
        action="store_true",
        help="the short one, which does not say how new the team's list must be",
    )
    form.add_argument(
        "--newest",
        action="store_true",
        help="one that names the team's list as it is now: for users whom the relay has shown two lists",
    )
    alarms = add_command(commands, "alarms", _alarms, "what relay or users did that must not happen")
    alarms.add_argument(
        "--clear",
        action="store_true",
        help="forget them, and look again at what was put aside",
    )
    list_commands(commands)
    _ticket_commands(commands)
    writing_commands(commands)
    draft_commands(commands)
    lifecycle_commands(commands)
    history_commands(commands)
    agent_commands(commands)
    archive_commands(commands)
    settings_commands(commands)
    merging_commands(commands)
    bulk_commands(commands, parser)
    return whole


def _ticket_commands(commands: Commands) -> None:
    numbered(commands, "show", _show, "show a ticket with its notes")
    resolve = numbered(commands, "resolve", _resolve, "mark a ticket resolved")
    resolve.add_argument(
        "--note", metavar="TEXT", help="how it was resolved, if the policy wants it; `-`: from standard input"
    )
    close = numbered(commands, "close", _close, "close a ticket")
    close.add_argument("--note", metavar="TEXT", help="why; `-`: from standard input")
    reopen = numbered(commands, "reopen", _reopen, "open a resolved or closed ticket again")
    reopen.add_argument("text", metavar="TEXT", nargs="?", help="what to say; `-`: from standard input")
    numbered(commands, "debug", _debug, "show the debug data exactly as the user sent it")
    download = numbered(commands, "download", _download, "save a file of a ticket; it is never opened")
    download.add_argument("name", metavar="NAME", help="as `show` lists it")
    download.add_argument("-o", "--output", metavar="PATH", type=Path, default=Path(), help="file or folder")
    download.add_argument("--force", action="store_true", help="replace an existing file")


if __name__ == "__main__":
    sys.exit(main())
