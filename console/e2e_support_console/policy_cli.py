"""The commands of ``e2e-admin policy``: read the signed rules in words, compare them, change them."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Final

from e2e_support.errors import TransportError, UsageError
from e2e_support.policy import Policy
from e2e_support.policy_diff import policy_changes
from e2e_support.policy_form import policy_form
from e2e_support.presets import DEFAULT, DESCRIPTIONS, PRESETS
from e2e_support.ticket_state import DAY
from e2e_support_client import clock
from e2e_support_client.arguments import Commands, add_command, group
from e2e_support_client.terminal import Json, Terminal
from e2e_support_console.policy_editor import Preview
from e2e_support_console.policy_edits import GRAMMAR, edited
from e2e_support_console.policy_file import parse_policy
from e2e_support_console.policy_render import (
    changes_json,
    changes_text,
    presets_text,
    preview_json,
    preview_text,
    show_text,
)
from e2e_support_console.proposals import SIGNED_WITHIN
from e2e_support_console.shell import proposal_text, synced, unlocked, whole
from e2e_support_console.team import TeamClient

FILE_MAX: Final = 1024 * 1024  # bytes of JSON; a policy itself is far smaller


def policy_commands(commands: Commands) -> None:
    """Add the commands.

    Args:
        commands: all commands.
    """
    policy = group(commands, "policy", "read and change the signed rules of the team")
    add_command(
        policy, "show", _show, "tell the rules in words, and who enforces each; `--json`: all settings"
    )
    add_command(policy, "presets", _presets, "list ready-made policies")
    diff = add_command(policy, "diff", _diff, "tell what differs, setting by setting")
    diff.add_argument(
        "target",
        metavar="FILE|PRESET",
        nargs="?",
        help="what the policy would become; without it: what was changed since the preset it was made from",
    )
    diff.add_argument("--proposal", metavar="N", type=whole(1), help="what a proposal would change, in full")
    setting = add_command(policy, "set", _set, "change settings")
    setting.add_argument("edits", metavar="CHANGE", nargs="+", help="KEY=VALUE and others, see below")
    setting.formatter_class = RawDescriptionHelpFormatter
    setting.epilog = GRAMMAR
    applying = add_command(policy, "apply", _apply, "replace the whole policy by a file or a preset")
    applying.add_argument("target", metavar="FILE|PRESET", help="JSON as `policy show --json` writes it")
    for parser in (setting, applying):
        parser.add_argument("--yes", action="store_true", help="you have seen what it changes")


# --- reading ---------------------------------------------------------------------------------------------


async def _show(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await _refreshed(team, terminal)
        policy = team.policy.current
        terminal.show(policy_form(policy), show_text(policy, clock.now()))


async def _presets(_options: Namespace, terminal: Terminal) -> None:
    terminal.show([{"name": name, "text": text} for name, text in DESCRIPTIONS.items()], presets_text())


async def _diff(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await _refreshed(team, terminal)
        current = team.policy.current
        if options.proposal is not None:
            old, new = current, await team.policy.proposed(options.proposal)
        elif options.target is not None:
            old, new = current, await _named(options.target)
        else:
            old, new = PRESETS.get(current.preset, DEFAULT), current
        changes = policy_changes(old, new)
        terminal.show(changes_json(changes), changes_text(changes))


# --- changing --------------------------------------------------------------------------------------------


async def _set(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await synced(team, terminal)
        await _change(team, edited(team.policy.current, options.edits), options, terminal)


async def _apply(options: Namespace, terminal: Terminal) -> None:
    new = await _named(options.target)
    async with await unlocked(options) as team:
        await synced(team, terminal)
        await _change(team, new, options, terminal)


async def _change(team: TeamClient, new: Policy, options: Namespace, terminal: Terminal) -> None:
    """Show what would change, ask, and sign it."""
    preview = await team.policy.preview(new)
    told = preview_json(preview)
    if not preview.diff:
        terminal.show({**told, "state": "unchanged"}, "Nothing changes.")
        return
    _confirm(preview, options, terminal)
    proposal = await team.policy.apply(new, instead_of=preview.old)
    if proposal is None:
        text = "The new policy holds, for the relay and for every client that has seen it."
        terminal.show({**told, "state": "done"}, text)
        return
    state: dict[str, Json] = {
        "state": "proposed",
        "proposal": proposal.number,
        "missing": proposal.missing,
    }
    text = (
        f"Proposed: {proposal_text(proposal)}\nOther owners run: e2e-admin policy diff --proposal "
        f"{proposal.number}, then e2e-admin cosign {proposal.number}, within {SIGNED_WITHIN // DAY} days"
    )
    terminal.show(told | state, text)


def _confirm(preview: Preview, options: Namespace, terminal: Terminal) -> None:
    """Do nothing if the person agrees to what they were shown.

    Raises:
        UsageError: ``not_confirmed``.
    """
    if not terminal.json:
        terminal.err.write(preview_text(preview) + "\n\n")
    if options.yes:
        return
    if sys.stdin.isatty():
        terminal.err.write("Sign this policy for the whole team? Type yes: ")
        terminal.err.flush()
        if sys.stdin.readline().strip().lower() == "yes":
            return
    raise UsageError(
        "not_confirmed", "nobody agreed to the new policy", hint="Nothing was changed. Add --yes."
    )


# --- what commands share ---------------------------------------------------------------------------------


async def _refreshed(team: TeamClient, terminal: Terminal) -> None:
    """Bring the roster up to the relay; where that is away, what was known before is shown."""
    try:
        await team.desk.team.refresh()
    except TransportError as error:
        terminal.tell(error)


async def _named(target: str) -> Policy:
    """Return a preset, or the policy in a file."""
    preset = PRESETS.get(target)
    return preset if preset is not None else await asyncio.to_thread(_load, Path(target))


def _load(path: Path) -> Policy:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX + 1)
    except OSError as error:
        names = ", ".join(PRESETS)
        raise UsageError(
            "cannot_read", f"{path}: {error.strerror}", hint=f"Give a file, or one of: {names}."
        ) from None
    if len(data) > FILE_MAX:
        raise UsageError("cannot_read", f"{path}: this is no policy", hint="It is too large.")
    return parse_policy(data)
