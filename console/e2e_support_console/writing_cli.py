"""The commands of ``e2e-admin`` that people write with: answers with files and snippets, and drafts."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from datetime import timedelta

from e2e_support.errors import UsageError
from e2e_support_client.plain import plain_text
from e2e_support_client.progress_line import show_progress
from e2e_support_client.terminal import Json, Terminal, iso, read_text, stamp
from e2e_support_console import render
from e2e_support_console.answers import NO_DELAY
from e2e_support_console.collision import TicketMoved
from e2e_support_console.drafts import Mode, WrittenDraft
from e2e_support_console.shell import Commands, add_command, known, numbered, say_stored, unlocked
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
    draft = numbered(commands, "draft", _draft, "show, keep or discard what is being written")
    what = draft.add_mutually_exclusive_group()
    what.add_argument("text", metavar="TEXT", nargs="?", help="to keep; `-`: from standard input")
    what.add_argument("--discard", action="store_true", help="forget it")
    draft.add_argument("--note", action="store_true", help="of the note, not of the answer")
    add_command(commands, "drafts", _drafts, "list everything that is being written")


def draft_json(draft: WrittenDraft) -> dict[str, Json]:
    """Return a draft."""
    return {"number": draft.number, "mode": draft.mode.value, "text": draft.text, "at": iso(draft.at)}


async def _reply(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await known(team, options.number)
        text = await _text(team, options, terminal)
        if options.undo and not terminal.json:
            terminal.err.write(f"It goes in {options.undo.seconds} s. Ctrl-C takes it back.\n")
        try:
            ticket = await team.inbox.reply(
                options.number,
                text,
                as_team=options.as_team,
                anyway=options.anyway,
                as_seen=True,
                set_status=options.status,
                attachments=options.attach,
                delay=options.undo,
                on_progress=show_progress(terminal),
            )
        except TicketMoved as moved:
            _show_newer(moved, options.number, terminal)
            await team.inbox.get(options.number, fetch=False)  # what is new has been shown
            raise
        except asyncio.CancelledError:
            terminal.err.write(f"\nTaken back. It is the draft of {options.number}.\n")
            raise
        if options.snippet:
            await team.snippets.count_use(options.snippet)
        say_stored(terminal, ticket, "Your answer is stored")


async def _text(team: TeamClient, options: Namespace, terminal: Terminal) -> str:
    """Return what to send; what was not typed just now is shown first, and a person at a terminal is asked."""
    if options.text is not None and (options.snippet or options.draft):
        raise UsageError("two_texts", "there are two texts to send", hint="Give one of them.")
    if options.snippet:
        return _agreed(await team.snippets.fill(options.snippet, options.number), "Send it? [Y/n] ", terminal)
    draft = await team.drafts.get(options.number)
    if options.draft:
        if not draft:
            raise UsageError("no_draft", "there is no draft of this ticket", hint="See `e2e-admin drafts`.")
        return draft
    if options.text is None and options.attach:
        return ""
    if options.text is None and draft and sys.stdin.isatty():
        return _agreed(draft, "Send this draft? [Y/n] ", terminal)
    return read_text(options.text, "Your answer to the user.")


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


async def _draft(options: Namespace, terminal: Terminal) -> None:
    mode = Mode.NOTE if options.note else Mode.REPLY
    async with await unlocked(options) as team:
        await known(team, options.number)
        if options.discard:
            await team.drafts.discard(options.number, mode)
        elif options.text is not None:
            await team.drafts.keep(options.number, read_text(options.text, "Your draft."), mode)
        text = await team.drafts.get(options.number, mode)
        data = {"number": options.number, "mode": mode.value, "text": text}
        terminal.show(data, plain_text(text) or "There is no draft.")


async def _drafts(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        drafts = await team.drafts.list()
        text = "\n\n".join(_draft_text(draft) for draft in drafts) or "There are no drafts."
        terminal.show([draft_json(draft) for draft in drafts], text)


def _draft_text(draft: WrittenDraft) -> str:
    return f"{draft.number} · {draft.mode.value} · {stamp(draft.at)}\n{plain_text(draft.text)}"


def _seconds(text: str) -> timedelta:
    seconds = float(text)
    if not 0 <= seconds <= 3600:
        raise ValueError
    return timedelta(seconds=seconds)
