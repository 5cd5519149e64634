"""A user's program whose checks were taken out changes nothing for an honest console and the user's other devices.

The modified client is the SDK with its rules patched away: it seals and sends whatever it is told, with good keys,
signatures and boxes. What it sends is judged by a real console and by a second, unmodified SDK.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from console_room import Room
from e2e_support.codec import Message
from e2e_support.content import (
    AssignBody,
    CloseBody,
    EmptyBody,
    FieldsBody,
    FlagBody,
    MergeBody,
    MessageBody,
    NoteBody,
    OpenBody,
    Pair,
    ReopenBody,
    ResolutionBody,
    StatusBody,
    TagBody,
)
from e2e_support.errors import UsageError
from e2e_support.ids import Hash, MailboxId
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT, PORTAL, RECORD
from e2e_support.ticket_keys import ticket_number
from e2e_support.vocab import Kind, Verdict
from e2e_support.wire import Head
from e2e_support_client import MemoryKeystore, SupportClient, clock, delivery
from e2e_support_client.allowance import Allowance
from e2e_support_client.room import Room as TicketRoom
from e2e_support_client.testing import FakeRelay
from e2e_support_client.tickets import LINKED, NO_KEY
from e2e_support_console.team import TeamClient
from e2e_support_keys.bundle import UserBundle

SUBJECT = "The invoices are missing"
TEXT = "The list of invoices is empty since this morning, in both browsers."
NOWHERE = Head(1, Hash(bytes(32)))


def nothing(*_: object, **__: object) -> tuple[None, str]:
    """Stand where a rule was."""
    return None, ""


async def nothing_at_all(*_: object, **__: object) -> None:
    """Stand where a limit was."""


@dataclass
class Stage:
    """One team, one user with a modified client, and the same user's honest second device.

    Attributes:
        team: the console.
        lawless: the modified client.
        honest: the second device.
        relay: where all meet.
        patch: takes the rules out.
    """

    team: TeamClient
    lawless: SupportClient
    honest: SupportClient
    relay: FakeRelay
    patch: pytest.MonkeyPatch

    async def send(self, kind: Kind, body: Message, number: str = "") -> str:
        """Let the modified client seal and send anything; return the ticket's number."""
        box = self.lawless.outbox
        with self.patch.context() as patched:
            patched.setattr(delivery, "judge", nothing)
            patched.setattr(Allowance, "require", nothing_at_all)
            patched.setattr(TicketRoom, "check", nothing)
            key = await box.add(kind, body, number=number)
            ref = await box.send(key, keep_waiting=False, on_progress=lambda _: None)
        return ref.number

    async def open(self, **changes: Any) -> str:
        """Let the modified client open a ticket; return its number."""
        return await self.send(Kind.OPEN, opening(**changes))

    async def broken(self, number: str) -> list[str]:
        """Return which rules a ticket's entries break: by the console, or by the other device if it is no ticket."""
        await self.team.sync()
        events = await self.honest.news()
        device = [event.problem for event in events if event.problem and event.number == number]
        log = await self.team.desk.load(self._mailbox(number))
        wrong = [one for one in log.thread.entries if one.verdict is not Verdict.OK]
        assert all(one.verdict is Verdict.NONCONFORMING for one in wrong)
        return [one.reason for one in wrong] if log.thread.entries else device

    async def state(self, number: str) -> object:
        """Return the ticket as the console has it, without the time."""
        await self.team.sync()
        return (await self.team.desk.load(self._mailbox(number))).thread.state

    def _mailbox(self, number: str) -> MailboxId:
        return next(one for one in self.relay.mailboxes if ticket_number(one) == number)


def opening(**changes: Any) -> OpenBody:
    """Return an opening that keeps every rule of the policy of records, but for the changes."""
    body = OpenBody(SUBJECT, TEXT, "billing", "", (), (), b"", "", b"", NO_KEY, LINKED)
    return replace(body, **changes)


@asynccontextmanager
async def staged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, policy: Policy = RECORD
) -> AsyncGenerator[Stage]:
    """Yield a team with a policy and a user with two devices."""
    room = Room(folder / "console", policy=policy)
    async with await room.found() as team:
        keys = MemoryKeystore()
        lawless = SupportClient(team.link, keystore=keys, state_dir=folder / "one", relay=room.relay)
        async with lawless:
            bundle = keys.load()
            assert isinstance(bundle, UserBundle)
            copy = MemoryKeystore(UserBundle.fresh(bundle.link, clock.random, master=bundle.master))
            second = SupportClient(team.link, keystore=copy, state_dir=folder / "two", relay=room.relay)
            async with second as honest:
                await lawless.verify_team()
                yield Stage(team, lawless, honest, room.relay, monkeypatch)


# --- openings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject": "x" * 9}, "subject_too_short"),
        ({"subject": " " * 50 + "x" * 9}, "subject_too_short"),
        ({"subject": "x" * 201}, "subject_too_long"),
        ({"subject": "\U0001f600" * 201}, "subject_too_long"),
        ({"text": "x" * 49}, "text_too_short"),
        ({"text": "x" * 2001}, "text_too_long"),
        ({"category": "gossip"}, "unknown_category"),
        ({"category": ""}, "unknown_category"),
        ({"priority": "critical"}, "priority_not_yours"),
        ({"fields": (Pair("feature", "The Moon"),)}, "unknown_field"),
        ({"fields": (Pair("mood", "bad"),)}, "unknown_field"),
        ({"debug": b"{}"}, "debug_off"),
    ],
)
async def test_an_opening_against_the_rules_is_no_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str
) -> None:
    """S2-06, S2-07, S2-24: what the form would not take is in no list, no count and no search of anybody honest."""
    async with staged(tmp_path, monkeypatch) as stage:
        number = await stage.open(**changes)
        assert await stage.broken(number) == [reason]
        assert await stage.state(number) is None
        assert list(await stage.team.inbox.list(view="all")) == []
        assert list(await stage.honest.tickets.list(hidden=True)) == []
        assert sum((await stage.honest.tickets.counts()).values()) == 0
        with pytest.raises(UsageError) as caught:
            await stage.honest.tickets.get(number)
        assert caught.value.code == "not_a_ticket"


async def test_a_priority_that_does_not_exist_is_no_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where users choose the priority, an invented level is as bad as an unknown category."""
    async with staged(tmp_path, monkeypatch, PORTAL) as stage:
        number = await stage.open(category="general", priority="cosmic")
        assert await stage.broken(number) == ["unknown_priority"]
        assert await stage.state(number) is None


@pytest.mark.parametrize("subject", ["x" * 10, "x" * 200, "\U0001f600" * 200, "e\u0301" * 200])
async def test_lengths_are_code_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: str) -> None:
    """Pitfall 8: 200 emoji are 200 characters for everybody, and so are 200 letters with an accent of their own."""
    async with staged(tmp_path, monkeypatch) as stage:
        number = (await stage.lawless.tickets.create(subject, TEXT, category="billing")).number
        assert await stage.broken(number) == []
        assert len(await stage.honest.tickets.list()) == 1


async def test_the_sixth_ticket_of_the_day_is_flagged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2-10: no log shows how many tickets a user has, so every console counts; the honest device opens no seventh."""
    async with staged(tmp_path, monkeypatch) as stage:
        numbers = [await stage.open() for _ in range(6)]
        await stage.team.sync()
        flagged = [line.number for line in await stage.team.inbox.list() if "daily_limit" in line.flags]
        assert len(flagged) == 1
        assert set(flagged) < set(numbers)
        with pytest.raises(UsageError) as caught:
            await stage.honest.tickets.create(SUBJECT, TEXT, category="billing")
        assert caught.value.code == "daily_limit"


# --- what only the team may do -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.STATUS, StatusBody(2, 2)),
        (Kind.FIELDS, FieldsBody("access", "", b"", ())),
        (Kind.FIELDS, FieldsBody("", "critical", b"", ())),
        (Kind.FIELDS, FieldsBody("", "", bytes(15) + b"\x01", ())),
        (Kind.RESOLUTION, ResolutionBody("I am content.")),
        (Kind.MERGE, MergeBody(MailboxId(bytes(16)), bytes(32), bytes(64), "")),
        (Kind.AUTO_CLOSE, EmptyBody()),
        (Kind.MESSAGE, MessageBody("This is the team speaking.", 1)),
        (Kind.MESSAGE, MessageBody("", 0)),
        (Kind.MESSAGE, MessageBody("x" * 2001, 0)),
        (Kind.CLOSE, CloseBody("", "")),
        (Kind.REOPEN, ReopenBody("It was never closed.")),
        (Kind.NOTE, NoteBody(NOWHERE, "The user is a fool.", ())),
        (Kind.TAG, TagBody(NOWHERE, ("vip",), ())),
        (Kind.ASSIGN, AssignBody(NOWHERE, bytes(15) + b"\x01")),
        (Kind.HOLD, FlagBody(NOWHERE, 1, "")),
        (Kind.SPAM, FlagBody(NOWHERE, 1, "")),
        (Kind.ARCHIVE, FlagBody(NOWHERE, 1, "")),
    ],
)
async def test_a_user_cannot_do_what_only_the_team_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, body: Message
) -> None:
    """S4-13, P5: the entry stays visible with the rule that it breaks, and the ticket is as it was before."""
    async with staged(tmp_path, monkeypatch) as stage:
        number = (await stage.lawless.tickets.create(SUBJECT, TEXT, category="billing")).number
        assert len(await stage.honest.tickets.list()) == 1
        before, seen = await stage.state(number), await stage.honest.tickets.get(number)
        await stage.send(kind, body, number)
        (reason,) = await stage.broken(number)
        assert await stage.state(number) == before
        after = await stage.honest.tickets.get(number)
        assert (after.summary, after.actions) == (seen.summary, seen.actions)
        shown = [(message.verdict, message.reason) for message in after.messages[1:]]
        assert shown == [(Verdict.NONCONFORMING, reason)]
        await stage.lawless.tickets.reply(number, "And yet it goes on.")
        assert (await stage.honest.tickets.get(number)).messages[-1].verified


async def test_a_closed_ticket_stays_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S2-23, S2-33: messages and reopenings of a modified client after the end change nothing for anybody honest."""
    async with staged(tmp_path, monkeypatch) as stage:
        number = (await stage.lawless.tickets.create(SUBJECT, TEXT, category="billing")).number
        await stage.team.sync()
        await stage.team.inbox.resolve(number, "It was a full disk.")
        await stage.lawless.tickets.close(number)
        before = await stage.state(number)
        await stage.send(Kind.MESSAGE, MessageBody("One more thing.", 0), number)
        await stage.send(Kind.REOPEN, ReopenBody("It is back."), number)
        assert await stage.broken(number) == ["closed", "reopen_never"]
        assert await stage.state(number) == before
        assert len(await stage.honest.tickets.list()) == 1
        ticket = await stage.honest.tickets.get(number)
        assert (ticket.summary.status, ticket.resolution) == ("closed", "It was a full disk.")


async def test_a_forgotten_limit_does_not_lock_out_the_honest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nonconforming openings are no tickets: they count against nobody's day."""
    async with staged(tmp_path, monkeypatch, replace(DEFAULT, limits=RECORD.limits)) as stage:
        for _ in range(6):
            await stage.open(category="gossip")
        assert (await stage.honest.tickets.create(SUBJECT, TEXT, category="billing")).state == "stored"
