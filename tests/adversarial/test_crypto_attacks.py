"""Attacks on the cryptography itself, by their numbers in the threat model.

Where it is feasible the attack is carried out first, against the bare library, and then shown to fail here.
"""

import hashlib
import itertools
from collections.abc import Callable

import nacl.bindings
import nacl.exceptions
import pytest
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from e2e_support.crypto import cae, kem, seal, sign, stream, suite
from e2e_support.crypto import hash as tagged
from e2e_support.crypto.secret import SECRET_ACCESS, Secret, check_random
from e2e_support.errors import PeerError, SupportError, UsageError
from e2e_support.ids import BlobId, MailboxId
from e2e_support.tags import Tag

KEY = Secret(bytes(range(32)))
OTHER_KEY = Secret(bytes(range(32, 64)))
SIGNER = sign.SigningKey(KEY)
RECIPIENT = kem.KemPrivate(KEY)
FIELD = 2**255 - 19


def code_of(attempt: Callable[[], object]) -> str:
    """Return the code of the error that ends an attempt; any other exception is a failed test."""
    with pytest.raises(SupportError) as caught:
        attempt()
    return caught.value.code


# --- 11: a key under which everything is signed -----------------------------------------------------------

# Every encoding of a point whose order divides eight, canonical or not.
ORDER_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
OTHER_ORDER_EIGHT = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
SIGN_BIT = 1 << 255
SMALL_Y = [
    0,
    1,
    FIELD - 1,
    FIELD,
    FIELD + 1,
    int.from_bytes(ORDER_EIGHT, "little"),
    int.from_bytes(OTHER_ORDER_EIGHT, "little"),
]
SMALL_ORDER = [(y | bit).to_bytes(32, "little") for y, bit in itertools.product(SMALL_Y, (0, SIGN_BIT))]
IDENTITY = (1).to_bytes(32, "little")


def test_11_another_library_accepts_a_signature_that_anybody_can_make() -> None:
    """The reason for the rule: R = A = identity and S = 0 verify for any message elsewhere."""
    key = Ed25519PublicKey.from_public_bytes(IDENTITY)
    key.verify(IDENTITY + bytes(32), b"pay everything to the attacker")


@pytest.mark.parametrize("public", SMALL_ORDER, ids=bytes.hex)
def test_11_a_small_order_key_neither_enters_nor_verifies(public: bytes) -> None:
    """No point of small order is a key, whatever signature comes with it."""
    assert code_of(lambda: sign.check_public(public)) == "bad_key"
    for commitment in SMALL_ORDER:
        assert not sign.verify(public, commitment + bytes(32), Tag.LINK_SIGN, b"add my device")


def test_11_a_key_of_mixed_order_does_not_enter() -> None:
    """A good key plus a point of order eight is refused: libraries disagree about its signatures."""
    mixed = nacl.bindings.crypto_core_ed25519_add(SIGNER.public, ORDER_EIGHT)
    assert code_of(lambda: sign.check_public(mixed)) == "bad_key"
    assert not sign.verify(mixed, SIGNER.sign(Tag.LINK_SIGN, b"x"), Tag.LINK_SIGN, b"x")


def test_11_a_forgery_fails_at_require_signature_too() -> None:
    """The raising form says bad_signature for a key that is none."""
    forged = IDENTITY + bytes(32)
    assert code_of(lambda: sign.require_signature(IDENTITY, forged, Tag.ENTRY_SIGN, b"x")) == "bad_signature"


# --- 40: reply keys that break or open the box ------------------------------------------------------------

MLKEM, X25519 = RECIPIENT.public[:1184], RECIPIENT.public[1184:]
LOW_ORDER_U = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    FIELD - 1,
    FIELD,
    FIELD + 1,
]
BAD_KEM_KEYS = {
    "empty": b"",
    "one byte short": RECIPIENT.public[:-1],
    "all zero": bytes(1216),
    "ML-KEM vector zero": bytes(1152) + RECIPIENT.public[1152:],
    "ML-KEM half zero": bytes(1184) + X25519,
    "ML-KEM coefficients of 4095": b"\xff" * 1152 + RECIPIENT.public[1152:],
    "ML-KEM last coefficient is the modulus": MLKEM[:1149]
    + bytes.fromhex("0010d0")
    + RECIPIENT.public[1152:],
} | {
    f"X25519 low order {u % 1000} top bit {bit >> 255}": MLKEM + (u | bit).to_bytes(32, "little")
    for u, bit in itertools.product(LOW_ORDER_U, (0, SIGN_BIT))
}


@pytest.mark.parametrize("data", BAD_KEM_KEYS.values(), ids=BAD_KEM_KEYS.keys())
def test_40_a_bad_reply_key_is_refused_on_entry(data: bytes) -> None:
    """Nobody gets as far as sealing to it, so nobody crashes while replying or re-keying."""
    assert code_of(lambda: kem.KemPublic(data)) == "bad_key"


def test_40_a_zero_vector_would_let_anybody_read_the_post_quantum_half() -> None:
    """The reason for the rule: the library encapsulates to it, and v alone gives the shared secret."""
    public = bytes(1152) + b"\x01" * 32
    shared, ciphertext = MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    quarters = [quarter for byte in ciphertext[960:] for quarter in (byte & 15, byte >> 4)]
    message = sum((4 <= quarter < 12) << place for place, quarter in enumerate(quarters)).to_bytes(
        32, "little"
    )
    stolen = hashlib.sha3_512(message + hashlib.sha3_256(public).digest()).digest()[:32]
    assert stolen == shared


# --- 46: one ciphertext, two readings ---------------------------------------------------------------------

PRIME = 2**130 - 5
BLOCK_END = 2**128  # the bit that Poly1305 puts above each full block


def poly1305_key(key: bytes) -> tuple[int, int]:
    """Return r (clamped) and s of the message with the zero nonce (RFC 8439 section 2.6)."""
    block = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(32))
    r, s = int.from_bytes(block[:16], "little"), int.from_bytes(block[16:], "little")
    return r & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF, s


def colliding_ciphertext(one: bytes, other: bytes) -> bytes:
    """Return a ciphertext of 48 bytes and its tag that open under both keys with the zero nonce.

    With blocks a, b, c and the length block d, the tag is (a r^4 + b r^3 + c r^2 + d r mod p) + s mod 2^128.
    For a chosen tag and block a that is one linear equation in b and c per key; two keys give b and c.
    """
    lengths = (48 << 64) + BLOCK_END
    for attempt in range(1000):
        tag, first = attempt, attempt + BLOCK_END
        rows: list[tuple[int, int, int]] = []
        for r, s in (poly1305_key(one), poly1305_key(other)):
            rows.append((r**3, r**2, (tag - s) % 2**128 - first * r**4 - lengths * r))
        (b1, c1, t1), (b2, c2, t2) = rows
        inverse = pow(b1 * c2 - b2 * c1, -1, PRIME)
        blocks = [(t1 * c2 - t2 * c1) * inverse % PRIME, (b1 * t2 - b2 * t1) * inverse % PRIME]
        if all(BLOCK_END <= block < 2 * BLOCK_END for block in blocks):
            body = b"".join((block - BLOCK_END).to_bytes(16, "little") for block in (first, *blocks))
            return body + tag.to_bytes(16, "little")
    raise AssertionError("about one attempt in sixteen should fit")


def single_use(key: Secret, salt: bytes) -> tuple[bytes, bytes]:
    """Return the encryption key and the commitment that an entry under this salt has."""
    both = tagged.derive_salted(key, salt, Tag.ENTRY, b"ctx", size=64).reveal(SECRET_ACCESS)
    return both[:32], both[32:]


def test_46_one_ciphertext_that_opens_for_two_readers_fails_at_the_commitment() -> None:
    """An insider builds the collision; bare ChaCha20-Poly1305 reads it twice, an entry only under one key."""
    salt = bytes(32)
    (one, commitment), (other, other_commitment) = single_use(KEY, salt), single_use(OTHER_KEY, salt)
    twofold = colliding_ciphertext(one, other)
    read_by_one = ChaCha20Poly1305(one).decrypt(bytes(12), twofold, None)
    read_by_other = ChaCha20Poly1305(other).decrypt(bytes(12), twofold, None)
    assert read_by_one != read_by_other

    entry = salt + commitment + twofold
    assert cae.decrypt(KEY, Tag.ENTRY, b"ctx", entry) == read_by_one
    assert cae.try_decrypt(OTHER_KEY, Tag.ENTRY, b"ctx", entry) is suite.Phase.COMMITMENT
    entry = salt + other_commitment + twofold
    assert cae.try_decrypt(KEY, Tag.ENTRY, b"ctx", entry) is suite.Phase.COMMITMENT


def test_46_an_attachment_commits_to_its_key_too() -> None:
    """Under another file key the manifest's commitment does not fit, before any chunk is opened."""
    mailbox, blob, salt = MailboxId(bytes(16)), BlobId(bytes(16)), bytes(32)
    commitment = stream.StreamKey.derive(KEY, salt, mailbox, blob).commitment
    attempt = code_of(lambda: stream.StreamKey.checked(OTHER_KEY, salt, mailbox, blob, commitment))
    assert attempt == "cannot_open"


# --- 73: a broken random source ---------------------------------------------------------------------------


def test_73_a_stuck_source_is_refused_at_the_start() -> None:
    """Programs do not start with a source that repeats itself."""
    assert code_of(lambda: check_random(bytes)) == "bad_random"


@pytest.mark.parametrize("surplus", [-32, -1, 1])
def test_73_a_source_of_wrong_length_makes_no_key_and_no_salt(surplus: int) -> None:
    """A short read never becomes a short key."""

    def source(size: int) -> bytes:
        return bytes(size + surplus)

    assert code_of(lambda: Secret.random(source)) == "bad_random"
    assert code_of(lambda: cae.encrypt(KEY, Tag.ENTRY, b"", b"x", source)) == "bad_random"


def test_73_even_then_two_contexts_share_no_key() -> None:
    """With one salt for ever, entries at different places are still encrypted under different keys."""
    zeros = bytes(64)
    boxes = [cae.encrypt(KEY, Tag.ENTRY, tagged.u64(seq), zeros, bytes) for seq in range(50)]
    boxes += [cae.encrypt(KEY, tag, tagged.u64(0), zeros, bytes) for tag in Tag if tag is not Tag.ENTRY]
    assert len({box[:32] for box in boxes}) == 1  # the salt
    assert len({box[32:64] for box in boxes}) == len(boxes)  # the commitment
    assert len({box[64:128] for box in boxes}) == len(boxes)  # the key stream


# --- 75: one signature, two meanings ----------------------------------------------------------------------


def test_75_the_tag_table_is_prefix_free() -> None:
    """No tagged input can be read as one of another tag, whatever data follows."""
    prefixes = [tag.prefix() for tag in Tag]
    clashes = [(a, b) for a, b in itertools.permutations(prefixes, 2) if b.startswith(a)]
    assert clashes == []
    assert all(tag.value.isascii() and "\0" not in tag.value for tag in Tag)


@pytest.mark.parametrize("tag", Tag)
def test_75_a_signature_is_refused_under_every_other_tag(tag: Tag) -> None:
    """The whole row of the matrix: only the diagonal verifies."""
    signature = SIGNER.sign(tag, b"the same bytes")
    accepted = [other for other in Tag if sign.verify(SIGNER.public, signature, other, b"the same bytes")]
    assert accepted == [tag]


@pytest.mark.parametrize("tag", Tag)
def test_75_a_box_is_refused_under_every_other_tag(tag: Tag) -> None:
    """What is encrypted for one purpose does not open for another."""
    box = cae.encrypt(KEY, tag, b"ctx", b"x", bytes)
    opened = [other for other in Tag if isinstance(cae.try_decrypt(KEY, other, b"ctx", box), bytes)]
    assert opened == [tag]


# --- 76: what libraries throw -----------------------------------------------------------------------------

SIGNATURE = SIGNER.sign(Tag.LINK_SIGN, b"x")
SEALED = seal.seal(kem.KemPublic(RECIPIENT.public), Tag.EPOCH_BOX, b"", b"x")
ENTRY = cae.encrypt(KEY, Tag.ENTRY, b"", b"x", bytes)
STREAM = stream.StreamKey.derive(KEY, bytes(32), MailboxId(bytes(16)), BlobId(bytes(16)))
CHUNK = STREAM.seal_chunk(0, b"x", last=True)


class Raiser:
    """Stands in for a library object: whatever method is called, it raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*args: object, **kwargs: object) -> object:
            raise self.error

        return fail

    def __call__(self, *args: object, **kwargs: object) -> "Raiser":
        return self


NACL = [
    nacl.exceptions.BadSignatureError("x"),
    nacl.exceptions.CryptoError("x"),
    nacl.exceptions.RuntimeError("x"),
    nacl.exceptions.ValueError("x"),
    nacl.exceptions.TypeError("x"),
    RuntimeError("x"),
    ValueError("x"),
    TypeError("x"),
]
OPENING = [InvalidTag(), ValueError("x"), OverflowError("x"), UnicodeDecodeError("utf-8", b"x", 0, 1, "x")]
PARSING = [ValueError("x"), TypeError("x"), UnsupportedAlgorithm("x")]


def name_of(error: BaseException) -> str:
    """Return the full name of an error's class, for test ids."""
    return f"{type(error).__module__}.{type(error).__name__}"


@pytest.mark.parametrize("error", NACL, ids=name_of)
def test_76_whatever_libsodium_throws_the_signature_is_bad(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verifying and checking keys end in their one error each."""
    monkeypatch.setattr(nacl.bindings, "crypto_sign_open", Raiser(error).fail)
    attempt = code_of(lambda: sign.require_signature(SIGNER.public, SIGNATURE, Tag.LINK_SIGN, b"x"))
    assert attempt == "bad_signature"
    monkeypatch.setattr(nacl.bindings, "crypto_core_ed25519_is_valid_point", Raiser(error).fail)
    unseen = hashlib.sha256(name_of(error).encode()).digest()  # the answer for a known key is cached
    assert code_of(lambda: sign.check_public(unseen)) == "bad_key"


@pytest.mark.parametrize("error", OPENING, ids=name_of)
def test_76_whatever_the_library_throws_the_box_does_not_open(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed boxes, entries and chunks end in one error without a cause to look into."""
    monkeypatch.setattr(seal, "_SUITE", Raiser(error))
    monkeypatch.setattr(cae, "ChaCha20Poly1305", Raiser(error))
    monkeypatch.setattr(STREAM, "_aead", Raiser(error))
    for attempt in (
        lambda: seal.unseal(RECIPIENT, Tag.EPOCH_BOX, b"", SEALED),
        lambda: cae.decrypt(KEY, Tag.ENTRY, b"", ENTRY),
        lambda: STREAM.open_chunk(0, CHUNK, last=True),
        lambda: STREAM.open_chunk_into(0, CHUNK, bytearray(1), last=True),
    ):
        with pytest.raises(PeerError) as caught:
            attempt()
        assert caught.value.code == "cannot_open"
        assert caught.value.__cause__ is None
        assert caught.value.args == suite.cannot_open().args


@pytest.mark.parametrize("error", PARSING, ids=name_of)
@pytest.mark.parametrize("half", ["MLKEM768PublicKey", "X25519PublicKey", "_PROBE"])
def test_76_whatever_the_library_throws_the_key_is_bad(
    error: Exception, half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsing either half and the probe exchange end in one error."""
    unseen = kem.KemPrivate(Secret.random(lambda size: hashlib.sha256(name_of(error).encode()).digest()))
    monkeypatch.setattr(kem, half, Raiser(error))
    assert code_of(lambda: kem.KemPublic(unseen.public)) == "bad_key"


def test_76_the_caller_is_blamed_for_what_the_caller_did() -> None:
    """A key of a wrong size is no peer's fault and is not hidden behind cannot_open."""
    with pytest.raises(UsageError):
        cae.decrypt(Secret(b""), Tag.ENTRY, b"", ENTRY)
