"""Attacks on tickets, by their numbers in the threat model, at the level of conversations and threads.

Whoever attacks can store any bytes: a relay, or somebody whom it helps. The tests named ``without`` take the
defence away and show that the attack succeeds then.
"""

from __future__ import annotations

import pytest

from e2e_support import conversation
from e2e_support.content import Author, CloseBody
from e2e_support.conversation import Conversation
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
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


def knows_the_answer(ticket: Ticket) -> bool:
    """Let anna answer, and tell whether her answer is encrypted under the key that the attacker knows."""
    ticket.say(ticket.anna, Kind.MESSAGE, text("The code is 1234."))
    entry = Entry.from_bytes(ticket.log.items[-1].entry)
    return not entry.boxes and ticket.anna.key == STOLEN


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
