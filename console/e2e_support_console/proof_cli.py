"""The commands of ``e2e-admin`` about proofs: what convinces others that relay or team told two stories."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from e2e_support.errors import SupportError, UsageError
from e2e_support.proof import check_proof
from e2e_support_client.arguments import Commands, add_command, group
from e2e_support_client.model import utc
from e2e_support_client.plain import plain_text
from e2e_support_client.proof_file import check_proof_in, save_proof
from e2e_support_client.terminal import Json, Terminal, iso, stamp
from e2e_support_console.alarms import Alarm
from e2e_support_console.shell import unlocked, whole


def proof_commands(commands: Commands) -> None:
    """Add the commands.

    Args:
        commands: all commands.
    """
    proof = group(commands, "proof", "keep what convinces others that relay or team told two stories")
    add_command(proof, "list", _list, "list the proofs of this device's alarms")
    export = add_command(
        proof, "export", _export, "save a proof of this device's alarms, the newest by default"
    )
    export.add_argument("--number", metavar="N", type=whole(0), help="as `proof list` counts them")
    verify = add_command(proof, "verify", _verify, "check a proof; needs no keys and no network")
    for parser in (export, verify):
        parser.add_argument("path", metavar="PATH", type=Path)


async def _list(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        found = _proven(await team.alarms())
    terminal.show([_json(*one) for one in enumerate(found, 1)], _text(found))


async def _export(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        data = _chosen(await team.alarms(), options.number).proof
    await asyncio.to_thread(save_proof, options.path, data)
    shown = check_proof(data)
    terminal.show({"path": str(options.path), "shows": shown.words}, f"Saved: {options.path}\n{shown.words}")


async def _verify(options: Namespace, terminal: Terminal) -> None:
    shown = await asyncio.to_thread(check_proof_in, options.path)
    told: Json = {"team_id": shown.team_id.hex(), "kind": shown.kind.name.lower(), "shows": shown.words}
    terminal.show(told, f"{shown.words}\nTeam: {shown.team_id.hex()}")


def _proven(alarms: Sequence[Alarm]) -> list[Alarm]:
    """Return the alarms that have a proof, in the order in which they were met: their numbers stay what they are."""
    return sorted((one for one in reversed(alarms) if _holds(one.proof)), key=lambda one: one.first_at)


def _chosen(alarms: Sequence[Alarm], number: int | None) -> Alarm:
    """Return the alarm that a person names, or the one that was seen last."""
    found = _proven(alarms)
    if not found:
        raise UsageError("no_proof", "no alarm here has a proof", hint="See `e2e-admin alarms`.")
    if number is None:
        return next(one for one in alarms if one in found)  # they come with the newest first
    if not 0 < number <= len(found):
        raise UsageError("no_proof", f"there is no proof {number} here", hint="See `e2e-admin proof list`.")
    return found[number - 1]


def _holds(proof: bytes) -> bool:
    """An alarm's proof may be something that only this device understands."""
    if not proof:
        return False
    try:
        check_proof(proof)
    except SupportError:
        return False
    return True


def _json(number: int, alarm: Alarm) -> Json:
    told: Json = {
        "number": number,
        "found_at": iso(utc(alarm.first_at)),
        "shows": check_proof(alarm.proof).words,
        "ticket": alarm.number,
    }
    return told


def _text(found: list[Alarm]) -> str:
    if not found:
        return "There is no proof against the relay or the team on this device."
    lines = [
        plain_text(
            f"{number}  {stamp(utc(one.first_at))}  {check_proof(one.proof).words}  {one.number}".rstrip()
        )
        for number, one in enumerate(found, 1)
    ]
    return "\n".join([*lines, "", "Hand one on with `e2e-admin proof export PATH`."])
