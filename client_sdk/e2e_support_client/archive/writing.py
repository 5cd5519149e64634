"""Writes an export: sheets that can be verified, pages that can be read, and the files of tickets."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e_support.attachment import safe_name
from e2e_support.content import Attachment
from e2e_support.conversation import Conversation
from e2e_support.errors import PeerError
from e2e_support.export import ExportedEntry, export_entries
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened, Record
from e2e_support.roster import TrustedRoster
from e2e_support.thread import StaffThread, Thread
from e2e_support.ticket_state import TicketState
from e2e_support.vocab import Verdict
from e2e_support_client.archive.pages import ticket_html, ticket_text
from e2e_support_client.archive.parcel import ParcelWriter
from e2e_support_client.archive.sealing import Signer, seal_cover
from e2e_support_client.archive.sheets import COVER, SEAL, Cover, FileMember, Sheet
from e2e_support_client.model import Message
from e2e_support_client.plain import plain_line
from e2e_support_client.port import Refused

Fetch = Callable[[Attachment, Path], Awaitable[None]]
"""Saves an attachment's verified bytes in a file that does not exist yet."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A ticket that is to leave.

    Attributes:
        number: as people know it.
        mailbox: its shared log.
        shared: the shared log as it was opened, from the first entry on.
        state: the ticket.
        said: what people read of it.
        fetch: gets its files; ``None`` leaves them out.
        staff_log: id of its staff log, if that is to leave too.
        staff: the staff log as it was opened.
    """

    number: str
    mailbox: MailboxId
    shared: Sequence[Opened]
    state: TicketState
    said: Sequence[Message]
    fetch: Fetch | None = None
    staff_log: MailboxId | None = None
    staff: Sequence[Opened] = ()


@dataclass(slots=True)
class Export:
    """Writes tickets into one file, one after the other.

    Args:
        parcel: the file.
        roster: the newest; it leaves with the tickets, so that they can be verified.
        scratch: directory for files on their way.
    """

    parcel: ParcelWriter
    roster: TrustedRoster
    scratch: Path
    _sheets: list[str] = field(default_factory=list[str])

    async def add(self, leaving: Leaving) -> None:
        """Add a ticket.

        Raises:
            SupportError: a file could not be fetched, or the disk is full; there is no export then.
        """
        files = tuple([member async for member in self._files(leaving)])
        staff = self._entries(leaving.staff_log, leaving.staff) if leaving.staff_log else ()
        shared = self._entries(leaving.mailbox, leaving.shared)
        sheet = Sheet(leaving.number, leaving.mailbox, shared, leaving.staff_log, staff, files)
        name, policy = leaving.number, self.roster.policy
        self.parcel.add(f"{name}.html", ticket_html(name, leaving.state, policy, leaving.said).encode())
        self.parcel.add(f"{name}.txt", ticket_text(name, leaving.state, policy, leaving.said).encode())
        self.parcel.add(f"tickets/{name}.json", sheet.dump())
        self._sheets.append(f"tickets/{name}.json")

    def seal(self, signers: Sequence[Signer], *, now: int) -> None:
        """Sign what was added and give the file its name.

        Args:
            signers: who stands for it.
            now: seconds since 1970.
        """
        members = dict(self.parcel.members)
        cover = Cover(now, self.roster.links, tuple(self._sheets), members).dump()
        self.parcel.add(COVER, cover)
        self.parcel.add(SEAL, seal_cover(cover, signers))
        self.parcel.commit()

    def _entries(self, mailbox: MailboxId, opened: Iterable[Opened]) -> tuple[ExportedEntry, ...]:
        return tuple(export_entries(mailbox, self.roster, opened))

    async def _files(self, leaving: Leaving) -> AsyncIterator[FileMember]:
        if leaving.fetch is None:
            return
        for entry in leaving.shared:
            if entry.verdict is not Verdict.OK or entry.inner is None:
                continue
            for index, manifest in enumerate(entry.inner.attachments):
                path = f"files/{leaving.number}/{entry.seq}-{index}-{safe_name(manifest.name)}"
                held = self.scratch / f"{entry.seq}-{index}"
                try:
                    await leaving.fetch(manifest, held)
                except Refused as refused:
                    raise _missing(leaving.number, manifest) from refused
                try:
                    self.parcel.add_parts(path, _parts(held))
                finally:
                    held.unlink(missing_ok=True)
                yield FileMember(entry.seq, index, path)


@contextmanager
def exporting(target: Path, roster: TrustedRoster, *, force: bool) -> Generator[Export]:
    """Begin an export; without ``Export.seal`` nothing of it is kept.

    Args:
        target: the file to make; files on their way lie beside it, where there must be space for them anyway.
        roster: the newest.
        force: whether an existing file is replaced.

    Raises:
        UsageError: ``file_exists`` or ``cannot_write``.
    """
    with (
        ParcelWriter(target, force=force) as parcel,
        tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch,
    ):
        yield Export(parcel, roster, Path(scratch))


def kept_log(
    conversation: Conversation, records: Iterable[Record], thread: Thread | StaffThread
) -> Sequence[Opened]:
    """Return a log as it was opened, which is what leaves; the thread has its verdicts afterwards.

    Args:
        conversation: the log, before its first entry.
        records: what the store holds of it.
        thread: judges it.
    """
    opened = conversation.resume(records)
    for entry in opened:
        thread.take(entry)
    return opened


def _missing(number: str, manifest: Attachment) -> PeerError:
    return PeerError(
        "file_missing",
        f"the relay does not hand out {plain_line(manifest.name)} of {number}",
        hint="Tell whoever runs the relay; or export without files.",
    )


def _parts(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while part := file.read(1 << 18):
            yield part
