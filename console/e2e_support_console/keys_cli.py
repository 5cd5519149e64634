"""The commands of ``e2e-admin`` about keys: rotation, recovery, the team's history."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from pathlib import Path

from e2e_support.errors import TransportError
from e2e_support_client.arguments import Commands, add_command, group
from e2e_support_client.model import utc
from e2e_support_client.plain import plain_text
from e2e_support_client.terminal import Json, Terminal, iso, read_text, stamp
from e2e_support_console.key_care import Recovery
from e2e_support_console.loss import ROTATED, SHEET
from e2e_support_console.shell import keys_in, keystore_in, say_done, synced, unlocked, whole
from e2e_support_console.team import TeamClient
from e2e_support_keys.audit import Finding
from e2e_support_keys.history import Event
from e2e_support_keys.home import AFTER_CHANGE


def key_commands(commands: Commands, team: Commands) -> None:
    """Add the commands.

    Args:
        commands: all commands.
        team: those of ``e2e-admin team``.
    """
    keys = group(commands, "keys", "rotate, check and recover the team's keys")
    add_command(keys, "rotate", _rotate, "begin new keys for the same devices")
    add_command(keys, "self-check", _self_check, "answer a test ticket and look through all keys")
    add_command(keys, "drill", _drill, "try the recovery sheets without changing anything")
    recovery = add_command(keys, "recovery", _recovery, "make a recovery sheet, shown once")
    recovery.add_argument(
        "--shares", metavar="N", type=whole(1), default=1, help="split it over so many sheets"
    )
    recovery.add_argument(
        "--threshold", metavar="K", type=whole(1), default=1, help="so many are needed together"
    )
    passphrase = add_command(
        keys, "passphrase", _passphrase, "lock this device's keys with another passphrase"
    )
    passphrase.add_argument(
        "--new-passphrase-file", metavar="FILE", type=Path, help="holds the new one, instead of typing it"
    )
    recover = add_command(commands, "recover", _recover, "make this device an owner with the recovery sheets")
    recover.add_argument("link", metavar="LINK", help="the team's support link")
    recover.add_argument("--name", default="Recovered owner", help="of the new owner (default: %(default)s)")
    recover.add_argument(
        "--keyring", action="store_true", help="let the system's keyring keep the passphrase"
    )
    add_command(team, "audit", _audit, "tell all that happened to the team, and what is wrong with its keys")


# --- keys ------------------------------------------------------------------------------------------------


async def _rotate(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        say_done(terminal, await team.keys.rotate(), f"New keys have begun. {ROTATED}")


async def _self_check(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        findings = await team.keys.self_check()
        data: Json = {"state": "ok", "findings": [_finding_json(one) for one in findings]}
        good = "A test ticket was opened and answered on this device."
        terminal.show(data, "\n".join([good, *(plain_text(one.what) for one in findings)]))


async def _drill(options: Namespace, terminal: Terminal) -> None:
    typed = _words()
    async with await unlocked(options) as team:
        closed = await team.keys.drill(typed)
        left = ", ".join(str(epoch) for epoch in closed)
        text = "This would bring the team back. Nothing was changed."
        terminal.show({"state": "ok", "closed_epochs": closed}, text + (left and f"\nLost epochs: {left}"))


async def _recovery(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        made = await team.keys.recovery(shares=options.shares, threshold=options.threshold)
        terminal.show(_recovery_json(made), "\n\n".join([*made.sheets, SHEET, *_waiting(made)]))


async def _passphrase(options: Namespace, terminal: Terminal) -> None:
    await asyncio.to_thread(keys_in(options.home).change_passphrase, options.new_passphrase_file)
    terminal.show({"state": "done"}, AFTER_CHANGE)


async def _recover(options: Namespace, terminal: Terminal) -> None:
    team = await TeamClient.recover(
        options.link,
        _words(),
        name=options.name,
        keystore=keystore_in(options.home, keyring=options.keyring),
        state_dir=options.home,
    )
    async with team:
        await synced(team, terminal)
        text = "This device is an owner now. Remove the devices that were lost: e2e-admin member remove"
        terminal.show({"name": options.name, "state": "done"}, text)


def _words() -> str:
    """Secrets never stand in arguments, where every user of the computer sees them."""
    return read_text("-", "The words of your recovery sheets.")


def _recovery_json(made: Recovery) -> Json:
    return {
        "shares": list(made.texts),
        "threshold": made.threshold,
        "sheets": list(made.sheets),
        "state": "proposed" if made.proposal else "done",
        "proposal": made.proposal.number if made.proposal else None,
    }


def _waiting(made: Recovery) -> list[str]:
    if made.proposal is None:
        return []
    return [f"It works once other owners have signed: e2e-admin cosign {made.proposal.number}"]


# --- history -------------------------------------------------------------------------------------------


async def _audit(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        try:
            await team.desk.team.refresh()
        except TransportError as error:
            terminal.tell(error)
        events = team.keys.history()
        findings = await team.keys.audit()
        fresh = await team.vouched_until()
        data = [*(_event_json(one) for one in events), *(_finding_json(one) for one in findings)]
        until = stamp(fresh) if fresh else "nobody vouches for this roster at the moment"
        lines = [*(_event_text(one) for one in events), *(one.what for one in findings)]
        lines.append(f"Users can send until: {until}")
        terminal.show(data, "\n".join(plain_text(line) for line in lines))


def _event_json(event: Event) -> Json:
    return {"seq": event.seq, "at": iso(utc(event.time)), "what": event.what, "by": list(event.by)}


def _event_text(event: Event) -> str:
    return f"{event.seq:4}  {stamp(utc(event.time))}  {event.what}"


def _finding_json(finding: Finding) -> Json:
    return {"seq": None, "at": None, "what": finding.what, "by": [], "finding": finding.code}
