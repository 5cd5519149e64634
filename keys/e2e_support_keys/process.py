"""Keeps the memory of a process, and so its keys, out of crash dumps."""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4  # Linux, prctl(2)


def forbid_memory_dumps() -> None:
    """Let no crash of this process leave its memory on the disk.

    Programs call this once, before they unlock keys. Libraries do not: it keeps debuggers away, too.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:  # a dump that is piped to a collector does not ask for the limit
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
