"""Times as people name them: 2h, 3d, tomorrow, 2027-01-31, 2027-01-31T14:00."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from e2e_support.errors import UsageError

MORNING: Final = 8
"""Hour of a day that is named without one, where the clock of this computer stands."""
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(r"(\d{1,4})([mhdw])")


def parse_until(text: str, now: int) -> datetime:
    """Return the moment that a person names; days and hours are those of this computer, in summer and in winter.

    Args:
        text: a number with m, h, d or w; ``tomorrow``; a date or a time in ISO 8601.
        now: seconds since 1970.

    Raises:
        UsageError: ``bad_time`` for what is no time, or none to come.
    """
    found = _moment(text.strip().lower(), now)
    if found is None or found.timestamp() <= now:
        raise UsageError(
            "bad_time",
            f"{text!r} is no time to come",
            hint="Examples: 2h, 3d, 1w, tomorrow, 2027-01-31, 2027-01-31T14:00.",
        )
    return found


def _moment(text: str, now: int) -> datetime | None:
    if span := _SPAN.fullmatch(text):
        return datetime.fromtimestamp(now, UTC) + timedelta(**{_UNITS[span[2]]: int(span[1])})
    if text == "tomorrow":
        return _morning(datetime.fromtimestamp(now).astimezone() + timedelta(days=1))
    try:
        named = datetime.fromisoformat(text.upper())
        return _morning(named) if re.fullmatch(r"[\d-]+", text) else named.astimezone()
    except (ValueError, OverflowError):
        return None


def _morning(day: datetime) -> datetime:
    """Return that day's morning here; how far it is from UTC is that day's, which may not be today's."""
    return day.replace(hour=MORNING, minute=0, second=0, microsecond=0, tzinfo=None).astimezone()
