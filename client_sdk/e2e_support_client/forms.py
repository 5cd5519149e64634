"""Arguments that several of the user's commands take: what a form asks for, files, how to send."""

from __future__ import annotations

import argparse


def add_form(parser: argparse.ArgumentParser) -> None:
    """Let a command take what a team's form asks for besides the text."""
    parser.add_argument("--priority", metavar="P", help="where users choose it")
    parser.add_argument(
        "--field",
        metavar="ID=VALUE",
        action="append",
        default=[],
        type=_pair,
        help="a further question's answer",
    )


def add_attach(parser: argparse.ArgumentParser) -> None:
    """Let a command take files."""
    parser.add_argument(
        "--attach", metavar="PATH", action="append", default=[], help="a file; may be given several times"
    )


def add_accept_stale(parser: argparse.ArgumentParser) -> None:
    """Let a command write although nobody vouches for the team now."""
    parser.add_argument(
        "--accept-stale",
        action="store_true",
        help="send although nobody vouches for the list of administrators, where the team allows that",
    )


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} does not have the form ID=VALUE")
    return name, value
