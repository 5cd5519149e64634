"""Durable appends against the same process' no-op, against one commit per request, and alone (G1, G3, G4)."""

from __future__ import annotations

import statistics
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Report, Row, at_least, at_most, percentile
from bench.load import Round, measure_appends, measure_noop
from bench.machine import facts
from bench.processes import Worker, memory_peak, relay, worker
from bench.team import PADDED, Target, found
from e2e_support.roster_links import NO_TEAM

SENDERS = 64


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, and how many requests of each kind a round has."""

    rounds: int
    noops: int
    appends: int
    single: int
    lone: int


FULL = Size(rounds=9, noops=12_000, appends=6_000, single=1_500, lone=300)
QUICK = Size(rounds=1, noops=300, appends=200, single=100, lone=10)

_RELAYS: dict[str, tuple[str, ...]] = {
    "relay": (),
    "one commit each": ("--commit-each",),
    "unsigned": ("--stub-signatures",),
    "unsigned, one commit each": ("--stub-signatures", "--commit-each"),
    "bare": ("--bare",),
}

Rounds = Mapping[str, Sequence[Round]]


def run(data: Path, *, quick: bool) -> Report:
    """Measure on the disk of a directory and return what was found."""
    size = QUICK if quick else FULL
    machine = facts(data)
    with _relays(data) as targets, worker() as generator:
        taken = [_round(generator, targets, size) for _ in range(size.rounds)]
        memory = memory_peak(targets["relay"].pid)
    rounds = {name: [one[name] for one in taken] for name in taken[0]}
    settings: dict[str, object] = {
        "rounds": size.rounds,
        "senders": SENDERS,
        "content of an entry": f"{PADDED} B",
    }
    report = Report(
        "append",
        machine,
        settings,
        ("per s", "p50 ms", "p99 ms", "relay µs each", "relay", "generator", "others"),
    )
    report.rows = [_row(name, values) for name, values in rounds.items()]
    _judge(report, rounds)
    report.notes.append(f"the relay's memory peaked at {memory / 2**20:.0f} MiB")
    report.raw = {name: [_raw(one) for one in values] for name, values in rounds.items()}
    return report


@contextmanager
def _relays(data: Path) -> Generator[dict[str, Target]]:
    """Run every kind of relay; those that are not asked anything cost nothing."""
    with ExitStack() as stack:
        targets: dict[str, Target] = {}
        for number, (name, options) in enumerate(_RELAYS.items()):
            process = stack.enter_context(relay(data / str(number), *options))
            team = found(process.url, process.code, process.relay_key).team_id if process.code else NO_TEAM
            key = b"" if "--stub-signatures" in options else process.relay_key
            targets[name] = Target(process.url, process.pid, team, key)
        yield targets


def _round(generator: Worker, targets: Mapping[str, Target], size: Size) -> dict[str, Round]:
    """Measure everything once, what is compared side by side."""
    signed, each = targets["relay"], targets["one commit each"]
    unsigned, unsigned_each = targets["unsigned"], targets["unsigned, one commit each"]
    return {
        "no-op, bare aiohttp": generator.run(measure_noop, targets["bare"], SENDERS, size.noops),
        "no-op": generator.run(measure_noop, signed, SENDERS, size.noops),
        "append": generator.run(measure_appends, signed, SENDERS, size.appends),
        "append, one commit each": generator.run(measure_appends, each, SENDERS, size.single),
        "unsigned no-op": generator.run(measure_noop, unsigned, SENDERS, size.noops),
        "unsigned append": generator.run(measure_appends, unsigned, SENDERS, size.appends),
        "unsigned append, one commit each": generator.run(
            measure_appends, unsigned_each, SENDERS, size.single
        ),
        "lone append": generator.run(measure_appends, signed, 1, size.lone),
        "lone append, one commit each": generator.run(measure_appends, each, 1, size.lone),
    }


def _judge(report: Report, rounds: Rounds) -> None:
    """Compare what is to be compared, round by round."""
    report.goals = [
        at_least("G1 append / no-op", _ratios(rounds, "append", "no-op"), 0.28),
        at_least("G1 unsigned append / no-op", _ratios(rounds, "unsigned append", "unsigned no-op"), 0.5),
        at_least("G3 append / one commit each", _ratios(rounds, "append", "append, one commit each"), 4),
        at_least(
            "G3 unsigned append / one commit each",
            _ratios(rounds, "unsigned append", "unsigned append, one commit each"),
            4,
        ),
        at_most("G3 lone append's latency / one commit each", _lone_latencies(rounds), 1.1),
        at_most("G4 p99 of 64 senders, ms", _tails(rounds["append"]), 25),
        at_most("G4 p99 of one sender, ms", _tails(rounds["lone append"]), 5),
    ]


def _ratios(rounds: Rounds, one: str, other: str) -> list[float]:
    return [a.rate / b.rate for a, b in zip(rounds[one], rounds[other], strict=True)]


def _lone_latencies(rounds: Rounds) -> list[float]:
    pairs = zip(rounds["lone append"], rounds["lone append, one commit each"], strict=True)
    return [statistics.median(a.latencies) / statistics.median(b.latencies) for a, b in pairs]


def _tails(values: Sequence[Round]) -> list[float]:
    return [percentile(one.latencies, 0.99) * 1000 for one in values]


def _row(name: str, values: Sequence[Round]) -> Row:
    raws = [_raw(one) for one in values]
    middle = {key: statistics.median(raw[key] for raw in raws) for key in raws[0]}
    return Row(
        name,
        (
            f"{middle['rate']:,.0f}",
            f"{middle['p50']:.2f}",
            f"{middle['p99']:.2f}",
            f"{middle['each']:.0f}",
            f"{middle['relay']:.0%}",
            f"{middle['generator']:.0%}",
            f"{middle['others']:.0%}",
        ),
    )


def _raw(one: Round) -> dict[str, float]:
    """Return a round's figures; processor times in microseconds for each answer and as parts of one core."""
    return {
        "rate": round(one.rate, 1),
        "p50": round(percentile(one.latencies, 0.5) * 1000, 3),
        "p99": round(percentile(one.latencies, 0.99) * 1000, 3),
        "each": round(one.relay / len(one.latencies) * 1e6, 1),
        "relay": round(one.relay / one.seconds, 3),
        "generator": round(one.generator / one.seconds, 3),
        "others": round(one.others / one.seconds, 3),
    }
