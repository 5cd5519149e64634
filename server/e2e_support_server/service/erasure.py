"""Erasing, freezing and holding mailboxes, by statements of those who answer for it (protocol 3.9)."""

from __future__ import annotations

from e2e_support.destruction import Deed, DestructionBody, check_destruction
from e2e_support.errors import PeerError
from e2e_support.ids import DeviceId
from e2e_support.vocab import Role
from e2e_support_server.bell import Bell
from e2e_support_server.blobs.base import Blobs
from e2e_support_server.clock import Clock
from e2e_support_server.fairness import Rate
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.rules import Mailbox
from e2e_support_server.service.mailboxes import Mailboxes
from e2e_support_server.service.teams import Team, Teams
from e2e_support_server.storage.base import Erased, Store

DEEDS_HOUR, DEEDS_BURST = 60, 20
"""Of one member or user: one agent cannot empty the relay overnight (attack 80)."""
_UNDOING = frozenset({Deed.ERASE, Deed.RELEASE})
"""What no agent may do while a mailbox is held: it could take away for good what the whole team works with."""
DAY = 24 * 3600


class Erasure:
    """Carries statements out, and the policy's retention.

    Args:
        store: where mailboxes and tombstones are.
        files: the blobs' bytes.
        teams: whose devices may do what.
        mailboxes: remembers mailboxes that go.
        bell: sends home whoever listens to them.
        clock: the relay's clock.
    """

    def __init__(
        self, store: Store, files: Blobs, teams: Teams, mailboxes: Mailboxes, bell: Bell, clock: Clock
    ) -> None:
        self._store = store
        self._files = files
        self._teams = teams
        self._mailboxes = mailboxes
        self._bell = bell
        self._clock = clock
        self._rate = Rate(DEEDS_HOUR / 3600, DEEDS_BURST)

    async def carry_out(self, mailbox: Mailbox, statement: bytes) -> None:
        """Do what a ``Destruction`` says; harmless when the same one erased the mailbox before.

        Raises:
            PeerError: ``malformed``.
            Refusal: ``not_yours``, ``rate``, ``erased`` when another statement was first.
        """
        if mailbox.erased:
            await self._require_same(mailbox, statement)
            return
        team = self._teams.team(mailbox.team_id)
        said = _checked(mailbox, team, statement)
        if said.deed in _UNDOING and _is_agents(team, said.by) and await self._store.is_held(mailbox):
            raise Refusal("not_yours")
        if wait := self._rate.wait(_who(team, said.by), self._clock()):
            raise Refusal("rate", retry_after=wait)
        match said.deed:
            case Deed.ERASE:
                await self._gone(mailbox, await self._store.erase(mailbox, statement))
            case Deed.FREEZE | Deed.THAW:
                await self._store.freeze(mailbox, frozen=said.deed is Deed.FREEZE)
            case Deed.HOLD | Deed.RELEASE:
                await self._store.hold(mailbox, held=said.deed is Deed.HOLD)

    async def tombstone(self, mailbox: Mailbox) -> bytes:
        """Return the statement that erased a mailbox; ``not_found`` where there is none."""
        statement = await self._store.tombstone(mailbox.id)
        if not statement:
            raise not_found()
        return statement

    async def retire(self, most: int) -> int:
        """Erase mailboxes that were idle for as long as their team's policy says; return how many."""
        count = 0
        for team in self._teams.all():
            days, now = team.rules.idle_days, int(self._clock())
            while days and (gone := await self._store.erase_idle(team.id, now - days * DAY, most)):
                for erased in gone:
                    await self._gone_from(team, erased)
                count += len(gone)
        return count

    async def finish(self) -> None:
        """Remove what erased mailboxes left behind: steps of the feed, files, the database's log."""
        unfinished = await self._store.blank_steps()
        for mailbox in unfinished:
            # again: a piece may have been under way, or the relay stopped
            await self._files.drop_mailbox(mailbox)
        if unfinished:
            await self._store.finish_erasing(unfinished)

    async def _gone(self, mailbox: Mailbox, erased: Erased) -> None:
        await self._gone_from(self._teams.team(mailbox.team_id), erased)

    async def _gone_from(self, team: Team, erased: Erased) -> None:
        self._mailboxes.forget(erased.mailbox)
        self._bell.end(erased.mailbox)
        if erased.cursor:
            self._bell.ring(team.id, erased.cursor)
        await self._files.drop_mailbox(erased.mailbox)

    async def _require_same(self, mailbox: Mailbox, statement: bytes) -> None:
        if await self._store.tombstone(mailbox.id) != statement:
            raise Refusal("erased")


def _who(team: Team, by: bytes) -> bytes:
    """Return the person whose device signed, who has no more deeds by having more devices, or the user's key."""
    device = team.roster.devices.get(DeviceId(by))
    return device.member_id if device else by


def _is_agents(team: Team, by: bytes) -> bool:
    device = team.roster.devices.get(DeviceId(by))
    return device is not None and device.role is Role.AGENT


def _checked(mailbox: Mailbox, team: Team, statement: bytes) -> DestructionBody:
    """Return what a statement says if its signer may say it, in this roster and by this policy."""
    try:
        return check_destruction(
            statement,
            team_id=mailbox.team_id,
            mailbox=mailbox.id,
            devices=team.roster.devices,
            user_key=mailbox.user_key if team.rules.user_erase else b"",
        )
    except PeerError as error:
        if error.code == "malformed":
            raise
        raise Refusal("not_yours") from None
