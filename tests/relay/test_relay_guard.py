"""Signed requests and read sessions at the door of the relay (protocol section 8)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from e2e_support.errors import PeerError
from e2e_support.request import SignedRequest, b64, content_digest
from e2e_support.wire import Session
from e2e_support_server.refusal import Refusal
from e2e_support_server.tokens import Nonces, Sessions
from relay_kit import Client, Mailbox, ManualClock, TeamHandle, make_entry, new_key


@pytest.fixture
async def box(relay: Client, team: TeamHandle) -> Mailbox:
    """A mailbox with one entry."""
    box = await relay.ticket(team)
    await box.append()
    return box


async def test_a_session_reads_what_its_capability_reads(relay: Client, box: Mailbox) -> None:
    """A bearer token stands for the capability that signed for it, in reads (§8.2)."""
    session = await relay.session(box.key)
    (await relay.send("GET", f"{box.path}/entries?from=0", headers=session)).expect(200)
    (await relay.send("GET", f"{box.path}/bell?after=0&wait=0", headers=session)).expect(200)


async def test_the_team_reads_with_a_session(relay: Client, team: TeamHandle, box: Mailbox) -> None:
    """The epoch's capability gets sessions too; they open the feed and every mailbox of the team (§8.2)."""
    session = await relay.session(team.capability)
    (await relay.send("GET", f"/v1/team/{b64(team.team_id)}/feed?after=0", headers=session)).expect(200)
    (await relay.send("GET", f"{box.path}/entries", headers=session)).expect(200)


async def test_a_session_does_not_write(relay: Client, box: Mailbox) -> None:
    """Writes are always signed; a token alone does not even learn that the mailbox exists (§8.2)."""
    session = await relay.session(box.key)
    body = box.next(make_entry()).to_bytes()
    (await relay.send("POST", f"{box.path}/entries", body, session)).expect("not_found")


async def test_a_session_opens_nothing_else(relay: Client, team: TeamHandle, box: Mailbox) -> None:
    """A session of one ticket does not read another one (§8.2)."""
    other = await relay.ticket(team)
    session = await relay.session(other.key)
    (await relay.send("GET", f"{box.path}/entries", headers=session)).expect("not_found")


async def test_a_session_ends_after_ten_minutes(relay: Client, box: Mailbox, clock: ManualClock) -> None:
    """A token lives for 600 seconds (§8.2)."""
    session = await relay.session(box.key)
    clock.time += 599
    (await relay.send("GET", f"{box.path}/entries", headers=session)).expect(200)
    clock.time += 2
    (await relay.send("GET", f"{box.path}/entries", headers=session)).expect("session_expired")


@pytest.mark.parametrize("value", ["Bearer " + b64(bytes(32)), "Basic dTpw", "bearer x"])
async def test_an_unknown_token_is_told_so_before_anything_is_looked_up(
    relay: Client, box: Mailbox, value: str
) -> None:
    """An unknown token answers the same whether or not the mailbox exists (§8.2)."""
    here = await relay.send("GET", f"{box.path}/entries", headers={"Authorization": value})
    nowhere = await relay.send(
        "GET", f"/v1/mailboxes/{b64(bytes(16))}/entries", headers={"Authorization": value}
    )
    assert here.expect("session_expired", "malformed").body == nowhere.body


async def test_a_stranger_gets_no_session(relay: Client, team: TeamHandle) -> None:
    """Only a capability that opens something begins a session, so that strangers cannot fill the memory (§8.2)."""
    (await relay.ask(new_key(), "POST", "/v1/session")).expect("not_found")
    (await relay.send("POST", "/v1/session")).expect("not_found")


async def test_a_session_asks_for_no_body(relay: Client, box: Mailbox) -> None:
    """The request for a session is empty (§8.2)."""
    (await relay.ask(box.key, "POST", "/v1/session", b"x")).expect("too_large")


async def test_sessions_of_one_capability_are_rationed(relay: Client, box: Mailbox) -> None:
    """Nobody can push out everybody else's sessions by asking for many."""
    for _ in range(60):
        (await relay.ask(box.key, "POST", "/v1/session")).expect(200)
    (await relay.ask(box.key, "POST", "/v1/session")).expect("rate")


@pytest.mark.parametrize(("shift", "code"), [(-61, "request_expired"), (31, "request_expired")])
async def test_a_request_outside_its_time_is_told_so(
    relay: Client, box: Mailbox, clock: ManualClock, shift: int, code: str
) -> None:
    """A good signature that is too old or from the future is refused with the relay's own date (§8.1)."""
    headers = relay.signature(box.key, "GET", f"{box.path}/entries", now=int(clock.time) + shift)
    reply = (await relay.send("GET", f"{box.path}/entries", headers=headers)).expect(code)
    assert reply.status == 401
    assert "Date" in reply.headers


async def test_a_request_works_once(relay: Client, box: Mailbox) -> None:
    """The same signed request is refused the second time (§8.1)."""
    headers = relay.signature(box.key, "GET", f"{box.path}/entries")
    (await relay.send("GET", f"{box.path}/entries", headers=headers)).expect(200)
    (await relay.send("GET", f"{box.path}/entries", headers=headers)).expect("request_replayed")


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"path": "/v1/mailboxes/AAAAAAAAAAAAAAAAAAAAAA/entries"},
        {"query": "from=1"},
        {"authority": "relay.example"},
        {"digest": content_digest(b"another body")},
    ],
)
async def test_a_signature_for_something_else_is_not_found(
    relay: Client, box: Mailbox, changed: dict[str, Any]
) -> None:
    """A signature covers method, authority, path, query and body; for another one it is no signature (§8.1)."""
    body = box.next(make_entry()).to_bytes()
    headers = relay.signature(box.key, "POST", f"{box.path}/entries", body, **changed)
    (await relay.send("POST", f"{box.path}/entries", body, headers)).expect("not_found")
    assert (await box.page()).head.length == 1


async def test_an_unsigned_read_of_a_staff_log_is_not_found(relay: Client, team: TeamHandle) -> None:
    """A mailbox without a user key is not open to a request without a key (§3.2)."""
    staff = await relay.staff_log(team)
    await staff.append(key=team.capability)
    (await relay.send("GET", f"{staff.path}/entries?from=0")).expect("not_found")
    (await relay.send("POST", f"{staff.path}/entries", b"")).expect("not_found")
    (await staff.post(staff.next(make_entry()))).expect("not_found")


async def test_a_refused_body_does_not_use_up_the_signature(relay: Client, box: Mailbox) -> None:
    """Whoever swaps a body on the way cannot burn the sender's request."""
    append = box.next(make_entry())
    headers = relay.signature(box.key, "POST", f"{box.path}/entries", append.to_bytes())
    (await relay.send("POST", f"{box.path}/entries", b"other", headers)).expect("not_found")
    (await relay.send("POST", f"{box.path}/entries", append.to_bytes(), headers)).expect(200)


def _signed(expires: int = 1060, nonce: bytes = b"") -> SignedRequest:
    return SignedRequest(bytes(32), bytes(32), expires - 60, expires, nonce or os.urandom(16))


def test_nonces_are_forgotten_when_their_requests_are_over() -> None:
    """The replay memory is bounded in time: what has expired is refused by its time already."""
    nonces = Nonces(most=2)
    nonces.use(_signed(1060), 1000)
    nonces.use(_signed(1060), 1000)
    nonces.use(_signed(2060), 2000)


def test_nonces_are_bounded_in_number() -> None:
    """With its memory full the relay is busy; it never lets a replay through instead."""
    nonces = Nonces(most=2)
    once = _signed()
    nonces.use(once, 1000)
    nonces.use(_signed(), 1000)
    with pytest.raises(Refusal, match="busy"):
        nonces.use(_signed(), 1000)
    with pytest.raises(PeerError, match="already used"):
        nonces.use(once, 1000)


def test_the_oldest_session_makes_room() -> None:
    """Sessions are bounded in number; who loses one signs again."""
    sessions = Sessions(most=2)
    first, *_ = (sessions.begin(bytes([i]) * 32, 1000) for i in range(3))
    assert isinstance(first, Session)
    with pytest.raises(PeerError, match="session"):
        sessions.public(first.token, 1000)
