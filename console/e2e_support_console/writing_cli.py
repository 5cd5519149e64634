"""The commands of ``e2e-admin`` that people write with: answers with files and snippets, notes, and drafts of both."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import timedelta

from e2e_support.errors import SupportError, UsageError
from e2e_support_client.arguments import Commands, numbered
from e2e_support_client.model import Attachable
from e2e_support_client.plain import plain_text
from e2e_support_client.progress_line import show_progress
from e2e_support_client.terminal import Terminal, read_text
from e2e_support_console import render
from e2e_support_console.answers import NO_DELAY
from e2e_support_console.collision import TicketMoved
from e2e_support_console.draft_files import require_ready
from e2e_support_console.drafts import Mode, WrittenDraft
from e2e_support_console.drafts_cli import draft_text
from e2e_support_console.sending import unconfirmed
from e2e_support_console.shell import known, say_stored, unlocked
from e2e_support_console.team import TeamClient


def writing_commands(commands: Commands) -> None:
    """Add the commands."""
    reply = numbered(commands, "reply", _reply, "answer a ticket's user")
    said = reply.add_mutually_exclusive_group()
    said.add_argument("text", metavar="TEXT", nargs="?", help="`-` or nothing: from standard input")
    said.add_argument("--snippet", metavar="ID", help="answer with a text of the team, see `snippets`")
    said.add_argument("--draft", action="store_true", help="send the draft")
    reply.add_argument(
        "--attach", metavar="FILE", action="append", default=[], help="a file; may be given several times"
    )
    reply.add_argument("--status", metavar="ID", default="", help="and give the ticket a status")
    shown = reply.add_mutually_exclusive_group()
    shown.add_argument("--as-team", action="store_true", default=None, help="show the team, not your name")
    shown.add_argument("--by-name", action="store_false", dest="as_team", default=None, help="show your name")
    reply.add_argument(
        "--anyway", action="store_true", help="send even if others wrote what you have not seen"
    )
    reply.add_argument(
        "--undo",
        metavar="SECONDS",
        type=_seconds,
        default=NO_DELAY,
        help="wait so long; Ctrl-C takes it back",
    )
    note = numbered(commands, "note", _note, "write a note that only administrators can read")
    text = note.add_mutually_exclusive_group()
    text.add_argument("text", metavar="TEXT", nargs="?", help="`-` or nothing: from standard input")
    text.add_argument("--draft", action="store_true", help="store the draft")
    note.add_argument("--mention", metavar="NAME", action="append", default=[], help="who is to look at it")


async def _reply(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await known(team, options.number)
        text, files = await _what(team, options, terminal)

        def waiting() -> None:
            if not terminal.json:
                terminal.err.write(f"It goes in {options.undo.total_seconds():g} s. Ctrl-C takes it back.\n")
                terminal.err.flush()

        try:
            ticket = await team.inbox.reply(
                options.number,
                text,
                as_team=options.as_team,
                anyway=options.anyway,
                as_seen=True,
                set_status=options.status,
                attachments=files,
                delay=options.undo,
                on_waiting=waiting,
                on_progress=show_progress(terminal),
            )
        except TicketMoved as moved:
            _show_newer(moved, options.number, terminal)
            await team.inbox.get(options.number, fetch=False)  # what is new has been shown
            raise
        except asyncio.CancelledError:
            terminal.tell(await _interrupted(team, options.number, text))
            raise
        except SupportError as error:
            await _point_at_draft(team, options.number, Mode.REPLY, text, error)
            raise
        if options.snippet:
            await team.snippets.count_use(options.snippet)
        say_stored(terminal, ticket, "Your answer is stored")


async def _note(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await known(team, options.number)
        if options.draft:
            text = _required(await team.drafts.find(options.number, Mode.NOTE)).text
        else:
            text = read_text(options.text, "A note that only administrators can read.")
        try:
            ticket = await team.inbox.note(options.number, text, mentions=options.mention)
        except SupportError as error:
            await _point_at_draft(team, options.number, Mode.NOTE, text, error)
            raise
        say_stored(terminal, ticket, "The note is stored; users can never read it")


async def _point_at_draft(team: TeamClient, number: str, mode: Mode, text: str, error: SupportError) -> None:
    """Say behind an error's hint where the text is, if it is the draft now."""
    draft = await team.drafts.find(number, mode) if error.code not in {"no_ticket", "bad_number"} else None
    if draft is not None and draft.text.endswith(text):
        send = f"e2e-admin {mode.value} {number} --draft"
        error.hint = f"{error.hint} What you wrote is the draft; send it with: {send}".strip()


async def _interrupted(team: TeamClient, number: str, text: str) -> SupportError:
    """Return what became of an answer when Ctrl-C was pressed: what was on its way already may be stored."""
    draft = await team.drafts.find(number)
    if draft is not None and draft.text.endswith(text):
        return UsageError("unsent", f"Taken back. It is the draft of {number}.")
    return unconfirmed("it was interrupted")


async def _what(team: TeamClient, options: Namespace, terminal: Terminal) -> tuple[str, Sequence[Attachable]]:
    """Return text and files to send; what was not typed just now is shown first, and a person is asked."""
    if options.text is not None and (options.snippet or options.draft):
        raise UsageError("two_texts", "there are two texts to send", hint="Give one of them.")
    if options.snippet:
        filled = await team.snippets.fill(options.snippet, options.number)
        return _agreed(filled, "Send it? [Y/n] ", terminal), options.attach
    draft = await team.drafts.find(options.number)
    if options.draft:
        draft = _required(draft)
    asked = options.text is None and not options.attach and sys.stdin.isatty()
    if draft is None or not (options.draft or asked):
        typed = options.text is not None or not options.attach
        return read_text(options.text, "Your answer to the user.") if typed else "", options.attach
    if not options.draft:
        _agreed(draft_text(draft), "Send this draft? [Y/n] ", terminal)
    if options.attach:
        await team.drafts.attach(options.number, options.attach)
        draft = await team.drafts.find(options.number) or draft
    return draft.text, require_ready(draft.files)


def _required(draft: WrittenDraft | None) -> WrittenDraft:
    if draft is None:
        raise UsageError("no_draft", "there is no draft of this ticket", hint="See `e2e-admin drafts`.")
    return draft


def _agreed(text: str, question: str, terminal: Terminal) -> str:
    """Return a text once a person has seen it; who is not at a terminal has named it on purpose.

    Raises:
        UsageError: ``not_confirmed``.
    """
    if terminal.json or not sys.stdin.isatty():
        return text
    terminal.err.write(f"{plain_text(text)}\n\n{question}")
    terminal.err.flush()
    if sys.stdin.readline().strip().lower() not in {"", "y", "yes"}:
        raise UsageError("not_confirmed", "nothing was sent", hint="`draft` keeps another text to send.")
    return text


def _show_newer(moved: TicketMoved, number: str, terminal: Terminal) -> None:
    """Show what came meanwhile, and what can be done with the text."""
    if not terminal.json:
        newer = "\n\n".join(render.message_text(message) for message in moved.newer)
        terminal.err.write(f"New in this ticket:\n\n{newer}\n\n")
    send, change = f"reply {number} --draft", f"draft {number}"
    moved.hint = (
        f"Your text is the draft. Send it all the same: e2e-admin {send}. Change it: {change} TEXT. "
        f"Discard it: {change} --discard."
    )


def _seconds(text: str) -> timedelta:
    seconds = float(text)
    if not 0 <= seconds <= 3600:
        raise ValueError
    return timedelta(seconds=seconds)
