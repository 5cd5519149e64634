"""The room's only clock and its only source of randomness; everything else is handed them as arguments."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from e2e_support.crypto.secret import Random

Clock = Callable[[], int]
"""Returns whole seconds since 1970."""

random: Final[Random] = os.urandom
"""Returns as many random bytes as asked for."""


def now() -> int:
    """Return the time in whole seconds since 1970, as it stands in entries and requests."""
    return int(time.time())


def is_over(moment: int, seconds: int) -> bool:
    """Tell whether so many seconds have passed since a moment; one ahead is from before the clock was set back."""
    return not 0 <= now() - moment < seconds
