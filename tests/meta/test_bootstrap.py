"""Runs tools/bootstrap.py in a small checkout, with a stand-in for uv that writes down what it was asked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

UV = """#!/bin/sh
echo "$1 $2 $UV_PYTHON_DOWNLOADS" >> {log}
if [ "$1" = venv ]; then mkdir -p {venv}/bin && ln -sf {python} {venv}/bin/python; fi
[ ! -e {broken} ]
"""
FROM_NOTHING = ["venv --quiet never", "pip sync never", "pip install never"]


class Checkout:
    """A checkout with a lock, the rooms' project files, and a uv that does next to nothing."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.log = folder / "log"
        self.broken = folder / "broken"
        self.tools = folder / "bin"
        for part in (".", "keys", "client_sdk", "server", "console"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
            (self.root / part / "pyproject.toml").write_text("")
        (self.root / "requirements.lock").write_text("")
        (self.root / "tools").mkdir()
        shutil.copy(ROOT / "tools" / "bootstrap.py", self.root / "tools")
        self.tools.mkdir()
        values = {
            "log": self.log,
            "venv": self.root / ".venv",
            "python": sys.executable,
            "broken": self.broken,
        }
        (self.tools / "uv").write_text(UV.format(**values))
        (self.tools / "uv").chmod(0o755)

    def bootstrap(self) -> tuple[int, list[str]]:
        """Run the bootstrap; return its exit code and what it asked of uv."""
        self.log.write_text("")
        command = [sys.executable, str(self.root / "tools" / "bootstrap.py")]
        path = f"{self.tools}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(command, env={**os.environ, "PATH": path}, check=False, capture_output=True)
        return done.returncode, self.log.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh checkout without .venv."""
    return Checkout(tmp_path)


def test_a_fresh_checkout_is_set_up_in_three_steps(checkout: Checkout) -> None:
    """A fresh checkout gets .venv, the lock, then the rooms; uv never fetches an interpreter."""
    assert checkout.bootstrap() == (0, FROM_NOTHING)


def test_nothing_is_done_when_nothing_changed(checkout: Checkout) -> None:
    """A second run asks nothing of the installer."""
    checkout.bootstrap()
    assert checkout.bootstrap() == (0, [])


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml", "server/pyproject.toml"])
def test_a_changed_input_is_installed_over_what_is_there(checkout: Checkout, name: str) -> None:
    """A change of the lock or of a room's project file installs again and keeps .venv."""
    checkout.bootstrap()
    (checkout.root / name).write_text("# changed")
    assert checkout.bootstrap() == (0, FROM_NOTHING[1:])


def test_a_run_that_failed_half_way_starts_over(checkout: Checkout) -> None:
    """After a failure in the middle of installing, .venv is not trusted and made anew."""
    checkout.bootstrap()
    (checkout.root / "requirements.lock").write_text("# changed")
    checkout.broken.touch()
    assert checkout.bootstrap() == (1, FROM_NOTHING[1:2])
    checkout.broken.unlink()
    assert checkout.bootstrap() == (0, FROM_NOTHING)


def test_a_half_made_venv_is_made_anew(checkout: Checkout) -> None:
    """A .venv whose Python does not start is replaced."""
    (checkout.root / ".venv" / "bin").mkdir(parents=True)
    (checkout.root / ".venv" / "bin" / "python").symlink_to("nowhere")
    assert checkout.bootstrap() == (0, FROM_NOTHING)
