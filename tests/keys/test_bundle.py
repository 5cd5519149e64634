"""Key bundles: encoded whole, wrapped when loaded, and never printed."""

import pytest

from e2e_support.canonical import encode
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey, verify
from e2e_support.ids import DeviceId, MemberId
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support_keys.bundle import (
    DeviceBundle,
    KeyBundle,
    SecretKey,
    UserBundle,
    bundle_from_secret,
    bundle_to_secret,
)
from keys_room import KEY, OTHER_KEY, Numbered, refused

LINK = "e2es://relay.example/#code"
USER = UserBundle(master=KEY, store_key=OTHER_KEY, link=LINK)
DEVICE = DeviceBundle.fresh("Anna's laptop", Numbered(), link=LINK)


@pytest.mark.parametrize("bundle", [USER, DEVICE])
def test_a_bundle_goes_round(bundle: KeyBundle) -> None:
    """What is encoded for the vault is decoded again, as the kind that it was."""
    assert bundle_from_secret(bundle_to_secret(bundle)) == bundle


@pytest.mark.parametrize("bundle", [USER, DEVICE])
def test_no_secret_is_printed(bundle: KeyBundle) -> None:
    """The representation of a bundle shows sizes instead of keys."""
    shown = repr(bundle) + str(bundle)
    for name in ("master", "store_key", "sign_seed", "kem_seed"):
        secret = getattr(bundle, name, None)
        if secret is not None:
            assert repr(secret.reveal(SECRET_ACCESS)) not in shown
            assert f"{name}=Secret(<32 bytes>)" in shown


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (encode((1, b"")), "malformed"),
        (encode((2, USER.to_bytes())), "malformed"),
        (encode((1, encode((b"short", bytes(32), LINK)))), "malformed"),
        (encode((3, USER.to_bytes())), "update_needed"),
    ],
)
def test_what_is_no_bundle_is_refused(data: bytes, code: str) -> None:
    """Damage and newer kinds are the user's own affair, so the error blames no peer."""
    with refused(code):
        bundle_from_secret(Secret(data))


def test_a_key_of_a_wrong_size_is_not_encoded() -> None:
    """A bundle with a short key cannot be saved."""
    with refused("malformed"):
        bundle_to_secret(UserBundle(Secret(b"short"), OTHER_KEY, LINK))


def test_the_field_says_what_it_is() -> None:
    """The shape describes itself for the tables in the documents."""
    assert SecretKey().describe() == "secret 32"


def test_a_fresh_user_has_two_unrelated_keys() -> None:
    """Master and store key are drawn apart."""
    bundle = UserBundle.fresh(LINK, Numbered())
    assert bundle.master != bundle.store_key
    assert len(bundle.master) == len(bundle.store_key) == 32
    assert bundle.link == LINK


def test_a_restored_user_keeps_the_master_only() -> None:
    """A master from a phrase gets a new store key: the old store is on the old device."""
    bundle = UserBundle.fresh(LINK, Numbered(), master=KEY)
    assert bundle.master == KEY
    assert bundle.store_key != UserBundle.fresh(LINK, Numbered(1), master=KEY).store_key


def test_a_fresh_device_begins_a_member() -> None:
    """A person's first device gives the member its id, and every key of it is its own."""
    assert bytes(DEVICE.member_id) == bytes(DEVICE.device_id)
    assert len({DEVICE.sign_seed, DEVICE.kem_seed, DEVICE.store_key}) == 3


def test_a_further_device_belongs_to_its_member() -> None:
    """A second computer names the person's first device and has its own id."""
    second = DeviceBundle.fresh("Anna's desktop", Numbered(1), member_id=DEVICE.member_id)
    assert second.member_id == DEVICE.member_id
    assert second.device_id != DEVICE.device_id
    assert second.link == ""


def test_the_record_holds_the_public_halves() -> None:
    """The roster learns public keys, names and languages, and no secret."""
    record = DEVICE.record(Role.AGENT, ("de", "en"))
    device_id, key = DEVICE.signer()
    assert (record.device_id, record.member_id) == (device_id, DEVICE.member_id)
    assert (record.role, record.label, record.languages) == (Role.AGENT, "Anna's laptop", ("de", "en"))
    assert record.kem_key == DEVICE.kem().public
    assert verify(record.sign_key, key.sign(Tag.LINK_SIGN, b"data"), Tag.LINK_SIGN, b"data")
    for seed in (DEVICE.sign_seed, DEVICE.kem_seed, DEVICE.store_key):
        assert seed.reveal(SECRET_ACCESS) not in record.to_bytes()


def test_the_signer_is_the_key_of_the_seed() -> None:
    """A device signs with the key that its seed gives."""
    bundle = DeviceBundle(DeviceId(bytes(16)), MemberId(bytes(16)), KEY, OTHER_KEY, KEY, LINK, "name")
    assert bundle.signer()[1].public == SigningKey(KEY).public
