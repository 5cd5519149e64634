"""What a keystore keeps: a user's keys or an administrator device's keys, as one message of secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

from e2e_support.codec import Bin, Choice, Message, Text, Value
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import DeviceId, MemberId
from e2e_support.limits import KIB, NAME_MAX
from e2e_support.wire import B16

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
        return cls(master or Secret.random(random), Secret.random(random), link)


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
