"""The committed vectors: data that any language can run, checked here against this implementation."""

import hashlib
import json
from typing import Any

import pytest

from e2e_support.crypto.cae import decrypt, encrypt, try_decrypt
from e2e_support.crypto.hash import derive, derive_salted, digest, leading_zero_bits, u64
from e2e_support.crypto.kem import KemPrivate, KemPublic
from e2e_support.crypto.pad import pad, padded_size, padme, unpad
from e2e_support.crypto.seal import seal, try_unseal
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey, check_public, verify
from e2e_support.crypto.stream import StreamKey, leaf_hash, root_hash
from e2e_support.crypto.suite import Phase
from e2e_support.errors import PeerError
from e2e_support.ids import BlobId, Hash, MailboxId
from e2e_support.tags import Tag
from vectors import hpke_by_hand
from vectors.generate_crypto import FOLDER, documents, pattern

Case = dict[str, Any]


def document(name: str) -> dict[str, Any]:
    """Return a committed vector file."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def cases(name: str) -> list[Case]:
    """Return the cases of a vector file."""
    found: list[Case] = document(name)["cases"]
    return found


def comment_of(case: Case) -> str:
    """Return a case's comment, which names its test."""
    comment: str = case["comment"]
    return comment


def raw(case: Case, field: str) -> bytes:
    """Return the bytes that a field gives in hex."""
    return bytes.fromhex(case[field])


def test_the_committed_vectors_are_the_ones_that_the_generator_makes() -> None:
    """No vector was edited by hand, none is missing and none is left over."""
    committed = {path.name: path.read_text() for path in FOLDER.iterdir() if path.name != "frozen.json"}
    assert committed == documents()


@pytest.mark.parametrize("name", ["digest", "derive", "pad", "sign", "kem", "seal", "cae", "stream"])
def test_every_case_says_why_it_is_there(name: str) -> None:
    """Each case has a comment of its own, and its tag is in the table."""
    comments = [comment_of(case) for case in cases(name)]
    assert all(comments)
    assert len(set(comments)) == len(comments)
    assert all(Tag(case["tag"]) for case in cases(name) if "tag" in case)


@pytest.mark.parametrize("case", cases("digest"), ids=comment_of)
def test_digest(case: Case) -> None:
    """Tagged hashes have the committed values."""
    assert digest(Tag(case["tag"]), raw(case, "data")) == raw(case, "hash")


def test_digest_helpers() -> None:
    """Integers in hash contexts and leading zero bits have the committed values."""
    assert [u64(int(row["number"])).hex() for row in document("digest")["u64"]] == [
        row["bytes"] for row in document("digest")["u64"]
    ]
    for row in document("digest")["leading_zero_bits"]:
        assert leading_zero_bits(raw(row, "data")) == row["bits"]


@pytest.mark.parametrize("case", cases("derive"), ids=comment_of)
def test_derive(case: Case) -> None:
    """Derived keys have the committed values."""
    secret, tag, context, expected = (
        Secret(raw(case, "secret")),
        Tag(case["tag"]),
        raw(case, "context"),
        raw(case, "derived"),
    )
    if case["salt"] is None:
        derived = derive(secret, tag, context, size=len(expected))
    else:
        derived = derive_salted(secret, raw(case, "salt"), tag, context, size=len(expected))
    assert derived.reveal(SECRET_ACCESS) == expected


@pytest.mark.parametrize("case", cases("pad"), ids=comment_of)
def test_pad(case: Case) -> None:
    """Padding has the committed form; anything else fails where the vector says."""
    if "fails_at" in case:
        reason = {"size": "size does not fit", "fill": "fill is not zero"}[case["fails_at"]]
        with pytest.raises(PeerError, match=reason) as caught:
            unpad(raw(case, "padded"))
        assert caught.value.code == "malformed"
        return
    data = pattern(case["data_size"])
    padded = pad(data)
    assert len(padded) == padded_size(len(data)) == case["padded_size"]
    assert hashlib.sha256(padded).hexdigest() == case["padded_sha256"]
    assert unpad(padded) == data


def test_padme() -> None:
    """Padmé sizes are those of the paper's algorithm."""
    rows = document("pad")["padme"]
    assert [padme(row["size"]) for row in rows] == [row["padme"] for row in rows]


@pytest.mark.parametrize("case", cases("sign"), ids=comment_of)
def test_sign(case: Case) -> None:
    """Signatures are accepted and refused as committed; a bad key is refused as a key."""
    public, signature, tag, message = (
        raw(case, "public"),
        raw(case, "signature"),
        Tag(case["tag"]),
        raw(case, "message"),
    )
    assert verify(public, signature, tag, message) is ("fails_at" not in case)
    if case.get("fails_at") == "public_key":
        with pytest.raises(PeerError) as caught:
            check_public(public)
        assert caught.value.code == "bad_key"
    else:
        check_public(public)


def test_sign_again() -> None:
    """Ed25519 is deterministic: the good signatures come out again."""
    keys = {row["public"]: SigningKey(Secret(raw(row, "seed"))) for row in document("sign")["keys"]}
    assert all(key.public.hex() == public for public, key in keys.items())
    for case in cases("sign"):
        if "valid" in case:
            signature = keys[case["public"]].sign(Tag(case["tag"]), raw(case, "message"))
            assert signature == raw(case, "signature")


@pytest.mark.parametrize("case", cases("kem"), ids=comment_of)
def test_kem(case: Case) -> None:
    """Seeds give the committed keys; a bad key has exactly the bad half that the vector names."""
    public = raw(case, "public")
    if "fails_at" not in case:
        assert KemPrivate(Secret(raw(case, "seed"))).public == KemPublic(public).data == public
        return
    with pytest.raises(PeerError) as caught:
        KemPublic(public)
    assert caught.value.code == "bad_key"
    good = KemPrivate(Secret(bytes(range(32)))).public
    mended = {"length": good, "ml-kem": good[:1184] + public[1184:], "x25519": public[:1184] + good[1184:]}
    KemPublic(mended[case["fails_at"]])


@pytest.mark.parametrize("row", document("kem")["accepted"], ids=comment_of)
def test_kem_accepted(row: Case) -> None:
    """Keys just inside the rules are accepted as they are, so that all implementations draw one line."""
    assert KemPublic(raw(row, "public")).data == raw(row, "public")


def test_kem_shared_secret_of_the_draft() -> None:
    """The hand-written decapsulation gives the shared secret that the X-Wing draft publishes."""
    published = cases("kem")[0]
    shared = hpke_by_hand.decapsulate(raw(published, "seed"), raw(published, "ciphertext"))
    assert shared == raw(published, "shared_secret")


@pytest.mark.parametrize("case", cases("seal"), ids=comment_of)
def test_seal(case: Case) -> None:
    """Boxes open, or fail at the committed phase."""
    key = KemPrivate(Secret(raw(case, "seed")))
    opened = try_unseal(key, Tag(case["tag"]), raw(case, "context"), raw(case, "box"))
    if "fails_at" in case:
        assert opened is Phase(case["fails_at"])
    else:
        assert opened == Secret(raw(case, "plaintext"))


@pytest.mark.parametrize("tag", [Tag.TICKET_KEY, Tag.EPOCH_BOX, Tag.TICKET_KEY_USER])
def test_seal_by_hand(tag: Tag) -> None:
    """A receiver written from RFC 9180 alone opens what the library seals today."""
    seed, context, secret = bytes(range(32)), pattern(90), pattern(32)
    box = seal(KemPublic(KemPrivate(Secret(seed)).public), tag, context, secret)
    assert hpke_by_hand.open_box(seed, tag.prefix() + context, box) == secret


@pytest.mark.parametrize("case", [case for case in cases("seal") if "plaintext" in case], ids=comment_of)
def test_committed_boxes_by_hand(case: Case) -> None:
    """The same receiver opens the committed boxes."""
    info = Tag(case["tag"]).prefix() + raw(case, "context")
    assert hpke_by_hand.open_box(raw(case, "seed"), info, raw(case, "box")) == raw(case, "plaintext")


@pytest.mark.parametrize("case", cases("cae"), ids=comment_of)
def test_cae(case: Case) -> None:
    """Boxes open and are made again byte for byte, or fail at the committed phase."""
    key, tag, context, box = (
        Secret(raw(case, "key")),
        Tag(case["tag"]),
        raw(case, "context"),
        raw(case, "box"),
    )
    if "fails_at" in case:
        assert try_decrypt(key, tag, context, box) is Phase(case["fails_at"])
        return
    plaintext = raw(case, "plaintext")
    assert decrypt(key, tag, context, box) == plaintext
    assert encrypt(key, tag, context, plaintext, lambda _: box[:32]) == box


def stream_key(**changed: str) -> StreamKey:
    """Return the key of the stream vectors, with some of its inputs changed."""
    given = document("stream")["key"] | changed
    return StreamKey.checked(
        Secret(raw(given, "file_key")),
        raw(given, "salt"),
        MailboxId(raw(given, "mailbox_id")),
        BlobId(raw(given, "blob_id")),
        raw(given, "commitment"),
    )


@pytest.mark.parametrize("case", cases("stream"), ids=comment_of)
def test_stream(case: Case) -> None:
    """Chunks are sealed as committed and open at their place; elsewhere they fail at the committed phase."""
    key, made = stream_key(), case["sealed_as"]
    plaintext = pattern(made["plaintext_size"])
    sealed = key.seal_chunk(made["index"], plaintext, last=made["last"])
    if "fails_at" in case:
        sealed = bytes.fromhex(case.get("sealed", sealed.hex()))
        place = case["open_as"]
        assert key.try_open_chunk(place["index"], sealed, last=place["last"]) is Phase(case["fails_at"])
        return
    assert hashlib.sha256(sealed).hexdigest() == case["sealed_sha256"]
    assert sealed.hex() == case.get("sealed", sealed.hex())
    assert leaf_hash(made["index"], sealed) == raw(case, "leaf")
    assert key.open_chunk(made["index"], sealed, last=made["last"]) == plaintext


@pytest.mark.parametrize("row", document("stream")["keys_refused"], ids=comment_of)
def test_stream_keys_refused(row: Case) -> None:
    """A key whose inputs were changed does not fit the commitment."""
    with pytest.raises(PeerError) as caught:
        stream_key(**{row["changed"]: row["to"]})
    assert caught.value.code == "cannot_open"


def test_stream_root() -> None:
    """The root over the leaves has the committed value."""
    root = document("stream")["root"]
    leaves = tuple(Hash(bytes.fromhex(leaf)) for leaf in root["leaves"])
    assert root_hash(root["size"], leaves) == raw(root, "root")
