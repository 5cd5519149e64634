"""The commands of ``e2e-admin`` by which people go, and the support link that is to be published afterwards."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from e2e_support.ids import DeviceId
from e2e_support.wire import DeviceRecord
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.plain import plain_text
from e2e_support_client.terminal import Json, Terminal
from e2e_support_console.barriers import OnProgress
from e2e_support_console.loss import warn_of_one_owner
from e2e_support_console.people import owners_removed
from e2e_support_console.proposals import Proposal
from e2e_support_console.shell import say_done, synced, unlocked
from e2e_support_console.team import TeamClient


def leaving_commands(members: Commands) -> None:
    """Add the commands.

    Args:
        members: those of ``e2e-admin member``.
    """
    remove = add_command(members, "remove", _remove, "remove a member with all devices")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--device", metavar="ID", default="", help="only this device, as after a theft")
    leave = add_command(members, "leave", _leave, "let this device leave the team")
    leave.add_argument(
        "--everywhere", action="store_true", help="and your other devices, where it may do that"
    )


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
