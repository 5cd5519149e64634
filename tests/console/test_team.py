"""Founding and unlocking a team: nothing is lost by a kill, and nothing opens for others."""

from __future__ import annotations

from pathlib import Path

from console_room import Room


async def test_a_founded_team_lists_a_users_ticket(tmp_path: Path) -> None:
    """A ticket that a user writes to a fresh team stands in its inbox after one sync."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket("No invoice")
        report = await team.sync()
        (ticket,) = await team.inbox.list()
        assert (ticket.number, ticket.subject, ticket.unread) == (user.number, "No invoice", 1)
        assert (report.done, report.left, report.trouble) == (1, 0, None)


async def test_a_reply_reaches_the_user(tmp_path: Path) -> None:
    """What an administrator replies is read by the user as a good entry of the team."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.reply(user.number, "We look into it.")
        assert await user.texts() == ["We look into it."]


async def test_notes_interleave(tmp_path: Path) -> None:
    """Notes stand between the messages they were written among, and are marked internal."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.note(user.number, "A known bug.")
        await user.say("Any news?")
        await team.inbox.note(user.number, "Fixed in 1.2.")
        await team.inbox.reply(user.number, "Fixed.")
        view = await team.inbox.get(user.number)
        shown = [(message.body, message.internal) for message in view.messages]
        assert shown == [
            ("The list is empty.", False),
            ("A known bug.", True),
            ("Any news?", False),
            ("Fixed in 1.2.", True),
            ("Fixed.", False),
        ]
