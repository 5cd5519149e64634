# pyright: reportPrivateUsage=false
"""Signatures are verified the same here and in the helper, and the helper may die at any time."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.request import SIGNED_HEADERS, SignedRequest, content_digest, sign_request
from e2e_support_server import verifier
from e2e_support_server.verifier import Unverified, Verifier, answer, pack, serve, unpack, verify_here
from relay_kit import new_key, running

NOW = 1_800_000_000


def signed(path: str = "/v1/x") -> Unverified:
    """Return a request with a good signature."""
    parts = {"method": "GET", "authority": "relay.example", "path": path, "query": "from=0"}
    headers = sign_request(new_key(), **parts, digest=content_digest(b""), now=NOW, random=os.urandom)
    return (*parts.values(), *(headers[name] for name in SIGNED_HEADERS))


def spoiled(request: Unverified, field: int) -> Unverified:
    """Return a request with one field changed."""
    return (*request[:field], request[field] + "x", *request[field + 1 :])


GOOD = [signed(f"/v1/{number}") for number in range(20)]
BAD = [spoiled(GOOD[0], field) for field in range(len(GOOD[0]))] + [("", "", "", "", "", "", "")]


@pytest.fixture
async def helped() -> AsyncGenerator[Verifier]:
    """A verifier whose helper runs."""
    verifier = Verifier(helper=True, waiting_most=1000)
    await asyncio.gather(*(verifier.verify(request) for request in GOOD[:3]))
    assert verifier._starting
    await verifier._starting
    assert verifier._helper
    yield verifier
    await verifier.close()


def test_a_good_signature_tells_what_was_signed() -> None:
    """The verdict names key, digest, times and nonce."""
    verdict = verify_here(GOOD[0])
    assert verdict is not None
    assert (verdict.created, verdict.digest) == (NOW, content_digest(b""))


@pytest.mark.parametrize("request_", BAD)
def test_any_other_signature_is_none(request_: Unverified) -> None:
    """Whatever is changed, there is no verdict."""
    assert verify_here(request_) is None


def test_both_processes_say_the_same() -> None:
    """Through the helper's messages every request gets the verdict that it gets here."""
    requests = [*GOOD, *BAD, GOOD[0]]
    out = io.BytesIO()
    serve(io.BytesIO(pack(requests[:5]) + pack(requests[5:])), out)
    assert unpack(out.getvalue()) == [verify_here(request) for request in requests]
    assert answer(pack(requests)[4:]) == out.getvalue()


async def test_few_requests_need_no_helper() -> None:
    """A quiet relay is one process."""
    verifier = Verifier(helper=True, waiting_most=10)
    assert await verifier.verify(GOOD[0]) == verify_here(GOOD[0])
    await asyncio.gather(*(verifier.verify(request) for request in GOOD[: verifier_most()]))
    assert verifier._starting is None
    await verifier.close()


def verifier_most() -> int:
    """Return how many requests at once are still few."""
    return verifier.HELP_FROM - 1


async def test_a_helper_that_is_not_allowed_is_not_started() -> None:
    """Where there is one processor everything is verified here."""
    verifier = Verifier(helper=False, waiting_most=100)
    verdicts = await asyncio.gather(*(verifier.verify(request) for request in GOOD))
    assert verdicts == [verify_here(request) for request in GOOD]
    assert verifier._starting is None
    await verifier.close()


async def test_the_helper_verifies_under_load(helped: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """With enough to do the helper gives the verdicts, good and bad, in order."""
    expected = [verify_here(request) for request in GOOD + BAD]

    def verified_here(_: Unverified) -> None:
        raise AssertionError("not by the helper")

    monkeypatch.setattr(verifier, "verify_here", verified_here)
    assert await asyncio.gather(*(helped.verify(request) for request in GOOD + BAD)) == expected


async def test_a_helper_that_dies_costs_nobody_their_answer(helped: Verifier) -> None:
    """When the helper is killed in the middle of its work, the relay verifies by itself and goes on."""
    assert helped._helper
    tasks = [asyncio.create_task(helped.verify(request)) for request in GOOD * 5]
    await asyncio.sleep(0)
    helped._helper._process.kill()
    assert await asyncio.gather(*tasks) == [verify_here(request) for request in GOOD * 5]
    assert helped._helper is None
    assert await helped.verify(GOOD[0]) == verify_here(GOOD[0])


async def test_a_helper_that_hangs_is_given_up(helped: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that does not answer in time is ended."""
    assert helped._helper
    monkeypatch.setattr(verifier, "PATIENCE", 0.2)
    process = helped._helper._process
    process.send_signal(19)  # SIGSTOP
    verdicts = await asyncio.gather(*(helped.verify(request) for request in GOOD))
    assert verdicts == [verify_here(request) for request in GOOD]
    assert process.returncode == -9


async def test_a_helper_that_cannot_start_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a second process the relay is slower, no less safe."""
    monkeypatch.setattr(sys, "executable", "/nowhere")
    alone = Verifier(helper=True, waiting_most=100)
    for _ in range(2):
        verdicts: list[SignedRequest | None] = await asyncio.gather(
            *(alone.verify(request) for request in GOOD)
        )
        assert verdicts == [verify_here(request) for request in GOOD]
        await asyncio.sleep(0)
    await alone.close()


async def test_closing_ends_the_helper(helped: Verifier) -> None:
    """A relay that stops leaves no process behind."""
    assert helped._helper
    process = helped._helper._process
    await helped.close()
    assert process.returncode is not None


async def test_a_relay_with_a_helper_serves_and_refuses_as_without(tmp_path: Path) -> None:
    """Behind many requests at once, appends are stored and strangers told nothing."""
    async with running(tmp_path / "relay", helper=1) as relay:
        team = await relay.found()
        boxes = [await relay.ticket(team) for _ in range(24)]
        for _ in range(8):
            await asyncio.gather(*(box.append() for box in boxes))
        assert relay.relay
        stranger = new_key()
        replies = await asyncio.gather(*(relay.ask(stranger, "GET", f"{box.path}/entries") for box in boxes))
        assert {reply.code for reply in replies} == {"not_found"}
        assert [(await box.page()).head.length for box in boxes] == [8] * 24


def test_a_verdict_is_what_was_signed() -> None:
    """Times and nonce survive the way through the pipe."""
    one = SignedRequest(b"p" * 32, b"d" * 32, NOW, NOW + 60, b"n" * 16)
    data = verifier._verdict(one) + verifier._verdict(None) + verifier._verdict(replace(one, created=2**53))
    assert unpack(data) == [one, None, replace(one, created=2**53)]
