"""The command ``e2e-ticket``: write to a team, read its answers, from any terminal or script."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol, cast

import platformdirs

from e2e_support.errors import TrustError, UsageError
from e2e_support.support_link import SupportLink
from e2e_support_client import clock, render, render_lifecycle
from e2e_support_client.allowance import sends_mails
from e2e_support_client.archive.commands import verify
from e2e_support_client.client import SupportClient
from e2e_support_client.debug.collectors import document
from e2e_support_client.debug.report import DebugReport
from e2e_support_client.erase_cli import add_erase, erase_command, showing_erased
from e2e_support_client.guard import Choice, Finding
from e2e_support_client.lifecycle_cli import LifecycleCommands, going_on
from e2e_support_client.model import Event, EventKind, OutboxItem, Profile, Role, TicketRef
from e2e_support_client.notify import Listener, Place
from e2e_support_client.policy_cli import policy_command
from e2e_support_client.progress_line import show_progress
from e2e_support_client.terminal import Command, Parser, Terminal, read_text, run
from e2e_support_client.transport import HttpRelay
from e2e_support_client.trust_cli import NEW_KEYS_MADE, WATCHED, TrustCommands, add_path, keys_in
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import Keystore, MemoryKeystore

LOCK_WAIT: Final = timedelta(seconds=30)  # another command of the same person may be uploading
DEBUG_FILE_MAX: Final = 1024 * 1024


class _Commands(Protocol):
    """What ``add_subparsers`` returns; its own type has no public name."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:  # noqa: A002
        """Add a command."""
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 refused, 2 wrongly called."""
    return run(_parser(), arguments)


# --- the team --------------------------------------------------------------------------------------------


async def _connect(options: Namespace, terminal: Terminal) -> None:
    SupportLink.parse(options.link)  # before anybody is asked for a passphrase
    if options.keyring:
        keys_in(options.home).use_keyring()
    async with _client(options, terminal, options.link) as support:
        team = await support.verify_team()
        made = (await support.register(recovery="none")).created
        terminal.show(
            render.team_json(team), render.team_text(team) + (f"\n\n{NEW_KEYS_MADE}" if made else "")
        )


async def _categories(options: Namespace, terminal: Terminal) -> None:
    async with _client(options, terminal) as support:
        await support.verify_team()
        terminal.show(render.categories_json(support.policy), render.categories_text(support.policy))


# --- tickets ---------------------------------------------------------------------------------------------


async def _new(options: Namespace, terminal: Terminal) -> None:
    body = read_text(options.body, "What happened?")
    data = _debug_data(options.debug) if options.debug else None
    async with _client(options, terminal) as support:
        debug = _agreed(support, data, options, terminal) if data is not None else None
        ref = await support.tickets.create(
            options.subject,
            body,
            category=options.category,
            priority=options.priority,
            fields=dict(options.field),
            debug=debug,
            attachments=options.attach,
            related=options.related,
            unlinked=options.unlinked,
            on_progress=show_progress(terminal),
        )
        terminal.show(render.ref_json(ref), await _opened_text(support, ref))
        if options.notify_email:
            _tell_no_mail(support, terminal)


async def _opened_text(support: SupportClient, ref: TicketRef) -> str:
    """Return how far a new ticket has come, and how many more the team takes today."""
    text = render.ref_text(ref, "your ticket is")
    with suppress(TrustError):  # before the team was ever verified nobody knows its limits
        left = render_lifecycle.today_text(await support.today(), support.policy)
        return f"{text}\n{left}" if left else text
    return text


async def _list(options: Namespace, terminal: Terminal) -> None:
    async with _client(options, terminal) as support:
        await support.outbox.flush(failed=False)
        page = await support.tickets.list(
            status=options.status, category=options.category, text=options.text, hidden=options.all
        )
        _tell_offline(page.offline, terminal)
        terminal.show([render.summary_json(line) for line in page], render.list_text(page, clock.now()))


async def _show(options: Namespace, terminal: Terminal) -> None:
    async with _client(options, terminal) as support:
        with showing_erased(terminal):
            ticket = await support.tickets.get(options.number)
            _tell_offline(ticket.offline, terminal)
            terminal.show(render.ticket_json(ticket), render.ticket_text(ticket, clock.now()))
            if ticket.messages:
                await support.tickets.mark_read(options.number)


async def _reply(options: Namespace, terminal: Terminal) -> None:
    text = read_text(options.text, "Your reply.") if options.text is not None or not options.attach else ""
    async with _client(options, terminal) as support, going_on(support, options.number):
        ref = await support.tickets.reply(
            options.number, text, attachments=options.attach, on_progress=show_progress(terminal)
        )
        _tell(ref, "your reply is", terminal)


async def _close(options: Namespace, terminal: Terminal) -> None:
    note = read_text(options.note, "Why is it closed?") if options.note is not None else ""
    async with _client(options, terminal) as support:
        _tell(await support.tickets.close(options.number, note=note), "closing it is", terminal)


async def _reopen(options: Namespace, terminal: Terminal) -> None:
    text = read_text(options.text, "Why is it reopened?")
    async with _client(options, terminal) as support, going_on(support, options.number):
        _tell(await support.tickets.reopen(options.number, text), "reopening it is", terminal)


async def _download(options: Namespace, terminal: Terminal) -> None:
    async with _client(options, terminal) as support:
        path = await support.tickets.download(
            options.number,
            options.name,
            options.output,
            force=options.force,
            on_progress=show_progress(terminal),
        )
        terminal.show({"path": str(path)}, f"Verified and saved: {path}\nIt was not opened.")


# --- the outbox ------------------------------------------------------------------------------------------


async def _outbox(options: Namespace, terminal: Terminal) -> None:
    async with _client(options, terminal) as support:
        items = await support.outbox.list()
        if options.drop:
            await support.outbox.discard(_whole_key(items, options.drop))
            items = await support.outbox.list()
        terminal.show([render.item_json(item) for item in items], render.outbox_text(items, clock.now()))


def _whole_key(items: Sequence[OutboxItem], begun: str) -> str:
    """Return the key that a person gave the beginning of.

    Raises:
        UsageError: ``unknown_item``.
    """
    matching = [item.key for item in items if item.key.startswith(begun)]
    if len(matching) != 1:
        raise UsageError("unknown_item", "the outbox has no such item", hint="List it with `outbox`.")
    return matching[0]


async def _send(options: Namespace, terminal: Terminal) -> None:
    async with _client(options, terminal) as support:
        if options.key:
            key = _whole_key(await support.outbox.list(), options.key)
            ref = await support.outbox.retry(key, on_progress=show_progress(terminal))
            terminal.show([render.ref_json(ref)], render.ref_text(ref, "what was kept is"))
            return
        refs = await support.outbox.flush(on_progress=show_progress(terminal))
        items = await support.outbox.list()
        text = f"{render.count(len(refs) - len(items), 'message')} stored.\n{render.outbox_text(items, clock.now())}"
        terminal.show([render.ref_json(ref) for ref in refs], text)


# --- watching --------------------------------------------------------------------------------------------


async def _watch(options: Namespace, terminal: Terminal) -> None:
    """Print what the team does; the store is free for other commands while this only waits."""
    bundle = await asyncio.to_thread(keys_in(options.home).keystore().load)
    if not isinstance(bundle, UserBundle):
        raise UsageError("no_link", "there are no keys here", hint="Connect first: e2e-ticket connect LINK")
    relay = HttpRelay(SupportLink.parse(bundle.link).url)
    listener, told = Listener(relay), set[tuple[str, str]]()
    support = SupportClient(
        None, state_dir=options.home, keystore=MemoryKeystore(bundle), relay=relay, lock_wait=LOCK_WAIT
    )
    try:
        async with asyncio.timeout(options.timeout):
            while True:
                happened, places = await _look(support, terminal, told)
                if happened and options.once:
                    return
                await listener.wait(places, asyncio.Event())
    except TimeoutError:
        return
    finally:
        await listener.stop()
        await relay.close()


async def _look(
    support: SupportClient, terminal: Terminal, told: set[tuple[str, str]]
) -> tuple[bool, list[Place]]:
    """Print what is new since the last look; return whether there was anything, and where to listen."""
    async with support:
        await support.outbox.flush(failed=False)
        events = await support.news(since=await support.remembered(WATCHED))
        shown = [event for event in events if _interests(event, told)]
        for event in shown:
            terminal.show(render.event_json(event), render.event_text(event))
        terminal.out.flush()
        cursors = [event.cursor for event in events if event.cursor]
        if cursors:
            await support.remember(WATCHED, cursors[-1])
        return bool(shown), await support.places()


def _interests(event: Event, told: set[tuple[str, str]]) -> bool:
    """Tell whether a person waits for this: what the team did, and each problem once."""
    if event.kind is not EventKind.PROBLEM:
        return event.role is Role.TEAM
    known = (event.number, event.problem) in told
    told.add((event.number, event.problem))
    return not known


# --- what commands share ---------------------------------------------------------------------------------


def _client(
    options: Namespace, terminal: Terminal, link: str | None = None, keystore: Keystore | None = None
) -> SupportClient:
    def on_secret(found: tuple[Finding, ...]) -> Choice:
        return _ask_about(found, terminal)

    return SupportClient(
        link,
        keystore=keystore or keys_in(options.home).keystore(),
        state_dir=options.home,
        profile=_profile(options),
        on_secret=on_secret,
        lock_wait=LOCK_WAIT,
        accept_stale=bool(getattr(options, "accept_stale", False)),
    )


def _profile(options: Namespace) -> Profile:
    given = {name: getattr(options, name, None) or "" for name in ("notify_email", "auth_method")}
    return Profile(**given)


def _tell_no_mail(support: SupportClient, terminal: Terminal) -> None:
    """Tell somebody who wants mails that this team sends none."""
    with suppress(TrustError):  # it is not known yet
        if not sends_mails(support.policy):
            terminal.tell(
                UsageError(
                    "mail_off",
                    "this team sends no mails, so your address was not sent either",
                    hint="Look for answers with `e2e-ticket notifications`.",
                )
            )


def _tell(ref: TicketRef, what: str, terminal: Terminal) -> None:
    terminal.show(render.ref_json(ref), render.ref_text(ref, what))


def _tell_offline(why: str, terminal: Terminal) -> None:
    if why:
        message = f"this is what was known before: {why}"
        terminal.tell(UsageError("offline", message, hint="Try again when the relay can be reached."))


# --- what a person is asked ------------------------------------------------------------------------------


def _debug_data(path: Path) -> Mapping[str, object]:
    """Return the JSON object in a file.

    Raises:
        UsageError: ``bad_debug``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(DEBUG_FILE_MAX + 1)
        value: object = json.loads(data) if len(data) <= DEBUG_FILE_MAX else None
    except OSError as error:
        raise UsageError("bad_debug", f"{path}: {error.strerror}", hint="Check the path.") from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError("bad_debug", f"{path} holds no JSON object", hint="Write the data as {...}.")
    return cast("Mapping[str, object]", value)


def _agreed(
    support: SupportClient, data: Mapping[str, object], options: Namespace, terminal: Terminal
) -> DebugReport | None:
    """Show exactly what would be encrypted, and ask; ``--yes`` has answered already."""
    report = support.collect(document(data, source=options.debug.name))
    print(f"Debug data, {report.size:,} bytes, that only the team can read:\n", file=terminal.err)
    print(report.preview("text"), end="\n\n", file=terminal.err)
    if options.yes:
        return report
    if not sys.stdin.isatty():
        raise UsageError("no_consent", "nobody agreed to the debug data", hint="Look at it, then add --yes.")
    if _answer("Add it to the ticket? [y/N] ", terminal) in {"y", "yes"}:
        return report
    print("It is left out.", file=terminal.err)
    return None


def _ask_about(found: tuple[Finding, ...], terminal: Terminal) -> Choice:
    """Warn of what looks like a secret; without a person at the terminal the text stays as it is."""
    what = ", ".join(dict.fromkeys(finding.what for finding in found))
    hint = "If it is one, change it soon: the team will be able to read it."
    terminal.tell(UsageError("secret_found", f"the text seems to hold {what}", hint=hint))
    if terminal.json or not sys.stdin.isatty():
        return Choice.KEEP
    answer = _answer("Remove, mask or keep it? [r/m/K] ", terminal)
    return {"r": Choice.REMOVE, "m": Choice.MASK}.get(answer[:1], Choice.KEEP)


def _answer(question: str, terminal: Terminal) -> str:
    print(question, end="", file=terminal.err, flush=True)
    return sys.stdin.readline().strip().lower()


# --- arguments -------------------------------------------------------------------------------------------


def _parser() -> Parser:
    parser = Parser(prog="e2e-ticket", description="Write end-to-end encrypted support tickets.")
    parser.add_argument(
        "--home",
        metavar="DIR",
        type=Path,
        default=Path(platformdirs.user_data_dir("e2e-ticket")),
        help="keys and encrypted store (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="write data and errors as JSON")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    connect = _command(commands, "connect", _connect, "connect to a team and show how to make sure of it")
    connect.add_argument("link", metavar="LINK", help="the support link that the team publishes: e2es://…")
    _add_keyring(connect)
    _add_new(commands)
    listing = _command(commands, "list", _list, "list your tickets")
    listing.add_argument("--status", metavar="S", help="only tickets with this status")
    listing.add_argument("--category", metavar="C", help="only tickets of this category")
    listing.add_argument("--text", metavar="T", help="only tickets with this in number, subject or messages")
    listing.add_argument("--all", action="store_true", help="hidden tickets too")
    _add_numbered(commands)
    _add_lifecycle(commands)
    watch = _command(commands, "watch", _watch, "wait for the team and print what it does")
    watch.add_argument("--once", action="store_true", help="stop after the first news")
    watch.add_argument("--timeout", metavar="SECONDS", type=_seconds, help="stop after this long")
    outbox = _command(
        commands, "outbox", _outbox, "list what is kept on this device because it is not stored yet"
    )
    outbox.add_argument("--drop", metavar="KEY", help="forget an item for good")
    send = _command(commands, "send", _send, "try to store everything that is kept")
    send.add_argument(
        "key",
        metavar="KEY",
        nargs="?",
        help="one that `outbox` lists, even if it has waited for over 30 days",
    )
    _add_accept_stale(send)
    _command(commands, "categories", _categories, "list what a ticket can be about")
    _command(commands, "policy", policy_command(_client), "show what the team asks for and promises")
    _add_trust(commands)
    return parser


def _add_trust(commands: _Commands) -> None:
    trust = TrustCommands(_client, show_progress)
    team = _command(commands, "team", trust.team, "show who can read your tickets, and what changed there")
    team.add_argument("--compared", action="store_true", help="you have compared the words or digits")
    restore = _command(commands, "restore", trust.restore, "bring back keys and tickets from your 24 words")
    restore.add_argument("link", metavar="LINK", help="the team's support link; the words are asked for")
    _add_keyring(restore)
    _command(commands, "recovery", trust.recovery, "show the 24 words that bring your keys back")
    passphrase = _command(commands, "passphrase", trust.passphrase, "lock your keys with another passphrase")
    passphrase.add_argument(
        "--new-passphrase-file", metavar="FILE", type=Path, help="holds the new one, instead of typing it"
    )
    new_keys = _command(commands, "new-keys", trust.new_keys, "begin new keys, as after a theft")
    new_keys.add_argument("--yes", action="store_true", help="you know what it means")
    proof = commands.add_parser("proof", help="proofs against a relay or team", description="Proofs.")
    proofs = proof.add_subparsers(dest="proof", required=True, metavar="COMMAND")
    _command(proofs, "list", trust.list_proofs, "list the proofs that this device has met")
    export = _command(proofs, "export", trust.export_proof, "save a proof, the newest by default")
    add_path(export, "a new file")
    export.add_argument(
        "--number", "--which", metavar="N", type=int, dest="number", help="as `proof list` counts them"
    )
    verify = _command(proofs, "verify", trust.verify_proof, "check a proof; needs no keys and no network")
    add_path(verify, "the file")


def _add_new(commands: _Commands) -> None:
    new = _command(commands, "new", _new, "open a ticket")
    new.add_argument("--subject", metavar="S", required=True, help="what it is about")
    new.add_argument("--body", metavar="B", help="the text; `-` or nothing: from standard input")
    new.add_argument("--category", metavar="C", required=True, help="one that `categories` lists")
    _add_form(new)
    new.add_argument("--related", metavar="NUMBER", help="a ticket that this one refers to")
    new.add_argument(
        "--unlinked",
        action="store_true",
        help="do not let the team see that this ticket and your others are of one person; "
        "nobody else sees it in any case",
    )
    new.add_argument(
        "--notify-email",
        metavar="ADDRESS",
        help="where the team may send mails that say that there is news, and never what; "
        "the address goes inside the encrypted ticket, and only to teams that send mails",
    )
    new.add_argument(
        "--auth-method", metavar="METHOD", help="how you signed in, for programs that wrap this one"
    )
    _add_attach(new)
    _add_accept_stale(new)
    new.add_argument("--debug", metavar="FILE.json", type=Path, help="debug data; it is shown first")
    new.add_argument("--yes", action="store_true", help="agree to the debug data")


def _add_lifecycle(commands: _Commands) -> None:
    life = LifecycleCommands(_client, show_progress)
    _command(commands, "counts", life.counts, "show how many of your tickets have each status")
    _numbered(commands, "timeline", life.timeline, "show how a ticket came to its status")
    bell = _command(commands, "notifications", life.notifications, "show what there is to know, newest first")
    bell.add_argument("--unread", action="store_true", help="only what you have not seen")
    bell.add_argument("--mark-read", action="store_true", help="remember that you have seen all of it")
    _numbered(commands, "hide", life.hide, "keep a closed ticket out of the list on this device")
    add_erase(_numbered(commands, "erase", erase_command(_client), "erase a closed ticket for good"))
    _numbered(commands, "unhide", life.unhide, "show a hidden ticket in the list again")
    leave = _command(commands, "export", life.export, "write tickets into one file, to read and to verify")
    leave.add_argument("path", metavar="PATH", type=Path, help="the file to make, such as tickets.zip")
    leave.add_argument("numbers", metavar="NUMBER", nargs="*", help="which tickets; all by default")
    leave.add_argument("--no-files", action="store_true", help="leave attachments out")
    leave.add_argument("--force", action="store_true", help="replace an existing file")
    checking = _command(commands, "verify", verify, "verify an export, offline and without any keys")
    checking.add_argument("path", metavar="PATH", type=Path, help="the file")
    card = _command(commands, "card", life.card, "print a card with which the team can open a ticket for you")
    card.add_argument("--unlinked", action="store_true", help="do not join it to your other tickets")
    again = _numbered(commands, "follow-up", life.follow_up, "open a ticket that refers to one that is over")
    again.add_argument("text", metavar="TEXT", nargs="?", help="`-` or nothing: from standard input")
    again.add_argument("--subject", metavar="S", help="the old one's by default")
    again.add_argument("--category", metavar="C", help="the old one's by default")
    _add_form(again)
    _add_attach(again)
    _add_accept_stale(again)


def _add_numbered(commands: _Commands) -> None:
    _numbered(commands, "show", _show, "show a ticket")
    reply = _numbered(commands, "reply", _reply, "write into a ticket")
    reply.add_argument("text", metavar="TEXT", nargs="?", help="`-` or nothing: from standard input")
    _add_attach(reply)
    close = _numbered(commands, "close", _close, "close a ticket")
    close.add_argument("--note", metavar="TEXT", help="why; `-`: from standard input")
    reopen = _numbered(commands, "reopen", _reopen, "open a closed ticket again")
    reopen.add_argument("text", metavar="TEXT", nargs="?", help="why; `-` or nothing: from standard input")
    for writing in (reply, close, reopen):
        _add_accept_stale(writing)
    download = _numbered(commands, "download", _download, "save a file of a ticket; it is never opened")
    download.add_argument("name", metavar="NAME", help="as `show` lists it")
    download.add_argument("-o", "--output", metavar="PATH", type=Path, default=Path(), help="file or folder")
    download.add_argument("--force", action="store_true", help="replace an existing file")


def _add_form(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--priority", metavar="P", help="where users choose it")
    parser.add_argument(
        "--field",
        metavar="ID=VALUE",
        action="append",
        default=[],
        type=_pair,
        help="a further question's answer",
    )


def _add_attach(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--attach", metavar="PATH", action="append", default=[], help="a file; may be given several times"
    )


def _add_keyring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keyring", action="store_true", help="let the system's keyring keep the passphrase of new keys"
    )


def _add_accept_stale(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept-stale",
        action="store_true",
        help="send although nobody vouches for the list of administrators, where the team allows that",
    )


def _command(commands: _Commands, name: str, command: Command, told: str) -> argparse.ArgumentParser:
    """Add a command; it takes the common options behind its name too."""
    parser = commands.add_parser(name, help=told, description=told[0].upper() + told[1:] + ".")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.set_defaults(run=command)
    return parser


def _numbered(commands: _Commands, name: str, command: Command, told: str) -> argparse.ArgumentParser:
    parser = _command(commands, name, command, told)
    parser.add_argument("number", metavar="NUMBER", help="the ticket's number, T-XXXXX-XXXXX")
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} does not have the form ID=VALUE")
    return name, value


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
