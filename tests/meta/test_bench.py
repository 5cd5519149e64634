"""Runs every benchmark with hardly anything to do, so that none of them rots; no figure is judged."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import BENCHES
from bench.figures import Goal, Report, at_least, at_most, percentile, save, show

ROOT = Path(__file__).parents[2]


def quick(name: str, folder: Path) -> str:
    """Run a benchmark in its quick mode and return what it wrote down."""
    command = [sys.executable, "-m", "bench", name, "--quick", "--out", str(folder), "--data", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{name}: " in done.stdout
    return (folder / f"{name}.json").read_text("utf-8")


@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_runs_and_writes_figures_down(name: str, tmp_path: Path) -> None:
    """Each measures something, compares it with its goals, and leaves nothing but figures without a name or path."""
    text = quick(name, tmp_path)
    written: dict[str, Any] = json.loads(text)
    assert written["rows"]
    assert written["raw"]
    assert written["met"].keys() == {goal["name"] for goal in written["goals"]} != set()
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.json"]
    private = (platform.node(), str(Path.home()), str(tmp_path), str(ROOT))
    assert not [word for word in private if word and word in text]


def test_an_unknown_benchmark_is_refused() -> None:
    """A slip of the pen is told before anything runs."""
    command = [sys.executable, "-m", "bench", "apend"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "append" in done.stderr


def test_goals_compare_medians() -> None:
    """A goal looks at the median of the rounds and keeps the extremes."""
    assert at_least("rate", [3, 1, 2], 2) == Goal("rate", 2, 2, at_least=True, spread=(1, 3))
    verdicts = [at_least("rate", rounds, 2).met for rounds in ([3, 1, 2], [1, 1, 3])]
    verdicts += [at_most("time", rounds, 2).met for rounds in ([3, 1, 2], [3, 3, 1])]
    assert verdicts == [True, False, True, False]


def test_percentiles_are_of_the_nearest_rank() -> None:
    """A percentile is a value that was measured."""
    assert [percentile([4, 1, 3, 2], share) for share in (0.25, 0.5, 0.99)] == [1, 2, 4]


def test_a_report_is_shown_and_dated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader sees which goals were met and which were missed; a run to refer to carries its date."""
    report = Report("x", {"date": "2026-01-02"}, {"rounds": 1}, ("ms",))
    report.goals = [at_least("good", [2], 1), at_most("bad", [2], 1)]
    show(report)
    save(report, tmp_path, dated=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if "rounds 2" in line] == ["met    good", "MISSED bad"]
    assert json.loads((tmp_path / "x-2026-01-02.json").read_text("utf-8"))["met"] == {
        "good": True,
        "bad": False,
    }
