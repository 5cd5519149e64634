"""The running day of a limit per day, and what is left of it (S2-10, I5).

The rules of time zones come from the system or from the package ``tzdata``: files, and the only ones that the core
reads. They belong to no decision on which two readers must agree. A reader that does not know a zone
takes UTC: a signed policy is never refused for it, which would split the team by the age of its computers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from e2e_support.policy_parts import DayBoundary, Limits

DAY = 24 * 3600


def day_bounds(limits: Limits, now: int) -> tuple[int, int]:
    """Return the running day: its first second, and the first second after it.

    Args:
        limits: say whether a day is a calendar day of a zone or the last 24 hours, this second among them.
        now: seconds since 1970.
    """
    if limits.day is DayBoundary.ROLLING:
        return now - DAY + 1, now + 1
    zone = zone_of(limits.zone)
    today = datetime.fromtimestamp(now, zone).date()
    return _midnight(today, zone), _midnight(today + timedelta(days=1), zone)


def left_today(limits: Limits, created: Iterable[int], now: int) -> tuple[int | None, int]:
    """Return how many tickets may still be opened today, and when that number rises again.

    Args:
        limits: of the policy.
        created: when tickets were received, seconds since 1970, in any order.
        now: seconds since 1970.

    Returns:
        (tickets left, ``None`` without a limit; seconds since 1970, 0 where nothing has to pass first). A receipt
        that is ahead of this clock counts as of today.
    """
    if not limits.create_per_day:
        return None, 0
    start, end = day_bounds(limits, now)
    counted = [time for time in created if time >= start]
    left = max(0, limits.create_per_day - len(counted))
    if limits.day is DayBoundary.CALENDAR:
        return left, end
    return left, min(counted) + DAY if counted else 0


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name; UTC where this computer does not know it."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # no such zone, no name at all, a folder of zones
        return UTC


def _midnight(day: date, zone: tzinfo) -> int:
    """Return when a day begins; where clocks are moved over midnight, the moment at which they are moved."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
