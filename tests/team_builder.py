"""Builds teams with keys that follow from names, so that a test reads like the story that it tells.

anna, ben = device("anna"), device("ben", Role.AGENT)
team = Team.found(anna, ben)
team.do((DeviceRevoke(ben.device_id), [anna]), (EPOCH, [anna]))
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from e2e_support.crypto.kem import KemPrivate, KemPublic
from e2e_support.crypto.seal import seal, unseal
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import EpochKeys, box_context, check_epoch_seed, epoch_keys, epoch_record, epoch_team
from e2e_support.ids import DeviceId, MemberId, TeamId
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT
from e2e_support.roster import TrustedRoster, begin_batch, next_bodies
from e2e_support.roster_links import (
    NO_TEAM,
    DeviceAdd,
    DeviceRevoke,
    DeviceUpdate,
    Payload,
    genesis_body,
    open_link,
    prove_device,
    sign_link,
)
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support.wire import Batch, DeviceRecord, EpochBox, EpochPackage, EpochRecord, Genesis

TIME = 1_800_000_000
LOCATOR = b"\x10" * 32
NO_RING_KEY = bytes(32)
BOX_SIZE = 1136 + 96


class NewEpoch:
    """Stands among payloads for a new epoch of whoever is active at that point; a device stands for its addition."""


EPOCH: Final = NewEpoch()


def seed_of(*words: str) -> bytes:
    """Return 32 bytes that follow from words: the same words, the same bytes, on every machine."""
    return hashlib.sha256("/".join(("team-builder", *words)).encode()).digest()


@dataclass(frozen=True)
class Device:
    """A device with its private keys.

    Attributes:
        name: what its keys follow from.
        record: its public half.
        sign: its signing key.
        kem: its KEM key.
    """

    name: str
    record: DeviceRecord
    sign: SigningKey
    kem: KemPrivate

    @property
    def device_id(self) -> DeviceId:
        """The id in the record."""
        return self.record.device_id

    @property
    def member_id(self) -> MemberId:
        """The member in the record."""
        return self.record.member_id

    def joining(self, team_id: TeamId) -> DeviceAdd:
        """Return what adds the device to a team: its record with its proof."""
        return DeviceAdd(self.record, prove_device(self.sign, team_id, self.record))

    def claiming(self, **fields: object) -> Device:
        """Return the device with another record, true or not; the private keys stay."""
        return replace(self, record=replace(self.record, **fields))  # type: ignore[arg-type]


def pairs(devices: Iterable[Device]) -> list[tuple[DeviceId, SigningKey]]:
    """Return devices as signers: ids with signing keys."""
    return [(one.device_id, one.sign) for one in devices]


def device(name: str, role: Role = Role.OWNER, *, member: Device | None = None) -> Device:
    """Return the device that a name stands for.

    Args:
        name: any; the keys follow from it.
        role: its role.
        member: another device of the same person; without one it is a person's first.
    """
    sign = SigningKey(Secret(seed_of(name, "sign")))
    kem = KemPrivate(Secret(seed_of(name, "kem")))
    device_id = DeviceId(seed_of(name, "id")[:16])
    member_id = member.member_id if member else MemberId(device_id)
    record = DeviceRecord(device_id, member_id, role, sign.public, kem.public, name, ("en",))
    return Device(name, record, sign, kem)


@dataclass
class Team:
    """A team that grows batch by batch.

    Attributes:
        roster: as it stands.
        packages: boxes by epoch.
        seeds: epoch seeds by epoch.
        real_boxes: whether boxes can be opened; false is faster and deterministic.
    """

    roster: TrustedRoster
    packages: dict[int, EpochPackage]
    seeds: dict[int, Secret]
    real_boxes: bool = False

    @classmethod
    def found(
        cls,
        *devices: Device,
        threshold: int = 1,
        policy: Policy = DEFAULT,
        relay_key: bytes = b"",
        name: str = "Example team",
        real_boxes: bool = False,
        time: int = TIME,
    ) -> Team:
        """Return a new team of the devices, all of which sign its genesis."""
        batch, seed = founding(
            *devices,
            threshold=threshold,
            policy=policy,
            relay_key=relay_key,
            name=name,
            real_boxes=real_boxes,
            time=time,
        )
        return cls(begin_batch(batch), {0: batch.packages[0]}, {0: seed}, real_boxes)

    @property
    def team_id(self) -> TeamId:
        """The id that clients pin."""
        return self.roster.team_id

    @property
    def genesis(self) -> Batch:
        """The batch that founds the team, as long as nothing was changed."""
        return Batch(self.roster.links, (self.packages[0],))

    @property
    def keys(self) -> EpochKeys:
        """The key pairs of the newest epoch."""
        return epoch_keys(self.seeds[self.roster.epoch.epoch])

    def prepare(self, *steps: tuple[Payload | NewEpoch | Device, Sequence[Device]]) -> Batch:
        """Return a batch that would follow, whether or not it is valid; ``do`` also applies it.

        Args:
            steps: what each link says and who signs it.
        """
        payloads: list[Payload] = []
        packages: list[EpochPackage] = []
        active = dict(self.roster.devices)
        epoch = self.roster.epoch.epoch
        for payload, _ in steps:
            if isinstance(payload, NewEpoch):
                epoch += 1
                seed = self._seed(epoch)
                record, package = make_epoch(self.team_id, epoch, seed, active, real=self.real_boxes)
                payloads.append(record)
                packages.append(package)
            else:
                said = payload.joining(self.team_id) if isinstance(payload, Device) else payload
                payloads.append(said)
                _follow(active, said)
        founded = open_link(self.roster.links[0]).body.time
        bodies = next_bodies(self.roster, payloads, founded + len(self.roster.links))
        signed = zip(bodies, steps, strict=True)
        links = tuple(sign_link(body, pairs(signers)) for body, (_, signers) in signed)
        return Batch(links, tuple(packages))

    def link(self, payload: Payload | NewEpoch | Device, *signers: Device) -> bytes:
        """Return one link that would follow, whether or not it is valid."""
        return self.prepare((payload, signers)).links[0]

    def accept(self, batch: Batch) -> TrustedRoster:
        """Apply a batch from ``prepare`` and return the new roster."""
        self.roster = self.roster.update_batch(batch)
        for package in batch.packages:
            self.packages[package.epoch] = package
            self.seeds[package.epoch] = self._seed(package.epoch)
        return self.roster

    def do(self, *steps: tuple[Payload | NewEpoch | Device, Sequence[Device]]) -> TrustedRoster:
        """Prepare a batch, apply it and return the new roster."""
        return self.accept(self.prepare(*steps))

    def add(self, newcomer: Device, *signers: Device) -> TrustedRoster:
        """Add a device with its epoch, which the first signer makes."""
        return self.do((newcomer, signers), (EPOCH, signers[:1]))

    def remove(self, target: Device, *signers: Device) -> TrustedRoster:
        """Remove a device with its epoch, which the first signer makes."""
        return self.do((DeviceRevoke(target.device_id), signers), (EPOCH, signers[:1]))

    def open_box(self, opener: Device, epoch: int | None = None) -> EpochKeys:
        """Return the keys of an epoch as a device gets them from its box; needs ``real_boxes``."""
        record = self.roster.epoch if epoch is None else self.roster.epochs[epoch]
        team = epoch_team(self.team_id, record.epoch)
        context = box_context(team, record.epoch, opener.device_id, record.kem_key)
        boxes = {box.device_id: box.sealed for box in self.packages[record.epoch].boxes}
        secrets = unseal(opener.kem, Tag.EPOCH_BOX, context, boxes[opener.device_id])
        return check_epoch_seed(record, team, Secret(secrets.reveal(SECRET_ACCESS)[:32]))

    def _seed(self, epoch: int) -> Secret:
        return Secret(seed_of(self.team_id.hex(), "epoch", str(epoch)))


def founding(
    *devices: Device,
    threshold: int = 1,
    policy: Policy = DEFAULT,
    relay_key: bytes = b"",
    name: str = "Example team",
    real_boxes: bool = False,
    time: int = TIME,
) -> tuple[Batch, Secret]:
    """Return the batch that founds a team, valid or not, and the seed of its epoch."""
    seed = Secret(seed_of(name, "epoch 0"))
    records = {one.device_id: one.record for one in devices}
    record, package = make_epoch(NO_TEAM, 0, seed, records, real=real_boxes)
    keys = (relay_key or SigningKey(Secret(seed_of("relay"))).public,)
    genesis = Genesis(name, tuple(one.record for one in devices), threshold, record, keys, policy.to_bytes())
    return Batch((sign_link(genesis_body(genesis, time), pairs(devices)),), (package,)), seed


def make_epoch(
    team_id: TeamId, epoch: int, seed: Secret, active: Mapping[DeviceId, DeviceRecord], *, real: bool = False
) -> tuple[EpochRecord, EpochPackage]:
    """Return an epoch's record and boxes for the devices; boxes that are not real hold noise."""
    team = epoch_team(team_id, epoch)
    kem_key = epoch_keys(seed).kem.public
    boxes: list[EpochBox] = []
    for device_id, record in active.items():
        context = box_context(team, epoch, device_id, kem_key)
        sealed = _sealed(record, context, seed) if real else _noise(context)
        boxes.append(EpochBox(device_id, sealed))
    return epoch_record(team, epoch, seed, boxes), EpochPackage(epoch, tuple(boxes), b"")


def _sealed(record: DeviceRecord, context: bytes, seed: Secret) -> bytes:
    secrets = seed.reveal(SECRET_ACCESS) + LOCATOR + NO_RING_KEY
    return seal(KemPublic(record.kem_key), Tag.EPOCH_BOX, context, secrets)


def _noise(context: bytes) -> bytes:
    return hashlib.shake_256(b"box" + context).digest(BOX_SIZE)


def _follow(active: dict[DeviceId, DeviceRecord], payload: Payload) -> None:
    match payload:
        case DeviceAdd(record):
            active[record.device_id] = record
        case DeviceRevoke(device_id):
            active.pop(device_id, None)
        case DeviceUpdate(device_id, kem_key):
            active[device_id] = replace(active[device_id], kem_key=kem_key)
        case _:
            pass
