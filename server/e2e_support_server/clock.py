"""The room's only clock; everything else is handed a time or this function."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since 1970."""


def now() -> float:
    """Return the time in seconds since 1970."""
    return time.time()
