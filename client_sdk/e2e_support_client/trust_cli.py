"""The commands of ``e2e-ticket`` about trust: the team, proofs against it, and the user's own keys."""

from __future__ import annotations

import argparse
import asyncio
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from e2e_support.errors import TransportError, TrustError, UsageError
from e2e_support.proof import Proof, check_proof
from e2e_support_client import render_trust as render
from e2e_support_client.client import SupportClient
from e2e_support_client.model import ProofInfo, TeamInfo
from e2e_support_client.terminal import Terminal

OpenClient = Callable[[Namespace, Terminal, str | None], SupportClient]


class TrustCommands:
    """The commands.

    Args:
        client: opens the client that the options ask for.
    """

    def __init__(self, client: OpenClient) -> None:
        self._client = client

    # --- the team ----------------------------------------------------------------------------------------

    async def team(self, options: Namespace, terminal: Terminal) -> None:
        """Show who can read tickets, and what changed since the last look."""
        async with self._client(options, terminal, None) as support:
            team = await _known(support, terminal)
            if options.compared:
                team = await support.confirm_team()
            changes = (
                () if terminal.json else await support.team_news()
            )  # programs did not look for the person
            terminal.show(render.whole_team_json(team), render.whole_team_text(team, changes))

    # --- proofs ------------------------------------------------------------------------------------------

    async def list_proofs(self, options: Namespace, terminal: Terminal) -> None:
        """List what can be shown to others."""
        async with self._client(options, terminal, None) as support:
            proofs = await support.proofs()
            terminal.show(render.proofs_json(proofs), render.proofs_text(proofs))

    async def export_proof(self, options: Namespace, terminal: Terminal) -> None:
        """Write a proof to a file."""
        async with self._client(options, terminal, None) as support:
            proof = _chosen(await support.proofs(), options.which)
        await asyncio.to_thread(_write, options.path, proof.data)
        terminal.show(
            {"path": str(options.path), "shows": proof.words}, f"Saved: {options.path}\n{proof.words}"
        )

    async def verify_proof(self, options: Namespace, terminal: Terminal) -> None:
        """Check a proof from anybody; needs neither keys nor a network."""
        shown = check_proof(await asyncio.to_thread(_read, options.path))
        terminal.show(render.shown_json(shown), render.shown_text(shown))


def add_path(parser: argparse.ArgumentParser, told: str) -> None:
    """Let a command take a path."""
    parser.add_argument("path", metavar="PATH", type=Path, help=told)


async def _known(support: SupportClient, terminal: Terminal) -> TeamInfo:
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
