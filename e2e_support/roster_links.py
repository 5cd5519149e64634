"""Roster links as bytes: the payload of each link type, reading, hashing, signing (protocol 4.1, 4.2).

Nothing here judges whether a link may stand in a roster; ``roster`` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from e2e_support.canonical import decode
from e2e_support.codec import Bin, Choice, Items, Message, Text, Uint
from e2e_support.crypto.hash import digest
from e2e_support.crypto.sign import SigningKey, verify
from e2e_support.crypto.suite import SUITE, VERSION
from e2e_support.errors import PeerError
from e2e_support.ids import HASH_SIZE, DeviceId, Hash, TeamId
from e2e_support.limits import DEVICES_MAX, ID_TEXT_MAX, KIB, NAME_MAX
from e2e_support.policy import Policy
from e2e_support.policy_checks import open_policy
from e2e_support.tags import Tag
from e2e_support.vocab import AdmissionMode, LinkType
from e2e_support.wire import (
    B16,
    KEM_PK,
    SIG,
    SIGN_PK,
    DeviceRecord,
    DeviceSignature,
    EpochRecord,
    Genesis,
    Link,
    LinkBody,
)

NO_TEAM = TeamId(bytes(HASH_SIZE))
"""What stands for the team id where there is none yet: in the genesis and in its epoch."""

NO_HASH = Hash(bytes(HASH_SIZE))
"""``prev_hash`` of the genesis, and ``ring_hash`` of an epoch without a ring."""


@dataclass(frozen=True, slots=True)
class DeviceAdd(Message):
    """Payload of ``DEVICE_ADD``: a new device, and its signature that shows that it holds its key."""

    LIMIT: ClassVar[int] = 5 * KIB
    record: Annotated[DeviceRecord, DeviceRecord]
    proof: Annotated[bytes, SIG]


@dataclass(frozen=True, slots=True)
class DeviceRevoke(Message):
    """Payload of ``DEVICE_REVOKE``: the device that belongs to the team no more."""

    LIMIT: ClassVar[int] = 64
    device_id: Annotated[DeviceId, B16]


@dataclass(frozen=True, slots=True)
class DeviceUpdate(Message):
    """Payload of ``DEVICE_UPDATE``: a fresh KEM key, for the boxes of later epochs."""

    LIMIT: ClassVar[int] = 2 * KIB
    device_id: Annotated[DeviceId, B16]
    kem_key: Annotated[bytes, KEM_PK]


@dataclass(frozen=True, slots=True)
class Rename(Message):
    """Payload of ``RENAME``: how a device is shown, and the languages its owner answers in."""

    LIMIT: ClassVar[int] = 8 * KIB
    device_id: Annotated[DeviceId, B16]
    label: Annotated[str, Text(NAME_MAX)]
    languages: Annotated[tuple[str, ...], Items(Text(ID_TEXT_MAX), 16)]


@dataclass(frozen=True, slots=True)
class RelayKeys(Message):
    """Payload of ``RELAY_KEY``: all keys under which the relay signs from now on."""

    LIMIT: ClassVar[int] = 512
    keys: Annotated[tuple[bytes, ...], Items(SIGN_PK, 8)]


@dataclass(frozen=True, slots=True)
class IssuerKey(Message):
    """A key whose holder admits people, from ``first_day`` to ``last_day`` (days since 1970, inclusive).

    ``GRANT``: an Ed25519 key. ``BLIND``: an RSA modulus of 2048, 3072 or 4096 bits; the exponent is 65537.
    """

    mode: Annotated[AdmissionMode, Choice(AdmissionMode)]
    first_day: Annotated[int, Uint()]
    last_day: Annotated[int, Uint()]
    key: Annotated[bytes, Bin((32, 256, 384, 512))]


@dataclass(frozen=True, slots=True)
class IssuerKeys(Message):
    """Payload of ``ISSUER_KEYS``: all keys that admit people from now on; 92 are a season of day keys."""

    LIMIT: ClassVar[int] = 64 * KIB
    keys: Annotated[tuple[IssuerKey, ...], Items(IssuerKey, 92)]


@dataclass(frozen=True, slots=True)
class Threshold(Message):
    """Payload of ``THRESHOLD``: how many owners must sign what needs more than one."""

    LIMIT: ClassVar[int] = 16
    owners: Annotated[int, Uint(DEVICES_MAX, 1)]


Payload = (
    Genesis
    | DeviceAdd
    | DeviceRevoke
    | DeviceUpdate
    | EpochRecord
    | Policy
    | RelayKeys
    | IssuerKeys
    | Threshold
    | Rename
)

PAYLOADS: dict[LinkType, type[Payload]] = {
    LinkType.GENESIS: Genesis,
    LinkType.DEVICE_ADD: DeviceAdd,
    LinkType.DEVICE_REVOKE: DeviceRevoke,
    LinkType.DEVICE_UPDATE: DeviceUpdate,
    LinkType.EPOCH: EpochRecord,
    LinkType.POLICY: Policy,
    LinkType.RELAY_KEY: RelayKeys,
    LinkType.ISSUER_KEYS: IssuerKeys,
    LinkType.THRESHOLD: Threshold,
    LinkType.RENAME: Rename,
}


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link taken apart; nothing in it has been judged.

    Attributes:
        data: the whole link as transported.
        signed: the body's bytes, which the signatures are over.
        body: the same, decoded.
        payload: what the body's type says it is.
        signatures: as they stand in the link.
    """

    data: bytes
    signed: bytes
    body: LinkBody
    payload: Payload
    signatures: tuple[DeviceSignature, ...]


def open_link(data: bytes) -> OpenLink:
    """Return a link taken apart.

    Args:
        data: canonical bytes of a ``Link``.

    Raises:
        PeerError: ``malformed``, ``update_needed``, or ``bad_policy`` from a policy's own check.
    """
    link = Link.from_bytes(data)
    body = _open_body(link.body)
    kind = PAYLOADS[body.type]
    payload = open_policy(body.payload) if kind is Policy else kind.from_bytes(body.payload)
    return OpenLink(data, link.body, body, payload, link.signatures)


def _open_body(data: bytes) -> LinkBody:
    """Decode a body; a later version may have other fields, so its number is looked at first."""
    value = decode(data, limit=LinkBody.LIMIT)
    said = value[:2] if type(value) is tuple else ()
    numbers = [number for number in said if type(number) is int]
    if len(numbers) == 2 and numbers != [VERSION, SUITE]:
        raise PeerError(
            "update_needed",
            f"roster link of version {numbers[0]}, suite {numbers[1]} is unknown",
            hint="Update this program: the team uses a newer version.",
        )
    return LinkBody.load(value)


def link_hash(body: bytes) -> Hash:
    """Return the hash of a link, which is over its body alone: more signatures do not make another link.

    Args:
        body: the body's bytes as they were signed.
    """
    return digest(Tag.LINK, body)


def team_id_of(genesis_body: bytes) -> TeamId:
    """Return the team id that a genesis makes: what clients pin.

    Args:
        genesis_body: the body's bytes as they were signed.
    """
    return TeamId(digest(Tag.TEAM, genesis_body))


def link_signature(body: bytes, device_id: DeviceId, key: SigningKey) -> DeviceSignature:
    """Return one device's signature of a link body.

    Args:
        body: the body's bytes.
        device_id: whose key it is.
        key: the device's signing key.
    """
    return DeviceSignature(device_id, key.sign(Tag.LINK_SIGN, body))


def sign_link(body: LinkBody, signers: Iterable[tuple[DeviceId, SigningKey]]) -> bytes:
    """Return a link with all the signatures whose keys are at hand.

    Args:
        body: what is signed.
        signers: devices with their keys.

    Raises:
        UsageError: ``malformed`` when the body is outside its bounds.
    """
    data = body.to_bytes()
    return Link(data, tuple(link_signature(data, device_id, key) for device_id, key in signers)).to_bytes()


def cosign_link(link: bytes, signers: Iterable[tuple[DeviceId, SigningKey]]) -> bytes:
    """Return a link with further signatures: thresholds are met one console after the other.

    Args:
        link: a link that may lack signatures; the caller has judged what it says.
        signers: devices with their keys.

    Raises:
        PeerError: ``malformed`` when the link does not decode.
        UsageError: ``malformed`` when there are too many signatures.
    """
    begun = Link.from_bytes(link)
    more = tuple(link_signature(begun.body, device_id, key) for device_id, key in signers)
    return Link(begun.body, begun.signatures + more).to_bytes()


def prove_device(key: SigningKey, team_id: TeamId, record: DeviceRecord) -> bytes:
    """Return what a new device signs once, before anybody knows which link will add it (section 4.3).

    It shows that the device holds its key and wants exactly this record in exactly this team.

    Args:
        key: the device's signing key.
        team_id: the team.
        record: the device's own record.
    """
    return key.sign(Tag.DEVICE_PROOF, team_id, record.to_bytes())


def is_proven(team_id: TeamId, joining: DeviceAdd) -> bool:
    """Tell whether a new device has signed its own record for this team.

    Args:
        team_id: the team.
        joining: the record with the signature.
    """
    record = joining.record
    return verify(record.sign_key, joining.proof, Tag.DEVICE_PROOF, team_id, record.to_bytes())


def genesis_body(genesis: Genesis, time: int) -> LinkBody:
    """Return the body of a roster's first link.

    Args:
        genesis: name, devices, threshold, epoch 0, relay keys and policy.
        time: seconds since 1970.

    Raises:
        UsageError: ``malformed`` when the payload is outside its bounds.
    """
    payload = genesis.to_bytes()
    return LinkBody(VERSION, SUITE, NO_TEAM, 0, NO_HASH, time, LinkType.GENESIS, payload)
