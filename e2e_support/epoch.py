"""Team epochs: what follows from a seed, and what a device checks after it opened its box (protocol 4.5).

Sealing and opening boxes is not here: whoever verifies a roster needs no private key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2e_support.crypto.hash import derive, digest, same, u64
from e2e_support.crypto.kem import KemPrivate
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import TrustError
from e2e_support.ids import DeviceId, Hash, TeamId
from e2e_support.roster_links import NO_HASH
from e2e_support.tags import Tag
from e2e_support.wire import BoxHash, EpochBox, EpochPackage, EpochRecord


@dataclass(frozen=True, slots=True)
class EpochKeys:
    """The two key pairs of an epoch.

    Attributes:
        kem: opens the team boxes of tickets.
        capability: makes its holder the team at the relay.
    """

    kem: KemPrivate
    capability: SigningKey


def epoch_keys(seed: Secret) -> EpochKeys:
    """Return the key pairs that follow from an epoch's seed.

    Args:
        seed: 32 random bytes.
    """
    return EpochKeys(
        kem=KemPrivate(derive(seed, Tag.EPOCH_KEM)),
        capability=SigningKey(derive(seed, Tag.EPOCH_CAPABILITY)),
    )


def epoch_commitment(team: TeamId, epoch: int, seed: Secret) -> Hash:
    """Return the hash that ties a seed to its team and number.

    Args:
        team: the team id, or zeros for the genesis epoch (``roster.epoch_team``).
        epoch: the epoch's number.
        seed: 32 random bytes.
    """
    return digest(Tag.EPOCH_COMMIT, team, u64(epoch), seed.reveal(SECRET_ACCESS))


def box_context(team: TeamId, epoch: int, device_id: DeviceId, kem_key: bytes) -> bytes:
    """Return what an epoch box is bound to.

    Args:
        team: the team id, or zeros for the genesis epoch.
        epoch: the epoch's number.
        device_id: whose box it is.
        kem_key: the epoch's public KEM key, so that two seeds cannot share a box.
    """
    return team + u64(epoch) + device_id + kem_key


def ring_context(team: TeamId, epoch: int) -> bytes:
    """Return what an epoch's ring is bound to; arguments as for ``box_context``."""
    return team + u64(epoch)


def ring_hash(ring: bytes) -> Hash:
    """Return the hash of a ring's ciphertext, or zeros where there is none.

    Args:
        ring: the ciphertext; empty where there is no ring.
    """
    return digest(Tag.RING, ring) if ring else NO_HASH


def epoch_record(
    team: TeamId, epoch: int, seed: Secret, boxes: Sequence[EpochBox], ring: bytes = b""
) -> EpochRecord:
    """Return the public record of an epoch.

    Args:
        team: the team id, or zeros for the genesis epoch.
        epoch: the epoch's number.
        seed: 32 fresh random bytes.
        boxes: one for every device that will be active.
        ring: the ciphertext of older seeds; empty for none.
    """
    keys = epoch_keys(seed)
    return EpochRecord(
        epoch=epoch,
        kem_key=keys.kem.public,
        capability_key=keys.capability.public,
        commitment=epoch_commitment(team, epoch, seed),
        boxes=_box_hashes(boxes),
        ring_hash=ring_hash(ring),
    )


def check_epoch_seed(record: EpochRecord, team: TeamId, seed: Secret) -> EpochKeys:
    """Return the key pairs of an epoch if the seed from the box is the one that its signer committed to.

    Without this an administrator could give colleagues different seeds, or one that fits no public key.

    Args:
        record: the epoch as it stands in the roster.
        team: the team id, or zeros for the genesis epoch.
        seed: what the box or the ring held.

    Raises:
        TrustError: ``bad_epoch``.
    """
    keys = epoch_keys(seed)
    if not _fits(record, team, seed, keys):
        raise _bad_epoch(f"the seed of epoch {record.epoch} is not the one that was signed")
    return keys


def _fits(record: EpochRecord, team: TeamId, seed: Secret, keys: EpochKeys) -> bool:
    public = (keys.kem.public, keys.capability.public)
    committed = same(record.commitment, epoch_commitment(team, record.epoch, seed))
    return committed and public == (record.kem_key, record.capability_key)


def check_ring(
    epochs: Sequence[EpochRecord], team_id: TeamId, seeds: Mapping[int, Secret]
) -> tuple[int, ...]:
    """Return the numbers of the epochs that a ring leaves out, so that people can be told.

    Args:
        epochs: the records older than the ring's own epoch, from number 0.
        team_id: the team's id.
        seeds: what the ring holds.

    Raises:
        TrustError: ``bad_epoch`` when a seed is not the one that was signed, or of no older epoch.
    """
    for number, seed in seeds.items():
        if not 0 <= number < len(epochs):
            raise _bad_epoch(f"the ring holds an epoch {number} that is not older")
        check_epoch_seed(epochs[number], epoch_team(team_id, number), seed)
    return tuple(record.epoch for record in epochs if record.epoch not in seeds)


def check_package(record: EpochRecord, package: EpochPackage) -> None:
    """Do nothing if boxes and ring are the ones that the epoch's signer made.

    Args:
        record: the epoch as it stands in the roster.
        package: what lies beside it at the relay; boxes in the record's order.

    Raises:
        TrustError: ``bad_package``.
    """
    fits = (
        package.epoch == record.epoch
        and _box_hashes(package.boxes) == record.boxes
        and ring_hash(package.ring) == record.ring_hash
    )
    if not fits:
        raise TrustError(
            "bad_package",
            f"the boxes of epoch {record.epoch} are not the ones that were signed",
            hint="The relay changed them or mixed them up. Ask another device for a new rotation.",
        )


def epoch_team(team_id: TeamId, epoch: int) -> TeamId:
    """Return the team id as the contexts of an epoch name it: the genesis epoch is made before there is one.

    Args:
        team_id: the team's id.
        epoch: the epoch's number.
    """
    return team_id if epoch else TeamId(bytes(len(team_id)))


def _box_hashes(boxes: Sequence[EpochBox]) -> tuple[BoxHash, ...]:
    return tuple(BoxHash(box.device_id, digest(Tag.BOX_HASH, box.sealed)) for box in boxes)


def _bad_epoch(why: str) -> TrustError:
    return TrustError(
        "bad_epoch", why, hint="Write nothing under this epoch. Ask another owner to begin a new one."
    )
