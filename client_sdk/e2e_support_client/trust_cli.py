"""The commands of ``e2e-ticket`` about trust: the team, proofs against it, and the user's own keys."""

from __future__ import annotations

import argparse
import asyncio
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final

from e2e_support.errors import TransportError, TrustError, UsageError
from e2e_support.proof import Proof, check_proof
from e2e_support.support_link import SupportLink
from e2e_support_client import render_trust as render
from e2e_support_client.assembly import KEYS_FILE, STORE_FILE
from e2e_support_client.client import SupportClient
from e2e_support_client.model import OnProgress, ProofInfo, Registration, TeamInfo
from e2e_support_client.render import count, table
from e2e_support_client.terminal import Terminal, read_text
from e2e_support_keys.home import AFTER_CHANGE, KeyHome
from e2e_support_keys.keystore import Keystore
from e2e_support_keys.phrase import from_phrase

OpenClient = Callable[[Namespace, Terminal, str | None, Keystore | None], SupportClient]
ShowProgress = Callable[[Terminal], OnProgress]
WATCHED: Final = "watch"  # name of the cursor up to which `watch` has told what happened
_ALL_LOST = (
    "If you lose this device and the words, your tickets are lost to you: nobody can bring them back, not even\n"
    "the team."
)
NEW_KEYS_MADE: Final = (
    "Your keys are on this device alone. 24 words bring them back, and your tickets with them: write them on paper\n"
    f"now, with `e2e-ticket recovery`.\n{_ALL_LOST}"
)
_NEW_KEYS = (
    "New keys are for when somebody else may have yours: they cannot open what you write from now on.\n"
    "Your tickets until now stay readable and writable on this device, and whoever has the old keys can read them\n"
    "too. The old words restore only those; write down the new words, which restore only what comes now.\n"
)


class TrustCommands:
    """The commands.

    Args:
        client: opens the client that the options ask for.
        progress: shows long work.
    """

    def __init__(self, client: OpenClient, progress: ShowProgress) -> None:
        self._client = client
        self._progress = progress

    # --- the team ----------------------------------------------------------------------------------------

    async def team(self, options: Namespace, terminal: Terminal) -> None:
        """Show who can read tickets, and what changed since the last look."""
        async with self._client(options, terminal, None, None) as support:
            team = await known_team(support, terminal)
            if options.compared:
                team = await support.confirm_team()
            changes = (
                () if terminal.json else await support.team_news()
            )  # programs did not look for the person
            terminal.show(render.whole_team_json(team), render.whole_team_text(team, changes))

    # --- proofs ------------------------------------------------------------------------------------------

    async def list_proofs(self, options: Namespace, terminal: Terminal) -> None:
        """List what can be shown to others."""
        async with self._client(options, terminal, None, None) as support:
            proofs = await support.proofs()
            terminal.show(render.proofs_json(proofs), render.proofs_text(proofs))

    async def export_proof(self, options: Namespace, terminal: Terminal) -> None:
        """Write a proof to a file."""
        async with self._client(options, terminal, None, None) as support:
            proof = _chosen(await support.proofs(), options.number)
        await asyncio.to_thread(_write, options.path, proof.data)
        terminal.show(
            {"path": str(options.path), "shows": proof.words}, f"Saved: {options.path}\n{proof.words}"
        )

    async def verify_proof(self, options: Namespace, terminal: Terminal) -> None:
        """Check a proof from anybody; needs neither keys nor a network."""
        shown = check_proof(await asyncio.to_thread(_read, options.path))
        terminal.show(render.shown_json(shown), render.shown_text(shown))

    # --- the user's keys ---------------------------------------------------------------------------------

    async def restore(self, options: Namespace, terminal: Terminal) -> None:
        """Bring back keys and tickets from the 24 words, which are read and never given as an argument."""
        SupportLink.parse(options.link)
        phrase = read_text(None, "Type the 24 words of your recovery phrase.")
        from_phrase(phrase)  # before anybody is asked for a passphrase, and before keys are made
        if options.keyring:
            keys_in(options.home).use_keyring()
        async with self._client(options, terminal, options.link, None) as support:
            found = await support.restore(phrase, on_progress=self._progress(terminal))
            for event in (await support.news())[-1:]:
                await support.remember(WATCHED, event.cursor)  # what is restored is no news
        text = f"Your keys are back, and {count(found, 'ticket')} with them. See them with `e2e-ticket list`."
        terminal.show({"found": found}, text)

    async def recovery(self, options: Namespace, terminal: Terminal) -> None:
        """Show the words to whoever knows the passphrase: the keyring opens itself for whoever sits at the computer."""
        async with self._client(options, terminal, None, keys_in(options.home).typed()) as support:
            _tell_phrase(await support.register(), terminal)

    async def passphrase(self, options: Namespace, terminal: Terminal) -> None:
        """Lock the keys with another passphrase."""
        await asyncio.to_thread(keys_in(options.home).change_passphrase, options.new_passphrase_file)
        terminal.show({"state": "done"}, AFTER_CHANGE)

    async def new_keys(self, options: Namespace, terminal: Terminal) -> None:
        """Begin new keys once the person has read what that means."""
        if not options.yes:
            _confirm(terminal)
        async with self._client(options, terminal, None, None) as support:
            _tell_phrase(await support.new_keys(), terminal)


def keys_in(home: Path) -> KeyHome:
    """Return the user's keys in a home."""
    return KeyHome("e2e-ticket", home / KEYS_FILE, home / STORE_FILE, "Passphrase for your support keys")


def add_path(parser: argparse.ArgumentParser, told: str) -> None:
    """Let a command take a path."""
    parser.add_argument("path", metavar="PATH", type=Path, help=told)


async def known_team(support: SupportClient, terminal: Terminal) -> TeamInfo:
    """Return the team as the relay has it now, or as it was last verified."""
    try:
        return await support.verify_team()
    except TransportError as error:
        try:
            team = await support.known_team()
        except TrustError:
            raise error from None
        message = f"this is what was known before: {error.message}"
        terminal.tell(UsageError("offline", message, hint="Try again when the relay can be reached."))
        return team


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


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError("file_exists", f"{path} exists", hint="Choose another name.") from None
    except OSError as error:
        raise UsageError("cannot_write", f"{path}: {error.strerror}", hint="Check the path.") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(Proof.LIMIT + 1)
    except OSError as error:
        raise UsageError("cannot_read", f"{path}: {error.strerror}", hint="Check the path.") from None
