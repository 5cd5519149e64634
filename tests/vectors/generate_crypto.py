"""Writes the cryptography vectors: ``cd tests && python -m vectors.generate_crypto``.

It imports nothing of the code under test: every expected value comes from hashlib, hmac and the bare
libraries, so that a vector is a second opinion. Published vectors and one box sealed by the library, which
nobody can recompute, stand in ``frozen.json``. Changing a committed vector means changing the protocol.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import nacl.bindings as sodium
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from vectors.hpke_by_hand import make_box

Case = dict[str, Any]
Document = dict[str, Any]

FOLDER = Path(__file__).parent / "crypto"
FROZEN: dict[str, Any] = json.loads((FOLDER / "frozen.json").read_text())

KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
CHUNK = 256 * 1024
FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
SIGN_BIT = 1 << 255
ORDER_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
OTHER_ORDER_EIGHT = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")


# --- the constructions, a second time ---------------------------------------------------------------------


def prefix(tag: str) -> bytes:
    """Return what stands before tagged data."""
    return b"e2es/v1/" + tag.encode() + b"\0"


def sha256(tag: str, data: bytes) -> bytes:
    """Return a tagged hash."""
    return hashlib.sha256(prefix(tag) + data).digest()


def hkdf(key: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """Return HKDF-SHA256 (RFC 5869 section 2); no salt is a salt of 32 zeros."""
    extracted = hmac.digest(salt, key, "sha256")
    block, out = b"", b""
    while len(out) < size:
        block = hmac.digest(extracted, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:size]


def pattern(size: int) -> bytes:
    """Return bytes that a vector need not spell out: byte i is i mod 251."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def padded_size(size: int) -> int:
    """Return the padded size of data, by the definitions in the specification."""
    total = size + 4
    if total <= 16 * 1024:
        return next(512 << k for k in range(6) if total <= 512 << k)
    return padme(total)


def padme(size: int) -> int:
    """Return the Padmé size as Algorithm 1 of the paper has it."""
    if size < 2:
        return size
    exponent = len(f"{size:b}") - 1
    low = exponent - len(f"{exponent:b}")
    return -(-size // (1 << low)) * (1 << low)


def pad(data: bytes) -> bytes:
    """Return padded data."""
    return (len(data).to_bytes(4, "big") + data).ljust(padded_size(len(data)), b"\0")


def sign(seed: bytes, tag: str, message: bytes) -> tuple[bytes, bytes]:
    """Return public key and tagged signature."""
    public, secret = sodium.crypto_sign_seed_keypair(seed)
    return public, sodium.crypto_sign(prefix(tag) + message, secret)[:64]


def xwing_public(seed: bytes) -> bytes:
    """Return the X-Wing public key of a seed."""
    expanded = hashlib.shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).public_key()
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:]).public_key()
    return mlkem.public_bytes_raw() + x25519.public_bytes_raw()


def cae(key: bytes, salt: bytes, tag: str, context: bytes, plaintext: bytes) -> bytes:
    """Return a box of the committing encryption."""
    both = hkdf(key, salt, prefix(tag) + context, 64)
    return salt + both[32:] + ChaCha20Poly1305(both[:32]).encrypt(bytes(12), plaintext, None)


def chunk(key: bytes, index: int, *, last: bool, plaintext: bytes) -> bytes:
    """Return a sealed chunk."""
    return AESGCM(key).encrypt(index.to_bytes(11, "big") + bytes([last]), plaintext, None)


def flip(data: bytes, position: int, bit: int = 1) -> bytes:
    """Return the data with one bit changed."""
    changed = bytearray(data)
    changed[position] ^= bit
    return bytes(changed)


# --- the documents ----------------------------------------------------------------------------------------


def digest_document() -> Document:
    """Return the vectors of tagged hashes and of the two small helpers."""
    rows = [
        ("no data at all", "mailbox", b""),
        ("short data", "entry-hash", b"abc"),
        ("the same data under another tag", "receipt-leaf", b"abc"),
        ("data that looks like the end of a longer tag", "link", b"-sign\0abc"),
        ("more than one block", "leaf", pattern(200)),
    ]
    cases = [{"comment": c, "tag": t, "data": d.hex(), "hash": sha256(t, d).hex()} for c, t, d in rows]
    return {
        "about": 'hash = SHA-256("e2es/v1/" || tag || 0x00 || data)',
        "cases": cases,
        "u64": [{"number": str(n), "bytes": f"{n:016x}"} for n in (0, 1, 258, 2**53 - 1, 2**64 - 1)],
        "leading_zero_bits": [
            {"data": data, "bits": bits} for data, bits in (("", 0), ("80", 0), ("01", 7), ("0040", 9))
        ],
    }


def derive_document() -> Document:
    """Return the vectors of key derivation, with and without salt."""
    rows = [
        ("no context", KEY, None, "ticket", b"", 32),
        ("a context", KEY, None, "ticket", b"202401" + bytes(8), 32),
        ("another tag", KEY, None, "ticket-author", b"202401" + bytes(8), 32),
        ("two blocks", KEY, None, "epoch-kem", b"", 64),
        ("less than a block", KEY, None, "number", b"", 7),
        ("a salt", KEY, b"\x5a" * 32, "stream", pattern(32), 64),
        ("a salt of zeros is no salt", KEY, bytes(32), "ticket", b"", 32),
    ]
    cases: list[Case] = [
        {
            "comment": comment,
            "secret": secret.hex(),
            "salt": None if salt is None else salt.hex(),
            "tag": tag,
            "context": context.hex(),
            "derived": hkdf(secret, salt or bytes(32), prefix(tag) + context, size).hex(),
        }
        for comment, secret, salt, tag, context, size in rows
    ]
    return {"about": "derived = HKDF-SHA256(secret, salt, info = tag prefix || context)", "cases": cases}


def pad_document() -> Document:
    """Return the vectors of padding; data is the pattern ``byte i = i mod 251``."""
    sizes = [0, 1, 508, 509, 1020, 1021, 8188, 8189, 16380, 16381, 17404, 17405, 100_000, 1_000_000]
    good: list[Case] = [
        {
            "comment": f"{size} bytes",
            "data_size": size,
            "padded_size": padded_size(size),
            "padded_sha256": hashlib.sha256(pad(pattern(size))).hexdigest(),
        }
        for size in sizes
    ]
    rows = [
        ("nothing", b"", "size"),
        ("a size that padding never makes", pad(b"x")[:-1], "size"),
        ("a larger size than the data needs", b"\0\0\0\x01x".ljust(1024, b"\0"), "size"),
        ("the length runs over the end", b"\0\0\x01\xfd".ljust(512, b"x"), "size"),
        ("the length has its highest bit set", b"\x80\0\0\0".ljust(512, b"\0"), "size"),
        ("the first byte of the fill is not zero", b"\0\0\0\x01xy".ljust(512, b"\0"), "fill"),
        ("the last byte of the fill is not zero", pad(b"x")[:-1] + b"\x80", "fill"),
    ]
    bad: list[Case] = [{"comment": c, "padded": p.hex(), "fails_at": phase} for c, p, phase in rows]
    exponents = [0, 1, 2, 3, 7, 8, 9, 100, 1000, 1025, 4097, 65_537, 10**6, 10**9, 2**31, 2**31 + 1]
    return {
        "about": "padded = u32 length || data || zeros; data byte i = i mod 251",
        "cases": good + bad,
        "padme": [{"size": size, "padme": padme(size)} for size in exponents],
    }


def sign_document() -> Document:
    """Return the vectors of signatures and of keys that are none."""
    message = b"a signed message"
    public, good = sign(KEY, "link-sign", message)
    scalar = int.from_bytes(good[32:], "little") + ORDER
    mixed = sodium.crypto_core_ed25519_add(public, ORDER_EIGHT)
    identity = (1).to_bytes(32, "little")
    rows: list[tuple[str, bytes, bytes, str, bytes, str]] = [
        ("a good signature", public, good, "link-sign", message, ""),
        ("a good signature over nothing", public, sign(KEY, "team", b"")[1], "team", b"", ""),
        ("another tag", public, good, "link", message, "signature"),
        ("another message", public, good, "link-sign", message + b".", "signature"),
        ("another key", sign(OTHER_KEY, "team", b"")[0], good, "link-sign", message, "signature"),
        ("one bit of R", public, flip(good, 0), "link-sign", message, "signature"),
        ("one bit of S", public, flip(good, 40), "link-sign", message, "signature"),
        (
            "S plus the group order",
            public,
            good[:32] + scalar.to_bytes(32, "little"),
            "link-sign",
            message,
            "signature",
        ),
        ("one byte short", public, good[:-1], "link-sign", message, "signature"),
        ("one byte long", public, good + b"\0", "link-sign", message, "signature"),
        (
            "R of small order, S zero, good key",
            public,
            identity + bytes(32),
            "link-sign",
            message,
            "signature",
        ),
        ("a key of mixed order", mixed, good, "link-sign", message, "public_key"),
        ("a short key", public[:-1], good, "link-sign", message, "public_key"),
        ("y is 2, which is not on the curve", b"\x02" + bytes(31), good, "link-sign", message, "public_key"),
    ]
    small = [
        0,
        1,
        FIELD - 1,
        FIELD,
        FIELD + 1,
        *(int.from_bytes(p, "little") for p in (ORDER_EIGHT, OTHER_ORDER_EIGHT)),
    ]
    for y in small:
        for bit in (0, SIGN_BIT):
            key = (y | bit).to_bytes(32, "little")
            comment = f"small order ({key[:2].hex()}..{key[-2:].hex()}), R is the identity, S is zero"
            rows.append((comment, key, identity + bytes(32), "link-sign", message, "public_key"))
    cases: list[Case] = []
    for comment, key, signature, tag, text, phase in rows:
        case: Case = {"comment": comment, "public": key.hex(), "signature": signature.hex(), "tag": tag}
        cases.append(case | {"message": text.hex()} | ({"fails_at": phase} if phase else {"valid": True}))
    return {
        "about": "Ed25519 over tag prefix || message; keys of small or mixed order are no keys",
        "keys": [
            {"seed": seed.hex(), "public": sign(seed, "team", b"")[0].hex()} for seed in (KEY, OTHER_KEY)
        ],
        "cases": cases,
    }


def kem_document() -> Document:
    """Return the vectors of X-Wing keys, the published ones first."""
    good: list[Case] = [{k: v for k, v in row.items() if k != "source"} for row in FROZEN["xwing"]]
    good.append({"comment": "another seed", "seed": KEY.hex(), "public": xwing_public(KEY).hex()})
    public = xwing_public(KEY)
    mlkem, x25519 = public[:1184], public[1184:]
    low_order = [
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        FIELD - 1,
        FIELD,
        FIELD + 1,
    ]
    rows = [
        ("one byte short", public[:-1], "length"),
        ("one byte long", public + b"\0", "length"),
        ("first ML-KEM coefficient is the modulus", b"\x01\x0d\x00" + public[3:], "ml-kem"),
        ("last ML-KEM coefficient is the modulus", mlkem[:1149] + b"\x00\x10\xd0" + public[1152:], "ml-kem"),
        ("ML-KEM vector is zero", bytes(1152) + public[1152:], "ml-kem"),
        ("ML-KEM half is zero", bytes(1184) + x25519, "ml-kem"),
    ]
    for u in low_order:
        for bit in (0, SIGN_BIT):
            point = (u | bit).to_bytes(32, "little")
            comment = f"X25519 point of low order ({point[:2].hex()}..{point[-2:].hex()})"
            rows.append((comment, mlkem + point, "x25519"))
    accepted = {
        "ML-KEM coefficients one below the modulus": b"\x00\x0d\xd0" + public[3:],
        "ML-KEM vector of one coefficient that is not zero": b"\x01" + bytes(1151) + public[1152:],
        "X25519 point with the bit that X25519 ignores": flip(public, -1, 128),
    }
    bad: list[Case] = [{"comment": c, "public": p.hex(), "fails_at": phase} for c, p, phase in rows]
    return {
        "about": "SHAKE256(seed, 96) = ML-KEM-768 seed (64) || X25519 private key (32); public = 1184 || 32",
        "cases": good + bad,
        "accepted": [{"comment": comment, "public": key.hex()} for comment, key in accepted.items()],
    }


def seal_document() -> Document:
    """Return the vectors of sealed boxes; one is made over the draft's published encapsulation."""
    published, library = FROZEN["xwing"][0], FROZEN["library_box"]
    seed, tag, context, secret = published["seed"], "ticket-key", pattern(64), pattern(32)
    enc, shared = bytes.fromhex(published["ciphertext"]), bytes.fromhex(published["shared_secret"])
    box = make_box(enc, shared, prefix(tag) + context, secret)
    empty = make_box(enc, shared, prefix(tag), b"")
    good: list[Case] = [
        {
            "comment": "over the encapsulation of the X-Wing draft",
            "seed": seed,
            "tag": tag,
            "context": context.hex(),
            "box": box.hex(),
            "plaintext": secret.hex(),
        },
        {
            "comment": "empty context and content",
            "seed": seed,
            "tag": tag,
            "context": "",
            "box": empty.hex(),
            "plaintext": "",
        },
        library | {"seed": FROZEN["xwing"][1]["seed"]},
    ]
    rows = [
        ("nothing", seed, tag, context, b"", "length"),
        ("shorter than the overhead", seed, tag, context, box[:1135], "length"),
        ("another recipient", KEY.hex(), tag, context, box, "tag"),
        ("another tag", seed, "ticket-key-user", context, box, "tag"),
        ("another context", seed, tag, flip(context, 63), box, "tag"),
        ("one bit of the ML-KEM ciphertext", seed, tag, context, flip(box, 500), "tag"),
        ("one bit of the X25519 point", seed, tag, context, flip(box, 1100), "tag"),
        ("the bit of the X25519 point that X25519 ignores", seed, tag, context, flip(box, 1119, 128), "tag"),
        ("X25519 point is zero", seed, tag, context, box[:1088] + bytes(32) + box[1120:], "tag"),
        ("one bit of the content", seed, tag, context, flip(box, 1120), "tag"),
        ("cut by one byte", seed, tag, context, box[:-1], "tag"),
    ]
    bad: list[Case] = [
        {"comment": c, "seed": s, "tag": t, "context": x.hex(), "box": b.hex(), "fails_at": phase}
        for c, s, t, x, b, phase in rows
    ]
    return {
        "about": "HPKE base mode (KEM 0x647a, KDF 0x0001, AEAD 0x0003), info = tag prefix || context, "
        "no aad; box = enc (1120) || ciphertext",
        "cases": good + bad,
    }


def cae_document() -> Document:
    """Return the vectors of the committing encryption."""
    salt, context, text = b"\xc3" * 32, pattern(96), b"an entry, padded elsewhere"
    box = cae(KEY, salt, "entry", context, text)
    twisted = cae(OTHER_KEY, salt, "entry", context, text)
    rows: list[tuple[str, str, bytes, bytes, bytes | str]] = [
        ("an entry", "entry", context, box, text),
        ("nothing in no context", "ring", b"", cae(KEY, salt, "ring", b"", b""), b""),
        ("more than one block", "draft", b"x", cae(KEY, salt, "draft", b"x", pattern(1000)), pattern(1000)),
        ("empty", "entry", context, b"", "length"),
        ("shorter than the overhead", "entry", context, box[:79], "length"),
        ("another tag", "ring", context, box, "commitment"),
        ("another context", "entry", flip(context, 0), box, "commitment"),
        ("encrypted under another key", "entry", context, twisted, "commitment"),
        (
            "another key's ciphertext behind this key's commitment",
            "entry",
            context,
            box[:64] + twisted[64:],
            "tag",
        ),
        (
            "another key's commitment before this ciphertext",
            "entry",
            context,
            twisted[:64] + box[64:],
            "commitment",
        ),
        ("one bit of the salt", "entry", context, flip(box, 0), "commitment"),
        ("one bit of the commitment", "entry", context, flip(box, 63), "commitment"),
        ("one bit of the ciphertext", "entry", context, flip(box, 64), "tag"),
        ("one bit of the tag", "entry", context, flip(box, -1), "tag"),
        ("cut by one byte", "entry", context, box[:-1], "tag"),
    ]
    cases: list[Case] = []
    for comment, tag, ctx, data, outcome in rows:
        case: Case = {
            "comment": comment,
            "key": KEY.hex(),
            "tag": tag,
            "context": ctx.hex(),
            "box": data.hex(),
        }
        cases.append(
            case | ({"fails_at": outcome} if isinstance(outcome, str) else {"plaintext": outcome.hex()})
        )
    return {
        "about": "key || commitment = HKDF-SHA256(key, salt, tag prefix || context, 64); "
        "box = salt || commitment || ChaCha20-Poly1305(key, 12 zero bytes, plaintext)",
        "cases": cases,
    }


def stream_document() -> Document:
    """Return the vectors of attachments; large plaintexts are the pattern ``byte i = i mod 251``."""
    salt, mailbox, blob = b"\x3c" * 32, pattern(16), pattern(32)[16:]
    both = hkdf(KEY, salt, prefix("stream") + mailbox + blob, 64)
    plain = [
        (0, False, CHUNK),
        (1, False, CHUNK),
        (2, True, 100),
        (0, True, 0),
        (0, True, CHUNK),
        (2**32 - 1, True, 1),
    ]
    sealed = {row: chunk(both[:32], row[0], last=row[1], plaintext=pattern(row[2])) for row in plain}
    good: list[Case] = [
        {
            "comment": f"chunk {index}, {size} bytes, {'the last' if last else 'not the last'}",
            "sealed_as": {"index": index, "last": last, "plaintext_size": size},
            "sealed_sha256": hashlib.sha256(data).hexdigest(),
            "leaf": sha256("leaf", index.to_bytes(8, "big") + data).hex(),
        }
        for (index, last, size), data in sealed.items()
    ]
    good[2]["sealed"] = sealed[plain[2]].hex()
    rows = [
        ("cut at a chunk border: a middle chunk taken for the last", plain[1], (1, True), None, "tag"),
        ("chunks after the last: the last taken for a middle one", plain[4], (0, False), None, "tag"),
        ("two chunks swapped", plain[1], (0, False), None, "tag"),
        ("a chunk repeated", plain[0], (1, False), None, "tag"),
        ("a short chunk in the middle", plain[2], (2, False), None, "length"),
        ("one bit changed", plain[2], (2, True), flip(sealed[plain[2]], 7), "tag"),
        ("cut inside the last chunk", plain[2], (2, True), sealed[plain[2]][:-1], "tag"),
        ("an empty last chunk after others", plain[3], (1, True), None, "length"),
        ("less than a tag", plain[3], (0, True), b"\0" * 15, "length"),
        ("a counter that does not fit", plain[5], (2**32, True), None, "length"),
    ]
    bad: list[Case] = []
    for comment, (index, last, size), (open_index, open_last), data, phase in rows:
        case: Case = {"comment": comment, "sealed_as": {"index": index, "last": last, "plaintext_size": size}}
        changed = {} if data is None else {"sealed": data.hex()}
        bad.append(case | changed | {"open_as": {"index": open_index, "last": open_last}, "fails_at": phase})
    leaves = [bytes.fromhex(case["leaf"]) for case in good[:3]]
    size = 2 * CHUNK + 100
    root = sha256("leaf-root", (3).to_bytes(8, "big") + size.to_bytes(8, "big") + b"".join(leaves))
    return {
        "about": "key || commitment = HKDF-SHA256(file key, salt, tag prefix || mailbox id || blob id, 64); "
        "chunk = AES-256-GCM(key, 7 zero bytes || u32 index || last flag, plaintext); plaintext byte i = "
        "i mod 251; leaf and root are tagged hashes over u64 index || chunk and u64 number || u64 size || "
        "leaves",
        "key": {
            "file_key": KEY.hex(),
            "salt": salt.hex(),
            "mailbox_id": mailbox.hex(),
            "blob_id": blob.hex(),
            "commitment": both[32:].hex(),
        },
        "cases": good + bad,
        "keys_refused": [
            {
                "comment": "one bit of the commitment",
                "changed": "commitment",
                "to": flip(both[32:], 0).hex(),
                "fails_at": "commitment",
            },
            {
                "comment": "the blob of another name",
                "changed": "blob_id",
                "to": mailbox.hex(),
                "fails_at": "commitment",
            },
            {
                "comment": "the blob of another mailbox",
                "changed": "mailbox_id",
                "to": blob.hex(),
                "fails_at": "commitment",
            },
            {
                "comment": "another file key",
                "changed": "file_key",
                "to": OTHER_KEY.hex(),
                "fails_at": "commitment",
            },
            {"comment": "another salt", "changed": "salt", "to": bytes(32).hex(), "fails_at": "commitment"},
        ],
        "root": {"size": size, "leaves": [leaf.hex() for leaf in leaves], "root": root.hex()},
    }


def documents() -> dict[str, str]:
    """Return the text of every generated file by its name."""
    made = {
        "digest": digest_document(),
        "derive": derive_document(),
        "pad": pad_document(),
        "sign": sign_document(),
        "kem": kem_document(),
        "seal": seal_document(),
        "cae": cae_document(),
        "stream": stream_document(),
    }
    return {f"{name}.json": json.dumps(document, indent=1) + "\n" for name, document in made.items()}


if __name__ == "__main__":
    for file_name, content in documents().items():
        (FOLDER / file_name).write_text(content)
