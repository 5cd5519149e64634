"""What a keystore keeps: a user's keys or an administrator device's keys, as one message of secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from e2e_support.canonical import Value
from e2e_support.codec import Bin, Choice, Message, Text
from e2e_support.crypto.kem import KemPrivate
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret, draw
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import ID_SIZE, DeviceId, MemberId, TeamId
from e2e_support.limits import KIB, NAME_MAX
from e2e_support.roster_links import DeviceAdd, prove_device
from e2e_support.vocab import Role
from e2e_support.wire import B16, DeviceRecord

SUPPORT_LINK_MAX = 512  # code points: a host name of 253 and 102 of base64url


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A field of 32 secret bytes: wrapped as soon as it is read, so that it does not print."""

    def load(self, value: Value) -> Secret:
        """Return the wrapped bytes of a decoded field."""
        return Secret(Bin((KEY_SIZE,)).load(value))

    def dump(self, value: Secret) -> Value:
        """Return the bytes to encode."""
        return Bin((KEY_SIZE,)).load(value.reveal(SECRET_ACCESS))

    def describe(self) -> str:
        """Return the field's form for the documents."""
        return f"secret {KEY_SIZE}"


@dataclass(frozen=True, slots=True)
class UserBundle(Message):
    """A user's keys on one instance: every ticket's keys follow from ``master`` (protocol 5.1)."""

    LIMIT: ClassVar[int] = 4 * KIB
    master: Annotated[Secret, SecretKey()]
    store_key: Annotated[Secret, SecretKey()]
    link: Annotated[str, Text(SUPPORT_LINK_MAX)]

    @classmethod
    def fresh(cls, link: str, random: Random, *, master: Secret | None = None) -> UserBundle:
        """Return new keys, or the keys of a master that was restored from a phrase.

        Args:
            link: the support link whose team these keys are for.
            random: source of the keys.
            master: 32 bytes.
        """
        return cls(Secret.random(random) if master is None else master, Secret.random(random), link)


@dataclass(frozen=True, slots=True)
class DeviceBundle(Message):
    """The keys of one administrator's device; its epoch keys come to it in boxes (protocol 4.5)."""

    LIMIT: ClassVar[int] = 4 * KIB
    device_id: Annotated[DeviceId, B16]
    member_id: Annotated[MemberId, B16]
    sign_seed: Annotated[Secret, SecretKey()]
    kem_seed: Annotated[Secret, SecretKey()]
    store_key: Annotated[Secret, SecretKey()]
    link: Annotated[str, Text(SUPPORT_LINK_MAX)]
    name: Annotated[str, Text(NAME_MAX)]

    @classmethod
    def fresh(
        cls, name: str, random: Random, *, member_id: MemberId | None = None, link: str = ""
    ) -> DeviceBundle:
        """Return the keys of a new device, made on that device and never copied from another.

        Args:
            name: how colleagues see the device.
            random: source of id and keys.
            member_id: whose further device it is; ``None`` for a person's first.
            link: the team's support link, where it is known already.

        Raises:
            UsageError: ``bad_random``.
        """
        device_id = DeviceId(draw(random, ID_SIZE))
        sign_seed, kem_seed, store_key = (Secret.random(random) for _ in range(3))
        return cls(device_id, member_id or MemberId(device_id), sign_seed, kem_seed, store_key, link, name)

    def signer(self) -> tuple[DeviceId, SigningKey]:
        """Return this device as a signer of roster links and entries."""
        return self.device_id, SigningKey(self.sign_seed)

    def kem(self) -> KemPrivate:
        """Return the key pair that opens this device's epoch boxes."""
        return KemPrivate(self.kem_seed)

    def record(self, role: Role, languages: tuple[str, ...] = ()) -> DeviceRecord:
        """Return what the roster says of this device.

        Args:
            role: what it may sign.
            languages: tags of the languages that its owner answers in.
        """
        _, sign_key = self.signer()
        return DeviceRecord(
            device_id=self.device_id,
            member_id=self.member_id,
            role=role,
            sign_key=sign_key.public,
            kem_key=self.kem().public,
            label=self.name,
            languages=languages,
        )

    def joining(self, team_id: TeamId, role: Role, languages: tuple[str, ...] = ()) -> DeviceAdd:
        """Return what this device hands in to join a team: its record, proven by its key (protocol 4.3).

        Args:
            team_id: the team.
            role: what it asks to be allowed.
            languages: tags of the languages that its owner answers in.
        """
        record = self.record(role, languages)
        return DeviceAdd(record, prove_device(self.signer()[1], team_id, record))


KeyBundle = UserBundle | DeviceBundle


class BundleKind(IntEnum):
    """Which message stands in a key file; a message of a new form gets a new number."""

    USER = 1
    DEVICE = 2


_CLASSES: dict[BundleKind, type[UserBundle | DeviceBundle]] = {
    BundleKind.USER: UserBundle,
    BundleKind.DEVICE: DeviceBundle,
}


@dataclass(frozen=True, slots=True)
class _Envelope(Message):
    LIMIT: ClassVar[int] = 8 * KIB
    kind: Annotated[BundleKind, Choice(BundleKind)]
    body: Annotated[bytes, Bin(most=4 * KIB)]


def bundle_to_secret(bundle: KeyBundle) -> Secret:
    """Return a bundle as the secret bytes that a vault locks.

    Args:
        bundle: a user's or a device's keys.

    Raises:
        UsageError: ``malformed`` when a field is outside its bounds.
    """
    kind = BundleKind.USER if isinstance(bundle, UserBundle) else BundleKind.DEVICE
    return Secret(_Envelope(kind, bundle.to_bytes()).to_bytes())


def bundle_from_secret(secret: Secret) -> KeyBundle:
    """Return the bundle that ``bundle_to_secret`` encoded.

    Args:
        secret: what a vault opened.

    Raises:
        UsageError: ``update_needed`` for an unknown kind, ``malformed`` for anything else.
    """
    try:
        envelope = _Envelope.from_bytes(secret.reveal(SECRET_ACCESS))
        return _CLASSES[envelope.kind].from_bytes(envelope.body)
    except PeerError as error:  # the vault was ours: no peer is to blame
        raise UsageError(error.code, error.message, hint=error.hint) from None
