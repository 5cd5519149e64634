"""Collectors: each gathers one kind of debug data when it is called, and nothing before.

A collector is a function without arguments that yields fields. Everything from S1-05 to S1-12 that only the host
knows has a typed section here, so that the same names and purposes appear everywhere.
"""

from __future__ import annotations

import importlib.metadata
import locale
import logging
import os
import platform
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from e2e_support_client.debug.report import Field, as_json, flatten

Collector = Callable[[], Iterable[Field]]
PACKAGES_MAX: Final = 300
FRAMES_MAX: Final = 60
ENVIRONMENT: Final = (
    "LANG", "LC_ALL", "LANGUAGE", "TZ", "TERM", "SHELL", "DESKTOP_SESSION", "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_TYPE", "WAYLAND_DISPLAY", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "SNAP", "FLATPAK_ID",
    "container",
)  # fmt: skip
"""Variables that help and hold no secret; no other is ever read."""


# --- what this process knows -----------------------------------------------------------------------------------


def runtime() -> Iterator[Field]:
    """Yield Python, system, machine, time zone and locale."""
    facts = {
        "python": (platform.python_version(), "Tells which interpreter runs the program."),
        "implementation": (platform.python_implementation(), "Some faults are those of one implementation."),
        "system": (f"{platform.system()} {platform.release()}", "Many faults happen on one system only."),
        "machine": (platform.machine(), "Compiled parts differ between machines."),
        "hostname": (platform.node(), "Tells several computers of one user apart."),
        "time_zone": (time.strftime("%z"), "Helps to line up times in logs."),
        "locale": (locale.getlocale()[0] or "", "Dates, numbers and sorting depend on it."),
        "encoding": (sys.getfilesystemencoding(), "Explains broken file names."),
    }
    for name, (value, purpose) in facts.items():
        yield Field(("runtime", name), value, purpose, "runtime")


def packages(*names: str) -> Collector:
    """Return a collector of the versions of installed packages.

    Args:
        names: which; all by default.
    """

    def collect() -> Iterator[Field]:
        found = {str(d.metadata["Name"]): d.version for d in importlib.metadata.distributions()}
        wanted = names or sorted(found, key=str.casefold)[:PACKAGES_MAX]
        for name in wanted:
            value = found.get(name, "not installed")
            yield Field(("packages", name), value, "A fault may belong to one version.", "packages")

    return collect


def exception(error: BaseException) -> Collector:
    """Return a collector of an exception: type, message, traceback without the values of variables.

    Args:
        error: what was raised.
    """

    def collect() -> Iterator[Field]:
        told = traceback.TracebackException.from_exception(error, limit=-FRAMES_MAX)
        lines = "".join(told.format()).splitlines()
        yield Field(("exception", "type"), type(error).__qualname__, "Says what went wrong.", "exception")
        yield Field(("exception", "message"), as_json(str(error)), "Says what went wrong.", "exception")
        yield Field(("exception", "traceback"), as_json(lines), "Says where it went wrong.", "exception")

    return collect


class LogBuffer(logging.Handler):
    """A log handler that keeps the last lines in memory for ``log_tail``; add it to a logger of the program.

    Args:
        lines: how many lines to keep.
    """

    def __init__(self, lines: int = 500) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self.lines: deque[str] = deque(maxlen=lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        try:
            self.lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - a log call must never raise
            self.handleError(record)


def log_tail(lines: int = 200, *, buffer: LogBuffer | None = None) -> Collector:
    """Return a collector of the newest lines of the log.

    Args:
        lines: how many.
        buffer: where they are kept; the one on the root logger by default.
    """

    def collect() -> Iterator[Field]:
        handlers = (
            [buffer] if buffer else [h for h in logging.getLogger().handlers if isinstance(h, LogBuffer)]
        )
        kept = [line for handler in handlers for line in handler.lines][-lines:]
        yield Field(("log",), as_json(kept), "Shows what happened just before.", "log_tail")

    return collect


def environment(*names: str) -> Collector:
    """Return a collector of environment variables: those of ``ENVIRONMENT`` and the ones named here.

    Args:
        names: further variables.
    """

    def collect() -> Iterator[Field]:
        for name in (*ENVIRONMENT, *names):
            if name in os.environ:
                value = as_json(os.environ[name])
                yield Field(("env", name), value, "Changes how the program behaves.", "environment")

    return collect


class Breadcrumbs:
    """What the user did last, as the host notes it; it is a collector itself.

    Args:
        most: how many steps to keep.
    """

    def __init__(self, most: int = 50) -> None:
        self._steps: deque[str] = deque(maxlen=most)

    def add(self, step: str) -> None:
        """Note a step, such as ``opened the calendar``."""
        self._steps.append(step)

    def __call__(self) -> Iterator[Field]:
        """Yield the steps, oldest first."""
        yield Field(
            ("breadcrumbs",), as_json(list(self._steps)), "Shows how to get there again.", "breadcrumbs"
        )


# --- what only the host knows (S1-05 to S1-12) -------------------------------------------------------------------


def names(*, display_name: str = "", username: str = "") -> Collector:
    """Return a collector of how the user is called (S1-05)."""
    return _section(
        "names",
        {"display_name": display_name, "username": username},
        "Lets the administrators find the account.",
    )


def identifiers(**ids: str) -> Collector:
    """Return a collector of identifiers of the user's things: drive, channel, notifications … (S1-06)."""
    return _section("identifiers", ids, "Lets the administrators find the data that it is about.")


def keys(**public_keys: str) -> Collector:
    """Return a collector of the user's public keys at the host (S1-07). Never give a private one."""
    return _section("keys", public_keys, "Tells which account signs; a public key gives no access.")


def quota(*, total: int, used: int) -> Collector:
    """Return a collector of storage in bytes (S1-08)."""
    return _section("quota", {"total": total, "used": used}, "A full account explains many failures.")


def browser(*, user_agent: str = "", vendor: str = "", app_version: str = "") -> Collector:
    """Return a collector of what the browser says of itself (S1-09)."""
    facts = {"user_agent": user_agent, "vendor": vendor, "app_version": app_version}
    return _section("browser", facts, "Many faults happen in one browser only.")


def screen(*, width: int, height: int) -> Collector:
    """Return a collector of the screen's size in pixels (S1-10)."""
    return _section("screen", {"width": width, "height": height}, "Layouts break at certain sizes.")


def block_location(location: str) -> Collector:
    """Return a collector of where the login block lies (S1-11)."""
    purpose = "Lets the administrators verify that your credentials exist on the server if you cannot log in."
    return _section("block", {"location": location}, purpose)


def teams(listed: Sequence[Mapping[str, object]]) -> Collector:
    """Return a collector of the user's teams at the host, with some facts of each (S1-12)."""
    return _section("teams", {"list": list(listed)}, "Access often depends on a team.")


def section(name: str, facts: Mapping[str, object], *, purpose: str) -> Collector:
    """Return a collector of further facts that the host names.

    Args:
        name: the section's name.
        facts: by name; mappings may be nested.
        purpose: one sentence: what they help with.
    """
    return _section(name, facts, purpose)


def document(data: Mapping[str, object], *, source: str = "file") -> Collector:
    """Return a collector of a whole JSON document, as it is.

    Args:
        data: the decoded document.
        source: where it comes from.
    """
    return lambda: flatten(data, source=source)


def _section(name: str, facts: Mapping[str, object], purpose: str) -> Collector:
    def collect() -> Iterator[Field]:
        for fact, value in facts.items():
            if value not in ("", None):
                yield Field((name, fact), as_json(value), purpose, f"host.{name}", deliberate=True)

    return collect
