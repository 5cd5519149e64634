"""All followed tickets of one client: each is read from the store once, used by one task at a time, kept again."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, SupportError, UsageError
from e2e_support.ids import MessageId
from e2e_support.mailbox import Chain
from e2e_support.ticket_keys import TicketKeys, parse_number, ticket_number
from e2e_support.user import prove_user, user_key
from e2e_support_client import clock
from e2e_support_client.admit import create_mailbox
from e2e_support_client.auto_lock import is_locked
from e2e_support_client.erased_store import ErasedStore
from e2e_support_client.evidence import find_contradiction, receipt_proofs
from e2e_support_client.handback import HandBack
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.room import Room
from e2e_support_client.store import FILES_LOST, LocalStore, TicketRow
from e2e_support_client.team import Team
from e2e_support_client.tombstones import Tombstone, read_tombstone, sign_erasure, still_there
from e2e_support_client.trust_store import TrustStore

_log = logging.getLogger("e2e_support")
ERA = 1_000_000  # a month's number is below it
CLAIMS = frozenset({"not_found", "erased"})
"""A relay's words about a whole mailbox: shown as its claim, and nothing is purged for them (attack 81)."""


class Rooms:
    """The rooms of one user on one team.

    Args:
        store: keeps them.
        trust: keeps proofs.
        erased: keeps what is left of erased tickets.
        team: the roster.
        relay: where the logs are.
        masters: the user's master secrets, the newest last: new tickets are its.

    Attributes:
        listeners: set whenever something new was kept.
    """

    def __init__(
        self,
        store: LocalStore,
        trust: TrustStore,
        erased: ErasedStore,
        team: Team,
        relay: RelayPort,
        masters: Sequence[Secret],
    ) -> None:
        self._store = store
        self._trust = trust
        self.erased = erased
        self._team = team
        self._relay = relay
        self._masters = list(masters)
        self.listeners: set[asyncio.Event] = set()
        self._open: dict[str, Room] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def place(self, month: int, index: int) -> TicketRow:
        """Return the ticket that an index stands for, in a month (yyyymm) of the newest master."""
        dated = self.dated(month)
        keys = self._derive(dated, index)
        return TicketRow(ticket_number(keys.mailbox), keys.mailbox, dated, index)

    def dated(self, month: int) -> int:
        """Return how a month of the newest master is written: each master has its own (5.1)."""
        return (len(self._masters) - 1) * ERA + month

    def use(self, master: Secret, *, instead: bool) -> None:
        """Open new tickets under another master.

        Args:
            master: the new one.
            instead: whether there are no tickets under the one before.
        """
        if instead:
            self._masters.pop()
        self._masters.append(master)

    def forget(self) -> None:
        """Drop every key; from then on this opens nothing."""
        self._masters.clear()
        self._open.clear()

    def keys(self, row: TicketRow) -> TicketKeys:
        """Return the user's keys of a ticket."""
        return self._derive(row.month, row.place)

    def user(self, row: TicketRow) -> SigningKey:
        """Return what joins a ticket to the others of the same master, for the team alone (5.8)."""
        return user_key(self._master(row.month // ERA), self._team.pin.team_id)

    def prove(self, row: TicketRow) -> tuple[bytes, bytes]:
        """Return the public key that joins a ticket to others of its user, and the proof that it does."""
        user, keys = self.user(row), self.keys(row)
        return user.public, prove_user(user, self._team.pin.team_id, keys.mailbox, keys.author.public)

    async def row(self, number: str) -> TicketRow:
        """Return where a ticket is.

        Raises:
            UsageError: ``bad_number``, ``unknown_ticket`` or ``erased``.
        """
        row = await self._store.ticket(parse_number(number))
        if row is not None and (stone := await self.erased.find(row.number)):
            raise stone.error()
        if row is None:
            raise UsageError(
                "unknown_ticket",
                f"there is no ticket {parse_number(number)} on this device",
                hint="Look at the list for the right number.",
            )
        return row

    async def holds(self, number: str) -> bool:
        """Tell whether any entry of a ticket was followed."""
        return bool(await self._store.records(number))

    @asynccontextmanager
    async def open(self, number: str) -> AsyncGenerator[Room]:
        """Use a ticket alone; what it learns is kept, also when the block raises.

        Raises:
            UsageError: ``unknown_ticket``, ``bad_number``, or the store's errors.
            TrustError: ``no_roster`` before the team was ever verified.
        """
        row = await self.row(number)
        async with self._locks[row.number]:
            room = await self._load(row)
            try:
                yield room
            finally:
                await self.keep(room)
                if room.row.merged_into != room.merged_into:
                    await self._store.set_merged(row.number, room.merged_into)

    async def keep(self, room: Room, *, delivered: MessageId | None = None) -> None:
        """Write what is new in a room, and what was delivered by it, in one transaction."""
        if not room.fresh and delivered is None:
            return
        number, start = room.row.number, room.length - len(room.fresh)
        try:
            await self._store.follow(number, start, room.fresh, room.journal, delivered=delivered)
        except BaseException:
            self._open.pop(number, None)  # read it again: the store knows less than this room
            raise
        await self._keep_proofs(receipt_proofs(self._team.roster, room.channel.conversation.equivocations))
        room.saved()
        for listener in self.listeners:
            listener.set()

    async def pull(self, number: str) -> None:
        """Follow what is new in a ticket; what the relay says or does wrong is remembered and raised.

        Raises:
            Refused: ``not_found`` or ``erased``: a claim of the relay, what was known is kept. With a good tombstone
                the ticket is purged instead, and nothing is raised.
            PeerError: the relay's answer does not hold.
            TrustError: the roster does not.
            TransportError: the relay cannot be reached; nothing is remembered of that.
        """
        try:
            async with self.open(number) as room:
                await room.pull()
                lost = room.hand_back.files_lost or room.row.problem == FILES_LOST
        except Refused as error:
            if error.code == "not_found" and await self._is_kept_free(number):
                return
            if error.code == "erased" and await self._bury(number):
                return
            await self._note(number, f"relay_says_{error.code}" if error.code in CLAIMS else error.code)
            raise
        except SupportError as error:
            if error.code == "fork":
                await self._keep_contradiction(number)
            if not error.retryable:
                await self._note(number, error.code)
            raise
        await self._note(number, FILES_LOST if lost else "")

    async def erase(self, number: str) -> None:
        """Have the relay erase a ticket, and purge it here; whoever else erased it first is named for it.

        A process that stops between the two finds the tombstone when it pulls the ticket again.

        Raises:
            Refused: ``not_yours``, ``not_found``, ``rate`` …; nothing was purged.
            PeerError: ``still_there``: the relay says that it did so, and does not show it.
            TransportError: the relay cannot be reached; it may have erased the ticket, the next pull tells.
        """
        row = await self.row(number)
        key = self.keys(row).capability
        statement = sign_erasure(self._team.pin.team_id, row.mailbox, key.public, key, clock.now())
        try:
            await self._relay.destroy(row.mailbox, statement, key)
        except Refused as error:
            if error.code != "erased":
                raise
            if not await self._bury(row.number):  # gone of age, or by a statement that does not count
                await self._purge(row.number, read_tombstone(statement, self._team.roster, row.mailbox))
            return
        await self.pull(row.number)
        if await self.erased.find(row.number) is None:
            raise still_there(row.number)

    async def _bury(self, number: str) -> bool:
        """Purge a ticket if there is a good statement that it was erased; tell whether there is."""
        row = await self.row(number)
        async with self._locks[row.number]:
            known = await self._store.records(row.number)
            try:
                statement = await self._relay.tombstone(row.mailbox, self.keys(row).capability)
                newest = known[-1].received if known else 0
                stone = read_tombstone(statement, self._team.roster, row.mailbox, newest=newest)
            except (Refused, PeerError):
                return False
            await self._purge(row.number, stone)
        return True

    async def _purge(self, number: str, stone: Tombstone) -> None:
        self._open.pop(number, None)
        await self.erased.bury(number, stone)
        for listener in self.listeners:
            listener.set()

    async def _is_kept_free(self, number: str) -> bool:
        """Tell whether a place waits for the team, which need not ever use it."""
        row = await self.row(number)
        return row.reserved and not await self.holds(row.number)

    async def _keep_contradiction(self, number: str) -> None:
        """Look for two receipts that cannot both be honest, where a relay shows another history than before."""
        row = await self.row(number)
        with suppress(SupportError):
            found = await find_contradiction(
                self._relay,
                Chain.start(row.mailbox),
                self.keys(row).capability,
                await self._store.records(row.number),
                self._team.roster,
            )
            await self._keep_proofs([found] if found else [])

    async def _keep_proofs(self, proofs: Sequence[bytes]) -> None:
        for proof in proofs:
            _log.warning("the relay contradicts itself; a proof is kept")
            await self._trust.add_proof(proof, clock.now())

    async def _note(self, number: str, code: str) -> None:
        row = await self.row(number)
        if row.problem != code:
            _log.warning("a ticket's log: %s", code or "in order again")
            await self._store.set_problem(row.number, code)

    def _derive(self, dated: int, index: int) -> TicketKeys:
        era, month = divmod(dated, ERA)
        return TicketKeys.derive(self._master(era), self._team.pin.team_id, month, index)

    def _master(self, era: int) -> Secret:
        if not self._masters:
            raise is_locked()
        return self._masters[era]

    def _hand_back(self, row: TicketRow) -> HandBack:
        """Return what gives a ticket back to a relay that lost it."""
        key = self.keys(row).capability

        async def create() -> bool:
            await create_mailbox(self._relay, self._team.pin.team_id, key, lambda _: None)
            return True

        return HandBack(self._relay, row.mailbox, lambda: key, self._trust, create)

    async def _load(self, row: TicketRow) -> Room:
        room = self._open.get(row.number)
        if room is None:
            records = await self._store.records(row.number)
            room = Room.resume(row, self.keys(row), self._team, self._hand_back(row), records)
            self._open[row.number] = room
        room.row = row
        room.refresh_team()
        return room
