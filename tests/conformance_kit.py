"""A help desk with one of the ready-made policies: real consoles and real users' clients at a relay in memory.

@row("S2-10", "refuse")
async def test_…(desk: HelpDesk) -> None:
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(ada.tickets.reopen(number, "Again."), "not_closed")

``desk`` is a fixture; the module's ``PRESET`` says which policy. All clocks stand still until ``pass_by``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from e2e_support.codec import Message
from e2e_support.content import OpenBody
from e2e_support.errors import SupportError
from e2e_support.ids import MailboxId
from e2e_support.policy import Policy
from e2e_support.thread import Thread
from e2e_support.ticket_keys import ticket_number
from e2e_support.ticket_state import TicketState
from e2e_support.vocab import Kind, Role, Verdict
from e2e_support_client import MemoryKeystore, SupportClient, clock, delivery
from e2e_support_client.allowance import Allowance
from e2e_support_client.model import Ticket
from e2e_support_client.room import Room as TicketRoom
from e2e_support_client.testing import FakeRelay
from e2e_support_client.tickets import LINKED, NO_KEY
from e2e_support_console.sending import Sender
from e2e_support_console.team import TeamClient
from e2e_support_console.writer import Writer
from e2e_support_keys.bundle import UserBundle
from team_builder import TIME
from team_room import TeamRoom
from tools.conformance_rows import ROWS

DAY = 24 * 3600
SUBJECT = "The invoices are missing"
TEXT = "The list of invoices is empty since this morning, in both browsers."
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes.fromhex(
    "0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a4944415478da636000000002000148afa4710000000049454e44ae426082"
)
Case = Literal["pass", "refuse"]


def row(row_id: str, case: Case) -> pytest.MarkDecorator:
    """Say that a test shows that a row of the reference systems holds, or that what it forbids is refused.

    Raises:
        ValueError: there is no such row.
    """
    if row_id not in ROWS:
        raise ValueError(f"there is no row {row_id}")
    return pytest.mark.row(row_id, case)


async def refused(work: Awaitable[object], *codes: str) -> SupportError:
    """Expect that something is refused with one of these codes, and return the error."""
    with pytest.raises(SupportError) as caught:
        await work
    assert caught.value.code in codes
    assert caught.value.hint
    return caught.value


def nothing_wrong(*_: object, **__: object) -> tuple[None, str]:
    """Stand where a rule was."""
    return None, ""


async def nothing_counted(*_: object, **__: object) -> None:
    """Stand where a limit was."""


@dataclass
class HelpDesk:
    """A team with a policy, and whatever users and colleagues a test needs.

    Attributes:
        room: the relay and everybody's homes.
        folder: where users keep their state.
        patch: takes rules out of programs.
        team: the founder's console; Anna is an owner.
        now: seconds since 1970, for everybody.
    """

    room: TeamRoom
    folder: Path
    patch: pytest.MonkeyPatch
    team: TeamClient
    now: int
    _open: AsyncExitStack
    _keys: dict[str, MemoryKeystore] = field(default_factory=dict[str, MemoryKeystore])

    @property
    def relay(self) -> FakeRelay:
        """Where all meet."""
        return self.room.relay

    @property
    def policy(self) -> Policy:
        """The rules as they are now."""
        return self.team.policy.current

    def pass_by(self, *, days: int = 0, hours: int = 0, seconds: int = 0) -> None:
        """Let time pass for everybody."""
        self.now += days * DAY + hours * 3600 + seconds

    # --- people ----------------------------------------------------------------------------------------------

    async def user(self, name: str = "Ada", **options: Any) -> SupportClient:
        """Return a user's client with keys of their own; the same name has the same keys."""
        keys = self._keys.setdefault(name, MemoryKeystore())
        return await self._client(keys, self.folder / name, options)

    async def second_device(self, name: str = "Ada", **options: Any) -> SupportClient:
        """Return the client of another device of a user."""
        bundle = self._keys[name].load()
        assert isinstance(bundle, UserBundle)
        copy = UserBundle.fresh(bundle.link, clock.random, master=bundle.master)
        return await self._client(MemoryKeystore(copy), self.folder / f"{name} 2", options)

    async def _client(self, keys: MemoryKeystore, home: Path, options: dict[str, Any]) -> SupportClient:
        relay = options.pop("relay", self.relay)
        made = SupportClient(self.team.link, keystore=keys, state_dir=home, relay=relay, **options)
        client = await self._open.enter_async_context(made)
        await client.verify_team()
        return client

    async def colleague(self, name: str = "Ben", role: Role = Role.AGENT) -> TeamClient:
        """Return the console of another member of the team."""
        console = await self.room.add(self.team, name, role)
        await self.team.catch_up()
        await console.catch_up()
        return console

    # --- tickets ---------------------------------------------------------------------------------------------

    async def closed_to(self, user: SupportClient, mailbox: MailboxId) -> None:
        """Expect that the relay gives a user nothing of a mailbox that is not theirs."""
        (place,) = await user.places()
        with pytest.raises(SupportError) as caught:
            await self.relay.read(mailbox, 0, place.capability)
        assert caught.value.code == "not_found"

    async def file(
        self, user: SupportClient, subject: str = SUBJECT, text: str = TEXT, **options: Any
    ) -> str:
        """Let a user open a ticket that the team then has; return its number."""
        chosen: Mapping[str, Any] = {"category": self.policy.categories[0].id, **options}
        ref = await user.tickets.create(subject, text, **chosen)
        await self.team.catch_up()
        return ref.number

    async def status(self, user: SupportClient, number: str) -> tuple[str, str]:
        """Return a ticket's status as its user and as the team read it."""
        await self.team.catch_up()
        seen = (await user.tickets.get(number)).summary.status_text
        return seen, (await self.team.inbox.get(number)).summary.status_text

    async def state(self, number: str) -> TicketState | None:
        """Return a ticket as the console has it, before time is looked at."""
        await self.team.catch_up()
        return (await self.thread(number)).state

    async def thread(self, number: str) -> Thread:
        """Return a ticket's shared log as the console has it."""
        thread = (await self.team.desk.load(self._mailbox(number))).thread
        assert isinstance(thread, Thread)
        return thread

    async def broken(self, number: str) -> list[str]:
        """Return which rules the entries of a ticket's shared log break, as the console judges them."""
        await self.team.catch_up()
        entries = (await self.team.desk.load(self._mailbox(number))).thread.entries
        wrong = [one for one in entries if one.verdict is not Verdict.OK]
        assert all(one.verdict is Verdict.NONCONFORMING for one in wrong)
        return [one.reason for one in wrong]

    def _mailbox(self, number: str) -> MailboxId:
        return next(one for one in self.relay.mailboxes if ticket_number(one) == number)

    # --- programs whose rules were taken out -------------------------------------------------------------------

    async def send_anyway(self, user: SupportClient, kind: Kind, body: Message, number: str = "") -> str:
        """Let a user's program without rules seal and send anything; return the ticket's number."""
        box = user.outbox
        with self.patch.context() as patched:
            patched.setattr(delivery, "judge", nothing_wrong)
            patched.setattr(Allowance, "require", nothing_counted)
            patched.setattr(TicketRoom, "check", nothing_wrong)
            key = await box.add(kind, body, number=number)
            return (await box.send(key, keep_waiting=False, on_progress=lambda _: None)).number

    async def open_anyway(self, user: SupportClient, **changes: object) -> str:
        """Let a user's program without rules open a ticket that would be good but for the changes."""
        category = self.policy.categories[0].id
        body = OpenBody(SUBJECT, TEXT, category, "", (), (), b"", "", b"", NO_KEY, LINKED)
        return await self.send_anyway(user, Kind.OPEN, replace(body, **changes))  # type: ignore[arg-type]

    async def rejected(self, user: SupportClient, code: str, **changes: object) -> None:
        """Expect that nobody honest takes an opening for a ticket, though a program without rules has sent it."""
        before = (await self.team.quarantined()).get(code, 0)
        number = await self.open_anyway(user, **changes)
        await self.team.catch_up()
        assert number not in [line.number for line in await self.team.inbox.list(view="all")]
        assert number not in [line.number for line in await user.tickets.list()]
        assert (await self.team.quarantined())[code] == before + 1

    async def write_anyway(self, console: TeamClient, number: str, kind: Kind, body: Message) -> None:
        """Let a console without rules write anything into a ticket's shared log."""
        with self.patch.context() as patched:
            patched.setattr(Sender, "check", nothing_wrong)
            await Writer(console.desk).write(self._mailbox(number), kind, body)

    async def ignored(self, user: SupportClient, number: str, kind: Kind, body: Message, code: str) -> None:
        """Expect that an entry which a program without rules sends changes nothing for anybody honest."""
        before, seen = await self.state(number), await user.tickets.get(number)
        earlier = await self.broken(number)
        await self.send_anyway(user, kind, body, number)
        assert await self.broken(number) == [*earlier, code]
        assert await self.state(number) == before
        _same(seen, await user.tickets.get(number), code)

    async def ignored_of_team(
        self, user: SupportClient, number: str, kind: Kind, body: Message, code: str
    ) -> None:
        """Expect that an entry which a console without rules writes changes nothing for its user and colleagues."""
        before, seen = await self.state(number), await user.tickets.get(number)
        await self.write_anyway(self.team, number, kind, body)
        assert (await self.broken(number))[-1] == code
        assert await self.state(number) == before
        _same(seen, await user.tickets.get(number), code)


def _same(before: Ticket, after: Ticket, code: str) -> None:
    assert (after.summary.status, after.summary.priority, after.actions, after.resolution) == (
        before.summary.status,
        before.summary.priority,
        before.actions,
        before.resolution,
    )
    assert (after.messages[-1].verdict, after.messages[-1].reason) == (Verdict.NONCONFORMING, code)


@asynccontextmanager
async def help_desk(policy: Policy, folder: Path, patch: pytest.MonkeyPatch) -> AsyncGenerator[HelpDesk]:
    """Yield a team with a policy, at noon."""
    noon = TIME - TIME % DAY + DAY // 2
    patch.setattr(clock, "now", lambda: noon)
    async with AsyncExitStack() as stack:
        relay = FakeRelay(now=lambda: clock.now())  # noqa: PLW0108 - the clock is replaced
        room = await stack.enter_async_context(TeamRoom(folder / "team", policy=policy, relay=relay))
        desk = HelpDesk(room, folder, patch, await room.start(), noon, stack)
        patch.setattr(clock, "now", lambda: desk.now)
        yield desk
