"""A team and its mailboxes on a relay under test, made over plain HTTP before anything is timed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from http.client import HTTPConnection

from e2e_support.admission import day_of
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import Hash, MailboxId, TeamId
from e2e_support.limits import FILE_MAX
from e2e_support.mailbox import entry_hash, first_hash, mailbox_id
from e2e_support.policy_parts import Admission
from e2e_support.presets import DEFAULT
from e2e_support.request import b64, content_digest, sign_request
from e2e_support.vocab import AdmissionMode, Direction
from e2e_support.wire import Append, Batch, Create, Entry, Found
from e2e_support_keys.ceremony import Founded, found_team

POLICY = replace(
    DEFAULT,
    admission=Admission(AdmissionMode.OPEN, bits=0),
    attachments=replace(DEFAULT.attachments, file_bytes_max=FILE_MAX, ticket_bytes_max=4 * FILE_MAX),
    limits=replace(DEFAULT.limits, create_per_day=0, open_max=0),
)
NOOP = "/v1/noop"  # the route that the benchmark's relays have besides their own
PADDED = 2048  # of an entry's content
EARLY = 25
"""Seconds by which requests are dated ahead, within what a relay allows: they live that much longer."""


@dataclass(frozen=True, slots=True)
class Target:
    """A relay with a team.

    Attributes:
        url: where it listens.
        pid: its process.
        team_id: whose mailboxes are written to.
        relay_key: signs its receipts; empty where they are not to be checked.
    """

    url: str
    pid: int
    team_id: TeamId
    relay_key: bytes


def now() -> int:
    """Return the time in seconds since 1970."""
    return int(time.time())


def authority_of(url: str) -> str:
    """Return host and port of a relay's address."""
    return url.partition("://")[2]


def found(url: str, code: str, relay_key: bytes) -> Founded:
    """Found a team whose door is open at no cost."""
    founded = found_team(
        "Bench", "Owner", relay_url=url, relay_key=relay_key, policy=POLICY, now=now(), random=os.urandom
    )
    body = Found(code, Batch((founded.genesis,), (founded.package,))).to_bytes()
    _send(url, "POST", "/v1/teams", body, {})
    return founded


@dataclass(slots=True)
class Mailbox:
    """A mailbox as its user sees it; the chain is followed without asking the relay.

    Attributes:
        url: of the relay.
        key: creates and writes.
        length: how many entries were made.
        hash: of the last.
    """

    url: str
    key: SigningKey
    length: int
    hash: Hash

    @classmethod
    def create(cls, url: str, team_id: TeamId) -> Mailbox:
        """Create a mailbox with a fresh key."""
        key = SigningKey(Secret.random(os.urandom))
        mailbox = cls(url, key, 0, first_hash(mailbox_id(key.public)))
        create = Create(
            key.public, key.public, 1, team_id, day_of(now()), AdmissionMode.OPEN, bytes(8)
        ).to_bytes()
        _send(url, "PUT", mailbox.path, create, mailbox.signature("PUT", mailbox.path, create))
        return mailbox

    @property
    def id(self) -> MailboxId:
        """Its id."""
        return mailbox_id(self.key.public)

    @property
    def path(self) -> str:
        """Its route."""
        return f"/v1/mailboxes/{b64(self.id)}"

    def signature(self, method: str, path: str, body: bytes) -> dict[str, str]:
        """Return the headers that sign a request, dated ahead."""
        return sign_request(
            self.key,
            method=method,
            authority=authority_of(self.url),
            path=path,
            query="",
            digest=content_digest(body),
            now=now() + EARLY,
            random=os.urandom,
        )

    def next_append(self, size: int = PADDED) -> bytes:
        """Return the HTTP request of one more append, signed."""
        entry = Entry(1, 1, 0, Direction.USER_TO_TEAM, (), os.urandom(64 + size + 16)).to_bytes()
        body = Append(self.length, self.hash, entry, ()).to_bytes()
        self.hash = entry_hash(self.id, self.length, self.hash, entry)
        self.length += 1
        path = f"{self.path}/entries"
        return http_request(self.url, "POST", path, body, self.signature("POST", path, body))


def http_request(url: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Return a request as it goes over the wire, with the headers that the client sends."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {authority_of(url)}",
        "Accept: application/vnd.e2es",
        "Accept-Encoding: identity",
        "Content-Type: application/vnd.e2es",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _send(url: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
    connection = HTTPConnection(authority_of(url), timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status not in (200, 201):
        raise RuntimeError(f"{method} failed with {response.status}: {content!r}")
