"""Signed requests: a strict profile of RFC 9421, built and verified (protocol section 8).

There is exactly one spelling of every header: what a verifier accepts is what it would have written itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from e2e_support.crypto.hash import digest
from e2e_support.crypto.secret import Random
from e2e_support.crypto.sign import SigningKey, verify
from e2e_support.errors import PeerError
from e2e_support.ids import Hash
from e2e_support.limits import CLOCK_SKEW, NONCE_SIZE, REQUEST_LIFE
from e2e_support.tags import Tag

SIGNED_HEADERS = ("content-digest", "signature-input", "signature")
_COMPONENTS = '("@method" "@authority" "@path" "@query" "content-digest")'
_INPUT = re.compile(
    re.escape("e2es=" + _COMPONENTS)
    + r';created=(0|[1-9][0-9]{0,11});expires=(0|[1-9][0-9]{0,11});nonce="([A-Za-z0-9_-]{22})"'
    + r';keyid="([A-Za-z0-9_-]{43})";alg="ed25519"'
)
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_SIGNATURE = re.compile(r"e2es=:([A-Za-z0-9+/]{86}==):")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request whose signature holds; times in seconds since 1970.

    Attributes:
        public: the capability's public key, under which the signature was verified.
        digest: SHA-256 that the body must have.
        created: when it was signed.
        expires: when it stops being acceptable.
        nonce: 16 random bytes; acceptable once.
    """

    public: bytes
    digest: bytes
    created: int
    expires: int
    nonce: bytes


def b64(data: bytes) -> str:
    """Return base64url without padding, the form of identifiers in paths."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str, size: int) -> bytes:
    """Return ``size`` bytes from their only base64url spelling.

    Raises:
        PeerError: ``malformed``.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    if len(data) != size or b64(data) != text:
        raise PeerError("malformed", "an identifier is not base64url of the right size")
    return data


def content_digest(body: bytes) -> bytes:
    """Return the SHA-256 of a body (RFC 9530)."""
    return hashlib.sha256(body).digest()


def sign_request(
    key: SigningKey,
    *,
    method: str,
    authority: str,
    path: str,
    query: str,
    digest: bytes,
    now: int,
    random: Random,
) -> dict[str, str]:
    """Return the headers that sign a request (§8.1).

    Args:
        key: the capability.
        method: upper case.
        authority: host, with port where it is not the scheme's default, lower case.
        path: as sent, from the first slash.
        query: as sent, without the question mark; empty where there is none.
        digest: SHA-256 of the body.
        now: seconds since 1970.
        random: source of the nonce.
    """
    content = f"sha-256=:{_b64_padded(digest)}:"
    parameters = (
        f'{_COMPONENTS};created={now};expires={now + REQUEST_LIFE};nonce="{b64(random(NONCE_SIZE))}"'
        f';keyid="{b64(key.public)}";alg="ed25519"'
    )
    base = _signature_base(method, authority, path, query, content, parameters)
    signature = key.sign(Tag.REQUEST, base)
    return {
        "content-digest": content,
        "signature-input": f"e2es={parameters}",
        "signature": f"e2es=:{_b64_padded(signature)}:",
    }


def verify_request(
    *, method: str, authority: str, path: str, query: str, headers: Sequence[tuple[str, str]]
) -> SignedRequest:
    """Return what a request's signature says, verified under the key that the request carries (§8.1).

    Args:
        method: as received.
        authority: as received, lower case.
        path: as received, before any decoding.
        query: as received, before any decoding, without the question mark.
        headers: all header fields as (name, value); names in any case.

    Raises:
        PeerError: ``bad_signature`` for everything that is not one valid signature in its only spelling.
    """
    content, parameters, signature = (_only(headers, name) for name in SIGNED_HEADERS)
    digest_match, input_match = _DIGEST.fullmatch(content), _INPUT.fullmatch(parameters)
    signature_match = _SIGNATURE.fullmatch(signature)
    if not (digest_match and input_match and signature_match):
        raise _bad()
    created, expires, nonce, keyid = input_match.groups()
    public, nonce_bytes = _unb64_or_bad(keyid, 32), _unb64_or_bad(nonce, NONCE_SIZE)
    try:
        base = _signature_base(method, authority, path, query, content, parameters.removeprefix("e2es="))
    except UnicodeEncodeError:  # a target with stray bytes, as some servers hand them on
        raise _bad() from None
    if not verify(public, _unb64_padded(signature_match[1]), Tag.REQUEST, base):
        raise _bad()
    return SignedRequest(public, _unb64_padded(digest_match[1]), int(created), int(expires), nonce_bytes)


def check_time(signed: SignedRequest, now: int) -> None:
    """Refuse a request outside its time (§8.1, attack 66).

    Raises:
        PeerError: ``request_expired``.
    """
    alive = signed.created - CLOCK_SKEW <= now <= signed.expires
    if not (alive and 0 < signed.expires - signed.created <= REQUEST_LIFE):
        raise PeerError(
            "request_expired", "the request is too old or from the future", hint="Check the clock."
        )


def session_hash(token: bytes) -> Hash:
    """Return what a relay stores of a bearer token (§8.2)."""
    return digest(Tag.SESSION, token)


def _signature_base(
    method: str, authority: str, path: str, query: str, content: str, parameters: str
) -> bytes:
    """Return the signature base of RFC 9421 section 2.5 for the fixed components."""
    return (
        f'"@method": {method}\n"@authority": {authority}\n"@path": {path}\n"@query": ?{query}\n'
        f'"content-digest": {content}\n"@signature-params": {parameters}'
    ).encode()


def _only(headers: Sequence[tuple[str, str]], name: str) -> str:
    found = [value for key, value in headers if key.lower() == name]
    if len(found) != 1:
        raise _bad()
    return found[0]


def _unb64_or_bad(text: str, size: int) -> bytes:
    try:
        return unb64(text, size)
    except PeerError:
        raise _bad() from None


def _b64_padded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64_padded(text: str) -> bytes:
    """Return bytes from their only base64 spelling: in others the last letter's spare bits are not zero."""
    data = base64.b64decode(text)
    if _b64_padded(data) != text:
        raise _bad()
    return data


def _bad() -> PeerError:
    return PeerError("bad_signature", "the request is not signed as it must be")
