"""Mails that say that there is news, and never what: how they are made, and a mail server to hand them to.

Only the settings of this device and a ticket's number stand in a mail; nothing that a stranger wrote but the address
it goes to, whose form leaves no room for a second header.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from enum import StrEnum
from typing import Final

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.errors import TransportError, UsageError
from e2e_support_client import clock

TIMEOUT: Final = 30.0  # seconds for each step of a conversation with the mail server
PER_HOUR: Final = 100
"""Mails an hour, where an agent's home does not say otherwise."""
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_ADDRESS_MAX: Final = 254  # RFC 5321


class Security(StrEnum):
    """How the connection to the mail server is protected; its name is verified except with ``none``."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """How this device sends mails.

    Attributes:
        host: the mail server.
        port: its port.
        security: how the connection is protected.
        sender: address that mails come from.
        user: name to sign in with; empty for no sign-in.
        password: the password; it is never printed.
        ca: file of certificates to believe instead of the system's; empty for those.
        to: administrators who are told of new tickets.
        application: what users call the application; empty leaves it out.
        link: where people read on; empty leaves it out.
        per_hour: at most so many mails an hour; the rest waits.
    """

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password: Secret | None = None
    ca: str = ""
    to: tuple[str, ...] = ()
    application: str = ""
    link: str = ""
    per_hour: int = PER_HOUR


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: to whom, and its two fixed texts."""

    to: str
    subject: str
    text: str


class NotTaken(Exception):
    """The mail server did not take a mail; ``again`` tells whether it may take it later."""

    def __init__(self, *, again: bool) -> None:
        super().__init__("the mail was not taken")
        self.again = again


def is_address(text: str) -> bool:
    """Tell whether mail can be sent to an address: the plain form that needs no quoting anywhere."""
    return len(text) <= _ADDRESS_MAX and _ADDRESS.fullmatch(text) is not None


class Connection:
    """An open conversation with the mail server; one mail after the other.

    Args:
        smtp: signed in.
        settings: of this device.
    """

    def __init__(self, smtp: smtplib.SMTP, settings: MailSettings) -> None:
        self._smtp = smtp
        self._settings = settings

    async def check(self) -> None:
        """Do nothing if the server still answers.

        Raises:
            TransportError: ``mail_away``.
        """
        try:
            await asyncio.to_thread(self._smtp.noop)
        except (smtplib.SMTPException, OSError) as error:
            raise _away(error) from error

    async def send(self, letter: Letter) -> None:
        """Hand over one mail.

        Args:
            letter: what to send.

        Raises:
            NotTaken: the server refused it, or fell silent: then nobody knows, and it is not sent a second time.
        """
        message = compose(letter, self._settings)
        try:
            await asyncio.to_thread(self._smtp.send_message, message, self._settings.sender, [letter.to])
        except smtplib.SMTPRecipientsRefused as error:
            raise NotTaken(again=all(code < 500 for code, _ in error.recipients.values())) from error
        except smtplib.SMTPResponseException as error:
            raise NotTaken(again=error.smtp_code < 500) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotTaken(again=False) from error

    def close(self) -> None:
        """Say goodbye."""
        with suppress(smtplib.SMTPException, OSError):
            self._smtp.quit()
        self._smtp.close()


@dataclass(frozen=True, slots=True)
class Mailer:
    """Reaches the mail server.

    Args:
        settings: of this device.
    """

    settings: MailSettings

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Connection]:
        """Yield an open conversation.

        Raises:
            TransportError: ``mail_away``; nothing was sent.
        """
        try:
            smtp = await asyncio.to_thread(_open, self.settings)
        except (smtplib.SMTPException, OSError) as error:
            raise _away(error) from error
        connection = Connection(smtp, self.settings)
        try:
            yield connection
        finally:
            await asyncio.to_thread(connection.close)


def compose(letter: Letter, settings: MailSettings) -> EmailMessage:
    """Return a mail as it is sent.

    Args:
        letter: what to say.
        settings: of this device.

    Raises:
        UsageError: ``bad_email`` for an address of another form.
    """
    if not is_address(letter.to):
        raise UsageError("bad_email", "this is not a mail address", hint="It looks like ada@example.org.")
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = formatdate(clock.now())
    message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers it
    where = [part for part in (settings.application, settings.link) if part]
    message.set_content("\n".join([letter.text, *([""] if where else []), *where]) + "\n")
    return message


def _open(settings: MailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=settings.ca or None)
    if settings.security is Security.TLS:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=context)
    else:
        smtp = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
    try:
        if settings.security is Security.STARTTLS:
            smtp.starttls(context=context)
        if settings.password is not None:
            smtp.login(settings.user, settings.password.reveal(SECRET_ACCESS).decode())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _away(error: Exception) -> TransportError:
    why = f"the mail server cannot be used ({type(error).__name__})"
    return TransportError("mail_away", why, hint="Check host, port, security and password in agent.toml.")
