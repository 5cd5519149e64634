"""How commands show long work: one line on standard error that is written over, for people at a terminal only."""

from __future__ import annotations

from e2e_support_client.delivery import no_progress
from e2e_support_client.model import OnProgress, Progress
from e2e_support_client.plain import plain_line
from e2e_support_client.terminal import Terminal


def show_progress(terminal: Terminal) -> OnProgress:
    """Return what shows long work on standard error, for people at a terminal only."""
    if terminal.json or not terminal.err.isatty():
        return no_progress

    def show(at: Progress) -> None:
        share = min(100, at.done * 100 // max(1, at.total))
        what = {"admission": "Asking to be let in"}.get(
            at.phase, f"{at.phase.capitalize()} {plain_line(at.name)}"
        )
        end = "\n" if at.done >= at.total else ""
        terminal.err.write(f"\r\x1b[K{what}: {share} %{end}")
        terminal.err.flush()

    return show
