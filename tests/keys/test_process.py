"""A process that holds keys leaves no memory on the disk."""

import ctypes
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from e2e_support_keys.process import forbid_memory_dumps

CRASH = """
import ctypes, os, resource, sys
from e2e_support_keys.process import forbid_memory_dumps
soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
forbid_memory_dumps()
dumpable = getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)(3, 0, 0, 0, 0)
print(resource.getrlimit(resource.RLIMIT_CORE), dumpable, flush=True)
os.abort()
"""


def test_a_crash_leaves_no_dump(tmp_path: Path) -> None:
    """After the call limit and flag are zero, and an abort writes no file."""
    done = subprocess.run([sys.executable, "-c", CRASH], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == -signal.SIGABRT
    assert done.stdout == b"(0, 0) 0\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", [True, False])
def test_limit_and_flag_are_set_where_they_exist(flag: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is set everywhere, the flag where the C library knows it."""
    calls: list[tuple[object, ...]] = []

    def record(*arguments: object) -> None:
        calls.append(arguments)

    def library(_: None) -> SimpleNamespace:
        return SimpleNamespace(prctl=record) if flag else SimpleNamespace()

    monkeypatch.setattr(ctypes, "CDLL", library)
    monkeypatch.setattr(resource, "setrlimit", record)
    forbid_memory_dumps()
    limit, flagged = (resource.RLIMIT_CORE, (0, 0)), (4, 0, 0, 0, 0)
    assert calls == ([limit, flagged] if flag else [limit])


COMMAND = """
import ctypes, resource, sys
from {module} import main
sys.argv = ["program", "no-such-command"]
main()
dumpable = getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)(3, 0, 0, 0, 0)
print(resource.getrlimit(resource.RLIMIT_CORE), dumpable)
"""


@pytest.mark.parametrize("module", ["e2e_support_client.cli", "e2e_support_console.cli"])
def test_both_commands_forbid_dumps_before_anything_else(module: str, tmp_path: Path) -> None:
    """Attack 62: a program that is about to unlock keys has forbidden dumps of itself."""
    code = COMMAND.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert done.stdout == b"(0, 0) 0\n"
