"""Who must sign which roster link: the table of protocol section 4.3, and the check of the signatures.

A threshold counts members, not devices: a person with three computers has one voice. Whoever signs must be
entitled to; a link with a stranger's signature is refused even where enough others signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e_support.crypto.sign import verify
from e2e_support.ids import DeviceId, TeamId
from e2e_support.membership import Membership, refuse
from e2e_support.roster_links import DeviceAdd, DeviceRevoke, DeviceUpdate, OpenLink, Rename, is_proven
from e2e_support.tags import Tag
from e2e_support.vocab import LinkType, Role
from e2e_support.wire import DeviceRecord

NOBODY: frozenset[DeviceId] = frozenset()


@dataclass(frozen=True, slots=True)
class Quorum:
    """Whose signatures make a link valid.

    Attributes:
        entitled: the devices that may sign.
        members: how many different members of them must.
        required: devices whose signature must not be missing.
    """

    entitled: frozenset[DeviceId]
    members: int = 1
    required: frozenset[DeviceId] = NOBODY


def founders(members: Membership) -> Quorum:
    """Return whose signatures a genesis needs: those of every device that it lists, and of nobody else.

    Args:
        members: who is in the team after the genesis.
    """
    everyone = frozenset(members.active)
    return Quorum(everyone, required=everyone)


def quorum(members: Membership, link: OpenLink, owed_to: frozenset[DeviceId]) -> Quorum:
    """Return whose signatures a link needs.

    Args:
        members: who is in the team before the link.
        link: any link but a genesis.
        owed_to: devices that may sign the next epoch besides owners and agents.
    """
    match link.payload:
        case DeviceAdd(record):
            return _adding(members, record, link)
        case DeviceRevoke(device_id):
            return _revoking(members, device_id, _signers(link))
        case DeviceUpdate(device_id) | Rename(device_id):
            return Quorum(frozenset({device_id}) - members.by_role(Role.RECOVERY))
        case _:
            if link.body.type is LinkType.EPOCH:
                return Quorum(members.by_role(Role.OWNER, Role.AGENT) | owed_to)
            return _owners(members)


def _owners(members: Membership, excluded: frozenset[DeviceId] = NOBODY) -> Quorum:
    return Quorum(members.by_role(Role.OWNER) - excluded, members.threshold)


def recovering(members: Membership, link: OpenLink) -> frozenset[DeviceId]:
    """Return the recovery devices among a link's signers; with one the link is a recovery or nothing.

    Args:
        members: who is in the team before the link.
        link: any link.
    """
    return _signers(link) & members.by_role(Role.RECOVERY)


def _adding(members: Membership, record: DeviceRecord, link: OpenLink) -> Quorum:
    """Say who adds a device.

    A further device of an owner carries that owner's voice: if any owner could add it, one owner alone could
    collect the voices of all. So it takes that owner's own signature, or the threshold.
    """
    recovery = recovering(members, link)
    owners = members.by_role(Role.OWNER)
    own = members.of_member(record.member_id) & members.by_role(Role.OWNER, Role.AGENT)
    if recovery and record.role is Role.OWNER:
        return Quorum(recovery)
    if record.role in {Role.OWNER, Role.RECOVERY}:
        return Quorum(owners, 1 if own & _signers(link) else members.threshold)
    return Quorum(owners | own)


def _revoking(members: Membership, target: DeviceId, signers: frozenset[DeviceId]) -> Quorum:
    """Say who removes a device; whoever is removed by others has no voice in it."""
    record = members.active.get(target)
    if signers == frozenset({target}):
        return Quorum(signers - members.by_role(Role.RECOVERY))
    if record is not None and record.role in {Role.OWNER, Role.RECOVERY}:
        return _owners(members, frozenset({target}))
    return Quorum(members.by_role(Role.OWNER))


def check_signatures(members: Membership, link: OpenLink, needed: Quorum) -> None:
    """Do nothing if a link carries the signatures that it needs and no others.

    Args:
        members: whose keys count.
        link: the link.
        needed: whose signatures it needs.

    Raises:
        TrustError: ``duplicate_signer``, ``no_possession``, ``not_entitled``, ``too_few_signers`` or
            ``bad_signature``.
    """
    signers = _signers(link)
    if len(signers) < len(link.signatures):
        raise refuse("duplicate_signer", "a device signed twice")
    if not signers >= needed.required:
        raise refuse("no_possession", "a device did not sign: nobody shows that it holds its key")
    if not signers <= needed.entitled:
        raise refuse("not_entitled", "a device signed that may not sign such a link")
    records = {device: record for device, record in members.active.items() if device in signers}
    if len({record.member_id for record in records.values()}) < needed.members:
        raise refuse("too_few_signers", f"{needed.members} members must sign")
    for signature in link.signatures:
        key = records[signature.device_id].sign_key
        if not verify(key, signature.signature, Tag.LINK_SIGN, link.signed):
            raise refuse("bad_signature", "a signature does not fit the link")


def check_possession(team_id: TeamId, joining: DeviceAdd) -> None:
    """Do nothing if a new device has signed its own record for this team (section 4.3).

    Without this somebody could join with another's key and have that one's signatures taken for theirs.

    Raises:
        TrustError: ``no_possession``.
    """
    if not is_proven(team_id, joining):
        raise refuse("no_possession", "the new device has not signed its record for this team")


def _signers(link: OpenLink) -> frozenset[DeviceId]:
    return frozenset(signature.device_id for signature in link.signatures)
