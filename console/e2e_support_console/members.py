"""The people of a team: who they are, how they come, and how they go (protocol 4.3, 4.10)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from e2e_support.errors import TransportError, UsageError
from e2e_support.ids import DeviceId
from e2e_support.invitation import Invitation
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import Threshold
from e2e_support.vocab import Role
from e2e_support.wire import Batch, DeviceRecord, Offer
from e2e_support_client import clock
from e2e_support_console.barriers import OnProgress
from e2e_support_console.changes import carry_out
from e2e_support_console.desk import Desk
from e2e_support_console.invites import (
    answer,
    close_doors,
    end_invitation,
    invitation_for,
    invited,
    note_answer,
    open_door,
)
from e2e_support_console.leaving import fetch_everything, leave_team, take_out
from e2e_support_console.people import Member, people, waiting
from e2e_support_console.proposals import Proposal
from e2e_support_console.renewal import renew
from e2e_support_keys.appearance import appearance
from e2e_support_keys.changes import add_device_batch, propose

INVITED_FOR: Final = timedelta(days=7)


class Members:
    """The team's people; ``TeamClient.members``.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def list(self) -> tuple[Member, ...]:
        """Return everybody who is, will be or was in the team, as far as this device knows."""
        desk = self._desk
        expected = [waiting(one) for one in await invited(desk.store) if not one.came(desk.roster)]
        return (*people(desk.roster), *expected)

    async def invite(
        self,
        name: str = "",
        role: Role = Role.AGENT,
        *,
        history: bool = True,
        device: bool = False,
        expires: datetime | None = None,
    ) -> Invitation:
        """Invite a person, or a further device of one's own; link and code go two ways.

        Args:
            name: how colleagues are to see the newcomer; one's own name by default for a further device.
            role: what they may do; a further device has the role of the others.
            history: whether they may read what was written before.
            device: whether it is a further device of one's own.
            expires: until when they can join and be approved; in a week by default.

        Raises:
            UsageError: ``owners_only``, ``name_taken``, ``no_name``.
            TransportError, PeerError, TrustError: relay or team are not as they must be.
        """
        await self._desk.team.refresh()
        own = self._own()
        if own.role is not Role.OWNER and not (device and own.role is Role.AGENT):
            raise UsageError("owners_only", "only owners invite", hint="Ask an owner of the team.")
        until = int(expires.timestamp()) if expires else clock.now() + int(INVITED_FOR.total_seconds())
        own_device = Offer(own.role, name or own.label, own.member_id, until)
        offer = own_device if device else Offer(role, self._free(name), b"", until)
        return (await open_door(self._desk, offer, history=history)).invitation

    async def approve(self, name: str, words: str) -> Proposal | None:
        """Add the device that answered an invitation, after its words were compared.

        Args:
            name: whom the invitation was for.
            words: what the newcomer read out.

        Returns:
            The proposal if more owners must sign, ``None`` once the newcomer is in the team.

        Raises:
            UsageError: ``not_invited``, ``invitation_over``, ``no_answer``, ``words_differ`` …
            TrustError: ``other_answer``, or a rule of protocol 4.4.
        """
        desk = self._desk
        waiting = await invitation_for(desk.store, name)
        joining = await answer(desk, waiting, words)
        async with desk.store.transaction() as change:
            await note_answer(change, name, joining.record.device_id)

        def build(roster: TrustedRoster) -> Batch | None:
            if joining.record.device_id in roster.devices_ever:
                return None
            return add_device_batch(
                *(roster, desk.team.keys, joining, desk.bundle),
                with_history=waiting.history,
                now=clock.now(),
                random=clock.random,
            )

        proposal = await carry_out(desk, build)
        if proposal is None:
            await self._end(name)
            await renew(desk)  # if it is due: soon two must vouch, and the newcomer finds it waiting
        return proposal

    async def uninvite(self, name: str) -> None:
        """Withdraw an invitation; nobody can be approved by it any more, and nothing of it stays at the relay.

        Args:
            name: whom it was for.

        Raises:
            UsageError: ``not_invited``.
        """
        await invitation_for(self._desk.store, name)
        await self._end(name)

    async def _end(self, name: str) -> None:
        async with self._desk.store.transaction() as change:
            await end_invitation(change, name)
        with suppress(TransportError):  # the next sync tries again
            await close_doors(self._desk)

    async def remove(
        self,
        name: str,
        on_progress: OnProgress = lambda _done, _total: None,
        *,
        device: str = "",
    ) -> Proposal | None:
        """Remove a member with all devices, or one device; from then on it reads nothing that is new.

        What they wrote so far is fetched first, and afterwards every active ticket says that it is believed.

        Args:
            name: as ``list`` shows it.
            on_progress: told how many tickets are done, of how many.
            device: the first letters of a device's id, to remove that one alone, as after a theft.

        Returns:
            The proposal if more owners must sign, ``None`` once they are removed.

        Raises:
            UsageError: ``no_member``, ``ambiguous_name``, ``no_device``, ``remove_oneself``, ``nothing_to_sign``.
            TrustError: ``owners_below_threshold``.
        """
        await fetch_everything(self._desk)
        return await take_out(self._desk, self.devices_of(name, device), on_progress)

    async def leave(
        self, *, everywhere: bool = False, on_progress: OnProgress = lambda _done, _total: None
    ) -> tuple[DeviceRecord, ...]:
        """Let this device leave; the next owner or agent begins an epoch that it does not have (protocol 4.5).

        Args:
            everywhere: whether the person's other devices are removed too, as far as this one may do that: an
                owner's, in a team where one owner is enough.
            on_progress: told how many tickets know of their removal, of how many.

        Returns:
            The devices of the person that stay in the team.

        Raises:
            TrustError: ``owners_below_threshold`` when too few owners would stay; nobody has left then.
            UsageError: ``team_moved`` when the team changed in the same moment.
        """
        desk = self._desk
        await desk.team.refresh()
        own = self._own()
        await leave_team(desk, own, everywhere=everywhere, on_progress=on_progress)
        return desk.roster.members.get(own.member_id, ())

    async def set_threshold(self, owners: int) -> Proposal | None:
        """Set how many owners must agree to what concerns all; returns the proposal if more must sign now.

        Raises:
            TrustError: ``owners_below_threshold`` for more than there are.
        """
        desk = self._desk

        def build(roster: TrustedRoster) -> Batch | None:
            if roster.threshold == owners:
                return None
            return propose(roster, [Threshold(owners)], desk.bundle, now=clock.now())

        return await carry_out(desk, build)

    def find(self, name: str) -> Member:
        """Return an active member by name.

        Raises:
            UsageError: ``no_member`` or ``ambiguous_name``.
        """
        active = [member for member in people(self._desk.roster) if member.state == "active"]
        exact = [member for member in active if member.name.casefold() == name.strip().casefold()]
        wanted = appearance(name)
        found = exact or [m for m in active if wanted in {appearance(device.label) for device in m.devices}]
        if len(found) > 1:
            names = ", ".join(member.name for member in found)
            raise UsageError("ambiguous_name", f"there are several: {names}", hint="Give one of these names.")
        if not found:
            raise UsageError("no_member", f"{name} is not in the team", hint="See `e2e-admin member list`.")
        return found[0]

    def devices_of(self, name: str, device: str = "") -> tuple[DeviceId, ...]:
        """Return the devices of an active member, or the one that is meant; arguments as ``remove``.

        Raises:
            UsageError: ``no_member``, ``ambiguous_name``, or ``no_device`` where it is not exactly one.
        """
        ids = (one.device_id for one in self.find(name).devices)
        found = tuple(one for one in ids if one.hex().startswith(device.lower()))
        if device and len(found) != 1:
            hint = "See `e2e-admin member list`, and give the first letters of one id."
            raise UsageError("no_device", f"{name} has {len(found)} devices of that id", hint=hint)
        return found

    def _own(self) -> DeviceRecord:
        own = self._desk.roster.devices.get(self._desk.bundle.device_id)
        if own is None:
            raise UsageError("not_in_team", "this device does not belong to the team", hint="Ask an owner.")
        return own

    def _free(self, name: str) -> str:
        if not name.strip():
            raise UsageError("no_name", "the newcomer needs a name", hint="Give it with --name.")
        looks = {appearance(record.label) for record in self._desk.roster.devices.values()}
        if appearance(name) in looks:
            raise UsageError(
                "name_taken",
                f"{name} is in the team already, or somebody whose name looks like it",
                hint="Choose another name; a further device of your own is invited with --device.",
            )
        return name.strip()
