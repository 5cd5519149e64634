"""JSON lines from an allow-list: a field that is not on it cannot be logged, whoever tries (times to the minute)."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from e2e_support_server.clock import Clock

FIELDS = frozenset(
    {
        "event",  # what happened, a fixed string
        "level",
        "time",  # to the minute
        "method",
        "route",  # the template, never the path
        "status",
        "code",  # of §11
        "fault",  # the class of an exception, never its text
        "count",
        "version",
    }
)
MINUTE = 60
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Event = MutableMapping[str, Any]
Logger = structlog.typing.FilteringBoundLogger


def make_logger(level: str, clock: Clock, stream: TextIO | None = None) -> Logger:
    """Return a logger that writes one JSON object per line.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        clock: the relay's clock.
        stream: where to write; standard error if not given.
    """

    def add_time(_: object, __: str, event: Event) -> Event:
        event["time"] = int(clock()) // MINUTE * MINUTE
        return event

    logger: Logger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            add_time,
            keep_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(level, 20)),
    )
    return logger


def keep_allowed(_: object, __: str, event: Event) -> Event:
    """Drop every field that is not on the allow-list, and every value that is not plain."""
    return {key: value for key, value in event.items() if key in FIELDS and isinstance(value, (str, int))}
