"""What the relay writes down about people: nothing (architecture: fields from an allow-list)."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
from pathlib import Path

import pytest

from e2e_support_server.log import FIELDS, make_logger
from e2e_support_server.service.mailboxes import Mailboxes
from relay_kit import Client, Mailbox, ManualClock, make_entry, new_key, running


def spellings(secret: bytes) -> set[bytes]:
    """Return how bytes might look in a log or a file."""
    url = base64.urlsafe_b64encode(secret).rstrip(b"=")
    return {secret, secret.hex().encode(), url, base64.b64encode(secret), repr(secret)[2:-1].encode()}


async def live(relay: Client) -> tuple[Mailbox, set[bytes]]:
    """Do everything that the relay can do, refusals and faults included; return what must not be written down."""
    team = await relay.found()
    box = await relay.ticket(team)
    blob = await box.declare(100)
    await box.piece(blob, 0, os.urandom(100))
    await box.append(blobs=[blob])
    await box.append(key=team.capability)
    session = await relay.session(box.key)
    stranger = new_key()
    for key in (box.key, stranger):
        await relay.ask(key, "GET", f"{box.path}/entries?from=0")
        await relay.ask(key, "POST", f"{box.path}/entries", b"junk")
    await relay.send("GET", f"{box.path}/bell?after=0&wait=0", headers=session)
    await relay.send("GET", f"{box.path}/blobs/x{box.path[-20:]}")
    await relay.send("GET", "/v1/nothing/here?q=1")
    token = session["Authorization"].removeprefix("Bearer ")
    secrets = [box.id, box.key.public, stranger.public, team.team_id, team.capability.public, blob]
    forbidden = set[bytes]().union(*map(spellings, secrets)) | {token.encode(), b"127.0.0.1", b"localhost"}
    return box, forbidden


async def test_a_whole_session_leaves_no_trace_of_anybody(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A log of everything the relay does holds no id, key, token, address or path, in any spelling."""
    caplog.set_level(logging.DEBUG)
    async with running(tmp_path / "relay") as relay:
        box, forbidden = await live(relay)

        async def broken(*_: object) -> bytes:
            raise RuntimeError(f"fault at {box.path}")

        monkeypatch.setattr(Mailboxes, "append", broken)
        (await box.post(box.next(make_entry()))).expect("internal")
        log = relay.log.getvalue().encode()
    told = log + "".join(capfd.readouterr()).encode() + caplog.text.encode()
    assert log.count(b"\n") > 10
    assert {secret for secret in forbidden if secret in told} == set()
    assert b"RuntimeError" in log
    assert b"fault at" not in told
    for line in log.decode().splitlines():
        entry = json.loads(line)
        assert set(entry) <= FIELDS
        assert entry["time"] % 60 == 0
        assert re.fullmatch(r"none|janitor|(/v1(/[a-z]+|/\{[a-z_]+\})+)", entry.get("route", "none"))


async def test_an_unforeseen_fault_says_nothing_about_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the relay answers ``internal`` and keeps its reasons."""

    async def broken(*_: object) -> bytes:
        raise RuntimeError("secret reason")

    async with running(tmp_path / "relay") as relay:
        box = await relay.ticket(await relay.found())
        monkeypatch.setattr(Mailboxes, "page", broken)
        reply = (await relay.ask(box.key, "GET", f"{box.path}/entries")).expect("internal")
    assert (reply.status, b"secret" in reply.body) == (500, False)


def test_a_field_that_is_not_allowed_is_dropped() -> None:
    """Whoever logs more than the list allows logs nothing of it."""
    stream = io.StringIO()
    make_logger("info", ManualClock(1_800_000_059.9), stream).info(
        "happened", route="/v1/relay", mailbox_id="x", address="y", body=b"z", code=["not", "plain"]
    )
    assert json.loads(stream.getvalue()) == {
        "event": "happened",
        "route": "/v1/relay",
        "level": "info",
        "time": 1_800_000_000,
    }


async def test_without_debug_requests_are_not_logged(tmp_path: Path) -> None:
    """In normal operation a request leaves no line at all."""
    async with running(tmp_path / "relay", log_level="info") as relay:
        await live(relay)
        assert relay.log.getvalue() == ""


async def test_the_data_directory_holds_no_address_and_no_token(tmp_path: Path) -> None:
    """Nothing on the disk tells from where somebody came, and no session can be taken from a backup."""
    async with running(tmp_path / "relay") as relay:
        box = await relay.ticket(await relay.found())
        await box.append()
        token = (await relay.session(box.key))["Authorization"].removeprefix("Bearer ")
        found = b"".join(file.read_bytes() for file in _files(tmp_path))
    secret = base64.urlsafe_b64decode(token + "=")
    assert {text for text in spellings(secret) | {b"127.0.0.1"} if text in found} == set()
    assert box.key.public in found


def _files(root: Path) -> list[Path]:
    return [file for file in root.rglob("*") if file.is_file() and file.name != "relay.key"]
