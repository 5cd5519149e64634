"""What every request passes and every answer carries: names, spellings, sizes, times (protocol 8.1, 9, 11)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from e2e_support.errors import PeerError
from e2e_support.request import b64
from e2e_support_server.screen import check
from relay_kit import LIMITS, Client, TeamHandle, make_entry, new_key, running

SOON = 30  # seconds: more than any computer needs, and less than the relay's own time for a head or a body
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "no-store",
    "Server": "e2e-relay",
}


async def raw(relay: Client, data: bytes, *, more: bytes = b"", pause: float = 0) -> bytes:
    """Send bytes as they are and return all that comes back before the relay closes or has answered."""
    host, _, port = relay.authority.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        await writer.drain()
        if more:
            await asyncio.sleep(pause)
            writer.write(more)
        answer = b""
        async with asyncio.timeout(SOON):
            while part := await reader.read(65536):
                answer += part
                if b"\r\n\r\n" in answer and b"onnection: close" not in answer:
                    break
        return answer
    finally:
        writer.close()


def status(answer: bytes) -> int:
    """Return the status of a raw answer; what is not HTTP at all is answered as HTTP/1.0."""
    version, number, _ = answer.split(b" ", 2)
    assert version in (b"HTTP/1.0", b"HTTP/1.1")
    return int(number)


def head(relay: Client, line: str, *headers: str) -> bytes:
    """Return the head of a request with the right host."""
    return "\r\n".join([line, f"Host: {relay.authority}", *headers, "", ""]).encode()


async def test_every_answer_forbids_sniffing_scripts_and_caching(relay: Client, team: TeamHandle) -> None:
    """Success, refusal, unknown route and broken HTTP carry the same protective headers and no version."""
    box = await relay.ticket(team)
    await box.append()
    answers = [
        await relay.send("GET", "/v1/relay"),
        await relay.ask(box.key, "GET", f"{box.path}/entries"),
        await relay.send("GET", "/v1/nothing"),
        await relay.send("DELETE", "/v1/relay"),
    ]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    broken = await raw(relay, b"NONSENSE\r\n\r\n")
    assert status(broken) == 400
    for name, value in HEADERS.items():
        assert f"{name}: {value}".encode() in broken
    assert b"malformed" in broken
    assert b"NONSENSE" not in broken
    assert b"aiohttp" not in broken


@pytest.mark.parametrize(
    ("method", "route"),
    [("DELETE", "/v1/relay"), ("HEAD", "/v1/relay"), ("GET", "/v1/teams"), ("PATCH", "/v1/teams")],
)
async def test_a_route_has_its_methods_only(relay: Client, method: str, route: str) -> None:
    """Another method answers 405 with the allowed ones (§11)."""
    reply = await relay.send(method, route)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET" if route == "/v1/relay" else "POST")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/relay",
        "/v1/mailboxes/short/entries",
        "/v1/mailboxes/" + "A" * 23,
        "/v1/team/" + "A" * 22 + "/links",
    ],
)
async def test_an_unknown_path_is_not_found_or_malformed(relay: Client, path: str) -> None:
    """Nothing but the routes of §9 answers, and only in their own spelling."""
    (await relay.send("GET", path)).expect("not_found", "malformed", "method_not_allowed")


@pytest.mark.parametrize(
    "target",
    [
        "/v1//relay",
        "/v1/relay/",
        "/v1/./relay",
        "/v1/x/../relay",
        "/v1/%72elay",
        "/v1/relay;x",
        "//127.0.0.1/v1/relay",
        "http://127.0.0.1/v1/relay",
        "/v1\\relay",
    ],
)
async def test_a_path_has_one_spelling(relay: Client, target: str) -> None:
    """A path that a proxy might read differently is refused, not normalised (attack 68)."""
    answer = await raw(relay, head(relay, f"GET {target} HTTP/1.1"))
    assert status(answer) in (400, 404)


@pytest.mark.parametrize(
    "query",
    [
        "from=01",
        "from=-1",
        "from=1&from=2",
        "from=1&",
        "&from=1",
        "from=1;x",
        "to=1",
        "from",
        "from=%31",
        "from=99999999999999999",
    ],
)
async def test_a_query_has_one_spelling(relay: Client, team: TeamHandle, query: str) -> None:
    """Parameters are known, given once, and plain numbers (§11 malformed)."""
    (await relay.send("GET", f"/v1/team/{b64(team.team_id)}/links?{query}")).expect("malformed")


async def test_an_identifier_has_one_spelling(relay: Client, team: TeamHandle) -> None:
    """Base64url whose unused bits are set is refused, so that one mailbox has one name."""
    box = await relay.ticket(team)
    last = box.path[-1]
    twin = (
        box.path[:-1]
        + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(last) | 1
        ]
    )
    (await relay.ask(box.key, "GET", f"{twin}/entries")).expect("malformed")


@pytest.mark.parametrize(
    "header",
    ["Host", "Signature", "Signature-Input", "Content-Digest", "Authorization", "Content-Length", "Range"],
)
async def test_a_relevant_header_stands_once(relay: Client, header: str) -> None:
    """Two of a header that matters are refused, whatever they say (attack 68)."""
    value = {"Host": relay.authority, "Content-Length": "0"}.get(header, "x")
    lines = [f"{header}: {value}"] * (1 if header == "Host" else 2)
    answer = await raw(relay, head(relay, "GET /v1/relay HTTP/1.1", *lines))
    assert status(answer) == 400
    assert b"malformed" in answer


@pytest.mark.parametrize("stray", ["\x00", "\x01", "\x1f", "\x7f", "\u0080", "\u00e9"])
def test_a_relevant_header_is_plain_text(stray: str) -> None:
    """Whatever the HTTP parser lets through, no field can pass for two among the verifier's requests."""
    plain = {"Host": "relay.example", "Signature": "e2es=:x:", "X-Other": stray}
    check(make_mocked_request("GET", "/v1/relay", headers=plain), frozenset({"relay.example"}))
    for name in ("Signature", "Signature-Input", "Content-Digest"):
        request = make_mocked_request("GET", "/v1/relay", headers={**plain, name: f"a{stray}b"})
        with pytest.raises(PeerError, match="plain text"):
            check(request, frozenset({"relay.example"}))


async def test_headers_that_proxies_add_may_stand_twice(relay: Client) -> None:
    """A chain of proxies writes Via and X-Forwarded-For more than once."""
    answer = await raw(relay, head(relay, "GET /v1/relay HTTP/1.1", "Via: a", "Via: b"))
    assert status(answer) == 200


@pytest.mark.parametrize("line", ["Content-Encoding: gzip", "Transfer-Encoding: gzip, chunked"])
async def test_an_encoded_body_is_refused(relay: Client, line: str) -> None:
    """The relay never unpacks a body: what was signed is what was sent (attack 23)."""
    answer = await raw(relay, head(relay, "POST /v1/teams HTTP/1.1", line) + b"0\r\n\r\n")
    assert status(answer) in (400, 403)
    assert b"malformed" in answer


async def test_a_length_and_chunks_together_are_refused(relay: Client) -> None:
    """The classic of request smuggling is not HTTP here (attack 68)."""
    lines = ("Content-Length: 4", "Transfer-Encoding: chunked")
    answer = await raw(
        relay, head(relay, "POST /v1/teams HTTP/1.1", *lines) + b"0\r\n\r\nGET /v1/relay HTTP/1.1\r\n\r\n"
    )
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize("host", ["relay.example", "127.0.0.1", "127.0.0.1:1", ""])
async def test_another_name_is_misdirected(relay: Client, host: str) -> None:
    """The relay answers to its own names only (§8.1, §11)."""
    answer = await raw(relay, f"GET /v1/relay HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert status(answer) in (421, 400)


async def test_a_request_without_a_name_is_malformed(relay: Client) -> None:
    """HTTP/1.0 without a host says nothing about whom it is for."""
    assert status(await raw(relay, b"GET /v1/relay HTTP/1.0\r\n\r\n")) == 400


async def test_the_names_are_set_by_the_operator(tmp_path: Path) -> None:
    """With names of its own a relay answers to those, in any case, and not to its address."""
    async with running(tmp_path / "relay", authorities=("Relay.Example", "[::1]:8470")) as relay:
        (await relay.send("GET", "/v1/relay")).expect("wrong_authority")
        for name in (b"relay.example", b"RELAY.EXAMPLE", b"[::1]:8470"):
            answer = await raw(relay, b"GET /v1/relay HTTP/1.1\r\nHost: " + name + b"\r\n\r\n")
            assert status(answer) == 200


async def test_a_request_is_signed_for_a_name(tmp_path: Path) -> None:
    """A signature names the relay as the client knows it; the same relay under another name refuses it (§8.1)."""
    async with running(tmp_path / "relay") as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        port = relay.authority.rpartition(":")[2]
        headers = relay.signature(box.key, "GET", f"{box.path}/entries", authority=f"localhost:{port}")
        (await relay.send("GET", f"{box.path}/entries", headers=headers)).expect("not_found")
        headers = relay.signature(box.key, "GET", f"{box.path}/entries", authority=f"localhost:{port}")
        (
            await relay.send("GET", f"{box.path}/entries", headers={**headers, "Host": f"localhost:{port}"})
        ).expect(200)


async def test_a_body_over_its_limit_is_refused(relay: Client, team: TeamHandle) -> None:
    """Every body has a limit of its kind, told before the body is read (§11)."""
    box = await relay.ticket(team)
    (await relay.ask(box.key, "POST", f"{box.path}/entries", bytes(300 * 1024))).expect("too_large")
    key = new_key()
    create = relay.create(team, key, proof=bytes(512)).to_bytes() + bytes(1024)
    (await relay.ask(key, "PUT", f"/v1/mailboxes/{b64(bytes(16))}", create)).expect("not_found")
    (await relay.ask(box.key, "PUT", box.path, create)).expect("too_large")


async def test_a_chunked_body_is_counted_as_it_comes(relay: Client, team: TeamHandle) -> None:
    """Without a length the relay stops reading at the limit."""
    box = await relay.ticket(team)
    headers = relay.signature(box.key, "POST", f"{box.path}/entries")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    request = head(relay, f"POST {box.path}/entries HTTP/1.1", "Transfer-Encoding: chunked", *lines)
    chunk = b"40000\r\n" + bytes(0x40000) + b"\r\n"
    answer = await raw(relay, request + chunk, more=chunk, pause=0.05)
    assert status(answer) == 413


async def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    """A body has its time; then the connection is closed and nothing is stored (slow loris)."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, body_seconds=1)) as relay:
        team = await relay.found()
        box = await relay.ticket(team)
        body = box.next(make_entry()).to_bytes()
        headers = relay.signature(box.key, "POST", f"{box.path}/entries", body)
        lines = [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
        started = time.monotonic()
        await raw(relay, head(relay, f"POST {box.path}/entries HTTP/1.1", *lines) + body[:100])
        assert time.monotonic() - started > 0.9
        assert (await box.page()).head.length == 0


async def test_a_head_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    """A connection that sends its head byte by byte, or nothing, is closed (slow loris)."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, idle_seconds=1)) as relay:
        for data in (b"GET /v1/relay HT", b""):
            assert await raw(relay, data) == b""


@pytest.mark.parametrize("line", ["X: " + "a" * 9000, "\r\n".join(f"X-{i}: a" for i in range(80))])
async def test_a_head_is_bounded(relay: Client, line: str) -> None:
    """A header that is too long and too many headers are refused."""
    assert status(await raw(relay, head(relay, "GET /v1/relay HTTP/1.1", line))) == 400


async def test_connections_are_bounded(tmp_path: Path) -> None:
    """Beyond its number of connections a relay hangs up."""
    async with running(tmp_path / "relay", limits=replace(LIMITS, connections=1)) as relay:
        (await relay.send("GET", "/v1/relay")).expect(200)
        assert await raw(relay, head(relay, "GET /v1/relay HTTP/1.1")) == b""


async def test_a_problem_is_a_document_of_its_own_type(relay: Client) -> None:
    """Refusals are RFC 9457 documents with status, code, title and hint (§11)."""
    reply = await relay.send("GET", "/v1/nothing")
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.problem == {
        "type": "about:blank",
        "status": 404,
        "code": "not_found",
        "title": "No such thing, or not for this capability",
        "hint": "",
    }


async def test_a_body_in_another_version_is_told_so(relay: Client, team: TeamHandle) -> None:
    """An enumeration value that this relay does not know is update_needed, not malformed (§2.2, §11)."""
    key = new_key()
    create = relay.create(team, key).to_bytes()
    mode = create.rindex(b"\x00\xc4")  # stands before the proof
    unknown = create[:mode] + b"\x09" + create[mode + 1 :]
    (await relay.ask(key, "PUT", f"/v1/mailboxes/{b64(bytes(16))}", unknown)).expect("not_found")
    path = (await relay.ticket(team, key)).path
    (await relay.ask(key, "PUT", path, unknown)).expect("update_needed")
