"""The relay's routes and errors are those of docs/protocol.md, no more and no fewer (sections 9 and 11)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_support_server.app import ROUTES
from e2e_support_server.problems import PROBLEMS

ROOT = Path(__file__).parent.parent.parent
SPEC = (ROOT / "docs" / "protocol.md").read_text("utf-8")
CODE = ROOT / "server" / "e2e_support_server"


def rows(section: str) -> Iterator[list[str]]:
    """Yield the rows of the first table of a section."""
    text = re.split(r"^## ", SPEC, flags=re.MULTILINE)
    body = next(part for part in text if part.startswith(section))
    table = re.search(r"^\|.*?\n\|[-|]+\n((?:\|.*\n)+)", body, re.MULTILINE)
    assert table
    for line in table[1].splitlines():
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_routes_are_those_of_the_specification() -> None:
    """Section 9 and the application's table name the same methods and paths in the same order."""
    specified = [(method, path.partition("?")[0]) for method, path, *_ in rows("9.")]
    assert [(method, path) for method, path, _ in ROUTES] == specified


def test_the_errors_are_those_of_the_specification() -> None:
    """Section 11 and the problem table name the same codes with the same status."""
    specified = {code: int(status) for status, code, *_ in rows("11.")}
    assert {code: problem.status for code, problem in PROBLEMS.items()} == specified


def raised() -> list[tuple[str, str]]:
    """Return every code that the relay raises, with the module that does."""
    return [
        (code, file.name)
        for file in sorted(CODE.rglob("*.py"))
        for code in re.findall(r'Refusal\(\s*"([a-z_]+)"', file.read_text("utf-8"))
    ]


@pytest.mark.parametrize(("code", "module"), sorted(set(raised())))
def test_every_refusal_has_a_place_in_the_table(code: str, module: str) -> None:
    """No module refuses with a code that section 11 does not have."""
    assert code in PROBLEMS


def test_every_problem_fits_on_the_wire() -> None:
    """Titles are sentences without a secret, hints say what to do or are empty."""
    for code, problem in PROBLEMS.items():
        assert problem.title
        assert problem.title[0].isupper()
        assert not problem.hint or problem.hint.endswith(".")
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
