"""The client that a command works with: opened as its options ask, and what is told on the way."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from e2e_support.errors import SupportError, TransportError, TrustError, UsageError
from e2e_support_client import render
from e2e_support_client.assembly import KEYS_FILE, STORE_FILE
from e2e_support_client.client import SupportClient
from e2e_support_client.model import TicketRef
from e2e_support_client.people import Profile, TeamInfo
from e2e_support_client.person import about_secrets
from e2e_support_client.terminal import Terminal
from e2e_support_keys.home import KeyHome
from e2e_support_keys.keystore import Keystore

LOCK_WAIT: Final = timedelta(seconds=30)  # another command of the same person may be uploading
WATCHED: Final = "watch"  # name of the cursor up to which `watch` has told what happened


def open_client(
    options: Namespace, terminal: Terminal, link: str | None = None, keystore: Keystore | None = None
) -> SupportClient:
    """Return the client that the options ask for, to be entered.

    Args:
        options: ``home``, and of what it was given ``notify_email``, ``auth_method`` and ``accept_stale``.
        terminal: where to ask about what looks like a secret.
        link: a support link; the one that the keys belong to by default.
        keystore: another way to the keys.
    """
    return SupportClient(
        link,
        keystore=keystore or keys_in(options.home).keystore(),
        state_dir=options.home,
        profile=_profile(options),
        on_secret=lambda found: about_secrets(found, terminal),
        lock_wait=LOCK_WAIT,
        accept_stale=bool(getattr(options, "accept_stale", False)),
    )


def _profile(options: Namespace) -> Profile:
    given = {name: getattr(options, name, None) or "" for name in ("notify_email", "auth_method")}
    return Profile(**given)


def keys_in(home: Path) -> KeyHome:
    """Return the user's keys in a home."""
    return KeyHome("e2e-ticket", home / KEYS_FILE, home / STORE_FILE, "Passphrase for your support keys")


@asynccontextmanager
async def keeping(support: SupportClient) -> AsyncGenerator[None]:
    """Say where the words are that the block could not send.

    Raises:
        SupportError: as the block.
    """
    before = {item.key for item in await support.outbox.list()}
    try:
        yield
    except SupportError as error:
        with suppress(SupportError):
            kept = [item.key[:8] for item in await support.outbox.list() if item.key not in before]
            error.hint += f" What you wrote: e2e-ticket outbox --show {kept[-1]}" if kept else ""
        raise


async def known_team(support: SupportClient, terminal: Terminal) -> TeamInfo:
    """Return the team as the relay has it now, or as it was last verified."""
    try:
        return await support.verify_team()
    except TransportError as error:
        try:
            team = await support.known_team()
        except TrustError:
            raise error from None
        tell_offline(error.message, terminal)
        return team


def tell_state(ref: TicketRef, what: str, terminal: Terminal) -> None:
    """Tell how far something has come; ``what`` names it."""
    terminal.show(render.ref_json(ref), render.ref_text(ref, what))


def tell_offline(why: str, terminal: Terminal) -> None:
    """Say why what is shown is not what the relay has now; nothing for the empty text."""
    if why:
        message = f"this is what was known before: {why}"
        terminal.tell(UsageError("offline", message, hint="Try again when the relay can be reached."))
