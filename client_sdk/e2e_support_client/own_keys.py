"""What a user does with their own keys: getting the words, bringing keys back, beginning new ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Literal

from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support_client import clock
from e2e_support_client.delivery import no_progress
from e2e_support_client.model import OnProgress
from e2e_support_client.people import Registration
from e2e_support_client.session import Session
from e2e_support_keys.phrase import from_phrase, to_phrase


class OwnKeys(Session):
    """The user's keys; a part of ``SupportClient``."""

    async def register(self, *, recovery: Literal["phrase", "none"] = "phrase") -> Registration:
        """Return whether the user's keys are new, and the words that bring them back.

        Args:
            recovery: whether to return the 24 words; show them once, on paper they are as good as the keys.
        """
        opened = self._require_open()
        phrase = await asyncio.to_thread(to_phrase, opened.bundle.master) if recovery == "phrase" else ""
        return Registration(opened.created, phrase)

    async def restore(self, phrase: str, *, on_progress: OnProgress = no_progress) -> int:
        """Bring back keys from their 24 words, and every ticket that they opened; return how many were found.

        If it is interrupted, call it again: it goes on.

        Args:
            phrase: the words.
            on_progress: told of every month that was looked through.

        Raises:
            UsageError: ``bad_phrase``; ``keys_in_use`` when this device has tickets under other keys.
            TrustError: as for ``verify_team``.
            TransportError: the relay cannot be reached.
        """
        context = self._context
        master = await asyncio.to_thread(from_phrase, phrase)
        await context.team.refresh()
        if master != self._require_open().bundle.master:
            if await context.store.tickets() or await context.outbox.list():
                raise UsageError(
                    "keys_in_use",
                    "this device has tickets under other keys",
                    hint="Restore into another directory; nothing was changed here.",
                )
            await self._change_master(master, instead=True)
        return await context.discovery.everything(on_progress)

    async def new_keys(self) -> Registration:
        """Open tickets under new keys from now on, as after a theft; return the new words.

        Tickets of before stay readable and writable on this device, and their words restore only them.
        """
        context = self._context
        era = len(await context.trust.masters())
        await context.trust.retire(era, self._require_open().bundle.master)
        await self._change_master(Secret.random(clock.random), instead=False)
        await context.discovery.looked()
        phrase = await asyncio.to_thread(to_phrase, self._require_open().bundle.master)
        return Registration(created=True, recovery_phrase=phrase)

    async def _change_master(self, master: Secret, *, instead: bool) -> None:
        opened = self._require_open()
        bundle = replace(opened.bundle, master=master)
        await asyncio.to_thread(self._settings.keystore.save, bundle)
        self._opened = replace(opened, bundle=bundle)
        opened.context.rooms.use(master, instead=instead)
