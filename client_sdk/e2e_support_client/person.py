"""What a person at the terminal is asked: about debug data, and about text that looks like a secret."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from e2e_support.errors import UsageError
from e2e_support_client.client import SupportClient
from e2e_support_client.debug.collectors import document
from e2e_support_client.debug.report import DebugReport
from e2e_support_client.guard import Choice, Finding
from e2e_support_client.terminal import Terminal

DEBUG_FILE_MAX: Final = 1024 * 1024


def debug_data(path: Path) -> Mapping[str, object]:
    """Return the JSON object in a file.

    Raises:
        UsageError: ``bad_debug``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(DEBUG_FILE_MAX + 1)
        value: object = json.loads(data) if len(data) <= DEBUG_FILE_MAX else None
    except OSError as error:
        raise UsageError("bad_debug", f"{path}: {error.strerror}", hint="Check the path.") from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError("bad_debug", f"{path} holds no JSON object", hint="Write the data as {...}.")
    return cast("Mapping[str, object]", value)


def agreed(
    support: SupportClient, data: Mapping[str, object], options: Namespace, terminal: Terminal
) -> DebugReport | None:
    """Show exactly what would be encrypted, and ask; ``--yes`` has answered already."""
    report = support.collect(document(data, source=options.debug.name))
    print(f"Debug data, {report.size:,} bytes, that only the team can read:\n", file=terminal.err)
    print(report.preview("text"), end="\n\n", file=terminal.err)
    if options.yes:
        return report
    if not sys.stdin.isatty():
        raise UsageError("no_consent", "nobody agreed to the debug data", hint="Look at it, then add --yes.")
    if answer("Add it to the ticket? [y/N] ", terminal) in {"y", "yes"}:
        return report
    print("It is left out.", file=terminal.err)
    return None


def about_secrets(found: tuple[Finding, ...], terminal: Terminal) -> Choice:
    """Warn of what looks like a secret; without a person at the terminal the text stays as it is."""
    what = ", ".join(dict.fromkeys(finding.what for finding in found))
    hint = "If it is one, change it soon: the team will be able to read it."
    terminal.tell(UsageError("secret_found", f"the text seems to hold {what}", hint=hint))
    if terminal.json or not sys.stdin.isatty():
        return Choice.KEEP
    choice = answer("Remove, mask or keep it? [r/m/K] ", terminal)[:1]
    return {"r": Choice.REMOVE, "m": Choice.MASK}.get(choice, Choice.KEEP)


def answer(question: str, terminal: Terminal) -> str:
    """Return what a person answers to a question, in lower case."""
    print(question, end="", file=terminal.err, flush=True)
    return sys.stdin.readline().strip().lower()
