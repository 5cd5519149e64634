"""One large file from disk to disk: our pipeline, ``age`` and an upload, and an upload alone (G11)."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO

from bench import age
from bench.figures import Report, Row, at_least, at_most
from bench.machine import facts
from bench.processes import ROOT, cpu_seconds, memory_now, memory_peak, relay, worker
from bench.team import Mailbox, Target, found
from e2e_support.ids import ID_SIZE, BlobId
from e2e_support.limits import MIB, PIECE_SIZE
from e2e_support_client.at_once import together
from e2e_support_client.files import FileSource
from e2e_support_client.transfer import PARALLEL
from e2e_support_client.transport import HttpRelay
from e2e_support_client.upload import UploadState, upload

FULL_SIZE, FULL_ROUNDS = 1024 * MIB, 5
QUICK_SIZE, QUICK_ROUNDS = 8 * MIB, 1
OURS, AGE, PLAIN = "sealed by us", "age, then upload", "upload alone"
MEMORY_MOST = 64 * MIB


@dataclass(frozen=True, slots=True)
class Sent:
    """One file that was sent.

    Attributes:
        seconds: from the first byte read to the last piece that the relay has flushed.
        peak: most bytes that the sending process had in memory.
        growth: how much of that came on top of what it had before.
        client: processor time of the sending process, and of ``age``.
        relay: processor time of the relay.
    """

    seconds: float
    peak: int
    growth: int
    client: float
    relay: float


def run(data: Path, *, quick: bool) -> Report:
    """Measure on the disk of a directory and return what was found."""
    size, rounds = (QUICK_SIZE, QUICK_ROUNDS) if quick else (FULL_SIZE, FULL_ROUNDS)
    machine = facts(data)
    file = data / "file"
    _make_file(file, size)
    taken = [_round(data, file) for _ in range(rounds)]
    sent = {name: [one[name] for one in taken] for name in taken[0]}
    settings: dict[str, object] = {"rounds": rounds, "file": f"{size // MIB} MiB", "age": age.describe()}
    report = Report(
        "attachment", machine, settings, ("MB/s", "client CPU s", "relay CPU s", "peak MiB", "growth MiB")
    )
    report.rows = [_row(name, size, values) for name, values in sent.items()]
    _judge(report, sent)
    report.raw = {name: [_raw(size, one) for one in values] for name, values in sent.items()}
    return report


def _judge(report: Report, sent: Mapping[str, Sequence[Sent]]) -> None:
    growths = [one.growth / MIB for one in sent[OURS]]
    against = AGE if AGE in sent else PLAIN
    ratios = [other.seconds / ours.seconds for ours, other in zip(sent[OURS], sent[against], strict=True)]
    if against == AGE:
        report.goals.append(at_least(f"G11 {OURS} / {AGE}", ratios, 1))
    else:
        report.notes.append(
            f"neither age nor pyrage is installed; against {PLAIN}: {statistics.median(ratios):.2f}"
        )
    report.goals.append(at_most("G11 memory that the pipeline takes, MiB", growths, MEMORY_MOST / MIB))


def _round(data: Path, file: Path) -> dict[str, Sent]:
    """Send the file in every way, each from a fresh process, to a relay that is empty."""
    folder = data / "relay"
    try:
        with relay(folder) as process:
            team = found(process.url, process.code, process.relay_key).team_id
            target = Target(process.url, process.pid, team, process.relay_key)
            return {
                name: _measured(name, target, file) for name in (OURS, AGE, PLAIN) if name != AGE or age.how()
            }
    finally:
        rmtree(folder, ignore_errors=True)


def _measured(name: str, target: Target, file: Path) -> Sent:
    with worker() as sender:
        return sender.run(send, name, target, file)


def send(name: str, target: Target, file: Path) -> Sent:
    """Send a file in one of the three ways and return what that took."""
    mailbox = Mailbox.create(target.url, target.team_id)
    if name == OURS:
        return asyncio.run(_timed(target, lambda http: _upload_sealed(http, mailbox, file)))
    command = age.command(file) if name == AGE else ["cat", str(file)]
    size = file.stat().st_size
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # starts before the clock
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        head = age.read_header(process.stdout) if name == AGE else b""
        stream = _Stream(process.stdout, head, len(head) + age.body_size(size) if name == AGE else size)
        return asyncio.run(_timed(target, lambda http: _upload_stream(http, mailbox, stream)))


@dataclass(frozen=True, slots=True)
class _Stream:
    """Bytes of a known number that another process writes; ``head`` was read already."""

    rest: IO[bytes]
    head: bytes
    size: int


async def _timed(target: Target, work: Callable[[HttpRelay], Awaitable[None]]) -> Sent:
    http = HttpRelay(target.url)
    await http.info()  # connects
    own, before = os.getpid(), memory_now(os.getpid())
    relay_before, client_before, began = cpu_seconds(target.pid), _own_cpu(), time.perf_counter()
    try:
        await work(http)
    finally:
        await http.close()
    seconds, peak = time.perf_counter() - began, memory_peak(own)
    return Sent(
        seconds, peak, peak - before, _own_cpu() - client_before, cpu_seconds(target.pid) - relay_before
    )


async def _upload_sealed(http: HttpRelay, mailbox: Mailbox, file: Path) -> None:
    source = FileSource.from_path(file)
    try:
        await upload(http, mailbox.id, mailbox.key, source, state=UploadState.fresh())
    finally:
        source.close()


async def _upload_stream(http: HttpRelay, mailbox: Mailbox, stream: _Stream) -> None:
    """Send a stream in pieces of the same size as ours, and as many at once."""
    blob = BlobId(os.urandom(ID_SIZE))
    await http.declare_blob(mailbox.id, blob, stream.size, mailbox.key)
    ready: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(PARALLEL)

    async def produce() -> None:
        index, held = 0, stream.head
        while piece := held + await asyncio.to_thread(stream.rest.read, PIECE_SIZE - len(held)):
            await ready.put((index, piece))
            index, held = index + 1, b""
        for _ in range(PARALLEL):
            await ready.put(None)

    async def consume() -> None:
        while (item := await ready.get()) is not None:
            await http.put_piece(mailbox.id, blob, *item, mailbox.key)

    await together([produce(), *(consume() for _ in range(PARALLEL))])


def _make_file(file: Path, size: int) -> None:
    """Write random bytes, so that nothing on the way can be short of work."""
    with file.open("wb") as stream:
        for _ in range(size // MIB):
            stream.write(os.urandom(MIB))
        stream.flush()
        os.fsync(stream.fileno())


def _own_cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _raw(size: int, one: Sent) -> dict[str, float]:
    return {
        "rate": round(size / one.seconds / 1e6, 1),
        "client": round(one.client, 2),
        "relay": round(one.relay, 2),
        "peak": round(one.peak / MIB, 1),
        "growth": round(one.growth / MIB, 1),
    }


def _row(name: str, size: int, values: Sequence[Sent]) -> Row:
    raws = [_raw(size, one) for one in values]
    middle = {key: statistics.median(raw[key] for raw in raws) for key in raws[0]}
    places = {"rate": 0, "client": 2, "relay": 2, "peak": 0, "growth": 0}
    return Row(name, tuple(f"{middle[key]:.{digits}f}" for key, digits in places.items()))
