"""Facts about the machine that a figure depends on; nothing that names a host, a person or a path."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import time
from importlib.metadata import version
from pathlib import Path

FLUSHES = 50
_PACKAGES = ("aiohttp", "cryptography", "msgpack", "PyNaCl", "sqlcipher3")


def facts(data: Path) -> dict[str, str]:
    """Return the facts; ``data`` is the directory whose disk is used."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "file system": _file_system(data),
        "flush of 4 KiB": f"{_flush_seconds(data) * 1000:.2f} ms",
        **{name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    """Return the model's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _file_system(data: Path) -> str:
    """Return the type of the file system that a directory lies on."""
    mounts = Path("/proc/mounts")
    entries = (
        [line.split()[1:3] for line in mounts.read_text("utf-8").splitlines()] if mounts.exists() else []
    )
    place = str(data.resolve()) + "/"
    found = [(point, kind) for point, kind in entries if place.startswith(point.rstrip("/") + "/")]
    return max(found, key=lambda pair: len(pair[0]))[1] if found else "unknown"


def _flush_seconds(data: Path) -> float:
    """Return the median time of writing 4 KiB at the end of a file and flushing it."""
    file = data / "flush"
    times: list[float] = []
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    for _ in range(FLUSHES):
        began = time.perf_counter()
        os.write(descriptor, bytes(4096))
        os.fsync(descriptor)
        times.append(time.perf_counter() - began)
    os.close(descriptor)
    file.unlink()
    return statistics.median(times)
