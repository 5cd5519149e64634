"""Creates mailboxes as the team: staff logs and the team space, and a user's by the user's card (protocol 3.2, 5.6)."""

from __future__ import annotations

from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import Create
from e2e_support_client import clock
from e2e_support_client.port import Refused, RelayPort


def team_create(
    creation: bytes, capability: SigningKey, team_id: TeamId, now: int, *, user_key: bytes = b""
) -> Create:
    """Return what opens a mailbox at the relay with the team's own proof (§7).

    Args:
        creation: the public creation key.
        capability: of the newest epoch.
        team_id: the team.
        now: seconds since 1970.
        user_key: the user's key; empty for a mailbox without a user class.
    """
    day = day_of(now)
    proof = prove_team(capability, admit_hash(team_id, day, mailbox_id(creation)))
    return Create(creation, user_key, 1, team_id, day, AdmissionMode.TEAM, proof)


async def create_for_team(
    relay: RelayPort, team_id: TeamId, capability: SigningKey, creation: SigningKey
) -> None:
    """Create a staff log or the team space; if somebody else was first, it is there just as well.

    Args:
        relay: the relay.
        team_id: the team.
        capability: of the newest epoch.
        creation: its creation key, from ``TeamKeys``.
    """
    create = team_create(creation.public, capability, team_id, clock.now())
    await _create(relay, create, creation)


async def create_for_user(
    relay: RelayPort, team_id: TeamId, capability: SigningKey, creation_key: bytes
) -> None:
    """Create a user's mailbox; it may be there from an earlier attempt.

    Args:
        relay: the relay.
        team_id: the team.
        capability: of the newest epoch; signs in the creation key's place.
        creation_key: from the user's card.
    """
    create = team_create(creation_key, capability, team_id, clock.now(), user_key=creation_key)
    await _create(relay, create, capability)


async def _create(relay: RelayPort, create: Create, signer: SigningKey) -> None:
    try:
        await relay.create(mailbox_id(create.creation_key), create, signer)
    except Refused as refused:
        if refused.code != "conflict":
            raise
