"""A team's epoch keys as one administrator's device holds them: opening boxes and rings, making new epochs.

Nothing from a box is believed because it could be opened, for anybody can seal one: seeds are checked against
what the roster's signer committed to (``docs/protocol.md`` section 4.5). A client must never load this module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from e2e_support.canonical import decode, encode
from e2e_support.codec import Bin, Items, Message, Uint
from e2e_support.crypto import cae
from e2e_support.crypto.hash import derive, u64
from e2e_support.crypto.kem import KemPrivate, KemPublic
from e2e_support.crypto.seal import seal, unseal
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.epoch import (
    EpochKeys,
    box_context,
    check_epoch_seed,
    check_package,
    check_ring,
    epoch_keys,
    epoch_record,
    epoch_team,
    ring_context,
)
from e2e_support.errors import PeerError, TrustError
from e2e_support.ids import DeviceId, MailboxId, TeamId
from e2e_support.limits import ARRAY_MAX, DEVICES_MAX, KIB, RING_MAX
from e2e_support.space import volume_key
from e2e_support.tags import Tag
from e2e_support.ticket_keys import open_team_box
from e2e_support.wire import B16, DeviceRecord, Entry, EpochBox, EpochPackage, EpochRecord
from e2e_support_keys.bundle import SecretKey

CLOSING_DELAY = 6 * 3600
"""Seconds within which the team writes down that a ticket closed by itself."""

_BEGIN_ANOTHER = (
    "Write nothing under this epoch. Begin a new one (`e2e-admin keys rotate`), and ask who made this one."
)
_NO_HISTORY = Secret(bytes(KEY_SIZE))  # stands for the ring key in the box of a device without history


@dataclass(frozen=True, slots=True)
class _RingItem(Message):
    LIMIT: ClassVar[int] = 1 * KIB
    epoch: Annotated[int, Uint()]
    seed: Annotated[Secret, SecretKey()]


_RING = Items(_RingItem, ARRAY_MAX)


@dataclass(frozen=True, slots=True)
class SealedRing(Message):
    """A ring as it lies beside the roster: for whom it is not, in the clear, and the sealed seeds.

    Whoever begins the next epoch must know whom to keep out, even one who cannot open the ring; otherwise a
    newcomer without history would get it with the next ring key.
    """

    LIMIT: ClassVar[int] = RING_MAX
    without_history: Annotated[tuple[DeviceId, ...], Items(B16, DEVICES_MAX)]
    sealed: Annotated[bytes, Bin(most=RING_MAX)]


@dataclass(frozen=True, slots=True)
class _BoxSecrets:
    """What an epoch box holds."""

    seed: Secret
    locator: Secret
    ring_key: Secret

    def to_bytes(self) -> bytes:
        return b"".join(part.reveal(SECRET_ACCESS) for part in (self.seed, self.locator, self.ring_key))

    @classmethod
    def from_secret(cls, opened: Secret) -> _BoxSecrets:
        data = opened.reveal(SECRET_ACCESS)
        if len(data) != 3 * KEY_SIZE:
            raise PeerError("malformed", "an epoch box holds three secrets")
        return cls(*(Secret(data[at : at + KEY_SIZE]) for at in range(0, len(data), KEY_SIZE)))


@dataclass(frozen=True, slots=True)
class _OpenEpoch:
    """What an epoch's package gave one device, all of it checked; ``seeds`` has the epoch's own and the ring's."""

    number: int
    keys: EpochKeys
    locator: Secret
    seeds: Mapping[int, Secret]
    without_history: frozenset[DeviceId]


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """An epoch that was just made: the record for the roster, and the boxes that go beside it."""

    record: EpochRecord
    package: EpochPackage


def make_epoch(
    team: TeamId,
    number: int,
    devices: Sequence[DeviceRecord],
    *,
    locator: Secret,
    older: Mapping[int, Secret],
    random: Random,
    without_history: Collection[DeviceId] = (),
) -> NewEpoch:
    """Return a new epoch with a fresh seed, sealed for each device.

    The key of its ring is fresh too: with a lasting one a removed device would open every later ring.

    Args:
        team: the team id, or ``NO_TEAM`` for the genesis epoch.
        number: the epoch's number.
        devices: every device that will be active, and no other; their keys were checked by the roster.
        locator: 32 bytes, made at genesis, the same for ever.
        older: seeds of older epochs for those who get history.
        random: source of seed and ring key.
        without_history: those of the devices that must not open the ring.

    Raises:
        PeerError: ``bad_key`` when a device's KEM key is unusable.
        UsageError: ``bad_random``.
    """
    seed, ring_key = Secret.random(random), Secret.random(random)
    kem_key = epoch_keys(seed).kem.public

    def box(device: DeviceRecord) -> EpochBox:
        history = _NO_HISTORY if device.device_id in without_history else ring_key
        plain = _BoxSecrets(seed, locator, history).to_bytes()
        context = box_context(team, number, device.device_id, kem_key)
        return EpochBox(device.device_id, seal(KemPublic(device.kem_key), Tag.EPOCH_BOX, context, plain))

    boxes = tuple(box(device) for device in devices)
    sealed = _seal_ring(ring_key, ring_context(team, number), older, random)
    ring = SealedRing(tuple(sorted(without_history)), sealed).to_bytes() if older else b""
    return NewEpoch(epoch_record(team, number, seed, boxes, ring), EpochPackage(number, boxes, ring))


class TeamKeys:
    """The epochs that one device can open; it gives the conversations their keys.

    Args:
        team_id: the team.
        device_id: this device.
        kem: this device's KEM key pair.
    """

    def __init__(self, team_id: TeamId, device_id: DeviceId, kem: KemPrivate) -> None:
        self._team_id = team_id
        self._device_id = device_id
        self._kem = kem
        self._locator: Secret | None = None
        self._without_history: frozenset[DeviceId] = frozenset()
        self._seeds: dict[int, Secret] = {}
        self._opened: dict[int, EpochKeys] = {}
        self._refused: dict[int, TrustError] = {}

    def add(self, records: Sequence[EpochRecord], package: EpochPackage) -> None:
        """Open this device's box of an epoch, and the ring if the box gives its key. All or nothing.

        Args:
            records: the roster's epochs from number 0 on; older ones are needed to check the ring.
            package: boxes and ring of one of them, as the relay gave them.

        Raises:
            TrustError: ``bad_package`` (not what the epoch's signer made), ``no_box`` (none for this device
                or one that does not open), ``bad_epoch`` (a seed or locator other than the signed one).
        """
        check_package(_record(records, package), package)
        try:
            opened = self._open(records, package)
        except TrustError as error:
            self._refused[package.epoch] = TrustError(error.code, error.message, hint=error.hint)
            raise
        self._locator = opened.locator
        self._seeds |= opened.seeds
        self._opened[opened.number] = opened.keys
        if opened.number == self.newest:
            self._without_history = opened.without_history

    def check(self, records: Sequence[EpochRecord], package: EpochPackage) -> tuple[int, ...]:
        """Check all that ``add`` checks and keep nothing; return the older epochs that box and ring do not give.

        For co-signers and auditors: an epoch can be refused before it stands. Arguments and errors as for ``add``.
        """
        check_package(_record(records, package), package)
        opened = self._open(records, package)
        return tuple(record.epoch for record in records[: opened.number] if record.epoch not in opened.seeds)

    def missing(self, records: Sequence[EpochRecord]) -> tuple[int, ...]:
        """Return the epochs whose tickets this device cannot read, so that people can be told."""
        return tuple(record.epoch for record in records if record.epoch not in self._seeds)

    def next_epoch(
        self,
        devices: Sequence[DeviceRecord],
        random: Random,
        *,
        without_history: Collection[DeviceId] = (),
        with_history: Collection[DeviceId] = (),
    ) -> NewEpoch:
        """Return the epoch after the newest one, be that shut, with a ring of all seeds that this device knows.

        Args:
            devices: every device that will be active; see ``make_epoch``.
            random: source of seed and ring key.
            without_history: devices that must not open older epochs, besides those that may not now.
            with_history: devices that may from now on.

        Raises:
            TrustError: ``no_box`` before the first epoch was added.
            PeerError: ``bad_key``.
        """
        return make_epoch(
            self._team_id,
            max(self.newest, *self.shut, 0) + 1,
            devices,
            locator=self.locator,
            older=self._seeds,
            random=random,
            without_history=self._kept_out(devices, without_history, with_history),
        )

    @property
    def device_id(self) -> DeviceId:
        """Whose keys these are."""
        return self._device_id

    @property
    def without_history(self) -> frozenset[DeviceId]:
        """The devices that the newest epoch's signer gave no history."""
        return self._without_history

    @property
    def newest(self) -> int:
        """The number of the newest epoch that was added; ``no_box`` before the first."""
        if not self._seeds:
            raise _no_box("no epoch was opened yet")
        return max(self._seeds)

    @property
    def shut(self) -> Mapping[int, TrustError]:
        """The epochs that are as they were signed and do not open here, and why: they were made so (attack 111)."""
        return {number: error for number, error in self._refused.items() if number not in self._seeds}

    @property
    def locator(self) -> Secret:
        """32 bytes from which mailboxes of the team alone are found; they open nothing."""
        if self._locator is None:
            raise _no_box("no epoch was opened yet")
        return self._locator

    def epoch(self, number: int | None = None) -> EpochKeys:
        """Return the key pairs of an epoch: ``kem`` opens its boxes, ``capability`` is the team at the relay.

        Args:
            number: which; ``None`` for the newest.

        Raises:
            PeerError: ``no_key`` when this device has no seed of it.
            TrustError: ``no_box`` before the first epoch was added.
        """
        wanted = self.newest if number is None else number
        if wanted not in self._seeds:
            raise PeerError(
                "no_key",
                f"this device has no key of epoch {wanted}",
                hint="It was added without history. Ask an owner for a rotation with history.",
            )
        if wanted not in self._opened:
            self._opened[wanted] = epoch_keys(self._seeds[wanted])
        return self._opened[wanted]

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:
        """Return the ticket key in an entry's team box: the port that conversations ask (protocol 5.2).

        Args:
            mailbox: where the entry stands.
            entry: an entry whose first box is the team's.

        Raises:
            PeerError: ``no_key`` for an epoch that this device cannot open, ``cannot_open``.
        """
        return open_team_box(self.epoch(entry.boxes[0].epoch).kem, self._team_id, mailbox, entry)

    def staff_log(self, ticket: MailboxId) -> SigningKey:
        """Return the creation key of a ticket's staff log (protocol 5.6).

        Args:
            ticket: id of the ticket's shared log.
        """
        return SigningKey(derive(self.locator, Tag.STAFF_LOG, ticket))

    def team_space(self, number: int = 0, end: bytes = b"") -> SigningKey:
        """Return the creation key of a volume of the team space (protocol 4.13).

        Args:
            number: of the volume.
            end: the hash of the last entry in the volume before it; nothing for the first volume.
        """
        return volume_key(self.locator, number, end)

    def closing_delay(self, ticket: MailboxId, closed_at: int) -> int:
        """Return how many seconds after a ticket closed by itself the team writes that down (protocol 5.10).

        All devices agree on it and the relay cannot compute it, so that the entry does not tell what it is by its time.

        Args:
            ticket: id of the ticket's shared log.
            closed_at: when it closed, seconds since 1970.
        """
        drawn = derive(self.locator, Tag.AUTO_CLOSE, ticket, u64(closed_at), size=8)
        return int.from_bytes(drawn.reveal(SECRET_ACCESS), "big") % CLOSING_DELAY

    def _team_in(self, epoch: int) -> TeamId:
        return epoch_team(self._team_id, epoch)

    def _kept_out(
        self, devices: Sequence[DeviceRecord], more: Collection[DeviceId], fewer: Collection[DeviceId]
    ) -> frozenset[DeviceId]:
        present = {device.device_id for device in devices}
        return ((self._without_history | set(more)) - set(fewer)) & present

    def _open(self, records: Sequence[EpochRecord], package: EpochPackage) -> _OpenEpoch:
        record = records[package.epoch]
        secrets = self._open_box(record, package)
        keys = check_epoch_seed(record, self._team_in(record.epoch), secrets.seed)
        ring = read_ring(package)
        older = self._open_ring(records[: record.epoch], ring, secrets.ring_key)
        self._check_locator(secrets.locator)
        seeds = {**older, record.epoch: secrets.seed}
        return _OpenEpoch(record.epoch, keys, secrets.locator, seeds, frozenset(ring.without_history))

    def _open_box(self, record: EpochRecord, package: EpochPackage) -> _BoxSecrets:
        sealed = next((box.sealed for box in package.boxes if box.device_id == self._device_id), None)
        if sealed is None:
            raise _no_box(f"epoch {record.epoch} has no box for this device")
        context = box_context(self._team_in(record.epoch), record.epoch, self._device_id, record.kem_key)
        try:
            return _BoxSecrets.from_secret(unseal(self._kem, Tag.EPOCH_BOX, context, sealed))
        except PeerError:
            raise _no_box(f"the box of epoch {record.epoch} does not open") from None

    def _open_ring(
        self, older: Sequence[EpochRecord], ring: SealedRing, ring_key: Secret
    ) -> dict[int, Secret]:
        """Return the seeds in a ring, each checked against its own record (attack 57)."""
        if not ring.sealed or ring_key == _NO_HISTORY:
            return {}
        epoch = len(older)
        try:
            plain = cae.decrypt(ring_key, Tag.RING, ring_context(self._team_in(epoch), epoch), ring.sealed)
            items = _RING.load(decode(plain, limit=RING_MAX))
        except PeerError:
            raise _bad_ring(epoch) from None
        seeds = {item.epoch: item.seed for item in items}
        check_ring(older, self._team_id, seeds)
        return seeds

    def _check_locator(self, locator: Secret) -> None:
        """A second locator would lead some of the team to other staff logs than the rest."""
        if self._locator is not None and self._locator != locator:
            raise TrustError(
                "bad_epoch",
                "the box holds another locator than before",
                hint=_BEGIN_ANOTHER,
            )


def read_ring(package: EpochPackage) -> SealedRing:
    """Return an epoch's ring, which is empty where there was none to make.

    Args:
        package: what ``check_package`` accepted.

    Raises:
        TrustError: ``bad_epoch`` when it is no ring.
    """
    if not package.ring:
        return SealedRing((), b"")
    try:
        return SealedRing.from_bytes(package.ring)
    except PeerError:
        raise _bad_ring(package.epoch) from None


def _record(records: Sequence[EpochRecord], package: EpochPackage) -> EpochRecord:
    if not 0 <= package.epoch < len(records):
        raise TrustError("bad_package", f"the roster has no epoch {package.epoch}", hint="Fetch it again.")
    return records[package.epoch]


def _seal_ring(ring_key: Secret, context: bytes, older: Mapping[int, Secret], random: Random) -> bytes:
    newest = sorted(older)[-ARRAY_MAX:]  # whoever begins epochs without end must be removable all the same
    items = tuple(_RingItem(number, older[number]) for number in newest)
    return cae.encrypt(ring_key, Tag.RING, context, encode(_RING.dump(items)), random)


def _no_box(why: str) -> TrustError:
    return TrustError(
        "no_box", why, hint="Begin a new epoch (`e2e-admin keys rotate`), and ask who made this one."
    )


def _bad_ring(epoch: int) -> TrustError:
    return TrustError(
        "bad_epoch",
        f"the ring of epoch {epoch} does not open under the key in the box",
        hint=_BEGIN_ANOTHER,
    )
