"""A mail server on loopback that keeps what it is handed, and a clock that tests of chores and mails move.

async with mail_server() as server:
    mailer = server.mailer(to=("anna@example.org",))
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import Message
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from e2e_support.crypto.secret import Secret
from e2e_support_client import clock
from e2e_support_client.testing import FakeRelay
from e2e_support_console.mail import Mailer, MailSettings, Security

DAY = 24 * 3600
USER, PASSWORD = "support", "a password of its own"


@dataclass
class Hours:
    """The clocks of consoles and of a relay in memory, which go together from now on."""

    relay: FakeRelay
    monkeypatch: pytest.MonkeyPatch
    ahead: int = 0

    def pass_by(self, *, days: float = 0, seconds: int = 0) -> None:
        """Let time pass."""
        more = int(days * DAY) + seconds
        self.ahead += more
        real = self.ahead + clock.now() - (self.ahead - more)
        started = asyncio.get_running_loop().time()
        self.monkeypatch.setattr(
            clock, "now", lambda: int(real + asyncio.get_running_loop().time() - started)
        )
        self.relay.advance(more)


@dataclass
class MailServer:
    """A mail server; the test's event loop serves it.

    Attributes:
        port: where it listens.
        mails: what was taken, in order: to whom, and the mail.
        answers: what it says to the next mails instead of taking them.
        ca: file with the certificate that it shows; empty without TLS.
    """

    port: int = 0
    mails: list[tuple[str, Message]] = field(default_factory=list[tuple[str, Message]])
    answers: list[str] = field(default_factory=list[str])
    ca: str = ""

    async def handle_DATA(  # noqa: N802 - as the library calls it
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a mail, or say what the test wants."""
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails += [(to, message_from_bytes(content)) for to in envelope.rcpt_tos if to]
        return "250 taken"

    @property
    def subjects(self) -> list[str]:
        """What stands above the mails."""
        return [str(mail["Subject"]) for _, mail in self.mails]

    def mailer(self, **settings: Any) -> Mailer:
        """Return a mailer for this server."""
        plain = MailSettings("127.0.0.1", self.port, Security.NONE, "support@example.org", ca=self.ca)
        return Mailer(replace(plain, **settings))

    def signed_in(self, security: Security) -> Mailer:
        """Return a mailer that uses TLS and signs in."""
        return self.mailer(security=security, user=USER, password=Secret(PASSWORD.encode()))


@asynccontextmanager
async def mail_server(folder: Path | None = None, *, implicit: bool = False) -> AsyncGenerator[MailServer]:
    """Run a mail server; with a folder for its certificate it wants STARTTLS, or TLS from the first byte on.

    Args:
        folder: where the certificate is kept.
        implicit: TLS from the first byte on.
    """
    server, context = MailServer(), None
    if folder is not None:
        server.ca, context = certificate(folder)

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (
            USER.encode(),
            PASSWORD.encode(),
        )
        return AuthResult(success=good)

    def talk() -> SMTP:
        starttls = context is not None and not implicit
        with warnings.catch_warnings():  # it does not know of TLS from the first byte on
            warnings.simplefilter("ignore")
            return SMTP(
                server,
                authenticator=check,
                auth_require_tls=not implicit,
                auth_required=context is not None,
                hostname="mail.example.org",
                loop=asyncio.get_running_loop(),
                tls_context=context if starttls else None,
                require_starttls=starttls,
            )

    tls = context if implicit else None
    listening = await asyncio.get_running_loop().create_server(talk, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[str, ssl.SSLContext]:
    """Return a file with a certificate for an address, and what a server needs to show it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    file, private = folder / "mail.pem", folder / "mail.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, private)
    return str(file), context
