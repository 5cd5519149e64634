"""Keys of tickets: derived, boxed, opened; numbers that people read out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.crypto.kem import KemPrivate
from e2e_support.crypto.secret import Secret
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.ticket_keys import (
    TicketKeys,
    UserKeyPort,
    open_team_box,
    parse_number,
    seal_boxes,
    ticket_number,
)
from e2e_support.vocab import Direction, Recipient
from e2e_support.wire import Box, Entry, EpochRecord
from team_builder import Team, device, seed_of
from ticket_builder import reveal

MASTER, TEAM_ID = Secret(seed_of("user")), TeamId(b"t" * 32)
KEYS = TicketKeys.derive(MASTER, TEAM_ID, 202701, 0)
KEY = Secret(b"k" * 32)
TEAM = Team.found(device("anna"))


def everything(keys: TicketKeys) -> set[bytes]:
    """Return all that could link a ticket to another."""
    return {
        keys.mailbox, keys.capability.public, keys.author.public, keys.reply.public, reveal(keys.first_key),
    }  # fmt: skip


def boxed(*, user: bool = True, gen: int = 0, key: Secret = KEY, epoch: EpochRecord | None = None) -> Entry:
    """Return an entry whose boxes hold a key."""
    boxes = seal_boxes(
        key,
        team_id=TEAM_ID,
        mailbox=KEYS.mailbox,
        gen=gen,
        epoch=epoch or TEAM.roster.epoch,
        reply_key=KEYS.reply.public if user else None,
    )
    return Entry(1, 1, gen, Direction.USER_TO_TEAM, boxes, b"")


def test_keys_follow_from_the_master() -> None:
    """The same master finds the same ticket again, on any machine."""
    assert everything(TicketKeys.derive(MASTER, TEAM_ID, 202701, 0)) == everything(KEYS)
    assert KEYS.mailbox == mailbox_id(KEYS.capability.public)


@pytest.mark.parametrize(
    "other",
    [
        TicketKeys.derive(Secret(seed_of("other")), TEAM_ID, 202701, 0),
        TicketKeys.derive(MASTER, TeamId(b"u" * 32), 202701, 0),
        TicketKeys.derive(MASTER, TEAM_ID, 202702, 0),
        TicketKeys.derive(MASTER, TEAM_ID, 202701, 1),
    ],
    ids=["master", "team", "month", "index"],
)
def test_29_two_tickets_share_nothing(other: TicketKeys) -> None:
    """No key, id or number links two tickets of one user."""
    assert len(everything(KEYS)) == 5
    assert not everything(KEYS) & everything(other)
    assert ticket_number(KEYS.mailbox) != ticket_number(other.mailbox)


def test_boxes_hand_the_key_to_both_sides() -> None:
    """The team opens the first box, the user the second, which knows no epoch."""
    entry = boxed()
    assert [(box.recipient, box.epoch) for box in entry.boxes] == [(Recipient.TEAM, 0), (Recipient.USER, 0)]
    assert open_team_box(TEAM.keys.kem, TEAM_ID, KEYS.mailbox, entry) == KEY
    assert UserKeyPort(TEAM_ID, KEYS.reply).open_key(KEYS.mailbox, entry) == KEY


def test_a_staff_log_has_a_box_for_the_team_alone() -> None:
    """The user's port says so instead of failing at the cryptography."""
    entry = boxed(user=False)
    assert [box.recipient for box in entry.boxes] == [Recipient.TEAM]
    with pytest.raises(PeerError) as error:
        UserKeyPort(TEAM_ID, KEYS.reply).open_key(KEYS.mailbox, entry)
    assert error.value.code == "cannot_open"


def moved_epoch(entry: Entry) -> Entry:
    """Return the entry with a team box that names another epoch."""
    return replace(entry, boxes=(replace(entry.boxes[0], epoch=1), *entry.boxes[1:]))


@pytest.mark.parametrize(
    ("team_id", "mailbox", "entry"),
    [
        (TeamId(bytes(32)), KEYS.mailbox, boxed()),
        (TEAM_ID, MailboxId(bytes(16)), boxed()),
        (TEAM_ID, KEYS.mailbox, replace(boxed(), gen=1)),
        (
            TEAM_ID,
            KEYS.mailbox,
            replace(boxed(), boxes=tuple(Box(b.recipient, 0, b"x") for b in boxed().boxes)),
        ),
    ],
    ids=["team", "mailbox", "generation", "junk"],
)
def test_a_box_opens_at_its_place_only(team_id: TeamId, mailbox: MailboxId, entry: Entry) -> None:
    """A box cannot be moved to another team, mailbox or generation (attacks 5, 6)."""
    with pytest.raises(PeerError) as by_team:
        open_team_box(TEAM.keys.kem, team_id, mailbox, entry)
    with pytest.raises(PeerError) as by_user:
        UserKeyPort(team_id, KEYS.reply).open_key(mailbox, entry)
    assert by_team.value.code == by_user.value.code == "cannot_open"


def test_a_team_box_opens_in_its_epoch_only() -> None:
    """The epoch is bound too, and other keys open nothing."""
    stranger = KemPrivate(Secret(seed_of("stranger")))
    for kem, entry in ((TEAM.keys.kem, moved_epoch(boxed())), (stranger, boxed())):
        with pytest.raises(PeerError):
            open_team_box(kem, TEAM_ID, KEYS.mailbox, entry)


def test_a_bad_reply_key_is_told_before_sealing() -> None:
    """Nobody seals to a key that anybody could open."""
    with pytest.raises(PeerError) as error:
        seal_boxes(
            KEY, team_id=TEAM_ID, mailbox=KEYS.mailbox, gen=1, epoch=TEAM.roster.epoch, reply_key=bytes(1216)
        )
    assert error.value.code == "bad_key"


NUMBER = ticket_number(MailboxId(bytes(16)))


@pytest.mark.parametrize(
    "typed",
    {
        "as printed": NUMBER,
        "lower case": NUMBER.lower(),
        "without dashes": NUMBER.replace("-", ""),
        "with spaces": f"  {NUMBER.replace('-', ' ')} ",
        "without T": NUMBER[2:],
        "look-alikes": NUMBER.replace("0", "o").replace("1", "l"),
    }.values(),
)
def test_numbers_are_read_as_people_type_them(typed: str) -> None:
    """Case, dashes, spaces, the letter in front and look-alikes do not matter."""
    assert parse_number(typed) == NUMBER


def test_a_number_may_begin_with_the_letter_in_front() -> None:
    """Only an eleventh letter can be the one that stands before every number."""
    for typed in ("T-T7K3M-9QXF2", "T7K3M9QXF2", "TT7K3M9QXF2", "T T7K3M 9QXF2"):
        assert parse_number(typed) == "T-T7K3M-9QXF2"


@pytest.mark.parametrize(
    "typed", ["", "T-", "T-AAAAA-AAAA", "T-AAAAA-AAAAU", "T-AAAAA-AAAAAA", "T-ÄÄÄÄÄ-ÄÄÄÄÄ"]
)
def test_what_is_no_number_is_refused(typed: str) -> None:
    """With words, before anything is looked up."""
    with pytest.raises(UsageError) as error:
        parse_number(typed)
    assert error.value.code == "bad_number"
