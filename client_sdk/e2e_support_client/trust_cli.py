"""The commands of ``e2e-ticket`` about trust: the team, proofs against it, and the user's own keys."""

from __future__ import annotations

import argparse
import asyncio
import sys
from argparse import Namespace
from pathlib import Path

from e2e_support.errors import UsageError
from e2e_support.support_link import SupportLink
from e2e_support_client import render_trust as render
from e2e_support_client.arguments import Commands, add_command, group
from e2e_support_client.cli_client import WATCHED, keys_in, known_team, open_client
from e2e_support_client.people import ProofInfo, Registration
from e2e_support_client.progress_line import show_progress
from e2e_support_client.proof_file import check_proof_in, save_proof
from e2e_support_client.render import count, table
from e2e_support_client.terminal import Terminal, read_text
from e2e_support_keys.home import AFTER_CHANGE
from e2e_support_keys.phrase import from_phrase

_ALL_LOST = (
    "If you lose this device and the words, your tickets are lost to you: nobody can bring them back, not even\n"
    "the team."
)
_KEYS_MADE = (
    "Your keys are on this device alone. 24 words bring them back, and your tickets with them: write them on paper\n"
    f"now, with `e2e-ticket recovery`.\n{_ALL_LOST}"
)
_NEW_KEYS = (
    "New keys are for when somebody else may have yours: they cannot open what you write from now on.\n"
    "Your tickets until now stay readable and writable on this device, and whoever has the old keys can read them\n"
    "too. The old words restore only those; write down the new words, which restore only what comes now.\n"
)


async def _connect(options: Namespace, terminal: Terminal) -> None:
    SupportLink.parse(options.link)  # before anybody is asked for a passphrase
    if options.keyring:
        keys_in(options.home).use_keyring()
    async with open_client(options, terminal, options.link) as support:
        team = await support.verify_team()
        made = (await support.register(recovery="none")).created
        terminal.show(render.team_json(team), render.team_text(team) + (f"\n\n{_KEYS_MADE}" if made else ""))


# --- the team ----------------------------------------------------------------------------------------


async def _team(options: Namespace, terminal: Terminal) -> None:
    """Show who can read tickets, and what changed since the last look."""
    async with open_client(options, terminal) as support:
        team = await known_team(support, terminal)
        if options.compared:
            team = await support.confirm_team()
        changes = () if terminal.json else await support.team_news()  # programs did not look for the person
        terminal.show(render.whole_team_json(team), render.whole_team_text(team, changes))


# --- proofs ------------------------------------------------------------------------------------------


async def _list_proofs(options: Namespace, terminal: Terminal) -> None:
    """List what can be shown to others."""
    async with open_client(options, terminal) as support:
        proofs = await support.proofs()
        terminal.show(render.proofs_json(proofs), render.proofs_text(proofs))


async def _export_proof(options: Namespace, terminal: Terminal) -> None:
    """Write a proof to a file."""
    async with open_client(options, terminal) as support:
        proof = _chosen(await support.proofs(), options.number)
    await asyncio.to_thread(save_proof, options.path, proof.data)
    terminal.show({"path": str(options.path), "shows": proof.words}, f"Saved: {options.path}\n{proof.words}")


async def _verify_proof(options: Namespace, terminal: Terminal) -> None:
    """Check a proof from anybody; needs neither keys nor a network."""
    shown = await asyncio.to_thread(check_proof_in, options.path)
    terminal.show(render.shown_json(shown), render.shown_text(shown))


# --- the user's keys ---------------------------------------------------------------------------------


async def _restore(options: Namespace, terminal: Terminal) -> None:
    """Bring back keys and tickets from the 24 words, which are read and never given as an argument."""
    SupportLink.parse(options.link)
    phrase = read_text(None, "Type the 24 words of your recovery phrase.")
    from_phrase(phrase)  # before anybody is asked for a passphrase, and before keys are made
    if options.keyring:
        keys_in(options.home).use_keyring()
    async with open_client(options, terminal, options.link) as support:
        found = await support.restore(phrase, on_progress=show_progress(terminal))
        for event in (await support.news())[-1:]:
            await support.remember(WATCHED, event.cursor)  # what is restored is no news
    text = f"Your keys are back, and {count(found, 'ticket')} with them. See them with `e2e-ticket list`."
    terminal.show({"found": found}, text)


async def _recovery(options: Namespace, terminal: Terminal) -> None:
    """Show the words to whoever knows the passphrase: the keyring opens itself for whoever sits at the computer."""
    async with open_client(options, terminal, keystore=keys_in(options.home).typed()) as support:
        _tell_phrase(await support.register(), terminal)


async def _passphrase(options: Namespace, terminal: Terminal) -> None:
    """Lock the keys with another passphrase."""
    await asyncio.to_thread(keys_in(options.home).change_passphrase, options.new_passphrase_file)
    terminal.show({"state": "done"}, AFTER_CHANGE)


async def _new_keys(options: Namespace, terminal: Terminal) -> None:
    """Begin new keys once the person has read what that means."""
    if not options.yes:
        _confirm(terminal)
    async with open_client(options, terminal) as support:
        _tell_phrase(await support.new_keys(), terminal)


def _confirm(terminal: Terminal) -> None:
    """Do nothing if the person agrees; programs are told nothing but the refusal, and say so with ``--yes``.

    Raises:
        UsageError: ``not_confirmed``.
    """
    if not terminal.json:
        terminal.err.write(_NEW_KEYS)
    if sys.stdin.isatty() and not terminal.json:
        terminal.err.write("Begin new keys? Type yes: ")
        terminal.err.flush()
        if sys.stdin.readline().strip().lower() == "yes":
            return
    raise UsageError("not_confirmed", "nobody agreed to new keys", hint="Nothing was changed. Add --yes.")


def _tell_phrase(registration: Registration, terminal: Terminal) -> None:
    words = registration.recovery_phrase.split()
    rows = [words[at : at + 6] for at in range(0, len(words), 6)]
    text = (
        "These words bring back your keys and tickets on any device. Whoever has them can read your tickets:\n"
        f"write them on paper and keep it safe.\n{_ALL_LOST}\n\n" + table(rows)
    )
    terminal.show({"recovery_phrase": registration.recovery_phrase}, text)


def _chosen(proofs: tuple[ProofInfo, ...], which: int | None) -> ProofInfo:
    place = len(proofs) if which is None else which
    if not 0 < place <= len(proofs):
        raise UsageError(
            "no_proof", "there is no such proof on this device", hint="See `e2e-ticket proof list`."
        )
    return proofs[place - 1]


# --- arguments -------------------------------------------------------------------------------------------


def add_connect(commands: Commands) -> None:
    """Add the command with which everything begins."""
    connect = add_command(commands, "connect", _connect, "connect to a team and show how to make sure of it")
    connect.add_argument("link", metavar="LINK", help="the support link that the team publishes: e2es://…")
    _add_keyring(connect)


def add_trust_commands(commands: Commands) -> None:
    """Add the commands."""
    team = add_command(commands, "team", _team, "show who can read your tickets, and what changed there")
    team.add_argument("--compared", action="store_true", help="you have compared the words or digits")
    restore = add_command(commands, "restore", _restore, "bring back keys and tickets from your 24 words")
    restore.add_argument("link", metavar="LINK", help="the team's support link; the words are asked for")
    _add_keyring(restore)
    add_command(commands, "recovery", _recovery, "show the 24 words that bring your keys back")
    passphrase = add_command(commands, "passphrase", _passphrase, "lock your keys with another passphrase")
    passphrase.add_argument(
        "--new-passphrase-file", metavar="FILE", type=Path, help="holds the new one, instead of typing it"
    )
    new_keys = add_command(commands, "new-keys", _new_keys, "begin new keys, as after a theft")
    new_keys.add_argument("--yes", action="store_true", help="you know what it means")
    proofs = group(commands, "proof", "proofs against a relay or team")
    add_command(proofs, "list", _list_proofs, "list the proofs that this device has met")
    export = add_command(proofs, "export", _export_proof, "save a proof, the newest by default")
    _add_path(export, "a new file")
    export.add_argument(
        "--number", "--which", metavar="N", type=int, dest="number", help="as `proof list` counts them"
    )
    verify = add_command(proofs, "verify", _verify_proof, "check a proof; needs no keys and no network")
    _add_path(verify, "the file")


def _add_path(parser: argparse.ArgumentParser, told: str) -> None:
    parser.add_argument("path", metavar="PATH", type=Path, help=told)


def _add_keyring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keyring", action="store_true", help="let the system's keyring keep the passphrase of new keys"
    )
