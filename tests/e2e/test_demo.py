"""The demo is a test: the main job between real processes, and a search of all that the relay holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_demo_holds() -> None:
    """``make demo`` does what the README promises, two policies among it, and finds no word that was sent."""
    demo = [sys.executable, str(ROOT / "examples" / "demo.py")]
    done = subprocess.run(demo, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "at the panel a reply within 7 days opens it again" in done.stdout
    assert "nothing that was sent is there" in done.stdout
    assert done.stdout.rstrip().endswith("All of it held.")
