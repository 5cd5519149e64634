"""Processes of a benchmark: started, asked what they use, and gone at the end whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ROOT = Path(__file__).parents[1]
STOP_SECONDS = 30
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class RelayProcess:
    """A relay that runs.

    Attributes:
        pid: its process.
        url: where it listens.
        code: founds the first team.
        relay_key: its receipt key.
    """

    pid: int
    url: str
    code: str
    relay_key: bytes


@contextmanager
def relay(data: Path, *options: str) -> Generator[RelayProcess]:
    """Run ``bench.relay_process`` on a directory."""
    command = [sys.executable, "-m", "bench.relay_process", str(data), *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        try:
            ready = json.loads(process.stdout.readline())
            yield RelayProcess(process.pid, ready["url"], ready["code"], bytes.fromhex(ready["relay_key"]))
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


class Worker:
    """A process that runs functions, so that the measuring does not share an interpreter with the measured."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what a function of a module returns in the other process."""
        return self._pool.submit(work, *args, **kwargs).result()


@contextmanager
def worker() -> Generator[Worker]:
    """Start a worker; it ends with the block."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield Worker(pool)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, with all threads and the processes that it started."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    return (int(fields[11]) + int(fields[12])) / _TICK + sum(cpu_seconds(int(child)) for child in children)


def busy_seconds() -> float:
    """Return the processor time that everything on this machine has used, and what other machines took from it."""
    user, nice, system, _idle, _wait, *rest = (
        Path("/proc/stat").read_text("utf-8").split("\n")[0].split()[1:9]
    )
    return sum(map(int, (user, nice, system, *rest))) / _TICK


def memory_now(pid: int) -> int:
    """Return how many bytes a process has in memory."""
    return _status(pid, "VmRSS:")


def memory_peak(pid: int) -> int:
    """Return the most bytes that a process has had in memory."""
    return _status(pid, "VmHWM:")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
