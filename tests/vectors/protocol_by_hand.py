"""The protocol's constructions, written a second time from the specification for the protocol vectors.

It uses hashlib, msgpack and the bare libraries, and nothing of the code under test.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import msgpack

from vectors.generate_crypto import hkdf, prefix, sha256, sign

Case = dict[str, Any]
Document = dict[str, Any]

FOLDER = Path(__file__).parent / "protocol"
NONE = bytes(32)
TIME = 1_800_000_000


def u64(number: int) -> bytes:
    """Return 8 bytes, big-endian."""
    return number.to_bytes(8, "big")


def pack(value: Any) -> bytes:
    """Return canonical MessagePack."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def unpack(data: bytes) -> Any:
    """Return what packed bytes hold."""
    value: Any = msgpack.unpackb(data)
    return value


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def seed_of(name: str) -> bytes:
    """Return 32 bytes that follow from a name."""
    return hashlib.sha256(b"protocol vectors: " + name.encode()).digest()


def derive(secret: bytes, tag: str, context: bytes = b"") -> bytes:
    """Return a key derived without salt."""
    return hkdf(secret, NONE, prefix(tag) + context, 32)


def public_of(seed: bytes) -> bytes:
    """Return the public Ed25519 key of a seed."""
    return sign(seed, "team", b"")[0]


def signature(seed: bytes, tag: str, message: bytes) -> bytes:
    """Return a tagged signature."""
    return sign(seed, tag, message)[1]


def user_proof(user: bytes, team_id: bytes, mailbox: bytes, author: bytes) -> bytes:
    """Return the proof of a user key that a ticket is this user's (section 5.8).

    Args:
        user: the user key's seed.
        team_id: the team.
        mailbox: the ticket's shared log.
        author: the public key that signs the user's entries in it.
    """
    return signature(user, "user-proof", team_id + mailbox + author)


def mailbox_of(creation_key: bytes) -> bytes:
    """Return a mailbox id (section 3.1)."""
    return sha256("mailbox", creation_key)[:16]


def first_hash(mailbox: bytes) -> bytes:
    """Return the hash before the first entry (section 3.1)."""
    return sha256("first", mailbox)


def entry_hash(mailbox: bytes, seq: int, prev: bytes, entry: bytes) -> bytes:
    """Return an entry's chained hash (section 3.1)."""
    return sha256("entry-hash", mailbox + u64(seq) + prev + entry)


RELAY = seed_of("relay")
RELAY_ID = sha256("relay-key", public_of(RELAY))[:16]


def receipts(leaves: list[bytes], *, key: bytes = RELAY) -> list[bytes]:
    """Return the receipts of a commit group (section 3.4), from packed leaves."""
    level: list[bytes] = [sha256("receipt-leaf", leaf) for leaf in leaves]
    tree: list[list[bytes]] = [level]
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [sha256("receipt-node", b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
        tree.append(level)
    signed = signature(key, "receipt", level[0])
    return [pack([unpack(leaf), _path(tree, place), signed]) for place, leaf in enumerate(leaves)]


def _path(tree: list[list[bytes]], place: int) -> list[list[Any]]:
    path: list[list[Any]] = []
    for level in tree[:-1]:
        sibling = place ^ 1
        if sibling < len(level):
            path.append([int(sibling > place), level[sibling]])
        place //= 2
    return path


def leaf(mailbox: bytes, seq: int, hashed: bytes, time: int) -> bytes:
    """Return what a receipt asserts, packed."""
    return pack([mailbox, seq, hashed, time, RELAY_ID])


def digest_header(body: bytes) -> str:
    """Return a body's content-digest (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def zero_bits(data: bytes) -> int:
    """Return the number of zero bits in front."""
    return 8 * len(data) - int.from_bytes(data, "big").bit_length()
