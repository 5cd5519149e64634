"""Timeline and log of a ticket as administrators see them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from console_room import Room
from e2e_support.content import FieldsBody, ResolutionBody, TagBody
from e2e_support.ids import MailboxId
from e2e_support.presets import DESK
from e2e_support.vocab import Kind, Verdict
from e2e_support_client.model import Role
from e2e_support_console.history import Change
from e2e_support_console.writer import Writer

POLICY = replace(DESK, limits=replace(DESK.limits, subject_min=1, text_min=1))


async def test_the_log_tells_both_logs_with_old_and_new_values(tmp_path: Path) -> None:
    """Each event has its author, log, hash and verdict; a changed value stands with what it was before."""
    room = Room(tmp_path, policy=POLICY)
    async with await room.found() as team:
        user = await room.ticket(category=POLICY.categories[0].id)
        await team.sync()
        writer, mailbox = Writer(team.desk), MailboxId(user.mailbox)
        await writer.write(mailbox, Kind.FIELDS, FieldsBody(POLICY.categories[1].id, "", b"", ()))
        await writer.write_staff(mailbox, Kind.TAG, lambda shared: TagBody(shared, ("vip",), ()))
        events = await team.history.log(user.number)
        assert [(event.kind, event.internal, event.by) for event in events] == [
            ("opened", False, "User"),
            ("fields", False, "Anna"),
            ("staff_open", True, "Anna"),
            ("tag", True, "Anna"),
        ]
        assert events[1].changes == (Change("category", POLICY.categories[0].id, POLICY.categories[1].id),)
        assert events[3].changes == (Change("tags", "", "vip"),)
        assert {event.verdict for event in events} == {Verdict.OK}
        assert len({event.hash for event in events}) == 4


async def test_the_log_names_the_rule_that_was_broken(tmp_path: Path) -> None:
    """A user's entry that only the team may write stands in the log with its rule, and changes nothing."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.send(Kind.RESOLUTION, ResolutionBody("I say so."))
        await team.sync()
        bad = (await team.history.log(user.number))[-1]
        assert (bad.verdict, bad.reason, bad.role) == (Verdict.NONCONFORMING, "not_allowed", Role.USER)
        assert bad.changes == ()


async def test_the_timeline_has_a_line_for_every_status(tmp_path: Path) -> None:
    """Colleagues see who made each status, also where the policy shows users the team."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.resolve(user.number, "Fixed.")
        await team.inbox.close(user.number, "Done.")
        events = await team.history.timeline(user.number)
        assert [(event.kind, event.status, event.by) for event in events] == [
            ("opened", "open", "User"),
            ("resolved", "resolved", "Anna"),
            ("closed", "closed", "Anna"),
        ]
