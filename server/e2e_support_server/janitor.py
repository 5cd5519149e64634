"""Removes what nobody came back for: empty mailboxes after a day, unnamed blobs after a week, idle tickets (§3).

It also finishes what an erasure began, so that nothing of it stays on the disk.
"""

from __future__ import annotations

import asyncio

from e2e_support_server.blobs.base import Blobs
from e2e_support_server.clock import Clock
from e2e_support_server.log import Logger
from e2e_support_server.service.erasure import Erasure
from e2e_support_server.service.mailboxes import Mailboxes
from e2e_support_server.storage.base import Store

EMPTY_LIFE = 24 * 3600
BLOB_LIFE = 7 * 24 * 3600
PAUSE = 600
AT_ONCE = 100  # in one transaction: the writers wait behind it


class Janitor:
    """Cleans up from time to time.

    Args:
        store: knows what is old.
        files: the blobs' bytes.
        mailboxes: remembers mailboxes that go.
        erasure: erases what is idle, and finishes what is erased.
        clock: the relay's clock.
        logger: told how much went.
    """

    def __init__(
        self,
        store: Store,
        files: Blobs,
        mailboxes: Mailboxes,
        erasure: Erasure,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._store = store
        self._files = files
        self._mailboxes = mailboxes
        self._erasure = erasure
        self._clock = clock
        self._logger = logger

    async def run(self) -> None:
        """Clean up for ever; a fault is logged and the next round tries again."""
        while True:
            try:
                await self.clean()
            except Exception as error:  # noqa: BLE001 - a full disk must not end the cleaning that frees it
                self._logger.error("fault", route="janitor", fault=type(error).__name__)  # noqa: TRY400 - no traces
            await asyncio.sleep(PAUSE)

    async def clean(self) -> None:
        """Remove everything that is old enough now; the database forgets first, then the bytes go."""
        now = int(self._clock())
        while mailboxes := await self._store.drop_empty(now - EMPTY_LIFE, AT_ONCE):
            for mailbox in mailboxes:
                self._mailboxes.forget(mailbox)
                await self._files.drop_mailbox(mailbox)
            self._logger.info("dropped empty mailboxes", count=len(mailboxes))
        while blobs := await self._store.drop_blobs(now - BLOB_LIFE, AT_ONCE):
            for mailbox, blob in blobs:
                await self._files.drop(mailbox, blob)
            self._logger.info("dropped blobs", count=len(blobs))
        if retired := await self._erasure.retire(AT_ONCE):
            self._logger.info("erased idle mailboxes", count=retired)
        await self._erasure.finish()
