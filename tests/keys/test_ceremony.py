"""Founding a team: what comes out is complete, consistent and was opened once before anybody saw it."""

from dataclasses import replace
from typing import Any

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, TrustError
from e2e_support.ids import MailboxId
from e2e_support.presets import DEFAULT
from e2e_support.roster import TrustedRoster, begin_batch
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Role
from e2e_support.wire import Batch, Entry, Found
from e2e_support_keys.bundle import DeviceBundle, bundle_from_secret, bundle_to_secret
from e2e_support_keys.ceremony import Founded, found_team, self_check
from e2e_support_keys.epochs import TeamKeys
from e2e_support_keys.rehearsal import rehearse
from keys_room import KEY, OTHER_KEY, Numbered, refused

RELAY = SigningKey(KEY).public
NOW = 1_800_000_000


def found(**changes: Any) -> Founded:
    """Found a team with one thing or another changed."""
    arguments: dict[str, Any] = {
        "relay_url": "https://relay.example",
        "relay_key": RELAY,
        "policy": DEFAULT,
        "now": NOW,
        "random": Numbered(),
        "languages": ("de", "en"),
    }
    return found_team("Acme support", "Anna", **(arguments | changes))


FOUNDED = found()
ROSTER = TrustedRoster.begin(FOUNDED.genesis, team_id=FOUNDED.team_id)


def test_the_genesis_says_what_was_asked_for() -> None:
    """Name, owner, languages, relay key and policy stand in a roster that anybody can check."""
    (owner,) = ROSTER.devices.values()
    assert ROSTER.name == "Acme support"
    assert (owner.label, owner.role, owner.languages) == ("Anna", Role.OWNER, ("de", "en"))
    assert ROSTER.threshold == 1
    assert list(ROSTER.relay_keys.values()) == [RELAY]
    assert ROSTER.policy == DEFAULT


def test_the_batch_is_one_that_a_relay_stores() -> None:
    """Genesis and boxes pass the relay's own check and fit into its message."""
    batch = Batch((FOUNDED.genesis,), (FOUNDED.package,))
    assert begin_batch(batch, team_id=FOUNDED.team_id).head == ROSTER.head
    assert Found.from_bytes(Found("code", batch).to_bytes()).batch == batch


def test_the_link_pins_the_team() -> None:
    """The support link names relay and team, and stands in the founder's keys."""
    link = SupportLink.parse(FOUNDED.link)
    assert (link.url, link.team_id, link.head) == ("https://relay.example", FOUNDED.team_id, None)
    assert FOUNDED.bundle.link == FOUNDED.link


def test_the_kept_keys_open_the_team() -> None:
    """Keys that went through the keystore's form open the founding epoch."""
    bundle = bundle_from_secret(bundle_to_secret(FOUNDED.bundle))
    assert isinstance(bundle, DeviceBundle)
    keys = TeamKeys(FOUNDED.team_id, bundle.device_id, bundle.kem())
    keys.add(ROSTER.epochs, FOUNDED.package)
    assert keys.epoch().capability.public == ROSTER.epoch.capability_key


def test_two_teams_share_nothing() -> None:
    """Two foundings with the same names give unrelated teams."""
    other = found(random=Numbered(1))
    assert other.team_id != FOUNDED.team_id
    assert other.bundle.device_id != FOUNDED.bundle.device_id


def test_a_stuck_random_source_founds_nothing() -> None:
    """A team is not founded on a machine without randomness."""
    with refused("bad_random"):
        found(random=bytes)


@pytest.mark.parametrize("url", ["http://relay.example", "relay.example", "https://Relay.example/path"])
def test_an_impossible_relay_address_founds_nothing(url: str) -> None:
    """A relay that no support link could name is refused."""
    with refused("bad_link"):
        found(relay_url=url)


def test_an_impossible_relay_key_founds_nothing() -> None:
    """A key under which anybody could sign receipts is refused."""
    with refused("bad_key", PeerError):
        found(relay_key=bytes(32))


def test_the_check_fails_for_somebody_elses_keys() -> None:
    """Keys that are not the team's do not pass the self-check."""
    stranger = DeviceBundle.fresh("Mallory", Numbered(2))
    with refused("no_box", TrustError):
        self_check(ROSTER, stranger, FOUNDED.package, Numbered())
    impostor = replace(stranger, device_id=FOUNDED.bundle.device_id)
    with refused("no_box", TrustError):
        self_check(ROSTER, impostor, FOUNDED.package, Numbered())


def test_the_check_compares_what_it_opened() -> None:
    """A team that opens another key than the one that a user sealed fails the self-check."""

    class Other:
        def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:
            return OTHER_KEY

    with refused("self_check", TrustError):
        rehearse(ROSTER, Other(), FOUNDED.bundle.signer(), Numbered())


def test_the_check_includes_an_answer() -> None:
    """A device whose answers the team's users would not accept fails, although it can read."""
    keys = TeamKeys(FOUNDED.team_id, FOUNDED.bundle.device_id, FOUNDED.bundle.kem())
    keys.add(ROSTER.epochs, FOUNDED.package)
    device_id, key = FOUNDED.bundle.signer()
    rehearse(ROSTER, keys, (device_id, key), Numbered())
    with refused("self_check", TrustError):
        rehearse(ROSTER, keys, (device_id, SigningKey(OTHER_KEY)), Numbered())
