"""One log over one relay: pulls what is new, pushes drafts by compare-and-append (protocol 3.3, 3.5).

Users' clients and consoles use the same channel. It never sends the same message twice: sealed bytes are
handed to the caller before the first attempt, and after every doubt the log is read before anything is sealed
again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from e2e_support.content import Author
from e2e_support.conversation import AuthorKey, Conversation, Draft, Sealed
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import TransportError, TrustError
from e2e_support.ids import BlobId
from e2e_support.opened import Opened
from e2e_support.roster import TrustedRoster
from e2e_support.wire import Append, Stored
from e2e_support_client import clock
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.roster_sync import RosterSync

ATTEMPTS_MAX = 8  # heads that may move under one send before the caller is told to try later
KeepSealed = Callable[[Sealed], Awaitable[None]]
Check = Callable[[], None]
OnPulled = Callable[[Opened], None]


class Channel:
    """A conversation that lives on a relay.

    Args:
        relay: the relay.
        team: the roster, refreshed when an entry or the relay asks for it.
        conversation: what was followed so far.
        capability: returns the key that may read and write the mailbox; asked each time, since epochs change.
    """

    def __init__(
        self,
        relay: RelayPort,
        team: RosterSync,
        conversation: Conversation,
        capability: Callable[[], SigningKey],
    ) -> None:
        self._relay = relay
        self._team = team
        self.conversation = conversation
        self._capability = capability

    @property
    def roster(self) -> TrustedRoster:
        """The newest verified roster; ``no_roster`` before the first connection."""
        return self._team.roster

    async def pull(self, on_pulled: OnPulled = lambda _: None) -> list[Opened]:
        """Return the entries that are new since the last pull or push.

        Args:
            on_pulled: told every entry as soon as it is followed, so that those before a bad place are not lost;
                may raise to stop.

        Raises:
            PeerError: ``rollback``, ``fork``, ``bad_receipt``, ``update_needed`` …; nothing after the bad place is
                followed.
            Refused: ``not_found`` and others.
            TransportError: the relay cannot be reached.
        """
        new: list[Opened] = []
        while True:
            chain = self.conversation.chain
            page = await self._relay.read(chain.mailbox, chain.length, self._capability())
            chain.check_page(page)
            for item in page.items:
                opened = await self._receive(item)
                new.append(opened)
                on_pulled(opened)
            if not page.items or self.conversation.chain.length >= page.head.length:
                return new

    async def push(
        self,
        draft: Draft,
        signer: AuthorKey,
        *,
        blobs: Sequence[BlobId] = (),
        keep: KeepSealed,
        check: Check = lambda: None,
        on_pulled: OnPulled = lambda _: None,
        first_key: Secret | None = None,
    ) -> Opened:
        """Seal a draft as the next entry and store it; rebase over what came in between.

        Args:
            draft: what to say; its message id makes a repetition harmless.
            signer: who says it.
            blobs: the blobs that it names, all uploaded.
            keep: persists the sealed entry before it is sent.
            check: raises when the draft may no longer be sent, after new entries were seen.
            on_pulled: told every entry that was pulled on the way.
            first_key: for the first entry of a shared log.

        Raises:
            UsageError: what ``check`` raises, or a clear "no" of the relay.
            TransportError: it is not known whether it was stored; ``settle`` finds out.
        """
        for _ in range(ATTEMPTS_MAX):
            check()
            sealed = self.conversation.seal(
                draft, signer, now=clock.now(), random=clock.random, first_key=first_key
            )
            await keep(sealed)
            found = await self.settle(sealed, draft, signer.author, blobs=blobs, on_pulled=on_pulled)
            if found:
                return found
        raise TransportError(
            "crowded", "others write faster than this", hint="It is kept; try again in a minute."
        )

    async def settle(
        self,
        sealed: Sealed,
        draft: Draft,
        author: Author,
        *,
        blobs: Sequence[BlobId] = (),
        on_pulled: OnPulled = lambda _: None,
    ) -> Opened | None:
        """Store sealed bytes, whether or not an earlier attempt got through.

        Returns:
            The entry in the log, or ``None`` when something else stands at its place and it must be sealed again.
        """
        append = Append(sealed.seq, sealed.prev_hash, sealed.entry, tuple(blobs))
        chain = self.conversation.chain
        try:
            receipt = await self._relay.append(chain.mailbox, append, self._capability())
        except Refused as refused:
            return await self._after_refusal(refused, draft, author, on_pulled)
        if chain.length != sealed.seq:
            return await self._pull_own(draft, author, on_pulled)
        return await self._receive(Stored(sealed.entry, receipt))

    async def _after_refusal(
        self, refused: Refused, draft: Draft, author: Author, on_pulled: OnPulled
    ) -> Opened | None:
        if refused.code == "head_moved":
            return await self._pull_own(draft, author, on_pulled)
        if refused.code in {"epoch_changed", "not_found"}:  # an old epoch's capability finds nothing
            grown = await self._refresh_team()
            if grown or refused.code == "epoch_changed":
                return None
        raise refused

    async def _pull_own(self, draft: Draft, author: Author, on_pulled: OnPulled) -> Opened | None:
        """Pull and return this very message, if it stands in the log already (attack 87)."""
        own = None
        for opened in await self.pull(on_pulled):
            if opened.inner and (opened.inner.message_id, opened.inner.author) == (draft.message_id, author):
                own = own or opened
        return own

    async def _receive(self, item: Stored) -> Opened:
        """Open one entry, fetching the roster once if it cites a newer one."""
        try:
            return self.conversation.receive(item)
        except TrustError as error:
            if error.code != "roster_behind":
                raise
        await self._refresh_team()
        return self.conversation.receive(item, accept_strange=True)

    async def _refresh_team(self) -> int:
        grown = await self._team.refresh()
        self.conversation.team = self._team.roster
        return grown
