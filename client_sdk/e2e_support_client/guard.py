"""Looks for what seems to be a secret in a text before it is sealed; warns, and never blocks."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from e2e_support_client.debug.redact import looks_random


class Choice(StrEnum):
    """What a person wants to do about a secret."""

    KEEP = "keep"
    MASK = "mask"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in a text that looks like a secret.

    Attributes:
        what: in words: "a private key", "a password" …
        start: its first character.
        end: behind its last character.
    """

    what: str
    start: int
    end: int


OnSecret = Callable[[tuple[Finding, ...]], Choice | Awaitable[Choice]]

_PATTERNS: Final = (
    (
        "a private key",
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
    ),
    ("an access token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    (
        "an access token",
        re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|sk_live_|npm_|pypi-)[\w-]{10,}"),
    ),
    ("a cloud key", re.compile(r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,})")),
    (
        "a password",
        re.compile(
            r"(?i)\b(?:password|passwd|passphrase|passwort|pwd)\s*(?:is|=|:)\s*(?P<secret>[^\s,;]{4,})"
        ),
    ),
    ("a password in an address", re.compile(r"(?<=://)[^/\s:@]*:(?P<secret>[^/\s@]+)(?=@)")),
    ("an access token", re.compile(r"(?i)\bbearer\s+(?P<secret>[\w.~+/=-]{16,})")),
)
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{32,}")


def find(text: str) -> tuple[Finding, ...]:
    """Return the places that look like a secret, in order and without overlaps.

    Args:
        text: a subject or body.
    """
    found = [_finding(what, match) for what, pattern in _PATTERNS for match in pattern.finditer(text)]
    found += [Finding("a card number", *m.span()) for m in _CARD.finditer(text) if _is_card(m[0])]
    found += [Finding("a key or token", *m.span()) for m in _RUN.finditer(text) if looks_random(m[0])]
    kept: list[Finding] = []
    for one in sorted(found, key=lambda finding: (finding.start, -finding.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return tuple(kept)


def apply(text: str, choice: Choice) -> str:
    """Return a text after a person's choice about its secrets.

    Args:
        text: the text.
        choice: ``mask`` leaves as many dots as to see that something was there, ``remove`` leaves a word.
    """
    if choice is Choice.KEEP:
        return text
    for finding in reversed(find(text)):
        left = "•" * 8 if choice is Choice.MASK else "[removed]"
        text = text[: finding.start] + left + text[finding.end :]
    return text


def _finding(what: str, match: re.Match[str]) -> Finding:
    group = "secret" if "secret" in match.re.groupindex else 0
    return Finding(what, *match.span(group))


def _is_card(text: str) -> bool:
    """Tell whether digits pass the check of ISO/IEC 7812 and are not all alike."""
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [d if i % 2 else sum(divmod(d * 2, 10)) for i, d in enumerate(reversed(digits), 1)]
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0
