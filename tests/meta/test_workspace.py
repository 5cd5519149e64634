"""Holds the workspace to its promises: one version, one lock with hashes, tests that say what they claim."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = [".", "keys", "client_sdk", "server", "console"]
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = re.findall(r"^([a-z0-9.-]+)==", LOCK, re.MULTILINE)


def project(room: str) -> dict[str, Any]:
    """Read the project table of a room."""
    table: dict[str, Any] = tomllib.loads((ROOT / room / "pyproject.toml").read_text())["project"]
    return table


def needed(room: str) -> list[str]:
    """List the distributions that a room names, without those of the workspace."""
    listed: list[str] = project(room)["dependencies"]
    names = [re.split(r"[^A-Za-z0-9_.-]", line)[0].lower().replace("_", "-") for line in listed]
    return [name for name in names if not name.startswith("e2e-support")]


def functions_in(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the test functions and methods of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def test_the_rooms_share_one_version() -> None:
    """The five distributions are released together under one number and for one Python."""
    assert len({(project(room)["version"], project(room)["requires-python"]) for room in ROOMS}) == 1


@pytest.mark.parametrize("room", ROOMS)
def test_the_lock_covers_what_a_room_needs(room: str) -> None:
    """Every distribution that a room depends on is locked."""
    assert set(needed(room)) <= set(LOCKED)


def test_the_lock_has_a_hash_for_everything_and_names_no_host() -> None:
    """Any mirror can serve the lock, and wrong bytes from it are refused."""
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) == len(LOCKED)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert "//" not in LOCK


def test_every_test_states_its_claim() -> None:
    """A test's docstring says in a sentence what would be untrue if it failed."""
    files = (ROOT / "tests").rglob("test_*.py")
    silent = [
        f"{path.name}::{test.name}"
        for path in files
        for test in functions_in(path)
        if not ast.get_docstring(test)
    ]
    assert not silent
