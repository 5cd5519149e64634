"""The guard: what looks like a secret is found, and taken out as the person wants; ordinary text is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_support_client.guard import Choice, apply, find

KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    ("text", "what", "secret"),
    [
        (f"here:\n{KEY}\nthanks", "a private key", KEY),
        ("my password is hunter22", "a password", "hunter22"),
        ("Passwort: geheim123!", "a password", "geheim123!"),
        ("token ghp_abcdefghij0123456789 works", "an access token", "ghp_abcdefghij0123456789"),
        (
            "curl -H 'Authorization: Bearer abcdef0123456789abcdef'",
            "an access token",
            "abcdef0123456789abcdef",
        ),
        ("https://ada:s3cr3t@example.org/", "a password in an address", "s3cr3t"),
        ("card 4111 1111 1111 1111 exp", "a card number", "4111 1111 1111 1111"),
        ("AKIAIOSFODNN7EXAMPLE", "a cloud key", "AKIAIOSFODNN7EXAMPLE"),
        ("key 9fQ2xZ7Lm4Tr8Kp1Vb6Nc3Hj5Wd0SgYe", "a key or token", "9fQ2xZ7Lm4Tr8Kp1Vb6Nc3Hj5Wd0SgYe"),
    ],
)
def test_secrets_are_found(text: str, what: str, secret: str) -> None:
    """Each kind of secret is found at its exact place and named."""
    (found,) = find(text)
    assert (found.what, text[found.start : found.end]) == (what, secret)
    assert secret not in apply(text, Choice.MASK)
    assert secret not in apply(text, Choice.REMOVE)


@pytest.mark.parametrize(
    "text",
    [
        "I forgot my password and cannot log in.",
        "Ticket T-7K3M9-QXF20, order 1234-5678, invoice 2026-000123",
        "It says: TypeError: cannot read property 'length' of undefined in /usr/lib/node_modules/express/index.js",
        "Call me: +49 30 1234567890",
        "The class AbstractSingletonProxyFactoryBean is broken",
        "UUID 123e4567-e89b-12d3-a456-426614174000 appears",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """What people usually write about trouble raises no alarm."""
    found = [text[one.start : one.end] for one in find(text)]
    assert found in ([], ["123e4567-e89b-12d3-a456-426614174000"])


@given(st.text(max_size=300), st.sampled_from(Choice))
def test_choices_never_fail(text: str, choice: Choice) -> None:
    """Any text can be guarded; keeping changes nothing."""
    changed = apply(text, choice)
    assert changed == text or choice is not Choice.KEEP


@given(st.text(max_size=200))
def test_findings_do_not_overlap(text: str) -> None:
    """Findings are in order, inside the text, and apart from each other."""
    places = [(found.start, found.end) for found in find(text)]
    flat = [at for place in places for at in place]
    assert flat == sorted(flat)
    assert all(0 <= start < end <= len(text) for start, end in places)
