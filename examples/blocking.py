"""The same without ``await``: a script, a Django view, a worker thread.

python examples/blocking.py LINK [STATE_DIR]
"""

from __future__ import annotations

import sys

from e2e_support_client import BlockingSupportClient, DebugReport, collectors


def agrees(report: DebugReport) -> bool:
    """Show debug data to the person and return their answer."""
    print(report.preview())
    return input("Add this to the ticket? [y/N] ").lower() == "y"


def main(link: str, state_dir: str | None = None) -> None:
    """Open a ticket with debug data and list what is open."""
    with BlockingSupportClient(link, state_dir=state_dir, consent=agrees) as support:
        print("Only", ", ".join(member.name for member in support.verify_team().members), "can read this.")
        ref = support.tickets.create(
            "No invoice", "The list is empty.", category="billing", debug=support.collect(collectors.runtime)
        )
        print(ref.number, ref.state)
        for ticket in support.tickets.list(status="open"):
            print(ticket.number, ticket.subject)


if __name__ == "__main__":
    main(*sys.argv[1:])
