"""Statements that destroy: signed by somebody who may, about exactly one mailbox."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.destruction import Deed, Destruction, DestructionBody, check_destruction, sign_destruction
from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.vocab import Role
from team_builder import device

TEAM, MAILBOX = TeamId(bytes(32)), MailboxId(bytes(16))
ANNA, AUDITOR = device("anna"), device("otto", Role.AUDITOR)
DEVICES = {one.device_id: one.record for one in (ANNA, AUDITOR)}
USER = SigningKey(Secret(b"\x08" * 32))
BY_ANNA = DestructionBody(TEAM, MAILBOX, Deed.ERASE, 1, ANNA.device_id)
BY_USER = replace(BY_ANNA, by=USER.public)


def check(statement: bytes, user_key: bytes = USER.public) -> DestructionBody:
    """Check a statement about the test's mailbox."""
    return check_destruction(statement, team_id=TEAM, mailbox=MAILBOX, devices=DEVICES, user_key=user_key)


def test_owner_and_user_may_erase() -> None:
    """A writing device may do any deed, the user's capability may erase."""
    frozen = replace(BY_ANNA, deed=Deed.FREEZE)
    assert check(sign_destruction(BY_ANNA, ANNA.sign)) == BY_ANNA
    assert check(sign_destruction(frozen, ANNA.sign)) == frozen
    assert check(sign_destruction(BY_USER, USER)) == BY_USER


@pytest.mark.parametrize(
    ("body", "key", "code"),
    [
        (replace(BY_ANNA, by=AUDITOR.device_id), AUDITOR.sign, "not_yours"),
        (replace(BY_ANNA, by=bytes(16)), ANNA.sign, "not_yours"),
        (replace(BY_ANNA, team_id=TeamId(b"\x01" * 32)), ANNA.sign, "not_yours"),
        (replace(BY_ANNA, mailbox_id=MailboxId(b"\x01" * 16)), ANNA.sign, "not_yours"),
        (replace(BY_USER, deed=Deed.FREEZE), USER, "not_yours"),
        (replace(BY_USER, by=bytes(32)), USER, "not_yours"),
        (BY_ANNA, USER, "bad_signature"),
        (BY_USER, ANNA.sign, "bad_signature"),
    ],
    ids=[
        "auditor",
        "stranger",
        "team",
        "mailbox",
        "user freezes",
        "other user",
        "forged device",
        "forged user",
    ],
)
def test_who_may_not(body: DestructionBody, key: SigningKey, code: str) -> None:
    """Attack 80: nobody destroys without a signature of their own that may."""
    with pytest.raises(PeerError) as error:
        check(sign_destruction(body, key))
    assert error.value.code == code


def test_a_log_without_users_has_no_user_to_erase_it() -> None:
    """An empty user key is nobody's."""
    with pytest.raises(PeerError):
        check(sign_destruction(BY_USER, USER), user_key=b"")


def test_garbage_is_malformed() -> None:
    """A statement that does not decode is the sender's fault."""
    for data in (b"", Destruction(b"\x90", bytes(64)).to_bytes()):
        with pytest.raises(PeerError) as error:
            check(data)
        assert error.value.code == "malformed"
