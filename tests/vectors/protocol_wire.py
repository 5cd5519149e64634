"""Protocol vectors of what a relay sees: codec, mailboxes, receipts, requests, admission."""

from __future__ import annotations

import base64
from typing import Any

from vectors.generate_crypto import flip, padme, pattern, sha256
from vectors.protocol_by_hand import (
    NONE,
    RELAY,
    RELAY_ID,
    TIME,
    Case,
    Document,
    b64,
    digest_header,
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
    zero_bits,
)


def told(value: Any) -> Any:
    """Return a value in a form that JSON can hold."""
    if isinstance(value, int):
        return {"uint": str(value)}
    if isinstance(value, bytes):
        return {"bin": value.hex()}
    if isinstance(value, str):
        return {"text": value}
    return {"array": [told(item) for item in value]}


def nested(depth: int) -> Any:
    """Return a zero in arrays in arrays."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def codec_document() -> Document:
    """Return the vectors of strict MessagePack (section 2.2)."""
    good: list[tuple[str, Any]] = [
        ("zero", 0),
        ("the largest one-byte integer", 127),
        ("two bytes", 128),
        ("three bytes", 256),
        ("five bytes", 65_536),
        ("nine bytes", 2**32),
        ("the largest integer", 2**53 - 1),
        ("no bytes", b""),
        ("255 bytes", pattern(255)),
        ("256 bytes", pattern(256)),
        ("no text", ""),
        ("ASCII", "hello"),
        ("text of 31 bytes", "x" * 31),
        ("text of 32 bytes", "x" * 32),
        ("NFC", "\u00e9"),
        ("outside the BMP", "\U0001f600"),
        ("no items", []),
        ("fifteen items", [0] * 15),
        ("sixteen items", [0] * 16),
        ("a mixture", [1, [b"x", "y"], []]),
        ("six levels", nested(6)),
    ]
    bad = [
        ("nothing", b"", "msgpack"),
        ("two values", b"\x01\x02", "msgpack"),
        ("cut", b"\x92\x01", "msgpack"),
        ("the byte that means nothing", b"\xc1", "msgpack"),
        ("an empty map", b"\x80", "value"),
        ("a map", b"\x81\x01\x01", "msgpack"),
        ("an extension", b"\xd4\x05a", "msgpack"),
        ("a timestamp", b"\xd6\xff\0\0\0\0", "msgpack"),
        ("text that is not UTF-8", b"\xa1\xff", "msgpack"),
        ("text with half a surrogate pair", b"\xa3\xed\xa0\x80", "msgpack"),
        ("an array of 2**32 - 1", b"\xdd\xff\xff\xff\xff", "msgpack"),
        ("4097 items", pack([0] * 4097), "msgpack"),
        ("an integer in two bytes instead of one", b"\xcc\x01", "canonical"),
        ("an integer in three bytes instead of two", b"\xcd\x00\x80", "canonical"),
        ("an integer in nine bytes instead of five", b"\xcf\0\0\0\0\xff\xff\xff\xff", "canonical"),
        ("bytes with a long length", b"\xc5\x00\x01a", "canonical"),
        ("text with a long length", b"\xd9\x01a", "canonical"),
        ("an array with a long length", b"\xdc\x00\x01\x01", "canonical"),
        ("true", b"\xc3", "value"),
        ("false", b"\xc2", "value"),
        ("nil", b"\xc0", "value"),
        ("minus one", b"\xff", "value"),
        ("a float", pack(1.5), "value"),
        ("a float that is a whole number", pack(1.0), "value"),
        ("not a number", b"\xcb\x7f\xf8\0\0\0\0\0\0", "value"),
        ("2**53", pack(2**53), "value"),
        ("text that is not NFC", pack("e\u0301"), "value"),
        ("seven levels", pack(nested(7)), "value"),
        ("a float deep inside", pack([[[1.5]]]), "value"),
    ]
    return {
        "about": "strict MessagePack; a value is {uint: decimal}, {bin: hex}, {text} or {array}; code is malformed, "
        "and fails_at is msgpack (not decodable here), canonical (another spelling) or value (not of the profile)",
        "cases": [{"comment": c, "bytes": pack(v).hex(), "value": told(v)} for c, v in good]
        + [{"comment": c, "bytes": b.hex(), "code": "malformed", "fails_at": phase} for c, b, phase in bad],
    }


def plain_entry(**changes: Any) -> list[Any]:
    """Return the fields of an entry that is well formed outside."""
    fields = {
        "version": 1,
        "suite": 1,
        "gen": 0,
        "direction": 0,
        "boxes": [[0, 0, b"t"], [1, 0, b"u"]],
        "ct": pattern(592),
    }
    return list((fields | changes).values())


def mailbox_document() -> Document:
    """Return the vectors of ids, chains, entries and receipts (sections 3.1, 3.4)."""
    creation = public_of(seed_of("creation"))
    mailbox = mailbox_of(creation)
    entries = [pack(plain_entry()), pack(plain_entry(boxes=[])), pack(plain_entry(direction=1, boxes=[]))]
    chain: list[Case] = []
    prev = first_hash(mailbox)
    for seq, entry in enumerate(entries):
        prev = entry_hash(mailbox, seq, prev, entry)
        chain.append({"seq": seq, "entry": entry.hex(), "hash": prev.hex()})
    return {
        "about": "id = H(mailbox, creation key)[:16]; first = H(first, id); hash = H(entry-hash, id || u64 seq || "
        "previous || entry)",
        "creation_key": creation.hex(),
        "mailbox_id": mailbox.hex(),
        "first": first_hash(mailbox).hex(),
        "chain": chain,
        "cases": entry_cases(),
    }


def entry_cases() -> list[Case]:
    """Return entries that a relay stores or refuses by what it sees."""
    team, user = [0, 0, b"t"], [1, 0, b"u"]
    good: list[tuple[str, dict[str, Any]]] = [
        ("boxes for both", {}),
        ("no boxes", {"boxes": []}),
        ("a box for the team", {"boxes": [team], "direction": 2}),
        ("the largest ciphertext of the smallest class", {"ct": pattern(16_384 + 80)}),
        ("a Padmé size", {"ct": pattern(padme(20_000) + 80)}),
    ]
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("version 0", {"version": 0}, "update_needed"),
        ("version 2", {"version": 2}, "update_needed"),
        ("suite 2", {"suite": 2}, "update_needed"),
        ("direction 3", {"direction": 3}, "update_needed"),
        ("a third recipient", {"boxes": [[2, 0, b""]]}, "update_needed"),
        ("a box for the user alone", {"boxes": [user]}, "malformed"),
        ("the user first", {"boxes": [user, team]}, "malformed"),
        ("two boxes for the team", {"boxes": [team, team]}, "malformed"),
        ("three boxes", {"boxes": [team, user, user]}, "malformed"),
        ("a box that is too large", {"boxes": [[0, 0, pattern(1281)]]}, "malformed"),
        ("a ciphertext of another size", {"ct": pattern(600)}, "malformed"),
        ("no ciphertext", {"ct": b""}, "malformed"),
        ("a size between two Padmé sizes", {"ct": pattern(20_001 + 80)}, "malformed"),
        ("bytes for a number", {"gen": b""}, "malformed"),
    ]
    cases: list[Case] = [{"comment": c, "entry": pack(plain_entry(**change)).hex()} for c, change in good]
    cases += [
        {"comment": c, "entry": pack(plain_entry(**change)).hex(), "code": code} for c, change, code in bad
    ]
    short = pack(plain_entry()[:-1])
    return [*cases, {"comment": "a field less", "entry": short.hex(), "code": "malformed"}]


def receipt_document() -> Document:
    """Return the vectors of receipts for groups of one, two and five, and of false ones (section 3.4)."""
    mailbox = mailbox_of(public_of(seed_of("creation")))
    groups: list[Case] = []
    for size in (1, 2, 5):
        rows = [(mailbox, seq, sha256("entry-hash", u64(seq)), TIME + seq) for seq in range(size)]
        made = receipts([leaf(*row) for row in rows])
        groups += [
            {
                "comment": f"{row[1] + 1} of {size}",
                "seq": row[1],
                "hash": row[2].hex(),
                "time": row[3],
                "receipt": receipt.hex(),
            }
            for row, receipt in zip(rows, made, strict=True)
        ]
    return {
        "about": "leaf = H(receipt-leaf, leaf bytes), node = H(receipt-node, left || right), a node without sibling "
        "moves up; signature = Sign(relay key, receipt, root); code is what verifying as this seq and hash says",
        "relay_key": public_of(RELAY).hex(),
        "relay_key_id": RELAY_ID.hex(),
        "mailbox_id": mailbox.hex(),
        "cases": [*groups, *false_receipts(mailbox)],
    }


def false_receipts(mailbox: bytes) -> list[Case]:
    """Return receipts that confirm nothing."""
    hashed = sha256("entry-hash", u64(1))
    one, two = receipts([leaf(mailbox, seq, sha256("entry-hash", u64(seq)), TIME) for seq in range(2)])
    fields = unpack(two)
    rows = [
        ("for another place", one, "bad_receipt"),
        ("for another entry", receipts([leaf(mailbox, 1, NONE, TIME)])[0], "bad_receipt"),
        ("for another mailbox", receipts([leaf(bytes(16), 1, hashed, TIME)])[0], "bad_receipt"),
        ("under a key that is not listed", pack([[*fields[0][:4], bytes(16)], *fields[1:]]), "bad_receipt"),
        (
            "signed by another key",
            receipts([leaf(mailbox, 1, hashed, TIME)], key=seed_of("other relay"))[0],
            "bad_signature",
        ),
        ("another time", pack([[*fields[0][:3], TIME + 1, RELAY_ID], *fields[1:]]), "bad_signature"),
        (
            "the sibling on the other side",
            pack([fields[0], [[1, fields[1][0][1]]], fields[2]]),
            "bad_signature",
        ),
        ("without its path", pack([fields[0], [], fields[2]]), "bad_signature"),
        ("a path one step too long", pack([fields[0], fields[1] * 2, fields[2]]), "bad_signature"),
        ("one bit of the signature", flip(two, -1), "bad_signature"),
        ("a path of seventeen steps", pack([fields[0], fields[1] * 17, fields[2]]), "malformed"),
        ("cut", two[:-1], "malformed"),
        ("nothing", b"", "malformed"),
    ]
    return [
        {"comment": c, "seq": 1, "hash": hashed.hex(), "receipt": receipt.hex(), "code": code}
        for c, receipt, code in rows
    ]


def request_of(method: str, path: str, query: str, body: bytes, **changes: Any) -> Case:
    """Return a signed request with its headers (section 8.1)."""
    given: dict[str, Any] = {
        "created": TIME,
        "life": 60,
        "nonce": pattern(16),
        "authority": "relay.example:8443",
    } | changes
    key = seed_of("capability")
    components = '("@method" "@authority" "@path" "@query" "content-digest")'
    parameters = (
        f"{components};created={given['created']};expires={given['created'] + given['life']}"
        f';nonce="{b64(given["nonce"])}"'
        f';keyid="{b64(public_of(key))}";alg="ed25519"'
    )
    digest = digest_header(body)
    base = (
        f'"@method": {method}\n"@authority": {given["authority"]}\n"@path": {path}\n"@query": ?{query}\n'
        f'"content-digest": {digest}\n"@signature-params": {parameters}'
    )
    made = base64.b64encode(signature(key, "request", base.encode())).decode()
    return {
        "method": method,
        "authority": given["authority"],
        "path": path,
        "query": query,
        "body": body.hex(),
        "headers": {
            "content-digest": digest,
            "signature-input": f"e2es={parameters}",
            "signature": f"e2es=:{made}:",
        },
    }


def request_document() -> Document:
    """Return the vectors of signed requests, headers verbatim (section 8.1)."""
    read = request_of("GET", "/v1/mailboxes/AAAAAAAAAAAAAAAAAAAAAA/entries", "from=7", b"")
    write = request_of("POST", "/v1/mailboxes/AAAAAAAAAAAAAAAAAAAAAA/entries", "", b"an entry")
    bare = request_of("PUT", "/v1/teams", "", b"", authority="relay.example")
    good = [("a read", read), ("a write", write), ("no port, no query, no body", bare)]
    headers = read["headers"]
    given = headers["signature-input"]

    def with_header(name: str, value: str) -> Case:
        return read | {"headers": headers | {name: value}}

    bad = [
        ("another method", read | {"method": "PUT"}),
        ("another authority", read | {"authority": "relay.example"}),
        ("another path", read | {"path": read["path"] + "/"}),
        ("another query", read | {"query": "from=8"}),
        ("an encoded query", read | {"query": "from=%37"}),
        ("no query", read | {"query": ""}),
        ("another body's digest", with_header("content-digest", digest_header(b"x"))),
        ("another label", with_header("signature-input", given.replace("e2es=", "sig=", 1))),
        ("an extra space", with_header("signature-input", given.replace(";created", "; created", 1))),
        ("a component less", with_header("signature-input", given.replace(' "@query"', "", 1))),
        ("another algorithm", with_header("signature-input", given.replace("ed25519", "ed448"))),
        (
            "a later expiry than was signed",
            with_header("signature-input", given.replace(f"={TIME + 60}", f"={TIME + 61}")),
        ),
        ("base64 with padding", with_header("signature-input", given.replace('";alg', '=";alg'))),
        (
            "one bit of the signature",
            with_header("signature", "e2es=:" + flip(headers["signature"][6:].encode(), 3, 2).decode()),
        ),
        (
            "a header less",
            read | {"headers": {name: value for name, value in headers.items() if name != "signature"}},
        ),
    ]
    times = [
        ("now", TIME, ""),
        ("in its last second", TIME + 60, ""),
        ("30 seconds from the future", TIME - 30, ""),
        ("a second over", TIME + 61, "request_expired"),
        ("31 seconds from the future", TIME - 31, "request_expired"),
    ]
    return {
        "about": "RFC 9421 profile; tagged Ed25519 over the signature base; code is bad_signature for everything that "
        "is not one valid signature in its only spelling; times: what a relay says of the first case at a clock",
        "capability": {"seed": seed_of("capability").hex(), "public": public_of(seed_of("capability")).hex()},
        "created": TIME,
        "nonce": pattern(16).hex(),
        "cases": [{"comment": c, **case} for c, case in good]
        + [{"comment": c, **case, "code": "bad_signature"} for c, case in bad],
        "times": [
            {"comment": c, "clock": clock} | ({"code": code} if code else {}) for c, clock, code in times
        ],
    }


def admission_document() -> Document:
    """Return the vectors of admission (section 7)."""
    team, mailbox, day = seed_of("a team"), mailbox_of(public_of(seed_of("creation"))), 20_833
    admit = sha256("admit", team + u64(day) + mailbox)
    capability = seed_of("epoch capability")

    def work(bits: int) -> bytes:
        return next(u64(n) for n in range(2**32) if zero_bits(sha256("admit-work", admit + u64(n))) >= bits)

    twelve = work(12)
    others = {
        "another team": sha256("admit", NONE + u64(day) + mailbox),
        "another day": sha256("admit", team + u64(day + 1) + mailbox),
        "another mailbox": sha256("admit", team + u64(day) + bytes(16)),
    }
    proof = signature(capability, "admit-team", admit)
    cases: list[Case] = [
        {
            "comment": f"work of {bits} bits",
            "mode": "open",
            "admit": admit.hex(),
            "bits": bits,
            "proof": work(bits).hex(),
            "admits": True,
        }
        for bits in (0, 1, 8, 12)
    ]
    cases += [
        {
            "comment": "work of a bit too few",
            "mode": "open",
            "admit": admit.hex(),
            "bits": 1 + zero_bits(sha256("admit-work", admit + twelve)),
            "proof": twelve.hex(),
            "admits": False,
        },
        {
            "comment": "work in nine bytes",
            "mode": "open",
            "admit": admit.hex(),
            "bits": 0,
            "proof": bytes(9).hex(),
            "admits": False,
        },
        {"comment": "the team", "mode": "team", "admit": admit.hex(), "proof": proof.hex(), "admits": True},
        {
            "comment": "another signature of the team",
            "mode": "team",
            "admit": admit.hex(),
            "proof": signature(capability, "request", admit).hex(),
            "admits": False,
        },
    ]
    for name, other in others.items():
        cases.append(
            {
                "comment": f"work for {name}",
                "mode": "open",
                "admit": other.hex(),
                "bits": 12,
                "proof": twelve.hex(),
                "admits": False,
            }
        )
        cases.append(
            {
                "comment": f"the team for {name}",
                "mode": "team",
                "admit": other.hex(),
                "proof": proof.hex(),
                "admits": False,
            }
        )
    return {
        "about": "a = H(admit, team_id || u64 day || mailbox_id); open: H(admit-work, a || proof) has the zero bits; "
        "team: Sign(epoch capability, admit-team, a). The work is the first proof, counting from zero",
        "team_id": team.hex(),
        "day": day,
        "mailbox_id": mailbox.hex(),
        "admit": admit.hex(),
        "capability": public_of(capability).hex(),
        "cases": cases,
    }
