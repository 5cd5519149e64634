"""Signatures say what they are for, and keys that sign everything are no keys."""

import pickle

import nacl.bindings
import pytest
from nacl.exceptions import UnavailableError

from e2e_support.crypto import sign
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey, check_public, require_signature, verify
from e2e_support.errors import PeerError, UsageError
from e2e_support.tags import Tag

KEY = SigningKey(Secret(bytes(range(32))))
SIGNED = KEY.sign(Tag.LINK_SIGN, b"link", b"body")
ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = b"\x01" + bytes(31)


def test_a_signature_covers_prefix_and_parts() -> None:
    """The signed bytes are the tag's prefix and the joined parts, as plain Ed25519 sees them."""
    assert nacl.bindings.crypto_sign_open(SIGNED + b"e2es/v1/link-sign\0linkbody", KEY.public)
    assert verify(KEY.public, SIGNED, Tag.LINK_SIGN, b"linkbody")


def test_signing_is_deterministic() -> None:
    """The same key, tag and parts give the same 64 bytes."""
    assert KEY.sign(Tag.LINK_SIGN, b"link", b"body") == SIGNED
    assert len(SIGNED) == 64


def test_a_seed_of_another_size_is_refused() -> None:
    """A signing key is made of 32 bytes."""
    with pytest.raises(UsageError) as caught:
        SigningKey(Secret(bytes(31)))
    assert caught.value.code == "bad_key"


def test_a_signing_key_neither_prints_nor_pickles() -> None:
    """The private half does not leave by accident."""
    assert bytes(range(32)).hex() not in repr(KEY)
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


@pytest.mark.parametrize(
    ("public", "signature", "tag", "message"),
    [
        pytest.param(KEY.public, SIGNED, Tag.LINK, b"linkbody", id="another tag"),
        pytest.param(KEY.public, SIGNED, Tag.LINK_SIGN, b"linkbodx", id="another message"),
        pytest.param(
            SigningKey(Secret(bytes(32))).public, SIGNED, Tag.LINK_SIGN, b"linkbody", id="other key"
        ),
        pytest.param(KEY.public, SIGNED[:-1], Tag.LINK_SIGN, b"linkbody", id="short signature"),
        pytest.param(KEY.public, SIGNED + b"\0", Tag.LINK_SIGN, b"linkbody", id="long signature"),
        pytest.param(KEY.public, b"", Tag.LINK_SIGN, b"linkbody", id="no signature"),
        pytest.param(KEY.public[:-1], SIGNED, Tag.LINK_SIGN, b"linkbody", id="short key"),
        pytest.param(b"", SIGNED, Tag.LINK_SIGN, b"linkbody", id="no key"),
        pytest.param(IDENTITY, IDENTITY + bytes(32), Tag.LINK_SIGN, b"linkbody", id="identity signs all"),
    ],
)
def test_verify_is_false_for_anything_else(public: bytes, signature: bytes, tag: Tag, message: bytes) -> None:
    """Whatever a peer sends, the answer is no and not an exception."""
    assert verify(public, signature, tag, message) is False


def test_a_signature_cannot_be_varied() -> None:
    """S and S + L are not both accepted, so that a signed thing has one hash."""
    scalar = int.from_bytes(SIGNED[32:], "little") + ORDER
    varied = SIGNED[:32] + scalar.to_bytes(32, "little")
    assert not verify(KEY.public, varied, Tag.LINK_SIGN, b"linkbody")


def test_require_signature_raises_one_error() -> None:
    """A good signature passes in silence; a bad one blames the peer."""
    require_signature(KEY.public, SIGNED, Tag.LINK_SIGN, b"link", b"body")
    with pytest.raises(PeerError) as caught:
        require_signature(KEY.public, SIGNED, Tag.LINK_SIGN, b"other")
    assert caught.value.code == "bad_signature"


def test_check_public_returns_a_good_key() -> None:
    """The key comes back, so that the check stands in an expression."""
    assert check_public(KEY.public) == KEY.public


@pytest.mark.parametrize(
    "public",
    [
        pytest.param(IDENTITY, id="identity"),
        pytest.param(bytes(32), id="order four"),
        pytest.param(b"\xff" * 32, id="not canonical"),
        pytest.param(b"\x02" + bytes(31), id="not on the curve"),
        pytest.param(KEY.public + b"\0", id="long"),
        pytest.param(b"", id="empty"),
    ],
)
def test_check_public_refuses_what_is_no_key(public: bytes) -> None:
    """Small order, other encodings, points off the curve and wrong sizes are bad keys."""
    with pytest.raises(PeerError) as caught:
        check_public(public)
    assert caught.value.code == "bad_key"


def test_a_key_is_checked_once() -> None:
    """The second use of a key takes the answer from the cache."""
    before = sign._is_valid_point.cache_info().hits  # pyright: ignore[reportPrivateUsage]
    verify(KEY.public, SIGNED, Tag.LINK_SIGN, b"linkbody")
    verify(KEY.public, SIGNED, Tag.LINK_SIGN, b"linkbody")
    assert sign._is_valid_point.cache_info().hits >= before + 1  # pyright: ignore[reportPrivateUsage]


def test_a_library_that_cannot_check_points_accepts_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minimal libsodium build fails closed."""

    def missing(_: bytes) -> bool:
        raise UnavailableError

    monkeypatch.setattr(nacl.bindings, "crypto_core_ed25519_is_valid_point", missing)
    fresh = SigningKey(Secret(b"never seen before, so not cached"))
    assert not verify(fresh.public, fresh.sign(Tag.LINK, b"x"), Tag.LINK, b"x")
    sign._is_valid_point.cache_clear()  # pyright: ignore[reportPrivateUsage]
