"""Writes the roster vectors: ``cd tests && python -m vectors.generate_roster``.

It imports nothing of the code under test: links, hashes, keys and statements are made here a second time from
hashlib, hmac and the bare libraries. One story uses every kind of link; each refused case breaks one rule and
names it. Changing a committed vector means changing the protocol.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import nacl.bindings as sodium
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

Case = dict[str, Any]
Document = dict[str, Any]

FOLDER = Path(__file__).parent / "roster"
ZERO = bytes(32)
TIME = 1_800_000_000
DAY = 24 * 3600
OWNER, AGENT, AUDITOR, RECOVERY = range(4)
(
    GENESIS,
    DEVICE_ADD,
    DEVICE_REVOKE,
    DEVICE_UPDATE,
    EPOCH,
    POLICY,
    RELAY_KEY,
    ISSUER_KEYS,
    THRESHOLD,
    RENAME,
) = range(10)
SMALL_ORDER = b"\x01" + bytes(31)


# --- the constructions, a second time ---------------------------------------------------------------------


def tagged(tag: str) -> bytes:
    """Return the bytes in front of the data."""
    return b"e2es/v1/" + tag.encode() + b"\x00"


def digest(tag: str, *parts: bytes) -> bytes:
    """Return the tagged SHA-256."""
    return hashlib.sha256(tagged(tag) + b"".join(parts)).digest()


def derive(secret: bytes, tag: str) -> bytes:
    """Return 32 bytes by HKDF-SHA256 without salt (RFC 5869)."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, tagged(tag) + b"\x01", "sha256")


def u64(number: int) -> bytes:
    """Return 8 bytes, big-endian."""
    return number.to_bytes(8, "big")


def pack(value: Any) -> bytes:
    """Return canonical MessagePack."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def seed_of(name: str) -> bytes:
    """Return 32 bytes that follow from a name."""
    return hashlib.sha256(b"roster vectors: " + name.encode()).digest()


def sign_key(seed: bytes) -> bytes:
    """Return the public Ed25519 key of a seed."""
    public, _ = sodium.crypto_sign_seed_keypair(seed)
    return public


def kem_key(seed: bytes) -> bytes:
    """Return the public X-Wing key of a seed."""
    expanded = hashlib.shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key().public_bytes_raw()
    return mlkem + X25519PrivateKey.from_private_bytes(expanded[64:]).public_key().public_bytes_raw()


@dataclass(frozen=True)
class Device:
    """A device: everything follows from its name; ``poses`` are fields of its record that do not."""

    name: str
    role: int = OWNER
    member: str = ""
    poses: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def id(self) -> bytes:
        """The device id."""
        return seed_of(self.name + " id")[:16]

    @property
    def record(self) -> list[Any]:
        """The record in the roster."""
        fields = {
            "device_id": self.id,
            "member_id": seed_of((self.member or self.name) + " id")[:16],
            "role": self.role,
            "sign_key": sign_key(seed_of(self.name + " sign")),
            "kem_key": kem_key(seed_of(self.name + " kem")),
            "label": self.name,
            "languages": ["en"],
        }
        return list((fields | self.poses).values())

    def joins(self, team: bytes, tag: str = "device-proof") -> list[Any]:
        """Return the payload that adds the device: its record and the proof over team and record."""
        return [self.record, self.sign(tag, team + pack(self.record))[1]]

    def sign(self, tag: str, data: bytes) -> list[bytes]:
        """Return the id with a signature."""
        _, secret = sodium.crypto_sign_seed_keypair(seed_of(self.name + " sign"))
        return [self.id, sodium.crypto_sign(tagged(tag) + data, secret)[:64]]


@dataclass(frozen=True)
class Impostor(Device):
    """Signs for another device with a key of its own."""

    real: str = ""

    @property
    def id(self) -> bytes:
        """The other device's id."""
        return seed_of(self.real + " id")[:16]


def epoch_keys(seed: bytes) -> tuple[bytes, bytes]:
    """Return KEM key and capability key."""
    return kem_key(derive(seed, "epoch-kem")), sign_key(derive(seed, "epoch-capability"))


def box_of(name: str, epoch: int) -> bytes:
    """Return what stands for a sealed box; nobody has to open it here."""
    return hashlib.shake_256(f"box of {name} in epoch {epoch}".encode()).digest(1232)


def epoch_record(
    team: bytes, epoch: int, devices: list[Device], ring: bytes = b"", secret: str = ""
) -> list[Any]:
    """Return an epoch as it stands in a link."""
    seed = seed_of(secret or f"epoch {epoch}")
    commitment = digest("epoch-commit", team, u64(epoch), seed)
    boxes = [[one.id, digest("box-hash", box_of(one.name, epoch))] for one in devices]
    return [epoch, *epoch_keys(seed), commitment, boxes, digest("ring", ring) if ring else ZERO]


POLICY_ARRAY: list[Any] = [
    1, "vector", [1, ["access_key"]], [0, 20],
    [["bug", "Bug", "What happened?"], ["billing", "Billing", ""]],
    [["feature", "Feature", 1, ["search", "export"]]],
    ["What were you doing?"],
    [2, [["high", "High", 5], ["low", "Low", 0]], [["bug", "high"], ["billing", "low"]], "", 0],
    [10, 200, 50, 2000, 5, 1, "Europe/Berlin", 0], [0, 0, 0, 0], 0,
    [["closed", "Closed", 0, [0]], ["review", "In review", 3, [2]], ["review", "In review", 3, [4]],
     ["open", "Open", 1, []]],
    [["spam", "Spam", 0, [10]], ["open", "Open", 1, []]],
    [0, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0], [0, 0],
    [0, 1, 1, b"", []], [1, 1, 1, 0, 0, 0], 0, [24, 48], 2, "", [["category", "Issue type"]], [30, 0],
]  # fmt: skip


# --- a chain ---------------------------------------------------------------------------------------------


class Chain:
    """A roster that grows link by link."""

    def __init__(self, *founders: Device, threshold: int = 1, **changes: Any) -> None:
        genesis = {
            "name": "Vector team",
            "devices": [one.record for one in founders],
            "threshold": threshold,
            "epoch": epoch_record(ZERO, 0, list(founders)),
            "relay_keys": [sign_key(seed_of("relay"))],
            "policy": pack(POLICY_ARRAY),
        }
        self.team = ZERO
        self.links: list[bytes] = []
        self.bodies: list[bytes] = []
        self.add(GENESIS, list((genesis | changes).values()), *founders)
        self.team = digest("team", self.bodies[0])

    @property
    def head(self) -> bytes:
        """The hash of the last link."""
        return digest("link", self.bodies[-1]) if self.bodies else ZERO

    def link(self, kind: int, payload: Any, *signers: Device, **changes: Any) -> tuple[bytes, bytes]:
        """Return a link that would follow, and its body."""
        payload = payload.joins(self.team) if isinstance(payload, Device) else payload
        header = {
            "version": 1,
            "suite": 1,
            "team_id": self.team,
            "seq": len(self.links),
            "prev_hash": self.head,
        }
        content = {"time": TIME + len(self.links), "type": kind, "payload": pack(payload)}
        body = pack(list((header | content | changes).values()))
        return pack([body, [one.sign("link-sign", body) for one in signers]]), body

    def add(self, kind: int, payload: Any, *signers: Device, **changes: Any) -> Chain:
        """Append a link."""
        link, body = self.link(kind, payload, *signers, **changes)
        self.links.append(link)
        self.bodies.append(body)
        return self

    def copy(self, length: int) -> Chain:
        """Return the first links as a chain of their own."""
        other = Chain.__new__(Chain)
        other.team, other.links, other.bodies = self.team, self.links[:length], self.bodies[:length]
        return other


ANNA, BEN, CARL = Device("anna"), Device("ben", AGENT), Device("carl")
CARL2 = Device("carl's second", OWNER, "carl")
DORA, EMMA = Device("dora", AUDITOR), Device("emma")
SHEET, EVE = Device("sheet", RECOVERY), Device("eve", AGENT)
FRESH_KEM = kem_key(seed_of("anna's fresh key"))
MODULUS = b"\xc0" + bytes(254) + b"\x01"
GRANT_KEY: list[Any] = [1, 0, 30_000, sign_key(seed_of("host"))]
BLIND_KEY: list[Any] = [2, 20_800, 20_800, MODULUS]

STORY: list[tuple[str, int, Any, tuple[Device, ...]]] = [
    ("a new owner, signed by one owner", DEVICE_ADD, CARL, (ANNA,)),
    ("the epoch of that batch, by an agent", EPOCH, [ANNA, BEN, SHEET, CARL], (BEN,)),
    ("two owners must agree from now on", THRESHOLD, [2], (ANNA,)),
    ("a second device, signed by its member alone", DEVICE_ADD, CARL2, (CARL,)),
    ("the epoch of that batch, with a ring", EPOCH, [ANNA, BEN, SHEET, CARL, CARL2], (CARL,)),
    ("a policy, signed by two owners", POLICY, [*POLICY_ARRAY[:3], [0, 22], *POLICY_ARRAY[4:]], (ANNA, CARL2)),
    ("another relay key", RELAY_KEY, [[sign_key(seed_of("second relay"))]], (CARL, ANNA)),
    ("issuer keys", ISSUER_KEYS, [[GRANT_KEY, BLIND_KEY]], (ANNA, CARL)),
    ("a fresh KEM key, signed by its device", DEVICE_UPDATE, [ANNA.id, FRESH_KEM], (ANNA,)),
    ("a device renames itself", RENAME, [BEN.id, "Ben at home", ["de", "fr"]], (BEN,)),
    ("a removal by one owner", DEVICE_REVOKE, [BEN.id], (ANNA,)),
    ("an auditor in the same batch", DEVICE_ADD, DORA, (CARL,)),
    ("the epoch of that batch", EPOCH, [ANNA, SHEET, CARL, CARL2, DORA], (ANNA,)),
    ("the auditor leaves by herself", DEVICE_REVOKE, [DORA.id], (DORA,)),
    ("the rotation that was due", EPOCH, [ANNA, SHEET, CARL, CARL2], (CARL2,)),
    ("a recovery: the sheet adds an owner", DEVICE_ADD, EMMA, (SHEET,)),
    ("and makes the epoch", EPOCH, [ANNA, SHEET, CARL, CARL2, EMMA], (SHEET,)),
]  # fmt: skip


def payload_of(chain: Chain, kind: int, said: Any) -> object:
    """Return the payload of a step of the story: an epoch for the devices listed, or what was said."""
    if kind != EPOCH:
        return said
    number = 1 + sum(step[1] == EPOCH for step in STORY[: len(chain.links) - 1])
    return epoch_record(chain.team, number, said, b"a ring" if number == 2 else b"")


def story() -> Chain:
    """Return the chain with every kind of link."""
    chain = Chain(ANNA, BEN, SHEET)
    for _, kind, said, signers in STORY:
        chain.add(kind, payload_of(chain, kind, said), *signers)
    return chain


def chain_document() -> Document:
    """Return the story, link by link, with the hash of each."""
    chain = story()
    comments = ["the genesis: an owner, an agent and a recovery sheet", *(step[0] for step in STORY)]
    hashes = [digest("link", body).hex() for body in chain.bodies]
    links = zip(comments, hashes, chain.links, strict=True)
    return {
        "about": "a roster with every kind of link; team_id = H(team, genesis body), hash = H(link, body)",
        "team_id": chain.team.hex(),
        "after": {
            "active": [one.id.hex() for one in (ANNA, SHEET, CARL, CARL2, EMMA)],
            "past": [one.id.hex() for one in (BEN, DORA)],
            "threshold": 2,
            "epoch": 5,
            "capability_key": epoch_keys(seed_of("epoch 5"))[1].hex(),
            "work_bits": 22,
        },
        "cases": [{"comment": comment, "hash": hash_, "link": link.hex()} for comment, hash_, link in links],
    }


# --- what is refused -------------------------------------------------------------------------------------


class Refused:
    """Collects links that must be refused, each after the first links of the story."""

    def __init__(self) -> None:
        self.story = story()
        self.cases: list[Case] = []

    def add(self, rule: str, comment: str, after: int, *links: bytes) -> None:
        """Note that links are refused after so many links of the story (0: instead of the genesis)."""
        hexes = [link.hex() for link in links]
        self.cases.append({"comment": comment, "rule": rule, "after": after, "links": hexes})

    def next(
        self,
        rule: str,
        comment: str,
        after: int,
        kind: int,
        payload: Any,
        *signers: Device,
        **changes: Any,
    ) -> None:
        """Note that one link is refused after so many links of the story."""
        self.add(rule, comment, after, self.story.copy(after).link(kind, payload, *signers, **changes)[0])

    def batch(self, rule: str, comment: str, after: int, *steps: tuple[int, Any, tuple[Device, ...]]) -> None:
        """Note that a batch is refused after so many links of the story."""
        chain = self.story.copy(after)
        for kind, payload, signers in steps:
            chain.add(kind, payload, *signers)
        self.add(rule, comment, after, *chain.links[after:])


TWO = 4  # links until two owners must agree: anna (owner), ben (agent), sheet (recovery), carl (owner)
FOUR = [ANNA, BEN, SHEET, CARL]


def refused_genesis(refused: Refused) -> None:
    """Genesis links that begin nothing (section 4.2)."""
    good = Chain(ANNA, BEN)
    unsigned = good.link(GENESIS, [], seq=0)
    refused.add("malformed", "no link at all", 0, b"")
    refused.add("malformed", "an empty payload", 0, unsigned[0])
    refused.add(
        "malformed",
        "an integer that is not in its shortest form",
        0,
        good.links[0].replace(b"\x98\x01", b"\x98\xcc\x01", 1),
    )
    refused.add(
        "no_possession",
        "a listed device did not sign",
        0,
        pack([good.bodies[0], [ANNA.sign("link-sign", good.bodies[0])]]),
    )
    refused.add(
        "bad_genesis", "a link of another type first", 0, Chain(ANNA).copy(0).link(THRESHOLD, [1], ANNA)[0]
    )
    refused.add(
        "owners_below_threshold", "more owners must sign than there are", 0, Chain(ANNA, threshold=2).links[0]
    )
    refused.add(
        "epoch_number",
        "the first epoch is not epoch 0",
        0,
        Chain(ANNA, epoch=epoch_record(ZERO, 1, [ANNA])).links[0],
    )
    refused.add(
        "epoch_boxes",
        "a founder without a box",
        0,
        Chain(ANNA, BEN, epoch=epoch_record(ZERO, 0, [ANNA])).links[0],
    )
    refused.add("bad_relay_keys", "no relay key", 0, Chain(ANNA, relay_keys=[]).links[0])
    refused.add(
        "bad_policy",
        "a policy without categories",
        0,
        Chain(ANNA, policy=pack([*POLICY_ARRAY[:4], [], *POLICY_ARRAY[5:]])).links[0],
    )
    refused.add(
        "update_needed", "a policy of a later version", 0, Chain(ANNA, policy=pack([2, "new"])).links[0]
    )
    refused.add(
        "bad_key",
        "a signing key of small order",
        0,
        Chain(Device("anna", poses={"sign_key": SMALL_ORDER})).links[0],
    )
    refused.add(
        "bad_key",
        "a KEM key whose ML-KEM half is zero",
        0,
        Chain(Device("anna", poses={"kem_key": bytes(1184) + FRESH_KEM[1184:]})).links[0],
    )
    refused.add("bad_member", "a member's second device before the first", 0, Chain(ANNA, CARL2).links[0])


def refused_chains(refused: Refused) -> None:
    """Links that do not continue the chain, or that this version does not know (section 4.1)."""
    rename: tuple[int, list[Any], Device] = (RENAME, [ANNA.id, "Anna", []], ANNA)
    refused.next("not_next", "a link was left out", TWO, *rename, seq=TWO + 1)
    refused.next("not_next", "another predecessor", TWO, *rename, prev_hash=ZERO)
    refused.next("not_next", "another team", TWO, *rename, team_id=digest("team", b"another"))
    refused.next("update_needed", "a later version", TWO, *rename, version=2)
    refused.next("update_needed", "an earlier suite", TWO, *rename, suite=0)
    refused.next("update_needed", "an unknown type", TWO, *rename, type=99)
    refused.next("malformed", "a payload with a field too many", TWO, RENAME, [ANNA.id, "Anna", [], 0], ANNA)


def refused_signers(refused: Refused) -> None:
    """Links without the signatures that they need (section 4.3)."""
    impostor = Impostor("eve", real="anna")
    body = refused.story.copy(TWO).link(THRESHOLD, [1], ANNA, CARL)[1]
    as_freshness = [ANNA.sign("freshness", body), CARL.sign("freshness", body)]
    refused.next("too_few_signers", "a policy signed by one owner of two", TWO, POLICY, POLICY_ARRAY, ANNA)
    refused.next("duplicate_signer", "one owner twice", TWO, THRESHOLD, [1], ANNA, ANNA)
    refused.next("not_entitled", "an owner and an agent", TWO, THRESHOLD, [1], ANNA, BEN)
    refused.next("not_entitled", "a stranger", TWO, RENAME, [ANNA.id, "x", []], EVE)
    refused.next("bad_signature", "a signature by another key", TWO, THRESHOLD, [1], impostor, CARL)
    refused.add("bad_signature", "signatures made for another purpose", TWO, pack([body, as_freshness]))
    refused.next(
        "too_few_signers",
        "two devices of one owner",
        6,
        RELAY_KEY,
        [[sign_key(seed_of("relay 3"))]],
        CARL,
        CARL2,
    )
    refused.batch(
        "too_few_signers", "an owner adds a device in another owner's name", TWO,
        (DEVICE_ADD, CARL2, (ANNA,)),
        (EPOCH, epoch_record(refused.story.team, 2, [*FOUR, CARL2]), (ANNA,)),
    )  # fmt: skip
    refused.batch(
        "too_few_signers", "an owner removes the recovery sheet", TWO,
        (DEVICE_REVOKE, [SHEET.id], (ANNA,)),
        (EPOCH, epoch_record(refused.story.team, 2, [ANNA, BEN, CARL]), (ANNA,)),
    )  # fmt: skip
    refused.next(
        "not_entitled",
        "a removed agent",
        14,
        EPOCH,
        epoch_record(refused.story.team, 4, [ANNA, SHEET, CARL, CARL2, DORA]),
        BEN,
    )
    refused.next(
        "not_entitled",
        "an auditor begins an epoch",
        14,
        EPOCH,
        epoch_record(refused.story.team, 4, [ANNA, SHEET, CARL, CARL2, DORA]),
        DORA,
    )


def refused_devices(refused: Refused) -> None:
    """Devices that may not enter, and changes without their epoch (sections 4.3 and 4.5)."""

    def joins(rule: str, comment: str, one: Device, payload: Any = None) -> None:
        record = epoch_record(refused.story.team, 2, [*FOUR, one])
        addition = (DEVICE_ADD, payload or one, (ANNA,))
        refused.batch(rule, comment, TWO, addition, (EPOCH, record, (ANNA,)))

    twin = Device("twin", AGENT, poses={"sign_key": BEN.record[3]})
    joins("no_possession", "a new device without a proof", EVE, [EVE.record, bytes(64)])
    joins("no_possession", "a proof for another team", EVE, EVE.joins(ZERO))
    joins("no_possession", "a proof for another purpose", EVE, EVE.joins(refused.story.team, "link-sign"))
    joins(
        "no_possession",
        "a proof for another record",
        EVE,
        [EVE.record, Device("eve").joins(refused.story.team)[1]],
    )
    joins("key_known", "a signing key under two ids", twin)
    joins("bad_member", "a member in two roles", Device("eve", AGENT, "anna"))
    joins("bad_member", "a member nobody knows", Device("eve", AGENT, "nobody"))
    joins("device_known", "an id that is in use", Device("ben", AGENT))
    refused.batch("epoch_missing", "a removal without an epoch", TWO, (DEVICE_REVOKE, [BEN.id], (ANNA,)))
    refused.batch("epoch_missing", "an addition without an epoch", TWO, (DEVICE_ADD, EVE, (ANNA,)))
    refused.batch(
        "epoch_missing", "something between a removal and its epoch", TWO,
        (DEVICE_REVOKE, [BEN.id], (ANNA,)), (RENAME, [ANNA.id, "x", []], (ANNA,)),
        (EPOCH, epoch_record(refused.story.team, 2, [ANNA, SHEET, CARL]), (ANNA,)),
    )  # fmt: skip
    refused.next(
        "owners_below_threshold", "an owner leaves, and too few stay", TWO, DEVICE_REVOKE, [CARL.id], CARL
    )
    refused.next("owners_below_threshold", "a threshold that nobody meets", TWO, THRESHOLD, [3], ANNA, CARL)
    refused.next("device_unknown", "a removed device is removed again", 14, DEVICE_REVOKE, [BEN.id], ANNA)
    refused.next(
        "bad_issuer_keys",
        "an RSA modulus of less than its length",
        TWO,
        ISSUER_KEYS,
        [[[2, 1, 1, b"\x7f" + MODULUS[1:]]]],
        ANNA,
        CARL,
    )


def refused_epochs(refused: Refused) -> None:
    """Epochs that are visibly wrong, and recoveries that want more than they may (sections 4.3 and 4.5)."""
    team = refused.story.team

    def epoch(rule: str, comment: str, record: list[Any], *signers: Device) -> None:
        refused.next(rule, comment, TWO, EPOCH, record, *signers)

    good, old = epoch_record(team, 2, FOUR), epoch_record(team, 1, FOUR)
    epoch("epoch_number", "a number is left out", [3, *good[1:]], ANNA)
    epoch("epoch_number", "a number stands twice", [1, *good[1:]], ANNA)
    epoch("epoch_boxes", "a box for a stranger", epoch_record(team, 2, [*FOUR, EVE]), BEN)
    epoch("epoch_boxes", "a device without a box", epoch_record(team, 2, FOUR[1:]), BEN)
    epoch("epoch_boxes", "two boxes for one device", epoch_record(team, 2, [*FOUR[1:], BEN]), BEN)
    epoch("epoch_reused", "the keys of an earlier epoch", [2, *old[1:]], ANNA)
    epoch("bad_key", "a KEM key whose X25519 half is zero", [2, good[1][:1184] + ZERO, *good[2:]], ANNA)
    epoch("bad_key", "a capability key of small order", [*good[:2], SMALL_ORDER, *good[3:]], ANNA)
    epoch("not_entitled", "the recovery sheet without a recovery", good, SHEET)
    refused.next("not_entitled", "the recovery sheet adds an agent", TWO, DEVICE_ADD, EVE, SHEET)
    refused.batch(
        "epoch_missing", "the recovery sheet adds two owners at once", TWO,
        (DEVICE_ADD, EMMA, (SHEET,)), (DEVICE_ADD, CARL2, (SHEET,)),
        (EPOCH, epoch_record(team, 2, [*FOUR, EMMA, CARL2]), (SHEET,)),
    )  # fmt: skip


def refused_document() -> Document:
    """Return links that must be refused, with the rule that each breaks."""
    refused = Refused()
    for fill in (refused_genesis, refused_chains, refused_signers, refused_devices, refused_epochs):
        fill(refused)
    return {
        "about": "links that are refused after so many links of chain.json (0: as a genesis), and the rule broken",
        "cases": refused.cases,
    }


# --- epochs, freshness, support links --------------------------------------------------------------------


def epoch_document() -> Document:
    """Return seeds with what follows from them."""
    cases: list[Case] = []
    for comment, team, epoch in (
        ("the genesis epoch: the team has no id yet", ZERO, 0),
        ("an epoch", digest("team", b"some body"), 1),
        ("an epoch far ahead", digest("team", b"some body"), 2**40),
    ):
        seed = seed_of(f"epoch {epoch}")
        kem, capability = epoch_keys(seed)
        cases.append(
            {
                "comment": comment,
                "team": team.hex(),
                "epoch": epoch,
                "seed": seed.hex(),
                "kem_key": kem.hex(),
                "capability_key": capability.hex(),
                "commitment": digest("epoch-commit", team, u64(epoch), seed).hex(),
                "box": "626f78",
                "box_hash": digest("box-hash", b"box").hex(),
                "ring": "72696e67",
                "ring_hash": digest("ring", b"ring").hex(),
            }
        )
    return {"about": "everything that follows from an epoch's seed (section 4.5)", "cases": cases}


def freshness_document() -> Document:
    """Return freshness statements about the story, and what becomes of each."""
    chain = story()
    length = len(chain.links)

    def case(comment: str, outcome: int | str, now: int, signers: list[Device], **changes: Any) -> Case:
        head = [changes.pop("length", length), changes.pop("hash", chain.head)]
        fields = {"team_id": chain.team, "head": head, "issued": TIME, "expires": TIME + 30 * DAY}
        body = pack(list((fields | changes).values()))
        statement = pack([body, [one.sign("freshness", body) for one in signers]])
        name = "expires" if isinstance(outcome, int) else "rule"
        return {"comment": comment, "now": now, "statement": statement.hex(), name: outcome}

    good = [ANNA, CARL2]
    came = TIME + 1  # the first newcomer, Carl
    last, late, far = came + 3 * DAY - 1, TIME + 4 * DAY, TIME + 99 * DAY
    return {
        "about": "statements about the whole roster of chain.json; times in seconds since 1970",
        "cases": [
            case("two owners", TIME + 30 * DAY, TIME, good),
            case("two devices of one member", "too_few_signers", TIME, [CARL, CARL2]),
            case("a stranger's signature besides", TIME + 30 * DAY, TIME, [EVE, *good]),
            case(
                "about an earlier head",
                TIME + 30 * DAY,
                TIME,
                good,
                length=1,
                hash=digest("link", chain.bodies[0]),
            ),
            case(
                "a longer life than the policy allows", TIME + 30 * DAY, TIME, good, expires=TIME + 99 * DAY
            ),
            case("its last second", TIME + 30 * DAY, TIME + 30 * DAY - 1, good),
            case("over", "roster_stale", TIME + 30 * DAY, good),
            case("one device, all others newcomers", TIME + 30 * DAY, TIME, [ANNA]),
            case("the same later", came + 30 * DAY, TIME, [ANNA], issued=TIME + DAY, expires=far),
            case("a newcomer without the founder", "too_few_signers", TIME, [CARL]),
            case(
                "one device, a newcomer's last second",
                came + 30 * DAY,
                last,
                [ANNA],
                issued=last,
                expires=far,
            ),
            case("one device", "too_few_signers", last + 1, [ANNA], issued=last + 1),
            case("one device twice", "too_few_signers", late, [ANNA, ANNA], issued=late),
            case("a removed device helps", "too_few_signers", late, [ANNA, BEN], issued=late),
            case("the recovery sheet helps", "too_few_signers", late, [ANNA, SHEET], issued=late),
            case("nobody, all others newcomers", "too_few_signers", TIME, []),
            case("about a newer roster", "roster_behind", TIME, good, length=length + 1),
            case("about a newer one, by one device", "roster_behind", late, [ANNA], length=length + 1),
            case("about a newer one, by none", "too_few_signers", TIME, [BEN, EVE, SHEET], length=length + 1),
            case("about another roster", "roster_fork", TIME, good, hash=ZERO),
            case("about another one, by one device", "roster_fork", late, [ANNA], hash=ZERO),
            case("about another one, by none", "too_few_signers", TIME, [BEN, EVE, SHEET], hash=ZERO),
            case("about another team", "bad_freshness", TIME, good, team_id=ZERO),
            case("from the future", "bad_freshness", TIME - 49 * 3600, good),
        ],
    }


def support_link(origin: str, said: bytes, scheme: str = "e2es") -> str:
    """Return a support link."""
    code = base64.urlsafe_b64encode(said + digest("support-link", said)[:4]).decode().rstrip("=")
    return f"{scheme}://{origin}/#{code}"


def support_link_document() -> Document:
    """Return support links that say something, and texts that are none."""
    team, head = seed_of("team"), u64(18) + seed_of("head")[:16]
    good = [
        ("without a head", "https://support.example.org", support_link("support.example.org", team)),
        (
            "with a head",
            "https://support.example.org:8443",
            support_link("support.example.org:8443", team + head),
        ),
        ("on this computer", "http://127.0.0.1:8000", support_link("127.0.0.1:8000", team, "e2es+http")),
        ("an onion service", "http://xyz.onion", support_link("xyz.onion", team + head, "e2es+http")),
        ("an IPv6 address", "https://[2001:db8::1]", support_link("[2001:db8::1]", team)),
    ]
    bad = [
        ("plain http on a network", support_link("support.example.org", team, "e2es+http")),
        ("a name that only ends like a private one", support_link("evil-localhost", team, "e2es+http")),
        ("a user name", support_link("user@support.example.org", team)),
        ("the usual port", support_link("support.example.org:443", team)),
        ("upper case", support_link("Support.example.org", team)),
        ("an address in another spelling", support_link("0x7f.1", team)),
        ("a path", support_link("support.example.org/x", team)),
        ("a changed character", support_link("support.example.org", team).replace("#", "#A", 1)[:-1]),
        ("a head of no links", support_link("support.example.org", team + u64(0) + bytes(16))),
        ("half a head", support_link("support.example.org", team + u64(18))),
        ("padding", support_link("support.example.org", team) + "="),
    ]
    accepted: list[Case] = []
    for comment, url, link in good:
        named = [18, head[8:].hex()] if "onion" in url or "8443" in url else None
        accepted.append({"comment": comment, "link": link, "url": url, "team_id": team.hex(), "head": named})
    refused = [{"comment": comment, "link": link, "rule": "bad_link"} for comment, link in bad]
    return {"about": "support links (section 4.9)", "cases": accepted + refused}


def documents() -> dict[str, str]:
    """Return every vector file's name and text."""
    made = {
        "chain": chain_document(),
        "refused": refused_document(),
        "epoch": epoch_document(),
        "freshness": freshness_document(),
        "support_link": support_link_document(),
    }
    return {f"{name}.json": json.dumps(document, indent=1) + "\n" for name, document in made.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text)
