"""Takes one kept message to the relay, state by state; whoever is stopped in between goes on where it stood.

    draft ── rules hold, place chosen, mailbox there ──► uploading ── files up, sealed bytes kept ──► sealed
    sealed ── the relay has it ──► (left the outbox: stored)     sealed ── something else stands there ──► uploading
    uploading, sealed ── the mailbox is gone ──► draft           any ── refused ──► failed, kept ──► where it stood

Every arrow ends in a committed transaction before the next begins. Before anything is sealed anew, the log is
searched for the message's own id, so that nothing is ever stored twice (attack 87).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from e2e_support.content import BODIES, Attachment, OpenBody
from e2e_support.conversation import Draft, Sealed
from e2e_support.errors import SupportError, TransportError, UsageError
from e2e_support.ids import MessageId
from e2e_support.reasons import refusal
from e2e_support.thread import GRACE
from e2e_support.ticket import judge
from e2e_support.ticket_state import DAY, Fact
from e2e_support.vocab import AuthorRole, Kind
from e2e_support_client import clock
from e2e_support_client.admit import create_mailbox
from e2e_support_client.allowance import Allowance, sent_profile
from e2e_support_client.courier import Courier, prospect
from e2e_support_client.model import OnProgress, Progress, State
from e2e_support_client.outbox_store import FileRow, ItemRow, OutboxStore
from e2e_support_client.policy_words import explained
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.room import PlaceTaken, Room
from e2e_support_client.rooms import Rooms
from e2e_support_client.team import WRITE_AFTER, Team
from e2e_support_client.vouched import PASSING

_log = logging.getLogger("e2e_support")
OnState = Callable[[str], None]
SEALED_LIFE = GRACE - 2 * DAY  # seconds; older bytes may follow rules that have ended since (protocol 5.5)
ROUNDS_MAX = 64  # steps of one delivery: a relay must not be able to keep a client going round for ever


def passes(error: SupportError) -> bool:
    """Tell whether an error is over by itself, so that what met it waits and is tried again."""
    return error.retryable or error.code in PASSING


def no_progress(_progress: Progress) -> None:
    """Tell nobody."""


class Delivery:
    """The state machine of one message.

    Args:
        drafts: keeps every state.
        rooms: the tickets.
        team: the roster.
        relay: the relay.
        courier: uploads files.
        allowance: says whether one more ticket may be opened.
        on_state: told each step by name once it is committed; tests stop the process there.
    """

    def __init__(
        self,
        drafts: OutboxStore,
        rooms: Rooms,
        team: Team,
        relay: RelayPort,
        courier: Courier,
        *,
        allowance: Allowance,
        on_state: OnState = lambda _: None,
    ) -> None:
        self._drafts = drafts
        self._rooms = rooms
        self._team = team
        self._relay = relay
        self._courier = courier
        self._allowance = allowance
        self._on_state = on_state
        self._lanes: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._steps = {
            State.DRAFT: self._begin,
            State.UPLOADING: self._seal,
            State.SEALED: self._settle,
            State.FAILED: self._again,
        }

    async def run(self, key: MessageId, on_progress: OnProgress = no_progress) -> str:
        """Take an item as far as it goes and return its ticket's number.

        Args:
            key: the item.
            on_progress: told of work, uploads.

        Raises:
            TransportError: it waits where it stands and can be tried again.
            SupportError: it is kept as failed, with this error's code.
        """
        item = await self._item(key)
        lane = key if item.kind is Kind.OPEN else item.number.encode()
        async with self._lanes[lane]:
            return await self._run(key, on_progress)

    async def _run(self, key: MessageId, on_progress: OnProgress) -> str:
        number, renewed = "", set[str]()
        for _ in range(ROUNDS_MAX):
            item = await self._drafts.item(key)
            if item is None:
                return number
            number = item.number or number
            try:
                number = await self._steps[item.state](item, on_progress) or number
            except PlaceTaken:
                await self._place(item)
            except Refused as error:
                await self._after_refusal(item, error, renewed)
            except SupportError as error:
                await self._note(item, error)
                raise
        raise TransportError(
            "crowded", "this did not come to rest", hint="It is kept; try again in a minute."
        )

    async def _item(self, key: MessageId) -> ItemRow:
        item = await self._drafts.item(key)
        if item is None:
            raise UsageError("unknown_item", "the outbox has no such item", hint="It may be stored already.")
        return item

    # --- steps: each ends with another state in the store, and may return the number --------------------------

    async def _begin(self, item: ItemRow, on_progress: OnProgress) -> str:
        """Check the rules as early as possible, offline too; then see to it that there is a mailbox."""
        self._told(State.DRAFT)
        trouble = await self._refresh_team()
        files = await self._drafts.files(item.key)
        if self._team.known:
            await self._check(item, files, online=trouble is None)
        if item.kind is Kind.OPEN and not item.number:
            await self._place(item)
            item = await self._item(item.key)
        if trouble:
            raise trouble
        self._team.require_fresh()
        if item.kind is Kind.OPEN:
            await self._admit(item, on_progress)
        await self._enter(item.key, State.UPLOADING)
        return item.number

    async def _seal(self, item: ItemRow, on_progress: OnProgress) -> str:
        """Upload the files and write the entry, unless it stands in the log already."""
        await self._team.refresh_if_old(WRITE_AFTER)  # nothing is sealed for a team that may have changed
        self._team.require_fresh()
        files = await self._drafts.files(item.key)
        keys = self._rooms.keys(await self._rooms.row(item.number))
        manifests = [await self._courier.upload(keys, item.key, file, on_progress) for file in files]
        self._told("uploaded")
        async with self._rooms.open(item.number) as room:  # not before: others may read while files go up
            await room.pull()
            if room.find(item.key) is None:
                await self._push(room, item, tuple(manifests))
            await self._stored(room, item)
        return item.number

    async def _settle(self, item: ItemRow, _on_progress: OnProgress) -> str:
        """Find out whether sealed bytes are stored; if another entry took their place, or they are old, seal anew."""
        assert item.sealed is not None  # noqa: S101 - the state says so
        async with self._rooms.open(item.number) as room:
            await room.pull()  # not before the relay has back what it lost
            found = room.find(item.key)
            if found is None and not clock.is_over(item.created_at, SEALED_LIFE):
                draft = self._draft(room, item, await self._manifests(item))
                found = await room.settle(item.sealed, draft, [file.blob_id for file in draft.attachments])
            if found is None:
                await self._enter(item.key, State.UPLOADING)
            else:
                await self._stored(room, item)
        return item.number

    async def _again(self, item: ItemRow, _on_progress: OnProgress) -> str:
        """Go on with what failed: sealed bytes may have got through, all else begins with the rules."""
        await self._drafts.set_state(item.key, State.SEALED if item.sealed else State.DRAFT)
        return item.number

    # --- what the steps are made of ---------------------------------------------------------------------------

    async def _refresh_team(self) -> TransportError | None:
        try:
            await self._team.refresh()
        except TransportError as error:
            return error
        return None

    async def _check(self, item: ItemRow, files: list[FileRow], *, online: bool) -> None:
        """Raise the rule that stands against an item, before anything of it leaves this device."""
        try:
            await self._judge(item, files, online=online)
        except UsageError as refused:
            raise explained(refused, self._team.roster.policy) from None

    async def _judge(self, item: ItemRow, files: list[FileRow], *, online: bool) -> None:
        fact = _fact(item, tuple(prospect(file) for file in files))
        if item.kind is not Kind.OPEN:
            async with self._rooms.open(item.number) as room:
                await self._check_reply(room, fact, online=online)
            return
        _, reason = judge(None, fact, self._team.roster.policy)
        if reason:
            raise refusal(reason)
        await self._allowance.require(item, online=online)

    async def _check_reply(self, room: Room, fact: Fact, *, online: bool) -> None:
        """Judge by what is known; what that forbids may be allowed by what the team has done meanwhile."""
        try:
            room.check(fact)
        except UsageError:
            if not online:
                raise
            await room.pull()
            room.check(fact)

    async def _place(self, item: ItemRow) -> None:
        """Choose where a new ticket goes, or goes instead."""
        written = datetime.fromtimestamp(item.created_at, UTC)
        month = written.year * 100 + written.month
        dated = self._rooms.dated(month)
        await self._drafts.place_item(item.key, dated, lambda index: self._rooms.place(month, index))
        self._told("placed")

    async def _admit(self, item: ItemRow, on_progress: OnProgress) -> None:
        """Create the mailbox; if there is one, look whose it is."""
        creation = self._rooms.keys(await self._rooms.row(item.number)).capability
        try:
            new = await create_mailbox(self._relay, self._team.pin.team_id, creation, on_progress)
        except Refused as error:
            if error.code == "erased":
                raise PlaceTaken from None
            if error.code != "conflict":
                raise
            new = False
        if not new:
            await self._look(item)
        self._told("created")

    async def _look(self, item: ItemRow) -> None:
        """An own mailbox that is empty, or holds this very message, is fine."""
        async with self._rooms.open(item.number) as room:
            await room.pull()
            if room.length and room.find(item.key) is None:
                raise PlaceTaken

    async def _push(self, room: Room, item: ItemRow, manifests: tuple[Attachment, ...]) -> None:
        async def keep(sealed: Sealed) -> None:
            await self._drafts.set_sealed(item.key, sealed)
            self._told(State.SEALED)

        draft = self._draft(room, item, manifests)
        blobs = [manifest.blob_id for manifest in manifests]
        await room.push(draft, blobs, _fact(item, manifests), keep)

    async def _stored(self, room: Room, item: ItemRow) -> None:
        """Let an item leave the outbox in the transaction that keeps its entry."""
        self._told("appended")
        await self._rooms.keep(room, delivered=item.key)
        self._told(State.STORED)

    def _draft(self, room: Room, item: ItemRow, manifests: tuple[Attachment, ...]) -> Draft:
        body = BODIES[item.kind].from_bytes(item.body)
        if isinstance(body, OpenBody):  # which keys it has follows from its place
            user, proof = self._rooms.prove(room.row) if body.user_key else (b"", b"")
            body = replace(
                body,
                profile=sent_profile(body.profile, self._team.roster.policy),
                reply_key=room.keys.reply.public,
                user_key=user,
                user_proof=proof,
            )
        return Draft(item.kind, body, item.key, manifests)

    async def _manifests(self, item: ItemRow) -> tuple[Attachment, ...]:
        return tuple(Attachment.from_bytes(file.manifest) for file in await self._drafts.files(item.key))

    def _told(self, step: str) -> None:
        """Tell a step that is committed; the log learns its name and nothing else."""
        _log.debug("delivery: %s", step)
        self._on_state(step)

    async def _enter(self, key: MessageId, state: State) -> None:
        await self._drafts.set_state(key, state)
        self._told(state)

    async def _after_refusal(self, item: ItemRow, error: Refused, renewed: set[str]) -> None:
        """Begin again, once, what died of age at the relay; everything else has failed and is kept."""
        again = {"not_found": State.DRAFT, "blob_incomplete": State.UPLOADING}.get(error.code)
        lost = error.code == "not_found" and await self._rooms.holds(item.number)
        if again is None or lost or item.state is State.DRAFT or error.code in renewed:
            await self._note(item, error)
            raise error
        renewed.add(error.code)
        await self._drafts.reset_item(item.key, again)

    async def _note(self, item: ItemRow, error: SupportError) -> None:
        """Remember why an item went no further; what only waits keeps its state."""
        _log.info("delivery stopped: %s", error.code)
        current = await self._drafts.item(item.key)
        if current is not None:
            state = current.state if passes(error) else State.FAILED
            await self._drafts.set_state(item.key, state, error)


def _fact(item: ItemRow, attachments: tuple[Attachment, ...]) -> Fact:
    body = BODIES[item.kind].from_bytes(item.body)
    seq = 0 if item.kind is Kind.OPEN else 1
    return Fact(seq, item.kind, AuthorRole.USER, body, clock.now(), attachments=attachments)
