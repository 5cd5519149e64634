"""The commands of ``e2e-admin`` about drafts: what is being written, with its files, and what was stopped."""

from __future__ import annotations

from argparse import Namespace

from e2e_support.errors import UsageError
from e2e_support_client.arguments import Commands, add_command, numbered
from e2e_support_client.plain import plain_line, plain_text
from e2e_support_client.terminal import Json, Terminal, iso, read_text, size_of, stamp
from e2e_support_console.draft_files import DraftFile
from e2e_support_console.drafts import Mode, WrittenDraft
from e2e_support_console.shell import known, unlocked
from e2e_support_console.team import TeamClient


def draft_commands(commands: Commands) -> None:
    """Add the commands."""
    draft = numbered(commands, "draft", _draft, "show, keep or discard what is being written")
    what = draft.add_mutually_exclusive_group()
    what.add_argument("text", metavar="TEXT", nargs="?", help="to keep; `-`: from standard input")
    what.add_argument("--discard", action="store_true", help="forget it with its files")
    draft.add_argument(
        "--attach",
        metavar="FILE",
        action="append",
        default=[],
        help="a file that goes with it; leave it there",
    )
    draft.add_argument("--detach", metavar="NAME", action="append", default=[], help="leave a file out")
    draft.add_argument("--note", action="store_true", help="of the note, not of the answer")
    add_command(commands, "drafts", _drafts, "list everything that is being written")


def draft_json(draft: WrittenDraft) -> dict[str, Json]:
    """Return a draft."""
    return {
        "number": draft.number,
        "mode": draft.mode.value,
        "text": draft.text,
        "files": [_file_json(file) for file in draft.files],
        "at": iso(draft.at),
        "stopped": draft.waits,
    }


def _file_json(file: DraftFile) -> Json:
    return {"name": file.name, "size": file.size, "path": file.path, "state": file.state}


async def point_at_stopped(team: TeamClient, terminal: Terminal, number: str = "") -> None:
    """Tell of answers that did not go because the program was stopped while they waited.

    Args:
        team: the console.
        terminal: where people read.
        number: only those of this ticket; all by default.
    """
    for draft in await team.drafts.list():
        if draft.waits and (not number or draft.number == number):
            terminal.tell(
                UsageError(
                    "answer_stopped",
                    f"your answer to {draft.number} was not sent: the program was stopped before it went",
                    hint=f"Send it: e2e-admin reply {draft.number} --draft. "
                    f"Discard it: e2e-admin draft {draft.number} --discard.",
                )
            )


async def _draft(options: Namespace, terminal: Terminal) -> None:
    mode = Mode.NOTE if options.note else Mode.REPLY
    if mode is Mode.NOTE and (options.attach or options.detach):
        raise UsageError("no_file", "a note has no files", hint="Files go with answers: leave out --note.")
    async with await unlocked(options) as team:
        await known(team, options.number)
        if options.discard:
            await team.drafts.discard(options.number, mode)
        elif options.text is not None:
            await team.drafts.keep(options.number, read_text(options.text, "Your draft."), mode)
        for name in options.detach:
            await team.drafts.detach(options.number, name)
        if options.attach:
            await team.drafts.attach(options.number, options.attach)
        draft = await team.drafts.find(options.number, mode)
        if draft is None:
            nothing: Json = {"number": options.number, "mode": mode.value, "text": "", "files": []}
            terminal.show(nothing, "There is no draft.")
        else:
            terminal.show(draft_json(draft), draft_text(draft))


async def _drafts(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        drafts = await team.drafts.list()
        text = "\n\n".join(_draft_lines(draft) for draft in drafts) or "There are no drafts."
        terminal.show([draft_json(draft) for draft in drafts], text)


def _draft_lines(draft: WrittenDraft) -> str:
    stopped = " · not sent, the program was stopped" if draft.waits else ""
    return f"{draft.number} · {draft.mode.value} · {stamp(draft.at)}{stopped}\n{draft_text(draft)}"


def draft_text(draft: WrittenDraft) -> str:
    """Return what is being written, and where its files lie: they must stay there until it goes."""
    told = {"there": "", "changed": ", changed since it was attached", "gone": ", gone"}
    lines = [
        f"  + {plain_line(one.name)} ({size_of(one.size)}{told[one.state]})  {plain_line(one.path)}".rstrip()
        for one in draft.files
    ]
    return "\n".join([plain_text(draft.text), *lines]).strip("\n")
