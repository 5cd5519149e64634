"""The committed roster vectors: data that any language can run, checked here against this implementation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e_support.crypto.hash import digest
from e2e_support.crypto.secret import Secret
from e2e_support.epoch import check_epoch_seed, epoch_record
from e2e_support.errors import SupportError, UsageError
from e2e_support.freshness import check_freshness
from e2e_support.ids import DeviceId, TeamId
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import link_hash, open_link
from e2e_support.support_link import SupportLink
from e2e_support.tags import Tag
from e2e_support.vocab import LinkType
from e2e_support.wire import EpochBox
from vectors.generate_roster import FOLDER, documents

Case = dict[str, Any]


def document(name: str) -> dict[str, Any]:
    """Return a committed vector file."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def cases(name: str) -> list[Case]:
    """Return the cases of a vector file."""
    found: list[Case] = document(name)["cases"]
    return found


def comment_of(case: Case) -> str:
    """Return a case's comment, which names its test."""
    return f"{case.get('rule', 'ok')}: {case['comment']}"


def story() -> list[bytes]:
    """Return the links of the chain that uses every kind of link."""
    return [bytes.fromhex(case["link"]) for case in cases("chain")]


def test_the_committed_vectors_are_the_ones_that_the_generator_makes() -> None:
    """No vector was edited by hand, none is missing and none is left over."""
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert committed == documents()


@pytest.mark.parametrize("name", ["chain", "refused", "epoch", "freshness", "support_link"])
def test_every_case_says_why_it_is_there(name: str) -> None:
    """Each case has a comment of its own."""
    comments = [comment_of(case) for case in cases(name)]
    assert all(comments)
    assert len(set(comments)) == len(comments)


def test_the_chain_is_accepted() -> None:
    """A roster made by other code is read to the same state, link by link."""
    first, *rest = links = story()
    expected = document("chain")
    roster = TrustedRoster.begin(first, team_id=TeamId(bytes.fromhex(expected["team_id"]))).update(rest)
    after = expected["after"]
    assert [link_hash(open_link(link).signed).hex() for link in links] == [
        case["hash"] for case in cases("chain")
    ]
    assert [device.hex() for device in roster.devices] == after["active"]
    assert all(roster.devices_ever[DeviceId(bytes.fromhex(past))].revoked for past in after["past"])
    assert (roster.threshold, roster.epoch.epoch) == (after["threshold"], after["epoch"])
    assert roster.epoch.capability_key.hex() == after["capability_key"]
    assert roster.policy.relay_rules().bits == after["work_bits"]


def test_the_chain_uses_every_kind_of_link() -> None:
    """No link type is without a vector."""
    assert {open_link(link).body.type for link in story()} == set(LinkType)


@pytest.mark.parametrize("case", cases("refused"), ids=comment_of)
def test_refused_links(case: Case) -> None:
    """Each case breaks one rule and is refused for that rule."""
    links = [bytes.fromhex(link) for link in case["links"]]
    with pytest.raises(SupportError) as caught:
        read(story()[: case["after"]], links)
    assert caught.value.code == case["rule"]


def read(before: list[bytes], links: list[bytes]) -> TrustedRoster:
    """Read links after others, or as a genesis."""
    if not before:
        return TrustedRoster.begin(links[0]).update(links[1:])
    return TrustedRoster.begin(before[0]).update(before[1:]).update(links)


@pytest.mark.parametrize("case", cases("epoch"), ids=comment_of)
def test_epochs(case: Case) -> None:
    """Keys, commitment and hashes of an epoch follow from its seed as written."""
    team, seed = TeamId(bytes.fromhex(case["team"])), Secret(bytes.fromhex(case["seed"]))
    box = EpochBox(DeviceId(bytes(16)), bytes.fromhex(case["box"]))
    record = epoch_record(team, case["epoch"], seed, [box], bytes.fromhex(case["ring"]))
    assert record.kem_key.hex() == case["kem_key"]
    assert record.capability_key.hex() == case["capability_key"]
    assert record.commitment.hex() == case["commitment"]
    assert record.boxes[0].hash.hex() == case["box_hash"] == digest(Tag.BOX_HASH, box.sealed).hex()
    assert record.ring_hash.hex() == case["ring_hash"]
    assert check_epoch_seed(record, team, seed).kem.public == record.kem_key


@pytest.mark.parametrize("case", cases("freshness"), ids=comment_of)
def test_freshness(case: Case) -> None:
    """A statement counts until the time in its case, or is refused for the rule in it."""
    roster = TrustedRoster.begin(story()[0]).update(story()[1:])
    statement = bytes.fromhex(case["statement"])
    if "expires" in case:
        assert check_freshness(roster, statement, now=case["now"]).expires == case["expires"]
        return
    with pytest.raises(SupportError) as caught:
        check_freshness(roster, statement, now=case["now"])
    assert caught.value.code == case["rule"]


@pytest.mark.parametrize("case", cases("support_link"), ids=comment_of)
def test_support_links(case: Case) -> None:
    """A link reads as written and is written as read, or is refused."""
    if "rule" in case:
        with pytest.raises(UsageError) as caught:
            SupportLink.parse(case["link"])
        assert caught.value.code == case["rule"]
        return
    head = (case["head"][0], bytes.fromhex(case["head"][1])) if case["head"] else None
    link = SupportLink(case["url"], TeamId(bytes.fromhex(case["team_id"])), head)
    assert SupportLink.parse(case["link"]) == link
    assert link.format() == case["link"]
