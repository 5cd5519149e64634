"""The ``age`` program, or the package pyrage where only that is installed (``python -m bench.age FILE``).

age (https://age-encryption.org/v1) encrypts a file to a public key in chunks of 64 KiB, and is what people would
use to send somebody a file by hand.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import IO, Any

CHUNK = 64 * 1024
NONCE, TAG = 16, 16


def how() -> str:
    """Return what encrypts: ``age``, ``pyrage``, or the empty text."""
    if which("age") and which("age-keygen"):
        return "age"
    return "pyrage" if find_spec("pyrage") else ""


def describe() -> str:
    """Return what encrypts and which version of it."""
    if how() == "age":
        return subprocess.run(["age", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"pyrage {version('pyrage')}" if how() else "none"


def command(file: Path) -> list[str]:
    """Return the command that writes an encrypted file to standard output."""
    if how() == "age":
        return ["age", "--recipient", _recipient(), str(file)]
    return [sys.executable, "-m", "bench.age", str(file)]


def read_header(stream: IO[bytes]) -> bytes:
    """Return the lines before the encrypted bytes; their number varies."""
    lines: list[bytes] = []
    while not lines or not lines[-1].startswith(b"--- "):
        line = stream.readline()
        if not line:
            raise RuntimeError("age wrote no header")
        lines.append(line)
    return b"".join(lines)


def body_size(size: int) -> int:
    """Return how many bytes stand behind the header: a nonce, then chunks with a tag each."""
    return NONCE + size + max(1, -(-size // CHUNK)) * TAG


@cache
def _recipient() -> str:
    made = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in made.splitlines() if line.startswith("# public key: ")]
    return lines[0].removeprefix("# public key: ")


def main(file: str) -> None:
    """Encrypt a file to a fresh key with pyrage."""
    pyrage: Any = import_module("pyrage")
    recipient = pyrage.x25519.Identity.generate().to_public()
    with Path(file).open("rb") as plain:
        pyrage.encrypt_io(plain, sys.stdout.buffer, [recipient])
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
