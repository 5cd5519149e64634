"""Signed requests: one spelling, every covered part bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from e2e_support import request
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError
from e2e_support.limits import CLOCK_SKEW, REQUEST_LIFE
from e2e_support.request import (
    b64,
    check_time,
    content_digest,
    session_hash,
    sign_request,
    unb64,
    verify_request,
)

KEY = SigningKey(Secret(b"\x03" * 32))
NOW = 1_800_000_000
TARGET: dict[str, str] = {
    "method": "POST",
    "authority": "relay.example",
    "path": "/v1/session",
    "query": "a=1",
}


def signed(**changes: Any) -> dict[str, str]:
    """Return the headers of a signed request."""
    arguments: dict[str, Any] = {
        **TARGET,
        "digest": content_digest(b""),
        "now": NOW,
        "random": bytes,
        **changes,
    }
    return sign_request(KEY, **arguments)


def verify_headers(headers: list[tuple[str, str]], **changes: str) -> Any:
    """Verify a request that arrived with these headers."""
    return verify_request(**{**TARGET, **changes}, headers=headers)


def test_a_signed_request_verifies() -> None:
    """The verifier learns key, digest, times and nonce, in whatever case the header names come."""
    headers = [(name.title(), value) for name, value in signed().items()] + [("host", "relay.example")]
    verified = verify_headers(headers)
    assert (verified.public, verified.digest) == (KEY.public, content_digest(b""))
    assert (verified.created, verified.expires, verified.nonce) == (NOW, NOW + REQUEST_LIFE, bytes(16))


@pytest.mark.parametrize(("part", "value"), [
    ("method", "PUT"), ("authority", "other.example"), ("path", "/v1/sessions"), ("query", "a=2"), ("query", ""),
])  # fmt: skip
def test_every_covered_part_is_bound(part: str, value: str) -> None:
    """Attack 67: a signature for another method, relay, path or query does not hold."""
    with pytest.raises(PeerError) as error:
        verify_headers(list(signed().items()), **{part: value})
    assert error.value.code == "bad_signature"


def spoiled() -> dict[str, list[tuple[str, str]]]:
    """Return header lists that differ from a good one in one place."""
    good = signed()
    items = list(good.items())
    other = signed(digest=content_digest(b"x"))

    def change(name: str, old: str, new: str) -> list[tuple[str, str]]:
        assert old in good[name]
        return [(key, value.replace(old, new, 1) if key == name else value) for key, value in items]

    return {
        "no headers": [],
        "missing": items[:2],
        "doubled": [*items, items[0]],
        "digest of another body": [("content-digest", other["content-digest"]), *items[1:]],
        "extra space": change("signature-input", ";created", "; created"),
        "component left out": change("signature-input", ' "@query"', ""),
        "longer life": change("signature-input", f"expires={NOW + 60}", f"expires={NOW + 61}"),
        "another algorithm": change("signature-input", "ed25519", "ed448"),
        "another label": change("signature", "e2es=", "sig1="),
        "bit flipped": change(
            "signature", good["signature"][6:8], "AA" if good["signature"][6:8] != "AA" else "BB"
        ),
        "loose base64 key": change("signature-input", b64(KEY.public), b64(KEY.public)[:-1] + "_"),
        "trailing newline": change("signature-input", 'alg="ed25519"', 'alg="ed25519"\n'),
    }


@pytest.mark.parametrize("name", spoiled())
def test_only_one_spelling_is_accepted(name: str) -> None:
    """Attack 68: doubled, respelled or changed headers are no signature."""
    with pytest.raises(PeerError) as error:
        verify_headers(spoiled()[name])
    assert error.value.code == "bad_signature"


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def spellings(text: str, spare: int) -> list[str]:
    """Return all texts that decode like one without padding, whose last letter has so many spare bits."""
    letters = LETTERS + ("-_" if {"-", "_"} & set(text) else "+/")
    first = letters.index(text[-1]) >> spare << spare
    return [text[:-1] + letters[first + bits] for bits in range(1 << spare)]


def test_a_signature_has_one_spelling() -> None:
    """Attack 68: of the sixteen texts that decode to one signature, only that with spare bits of zero is it."""
    headers = signed()
    text = headers["signature"].removeprefix("e2es=:").removesuffix("==:")
    verify_headers(list(headers.items()))
    others = [spelled for spelled in spellings(text, 4) if spelled != text]
    assert len(others) == 15
    for spelled in others:
        with pytest.raises(PeerError) as error:
            verify_headers(list((headers | {"signature": f"e2es=:{spelled}==:"}).items()))
        assert error.value.code == "bad_signature"


@pytest.mark.parametrize(
    ("writer", "size", "spare"), [("b64", 22, 4), ("b64", 43, 2), ("_b64_padded", 44, 2)]
)
def test_whoever_signs_spells_as_everybody(
    writer: str, size: int, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nonce, key and digest have one spelling, even where another one was signed."""
    write: Callable[[bytes], str] = getattr(request, writer)

    def loose(data: bytes) -> str:
        text = write(data)
        if len(text) != size:
            return text
        bare = text.rstrip("=")
        return spellings(bare, spare)[-1] + text[len(bare) :]

    with monkeypatch.context() as patched:
        patched.setattr(request, writer, loose)
        headers = list(signed().items())
    with pytest.raises(PeerError) as error:
        verify_headers(headers)
    assert error.value.code == "bad_signature"


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33)], ids=len)
def test_a_digest_of_another_size_is_refused_even_when_signed(digest: bytes) -> None:
    """Whoever signs may spell the headers; only one spelling is accepted all the same."""
    with pytest.raises(PeerError) as error:
        verify_headers(list(signed(digest=digest).items()))
    assert error.value.code == "bad_signature"


def test_a_target_that_is_no_text_is_not_signed() -> None:
    """Attack 76: stray bytes in a path end in the one error, not in a fault of the relay."""
    with pytest.raises(PeerError) as error:
        verify_request(
            method="GET", authority="relay.example", path="/\udcff", query="", headers=list(signed().items())
        )
    assert error.value.code == "bad_signature"


@pytest.mark.parametrize("offset", [-CLOCK_SKEW, 0, REQUEST_LIFE])
def test_a_request_lives_its_time(offset: int) -> None:
    """A request is good from a little before it was made until it expires."""
    check_time(verify_headers(list(signed().items())), NOW + offset)


@pytest.mark.parametrize("offset", [-CLOCK_SKEW - 1, REQUEST_LIFE + 1])
def test_a_request_dies(offset: int) -> None:
    """Attack 66: outside its time a request is refused."""
    with pytest.raises(PeerError) as error:
        check_time(verify_headers(list(signed().items())), NOW + offset)
    assert error.value.code == "request_expired"


def test_a_long_life_is_refused_even_when_signed() -> None:
    """Nobody can sign themselves a request that lives longer than a minute."""
    verified = verify_headers(list(signed().items()))
    with pytest.raises(PeerError):
        check_time(replace(verified, expires=verified.created + REQUEST_LIFE + 1), NOW)
    with pytest.raises(PeerError):
        check_time(replace(verified, expires=verified.created), NOW)
    check_time(replace(verified, expires=verified.created + 1), NOW)


@pytest.mark.parametrize(
    "text",
    ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAA=", "ÄAAAAAAAAAAAAAAAAAAAAA"],
    ids=range(5),
)
def test_identifiers_have_one_spelling(text: str) -> None:
    """Padding, stray bits, wrong lengths and foreign letters are malformed."""
    with pytest.raises(PeerError) as error:
        unb64(text, 16)
    assert error.value.code == "malformed"


def test_identifiers_round_trip() -> None:
    """Bytes come back from their text."""
    assert unb64(b64(bytes(range(16))), 16) == bytes(range(16))


def test_a_relay_stores_no_token() -> None:
    """What is stored of a session token is a hash."""
    assert session_hash(b"t" * 32) != b"t" * 32
