"""S4, the support center of a panel: priorities by users, closing by itself, reopening by a reply within 7 days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance_kit import DAY, PICTURE, SUBJECT, TEXT, HelpDesk, refused, row
from e2e_support.content import (
    CloseBody,
    EmptyBody,
    FieldsBody,
    MessageBody,
    NoteBody,
    ReopenBody,
    StatusBody,
)
from e2e_support.errors import SupportError
from e2e_support.ids import Hash, TeamId
from e2e_support.policy_parts import CategoryAssignee, Colour, StaffDelete
from e2e_support.presets import PANEL
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Kind, Role
from e2e_support.wire import Head
from e2e_support_client import FileSpec, MemoryKeystore, Profile, SupportClient
from e2e_support_client.policy_rules import policy_rules
from e2e_support_client.policy_words import LEAVES
from e2e_support_console.agent import Agent
from e2e_support_console.filters import Filters
from e2e_support_console.names import own_id
from mail_kit import mail_server

PRESET = PANEL
LOG = FileSpec(b"line\n" * 100, name="error.log")


async def closed(desk: HelpDesk, user: SupportClient) -> str:
    """Return the number of a ticket that the team has closed."""
    number = await desk.file(user, category="technical")
    await desk.team.inbox.close(number)
    return number


# --- there is a support center -----------------------------------------------------------------------------------


@row("S4-01", "pass")
async def test_a_founded_team_is_on(desk: HelpDesk) -> None:
    """Once the team and its signed policy exist, users can file tickets by its link."""
    number = await desk.file(await desk.user(), category="general")
    assert [line.number for line in await desk.team.inbox.list()] == [number]


@row("S4-01", "refuse")
async def test_without_a_team_there_is_nothing(desk: HelpDesk, tmp_path: Path) -> None:
    """Until a team is founded a link leads nowhere, and no ticket leaves the device."""
    nowhere = replace(SupportLink.parse(desk.team.link), team_id=TeamId(bytes(32))).format()
    made = SupportClient(nowhere, keystore=MemoryKeystore(), state_dir=tmp_path / "lost", relay=desk.relay)
    async with made as lost:
        with pytest.raises(SupportError):
            await lost.verify_team()
        with pytest.raises(SupportError):
            await lost.tickets.create(SUBJECT, TEXT, category="general", offline="raise")
    assert desk.relay.mailboxes == ()


@row("S4-24", "pass")
async def test_a_help_desk_elsewhere(desk: HelpDesk) -> None:
    """An address from the signed policy is shown with the warning that the encrypted channel ends there."""
    changed = replace(PANEL, external_url="https://help.example.org/")
    assert await desk.team.policy.apply(changed) is None
    ada = await desk.user()
    (rule,) = [rule for rule in policy_rules(ada.policy) if rule.topic == "external"]
    assert "https://help.example.org/" in rule.text
    assert LEAVES in rule.text


@row("S4-24", "refuse")
async def test_no_address_but_the_signed_one(desk: HelpDesk) -> None:
    """An agent cannot send users elsewhere, and an address that is no web address is signed by nobody."""
    ben = await desk.colleague("Ben", Role.AGENT)
    await refused(ben.policy.apply(replace(PANEL, external_url="https://evil.example/")), "nothing_to_sign")
    with pytest.raises(SupportError, match="external_url"):
        await desk.team.policy.apply(replace(PANEL, external_url="javascript:alert(1)"))
    assert (await desk.user()).policy.external_url == ""


# --- lists -------------------------------------------------------------------------------------------------------


@row("S4-03", "pass")
@row("S4-04", "pass")
async def test_counts_lead_to_tickets(desk: HelpDesk) -> None:
    """Every status has its number for user and team, and as a filter leads to as many tickets."""
    ada = await desk.user()
    numbers = [await desk.file(ada) for _ in range(5)]
    inbox = desk.team.inbox
    await inbox.set_status(numbers[1], "progress")
    await inbox.reply(numbers[2], "Which browser is it?")
    await inbox.resolve(numbers[3], "")
    await inbox.close(numbers[4])
    wanted = {"open": 1, "progress": 1, "waiting": 1, "resolved": 1, "closed": 1}
    assert await ada.tickets.counts() == wanted
    assert await inbox.counts() == wanted
    for status, number in zip(("open", "progress", "waiting", "resolved", "closed"), numbers, strict=True):
        assert [line.number for line in await ada.tickets.list(status=status)] == [number]
        assert [line.number for line in await inbox.list(status=status)] == [number]


@row("S4-05", "pass")
@row("S4-06", "pass")
@row("S4-07", "pass")
async def test_searched_and_filtered(desk: HelpDesk) -> None:
    """Subject or number, priority and category find tickets, also together."""
    ada = await desk.user()
    one = await desk.file(ada, "The invoice is wrong", category="billing", priority="urgent")
    other = await desk.file(ada, "The certificate is old", category="technical")
    for text in ("certificate", other):
        assert [line.number for line in await ada.tickets.list(text=text)] == [other]
        assert [line.number for line in await desk.team.inbox.list(text=text)] == [other]
    assert [line.number for line in await desk.team.inbox.list(priority="urgent")] == [one]
    assert [line.number for line in await desk.team.inbox.list(category="technical")] == [other]
    assert await desk.team.inbox.list(category="technical", priority="urgent") == ()
    assert (await desk.team.inbox.counts(Filters(priority="urgent")))["open"] == 1


@row("S4-08", "pass")
async def test_a_line_of_the_list(desk: HelpDesk) -> None:
    """A line has number, priority, subject, category, user, date and status; the ticket names the application."""
    ada = await desk.user(profile=Profile(name="Ada"))
    number = await desk.file(ada, category="technical", priority="high", fields={"related_app": "blog"})
    line = next(iter(await desk.team.inbox.list()))
    assert (line.number, line.priority, line.subject, line.category) == (number, "high", SUBJECT, "technical")
    assert (line.requester, line.status, line.created_at) == (
        "Ada",
        "open",
        datetime.fromtimestamp(desk.now, UTC),
    )
    assert (await desk.team.inbox.get(number)).fields == {"related_app": "blog"}


# --- the form ----------------------------------------------------------------------------------------------------


@row("S4-09", "pass")
async def test_the_form(desk: HelpDesk, tmp_path: Path) -> None:
    """Subject, category, the user's priority, description, and screenshots, logs or other files."""
    ada = await desk.user()
    files = [FileSpec(PICTURE, name="screen.png"), LOG, FileSpec(b"{}", name="state.json")]
    number = await desk.file(ada, category="account", priority="urgent", attachments=files)
    view = await desk.team.inbox.get(number)
    assert (view.summary.category, view.summary.priority) == ("account", "urgent")
    assert [file.name for file in view.messages[0].attachments] == ["screen.png", "error.log", "state.json"]
    saved = await desk.team.inbox.download(number, "error.log", tmp_path / "saved.log")
    assert saved.read_bytes() == b"line\n" * 100


@row("S4-09", "refuse")
async def test_what_the_form_does_not_take(desk: HelpDesk) -> None:
    """An invented priority or category, an empty text, and more files than allowed are refused."""
    ada = await desk.user()
    await refused(desk.file(ada, priority="cosmic"), "unknown_priority")
    await refused(desk.file(ada, category="gossip"), "unknown_category")
    await refused(desk.file(ada, SUBJECT, " "), "text_too_short")
    await refused(desk.file(ada, attachments=[LOG] * 11), "too_many_attachments")
    await desk.rejected(ada, "unknown_priority", priority="cosmic")


# --- what users may ----------------------------------------------------------------------------------------------


@row("S4-11", "pass")
@row("S4-25", "pass")
@row("S4-13", "pass")
async def test_the_statuses(desk: HelpDesk) -> None:
    """The team's word makes it wait for the user, the user's word ends that, and the rest is set by hand."""
    ada = await desk.user()
    number = await desk.file(ada)
    seen = [await desk.status(ada, number)]
    await desk.team.inbox.reply(number, "Which browser is it?")
    seen.append(await desk.status(ada, number))
    assert (await ada.tickets.get(number)).actions == {"reply"}
    await ada.tickets.reply(number, "Firefox.")
    seen.append(await desk.status(ada, number))
    for status in ("waiting", "progress", "resolved", "closed"):
        await desk.team.inbox.set_status(number, status, note="done")
        seen.append(await desk.status(ada, number))
    words = ["Open", "Waiting User", "In Progress", "Waiting User", "In Progress", "Resolved", "Closed"]
    assert seen == [(word, word) for word in words]
    await desk.team.inbox.set_status(number, "progress")
    assert await desk.status(ada, number) == ("In Progress", "In Progress")


@row("S4-11", "refuse")
async def test_users_do_not_close(desk: HelpDesk) -> None:
    """Closing is the team's: the user's program offers none, and one without rules closes nothing."""
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(ada.tickets.close(number, note="done"), "close_not_allowed")
    await desk.ignored(ada, number, Kind.CLOSE, CloseBody("done", ""), "close_not_allowed")
    await desk.team.inbox.resolve(number, "")
    await refused(ada.tickets.close(number), "close_not_allowed")


@row("S4-13", "refuse")
@row("S4-25", "refuse")
async def test_users_set_no_status(desk: HelpDesk) -> None:
    """A status of a user's making is passed over, and no console takes one that does not exist."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.ignored(ada, number, Kind.STATUS, StatusBody(2, 2), "not_allowed")
    await refused(desk.team.inbox.set_status(number, "frozen"), "unknown_status")


@row("S4-22", "pass")
async def test_every_status_has_its_colour(desk: HelpDesk) -> None:
    """Blue, yellow, orange, green and gray stand in the signed policy for both sides."""
    colours = {
        "Open": Colour.BLUE,
        "In Progress": Colour.YELLOW,
        "Waiting User": Colour.ORANGE,
        "Resolved": Colour.GREEN,
        "Closed": Colour.GRAY,
    }
    policy = (await desk.user()).policy
    assert {rule.text: rule.colour for rule in policy.labels_user} == colours
    assert {rule.text: rule.colour for rule in policy.labels_staff} == colours


# --- what the team may -------------------------------------------------------------------------------------------


@row("S4-12", "pass")
async def test_assigning(desk: HelpDesk) -> None:
    """A ticket is assigned to a colleague, is in progress from then on, and users do not learn to whom."""
    ben, ada = await desk.colleague(), await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.assign(number, "Ben")
    await ben.catch_up()
    assert [line.number for line in await ben.inbox.list(assignee="me")] == [number]
    assert (await ada.tickets.get(number)).assignee == ""
    assert await desk.status(ada, number) == ("In Progress", "In Progress")
    await desk.team.inbox.assign(number, "nobody")
    assert [line.number for line in await desk.team.inbox.list(view="unassigned")] == [number]


@row("S4-12", "refuse")
async def test_who_does_not_answer_is_not_assigned(desk: HelpDesk) -> None:
    """Neither an auditor nor somebody who has left nor a stranger gets a ticket."""
    await desk.colleague("Eve", Role.AUDITOR)
    await desk.colleague("Ben")
    number = await desk.file(await desk.user())
    await desk.team.members.remove("Ben")
    await refused(desk.team.inbox.assign(number, "Eve"), "unknown_assignee")
    await refused(desk.team.inbox.assign(number, "Ben"), "unknown_assignee", "no_member")
    await refused(desk.team.inbox.assign(number, "Mallory"), "no_member")


@row("S4-14", "pass")
@row("S4-15", "pass")
async def test_priority_and_category_change(desk: HelpDesk) -> None:
    """The team changes both, and the user sees it."""
    ada = await desk.user()
    number = await desk.file(ada)
    assert (await ada.tickets.get(number)).summary.priority == "normal"
    await desk.team.inbox.set_priority(number, "urgent")
    await desk.team.inbox.set_category(number, "account")
    line = (await ada.tickets.get(number)).summary
    assert (line.priority, line.category) == ("urgent", "account")


@row("S4-14", "refuse")
@row("S4-15", "refuse")
async def test_what_cannot_be_set(desk: HelpDesk) -> None:
    """Users change neither afterwards, and nobody sets what the policy does not name."""
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(desk.team.inbox.set_priority(number, "cosmic"), "unknown_priority")
    await refused(desk.team.inbox.set_category(number, "gossip"), "unknown_category")
    await desk.ignored(ada, number, Kind.FIELDS, FieldsBody("", "urgent", b"", ()), "not_allowed")
    await desk.ignored(ada, number, Kind.FIELDS, FieldsBody("account", "", b"", ()), "not_allowed")


@row("S4-16", "pass")
async def test_notes_are_for_administrators(desk: HelpDesk) -> None:
    """Colleagues read a note among the messages, marked as internal."""
    ben = await desk.colleague()
    number = await desk.file(await desk.user())
    await desk.team.inbox.note(number, "The third report this week.")
    await ben.catch_up()
    assert [(m.body, m.internal) for m in (await ben.inbox.get(number)).messages][1:] == [
        ("The third report this week.", True)
    ]


@row("S4-16", "refuse")
async def test_users_get_no_note(desk: HelpDesk) -> None:
    """The note stands in a mailbox that the relay opens to no user, and a user writes none."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.note(number, "The third report this week.")
    (place,) = await ada.places()
    (staff,) = [mailbox for mailbox in desk.relay.mailboxes if mailbox != place.mailbox]
    await desk.closed_to(ada, staff)
    assert len((await ada.tickets.get(number)).messages) == 1
    note = NoteBody(Head(1, Hash(bytes(32))), "The user is right.", ())
    await desk.ignored(ada, number, Kind.NOTE, note, "not_allowed")


@row("S4-17", "pass")
async def test_the_team_closes_and_reopens_at_any_time(desk: HelpDesk) -> None:
    """Long after its user could, the team opens a ticket again."""
    ada = await desk.user()
    number = await closed(desk, ada)
    desk.pass_by(days=100)
    await desk.team.inbox.reopen(number, "We look again.")
    assert await desk.status(ada, number) == ("Open", "Open")


@row("S4-17", "refuse")
async def test_what_is_open_is_not_reopened(desk: HelpDesk) -> None:
    """There is nothing to open again in an open ticket, nor to close in a closed one."""
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(desk.team.inbox.reopen(number), "not_closed", "not_allowed")
    await desk.team.inbox.close(number)
    await refused(desk.team.inbox.close(number), "closed")
    await desk.ignored_of_team(ada, number, Kind.CLOSE, CloseBody("", ""), "closed")


@row("S4-18", "pass")
async def test_erasing(desk: HelpDesk) -> None:
    """The team erases a ticket: it is told what goes, and who did it is all that is left, for user and team."""
    ada = await desk.user()
    number = await closed(desk, ada)
    stakes = await desk.team.inbox.stakes(number)
    assert (stakes.messages, stakes.files, stakes.notes) == (1, 0, 0)
    await desk.team.inbox.erase(number)
    assert await desk.team.inbox.list(view="all") == ()
    await refused(desk.team.inbox.get(number), "erased")
    await refused(ada.tickets.get(number), "erased")
    (left,) = await ada.tickets.erased()
    assert left.number == number


@row("S4-18", "refuse")
async def test_who_does_not_write_erases_nothing(desk: HelpDesk) -> None:
    """Neither an auditor nor the user erases, and where the policy keeps tickets the team does not either."""
    ada, eve = await desk.user(), await desk.colleague("Eve", Role.AUDITOR)
    number = await closed(desk, ada)
    await eve.catch_up()
    await refused(eve.inbox.erase(number), "not_allowed")
    await refused(ada.tickets.erase(number), "erase_off")
    assert (
        await desk.team.policy.apply(replace(PANEL, delete=replace(PANEL.delete, staff=StaffDelete.NEVER)))
        is None
    )
    await refused(desk.team.inbox.erase(number), "erase_off")
    assert (await ada.tickets.get(number)).messages[0].body == TEXT


# --- what happens by itself -----------------------------------------------------------------------------------------


@row("S4-21", "pass")
async def test_a_first_assignee(desk: HelpDesk) -> None:
    """A new ticket goes to the member whom the policy names for its category, else to the one for all, once."""
    ben, ada = await desk.colleague("Ben"), await desk.user()
    anna, agent = own_id(desk.team.desk), own_id(ben.desk)
    staff = replace(PANEL.staff, assignee=anna, assignees=(CategoryAssignee("technical", agent),))
    assert await desk.team.policy.apply(replace(PANEL, staff=staff)) is None
    await ada.verify_team()
    number, other = await desk.file(ada, category="technical"), await desk.file(ada)
    await ben.catch_up()
    assert [line.number for line in await ben.inbox.list(assignee="me")] == [number]
    assert [line.number for line in await desk.team.inbox.list(assignee="me")] == [other]


@row("S4-21", "refuse")
async def test_what_was_decided_by_hand_stays(desk: HelpDesk) -> None:
    """A ticket that somebody has given to nobody is not given to the first assignee again, nor one of before."""
    ben, ada = await desk.colleague("Ben"), await desk.user()
    before = await desk.file(ada)
    staff = replace(PANEL.staff, assignee=own_id(ben.desk))
    assert await desk.team.policy.apply(replace(PANEL, staff=staff)) is None
    await ada.verify_team()
    number = await desk.file(ada)
    await desk.team.inbox.assign(number, "nobody")
    await ben.catch_up()
    await desk.team.catch_up()
    assert {line.number for line in await desk.team.inbox.list(view="unassigned")} == {before, number}


@row("S4-10", "pass")
@row("S4-19", "pass")
async def test_mails_about_a_new_ticket(desk: HelpDesk) -> None:
    """Its user gets the number, the team hears that it is there, and no mail has a word of it."""
    ada = await desk.user(profile=Profile(name="Ada", notify_email="ada@example.org"))
    number = await desk.file(ada)
    async with mail_server() as server:
        agent = Agent(desk.team, server.mailer(to=("desk@example.org",)))
        assert ((await agent.run_once()).mails, (await agent.run_once()).mails) == (2, 0)
        told = {(to, mail["Subject"]) for to, mail in server.mails}
        assert told == {
            ("ada@example.org", f"Your ticket {number}"),
            ("desk@example.org", f"New ticket {number}"),
        }
        assert not any(SUBJECT in mail.as_string() or TEXT in mail.as_string() for _, mail in server.mails)


@row("S4-10", "refuse")
@row("S4-19", "refuse")
async def test_no_mails_that_nobody_wants(desk: HelpDesk) -> None:
    """Whoever gave no address gets no receipt, answers are not mailed here, and the policy turns the rest off."""
    ada = await desk.user(profile=Profile(name="Ada", email="ada@example.org"))
    number = await desk.file(ada)
    await desk.team.inbox.reply(number, "We look into it.")
    notify = replace(PANEL.notify, staff_mail=0)
    assert await desk.team.policy.apply(replace(PANEL, notify=notify)) is None
    async with mail_server() as server:
        assert (await Agent(desk.team, server.mailer(to=("desk@example.org",))).run_once()).mails == 0


# --- times -------------------------------------------------------------------------------------------------------


@row("S4-20", "pass")
async def test_a_resolved_ticket_closes_at_its_second(desk: HelpDesk) -> None:
    """Seven days after it was resolved a ticket is closed for both sides, and not a second earlier."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.resolve(number, "")
    due = datetime.fromtimestamp(desk.now + 7 * DAY, UTC)
    assert (await ada.tickets.get(number)).closes_at == due
    desk.pass_by(days=7, seconds=-1)
    assert await desk.status(ada, number) == ("Resolved", "Resolved")
    desk.pass_by(seconds=1)
    assert await desk.status(ada, number) == ("Closed", "Closed")
    assert [line.number for line in await desk.team.inbox.list(status="closed")] == [number]
    assert (await ada.tickets.timeline(number))[-1].at == due


@row("S4-20", "refuse")
async def test_a_word_in_the_last_second_keeps_it_open(desk: HelpDesk) -> None:
    """A reply one second before counts; and nobody says early that a ticket has closed by itself."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.resolve(number, "")
    await desk.ignored(ada, number, Kind.AUTO_CLOSE, EmptyBody(), "not_allowed")
    await desk.ignored_of_team(ada, number, Kind.AUTO_CLOSE, EmptyBody(), "not_due")
    desk.pass_by(days=7, seconds=-1)
    await ada.tickets.reply(number, "It is back.")
    desk.pass_by(days=30)
    assert await desk.status(ada, number) == ("In Progress", "In Progress")


@row("S4-23", "pass")
async def test_a_reply_reopens_within_seven_days(desk: HelpDesk) -> None:
    """6 days, 23 hours and 59 minutes after the closing a reply opens the ticket again, for both sides."""
    ada = await desk.user()
    number = await closed(desk, ada)
    until = datetime.fromtimestamp(desk.now + 7 * DAY, UTC)
    assert (await ada.tickets.get(number)).reopen_until == until
    desk.pass_by(days=7, seconds=-60)
    await ada.tickets.reply(number, "It is back.")
    assert await desk.status(ada, number) == ("Open", "Open")


@row("S4-23", "refuse")
async def test_a_reply_after_seven_days_reopens_nothing(desk: HelpDesk) -> None:
    """A minute after the seven days the user's program refuses, and a console passes over what comes anyway."""
    ada = await desk.user()
    number = await closed(desk, ada)
    desk.pass_by(days=7, seconds=60)
    await refused(ada.tickets.reply(number, "It is back."), "reopen_window_over")
    await desk.ignored(ada, number, Kind.MESSAGE, MessageBody("It is back.", 0), "reopen_window_over")
    await desk.ignored(ada, number, Kind.REOPEN, ReopenBody("It is back."), "reopen_window_over")
    assert (await ada.tickets.get(number)).actions == {"follow_up"}
