"""Private files: written whole or not at all, readable by their owner alone, and refused when they are not."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from e2e_support_keys.private_files import open_private, read_private, write_private
from keys_room import refused

LIMIT = 100


def mode(path: Path) -> int:
    """Return the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Content goes round, and so does its replacement."""
    path = tmp_path / "file"
    write_private(path, b"one", replace=False)
    assert read_private(path, limit=LIMIT) == b"one"
    write_private(path, b"two", replace=True)
    assert read_private(path, limit=LIMIT) == b"two"


def test_a_new_file_and_its_directory_are_private(tmp_path: Path) -> None:
    """Whatever the umask, a new file has mode 0600 and a new directory 0700, and nothing else lies there."""
    path = tmp_path / "home" / "file"
    before = os.umask(0)
    try:
        write_private(path, b"data", replace=False)
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_is_none_and_makes_nothing(tmp_path: Path) -> None:
    """Reading what is not there leaves no trace."""
    assert read_private(tmp_path / "home" / "file", limit=LIMIT) is None
    assert read_private(tmp_path / "file", limit=LIMIT) is None
    assert list(tmp_path.iterdir()) == []


def test_creation_is_exclusive(tmp_path: Path) -> None:
    """Without replace a file that stands there stays as it was."""
    path = tmp_path / "file"
    write_private(path, b"one", replace=False)
    with refused("file_exists"):
        write_private(path, b"two", replace=False)
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    """A file of the limit's size is read, one byte more is not."""
    path = tmp_path / "file"
    write_private(path, bytes(LIMIT), replace=False)
    assert read_private(path, limit=LIMIT) == bytes(LIMIT)
    with refused("file_too_large"):
        read_private(path, limit=LIMIT - 1)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666])
def test_a_file_that_others_may_open_is_refused(tmp_path: Path, bits: int) -> None:
    """Any right for group or others is one too many."""
    path = tmp_path / "file"
    write_private(path, b"data", replace=False)
    path.chmod(bits)
    with refused("unsafe_file"):
        read_private(path, limit=LIMIT)


@pytest.mark.parametrize("bits", [0o720, 0o702, 0o777])
def test_a_directory_that_others_may_change_is_refused(tmp_path: Path, bits: int) -> None:
    """Who can write to the directory can swap the file, so neither reading nor writing is done there."""
    path = tmp_path / "home" / "file"
    write_private(path, b"data", replace=False)
    path.parent.chmod(bits)
    with refused("unsafe_file"):
        read_private(path, limit=LIMIT)
    with refused("unsafe_file"):
        write_private(path, b"other", replace=True)
    path.parent.chmod(0o700)
    assert read_private(path, limit=LIMIT) == b"data"


def test_a_directory_that_others_may_read_is_allowed(tmp_path: Path) -> None:
    """The file is private by itself: a host's own 0755 directory does."""
    tmp_path.chmod(0o755)
    write_private(tmp_path / "file", b"data", replace=False)
    assert read_private(tmp_path / "file", limit=LIMIT) == b"data"


@pytest.mark.parametrize("calls_before", [0, 1])
def test_what_belongs_to_another_user_is_refused(
    tmp_path: Path, calls_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a directory nor a file of somebody else is used."""
    path = tmp_path / "file"
    write_private(path, b"data", replace=False)
    me = os.geteuid()
    users = iter([me] * calls_before + [me + 1])
    monkeypatch.setattr(os, "geteuid", lambda: next(users))
    with refused("unsafe_file"):
        read_private(path, limit=LIMIT)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A symbolic link in the file's place is refused, where it leads to and where it leads nowhere."""
    target = tmp_path / "target"
    write_private(target, b"data", replace=False)
    for name, leads_to in (("good", target), ("dangling", tmp_path / "nothing")):
        link = tmp_path / name
        link.symlink_to(leads_to)
        with refused("unsafe_file"):
            read_private(link, limit=LIMIT)
        with refused("unsafe_file"):
            open_private(link, os.O_RDWR | os.O_CREAT)
    assert not (tmp_path / "nothing").exists()


def test_replacing_a_link_replaces_the_link(tmp_path: Path) -> None:
    """Writing never reaches through a link to what it points at."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"untouched")
    link.symlink_to(target)
    write_private(link, b"data", replace=True)
    assert target.read_bytes() == b"untouched"
    assert not link.is_symlink()


def test_pipes_and_directories_are_no_files(tmp_path: Path) -> None:
    """A pipe does not make the program wait, and a directory is not read."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    for name in ("pipe", "folder"):
        with refused("unsafe_file"):
            read_private(tmp_path / name, limit=LIMIT)


def test_a_path_through_a_file_is_told(tmp_path: Path) -> None:
    """What the system refuses for other reasons comes with its own words."""
    (tmp_path / "file").write_bytes(b"")
    with refused("file_unusable"):
        read_private(tmp_path / "file" / "below", limit=LIMIT)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When there is no room the old content stays and no draft is left behind."""
    path = tmp_path / "file"
    write_private(path, b"old", replace=False)

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with refused("disk_full"):
        write_private(path, b"new", replace=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synchronised, then named, then its directory is synchronised."""
    steps: list[str] = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)

        def step(*args: object, _name: str = name, _call: object = call, **options: object) -> None:
            steps.append(_name)
            _call(*args, **options)  # type: ignore[operator]

        monkeypatch.setattr(os, name, step)
    write_private(tmp_path / "file", b"data", replace=True)
    assert steps == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_killed_writer_leaves_the_old_file(tmp_path: Path, step: str) -> None:
    """A process killed in the middle of a write leaves the old content whole."""
    path = tmp_path / "file"
    write_private(path, b"old", replace=False)
    script = (
        "import os, signal, sys; from pathlib import Path; from e2e_support_keys.private_files import *\n"
        f"os.{step} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_private(Path(sys.argv[1]), b'new', replace=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert read_private(path, limit=LIMIT) == b"old"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no such file system here")
def test_a_place_where_no_directory_can_be_made_is_refused() -> None:
    """A home on a file system that takes no directories is a clear refusal."""
    with refused("file_unusable"):
        write_private(Path("/proc/nowhere/keys"), b"data", replace=False)
