"""Whether this user may open one more ticket: who they are, how many today, how many open (S0-03, S2-10).

An honest client asks before anything leaves the device. Nobody else can count what is not linked; consoles count
what is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from e2e_support.content import OpenBody, Pair
from e2e_support.errors import SupportError, UsageError
from e2e_support.policy import Policy
from e2e_support.policy_parts import MailMode
from e2e_support.quota import left_today
from e2e_support.ticket_state import TicketState, advance
from e2e_support.vocab import AuthorRole, Kind, Lifecycle
from e2e_support_client import clock
from e2e_support_client.discovery import Discovery
from e2e_support_client.model import State, utc
from e2e_support_client.outbox_store import ItemRow, OutboxStore
from e2e_support_client.reader import Reader
from e2e_support_client.rooms import Rooms
from e2e_support_client.store import LocalStore
from e2e_support_client.team import Team
from e2e_support_client.terminal import iso, stamp

AUTH_METHOD: Final = "auth_method"
NOTIFY_EMAIL: Final = "notify_email"
_EMAIL: Final = "email"


@dataclass(frozen=True, slots=True)
class Today:
    """What the team's limit of tickets a day leaves.

    Attributes:
        left: how many may still be opened; ``None`` where the team sets no limit.
        resets_at: when that number rises again; ``None`` where nothing has to pass first.
    """

    left: int | None
    resets_at: datetime | None


class Allowance:
    """Counts a user's tickets on all devices.

    Args:
        store: what is known.
        drafts: what waits here.
        rooms: the tickets.
        team: the roster.
        discovery: finds what other devices opened.
        reader: brings tickets up to date.
    """

    def __init__(
        self,
        store: LocalStore,
        drafts: OutboxStore,
        rooms: Rooms,
        team: Team,
        *,
        discovery: Discovery,
        reader: Reader,
    ) -> None:
        self._store = store
        self._drafts = drafts
        self._rooms = rooms
        self._team = team
        self._discovery = discovery
        self._reader = reader

    async def today(self) -> Today:
        """Return what is left of the running day, counting what waits on this device to be sent."""
        return self._left(await self._counted(None))

    async def require(self, item: ItemRow, *, online: bool) -> None:
        """Do nothing if a kept opening may be sent.

        Args:
            item: the opening; what was written before it counts first.
            online: whether the relay can be asked what other devices did.

        Raises:
            UsageError: ``not_eligible``, ``daily_limit`` or ``open_limit``.
        """
        policy = self._team.roster.policy
        _require_eligible(OpenBody.from_bytes(item.body), policy)
        if not policy.limits.create_per_day and not policy.limits.open_max:
            return
        if online:
            with suppress(SupportError):  # what is known is counted; the relay can hide things anyway
                await self._discovery.look()
        counted = await self._counted(item)
        today = self._left(counted)
        if today.left == 0:
            raise _daily_limit(policy, today.resets_at, _newest_open(counted))
        if online and self._is_full(counted):
            for number in _open(counted):
                await self._reader.pull(number)
            counted = await self._counted(item)
        if self._is_full(counted):
            raise _open_limit(policy, _newest_open(counted))

    def _left(self, counted: dict[str, TicketState | None]) -> Today:
        now = clock.now()
        created = [state.created_at if state else now for state in counted.values()]
        left, resets_at = left_today(self._team.roster.policy.limits, created, now)
        return Today(left, utc(resets_at) if resets_at else None)

    def _is_full(self, counted: dict[str, TicketState | None]) -> bool:
        most = self._team.roster.policy.limits.open_max
        waiting = sum(state is None for state in counted.values())
        return bool(most) and waiting + len(_open(counted)) >= most

    async def _counted(self, item: ItemRow | None) -> dict[str, TicketState | None]:
        """Return the user's own tickets, and before an item what waits here: ``None`` for those.

        What waits is looked at first: what is stored meanwhile counts once, and never not at all.
        """
        counted = dict[str, TicketState | None]()
        for other in await self._drafts.items():
            if item is not None and other.key == item.key:
                break
            if other.kind is Kind.OPEN and other.state is not State.FAILED:
                counted[other.number or other.key.hex()] = None
        now = clock.now()
        for row in await self._store.tickets():
            if item is not None and row.number == item.number:
                continue
            async with self._rooms.open(row.number) as room:
                state = room.thread.state
                if state is not None and state.opened_by is AuthorRole.USER:
                    counted[row.number] = advance(state, now)
        return counted


def sent_profile(profile: tuple[Pair, ...], policy: Policy) -> tuple[Pair, ...]:
    """Return what of a profile goes to the team: an address for mails only where the team sends mails (C7, C16).

    Args:
        profile: what the host and the user told.
        policy: the newest policy; where mails are on for everybody, the host's address is enough.
    """
    rest = tuple(pair for pair in profile if pair.name != NOTIFY_EMAIL)
    told = {pair.name: pair.value for pair in profile}
    mode = policy.notify.user_mail
    address = told.get(NOTIFY_EMAIL, "") or (told.get(_EMAIL, "") if mode is MailMode.ON else "")
    return (*rest, Pair(NOTIFY_EMAIL, address)) if address and sends_mails(policy) else rest


def sends_mails(policy: Policy) -> bool:
    """Tell whether a team sends users mails, be it only that their ticket has arrived."""
    return policy.notify.user_mail is not MailMode.OFF or bool(policy.notify.receipt_mail)


def _require_eligible(body: OpenBody, policy: Policy) -> None:
    method = next((pair.value for pair in body.profile if pair.name == AUTH_METHOD), "")
    if method in policy.eligibility.refused_methods:
        raise UsageError(
            "not_eligible",
            f"tickets cannot be opened by people who signed in with {method}",
            hint="Sign in another way, then open it again.",
            details={AUTH_METHOD: method},
        )


def _daily_limit(policy: Policy, resets_at: datetime | None, newest: str) -> UsageError:
    when = f"; send it from {stamp(resets_at)} on" if resets_at else ""
    most = policy.limits.create_per_day
    return UsageError(
        "daily_limit",
        f"{most} {'ticket was' if most == 1 else 'tickets were'} opened today, and more are not taken",
        hint=f"It is kept{when}.{_instead(newest)}",
        details={"resets_at": iso(resets_at), "limit": most, "reply_to": newest or None},
    )


def _open_limit(policy: Policy, newest: str) -> UsageError:
    most = policy.limits.open_max
    return UsageError(
        "open_limit",
        f"{most} of your tickets {'is' if most == 1 else 'are'} open, and more are not taken",
        hint=f"It is kept; close a ticket that is done, then send it.{_instead(newest)}",
        details={"limit": most, "reply_to": newest or None},
    )


def _instead(newest: str) -> str:
    return f" If it belongs to {newest}, write it there." if newest else ""


def _open(counted: dict[str, TicketState | None]) -> list[str]:
    return [number for number, state in counted.items() if state and state.lifecycle is not Lifecycle.CLOSED]


def _newest_open(counted: dict[str, TicketState | None]) -> str:
    """Return the open ticket that changed last; empty if there is none."""
    changed = {number: state.updated_at for number, state in counted.items() if state}
    return max(reversed(_open(counted)), key=lambda number: changed[number], default="")
