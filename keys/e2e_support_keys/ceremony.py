"""Founding a team: keys, genesis, first epoch, and the proof that what was made can be opened again.

Pure: the caller takes the result to a relay and to a keystore. A client must never load this module.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from e2e_support.crypto.secret import Random, Secret, check_random
from e2e_support.ids import TeamId
from e2e_support.policy import Policy
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import NO_TEAM, genesis_body, sign_link
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Role
from e2e_support.wire import EpochPackage, Genesis
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.epochs import TeamKeys, make_epoch
from e2e_support_keys.rehearsal import rehearse


@dataclass(frozen=True, slots=True)
class Founded:
    """A team that no relay knows yet.

    Attributes:
        team_id: what clients pin.
        link: the support link that administrators publish.
        genesis: the roster's first link, signed by every device in it.
        package: boxes of epoch 0.
        bundle: the founder's keys, for the keystore.
    """

    team_id: TeamId
    link: str
    genesis: bytes
    package: EpochPackage
    bundle: DeviceBundle


def found_team(
    name: str,
    owner: str,
    *,
    relay_url: str,
    relay_key: bytes,
    policy: Policy,
    now: int,
    random: Random,
    languages: tuple[str, ...] = (),
) -> Founded:
    """Return a new team with one owner, after opening and answering a test ticket with its keys.

    Args:
        name: the team's name as users see it.
        owner: the founder's name as users see it.
        relay_url: origin of the relay, ``https://host[:port]``.
        relay_key: the relay's receipt key, 32 bytes.
        policy: the instance policy.
        now: seconds since 1970.
        random: source of all keys; a stuck one is refused.
        languages: tags of the languages that the founder answers in.

    Raises:
        UsageError: ``bad_random``, ``bad_link`` for an impossible relay address, ``malformed`` when a name
            or the policy is outside its bounds.
        PeerError: ``bad_key`` for an impossible relay key, ``bad_policy``.
        TrustError: ``self_check`` when the new keys do not open what was sealed to them.
    """
    check_random(random)
    founder = DeviceBundle.fresh(owner, random)
    devices = (founder.record(Role.OWNER, languages),)
    epoch = make_epoch(NO_TEAM, 0, devices, locator=Secret.random(random), older={}, random=random)
    genesis = Genesis(name, devices, 1, epoch.record, (relay_key,), policy.to_bytes())
    link = sign_link(genesis_body(genesis, now), [founder.signer()])
    roster = TrustedRoster.begin(link)
    self_check(roster, founder, epoch.package, random)
    support_link = SupportLink(relay_url, roster.team_id).format()
    bundle = replace(founder, link=support_link)
    return Founded(roster.team_id, support_link, link, epoch.package, bundle)


def self_check(roster: TrustedRoster, bundle: DeviceBundle, package: EpochPackage, random: Random) -> None:
    """Do nothing if a device can open and answer a ticket that a user seals to the team's newest epoch.

    Args:
        roster: the team.
        bundle: the device's keys.
        package: boxes of the newest epoch.
        random: source of the test ticket's keys.

    Raises:
        TrustError: ``self_check`` when it cannot, or what ``TeamKeys.add`` raises.
    """
    keys = TeamKeys(roster.team_id, bundle.device_id, bundle.kem())
    keys.add(roster.epochs, package)
    rehearse(roster, keys, bundle.signer(), random)
