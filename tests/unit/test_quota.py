"""The running day: midnight in a zone, days on which clocks are moved, the last 24 hours, what is left of a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_support.policy_parts import DayBoundary, Limits
from e2e_support.presets import DEFAULT
from e2e_support.quota import DAY, day_bounds, left_today, zone_of

HOUR = 3600
YEAR_2020 = 1_577_836_800


def limits(zone: str = "UTC", *, a_day: int = 5, day: DayBoundary = DayBoundary.CALENDAR) -> Limits:
    """Return limits with a zone."""
    return replace(DEFAULT.limits, zone=zone, create_per_day=a_day, day=day)


def at(moment: str) -> int:
    """Return a moment in UTC as seconds since 1970."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("zone", "now", "start", "end"),
    [
        ("UTC", "2026-11-22T00:00:00", "2026-11-22T00:00:00", "2026-11-23T00:00:00"),
        ("UTC", "2026-11-22T23:59:59", "2026-11-22T00:00:00", "2026-11-23T00:00:00"),
        ("Europe/Berlin", "2026-11-22T23:30:00", "2026-11-22T23:00:00", "2026-11-23T23:00:00"),
        ("Asia/Kolkata", "2026-11-22T18:29:59", "2026-11-21T18:30:00", "2026-11-22T18:30:00"),
        # clocks go forward at 02:00: a day of 23 hours; back at 03:00: one of 25
        ("Europe/Berlin", "2026-03-29T12:00:00", "2026-03-28T23:00:00", "2026-03-29T22:00:00"),
        ("Europe/Berlin", "2026-10-25T12:00:00", "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
        # clocks go forward at midnight itself: the day begins at one o'clock
        ("Africa/Cairo", "2026-04-24T12:00:00", "2026-04-23T22:00:00", "2026-04-24T21:00:00"),
        # clocks go back from one to midnight: the day begins at the first of the two
        ("America/Havana", "2026-11-01T12:00:00", "2026-11-01T04:00:00", "2026-11-02T05:00:00"),
        # a whole day that was left out
        ("Pacific/Apia", "2011-12-30T09:59:59", "2011-12-29T10:00:00", "2011-12-30T10:00:00"),
        ("Pacific/Apia", "2011-12-30T10:00:00", "2011-12-30T10:00:00", "2011-12-31T10:00:00"),
    ],
)
def test_a_calendar_day_begins_at_midnight_of_the_zone(zone: str, now: str, start: str, end: str) -> None:
    """The bounds are the local midnights around a moment, also on days of 23 and 25 hours (S2-10, I5)."""
    assert day_bounds(limits(zone), at(now)) == (at(start), at(end))


@given(st.sampled_from(sorted(available_timezones())), st.integers(YEAR_2020, 4_000_000_000))
def test_every_moment_lies_in_its_day(zone: str, now: int) -> None:
    """In every zone and at every moment the day holds that moment, and the next day begins where it ends."""
    start, end = day_bounds(limits(zone), now)
    assert start <= now < end
    assert day_bounds(limits(zone), end)[0] == end
    assert day_bounds(limits(zone), start) == (start, end)


@pytest.mark.parametrize("zone", ["Atlantis/Capital", "Europe", "", "..", "x" * 64])
def test_an_unknown_zone_is_utc(zone: str) -> None:
    """A computer that does not know a zone, or takes a folder for one, counts by UTC instead of failing."""
    assert zone_of(zone) is UTC
    assert day_bounds(limits(zone), at("2026-11-22T12:00:00"))[0] == at("2026-11-22T00:00:00")


def test_a_known_zone_is_found() -> None:
    """Zones that the policy may name are there on every computer, since their rules come with the program."""
    assert zone_of("Europe/Berlin") == ZoneInfo("Europe/Berlin")


def test_a_rolling_day_is_the_last_24_hours() -> None:
    """It ends with this second and is as long as a day."""
    now = at("2026-11-22T12:00:00")
    start, end = day_bounds(limits(day=DayBoundary.ROLLING), now)
    assert (end - start, end) == (DAY, now + 1)


def test_what_is_left_of_a_calendar_day() -> None:
    """Tickets of today count, those of yesterday do not, and all come back at midnight (S2-10)."""
    now, end = at("2026-11-22T12:00:00"), at("2026-11-23T00:00:00")
    yesterday, today = at("2026-11-21T23:59:59"), at("2026-11-22T00:00:00")
    assert left_today(limits(), [], now) == (5, end)
    assert left_today(limits(), [yesterday, today, now, now + 2], now) == (2, end)
    assert left_today(limits(a_day=2), [today] * 3, now) == (0, end)


def test_what_is_left_of_a_rolling_day() -> None:
    """Each ticket comes back 24 hours after it was received, the oldest first; before the first nothing is due."""
    now = at("2026-11-22T12:00:00")
    rolling = limits(a_day=2, day=DayBoundary.ROLLING)
    assert left_today(rolling, [], now) == (2, 0)
    assert left_today(rolling, [now - HOUR, now - DAY], now) == (1, now - HOUR + DAY)
    assert left_today(rolling, [now - HOUR, now - DAY + 1], now) == (0, now + 1)
    assert left_today(rolling, [now - HOUR, now - DAY + 1], now + 1)[0] == 1


def test_without_a_limit_nothing_runs_out() -> None:
    """Zero tickets a day in the policy means that nobody counts."""
    assert left_today(limits(a_day=0), [1, 2, 3], 3) == (None, 0)
