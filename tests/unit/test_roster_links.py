"""Links as bytes: what is read, hashed and signed, before anybody judges it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.canonical import encode
from e2e_support.crypto.hash import digest
from e2e_support.crypto.sign import verify
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import TeamId
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT
from e2e_support.roster import next_body
from e2e_support.roster_links import (
    NO_TEAM,
    PAYLOADS,
    DeviceAdd,
    Rename,
    Threshold,
    cosign_link,
    is_proven,
    link_hash,
    open_link,
    prove_device,
    sign_link,
    team_id_of,
)
from e2e_support.tags import Tag
from e2e_support.vocab import LinkType
from e2e_support.wire import Link, LinkBody
from team_builder import TIME, Team, device

ANNA, CARL, BEN = device("anna"), device("carl"), device("ben")
TEAM = Team.found(ANNA, CARL)


def test_every_link_type_has_its_own_payload() -> None:
    """A payload class stands for one type, so that a builder can tell the type from the payload."""
    assert PAYLOADS.keys() == set(LinkType)
    assert len(set(PAYLOADS.values())) == len(PAYLOADS)


def test_link_comes_apart() -> None:
    """An opened link shows its bytes, its body, its payload and its signatures."""
    body = next_body(TEAM.roster, Threshold(2), TIME)
    data = sign_link(body, [(ANNA.device_id, ANNA.sign)])
    link = open_link(data)
    assert (link.data, link.signed, link.body) == (data, body.to_bytes(), body)
    assert link.payload == Threshold(2)
    assert [signature.device_id for signature in link.signatures] == [ANNA.device_id]
    assert verify(ANNA.sign.public, link.signatures[0].signature, Tag.LINK_SIGN, link.signed)


def test_hashes_are_over_the_body_alone() -> None:
    """Signatures do not enter a link's hash: a further one does not make another link (section 4.1)."""
    body = next_body(TEAM.roster, Threshold(2), TIME)
    one = sign_link(body, [(ANNA.device_id, ANNA.sign)])
    two = cosign_link(one, [(CARL.device_id, CARL.sign)])
    assert open_link(one).signed == open_link(two).signed == body.to_bytes()
    assert two == sign_link(body, [(ANNA.device_id, ANNA.sign), (CARL.device_id, CARL.sign)])
    assert link_hash(body.to_bytes()) == digest(Tag.LINK, body.to_bytes())
    assert team_id_of(body.to_bytes()) == TeamId(digest(Tag.TEAM, body.to_bytes()))


def test_a_new_device_signs_its_record_beforehand() -> None:
    """The proof of a new device is over team and record, whatever link will add it (section 4.3)."""
    proof = prove_device(BEN.sign, TEAM.team_id, BEN.record)
    assert verify(BEN.sign.public, proof, Tag.DEVICE_PROOF, TEAM.team_id, BEN.record.to_bytes())
    assert is_proven(TEAM.team_id, DeviceAdd(BEN.record, proof))
    assert not is_proven(NO_TEAM, DeviceAdd(BEN.record, proof))
    assert not is_proven(TEAM.team_id, DeviceAdd(replace(BEN.record, label="Eve"), proof))
    assert not is_proven(TEAM.team_id, DeviceAdd(BEN.record, bytes(64)))


def test_policy_in_a_link_is_checked() -> None:
    """A link with a policy that makes no sense does not open."""
    nonsense = DEFAULT.to_bytes().replace(b"\xa4open\xa4Open\x01\x90", b"\xa4open\xa4Open\x01\x91\x0a")
    assert Policy.from_bytes(nonsense) != DEFAULT
    body = LinkBody(1, 1, TEAM.team_id, 1, TEAM.roster.hashes[0], TIME, LinkType.POLICY, nonsense)
    with pytest.raises(PeerError) as caught:
        open_link(sign_link(body, []))
    assert caught.value.code == "bad_policy"


HEAD = (TEAM.team_id, 1, TEAM.roster.hashes[0], TIME)
OTHER_VERSIONS = [
    ("older version", (0, 1, *HEAD, 8, b"\x91\x01")),
    ("older suite", (1, 0, *HEAD, 8, b"\x91\x01")),
    ("newer version", (2, 1, *HEAD, 8, b"\x91\x01")),
    ("newer suite", (1, 2, *HEAD, 8, b"\x91\x01")),
    ("newer version with other fields", (2, 7, "surprise")),
    ("newer version with three numbers", (2, 7, 9)),
    ("unknown type", (1, 1, *HEAD, 99, b"\x91\x01")),
]


@pytest.mark.parametrize(("name", "value"), OTHER_VERSIONS, ids=[row[0] for row in OTHER_VERSIONS])
def test_other_versions_need_an_update(name: str, value: tuple[int | bytes | str, ...]) -> None:
    """Another version, suite or type is a clear error, never skipped (attacks 24 and 25)."""
    with pytest.raises(PeerError) as caught:
        open_link(Link(encode(value), ()).to_bytes())
    assert caught.value.code == "update_needed"
    assert "Update" in caught.value.hint


MALFORMED = [
    b"",
    b"\x80",
    Link(b"", ()).to_bytes(),
    Link(encode(1), ()).to_bytes(),
    Link(encode((1,)), ()).to_bytes(),
    Link(encode((b"1", b"1")), ()).to_bytes(),
    Link(encode((1, 1)), ()).to_bytes(),
    Link(encode((1, 1, *HEAD, 8, b"\x91\x00")), ()).to_bytes(),
    Link(encode((1, 1, *HEAD, 8, b"")), ()).to_bytes(),
]


@pytest.mark.parametrize("data", MALFORMED)
def test_malformed_links_are_refused(data: bytes) -> None:
    """Whatever is not a link in canonical form is malformed."""
    with pytest.raises(PeerError) as caught:
        open_link(data)
    assert caught.value.code == "malformed"


def test_payload_out_of_bounds_is_not_built() -> None:
    """A builder refuses what no reader would accept."""
    with pytest.raises(UsageError):
        next_body(TEAM.roster, Rename(ANNA.device_id, "x" * 101, ()), TIME)
