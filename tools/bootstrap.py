"""Makes .venv and installs the locked tools and the five rooms into it; quick when nothing changed.

Every package comes from requirements.lock and must match its hash there. uv does the work where it is
installed, else pip; a bare Debian has neither, so pip is then borrowed from Debian's signed archive.
Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = str(VENV / "bin" / "python")
LOCK = ROOT / "requirements.lock"
ROOMS = [ROOT, *(ROOT / room for room in ("keys", "client_sdk", "server", "console"))]

OLDEST = (3, 11)
RUNNING = sys.version_info[:2]

STAMP = VENV / ".bootstrap"
UNFINISHED = "unfinished"

LOCKED = ["--require-hashes", "--only-binary=:all:"]
EDITABLE = ["--no-deps", "--no-build-isolation", *(f"--editable={room}" for room in ROOMS)]


@dataclass(frozen=True)
class Installer:
    """How one tool makes an empty .venv and fills it, and the module it must find there."""

    name: str
    make: list[str]
    add_lock: list[str]
    add_rooms: list[str]
    needs: str = "sys"


def main() -> None:
    """Bring .venv up to date, or say what is missing."""
    require_python()
    with Path(__file__).open() as one_at_a_time, tempfile.TemporaryDirectory(prefix="bootstrap-") as folder:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        os.set_inheritable(one_at_a_time.fileno(), True)  # an installer that outlives us still counts
        wanted = fingerprint()
        if stamp() == wanted and usable():
            return
        try:
            install(installer(Path(folder)), wanted)
        except subprocess.CalledProcessError as error:
            stop(f"this failed: {' '.join(error.cmd)}")
        except KeyboardInterrupt:
            stop("interrupted; the next run starts over")


def require_python() -> None:
    """Continue under a Python that is new enough, found by uv if need be, or stop."""
    if RUNNING >= OLDEST:
        return
    version = ".".join(map(str, OLDEST))
    uv = find_uv()
    if not uv:
        stop(f"Python {version} or newer is needed; where it has another name: make PYTHON=python{version}")
    find = [uv, "python", "find", "--system", "--no-project", f">={version}"]
    python = subprocess.run(find, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    os.execv(python, [python, __file__])


def find_uv() -> str | None:
    """Return the machine's uv; the one inside .venv would remove itself."""
    path = shutil.which("uv")
    return path if path and Path(path).parent != VENV / "bin" else None


def fingerprint() -> str:
    """Return a digest of all that decides what .venv holds."""
    digest = hashlib.sha256(f"{RUNNING} {ROOT}".encode())
    for path in (Path(__file__), LOCK, *(room / "pyproject.toml" for room in ROOMS)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def stamp() -> str:
    """Return the fingerprint of the last finished run, the word for an unfinished one, or nothing."""
    return STAMP.read_text() if STAMP.is_file() else ""


def usable(needs: str = "sys") -> bool:
    """Tell whether .venv has a Python of the version that runs now, and a module in it."""
    probe = f"import sys, {needs}; sys.exit(sys.version_info[:2] != {RUNNING})"
    try:
        return subprocess.run([PYTHON, "-c", probe], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def install(tool: Installer, wanted: str) -> None:
    """Fill .venv, starting over where it is broken, of another Python, or left half filled."""
    if stamp() == UNFINISHED or not usable(tool.needs):
        run(f"making .venv with {tool.name}", tool.make)
    STAMP.write_text(UNFINISHED)
    run("installing requirements.lock", tool.add_lock)
    run("installing the rooms", tool.add_rooms)
    STAMP.write_text(wanted)
    say("done")


def installer(folder: Path) -> Installer:
    """Choose the best tool that this machine has; what it borrows lasts as long as the folder."""
    uv = find_uv()
    if uv:
        return with_uv(uv)
    if find_spec("ensurepip"):
        return with_pip("pip", ["-m", "pip"], [], needs="pip")
    return with_pip("a borrowed pip", [str(borrowed_pip(folder))], ["--without-pip"])


def with_uv(uv: str) -> Installer:
    """Return the commands of uv, which also removes what the lock does not name."""
    into = f"--python={PYTHON}"
    return Installer(
        name="uv",
        make=[uv, "venv", "--quiet", "--clear", f"--python={sys.executable}", str(VENV)],
        add_lock=[uv, "pip", "sync", "--quiet", into, *LOCKED, str(LOCK)],
        add_rooms=[uv, "pip", "install", "--quiet", into, *EDITABLE],
    )


def with_pip(name: str, start: list[str], options: list[str], needs: str = "sys") -> Installer:
    """Return the commands of a pip that .venv's Python starts with these arguments."""
    command = [PYTHON, *start, "install", "-qq", "--disable-pip-version-check"]
    return Installer(
        name=name,
        make=[sys.executable, "-m", "venv", "--clear", *options, str(VENV)],
        add_lock=[*command, *LOCKED, f"--requirement={LOCK}"],
        add_rooms=[*command, *EDITABLE],
        needs=needs,
    )


def borrowed_pip(folder: Path) -> Path:
    """Fetch pip as Debian ships it, without root and without the machine's package lists."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        stop("uv is needed, or a Python that has pip and venv (on Debian: apt-get install python3-venv)")
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
    apt += ["-o", "APT::Sandbox::User=root"]  # root's temporary folder is closed to apt's own user
    run("asking Debian for its packages", [*apt, "update"])
    run("borrowing Debian's pip", [*apt, "download", "python3-pip-whl"], folder)
    run("unpacking it", ["dpkg-deb", "-x", *map(str, folder.glob("*.deb")), str(folder)])
    (wheel,) = folder.glob("usr/share/python-wheels/pip-*.whl")
    return wheel / "pip"


def run(title: str, command: list[str], folder: Path = ROOT) -> None:
    """Say what is being done and run a command that must succeed."""
    say(title)
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run(command, check=True, cwd=folder, env=environment, close_fds=False)


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"bootstrap: {text}", flush=True)


def stop(reason: str) -> NoReturn:
    """End with a reason."""
    sys.exit(f"bootstrap: {reason}")


if __name__ == "__main__":
    main()
