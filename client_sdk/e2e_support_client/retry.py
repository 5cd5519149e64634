"""How often and after which pause an unreachable relay is asked again: full jitter, and the relay's own wish.

Full jitter is from Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: clients that failed
together do not come back together.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e_support.crypto.secret import Random


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again.

    Attributes:
        attempts: how often a call is tried in all.
        base: upper bound of the first pause in seconds; it doubles with every further one.
        cap: no pause is longer; a relay that asks for more makes the call fail at once.
    """

    attempts: int = 4
    base: float = 0.5
    cap: float = 20.0

    def pause(self, failed: int, retry_after: float | None, random: Random) -> float | None:
        """Return how many seconds to wait before the next attempt, or ``None`` to give up.

        Args:
            failed: how many attempts have failed, at least one.
            retry_after: seconds that the relay asked to wait.
            random: source of the jitter.
        """
        asked = retry_after or 0.0
        if failed >= self.attempts or asked > self.cap:
            return None
        jitter = int.from_bytes(random(4), "big") / 2**32
        return asked + jitter * min(self.cap - asked, self.base * 2.0 ** (failed - 1))


DEFAULT_RETRY = RetryPolicy()
"""Tries for a few seconds."""

NO_RETRY = RetryPolicy(attempts=1)
"""Tries once; for callers that have a loop of their own."""
