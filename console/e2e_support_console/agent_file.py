"""``agent.toml`` in the home of an agent's device: where its mails go, and through which server."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Final, cast

from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support_console.mail import PER_HOUR, MailSettings, Security, is_address
from e2e_support_keys.passphrase import VARIABLE, passphrase_from_environment

NAME: Final = "agent.toml"
_PORTS: Final = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
_TEXTS: Final = ("user", "ca", "application", "link")
_KEYS: Final = {"host", "port", "security", "from", "password_file", "to", "per_hour", *_TEXTS}
_LINE_MAX: Final = 500
_NUMBER_MAX: Final = 65_535


def mail_settings(home: Path, to: Iterable[str] = ()) -> MailSettings | None:
    """Return how an agent sends mails; ``None`` where its home has no ``agent.toml``.

    Args:
        home: the device's directory.
        to: further administrators who are told of new tickets.

    Raises:
        UsageError: ``bad_agent_file``, or ``bad_email`` for an address in ``to``.
    """
    more = tuple(to)
    if not all(map(is_address, more)):
        raise UsageError("bad_email", "this is not a mail address", hint="It looks like ada@example.org.")
    try:
        settings = _settings(tomllib.loads((home / NAME).read_text("utf-8")), home)
    except FileNotFoundError:
        if more:
            raise _bad("it is missing, so there is no mail server for --mail-to") from None
        return None
    except (OSError, ValueError) as error:
        raise _bad(f"it cannot be read ({type(error).__name__})") from error
    return replace(settings, to=tuple(dict.fromkeys((*settings.to, *more))))


def _settings(data: Mapping[str, object], home: Path) -> MailSettings:
    if set(data) - {"mail"} or not isinstance(data.get("mail"), dict):
        raise _bad("it has one table, [mail]")
    mail = cast("dict[str, object]", data["mail"])
    if unknown := set(mail) - _KEYS:
        raise _bad(f"[mail] has no {', '.join(sorted(unknown))}")
    security = _security(mail.get("security", "starttls"))
    settings = MailSettings(
        host=_text(mail, "host"),
        port=_number(mail, "port", _PORTS[security]),
        security=security,
        sender=_text(mail, "from"),
        password=_password(mail, home),
        to=_addresses(mail),
        per_hour=_number(mail, "per_hour", PER_HOUR),
        **{name: _text(mail, name) for name in _TEXTS},
    )
    if not settings.host or not is_address(settings.sender):
        raise _bad("host and from are needed; from is a mail address")
    safe = security is not Security.NONE or _is_here(settings.host)
    if settings.password and not (settings.user and safe):
        raise _bad("a password needs a user, and starttls or tls unless the server is on this machine")
    return settings


def _addresses(mail: Mapping[str, object]) -> tuple[str, ...]:
    """Return the administrators' addresses."""
    listed = mail.get("to", [])
    if not isinstance(listed, list):
        raise _bad('to is a list, like ["anna@example.org"]')
    found = tuple(str(one) for one in cast("list[object]", listed))
    if not all(map(is_address, found)):
        raise _bad("to has something that is no mail address")
    return found


def _security(value: object) -> Security:
    try:
        return Security(str(value))
    except ValueError:
        raise _bad(f"security is one of {', '.join(Security)}") from None


def _text(mail: Mapping[str, object], name: str) -> str:
    value = mail.get(name, "")
    if not isinstance(value, str) or len(value) > _LINE_MAX or not value.isprintable():
        raise _bad(f"{name} is one line of text")
    return value


def _number(mail: Mapping[str, object], name: str, default: int) -> int:
    value = mail.get(name, default)
    if type(value) is not int or not 0 < value <= _NUMBER_MAX:
        raise _bad(f"{name} is a number up to {_NUMBER_MAX}")
    return value


def _password(mail: Mapping[str, object], home: Path) -> Secret | None:
    """Return the first line of the password's file, which must be as private as a passphrase's."""
    file = _text(mail, "password_file")
    if not file:
        return None
    return Secret(passphrase_from_environment("", environment={VARIABLE: str(home / file)}).encode())


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bad(why: str) -> UsageError:
    return UsageError(
        "bad_agent_file", f"agent.toml: {why}", hint="docs/agent.md shows one that is complete."
    )
