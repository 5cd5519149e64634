"""A log that leaves its keeper: what can be verified without relay and ticket keys, and what cannot be forged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.crypto import cae
from e2e_support.crypto.secret import Secret
from e2e_support.errors import PeerError
from e2e_support.export import ExportedEntry, ExportedLog, export_entries, read_entries
from e2e_support.opened import Opened
from e2e_support.thread import Thread
from e2e_support.vocab import Kind, Verdict
from e2e_support.wire import Entry
from ticket_builder import ANNA, BEN, PLAIN_BODIES, Ticket, make_admin, reveal, text


def told() -> Ticket:
    """Return a ticket with a re-key in it: ben was removed between two answers."""
    ticket = Ticket.begin()
    ticket.say(ticket.anna, Kind.MESSAGE, text("Which month?"))
    ticket.team.remove(BEN, ANNA)
    ticket.use_roster()
    ticket.say(ticket.user, Kind.MESSAGE, text("May."))
    ticket.say(ticket.anna, Kind.RESOLUTION, PLAIN_BODIES[Kind.RESOLUTION])
    return ticket


def kept(ticket: Ticket) -> list[Opened]:
    """Return what anna's console kept of the log."""
    return make_admin(ticket.team, ticket.log.mailbox, ANNA).conversation.resume(ticket.anna.records)


def exported(ticket: Ticket) -> list[ExportedEntry]:
    """Return what anna exports."""
    return export_entries(ticket.log.mailbox, ticket.team.roster, kept(ticket))


def read(ticket: Ticket, entries: list[ExportedEntry]) -> Thread:
    """Return what somebody makes of an export who has the roster and nothing else."""
    thread = Thread(ticket.team.roster)
    for opened in read_entries(ticket.log.mailbox, ticket.team.roster, entries):
        thread.take(opened)
    return thread


def test_an_export_says_what_its_keeper_saw() -> None:
    """Verdicts, texts and state are the keeper's, from keys of single entries and the roster alone, over a re-key."""
    ticket = told()
    thread = read(ticket, exported(ticket))
    assert thread.state == ticket.anna.state
    assert [entry.body for entry in thread.entries] == [entry.body for entry in ticket.anna.thread.entries]
    assert [entry.verdict for entry in thread.entries] == [Verdict.OK] * 4


def test_an_export_holds_no_key_but_of_what_it_holds() -> None:
    """No ticket key leaves: none is among the keys, and no key opens another entry."""
    ticket = told()
    entries = exported(ticket)
    keys = {reveal(entry.key) for entry in kept(ticket) if entry.key}
    assert keys
    assert len({entry.key for entry in entries}) == 4
    assert not keys & {entry.key for entry in entries}
    swapped = [replace(entries[0], key=entries[1].key), *entries[1:]]
    assert read(ticket, swapped).entries[0].verdict is Verdict.FORGED


@pytest.mark.parametrize("how", ["dropped", "swapped", "changed"])
def test_an_export_that_was_changed_does_not_verify(how: str) -> None:
    """An entry left out, moved or altered does not fit the relay's receipts."""
    ticket = told()
    entries = exported(ticket)
    if how == "dropped":
        del entries[1]
    elif how == "swapped":
        entries[1], entries[2] = entries[2], entries[1]
    else:
        stored = entries[1].stored
        entry = stored.entry[:-1] + bytes([stored.entry[-1] ^ 1])
        entries[1] = replace(entries[1], stored=replace(stored, entry=entry))
    with pytest.raises(PeerError) as error:
        read(ticket, entries)
    assert error.value.code == "bad_receipt"


def test_what_its_keeper_could_not_open_stays_unread() -> None:
    """An entry without a key is unverifiable to the reader of the export too, and no alarm."""
    ticket = told()
    ticket.post(b"junk")
    thread = read(
        ticket, [*exported(ticket)[:1], replace(exported(ticket)[1], key=b""), *exported(ticket)[2:]]
    )
    assert thread.entries[1].verdict is Verdict.UNVERIFIABLE
    assert thread.entries[4].verdict is Verdict.FORGED


def test_a_reader_of_an_export_opens_no_boxes() -> None:
    """It has keys of single entries only, so that a box that stands in an entry stays shut."""
    ticket = told()
    reader = ExportedLog(ticket.log.mailbox, ticket.team.roster)
    with pytest.raises(PeerError) as error:
        reader.keys.open_key(ticket.log.mailbox, Entry.from_bytes(ticket.log.items[0].entry))
    assert error.value.code == "no_key"


@pytest.mark.parametrize("box", [b"", bytes(200)])
def test_a_single_key_opens_its_box_or_nothing(box: bytes) -> None:
    """A wrong key, size or box is refused in the one way in which boxes are."""
    for size in (31, 32):
        with pytest.raises(PeerError) as error:
            cae.decrypt_single(Secret(bytes(size)), box)
        assert error.value.code == "cannot_open"
