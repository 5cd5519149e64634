"""Who exported: signatures over an export's cover, by an administrator's device or by a user's tickets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from e2e_support.crypto.sign import SigningKey, verify
from e2e_support.ids import DeviceId
from e2e_support.roster import TrustedRoster
from e2e_support.tags import Tag
from e2e_support_client.archive.sheets import bad_export

Signer = tuple[bytes, SigningKey]
"""Who signs: a device id of 16 bytes, or a ticket's author key of 32 bytes; and the key."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Who stands for an export.

    Attributes:
        device: an administrator's device; empty for a user.
        author_keys: author keys of the user's tickets, all of which signed; empty for an administrator.
    """

    device: bytes
    author_keys: frozenset[bytes]


def seal_cover(cover: bytes, signers: Sequence[Signer]) -> bytes:
    """Return the signatures over a cover, as JSON."""
    return json.dumps([[who.hex(), key.sign(Tag.EXPORT, cover).hex()] for who, key in signers]).encode()


def open_seal(cover: bytes, seal: bytes, roster: TrustedRoster) -> Exporter:
    """Return who signed a cover.

    Args:
        cover: its bytes.
        seal: from ``seal_cover``.
        roster: of the export; devices that have left the team since count too.

    Raises:
        PeerError: ``bad_export``.
    """
    try:
        rows = cast("list[list[str]]", json.loads(seal))
        found = [(bytes.fromhex(who), bytes.fromhex(signature)) for who, signature in rows]
    except (ValueError, TypeError, RecursionError):
        raise bad_export("its signatures are not well formed") from None
    authors: set[bytes] = set()
    device = b""
    for who, signature in found:
        if not verify(_key_of(who, roster), signature, Tag.EXPORT, cover):
            raise bad_export("a signature does not fit")
        if len(who) == 16:
            device = who
        else:
            authors.add(who)
    if not found or (device and (authors or len(found) > 1)):
        raise bad_export("it is signed by nobody, or by too many")
    return Exporter(device, frozenset(authors))


def _key_of(who: bytes, roster: TrustedRoster) -> bytes:
    if len(who) == 16:
        device = roster.devices_ever.get(DeviceId(who))
        return device.record.sign_key if device else b""
    return who if len(who) == 32 else b""
