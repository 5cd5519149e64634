"""What an administrator does with tickets, over a relay in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Room, User, opening
from e2e_support.content import FieldsBody, MessageBody, Pair
from e2e_support.errors import PeerError, UsageError
from e2e_support.policy_parts import Staff, StaffIdentity
from e2e_support.presets import DEFAULT
from e2e_support.vocab import Kind, Verdict
from e2e_support_client.files import FileSource
from e2e_support_client.model import Role
from e2e_support_client.testing import Fault
from e2e_support_client.upload import UploadState, upload
from e2e_support_console.inbox import Inbox
from e2e_support_console.team import TeamClient


async def attach(user: User, data: bytes, name: str = "log.txt") -> None:
    """Let a user send a file."""
    source = FileSource.from_bytes(data, name=name)
    manifest = await upload(user.relay, user.mailbox, user.keys.capability, source, state=UploadState.fresh())
    await user.say("See the file.", manifest)


async def refused(team: TeamClient, number: str, code: str, text: str = "Hello.") -> None:
    """Expect a reply to be refused with a code, and nothing to reach the relay."""
    team.desk.relay.calls.clear()  # type: ignore[attr-defined]
    with pytest.raises(UsageError) as error:
        await team.inbox.reply(number, text)
    assert error.value.code == code
    assert "append" not in team.desk.relay.calls  # type: ignore[attr-defined]


# --- listing ---------------------------------------------------------------------------------------------


async def test_whoever_waits_longest_stands_first(tmp_path: Path) -> None:
    """Waiting tickets come first, the longest wait on top; answered ones follow, closed ones stand last."""
    room = Room(tmp_path)
    async with await room.found() as team:
        subjects = ["closed one", "answered one", "waits long", "waits short"]
        users: dict[str, User] = {}
        for subject in subjects:
            users[subject] = await room.ticket(subject)
            room.relay.advance(60)
        await users["closed one"].close()
        await team.sync()
        await team.inbox.reply(users["answered one"].number, "Done.")
        listed = await team.inbox.list()
        assert [ticket.subject for ticket in listed] == [
            "waits long",
            "waits short",
            "answered one",
            "closed one",
        ]
        assert [bool(ticket.waiting_since) for ticket in listed] == [True, True, False, False]
        assert [ticket.closed for ticket in listed] == [False, False, False, True]


async def test_the_list_can_be_filtered_by_status(tmp_path: Path) -> None:
    """Only tickets with the label asked for are listed."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user, _ = await room.ticket(), await room.ticket()
        await user.close()
        await team.sync()
        assert [ticket.number for ticket in await team.inbox.list(status="closed")] == [user.number]


async def test_reading_marks_as_read(tmp_path: Path) -> None:
    """What the user says counts as unread until the ticket was shown; the team's own words never do."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.say("Any news?")
        await team.sync()
        assert (await team.inbox.list())[0].unread == 2
        await team.inbox.get(user.number, mark_read=False)
        assert (await team.inbox.list())[0].unread == 2
        await team.inbox.get(user.number)
        assert (await team.inbox.list())[0].unread == 0
        await team.inbox.reply(user.number, "Yes.")
        await user.pull()
        assert (await team.inbox.list())[0].unread == 0
        await user.say("Good.")
        await team.sync()
        assert (await team.inbox.list())[0].unread == 1


async def test_a_number_may_be_typed_carelessly(tmp_path: Path) -> None:
    """Lower case and missing dashes are understood; an impossible or unknown number is told."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        typed = user.number.removeprefix("T-").replace("-", "").lower()
        assert (await team.inbox.get(typed)).summary.number == user.number
        assert await team.inbox.has(user.number)
        for number, code in (("T-00000-00000", "no_ticket"), ("what?", "bad_number")):
            with pytest.raises(UsageError) as error:
                await team.inbox.get(number)
            assert error.value.code == code


async def test_two_tickets_with_one_number_are_not_mixed_up(tmp_path: Path) -> None:
    """A number that two mailboxes share is refused instead of choosing one."""
    room = Room(tmp_path)
    async with await room.found() as team:
        first, _ = await room.ticket(), await room.ticket()
        await team.sync()
        async with team.desk.store.transaction() as change:
            await change.execute("UPDATE tickets SET number = ?", first.number)
        with pytest.raises(UsageError) as error:
            await team.inbox.get(first.number)
        assert error.value.code == "ambiguous_number"


# --- reading ---------------------------------------------------------------------------------------------


async def test_a_view_tells_everything_of_a_ticket(tmp_path: Path) -> None:
    """Fields, profile, relation, resolution and messages stand in the view, each from its own source."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket(
            profile=(Pair("name", "Ada"), Pair("email", "ada@example.org")),
            fields=(Pair("impact", "Only me"),),
            related="T-7K3M9-QXF20",
            debug=b'{"app":"1.1"}',
        )
        await team.sync()
        await team.inbox.resolve(user.number, "Fixed in 1.2.")
        view = await team.inbox.get(user.number)
        assert view.profile == {"name": "Ada", "email": "ada@example.org"}
        assert (view.fields, view.related, view.resolution) == (
            {"impact": "Only me"}, "T-7K3M9-QXF20", "Fixed in 1.2.",
        )  # fmt: skip
        assert view.has_debug
        assert await team.inbox.debug(user.number) == b'{"app":"1.1"}'
        first, last = view.messages
        assert (first.author.role, first.author.name, first.body) == (Role.USER, "Ada", "The list is empty.")
        assert (last.author.role, last.author.name, last.body) == (Role.TEAM, "Anna", "Fixed in 1.2.")
        assert [message.body async for message in team.inbox.messages(user.number)] == [first.body, last.body]


async def test_notes_stand_where_they_were_written(tmp_path: Path) -> None:
    """Notes stand between the messages they were written among, also within one second, and are marked."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.note(user.number, "A known bug.")
        await user.say("Any news?")
        await team.inbox.note(user.number, "Fixed in 1.2.")
        await team.inbox.note(user.number, "Released today.")
        await team.inbox.reply(user.number, "Fixed.")
        view = await team.inbox.get(user.number)
        assert [(message.body, message.internal) for message in view.messages] == [
            ("The list is empty.", False), ("A known bug.", True), ("Any news?", False),
            ("Fixed in 1.2.", True), ("Released today.", True), ("Fixed.", False),
        ]  # fmt: skip
        assert {message.author.name for message in view.messages if message.internal} == {"Anna"}


async def test_a_file_is_fetched_and_verified(tmp_path: Path) -> None:
    """A file that the user sent is saved under its own name in a folder, or under the one asked for."""
    room = Room(tmp_path / "home")
    async with await room.found() as team:
        user = await room.ticket()
        await attach(user, b"line\n" * 1000)
        await team.sync()
        (file,) = (await team.inbox.get(user.number)).messages[-1].attachments
        assert (file.name, file.size) == ("log.txt", 5000)
        assert await team.inbox.download(user.number, "log.txt", tmp_path) == tmp_path / "log.txt"
        named = await team.inbox.download(user.number, "log.txt", tmp_path / "mine.log")
        assert named.read_bytes() == b"line\n" * 1000


async def test_a_file_that_was_changed_is_not_kept(tmp_path: Path) -> None:
    """When the relay serves other bytes than were sent, nothing is saved."""
    room = Room(tmp_path / "home")
    async with await room.found() as team:
        user = await room.ticket()
        await attach(user, bytes(300_000))
        await team.sync()
        room.relay.inject(Fault.CORRUPT_BLOB)
        with pytest.raises(PeerError) as error:
            await team.inbox.download(user.number, "log.txt", tmp_path)
        assert error.value.code == "bad_attachment"
        assert [path.name for path in tmp_path.iterdir()] == ["home"]  # noqa: ASYNC240 - likewise


async def test_files_with_one_name_are_told_apart(tmp_path: Path) -> None:
    """Of several files with one name the person says which; a name that is not there is told."""
    room = Room(tmp_path / "home")
    async with await room.found() as team:
        user = await room.ticket()
        for data in (b"first", b"second"):
            await attach(user, data)
        await team.sync()
        for name, code in (("log.txt", "ambiguous_file"), ("log.txt#3", "no_file"), ("other", "no_file")):
            with pytest.raises(UsageError) as error:
                await team.inbox.download(user.number, name, tmp_path)
            assert error.value.code == code
        place = await team.inbox.download(user.number, "log.txt#2", tmp_path)
        assert place.read_bytes() == b"second"


# --- writing ---------------------------------------------------------------------------------------------


async def test_a_reply_reaches_the_user(tmp_path: Path) -> None:
    """What an administrator replies is read by the user as a good entry of the team."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        line = await team.inbox.reply(user.number, "We look into it.")
        assert line.status == "waiting"
        (entry,) = await user.pull()
        assert (entry.verdict, entry.body) == (Verdict.OK, MessageBody("We look into it.", 1))
        assert entry.device is not None
        assert entry.device.label == "Anna"


async def test_a_ticket_goes_through_its_life(tmp_path: Path) -> None:
    """Resolve, reopen, status, close and reopen each lead to the state that the rules give, for both sides."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        number = user.number
        assert (await team.inbox.resolve(number, "Fixed.")).status == "resolved"
        assert (await team.inbox.reopen(number, "Not quite.")).status == "answered"
        assert (await team.inbox.set_status(number, "progress")).status == "progress"
        assert (await team.inbox.set_status(number, "waiting")).status == "waiting"
        assert (await team.inbox.close(number, "Done.")).status == "closed"
        assert (await team.inbox.reopen(number)).closed is False
        kinds = [entry.inner.kind for entry in await user.pull() if entry.inner]
        assert kinds == [Kind.RESOLUTION, Kind.REOPEN, Kind.STATUS, Kind.STATUS, Kind.CLOSE, Kind.REOPEN]


async def test_the_rules_are_asked_before_anything_is_sent(tmp_path: Path) -> None:
    """What every client would call nonconforming is refused with the rule, and nothing reaches the relay."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await refused(team, user.number, "text_empty", " ")
        await refused(team, user.number, "text_too_long", "x" * 10_001)
        with pytest.raises(UsageError) as error:
            await team.inbox.resolve(user.number, "")
        assert error.value.code == "resolution_note_needed"
        with pytest.raises(UsageError) as error:
            await team.inbox.note(user.number, "")
        assert error.value.code == "text_empty"
        await user.close()
        await refused(team, user.number, "closed")


@pytest.mark.parametrize(
    ("identity", "wanted", "shown"),
    [
        (StaffIdentity.TEAM, False, 1),
        (StaffIdentity.NAMED, True, 0),
        (StaffIdentity.PER_ADMIN, None, 1),
        (StaffIdentity.PER_ADMIN, False, 0),
        (StaffIdentity.PER_ADMIN, True, 1),
    ],
)
def test_the_policy_says_under_which_name_the_team_answers(
    identity: StaffIdentity, wanted: bool | None, shown: int
) -> None:
    """Only where the policy leaves the choice does an administrator choose between team and name."""
    staff: Staff = replace(DEFAULT.staff, identity=identity)
    assert Inbox.as_team(staff, wanted=wanted) == bool(shown)


async def test_colleagues_see_who_answered_as_the_team(tmp_path: Path) -> None:
    """An answer that users see as the team's shows the administrator's name in the console."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.reply(user.number, "Hello.", as_team=True)
        assert (await team.inbox.get(user.number)).messages[-1].author.name == "Anna"


async def test_what_the_team_says_is_shown_even_if_it_broke_a_rule(tmp_path: Path) -> None:
    """An entry that breaks a rule stays visible with the rule, and changes nothing."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.send(Kind.FIELDS, FieldsBody("", "urgent", b"", ()))
        await user.close()
        await user.say("One more thing.")
        await team.sync()
        view = await team.inbox.get(user.number)
        wrong = [(message.verdict, message.reason) for message in view.messages if not message.verified]
        assert wrong == [(Verdict.NONCONFORMING, "not_allowed")]
        assert view.summary.priority == "normal"


async def test_a_ticket_may_be_opened_only_once(tmp_path: Path) -> None:
    """A second opening in a ticket is shown as against the rules and changes nothing."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket("No invoice")
        await user.send(Kind.OPEN, opening(user, subject="Another subject"))
        await team.sync()
        view = await team.inbox.get(user.number)
        assert view.summary.subject == "No invoice"
        assert view.messages[-1].reason == "not_first"
