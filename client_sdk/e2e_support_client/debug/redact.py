"""Redactors: each takes one kind of private text out of keys and values. An aid, not a promise.

A redactor is a function from text to text; it must be harmless to run twice. They run over every text of a
report, nested ones and mapping keys included, before a person sees it.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from e2e_support_client.debug.report import Field, FieldState, Json

Redactor = Callable[[str], str]

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_IPV6 = re.compile(
    r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3}|(?=\W|$))"
)
_USER_HOME = re.compile(r"(?i)(/home/|/Users/|\\Users\\)[^/\\\s\"':]+")
_TOKENS: Final = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{0,}"),  # JSON web tokens
    re.compile(
        r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|pk-|rk_live_|sk_live_|npm_|pypi-)[\w-]{10,}"
    ),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\bAIza[\w-]{30,}"),
    re.compile(r"\bya29\.[\w-]{20,}"),
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|token)(\s+)(?!\[)[\w.~+/=-]{8,}")
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s:@\[]*:[^/\s@\[]+(?=@)")
_SECRETS = (
    r"pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|auth(?:orization)?|cookie|session"
)
_ASSIGNED = re.compile(
    rf"(?i)([\w-]*(?:{_SECRETS})[\w-]*[\"']?\s*[=:]\s*)(?![\"']?\[)(\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)"
)
_SECRET_KEY = re.compile(rf"(?i)(?:^|[_.\W])(?:{_SECRETS})s?(?:$|[_.\W])")
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_HEX = re.compile(r"[0-9a-fA-F-]+")


def home_path(text: str) -> str:
    """Replace the home directory by ``~`` and other people's by ``/home/[user]``."""
    home = str(Path.home())
    if len(home) > 1:
        text = re.sub(re.escape(home) + r"(?=[/\\]|\W|$)", "~", text)
    return _USER_HOME.sub(r"\1[user]", text)


def email(text: str) -> str:
    """Replace e-mail addresses."""
    return _EMAIL.sub("[e-mail]", text)


def ip_address(text: str) -> str:
    """Replace IP addresses, except those that mean "this computer" or "any"."""
    return _IPV6.sub(_address, _IPV4.sub(_address, text))


def tokens(text: str) -> str:
    """Replace what has the form of a well-known token, a private key, or a password next to its name."""
    for pattern in _TOKENS:
        text = pattern.sub("[token]", text)
    text = _BEARER.sub(r"\1\2[token]", text)
    text = _URL_PASSWORD.sub("[password]", text)
    return _ASSIGNED.sub(r"\1[secret]", text)


def high_entropy(text: str) -> str:
    """Replace long runs of characters that look random."""
    return _RUN.sub(lambda found: "[random text]" if looks_random(found[0]) else found[0], text)


DEFAULT: Final[tuple[Redactor, ...]] = (home_path, tokens, email, ip_address, high_entropy)
"""All of them; the order matters little, since each leaves the others' marks alone."""


def looks_random(text: str) -> bool:
    """Tell whether a run of 20 or more characters carries about as much entropy as a key would.

    Args:
        text: letters, digits and the signs of base64.
    """
    if _HEX.fullmatch(text):
        return len(text.replace("-", "")) >= 32 and _entropy(text) > 2.5
    kinds = sum(bool(re.search(kind, text)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return kinds >= 2 and _entropy(text) > 3.7 and not _is_words(text)


def redact(field: Field, redactors: Sequence[Redactor]) -> Field:
    """Return a field as it may be shown, marked if anything was taken out.

    Args:
        field: as it was collected.
        redactors: applied one after the other to every text in it.
    """
    if any(_SECRET_KEY.search(key) for key in field.path) and field.value not in (None, "", [], {}):
        return replace(field, value="[secret]", state=FieldState.REDACTED)
    used = [one for one in redactors if not (field.deliberate and one is high_entropy)]
    value, path = _walk(field.value, used), tuple(_apply(key, used) for key in field.path)
    if (value, path) == (field.value, field.path):
        return field
    return replace(field, value=value, path=path, state=FieldState.REDACTED)


def _walk(value: Json, redactors: Sequence[Redactor]) -> Json:
    if isinstance(value, str):
        return _apply(value, redactors)
    if isinstance(value, list):
        return [_walk(item, redactors) for item in value]
    if isinstance(value, dict):
        return {_apply(key, redactors): _under(key, item, redactors) for key, item in value.items()}
    return value


def _under(key: str, value: Json, redactors: Sequence[Redactor]) -> Json:
    return "[secret]" if _SECRET_KEY.search(key) and value not in (None, "") else _walk(value, redactors)


def _apply(text: str, redactors: Sequence[Redactor]) -> str:
    for redactor in redactors:
        text = redactor(text)
    return text


def _address(found: re.Match[str]) -> str:
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return found[0]
    return found[0] if address.is_loopback or address.is_unspecified else "[ip address]"


def _entropy(text: str) -> float:
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def _is_words(text: str) -> bool:
    """Tell whether a run is words joined by signs, as in paths and identifiers of programs."""
    parts = re.split(r"[/_=+-]|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])", text)
    return sum(len(part) for part in parts if len(part) >= 3) > 0.6 * len(text) and len(parts) * 4 <= len(
        text
    )
