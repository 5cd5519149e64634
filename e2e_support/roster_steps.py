"""What one link does to a roster, and which link may follow which (protocol sections 4.3 to 4.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from e2e_support.crypto.kem import KemPublic
from e2e_support.crypto.sign import check_public
from e2e_support.errors import TrustError
from e2e_support.ids import RelayKeyId
from e2e_support.mailbox import relay_key_id
from e2e_support.membership import Membership, refuse
from e2e_support.policy import Policy
from e2e_support.roster_links import (
    DeviceAdd,
    DeviceRevoke,
    DeviceUpdate,
    IssuerKey,
    IssuerKeys,
    OpenLink,
    RelayKeys,
    Rename,
    Threshold,
    link_hash,
)
from e2e_support.roster_rules import NOBODY, Quorum, check_possession, check_signatures, quorum, recovering
from e2e_support.roster_state import RosterState
from e2e_support.vocab import AdmissionMode, LinkType
from e2e_support.wire import EpochRecord

R = TypeVar("R", bound=RosterState)


def follow(roster: R, link: OpenLink) -> R:
    """Return a roster with one more link, which may still owe an epoch.

    What a link says is checked before its signatures: who must sign depends on it.

    Args:
        roster: what the link continues.
        link: the next link.

    Raises:
        PeerError: ``bad_key``.
        TrustError: a rule of section 4.4.
    """
    changed = advance(roster, link)
    check_signatures(roster.membership, link, needed_for(roster, link))
    return changed


def needed_for(roster: RosterState, link: OpenLink) -> Quorum:
    """Return whose signatures the next link needs; arguments as for ``follow``."""
    return quorum(roster.membership, link, roster.owed or NOBODY)


def advance(roster: R, link: OpenLink) -> R:
    """Return what a roster would be with one more link, whoever signed it; arguments and errors as for ``follow``.

    For links that still wait for signatures: nothing may be stored or sealed because of it.
    """
    _check_next(roster, link)
    _check_owed(roster, link)
    changed = _step(roster, link)
    return replace(changed, links=(*roster.links, link.data), hashes=(*roster.hashes, link_hash(link.signed)))


def _check_next(roster: RosterState, link: OpenLink) -> None:
    """Refuse what does not cite this team, this place and this predecessor."""
    body = link.body
    if (body.team_id, body.seq, body.prev_hash) != (roster.team_id, len(roster.links), roster.hashes[-1]):
        raise refuse(
            "not_next",
            f"link {body.seq} does not follow link {len(roster.links) - 1} of this roster",
            "The relay left links out or tells another story than before. Send nothing until it is clear.",
        )


def _check_owed(roster: RosterState, link: OpenLink) -> None:
    """Refuse what may not stand between a change of devices and its epoch (section 4.6).

    Links carry no mark where a batch ends; this is what makes batches the same for everyone.
    """
    kind = link.body.type
    if roster.owed is None or kind is LinkType.EPOCH:
        return
    recovery = roster.owed or recovering(roster.membership, link)
    if recovery or kind not in {LinkType.DEVICE_ADD, LinkType.DEVICE_REVOKE}:
        raise epoch_missing()


def _step(roster: R, link: OpenLink) -> R:
    """Return what a link changes, if what it says can hold."""
    match link.payload:
        case DeviceAdd(record) as joining:
            members = roster.membership.adding(record, link.body.seq)
            check_possession(roster.team_id, joining)
            return replace(roster, membership=members, owed=recovering(roster.membership, link))
        case DeviceRevoke(device_id):
            members = roster.membership.revoking(device_id, link.body.seq)
            alone = {signature.device_id for signature in link.signatures} == {device_id}
            return _leave(roster, members) if alone else replace(roster, membership=members, owed=NOBODY)
        case EpochRecord() as record:
            check_epoch(record, roster.epochs, roster.membership)
            epochs = (*roster.epoch_links, (link.body.seq, record))
            return replace(roster, epoch_links=epochs, rotation_due=False, owed=None)
        case Policy() as policy:
            return replace(roster, policy_links=(*roster.policy_links, (link.body.seq, policy)))
        case RelayKeys() | IssuerKeys() as keys:
            return _list_keys(roster, keys)
        case _:
            return replace(roster, membership=_change(roster.membership, link))


def _leave(roster: R, members: Membership) -> R:
    """Let a device go by itself: it must not choose the next seed, so others owe the epoch from now on."""
    if roster.owed is not None:
        raise epoch_missing()
    return replace(roster, membership=members, rotation_due=True)


def _change(members: Membership, link: OpenLink) -> Membership:
    match link.payload:
        case DeviceUpdate(device_id, kem_key):
            return members.updating(device_id, kem_key=kem_key)
        case Rename(device_id, label, languages):
            return members.renaming(device_id, label, languages)
        case Threshold(owners):
            return members.requiring(owners)
        case _:
            raise refuse("bad_genesis", "a genesis stands first and once")


def _list_keys(roster: R, listed: RelayKeys | IssuerKeys) -> R:
    if isinstance(listed, IssuerKeys):
        _check_issuer_keys(listed.keys)
        return replace(roster, issuer_keys=listed.keys)
    current = relay_keys(listed.keys)
    known = MappingProxyType({**roster.relay_keys, **current})
    return replace(roster, relay_keys=known, current_relay_keys=current)


def check_epoch(record: EpochRecord, older: Sequence[EpochRecord], members: Membership) -> None:
    """Check what everybody can see of a new epoch (section 4.5): its number, its keys, its list of boxes.

    Raises:
        PeerError: ``bad_key``.
        TrustError: ``epoch_number``, ``epoch_reused`` or ``epoch_boxes``.
    """
    if record.epoch != len(older):
        raise refuse("epoch_number", f"epoch {len(older)} must come next, not {record.epoch}")
    KemPublic(record.kem_key)
    check_public(record.capability_key)
    if any(record.kem_key == old.kem_key or record.capability_key == old.capability_key for old in older):
        raise refuse("epoch_reused", "an epoch must have fresh keys: who was removed knows the old ones")
    if sorted(box.device_id for box in record.boxes) != sorted(members.active):
        raise refuse("epoch_boxes", "an epoch has one box for every active device and no other")


def relay_keys(keys: Sequence[bytes]) -> Mapping[RelayKeyId, bytes]:
    """Return relay keys by id.

    Raises:
        PeerError: ``bad_key``.
        TrustError: ``bad_relay_keys``.
    """
    by_id = {relay_key_id(check_public(key)): key for key in keys}
    if not keys or len(by_id) < len(keys):
        raise refuse("bad_relay_keys", "a roster lists at least one relay key, and each once")
    return MappingProxyType(by_id)


def _check_issuer_keys(keys: Sequence[IssuerKey]) -> None:
    """Check what can be seen of issuer keys without using them.

    Raises:
        PeerError: ``bad_key``.
        TrustError: ``bad_issuer_keys``.
    """
    if len({issuer.key for issuer in keys}) < len(keys):
        raise refuse("bad_issuer_keys", "an issuer key stands twice")
    for issuer in keys:
        if issuer.first_day > issuer.last_day:
            raise refuse("bad_issuer_keys", "an issuer key ends before it begins")
        if issuer.mode is AdmissionMode.GRANT:
            check_public(issuer.key)
        elif issuer.mode is not AdmissionMode.BLIND or not _is_modulus(issuer.key):
            raise refuse("bad_issuer_keys", "an issuer key does not fit its mode")


def _is_modulus(key: bytes) -> bool:
    """Tell whether a key can be an RSA modulus of its full length."""
    return len(key) > 32 and key[0] >= 0x80 and key[-1] % 2 == 1


def epoch_missing() -> TrustError:
    """Return the error for a change of devices without its epoch."""
    return refuse("epoch_missing", "after devices were added or removed, their epoch must follow at once")
