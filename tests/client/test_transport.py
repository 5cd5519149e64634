"""The client's HTTP against servers that misbehave and against the real relay.

Tests named by a number carry out an attack of the threat model.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from channel_story import Person, Story
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, SupportError, TransportError, UsageError
from e2e_support.ids import BlobId, Hash, MailboxId, TeamId
from e2e_support.limits import KIB, PIECE_SIZE
from e2e_support.request import b64, verify_request
from e2e_support.wire import Append, Batch, BlobState, Found, Head, Page, RelayInfo, Ring, Session
from e2e_support_client.bell_stream import read_rings
from e2e_support_client.download import read_bytes
from e2e_support_client.files import FileSource
from e2e_support_client.port import Refused
from e2e_support_client.refusals import REFUSALS, read_refusal, unb64_upto
from e2e_support_client.retry import NO_RETRY, RetryPolicy
from e2e_support_client.transport import HttpRelay
from e2e_support_client.upload import UploadState, upload
from http_kit import Meddler, Passing, answering, meddling, message, problem, saying
from relay_kit import LIMITS, Client, ManualClock, running

KEY, OTHER_KEY = SigningKey(Secret(b"k" * 32)), SigningKey(Secret(b"o" * 32))
MAILBOX, TEAM, BLOB = MailboxId(b"m" * 16), TeamId(b"t" * 32), BlobId(b"b" * 16)
INFO = RelayInfo(1, 1, bytes(32), 1_800_000_000).to_bytes()
PAGE = Page(Head(0, Hash(bytes(32))), ()).to_bytes()
NOW = 1_800_000_000
APPEND = Append(0, Hash(bytes(32)), b"entry", ())
AT_ONCE = RetryPolicy(attempts=3, base=0.0)
SHORT = timedelta(seconds=0.2)
UNHURRIED = timedelta(seconds=1)  # where the server is well: a busy computer may pause it


@contextmanager
def fails(code: str, kind: type[SupportError]) -> Generator[pytest.ExceptionInfo[SupportError]]:
    """Expect one error: its class says who is at fault, its code what is wrong."""
    with pytest.raises(SupportError) as caught:
        yield caught
    assert (type(caught.value), caught.value.code) == (kind, code)


@pytest.fixture
async def connect() -> AsyncGenerator[Callable[..., HttpRelay]]:
    """Make clients that are closed when the test ends; they try once unless told otherwise."""
    made: list[HttpRelay] = []

    def make(url: str, **options: object) -> HttpRelay:
        made.append(HttpRelay(url, **{"retry": NO_RETRY, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for relay in made:
        await relay.close()


Connect = Callable[..., HttpRelay]


def session_answer(token: bytes = bytes(32), life: int = 600) -> web.Response:
    """Return the answer to a request for a session."""
    return message(Session(token, int(time.time()) + life).to_bytes())


# --- 22: oversize, endless, slow ------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.e2es\r\n"
TOO_MUCH = {
    "says that it is large": (HEAD + b"Content-Length: 300\r\n\r\n", b"", "too_large"),
    "says that it is huge": (HEAD + b"Content-Length: 9999999999999\r\n\r\n", b"x" * KIB, "too_large"),
    "endless chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"400\r\n" + b"x" * KIB + b"\r\n",
        "too_large",
    ),
    "endless body": (HEAD + b"Connection: close\r\n\r\n", b"x" * KIB, "too_large"),
    "endless header": (b"HTTP/1.1 200 OK\r\nX: ", b"x" * KIB, "malformed"),
    "endless headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", "malformed"),
    "no HTTP": (b"220 mail.example.org ESMTP\r\n", b"", "malformed"),
}


@pytest.mark.parametrize(("start", "endless", "code"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
async def test_22_an_answer_has_a_largest_size(
    connect: Connect, start: bytes, endless: bytes, code: str
) -> None:
    """Attack 22: whatever is larger than its kind allows is given up before it is held."""
    async with saying(start, endless=endless) as url, asyncio.timeout(30):
        with fails(code, PeerError):
            await connect(url).info()


SLOW = {
    "says nothing": ((b"",) * 3, b"", "timeout"),
    "one byte now and then": ((HEAD + b"Content-Length: 50\r\n\r\n",), b"x", "timeout"),
    "one header now and then": ((b"HTTP/1.1 200 OK\r\n",), b"X: y\r\n", "timeout"),
    "stops in the middle": ((HEAD + b"Content-Length: 50\r\n\r\n", b"x"), b"", "timeout"),
}


@pytest.mark.parametrize(("parts", "endless", "code"), SLOW.values(), ids=SLOW.keys())
async def test_22_an_answer_has_a_last_moment(
    connect: Connect, parts: tuple[bytes, ...], endless: bytes, code: str
) -> None:
    """Attack 22: a server that drips or falls silent is left after the time-out, and it can be tried again."""
    async with saying(*parts, endless=endless, pause=0.15) as url, asyncio.timeout(30):
        with fails(code, TransportError):
            await connect(url, timeout=SHORT).info()


async def test_22_a_large_answer_gets_time_by_its_size(connect: Connect) -> None:
    """A page may take longer than a small answer: its time grows with the size that it may have."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/session":
            return session_answer()
        response = web.StreamResponse(headers={"Content-Type": "application/vnd.e2es"})
        await response.prepare(request)
        for byte in PAGE:
            await asyncio.sleep(0.04)
            await response.write(bytes([byte]))
        return response

    async with answering(handle) as site:
        assert await connect(site.url, timeout=UNHURRIED).read(MAILBOX, 0, KEY) == Page.from_bytes(PAGE)


async def test_22_a_refusal_is_bounded_too(connect: Connect) -> None:
    """A problem document of any size is no reason to hold it."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return problem("not_found", 404, text=" " * 5000)

    async with answering(handle) as site:
        with fails("too_large", PeerError):
            await connect(site.url).info()


# --- 23: compression ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x"])
async def test_23_compression_is_neither_asked_for_nor_accepted(connect: Connect, encoding: str) -> None:
    """Attack 23: an encoded answer is refused unread, so nothing can expand."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.headers.getall("Accept-Encoding") == ["identity"]
        return message(gzip.compress(INFO), headers={"Content-Encoding": encoding})

    async with answering(handle) as site:
        with fails("bad_encoding", PeerError):
            await connect(site.url).info()


# --- 24: versions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(0, 0), (2, 3), (2, 1)])
async def test_24_no_other_version_is_spoken(connect: Connect, low: int, high: int) -> None:
    """Attack 24: a relay that claims to know only older or newer versions is not talked to."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return message(RelayInfo(low, high, bytes(32), NOW).to_bytes())

    async with answering(handle) as site:
        with fails("update_needed", PeerError):
            await connect(site.url).info()


# --- 28: words ---------------------------------------------------------------------------------------------------


async def test_28_people_never_read_the_relays_words(connect: Connect) -> None:
    """Attack 28: title and hint of a problem document are the relay's and go nowhere; ours are shown."""
    text = '{"status":404,"code":"not_found","title":"Call 0900-EVIL","hint":"Open http://evil.example"}'

    async def handle(_: web.Request) -> web.StreamResponse:
        return problem("not_found", 404, text=text)

    async with answering(handle) as site:
        with fails("not_found", Refused) as caught:
            await connect(site.url).info()
    shown = f"{caught.value} {caught.value.hint} {caught.value!r} {caught.value.__dict__}"
    assert "evil" not in shown.lower()


# --- 66-69: against the real relay -------------------------------------------------------------------------------


@pytest.fixture
async def between(tmp_path: Path, clock: ManualClock) -> AsyncGenerator[tuple[Meddler, Client]]:
    """A real relay that its clients reach only through a meddler."""
    async with (
        meddling() as man,
        running(tmp_path / "relay", clock=clock, authorities=(man.authority,), limits=LIMITS) as relay,
    ):
        man.relay = relay.url
        yield man, relay


@pytest.fixture
def clock() -> ManualClock:
    """The relay's clock."""
    return ManualClock()


@pytest.fixture
async def user(between: tuple[Meddler, Client], connect: Connect) -> Person:
    """A user with a ticket on the real relay, behind the meddler."""
    man, relay = between
    assert relay.relay is not None
    story = await Story.over(connect(man.site.url), await relay.relay.context.teams.issue_code())
    return (await story.ticket())[0]


async def test_66_a_recorded_request_is_good_once(
    user: Person, between: tuple[Meddler, Client], clock: ManualClock
) -> None:
    """Attack 66: the same request again is refused by its nonce, later by its time; the log does not change."""
    man, relay = between
    await user.say("pay 100 to Anna")
    recorded = man.seen[-1]
    for wait, code in ((0, "request_replayed"), (200, "request_expired")):
        clock.time += wait
        again = await man.send(relay.http, recorded)
        assert (again.status, f'"{code}"' in str(again.text)) == (401, True)
    clock.time -= 200
    assert len((await user.relay.read(user.conversation.mailbox, 0, user.capability)).items) == 2


def other_path(passing: Passing) -> None:
    """Send the request to another mailbox."""
    passing.target = passing.target.replace(passing.target.split("/")[3], b64(MAILBOX))


def other_method(passing: Passing) -> None:
    """Turn a POST into a PUT."""
    passing.method = "PUT" if passing.method == "POST" else passing.method


def other_body(passing: Passing) -> None:
    """Change the last byte of the body."""
    passing.body = passing.body[:-1] + bytes([passing.body[-1] ^ 1])


def other_body_and_digest(passing: Passing) -> None:
    """Change the body, and the digest with it."""
    other_body(passing)
    passing.headers["content-digest"] = "sha-256=:" + "A" * 43 + "=:"


def other_authority(passing: Passing) -> None:
    """Send the request to another relay."""
    passing.headers["Host"] = "other.example.org"


def added_query(passing: Passing) -> None:
    """Add a query that was not signed."""
    passing.target += "?from=1"


def twice(header: str) -> Callable[[Passing], None]:
    """Send a header twice."""

    def repeat(passing: Passing) -> None:
        spelling = next(name for name in passing.headers if name.lower() == header)  # else only one is sent
        passing.headers.add(spelling, passing.headers[header])

    return repeat


def spaced(header: str) -> Callable[[Passing], None]:
    """Spell a header in another legal way."""

    def space(passing: Passing) -> None:
        passing.headers[header] = passing.headers[header].replace(";", "; ").replace("=:", "= :")

    return space


SUBSTITUTIONS = {
    "67: another mailbox": other_path,
    "67: another method": other_method,
    "67: another body": other_body,
    "67: another body and digest": other_body_and_digest,
    "67: another relay": other_authority,
    "68: an added query": added_query,
    "68: two signatures": twice("signature"),
    "68: two signature inputs": twice("signature-input"),
    "68: two digests": twice("content-digest"),
    "68: another spelling of the input": spaced("signature-input"),
    "68: another spelling of the signature": spaced("signature"),
}


@pytest.mark.parametrize("meddle", SUBSTITUTIONS.values(), ids=SUBSTITUTIONS.keys())
async def test_a_changed_request_is_refused(
    user: Person, between: tuple[Meddler, Client], meddle: Callable[[Passing], None]
) -> None:
    """Attacks 67, 68: the relay accepts a request only as it was signed, to the letter; nothing is stored."""
    man, _ = between
    man.meddle = meddle
    with pytest.raises(SupportError) as caught:
        await user.say("hello")
    assert isinstance(caught.value, Refused | PeerError)
    man.meddle = None
    assert len((await user.relay.read(user.conversation.mailbox, 0, user.capability)).items) == 1


@pytest.mark.parametrize("query", ["from=%30", "from=00", "from=0&from=0", "From=0", "from=0&", "from=+0"])
async def test_68_a_query_has_one_spelling(user: Person, between: tuple[Meddler, Client], query: str) -> None:
    """Attack 68: a query that says the same in other characters is refused, in sessions too."""
    man, _ = between
    await user.pull()

    def respell(passing: Passing) -> None:
        passing.target = passing.target.partition("?")[0] + "?" + query

    man.meddle = respell
    with pytest.raises(SupportError) as caught:
        await user.relay.read(user.conversation.mailbox, 0, user.capability)
    assert isinstance(caught.value, Refused | PeerError)


async def test_69_strangers_cannot_tell_what_exists(user: Person) -> None:
    """Attack 69: a wrong key, an unknown mailbox and another ticket's key get one and the same answer."""
    errors: list[tuple[object, ...]] = []
    for mailbox, key in (
        (user.conversation.mailbox, OTHER_KEY),
        (MAILBOX, OTHER_KEY),
        (MAILBOX, user.capability),
    ):
        with fails("not_found", Refused) as caught:
            await user.relay.declare_blob(mailbox, BLOB, 10, key)
        errors.append((caught.value.code, caught.value.message, caught.value.hint))
    assert len(set(errors)) == 1


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return a server's TLS settings with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem")
    return context


async def test_66_a_stranger_in_the_tls_connection_is_told_nothing(connect: Connect, tmp_path: Path) -> None:
    """Attack 66: without a certificate that holds, not one request leaves."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return message(INFO)

    async with answering(handle, self_signed(tmp_path)) as site:
        with fails("tls_failed", TransportError):
            await connect(site.url).append(MAILBOX, APPEND, KEY)
        assert site.asked == []


# --- 70: downgrades and redirects ----------------------------------------------------------------------------------

BAD_URLS = [
    "http://relay.example.org",
    "http://10.0.0.1",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "https://relay.example.org/path",
    "https://user@relay.example.org",
    "https://relay.example.org:443",
    "https://RELAY.example.org",
    "ftp://relay.example.org",
    "relay.example.org",
    "",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_70_plain_http_is_for_this_machine_only(url: str) -> None:
    """Attack 70: an address that is no origin, or http in the open, is refused before anything connects."""
    with fails("bad_link", UsageError):
        HttpRelay(url)


@pytest.mark.parametrize(
    "url", ["https://relay.example.org:8443", "http://[::1]:8080", f"http://{'a' * 56}.onion"]
)
def test_70_what_a_support_link_allows_is_accepted(url: str) -> None:
    """An origin with TLS, loopback and onion services need no exception."""
    assert HttpRelay(url) is not None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300])
async def test_70_no_redirect_is_followed(connect: Connect, status: int) -> None:
    """Attack 70: whoever says "look there" gets no second request, nor does the other place."""

    async def redirect(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": other.url + "/v1/relay"})

    async def serve(_: web.Request) -> web.StreamResponse:
        return message(INFO)

    async with answering(serve) as other, answering(redirect) as site:
        with fails("redirect", PeerError):
            await connect(site.url).info()
        assert (site.asked, other.asked) == (["GET /v1/relay"], [])


async def test_nothing_but_the_protocol_stands_in_a_request(connect: Connect) -> None:
    """A request names no program, version, language or cookie; Host is what was signed (attack 29)."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/session":
            return session_answer()
        return message(PAGE, headers={"Set-Cookie": "track=1; Path=/"})

    async with answering(handle) as site:
        relay = connect(site.url)
        await relay.read(MAILBOX, 0, KEY)
        await relay.read(MAILBOX, 1, KEY)
    opening, read, again = site.requests
    assert {name.lower() for name in opening.headers} == {
        "host", "accept", "accept-encoding", "content-length", "content-digest", "signature", "signature-input"
    }  # fmt: skip
    assert {name.lower() for name in read.headers} == {"host", "accept", "accept-encoding", "authorization"}
    assert read.headers.keys() == again.headers.keys()
    signed = verify_request(
        method="POST",
        authority=site.url.removeprefix("http://"),
        path="/v1/session",
        query="",
        headers=list(opening.headers.items()),
    )
    assert signed.public == KEY.public


# --- sessions, clocks, nonces ----------------------------------------------------------------------------------------


async def test_a_session_is_opened_once_for_each_capability(connect: Connect) -> None:
    """Reads share a session, another capability has its own, and closing forgets them (§8.2)."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return session_answer() if request.path == "/v1/session" else message(PAGE)

    async with answering(handle) as site:
        relay = connect(site.url)
        for key in (KEY, KEY, OTHER_KEY, KEY):
            await relay.read(MAILBOX, 0, key)
        assert site.asked.count("POST /v1/session") == 2
        await relay.close()
        await relay.read(MAILBOX, 0, KEY)
        assert site.asked.count("POST /v1/session") == 3


async def test_an_old_session_is_renewed_before_it_is_over(connect: Connect) -> None:
    """By the clock or by the relay's word, a session that is over is replaced without anybody noticing."""
    now = [int(time.time())]
    over = [False]

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/session":
            over[0] = False
            return message(Session(bytes(32), now[0] + 600).to_bytes())
        return problem("session_expired", 401) if over[0] else message(PAGE)

    async with answering(handle) as site:
        relay = connect(site.url, now=lambda: now[0])
        for seconds, sessions in ((0, 1), (560, 1), (20, 2)):
            now[0] += seconds
            await relay.read(MAILBOX, 0, KEY)
            assert site.asked.count("POST /v1/session") == sessions
        over[0] = True
        await relay.read(MAILBOX, 0, KEY)
        assert site.asked.count("POST /v1/session") == 3


async def test_a_relay_that_never_likes_its_own_sessions_is_given_up(connect: Connect) -> None:
    """A session is renewed once; there is no loop."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return session_answer() if request.path == "/v1/session" else problem("session_expired", 401)

    async with answering(handle) as site:
        with fails("session_expired", Refused):
            await connect(site.url, retry=AT_ONCE).read(MAILBOX, 0, KEY)
        assert len(site.asked) == 4


def date(seconds: float) -> dict[str, str]:
    """Return a Date header."""
    return {"Date": format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)}


async def test_a_wrong_clock_is_worked_around_for_requests(connect: Connect) -> None:
    """The relay's Date teaches the client how far its clock is off, for this and all later requests."""
    created: list[int] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        found = re.search(r"created=(\d+)", request.headers["signature-input"])
        assert found is not None
        created.append(int(found[1]))
        good = abs(created[-1] - NOW - 7200) < 30
        return web.Response(status=200) if good else problem("request_expired", 401, headers=date(NOW + 7200))

    async with answering(handle) as site:
        relay = connect(site.url, now=lambda: NOW)
        await relay.declare_blob(MAILBOX, BLOB, 10, KEY)
        await relay.declare_blob(MAILBOX, BLOB, 10, KEY)
    assert created == [NOW, NOW + 7200, NOW + 7200]


CLOCKS = [
    (date(NOW + 49 * 3600), "check_clock", UsageError),
    (date(NOW - 49 * 3600), "check_clock", UsageError),
    (date(NOW), "request_expired", Refused),
    ({"Date": "yesterday"}, "malformed", PeerError),
    ({"Date": ""}, "malformed", PeerError),
]


@pytest.mark.parametrize(("headers", "code", "kind"), CLOCKS)
async def test_32_a_clock_far_off_is_for_a_person_to_set(
    connect: Connect, headers: dict[str, str], code: str, kind: type[SupportError]
) -> None:
    """Attack 32: more than 48 hours, a Date that cannot be read or one that does not help end the attempt."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return problem("request_expired", 401, headers=headers)

    async with answering(handle) as site:
        with fails(code, kind):
            await connect(site.url, now=lambda: NOW, retry=AT_ONCE).declare_blob(MAILBOX, BLOB, 10, KEY)
        assert len(site.asked) <= 2


async def test_a_request_that_the_network_doubled_is_signed_anew(connect: Connect) -> None:
    """A nonce that the relay has seen is replaced once."""
    nonces: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        nonces.append(re.findall(r'nonce="([^"]+)"', request.headers["signature-input"])[0])
        return problem("request_replayed", 401) if len(nonces) == 1 else web.Response(status=201)

    async with answering(handle) as site:
        await connect(site.url).declare_blob(MAILBOX, BLOB, 10, KEY)
    assert len(set(nonces)) == 2


# --- trying again ------------------------------------------------------------------------------------------------


@given(st.integers(1, 10), st.floats(0, 100), st.binary(min_size=4, max_size=4))
def test_a_pause_is_jittered_and_bounded(failed: int, asked: float, random: bytes) -> None:
    """A pause is at least what the relay asked for and at most the cap; beyond either the call gives up."""
    policy = RetryPolicy(attempts=5, base=0.5, cap=20)
    pause = policy.pause(failed, asked, lambda _: random)
    if failed >= 5 or asked > 20:
        assert pause is None
    else:
        assert pause is not None
        assert asked <= pause <= min(20, asked + 0.5 * 2 ** (failed - 1))


async def test_what_failed_for_a_while_is_tried_again(connect: Connect) -> None:
    """A relay that is busy twice is asked three times, each time with a signature of its own."""
    signatures: set[str] = set()

    async def handle(request: web.Request) -> web.StreamResponse:
        signatures.add(request.headers["signature"])
        return web.Response(status=201) if len(signatures) == 3 else problem("busy", 503)

    async with answering(handle) as site:
        await connect(site.url, retry=AT_ONCE).declare_blob(MAILBOX, BLOB, 10, KEY)
    assert len(signatures) == 3


WAITS = [
    ("rate", 429, "2", 2.0),
    ("busy", 503, "7", 7.0),
    ("budget", 429, "60", 60.0),
    ("disk_full", 507, "", None),
]


@pytest.mark.parametrize(("code", "status", "header", "wait"), WAITS)
async def test_a_relay_that_asks_to_wait_is_obeyed(
    connect: Connect, code: str, status: int, header: str, wait: float | None
) -> None:
    """The wish stands in the error for whoever schedules the next attempt; a wish beyond the cap is not slept out."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return problem(code, status, headers={"Retry-After": header} if header else None)

    async with answering(handle) as site:
        with fails(code, TransportError) as caught:
            await connect(site.url, retry=RetryPolicy(attempts=2, base=0, cap=1)).info()
    assert isinstance(caught.value, TransportError)
    assert caught.value.retry_after == wait


async def test_a_clear_no_is_not_asked_again(connect: Connect) -> None:
    """A refusal ends the call at once, whatever the retry policy."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return problem("frozen", 423)

    async with answering(handle) as site:
        with fails("frozen", Refused):
            await connect(site.url, retry=AT_ONCE).info()
        assert len(site.asked) == 1


async def test_founding_is_tried_once(connect: Connect) -> None:
    """The code is used up even if the answer is lost, so a second attempt could only mislead."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return problem("busy", 503)

    batch = Found("CODE", Batch((), ()))
    async with answering(handle) as site:
        with fails("busy", TransportError):
            await connect(site.url, retry=AT_ONCE).found(batch)
        assert len(site.asked) == 1


async def test_nobody_there_is_told_as_such(connect: Connect) -> None:
    """A refused connection is the network's fault and worth another attempt."""
    async with saying() as url:
        pass
    with fails("relay_unreachable", TransportError):
        await connect(url, retry=AT_ONCE).info()


async def test_a_connection_that_breaks_is_told_as_such(connect: Connect) -> None:
    """An answer that ends too early is no answer."""
    for start in (b"", HEAD + b"Content-Length: 50\r\n\r\nx"):
        async with saying(start) as url:
            with fails("relay_unreachable", TransportError):
                await connect(url).info()


async def test_a_proxy_carries_everything_or_is_named(connect: Connect) -> None:
    """With a proxy only the proxy is connected to; one that is not there, or no proxy, is named."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.headers["Host"] == "127.0.0.1:9"
        return message(INFO)

    async with answering(handle) as site:
        await connect("http://127.0.0.1:9", proxy=site.url).info()
        assert len(site.asked) == 1
    with fails("proxy_failed", TransportError):
        await connect("http://127.0.0.1:9", proxy=site.url).info()
    with fails("bad_proxy", UsageError):
        connect("http://127.0.0.1:9", proxy="socks5://127.0.0.1:9050")


async def test_the_environment_sets_no_proxy(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the program decides where requests go, not a variable that somebody else set."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def handle(_: web.Request) -> web.StreamResponse:
        return message(INFO)

    async with answering(handle) as site:
        await connect(site.url).info()
        assert len(site.asked) == 1


def test_a_relay_outlives_its_event_loops() -> None:
    """One object works in one loop after the other: connections belong to a loop, the relay to the program."""

    async def ask(port: int) -> int:
        async def handle(_: web.Request) -> web.StreamResponse:
            return message(INFO, headers={"Connection": "close"})

        async with answering(handle, port=port) as site:
            relays.append(relays[0] if relays else HttpRelay(site.url, retry=NO_RETRY))
            assert await relays[0].info() == RelayInfo.from_bytes(INFO)
            if len(relays) > 1:
                await relays[0].close()
            return int(site.url.rpartition(":")[2])

    relays: list[HttpRelay] = []
    asyncio.run(ask(asyncio.run(ask(0))))


# --- refusals ----------------------------------------------------------------------------------------------------


def test_the_specifications_codes_are_those_that_a_client_knows() -> None:
    """Every code of section 11 has its status and a sentence and hint for people, and no other code has."""
    text = (Path(__file__).parents[2] / "docs/protocol.md").read_text()
    rows = re.findall(r"^\| (\d{3}) \| (\w+) \|", text.partition("## 11.")[2], re.MULTILINE)
    assert {code: int(status) for status, code in rows} == {
        code: row.status for code, row in REFUSALS.items()
    }
    assert all(row.message and row.hint for row in REFUSALS.values())


def test_a_moved_head_is_told() -> None:
    """The head in the problem document reaches the caller."""
    head = Head(7, Hash(bytes(range(32))))
    body = f'{{"status":409,"code":"head_moved","head":"{b64(head.to_bytes())}"}}'.encode()
    error = read_refusal(409, {"Content-Type": "application/problem+json"}, body)
    assert isinstance(error, Refused)
    assert (error.code, error.status, error.head) == ("head_moved", 409, head)


NO_PROBLEMS = {
    "no JSON": (404, b"<html>"),
    "no object": (404, b'["not_found"]'),
    "no code": (404, b'{"status":404}'),
    "a code that is no text": (404, b'{"code":404}'),
    "an unknown code": (404, b'{"code":"lost"}'),
    "a code of another status": (500, b'{"code":"not_found"}'),
    "a head is missing": (409, b'{"code":"head_moved"}'),
    "a head is broken": (409, b'{"code":"head_moved","head":"AAAA"}'),
    "deep": (404, b"[" * 4000),
    "no UTF-8": (404, b'{"code":"not_found","x":"\xff"}'),
}


@pytest.mark.parametrize(("status", "body"), NO_PROBLEMS.values(), ids=NO_PROBLEMS.keys())
def test_whoever_does_not_refuse_properly_is_no_relay(status: int, body: bytes) -> None:
    """A document that the specification does not allow is not interpreted."""
    error = read_refusal(status, {"Content-Type": "application/problem+json"}, body)
    assert (type(error), error.code) == (PeerError, "not_a_relay")


@given(
    st.integers(300, 599),
    st.binary(max_size=200),
    st.sampled_from(["application/problem+json", "text/html", ""]),
)
def test_any_refusal_is_one_of_three_errors(status: int, body: bytes, media: str) -> None:
    """Whatever comes back, it becomes one of the errors that callers know."""
    error = read_refusal(status, {"Content-Type": media}, body)
    assert isinstance(error, Refused | TransportError | PeerError)


BARE = [(429, "rate"), (500, "internal"), (502, "busy"), (503, "busy"), (504, "busy")]


@pytest.mark.parametrize(("status", "code"), BARE)
def test_a_proxys_word_for_the_relay_counts(status: int, code: str) -> None:
    """What stands in front of a relay says only a status; it means that trying again may help."""
    error = read_refusal(status, {"Retry-After": "3"}, b"<html>")
    assert isinstance(error, TransportError)
    assert (error.code, error.retry_after) == (code, 3.0)


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5.0), ("99999999", 86400.0), ("-1", None), ("1.5", None), ("²", None)]
)
def test_a_wish_to_wait_is_a_bounded_number(text: str, seconds: float | None) -> None:
    """Retry-After counts as whole seconds up to a day; anything else counts as not said."""
    error = read_refusal(503, {"Retry-After": text}, b"")
    assert isinstance(error, TransportError)
    assert error.retry_after == seconds


@given(st.binary(min_size=1, max_size=64))
def test_base64_has_one_spelling(data: bytes) -> None:
    """Bytes come back from their base64url; padding, other alphabets and stray bits are refused."""
    assert unb64_upto(b64(data), 64) == data
    for wrong in (b64(data) + "=", b64(data) + "\n", "", b64(data + b"x" * 64)):
        with fails("malformed", PeerError):
            unb64_upto(wrong, 64)


WRONG_ANSWERS = {
    "another media type": lambda: web.Response(body=INFO, content_type="text/html"),
    "a success that is none": lambda: message(INFO, status=202),
    "not the message": lambda: message(PAGE),
    "nothing": lambda: message(b""),
}


@pytest.mark.parametrize("answer", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS.keys())
async def test_an_answer_of_another_kind_is_refused(
    connect: Connect, answer: Callable[[], web.Response]
) -> None:
    """A login page of a network, another service or another message are no answer."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return answer()

    async with answering(handle) as site:
        with pytest.raises(PeerError):
            await connect(site.url).info()


async def test_a_range_must_be_the_one_that_was_asked_for(connect: Connect) -> None:
    """Another part of a file, or a server that ignores ranges, is refused before chunks are looked at."""
    ranges = iter([(206, "bytes 5-9/100"), (200, "bytes 0-4/100"), (206, "")])

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/session":
            return session_answer()
        assert request.headers["Range"] == "bytes=0-4"
        status, given = next(ranges)
        headers = {"Content-Type": "application/octet-stream", "Content-Range": given}
        return web.Response(status=status, body=b"12345", headers=headers)

    async with answering(handle) as site:
        for _ in range(3):
            with pytest.raises(PeerError):
                await connect(site.url).read_blob(MAILBOX, BLOB, 0, 5, KEY)


# --- the bell ----------------------------------------------------------------------------------------------------

RING = Ring(MAILBOX, 3)
BELL = f"event: bell\ndata: {b64(RING.to_bytes())}\n\n".encode()


async def rings_of(*chunks: bytes) -> tuple[list[Ring], SupportError]:
    """Return what a stream said, and the error that ended it."""

    async def stream() -> AsyncGenerator[bytes]:
        for chunk in chunks:
            yield chunk

    heard: list[Ring] = []
    with pytest.raises(SupportError) as caught:
        await listen(read_rings(stream()), heard)
    return heard, caught.value


async def listen(rings: AsyncIterator[Ring], heard: list[Ring]) -> None:
    """Take down every ring until the stream ends."""
    async for ring in rings:
        heard.append(ring)  # noqa: PERF401 - what was heard before an error counts


STREAMS = {
    "two rings": ((BELL, BELL), 2, "relay_unreachable", TransportError),
    "torn into bytes": (tuple(bytes([byte]) for byte in BELL), 1, "relay_unreachable", TransportError),
    "keep-alive between": ((b":\n\n", BELL, b": still here\n\n"), 1, "relay_unreachable", TransportError),
    "other line ends": ((BELL.replace(b"\n", b"\r\n"),), 1, "relay_unreachable", TransportError),
    "goodbye": ((BELL, b"event: bye\nretry: 2500\ndata:\n\n", BELL), 1, "busy", TransportError),
    "nothing": ((), 0, "relay_unreachable", TransportError),
    "another event": ((b"event: news\ndata: x\n\n",), 0, "malformed", PeerError),
    "another field": ((b"id: 7\n\n",), 0, "malformed", PeerError),
    "no base64": ((b"event: bell\ndata: ???\n\n",), 0, "malformed", PeerError),
    "no ring": ((b"event: bell\ndata: AAAA\n\n",), 0, "malformed", PeerError),
    "an endless line": ((b"data: ", *[b"x" * 500] * 9), 0, "malformed", PeerError),
    "an endless comment": ((b":" + b"x" * 2000,), 0, "malformed", PeerError),
    "no text": ((b"event: \xff\n\n",), 0, "malformed", PeerError),
    "no pause": ((b"event: bye\nretry: soon\n\n",), 0, "malformed", PeerError),
}


@pytest.mark.parametrize(("chunks", "count", "code", "kind"), STREAMS.values(), ids=STREAMS.keys())
async def test_a_stream_is_rings_and_comments(
    chunks: tuple[bytes, ...], count: int, code: str, kind: type[SupportError]
) -> None:
    """Rings come out whole however they are cut; a stream never just ends, and nothing else is understood."""
    heard, error = await rings_of(*chunks)
    assert heard == [RING] * count
    assert (type(error), error.code) == (kind, code)


@given(st.lists(st.binary(max_size=40)))
async def test_any_stream_ends_in_one_of_two_errors(chunks: list[bytes]) -> None:
    """No bytes make the reader fail in another way."""
    _, error = await rings_of(*chunks)
    assert isinstance(error, TransportError | PeerError)


async def test_the_relays_farewell_says_when_to_come_back() -> None:
    """The retry field is in milliseconds and reaches the caller in seconds."""
    _, error = await rings_of(b"event: bye\nretry: 2500\n\n")
    assert isinstance(error, TransportError)
    assert error.retry_after == 2.5


async def test_a_stream_is_bounded_in_silence_only(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream may go on for ever as long as it gives a sign of life; a silent one is left (attack 22)."""
    monkeypatch.setattr("e2e_support_client.transport.KEEP_ALIVE", 0.5)

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/session":
            return session_answer()
        assert request.headers["Accept"] == "text/event-stream"
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(8):
            await response.write(b":\n\n")
            await asyncio.sleep(0.25)
        await response.write(BELL)
        await asyncio.sleep(5)
        return response

    heard: list[Ring] = []
    async with answering(handle) as site:
        with fails("timeout", TransportError):
            await listen(connect(site.url, timeout=UNHURRIED).team_bell(TEAM, 0, KEY), heard)
    assert heard == [RING]


# --- the real relay ----------------------------------------------------------------------------------------------


@pytest.fixture
async def direct(tmp_path: Path, connect: Connect) -> AsyncGenerator[tuple[Story, HttpRelay]]:
    """A team on a real relay, and a connection to it."""
    async with running(tmp_path / "relay") as relay:
        assert relay.relay is not None
        port = connect(relay.url)
        yield await Story.over(port, await relay.relay.context.teams.issue_code()), port
        await port.close()


async def test_a_ticket_travels_over_the_real_relay(direct: tuple[Story, HttpRelay]) -> None:
    """Every call of the port does what it says against the real relay: a ticket with an attachment, both ways."""
    story, port = direct
    assert (await port.links(story.team_id, 0)).length == 1
    assert (await port.package(story.team_id, 0)).epoch == 0
    with fails("not_found", Refused):
        await port.package(story.team_id, 1)
    keys = story.keys()
    create = await story.create(keys)
    assert await port.create(keys.mailbox, create, keys.capability) is False
    user, anna = await story.ticket(1)
    mailbox = user.conversation.mailbox
    data = os.urandom(PIECE_SIZE + 77)
    source = FileSource.from_bytes(data, name="crash.dmp")
    manifest = await upload(port, mailbox, user.capability, source, state=UploadState.fresh())
    state = await port.blob_state(mailbox, manifest.blob_id, user.capability)
    assert isinstance(state, BlobState)
    assert (state.complete, state.missing) == (1, ())
    await user.say("See the dump.", manifest)
    opened = await anna.pull()
    assert opened[-1].inner is not None
    assert await read_bytes(port, mailbox, anna.capability, opened[-1].inner.attachments[0]) == data
    await anna.say("Thank you.")
    assert [entry.verdict.name for entry in await user.pull()] == ["OK"]
    feed = await port.feed(story.team_id, 0, anna.capability)
    assert (feed.newest, [item.cursor for item in feed.items]) == (3, [1, 2, 3])


async def test_the_real_relays_refusals_are_understood(direct: tuple[Story, HttpRelay]) -> None:
    """Whoever comes second learns the head and can append after it."""
    story, _ = direct
    user, anna = await story.ticket()
    await anna.pull()
    late = user.seal(*story.message("mine"))
    await anna.say("first")
    with fails("head_moved", Refused) as caught:
        await user.send(late)
    assert isinstance(caught.value, Refused)
    assert caught.value.head == anna.conversation.chain.head


async def test_the_real_relays_bells_ring(direct: tuple[Story, HttpRelay]) -> None:
    """Long polls and the event stream tell of a new entry as soon as it stands."""
    story, port = direct
    user, anna = await story.ticket()
    mailbox = user.conversation.mailbox
    assert (await port.wait_mailbox(mailbox, 5, user.capability, wait=0)).seq == 1
    async with aclosing(port.team_bell(story.team_id, 1, anna.capability)) as rings:
        waiting = [
            asyncio.ensure_future(anext(rings)),
            asyncio.ensure_future(port.wait_team(story.team_id, 1, anna.capability, wait=20)),
            asyncio.ensure_future(port.wait_mailbox(mailbox, 1, user.capability, wait=20)),
        ]
        await asyncio.sleep(0.05)
        await user.say("ring!")
        async with asyncio.timeout(15):
            assert [ring.seq for ring in await asyncio.gather(*waiting)] == [2, 2, 2]
