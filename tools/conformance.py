"""Writes the table of docs/conformance.md: what five existing ticket systems do, and which tests show it here.

``python -m tools.conformance`` rewrites it; a test fails while it differs. Tests name their rows with ``@row``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.conformance_rows import MISSING, PAGE, PROMISE, ROWS, Row

ROOT: Final = Path(__file__).parent.parent
PAGE_FILE: Final = ROOT / "docs" / "conformance.md"
SUITES: Final = ROOT / "tests" / "conformance"
SYSTEMS: Final = {
    "S0": "S0: a storage portal (preset `portal`)",
    "S1": "S1: a document suite's support (preset `instance`)",
    "S1x": "S1x: further rows of the same system",
    "S2": "S2: a help center of records (preset `record`)",
    "S3": "S3: the tickets of a hosting company (preset `desk`)",
    "S4": "S4: the support center of a panel (preset `panel`)",
}
WHO: Final = {"C": "every client", "K": "keys", "R": "relay", "S": "nobody"}


@dataclass(slots=True)
class Shown:
    """The tests of a row, as ``path::name``.

    Attributes:
        passes: show that it works.
        refuses: show that what it forbids is refused.
    """

    passes: list[str] = field(default_factory=list[str])
    refuses: list[str] = field(default_factory=list[str])


def shown() -> dict[str, Shown]:
    """Return the tests of every row: those that name it, and those that it names."""
    found = {row.id: Shown() for row in ROWS.values()}
    for path in sorted(SUITES.glob("test_*.py")):
        for name, row_id, case in _marked(path):
            tests = found[row_id]
            (tests.passes if case == "pass" else tests.refuses).append(f"{_relative(path)}::{name}")
    for row in ROWS.values():
        found[row.id].passes += row.passes
        found[row.id].refuses += row.refuses
    return found


def problems() -> list[str]:
    """Return what is wrong with rows: enforced without both cases, claimed without tests, tests that are not there."""
    return [f"{row_id}: {what}" for row_id, tests in shown().items() for what in _wrong(ROWS[row_id], tests)]


def rewritten(text: str) -> str:
    """Return the page with the table as the tests have it."""
    head, _, rest = text.partition("<!-- rows:begin -->")
    _, _, tail = rest.partition("<!-- rows:end -->")
    return f"{head}<!-- rows:begin -->\n{_tables()}\n<!-- rows:end -->{tail}"


def _wrong(row: Row, tests: Shown) -> Iterator[str]:
    if row.state:
        if row.state not in {PAGE, PROMISE, MISSING} or not row.note:
            yield "its state is unknown or not explained"
        if tests.passes or tests.refuses:
            yield "it has tests and a state that says it has none"
    elif not tests.passes:
        yield "no test shows that it works"
    elif row.by and not tests.refuses:
        yield "no test shows a refusal"
    yield from (f"there is no {test}" for test in (*tests.passes, *tests.refuses) if not _exists(test))


def _marked(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name, row and case of every test of a suite that names a row."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "row":
                    row_id, case = (ast.literal_eval(argument) for argument in mark.args)
                    yield node.name, row_id, case


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    if not file.is_file():
        return False
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(
        isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == name for one in tree.body
    )


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tables() -> str:
    tests = shown()
    return "\n\n".join(
        "\n".join(
            [
                f"## {title}",
                "",
                "| row | what | seen to by | state | shown by | refusal shown by |",
                "|---|---|---|---|---|---|",
                *(_line(row, tests[row.id]) for row in ROWS.values() if row.id.partition("-")[0] == system),
            ]
        )
        for system, title in SYSTEMS.items()
    )


def _line(row: Row, tests: Shown) -> str:
    who = ", ".join(WHO[letter] for letter in row.by) or "convenience"
    state = f"{row.state or 'tests'}. {row.note}" if row.note else row.state or "tests"
    return f"| {row.id} | {row.name} | {who} | {state} | {_links(tests.passes)} | {_links(tests.refuses)} |"


def _links(tests: list[str]) -> str:
    parts = (test.partition("::") for test in tests)
    return ", ".join(f"[{name.removeprefix('test_')}](../{path})" for path, _, name in parts)


if __name__ == "__main__":
    PAGE_FILE.write_text(rewritten(PAGE_FILE.read_text(encoding="utf-8")), encoding="utf-8")
