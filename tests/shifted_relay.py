"""A relay as a process of its own whose clock a test moves while it runs: ``python shifted_relay.py FILE ARGUMENTS``.

shift = Shift(tmp_path / "clock")
with relay_process(tmp_path / "relay", shift=shift): shift.to(3 * DAY)

The whole process lives by that clock, the Date of its answers included; the relay itself knows nothing of it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shift:
    """How far a relay's clock is ahead of the true one.

    Attributes:
        file: where relay and test say so to each other.
    """

    file: Path

    def __post_init__(self) -> None:
        """Begin with the true time."""
        self.to(0)

    @property
    def command(self) -> list[str]:
        """What runs ``e2e-relay`` by this clock."""
        return [sys.executable, __file__, str(self.file)]

    def to(self, seconds: float) -> None:
        """Set the clock so many seconds ahead, or back, at once."""
        new = self.file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.file)


def live_by(file: Path) -> None:
    """Let this process tell the time by a shift."""
    true = time.time
    time.time = lambda: true() + float(file.read_text())


if __name__ == "__main__":
    live_by(Path(sys.argv.pop(1)))
    from e2e_support_server.cli import main

    sys.exit(main())
