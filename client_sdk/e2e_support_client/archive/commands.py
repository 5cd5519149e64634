"""The commands ``export`` and ``verify``: what they print, and verifying, which needs neither keys nor network."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import Final

from e2e_support_client.archive.checking import CheckedExport, CheckedTicket, check_export
from e2e_support_client.plain import plain_line
from e2e_support_client.render import count, table
from e2e_support_client.terminal import Json, Terminal, iso, stamp

_UNPROVEN: Final = (
    "That is what was really written, and when the relay took it. The pages in the file are the exporter's own words,\n"
    "and newer entries may have been left out."
)


async def verify(options: Namespace, terminal: Terminal) -> None:
    """Verify an export offline.

    Args:
        options: ``path``.
        terminal: where to.
    """
    checked = await asyncio.to_thread(check_export, options.path)
    terminal.show(_export_json(checked), _export_text(checked))


def exported_text(tickets: int, path: object) -> str:
    """Return what is said once an export is written."""
    return (
        f"{count(tickets, 'ticket')} written to {path}\n"
        "It holds everything in the clear: keep it as you keep the tickets themselves.\n"
        "Anybody can verify it offline: e2e-ticket verify, or e2e-admin verify."
    )


def _export_json(checked: CheckedExport) -> dict[str, Json]:
    return {
        "team": checked.team,
        "words": " ".join(checked.words),
        "exported_at": iso(checked.exported_at),
        "by": checked.by or "user",
        "removed": checked.removed,
        "tickets": [_ticket_json(ticket) for ticket in checked.tickets],
    }


def _ticket_json(ticket: CheckedTicket) -> dict[str, Json]:
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "status": ticket.status,
        "entries": {verdict.name.lower(): number for verdict, number in ticket.verdicts.items()},
        "notes": ticket.notes,
        "files": ticket.files,
    }


def _export_text(checked: CheckedExport) -> str:
    who = f"administrator {plain_line(checked.by)}" if checked.by else "the user"
    if checked.removed:
        who += ", whom the team had removed before"
    rows = [
        (
            ticket.number,
            plain_line(ticket.status),
            ", ".join(f"{number} {verdict.name.lower()}" for verdict, number in ticket.verdicts.items()),
            count(ticket.files, "file"),
            plain_line(ticket.subject),
        )
        for ticket in checked.tickets
    ]
    return (
        f"Everything in it holds. Exported by {who}, {stamp(checked.exported_at)}, as they say.\n"
        f"Team: {plain_line(checked.team)}. It is the right one if these are its words:\n\n"
        f"  {' '.join(checked.words)}\n\n{table(rows) if rows else 'No tickets.'}\n\n{_UNPROVEN}"
    )
