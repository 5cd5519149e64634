"""A log that leaves its keeper: each entry with the key of itself alone, to be verified without any relay (5.11).

Keys of single entries open what was exported and nothing else; who signed, when the relay took it and what it adds
up to are judged as by any reader, from the roster's genesis on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from e2e_support.content import SignedInner
from e2e_support.crypto import cae
from e2e_support.crypto.pad import unpad
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId
from e2e_support.log_place import LogPlace
from e2e_support.log_reader import LogReader
from e2e_support.mailbox import Chain
from e2e_support.opened import Opened
from e2e_support.roster import TrustedRoster
from e2e_support.tags import Tag
from e2e_support.ticket_keys import KeyPort
from e2e_support.wire import Entry, Stored


@dataclass(frozen=True, slots=True)
class ExportedEntry:
    """One entry as it leaves.

    Attributes:
        stored: its bytes and the relay's receipt.
        key: opens this entry alone, 32 bytes; empty where the exporter could not open it.
        known: how many links of the roster the exporter knew when they first followed it (4.8).
    """

    stored: Stored
    key: bytes
    known: int


class _NoKeys:
    """Opens no boxes: there are none but single keys."""

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:  # noqa: ARG002 - the port names them
        raise PeerError("no_key", "an export holds no ticket keys")


@dataclass(slots=True)
class ExportedLog(LogReader):
    """A log that is read from an export.

    Args:
        singles: keys of single entries, by sequence number.
    """

    keys: KeyPort = field(default_factory=_NoKeys)
    singles: Sequence[bytes] = ()

    def _unlock(self, entry: Entry, seq: int) -> tuple[Secret | None, bytes, SignedInner]:
        single = self.singles[seq]
        if not single:
            raise PeerError("no_key", "the exporter could not open this entry")
        context = self.context(seq, entry.gen, entry.direction, entry.boxes)
        return (
            None,
            context,
            SignedInner.from_bytes(unpad(cae.decrypt_single(Secret(single), entry.ciphertext))),
        )


def export_entries(mailbox: MailboxId, team: TrustedRoster, opened: Iterable[Opened]) -> list[ExportedEntry]:
    """Return a followed log as it may leave.

    Args:
        mailbox: the log.
        team: the roster.
        opened: its entries from the first on, as a ``Conversation`` opened or resumed them.
    """
    place = LogPlace(mailbox, team, _NoKeys())
    key: Secret | None = None
    exported: list[ExportedEntry] = []
    for seq, one in enumerate(opened):
        key = one.key or key
        single = b"" if one.inner is None or key is None else _single(place, key, one)
        exported.append(ExportedEntry(Stored(one.entry, one.receipt), single, one.known))
        place.chain = Chain(mailbox, seq + 1, one.hash)
    return exported


def read_entries(
    mailbox: MailboxId, team: TrustedRoster, entries: Sequence[ExportedEntry], *, staff: bool = False
) -> list[Opened]:
    """Return an exported log as a ``Thread`` takes it, every signature and receipt checked.

    Args:
        mailbox: the log.
        team: the roster of the export, checked from its genesis on.
        entries: the whole log, from its first entry on.
        staff: whether it is a staff log.

    Raises:
        PeerError: ``bad_receipt``, ``bad_signature`` or ``malformed`` where a receipt is not the relay's for exactly
            that entry in exactly that place; ``update_needed``.
    """
    log = ExportedLog(mailbox, team, staff=staff, singles=[entry.key for entry in entries])
    opened = [log.receive(entry.stored, accept_strange=True) for entry in entries]
    return [replace(one, known=entry.known) for one, entry in zip(opened, entries, strict=True)]


def _single(place: LogPlace, key: Secret, opened: Opened) -> bytes:
    entry = Entry.from_bytes(opened.entry)
    context = place.context(opened.seq, entry.gen, entry.direction, entry.boxes)
    return cae.single_key(key, Tag.ENTRY, context, entry.ciphertext).reveal(SECRET_ACCESS)
