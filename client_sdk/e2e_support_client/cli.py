"""The command ``e2e-ticket``: write to a team, read its answers, from any terminal or script."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from e2e_support_client.arguments import add_command
from e2e_support_client.lifecycle_cli import add_lifecycle_commands
from e2e_support_client.outbox_cli import add_outbox_commands
from e2e_support_client.policy_cli import show_policy
from e2e_support_client.terminal import Parser, run
from e2e_support_client.ticket_cli import add_ticket_commands
from e2e_support_client.trust_cli import add_connect, add_trust_commands
from e2e_support_client.watch_cli import add_watch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 refused, 2 wrongly called."""
    return run(_parser(), arguments)


def _parser() -> Parser:
    parser = Parser(prog="e2e-ticket", description="Write end-to-end encrypted support tickets.")
    parser.add_argument(
        "--home",
        metavar="DIR",
        type=Path,
        default=Path(platformdirs.user_data_dir("e2e-ticket")),
        help="keys and encrypted store (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="write data and errors as JSON")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_connect(commands)
    add_ticket_commands(commands)
    add_lifecycle_commands(commands)
    add_watch(commands)
    add_outbox_commands(commands)
    add_command(commands, "policy", show_policy, "show what the team asks for and promises")
    add_trust_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
