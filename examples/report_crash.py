"""A program that crashes, shows what a report of the crash would hold, and sends it if the person agrees.

    python examples/report_crash.py LINK [STATE_DIR]

The passphrase of the user's keys is asked for, or read from the file that ``E2ES_PASSPHRASE_FILE`` names.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from e2e_support_client import FileSpec, Progress, SupportClient, collectors

log = logging.getLogger("calendar")


def show(at: Progress) -> None:
    """Tell how far an upload is."""
    if at.phase == "upload":
        print(f"{at.name}: {at.done * 100 // at.total} %")


def open_the_calendar() -> None:
    """Crash."""
    log.warning("opening the calendar of ada@example.org")
    raise ValueError("the appointment has no end")


async def report_crash(support: SupportClient, error: Exception) -> None:
    """Send a report of a crash, if the person agrees to it."""
    report = support.collect(collectors.exception(error), collectors.log_tail(lines=200))
    report.drop("env.*", "runtime.hostname")
    print(report.preview())  # exactly what will be encrypted
    answer = await asyncio.to_thread(input, "Send this? [y/N] ")
    if answer.lower() != "y":
        return
    ref = await support.tickets.create(
        "Crash when opening the calendar",
        "It closes at once.",
        category="bug",
        debug=report,
        attachments=[FileSpec(b'{"view": "week"}', name="state.json")],
        on_progress=show,
    )
    print("stored" if ref.state == "stored" else "kept; it is sent when the network is back", ref.number)


async def main(link: str, state_dir: str | None = None) -> None:
    """Run the program."""
    logging.getLogger().addHandler(collectors.LogBuffer())
    always = (collectors.runtime, collectors.packages("aiohttp"), collectors.environment())
    try:
        open_the_calendar()
    except ValueError as error:
        async with SupportClient(link, state_dir=state_dir, collectors=always) as support:
            await report_crash(support, error)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
