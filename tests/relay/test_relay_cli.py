"""The command ``e2e-relay``, as a process: init, serve, bootstrap, and how they fail."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from e2e_support.errors import UsageError
from e2e_support.wire import Receipt
from e2e_support_server.cli import main
from e2e_support_server.config import Config, Limits, load, split_address
from process_kit import client_of, last_words, run, start, stop


@dataclass(frozen=True)
class Done:
    """What came of a call."""

    returncode: int
    stdout: str
    stderr: str


CODE = r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}\n"


Call = Callable[..., Done]


@pytest.fixture(name="call")
def make_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command in this process, on a data directory of the test's own."""

    def call(*arguments: str) -> Done:
        try:
            status = main(["--data", str(tmp_path / "data"), *arguments])
        except SystemExit as error:
            status = int(str(error.code))
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return call


def test_init_makes_a_private_data_directory(call: Call, tmp_path: Path) -> None:
    """Everything the relay makes is for its user alone; the receipt key is a seed of 32 bytes."""
    done = call("init")
    assert (done.returncode, done.stderr) == (0, "")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "data").rglob("*")}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert modes == {"relay.db": 0o600, "relay.key": 0o600, "blobs": 0o700}
    assert len((tmp_path / "data" / "relay.key").read_bytes()) == 32


def test_init_again_changes_nothing(call: Call, tmp_path: Path) -> None:
    """The receipt key is made once: receipts stay good."""
    call("init")
    key = (tmp_path / "data" / "relay.key").read_bytes()
    assert call("init").returncode == 0
    assert (tmp_path / "data" / "relay.key").read_bytes() == key


def test_a_key_that_others_can_read_is_refused(call: Call, tmp_path: Path) -> None:
    """A relay does not sign with a key that anybody may have copied (attack 64)."""
    call("init")
    (tmp_path / "data" / "relay.key").chmod(0o644)
    failed = call("init")
    assert failed.returncode == 1
    assert "readable by others" in failed.stderr


def test_a_key_behind_a_link_is_refused(call: Call, tmp_path: Path) -> None:
    """The key file is a file, not a link to somewhere (attack 64)."""
    (tmp_path / "elsewhere").write_bytes(bytes(32))
    (tmp_path / "elsewhere").chmod(0o600)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "relay.key").symlink_to(tmp_path / "elsewhere")
    assert call("init").returncode == 1


async def test_serve_and_bootstrap_make_a_relay_with_two_commands(tmp_path: Path) -> None:
    """Start the relay, read out a code, found a team: no configuration, no restart."""
    process, url = await start(tmp_path)
    try:
        code = await asyncio.to_thread(run, tmp_path, "bootstrap")
        assert re.fullmatch(CODE, code.stdout)
        async with client_of(url) as client:
            box = await client.ticket(await client.found(code=code.stdout.strip()))
            await box.append()
        again = await asyncio.to_thread(run, tmp_path, "--json", "bootstrap")
        assert again.returncode == 1
        assert json.loads(again.stderr)["code"] == "code_refused"
    finally:
        out, err = await stop(process)
    assert (process.returncode, out, err) == (0, "", "")


async def test_a_second_relay_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """Two relays would tear the chains apart: the data directory is locked (attack 65)."""
    process, _ = await start(tmp_path)
    try:
        second = await asyncio.to_thread(run, tmp_path, "--json", "serve", "--listen", "127.0.0.1:0")
        assert second.returncode == 1
        assert json.loads(second.stderr)["code"] == "in_use"
    finally:
        await stop(process)
    process, _ = await start(tmp_path)
    await stop(process)


async def test_stopping_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """After SIGTERM what was answered stands, streams are told bye, and the process ends well."""
    process, url = await start(tmp_path)
    code = (await asyncio.to_thread(run, tmp_path, "bootstrap")).stdout.strip()
    async with client_of(url) as client:
        team = await client.found(code=code)
        boxes = [await client.ticket(team) for _ in range(20)]
        headers = {**await client.session(team.capability), "Accept": "text/event-stream"}
        stream = await client.http.get(f"{url}{boxes[0].path}/bell?after=0", headers=headers)
        appends = [asyncio.create_task(box.append()) for box in boxes]
        await asyncio.sleep(0.01)
        process.terminate()
        ended = await asyncio.gather(*appends, return_exceptions=True)
        assert all(isinstance(end, Receipt | aiohttp.ClientError) for end in ended)
        text = (await stream.content.read()).decode()
        assert "event: bye\nretry: " in text
    assert await last_words(process) == ("", "")
    assert process.returncode == 0
    process, url = await start(tmp_path)
    async with client_of(url) as client:
        for box, end in zip(boxes, ended, strict=True):
            box.client = client
            assert (await box.page()).head.length >= isinstance(end, Receipt)
    await stop(process)


async def test_the_names_it_answers_to_can_be_given(tmp_path: Path) -> None:
    """``--authority`` replaces the names that follow from the address."""
    process, url = await start(tmp_path, "--authority", "relay.example", "--authority", "other.example:8443")
    try:
        async with aiohttp.ClientSession() as http:
            for name, status in (("relay.example", 200), ("other.example:8443", 200), ("localhost", 421)):
                async with http.get(f"{url}/v1/relay", headers={"Host": name}) as answer:
                    assert answer.status == status
    finally:
        await stop(process)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["serve", "--listen", "nonsense"], 1, "bad_config"),
        (["serve", "--listen", "203.0.113.1:1"], 1, "cannot_listen"),
        (["nonsense"], 2, ""),
        ([], 2, ""),
    ],
)
def test_a_failure_has_a_code_and_a_status(call: Call, arguments: list[str], status: int, code: str) -> None:
    """1 is a failure with a code on standard error, 2 a wrong call."""
    failed = call("--json", *arguments)
    assert (failed.returncode, failed.stdout) == (status, "")
    if code:
        assert json.loads(failed.stderr)["code"] == code


def test_a_failure_for_people_has_a_hint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``--json`` an error is a sentence and what to do."""
    monkeypatch.setenv("E2ES_LIMITS_WORK_BITS", "many")
    failed = call("serve")
    assert failed.stderr.startswith("e2e-relay: work_bits has a wrong type\n  See the settings")


def test_settings_come_from_file_then_environment(tmp_path: Path) -> None:
    """The environment overrides the file, and both the defaults."""
    (tmp_path / "relay.toml").write_text(
        'port = 1\nhost = "::1"\nauthorities = ["a", "b"]\n[limits]\nuploads = 3\nlisteners = 4\n', "utf-8"
    )
    config = load(
        tmp_path, {"E2ES_PORT": "2", "E2ES_LIMITS_UPLOADS": "5", "E2ES_AUTHORITIES": "c,d", "OTHER": "x"}
    )
    assert config == Config(tmp_path, "::1", 2, ("c", "d"), limits=Limits(uploads=5, listeners=4))


@pytest.mark.parametrize(
    "text", ["port = '1'\nx = 2", "data = 'x'", "[limits]\nnope = 1", "port = true", "port ="]
)
def test_a_wrong_setting_is_refused(tmp_path: Path, text: str) -> None:
    """A name or type that is not known is an error, not ignored."""
    (tmp_path / "relay.toml").write_text(text, "utf-8")
    with pytest.raises(UsageError):
        load(tmp_path, {})


@pytest.mark.parametrize(("text", "address"), [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0))])
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    """IPv6 hosts stand in brackets."""
    assert split_address(text) == address


def test_the_default_names_follow_from_the_address(tmp_path: Path) -> None:
    """Without names of its own the relay answers to its address and to localhost, with the port."""
    names = Config(tmp_path, "::1").names(8470)
    assert names == {"[::1]:8470", "127.0.0.1:8470", "localhost:8470"}


@pytest.mark.parametrize("text", ["", "x", ":1", "x:", "x:y", "x:65536"])
def test_a_wrong_address_is_refused(text: str) -> None:
    """Anything else is no address."""
    with pytest.raises(UsageError):
        split_address(text)
