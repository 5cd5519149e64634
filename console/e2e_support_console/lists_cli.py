"""The commands of ``e2e-admin`` that list tickets: the inbox with its filters, numbers per status, the search."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import asdict, fields, replace

from e2e_support.errors import UsageError
from e2e_support_client import clock
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.render import count
from e2e_support_client.terminal import Terminal
from e2e_support_console import render
from e2e_support_console.drafts_cli import point_at_stopped
from e2e_support_console.filters import VIEWS, Filters
from e2e_support_console.lists import HITS
from e2e_support_console.query import OPERATORS
from e2e_support_console.render_lists import counts_text, found_json, found_text
from e2e_support_console.shell import synced, unlocked, whole
from e2e_support_console.team import TeamClient

SCREEN = 50  # lines of the inbox before a person, so that whoever waits longest does not run off the top


def list_commands(commands: Commands) -> None:
    """Add the commands."""
    inbox = add_command(commands, "inbox", _inbox, "fetch what is new and list the tickets")
    inbox.description = (
        "Fetch what is new and list the tickets: whoever waits longest first, closed ones last. Archived tickets and "
        "spam are left out unless --status or --view asks for them. All filters that are given must hold."
    )
    add_filters(inbox)
    inbox.add_argument("--limit", metavar="N", type=whole(0), help="at most so many")
    counts = add_command(commands, "counts", _counts, "count the tickets of each status")
    add_filters(counts)
    search = add_command(commands, "search", _search, "find words in tickets, notes, file names and users")
    search.formatter_class = argparse.RawDescriptionHelpFormatter
    search.epilog = f"Closed and archived tickets are searched too. In TEXT:\n{OPERATORS}"
    search.add_argument(
        "text",
        metavar="TEXT",
        nargs="*",
        help="words, and the operators below; all in quotes where a word begins with -",
    )
    search.add_argument(
        "--limit", metavar="N", type=whole(1), default=HITS, help="hits of each group (%(default)s)"
    )
    search.add_argument("--rebuild", action="store_true", help="make the index anew first")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which tickets are meant."""
    parser.add_argument("--status", metavar="ID", help="only tickets with this status")
    parser.add_argument("--priority", metavar="ID", help="only tickets of this priority")
    parser.add_argument("--category", metavar="ID", help="only tickets of this category")
    parser.add_argument("--assignee", metavar="WHO", help="only tickets of a member: a name, me or nobody")
    parser.add_argument("--tag", metavar="TAG", help="only tickets with this tag")
    parser.add_argument("--text", metavar="TEXT", help="only tickets with these words; as in `search`")
    parser.add_argument("--view", metavar="VIEW", help=f"{', '.join(VIEWS)}, or a saved one")


def filters_in(options: Namespace) -> Filters:
    """Return the filters that were given on the command line."""
    return Filters(**{field.name: getattr(options, field.name) or "" for field in fields(Filters)})


def given(filters: Filters) -> dict[str, str]:
    """Return the filters that ask for something, by name."""
    return {name: value for name, value in asdict(filters).items() if value}


async def _asked(team: TeamClient, options: Namespace) -> Filters:
    """Return the filters that were given, together with those of a saved view."""
    filters = filters_in(options)
    if not filters.view or filters.view in VIEWS:
        return filters
    saved = await team.views.get(filters.view)
    known = {field.name for field in fields(Filters)}
    whole = {**saved, **given(replace(filters, view=""))}
    return Filters(**{name: value for name, value in whole.items() if name in known})


async def _inbox(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await synced(team, terminal)
        filters = await _asked(team, options)
        tickets = await team.inbox.filtered(filters, limit=options.limit)
        locked = (await team.quarantined()).get("no_key", 0)
        shown = tickets if options.limit is not None or not terminal.out.isatty() else tickets[:SCREEN]
        text = render.inbox_text(shown, clock.now(), filtered=filters != Filters(), locked=locked)
        if len(shown) < len(tickets):
            text += f" There are {len(tickets)}: see them with --limit {len(tickets)}, or name filters."
        terminal.show([render.ticket_json(ticket) for ticket in tickets], text)
        await _point_at_alarms(team, terminal)
        await point_at_stopped(team, terminal)


async def _counts(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await synced(team, terminal)
        counts = await team.inbox.counts(await _asked(team, options))
        terminal.show(counts, counts_text(counts, team.desk.roster.policy))


async def _search(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await synced(team, terminal)
        if options.rebuild:
            await team.inbox.rebuild()
        text = " ".join(options.text)
        found = await team.inbox.search(text, limit=options.limit)
        terminal.show(found_json(found, text), found_text(found))


async def _point_at_alarms(team: TeamClient, terminal: Terminal) -> None:
    alarms = await team.alarms()
    if alarms:
        what = f"{count(len(alarms), 'alarm')}, the newest: {alarms[0].message}"
        terminal.tell(UsageError("alarms", what, hint="Look at them: e2e-admin alarms"))
