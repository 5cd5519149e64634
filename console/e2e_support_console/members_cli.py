"""The commands of ``e2e-admin`` about people: how they come, and who is there."""

from __future__ import annotations

import argparse
import re
from argparse import Namespace
from datetime import UTC, datetime, timedelta

from e2e_support.errors import TransportError
from e2e_support.vocab import Role
from e2e_support_client import clock
from e2e_support_client.arguments import Commands, add_command, group
from e2e_support_client.plain import plain_text
from e2e_support_client.terminal import Json, Terminal, iso, stamp
from e2e_support_console.leaving_cli import leaving_commands
from e2e_support_console.members import INVITED_FOR
from e2e_support_console.people import Member
from e2e_support_console.shell import asked, keystore_in, offline, say_done, unlocked
from e2e_support_console.team import TeamClient

_UNITS = {"h": "hours", "d": "days"}
_LIFETIME_MAX = timedelta(days=90)  # whoever finds link and code later needs no door that is still open
_ROLES = {role.name.lower(): role for role in (Role.OWNER, Role.AGENT, Role.AUDITOR)}


def member_commands(commands: Commands) -> None:
    """Add the commands.

    Args:
        commands: all commands.
    """
    joining = add_command(commands, "join", _join, "join a team with a link and a code")
    joining.add_argument("link", metavar="LINK", help="of the invitation")
    joining.add_argument("--code", help="of the invitation; asked for if it is missing")
    joining.add_argument(
        "--language", metavar="L", action="append", default=[], help="one that you answer in"
    )
    joining.add_argument(
        "--keyring", action="store_true", help="let the system's keyring keep the passphrase"
    )
    members = group(commands, "member", "invite, approve, list and remove administrators")
    invite = add_command(members, "invite", _invite, "make an invitation: a link and a code")
    invite.add_argument("--name", default="", help="of the newcomer, as colleagues see it")
    invite.add_argument("--role", choices=_ROLES, default="agent", help="what they may do (default: agent)")
    invite.add_argument("--no-history", action="store_true", help="keep from them what was written before")
    invite.add_argument("--device", action="store_true", help="a further device of your own")
    invite.add_argument(
        "--expires",
        metavar="TIME",
        type=_lifetime,
        default=INVITED_FOR,
        help="how long they have to join, like 12h or 7d (default: 7d)",
    )
    uninvite = add_command(members, "uninvite", _uninvite, "withdraw an invitation")
    uninvite.add_argument("name", metavar="NAME")
    approve = add_command(members, "approve", _approve, "let a newcomer in whose words you have compared")
    approve.add_argument("name", metavar="NAME")
    approve.add_argument("--words", required=True, help="as the newcomer reads them out")
    add_command(members, "list", _list, "list who is, will be and was in the team")
    leaving_commands(members)


# --- people ----------------------------------------------------------------------------------------------


async def _invite(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        expires = datetime.fromtimestamp(clock.now(), UTC) + options.expires
        invitation = await team.members.invite(
            options.name,
            _ROLES[options.role],
            history=not options.no_history,
            device=options.device,
            expires=expires,
        )
        text = (
            f"Send this link one way:\n\n  {invitation.link}\n\n"
            f"and this code another, by telephone for example:\n\n  {invitation.code}\n\n"
            "Once they have joined, they read you eight words: e2e-admin member approve\n"
            f"Both must be done by {stamp(expires)}."
        )
        data: Json = {"link": invitation.link, "code": invitation.code, "expires": iso(expires)}
        terminal.show(data, text)


def _lifetime(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([hd])", text)
    lifetime = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < lifetime <= _LIFETIME_MAX:
        raise argparse.ArgumentTypeError(
            f"{text} is no time like 12h or 7d, of at most {_LIFETIME_MAX.days} days"
        )
    return lifetime


async def _uninvite(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await team.members.uninvite(options.name)
        data: Json = {"name": options.name, "state": "done"}
        terminal.show(data, f"The invitation of {options.name} is withdrawn.")


async def _join(options: Namespace, terminal: Terminal) -> None:
    code = options.code or asked("Code of the invitation: ")
    words = " ".join(
        await TeamClient.join(
            options.link,
            code=code,
            keystore=keystore_in(options.home, keyring=options.keyring),
            state_dir=options.home,
            languages=options.language,
        )
    )
    terminal.show({"words": words}, f"Read these words to whoever invited you:\n\n  {words}")


async def _approve(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        proposal = await team.members.approve(options.name, options.words)
        say_done(terminal, proposal, f"{options.name} is in the team.", name=options.name)


async def _list(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        try:
            await team.desk.team.refresh()
        except TransportError as error:
            terminal.tell(offline(error.message))
        members = await team.members.list()
        terminal.show([_member_json(one) for one in members], "\n".join(_member_text(one) for one in members))


# --- what people read -------------------------------------------------------------------------------------


def _member_json(member: Member) -> Json:
    devices = [{"id": one.device_id.hex(), "name": one.label} for one in member.devices]
    told: Json = {
        "name": member.name,
        "role": member.role.name.lower(),
        "state": member.state,
        "devices": devices,
        "expires": iso(member.expires),
    }
    return told


def _member_text(member: Member) -> str:
    ids = ", ".join(one.device_id.hex()[:8] for one in member.devices)
    devices = f"  ({len(member.devices)} devices: {ids})" if len(member.devices) > 1 else ""
    until = f"  (until {stamp(member.expires)})" if member.expires else ""
    return plain_text(f"{member.state:8}  {member.role.name.lower():8}  {member.name}{devices}{until}")
