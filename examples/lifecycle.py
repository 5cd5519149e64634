"""The life of tickets in an application: what may be written today, what there is to know, what comes next.

python examples/lifecycle.py LINK [STATE_DIR]
"""

from __future__ import annotations

import asyncio
import sys

from e2e_support_client import Profile, SupportClient, UsageError


async def write(support: SupportClient) -> None:
    """Open a ticket if the team takes one more today; otherwise say from when on, and what to do instead."""
    try:
        ref = await support.tickets.create("No invoice", "The list is empty.", category="billing")
    except UsageError as error:  # a rule of the team: nothing has left this device
        print(error.code, error.details.get("resets_at", ""), error.hint)
        return
    today = await support.today()
    print(ref.number, ref.state, "left today:", today.left)


async def look(support: SupportClient) -> None:
    """Show what is new, how many tickets have each status, and what comes next in each."""
    for one in await support.notifications():
        print("*", one.number, one.text)
    await support.mark_notifications_read()
    print(await support.tickets.counts())
    for line in await support.tickets.list():
        ticket = await support.tickets.get(line.number)
        print(line.number, line.status_text, "until", ticket.reopen_until or ticket.closes_at or "-")
        print("  offers:", ", ".join(sorted(ticket.actions)))


async def main(link: str, state_dir: str | None = None) -> None:
    """Open a ticket, close it, follow its way and put it out of sight."""
    profile = Profile(name="Ada", auth_method="password")  # the team may refuse some ways to sign in
    async with SupportClient(link, state_dir=state_dir, profile=profile) as support:
        await support.verify_team()
        await write(support)
        await look(support)
        for line in await support.tickets.list(status="open"):
            await support.tickets.close(line.number, note="I have found it.")
            print(*(f"{step.status} ({step.by})" for step in await support.tickets.timeline(line.number)))
            if "hide" in (await support.tickets.get(line.number)).actions:
                await support.tickets.hide(line.number)
        print("in the list:", len(await support.tickets.list()))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
