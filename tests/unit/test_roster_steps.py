"""What links change besides devices and epochs: lists of keys that must hold together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, TrustError
from e2e_support.roster import next_body
from e2e_support.roster_links import (
    IssuerKey,
    IssuerKeys,
    Payload,
    RelayKeys,
    Threshold,
    open_link,
    sign_link,
)
from e2e_support.roster_steps import advance, follow, needed_for
from e2e_support.vocab import AdmissionMode
from team_builder import TIME, Team, device, seed_of

ANNA, CARL = device("anna"), device("carl")
GRANT = IssuerKey(AdmissionMode.GRANT, 0, 2**32, SigningKey(Secret(seed_of("host"))).public)
MODULUS = b"\xc0" + bytes(254) + b"\x01"
BLIND = IssuerKey(AdmissionMode.BLIND, 20_000, 20_000, MODULUS)
SMALLEST = replace(BLIND, key=b"\x80" + bytes(254) + b"\x03")


def test_issuer_keys_are_replaced_as_a_list() -> None:
    """The newest link lists all keys that admit people; an empty list admits nobody by a token."""
    team = Team.found(ANNA)
    assert team.do((IssuerKeys((GRANT, BLIND, SMALLEST)), [ANNA])).issuer_keys == (GRANT, BLIND, SMALLEST)
    assert team.do((IssuerKeys(()), [ANNA])).issuer_keys == ()


def issuer(mode: AdmissionMode, key: bytes, first: int = 1, last: int = 2) -> IssuerKeys:
    """Return a list of one key."""
    return IssuerKeys((IssuerKey(mode, first, last, key),))


FALSE_KEYS: list[tuple[str, Payload, str]] = [
    ("an issuer key twice", IssuerKeys((GRANT, GRANT)), "bad_issuer_keys"),
    (
        "an issuer key that ends before it begins",
        issuer(AdmissionMode.BLIND, MODULUS, 2, 1),
        "bad_issuer_keys",
    ),
    ("a key for a mode that has none", issuer(AdmissionMode.OPEN, GRANT.key), "bad_issuer_keys"),
    ("a modulus for a mode that has none", issuer(AdmissionMode.OPEN, MODULUS), "bad_issuer_keys"),
    (
        "a signing key that looks like a modulus",
        issuer(AdmissionMode.BLIND, b"\x80" + bytes(30) + b"\x01"),
        "bad_issuer_keys",
    ),
    ("a signing key of small order", issuer(AdmissionMode.GRANT, bytes(32)), "bad_key"),
    ("a modulus where a signing key belongs", issuer(AdmissionMode.GRANT, MODULUS), "bad_key"),
    ("a signing key where a modulus belongs", issuer(AdmissionMode.BLIND, GRANT.key), "bad_issuer_keys"),
    ("a modulus that is too short", issuer(AdmissionMode.BLIND, b"\x7f" + MODULUS[1:]), "bad_issuer_keys"),
    ("an even modulus", issuer(AdmissionMode.BLIND, MODULUS[:-1] + b"\x02"), "bad_issuer_keys"),
    ("no relay key", RelayKeys(()), "bad_relay_keys"),
    ("a relay key twice", RelayKeys((GRANT.key, GRANT.key)), "bad_relay_keys"),
    ("a relay key of small order", RelayKeys((bytes(32),)), "bad_key"),
]


@pytest.mark.parametrize(("name", "payload", "code"), FALSE_KEYS, ids=[row[0] for row in FALSE_KEYS])
def test_false_key_lists_are_refused(name: str, payload: Payload, code: str) -> None:
    """A list of keys with a bad, doubled or unusable key is refused as a whole."""
    with pytest.raises((TrustError, PeerError)) as caught:
        Team.found(ANNA).do((payload, [ANNA]))
    assert caught.value.code == code


def test_what_a_link_would_change_can_be_seen_before_it_is_signed() -> None:
    """Looking ahead at an unsigned link needs no signature and gives none: following it is refused."""
    roster = Team.found(ANNA, CARL).roster
    link = open_link(sign_link(next_body(roster, Threshold(2), TIME), []))
    assert advance(roster, link).threshold == 2
    assert needed_for(roster, link).entitled == {ANNA.device_id, CARL.device_id}
    with pytest.raises(TrustError) as caught:
        follow(roster, link)
    assert caught.value.code == "too_few_signers"
