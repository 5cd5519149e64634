"""Attacks on tickets, by their numbers in the threat model, at the level of conversations and threads.

Whoever attacks can store any bytes: a relay, or somebody whom it helps. The tests named ``without`` take the
defence away and show that the attack succeeds then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from e2e_support import conversation
from e2e_support.codec import Value, decode, encode
from e2e_support.content import Author, CloseBody
from e2e_support.conversation import Conversation
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError
from e2e_support.vocab import AuthorRole, Kind, Recipient, Verdict
from e2e_support.wire import Box, Entry, Head
from ticket_builder import ANNA, BEN, Ticket, text

FORGED, NONCONFORMING, UNVERIFIABLE, OK = (
    Verdict.FORGED,
    Verdict.NONCONFORMING,
    Verdict.UNVERIFIABLE,
    Verdict.OK,
)
STRANGER = SigningKey(Secret(b"\x08" * 32))
STOLEN = Secret(b"\x07" * 32)  # a ticket key that the attacker knows


def nothing(*_: object, **__: object) -> None:
    """Stand where a check was taken away."""


def always(*_: object, **__: object) -> bool:
    """Stand where a question was taken away."""
    return True


def stops(ticket: Ticket, entry: bytes) -> str:
    """Store an entry that nobody may follow; return the code of the error that both readers raise."""
    item = ticket.log.add(entry)
    codes: set[str] = set()
    for side in (ticket.user, ticket.anna):
        before = side.conversation.chain
        with pytest.raises(SupportError) as error:
            side.read(item)
        codes.add(error.value.code)
        assert side.conversation.chain == before
    (code,) = codes
    return code


def knows_the_answer(ticket: Ticket) -> bool:
    """Let anna answer, and tell whether her answer is encrypted under the key that the attacker knows."""
    ticket.say(ticket.anna, Kind.MESSAGE, text("The code is 1234."))
    entry = Entry.from_bytes(ticket.log.items[-1].entry)
    return not entry.boxes and ticket.anna.key == STOLEN


# --- 24, 25: another version, another kind ----------------------------------------------------------------


def changed(place: int, value: object) -> Callable[[bytes], bytes]:
    """Return what puts another value into a place of a message's bytes."""

    def change(data: bytes) -> bytes:
        fields: list[object] = list(cast("tuple[object, ...]", decode(data, limit=len(data))))
        fields[place] = value
        return encode(cast("Value", tuple(fields)))

    return change


NEWER = {
    "version 0": (0, 0),
    "version 2": (0, 2),
    "suite 0": (1, 0),
    "suite 2": (1, 2),
    "direction 3": (3, 3),
}
INSIDE = {
    "version 0": (0, 0),
    "version 2": (0, 2),
    "kind 0": (1, 0),
    "kind 13": (1, 13),
    "reserved kind 34": (1, 34),
}


@pytest.mark.parametrize(("place", "value"), NEWER.values(), ids=NEWER.keys())
def test_24_another_version_outside_is_a_hard_stop(place: int, value: int) -> None:
    """An older or newer entry is not followed and not skipped: nothing after it is believed either."""
    ticket = Ticket.begin()
    entry = changed(place, value)(ticket.craft(ticket.user))
    assert stops(ticket, entry) == "update_needed"


@pytest.mark.parametrize(("place", "value"), INSIDE.values(), ids=INSIDE.keys())
def test_25_an_unknown_kind_of_a_participant_is_a_hard_stop(place: int, value: int) -> None:
    """What a participant signed and this program does not know is never skipped."""
    ticket = Ticket.begin()
    assert stops(ticket, ticket.craft(ticket.user, as_transported=changed(place, value))) == "update_needed"


@pytest.mark.parametrize(("place", "value"), INSIDE.values(), ids=INSIDE.keys())
def test_25_an_unknown_kind_of_nobody_is_a_forgery(place: int, value: int) -> None:
    """Whoever can seal a box cannot stop a ticket by pretending to be newer."""
    ticket = Ticket.begin()
    entry = ticket.craft(
        ticket.user,
        key=STOLEN,
        gen=1,
        boxes=ticket.boxes(STOLEN, 1),
        signer=STRANGER,
        as_transported=changed(place, value),
    )
    opened = ticket.post(entry)
    assert (opened.verdict, opened.reason) == (FORGED, "bad_signature")


def test_25_an_unknown_role_of_an_author_is_a_forgery() -> None:
    """Nobody knows whose key would have to sign."""
    ticket = Ticket.begin()
    key = ticket.user.signer.author.key
    opened = ticket.post(ticket.craft(ticket.user, as_transported=changed(3, (2, key))))
    assert (opened.verdict, opened.reason) == (FORGED, "bad_direction")


# --- 40: a reply key that breaks whoever seals to it ------------------------------------------------------

GOOD = ANNA.kem.public
BAD_KEYS = {
    "zero": bytes(1216),
    "ML-KEM zero": bytes(1184) + GOOD[1184:],
    "X25519 zero": GOOD[:1184] + bytes(32),
}


@pytest.mark.parametrize("reply_key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_40_an_opening_with_a_bad_reply_key_is_no_ticket(reply_key: bytes) -> None:
    """It is found when it is read, so that nobody meets it while replying or re-keying."""
    ticket = Ticket.empty()
    opening = ticket.opening(reply_key=reply_key)
    boxes = ticket.boxes(STOLEN, 0)
    opened = ticket.post(ticket.craft(ticket.user, Kind.OPEN, opening, key=STOLEN, gen=0, boxes=boxes))
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "bad_reply_key")
    assert ticket.anna.thread.state is None
    with pytest.raises(SupportError) as error:
        ticket.anna.seal(Kind.MESSAGE, text("Hello?"))
    assert error.value.code == "bad_key"


# --- P6: somebody else's ticket "from support" ------------------------------------------------------------


def test_p6_a_third_party_cannot_plant_a_ticket_for_a_user() -> None:
    """In the user's client the first entry of the user's mailbox is the user's own or a forgery."""
    ticket = Ticket.empty()
    opening = ticket.opening(subject="From support: confirm your password")
    author = Author(AuthorRole.USER, STRANGER.public)
    entry = ticket.craft(
        ticket.user,
        Kind.OPEN,
        opening,
        key=STOLEN,
        gen=0,
        boxes=ticket.boxes(STOLEN, 0),
        author=author,
        signer=STRANGER,
    )
    opened = ticket.post(entry, reader=ticket.user)
    assert (opened.verdict, opened.reason, opened.inner) == (FORGED, "bad_author", None)
    assert ticket.user.thread.state is None


def test_p6_an_administrator_cannot_open_a_ticket_in_a_users_name() -> None:
    """An opening by a device is no ticket, and does not tell clients another author or reply key."""
    ticket = Ticket.empty()
    opening = ticket.opening(subject="From support", reply_key=BEN.kem.public)
    boxes = ticket.boxes(STOLEN, 0)
    author = Author(AuthorRole.DEVICE, BEN.device_id)
    entry = ticket.craft(
        ticket.anna, Kind.OPEN, opening, key=STOLEN, gen=0, boxes=boxes, author=author, signer=BEN.sign
    )
    opened = ticket.post(entry, reader=ticket.user)
    assert (opened.verdict, opened.reason) == (NONCONFORMING, "not_allowed")
    assert ticket.user.thread.state is None
    assert ticket.user.conversation.author_key == ticket.keys.author.public
    assert ticket.anna.conversation.reply_key is None


# --- 91: a key that nobody of the ticket has made ---------------------------------------------------------


def planted_key(ticket: Ticket, head: Head, gen: int = 1) -> bytes:
    """Return an entry that needs public keys alone: a box for the team, and a signature by nobody."""
    team_box, _ = ticket.boxes(STOLEN, gen)
    boxes = (team_box, Box(Recipient.USER, 0, b"junk"))
    return ticket.craft(ticket.anna, key=STOLEN, gen=gen, boxes=boxes, signer=STRANGER, roster_head=head)


@pytest.mark.parametrize("known_head", [True, False])
def test_91_a_relay_cannot_plant_a_ticket_key(known_head: bool) -> None:
    """Team boxes can be sealed by anyone, so a key counts only from an entry whose signature holds."""
    ticket = Ticket.begin()
    head = ticket.team.roster.head if known_head else Head(1, ticket.log.chain.hash)
    opened = ticket.post(planted_key(ticket, head))
    assert opened.verdict in {FORGED, UNVERIFIABLE}
    assert not knows_the_answer(ticket)
    assert Entry.from_bytes(ticket.log.items[-1].entry).gen == 2
    assert ticket.agree() or not known_head


def test_91_without_a_signature_the_relay_reads_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defence is the signature: unchecked, the planted key would be used."""
    monkeypatch.setattr(conversation, "require_signature", nothing)
    ticket = Ticket.begin()
    ticket.post(planted_key(ticket, ticket.team.roster.head))
    assert knows_the_answer(ticket)


# --- 92: a removed administrator begins a key generation --------------------------------------------------


def key_of_the_removed(ticket: Ticket, *, answered: bool) -> bytes:
    """Return a re-key that ben, removed by now, dates back to when he belonged to the team."""
    head = ticket.team.roster.head
    ticket.team.remove(BEN, ANNA)
    ticket.use_roster()
    if answered:
        ticket.say(ticket.anna, Kind.MESSAGE, text("Ben has left."))
    gen = ticket.anna.conversation.gen + 1
    boxes = ticket.boxes(STOLEN, gen)
    author = Author(AuthorRole.DEVICE, BEN.device_id)
    return ticket.craft(
        ticket.anna, key=STOLEN, gen=gen, boxes=boxes, signer=BEN.sign, author=author, roster_head=head
    )


@pytest.mark.parametrize(("answered", "reason"), [(False, "wrong_epoch"), (True, "older_roster")])
def test_92_a_removed_device_cannot_set_the_key_of_what_follows(answered: bool, reason: str) -> None:
    """Boxes name the newest epoch at the cited head, and that is an old one for whoever was removed."""
    ticket = Ticket.begin()
    opened = ticket.post(key_of_the_removed(ticket, answered=answered))
    assert (opened.verdict, opened.reason) == (NONCONFORMING, reason)
    assert not knows_the_answer(ticket)
    assert ticket.agree()


def test_92_without_the_rule_the_removed_device_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """With boxes that name any epoch the next writer would believe the ticket to be under the newest."""
    monkeypatch.setattr(Conversation, "_is_newest", always)
    ticket = Ticket.begin()
    ticket.post(key_of_the_removed(ticket, answered=False))
    assert knows_the_answer(ticket)


def test_92_an_honest_box_under_the_old_epoch_is_replaced_at_once() -> None:
    """A removed device may still bring a key under its own epoch; the next writer sees a newer one."""
    ticket = Ticket.begin()
    head, old = ticket.team.roster.head, ticket.team.roster.epoch
    ticket.team.remove(BEN, ANNA)
    ticket.use_roster()
    boxes = ticket.boxes(STOLEN, 1, epoch=old)
    author = Author(AuthorRole.DEVICE, BEN.device_id)
    ticket.post(
        ticket.craft(
            ticket.anna, key=STOLEN, gen=1, boxes=boxes, signer=BEN.sign, author=author, roster_head=head
        )
    )
    assert not knows_the_answer(ticket)


# --- 93: a box that holds something else than a key -------------------------------------------------------


@pytest.mark.parametrize("size", [0, 31, 33, 96])
def test_93_a_box_with_a_key_of_another_size_stops_no_reader(size: int) -> None:
    """What opens and is no key is like what does not open; the console goes on reading."""
    ticket = Ticket.begin()
    boxes = ticket.boxes(Secret(bytes(size)), 1)
    opened = ticket.post(ticket.craft(ticket.user, key=STOLEN, gen=1, boxes=boxes))
    assert (opened.verdict, opened.reason) == (FORGED, "cannot_open")
    assert ticket.say(ticket.user, Kind.MESSAGE, text("Still here?")).verdict is OK
    assert ticket.agree()


# --- 94: a roster head that does not exist ----------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 2, 2**53 - 1])
def test_94_an_invented_roster_head_does_not_outdate_the_true_one(length: int) -> None:
    """Cited heads never go back, but only a head that the roster went through counts."""
    ticket = Ticket.begin()
    item = ticket.log.add(ticket.craft(ticket.user, roster_head=Head(length, ticket.log.chain.hash)))
    for side in (ticket.user, ticket.anna):
        opened = side.read(item, accept_strange=True)
        assert (opened.verdict, opened.reason) == (UNVERIFIABLE, "unknown_roster_head")
    assert ticket.say(ticket.anna, Kind.CLOSE, CloseBody("Spam.", "")).verdict is OK
    assert ticket.agree()
