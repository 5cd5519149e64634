"""The commands of ``e2e-admin`` about people: how they come, who is there, how they go."""

from __future__ import annotations

import argparse
import re
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from e2e_support.errors import TransportError
from e2e_support.ids import DeviceId
from e2e_support.vocab import Role
from e2e_support.wire import DeviceRecord
from e2e_support_client import clock
from e2e_support_client.plain import plain_text
from e2e_support_client.terminal import Json, Terminal, iso, stamp
from e2e_support_console.barriers import OnProgress
from e2e_support_console.loss import warn_of_one_owner
from e2e_support_console.members import INVITED_FOR
from e2e_support_console.people import Member, owners_removed
from e2e_support_console.proposals import Proposal
from e2e_support_console.shell import (
    Commands,
    add_command,
    asked,
    group,
    keystore_in,
    offline,
    say_done,
    synced,
    unlocked,
)
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
    remove = add_command(members, "remove", _remove, "remove a member with all devices")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--device", metavar="ID", default="", help="only this device, as after a theft")
    leave = add_command(members, "leave", _leave, "let this device leave the team")
    leave.add_argument(
        "--everywhere", action="store_true", help="and your other devices, where it may do that"
    )


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


async def _remove(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await synced(team, terminal)
        gone = team.members.devices_of(options.name, options.device)
        warn_of_one_owner(terminal, team.desk.roster, gone)
        before = owners_removed(team.desk.roster)
        proposal = await team.members.remove(options.name, _progress(terminal), device=options.device)
        what = f"A device of {options.name}" if options.device else options.name
        say_gone(team, terminal, before, proposal, f"{what} is removed.", name=options.name)


def _progress(terminal: Terminal) -> OnProgress:
    def told(done: int, total: int) -> None:
        if not terminal.json and terminal.err.isatty():
            print(f"{done} of {total} tickets know of the removal …", file=terminal.err)

    return told


async def _leave(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await team.desk.team.refresh()
        warn_of_one_owner(terminal, team.desk.roster, _own_devices(team, everywhere=options.everywhere))
        before = owners_removed(team.desk.roster)
        staying = await team.members.leave(everywhere=options.everywhere, on_progress=_progress(terminal))
        text = [
            "This device has left. Others begin new keys when they are online.",
            *_staying_text(staying, options),
        ]
        link = _link_to_publish(team, before)
        data: Json = {"state": "done", "staying": [one.label for one in staying], **_link_json(link)}
        terminal.show(data, "\n".join([*text, *_link_text(link)]))


def _own_devices(team: TeamClient, *, everywhere: bool) -> list[DeviceId]:
    """Return the devices that leave: this one, or all of its person."""
    own = team.desk.bundle
    return (
        [record.device_id for record in team.desk.roster.members.get(own.member_id, ())]
        if everywhere
        else [own.device_id]
    )


def _staying_text(staying: Sequence[DeviceRecord], options: Namespace) -> list[str]:
    if not staying:
        return []
    names = plain_text(", ".join(one.label for one in staying))
    if options.everywhere:
        return [
            f"These devices of yours stay, since this one may not remove them: {names}. Leave on each of them."
        ]
    return [f"Your other devices stay in the team: {names}. Leave on each of them."]


# --- the link after an owner has gone --------------------------------------------------------------------


def _link_to_publish(team: TeamClient, before: frozenset[DeviceId]) -> str:
    """Return the support link that is to be published now; empty if no owner has gone since then."""
    return team.link if owners_removed(team.desk.roster) - before else ""


def _link_json(link: str) -> dict[str, str]:
    return {"link": link} if link else {}


def _link_text(link: str) -> list[str]:
    if not link:
        return []
    return [
        "An owner has gone: publish this support link. With it nobody can be shown the list from before.",
        f"\n  {link}\n",
        "Links that people have already go on working.",
    ]


def say_gone(
    team: TeamClient,
    terminal: Terminal,
    before: frozenset[DeviceId],
    proposal: Proposal | None,
    done: str,
    **data: str,
) -> None:
    """Tell that a change is carried out or waits, with the link to publish where an owner has gone by it.

    Args:
        team: the console.
        terminal: where people read.
        before: ``owners_removed`` before the change.
        proposal: what waits for other owners.
        done: what to say once it is carried out.
        data: told besides in JSON.
    """
    link = _link_to_publish(team, before)
    say_done(terminal, proposal, "\n".join([done, *_link_text(link)]), **data, **_link_json(link))


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
