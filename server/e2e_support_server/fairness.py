"""Nobody is silenced by somebody who writes faster: rates per writer class, and the head held in turns (§3.3)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from e2e_support_server.rules import Writer

HOLD_SECONDS = 3.0
KEPT = 50_000  # mailboxes and keys remembered; the oldest are forgotten first


class Rate:
    """A rate limit per key, as one number each: the time at which the key's account is even again.

    Args:
        per_second: what a key may do in the long run.
        burst: how much of it at once.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self._cost = 1 / per_second
        self._slack = burst / per_second
        self._even: OrderedDict[Hashable, float] = OrderedDict()

    def wait(self, key: Hashable, now: float, count: int = 1) -> float:
        """Count so many more and return 0, or return how many seconds to wait and count nothing."""
        even = max(self._even.get(key, 0.0), now)
        cost = self._cost * count
        if even - now > self._slack + self._cost:  # the clock was set back, which must not lock anybody out
            even = now
        late = even + cost - now - self._slack
        if late > 0:
            return late
        self._even[key] = even + cost
        self._even.move_to_end(key)
        if len(self._even) > KEPT:
            self._even.popitem(last=False)
        return 0.0


@dataclass(slots=True)
class _Hold:
    writer: Writer
    until: float

    def runs(self, now: float) -> bool:
        """Tell whether it is not over; one that ends later than any can is from before the clock was set back."""
        return now < self.until <= now + HOLD_SECONDS


class Turns:
    """Holds a mailbox's head for the class that was refused, against the other one, alternating."""

    def __init__(self) -> None:
        self._holds: OrderedDict[int, _Hold] = OrderedDict()

    def wait(self, mailbox: int, writer: Writer, now: float) -> float:
        """Return how long the head is still held against this class."""
        hold = self._holds.get(mailbox)
        if hold is None or hold.writer is writer or not hold.runs(now):
            return 0.0
        return hold.until - now

    def refused(self, mailbox: int, writer: Writer, now: float) -> None:
        """Hold the head for a class that lost it, unless the turn is the other's."""
        hold = self._holds.get(mailbox)
        if hold and (hold.writer is writer or hold.runs(now)):
            return
        self._holds[mailbox] = _Hold(writer, now + HOLD_SECONDS)
        if len(self._holds) > KEPT:
            self._holds.popitem(last=False)

    def stored(self, mailbox: int, writer: Writer) -> None:
        """Let go of the head: the class that held it wrote, or the other one had its turn."""
        hold = self._holds.get(mailbox)
        if hold is None:
            return
        if hold.writer is writer:
            hold.until = 0.0
        else:
            del self._holds[mailbox]
