"""Gives a relay that was restored from an old backup what it had signed for and lost (protocol 3.10; attack 88).

It is nothing that the relay did not have before, receipts included; so a dishonest one learns nothing. Nor can one
keep a client busy: what it refused, or took and does not show, is tried again after a day.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.limits import PAGE_BYTES_MAX, PAGE_ITEMS_MAX
from e2e_support.opened import Opened
from e2e_support.wire import Head, Page, Stored
from e2e_support_client import clock
from e2e_support_client.port import Refused, RelayPort

AGAIN_AFTER: Final = 24 * 3600
"""Seconds after which a try that failed is made again, and a mailbox created again."""
_ERASED: Final = "erased"
_CREATED: Final = "created"
_GIVEN: Final = "given"

Pull = Callable[[], Awaitable[object]]
Create = Callable[[], Awaitable[bool]]
"""Creates a mailbox that the relay does not have any more; false where only somebody else can."""


class Notes(Protocol):
    """Where it is kept what was tried when."""

    async def note(self, name: str) -> bytes:
        """Return what was noted under a name, or nothing."""
        ...

    async def set_note(self, name: str, value: bytes) -> None:
        """Note something under a name."""
        ...


class Known(Protocol):
    """A log as far as it was followed."""

    @property
    def entries(self) -> Sequence[Opened]:
        """All entries, from the first one on."""
        ...


@dataclass(slots=True)
class HandBack:
    """Gives back what is known of one mailbox.

    Args:
        relay: the relay.
        mailbox: the mailbox.
        capability: returns the key that may read and write it; asked each time, since epochs change.
        notes: remembers tries.
        create: creates the mailbox again.

    Attributes:
        given: entries that the relay had lost and has again; whoever has told of them clears it.
        files_lost: whether it lost files that they name, which nobody keeps after they were sent.
    """

    relay: RelayPort
    mailbox: MailboxId
    capability: Callable[[], SigningKey]
    notes: Notes
    create: Create
    given: list[Opened] = field(default_factory=list[Opened])
    files_lost: bool = False

    async def pull(self, pull: Pull, known: Known) -> None:
        """Follow a log; a relay that knows less of it than this reader gets that back first.

        Args:
            pull: follows what is new.
            known: what was followed before.

        Raises:
            SupportError: as ``pull``; the relay lost something and did not take it back, or pretended to.
        """
        try:
            await pull()
        except (PeerError, Refused) as error:
            if not await self._is_loss(error, known.entries) or not await self._restore(error, known.entries):
                raise
        else:
            return
        try:
            await pull()
        except (PeerError, Refused):
            await self._tried(_GIVEN)
            raise

    async def _is_loss(self, error: PeerError | Refused, entries: Sequence[Opened]) -> bool:
        """Tell whether the relay lost what this reader has, and there is a try left for today."""
        if error.code == "erased" and not await self.notes.note(self._name(_ERASED)):
            await self._tried(_ERASED)  # it may be restored to before that, and must not get it back then
        if error.code == "not_found":
            erased = await self.notes.note(self._name(_ERASED))
            return _whole(entries) and not erased and await self._may_try(_CREATED)
        return error.code == "rollback" and await self._may_try(_GIVEN)

    async def _restore(self, error: PeerError | Refused, entries: Sequence[Opened]) -> bool:
        """Give the relay what it lost; tell whether it took it."""
        if error.code == "not_found" and not await self._create():
            return False
        try:
            given = await self._give(entries)
        except (PeerError, Refused):
            given = None
        if given is None:
            await self._tried(_GIVEN)
            return False
        self.given += given
        self.files_lost = self.files_lost or await self._lacks_files(given)
        return True

    async def _create(self) -> bool:
        """Create the mailbox; where somebody else was first, it is there just as well."""
        try:
            there = await self.create()
        except UsageError as error:
            there = error.code == "conflict"
        await self._tried(_CREATED)
        return there

    async def _give(self, entries: Sequence[Opened]) -> Sequence[Opened] | None:
        """Hand back what the relay lacks, which others may do meanwhile; ``None`` if it does not take it."""
        first = last = -1
        while True:
            length = (await self.relay.read(self.mailbox, len(entries), self.capability())).head.length
            first = length if first < 0 else first
            if length >= len(entries):
                return entries[first:]
            if length <= last or not _whole(entries[length:]):
                return None
            last = length
            try:
                for page in pages(entries[length:]):
                    await self.relay.hand_back(self.mailbox, page, self.capability())
            except Refused as refused:
                if refused.code != "head_moved":
                    raise

    async def _lacks_files(self, given: Sequence[Opened]) -> bool:
        files = [file.blob_id for opened in given if opened.inner for file in opened.inner.attachments]
        for blob in files:
            try:
                state = await self.relay.blob_state(self.mailbox, blob, self.capability())
            except Refused:
                return True
            if not state.complete:
                return True
        return False

    async def _may_try(self, what: str) -> bool:
        return clock.is_over(int(await self.notes.note(self._name(what)) or 0), AGAIN_AFTER)

    async def _tried(self, what: str) -> None:
        await self.notes.set_note(self._name(what), str(clock.now()).encode())

    def _name(self, what: str) -> str:
        return f"{what}:{self.mailbox.hex()}"


def _whole(entries: Sequence[Opened]) -> bool:
    """Tell whether there are entries, and none was kept by a version that did not keep their bytes."""
    return bool(entries) and all(opened.entry for opened in entries)


def pages(entries: Sequence[Opened]) -> Iterator[Page]:
    """Yield entries as pages that a relay takes back, each with the head that it leads to."""
    items: list[Stored] = []
    size = 0
    for opened in entries:
        size += len(opened.entry) + len(opened.receipt)
        items.append(Stored(opened.entry, opened.receipt))
        if len(items) == PAGE_ITEMS_MAX or size >= PAGE_BYTES_MAX // 2 or opened is entries[-1]:
            yield Page(Head(opened.seq + 1, opened.hash), tuple(items))
            items, size = [], 0
