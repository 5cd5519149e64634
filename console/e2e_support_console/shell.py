"""What the commands of ``e2e-admin`` share: the device's keys, the team they open, what is told on the way."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from getpass import getpass
from pathlib import Path

from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.limits import INT_MAX
from e2e_support_client.plain import plain_text
from e2e_support_client.render import count
from e2e_support_client.terminal import Json, Terminal
from e2e_support_console import render
from e2e_support_console.founding import STORE_NAME
from e2e_support_console.model import InboxTicket
from e2e_support_console.proposals import Proposal
from e2e_support_console.sync import SyncReport
from e2e_support_console.team import TeamClient
from e2e_support_keys.home import KeyHome
from e2e_support_keys.keystore import FileKeystore

KEYS_NAME = "device.key"


def keystore_in(home: Path, *, keyring: bool = False) -> FileKeystore:
    """Return where this device's keys are.

    Args:
        home: the device's directory.
        keyring: let the system's keyring keep the passphrase from now on.

    Raises:
        UsageError: ``keys_exist`` when there are keys already and the keyring is to begin.
    """
    kept = keys_in(home)
    if keyring:
        kept.use_keyring()
    return kept.keystore()


def keys_in(home: Path) -> KeyHome:
    """Return this device's keys with all that can be done to them.

    Args:
        home: the device's directory.
    """
    return KeyHome("e2e-admin", home / KEYS_NAME, home / STORE_NAME, "Passphrase of this device")


def asked(prompt: str) -> str:
    """Return a code that a person types unseen.

    Raises:
        UsageError: ``no_code`` where there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError("no_code", "the one-time code is missing", hint="Give it with --code.")
    return getpass(prompt)


async def unlocked(options: Namespace) -> AbstractAsyncContextManager[TeamClient]:
    """Return the console of this device's team; one that is open already for many commands stays open."""
    opened: TeamClient | None = getattr(options, "opened", None)
    return nullcontext(opened) if opened else await TeamClient.unlock(keystore_in(options.home), options.home)


async def synced(team: TeamClient, terminal: Terminal) -> bool:
    """Fetch what is new; a relay that is away or wrong is told, and what was known before is shown.

    Returns:
        Whether it makes sense to ask the relay for more.
    """

    def told(report: SyncReport) -> None:
        if report.left and not terminal.json and terminal.err.isatty():
            print(f"{count(report.left, 'mailbox')} still to be fetched …", file=terminal.err)

    try:
        report = await team.catch_up(told)
    except SupportError as error:
        away = isinstance(error, TransportError)
        terminal.tell(offline(error.message) if away else offline(error.message, error.hint))
        return False
    if report.trouble:
        message = f"something could not be fetched: {report.trouble.message}"
        terminal.tell(
            TransportError("incomplete", message, hint="It is tried again; see `e2e-admin alarms`.")
        )
    return True


def offline(why: str, hint: str = "Try again later.") -> TransportError:
    """Return the hint that goes with what was known before."""
    return TransportError("offline", f"this is what was known before: {why}", hint=hint)


def whole(least: int, most: int = INT_MAX) -> Callable[[str], int]:
    """Return what reads a whole number of a command line, and says which ones there are."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
            bounds = f"from {least} to {most}" if most < INT_MAX else f"from {least} on"
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number {bounds}")
        return int(text)

    return read


async def known(team: TeamClient, number: str) -> None:
    """Fetch what is new if the ticket is not known here yet."""
    if not await team.inbox.has(number):
        await team.catch_up()


def say_stored(terminal: Terminal, ticket: InboxTicket, what: str) -> None:
    """Tell that something is stored, and what became of the ticket."""
    data = {**render.ticket_json(ticket), "state": "stored"}
    terminal.show(data, f"{what}. {ticket.number} is now: {ticket.status_text}.")


def say_done(terminal: Terminal, proposal: Proposal | None, done: str, **data: str) -> None:
    """Tell that a change is carried out, or that it waits for more owners."""
    if proposal is None:
        terminal.show({**data, "state": "done"}, done)
        return
    told: Json = {**data, "state": "proposed", "proposal": proposal.number, "missing": proposal.missing}
    text = f"Proposed: {proposal_text(proposal)}\nOther owners run: e2e-admin cosign {proposal.number}"
    terminal.show(told, text)


def proposal_text(proposal: Proposal) -> str:
    """Return a proposal as people read it."""
    what = "; ".join(event.what for event in proposal.events)
    words = [
        f"\n   Before you sign, let {one.name} read these words to you: {' '.join(one.words)}"
        for one in proposal.newcomers
    ]
    return plain_text(f"{proposal.number}  {what} ({proposal.missing} more must sign){''.join(words)}")
