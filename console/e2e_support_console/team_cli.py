"""The commands of ``e2e-admin`` about the team as a whole: changes that wait for owners, how many must agree."""

from __future__ import annotations

from argparse import Namespace

from e2e_support.limits import DEVICES_MAX
from e2e_support_client.arguments import Commands, add_command
from e2e_support_client.terminal import Json, Terminal
from e2e_support_console.leaving_cli import say_gone
from e2e_support_console.people import owners_removed
from e2e_support_console.proposals import Proposal
from e2e_support_console.shell import proposal_text, say_done, unlocked, whole


def team_commands(commands: Commands, team: Commands) -> None:
    """Add the commands.

    Args:
        commands: all commands.
        team: those of ``e2e-admin team``.
    """
    add_command(commands, "proposals", _proposals, "list the changes that wait for more owners")
    cosigning = add_command(
        commands, "cosign", _cosign, "sign a proposal; the last one needed carries it out"
    )
    cosigning.add_argument("number", metavar="N", type=whole(1), help="as `proposals` lists it")
    threshold = add_command(team, "threshold", _threshold, "set how many owners must agree")
    threshold.add_argument("owners", metavar="K", type=whole(1, DEVICES_MAX), help="1 to 256")


# --- proposals -------------------------------------------------------------------------------------------


async def _proposals(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        proposals = await team.proposals.list()
        text = "\n".join(proposal_text(one) for one in proposals) or "Nothing waits for more owners."
        terminal.show([_proposal_json(one) for one in proposals], text)


async def _cosign(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        await team.desk.team.refresh()
        before = owners_removed(team.desk.roster)
        proposal = await team.proposals.cosign(options.number)
        say_gone(team, terminal, before, proposal, "Signed, and carried out.")


async def _threshold(options: Namespace, terminal: Terminal) -> None:
    async with await unlocked(options) as team:
        proposal = await team.members.set_threshold(options.owners)
        one = options.owners == 1
        agree = "one owner is enough" if one else f"{options.owners} owners must agree"
        say_done(terminal, proposal, f"From now on {agree}.")


# --- what people read ------------------------------------------------------------------------------------


def _proposal_json(proposal: Proposal) -> Json:
    return {
        "number": proposal.number,
        "what": [event.what for event in proposal.events],
        "by": sorted({name for event in proposal.events for name in event.by}),
        "missing": proposal.missing,
        "newcomers": [{"name": one.name, "words": list(one.words)} for one in proposal.newcomers],
    }
