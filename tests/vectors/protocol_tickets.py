"""Protocol vectors of what only participants see: keys, entries that open or do not, files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from vectors.generate_crypto import (
    CHUNK,
    cae,
    chunk,
    flip,
    hkdf,
    pad,
    padme,
    pattern,
    prefix,
    sha256,
    xwing_public,
)
from vectors.protocol_by_hand import (
    FOLDER,
    NONE,
    RELAY,
    TIME,
    Case,
    Document,
    derive,
    entry_hash,
    first_hash,
    leaf,
    mailbox_of,
    pack,
    public_of,
    receipts,
    seed_of,
    signature,
    u64,
    unpack,
    user_proof,
)

TEAM, USER = 0, 1
USER_TO_TEAM, TEAM_TO_USER, TEAM_ONLY = range(3)
OPEN, MESSAGE, CLOSE, REKEY, STAFF_OPEN, NOTE = 1, 2, 6, 9, 32, 33
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TEAM_ID = seed_of("the team")
DEVICE_ID, DEVICE = seed_of("device id")[:16], seed_of("device")
EPOCHS = [seed_of("epoch 0"), seed_of("epoch 1")]
HEADS: list[tuple[int, bytes]] = [
    (1, seed_of("head 1")),
    (2, seed_of("head 2")),
]  # the second link began epoch 1
MASTER, LOCATOR = seed_of("master"), seed_of("locator")


def number_of(mailbox: bytes) -> str:
    """Return a ticket's number (section 5.1)."""
    bits = f"{int.from_bytes(sha256('number', mailbox), 'big'):0256b}"[:50]
    text = "".join(CROCKFORD[int(bits[at : at + 5], 2)] for at in range(0, 50, 5))
    return f"T-{text[:5]}-{text[5:]}"


def ticket_keys(master: bytes, team_id: bytes, month: int, index: int) -> dict[str, bytes]:
    """Return all keys of a ticket (section 5.1): private ones as seeds."""
    secret = derive(master, "ticket", team_id + u64(month) + u64(index))
    keys = {name: derive(secret, f"ticket-{name}") for name in ("capability", "author", "reply", "key-first")}
    return keys | {"secret": secret, "mailbox": mailbox_of(public_of(keys["capability"]))}


def user_seed(master: bytes, team_id: bytes = TEAM_ID) -> bytes:
    """Return the seed of a user's key (section 5.8)."""
    return derive(master, "user", team_id)


def ticket_keys_document() -> Document:
    """Return the vectors of what follows from a master, and of numbers."""
    rows = [
        ("a user's first ticket", MASTER, TEAM_ID, 202701, 0),
        ("the next", MASTER, TEAM_ID, 202701, 1),
        ("another month", MASTER, TEAM_ID, 202702, 0),
        ("another team", MASTER, NONE, 202701, 0),
        ("another user", NONE, TEAM_ID, 202701, 0),
        ("far ahead", MASTER, TEAM_ID, 999912, 2**32),
    ]
    cases: list[Case] = []
    for comment, master, team_id, month, index in rows:
        keys = ticket_keys(master, team_id, month, index)
        staff = derive(LOCATOR, "staff-log", keys["mailbox"])
        cases.append(
            {
                "comment": comment,
                "master": master.hex(),
                "team_id": team_id.hex(),
                "month": month,
                "index": index,
                "ticket_secret": keys["secret"].hex(),
                "capability": public_of(keys["capability"]).hex(),
                "author": public_of(keys["author"]).hex(),
                "reply_sha256": hashlib.sha256(xwing_public(keys["reply"])).hexdigest(),
                "key": keys["key-first"].hex(),
                "mailbox_id": keys["mailbox"].hex(),
                "number": number_of(keys["mailbox"]),
                "staff_log": mailbox_of(public_of(staff)).hex(),
            }
        )
    typed = [
        ("as printed", "T-7K3M9-QXF20", "T-7K3M9-QXF20"),
        ("lower case, no dashes", "7k3m9qxf20", "T-7K3M9-QXF20"),
        ("a T without its dash", "T7K3M9QXF20", "T-7K3M9-QXF20"),
        ("look-alikes", "t-oil00-00000", "T-01100-00000"),
        ("a letter too few", "T-7K3M9-QXF2", ""),
        ("a letter too many", "T-7K3M9-QXF200", ""),
        ("a letter that is none", "T-7K3M9-QXF2U", ""),
    ]
    ends = [(0, b""), (1, seed_of("an end")), (2, seed_of("an end")), (1, seed_of("another end"))]
    volumes = [
        {
            "comment": f"volume {number}" + " after another history" * (end == seed_of("another end")),
            "number": number,
            "end": end.hex(),
            "mailbox_id": mailbox_of(
                public_of(derive(LOCATOR, "team-space", u64(number) + end if number else b""))
            ).hex(),
        }
        for number, end in ends
    ]
    return {
        "about": "everything that follows from a user's master (section 5.1) and, with the team's locator, the staff "
        "log (5.6) and the volumes of the team space (4.13)",
        "locator": LOCATOR.hex(),
        "volumes": volumes,
        "cases": cases,
        "typed": [
            {"comment": c, "typed": t} | ({"number": n} if n else {"code": "bad_number"}) for c, t, n in typed
        ],
    }


def context_of(mailbox: bytes, seq: int, prev: bytes, gen: int, direction: int, boxes: list[Any]) -> bytes:
    """Return C of section 5.3."""
    place = TEAM_ID + mailbox + u64(seq) + prev
    return sha256("ctx", u64(1) + u64(1) + place + u64(gen) + u64(direction) + sha256("boxes", pack(boxes)))


def boxes_needed() -> dict[str, tuple[bytes, bytes, bytes]]:
    """Return what is sealed by name: the recipient's key, the information, the ticket key."""
    user = ticket_keys(MASTER, TEAM_ID, 202701, 0)
    reply, mailbox = xwing_public(user["reply"]), user["mailbox"]
    staff = mailbox_of(public_of(derive(LOCATOR, "staff-log", mailbox)))
    needed: dict[str, tuple[bytes, bytes, bytes]] = {}
    for gen, key in enumerate((user["key-first"], seed_of("key 1"))):
        epoch = xwing_public(derive(EPOCHS[gen], "epoch-kem"))
        place = TEAM_ID + mailbox + u64(gen)
        needed[f"team {gen}"] = (epoch, prefix("ticket-key") + place + u64(gen), key)
        needed[f"user {gen}"] = (reply, prefix("ticket-key-user") + place, key)
    needed["user 1, another key"] = (
        reply,
        prefix("ticket-key-user") + TEAM_ID + mailbox + u64(1),
        seed_of("another key"),
    )
    first = xwing_public(derive(EPOCHS[0], "epoch-kem"))
    needed["staff"] = (first, prefix("ticket-key") + TEAM_ID + staff + u64(0) + u64(0), seed_of("staff key"))
    space = mailbox_of(public_of(derive(LOCATOR, "team-space")))
    needed["space"] = (first, prefix("ticket-key") + TEAM_ID + space + u64(0) + u64(0), seed_of("space key"))
    other = ticket_keys(MASTER, TEAM_ID, 202701, 1)
    place, key = TEAM_ID + other["mailbox"] + u64(0), seed_of("key for a user")
    needed["team, for a user"] = (first, prefix("ticket-key") + place + u64(0), key)
    needed["user, for a user"] = (xwing_public(other["reply"]), prefix("ticket-key-user") + place, key)
    return needed


def freeze() -> None:
    """Seal the boxes that are missing; whoever removes one before changes the vectors."""
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    file = FOLDER / "frozen.json"
    made: dict[str, str] = json.loads(file.read_text())["boxes"] if file.exists() else {}
    for name, (public, info, key) in boxes_needed().items():
        if name in made:
            continue
        halves = (
            MLKEM768PublicKey.from_public_bytes(public[:1184]),
            X25519PublicKey.from_public_bytes(public[1184:]),
        )
        made[name] = suite.encrypt(key, hpke.MLKEM768X25519PublicKey(*halves), info=info).hex()
    about = "Key boxes as the library sealed them once; nobody can make them again. Hand-kept."
    file.write_text(json.dumps({"about": about, "boxes": made}, indent=1) + "\n")


def frozen(name: str) -> bytes:
    """Return a frozen box."""
    boxes: dict[str, str] = json.loads((FOLDER / "frozen.json").read_text())["boxes"]
    return bytes.fromhex(boxes[name])


@dataclass
class Log:
    """A log as its writers make it, one honest entry after the other.

    Attributes:
        mailbox: its id.
        staff: whether it is the staff log.
        key: the ticket key of the newest generation.
        gen: that generation.
        items: entry, receipt and inner part of each.
        prev: hash of the last.
    """

    mailbox: bytes
    staff: bool = False
    key: bytes = b""
    gen: int = -1
    items: list[tuple[bytes, bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes, bytes]])
    prev: bytes = b""

    def __post_init__(self) -> None:
        """Begin empty."""
        self.prev = first_hash(self.mailbox)

    def entry(
        self, author: tuple[int, bytes, bytes], kind: int, body: list[Any], **changes: Any
    ) -> tuple[bytes, bytes]:
        """Return the next entry and its inner part.

        Args:
            author: role, name and signing seed.
            kind: what it is.
            body: its body's fields.
            changes: what is done differently, by name.
        """
        role, name, seed = author
        boxes = changes.get("boxes", [])
        usual = TEAM_ONLY if self.staff else role
        given: dict[str, Any] = {
            "gen": self.gen + bool(boxes),
            "direction": usual,
            "seq": len(self.items),
            "prev": self.prev,
            "head": HEADS[0],
            "receipt": self.items[-1][1] if self.items else b"",
            "time": TIME + len(self.items),
            "previous_key": b"",
            "key": self.key,
            "seed": seed,
            "id": seed_of(f"message {len(self.items)}")[:16],
            "tag": "entry-sign",
            "mailbox": self.mailbox,
        } | changes
        inner = given.get("inner") or pack(
            [
                1,
                kind,
                given["id"],
                [role, name],
                given["head"],
                given["receipt"],
                given["time"],
                given["previous_key"],
                pack(body),
                [],
            ]
        )
        context = context_of(
            given["mailbox"], given["seq"], given["prev"], given["gen"], given["direction"], boxes
        )
        signed = pack([inner, signature(given["seed"], given["tag"], context + inner)])
        salt = seed_of(f"salt {len(self.items)}")
        ciphertext = cae(given["key"], salt, "entry", context, pad(signed))
        return pack([1, 1, given["gen"], given["direction"], boxes, ciphertext]), inner

    def add(self, author: tuple[int, bytes, bytes], kind: int, body: list[Any], **changes: Any) -> None:
        """Store an honest entry."""
        entry, inner = self.entry(author, kind, body, **changes)
        hashed = entry_hash(self.mailbox, len(self.items), self.prev, entry)
        receipt = receipts([leaf(self.mailbox, len(self.items), hashed, TIME + 5 * len(self.items))])[0]
        self.items.append((entry, receipt, inner))
        self.prev = hashed
        if changes.get("boxes"):
            self.gen, self.key = self.gen + 1, changes["key"]


KEYS = ticket_keys(MASTER, TEAM_ID, 202701, 0)
AS_USER = (0, public_of(KEYS["author"]), KEYS["author"])
AS_DEVICE = (1, DEVICE_ID, DEVICE)


def shared_log(*, rekeyed: bool = True) -> Log:
    """Return an opening, a reply, and a re-key under a new epoch."""
    log = Log(KEYS["mailbox"])
    reply = xwing_public(KEYS["reply"])
    user, author = user_seed(MASTER), public_of(KEYS["author"])
    proof = user_proof(user, TEAM_ID, KEYS["mailbox"], author)
    opening: list[Any] = ["No invoice", "The list is empty.", "question", "", [], [], b"", "", b"", reply]
    opening += [public_of(user), proof]
    boxes = [[TEAM, 0, frozen("team 0")], [USER, 0, frozen("user 0")]]
    log.add(AS_USER, OPEN, opening, boxes=boxes, key=KEYS["key-first"])
    log.add(AS_DEVICE, MESSAGE, ["Which month? Grüße", 1])
    if rekeyed:
        boxes = [[TEAM, 1, frozen("team 1")], [USER, 0, frozen("user 1")]]
        key, previous = seed_of("key 1"), KEYS["key-first"]
        log.add(AS_DEVICE, REKEY, [[]], boxes=boxes, key=key, previous_key=previous, head=HEADS[1])
    return log


def shared_head() -> list[Any]:
    """Return the head of the shared log after its first entry."""
    mailbox = KEYS["mailbox"]
    return [1, entry_hash(mailbox, 0, first_hash(mailbox), shared_log().items[0][0])]


def staff_log() -> Log:
    """Return the beginning of the staff log, and a note."""
    log = Log(mailbox_of(public_of(derive(LOCATOR, "staff-log", KEYS["mailbox"]))), staff=True)
    head = shared_head()
    log.add(AS_DEVICE, STAFF_OPEN, [head], boxes=[[TEAM, 0, frozen("staff")]], key=seed_of("staff key"))
    log.add(AS_DEVICE, NOTE, [head, "Known customer.", [DEVICE_ID]])
    return log


def entries_document() -> Document:
    """Return whole logs that open, contexts, and entries that do not hold (sections 5.2-5.6)."""
    shared, staff = shared_log(), staff_log()
    context_rows: list[tuple[str, int, bytes, int, int, list[Any]]] = [
        ("the opening", 0, first_hash(KEYS["mailbox"]), 0, USER_TO_TEAM, [[TEAM, 0, b"t"], [USER, 0, b"u"]]),
        ("without boxes", 1, seed_of("prev"), 0, TEAM_TO_USER, []),
        ("far ahead", 2**53 - 1, NONE, 2**32, TEAM_ONLY, [[TEAM, 7, b""]]),
    ]
    return {
        "about": "entries as sections 5.2-5.6 make them. Heads 1 and 2 are links of a roster whose second link began "
        "epoch 1; the device is active at both. verdict and reason: what user and team say of the entry after the "
        "shared log (or its first entries: after); code: the log stops",
        "team": {
            "team_id": TEAM_ID.hex(),
            "heads": [head[1].hex() for head in HEADS],
            "epochs": [
                {
                    "seed": seed.hex(),
                    "kem_sha256": hashlib.sha256(xwing_public(derive(seed, "epoch-kem"))).hexdigest(),
                }
                for seed in EPOCHS
            ],
            "device_id": DEVICE_ID.hex(),
            "device": public_of(DEVICE).hex(),
            "relay_key": public_of(RELAY).hex(),
        },
        "user": {"author": AS_USER[1].hex(), "reply_seed": KEYS["reply"].hex()},
        "contexts": [
            {
                "comment": c,
                "mailbox_id": KEYS["mailbox"].hex(),
                "seq": str(seq),
                "prev": prev.hex(),
                "gen": gen,
                "direction": way,
                "boxes": [[r, e, s.hex()] for r, e, s in boxes],
                "context": context_of(KEYS["mailbox"], seq, prev, gen, way, boxes).hex(),
            }
            for c, seq, prev, gen, way, boxes in context_rows
        ],
        "shared": told_log(
            shared, ["the user opens", "the device replies", "the device begins a generation"]
        ),
        "staff": told_log(staff, ["the device opens the staff log", "a note"]),
        "cases": spoiled_entries(),
    }


def told_log(log: Log, comments: list[str]) -> Document:
    """Return a log in a form that JSON can hold."""
    entries = [
        {"comment": comment, "entry": entry.hex(), "receipt": receipt.hex(), "inner": inner.hex()}
        for comment, (entry, receipt, inner) in zip(comments, log.items, strict=True)
    ]
    return {"mailbox_id": log.mailbox.hex(), "head": log.prev.hex(), "entries": entries}


def spoiled_entries() -> list[Case]:
    """Return fourth entries of the shared log, each wrong in one way."""
    log = shared_log()
    say = ["hello", 0]
    honest, _ = log.entry(AS_USER, MESSAGE, say, head=HEADS[1])
    fields = unpack(honest)
    inner = unpack(log.entry(AS_USER, MESSAGE, say, head=HEADS[1])[1])
    both = [[TEAM, 1, frozen("team 1")], [USER, 0, frozen("user 1")]]
    twofold = [[TEAM, 1, frozen("team 1")], [USER, 0, frozen("user 1, another key")]]
    junk = [[TEAM, 1, bytes(1168)], [USER, 0, bytes(1168)]]

    def made(
        author: tuple[int, bytes, bytes] = AS_USER,
        kind: int = MESSAGE,
        body: list[Any] | None = None,
        **changes: Any,
    ) -> bytes:
        return log.entry(author, kind, body or say, **({"head": HEADS[1]} | changes))[0]

    stranger = seed_of("stranger")
    rows: list[tuple[str, bytes, str, str]] = [
        ("an honest message", honest, "ok", ""),
        ("an honest close of the device", made(AS_DEVICE, CLOSE, ["done", ""]), "ok", ""),
        ("an author time far ahead", made(time=2**53 - 1), "ok", ""),
        ("the replayed opening", log.items[0][0], "forged", "bad_order"),
        ("the replayed reply", log.items[1][0], "forged", "bad_order"),
        ("another generation outside", pack([*fields[:2], 0, *fields[3:]]), "forged", "bad_order"),
        ("a generation skipped", made(gen=3, boxes=both), "forged", "bad_order"),
        ("no box for the user", made(boxes=both[:1]), "forged", "bad_order"),
        ("boxes of another generation", made(boxes=both, key=seed_of("key 1")), "forged", "cannot_open"),
        ("boxes that do not open", made(boxes=junk, key=seed_of("key 1")), "forged", "cannot_open"),
        ("another direction outside", pack([*fields[:3], 1, *fields[4:]]), "forged", "cannot_open"),
        ("one bit of the ciphertext", flip(honest, -1), "forged", "cannot_open"),
        ("one bit of the commitment", pack([*fields[:5], flip(fields[5], 40)]), "forged", "cannot_open"),
        ("made for another place", made(seq=4), "forged", "cannot_open"),
        ("made behind another entry", made(prev=NONE), "forged", "cannot_open"),
        ("made for another mailbox", made(mailbox=bytes(16)), "forged", "cannot_open"),
        ("under the ticket key before", made(key=KEYS["key-first"]), "forged", "cannot_open"),
        ("the other direction", made(direction=TEAM_TO_USER), "forged", "bad_direction"),
        ("a device that is none", made((1, bytes(16), DEVICE)), "forged", "bad_author"),
        ("another user", made((0, public_of(stranger), stranger)), "forged", "bad_author"),
        ("signed by another key", made(seed=stranger), "forged", "bad_signature"),
        ("signed under another tag", made(tag="request"), "forged", "bad_signature"),
        (
            "the device's name, the user's signature",
            made((1, DEVICE_ID, KEYS["author"])),
            "forged",
            "bad_signature",
        ),
        ("a body of another kind", made(AS_DEVICE, CLOSE, [[]]), "forged", "malformed"),
        (
            "a number in a longer spelling",
            made(inner=b"\x9a\xcc\x01" + pack(inner)[2:]),
            "forged",
            "malformed",
        ),
        ("a field less", made(inner=pack(inner[:-1])), "forged", "malformed"),
        ("not an entry", b"junk", "forged", "malformed"),
        ("no quote", made(receipt=b""), "nonconforming", "bad_quote"),
        ("the quote of the entry before last", made(receipt=log.items[1][1]), "nonconforming", "bad_quote"),
        ("an older roster head", made(head=HEADS[0]), "nonconforming", "older_roster"),
        ("a key without boxes", made(previous_key=NONE), "nonconforming", "stray_key"),
        (
            "a roster head that is none, by the user",
            made(head=[2, NONE]),
            "unverifiable",
            "unknown_roster_head",
        ),
        (
            "a roster head that is none, by the device",
            made(AS_DEVICE, head=[2, NONE]),
            "unverifiable",
            "unknown_roster_head",
        ),
    ]
    cases: list[Case] = [
        {"comment": c, "entry": entry.hex(), "verdict": verdict} | ({"reason": reason} if reason else {})
        for c, entry, verdict, reason in rows
    ]
    stops = [
        ("version 2 outside", pack([2, *fields[1:]])),
        ("suite 2", pack([1, 2, *fields[2:]])),
        ("version 2 inside, signed", made(inner=pack([2, *inner[1:]]))),
        ("kind 99, signed", made(inner=pack([1, 99, *inner[2:]]))),
        ("a reserved kind, signed", made(inner=pack([1, 16, *inner[2:]]))),
    ]
    cases += [{"comment": c, "entry": entry.hex(), "code": "update_needed"} for c, entry in stops]
    unsigned = made(inner=pack([1, 99, *inner[2:]]), seed=stranger)
    cases.append(
        {
            "comment": "kind 99, signed by nobody",
            "entry": unsigned.hex(),
            "verdict": "forged",
            "reason": "bad_signature",
        }
    )
    return [*cases, *split_cases(twofold)]


def split_cases(boxes: list[Any]) -> list[Case]:
    """Return re-keys after the reply that hand user and team different keys: each opens for one of them."""
    log = shared_log(rekeyed=False)
    cases: list[Case] = []
    for whose, key, by_user, by_team in (
        ("team's", seed_of("key 1"), "forged", "ok"),
        ("user's", seed_of("another key"), "ok", "forged"),
    ):
        entry, _ = log.entry(
            AS_DEVICE, REKEY, [[]], boxes=boxes, key=key, previous_key=KEYS["key-first"], head=HEADS[1]
        )
        cases.append(
            {
                "comment": f"different keys in the boxes, encrypted under the {whose}",
                "after": 2,
                "entry": entry.hex(),
                "by_user": by_user,
                "by_team": by_team,
            }
        )
    return cases


# --- files ------------------------------------------------------------------------------------------------


def sealed_file(size: int) -> tuple[bytes, Case]:
    """Return the blob of a file whose byte i is i mod 251, and its manifest (section 6)."""
    mailbox, blob, key, salt = KEYS["mailbox"], pattern(16), seed_of(f"file {size}"), seed_of("salt")
    both = hkdf(key, salt, prefix("stream") + mailbox + blob, 64)
    padded = padme(max(size, 4096))
    data = pattern(size).ljust(padded, b"\0")
    parts = [data[at : at + CHUNK] for at in range(0, padded, CHUNK)]
    sealed = [chunk(both[:32], i, last=i == len(parts) - 1, plaintext=part) for i, part in enumerate(parts)]
    leaves = [sha256("leaf", u64(i) + part) for i, part in enumerate(sealed)]
    root = sha256("leaf-root", u64(len(leaves)) + u64(padded) + b"".join(leaves))
    manifest = ["a.bin", "application/octet-stream", size, blob, key, salt, both[32:], root]
    return b"".join(sealed) + b"".join(leaves), {
        "size": size,
        "padded": padded,
        "chunks": len(parts),
        "manifest": pack(manifest).hex(),
        "leaves": [one.hex() for one in leaves],
    }


def attachment_document() -> Document:
    """Return the vectors of files (section 6): a small one whole, a large one by hashes, plans and names."""
    small, small_case = sealed_file(100)
    large, large_case = sealed_file(600 * 1024)
    good: list[Case] = [
        {"comment": "a small file", **small_case, "blob": small.hex()},
        {
            "comment": "600 KiB",
            **large_case,
            "blob_sha256": hashlib.sha256(large).hexdigest(),
            "blob_size": len(large),
        },
        {"comment": "an empty file", **sealed_file(0)[1], "blob": sealed_file(0)[0].hex()},
    ]
    manifest = unpack(bytes.fromhex(small_case["manifest"]))

    def other(place: int, value: Any) -> str:
        return pack([*manifest[:place], value, *manifest[place + 1 :]]).hex()

    rows = [
        ("one bit of the chunk", small_case["manifest"], flip(small, 0), "bad_attachment", "chunk"),
        ("one bit of the leaf", small_case["manifest"], flip(small, -1), "bad_attachment", "leaves"),
        ("cut by a byte", small_case["manifest"], small[:-1], "bad_attachment", "leaves"),
        ("another root", other(7, NONE), small, "bad_attachment", "leaves"),
        ("a size of another layout", other(2, 5000), small, "bad_attachment", "leaves"),
        ("another key", other(4, NONE), small, "cannot_open", "commitment"),
        ("another salt", other(5, NONE), small, "cannot_open", "commitment"),
        ("another commitment", other(6, NONE), small, "cannot_open", "commitment"),
        ("another blob id", other(3, bytes(16)), small, "cannot_open", "commitment"),
    ]
    bad: list[Case] = [
        {"comment": c, "manifest": m, "blob": b.hex(), "code": code, "fails_at": phase}
        for c, m, b, code, phase in rows
    ]
    return {
        "about": "blob = sealed chunks || leaves; file byte i = i mod 251, padded with zeros; a manifest is the "
        "message Attachment; fails_at: the commitment, the leaf list against the root, or a chunk against its leaf",
        "mailbox_id": KEYS["mailbox"].hex(),
        "cases": good + bad,
        "plans": plans(),
        "names": names(),
    }


def plans() -> list[Case]:
    """Return sizes and what follows from them."""
    found: list[Case] = []
    for size in (0, 1, 4096, 4097, CHUNK, CHUNK + 1, 3 * CHUNK, 1_000_000, 25 * 2**20, 2**31 - 1, 2**31):
        padded = padme(max(size, 4096))
        chunks = -(-padded // CHUNK)
        blob = padded + chunks * (16 + 32)
        found.append(
            {"size": size, "padded": padded, "chunks": chunks, "blob": blob, "pieces": -(-blob // 1_048_640)}
        )
    return found


def names() -> list[Case]:
    """Return file names as they come and as they are kept."""
    rows = [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\win.ini", "win.ini"),
        ("", "file"),
        ("...", "file"),
        ("x.pdf\u202eexe", "x.pdfexe"),
        ("-rf", "rf"),
        ("name. . ", "name"),
        ('a<b>:"|?*', "a_b______"),
        ("CON", "_CON"),
        ("nul .txt", "_nul .txt"),
        ("con" + " " * 300 + "x", "_con"),
        ("e\u200d\u0301", "\u00e9"),
        ("\u5b57" * 100, "\u5b57" * 66),
        ("x" * 300 + ".jpeg", "x" * 195 + ".jpeg"),
    ]
    return [{"name": name, "kept": kept} for name, kept in rows]
