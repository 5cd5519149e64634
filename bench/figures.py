"""Numbers and what is made of them: medians, percentiles, goals, a table on the screen, JSON for later."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what was measured, and the cells as people read them."""

    name: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Goal:
    """A number to reach, and the number that was.

    Attributes:
        name: which goal, and of what.
        measured: the median over the rounds.
        bound: what it is compared with.
        at_least: whether more is better.
        spread: smallest and largest of the rounds.
    """

    name: str
    measured: float
    bound: float
    at_least: bool
    spread: tuple[float, float]

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


@dataclass(slots=True)
class Report:
    """What one benchmark found.

    Attributes:
        name: the benchmark, which names the result file.
        machine: facts about machine and versions; nothing that names a host or a path.
        settings: counts and sizes of this run.
        columns: headings of the table, without the first.
        rows: the table.
        goals: what was to be reached.
        notes: what a reader has to know besides.
        raw: every round's figures.
    """

    name: str
    machine: dict[str, str]
    settings: dict[str, object]
    columns: Sequence[str]
    rows: list[Row] = field(default_factory=list[Row])
    goals: list[Goal] = field(default_factory=list[Goal])
    notes: list[str] = field(default_factory=list[str])
    raw: dict[str, object] = field(default_factory=dict[str, object])


def at_least(name: str, rounds: Sequence[float], bound: float) -> Goal:
    """Return the goal that the median of the rounds is not below a bound."""
    return Goal(name, statistics.median(rounds), bound, at_least=True, spread=(min(rounds), max(rounds)))


def at_most(name: str, rounds: Sequence[float], bound: float) -> Goal:
    """Return the goal that the median of the rounds is not above a bound."""
    return Goal(name, statistics.median(rounds), bound, at_least=False, spread=(min(rounds), max(rounds)))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not exceeded by a share of all (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def show(report: Report) -> None:
    """Print a report as people read it."""
    print(f"\n{report.name}: " + ", ".join(f"{key} {value}" for key, value in report.settings.items()))
    widths = [max((len(row.name) for row in report.rows), default=0), *map(len, report.columns)]
    for row in report.rows:
        widths[1:] = [max(width, len(cell)) for width, cell in zip(widths[1:], row.cells, strict=True)]
    for name, cells in (("", report.columns), *((row.name, row.cells) for row in report.rows)):
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *padded]).rstrip())
    for goal in report.goals:
        print(_verdict(goal))
    for note in report.notes:
        print(f"note: {note}")


def save(report: Report, folder: Path, *, dated: bool) -> None:
    """Write a report as JSON, under a name that carries its date or is overwritten the next time."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{report.name}-{report.machine['date']}" if dated else report.name
    content = {**asdict(report), "met": {goal.name: goal.met for goal in report.goals}}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _verdict(goal: Goal) -> str:
    sign, (low, high) = ("≥" if goal.at_least else "≤"), goal.spread
    word = "met   " if goal.met else "MISSED"
    return f"{word} {goal.name}: {goal.measured:.3g} {sign} {goal.bound:g} (rounds {low:.3g} to {high:.3g})"


def in_ms(name: str, seconds: Sequence[float]) -> Row:
    """Return the row of a table with median, least and most of what was timed, in milliseconds."""
    figures = (statistics.median(seconds), min(seconds), max(seconds))
    return Row(name, [f"{figure * 1000:.1f}" for figure in figures])
