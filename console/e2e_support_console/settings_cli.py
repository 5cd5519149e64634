"""The commands of ``e2e-admin`` for what a team shares: snippets, macros and saved views."""

from __future__ import annotations

from argparse import Namespace

from e2e_support.errors import UsageError
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.plain import plain_line, plain_text
from e2e_support_client.render import table
from e2e_support_client.terminal import Command, Json, Terminal, read_text
from e2e_support_console.filters import VIEWS, Filters
from e2e_support_console.lists_cli import add_filters, filters_in, given
from e2e_support_console.macros import STEPS, Macro, MacroRun, parse_step
from e2e_support_console.shell import known, synced, unlocked


def settings_commands(commands: Commands) -> None:
    """Add the commands."""
    _snippet_commands(
        _group(commands, "snippets", _snippets, "texts to answer with; without more: list them")
    )
    _macro_commands(
        _group(commands, "macros", _macros, "several steps under one name; without more: list them")
    )
    views = _group(commands, "views", _views, "saved filters of the inbox; without more: list them")
    add_command(views, "list", _views, "list all views")
    adding = add_command(views, "add", _view_add, "save filters under a name, for the whole team")
    adding.add_argument("name", metavar="NAME")
    add_filters(adding)
    add_command(views, "remove", _view_remove, "remove a saved view").add_argument("name", metavar="NAME")


def _group(commands: Commands, name: str, listing: Command, told: str) -> Commands:
    whole = add_command(commands, name, listing, told)
    return whole.add_subparsers(dest=f"{name}_command", metavar="COMMAND")


# --- snippets --------------------------------------------------------------------------------------------


def _snippet_commands(commands: Commands) -> None:
    add_command(commands, "list", _snippets, "list the snippets, those that you use most first")
    for name, told in (("add", "add a snippet"), ("edit", "change a snippet")):
        saving = add_command(commands, name, _snippet_save, told)
        saving.add_argument("id", metavar="ID")
        saving.add_argument(
            "text", metavar="TEXT", nargs="?", help="with {user}, {number}, {me}; `-`: standard input"
        )
        saving.add_argument("--title", help="what it is for")
    add_command(commands, "remove", _snippet_remove, "remove a snippet").add_argument("id", metavar="ID")
    using = add_command(commands, "use", _snippet_use, "print a snippet with the words of a ticket in it")
    using.add_argument("id", metavar="ID")
    using.add_argument("number", metavar="NUMBER", help="the ticket's number")


async def _snippets(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        found = await team.snippets.list()
        data: Json = [{"id": one.id, "title": one.title, "text": one.text, "uses": one.uses} for one in found]
        text = "\n\n".join(_titled(one.id, one.title) + f"\n{_indented(one.text)}" for one in found)
        terminal.show(data, text or "There are no snippets yet: e2e-admin snippets add ID TEXT")


async def _snippet_save(options: Namespace, terminal: Terminal) -> None:
    text = read_text(options.text, "The snippet's text.")
    async with await unlocked(options) as team:
        title = options.title or ""
        if options.snippets_command == "edit":
            title = options.title or (await team.snippets.get(options.id)).title
        elif any(one.id == options.id for one in await team.snippets.list()):
            raise UsageError(
                "snippet_exists",
                f"there is a snippet {options.id} already",
                hint="Change it with `snippets edit`.",
            )
        await team.snippets.save(options.id, text, title)
        _say_saved(terminal, options.id)


async def _snippet_remove(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await team.snippets.remove(options.id)
        _say_removed(terminal, options.id)


async def _snippet_use(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await known(team, options.number)
        text = await team.snippets.fill(options.id, options.number)
        await team.snippets.count_use(options.id)
        terminal.show({"id": options.id, "number": options.number, "text": text}, plain_text(text))


# --- macros ----------------------------------------------------------------------------------------------


def _macro_commands(commands: Commands) -> None:
    add_command(commands, "list", _macros, "list the macros")
    adding = add_command(commands, "add", _macro_add, "add a macro, or change the one with this id")
    adding.add_argument("id", metavar="ID")
    adding.add_argument("steps", metavar="STEP", nargs="+", help=f"NAME or NAME=VALUE: {', '.join(STEPS)}")
    adding.add_argument("--title", default="", help="what it is for")
    add_command(commands, "remove", _macro_remove, "remove a macro").add_argument("id", metavar="ID")
    running = add_command(commands, "run", _macro_run, "do what a macro says, up to the first refusal")
    running.add_argument("id", metavar="ID")
    running.add_argument("number", metavar="NUMBER", help="the ticket's number")
    running.add_argument("--preview", action="store_true", help="say what would happen, and do nothing")


async def _macros(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        found = await team.macros.list()
        text = "\n\n".join(_macro_text(one) for one in found)
        terminal.show(
            [_macro_json(one) for one in found],
            text or "There are no macros yet: e2e-admin macros add ID STEP…",
        )


async def _macro_add(options: Namespace, terminal: Terminal) -> None:
    steps = [parse_step(step) for step in options.steps]
    async with await unlocked(options) as team:
        await team.macros.save(options.id, steps, options.title)
        _say_saved(terminal, options.id)


async def _macro_remove(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await team.macros.remove(options.id)
        _say_removed(terminal, options.id)


async def _macro_run(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await known(team, options.number)
        if options.preview:
            told = await team.macros.preview(options.id, options.number)
            terminal.show({"would": list[Json](told)}, _steps_text("This would happen:", told))
            return
        _say_ran(terminal, await team.macros.run(options.id, options.number))


def _say_ran(terminal: Terminal, run: MacroRun) -> None:
    """Tell what was done, and raise what was refused."""
    if run.error is None:
        terminal.show({"done": list[Json](run.done), "left": []}, _steps_text("Done:", run.done))
        return
    run.error.details = {**run.error.details, "done": list(run.done), "left": list(run.left)}
    if not terminal.json:
        parts = (_steps_text("Done:", run.done), _steps_text("Not done, from the refused step on:", run.left))
        terminal.err.write("\n".join(part for part in parts if part) + "\n")
    raise run.error


def _macro_json(macro: Macro) -> Json:
    steps: list[Json] = [{"name": name, "value": value} for name, value in macro.steps]
    return {"id": macro.id, "title": macro.title, "steps": steps}


def _macro_text(macro: Macro) -> str:
    steps = (f"{name}={value}" if value else name for name, value in macro.steps)
    return _titled(macro.id, macro.title) + "".join(f"\n{_indented(step)}" for step in steps)


def _steps_text(title: str, steps: tuple[str, ...]) -> str:
    return title + "".join(f"\n{_indented(step)}" for step in steps) if steps else ""


# --- views -----------------------------------------------------------------------------------------------


async def _views(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        saved = await team.views.list()
        shown: list[Json] = [{"id": name, "title": view.title, "filters": {}} for name, view in VIEWS.items()]
        shown += [{"id": name, "title": name, "filters": dict(filters)} for name, filters in saved.items()]
        rows = [(name, view.title) for name, view in VIEWS.items()]
        rows += [(name, _filters_text(filters)) for name, filters in saved.items()]
        terminal.show(shown, table(rows))


async def _view_add(options: Namespace, terminal: Terminal) -> None:
    if options.name in VIEWS:
        raise UsageError(
            "view_exists", f"{options.name} is a view that everybody has", hint="Choose another name."
        )
    filters = filters_in(options)
    if filters == Filters():
        raise UsageError("no_filters", "a view needs a filter", hint="Give one, such as --status ID.")
    async with await unlocked(options) as team:
        await synced(team, terminal)
        await team.inbox.filtered(filters, limit=0)  # refuses what no list would take
        await team.views.save(options.name, given(filters))
        _say_saved(terminal, options.name)


async def _view_remove(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await team.views.remove(options.name)
        _say_removed(terminal, options.name)


def _filters_text(filters: dict[str, str]) -> str:
    return ", ".join(f"{plain_line(name)} {plain_line(value)}" for name, value in filters.items())


# --- what they share -------------------------------------------------------------------------------------


def _titled(wanted: str, title: str) -> str:
    return f"{plain_line(wanted)}  {plain_line(title)}".rstrip()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in plain_text(text).splitlines())


def _say_saved(terminal: Terminal, wanted: str) -> None:
    terminal.show({"id": wanted, "state": "stored"}, f"Saved for the whole team: {wanted}.")


def _say_removed(terminal: Terminal, wanted: str) -> None:
    terminal.show({"id": wanted, "state": "removed"}, f"Removed: {wanted}.")
